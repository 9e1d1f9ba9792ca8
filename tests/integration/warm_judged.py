#!/usr/bin/env python3
"""A connection over mutual TLS that stood idle is believed no longer than what it proved holds. Revoked meanwhile, its
certificate is no reason to send: the mail waits and says why. It ends with its life, with our certificate, and with the
configuration; and when the server ends it - 421, FIN, RST, asked or unasked - the mail goes over a new one, once, and no
failure is counted. The server is OpenSSL's and tells what it saw."""
import os
import ssl
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import end_with_us, wait_until
from lab.services import Proxy, WebServer
from lab.tls_hop import TlsHop

CRL = 'http://crl.example.net/'
MAIL = 'eve@woodgrovebank.com'
PAUSE = 1.2  # so long that it is asked and judged before it is used: one second is what it is believed in for


class Warm(World):
    def __init__(self, build, folder):
        self.web = WebServer(folder).start()
        self.proxy = Proxy(folder, self.web).start()
        super().__init__(build, folder)
        for authority in (self.root, self.contoso_ca, self.woodgrove_ca):
            self.publish(authority)
        self.hop = TlsHop(WOODGROVE[1], self.port, self.woodgrove_leaf, self.root.certificate)
        self.sent = 0
        check('proxy set', self.contoso.postern('proxy', 'set', f'127.0.0.1:{self.proxy.port}').stdout, 'In force')

    def authorities(self):
        self.root = pki.Authority(self.folder, 'root', 'Third Party')
        self.contoso_ca = pki.Authority(self.folder, 'contoso-ca', 'Contoso', self.root, CRL + 'root.crl')
        self.woodgrove_ca = pki.Authority(self.folder, 'woodgrove-ca', 'Woodgrove Bank', self.root, CRL + 'root.crl')
        self.contoso_leaf = self.contoso_ca.leaf('mail1', ['mail1.contoso.com'], crl=CRL + 'contoso-ca.crl')
        self.woodgrove_leaf = self.of_woodgrove('mail1')
        self.hub = self.contoso_ca.leaf('hub', ['hub.contoso.com'])

    def of_woodgrove(self, name):
        return self.woodgrove_ca.leaf(name, ['mail1.woodgrovebank.com'], crl=CRL + 'woodgrove-ca.crl')

    def publish(self, authority):
        authority.publish(f'{self.web.root}/{authority.name}.crl')

    def text(self, own, other, leaf, **more):
        life, concurrency = more.pop('life', '10min'), more.pop('concurrency', 10)
        text = super().text(own, other, leaf, plugins='tls-mutual name-matching proxy-winhttp', revocation='hard', **more)
        text = text.replace('  retry {\n', f'  keep_idle 10min\n  connection_life {life}\n  concurrency {concurrency}\n  retry {{\n')
        text += f'trusted_servers {{\n  hub {{\n    sha256 {self.hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
        return text.replace('plugins {\n', 'plugins {\n  crl {\n    crl_hosts {\n      crl.example.net\n    }\n    backoff 1s\n  }\n', 1)

    def use(self, **more):
        """Another configuration; what stood idle ends."""
        leaf = more.pop('leaf', self.contoso_leaf)
        self.contoso.configure(self.text(CONTOSO, WOODGROVE, leaf, **more))
        self.contoso.reload()

    def submit(self):
        self.sent += 1
        subject = f'warm {self.sent}'
        with Sender(self.contoso, 'hub.contoso.com', leaf=self.hub, source='127.0.8.1') as sender:
            sender.sendmail('bob@contoso.com', MAIL, message('bob@contoso.com', MAIL, subject))
        return subject

    def sends(self, what):
        """One message arrives, once; the connection that it came by."""
        since = self.contoso.process.mark()
        subject = self.submit()
        self.contoso.process.wait_for('delivered:', since)
        check(f'{what}: once', str(len(self.hop.taken(subject))), '1')
        check(f'{what}: no failure counted', str(self.contoso.process.count('deferred:', since)), '0')
        return next(one for one in self.hop.connections if any(subject == taken[1] for taken in one.taken))


def same(what, one, other, wanted):
    check(what, 'the same connection' if one is other else 'another connection', wanted)


def reused(world):
    first = world.sends('the first')
    check('over mutual TLS', str(first.shown), world.contoso_leaf.sha256())
    time.sleep(PAUSE)
    again = world.sends('behind a pause')
    same('behind a pause', first, again, 'the same connection')
    check('and it was asked first', ' '.join(again.verbs()), 'RSET MAIL RCPT DATA')
    return first


def revoked_meanwhile(world, warm):
    world.woodgrove_ca.revoke(world.woodgrove_leaf)
    world.publish(world.woodgrove_ca)
    check('the list is there', world.contoso.postern('crl', 'refresh').stdout, 'good    ' + CRL + 'woodgrove-ca.crl')
    before, heard = len(world.hop.taken()), len(warm.heard)
    time.sleep(PAUSE)
    since = world.contoso.process.mark()
    subject = world.submit()
    check('revoked while it stood idle', world.contoso.process.wait_for('deferred:', since), 'revoked', 'status=4.7.5')
    wait_until(lambda: warm.ended, 'the idle connection to end')
    check('nothing more was said over it', ' '.join(warm.verbs()[heard:]), 'QUIT')
    check('but the farewell', str(len(warm.heard) - heard), '1')
    check('the reason stands in the queue', world.contoso.postern('queue', 'list').stdout, 'revoked')
    later = world.hop.connections[world.hop.connections.index(warm) + 1:]
    check('nobody else got the envelope', str([one for one in later if 'MAIL' in one.verbs()]), '[]')
    check('and nothing came in clear or otherwise', str(len(world.hop.taken()) - before), '0')
    world.woodgrove_leaf = world.of_woodgrove('fresh')
    world.hop.show(world.woodgrove_leaf)
    wait_until(lambda: world.hop.taken(subject), 'the mail to go once its certificate is a good one')
    check('once', str(len(world.hop.taken(subject))), '1')


def ended_by_age(world):
    world.use(life='2s')
    first = world.sends('young')
    wait_until(lambda: first.ended, 'the connection to end with its life', 20)
    check('it said so', first.verbs()[-1], 'QUIT')
    later = world.sends('after its life')
    same('after its life', first, later, 'another connection')
    # Where mail waits all the time nothing stands idle; its life ends all the same.
    def slow(peer):
        time.sleep(0.4)
        peer.say('250 2.1.0 ok')

    world.use(life='2s', concurrency=1)
    world.hop.answers['MAIL'] = slow
    since, before = world.contoso.process.mark(), len(world.hop.connections)
    subjects = [world.submit() for _ in range(12)]
    wait_until(lambda: world.contoso.process.count('delivered:', since) == 12, 'twelve to be delivered one after the other')
    world.hop.answers.clear()
    used = [one for one in world.hop.connections[before:] if one.taken]
    check('mail without a pause does not stretch it', 'several' if len(used) > 1 else 'one', 'several')
    check('each once', str(sorted(one[1] for one in world.hop.taken() if one[1] in subjects) == sorted(subjects)), 'True')
    check('no failure counted', str(world.contoso.process.count('deferred:', since)), '0')
    world.use()


def ended_by_our_certificate(world):
    first = world.sends('before our certificate changed')
    fresh = world.contoso_ca.leaf('fresh', ['mail1.contoso.com'], crl=CRL + 'contoso-ca.crl')
    world.use(leaf=fresh)
    later = world.sends('after it changed')
    same('with another certificate of ours', first, later, 'another connection')
    check('which is shown', str(later.shown), fresh.sha256())
    wait_until(lambda: first.ended, 'the connection of the old one to end')
    world.use()


def ended_by_a_stricter_rule(world):
    first = world.sends('before the rule')
    world.use(partner='  name_rule exact')
    wait_until(lambda: first.ended, 'the connection to end')
    since = world.contoso.process.mark()
    subject = world.submit()
    check('a stricter rule', world.contoso.process.wait_for('deferred:', since), 'name-mismatch')
    check('holds back the mail', str(world.hop.taken(subject)), '[]')
    world.use()
    wait_until(lambda: world.hop.taken(subject), 'the mail to go when the rule is gone')
    check('once', str(len(world.hop.taken(subject))), '1')


def goodbye(peer):
    peer.say('421 4.4.2 enough for today')
    return 'end'


def hangs_up(peer):
    peer.reset_at_end()
    return 'end'


def says_421_and_stays(peer):
    peer.say('421 4.4.2 idle for too long')


def close_notify(peer):
    peer.socket.setblocking(False)
    try:
        peer.socket.unwrap()
    except (ssl.SSLError, OSError):
        pass
    return 'end'


def farewells(world):
    """What the server does to the idle connection by itself."""
    for name, deed in (('421', goodbye), ('421 and no more', says_421_and_stays), ('a close_notify', close_notify),
                       ('FIN without a word', lambda peer: 'end'), ('RST', hangs_up)):
        for pause in (0, PAUSE):
            what = f'{name}, {"at once" if not pause else "and a pause"}'
            first = world.sends('before ' + what)
            first.do(deed)
            time.sleep(pause)
            same(what, first, world.sends('after ' + what), 'another connection')


def interrupted(world):
    """The server is gone at the very moment at which it is asked again."""
    for verb, pause in (('RSET', PAUSE), ('MAIL', 0), ('MAIL', PAUSE), ('RCPT', 0), ('DATA', 0)):
        for name, answer in (('421', goodbye), ('RST', hangs_up)):
            what = f'{name} at {verb}' + (', behind a pause' if pause else '')
            first = world.sends('before ' + what)
            time.sleep(pause)

            def once(peer, verb=verb, answer=answer, first=first):
                world.hop.answers.pop(verb)
                if peer is not first:
                    raise SystemExit('FAILED: it was not the idle connection')
                return answer(peer)

            world.hop.answers[verb] = once
            later = world.sends('after ' + what)
            check(f'{what}: it was the idle one', str(verb in world.hop.answers), 'False')
            same(what, first, later, 'another connection')


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='warm-judged-') as folder:
        world = Warm(sys.argv[1], folder)
        world.contoso.start()
        try:
            revoked_meanwhile(world, reused(world))
            ended_by_age(world)
            ended_by_our_certificate(world)
            ended_by_a_stricter_rule(world)
            farewells(world)
            interrupted(world)
        except BaseException:
            print('\n'.join(world.contoso.process.lines[-60:]))
            for one in world.hop.connections[-6:]:
                print(one.heard, one.taken, one.ended)
            raise
        world.contoso.stop()


main()
