"""What stands around an edge: a web server with the revocation lists (nginx), an HTTP proxy in front of it (tinyproxy),
a DNS server with MX records (dnsmasq). Each on a loopback port of its own, each stopped and started at will."""
import os

from .process import Process, accepts, free_port, wait_until, write


class Service:
    """Something that listens: `command()` starts it, connecting shows that it is up."""
    address = '127.0.0.1'

    def __init__(self, folder, name):
        self.folder, self.name, self.process = os.path.join(folder, name), name, None
        os.makedirs(self.folder, exist_ok=True)
        self.port = free_port(self.address)

    def start(self):
        self.process = Process(self.name, self.command(), self.folder + '/output')
        wait_until(lambda: accepts(self.address, self.port) or not self.process.alive(), self.name)
        if not self.process.alive():
            self.process.wait_for('(its own words)', seconds=0.1)
        return self

    def stop(self):
        self.process.stop()


class WebServer(Service):
    """Serves `root`; asked by the proxy under any host name."""

    def __init__(self, folder):
        super().__init__(folder, 'nginx')
        self.root = self.folder + '/root'
        os.makedirs(self.root, exist_ok=True)
        temporary = '\n'.join(f'  {kind}_temp_path {self.folder}/{kind};'
                              for kind in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        write(self.folder + '/nginx.conf', f'''daemon off;
master_process off;
pid {self.folder}/pid;
error_log stderr;
events {{}}
http {{
{temporary}
  access_log {self.folder}/access.log;
  default_type application/pkix-crl;
  server {{
    listen {self.address}:{self.port};
    root {self.root};
  }}
}}
''')

    def command(self):
        return ['/usr/sbin/nginx', '-c', self.folder + '/nginx.conf', '-e', 'stderr']

    def asked(self):
        """One line a request."""
        try:
            with open(self.folder + '/access.log', encoding='utf-8') as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []


class Proxy(Service):
    """Passes everything to the web server: the names in the certificates exist nowhere else."""

    def __init__(self, folder, behind):
        super().__init__(folder, 'tinyproxy')
        write(self.folder + '/tinyproxy.conf', f'''Port {self.port}
Listen {self.address}
Timeout 20
LogLevel Info
LogFile "{self.folder}/log"
PidFile "{self.folder}/pid"
MaxClients 50
Allow 127.0.0.0/8
Upstream http {behind.address}:{behind.port}
''')

    def command(self):
        return ['/usr/bin/tinyproxy', '-d', '-c', self.folder + '/tinyproxy.conf']


class NameServer(Service):
    """Knows `hosts` (name: address), `mx` (domain: host) and what `more` says in dnsmasq's own words, and says of
    everything else that it does not exist."""

    def __init__(self, folder, hosts, mx, more=()):
        super().__init__(folder, 'dnsmasq')
        lines = ['keep-in-foreground', 'log-facility=-', 'no-resolv', 'no-hosts', 'bind-interfaces',
                 'user=', 'group=', 'local=//', 'local=/#/', f'listen-address={self.address}',
                 f'port={self.port}', 'cache-size=0', f'pid-file={self.folder}/pid']
        lines += [f'host-record={name},{address}' for name, address in hosts.items()]
        lines += [f'mx-host={domain},{host},10' for domain, host in mx.items()]
        lines += more
        write(self.folder + '/dnsmasq.conf', '\n'.join(lines) + '\n')

    def command(self):
        return ['/usr/sbin/dnsmasq', '--conf-file=' + self.folder + '/dnsmasq.conf']
