#!/usr/bin/env python3
"""The white paper's certificate work from end to end: the self-signed certificate of the first start, a request signed by a
CA, imported and enabled, domain-secured mail with it, a clone that takes over without dropping a session, and a second
edge that gets the same certificate as PKCS#12. Contoso's connectors name no certificate: each picks its own."""
import json
import os
import ssl
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender, message
from lab.edge import Edge
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import end_with_us, wait_until, write
from lab.services import Proxy, WebServer

CRL = 'http://crl.example.net/'
PLUGINS = 'tls-mutual name-matching proxy-winhttp crl { crl_hosts { crl.example.net } }'
SECOND = ('contoso.com', '127.0.1.2')


class Walk(World):
    def __init__(self, build, folder):
        self.web = WebServer(folder).start()
        self.proxy = Proxy(folder, self.web).start()
        super().__init__(build, folder)
        self.second = self.edge(SECOND, WOODGROVE, self.contoso_leaf, address='second')
        for edge in (self.contoso, self.woodgrove, self.second):
            done = edge.postern('proxy', 'set', f'127.0.0.1:{self.proxy.port}')
            assert done.returncode == 0, done

    def authorities(self):
        self.root = pki.Authority(self.folder, 'root', 'Third Party')
        self.ca = pki.Authority(self.folder, 'issuing', 'Issuer', self.root, CRL + 'root.crl')
        self.contoso_leaf = self.hub = self.ca.leaf('hub', ['hub.contoso.com'], crl=CRL + 'issuing.crl')
        self.woodgrove_leaf = self.ca.leaf('woodgrove', ['mail1.woodgrovebank.com'], crl=CRL + 'issuing.crl')
        for authority in (self.root, self.ca):
            authority.publish(f'{self.web.root}/{authority.name}.crl')

    def edge(self, own, other, leaf, address=None):
        folder = f'{self.folder}/{address or own[0]}'
        os.makedirs(folder, exist_ok=True)
        text = self.text(own, other, leaf, plugins=PLUGINS, revocation='hard').replace(f'{self.folder}/{own[0]}', folder)
        if own != WOODGROVE:
            # No file named: the store's certificates are chosen by fqdn.
            text = text.replace('  certificate edge\n', '').replace(
                f'certificate edge {{\n  chain {leaf.chain}\n  key {leaf.key}\n}}\n', '')
            text += (f'trusted_servers {{\n  hub {{\n    sha256 {self.hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
                     f'intermediates {{\n  {self.ca.certificate}\n}}\n')
            text = text.replace('send_connector Internet {', f'send_connector Internet {{\n  source_address {own[1]}')
            text = text.replace('fqdn mail1.contoso.com', 'fqdn mail.contoso.com') if address else text
        return Edge(self.build, folder, 'mail1.' + own[0], own[1], self.port, text)

    def sign(self, request, days=None):
        return self.ca.sign_request(request, request + '.crt', CRL + 'issuing.crl')


def cert(edge, *words, wanted=()):
    done = edge.postern('cert', *words)
    check(f'postern cert {words[0]}', done.stdout + done.stderr + f' status {done.returncode}', 'status 0', *wanted)
    return done.stdout


def shown(edge):
    """SHA-256 of the certificate that a sender sees."""
    with Sender(edge, tls=True, source='127.0.9.1') as sender:
        der = sender.sock.getpeercert(True)
    path = write(edge.folder + '/shown.pem', ssl.DER_cert_to_PEM_cert(der))
    return pki.openssl('x509', '-in', path, '-noout', '-fingerprint', '-sha256').split('=')[1].strip().replace(':', '').lower()


def first_start(walk):
    edge = walk.contoso.start()
    edge.process.wait_for('certificate-made: tls-mutual: self-signed certificate')
    listed = json.loads(cert(edge, 'list', '--json'))['certificates']
    assert len(listed) == 1 and listed[0]['origin'] == 'automatic', listed
    check('it holds all our names', ' '.join(listed[0]['names']), 'mail1.contoso.com contoso.com')
    check('and is shown', shown(edge), listed[0]['sha256'])
    status = wait_until(lambda: (done := edge.postern('status')).stdout.count('ALARM own-certificate') == 2 and done, 'the alarms')
    check('it will not do for Domain Security', status.stdout, 'ALARM own-certificate receive_connector Inet', 'self-signed',
          'ALARM own-certificate send_connector Internet', 'mail of woodgrovebank.com stops')


def request_and_import(walk):
    edge, path = walk.contoso, walk.folder + '/request.req'
    cert(edge, 'request', '--friendly-name', 'Internet certificate', '--output', path, '--exportable', '--subject',
         'DC=com,DC=Contoso,CN=mail1.contoso.com', '--domain', 'mail.contoso.com', wanted=['have a CA sign it'])
    answer = walk.sign(path)
    taken = cert(edge, 'import', answer, '--services', 'smtp', wanted=['the daemon has taken it up', 'chain    2 certificates'])
    sha256 = taken.split()[0]
    check('it is chosen', cert(edge, 'which'), f'  * {sha256[:16]}  covers mail1.contoso.com, validation')
    check('and shown', shown(edge), sha256)
    status = edge.postern('status').stdout
    check('the alarms ended', str('own-certificate' in status), 'False')
    return sha256


def mail(walk, edge, subject, source):
    """The hub sends through the edge to Woodgrove Bank; what arrived there."""
    with Sender(edge, 'hub.contoso.com', leaf=walk.hub, source=source) as sender:
        sender.sendmail('bob@contoso.com', 'eve@woodgrovebank.com', message('bob@contoso.com', 'eve@woodgrovebank.com', subject))
    text = walk.woodgrove.arrived('eve@woodgrovebank.com', subject)
    check(f'{subject}: domain-secured', text, 'x-domain-secured=pass', 'smtp.mailfrom=contoso.com', 'policy.revocation=good',
          'policy.client=mail')


def both_ways(walk):
    walk.woodgrove.start()
    mail(walk, walk.contoso, 'with the certificate of the store', '127.0.6.1')
    with Sender(walk.contoso, leaf=walk.woodgrove_leaf, source='127.0.5.1') as sender:
        sender.sendmail('eve@woodgrovebank.com', 'bob@contoso.com', message('eve@woodgrovebank.com', 'bob@contoso.com', 'back'))
    check('and back', walk.contoso.arrived('bob@contoso.com', 'back'), 'x-domain-secured=pass')


def renew(walk, old):
    edge, path = walk.contoso, walk.folder + '/renewal.req'
    refused = edge.postern('cert', 'remove', old)
    check('what is in use stays', refused.stderr, 'is in use by receive_connector Inet, send_connector Internet')
    with Sender(edge, leaf=walk.woodgrove_leaf, source='127.0.7.1') as held:
        check('a transaction begins', held.to_mail('eve@woodgrovebank.com'), '250 2.1.0')
        cert(edge, 'clone', old, '--request', '--output', path, '--exportable')
        new = cert(edge, 'import', walk.sign(path), '--services', 'smtp', wanted=['the daemon has taken it up']).split()[0]
        cert(edge, 'disable', old)
        check('new sessions are shown the new one', shown(edge), new)
        cert(edge, 'remove', old)
        check('the old session goes on', held.answer('RCPT TO:<bob@contoso.com>'), '250 2.1.5')
        code, text = held.data(message('eve@woodgrovebank.com', 'bob@contoso.com', 'over the old one'))
        check('and its message is taken', f'{code} {text}', '250')
    edge.arrived('bob@contoso.com', 'over the old one')
    mail(walk, edge, 'with the renewed one', '127.0.6.2')
    assert edge.process.count('handshake-failed') == 0, 'a handshake failed meanwhile'
    return new


def second_edge(walk, sha256):
    password = write(walk.folder + '/password', 'correct horse\n', 0o600)
    pfx = walk.folder + '/edge.pfx'
    cert(walk.contoso, 'export', sha256, '--output', pfx, '--password-file', password)
    cert(walk.second, 'import', pfx, '--password-file', password, '--services', 'smtp',
         wanted=['no daemon runs; it takes it up when it starts', sha256])
    # Pinned there, as a tool prints it.
    digits = ':'.join(sha256[at:at + 2].upper() for at in range(0, 64, 2))
    walk.second.configure(walk.second.text.replace('domain_secure_enabled yes\n', f'domain_secure_enabled yes\n  certificate {digits}\n'))
    walk.second.start()
    check('the second edge shows the same certificate', shown(walk.second), sha256)
    wait_until(lambda: 'standing good' in walk.second.postern('cert', 'show', sha256).stdout, 'its validation')
    cert(walk.second, 'which', wanted=['is pinned by its SHA-256'])
    print('ok: which it has found good, with its lists')
    mail(walk, walk.second, 'through the second edge', '127.0.6.3')
    shown_there = json.loads(cert(walk.second, 'show', sha256, '--json'))
    check('its key stays there', str(shown_there['exportable']), 'False')


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='postern-walk-') as folder:
        walk = Walk(sys.argv[1], folder)
        try:
            first_start(walk)
            first = request_and_import(walk)
            both_ways(walk)
            second_edge(walk, renew(walk, first))
        except BaseException:
            for edge in (walk.contoso, walk.woodgrove, walk.second):
                print(f'--- {edge.name}\n' + '\n'.join(edge.process.lines[-40:] if edge.process else []))
            raise
        for part in (walk.contoso, walk.woodgrove, walk.second, walk.dns, walk.proxy, walk.web):
            part.stop()


main()
