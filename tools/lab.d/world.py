"""The cast of the white paper's scenario: a third-party root with an issuing CA for each organisation, their lists on a web
server behind a proxy, a name server, two edges and the hubs behind them; and a third organisation with a root of its own,
which the third party cross-certified, whose list stands in a directory. Knows no step; those are in steps.py."""
import os
import string
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tests'))
from lab.client import Sender, message
from lab.edge import Edge
from lab.pki import Authority, read
from lab.process import Failed, free_port, write
from lab.services import Directory, NameServer, Proxy, WebServer

HERE = os.path.dirname(os.path.abspath(__file__))
CONTOSO, WOODGROVE = '127.0.1.1', '127.0.2.1'
ROOT_LIST = 'http://crl.exampletrust.com/root.crl'


class World:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.port = free_port(CONTOSO, WOODGROVE)
        self.web = WebServer(folder)
        self.proxy = Proxy(folder, self.web)
        self.directory = Directory(folder)
        self.names = NameServer(folder, {'mail1.contoso.com': CONTOSO, 'mail1.woodgrovebank.com': WOODGROVE},
                                {'contoso.com': 'mail1.contoso.com', 'woodgrovebank.com': 'mail1.woodgrovebank.com'})
        self._certificates()
        self.contoso = self._edge('contoso', 'contoso.com', CONTOSO, self.contoso_leaf, self.contoso_hub, 'alice')
        self.woodgrove = self._edge('woodgrove', 'woodgrovebank.com', WOODGROVE, self.woodgrove_leaf, self.woodgrove_hub,
                                    'bob')
        self._sources = 0

    def _certificates(self):
        self.root = Authority(self.folder + '/pki', 'root', 'Example Trust')
        self.contoso_ca = self.issuer('contoso', 'Contoso')
        self.woodgrove_ca = self.issuer('woodgrovebank', 'Woodgrove Bank')
        self.contoso_leaf = self.leaf(self.contoso_ca, 'mail1', 'mail1.contoso.com')
        self.woodgrove_leaf = self.leaf(self.woodgrove_ca, 'mail1', 'mail1.woodgrovebank.com')
        self.contoso_hub = self.leaf(self.contoso_ca, 'hub', 'hub.contoso.com')
        self.woodgrove_hub = self.leaf(self.woodgrove_ca, 'hub', 'hub.woodgrovebank.com')
        self.publish(self.root)
        self.fabrikam_root = Authority(self.folder + '/pki', 'fabrikam', 'Fabrikam')
        self.fabrikam_cross = self.root.cross_certify(self.fabrikam_root, ROOT_LIST)
        self.fabrikam_leaf = self.fabrikam_root.leaf('mail1', ['mail1.fabrikam.com'],
                                                     crl='ldap://' + Directory.question('fabrikam'))
        # What its server sends: its own certificate and the one that leads to the root that others trust.
        write(self.fabrikam_leaf.chain, read(self.fabrikam_leaf.certificate) + read(self.fabrikam_cross.certificate))

    def issuer(self, name, organisation):
        """A CA below the third-party root, with its first list on the web server."""
        authority = Authority(self.folder + '/pki', name, organisation, self.root, ROOT_LIST)
        self.publish(authority)
        return authority

    @staticmethod
    def list_url(authority):
        domain = 'contoso.com' if authority.organisation == 'Contoso' else 'woodgrovebank.com'
        return f'http://pki.{domain}/{authority.name}.crl'

    def leaf(self, authority, name, dns, **more):
        return authority.leaf(name, [dns], crl=self.list_url(authority), **more)

    def publish(self, authority):
        authority.publish(f'{self.web.root}/{authority.name}.crl')

    def _edge(self, name, domain, address, leaf, hub, person):
        folder = f'{self.folder}/{name}'
        metrics = f'127.0.0.1:{free_port()}'
        with open(f'{HERE}/{name}.conf.in', encoding='utf-8') as file:
            text = string.Template(file.read()).substitute(
                folder=folder, plugins=self.build + '/plugins', metrics=metrics, dns=f'127.0.0.1:{self.names.port}',
                directory=f'127.0.0.1:{self.directory.port}',
                root=self.root.certificate, chain=leaf.chain, key=leaf.key, hub=hub.sha256(), address=address,
                port=self.port)
        write(folder + '/recipients', person + '\n')
        write(folder + '/scripts/domain-security.lua', self.shipped('domain-security.lua'))
        edge = Edge(self.build, folder, 'mail1.' + domain, address, self.port, text)
        edge.metrics, edge.short, edge.hub = metrics, name, hub
        return edge

    @staticmethod
    def shipped(script):
        with open(f'{HERE}/../../scripts/{script}', encoding='utf-8') as file:
            return file.read()

    def start(self):
        for service in (self.web, self.proxy, self.directory, self.names):
            service.start()
        self.directory.publish(self.fabrikam_root)
        for edge in (self.contoso, self.woodgrove):
            self.must(edge, 'proxy', 'set', f'127.0.0.1:{self.proxy.port}')
            edge.start()

    def stop(self):
        for edge in (self.contoso, self.woodgrove):
            edge.stop()

    def must(self, edge, *words):
        """What `postern` prints; it must succeed."""
        done = edge.postern(*words)
        if done.returncode != 0:
            raise Failed(f'postern {" ".join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}')
        return done.stdout

    def sender(self, leaf=None, helo='mail1.woodgrovebank.com', **more):
        """A stranger at Contoso's door. Each has an address of its own: an edge remembers addresses."""
        self._sources += 1
        return Sender(self.contoso, helo, leaf, source=f'127.0.9.{self._sources}', **more)

    def hand_in(self, edge, sender, recipients, subject, more=''):
        """The hub behind an edge hands it a message."""
        with Sender(edge, edge.hub.subject.split('CN=')[1], edge.hub) as session:
            session.sendmail(sender, recipients, message(sender, recipients[0], subject, more))


def counter(edge, name):
    """The value of a counter of the metrics port, all labels summed."""
    with urllib.request.urlopen(f'http://{edge.metrics}/metrics', timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(' ', 1)[1]) for line in lines if line.startswith((name + ' ', name + '{')))
