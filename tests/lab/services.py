"""What stands around an edge: a web server with the revocation lists (nginx), an HTTP proxy in front of it (tinyproxy), a
directory that holds lists (slapd), a DNS server with MX records (dnsmasq). Each on a loopback port of its own, each
stopped and started at will."""
import os
import subprocess

from .process import Failed, Process, accepts, free_port, wait_until, write


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

    def asked(self):
        """The request lines that it took, in order: "GET http://crl.example.net/root.crl"."""
        with open(self.folder + '/log', encoding='utf-8') as file:
            return [line.split('): ', 1)[1].rsplit(' ', 1)[0] for line in file if 'Request (file descriptor' in line]


class Directory(Service):
    """Holds lists as attributes of entries below `o=Directory`."""
    _manager = ['-x', '-D', 'cn=manager,o=Directory', '-w', 'loopback']

    def __init__(self, folder):
        super().__init__(folder, 'slapd')
        os.makedirs(self.folder + '/data', exist_ok=True)
        self._held = set()
        write(self.folder + '/slapd.conf', f'''include /etc/ldap/schema/core.schema
pidfile {self.folder}/pid
argsfile {self.folder}/args
database ldif
suffix o=Directory
rootdn cn=manager,o=Directory
rootpw loopback
directory {self.folder}/data
''')
        base = write(self.folder + '/base.ldif', 'dn: o=Directory\nobjectClass: organization\no: Directory\n')
        self._run('/usr/sbin/slapadd', '-f', self.folder + '/slapd.conf', '-l', base)

    @staticmethod
    def _run(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(' '.join(command) + ':\n' + done.stderr)

    def command(self):
        return ['/usr/sbin/slapd', '-f', self.folder + '/slapd.conf', '-h', f'ldap://{self.address}:{self.port}/', '-d', '0']

    @staticmethod
    def question(name):
        """What stands behind the host in the URL of a list."""
        return f'/cn={name},o=Directory?certificateRevocationList;binary?base?objectClass=cRLDistributionPoint'

    def publish(self, authority):
        """Its newest list, in place of the one before."""
        file, dn = f'{self.folder}/{authority.name}.crl', f'cn={authority.name},o=Directory'
        authority.publish(file)
        change = ('changetype: modify\nreplace: certificateRevocationList;binary' if dn in self._held else
                  f'changetype: add\nobjectClass: cRLDistributionPoint\ncn: {authority.name}')
        self._held.add(dn)
        ldif = write(self.folder + '/change.ldif', f'dn: {dn}\n{change}\ncertificateRevocationList;binary:< file://{file}\n')
        self._run('ldapmodify', *self._manager, '-H', f'ldap://{self.address}:{self.port}/', '-f', ldif)


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
