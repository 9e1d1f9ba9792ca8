#!/usr/bin/env python3
"""What senders are told, and what servers get that take less: notices with NOTIFY and RET obeyed, a message that our own
hub refuses late, conversion for a server without 8BITMIME, credentials for a smart host inside verified TLS alone."""
import base64
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import dns
from lab.client import Sender, message
from lab.expect import check
from lab.hostile import Hostile
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until, write

HUB, OLD, SMART, MODERN, NOBODY = (f'127.0.6.{n}' for n in range(1, 6))
DATA = {}


def hub(peer):
    """Takes the message and refuses it for one of two recipients: LMTP."""
    peer.greet('PIPELINING')
    replies = iter(['250 2.1.0 ok', '250 2.1.5 ok', '250 2.1.5 ok', '354 go'])
    for reply in replies:
        peer.hear()
        peer.say(reply)
    peer.hear_data()
    peer.say('250 2.0.0 kept')
    peer.say('550 5.7.1 not wanted here')
    peer.until_closed()


def old(peer):
    """Neither 8BITMIME nor DSN."""
    peer.greet('SIZE')
    peer.take_mail()
    DATA['old'] = '\n'.join(peer.heard)


def modern(peer):
    """Takes DSN, and so sees to what was asked."""
    peer.greet('SIZE', 'DSN')
    peer.take_mail()
    DATA['modern'] = '\n'.join(peer.heard)


def smart(leaf, root):
    def script(peer):
        peer.greet('STARTTLS', 'AUTH PLAIN')
        peer.hear()
        peer.say('220 go')
        peer.start_tls(leaf, root)
        peer.ehlo('AUTH PLAIN LOGIN')
        DATA['auth'] = peer.hear()
        peer.say('235 2.7.0 welcome')
        peer.take_mail()
    return script


class Noticing(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.leaf = self.contoso_ca.leaf('hub', ['hub.contoso.com'])
        smart_leaf = self.woodgrove_ca.leaf('smart', ['smart.example'])
        Hostile(HUB, self.port, hub)
        Hostile(OLD, self.port, old)
        Hostile(MODERN, self.port, modern)
        Hostile(SMART, self.port, smart(smart_leaf, self.root.certificate))
        names = dns.Names({'old.example': [dns.mx(10, 'mx.old.example')], 'mx.old.example': [dns.address(OLD)],
                           'modern.example': [dns.mx(10, 'mx.modern.example')], 'mx.modern.example': [dns.address(MODERN)],
                           'refused.example': dns.NXDOMAIN})
        inside = dns.Names({'inside.example': [dns.mx(10, 'mx.inside.example')], 'mx.inside.example': [dns.address(MODERN)]})
        password = write(folder + '/password', 's3cret\n', 0o600)
        more = f'''trusted_servers {{
  hub {{
    sha256 {self.leaf.sha256()}
    roles {{
      relay
    }}
  }}
}}
send_connector Hub {{
  smart_host {HUB}
  protocol lmtp
  port {self.port}
  allow_destinations {{
    127.0.0.0/8
  }}
}}
send_connector Smart {{
  address_spaces {{
    far.example 1
  }}
  smart_host {SMART}
  port {self.port}
  tls_domain smart.example
  certificate edge
  domain_secure_enabled yes
  user postern
  password_file {password}
  allow_destinations {{
    127.0.0.0/8
  }}
}}
send_connector Patient {{
  address_spaces {{
    slow.example 1
  }}
  smart_host {NOBODY}
  port {self.port}
  allow_destinations {{
    127.0.0.0/8
  }}
  retry {{
    quick 1s
    quick_tries 1000
    delay_notice 2s
    expiry 5s
  }}
}}
accepted_domain hub.example {{
  recipients any
  deliver Hub
}}
partner far.example {{
  roots {{
    third
  }}
  revocation off
  via Smart
}}
'''
        text = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, more=more)
        text = text.replace('tls_send_domain_secure_list {\n', 'tls_send_domain_secure_list {\n  far.example\n')
        text = text.replace(f'127.0.0.1:{self.dns.port}', f'127.0.0.1:{names.port}')
        # What a server heard is looked at when its connection has ended.
        text = text.replace('  retry {\n    quick 1s\n    quick_tries 1000\n  }', '  keep_idle 0s\n  retry {\n    quick 1s\n  }', 1)
        self.contoso.configure(text.replace('  dnssec off', f'  stub {{\n    inside.example 127.0.0.1:{inside.port}\n  }}\n  dnssec off'))

    def relay(self, recipient, subject, options=(), rcpt_options=(), body='Good morning.', more=''):
        with Sender(self.contoso, leaf=self.leaf, source='127.0.3.1') as session:
            text = message('bob@contoso.com', recipient, subject, more, body)
            session.sendmail('bob@contoso.com', recipient, text.encode(), options, rcpt_options)

    def notice_with(self, text):
        edge = self.contoso
        return wait_until(lambda: next((one for one in edge.mailbox('bob@contoso.com') if text in one), None),
                          f'a notice with "{text}"')


def told(world):
    world.relay('eve@refused.example', 'whole', ['ENVID=whole'])
    check('a failure returns the message', world.notice_with('Original-Envelope-Id: whole'), 'Action: failed',
          'Status: 5.1.2', 'Diagnostic-Code: x-postern; ', 'Content-Type: message/rfc822', 'Good morning.')
    world.relay('eve@refused.example', 'headers', ['ENVID=headers', 'RET=HDRS'])
    notice = world.notice_with('Original-Envelope-Id: headers')
    check('RET=HDRS returns the header section', notice, 'text/rfc822-headers', 'Subject: headers')
    assert 'Good morning.' not in notice, notice
    since = world.contoso.process.mark()
    world.relay('eve@refused.example', 'never', ['ENVID=never'], ['NOTIFY=NEVER'])
    world.contoso.process.wait_for('to=<eve@refused.example>', since)
    world.relay('bob@contoso.com', 'success', ['ENVID=success'], ['NOTIFY=SUCCESS', 'ORCPT=rfc822;Bob+40contoso.com'])
    check('a delivery that was asked about', world.notice_with('Original-Envelope-Id: success'), 'Action: delivered',
          'Original-Recipient: rfc822; Bob@contoso.com', 'Final-Recipient: rfc822; bob@contoso.com')
    assert not any('Original-Envelope-Id: never' in one for one in world.contoso.mailbox('bob@contoso.com'))
    print('ok: NOTIFY=NEVER is obeyed')


def converted(world):
    world.relay('eve@old.example', 'converted', ['BODY=8BITMIME', 'ENVID=relayed'], ['NOTIFY=SUCCESS'], 'H\u00e4user',
                'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n')
    check('a server without DSN: relayed', world.notice_with('Original-Envelope-Id: relayed'), 'Action: relayed')
    wait_until(lambda: 'old' in DATA, 'the connection, which is kept warm a moment, to end')
    check('a server without 8BITMIME', DATA['old'], 'MAIL FROM:<bob@contoso.com> SIZE=', 'H=C3=A4user',
          'Content-Transfer-Encoding: quoted-printable')


def passed_on(world):
    """What the sender asked goes to the next server as it was asked; that one tells him."""
    world.relay('eve@modern.example', 'passed on', ['RET=HDRS', 'ENVID=passed+2Bon'],
                ['NOTIFY=SUCCESS,DELAY', 'ORCPT=rfc822;Eve+40modern.example'])
    check('the server took it', world.contoso.process.wait_for('to=<eve@modern.example>'), 'delivered:')
    heard = wait_until(lambda: DATA.get('modern'), 'the connection to end')
    check('NOTIFY, RET, ENVID and ORCPT are passed on', heard, 'RET=HDRS', 'ENVID=passed+2Bon',
          'NOTIFY=SUCCESS,DELAY', 'ORCPT=rfc822;Eve+40modern.example')
    assert not any('passed+on' in one for one in world.contoso.mailbox('bob@contoso.com'))
    print('ok: and we tell nothing ourselves')


def inside(world):
    """A zone that the resolver's forwarder does not know."""
    world.relay('eve@inside.example', 'inside')
    check('resolver stub: its own server is asked', world.contoso.process.wait_for('to=<eve@inside.example>'), 'delivered:')


def waited(world):
    """The durations of the connector's `retry`: told once that it is late, then that it is given up."""
    world.relay('eve@slow.example', 'late', ['ENVID=late'], ['NOTIFY=DELAY,FAILURE'])
    told = wait_until(lambda: (found := [one for one in world.contoso.mailbox('bob@contoso.com')
                                         if 'Original-Envelope-Id: late' in one]) and
                      any('Action: failed' in one for one in found) and found, 'the notice of the expiry')
    delayed = [one for one in told if 'Action: delayed' in one]
    assert len(told) == 2 and len(delayed) == 1, told
    check('told once that it waits', delayed[0], 'Your message is delayed', 'Will-Retry-Until: ', 'Status: 4.4.1',
          'text/rfc822-headers')
    check('and that it is given up', next(one for one in told if 'Action: failed' in one), 'could not be delivered',
          'Connection refused', 'Good morning.')
    check('the log says why', world.contoso.process.wait_for('tried until it expired'), 'to=<eve@slow.example>')
    since = world.contoso.process.mark()
    world.relay('eve@slow.example', 'unasked', ['ENVID=unasked'], ['NOTIFY=FAILURE'])
    world.contoso.process.wait_for('tried until it expired', since)
    wait_until(lambda: [one for one in world.contoso.mailbox('bob@contoso.com') if 'Id: unasked' in one], 'the failure notice')
    assert not [one for one in world.contoso.mailbox('bob@contoso.com') if 'Id: unasked' in one and 'delayed' in one]
    print('ok: no delay is told where only failures were asked for')


def late(world):
    process = world.contoso.process
    since = process.mark()
    with Sender(world.contoso, source='127.0.3.2') as session:
        session.sendmail('x@example.org', ['a@hub.example', 'b@hub.example'],
                         message('x@example.org', 'a@hub.example', 'late'))
    check('the hub keeps it for one', process.wait_for('to=<a@hub.example>', since), 'delivered:')
    check('and refuses it for the other', process.wait_for('to=<b@hub.example>', since), '5.7.1')
    check('who cannot be told is held', process.wait_for('held:', since), 'b@hub.example', 'late_reject')


def authenticated(world):
    world.relay('eve@far.example', 'by smart host')
    check('the smart host took it', world.contoso.process.wait_for('to=<eve@far.example>'), 'delivered:', 'tls="TLS')
    wanted = base64.b64encode(b'\0postern\0s3cret').decode()
    check('credentials inside TLS', DATA['auth'], 'AUTH PLAIN ' + wanted)
    assert not any('s3cret' in line or wanted in line for line in world.contoso.process.lines)


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = Noticing(sys.argv[1], folder)
        world.contoso.start()
        try:
            for scenario in (told, converted, passed_on, inside, waited, late, authenticated):
                scenario(world)
        except BaseException:
            print('\n'.join(world.contoso.process.lines[-30:]))
            raise
        world.contoso.stop()


main()
