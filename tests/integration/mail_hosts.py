#!/usr/bin/env python3
"""Which host a message goes to, as DNS has it, with a real name server and a real resolver: order and chance among MX, both
families, source addresses, aliases, ourselves, hosts that nobody may be sent to, and name servers that hang."""
import os
import socket
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.expect import check
from lab.hostile import Hostile
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until
from lab.zones import Recursor, Zones

FIRST, SECOND, WORSE, AWAY, SHUT, SIX = '127.0.6.1', '127.0.6.2', '127.0.6.3', '127.0.6.4', '127.0.6.5', '::1'
ZONE = [
    f'first IN A {FIRST}', f'second IN A {SECOND}', f'worse IN A {WORSE}', f'away IN A {AWAY}', f'shut IN A {SHUT}',
    f'six IN AAAA {SIX}', f'both IN A {FIRST}', f'both IN AAAA {SIX}', f'half IN A {AWAY}', f'half IN AAAA {SIX}',
    'mapped IN AAAA ::ffff:127.0.0.9', 'alias-host IN CNAME first',
    'order IN MX 20 worse', 'order IN MX 10 first', 'order IN MX 10 second',
    'backup IN MX 10 away', 'backup IN MX 20 worse',
    'only-six IN MX 10 six', 'two-families IN MX 10 half', 'sourced IN MX 10 both', 'sourced-six IN MX 10 six',
    'to-mapped IN MX 10 mapped', 'null IN MX 0 .', 'null-twice IN MX 0 .', 'null-twice IN MX 10 .',
    'alias IN CNAME backup', 'to-alias IN MX 10 alias-host', 'alias-of-host IN CNAME first', 'implicit IN A ' + FIRST,
    'loop IN CNAME loop2', 'loop2 IN CNAME loop', 'nowhere IN TXT "nobody"', 'no-address IN MX 10 nowhere',
    'ourselves IN MX 10 away', 'ourselves IN MX 20 mail9.contoso.com.', 'ourselves IN MX 30 worse',
    'all-ours IN MX 20 mail9.contoso.com.', 'all-ours IN MX 30 worse',
    'refusing IN MX 10 shut', 'refusing IN MX 20 worse', 'away-then-shut IN MX 10 away', 'away-then-shut IN MX 20 shut',
    'hang-worse IN MX 10 first', *(f'hang-worse IN MX 20 mx{n}.hang.example.' for n in range(9)),
    'hang-beside IN MX 10 first', *(f'hang-beside IN MX 10 mx{n}.hang.example.' for n in range(5)),
    *(f'many IN MX {10 + n} mx{n}.many' for n in range(500)),
]


def own_address():
    """An address of this machine that is no loopback, or none. Connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(('192.0.2.1', 9))
        except OSError:
            return None
        return probe.getsockname()[0]


class Silent:
    """A name server that answers nothing and counts."""

    def __init__(self):
        self.socket, self.asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0
        self.socket.bind(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while self.socket.recvfrom(4096):
            self.asked += 1


class Hosts(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.hub = self.contoso_ca.leaf('hub', ['hub.contoso.com'])
        self.own, self.silent, self.zones = own_address(), Silent(), Zones(folder)
        lines = list(ZONE)
        if self.own:
            lines += [f'us IN A {self.own}', 'backed-up IN MX 10 mx0.dead.example.', 'backed-up IN MX 20 us']
        self.zones.add('example', lines, signed=False)
        self.zones.lose('dead.example')
        self.zones.start()
        self.recursor = Recursor(folder, self.zones, 'example').start()
        self.sinks = {address: Hostile(address, self.port, self.take) for address in (FIRST, SECOND, WORSE, SIX)}
        Hostile(SHUT, self.port, lambda peer: (peer.say('554 5.3.2 no service'), peer.until_closed()))
        trusted = f'trusted_servers {{\n  hub {{\n    sha256 {self.hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
        text = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, more=trusted + self.connectors())
        text = text.replace('  dnssec off', f'  stub {{\n    hang.example 127.0.0.1:{self.silent.port}\n  }}\n  dnssec off')
        text = text.replace('  routing dns\n', '  routing dns\n  fqdn Mail9.Contoso.COM\n', 1)
        text = text.replace('    127.0.0.0/8\n  }\n  retry', '    127.0.6.0/24\n    ::1\n  }\n  keep_idle 0s\n  retry', 1)
        text = text.replace('    quick 1s\n', '    quick 1h\n', 1)
        self.contoso.configure(text.replace(f'127.0.0.1:{self.dns.port}', f'127.0.0.1:{self.recursor.port}'))
        self.contoso.start()

    def connectors(self):
        """One that leaves from an IPv4 address, one from IPv6, and a domain whose mail is dropped."""
        def one(name, domains, source):
            spaces = ''.join(f'    {domain} 1\n' for domain in domains)
            return (f'send_connector {name} {{\n  address_spaces {{\n{spaces}  }}\n  port {self.port}\n  keep_idle 0s\n'
                    f'  source_address {source}\n  allow_destinations {{\n    127.0.6.0/24\n    ::1\n  }}\n}}\n')
        return (one('Four', ['sourced.example', 'sourced-six.example'], '127.0.6.77') +
                one('Six', ['only-six.example', 'implicit.example'], '::1') +
                one('Gone', ['null-source.example', 'alias-of-host.example'], '192.0.2.77') +
                'accepted_domain dropped.example {\n  recipients any\n  deliver discard\n}\n')

    @staticmethod
    def take(peer):
        peer.source = peer.socket.getpeername()[0]
        peer.greet('SIZE')
        peer.take_mail()

    def relay(self, domain, times=1):
        with Sender(self.contoso, leaf=self.hub, source='127.0.3.1') as session:
            for _ in range(times):
                session.sendmail('bob@contoso.com', f'eve@{domain}', message('bob@contoso.com', f'eve@{domain}', domain))

    def goes(self, name, *wanted):
        domain = name if name.startswith('[') else f'{name}.example'
        since = self.contoso.process.mark()
        self.relay(domain)
        line = self.contoso.process.wait_for(f'to=<eve@{domain}>', since)
        check(name, line, *wanted)

    def taken(self, address):
        return len(self.sinks[address].connections)


def ordered(world):
    """Equals share, the worse one is for when they are away."""
    world.relay('order.example', 40)
    wait_until(lambda: world.contoso.process.count('delivered: id=') >= 40, 'forty messages')
    first, second, worse = (world.taken(one) for one in (FIRST, SECOND, WORSE))
    assert first > 0 and second > 0 and worse == 0, (first, second, worse)
    print(f'ok: of forty connections {first} and {second} went to equals, none to the worse host')
    world.goes('backup', 'delivered:', f'[{WORSE}]')


def families(world):
    world.goes('two-families', 'delivered:', '[::1]')
    world.goes('only-six', 'delivered:', '[::1]')
    assert world.sinks[SIX].connections[-1].source == '::1'
    world.goes('sourced', 'delivered:', f'[{FIRST}]')
    assert world.sinks[FIRST].connections[-1].source == '127.0.6.77', world.sinks[FIRST].connections[-1].source
    print('ok: it came from the source address')
    world.goes('sourced-six', 'deferred:', 'status=4.4.4', 'six.example has no IPv4 address', 'source_address 127.0.6.77',
               'Four')
    world.goes('implicit', 'deferred:', 'status=4.4.4', 'implicit.example has no IPv6 address', 'source_address ::1')
    world.goes('alias-of-host', 'deferred:', 'status=4.3.5', 'source_address 192.0.2.77 cannot be used')


def forbidden(world):
    world.goes('to-mapped', 'deferred:', 'status=4.4.4', 'mapped.example is at 127.0.0.9', 'allow_destinations')
    for name in ('null', 'null-twice'):
        world.goes(name, 'bounced:', 'status=5.1.10', 'takes no mail (null MX')


def aliases(world):
    world.goes('alias', 'delivered:', f'worse.example[{WORSE}]')
    world.goes('to-alias', 'delivered:', f'alias-host.example[{FIRST}]')
    world.goes('loop', 'deferred:', 'status=4.4.3')


def literals(world):
    world.goes(f'[{FIRST}]', 'delivered:', f'relay={FIRST}[{FIRST}]')
    world.goes('[IPv6:::1]', 'delivered:', 'relay=::1[::1]')
    world.goes('[127.0.0.9]', 'deferred:', 'status=4.4.4', 'is at 127.0.0.9', 'allow_destinations')
    world.goes('[IPv6:::ffff:127.0.0.9]', 'deferred:', 'status=4.4.4', 'is at 127.0.0.9', 'allow_destinations')


def nowhere(world):
    world.goes('nxdomain', 'bounced:', 'status=5.1.2')
    world.goes('nowhere', 'bounced:', 'status=5.4.4', 'neither a mail host nor an address')
    world.goes('no-address', 'deferred:', 'status=4.4.4', 'nowhere.example has no address')
    world.goes('many', 'deferred:', 'status=4.4.4', 'many.example has no address')
    world.goes('dead', 'deferred:', 'status=4.4.3', 'DNS answered SERVFAIL for dead.example')


def ourselves(world):
    before = world.taken(WORSE)
    world.goes('ourselves', 'deferred:', f'[{AWAY}]', 'Connection refused')
    world.goes('all-ours', 'bounced:', 'status=5.4.6', 'are ourselves')
    assert world.taken(WORSE) == before
    print('ok: what is worse than we are is never tried')
    if world.own:
        world.goes('backed-up', 'deferred:', 'status=4.4.3', 'mx0.dead.example')
    else:
        print('skipped: a better host that DNS does not find: this machine has no address but loopback')


def shut(world):
    world.goes('refusing', 'delivered:', f'[{WORSE}]')
    world.goes('away-then-shut', 'deferred:', f'[{AWAY}]', 'Connection refused')


def hanging(world):
    world.goes('hang-worse', 'delivered:', f'[{FIRST}]')
    assert world.silent.asked == 0, world.silent.asked
    print('ok: hosts that are not needed are not looked up')
    world.goes('hang-beside', 'delivered:', f'[{FIRST}]')
    assert world.silent.asked > 0


def discarded(world):
    world.goes('dropped', 'delivered:', 'relay=discard')
    assert not os.path.exists(f'{world.contoso.folder}/mail/dropped.example')


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = Hosts(sys.argv[1], folder)
        try:
            for scenario in (ordered, families, forbidden, aliases, literals, nowhere, ourselves, shut, hanging, discarded):
                scenario(world)
        except BaseException:
            print('\n'.join(world.contoso.process.lines[-40:]))
            raise
        world.contoso.stop()


main()
