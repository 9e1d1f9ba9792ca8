#!/usr/bin/env python3
"""Several recipient domains behind one mail host: a TLS session that was made for one of them is never so much as offered for
another, whether both are listed or neither. Nor is it after the policy of its domain changed, or our certificate - by
configuration or in the store beside the running daemon. The host is OpenSSL's and reads in each ClientHello whether it
brings a session to continue."""
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
from lab.process import end_with_us
from lab.services import NameServer
from lab.tls_hop import TlsHop

LISTED = ('woodgrovebank.com', 'fabrikam.com')
OTHERS = ('litwareinc.com', 'proseware.com')
HOST = 'mail1.woodgrovebank.com'


class Shared(World):
    def authorities(self):
        super().authorities()
        self.hub = self.contoso_ca.leaf('hub', ['hub.contoso.com'])
        self.shared = self.woodgrove_ca.leaf('shared', ['mail1.' + one for one in LISTED])
        self.names = NameServer(self.folder + '/shared', {HOST: WOODGROVE[1]}, {one: HOST for one in LISTED + OTHERS}).start()
        self.sent = 0

    def text(self, own, other, leaf, **more):
        self.policy = more.pop('policy', '')
        text = super().text(own, other, leaf, **more).replace('  retry {\n', '  keep_idle 0s\n  retry {\n')
        text = text.replace(f'127.0.0.1:{self.dns.port}', f'127.0.0.1:{self.names.port}')
        if own == CONTOSO:
            text = text.replace('  woodgrovebank.com\n}\n', '  woodgrovebank.com\n  fabrikam.com\n}\n')
            text += f'partner fabrikam.com {{\n  roots {{\n    third\n  }}\n  revocation off\n{self.policy}\n}}\n'
            text += f'trusted_servers {{\n  hub {{\n    sha256 {self.hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
            text += f'intermediates {{\n  {self.contoso_ca.certificate}\n}}\n'
        return text

    def use(self, **more):
        self.contoso.configure(self.text(CONTOSO, WOODGROVE, more.pop('leaf', self.contoso_leaf), **more))
        self.contoso.reload()

    def send(self, domain, what, wanted):
        """`wanted`: new (nothing was offered), resumed."""
        self.sent += 1
        subject, recipient = f'scope {self.sent}', 'eve@' + domain
        since = self.contoso.process.mark()
        with Sender(self.contoso, 'hub.contoso.com', leaf=self.hub, source='127.0.8.1') as sender:
            sender.sendmail('bob@contoso.com', recipient, message('bob@contoso.com', recipient, subject))
        self.contoso.process.wait_for('delivered:', since)
        by = next(one for one in self.hop.connections if any(taken[1] == subject for taken in one.taken))
        seen = 'resumed' if by.resumed else 'offered and refused' if by.offered else 'new'
        check(f'{domain}: {what}', seen if by.tls else 'in clear', wanted)
        return by


def each_its_own(world, domains):
    for domain in domains:
        world.send(domain, 'the first', 'new')
    for domain in reversed(domains):
        world.send(domain, 'the second', 'resumed')
    for domain in domains:
        world.send(domain, 'the third', 'resumed')


def by_version(world, at_most):
    """TLS 1.2 has tickets of another kind. The server's keys are new, so is the generation: nothing is known from before."""
    world.hop.at_most = at_most
    world.hop.show(world.shared)
    world.use()
    for domains in (LISTED, OTHERS):
        each_its_own(world, domains)


def another_policy(world):
    world.send('fabrikam.com', 'before', 'resumed')
    world.use(policy='  purpose client')
    world.send('fabrikam.com', 'under another policy', 'new')
    world.send('fabrikam.com', 'and again', 'resumed')
    world.send('woodgrovebank.com', 'whose policy did not change, behind a reload', 'new')
    world.send('woodgrovebank.com', 'and again', 'resumed')
    world.use()


def another_certificate(world):
    for domain in LISTED + OTHERS:
        world.send(domain, 'before', 'new')
    fresh = world.contoso_ca.leaf('fresh', ['mail1.contoso.com'])
    world.use(leaf=fresh)
    for domain in LISTED + OTHERS:
        by = world.send(domain, 'with another certificate of ours', 'new')
        check('which it was shown', str(by.shown), fresh.sha256())
        world.send(domain, 'and again', 'resumed')
    world.use()


def another_in_the_store(world):
    """No reload: the store gets a better one while the daemon runs."""
    def issued(name, days):
        path = f'{world.folder}/{name}.req'
        done = world.contoso.postern('cert', 'request', '--output', path, '--subject', 'CN=mail1.contoso.com', '--domain', 'mail1.contoso.com')
        check('postern cert request', f'{done.returncode} {done.stderr}', '0 ')
        answer = world.contoso_ca.sign_request(path, path + '.crt')
        done = world.contoso.postern('cert', 'import', answer, '--services', 'smtp')
        check('postern cert import', f'{done.returncode} {done.stderr}', '0 ')
        return done.stdout.split()[0]

    first = issued('first', 30)
    world.contoso.configure(world.contoso.text.replace('  certificate edge\n', ''))
    world.contoso.reload()
    by = world.send('woodgrovebank.com', 'with one of the store', 'new')
    check('which it was shown', str(by.shown), first)
    world.send('woodgrovebank.com', 'and again', 'resumed')
    second = issued('second', 60)
    check('postern cert disable', str(world.contoso.postern('cert', 'disable', first).returncode), '0')
    by = world.send('woodgrovebank.com', 'when the store has another', 'new')
    check('which it was shown', str(by.shown), second)
    world.send('woodgrovebank.com', 'and again', 'resumed')
    return first, second


def another_under_a_warm_one(world, first, second):
    """The connection stands open, and the store has another certificate."""
    world.contoso.configure(world.contoso.text.replace('keep_idle 0s', 'keep_idle 10min'))
    world.contoso.reload()
    kept = world.send('woodgrovebank.com', 'kept', 'new')
    check('the same connection', str(world.send('woodgrovebank.com', 'kept, again', 'new') is kept), 'True')
    check('postern cert enable', str(world.contoso.postern('cert', 'enable', first).returncode), '0')
    check('postern cert disable', str(world.contoso.postern('cert', 'disable', second).returncode), '0')
    by = world.send('woodgrovebank.com', 'when the store has the first again', 'new')
    check('another connection', str(by is kept), 'False')
    check('which was shown it', str(by.shown), first)


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='resumption-scopes-') as folder:
        os.makedirs(folder + '/shared')
        world = Shared(sys.argv[1], folder)
        world.hop = TlsHop(WOODGROVE[1], world.port, world.shared, world.root.certificate)
        world.contoso.start()
        try:
            by_version(world, ssl.TLSVersion.TLSv1_2)
            by_version(world, None)
            another_policy(world)
            another_certificate(world)
            another_under_a_warm_one(world, *another_in_the_store(world))
        except BaseException:
            print('\n'.join(world.contoso.process.lines[-40:]))
            raise
        world.contoso.stop()


main()
