#!/usr/bin/env python3
"""Without `forward` the system's resolvers are asked, those of /etc/resolv.conf, and a stub zone its own server all the same.
In a network of its own, where one name server stands at port 53; skipped where the machine forbids that."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.expect import check
from lab.hostile import Hostile
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import write
from lab.zones import Zones

INSIDE, SINK = '--inside', '127.0.6.1'


def outside():
    """Again, within namespaces of its own."""
    if os.geteuid() != 0 or subprocess.run(['unshare', '-m', '-n', 'true'], check=False, capture_output=True).returncode != 0:
        print('skipped: namespaces of its own need root and a kernel that allows them')
        sys.exit(77)
    sys.exit(subprocess.run(['unshare', '-m', '-n', sys.executable, __file__, sys.argv[1], INSIDE], check=False).returncode)


def take(peer):
    peer.greet('SIZE')
    peer.take_mail()


def main(build, folder):
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    write(folder + '/resolv.conf', 'nameserver 127.0.0.1\n')
    subprocess.run(['mount', '--bind', folder + '/resolv.conf', os.path.realpath('/etc/resolv.conf')], check=True)
    zones, inside = Zones(folder), Zones(folder + '/inside')
    zones.port = 53
    zones.add('example', ['@ IN MX 10 mx', f'mx IN A {SINK}'], signed=False)
    inside.add('corp', ['hub IN MX 10 mx', f'mx IN A {SINK}'], signed=False)
    for one in (zones, inside):
        one.start()
    world = World(build, folder)
    hub = world.contoso_ca.leaf('hub', ['hub.contoso.com'])
    trusted = f'trusted_servers {{\n  hub {{\n    sha256 {hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
    text = world.text(CONTOSO, WOODGROVE, world.contoso_leaf, more=trusted)
    forward = f'  forward {{\n    127.0.0.1:{world.dns.port}\n  }}\n'
    assert forward in text
    world.contoso.configure(text.replace(forward, f'  stub {{\n    corp 127.0.0.1:{inside.port}\n  }}\n'))
    Hostile(SINK, world.port, take)
    process = world.contoso.start().process
    for domain, host in (('example', 'mx.example'), ('hub.corp', 'mx.corp')):
        with Sender(world.contoso, leaf=hub, source='127.0.3.1') as session:
            session.sendmail('bob@contoso.com', f'eve@{domain}', message('bob@contoso.com', f'eve@{domain}', domain))
        check(domain, process.wait_for(f'to=<eve@{domain}>'), 'delivered:', f'relay={host}[{SINK}]')
    world.contoso.stop()


if INSIDE in sys.argv:
    with tempfile.TemporaryDirectory() as temporary:
        main(os.path.abspath(sys.argv[1]), temporary)
else:
    outside()
