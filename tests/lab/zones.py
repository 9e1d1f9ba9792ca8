"""Zones as the world has them: NSD answers for each, ldns signs those that are to be signed and breaks them afterwards
where a test wants it; Unbound in front of it is the resolver that a site has, which validates nothing itself."""
import os
import shutil
import subprocess

from .process import write
from .services import Service


def _ldns(folder, *command):
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


class Key:
    """Of one zone: signs it, and is its DS record."""

    def __init__(self, folder, zone):
        self.base = _ldns(folder, 'ldns-keygen', '-r', '/dev/urandom', '-a', 'ECDSAP256SHA256', '-k', zone)
        with open(f'{folder}/{self.base}.ds', encoding='utf-8') as file:
            self.ds = file.read()


class Zones(Service):
    """NSD with the zones of `add()`; what it has it says under `forward` and `stub` of a resolver alike."""

    def __init__(self, folder):
        super().__init__(folder, 'nsd')
        self.names, self.keys = [], {}

    def key(self, zone):
        if zone not in self.keys:
            self.keys[zone] = Key(self.folder, zone)
        return self.keys[zone]

    def add(self, zone, lines, signed=True, until='20370101', broken=None):
        """`lines` behind SOA and NS; `until` ends the signatures; `broken` is a pair of texts: what stands in the signed
        zone becomes something else, behind its signatures' back."""
        text = (f'$ORIGIN {zone}.\n$TTL 60\n@ IN SOA ns.{zone}. host.{zone}. 1 3600 600 86400 60\n@ IN NS ns.{zone}.\n'
                'ns IN A 127.0.0.1\n' + ''.join(line + '\n' for line in lines))
        file = write(f'{self.folder}/{zone}.zone', text)
        if signed:
            _ldns(self.folder, 'ldns-signzone', '-i', '20100101', '-e', until, '-f', file + '.signed', file, self.key(zone).base)
            os.replace(file + '.signed', file)
        if broken:
            with open(file, encoding='utf-8') as opened:
                text = opened.read()
            assert broken[0] in text, text
            write(file, text.replace(*broken))
        if zone not in self.names:
            self.names.append(zone)

    def lose(self, zone):
        """A zone that it is to have and cannot load: SERVFAIL."""
        self.names.append(zone)

    def delegation(self, zone, signed=True):
        """Lines for the zone above it."""
        return [f'{zone}. IN NS ns.{zone}.', f'ns.{zone}. IN A 127.0.0.1', *([self.key(zone).ds.strip()] if signed else [])]

    def command(self):
        zones = ''.join(f'zone:\n  name: {name}\n  zonefile: {self.folder}/{name}.zone\n' for name in self.names)
        conf = write(self.folder + '/nsd.conf', f'''server:
  ip-address: {self.address}@{self.port}
  username: ""
  database: ""
  zonesdir: "{self.folder}"
  zonelistfile: "{self.folder}/zones"
  xfrdfile: "{self.folder}/xfrd"
  xfrdir: "{self.folder}"
  pidfile: "{self.folder}/pid"
  server-count: 1
remote-control:
  control-enable: no
{zones}''')
        return ['/usr/sbin/nsd', '-d', '-c', conf]


class Recursor(Service):
    """Unbound that knows where the given zones are and validates nothing: that is left to who asks."""

    def __init__(self, folder, zones, top):
        super().__init__(folder, 'unbound')
        self.conf = write(self.folder + '/unbound.conf', f'''server:
  interface: {self.address}@{self.port}
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  do-daemonize: no
  module-config: "iterator"
  username: ""
  chroot: ""
  directory: "{self.folder}"
  pidfile: "{self.folder}/pid"
  use-syslog: no
  local-zone: "{top}." nodefault
  cache-max-ttl: 0
  num-threads: 1
remote-control:
  control-enable: no
stub-zone:
  name: "{top}"
  stub-addr: {zones.address}@{zones.port}
''')

    def command(self):
        # A copy: AppArmor lets the one at its own place read no file of ours.
        program = shutil.copy('/usr/sbin/unbound', self.folder + '/unbound')
        return [program, '-d', '-c', self.conf]
