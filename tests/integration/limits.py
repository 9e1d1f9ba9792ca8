#!/usr/bin/env python3
"""Each limit of a receive connector, set short, in a daemon: silence, commands that drip, silence under load, the time of a
connection and the transfer that it does not cut, tarpit, messages and connections a source (but not those of a partner that
proved who it is), recipients, errors, unknown recipients, the end. `limits.py BUILD [--long]` adds the transfer that crawls."""
import os
import signal
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender
from lab.crowd import connected, line
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World

RECIPIENT = 'bob@contoso.com'


class Limited(World):
    def limit(self, *lines, more=''):
        """A configuration with these keys, in force; what they touch begins with the next connection."""
        keys = ''.join(f'  {one}\n' for one in lines)
        self.contoso.configure(self.text(CONTOSO, WOODGROVE, self.contoso_leaf, receive=keys, more=more))
        self.contoso.reload()

    def plain(self, source='127.0.3.1'):
        return Sender(self.contoso, source=source)

    def partner(self, source='127.0.3.1'):
        return Sender(self.contoso, leaf=self.woodgrove_leaf, source=source)


def last_word(sender):
    """What it is told unasked, and that the connection ends then."""
    code, text = sender.getreply()
    try:
        ended = sender.sock.recv(1) == b''
    except ConnectionResetError:
        ended = True
    return f'{code} {text.decode()} {"closed" if ended else "open"}'


def silence(world):
    world.limit('inactivity 2s')
    with world.plain() as sender:
        check('silence', last_word(sender), '421 4.4.2', 'closed')
    with world.partner() as sender:
        check('silence inside TLS', last_word(sender), '421 4.4.2', 'closed')
    with world.plain() as sender:
        over = threading.Event()

        def drip():
            while not over.is_set():
                try:
                    sender.sock.send(b'x')
                except OSError:
                    return
                over.wait(0.1)
        dripping = threading.Thread(target=drip)
        dripping.start()
        code, text = sender.getreply()
        over.set()
        dripping.join()
        check('a command that drips has its time in total', f'{code} {text.decode()}', '421 4.4.2')


def under_load(world):
    world.limit('connections 4', 'inactivity 1h', 'inactivity_under_load 1s')
    since = world.contoso.process.mark()
    with world.plain('127.0.3.1') as one, world.plain('127.0.3.2') as two, world.plain('127.0.3.3') as three:
        check('three of four', world.contoso.process.wait_for('crowded:', since), '3 connections are open')
        check('the silent make room', last_word(one), '421 4.4.2', 'closed')
        check('and another', last_word(two), '421 4.4.2', 'closed')
        check('and the last to come', last_word(three), '421 4.4.2', 'closed')
    world.limit('connections 2')
    crowd = [connected(world.contoso, 1, f'127.0.4.{number}')[0] for number in range(1, 4)]
    told = sorted(line(one) for one in crowd)
    check('more connections than the connector has', str([one[:3] for one in told]), "['220', '220', '421']")
    check('and why', told[2], '4.7.0 too many connections, try again later')
    for one in crowd:
        one.close()


def connection_time(world):
    world.limit('connection_time 3s')
    with world.plain() as sender:
        began = time.monotonic()
        answers = []
        while not answers or answers[-1].startswith('250'):
            code, text = sender.docmd('NOOP')
            answers.append(f'{code} {text.decode()}')
            time.sleep(0.05)
        check('a connection ends, however busy', answers[-1], '421 4.4.2')
        check('not before its time', str(time.monotonic() - began > 2), 'True')
    with world.plain() as sender:
        sender.mail('x@example.org')
        sender.rcpt(RECIPIENT)
        check('DATA', sender.answer('DATA'), '354')
        began = time.monotonic()
        sender.send('Subject: slow\r\n\r\n')
        while time.monotonic() < began + 6:  # its pace, not a wait: twice the time that a connection has
            sender.send('a' * 998 + '\r\n')
            time.sleep(0.2)
        check('a transfer that moves is not cut', sender.answer('.'), '250 2.6.0')
        check('but its connection has had its time', last_word(sender), '421 4.4.2', 'closed')
    world.contoso.arrived(RECIPIENT, 'slow')


def crawling(world):
    world.limit('connection_time 3s')
    with world.plain() as sender:
        sender.mail('x@example.org')
        sender.rcpt(RECIPIENT)
        check('DATA', sender.answer('DATA'), '354')
        began, told = time.monotonic(), ''
        sender.sock.settimeout(1)
        while not told:
            try:
                sender.sock.send(b'a')
                told = sender.sock.recv(500).decode()
            except (socket.timeout, TimeoutError):
                pass
        check('a transfer that crawls is cut', told, '421 4.4.2')
        check('after a minute', str(59 < time.monotonic() - began), 'True')


def tarpit(world):
    trusted = f'trusted_servers {{\n  hub {{\n    sha256 {world.contoso_leaf.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
    world.limit('tarpit 2s')
    with world.plain() as sender:
        check('an error', sender.answer('FROB'), '500 5.5.2')
        began = time.monotonic()
        check('the second', sender.answer('FROB'), '500 5.5.2')
        check('the third', sender.answer('FROB'), '500 5.5.2')
        check('each but the first is kept back', str(time.monotonic() - began >= 4), 'True')
    world.limit('tarpit 1h', more=trusted)
    with world.plain() as sender:
        check('not the first', sender.answer('FROB'), '500 5.5.2')
        check('nor what is refused by policy', sender.to_mail('me@contoso.com'), '550 5.7.1')
        check('nor that again', sender.to_mail('me@contoso.com'), '550 5.7.1')
    for what, leaf, address in (('a partner', world.woodgrove_leaf, 'eve@woodgrovebank.com'),
                                ('a server of ours', world.contoso_leaf, 'x@example.org')):
        with Sender(world.contoso, leaf=leaf) as sender:
            check(what, sender.to_mail(address), '250')
            check('errs', sender.answer('FROB'), '500')
            check('and again, unpunished', sender.answer('FROB'), '500')


def message_rate(world):
    world.limit('messages_per_source 2')
    with world.plain('127.0.3.4') as sender:
        for _ in range(2):
            check('within the rate', sender.to_mail('x@example.org'), '250')
            sender.rset()
        check('beyond it', sender.to_mail('x@example.org'), '450 4.7.1')
    with world.plain('127.0.3.4') as sender:
        check('it is the source\'s, not the session\'s', sender.to_mail('x@example.org'), '450 4.7.1')
    with world.plain('127.0.3.5') as sender:
        check('another has its own', sender.to_mail('x@example.org'), '250')
    with world.partner('127.0.3.4') as sender:
        for _ in range(3):
            check('a partner has none', sender.to_mail('eve@woodgrovebank.com'), '250')
            sender.rset()


def per_source(world):
    world.limit('connections_per_source 2')
    ours = []
    try:
        for number in range(4):
            ours.append(world.partner())
            check(f'a partner\'s session {number + 1}', ours[-1].to_mail('eve@woodgrovebank.com'), '250')
        others = connected(world.contoso, 3, '127.0.3.1')
        told = sorted(line(one) for one in others)
        check('beside them two of anybody\'s', str([one[:3] for one in told]), "['220', '220', '421']")
        check('and why not three', told[2], '4.7.0 too many connections from your address')
        for one in others:
            one.close()
    finally:
        for one in ours:
            one.close()


def envelope(world):
    world.limit('recipients 100', 'errors 3', 'tarpit 0s',
                more=f'''accepted_domain known.example {{
  recipients {{
    file {world.folder}/known
  }}
  deliver maildir
}}
''')
    with world.plain() as sender:
        sender.mail('x@example.org')
        for number in range(100):
            check('a recipient', sender.answer(f'RCPT TO:<u{number}@contoso.com>'), '250')
        check('one more', sender.answer('RCPT TO:<more@contoso.com>'), '452 4.5.3')
        check('the rest is taken', sender.answer('DATA'), '354')
        sender.close()  # QUIT would be part of the message
    with world.plain() as sender:
        for _ in range(2):
            check('an error', sender.answer('FROB'), '500 5.5.2')
        check('the third', sender.answer('FROB'), '500 5.5.2')
        check('is the last', last_word(sender), '421 4.7.0', 'closed')
    with world.plain() as sender:
        sender.mail('x@example.org')
        for number in range(20):
            check('nobody', sender.answer(f'RCPT TO:<n{number}@known.example>'), '550 5.1.1')
        check('the twentieth is the last', last_word(sender), '421 4.7.0', 'closed')


def the_end(world):
    world.limit('inactivity 1h', more='drain_time 1h\n')
    with world.plain() as idle, world.partner('127.0.3.2') as within:
        world.contoso.process.signal(signal.SIGTERM)
        check('who is silent is told at once', last_word(idle), '421 4.3.2', 'closed')
        check('inside TLS, too', last_word(within), '421 4.3.2', 'closed')
    world.contoso.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with open(folder + '/known', 'w', encoding='ascii') as file:
            file.write('alice\n')
        world = Limited(sys.argv[1], folder)
        world.contoso.start()
        parts = [silence, under_load, connection_time, tarpit, message_rate, per_source, envelope]
        for part in parts + ([crawling] if '--long' in sys.argv else []) + [the_end]:
            part(world)


main()
