"""Contoso and Woodgrove Bank as two edges that list each other: certificates of one third-party root, a name server, and
the configuration of either as text that a test may change."""
import os

from . import pki
from .edge import Edge
from .process import free_port
from .services import NameServer

CONTOSO, WOODGROVE = ('contoso.com', '127.0.1.1'), ('woodgrovebank.com', '127.0.2.1')


def conf(build, folder, own, other, leaf, root, port, dns, plugins='tls-mutual name-matching', revocation='off', partner='',
         receive='', more=''):
    (domain, address), (listed, _) = own, other
    loaded = '\n'.join(f'  {one}' for one in plugins.split())
    return f'''fqdn mail1.{domain}
spool {folder}/spool
state {folder}/state
control_socket {folder}/control
plugin_folder {build}/plugins
plugins {{
{loaded}
  deliver-maildir {{
    folder {folder}/mail
  }}
}}
resolver {{
  forward {{
    127.0.0.1:{dns}
  }}
  dnssec off
}}
tls_send_domain_secure_list {{
  {listed}
}}
tls_receive_domain_secure_list {{
  {listed}
}}
certificate edge {{
  chain {leaf.chain}
  key {leaf.key}
}}
roots third {{
  file {root}
}}
partner {listed} {{
  roots {{
    third
  }}
  revocation {revocation}
{partner}
}}
receive_connector Inet {{
  bindings {{
    {address}:{port}
  }}
  remote_ranges {{
    0.0.0.0/0
  }}
  permission_groups {{
    anonymous
  }}
  auth_mechanism {{
    tls
  }}
  domain_secure_enabled yes
  certificate edge
{receive}
}}
send_connector Internet {{
  address_spaces {{
    * 1
  }}
  routing dns
  port {port}
  certificate edge
  domain_secure_enabled yes
  allow_destinations {{
    127.0.0.0/8
  }}
  retry {{
    quick 1s
    quick_tries 1000
  }}
}}
accepted_domain {domain} {{
  recipients any
  deliver maildir
}}
{more}'''


class World:
    def __init__(self, build, folder):
        self.build = os.path.abspath(build)
        self.folder, self.port = folder, free_port(CONTOSO[1], WOODGROVE[1])
        self.authorities()
        self.dns = NameServer(folder, {'mail1.' + d: a for d, a in (CONTOSO, WOODGROVE)},
                              {d: 'mail1.' + d for d, _ in (CONTOSO, WOODGROVE)}).start()
        self.contoso = self.edge(CONTOSO, WOODGROVE, self.contoso_leaf)
        self.woodgrove = self.edge(WOODGROVE, CONTOSO, self.woodgrove_leaf)

    def authorities(self):
        folder = self.folder
        self.root = pki.Authority(folder, 'root', 'Third Party')
        self.foreign = pki.Authority(folder, 'foreign', 'Foreign')
        self.contoso_ca = pki.Authority(folder, 'contoso-ca', 'Contoso', self.root)
        self.woodgrove_ca = pki.Authority(folder, 'woodgrove-ca', 'Woodgrove Bank', self.root)
        self.contoso_leaf = self.contoso_ca.leaf('mail1', ['mail1.contoso.com'])
        self.woodgrove_leaf = self.woodgrove_ca.leaf('mail1', ['mail1.woodgrovebank.com'])

    def text(self, own, other, leaf, **more):
        folder = f'{self.folder}/{own[0]}'
        return conf(self.build, folder, own, other, leaf, self.root.certificate, self.port, self.dns.port, **more)

    def edge(self, own, other, leaf, **more):
        folder = f'{self.folder}/{own[0]}'
        os.makedirs(folder, exist_ok=True)
        return Edge(self.build, folder, 'mail1.' + own[0], own[1], self.port, self.text(own, other, leaf, **more))
