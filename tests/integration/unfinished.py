#!/usr/bin/env python3
"""Two thousand sessions that each begin something large and leave it unfinished: a line, a header section, a chunk, a
handshake, recipients with all that a parameter may say. Each is within its own limits; together they hold less than 64 MiB,
since who holds most gives way with 421, while another client's small mail is taken. When they are gone there is room again
for one like theirs."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.crowd import Measured, connected, line, raise_descriptors, sanitized
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World

MOST, SESSIONS, RECIPIENT = 64, 2000, 'bob@contoso.com'
LIMITS = '  connections 60000\n  connections_per_source 60000\n'
HEAD = b'EHLO a.example\r\n'
ENVELOPE = b'MAIL FROM:<x@example.org>\r\nRCPT TO:<bob@contoso.com>\r\n'
HEADER = b'X: ' + b'a' * 900 + b'\r\n'
HELLO = b'\x01\xff\xff\xff\x03\x03' + bytes(120000)  # a client hello that says it is 16 MiB long
RECORDS = b''.join(b'\x16\x03\x01' + len(piece).to_bytes(2, 'big') + piece
                   for piece in (HELLO[at:at + 16000] for at in range(0, len(HELLO), 16000)))
BEGUN = {
    'a handshake': [HEAD, b'STARTTLS\r\n', RECORDS],
    'a line': [b'NOOP ' + b'a' * 60000],
    'a header section': [HEAD, ENVELOPE + b'DATA\r\n', HEADER * 250],
    'a chunk': [HEAD, ENVELOPE + b'BDAT 1000000\r\n' + b'Subject: x\r\n\r\n' + b'a' * 60000],
    'recipients': [HEAD, b'MAIL FROM:<x@example.org>\r\n'] +
                  [b'RCPT TO:<r%d@contoso.com> ORCPT=rfc822;' % number + b'o' * 480 + b'\r\n' for number in range(190)],
}


def begin(crowd):
    """By turns, a step at a time."""
    steps = [BEGUN[name] for name in BEGUN]
    for at in range(max(map(len, steps))):
        for number, one in enumerate(crowd):
            if at < len(steps[number % len(steps)]):
                try:
                    one.sendall(steps[number % len(steps)][at])
                    if at + 1 < len(steps[number % len(steps)]):
                        one.recv(65536)  # what follows may need the reply
                except OSError:
                    pass


def endless_handshake(edge):
    """One handshake alone ends, too: the library would gather all of its 16 MiB."""
    (one,) = connected(edge, 1, '127.0.4.2')
    line(one)
    for said in BEGUN['a handshake'][:2]:
        one.sendall(said)
        one.recv(65536)
    sent = 0
    try:
        while sent < 16 << 20:
            one.sendall(RECORDS)
            sent += len(RECORDS)
    except OSError:
        pass
    check('a handshake of 16 MiB is ended before', str(sent < 8 << 20), 'True')
    one.close()


def gave_way(crowd):
    """How many connections end with 421 4.3.2, those that do not being left alone."""
    told = 0
    for one in crowd:
        one.setblocking(False)
        try:
            while octets := one.recv(65536):
                told += b'421 4.3.2' in octets
        except OSError:
            pass
    return told


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = World(sys.argv[1], folder)
        raise_descriptors(SESSIONS + 1000)
        world.contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, receive=LIMITS))
        edge = world.contoso.start()
        with Sender(edge) as sender:
            sender.sendmail('x@example.org', RECIPIENT, message('x@example.org', RECIPIENT, 'before'))
        edge.arrived(RECIPIENT, 'before')
        endless_handshake(edge)
        measured = Measured(edge.process.pid)
        before, descriptors = measured.memory(), measured.descriptors()
        crowd = connected(edge, SESSIONS, '127.0.4.1')
        for one in crowd:
            line(one)
        begin(crowd)
        with Sender(edge) as sender:
            sender.sendmail('x@example.org', RECIPIENT, message('x@example.org', RECIPIENT, 'beside'))
        edge.arrived(RECIPIENT, 'beside')
        grown = measured.memory() - before
        check('some gave way, with 421 4.3.2', str(gave_way(crowd) > SESSIONS // 10), 'True')
        for one in crowd:
            one.close()
        measured.let_go(descriptors)
        with Sender(edge) as sender:
            large = ''.join(f'X-{number}: {"a" * 900}\r\n' for number in range(250))
            sender.sendmail('x@example.org', RECIPIENT, message('x@example.org', RECIPIENT, 'after', more=large))
        edge.arrived(RECIPIENT, 'after')
        print(f'ok: {SESSIONS} unfinished at once, memory +{grown:.1f} MiB; then there is room for one like theirs')
        if grown > MOST and not sanitized(sys.argv[1]):
            raise SystemExit(f'FAILED: memory grew by more than {MOST} MiB')
        edge.stop()


main()
