"""Relayed on: a load generator sends to the server under test, which passes everything on to a sink. The server has core 0
for itself, generator and sink share core 1; servers take turns. What counts is the server's own CPU time a message (its
cgroup's where there is one), and that every message arrived once and whole. The peers stand in peers.py."""
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from lab import pki
from lab.edge import Edge
from lab.postfix import NoNetwork
from lab.process import Failed, Process, free_port, wait_until
from peers import PEERS

SERVER_CORE, LOAD_CORE = '0', '1'


class Group:
    """A cgroup for one server (version 2, or 1 with cpuacct); without the right to make one, the process tree is read."""

    def __init__(self, name, syncs=None):
        self.path, self.syncs = None, syncs
        for root in ('/sys/fs/cgroup/unified', '/sys/fs/cgroup/cpuacct', '/sys/fs/cgroup'):
            if not os.path.exists(root + '/cgroup.procs'):
                continue
            try:
                path = f'{root}/postern-bench-{os.getpid()}-{name}'
                os.mkdir(path)
            except OSError:
                continue
            if os.path.exists(path + '/cpuacct.usage') or os.path.exists(path + '/cpu.stat'):
                self.path = path
                break
            os.rmdir(path)

    def wrap(self, command):
        """The command, on its core and in its group; with `syncs`, a file that names each call for stable storage."""
        traced = ['strace', '-D', '-f', '-qq', '-e', 'trace=fsync,fdatasync,syncfs,sync_file_range,msync', '-o', self.syncs] if self.syncs else []
        pinned = ['taskset', '-c', SERVER_CORE, *traced, *command]
        return ['sh', '-c', f'echo $$ > {self.path}/cgroup.procs && exec "$@"', 'sh', *pinned] if self.path else pinned

    def seconds(self):
        if os.path.exists(f'{self.path}/cpuacct.usage'):
            with open(f'{self.path}/cpuacct.usage', encoding='ascii') as file:
                return int(file.read()) / 1e9
        with open(f'{self.path}/cpu.stat', encoding='ascii') as file:
            return next(int(line.split()[1]) for line in file if line.startswith('usage_usec')) / 1e6

    def memory(self):
        """Resident memory of all its processes, octets; what they share counts once for each."""
        total = 0
        for pid in open(self.path + '/cgroup.procs', encoding='ascii').read().split():
            try:
                with open(f'/proc/{pid}/status', encoding='ascii') as file:
                    total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith('RssAnon'))
            except OSError:
                continue
        return total

    def remove(self):
        if self.path:
            wait_until(lambda: not open(self.path + '/cgroup.procs', encoding='ascii').read().split(), 'the group to be empty')
            os.rmdir(self.path)


class Sink:
    def __init__(self, build, folder, leaf=None):
        self.port = free_port()
        command = ['taskset', '-c', LOAD_CORE, build + '/bin/bench_mail_sink', str(self.port)]
        self.process = Process('sink', command + ([leaf.chain, leaf.key] if leaf else []), folder + '/sink.log')
        self.process.wait_for('ready')

    def count(self):
        """How many arrived so far."""
        told = [line for line in self.process.lines if line.startswith('so far ')]
        return int(told[-1].split()[-1]) if told else 0

    def told(self):
        """What arrived, and ends it."""
        self.process.signal(signal.SIGTERM)
        self.process.wait_for('"messages"')
        return json.loads(next(line for line in self.process.lines if line.startswith('{')))


def postern_text(build, folder, leaf, root, port, sink, tls):
    listed = f'''tls_receive_domain_secure_list {{
  example.org
}}
roots bench {{
  file {root}
}}
partner example.org {{
  roots {{
    bench
  }}
  revocation off
  name_rule domain-security
}}
''' if tls else ''
    return f'''fqdn mail1.contoso.com
workers 1
spool {folder}/spool
state {folder}/state
control_socket {folder}/control
plugin_folder {build}/plugins
plugins {{
  tls-mutual
  name-matching
}}
certificate edge {{
  chain {leaf.chain}
  key {leaf.key}
}}
{listed}receive_connector Inet {{
  bindings {{
    127.0.0.1:{port}
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
  connections_per_source 10000
}}
send_connector Hub {{
  address_spaces {{
    contoso.com 1
  }}
  smart_host 127.0.0.1
  port {sink}
  certificate edge
  allow_destinations {{
    127.0.0.0/8
  }}
}}
accepted_domain contoso.com {{
  recipients any
  deliver Hub
}}
'''


class PosternServer:
    name = 'Postern'

    def __init__(self, build, folder, world, sink, tls, group, waits=False):
        self.group, self.port = group, free_port()
        text = postern_text(build, folder, world.server, world.ca.certificate, self.port, sink, tls)
        self.edge = Edge(build, folder, 'posternd', '127.0.0.1', self.port, text)

    def start(self):
        edge = self.edge
        edge.process = Process('posternd', self.group.wrap([edge.build + '/bin/posternd', '-c', edge.conf]), edge.folder + '/log')
        edge.process.wait_for('started:')

    def stop(self):
        self.edge.stop()


class Silent:
    """A next hop that takes connections and says nothing: what is accepted stays queued, and delivering costs nothing."""

    def __init__(self):
        self.socket = socket.create_server(('127.0.0.1', 0), backlog=256)
        self.port = self.socket.getsockname()[1]


class World:
    def __init__(self, folder):
        self.ca = pki.Authority(folder, 'relay-ca', 'Bench')
        self.server = self.ca.leaf('server', ['mail1.contoso.com'])
        self.client = self.ca.leaf('client', ['mail1.example.org'])


@dataclass
class Scenario:
    what: str
    tls: bool = False
    each: int = 20  # messages a session
    octets: int = 10240
    sessions: int = 16
    messages: int = 8000
    share: int = 4  # the peers get so many times fewer
    relays: bool = True  # on to the sink; else the next hop keeps silent
    rate: int = 0  # messages a second; 0: as fast as they are taken
    resume: bool = False  # TLS sessions are continued by tickets

    def load(self, build, world, port, messages, **other):
        words = {'to': f'127.0.0.1:{port}', 'messages': messages, 'each': self.each, 'octets': self.octets,
                 'sessions': self.sessions, 'rate': self.rate, **other}
        if self.tls:
            words |= {'chain': world.client.chain, 'key': world.client.key, 'resume': int(self.resume)}
        command = ['taskset', '-c', LOAD_CORE, build + '/bin/bench_mail_load']
        try:
            done = subprocess.run(command + [str(part) for name, value in words.items() for part in ('--' + name, value)],
                                  capture_output=True, text=True, check=False, timeout=180)
        except subprocess.TimeoutExpired as late:
            raise Failed('the load did not end within 180 s') from late
        if done.returncode != 0:
            raise Failed(f'the load failed: {done.stderr[-300:]}')
        return json.loads(done.stdout)


SCENARIOS = {
    'plain': Scenario('relayed on, plain, 20 a session', messages=12000),
    'mutual': Scenario('relayed on, mutual TLS, 20 a session', tls=True),
    'mutual-one': Scenario('relayed on, mutual TLS, one a session', tls=True, each=1, messages=5000),
    'mutual-again': Scenario('relayed on, mutual TLS, one a session, continued by tickets', tls=True, each=1, messages=5000, resume=True),
    'received': Scenario('received durably, plain, 20 a session', relays=False, messages=12000),
    'large': Scenario('relayed on, 10 MB by mutual TLS', tls=True, octets=10 << 20, sessions=4, messages=80, share=2),
    'paced': Scenario('relayed on, mutual TLS, 100 a second', tls=True, messages=1500, share=1, rate=100),
}
# Unmeasured before: the first segments of a log, the first processes and connections are made once. In octets.
WARM_UP = {'Postern': 120 << 20}
OTHERS_WARM_UP = 2 << 20


def faults(told, messages):
    """What did not arrive as it should, in words."""
    wrong = [f'{messages - told["distinct"]} lost'] if told['distinct'] < messages else []
    wrong += [f'{told["messages"] - told["distinct"]} twice'] if told['messages'] > told['distinct'] else []
    wrong += [f'{told["broken"]} broken'] if told['broken'] else []
    return ', '.join(wrong) or 'all once and whole'


def syncs_in(path):
    """Calls for stable storage so far."""
    with open(path, encoding='utf-8', errors='replace') as file:
        return sum('resumed' not in line for line in file)


def once(kind, build, folder, world, scenario, messages, syncs=False):
    """What one run of one server gave, as a row's values. With `syncs` its time means nothing: it is traced."""
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    sink = Sink(build, folder, world.server if scenario.tls else None) if scenario.relays else Silent()
    group = Group(kind.name, folder + '/syncs' if syncs else None)
    try:
        server = kind(build, folder, world, sink.port, scenario.tls, group, waits=not scenario.relays)
    except NoNetwork:
        group.remove()
        raise
    try:
        server.start()
        warm = max(1, WARM_UP.get(kind.name, OTHERS_WARM_UP) // scenario.octets)
        # Ids below zero are of no measured message.
        sessions = min(scenario.sessions, getattr(kind, 'most_sessions', scenario.sessions))
        scenario.load(build, world, server.port, warm, each=20, rate=0, first=-warm, sessions=sessions)
        if scenario.relays:
            wait_until(lambda: sink.count() >= warm, f'{kind.name} to pass on what warms it up', 120)
        synced = syncs_in(group.syncs) if syncs else 0
        before, begun = group.seconds(), time.monotonic()
        load = scenario.load(build, world, server.port, messages, sessions=sessions)
        if syncs:
            return {'syncs': (syncs_in(group.syncs) - synced) / messages}
        if scenario.relays:
            wait_until(lambda: sink.count() >= warm + messages, f'{kind.name} to pass everything on', 120)
        took, used, memory = time.monotonic() - begun, group.seconds() - before, group.memory()
        arrived = 'all acknowledged'
        if scenario.relays:
            arrived = faults(sink.told(), warm + messages)
        if scenario.resume and load['resumed'] < messages // 2:
            arrived += f', {load["resumed"]} sessions resumed'
        return {'cpu': 1000 * used / messages, 'rate': messages / took, 'p50': load['p50'], 'p99': load['p99'],
                'memory': memory / 2**20, 'arrived': arrived}
    finally:
        server.stop()
        group.remove()


def measure(build, folder, rounds=2, only=None):
    world = World(folder)
    for key, scenario in SCENARIOS.items():
        if only in (None, key):
            compare(build, folder, world, key, scenario, rounds)


def durability(build, folder, messages=200):
    """How often each server asks for stable storage until its acknowledgements are out: plain, 20 a session, 16 sessions."""
    world = World(folder)
    print('\ncalls for stable storage (fsync and the like) a message received\n| server | calls |\n|---|---|')
    for kind in (PosternServer, *PEERS):
        try:
            row = once(kind, build, f'{folder}/syncs-{kind.name}', world, SCENARIOS['received'], messages, syncs=True)
            print(f'| {kind.name} | {row["syncs"]:.2f} |', flush=True)
        except (NoNetwork, Failed) as why:
            print(f'{kind.name} is left out: {why}', file=sys.stderr, flush=True)


def compare(build, folder, world, key, scenario, rounds):
    results, left_out = {}, {}
    for number in range(rounds):
        for kind in (PosternServer, *PEERS):
            messages = scenario.messages // (1 if kind is PosternServer else scenario.share * kind.slow)
            if kind.name in left_out:
                continue
            try:
                row = once(kind, build, f'{folder}/{key}-{kind.name}-{number}', world, scenario, messages)
                results.setdefault(kind.name, []).append(row)
            except (NoNetwork, Failed) as why:
                left_out[kind.name] = str(why)
                print(f'{scenario.what}: {kind.name} is left out: {why}', file=sys.stderr, flush=True)
    print(f'\n{scenario.what}\n| server | CPU ms a message | a second | p50 ms | p99 ms | memory MiB | arrived |\n|' + '---|' * 7)
    cpu = {name: statistics.median(one['cpu'] for one in rows) for name, rows in results.items()}
    for name, rows in sorted(results.items(), key=lambda item: cpu[item[0]]):
        middle = {what: statistics.median(one[what] for one in rows) for what in ('rate', 'p50', 'p99', 'memory')}
        print(f'| {name} | {cpu[name]:.2f} ({min(o["cpu"] for o in rows):.2f} to {max(o["cpu"] for o in rows):.2f}) | '
              f'{middle["rate"]:.0f} | {middle["p50"]:.1f} | {middle["p99"]:.1f} | {middle["memory"]:.0f} | '
              f'{", ".join(sorted({o["arrived"] for o in rows}))} |')
    best = min((name for name in cpu if name != 'Postern'), key=cpu.get, default=None)
    if best and 'Postern' in cpu:
        print(f'Postern does with a CPU second {cpu[best] / cpu["Postern"]:.1f} times what {best} does', flush=True)
