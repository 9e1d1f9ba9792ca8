#!/usr/bin/env python3
"""One dead destination for which thousands of messages wait is unnoticed by the others: fresh mail for a hub that lives goes
straight through, while the dead one is looked for by single probes; after a restart, too. `dead_destination.py BUILD [--messages N]`."""
import argparse
import os
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from kill_loop import CONFIGURATION
from lab.client import Sender
from lab.edge import Edge
from lab.ledger import Sink, send_one
from lab.process import end_with_us, free_port, wait_until

words = argparse.ArgumentParser(description=__doc__)
words.add_argument('build')
words.add_argument('--messages', type=int, default=2000)
ASKED = words.parse_args()
BUILD = os.path.abspath(ASKED.build)
SENDERS = 8


def fill(edge, count, recipient):
    with Sender(edge) as session:
        for number in range(count):
            session.sendmail('load@example.org', [recipient], f'Subject: dead{number}\r\n\r\nx\r\n')


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='dead-') as folder:
        port, hop, nobody = free_port(), free_port(), free_port()
        text = CONFIGURATION.format(folder=folder, build=BUILD, port=port, hop=hop, format='log')
        dead = '''send_connector Dead {
  smart_host 127.0.0.1
  port %d
  allow_destinations {
    127.0.0.0/8
  }
}
accepted_domain dead.example {
  recipients any
  deliver Dead
}
''' % nobody
        edge = Edge(BUILD, folder, 'posternd', '127.0.0.1', port, text + dead).start()
        sink = Sink(folder + '/taken', hop)
        threads = [threading.Thread(target=fill, args=(edge, ASKED.messages // SENDERS, 'x@dead.example')) for _ in range(SENDERS)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        waiting = ASKED.messages // SENDERS * SENDERS
        wait_until(lambda: f'queued {waiting}\n' in edge.postern('status').stdout, f'{waiting} to wait')
        attempts = sum('deferred:' in line for line in edge.process.lines)
        for number in range(50):
            if not send_one(port, f'alive{number}', 'x\r\n'):
                raise SystemExit(f'FAILED: alive{number} was not taken')
            wait_until(lambda identity=f'alive{number}': identity in sink.taken, f'alive{number} to arrive')
        lines = [line for line in edge.process.lines if 'delivered:' in line]
        if len(lines) != 50 or any('deferred:' in line and 'contoso.com' in line for line in edge.process.lines):
            raise SystemExit(f'FAILED: {len(lines)} delivered of 50')
        if attempts * 10 > waiting:
            raise SystemExit(f'FAILED: {attempts} attempts for {waiting} that wait: not single probes')
        print(f'ok: {waiting} wait for a dead destination ({attempts} attempts were worth a line), fresh mail passes them')
        edge.stop()
        edge.start()
        wait_until(lambda: f'queued {waiting}\n' in edge.postern('status').stdout, 'all of them to be there after a restart')
        if not send_one(port, 'after', 'x\r\n'):
            raise SystemExit('FAILED: not taken after the restart')
        wait_until(lambda: 'after' in sink.taken, 'fresh mail to pass after the restart, too')
        print('ok: after a restart, too')
        edge.stop()


main()
