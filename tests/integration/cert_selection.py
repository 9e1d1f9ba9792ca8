#!/usr/bin/env python3
"""Which certificate a peer sees, in live TLS: chosen at the start, when the store changes, at a reload; RSA beside ECDSA for
those who can check nothing else; one for being a server and another for being a client; one that is pinned; files that an
ACME client replaces under their names, taken up by SIGHUP. Sessions that run meanwhile go on."""
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender, message
from lab.edge import Edge
from lab.expect import check
from lab.partners import CONTOSO, World
from lab.process import end_with_us, wait_until


class Selection(World):
    def edge(self, own, other, leaf, **more):
        text = self.text(own, other, leaf, **more)
        folder = f'{self.folder}/{own[0]}'
        os.makedirs(folder, exist_ok=True)
        if own == CONTOSO:
            text = text.replace('  certificate edge\n', '')
            text += (f'trusted_servers {{\n  hub {{\n    sha256 {self.contoso_leaf.sha256()}\n    roles {{\n      relay\n    }}\n'
                     f'  }}\n}}\nintermediates {{\n  {self.contoso_ca.certificate}\n}}\n')
        else:
            # As certbot lays them out: names that stay, links to what is renewed.
            self.live = folder + '/live'
            os.makedirs(self.live)
            self.put_live(leaf)
            text = text.replace(leaf.chain, self.live + '/fullchain.pem').replace(leaf.key, self.live + '/privkey.pem')
        return Edge(self.build, folder, 'mail1.' + own[0], own[1], self.port, text)

    def put_live(self, leaf, key=None):
        for name, path in (('fullchain.pem', leaf.chain), ('privkey.pem', key or leaf.key)):
            os.symlink(path, self.live + '/new')
            os.replace(self.live + '/new', self.live + '/' + name)

    def cert(self, *words):
        done = self.contoso.postern('cert', *words)
        check('postern cert ' + words[0], f'{done.returncode} {done.stdout}{done.stderr}', '0 ')
        return done.stdout

    def answered(self, name, *words, purposes=None):
        """Asked for, signed, imported and enabled; its SHA-256."""
        path = f'{self.folder}/{name}.req'
        self.cert('request', '--output', path, *words)
        answer = self.contoso_ca.sign_request(path, path + '.crt', purposes=purposes)
        return self.cert('import', answer, '--services', 'smtp').split()[0]


def sha256(pem):
    return pki.openssl('x509', '-noout', '-fingerprint', '-sha256', input=pem).split('=')[1].strip().replace(':', '').lower()


def shown(edge, number):
    with Sender(edge, tls=True, source=f'127.0.40.{number}') as sender:
        return sha256(ssl.DER_cert_to_PEM_cert(sender.sock.getpeercert(True)))


def shown_to(edge, *options):
    """What openssl with these options sees."""
    done = subprocess.run(['openssl', 's_client', '-starttls', 'smtp', '-connect', f'{edge.address}:{edge.port}', *options],
                          input='QUIT\n', capture_output=True, text=True, check=False)
    if '-----BEGIN CERTIFICATE' not in done.stdout:
        raise SystemExit(f'FAILED {options}: {done.stdout}{done.stderr}')
    return sha256(done.stdout)


def beside(world):
    edge = world.contoso
    rsa = world.answered('rsa', '--domain', 'mail1.contoso.com', '--key', 'rsa-2048')
    edge.start()
    check('at the start: the one that is there', shown(edge, 1), rsa)
    with Sender(edge, tls=True, source='127.0.40.2') as running:
        ecdsa = world.answered('ecdsa', '--domain', 'mail1.contoso.com')
        check('the store changed: the new one, without a reload', shown(edge, 3), ecdsa)
        # Which of them comes first, where both end in the same second, their thumbprints decide.
        check('which says that both are in use', world.cert('which', '--connector', 'Inet'), ecdsa[:16], rsa[:16], '  * ', '  + ',
              'is shown to peers that can')
        for what, options in (('TLS 1.3, RSA signatures alone', ('-tls1_3', '-sigalgs', 'rsa_pss_rsae_sha256')),
                              ('TLS 1.2, RSA signatures alone', ('-tls1_2', '-sigalgs', 'RSA+SHA256')),
                              ('TLS 1.2, RSA suites alone', ('-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'))):
            check(what, shown_to(edge, *options), rsa)
        for what, options in (('TLS 1.3, everything', ('-tls1_3',)), ('TLS 1.2, everything', ('-tls1_2',)),
                              ('TLS 1.2, ECDSA suites alone', ('-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256'))):
            check(what, shown_to(edge, *options), ecdsa)
        world.cert('disable', ecdsa)
        check('disabled: the other one again', shown(edge, 4), rsa)
        check('the session from before goes on', running.answer('NOOP'), '250 ')
    assert edge.process.count('reloaded') == 0, 'it was reloaded'
    world.cert('enable', ecdsa)
    return rsa, ecdsa


def server_and_client(world, ecdsa):
    """The fqdn's two certificates, each for one purpose: partners see either in its place."""
    edge = world.contoso
    server = world.answered('server', '--subject', 'O=For servers,CN=mail1.contoso.com', purposes=('server',))
    client = world.answered('client', '--subject', 'O=For clients,CN=mail1.contoso.com', purposes=('client',))
    for one in [one['sha256'] for one in json.loads(world.cert('list', '--json'))['certificates']]:
        if one not in (server, client):
            world.cert('disable', one)
    check('as a server we show the one for servers', shown(edge, 5), server)
    answers = {one['for']: one for one in json.loads(world.cert('which', '--json'))}
    check('as a client the one for clients is chosen', answers['send_connector Internet']['chosen']['sha256'], client)
    reasons = {one['sha256']: one['reason'] for one in answers['receive_connector Inet']['others']}
    check('and why not the other', reasons[client], 'is not for servers (extKeyUsage)')
    world.woodgrove.start()
    with Sender(edge, leaf=world.contoso_leaf, source='127.0.6.1') as hub:
        hub.sendmail('bob@contoso.com', 'eve@woodgrovebank.com', message('bob@contoso.com', 'eve@woodgrovebank.com', 'as a client'))
    world.woodgrove.arrived('eve@woodgrovebank.com', 'as a client')
    check('which the partner saw', world.woodgrove.process.wait_for('judged:'), 'O=For clients')
    refused = edge.postern('cert', 'remove', client)
    check('in use as a client alone, it stays', refused.stderr, 'is in use by send_connector Internet;')
    world.cert('enable', ecdsa)


def pinned(world, wanted):
    edge, text = world.contoso, world.contoso.text
    edge.configure(text.replace('domain_secure_enabled yes\n', f'domain_secure_enabled yes\n  certificate {wanted}\n', 1))
    edge.reload()
    check('pinned: that one, disabled, with a better one there', shown(edge, 6), wanted)
    check('a pinned one stays', edge.postern('cert', 'remove', wanted).stderr, 'is in use by receive_connector Inet')
    edge.configure(text.replace('domain_secure_enabled yes\n', f'domain_secure_enabled yes\n  certificate {"ab" * 32}\n', 1))
    edge.reload()
    with Sender(edge, source='127.0.40.7') as sender:
        check('pinned to one that is not there: no TLS rather than another one', str('starttls' in sender.esmtp_features), 'False')
    said = wait_until(lambda: (text := edge.postern('status').stdout).count('ALARM own-certificate') and text, 'the alarm')
    check('an alarm says so', said, 'ALARM own-certificate receive_connector Inet', 'no certificate of ours fits mail1.contoso.com')
    check('and which', edge.postern('cert', 'which', '--connector', 'Inet').stdout, 'nothing fits', 'another one is pinned')
    edge.configure(text)
    edge.reload()
    check('no longer pinned: the best one', str(shown(edge, 8) == wanted), 'False')


def at_a_reload(world):
    """Another fqdn wants another certificate."""
    edge, text = world.contoso, world.contoso.text
    other = world.answered('mail2', '--domain', 'mail2.contoso.com')
    edge.configure(text.replace('fqdn mail1.contoso.com', 'fqdn mail2.contoso.com', 1))
    edge.reload()
    check('the fqdn changed: its certificate', shown(edge, 9), other)
    edge.configure(text)
    edge.reload()


def acme(world):
    edge = world.woodgrove
    old = world.woodgrove_leaf
    new = world.woodgrove_ca.leaf('renewed', ['mail1.woodgrovebank.com'])
    check('the files of the configuration', shown(edge, 10), old.sha256())
    with Sender(edge, tls=True, source='127.0.40.11') as running:
        world.put_live(new)
        check('replaced: nothing changes by itself', shown(edge, 12), old.sha256())
        edge.reload()
        check('SIGHUP takes them up, and no connector was touched', shown(edge, 13), new.sha256())
        check('the session from before goes on', running.answer('NOOP'), '250 ')
    world.put_live(old, key=new.key)
    since = edge.process.mark()
    edge.process.signal(signal.SIGHUP)
    said = edge.process.wait_for('reload-refused', since)
    check('files that do not belong together are refused, with their names', said, 'privkey.pem', 'fullchain.pem')
    check('and the certificate in use stays', shown(edge, 14), new.sha256())


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='postern-selection-') as folder:
        world = Selection(sys.argv[1], folder)
        try:
            rsa, ecdsa = beside(world)
            server_and_client(world, ecdsa)
            pinned(world, rsa)
            at_a_reload(world)
            acme(world)
        except BaseException:
            for edge in (world.contoso, world.woodgrove):
                print(f'--- {edge.name}\n' + '\n'.join(edge.process.lines[-40:] if edge.process else []))
            raise
        for part in (world.contoso, world.woodgrove, world.dns):
            part.stop()


main()
