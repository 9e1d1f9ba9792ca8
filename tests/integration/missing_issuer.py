#!/usr/bin/env python3
"""A partner whose server sends its leaf without the intermediate: deferred as incomplete, delivered once its block says
`aia yes`, with the issuer fetched from where the leaf says; and what was so learned serves that partner's mail to us,
also after a restart."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.services import Proxy, WebServer

AIA = 'http://crl.example.net/woodgrove-ca.crt'


class Incomplete(World):
    def __init__(self, build, folder):
        self.web = WebServer(folder).start()
        self.proxy = Proxy(folder, self.web).start()
        super().__init__(build, folder)
        pki.openssl('x509', '-in', self.woodgrove_ca.certificate, '-outform', 'DER', '-out',
                    f'{self.web.root}/woodgrove-ca.crt')
        os.chmod(f'{self.web.root}/woodgrove-ca.crt', 0o644)

    def authorities(self):
        super().authorities()
        self.woodgrove_leaf = self.woodgrove_ca.leaf('alone', ['mail1.woodgrovebank.com'], issuer_at=AIA)
        self.hub = self.contoso_ca.leaf('hub', ['hub.contoso.com'])

    def text(self, own, other, leaf, **more):
        more.setdefault('plugins', 'tls-mutual name-matching proxy-winhttp crl')
        if own == CONTOSO:
            more['more'] = (f'trusted_servers {{\n  hub {{\n    sha256 {self.hub.sha256()}\n    roles {{\n      relay\n'
                            '    }\n  }\n}\n')
        block = '  tls-mutual {\n    aia_hosts {\n      crl.example.net\n    }\n  }\n'
        return super().text(own, other, leaf, **more).replace('  tls-mutual\n', block, 1)


def incoming(world, source):
    with Sender(world.contoso, leaf=world.woodgrove_leaf, source=source) as sender:
        return sender.to_mail('eve@woodgrovebank.com')


def by_command(world):
    """`cert verify --fetch` keeps to the configuration's rules and proxy; its lists are another matter."""
    lone = world.contoso.postern('cert', 'verify', world.contoso_leaf.certificate, '--untrusted', world.contoso_ca.certificate)
    check('everybody else\'s roots are not the partner\'s', f'{lone.returncode} {lone.stdout}', '1 ', 'invalid (unknown-root)')
    words = ['cert', 'verify', '--domain', 'woodgrovebank.com', '--purpose', 'server', world.woodgrove_leaf.certificate]
    alone = world.contoso.postern(*words)
    check('cert verify by itself', f'{alone.returncode} {alone.stdout}', '1 ', 'invalid (incomplete-chain): ')
    done = world.contoso.postern(*words, '--fetch')
    check('cert verify --fetch', f'{done.returncode} {done.stdout}', '75 ', 'Woodgrove Bank Issuing CA',
          'cannot be decided now (no-crl-source): ')


def scenario(world):
    done = world.contoso.postern('proxy', 'set', f'127.0.0.1:{world.proxy.port}')
    check('proxy set', done.stdout + done.stderr, 'In force at the next fetch.')
    by_command(world)
    for edge in (world.contoso, world.woodgrove):
        edge.start()
    check('inbound nothing is fetched', incoming(world, '127.0.8.1'), '454 4.7.5 incomplete-chain: woodgrovebank.com')
    since = world.contoso.process.mark()
    with Sender(world.contoso, leaf=world.hub, source='127.0.8.2') as sender:
        sender.sendmail('bob@contoso.com', 'eve@woodgrovebank.com',
                        message('bob@contoso.com', 'eve@woodgrovebank.com', 'completed'))
    check('without leave it is deferred', world.contoso.process.wait_for('deferred:', since), 'status=4.7.5',
          'incomplete-chain')
    world.contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, partner='  aia yes'))
    world.contoso.reload()
    world.woodgrove.arrived('eve@woodgrovebank.com', 'completed')
    print('ok: with `aia yes` the issuer was fetched and the message delivered')
    world.web.stop()
    check('what was learned serves mail to us', incoming(world, '127.0.8.3'), '250 2.1.0')
    world.contoso.stop()
    world.contoso.start()
    check('and so it does after a restart', incoming(world, '127.0.8.4'), '250 2.1.0')
    for edge in (world.contoso, world.woodgrove):
        edge.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = Incomplete(sys.argv[1], folder)
        try:
            scenario(world)
        except BaseException:
            for edge in (world.contoso, world.woodgrove):
                if edge.process:
                    print(f'--- {edge.name}\n' + '\n'.join(edge.process.lines[-60:]))
            raise


main()
