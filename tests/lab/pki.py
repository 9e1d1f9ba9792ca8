"""Certification authorities, certificates and revocation lists, made with openssl. An Authority signs leafs and other
authorities, revokes, and writes its list; where the list is served is the caller's word (`crl`)."""
import os
import subprocess
import time

from .process import Failed, write

_PURPOSES = {'client': 'clientAuth', 'server': 'serverAuth'}


def openssl(*arguments, **more):
    done = subprocess.run(['openssl', *arguments], capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise Failed('openssl ' + ' '.join(arguments) + ':\n' + done.stderr)
    return done.stdout


def read(path):
    with open(path, encoding='ascii') as file:
        return file.read()


def _validity(days):
    if 0 <= days < 1:
        return ['-crlhours', str(round(24 * days))]
    if days >= 0:
        return ['-crldays', str(days)]
    begin, end = (time.strftime('%y%m%d%H%M%SZ', time.gmtime(time.time() + 86400 * when)) for when in (days - 7, days))
    return ['-crl_lastupdate', begin, '-crl_nextupdate', end]


class Leaf:
    """A certificate with its key: `chain` is what a server sends (itself, then the authorities below the root)."""

    def __init__(self, authority, name, serial, subject):
        self.authority, self.name, self.serial, self.subject = authority, name, serial, subject
        base = os.path.join(authority.folder, name)
        self.certificate, self.chain, self.key = base + '.crt', base + '.pem', base + '.key'

    def sha256(self):
        return self._fingerprint('-sha256')

    def sha1(self):
        return self._fingerprint('-sha1')

    def _fingerprint(self, digest):
        printed = openssl('x509', '-in', self.certificate, '-noout', '-fingerprint', digest)
        return printed.split('=')[1].strip().replace(':', '').lower()


class Authority:
    def __init__(self, folder, name, organisation, parent=None, parent_crl=None):
        self.folder, self.name, self.organisation, self.parent = os.path.join(folder, name), name, organisation, parent
        os.makedirs(self.folder, exist_ok=True)
        self.revoked, self._serial, self._list_number = [], 0, 0
        extensions = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign',
                      'subjectKeyIdentifier=hash']
        self.self_ = Leaf(self, 'ca', 1, f'/O={organisation}/CN={organisation} {"Issuing CA" if parent else "Root"}')
        (parent or self)._sign(self.self_, extensions, parent_crl, 3650)
        self.certificate = self.self_.certificate

    def leaf(self, name, dns, purposes=('client', 'server'), crl=None, days=90, cn=None, issuer_at=None):
        """`dns`: its names; `crl`: address of the list that will tell of it, or several of one list; None: without;
        `issuer_at`: where its issuer's certificate lies, for a chain that is sent without it."""
        leaf = Leaf(self, name, 0, f'/C=US/O={self.organisation}/CN={cn or dns[0]}')
        extensions = ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature',
                      'subjectAltName=' + ','.join('DNS:' + one for one in dns), 'subjectKeyIdentifier=hash']
        if purposes:
            extensions.append('extendedKeyUsage=' + ','.join(_PURPOSES[one] for one in purposes))
        if issuer_at:
            extensions.append('authorityInfoAccess=caIssuers;URI:' + issuer_at)
        self._sign(leaf, extensions, crl, days)
        if issuer_at:
            write(leaf.chain, read(leaf.certificate))
        return leaf

    def age(self, leaf, dns, before, after):
        """Signs it anew as one that began `before` days ago and ends in `after`: openssl dates from now on alone."""
        when = [time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(time.time() + 86400 * days)) for days in (-before, after)]
        template = write(leaf.key[:-4] + '.template', f'cn = "{dns[0]}"\nactivation_date = "{when[0]}"\n'
                         f'expiration_date = "{when[1]}"\nsigning_key\ntls_www_server\ntls_www_client\n' +
                         ''.join(f'dns_name = "{name}"\n' for name in dns))
        subprocess.run(['certtool', '--generate-certificate', '--load-privkey', leaf.key, '--load-ca-certificate',
                        self.certificate, '--load-ca-privkey', self.self_.key, '--template', template, '--outfile',
                        leaf.certificate], capture_output=True, check=True)
        write(leaf.chain, read(leaf.certificate) + read(self.certificate))
        return leaf

    def cross_certify(self, other, crl):
        """A certificate for another authority's name and key: who trusts this one comes to trust that one."""
        cross = Leaf(self, f'cross-{other.name}', 0, other.self_.subject)
        self._sign(cross, ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign',
                           'subjectKeyIdentifier=hash'], crl, 365, other.self_.key)
        return cross

    def _sign(self, leaf, extensions, crl, days, key=None):
        """`key`: of somebody who has one already."""
        self._serial += 1
        leaf.serial = 0x1000 + self._serial
        points = [crl] if isinstance(crl, str) else crl or []
        if points:
            extensions = extensions + ['crlDistributionPoints=point']
        if leaf.authority is not self or leaf.name != 'ca':
            extensions = extensions + ['authorityKeyIdentifier=keyid']
        settings = write(leaf.key[:-4] + '.cnf', '[req]\ndistinguished_name=dn\n[dn]\n[ext]\n' + '\n'.join(extensions) +
                         '\n[point]\nfullname=@urls\n[urls]\n' +
                         ''.join(f'URI.{number}={url}\n' for number, url in enumerate(points)))
        signer = [] if leaf.authority is self and leaf.name == 'ca' else [
            '-CA', self.certificate, '-CAkey', self.self_.key]
        keys = ['-key', key] if key else ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', leaf.key]
        openssl('req', '-x509', *keys, '-sha256', '-config', settings, '-extensions', 'ext', '-subj', leaf.subject,
                '-days', str(days), '-set_serial', hex(leaf.serial), '-out', leaf.certificate, *signer)
        if not key:
            os.chmod(leaf.key, 0o600)
        chain, above = read(leaf.certificate), leaf.authority if leaf.name != 'ca' else None
        while above and above.parent:
            chain += read(above.certificate)
            above = above.parent
        write(leaf.chain, chain)

    def sign_request(self, request, path, crl=None, start=None, end=None, purposes=None):
        """What `openssl ca` makes of a PKCS#10 file: its subject and extensions, for 90 days or from `start` to `end`
        (YYYYMMDDHHMMSSZ). `purposes`: those alone, whatever was asked for. Writes the certificate to `path`."""
        self._serial += 1
        write(self.folder + '/serial', f'{0x1000 + self._serial:X}\n')
        write(self.folder + '/issued.txt', '')
        write(self.folder + '/issued.txt.attr', 'unique_subject = no\n')
        os.makedirs(self.folder + '/issued', exist_ok=True)
        extensions = ['basicConstraints=critical,CA:FALSE', 'authorityKeyIdentifier=keyid', 'subjectKeyIdentifier=hash']
        if crl:
            extensions.append('crlDistributionPoints=URI:' + crl)
        if purposes:
            extensions.append('extendedKeyUsage=' + ','.join(_PURPOSES[one] for one in purposes))
        lines = '\n'.join(extensions)
        settings = write(self.folder + '/sign.cnf', f'''[ca]
default_ca=this
[this]
database={self.folder}/issued.txt
new_certs_dir={self.folder}/issued
serial={self.folder}/serial
default_md=sha256
policy=any
copy_extensions=copy
x509_extensions=ext
[any]
countryName=optional
stateOrProvinceName=optional
localityName=optional
organizationName=optional
organizationalUnitName=optional
commonName=optional
domainComponent=optional
[ext]
{lines}
''')
        dates = ['-startdate', start, '-enddate', end] if start else ['-days', '90']
        openssl('ca', '-batch', '-notext', '-preserveDN', '-utf8', '-config', settings, '-cert', self.certificate,
                '-keyfile', self.self_.key, '-in', request, '-out', path, *dates)
        return path

    def revoke(self, leaf):
        self.revoked.append((leaf, time.strftime('%y%m%d%H%M%SZ', time.gmtime())))

    def publish(self, path, days=7):
        """Writes the list as DER, `days` below zero: one that ended so long ago. Whole or not at all: a web server may be
        reading it."""
        self._list_number += 1
        index = ''.join(f'R\t491231235959Z\t{when},keyCompromise\t{leaf.serial:X}\tunknown\t{leaf.subject}\n'
                        for leaf, when in self.revoked)
        write(self.folder + '/index.txt', index)
        write(self.folder + '/index.txt.attr', 'unique_subject = no\n')
        write(self.folder + '/crlnumber', f'{self._list_number:04X}\n')
        settings = write(self.folder + '/list.cnf', f'''[ca]
default_ca=this
[this]
database={self.folder}/index.txt
crlnumber={self.folder}/crlnumber
default_md=sha256
crl_extensions=ext
[ext]
authorityKeyIdentifier=keyid
''')
        openssl('ca', '-gencrl', '-config', settings, '-cert', self.certificate, '-keyfile', self.self_.key,
                *_validity(days), '-out', self.folder + '/list.pem')
        os.makedirs(os.path.dirname(path), exist_ok=True)
        openssl('crl', '-in', self.folder + '/list.pem', '-outform', 'DER', '-out', path + '.new')
        os.replace(path + '.new', path)
