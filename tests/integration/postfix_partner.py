#!/usr/bin/env python3
"""Debian's Postfix as the partner of a Postern edge, both ways, with client certificates: what is right is delivered and
verified by both, what is wrong is refused or deferred with its reason, and nothing travels then. Revocation is hard: the
lists come from a web server behind a proxy."""
import os
import sys
import tempfile
from types import SimpleNamespace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender, message
from lab.edge import Edge
from lab.postfix import NoNetwork, Postfix
from lab.process import end_with_us, free_port, write
from lab.services import NameServer, Proxy, WebServer

CRL = 'http://crl.example.net/'
EDGE = '127.0.1.1'
SKIPPED = 77
MARK = 'Authentication-Results: mail1.contoso.com; x-domain-secured=pass\r\n'  # the hub's, for inside alone
# Each way to be a wrong partner is a domain of its own, at an address of its own.
DOMAINS = {'woodgrovebank.com': '127.0.2.1', 'wingtiptoys.com': '127.0.2.2', 'adatum.com': '127.0.2.3',
           'treyresearch.net': '127.0.2.4', 'litwareinc.com': '127.0.2.5', 'proseware.com': '127.0.2.6',
           'tailspintoys.com': '127.0.2.7'}


def check(what, got, *wanted):
    for one in wanted:
        if one not in got:
            raise SystemExit(f'FAILED {what}: wanted "{one}" in "{got}"')
    print(f'ok: {what}')


def block(head, *lines):
    return head + ' {\n' + '\n'.join(lines) + '\n}\n'


class World:
    def __init__(self, build, folder):
        self.build, self.folder = os.path.abspath(build), folder
        self.port = free_port(EDGE, *DOMAINS.values())
        self.submission = SimpleNamespace(address='127.0.0.1', port=free_port())
        self.web = WebServer(folder).start()
        self.proxy = Proxy(folder, self.web).start()
        self.dns = NameServer(folder, {'mail1.' + domain: address for domain, address in DOMAINS.items()},
                              {domain: 'mail1.' + domain for domain in DOMAINS}).start()
        self.certificates()
        self.postfix = self.partner()
        self.edge = self.contoso()

    def certificates(self):
        self.root = pki.Authority(self.folder, 'root', 'Third Party')
        self.ca = pki.Authority(self.folder, 'issuing-ca', 'Issuer', self.root, CRL + 'root.crl')
        self.foreign = pki.Authority(self.folder, 'foreign', 'Foreign')
        self.leafs = {domain: self.leaf(domain) for domain in DOMAINS}
        self.leafs['woodgrovebank.com'] = self.by_postern('woodgrovebank.com')
        self.leafs['adatum.com'] = self.leaf('us.adatum.com')
        self.leafs['treyresearch.net'] = self.foreign.leaf('trey', ['mail1.treyresearch.net'])
        self.deep = self.leaf('us.woodgrovebank.com')
        self.own, self.hub = self.leaf('contoso.com'), self.ca.leaf('hub', ['hub.contoso.com'])
        self.ca.revoke(self.leafs['litwareinc.com'])
        for authority in (self.root, self.ca):
            authority.publish(f'{self.web.root}/{authority.name}.crl')

    def leaf(self, domain):
        return self.ca.leaf(domain, ['mail1.' + domain], crl=CRL + 'issuing-ca.crl')

    def by_postern(self, domain):
        """A certificate that `postern cert` requested, imported and exported, as the files that Postfix wants."""
        folder = self.folder + '/maker'
        maker = Edge(self.build, folder, 'maker', EDGE, 0, f'''fqdn mail1.{domain}
state {folder}/state
spool {folder}/spool
control_socket {folder}/control
plugin_folder {self.build}/plugins
plugins {{
  tls-mutual
}}
intermediates {{
  {self.ca.certificate}
}}
''')
        password = write(folder + '/password', 'correct horse\n', 0o600)

        def cert(*words):
            done = maker.postern('cert', *words)
            assert done.returncode == 0, done
            return done.stdout
        cert('request', '--subject', f'C=US, O=Woodgrove Bank, CN=mail1.{domain}', '--exportable', '--output', folder + '/req')
        answer = self.ca.sign_request(folder + '/req', folder + '/crt', CRL + 'issuing-ca.crl')
        taken = cert('import', answer, '--trust', self.root.certificate).split()[0]
        cert('export', taken, '--output', folder + '/edge.p12', '--password-file', password)
        base = folder + '/edge'
        for options, path in ((['-nokeys'], base + '.pem'), (['-nocerts', '-nodes'], base + '.key')):
            pki.openssl('pkcs12', '-in', base + '.p12', '-passin', 'file:' + password, *options, '-out', path)
        os.chmod(base + '.key', 0o600)
        return SimpleNamespace(chain=base + '.pem', key=base + '.key')

    def service(self, domain, *options):
        """An smtpd that shows the domain's certificate and takes mail only of a client whose own it verified."""
        leaf = self.leafs[domain]
        options = options or ('smtpd_tls_ask_ccert=yes', 'smtpd_client_restrictions=permit_tls_all_clientcerts,reject')
        every = ('smtpd_tls_security_level=may', f'smtpd_tls_cert_file={leaf.chain}', f'smtpd_tls_key_file={leaf.key}',
                 'smtpd_delay_reject=yes', *options)
        return f'{DOMAINS[domain]}:{self.port} inet n - n - - smtpd ' + ' '.join('-o ' + one for one in every)

    def transport(self, name, *options):
        return f'{name} unix - - n - - smtp ' + ' '.join('-o ' + one for one in options)

    def partner(self):
        """One Postfix: a listener for each domain, a way out for each manner of sending, one for the test to submit."""
        folder = self.folder + '/postfix'
        verified = ('smtp_tls_security_level=secure', 'smtp_tls_secure_cert_match=mail1.contoso.com')
        right, deep = self.leafs['woodgrovebank.com'], self.deep
        ways = ('right', 'bare', 'deep', 'clear')
        settings = {
            'myhostname': 'mail1.woodgrovebank.com',
            'virtual_mailbox_domains': ' '.join(DOMAINS), 'virtual_mailbox_base': folder + '/mail',
            'virtual_mailbox_maps': 'inline:{' + ' '.join(f'eve@{d}={d}/eve/' for d in DOMAINS) + '}',
            'virtual_uid_maps': 'static:65534', 'virtual_gid_maps': 'static:65534', 'virtual_minimum_uid': '1',
            'transport_maps': 'inline:{' + ' '.join(f'{way}@contoso.com={way}:[{EDGE}]:{self.port}' for way in ways) + '}',
            'smtp_tls_CAfile': self.root.certificate, 'smtpd_tls_CAfile': self.root.certificate,
            'smtp_tls_session_cache_database': 'btree:${data_directory}/smtp_scache',
            'smtpd_tls_received_header': 'yes', 'smtp_tls_loglevel': '1', 'smtpd_tls_loglevel': '1'}
        services = [
            f'127.0.0.1:{self.submission.port} inet n - n - - smtpd', self.service('woodgrovebank.com'),
            self.service('wingtiptoys.com', 'smtpd_tls_security_level=encrypt', 'smtpd_tls_req_ccert=yes'),
            self.service('adatum.com'), self.service('treyresearch.net'), self.service('litwareinc.com'),
            self.service('proseware.com', 'smtpd_tls_security_level=none'),
            self.service('tailspintoys.com', 'smtpd_tls_ask_ccert=no'),
            self.transport('right', *verified, f'smtp_tls_cert_file={right.chain}', f'smtp_tls_key_file={right.key}'),
            self.transport('deep', *verified, f'smtp_tls_cert_file={deep.chain}', f'smtp_tls_key_file={deep.key}'),
            self.transport('bare', *verified), self.transport('clear', 'smtp_tls_security_level=none')]
        return Postfix(self.build, folder, settings, services)

    def contoso(self):
        folder, listed = self.folder + '/contoso', list(DOMAINS)
        text = f'''fqdn mail1.contoso.com
spool {folder}/spool
state {folder}/state
control_socket {folder}/control
plugin_folder {self.build}/plugins
plugins {{
  tls-mutual
  name-matching
  proxy-winhttp
  crl {{
    crl_hosts {{
      crl.example.net
    }}
  }}
  deliver-maildir {{
    folder {folder}/mail
  }}
}}
''' + block('resolver', block('forward', f'127.0.0.1:{self.dns.port}'), 'dnssec off')
        text += block('tls_send_domain_secure_list', *listed) + block('tls_receive_domain_secure_list', *listed)
        text += block('roots third', f'file {self.root.certificate}')
        text += ''.join(block('partner ' + domain, block('roots', 'third')) for domain in listed)
        text += block('intermediates', self.ca.certificate)
        text += block('trusted_servers', block('hub', f'sha256 {self.hub.sha256()}', block('roles', 'relay', 'marks')))
        text += block('receive_connector Inet', block('bindings', f'{EDGE}:{self.port}'), block('remote_ranges', '0.0.0.0/0'),
                      block('permission_groups', 'anonymous'), block('auth_mechanism', 'tls'), 'domain_secure_enabled yes')
        text += block('send_connector Internet', block('address_spaces', '* 1'), f'port {self.port}', f'source_address {EDGE}',
                      'domain_secure_enabled yes', block('allow_destinations', '127.0.0.0/8'))
        text += block('accepted_domain contoso.com', 'recipients any', 'deliver maildir')
        edge = Edge(self.build, folder, 'mail1.contoso.com', EDGE, self.port, text)
        done = edge.postern('proxy', 'set', f'127.0.0.1:{self.proxy.port}')
        assert done.returncode == 0, done
        # No file named: what we show is the store's, brought there as PKCS#12.
        password = write(folder + '/password', 'correct horse\n', 0o600)
        pki.openssl('pkcs12', '-export', '-in', self.own.chain, '-inkey', self.own.key, '-passout', 'file:' + password, '-out',
                    folder + '/own.p12')
        done = edge.postern('cert', 'import', folder + '/own.p12', '--services', 'smtp', '--password-file', password)
        assert done.returncode == 0, done
        return edge


def from_postfix(world, way):
    """Postfix sends as Woodgrove Bank; the line in which it says what became of it."""
    recipient = way + '@contoso.com'
    since = world.postfix.process.mark()
    with Sender(world.submission) as session:
        session.sendmail('eve@woodgrovebank.com', [recipient], message('eve@woodgrovebank.com', recipient, 'from ' + way))
    return world.postfix.process.wait_for(f'to=<{recipient}>', since)


def postfix_to_postern(world):
    check('Postfix with its certificate is taken', from_postfix(world, 'right'), 'status=sent', '250 2.6.0')
    mail = world.edge.arrived('right@contoso.com', 'from right')
    check('and its mail is marked', mail, 'Authentication-Results: mail1.contoso.com;', 'x-domain-secured=pass',
          'smtp.mailfrom=woodgrovebank.com', 'policy.revocation=good', 'policy.client=mail1.woodgrovebank.com')
    check('Postfix verified our certificate', '\n'.join(world.postfix.process.lines),
          f'Verified TLS connection established to {EDGE}')
    check('without a certificate it keeps the mail', from_postfix(world, 'bare'), 'status=deferred',
          '454 4.7.5 no-certificate: woodgrovebank.com')
    check('with a name two labels below it is refused', from_postfix(world, 'deep'), 'status=bounced',
          '550 5.7.1 name-mismatch: woodgrovebank.com')
    check('in clear it is refused', from_postfix(world, 'clear'), 'status=bounced',
          '530 5.7.0 starttls-required: must issue a STARTTLS command first')
    for way in ('bare', 'deep', 'clear'):
        assert not world.edge.mailbox(way + '@contoso.com'), f'{way}: it was taken'


def to_postfix(world, domain):
    """The hub hands a message to Postern for that domain; the line in which Postern says what became of it, and the line
    with which Postfix ends the session: what travelled stands there as mail=1."""
    recipient = 'eve@' + domain
    postern, postfix = world.edge.process.mark(), world.postfix.process.mark()
    with Sender(world.edge, 'hub.contoso.com', leaf=world.hub) as session:
        session.sendmail('bob@contoso.com', [recipient], message('bob@contoso.com', recipient, 'to ' + domain, MARK))
    return (world.edge.process.wait_for(f'to=<{recipient}>', postern),
            world.postfix.process.wait_for(f'disconnect from unknown[{EDGE}]', postfix))


def postern_to_postfix(world):
    for domain, what in (('woodgrovebank.com', 'that asks for a certificate'), ('wingtiptoys.com', 'that demands one')):
        outcome, session = to_postfix(world, domain)
        check(f'to a Postfix {what}: sent', outcome + session, 'delivered:', 'status=2.', 'starttls=1 mail=1')
        mail = world.postfix.arrived('eve@' + domain, 'to ' + domain)
        check('which verified our certificate', mail, '(Client CN "mail1.contoso.com"', 'verified OK')
        check('and got no marks of ours', str('Authentication-Results' in mail), 'False')
    for domain, reason in (('adatum.com', 'name-mismatch'), ('treyresearch.net', 'unknown-root'),
                           ('litwareinc.com', 'revoked'), ('proseware.com', 'starttls-not-offered'),
                           ('tailspintoys.com', 'peer-did-not-ask')):
        outcome, session = to_postfix(world, domain)
        check(f'to {domain}: {reason}', outcome, 'deferred:', 'status=4.7', f'({reason}: ')
        check('and no envelope travelled', session + str('mail=' in session), 'ehlo=', 'False')
        assert not world.postfix.mailbox('eve@' + domain), f'{domain}: it was sent'


def resumed(world):
    """Either comes back with the session that it kept, and is judged by the certificate of then."""
    good = ('(TLS resumed)', 'domain-secured by mail1.woodgrovebank.com, revocation good')
    since = world.edge.process.mark()
    check('Postfix comes back', from_postfix(world, 'right'), 'status=sent', '250 2.6.0')
    check('with its session of before', world.edge.process.wait_for('judged:', since), *good)
    since = world.edge.process.mark()
    outcome, session = to_postfix(world, 'woodgrovebank.com')
    check('Postern goes there again', outcome + session, 'delivered:', 'status=2.', 'starttls=1 mail=1')
    check('with its session of before', world.edge.process.wait_for('outbound to mail1.woodgrovebank.com', since), *good)


def main():
    if os.geteuid() != 0:
        os.execvp('sudo', ['sudo', '-n', sys.executable, *sys.argv])  # Postfix changes users
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='postern-postfix-') as folder:
        os.chmod(folder, 0o755)
        try:
            world = World(sys.argv[1], folder)
        except NoNetwork as cause:
            print(f'skipped: {cause}')
            sys.exit(SKIPPED)
        world.edge.start()
        world.postfix.start()
        try:
            postfix_to_postern(world)
            postern_to_postfix(world)
            resumed(world)
        except BaseException:
            for process in (world.edge.process, world.postfix.process):
                print(f'--- {process.name}\n' + '\n'.join(process.lines[-60:]))
            raise
        world.edge.stop()


main()
