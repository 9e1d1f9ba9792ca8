#!/usr/bin/env python3
"""Sending beside the partners: MX and smart host, a port per connector, what does not exist bounces with its true cause,
loopback is no destination unless allowed, a restart loses nothing, and SIGTERM drains."""
import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until


class Sending(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.hub = self.contoso_ca.leaf('hub', ['hub.contoso.com'])
        trusted = f'trusted_servers {{\n  hub {{\n    sha256 {self.hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
        self.plain = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, more=trusted)
        self.contoso.configure(self.plain)
        self.sources = iter(f'127.0.3.{n}' for n in range(1, 250))

    def relay(self, recipient, subject):
        with Sender(self.contoso, leaf=self.hub, source=next(self.sources)) as session:
            session.sendmail('bob@contoso.com', recipient, message('bob@contoso.com', recipient, subject))


def bounced(world):
    world.relay('nobody@nowhere.example', 'into the void')
    notice = wait_until(lambda: next((mail for mail in world.contoso.mailbox('bob@contoso.com')
                                      if 'into the void' in mail), None), 'the notice')
    check('a domain that does not exist bounces', notice, 'Return-Path: <>', 'nowhere.example', 'Status: 5.1.2')


def guarded(world):
    """A partner's MX at loopback is no destination where the connector does not allow it."""
    allowed = '  allow_destinations {\n    127.0.0.0/8\n  }\n'
    world.contoso.configure(world.plain.replace(allowed, ''))
    world.contoso.reload()
    since = world.contoso.process.mark()
    world.relay('eve@woodgrovebank.com', 'guarded')
    check('loopback is no destination', world.contoso.process.wait_for('deferred:', since), '4.4.4', 'allow_destinations')
    world.contoso.configure(world.plain)
    world.contoso.reload()
    world.woodgrove.arrived('eve@woodgrovebank.com', 'guarded')
    print('ok: allowed, it went at the next look')


def smart_host(world):
    """A second connector for one domain, through a host of its own."""
    more = f'''send_connector Elsewhere {{
  address_spaces {{
    elsewhere.example 1
  }}
  smart_host {WOODGROVE[1]}
  port {world.port}
  allow_destinations {{
    127.0.0.0/8
  }}
}}
'''
    world.contoso.configure(world.plain + more)
    world.contoso.reload()
    other = world.text(WOODGROVE, CONTOSO, world.woodgrove_leaf)
    # Woodgrove takes that domain for once; Contoso stays listed there, so the sender must prove itself.
    world.woodgrove.configure(other + 'accepted_domain elsewhere.example {\n  recipients any\n  deliver maildir\n}\n')
    world.woodgrove.reload()
    since = world.contoso.process.mark()
    world.relay('eve@elsewhere.example', 'by smart host')
    # Without a certificate on that connector the other side refuses: true to its list.
    check('the longest address space decides', world.contoso.process.wait_for('to=<eve@elsewhere.example>', since),
          'no-certificate')
    world.contoso.configure(world.plain + more.replace('  port', '  certificate edge\n  port'))
    world.contoso.reload()
    world.woodgrove.arrived('eve@elsewhere.example', 'by smart host')
    print('ok: with its certificate it went')


def restarted(world):
    world.woodgrove.stop()
    since = world.contoso.process.mark()
    world.relay('eve@woodgrovebank.com', 'patience')
    world.contoso.process.wait_for('deferred:', since)
    world.contoso.stop()
    world.woodgrove.start()
    world.contoso.start()
    world.woodgrove.arrived('eve@woodgrovebank.com', 'patience')
    print('ok: what waited survived a restart')


def killed(world):
    """kill -9 right behind the 250: the message is there."""
    world.woodgrove.stop()
    world.relay('eve@woodgrovebank.com', 'durable')
    world.contoso.process.signal(signal.SIGKILL)
    wait_until(lambda: not world.contoso.process.alive(), 'the daemon to be gone')
    world.woodgrove.start()
    world.contoso.start()
    world.woodgrove.arrived('eve@woodgrovebank.com', 'durable')
    print('ok: 250 was kept through kill -9')


def drained(world):
    edge = world.contoso
    with Sender(edge, source=next(world.sources)) as session:
        session.docmd('MAIL FROM:<x@example.org>')
        session.docmd('RCPT TO:<bob@contoso.com>')
        since = edge.process.mark()
        code, _ = session.docmd('DATA')
        assert code == 354, code
        edge.process.signal(signal.SIGTERM)
        edge.process.wait_for('draining', since)
        session.send('Subject: drained\r\n\r\nbody\r\n.\r\n')
        code, text = session.getreply()
        check('SIGTERM: the transfer under way is finished', f'{code} {text.decode()}', '250 2.6.0')
        code, text = session.getreply()
        check('and then the session ends', f'{code} {text.decode()}', '421 4.3.2')
    edge.process.wait_for('stopped')
    edge.start()
    edge.arrived('bob@contoso.com', 'drained')
    print('ok: and delivered after the next start')


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = Sending(sys.argv[1], folder)
        world.contoso.start()
        world.woodgrove.start()
        try:
            for scenario in (bounced, guarded, smart_host, restarted, killed, drained):
                scenario(world)
        except BaseException:
            for edge in (world.contoso, world.woodgrove):
                print(f'--- {edge.name}\n' + '\n'.join(edge.process.lines[-40:]))
            raise
        world.contoso.stop()
        world.woodgrove.stop()


main()
