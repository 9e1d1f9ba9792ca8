#!/usr/bin/env python3
"""Bad input to the real daemon, octet by octet: the table of replies, every reply well-formed, and the session that is
attacked never harms the next. No TLS here but for text behind STARTTLS."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.partners import CONTOSO, WOODGROVE, World
from lab.raw import Raw

ENVELOPE = b'EHLO a.example\r\nMAIL FROM:<x@example.org>\r\nRCPT TO:<bob@contoso.com>\r\n'
HEAD = b'EHLO a.example\r\n'
MESSAGE = b'Subject: x\r\n\r\n'

# What is sent in one go after the greeting, and the last reply that it must end with; `close`: the server closes.
CASES = [
    ('bare LF in a command', b'NOOP\nNOOP\r\n', '500 5.5.2', False),
    ('bare CR in a command', b'NO\rOP\r\n', '500 5.5.2', False),
    ('three bare newlines', b'NOOP\n\r\nNOOP\n\r\nNOOP\n\r\n', '421 4.7.0', True),
    ('an unknown verb', HEAD + b'FROB\r\n', '500 5.5.2', False),
    ('AUTH, not offered', HEAD + b'AUTH PLAIN AGV2ZQBzZWNyZXQ=\r\n', '502 5.5.1', False),
    ('a known verb that is not offered', HEAD + b'ETRN x\r\n', '502 5.5.1', False),
    ('EHLO without a name', b'EHLO\r\n', '501', False),
    ('EHLO with a bad name', b'EHLO a b\r\n', '501', False),
    ('MAIL without EHLO', b'MAIL FROM:<x@example.org>\r\n', '503 5.5.1', False),
    ('RCPT before MAIL', HEAD + b'RCPT TO:<bob@contoso.com>\r\n', '503 5.5.1', False),
    ('a second MAIL', HEAD + b'MAIL FROM:<x@example.org>\r\nMAIL FROM:<y@example.org>\r\n', '503 5.5.1', False),
    ('DATA without a recipient', HEAD + b'MAIL FROM:<x@example.org>\r\nDATA\r\n', '554 5.5.1', False),
    ('a sender without brackets', HEAD + b'MAIL FROM:x@example.org\r\n', '501 5.1.7', False),
    ('a sender with NUL', HEAD + b'MAIL FROM:<x\0@example.org>\r\n', '501 5.1.7', False),
    ('a sender without domain', HEAD + b'MAIL FROM:<x>\r\n', '5', False),
    ('a recipient with a control', HEAD + b'MAIL FROM:<x@example.org>\r\nRCPT TO:<b\x01b@contoso.com>\r\n', '501 5.1.3',
     False),
    ('non-ASCII without SMTPUTF8', HEAD + b'MAIL FROM:<\xc3\xbc@example.org>\r\n', '553 5.6.7', False),
    ('a bad SIZE', HEAD + b'MAIL FROM:<x@example.org> SIZE=abc\r\n', '501 5.5.4', False),
    ('SIZE twice', HEAD + b'MAIL FROM:<x@example.org> SIZE=1 SIZE=1\r\n', '501 5.5.4', False),
    ('an unknown parameter', HEAD + b'MAIL FROM:<x@example.org> FROB=1\r\n', '555 5.5.4', False),
    ('SIZE over the limit', HEAD + b'MAIL FROM:<x@example.org> SIZE=99999999999\r\n', '552 5.3.4', False),
    ('a command line over 4096 octets', HEAD + b'NOOP ' + b'a' * 5000 + b'\r\n', '500 5.5.2', False),
    ('a command line without end', b'a' * 70000, '421 4.7.0', True),
    ('a foreign domain', HEAD + b'MAIL FROM:<x@example.org>\r\nRCPT TO:<a@elsewhere.example>\r\n', '550 5.7.1', False),
    ('a percent route', HEAD + b'MAIL FROM:<x@example.org>\r\nRCPT TO:<a%b@contoso.com>\r\n', '550 5.1.3', False),
    ('an address literal', HEAD + b'MAIL FROM:<x@example.org>\r\nRCPT TO:<a@[127.0.0.1]>\r\n', '550 5.7.1', False),
    ('an HTTP verb first', b'GET / HTTP/1.1\r\n', '421', True),
    ('STARTTLS with an argument', HEAD + b'STARTTLS now\r\n', '501 5.5.4', False),
    ('VRFY', HEAD + b'VRFY bob\r\n', '252 2.0.0', False),
    ('HELP', HEAD + b'HELP\r\n', '214 2.0.0', False),
    ('text pipelined behind DATA', ENVELOPE + b'DATA\r\nSubject: early\r\n\r\n.\r\n', '421 4.7.0', True),
    ('text pipelined behind STARTTLS', HEAD + b'STARTTLS\r\nNOOP\r\n', '421 4.7.0', True),
    ('NOTIFY that contradicts itself', ENVELOPE.replace(b'com>\r\n', b'com> NOTIFY=NEVER,SUCCESS\r\n'), '501 5.5.4', False),
    ('a bad RET', HEAD + b'MAIL FROM:<x@example.org> RET=SOME\r\n', '501 5.5.4', False),
    ('BODY=BINARYMIME, not offered', HEAD + b'MAIL FROM:<x@example.org> BODY=BINARYMIME\r\n', '501 5.5.4', False),
    ('a bare LF by BDAT', ENVELOPE + b'BDAT 17 LAST\r\nSubject: x\r\n\r\na\nb', '550 5.6.0', False),
    ('NUL by BDAT', ENVELOPE + b'BDAT 17 LAST\r\nSubject: x\r\n\r\na\0b', '550 5.6.0', False),
    ('BDAT too early', HEAD + b'BDAT 8 LAST\r\nabcdefgh', '503 5.5.1', False),
    ('BDAT without end', HEAD + b'BDAT 99999999999\r\n' + b'a' * ((37 << 20) + 1), '421 4.7.0', True),
    ('QUIT', HEAD + b'QUIT\r\n', '221 2.0.0', True),
]

# What is sent after 354.
DATA_CASES = [
    ('a bare LF in the data', b'Subject: x\r\n\r\na\nb\r\n.\r\n', '550 5.6.0'),
    ('a bare CR in the data', b'Subject: x\r\n\r\na\rb\r\n.\r\n', '550 5.6.0'),
    ('NUL in the data', b'Subject: x\r\n\r\na\0b\r\n.\r\n', '550 5.6.0'),
    ('a bare LF in the header', b'Subject: x\nY: z\r\n\r\nb\r\n.\r\n', '550 5.6.0'),
    ('LF.LF is no end', b'Subject: x\r\n\r\na\n.\nMAIL FROM:<smuggled@contoso.com>\r\n.\r\n', '550 5.6.0'),
    ('LF.CRLF is no end', b'Subject: x\r\n\r\na\n.\r\nMAIL FROM:<smuggled@contoso.com>\r\n.\r\n', '550 5.6.0'),
    ('CR.CR is no end', b'Subject: x\r\n\r\na\r.\rMAIL FROM:<smuggled@contoso.com>\r\n.\r\n', '550 5.6.0'),
    ('a header section over its limit', b'X: ' + b'a' * 990 + b'\r\n' + b'X: aaaaaaaaaaaaaaaaaaa\r\n' * 20000 + b'\r\n.\r\n',
     '552 5.3.4'),
    ('a hundred hops', b'Received: from a by b\r\n' * 101 + b'\r\n.\r\n', '554 5.4.6'),
]


def last_reply(raw, octets, closes):
    """The commands that only lead there go one by one (nothing may be pipelined past EHLO); the rest in one go. The last
    reply, and whether the server closed; NOOP shows that the session goes on."""
    for line in ENVELOPE.splitlines(keepends=True):
        if octets.startswith(line) and octets != line:
            octets = octets[len(line):]
            raw.send(line)
            raw.reply()
    raw.send(octets)
    commands = octets.partition(b'BDAT')[0].count(b'\r\n') + 1 if b'BDAT' in octets else octets.count(b'\r\n')
    answers = [raw.reply() for _ in range(max(1, commands) if not closes else 1)]
    while closes and answers[-1] is not None:
        answers.append(raw.reply())
    if not closes:
        raw.send(b'NOOP\r\n')
        noop = raw.reply()
        if not noop or not noop.startswith('250'):
            return f'{answers[-1]}, and NOOP then: {noop}', True
        return answers[-1], False
    return answers[-2] if len(answers) > 1 else '', True


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(sys.argv[1], folder)
        world.contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, receive='  tarpit 0s'))
        edge = world.contoso.start()
        sources = iter(f'127.0.{a}.{b}' for a in range(10, 20) for b in range(1, 250))
        for what, octets, start, closes in CASES:
            raw = Raw(edge, next(sources))
            got, closed = last_reply(raw, octets, closes)
            if not got.startswith(start) or closes != closed:
                raise SystemExit(f'FAILED {what}: wanted {start}{" and close" if closes else ""}, got {got}')
            print(f'ok: {what}: {got}')
            raw.socket.close()
        for what, octets, start in DATA_CASES:
            raw = Raw(edge, next(sources))
            for line in ENVELOPE.splitlines(keepends=True):
                raw.send(line)
                raw.reply()
            raw.send(b'DATA\r\n')
            assert raw.reply().startswith('354'), what
            raw.send(octets)
            got = raw.reply()
            if not got or not got.startswith(start):
                raise SystemExit(f'FAILED {what}: wanted {start}, got {got}')
            raw.send(b'NOOP\r\n')
            again = raw.reply()
            if not again or not again.startswith('250'):
                raise SystemExit(f'FAILED {what}: the session does not go on: {again}')
            print(f'ok: {what}: {got}')
            raw.socket.close()
        if edge.mailbox('bob@contoso.com'):
            raise SystemExit('FAILED: something of all that was delivered')
        with Sender(edge, source=next(sources)) as sender:
            sender.sendmail('x@example.org', 'bob@contoso.com', message('x@example.org', 'bob@contoso.com', 'after'))
        edge.arrived('bob@contoso.com', 'after')
        print('ok: good mail flows after all that')
        edge.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, receive='  own_senders tag'))
        edge.reload()
        with Sender(edge, source=next(sources)) as sender:
            sender.sendmail('boss@contoso.com', 'bob@contoso.com', message('boss@contoso.com', 'bob@contoso.com', 'own'))
        assert 'x-domain-secured=fail smtp.mailfrom=contoso.com' in edge.arrived('bob@contoso.com', 'own')
        print('ok: own_senders tag')
        edge.stop()


main()
