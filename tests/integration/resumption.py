#!/usr/bin/env python3
"""TLS sessions that continue an earlier one, with OpenSSL and GnuTLS as clients and between two edges. What is resumed is
judged like what is new: by the policy of now, against the lists of now. Nothing is resumed at another connector, under
another generation, with another certificate of ours, for another destination or requirement."""
import os
import smtplib
import ssl
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender, context_for, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import end_with_us
from lab.services import Proxy, WebServer

CRL = 'http://crl.example.net/'
MAIL = 'eve@woodgrovebank.com'


class Resuming(World):
    """Both partners with lists, a second connector of Contoso's beside the first, a hub that sends through Contoso."""

    def __init__(self, build, folder):
        self.web = WebServer(folder).start()
        self.proxy = Proxy(folder, self.web).start()
        super().__init__(build, folder)
        for authority in (self.root, self.contoso_ca, self.woodgrove_ca):
            self.publish(authority)

    def authorities(self):
        self.root = pki.Authority(self.folder, 'root', 'Third Party')
        self.contoso_ca = pki.Authority(self.folder, 'contoso-ca', 'Contoso', self.root, CRL + 'root.crl')
        self.woodgrove_ca = pki.Authority(self.folder, 'woodgrove-ca', 'Woodgrove Bank', self.root, CRL + 'root.crl')
        self.contoso_leaf, self.woodgrove_leaf = self.of_contoso('mail1'), self.of_woodgrove('mail1')
        self.hub = self.contoso_ca.leaf('hub', ['hub.contoso.com'])

    def of_contoso(self, name):
        return self.contoso_ca.leaf(name, ['mail1.contoso.com'], crl=CRL + 'contoso-ca.crl')

    def of_woodgrove(self, name):
        return self.woodgrove_ca.leaf(name, ['mail1.woodgrovebank.com'], crl=CRL + 'woodgrove-ca.crl')

    def publish(self, authority):
        authority.publish(f'{self.web.root}/{authority.name}.crl')

    def text(self, own, other, leaf, **more):
        more.setdefault('plugins', 'tls-mutual name-matching proxy-winhttp')
        more.setdefault('revocation', 'hard')
        more.setdefault('receive', '  protocol_logging_level verbose')
        more['more'] = (more.get('more', '') +
                        f'trusted_servers {{\n  hub {{\n    sha256 {self.hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n')
        text = super().text(own, other, leaf, **more).replace('  retry {\n', '  keep_idle 0s\n  retry {\n')
        text = text.replace('plugins {\n', 'plugins {\n  crl {\n    crl_hosts {\n      crl.example.net\n    }\n    backoff 1s\n  }\n'
                            '  counters {\n    listen 127.0.0.1:0\n  }\n'
                            f'  logging {{\n    folder {self.folder}/{own[0]}/log.d\n  }}\n', 1)
        # The same connector once more, at an address of its own.
        begin = text.index('receive_connector Inet')
        inet = text[begin:text.index('\n}\n', begin) + 3]
        return text + inet.replace('Inet', 'Second').replace(own[1] + ':', own[1].replace('.1', '.9', 1) + ':')

    def edge(self, own, other, leaf, **more):
        edge = super().edge(own, other, leaf, **more)
        check('proxy set', edge.postern('proxy', 'set', f'127.0.0.1:{self.proxy.port}').stdout, 'In force')
        return edge


class Client:
    """An OpenSSL client that keeps its last session, as Postfix does: for whom and how is the caller's business."""
    sources = iter(f'127.0.3.{n}' for n in range(1, 250))

    def __init__(self, edge, leaf, at_most=None):
        self.edge, self.context, self.session = edge, context_for(leaf, at_most), None
        self.source = next(self.sources)

    def mail(self, address=None):
        """What MAIL is answered in a new connection, and whether that resumed."""
        with smtplib.SMTP(address or self.edge.address, self.edge.port, 'mail1.woodgrovebank.com', 60, (self.source, 0)) as smtp:
            smtp.ehlo()
            smtp.docmd('STARTTLS')
            smtp.sock = self.context.wrap_socket(smtp.sock, session=self.session)
            smtp.file = None
            smtp.ehlo()
            code, text = smtp.docmd(f'MAIL FROM:<{MAIL}>')
            if smtp.sock.session.has_ticket:
                self.session = smtp.sock.session
            return f'{code} {text.decode()}' + (' resumed' if smtp.sock.session_reused else ' anew')


def judged_anew(world):
    """Resumed and judged; revoked meanwhile; the new certificate after that."""
    edge = world.contoso
    for name, at_most in (('TLS 1.3', None), ('TLS 1.2', ssl.TLSVersion.TLSv1_2)):
        leaf = world.of_woodgrove('doomed-' + name[-1])
        client = Client(edge, leaf, at_most)
        check(f'{name}: the first', client.mail(), '250 2.1.0', 'anew')
        since = edge.process.mark()
        check(f'{name}: the second', client.mail(), '250 2.1.0', 'resumed')
        check('is judged, by its own certificate', edge.process.wait_for('judged:', since), leaf.sha256(), '(TLS resumed)',
              'domain-secured by mail1.woodgrovebank.com, revocation good')
        check('and again', client.mail(), '250 2.1.0', 'resumed')
        world.woodgrove_ca.revoke(leaf)
        world.publish(world.woodgrove_ca)
        check('the list is there', edge.postern('crl', 'refresh').stdout, 'good    ' + CRL + 'woodgrove-ca.crl')
        check(f'{name}: revoked meanwhile', client.mail(), '550 5.7.5 revoked: woodgrovebank.com', 'resumed')
    page = edge.process.wait_for('counters-listening').split('http://')[1].split()[0]
    with urllib.request.urlopen(f'http://{page.split("/")[0]}/metrics', timeout=30) as answer:
        check('resumed sessions are counted', answer.read().decode(), '\npostern_tls_resumed_total{direction="in"} 6\n')


def only_there(world):
    """A ticket is good for its connector, its generation and our certificate alone."""
    edge = world.contoso
    client = Client(edge, world.woodgrove_leaf)
    check('the first', client.mail(), '250 2.1.0', 'anew')
    second = CONTOSO[1].replace('.1', '.9', 1)
    kept = client.session
    check('at another connector', client.mail(second), '250 2.1.0', 'anew')
    check('there again', client.mail(second), '250 2.1.0', 'resumed')
    client.session = kept
    check('and where it is from', client.mail(), '250 2.1.0', 'resumed')
    edge.reload()
    check('after a reload', client.mail(), '250 2.1.0', 'anew')
    check('then again', client.mail(), '250 2.1.0', 'resumed')
    edge.configure(world.text(CONTOSO, WOODGROVE, world.of_contoso('fresh')))
    edge.reload()
    check('after our certificate was exchanged', client.mail(), '250 2.1.0', 'anew')


def by_the_new_policy(world):
    """What a reload asks for holds for whoever comes back."""
    edge = world.contoso
    client = Client(edge, world.woodgrove_leaf)
    check('the first', client.mail(), '250 2.1.0', 'anew')
    edge.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, partner='  name_rule exact'))
    edge.reload()
    check('another name rule', client.mail(), '550 5.7.1 name-mismatch', 'anew')
    check('and in a resumed session', client.mail(), '550 5.7.1 name-mismatch', 'resumed')
    edge.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf))
    edge.reload()


def without_certificate(world):
    for name, at_most in (('TLS 1.3', None), ('TLS 1.2', ssl.TLSVersion.TLSv1_2)):
        bare = Client(world.contoso, None, at_most)
        check(f'{name}: no certificate', bare.mail(), '454 4.7.5 no-certificate', 'anew')
        check(f'{name}: and none the next time', bare.mail(), '454 4.7.5 no-certificate', 'anew')


def s_client(world, name, wanted, *options):
    """A conversation of the openssl command: what it printed. `wanted`: New or Reused."""
    leaf, edge = world.woodgrove_leaf, world.contoso
    command = ['openssl', 's_client', '-starttls', 'smtp', '-connect', f'{edge.address}:{edge.port}', '-cert', leaf.certificate,
               '-cert_chain', leaf.chain, '-key', leaf.key, '-nocommands', '-ign_eof', *options]
    said = ''
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        def until(text):
            nonlocal said
            for line in child.stdout:
                said += line
                if line.startswith(text):
                    return
            raise SystemExit(f'FAILED {name}: no "{text}" in\n{said}')

        # What it asked for in clear it shows when TLS stands: the end of that reply comes first.
        until('250 ')
        for words, answer in (('EHLO mail1.woodgrovebank.com', '250 '), (f'MAIL FROM:<{MAIL}>', '250 2.1.0'), ('QUIT', '221 ')):
            child.stdin.write(words + '\r\n')
            child.stdin.flush()
            until(answer)
        said += child.stdout.read()
    check(name, '\n'.join(line for line in said.splitlines() if ', Cipher is' in line), wanted)
    return said


def openssl_command(world):
    session = world.folder + '/session.pem'
    for version in ('-tls1_3', '-tls1_2'):
        s_client(world, f'openssl s_client {version}', 'New', version, '-sess_out', session)
        said = s_client(world, f'openssl s_client {version} -sess_in', 'Reused', version, '-sess_in', session, '-sess_out', session)
        if version == '-tls1_3':
            check('with fresh keys', said, 'Server Temp Key: X25519')
            check('and no early data', said, 'Max Early Data: 0')
        # What nobody sealed: the ticket's octets are others.
        pki.openssl('sess_id', '-in', session, '-outform', 'DER', '-out', session + '.der')
        with open(session + '.der', 'rb') as file:
            octets = file.read()
        ticket = octets.rindex(b'\xaa\x82')  # [10] EXPLICIT: the ticket
        damaged = octets[:ticket + 300] + bytes(octet ^ 255 for octet in octets[ticket + 300:ticket + 400]) + octets[ticket + 400:]
        with open(session + '.der', 'wb') as file:
            file.write(damaged)
        pki.openssl('sess_id', '-inform', 'DER', '-in', session + '.der', '-out', session + '.bad')
        s_client(world, f'{version} with a damaged ticket', 'New', version, '-sess_in', session + '.bad')


def gnutls_command(world):
    leaf, edge = world.woodgrove_leaf, world.contoso
    done = subprocess.run(['gnutls-cli', '--starttls-proto=smtp', '--resume', '--no-ca-verification', '--x509certfile', leaf.chain,
                           '--x509keyfile', leaf.key, '-p', str(edge.port), edge.address], input='', capture_output=True,
                          text=True, timeout=60, check=False)
    check('gnutls-cli --resume', done.stdout + done.stderr, 'This is a resumed session')


def between_edges(world):
    """Contoso sends to Woodgrove Bank; each message a connection of its own."""
    contoso, woodgrove = world.contoso, world.woodgrove
    number = iter(range(1, 100))

    def sent(what, *wanted, text='delivered:'):
        subject = f'edge {next(number)}'
        here, there = contoso.process.mark(), woodgrove.process.mark()
        with Sender(contoso, 'hub.contoso.com', leaf=world.hub, source='127.0.8.1') as sender:
            sender.sendmail('bob@contoso.com', MAIL, message('bob@contoso.com', MAIL, subject))
        outcome = contoso.process.wait_for(text, here)
        if text == 'delivered:':
            woodgrove.arrived(MAIL, subject)
            judged = woodgrove.process.wait_for('judged:', there)
            check(f'{what}: the receiver', str('(TLS resumed)' in judged), *wanted)
        judged = [line for line in contoso.process.lines[here:] if 'outbound to' in line and 'judged:' in line]
        check(f'{what}: the sender', str('(TLS resumed)' in judged[-1]), *wanted)
        return outcome, judged

    sent('the first', 'False')
    _, judged = sent('the second', 'True')
    check('is domain-secured both ways', judged[-1], 'domain-secured by mail1.woodgrovebank.com')
    sent('the third', 'True')
    contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, partner='  purpose client'))
    contoso.reload()
    sent('the requirement changed', 'False')
    sent('and again', 'True')
    contoso.configure(world.text(CONTOSO, WOODGROVE, world.of_contoso('renewed')))
    contoso.reload()
    sent('our certificate exchanged', 'False')
    sent('and again', 'True')
    woodgrove.stop()
    woodgrove.start()
    sent('the server forgot its keys', 'False')
    sent('and again', 'True')
    return sent


def revoked_server(world, sent):
    """The server's certificate is revoked while we hold a session with it: what is resumed does not hold, a whole
    handshake is made at once, and only what that shows counts."""
    world.woodgrove_ca.revoke(world.woodgrove_leaf)
    world.publish(world.woodgrove_ca)
    check('the list is there', world.contoso.postern('crl', 'refresh').stdout, 'good    ' + CRL + 'woodgrove-ca.crl')
    since = world.contoso.process.mark()
    outcome, judged = sent('revoked', 'False', text='deferred:')
    check('it is deferred', outcome, 'revoked')
    check('after both were judged', judged[0], '(TLS resumed)', 'revoked')
    check('and says so', world.contoso.process.wait_for('tls-anew', since), 'whole handshake', 'revoked')


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='postern-resumption-') as folder:
        world = Resuming(sys.argv[1], folder)
        world.contoso.start()
        world.woodgrove.start()
        try:
            judged_anew(world)
            only_there(world)
            by_the_new_policy(world)
            without_certificate(world)
            openssl_command(world)
            gnutls_command(world)
            revoked_server(world, between_edges(world))
        except BaseException:
            for edge in (world.contoso, world.woodgrove):
                print(f'--- {edge.name}\n' + '\n'.join(edge.process.lines[-50:]))
            raise
        world.contoso.stop()
        world.woodgrove.stop()


main()
