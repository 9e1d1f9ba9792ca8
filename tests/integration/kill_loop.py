#!/usr/bin/env python3
"""kill -9 in the middle of mail, again and again, with a ledger: a client notes an id in its own synced file only after it
read the 250; the next hop notes what it took, with a hash. At the end every acknowledged message must have been
delivered, whole. `kill_loop.py BUILD [--kills N] [--format log|files] [--messages-a-kill N] [--acknowledged N] [--folder DIR]`.
tools/torture runs it for long."""
import argparse
import hashlib
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.edge import Edge
from lab.ledger import Ledger, Sink, send_one
from lab.process import end_with_us, free_port, wait_until

CONFIGURATION = '''fqdn mail1.contoso.com
spool {folder}/spool
spool_format {format}
state {folder}/state
control_socket {folder}/control
plugin_folder {build}/plugins
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
  connections_per_source 1000
}}
send_connector Hub {{
  address_spaces {{
    contoso.com 1
  }}
  smart_host 127.0.0.1
  port {hop}
  concurrency 4
  allow_destinations {{
    127.0.0.0/8
  }}
}}
accepted_domain contoso.com {{
  recipients any
  deliver Hub
}}
'''


def sender(number, port, ledger, running, chance):
    """One message after the other; whatever breaks is tried again as a new message."""
    count = 0
    while running.is_set():
        count += 1
        identity = f'm{number}-{count}-{chance.randrange(1 << 30):x}'
        size = chance.choice((200, 3000, 20000, 70000, 200000))
        body = (f'id {identity}\r\n' + f'{chance.randrange(1 << 30):x} ' * 7 + '\r\n') * (size // 100)
        if send_one(port, identity, body):
            ledger.acknowledged(identity, hashlib.sha256(body.encode()).hexdigest())
        else:
            time.sleep(0.01)  # nobody listens between two lives


def all_delivered(edge, seed):
    """Returns when nothing waits any more: what was put off is tried now."""
    def empty():
        edge.postern('queue', 'retry', '--all')
        return 'queued 0\n' in edge.postern('status').stdout
    wait_until(empty, f'the queue to run empty (seed {seed})', 120)


def main():
    end_with_us()
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument('build')
    words.add_argument('--kills', type=int, default=30)
    words.add_argument('--senders', type=int, default=4)
    words.add_argument('--messages-a-kill', type=int, default=20)
    words.add_argument('--acknowledged', type=int, default=0, help='after the last kill mail goes on up to so many')
    words.add_argument('--format', default='log')
    words.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    words.add_argument('--folder')
    asked = words.parse_args()
    build = os.path.abspath(asked.build)
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory(prefix='kill-loop-', dir=asked.folder) as folder:
        sink = Sink(folder + '/taken')
        port = free_port()
        ledger = Ledger(folder + '/acknowledged')
        edge = Edge(build, folder, 'posternd', '127.0.0.1', port, CONFIGURATION.format(
            folder=folder, build=build, port=port, hop=sink.port, format=asked.format))
        running = threading.Event()
        running.set()
        senders = [threading.Thread(target=sender, args=(n, port, ledger, running, random.Random(asked.seed + n)), daemon=True)
                   for n in range(asked.senders)]
        edge.start()
        for one in senders:
            one.start()
        for kill in range(asked.kills):
            wanted = ledger.count() + 1 + chance.randrange(2 * asked.messages_a_kill)
            wait_until(lambda: ledger.count() >= wanted, f'{wanted} acknowledged messages (seed {asked.seed})', 60)
            edge.process.signal(signal.SIGKILL)
            wait_until(lambda: not edge.process.alive(), 'the daemon to end')
            edge.process.stop()
            edge.start()
        wait_until(lambda: ledger.count() >= asked.acknowledged, f'{asked.acknowledged} acknowledged messages', 600)
        running.clear()
        for one in senders:
            one.join(60)
        all_delivered(edge, asked.seed)
        edge.stop()
        lost, damaged, twice = ledger.held_against(sink)
        print(f'{asked.kills} kills, {ledger.count()} acknowledged, {len(lost)} lost, {len(damaged)} damaged, {twice} delivered '
              f'more than once, format {asked.format}, seed {asked.seed}')
        if lost or damaged:
            raise SystemExit(f'FAILED: lost {lost[:5]}, damaged {damaged[:5]}; seed {asked.seed}')
    print('ok: nothing that was acknowledged is lost or damaged')


if __name__ == '__main__':
    main()
