#!/usr/bin/env python3
"""Exim, OpenSMTPD and swaks beside Postfix: plain mail both ways with Debian's servers, with what each of them offers
(chunks with Exim, DATA with OpenSMTPD), and a client that is not ours against every extension."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import dns
from lab.client import Sender, message
from lab.expect import check
from lab.jailed import Exim, OpenSmtpd, possible
from lab.partners import CONTOSO, WOODGROVE, World
from lab.postfix import NoNetwork

SWAKS = '/usr/bin/swaks'


class Partners(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        hub = self.contoso_ca.leaf('hub', ['hub.contoso.com'])
        self.hub = hub
        host = CONTOSO[1]
        self.exim = Exim(self.build, folder + '/exim', 'exim.example', '127.0.5.1', self.port, 'contoso.com', host)
        self.opensmtpd = OpenSmtpd(self.build, folder + '/opensmtpd', 'opensmtpd.example', '127.0.5.2', self.port,
                                   'contoso.com', host)
        records = {}
        for one in self.exim, self.opensmtpd:
            domain = one.name + '.example'
            records.update({domain: [dns.mx(10, 'mx.' + domain)], 'mx.' + domain: [dns.address(one.address)]})
        names = dns.Names(records)
        trusted = f'trusted_servers {{\n  hub {{\n    sha256 {hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
        text = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, receive='  binary_mime yes\n  protocol_logging_level verbose',
                         more=trusted)
        self.contoso.configure(text.replace(f'127.0.0.1:{self.dns.port}', f'127.0.0.1:{names.port}'))

    def relay(self, recipient, subject, options=(), rcpt_options=(), body='Good morning.'):
        with Sender(self.contoso, leaf=self.hub, source='127.0.3.1') as session:
            session.sendmail('bob@contoso.com', recipient, message('bob@contoso.com', recipient, subject, body=body).encode(),
                             options, rcpt_options)


def both_ways(world, partner):
    domain = partner.name + '.example'
    since = world.contoso.process.mark()
    dotted = '.a line that begins with a dot\r\n..\r\n' + 'long ' * 100
    world.relay('eve@' + domain, f'to {partner.name}', body=dotted)
    mail = partner.arrived(f'to {partner.name}')
    check(f'to {partner.name}', mail.replace('\r\n', '\n'), dotted.replace('\r\n', '\n'))
    check('the delivery line', world.contoso.process.wait_for(f'to=<eve@{domain}>', since), 'delivered:',
          f'mx.{domain}[{partner.address}]')
    large = '\r\n'.join('0123456789abcdef' * 4 for _ in range(20000))
    world.relay('eve@' + domain, 'large', body=large)
    assert large.replace('\r\n', '\n') in partner.arrived('large').replace('\r\n', '\n')
    print(f'ok: 1.3 MB to {partner.name} arrived whole')
    world.relay('eve@' + domain, 'eight', ['BODY=8BITMIME'], body='H\u00e4user')
    check(f'8-bit text to {partner.name}', partner.arrived('eight'), 'H\u00e4user')
    with Sender(partner, source='127.0.3.2') as session:
        for n in range(3):
            session.sendmail('eve@' + domain, 'bob@contoso.com',
                             message('eve@' + domain, 'bob@contoso.com', f'{partner.name} {n}', body=dotted))
    for n in range(3):
        check(f'from {partner.name}', world.contoso.arrived('bob@contoso.com', f'{partner.name} {n}'),
              dotted.replace('\r\n', '\n'))


def notices(world):
    """OpenSMTPD and Exim know DSN: what was asked is theirs to answer, and reaches us as their notice."""
    world.relay('eve@exim.example', 'asked', rcpt_options=['NOTIFY=SUCCESS', 'ORCPT=rfc822;eve@exim.example'])
    world.exim.arrived('asked')
    notice = world.contoso.arrived('bob@contoso.com', 'Delivery Status Notification')
    check('Exim reports the success that we were asked about', notice, 'Action: delivered', 'eve@exim.example')


def swaks(world):
    if not os.path.exists(SWAKS):
        raise SystemExit('FAILED: swaks is missing: tools/packages')

    def run(*words):
        done = subprocess.run([SWAKS, '--server', world.contoso.address, '--port', str(world.contoso.port), '--helo',
                               'swaks.example', '--from', 'x@example.org', '--to', 'bob@contoso.com', *words],
                              capture_output=True, text=True, timeout=60, check=False)
        return f'{done.returncode} {done.stdout}{done.stderr}'

    check('swaks', run('--header', 'Subject: by swaks').replace('\n', ' / '), '0 ', '250 2.6.0')
    world.contoso.arrived('bob@contoso.com', 'by swaks')
    check('swaks, pipelined', run('--pipeline', '--header', 'Subject: pipelined').replace('\n', ' / '), '0 ', '250 2.6.0')
    world.contoso.arrived('bob@contoso.com', 'pipelined')
    check('swaks to nobody of ours', run('--to', 'x@elsewhere.example').replace('\n', ' / '), '550 5.7.1')


def main():
    if not possible():
        print('skipped: needs root and overlay mounts')
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        try:
            world = Partners(sys.argv[1], folder)
        except NoNetwork as why:
            print(f'skipped: {why}')
            sys.exit(77)
        world.contoso.start()
        for partner in world.exim, world.opensmtpd:
            partner.start()
        try:
            both_ways(world, world.exim)
            both_ways(world, world.opensmtpd)
            notices(world)
            swaks(world)
        except BaseException:
            for process in world.contoso.process, world.exim.process, world.opensmtpd.process:
                print(f'--- {process.name}\n' + '\n'.join(process.lines[-30:]))
            for name in ('mainlog', 'paniclog'):
                if os.path.exists(f'{folder}/exim/spool/{name}'):
                    with open(f'{folder}/exim/spool/{name}', encoding='utf-8') as file:
                        print(file.read()[-3000:])
            raise
        for one in world.exim, world.opensmtpd, world.contoso:
            one.stop()


main()
