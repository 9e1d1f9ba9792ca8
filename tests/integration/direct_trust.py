#!/usr/bin/env python3
"""Direct trust of a server that we connect to: pinned by the SHA-256 of its certificate, or of its key, whoever signed it; any
other certificate there is refused, also one that the roots would believe, and nothing leaves."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World

HOST = 'mail1.woodgrovebank.com'


class Pinning(World):
    def authorities(self):
        super().authorities()
        self.hub = self.contoso_ca.leaf('hub', ['hub.contoso.com'])
        self.nobodys = self.foreign.leaf('pinned', [HOST])  # under a root that nobody trusts

    def pin(self, sha256):
        server = '  {} {{\n    sha256 {}\n{}    roles {{\n      relay\n    }}\n  }}\n'
        hosts = f'    hosts {{\n      {HOST}\n    }}\n'
        text = ('trusted_servers {\n' + server.format('hub', self.hub.sha256(), '') +
                server.format('edge', sha256, hosts) + '}\n')
        whole = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, more=text)
        # Each message is to see who is there.
        self.contoso.configure(whole.replace('  retry {\n', '  keep_idle 0s\n  retry {\n'))
        self.contoso.reload()

    def shows(self, leaf):
        self.woodgrove.configure(self.text(WOODGROVE, CONTOSO, leaf))
        self.woodgrove.reload()

    def send(self, subject, source):
        since = self.contoso.process.mark()
        with Sender(self.contoso, leaf=self.hub, source=source) as sender:
            sender.sendmail('bob@contoso.com', 'eve@woodgrovebank.com',
                            message('bob@contoso.com', 'eve@woodgrovebank.com', subject))
        return since


def key_of(leaf):
    public = pki.openssl('x509', '-in', leaf.certificate, '-noout', '-pubkey')
    return pki.openssl('pkey', '-pubin', '-outform', 'DER', '-out', leaf.key + '.der', input=public) or \
        pki.openssl('dgst', '-sha256', '-r', leaf.key + '.der').split()[0]


def scenario(world):
    world.shows(world.nobodys)
    world.pin(world.nobodys.sha256())
    world.send('pinned', '127.0.5.1')
    world.woodgrove.arrived('eve@woodgrovebank.com', 'pinned')
    print('ok: the pinned certificate suffices, whoever signed it')
    world.pin(key_of(world.nobodys))
    world.send('by-key', '127.0.5.2')
    world.woodgrove.arrived('eve@woodgrovebank.com', 'by-key')
    print('ok: so does its key')
    world.shows(world.woodgrove_leaf)  # its root is trusted, but this is not whom we pinned
    since = world.send('other', '127.0.5.3')
    check('another one is refused', world.contoso.process.wait_for('deferred:', since),
          f'{HOST} did not present the certificate pinned as trusted server edge')
    check('and nothing left', str('other' in ' '.join(world.woodgrove.mailbox('eve@woodgrovebank.com'))), 'False')
    world.shows(world.nobodys)
    world.woodgrove.arrived('eve@woodgrovebank.com', 'other')
    print('ok: shown again, the message went')


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = Pinning(sys.argv[1], folder)
        for edge in (world.contoso, world.woodgrove):
            edge.start()
        try:
            scenario(world)
        except BaseException:
            for edge in (world.contoso, world.woodgrove):
                print(f'--- {edge.name}\n' + '\n'.join(edge.process.lines[-60:]))
            raise
        for edge in (world.contoso, world.woodgrove):
            edge.stop()


main()
