#!/usr/bin/env python3
"""Bad input that takes more than one turn, to the real daemon: orders of commands, paths and parameters, text before the
greeting, TLS that is begun twice or ended within a message, switches that are off. Each line is said and its replies begin as
wanted; the session goes on where nothing says that it is closed, and nothing of it all is delivered."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, context_for, message
from lab.partners import CONTOSO, WOODGROVE, World
from lab.raw import Raw

HEAD, MAIL, RCPT = b'EHLO a.example\r\n', b'MAIL FROM:<x@example.org>\r\n', b'RCPT TO:<bob@contoso.com>\r\n'
TLS = 'TLS'  # the handshake

# What it is about; then by turns what is said, and how the replies to it begin; None: the connection ends.
SEQUENCES = [
    ('out of order', [
        (b'RCPT TO:<bob@contoso.com>\r\n', '503 5.5.1'), (b'BDAT 6\r\nQUIT\r\n', '503 5.5.1'), (b'STARTTLS\r\n', '503 5.5.1'),
        (HEAD, '250'), (b'DATA\r\n', '503 5.5.1'), (MAIL, '250'), (MAIL, '503 5.5.1'), (b'DATA\r\n', '554 5.5.1'),
        (b'BDAT 6\r\nQUIT\r\n', '554 5.5.1')]),
    ('DATA after BDAT, BDAT after LAST', [
        (HEAD, '250'), (MAIL, '250'), (RCPT, '250'), (b'BDAT 3\r\nA: ', '250 2.0.0'), (b'DATA\r\n', '503 5.5.1'),
        (MAIL, '503 5.5.1'), (RCPT, '503 5.5.1'), (b'RSET\r\n', '250'), (MAIL, '250'), (b'RCPT TO:<a@b.example>\r\n', '550 5.7.1'),
        (b'BDAT 6 LAST\r\nQUIT\r\n', '554 5.5.1'), (RCPT, '250'), (b'BDAT 8 LAST\r\nA: \0\r\n\r\n', '550 5.6.0'),
        (b'BDAT 6 LAST\r\nQUIT\r\n', '503 5.5.1'), (b'BDAT 6\r\nQUIT\r\n', '503 5.5.1')]),
    ('out of order after STARTTLS', [
        (HEAD, '250'), (MAIL, '250'), (b'STARTTLS\r\n', '220 2.0.0'), TLS, (RCPT, '503 5.5.1'), (MAIL, '503 5.5.1'),
        (HEAD, '250'), (b'STARTTLS\r\n', '503 5.5.1')]),
    ('text in clear behind 220', [(HEAD, '250'), (b'STARTTLS\r\n', '220'), (b'EHLO b.example\r\n' * 9, None)]),
    ('text behind EHLO', [(HEAD + MAIL, '503 5.5.0', '421 4.7.0', None)]),
    ('text behind HELO', [(b'HELO a.example\r\n' + MAIL, '503 5.5.0', '421 4.7.0', None)]),
    ('text behind STARTTLS is not carried into TLS', [(HEAD, '250'), (b'STARTTLS\r\n' + HEAD, '503 5.5.0', '421 4.7.0', None)]),
    ('HELO, without and with a bad name', [(b'HELO\r\n', '501 '), (b'HELO a b\r\n', '501 '), (b'EHLO a\x1bb\r\n', '501 ')]),
    ('parameters with HELO', [(b'HELO a.example\r\n', '250'), (b'MAIL FROM:<x@example.org> SIZE=1\r\n', '555 5.5.4')]),
    ('senders', [(HEAD, '250')] + [(b'MAIL FROM:' + path + b'\r\n', reply) for path, reply in (
        (b'<x@example.org', '501 5.1.7'), (b'<x@[bad]>', '501 5.1.7'), (b'<x@[1.2.3]>', '501 5.1.7'), (b'<x\x7f@a.example>', '501 5.1.7'),
        (b'<x@a..example>', '501 5.1.7'), (b'<\xff@a.example> SMTPUTF8', '501 5.1.7'), (b'<x@\xc3\xbc.example>', '553 5.6.7'))]),
    ('sender parameters', [(HEAD, '250')] + [(b'MAIL FROM:<x@example.org> ' + words + b'\r\n', reply) for words, reply in (
        (b'SIZE', '501 5.5.4'), (b'SIZE=', '501 5.5.4'), (b'SIZE=-1', '501 5.5.4'), (b'SIZE=99999999999999999999', '501 5.5.4'),
        (b'BODY=7BIT BODY=8BITMIME', '501 5.5.4'), (b'=1', '501 5.5.4'), (b'SMTPUTF8=1', '501 5.5.4'), (b'ENVID=a+zz', '501 5.5.4'))]),
    ('recipients', [(HEAD, '250'), (MAIL, '250')] + [(b'RCPT TO:' + path + b'\r\n', reply) for path, reply in (
        (b'<bob@contoso.com', '501 5.1.3'), (b'bob@contoso.com', '501 5.1.3'), (b'<b\0b@contoso.com>', '501 5.1.3'), (b'<>', '501 5.1.3'),
        (b'<bob>', '501 5.1.3'), (b'<a@[bad]>', '501 5.1.3'), (b'<\xc3\xbc@contoso.com>', '553 5.6.7'))]),
    ('recipient routes', [(HEAD, '250'), (MAIL, '250')] + [(b'RCPT TO:' + path + b'\r\n', reply) for path, reply in (
        (b'<a!b@contoso.com>', '550 5.1.3'), (b'<"a@b.example"@contoso.com>', '550 5.1.3'), (b'<"a%b"@contoso.com>', '550 5.1.3'),
        (b'<@contoso.com:bob@b.example>', '550 5.7.1'), (b'<a@[IPv6:::1]>', '550 5.7.1'),
        (b'<@b.example,@c.example:bob@contoso.com>', '250 2.1.5'), (b'<postmaster>', '250 2.1.5'))]),
    ('recipient parameters', [(HEAD, '250'), (MAIL, '250')] + [(RCPT[:-2] + b' ' + words + b'\r\n', reply) for words, reply in (
        (b'FROB=1', '555 5.5.4'), (b'NOTIFY=NEVER NOTIFY=NEVER', '501 5.5.4'), (b'NOTIFY=', '501 5.5.4'), (b'ORCPT=x', '501 5.5.4'))]),
    ('known and not offered', [(HEAD, '250'), (b'EXPN x\r\n', '502 5.5.1'), (b'TURN\r\n', '502 5.5.1'), (b'AUTH X\r\n', '502 5.5.1')]),
    ('command lines', [
        (HEAD, '250'), (b'NOOP ' + b'a' * 4091 + b'\r\n', '250'), (b'NOOP ' + b'a' * 4092 + b'\r\n', '500 5.5.2'),
        (b'AUTH PLAIN ' + b'a' * 12277 + b'\r\n', '502 5.5.1'), (b'AUTH PLAIN ' + b'a' * 12278 + b'\r\n', '500 5.5.6')]),
    ('a command line beyond 64 KiB', [(HEAD, '250'), (b'NOOP ' + b'a' * 200000 + b'\r\n', '500 5.5.2', '421 4.7.0', None)]),
    ('bare CR three times', [(b'NO\rOP\r\n', '500 5.5.2'), (b'\r\r\n', '500 5.5.2'), (b'\rNOOP\r\n', '500 5.5.2', '421 4.7.0', None)]),
    ('an HTTP verb first', [(b'POST / HTTP/1.1\r\nHost: a\r\n\r\n', '554 5.5.0', '421', None)]),
    ('too long, by BDAT', [(HEAD, '250'), (MAIL, '250'), (RCPT, '250'),
                           (b'BDAT 1100000 LAST\r\nA: b\r\n\r\n' + b'0123456\r\n' * 122221 + b'012', '552 5.3.4')]),
    ('header over its limit, by BDAT', [(HEAD, '250'), (MAIL, '250'), (RCPT, '250'),
                                        (b'BDAT 300002 LAST\r\n' + b'A: 45678\r\n' * 30000 + b'\r\n', '552 5.3.4')]),
]


def handshake(raw):
    raw.socket = context_for().wrap_socket(raw.socket)


def play(raw, turns):
    """What went otherwise than wanted, or nothing."""
    for turn in turns:
        if turn == TLS:
            handshake(raw)
            continue
        said, *wanted = turn
        raw.send(said)
        for one in wanted:
            got = raw.reply()
            if one is None and got is None:
                return None
            if got is None or one is None or not got.startswith(one):
                return f'{said[:60]!r}: wanted {one}, got {got}'
    raw.send(b'NOOP\r\n')
    got = raw.reply()
    return None if got and got.startswith('250') else f'the session does not go on: {got}'


def before_greeting(edge, source):
    """Sent at once, it lies there when the greeting is due, on most tries."""
    for _ in range(200):
        raw = Raw(edge, source, greeted=False, early=b'NOOP\r\n')
        greeting, got = raw.reply(), raw.reply()
        if got.startswith('250'):  # the greeting was faster
            raw.socket.close()
            continue
        end = [raw.reply(), raw.reply()]
        if not greeting.startswith('220') or not got.startswith('503 5.5.0') or not end[0].startswith('421 4.7.0') or end[1]:
            raise SystemExit(f'FAILED text before the greeting: {greeting}, {got}, {end}')
        print('ok: text before the greeting: 503 5.5.0, 421 4.7.0')
        return
    raise SystemExit('FAILED: text before the greeting was never seen')


def closed_in(edge, source, command):
    """A close_notify within the message: the end, and nothing in clear is listened to."""
    raw = Raw(edge, source)
    for line in (HEAD, b'STARTTLS\r\n'):
        raw.send(line)
        raw.reply()
    handshake(raw)
    for line in (HEAD, MAIL, RCPT):
        raw.send(line)
        raw.reply()
    raw.send(command)
    if command.startswith(b'DATA'):
        raw.reply()
    raw.send(b'Subject: cut\r\n\r\nand then\r\n')
    raw.socket = raw.socket.unwrap()
    raw.send(b'.\r\n' + HEAD)
    if (got := raw.reply()) is not None:
        raise SystemExit(f'FAILED: it reads on in clear: {got}')
    print(f'ok: a close_notify in {command.decode().strip()}: the connection ends')


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = World(sys.argv[1], folder)
        keys = '  tarpit 0s\n  message_size 1M\n  errors 100'
        world.contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, receive=keys))
        edge = world.contoso.start()
        sources = iter(f'127.0.{a}.{b}' for a in range(10, 20) for b in range(1, 250))
        for what, turns in SEQUENCES:
            raw = Raw(edge, next(sources))
            if wrong := play(raw, turns):
                raise SystemExit(f'FAILED {what}: {wrong}')
            print(f'ok: {what}')
            raw.socket.close()
        before_greeting(edge, next(sources))
        for command in (b'DATA\r\n', b'BDAT 1000 LAST\r\n'):
            closed_in(edge, next(sources), command)
        keys += '\n  enhanced_status_codes no'
        edge.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, receive=keys).replace('auth_mechanism {\n    tls\n  }', ''))
        edge.reload()
        plain = [(HEAD, '250'), (b'STARTTLS\r\n', '502 STARTTLS'), (b'FROB\r\n', '500 unknown'), (MAIL, '250 Sender')]
        if wrong := play(Raw(edge, next(sources)), plain):
            raise SystemExit(f'FAILED without STARTTLS and enhanced codes: {wrong}')
        print('ok: without STARTTLS and enhanced codes')
        if edge.mailbox('bob@contoso.com'):
            raise SystemExit('FAILED: something of all that was delivered')
        with Sender(edge, source=next(sources)) as sender:
            sender.sendmail('x@example.org', 'bob@contoso.com', message('x@example.org', 'bob@contoso.com', 'after'))
        edge.arrived('bob@contoso.com', 'after')
        print('ok: good mail flows after all that')
        edge.stop()


main()
