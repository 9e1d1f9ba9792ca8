#!/usr/bin/env python3
"""Exim as a partner over mutual TLS, with a certificate whose whole life was ours: asked for, signed by a CA, imported and
exported by `postern cert`, taken out of the PKCS#12 by openssl. Both servers verify the other's."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import dns, pki
from lab.client import Sender, message
from lab.expect import check
from lab.jailed import Exim, possible
from lab.partners import CONTOSO, World
from lab.postfix import NoNetwork
from lab.process import wait_until, write

EXIM = ('exim.example', '127.0.5.1')


class Mutual(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.hub = self.contoso_ca.leaf('hub', ['hub.contoso.com'])
        trusted = f'trusted_servers {{\n  hub {{\n    sha256 {self.hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
        names = dns.Names({EXIM[0]: [dns.mx(10, 'mx.' + EXIM[0])], 'mx.' + EXIM[0]: [dns.address(EXIM[1])]})
        text = self.text(CONTOSO, EXIM, self.contoso_leaf, more=trusted)
        self.contoso.configure(text.replace(f'127.0.0.1:{self.dns.port}', f'127.0.0.1:{names.port}'))
        self.exim = Exim(self.build, folder + '/exim', EXIM[0], EXIM[1], self.port, 'contoso.com', CONTOSO[1],
                         self.certificate(folder + '/exim-tls'))

    def cert(self, *words):
        done = self.contoso.postern('cert', *words)
        check(f'postern cert {words[0]}', f'{done.returncode} {done.stdout}{done.stderr}', '0 ')
        return done.stdout

    def certificate(self, folder):
        os.makedirs(folder, 0o755)
        request, answer, pfx = folder + '/exim.req', folder + '/exim.pem', folder + '/exim.pfx'
        password = write(folder + '/password', 'correct horse\n', 0o600)
        self.cert('request', '--output', request, '--exportable', '--subject', 'O=Exim Example,CN=mx.exim.example', '--domain',
                  EXIM[0])
        self.contoso_ca.sign_request(request, answer)
        write(answer, pki.read(answer) + pki.read(self.contoso_ca.certificate))
        sha256 = self.cert('import', answer, '--trust', self.root.certificate).split()[0]
        self.cert('export', sha256, '--output', pfx, '--password-file', password)
        unpack = ('pkcs12', '-in', pfx, '-passin', 'file:' + password)
        chain = write(folder + '/chain.pem', pki.openssl(*unpack, '-nokeys') + pki.read(self.contoso_ca.certificate))
        # Exim's own user reads it: readable in this folder alone.
        key = write(folder + '/key.pem', pki.openssl(*unpack, '-nocerts', '-nodes'))
        return chain, key, self.root.certificate


def both_ways(world):
    with Sender(world.exim, source='127.0.3.2') as session:
        session.sendmail('eve@' + EXIM[0], 'bob@contoso.com', message('eve@' + EXIM[0], 'bob@contoso.com', 'from Exim'))
    check('from Exim', world.contoso.arrived('bob@contoso.com', 'from Exim'), 'with ESMTPS')
    # Revocation is off in this world, so it passes by exception; revocation.py and cert_walk.py are about the mark.
    check('its certificate was judged', world.contoso.process.wait_for('judged:'), 'CN=mx.exim.example, O=Exim Example', 'passed')
    since = world.contoso.process.mark()
    with Sender(world.contoso, leaf=world.hub, source='127.0.3.1') as session:
        session.sendmail('bob@contoso.com', 'eve@' + EXIM[0], message('bob@contoso.com', 'eve@' + EXIM[0], 'to Exim'))
    check('the delivery line', world.contoso.process.wait_for('to=<eve@' + EXIM[0], since), 'delivered:', 'TLS1.3')
    world.exim.arrived('to Exim')

    def verified():
        with open(world.exim.folder + '/spool/mainlog', encoding='utf-8', errors='replace') as file:
            return next((line for line in file if ' <= bob@contoso.com' in line), None)
    check('Exim verified our certificate', wait_until(verified, 'the line in Exim\'s log'), 'CV=yes', 'mail1.contoso.com')
    with Sender(world.contoso, source='127.0.3.3') as session:
        check('without its certificate nobody is Exim', session.to_mail('eve@' + EXIM[0]), '530 5.7.0 starttls-required')


def main():
    if not possible():
        print('skipped: needs root and overlay mounts')
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        try:
            world = Mutual(sys.argv[1], folder)
        except NoNetwork as why:
            print(f'skipped: {why}')
            sys.exit(77)
        world.contoso.start()
        world.exim.start()
        try:
            both_ways(world)
        except BaseException:
            print('--- the daemon\n' + '\n'.join(world.contoso.process.lines[-40:]))
            raise
        world.exim.stop()
        world.contoso.stop()


main()
