"""Relayed on: a load generator sends to the server under test, which passes everything on to a sink. The server has core 0
for itself, generator and sink share core 1; servers take turns. What counts is the server's own CPU time a message (its
cgroup's where there is one), and that every message arrived once and whole."""
import json
import os
import signal
import statistics
import subprocess
import time

from lab import pki
from lab.edge import Edge
from lab.postfix import NoNetwork, Postfix
from lab.process import Failed, Process, free_port, wait_until

SERVER_CORE, LOAD_CORE = '0', '1'


class Group:
    """A cgroup for one server (version 2, or 1 with cpuacct); without the right to make one, the process tree is read."""

    def __init__(self, name):
        self.path = None
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
        """The command, on its core and in its group."""
        pinned = ['taskset', '-c', SERVER_CORE, *command]
        return ['sh', '-c', f'echo $$ > {self.path}/cgroup.procs && exec "$@"', 'sh', *pinned] if self.path else pinned

    def seconds(self):
        if os.path.exists(f'{self.path}/cpuacct.usage'):
            with open(f'{self.path}/cpuacct.usage', encoding='ascii') as file:
                return int(file.read()) / 1e9
        with open(f'{self.path}/cpu.stat', encoding='ascii') as file:
            return next(int(line.split()[1]) for line in file if line.startswith('usage_usec')) / 1e6

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
  connections_per_source 1000
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

    def __init__(self, build, folder, world, sink, tls):
        self.group, self.port = Group('postern'), free_port()
        text = postern_text(build, folder, world.server, world.ca.certificate, self.port, sink.port, tls)
        self.edge = Edge(build, folder, 'posternd', '127.0.0.1', self.port, text)

    def start(self):
        edge = self.edge
        edge.process = Process('posternd', self.group.wrap([edge.build + '/bin/posternd', '-c', edge.conf]), edge.folder + '/log')
        edge.process.wait_for('started:')

    def stop(self):
        self.edge.stop()
        self.group.remove()


class PostfixServer:
    name = 'Postfix'

    def __init__(self, build, folder, world, sink, tls):
        self.group, self.port = Group('postfix'), free_port()
        os.makedirs(folder + '/conf')
        settings = {'myhostname': 'mail1.contoso.com', 'relay_domains': 'contoso.com', 'smtpd_client_connection_count_limit': '0',
                    'relayhost': f'[127.0.0.1]:{sink.port}', 'relay_transport': f'smtp:[127.0.0.1]:{sink.port}',
                    'smtp_destination_concurrency_limit': '20', 'initial_destination_concurrency': '20'}
        if tls:
            settings |= {'smtpd_tls_security_level': 'encrypt', 'smtpd_tls_cert_file': world.server.chain,
                         'smtpd_tls_key_file': world.server.key, 'smtpd_tls_req_ccert': 'yes',
                         'smtpd_tls_CAfile': world.ca.certificate, 'smtp_tls_security_level': 'encrypt',
                         'smtp_tls_cert_file': world.server.chain, 'smtp_tls_key_file': world.server.key}
        self.postfix = Postfix(build, folder, settings, [f'127.0.0.1:{self.port} inet n - n - 100 smtpd'])

    def start(self):
        postfix = self.postfix
        master = postfix.tree + '/usr/lib/postfix/sbin/master'
        postfix.process = Process('postfix', self.group.wrap([master, '-c', postfix.folder + '/conf', '-s', '-d']),
                                  postfix.folder + '/log', env=dict(postfix.environment, MAIL_CONFIG=postfix.folder + '/conf'))
        postfix.process.wait_for('daemon started')

    def stop(self):
        self.postfix.stop()
        self.group.remove()


class World:
    def __init__(self, folder):
        self.ca = pki.Authority(folder, 'relay-ca', 'Bench')
        self.server = self.ca.leaf('server', ['mail1.contoso.com'])
        self.client = self.ca.leaf('client', ['mail1.example.org'])


def once(kind, build, folder, world, messages, tls, each):
    """CPU milliseconds a message, messages a second, latency, and what did not arrive as it should."""
    os.makedirs(folder)
    sink = Sink(build, folder, world.server if tls else None)
    server = kind(build, folder, world, sink, tls)
    server.start()
    before, begun = server.group.seconds(), time.monotonic()
    command = ['taskset', '-c', LOAD_CORE, build + '/bin/bench_mail_load', '--to', f'127.0.0.1:{server.port}', '--messages',
               str(messages), '--each', str(each), *(['--chain', world.client.chain, '--key', world.client.key] if tls else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f'{kind.name}: the load failed: {done.stderr[-500:]}')
    load = json.loads(done.stdout)
    wait_until(lambda: sink.count() >= messages, f'{kind.name} to pass everything on', 60)
    took, used = time.monotonic() - begun, server.group.seconds() - before
    told = sink.told()
    server.stop()
    wrong = [f'{messages - told["distinct"]} lost'] if told['distinct'] < messages else []
    wrong += [f'{told["messages"] - told["distinct"]} twice'] if told['messages'] > told['distinct'] else []
    wrong += [f'{told["broken"]} broken'] if told['broken'] else []
    return 1000 * used / messages, messages / took, load['p99'], ', '.join(wrong) or 'all once and whole'


def measure(build, folder, messages, rounds=3):
    world = World(folder)
    for what, tls, each in (('relayed on, plain, 20 a session', False, 20), ('relayed on, mutual TLS, 20 a session', True, 20),
                            ('relayed on, mutual TLS, one a session', True, 1)):
        results = {}
        for number in range(rounds):
            for kind, share in ((PosternServer, 1), (PostfixServer, 4)):
                try:
                    own = f'{folder}/relay-{kind.name}-{tls}-{each}-{number}'
                    result = once(kind, build, own, world, messages // share, tls, each)
                    results.setdefault(kind.name, []).append(result)
                except (NoNetwork, Failed) as why:
                    print(f'{kind.name} is not measured: {why}')
        medians = {name: statistics.median(one[0] for one in all_of) for name, all_of in results.items()}
        for name, all_of in results.items():
            print(f'{what}: {name} {medians[name]:.2f} ms of CPU a message ({min(o[0] for o in all_of):.2f} to '
                  f'{max(o[0] for o in all_of):.2f}), {statistics.median(o[1] for o in all_of):.0f} a second, p99 '
                  f'{statistics.median(o[2] for o in all_of):.1f} ms; {", ".join(sorted({o[3] for o in all_of}))}', flush=True)
        best = min((name for name in medians if name != 'Postern'), key=medians.get, default=None)
        if best:
            print(f'{what}: Postern passes on {medians[best] / medians["Postern"]:.1f} times as many messages a CPU second as {best}',
                  flush=True)
