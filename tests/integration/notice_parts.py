#!/usr/bin/env python3
"""Every notice is read as strictly as RFC 3464, 6522 and 6533 allow: what servers said, whatever octets it was; what goes
back of long, 8-bit, binary and internationalised messages; and that a 7-bit way back can take it."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import dns
from lab.client import Sender
from lab.hostile import Hostile
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until
from lab.report import Report

REFUSES, SEVEN_BIT = '127.0.7.1', '127.0.7.2'
HEAD = b'From: <bob@contoso.com>\r\nTo: <x@r.example>\r\nSubject: t\r\n'
TEXT8 = b'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n'
BACK = []


def refuses(peer):
    """Says no to each recipient in other words."""
    said = {'multi': b'550-5.1.1 one \xe4\x01\r\n550-5.1.1 ' + b'x' * 400 + b'\r\n550 5.1.1 --postern\r\n',
            'weird': b'550 5.1234.99999 weird\r\n', 'bare': b'550\r\n'}
    peer.greet('PIPELINING', '8BITMIME', 'BINARYMIME', 'CHUNKING', 'SMTPUTF8', 'SIZE')
    while True:
        verb = peer.hear()
        if verb.startswith('RCPT'):
            peer.raw(said.get(verb[9:].split('@')[0], b'550 5.1.1 no such user\r\n'))
        else:
            peer.say('250 2.0.0 ok')


def seven_bit(peer):
    """Where the sender lives: a server of 1982."""
    peer.greet()
    peer.take_mail()
    BACK.append('\n'.join(line[1:] if line.startswith('.') else line for line in peer.heard))


class Parts(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.leaf = self.contoso_ca.leaf('hub', ['hub.contoso.com'])
        Hostile(REFUSES, self.port, refuses)
        Hostile(SEVEN_BIT, self.port, seven_bit)
        names = dns.Names({'r.example': [dns.mx(10, 'mx.r.example')], 'mx.r.example': [dns.address(REFUSES)],
                           'old.example': [dns.mx(10, 'mx.old.example')], 'mx.old.example': [dns.address(SEVEN_BIT)],
                           'gone.example': dns.NXDOMAIN})
        more = f'''trusted_servers {{
  hub {{
    sha256 {self.leaf.sha256()}
    roles {{
      relay
    }}
  }}
}}
'''
        text = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, more=more, receive='  binary_mime yes')
        text = text.replace('  retry {\n    quick 1s', '  keep_idle 0s\n  retry {\n    quick 1s', 1)
        self.contoso.configure(text.replace(f'127.0.0.1:{self.dns.port}', f'127.0.0.1:{names.port}'))

    def mail(self, envid, recipients, data, options='', sender='bob@contoso.com'):
        with Sender(self.contoso, leaf=self.leaf, source='127.0.3.1') as session:
            session.command_encoding = 'utf-8'
            commands = [f'MAIL FROM:<{sender}> ENVID={envid} {options}'.rstrip()]
            commands += [f'RCPT TO:{one}' if one.startswith('<') else f'RCPT TO:<{one}>' for one in recipients]
            for command in commands:
                answer = session.answer(command)
                assert answer.startswith('250'), (command, answer)
            session.send(f'BDAT {len(data)} LAST\r\n'.encode() + data)
            assert session.getreply()[0] == 250

    def reports(self, envid, count=1):
        folder = self.contoso.folder + '/mail/contoso.com/bob/new'

        def found():
            texts = [open(os.path.join(folder, name), 'rb').read() for name in os.listdir(folder)] if os.path.isdir(folder) else []
            wanted = [one for one in texts if f'Original-Envelope-Id: {envid}\n'.encode() in one.replace(b'\r\n', b'\n')]
            return wanted if len(wanted) >= count else None
        return [Report(raw) for raw in wait_until(found, f'the notice {envid}')]

    def report(self, envid, binary=False):
        one = self.reports(envid)[0]
        assert binary or not one.faults, (envid, one.faults, one.raw)
        print(f'ok: {envid} is a whole report')
        return one


def what_servers_said(world):
    world.mail('said+2Bof+20it', ['nobody@r.example', '"a b"@r.example', 'multi@r.example', 'weird@r.example', 'bare@r.example',
                                  '<x@r.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;Foo+2BBar+40contoso.com', 'x@gone.example'],
               HEAD + b'\r\nhello\r\n')
    reports = world.reports('said+of it', 2)
    for one in reports:
        assert not one.faults, one.faults
    said = max(reports, key=lambda one: len(one.recipients))
    assert len(said.recipients) == 6, said.raw
    assert said.of('x@r.example')['Original-Recipient'] == 'rfc822; Foo+Bar@contoso.com'
    assert said.of('nobody@r.example')['Diagnostic-Code'] == 'smtp; 550 5.1.1 no such user'
    assert said.of('nobody@r.example')['Remote-MTA'] == 'dns; mx.r.example'
    assert said.of('weird@r.example')['Status'] == said.of('bare@r.example')['Status'] == '5.0.0'
    assert '"a b"@r.example' in said.people and 'one ??' in said.of('multi@r.example')['Diagnostic-Code']
    ours = next(one for one in reports if one is not said)
    assert ours.of('x@gone.example')['Diagnostic-Code'].startswith('x-postern; '), ours.raw
    print('ok: each recipient with what was said of it, and who said it')


def what_goes_back(world):
    world.mail('eight', ['nobody@r.example'], HEAD + TEXT8 + b'\r\nH\xc3\xa4user\r\n', 'BODY=8BITMIME RET=FULL')
    one = world.report('eight')
    assert one.returned.get_content_type() == 'message/rfc822' and b'H\xc3\xa4user' in one.raw
    world.mail('long', ['nobody@r.example'], HEAD + b'X-Long: ' + b'y' * 5000 + b'\r\n\r\n' + b'z' * 3000 + b'\r\n')
    assert world.report('long').returned.get_content_type() == 'text/rfc822-headers'
    world.mail('big', ['nobody@r.example'], HEAD + b'\r\n' + (b'z' * 70 + b'\r\n') * 3000)
    assert world.report('big').returned.get_content_type() == 'text/rfc822-headers'
    world.mail('binary', ['nobody@r.example'], HEAD + b'MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n'
               b'Content-Transfer-Encoding: binary\r\n\r\n' + bytes(range(256)), 'BODY=BINARYMIME')
    assert world.report('binary', binary=True).returned.get_content_type() == 'message/rfc822'
    subject = HEAD.replace(b'Subject: t', 'Subject: Grüße'.encode())
    world.mail('utf', ['<nöbody@r.example> ORCPT=utf-8;n\\x{F6}body@r.example'], subject + TEXT8 + b'\r\nx\r\n',
               'BODY=8BITMIME SMTPUTF8')
    one = world.report('utf')
    assert one.is_global and one.returned.get_content_type() == 'message/global', one.raw
    assert one.recipients[0]['Original-Recipient'] == 'utf-8; nöbody@r.example'
    world.mail('utf-headers', ['nobody@r.example'], subject + b'\r\nx\r\n', 'BODY=8BITMIME SMTPUTF8 RET=HDRS')
    assert world.report('utf-headers').returned.get_content_type() == 'message/global-headers'


def a_seven_bit_way_back(world):
    """The sender's own server takes ASCII alone: the notice reaches him all the same."""
    cases = (('back8', HEAD + TEXT8 + b'\r\nH\xc3\xa4user\r\n', 'BODY=8BITMIME', 'message/rfc822'),
             ('backlatin', HEAD + b'X-Name: \xe4\r\n\r\nx\r\n', 'BODY=8BITMIME', 'text/rfc822-headers'),
             ('backutf', HEAD.replace(b'Subject: t', 'Subject: Grüße'.encode()) + b'\r\nx\r\n', 'BODY=8BITMIME SMTPUTF8',
              'message/global'))
    for envid, data, options, returned in cases:
        world.mail(envid, ['nobody@r.example'], data, options, 'eve@old.example')
        text = wait_until(lambda: next((one for one in BACK if f'Original-Envelope-Id: {envid}' in one), None), envid)
        assert text.isascii(), text
        one = Report(text.split('DATA\n', 1)[1].rsplit('\n.', 1)[0].encode())
        assert not one.faults and one.returned.get_content_type() == returned, (one.faults, text)
        print(f'ok: {envid} comes back in ASCII, as {returned}')


def once_for_whom_is_named_twice(world):
    world.mail('twice', ['<dup@contoso.com> NOTIFY=NEVER', '<dup@contoso.com> NOTIFY=SUCCESS', 'dup@CONTOSO.com'], HEAD + b'\r\nx\r\n')
    one = world.report('twice')
    assert len(one.recipients) == 1 and one.recipients[0]['Action'] == 'delivered', one.raw
    assert len(world.contoso.mailbox('dup@contoso.com')) == 1
    print('ok: who is named twice gets it once')


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = Parts(sys.argv[1], folder)
        world.contoso.start()
        try:
            for scenario in (what_servers_said, what_goes_back, a_seven_bit_way_back, once_for_whom_is_named_twice):
                scenario(world)
        except BaseException:
            print('\n'.join(world.contoso.process.lines[-30:]))
            raise
        world.contoso.stop()


main()
