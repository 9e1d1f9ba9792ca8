#!/usr/bin/env python3
"""Policy scripts in the real daemon: the shipped ones tighten a partner, a failing one defers its own partner and nobody
else, a broken edit is refused with file and line, a runaway ends, and SIGHUP swaps them."""
import os
import signal
import ssl
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import write

SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'scripts')
LISTED, OTHER = 'eve@woodgrovebank.com', 'x@example.org'


class Scripted(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.scripts = folder + '/scripts'
        self.sources = iter(f'127.0.3.{n}' for n in range(1, 250))
        os.makedirs(self.scripts + '/partners')
        with open(SHIPPED + '/domain-security.lua', encoding='utf-8') as file:
            write(self.scripts + '/domain-security.lua', file.read())
        more = f'scripts {{\n  folder {self.scripts}\n}}\n'
        self.contoso.configure(self.text(CONTOSO, WOODGROVE, self.contoso_leaf, more=more))

    def script(self, name, text):
        write(f'{self.scripts}/{name}', text)
        self.contoso.reload()

    def asked(self, what, *wanted, sender=LISTED, leaf=True, **more):
        leaf = self.woodgrove_leaf if leaf is True else leaf
        with Sender(self.contoso, leaf=leaf, source=next(self.sources), **more) as session:
            check(what, session.to_mail(sender), *wanted)


def tightened(world):
    world.asked('the shipped policy adds nothing to the floor', '250 2.1.0')
    world.asked('nor to others', '250 2.1.0', sender=OTHER, leaf=None)
    with open(SHIPPED + '/examples/woodgrovebank.com.lua', encoding='utf-8') as file:
        world.script('partners/woodgrovebank.com.lua', file.read())
    world.asked('the partner script: TLS 1.3 and its issuer', '250 2.1.0')
    world.asked('the partner script: TLS 1.2', '454 4.7.5 tls-too-old: woodgrovebank.com', at_most=ssl.TLSVersion.TLSv1_2)
    # The third-party root also signed this one; the name holds, the issuer is another.
    other = world.contoso_ca.leaf('other', ['mail1.woodgrovebank.com'])
    world.asked('the partner script: another issuer', '454 4.7.5 issuer-not-accepted: woodgrovebank.com', leaf=other)
    world.asked('everyone else', '250 2.1.0', sender=OTHER, leaf=None)


def examples(world):
    """The other partner scripts that are shipped, each as the script of the partner that is listed here."""
    def use(name):
        with open(f'{SHIPPED}/examples/{name}.lua', encoding='utf-8') as file:
            world.script('partners/woodgrovebank.com.lua', file.read())
        return Sender(world.contoso, leaf=world.woodgrove_leaf, source=next(world.sources))

    with use('fabrikam.com') as session:
        session.to_mail(LISTED)
        check('fabrikam: not for bob', session.answer('RCPT TO:<bob@contoso.com>'), '550 5.7.1', 'invoices@contoso.com alone')
        session.rset()
        session.sendmail(LISTED, 'invoices@contoso.com',
                         message(LISTED, 'invoices@contoso.com', 'batch', 'Auto-Submitted: auto-generated\r\n'))
    got = world.contoso.arrived('invoices@contoso.com', 'batch')
    check('fabrikam: its batch is marked', got, 'X-Partner-Batch: woodgrovebank.com')
    since = world.contoso.process.mark()
    with use('litwareinc.com') as session:
        session.sendmail(LISTED, 'bob@contoso.com', message(LISTED, 'bob@contoso.com', 'small'))
        large = '\r\n'.join(['x' * 70] * 150000)
        session.sendmail(LISTED, 'bob@contoso.com', message(LISTED, 'bob@contoso.com', 'large', body=large))
    world.contoso.arrived('bob@contoso.com', 'small')
    check('litware: evidence', world.contoso.process.wait_for('litware-merger', since), 'mail1.woodgrovebank.com')
    check('litware: a large one waits', world.contoso.process.wait_for('held:', since), 'more than 10 MiB')


def outbound(world):
    """The requirement holds towards the partner too: its server shows a certificate of another issuer."""
    hub = world.contoso_ca.leaf('hub', ['hub.contoso.com'])
    trusted = f'trusted_servers {{\n  hub {{\n    sha256 {hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
    world.contoso.configure(world.contoso.text + trusted)
    world.contoso.reload()
    foreign = world.contoso_ca.leaf('server', ['mail1.woodgrovebank.com'])
    world.woodgrove.configure(world.text(WOODGROVE, CONTOSO, foreign))
    world.woodgrove.start()
    since = world.contoso.process.mark()
    with Sender(world.contoso, leaf=hub, source=next(world.sources)) as session:
        session.sendmail('bob@contoso.com', LISTED, message('bob@contoso.com', LISTED, 'tight'))
    check('outbound it defers', world.contoso.process.wait_for('deferred:', since), 'issuer-not-accepted')
    world.woodgrove.configure(world.text(WOODGROVE, CONTOSO, world.woodgrove_leaf))
    world.woodgrove.reload()
    world.woodgrove.arrived(LISTED, 'tight')
    print('ok: outbound, the right issuer: sent')


def failing(world):
    for what, body in (('an error', 'local x = nil; return x.y'), ('a runaway', 'while true do end'),
                       ('a typo in the requirement', 'return { tsl = "mutual" }'),
                       ('a table without end', 'local t = {}; while true do t[#t + 1] = "x" .. #t end')):
        since = world.contoso.process.mark()
        world.script('partners/woodgrovebank.com.lua',
                     f'postern.on("mail", function(session, envelope)\n  {body}\nend)\n')
        world.asked(f'{what} in the partner script', '451 4.3.0')
        check('one line names it', world.contoso.process.wait_for('script-failed', since), 'partners/woodgrovebank.com.lua:')
        world.asked('everyone else', '250 2.1.0', sender=OTHER, leaf=None)
    os.remove(world.scripts + '/partners/woodgrovebank.com.lua')
    world.script('broken.lua', 'postern.on("mail", function() error("no") end)\n')
    world.asked('a failing script for all defers listed domains', '451 4.3.0')
    world.asked('and nobody else', '250 2.1.0', sender=OTHER, leaf=None)
    os.remove(world.scripts + '/broken.lua')
    world.contoso.reload()
    world.asked('gone, all is well', '250 2.1.0')


def broken_edit(world):
    since = world.contoso.process.mark()
    write(world.scripts + '/domain-security.lua', 'postern.on("mail", function(\n')
    write(world.scripts + '/second.lua', 'postern.onn("mail", print)\n')
    world.contoso.process.signal(signal.SIGHUP)
    check('a script that does not compile', world.contoso.process.wait_for('reload-refused', since), 'domain-security.lua:')
    check('the other fault too', world.contoso.process.wait_for('second.lua:1', since), 'reload-refused')
    world.asked('the old generation decides', '250 2.1.0')
    done = world.contoso.postern('config', 'check', world.contoso.conf)
    check('config check says the same', f'{done.returncode} {done.stdout}', '78 ', 'second.lua:1')
    os.remove(world.scripts + '/second.lua')


def demanded_midway(world):
    """What was found good for one message of a session is no judgement under the harder terms of the next."""
    world.script('partners/woodgrovebank.com.lua', '''postern.on("mail", function(session, envelope)
  if envelope.sender:find("^strict@") then return { purpose = "client" } end
end)
''')
    leaf = world.woodgrove_ca.leaf('server-only', ['mail1.woodgrovebank.com'], purposes=('server',))
    with Sender(world.contoso, leaf=leaf, source=next(world.sources)) as session:
        check('a certificate for servers suffices', session.to_mail(LISTED), '250 2.1.0')
        session.rset()
        check('not where one for clients is demanded', session.to_mail('strict@woodgrovebank.com'), '454 4.7.5 wrong-purpose')
        session.rset()
        check('and suffices again', session.to_mail(LISTED), '250 2.1.0')
    os.remove(world.scripts + '/partners/woodgrovebank.com.lua')
    world.contoso.reload()


def verdicts(world):
    world.script('domain-security.lua', '''postern.on("mail", function(session, envelope)
  if envelope.sender_domain == "example.org" then return postern.reject("policy: not from there") end
  if envelope.sender_domain == "example.net" then return postern.defer("policy: later") end
  if envelope.sender_domain == "example.com" then return { tls = "required" } end
end)
''')
    world.asked('reject', '550 5.7.1 policy: not from there', sender=OTHER, leaf=None)
    world.asked('defer', '451 4.7.1 policy: later', sender='x@example.net', leaf=None)
    world.asked('TLS of an unlisted domain, in clear', '530 5.7.0', sender='x@example.com', leaf=None)
    world.asked('TLS of an unlisted domain, with it', '250 2.1.0', sender='x@example.com', leaf=None, tls=True)
    world.asked('the floor stands', '530 5.7.0 starttls-required', leaf=None)


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = Scripted(sys.argv[1], folder)
        world.contoso.start()
        try:
            for scenario in (tightened, outbound, examples, failing, demanded_midway, broken_edit, verdicts):
                scenario(world)
        except BaseException:
            print('--- the daemon\n' + '\n'.join(world.contoso.process.lines[-60:]))
            raise
        world.contoso.stop()
        world.woodgrove.stop()


main()
