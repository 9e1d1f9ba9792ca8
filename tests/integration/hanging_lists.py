#!/usr/bin/env python3
"""A partner whose lists lie on a server that accepts and is silent, and one whose server drips, each with a crowd of sessions
that wait for it: meanwhile a plain client and another partner are served, and so is mail on its way to another partner. Who
was waited for in vain is deferred with the cause."""
import os
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender, message
from lab.expect import check
from lab.origin import Origin
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until

CROWD, RECIPIENT = 15, 'bob@contoso.com'
PARTNERS = ('silent.example', 'dripping.example')


class Hanging(World):
    def __init__(self, build, folder):
        self.origins = {'list': Origin(), 'silent.example': Origin(), 'dripping.example': Origin()}
        super().__init__(build, folder)
        for edge, own, other, leaf in ((self.contoso, CONTOSO, WOODGROVE, self.contoso_leaf),
                                       (self.woodgrove, WOODGROVE, CONTOSO, self.woodgrove_leaf)):
            edge.configure(self.text(own, other, leaf, more=self.more))

    def authorities(self):
        folder, origin = self.folder, self.origins['list']
        self.root = pki.Authority(folder, 'root', 'Third Party')
        self.ca = pki.Authority(folder, 'ca', 'Issuing', self.root, origin.url('/root.crl'))
        self.serve(self.root, origin, '/root.crl')
        self.serve(self.ca, origin, '/ca.crl')
        self.contoso_leaf, self.woodgrove_leaf = (self.ca.leaf(domain, ['mail1.' + domain], crl=origin.url('/ca.crl'))
                                                  for domain, _ in (CONTOSO, WOODGROVE))
        paths = {'silent.example': '/held/ca.crl', 'dripping.example': '/drip/ca.crl'}
        self.leaves = {}
        for one in PARTNERS:  # an authority each: any list of one that is known would do
            authority = pki.Authority(folder, one, 'Issuing for ' + one, self.root, origin.url('/root.crl'))
            self.leaves[one] = authority.leaf(one, ['mail1.' + one], crl=self.origins[one].url(paths[one]))
            self.serve(authority, self.origins[one], paths[one])
        hub = self.ca.leaf('hub', ['hub.contoso.com'])
        self.hub = hub
        self.more = f'trusted_servers {{\n  hub {{\n    sha256 {hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
        for one in PARTNERS:
            self.more += f'partner {one} {{\n  roots {{\n    third\n  }}\n}}\n'

    def serve(self, authority, origin, path):
        file = f'{self.folder}/lists/{authority.name}.crl'
        authority.publish(file)
        with open(file, 'rb') as octets:
            origin.lists[path] = octets.read()

    def text(self, own, other, leaf, **more):
        ports = '\n'.join(f'      {one.port}' for one in self.origins.values())
        text = super().text(own, other, leaf, plugins='tls-mutual name-matching proxy-winhttp', revocation='hard', **more)
        text = text.replace('tls_receive_domain_secure_list {\n', 'tls_receive_domain_secure_list {\n' +
                            ''.join(f'  {one}\n' for one in PARTNERS))
        return text.replace('plugins {\n', f'''plugins {{
  crl {{
    crl_hosts {{
      127.0.0.1
    }}
    crl_ports {{
{ports}
    }}
    timeout 100s
  }}
''', 1)


class Waiting(threading.Thread):
    """One session of a partner whose list does not come: its reply to MAIL, at last."""

    def __init__(self, world, domain, source):
        super().__init__()
        self.world, self.domain, self.source, self.told, self.asked = world, domain, source, None, threading.Event()
        self.start()

    def run(self):
        with Sender(self.world.contoso, leaf=self.world.leaves[self.domain], source=self.source) as sender:
            sender.sock.settimeout(300)
            sender.putcmd(f'MAIL FROM:<eve@{self.domain}>')
            self.asked.set()
            code, text = sender.getreply()
            self.told = f'{code} {text.decode()}'


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = Hanging(sys.argv[1], folder)
        for edge in (world.contoso, world.woodgrove):
            edge.start()
        crowd = [Waiting(world, domain, f'127.0.{30 + at}.1') for at, domain in enumerate(PARTNERS) for _ in range(CROWD)]
        for one in crowd:
            one.asked.wait(60)
        for domain in PARTNERS:
            wait_until(lambda: world.origins[domain].asked, f'the list of {domain} to be asked for')
        for number in range(5):
            with Sender(world.contoso) as sender:
                sender.sendmail('x@example.org', RECIPIENT, message('x@example.org', RECIPIENT, f'plain {number}'))
            with Sender(world.contoso, leaf=world.woodgrove_leaf, source='127.0.3.1') as sender:
                sender.sendmail('eve@woodgrovebank.com', RECIPIENT,
                                message('eve@woodgrovebank.com', RECIPIENT, f'partner {number}'))
            with Sender(world.contoso, leaf=world.hub, source='127.0.3.2') as sender:
                sender.sendmail('bob@contoso.com', 'eve@woodgrovebank.com',
                                message('bob@contoso.com', 'eve@woodgrovebank.com', f'outbound {number}'))
            world.contoso.arrived(RECIPIENT, f'plain {number}')
            world.contoso.arrived(RECIPIENT, f'partner {number}')
            world.woodgrove.arrived('eve@woodgrovebank.com', f'outbound {number}')
        # All that came and went while every one of them waited.
        check('who still waited then', str(sum(one.told is None for one in crowd)), str(2 * CROWD))
        check('how often the silent server was asked', str(len(world.origins['silent.example'].asked)), '1')
        check('how often the dripping one', str(len(world.origins['dripping.example'].asked)), '1')
        for origin in world.origins.values():
            origin.release.set()
        for one in crowd:
            one.join(300)
        # One list came at last, the other broke off.
        for domain, wanted in (('silent.example', '250 2.1.0'), ('dripping.example', '451 4.7.5 crl-unreachable')):
            told = [str(one.told) for one in crowd if one.domain == domain and str(one.told).startswith(wanted)]
            check(f'sessions of {domain} told {wanted}', str(len(told)), str(CROWD))
        for edge in (world.contoso, world.woodgrove):
            edge.stop()


main()
