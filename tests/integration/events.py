#!/usr/bin/env python3
"""Deciders at every event: a native one and Lua scripts say the same things and are heeded alike, what an event does not
take fails closed, and an observer is told each event."""
import os
import socket
import ssl
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import Failed, wait_until, write

LISTED, OTHER, OURS = 'eve@woodgrovebank.com', 'x@example.org', 'bob@contoso.com'


class Directed(World):
    """Contoso with the witness plugin and a scripts folder; each says what the step tells it to."""

    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.sources = iter(f'127.0.{n}.{m}' for n in range(3, 9) for m in range(1, 250))
        self.plugins, self.scripts = folder + '/plugins', folder + '/scripts'
        os.makedirs(self.plugins)
        os.makedirs(self.scripts)
        for kind in ('plugins', 'witness'):
            for file in os.listdir(f'{self.build}/{kind}'):
                if file.endswith('.so'):
                    os.symlink(f'{self.build}/{kind}/{file}', f'{self.plugins}/{file}')
        self.other = self.contoso_ca.leaf('mx2', ['mx2.contoso.com'])
        self.contoso.configure(self.settings())

    def settings(self, rules=(), inline='no'):
        entries = '\n'.join(f'      "{rule}"' for rule in rules)
        more = f'''scripts {{
  folder {self.scripts}
}}
certificate second {{
  chain {self.other.chain}
  key {self.other.key}
}}
send_connector Aside {{
  address_spaces {{
    aside.example 1
  }}
  smart_host {WOODGROVE[1]}
  port {self.port}
  certificate edge
  domain_secure_enabled yes
  allow_destinations {{
    127.0.0.0/8
  }}
}}
'''
        text = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, more=more)
        text = text.replace(f'{self.build}/plugins', self.plugins)
        witness = f'  witness {{\n    inline {inline}\n    file {self.folder}/seen\n    rules {{\n{entries}\n    }}\n  }}\n'
        return text.replace('  deliver-maildir {', witness + '  deliver-maildir {')

    def native(self, *rules, inline='no'):
        """The witness takes its rules at its start, so the daemon is started anew."""
        write(self.scripts + '/policy.lua', '')
        self.contoso.configure(self.settings(rules, inline))
        self.contoso.stop()
        self.contoso.start()

    def script(self, text):
        if self.contoso.text != self.settings():
            self.native()
        write(self.scripts + '/policy.lua', text)
        self.contoso.reload()

    def sender(self, **more):
        return Sender(self.contoso, source=next(self.sources), **more)

    def seen(self, *wanted):
        def there():
            with open(self.folder + '/seen', encoding='utf-8') as file:
                text = file.read()
            return text if all(one in text for one in wanted) else None
        return wait_until(there, f'{wanted} in what the observer saw')


def lua(event, body):
    return f'postern.on("{event}", function(session, envelope, event)\n  {body}\nend)\n'


def both(world, event, rule, body, step):
    """The same thing said by the native decider on its lane, inline, and by Lua."""
    for inline in ('no', 'yes'):
        world.native(f'{event} {rule}', inline=inline)
        step('native, ' + ('inline' if inline == 'yes' else 'on its lane'))
    world.script(lua(event, body))
    step('Lua')


def conversation(world):
    def refused(expected, *commands):
        def step(who):
            with world.sender() as session:
                replies = [session.answer(command) for command in commands]
            check(f'{who}: {commands[-1].split(":")[0]}', replies[-1], expected)
        return step

    both(world, 'connection', 'defer', 'return postern.defer("not now")', lambda who: greeting_refused(world, who))
    both(world, 'ehlo', 'reject', 'return postern.reject("not you")', refused('550', 'EHLO again.example'))
    both(world, 'starttls', 'defer', 'return postern.defer("later")', refused('45', 'STARTTLS'))
    both(world, 'auth', 'reject', 'return postern.reject("no guessing by " .. event.mechanism)',
         refused('550 5.7.1', 'AUTH plain AGV2ZQBzZWNyZXQ='))
    both(world, 'mail', 'reject', 'return postern.reject("not from there")', refused('550 5.7.1', f'MAIL FROM:<{OTHER}>'))
    both(world, 'recipient', 'reject', 'return postern.reject("not to " .. event.recipient)',
         refused('550 5.7.1', f'MAIL FROM:<{OTHER}>', f'RCPT TO:<{OURS}>'))
    both(world, 'data_start', 'defer', 'return postern.defer("later")',
         refused('45', f'MAIL FROM:<{OTHER}>', f'RCPT TO:<{OURS}>', 'DATA'))


def greeting_refused(world, who):
    with socket.create_connection((world.contoso.address, world.contoso.port), 30,
                                  source_address=(next(world.sources), 0)) as raw:
        line = raw.makefile('rb').readline().decode()
        check(f'{who}: the greeting', line, '45')


def extensions(world):
    def step(who):
        with world.sender() as session:
            check(f'{who}: EHLO', ' '.join(sorted(session.esmtp_features)), 'xwitness')
            if session.has_extn('8bitmime') or not session.has_extn('starttls'):
                raise Failed(f'{who}: {session.esmtp_features}')
    world.native('ehlo hide_extension 8BITMIME', 'ehlo add_extension XWITNESS all of it')
    step('native')
    world.script(lua('ehlo', 'return postern.hide_extension("8bitmime"), postern.add_extension("XWITNESS", "")'))
    step('Lua')


def client_hello(world):
    """A certificate by what the client calls for, and the request for its own where nobody else asked."""
    def step(who):
        with world.sender() as session:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(world.root.certificate)
            session._host = 'mx2.contoso.com'
            code, _ = session.starttls(context=context)
            check(f'{who}: the second certificate', f'{code} {session.sock.getpeercert()["subjectAltName"]}', 'mx2.contoso.com')
    world.native('client_hello certificate second')
    step('native')
    world.script(lua('client_hello', 'if event.server_name == "mx2.contoso.com" then return postern.certificate("second") end'))
    step('Lua')
    world.script(lua('client_hello', 'return postern.certificate("no such thing")'))
    with world.sender(tls=True) as session:
        check('an unknown certificate fails closed', session.to_mail(OTHER), '451 4.3.0 plugin-failed')


def headers(world):
    def step(who):
        text = message(OTHER, OURS, 'as it came', 'X-Old: 1\r\nX-Old: 2\r\n')
        with world.sender() as session:
            session.sendmail(OTHER, OURS, text)
        got = world.contoso.arrived(OURS, 'as it went')
        check(f'{who}: the header', got, 'X-Tag: seen by ')
        if 'X-Old' in got or 'as it came' in got:
            raise Failed(f'{who}: {got}')
        for name in os.listdir(f'{world.contoso.folder}/mail/contoso.com/bob/new'):
            os.unlink(f'{world.contoso.folder}/mail/contoso.com/bob/new/{name}')
    world.native('header_end add_field X-Tag seen by the witness', 'header_end remove_field x-old',
                 'header_end rewrite_field subject as it went')
    step('native')
    world.script(lua('header_end', '''local tag = postern.add_field("X-Tag", "seen by " .. event.name)
  for _, field in ipairs(event.fields) do
    if field.name == "Subject" and field.value == "as it came" then
      return tag, postern.remove_field("X-Old"), postern.rewrite_field("Subject", "as it went")
    end
  end'''))
    step('Lua')


def message_ends(world):
    def send(subject):
        with world.sender() as session:
            return session.sendmail(OTHER, OURS, message(OTHER, OURS, subject))
    world.native('message_end discard - as we were told')
    send('dropped')
    check('discarded', world.contoso.process.wait_for('discarded:', 0), 'as we were told')
    world.script(lua('message_end', 'return postern.hold("size " .. math.type(event.size))'))
    since = world.contoso.process.mark()
    send('held')
    line = world.contoso.process.wait_for('held:', since)
    check('held', line, 'size integer', 'postern queue release')
    queue_id = line.split('id=')[1].split(':')[0]
    released = world.contoso.postern('queue', 'release', queue_id)
    check('released', f'{released.returncode} {released.stdout}', '0 ', 'is due again')
    world.contoso.arrived(OURS, 'held')
    again = world.contoso.postern('queue', 'release', queue_id)
    check('released once only', f'{again.returncode} {again.stderr}', '1 ', 'is not in the queue')
    world.script(lua('message_end', 'return postern.reject("no " .. event.fields[3].value)'))
    with world.sender() as session:
        session.to_mail(OTHER)
        session.answer(f'RCPT TO:<{OURS}>')
        code, text = session.data(message(OTHER, OURS, 'spam'))
        check('rejected by its subject', f'{code} {text.decode()}', '550 5.7.1 no spam')
    if any('dropped' in mail for mail in world.contoso.mailbox(OURS)):
        raise Failed('a discarded message was delivered')


def judged(world):
    world.native('peer_judged reject')
    with world.sender(leaf=world.woodgrove_leaf) as session:
        check('native: peer judged', session.to_mail(LISTED), '550 5.7.1 the witness rejects')
    with world.sender() as session:
        check('native: nobody was judged', session.to_mail(OTHER), '250')
    world.script(lua('peer_judged', '''return postern.evidence("dane", event.client_name .. " " .. event.standing)'''))
    since = world.contoso.process.mark()
    with world.sender(leaf=world.woodgrove_leaf) as session:
        check('Lua: evidence, and mail passes', session.to_mail(LISTED), '250')
    check('Lua: the evidence is logged', world.contoso.process.wait_for('evidence', since),
          'dane=mail1.woodgrovebank.com exception')


def fails_closed(world):
    """What an event does not take, what is thrown, what blocks and what is no reply."""
    for rule, said in (('throw', 'threw'), ('unheard-of', 'is not taken'), ('hold - why', 'is not taken')):
        world.native(f'mail {rule}')
        since = world.contoso.process.mark()
        with world.sender() as session:
            check(f'MAIL, {rule}', session.to_mail(OTHER), '451 4.3.0')
        check(f'one line names it, {rule}', world.contoso.process.wait_for('plugin-failed', since), 'witness', said)
    world.native('mail nonsense')
    with world.sender() as session:
        check('MAIL, a reply that is none', session.to_mail(OTHER), '451 4.3.0')
    for event in ('connection', 'ehlo', 'starttls', 'tls_established', 'client_hello'):
        world.native(f'{event} throw')
        with world.sender(tls=True) as session:
            check(f'{event} threw: MAIL answers', session.to_mail(OTHER), '451 4.3.0')
        world.script(lua(event, 'error("no")'))
        with world.sender(tls=True) as session:
            check(f'{event}, a script failed: others flow', session.to_mail(OTHER), '250')
        with world.sender(leaf=world.woodgrove_leaf) as session:
            check(f'{event}, a script failed: the listed one is deferred', session.to_mail(LISTED), '451 4.3.0')
    for event in ('recipient', 'data_start', 'header_end', 'message_end'):
        world.native(f'{event} throw')
        with world.sender() as session:
            session.to_mail(OTHER)
            reply = session.answer(f'RCPT TO:<{OURS}>')
            if event != 'recipient':
                try:
                    code, text = session.data(message(OTHER, OURS, 'never'))
                except Exception as refused:  # smtplib.SMTPDataError: 354 was not said
                    code, text = refused.smtp_code, refused.smtp_error
                reply = f'{code} {text.decode()}'
            check(f'{event} threw', reply, '451 4.3.0')


def outbound(world):
    """Route, connection and EHLO on the way out; the demands stay whatever the route."""
    trusted = f'trusted_servers {{\n  hub {{\n    sha256 {world.other.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'

    def relay(recipient, subject):
        with world.sender(leaf=world.other) as session:
            session.sendmail(OURS, recipient, message(OURS, recipient, subject))

    world.woodgrove.start()
    world.native()
    world.contoso.configure(world.contoso.text + trusted)
    for event, body, wanted in (
            ('outbound_connect', 'return postern.defer("not to " .. event.host)', 'not to mail1.woodgrovebank.com'),
            ('outbound_ehlo', 'return postern.defer("they offer " .. event.extensions)', '8BITMIME'),
            ('route', 'return postern.host("127.0.1.1:%d")' % world.port, 'name-mismatch'),
            ('outbound_requirement', 'return { tls = "mutual", min_tls = "1.3", issuer = "Nobody" }', 'issuer-not-accepted')):
        write(world.scripts + '/policy.lua', lua(event, body))
        world.contoso.reload()
        since = world.contoso.process.mark()
        relay(LISTED, 'by ' + event)
        check(f'{event}', world.contoso.process.wait_for(wanted, since), wanted)
    write(world.scripts + '/policy.lua', lua('delivery_result', 'postern.log(event.recipient .. " " .. event.result)'))
    since = world.contoso.process.mark()
    world.contoso.reload()
    for subject in ('by outbound_connect', 'by outbound_ehlo', 'by route'):
        world.woodgrove.arrived(LISTED, subject)
    check('delivery_result', world.contoso.process.wait_for(f'{LISTED} delivered', since), 'script-log')
    write(world.scripts + '/policy.lua', lua('message_end', 'return postern.reroute("Aside")'))
    world.contoso.reload()
    relay('y@elsewhere.example', 'aside')
    # The other edge relays for nobody: what counts is that it went there.
    check('reroute', world.contoso.process.wait_for('bounced:', since), 'elsewhere.example', WOODGROVE[1])


def validated(world):
    world.script('')
    write(world.scripts + '/policy.lua', lua('config_validate', 'return postern.reject("not generation " .. event.generation)'))
    since = world.contoso.process.mark()
    world.contoso.process.signal(1)
    check('config_validate refuses', world.contoso.process.wait_for('reload-refused', since), 'not generation')
    write(world.scripts + '/policy.lua', '')
    world.contoso.reload()


def observed(world):
    world.seen('start ', 'config_reloaded ', 'connection ', 'ehlo ', 'starttls ', 'client_hello ', 'tls_established ',
               f'peer_judged from={LISTED}', f'mail from={OTHER}', 'recipient ', 'data_start ', 'header_end ', 'message_end ',
               'queued ', 'disconnect ', 'outbound_requirement ', 'route out', 'outbound_connect out', 'outbound_ehlo out',
               'peer_judged out', 'partner_certificate ', 'delivery_result ', 'notice ', 'stop ')
    print('ok: the observer was told of every event')


def main():
    with tempfile.TemporaryDirectory(prefix='postern-') as folder:
        world = Directed(sys.argv[1], folder)
        world.contoso.start()
        for step in (conversation, extensions, client_hello, headers, message_ends, judged, fails_closed, outbound,
                     validated, observed):
            step(world)
        world.contoso.stop()


main()
