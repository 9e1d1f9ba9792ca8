#!/usr/bin/env python3
"""Revocation between two real edges: lists from a web server behind a proxy. Domain-secured mail is marked and counted; a
revoked certificate is refused after a refresh; a list that cannot be had defers, also outbound, until it can."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until
from lab.services import Proxy, WebServer

PLUGINS = 'tls-mutual name-matching proxy-winhttp'
CRL = 'http://crl.example.net/'


class Revoking(World):
    """The same partners, their certificates with lists: those of the root and of each issuing CA."""

    def __init__(self, build, folder):
        self.web = WebServer(folder).start()
        self.proxy = Proxy(folder, self.web).start()
        super().__init__(build, folder)
        for authority in (self.root, self.contoso_ca, self.woodgrove_ca):
            self.publish(authority)

    def authorities(self):
        folder = self.folder
        self.root = pki.Authority(folder, 'root', 'Third Party')
        self.foreign = pki.Authority(folder, 'foreign', 'Foreign')
        self.contoso_ca = pki.Authority(folder, 'contoso-ca', 'Contoso', self.root, CRL + 'root.crl')
        self.woodgrove_ca = pki.Authority(folder, 'woodgrove-ca', 'Woodgrove Bank', self.root, CRL + 'root.crl')
        self.contoso_leaf = self.contoso_ca.leaf('mail1', ['mail1.contoso.com'], crl=CRL + 'contoso-ca.crl')
        self.woodgrove_leaf = self.woodgrove_ca.leaf('mail1', ['mail1.woodgrovebank.com'],
                                                     crl=CRL + 'woodgrove-ca.crl')

    def publish(self, authority):
        authority.publish(f'{self.web.root}/{authority.name}.crl')

    def text(self, own, other, leaf, **more):
        crl = 'crl {\n    crl_hosts {\n      crl.example.net\n    }\n    backoff 1s\n  }'
        more.setdefault('plugins', PLUGINS)
        more.setdefault('revocation', 'hard')
        text = super().text(own, other, leaf, **more)
        return text.replace('plugins {\n', f'plugins {{\n  {crl}\n', 1) if more['plugins'] == PLUGINS else text

    def edge(self, own, other, leaf, **more):
        edge = super().edge(own, other, leaf, **more)
        done = edge.postern('proxy', 'set', f'127.0.0.1:{self.proxy.port}')  # needs no daemon
        check('proxy set', done.stdout + done.stderr, 'In force at the next fetch.')
        return edge


def secured(world):
    with Sender(world.contoso, 'mail1.woodgrovebank.com', leaf=world.woodgrove_leaf, source='127.0.5.1') as sender:
        forged = ('Authentication-Results: MAIL1.contoso.com.; x-domain-secured=pass\r\n'
                  'X-Postern-Anything: forged\r\nAuthentication-Results: elsewhere.example; spf=pass\r\n')
        sender.sendmail('eve@woodgrovebank.com', 'bob@contoso.com',
                        message('eve@woodgrovebank.com', 'bob@contoso.com', 'secured', forged))
    text = world.contoso.arrived('bob@contoso.com', 'secured')
    check('domain-secured mail is marked', text, 'Authentication-Results: mail1.contoso.com;',
          'x-domain-secured=pass smtp.mailfrom=woodgrovebank.com', 'header.from=woodgrovebank.com',
          'policy.tls=TLS1.3', 'policy.revocation=good', 'policy.client=mail1.woodgrovebank.com', 'with ESMTPS',
          '(verified client mail1.woodgrovebank.com)', 'elsewhere.example; spf=pass')
    check('forged marks are gone', str(text.count('x-domain-secured=')) + str('X-Postern' in text), '1False')
    status = world.contoso.postern('status').stdout
    check('it is counted', status, 'domain-secured messages received 1, sent 0')
    check('its lists were fetched by the proxy', world.contoso.process.wait_for('crl-fetched'), 'by proxy 127.0.0.1')


def claimed_from(world):
    """From: of a listed domain on a message that is not secured for it."""
    with Sender(world.contoso, source='127.0.5.2') as sender:
        sender.sendmail('x@example.org', 'bob@contoso.com',
                        message('eve@woodgrovebank.com', 'bob@contoso.com', 'claimed'))
        check('a claimed From: is tagged', world.contoso.arrived('bob@contoso.com', 'claimed'),
              'x-domain-secured=fail header.from=woodgrovebank.com')
        sender.putcmd('MAIL FROM:<>')
        sender.getreply()
        sender.rcpt('bob@contoso.com')
        code, text = sender.data(message('eve@woodgrovebank.com', 'bob@contoso.com', 'null'))
        check('and rejected with a null sender', f'{code} {text.decode()}', '550 5.7.1', 'woodgrovebank.com')


def revoked(world):
    fresh = world.woodgrove_ca.leaf('doomed', ['mail3.woodgrovebank.com'], crl=CRL + 'woodgrove-ca.crl')
    world.woodgrove_ca.revoke(fresh)
    with Sender(world.contoso, leaf=fresh, source='127.0.6.1') as sender:
        check('revoked, the list not refreshed', sender.to_mail('eve@woodgrovebank.com'), '250 2.1.0')
    world.publish(world.woodgrove_ca)
    done = world.contoso.postern('crl', 'refresh')
    check('crl refresh', done.stdout, 'good    ' + CRL + 'woodgrove-ca.crl')
    with Sender(world.contoso, leaf=fresh, source='127.0.6.2') as sender:
        check('revoked, after the refresh', sender.to_mail('eve@woodgrovebank.com'), '550 5.7.5 revoked: woodgrovebank.com')
    listed = world.contoso.postern('crl', 'list').stdout
    check('crl list', listed, 'good  ' + CRL + 'woodgrove-ca.crl', '1 entries')
    for name in ('woodgrove-ca.crl', 'root.crl'):  # the leaf's, and that of the CA above it
        entry = listed[listed.index(CRL + name):].split('\ngood', 1)[0]
        check(f'for whom {name} is', entry, 'needed for mail of woodgrovebank.com (receive_connector Inet)')


def proxied(world):
    """`postern proxy set` beside the running daemon: in force at its next fetch, without restart or SIGHUP."""
    os.makedirs(world.folder + '/second')
    second = Proxy(world.folder + '/second', world.web).start()
    world.proxy.stop()
    refresh = world.contoso.postern('crl', 'refresh', CRL + 'root.crl')
    check('the proxy is gone', refresh.stdout, 'failed  ' + CRL + 'root.crl')
    done = world.contoso.postern('proxy', 'set', f'http://127.0.0.1:{second.port}', '--bypass', '<local>')
    check('proxy set', done.stdout, f'127.0.0.1:{second.port}', '<local>', 'In force at the next fetch')
    since = world.contoso.process.mark()
    refresh = world.contoso.postern('crl', 'refresh', CRL + 'root.crl')
    check('the next fetch takes the new proxy', refresh.stdout, 'good    ' + CRL + 'root.crl')
    check('and says so', world.contoso.process.wait_for('crl-fetched', since), f'by proxy 127.0.0.1:{second.port}')
    second.stop()
    world.proxy.start()
    done = world.contoso.postern('proxy', 'set', f'127.0.0.1:{world.proxy.port}')
    check('and back', done.stdout, f'127.0.0.1:{world.proxy.port}')


def unreachable(world):
    """A list that was never fetched, its server stopped: deferred in both directions; started again: taken and sent."""
    ca = pki.Authority(world.folder, 'second-ca', 'Woodgrove Second', world.root, CRL + 'root.crl')
    world.publish(ca)
    late = ca.leaf('late', ['mail4.woodgrovebank.com'], crl=CRL + 'second-ca.crl')
    hub_leaf = world.contoso_ca.leaf('hub', ['hub.contoso.com'])
    trusted = f'trusted_servers {{\n  hub {{\n    sha256 {hub_leaf.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
    world.contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, more=trusted))
    world.contoso.reload()
    world.woodgrove.configure(world.text(WOODGROVE, CONTOSO, late))
    world.woodgrove.reload()
    world.web.stop()
    with Sender(world.contoso, leaf=late, source='127.0.7.1') as sender:
        check('a list never had', sender.to_mail('eve@woodgrovebank.com'), '451 4.7.5 crl-unreachable: woodgrovebank.com',
              CRL + 'second-ca.crl')
    with Sender(world.contoso, leaf=world.woodgrove_leaf, source='127.0.7.2') as sender:
        check('cached lists do without the server', sender.to_mail('eve@woodgrovebank.com'), '250 2.1.0')
    since = world.contoso.process.mark()
    with Sender(world.contoso, leaf=hub_leaf, source='127.0.7.3') as sender:
        sender.sendmail('bob@contoso.com', 'eve@woodgrovebank.com',
                        message('bob@contoso.com', 'eve@woodgrovebank.com', 'patient'))
    check('outbound it defers', world.contoso.process.wait_for('deferred:', since), 'status=4.7.5', 'crl-unreachable')
    world.web.start()

    def taken():
        with Sender(world.contoso, leaf=late, source='127.0.7.4') as sender:
            return '250' in sender.to_mail('eve@woodgrovebank.com')
    wait_until(taken, 'the late list to be fetched')
    world.woodgrove.arrived('eve@woodgrovebank.com', 'patient')
    print('ok: the server is back, the next try is taken and the message was sent')


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = Revoking(sys.argv[1], folder)
        for edge in (world.contoso, world.woodgrove):
            edge.start()
        try:
            secured(world)
            claimed_from(world)
            revoked(world)
            proxied(world)
            unreachable(world)
        except BaseException:
            for edge in (world.contoso, world.woodgrove):
                print(f'--- {edge.name}\n' + '\n'.join(edge.process.lines[-60:]))
            raise
        for edge in (world.contoso, world.woodgrove):
            edge.stop()


main()
