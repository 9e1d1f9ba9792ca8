"""A reload with ten thousand partners: how long it takes, and the longest that any open session waits for a reply meanwhile,
beside the longest in as long a time without a reload (what the machine itself adds)."""
import multiprocessing
import os
import re
import socket
import statistics
import time

from lab import pki
from lab.edge import Edge
from lab.process import free_port

PARTNERS, SESSIONS, ROUNDS = 10000, 4, 10


def text(build, folder, leaf, root, port):
    names = '\n'.join(f'  d{n}.example' for n in range(PARTNERS))
    blocks = '\n'.join(f'partner d{n}.example {{\n  roots {{\n    third\n  }}\n  revocation soft\n}}' for n in range(PARTNERS))
    return f'''fqdn mail1.contoso.com
spool {folder}/spool
state {folder}/state
control_socket {folder}/control
plugin_folder {build}/plugins
plugins {{
  tls-mutual
  name-matching
}}
tls_send_domain_secure_list {{
{names}
}}
tls_receive_domain_secure_list {{
{names}
}}
certificate edge {{
  chain {leaf.chain}
  key {leaf.key}
}}
roots third {{
  file {root}
}}
{blocks}
receive_connector Inet {{
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
}}
send_connector Internet {{
  address_spaces {{
    * 1
  }}
  domain_secure_enabled yes
  certificate edge
}}
accepted_domain contoso.com {{
  recipients any
  deliver Internet
}}
'''


def probe(port, number, ended, result):
    """One session that says NOOP again and again and remembers when each reply came how late. A process of its own: what
    the others here do must not delay it."""
    connection = socket.create_connection(('127.0.0.1', port), 60, (f'127.0.5.{number}', 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.recv(4096)
    waits = []
    while not ended.is_set():
        begun = time.monotonic()
        connection.sendall(b'NOOP\r\n')
        connection.recv(4096)
        waits.append((begun, time.monotonic() - begun))
        time.sleep(0.001)
    result.put(waits)


def longest(waits, since, until):
    return 1000 * max((wait for begun, wait in waits if begun + wait >= since and begun <= until), default=0)


def measure(build, folder):
    ca = pki.Authority(folder, 'reload-ca', 'Contoso')
    leaf, own, port = ca.leaf('mail1', ['mail1.contoso.com']), folder + '/reload', free_port()
    os.makedirs(own)
    edge = Edge(build, own, 'posternd', '127.0.0.1', port, text(build, own, leaf, ca.certificate, port)).start()
    ended, results = multiprocessing.Event(), multiprocessing.Queue()
    probes = [multiprocessing.Process(target=probe, args=(port, number, ended, results), daemon=True)
              for number in range(1, SESSIONS + 1)]
    for one in probes:
        one.start()
    time.sleep(0.5)
    took, reloads, quiet = [], [], []
    for _ in range(ROUNDS):
        begun = time.monotonic()
        took.append(int(re.search(r'after (\d+) ms', edge.reload())[1]))
        reloads.append((begun, time.monotonic() + 0.05))  # what is freed behind it too
        time.sleep(0.3)
        quiet.append((time.monotonic(), time.monotonic() + reloads[-1][1] - begun))
        time.sleep(reloads[-1][1] - begun + 0.1)
    ended.set()
    waits = [wait for _ in probes for wait in results.get()]
    for one in probes:
        one.join()
    edge.stop()
    during = [longest(waits, *span) for span in reloads]
    beside = [longest(waits, *span) for span in quiet]
    print(f'reload with {PARTNERS} partners: {statistics.median(took):.0f} ms ({min(took)} to {max(took)}); the longest wait for a '
          f'reply meanwhile {statistics.median(during):.1f} ms ({min(during):.1f} to {max(during):.1f}), in as long a time '
          f'without it {statistics.median(beside):.1f} ms ({min(beside):.1f} to {max(beside):.1f})', flush=True)
