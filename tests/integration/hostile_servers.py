#!/usr/bin/env python3
"""Servers that lie, stall and break off, and names that lead nowhere: each line of the table is one of them, what the
delivery line must say of it, and that everybody else's mail goes on. Nothing is lost and nothing hangs."""
import os
import socket
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import dns
from lab.client import Sender, message
from lab.expect import check
from lab.hostile import Hostile
from lab.partners import CONTOSO, WOODGROVE, World

HEARD = {'hung up': threading.Event()}  # what a server heard that a check looks at
LONG = 'x' * 998 + '\r\n'


def stripped(peer):
    peer.greet('SIZE')
    peer.until_closed()


def masked(peer):
    peer.greet('SIZE', 'XXXXXXXA')
    peer.until_closed()


def refused(peer):
    peer.greet('STARTTLS')
    peer.hear()
    peer.say('454 4.7.0 not now')
    peer.until_closed()


def injected(peer):
    peer.greet('STARTTLS')
    peer.hear()
    peer.raw(b'220 go\r\n250-hostile.example\r\n250 SIZE\r\n')
    peer.until_closed()


def endless(peer):
    for _ in range(10000):
        peer.say('220-and so on')
    peer.say('220 the end')
    peer.greet()


def dripping(peer):
    peer.raw(b'220-')
    peer.socket.settimeout(0.2)
    for _ in range(600):
        try:
            if not peer.socket.recv(100):
                return
        except TimeoutError:
            peer.raw(b'x')


def early(peer):
    peer.greet('SIZE')
    while peer.hear() != 'DATA':
        peer.say('250 ok')
    peer.raw(b'354 go\r\n250 2.0.0 taken\r\n')
    peer.until_closed()


def deaf(peer):
    peer.greet('SIZE')
    while peer.hear() != 'DATA':
        peer.say('250 ok')
    peer.say('354 go')
    HEARD['hung up'].wait(60)


def lost(peer):
    peer.greet('SIZE')
    HEARD['lost'] = HEARD.get('lost', 0) + 1
    peer.take_mail(end=None if HEARD['lost'] == 1 else '250 2.0.0 taken')


def forgetful(leaf, root):
    def script(peer):
        peer.greet('SIZE', 'DSN', '8BITMIME', 'PIPELINING', 'CHUNKING', 'STARTTLS')
        peer.hear()
        peer.say('220 go')
        peer.start_tls(leaf, root)
        peer.ehlo('HELP')
        peer.take_mail()
        HEARD['forgetful'] = peer.heard
    return script


def other_name(leaf, root):
    def script(peer):
        peer.greet('STARTTLS')
        peer.hear()
        peer.say('220 go')
        peer.start_tls(leaf, root)
        peer.until_closed()
    return script


def choosy(peer):
    peer.greet('SIZE', 'PIPELINING')
    peer.take_mail(rcpt=('250 ok', '550 5.1.1 unknown', '450 4.2.0 busy', '552 5.5.3 too many'))


def says(octets):
    def script(peer):
        peer.raw(octets)
        peer.until_closed()
    return script


def old(peer):
    peer.say('220 hostile.example')
    peer.hear()
    peer.say('502 what')
    peer.take_mail()
    HEARD['old'] = peer.heard


def servers(leaf, root):
    """Domain, what its server does, and what the delivery line says. Those whose name begins with s- are listed."""
    return [
        ('s-stripped', stripped, ['deferred:', 'status=4.7.5', 'starttls-not-offered']),
        ('s-masked', masked, ['deferred:', 'XXXXXXXA', 'firewall']),
        ('s-refused', refused, ['deferred:', 'starttls-refused', '454 4.7.0 not now']),
        ('s-injected', injected, ['deferred:', 'handshake-failed', 'behind its 220']),
        ('s-other-name', other_name(leaf, root), ['deferred:', 'name-mismatch']),
        ('s-shut', says(b'554 5.3.2 no service\r\n'), ['deferred:', 'status=4.3.2', 'greeted with 554']),
        ('shut', says(b'554 5.3.2 no service\r\n'), ['bounced:', 'status=5.3.2', 'greeted with 554']),
        ('endless', endless, ['deferred:', 'a reply without end']),
        ('no-code', says(b'hello\r\n'), ['deferred:', 'a reply without a code']),
        ('bare-lf', says(b'220 hello\n'), ['deferred:', 'a reply with a bare LF']),
        ('nul', says(b'220 hel\0lo\r\n'), ['deferred:', 'a reply with NUL']),
        ('silent', says(b''), ['deferred:', 'status=4.4.2', 'did not answer in time']),
        ('dripping', dripping, ['deferred:', 'status=4.4.2', 'did not answer in time']),
        ('closed', lambda peer: None, ['deferred:', 'status=4.4.1', 'closed the connection']),
        ('early', early, ['deferred:', 'before it was sent']),
        ('deaf', deaf, ['deferred:', 'status=4.4.2', 'did not take the message in time']),
        ('lost', lost, ['deferred:', 'status=4.4.2', 'lost after the final dot']),
        ('forgetful', forgetful(leaf, root), ['delivered:', 'tls="TLS']),
        ('old', old, ['delivered:']),
    ]


NAMES = [
    ('null-mx', [dns.mx(0, '')], ['bounced:', 'status=5.1.10']),
    ('ours', [dns.mx(10, 'mail1.contoso.com'), dns.mx(20, 'mx.early.example')], ['bounced:', 'status=5.4.6']),
    ('link-local', [dns.mx(10, 'host.link-local.example')], ['deferred:', '169.254.1.1', 'allow_destinations']),
    ('servfail', dns.SERVFAIL, ['deferred:', 'status=4.4.3']),
    ('loop', [dns.cname('loop2.example')], ['deferred:', 'status=4.4.3']),
    ('many', [dns.mx(10 + n, f'mx{n}.many.example') for n in range(500)], ['deferred:', 'Connection refused']),
    ('nxdomain', dns.NXDOMAIN, ['bounced:', 'status=5.1.2']),
]


def own_address():
    """An address of this machine that is no loopback; none where it has none. Connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(('192.0.2.1', 9))
        except OSError:
            return None
        return probe.getsockname()[0]


OWN = own_address()
if OWN:
    NAMES.append(('our-address', [dns.mx(10, 'mx.our-address.example')], ['bounced:', 'status=5.4.6']))


class Hostiles(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        hub = self.contoso_ca.leaf('hub', ['hub.contoso.com'])
        self.hub, self.table = hub, servers(self.woodgrove_leaf, self.root.certificate)
        records = {'link-local.example': [], 'host.link-local.example': [dns.address('169.254.1.1')],
                   'loop2.example': [dns.cname('loop.example')],
                   'choosy.example': [dns.mx(10, 'mx.choosy.example')], 'mx.choosy.example': [dns.address('127.0.4.250')],
                   'many.example': [],}
        if OWN:
            records['mx.our-address.example'] = [dns.address(OWN)]
        for number, (name, script, _) in enumerate(self.table):
            records[name + '.example'] = [dns.mx(10, f'mx.{name}.example')]
            records[f'mx.{name}.example'] = [dns.address(f'127.0.4.{number + 1}')]
            Hostile(f'127.0.4.{number + 1}', self.port, script)
        Hostile('127.0.4.250', self.port, choosy)
        for name, found, _ in NAMES:
            records[name + '.example'] = found
        records.update({f'mx{n}.many.example': [dns.address('127.0.4.251')] for n in range(500)})
        self.names = dns.Names(records)
        trusted = f'trusted_servers {{\n  hub {{\n    sha256 {hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
        listed = ''.join(f'  {name}.example\n' for name, _, _ in self.table if name.startswith('s-'))
        text = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, more=trusted)
        text = text.replace(f'127.0.0.1:{self.dns.port}', f'127.0.0.1:{self.names.port}')
        text = text.replace('tls_send_domain_secure_list {\n', 'tls_send_domain_secure_list {\n' + listed)
        partners = ''.join(f'partner {name}.example {{\n  roots {{\n    third\n  }}\n  revocation off\n}}\n'
                           for name, _, _ in self.table if name.startswith('s-'))
        self.contoso.configure(text.replace('  retry {\n', '  reply_time 5s\n  keep_idle 0s\n  retry {\n') + partners)

    def relay(self, subject, *recipients):
        with Sender(self.contoso, leaf=self.hub, source='127.0.3.1') as session:
            body = LONG * 16000 if subject == 'deaf' else 'Good morning.'  # more than socket buffers hold
            session.sendmail('bob@contoso.com', recipients, message('bob@contoso.com', recipients[0], subject, body=body))


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = Hostiles(sys.argv[1], folder)
        process = world.contoso.start().process
        # All at once: who stalls keeps nobody else waiting.
        rows = [(name, wanted) for name, _, wanted in world.table] + [(name, wanted) for name, _, wanted in NAMES]
        for name, _ in rows:
            world.relay(name, f'eve@{name}.example')
        for name, wanted in rows:
            check(name, process.wait_for(f'to=<eve@{name}.example>', seconds=60), *wanted)
        process.wait_for('delivered: id=', seconds=30)
        since = 0
        while 'delivered:' not in (line := process.wait_for('to=<eve@lost.example>', since, 30)):
            since = process.lines.index(line) + 1
        print('ok: lost after the final dot is sent again, never lost')
        envelope = [line for line in HEARD['forgetful'] if line.startswith(('MAIL', 'RCPT', 'BDAT'))]
        check('what was offered before TLS alone is not used', ' / '.join(envelope), 'MAIL FROM:<bob@contoso.com> /')
        assert 'HELO mail1.contoso.com' in HEARD['old'], HEARD['old']
        print('ok: an old server is greeted with HELO')
        looked_up = sum(count for (name, kind), count in world.names.asked.items() if '.many.' in name and kind == dns.A)
        assert 0 < looked_up <= 20, looked_up  # 10 names an attempt, remembered by the resolver
        print(f'ok: of 500 mail hosts few are looked up: {looked_up}')
        four = [f'{name}@choosy.example' for name in ('yes', 'no', 'busy', 'many')]
        world.relay('choosy', *four)
        for address, wanted in zip(four, ('delivered:', 'bounced:', 'deferred:', 'deferred:')):
            check(f'outcomes are kept apart: {address}', process.wait_for(f'to=<{address}>'), wanted)
        notice = world.contoso.arrived('bob@contoso.com', 'Your message could not be delivered')
        check('the failure notice', notice, 'multipart/report', 'message/delivery-status')
        world.contoso.stop()


main()
