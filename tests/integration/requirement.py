#!/usr/bin/env python3
"""What a recipient's domain demanded when the message was queued, and what it demands now: the stricter holds. The domain is
listed while the message waits, or no longer listed; its partner block or the script for it gets stricter, or says nothing
any more. Each is seen across a reload, a restart and a kill -9. The next hop is OpenSSL's, first without STARTTLS, then with
it: what it took, and whether in clear, it says itself."""
import os
import signal
import ssl
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import end_with_us, wait_until, write
from lab.tls_hop import TlsHop

MAIL = 'eve@woodgrovebank.com'
TO_PARTNER = '''postern.on("outbound_requirement", function(session, envelope)
    if envelope.domain == "woodgrovebank.com" then
        return {{ {demand} }}
    end
end)
'''
SAYS_NOTHING = 'postern.on("outbound_requirement", function() end)\n'


class Queued(World):
    """Contoso with a hub that sends through it, and a Woodgrove Bank that is there only when it is to be."""

    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.hub = self.contoso_ca.leaf('hub', ['hub.contoso.com'])
        self.hop, self.sent = None, 0
        os.makedirs(folder + '/scripts')
        self.configure()

    def configure(self, listed=True, partner='', script=None):
        for name in os.listdir(self.folder + '/scripts'):
            os.unlink(f'{self.folder}/scripts/{name}')
        more = f'trusted_servers {{\n  hub {{\n    sha256 {self.hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
        if script is not None:
            write(self.folder + '/scripts/requirement.lua', script)
            more += f'scripts {{\n  folder {self.folder}/scripts\n}}\n'
        text = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, more=more, partner=partner,
                         plugins='tls-mutual name-matching crl')
        if not listed:
            for which in ('send', 'receive'):
                text = text.replace(f'tls_{which}_domain_secure_list {{\n  woodgrovebank.com\n}}\n', '')
            begin = text.index('partner woodgrovebank.com')
            text = text[:begin] + text[text.index('receive_connector Inet'):]
        self.contoso.configure(text)

    def submit(self):
        self.sent += 1
        subject = f'queued {self.sent}'
        since = self.contoso.process.mark()
        with Sender(self.contoso, 'hub.contoso.com', leaf=self.hub, source='127.0.8.1') as sender:
            sender.sendmail('bob@contoso.com', MAIL, message('bob@contoso.com', MAIL, subject))
        self.contoso.process.wait_for('deferred:', since)  # nobody is there
        return subject

    def there(self, leaf=None, **more):
        """It is there from now on: in clear alone, or with this certificate."""
        self.away()
        self.hop = TlsHop(WOODGROVE[1], self.port, leaf, self.root.certificate, **more)

    def away(self):
        if self.hop:
            self.hop.stop()
        self.hop = None

    def demanded(self):
        return self.contoso.postern('queue', 'list').stdout

    def take_up(self, how):
        """The configuration that stands there now comes into force."""
        if how == 'reload':
            self.contoso.reload()
            # What was under way goes on under what it began with.
            wait_until(lambda: '1 being' not in self.contoso.postern('queue', 'destinations').stdout, 'nothing to be under way')
        elif how == 'restart':
            self.contoso.stop()
            self.contoso.start()
        else:
            self.contoso.process.signal(signal.SIGKILL)
            wait_until(lambda: not self.contoso.process.alive(), 'its end')
            self.contoso.process.stop()
            self.contoso.start()

    def waits_for(self, what, subject, why):
        """It is tried, and not sent."""
        since = self.contoso.process.mark()
        self.contoso.postern('queue', 'retry', '--all')
        wait_until(lambda: any('deferred:' in line and why in line for line in self.contoso.process.lines[since:]), f'{what}: {why}')
        check(f'{what}: nothing left', str(self.hop.taken(subject)), '[]')

    def arrives(self, what, subject, tls):
        self.contoso.postern('queue', 'retry', '--all')
        wait_until(lambda: self.hop.taken(subject), f'{what}: {subject} to arrive')
        wait_until(lambda: 'queued 0\n' in self.contoso.postern('status').stdout, f'{what}: an empty queue')
        by = next(one for one in self.hop.connections if any(taken[1] == subject for taken in one.taken))
        check(what, ('over TLS' if by.tls else 'in clear') + (', we proved ourselves' if by.shown else ''), tls)
        check(f'{what}: once', str(len(self.hop.taken(subject))), '1')


def listed_meanwhile(world, how):
    """Queued for an unlisted domain: it would go in clear. By the time it can go, the domain is listed."""
    world.away()
    world.configure(listed=False)
    world.take_up('reload')
    control, subject = world.submit(), world.submit()
    check('nothing was demanded', str('mutual' in world.demanded()), 'False')
    world.configure()
    world.take_up(how)
    world.there()
    world.waits_for(f'listed meanwhile, {how}', subject, 'starttls-not-offered')
    world.there(world.woodgrove_leaf)
    world.arrives(f'listed meanwhile, {how}: by mutual TLS', subject, 'over TLS, we proved ourselves')
    check('and the other one', str(len(world.hop.taken(control))), '1')


def unlisted_meanwhile(world, how):
    """Queued under mutual TLS: nothing that a file says later takes that away."""
    world.away()
    world.configure()
    world.take_up('reload')
    subject = world.submit()
    check('mutual TLS was demanded', world.demanded(), 'mutual')
    world.configure(listed=False)
    world.take_up(how)
    check(f'it still is, {how}', world.demanded(), 'mutual')
    world.there()
    world.waits_for(f'no longer listed, {how}', subject, 'starttls-not-offered')
    # What is new goes as is said now: in clear, past the one that waits.
    since = world.contoso.process.mark()
    with Sender(world.contoso, 'hub.contoso.com', leaf=world.hub, source='127.0.8.1') as sender:
        sender.sendmail('bob@contoso.com', MAIL, message('bob@contoso.com', MAIL, f'new, {how}'))
    world.contoso.process.wait_for('delivered:', since)
    check('new mail is not held to it', str(len(world.hop.taken(f'new, {how}'))), '1')
    check('nor does it carry the other one along', str(world.hop.taken(subject)), '[]')
    world.there(world.woodgrove_leaf)
    # No partner block says any more that its certificates need no list.
    world.waits_for(f'by the terms for everybody, {how}', subject, 'no-crl-source')
    world.configure()
    world.take_up('reload')
    world.arrives(f'listed again, {how}', subject, 'over TLS, we proved ourselves')


def stricter_block(world, how):
    world.away()
    world.configure()
    world.take_up('reload')
    subject = world.submit()
    world.configure(partner='  name_rule exact')
    world.take_up(how)
    world.there(world.woodgrove_leaf)
    world.waits_for(f'a stricter block, {how}', subject, 'name-mismatch')
    world.configure()
    world.take_up('reload')
    world.arrives('as it was', subject, 'over TLS, we proved ourselves')


def stricter_script(world, how):
    """A script demands TLS 1.3 of a message that was queued before it did."""
    world.away()
    world.configure(script=SAYS_NOTHING)
    world.take_up('reload')
    subject = world.submit()
    world.configure(script=TO_PARTNER.format(demand='min_tls = "1.3"'))
    world.take_up(how)
    world.there(world.woodgrove_leaf, at_most=ssl.TLSVersion.TLSv1_2)
    world.waits_for(f'a stricter script, {how}', subject, 'tls-too-old')
    world.there(world.woodgrove_leaf)
    world.arrives('with TLS 1.3', subject, 'over TLS, we proved ourselves')


def script_says_no_more(world, how):
    """An unlisted domain of which a script demanded TLS when the message was queued, and no longer does."""
    world.away()
    world.configure(listed=False, script=TO_PARTNER.format(demand='tls = "mutual"'))
    world.take_up('reload')
    subject = world.submit()
    check('it was demanded', world.demanded(), 'mutual')
    world.configure(listed=False, script=SAYS_NOTHING)
    world.take_up(how)
    world.there()
    world.waits_for(f'the script says nothing now, {how}', subject, 'starttls-not-offered')
    # Listed, its roots are known, and it can prove itself.
    world.configure()
    world.take_up('reload')
    world.there(world.woodgrove_leaf)
    world.arrives('when it proves itself', subject, 'over TLS, we proved ourselves')


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='requirement-') as folder:
        world = Queued(sys.argv[1], folder)
        world.contoso.start()
        try:
            for scenario in (listed_meanwhile, unlisted_meanwhile, stricter_block, stricter_script, script_says_no_more):
                for how in ('reload', 'restart', 'kill -9'):
                    scenario(world, how)
        except BaseException:
            print('\n'.join(world.contoso.process.lines[-40:]))
            if world.hop:
                for one in world.hop.connections[-4:]:
                    print(one.heard, one.taken)
            raise
        world.contoso.stop()


main()
