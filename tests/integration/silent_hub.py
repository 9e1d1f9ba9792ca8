#!/usr/bin/env python3
"""A next hop that accepts and never greets, and one that takes the envelope and reads nothing of any message: thousands of
messages wait for them, others' mail goes on, memory is bounded, and once they work all arrives. `silent_hub.py BUILD
[--messages 3000]`."""
import argparse
import os
import re
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.crowd import Measured, sanitized
from lab.hostile import Hostile
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import free_port, wait_until

MOST, RECIPIENT = 64, 'bob@contoso.com'
HUBS = {'mute.example': '127.0.6.1', 'deaf.example': '127.0.6.2'}
BIG = '\r\n'.join(['y' * 70] * 60000)  # 4 MiB


class Hub:
    """Hangs as its kind does until `awake`; then it takes everything and knows the subjects."""

    def __init__(self, kind, address, port):
        self.kind, self.awake, self.stuck, self.subjects = kind, threading.Event(), 0, []
        self.server = Hostile(address, port, self.serve)

    def serve(self, peer):
        if not self.awake.is_set():
            if self.kind == 'mute.example':
                self.stuck += 1
                self.awake.wait()
                return
            peer.greet('PIPELINING', 'SIZE', '8BITMIME')
            while peer.hear() != 'DATA':
                peer.say('250 2.0.0 ok')
            peer.say('354 go on')
            self.stuck += 1
            self.awake.wait()
            return
        peer.greet('SIZE', '8BITMIME')
        while True:
            verb = peer.hear()
            if verb != 'DATA':
                peer.say('221 2.0.0 bye' if verb == 'QUIT' else '250 2.0.0 ok')
                continue
            peer.say('354 go on')
            lines = []
            while (text := peer.hear()) != '.':
                lines.append(text)
            self.subjects.append(next(one for one in lines if one.startswith('Subject: '))[9:])
            peer.say('250 2.0.0 taken')


def configured(world, port):
    more = ''
    for number, (domain, address) in enumerate(HUBS.items()):
        more += f'''send_connector Hub{number} {{
  address_spaces {{
    {domain} 1
  }}
  smart_host {address}
  port {port}
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
  deliver Hub{number}
}}
'''
    world.contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, more=more))


def give(world, count, sent):
    """Small ones, and every hundredth of 4 MiB."""
    for at in range(0, count, 20):
        with Sender(world.contoso, source=f'127.0.3.{at // 20 % 200 + 1}') as sender:
            for number in range(at, min(at + 20, count)):
                for domain in HUBS:
                    to, subject = f'r@{domain}', f'{domain} {number}'
                    body = BIG if number % 100 == 0 else 'short'
                    sender.sendmail('x@example.org', to, message('x@example.org', to, subject, body=body))
                    sent[domain].add(subject)


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument('build')
    words.add_argument('--messages', type=int, default=3000)
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = World(asked.build, folder)
        port = free_port(*HUBS.values())
        hubs = {domain: Hub(domain, address, port) for domain, address in HUBS.items()}
        configured(world, port)
        edge = world.contoso.start()
        with Sender(edge) as sender:
            sender.sendmail('x@example.org', RECIPIENT, message('x@example.org', RECIPIENT, 'first'))
        edge.arrived(RECIPIENT, 'first')
        measured, sent = Measured(edge.process.pid), {domain: set() for domain in HUBS}
        before = measured.memory()
        give(world, asked.messages, sent)
        for domain, hub in hubs.items():
            wait_until(lambda: hub.stuck >= 10, f'ten connections that {domain} hangs on')
        with Sender(edge) as sender:
            sender.sendmail('x@example.org', RECIPIENT, message('x@example.org', RECIPIENT, 'beside them'))
        edge.arrived(RECIPIENT, 'beside them')
        grown = measured.memory() - before
        waiting = len(re.findall('r@', edge.postern('queue', 'list').stdout))
        print(f'ok: {sum(map(len, sent.values()))} messages for hubs that hang on {[one.stuck for one in hubs.values()]} '
              f'connections, {waiting} listed; others served, memory +{grown:.1f} MiB')
        for hub in hubs.values():
            hub.awake.set()
        for domain, hub in hubs.items():
            wait_until(lambda: sent[domain] <= set(hub.subjects), f'all mail to arrive at {domain}', 120)
            print(f'ok: {domain} works: all {len(sent[domain])} arrived, {len(hub.subjects) - len(sent[domain])} of them twice')
        grown = max(grown, measured.memory() - before)
        if grown > MOST and not sanitized(asked.build):
            raise SystemExit(f'FAILED: memory grew by {grown:.1f} MiB')
        for hub in hubs.values():
            hub.server.stop()
        edge.stop()


main()
