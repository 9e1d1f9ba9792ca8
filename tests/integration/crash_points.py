#!/usr/bin/env python3
"""The daemon ends at each named place of commit, delivery, upkeep and start, and is started again: what was acknowledged
arrives, whole, or its sender is told; what an administrator held, gave back or removed is so; what comes twice was on its
way when it ended. Needs a build with POSTERN_CRASH_POINTS (the asan preset).
`crash_points.py BUILD [--only NAME] [--passings 1,4]`: at which passing of a place it ends, one life each."""
import argparse
import concurrent.futures
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))
from kill_loop import CONFIGURATION
from lab.edge import Edge
from lab.ledger import Ledger, Sink, last_reply
from lab.process import Failed, end_with_us, free_port, wait_until

# Passed once a life.
ONCE = ('recovery.', 'spare.', 'segment.', 'compaction.', 'convert.copied', 'convert.named')
# Passed where segments fill up and empty again: on a file system so small that they are, too.
SMALL_SEGMENTS = ('segment.recycled', 'compaction.begun', 'compaction.moved')
# Where what an administrator does, and what expires, would be late: places of bodies and segments.
PLAIN = ('body.', 'spare.', 'segment.', 'compaction.', 'convert.')
SHORT = '''send_connector Short {{
  smart_host 127.0.0.1
  port {hop}
  allow_destinations {{
    127.0.0.0/8
  }}
  retry {{
    quick 1s
    delay_notice 1s
    expiry 2s
  }}
}}
accepted_domain short.example {{
  recipients any
  deliver Short
}}
'''
# Under way when the daemon ends: what the connections carry, and outcomes that wait for the next write.
MOST_TWICE = 16


def names():
    with open(os.path.join(HERE, '../../docs/spool.md'), encoding='utf-8') as file:
        listed = file.read().split('The names:')[1]
    return re.findall(r'`([a-z]+\.[a-z]+)`', listed)


class Lane:
    """One spool that goes through its places, one life after the other."""

    def __init__(self, build, folder, points, passings, spool_format='log', small=False):
        self.folder, self.points, self.passings, self.format, self.small = folder, points, passings, spool_format, small
        os.makedirs(folder + '/spool')
        if small:
            subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=72m', 'tmpfs', folder + '/spool'], check=True)
        self.sink = Sink(folder + '/taken', refuses=b'nobody@', defers=b'later@')
        self.ledger = Ledger(folder + '/acknowledged')
        port = free_port()
        # Our own people write, so that notices have somebody to go to.
        self.edge = Edge(build, folder, 'posternd', '127.0.0.1', port, CONFIGURATION.format(
            folder=folder, build=build, port=port, hop=self.sink.port, format=spool_format).replace(
                'connections_per_source', 'own_senders allow\n  connections_per_source') + SHORT.format(hop=self.sink.port))
        self.held, self.given_back, self.removed = {}, set(), set()  # id: identity; identities
        self.sent = self.lives = 0
        self.missed = []

    def mail(self, recipient='bob@contoso.com', size=200, ledger=True):
        """Its id, where it was acknowledged, and what it is called."""
        self.sent += 1
        identity = f'{self.point}-{self.sent}'
        body = f'{identity}\r\n' * (size // len(identity))
        said = last_reply(self.edge.port, identity, body, recipient, sender='clerk@contoso.com')
        if not said.startswith('250'):
            return None, identity
        if recipient.startswith('nobody') or recipient.endswith('@short.example'):
            self.given_back.add(identity)
        elif ledger:
            self.ledger.acknowledged(identity, hashlib.sha256(body.encode()).hexdigest())
        return said.split(' as ')[1].split(' ')[0], identity

    def administer(self):
        """What the command said it did stays done, whatever ends the daemon."""
        def done(verb, one):
            return one and self.edge.postern('queue', verb, one).returncode == 0

        held, name = self.mail('later@contoso.com')
        if done('hold', held):
            self.held[held] = name
        released, _ = self.mail('later@contoso.com')
        if done('hold', released):
            self.held[released] = name
            if done('release', released) or not self.edge.process.alive():
                del self.held[released]
        bounced, name = self.mail('later@contoso.com', ledger=False)
        if done('bounce', bounced):
            self.given_back.add(name)
        removed, name = self.mail('later@contoso.com', ledger=False)
        if done('remove', removed):
            self.removed.add(name)

    def load(self):
        """Small and large, to who takes it, to who refuses it (notices are made), to who takes it later; then a little each
        moment. Ends with the daemon, or when it has had its time."""
        until = time.monotonic() + 12
        count = 0
        while self.edge.process.alive() and time.monotonic() < until:
            if self.small:
                self.mail('later@contoso.com' if count == 0 else 'bob@contoso.com', 50000)
            else:
                self.mail(('nobody' if count % 3 == 1 else 'later' if count == 0 else 'bob') + '@contoso.com',
                          90000 if count % 5 == 2 else 200)
                if count % 8 == 0 and not self.point.startswith(PLAIN):
                    self.mail('later@short.example')
                    self.administer()
            count += 1
            if count > (150 if self.small else 25):
                time.sleep(0.05)

    def one_life(self, passing):
        """True when it ended at that place."""
        try:
            self.edge.start(env={**os.environ, 'POSTERN_CRASH': f'{self.point}:{passing}'})
        except Failed:
            wait_until(lambda: not self.edge.process.alive(), f'{self.point}: its end or its start')
            self.edge.process.stop()
            return True
        self.load()
        if self.edge.process.alive():
            self.edge.stop()
            return False
        self.edge.process.stop()
        return True

    def one_conversion(self, passing):
        """The same of `postern queue convert`, between two lives."""
        self.edge.start()
        for count in range(6):
            self.mail('later@contoso.com', 90000 if count == 3 else 200)
        self.edge.stop()
        other = 'files' if self.format == 'log' else 'log'
        done = subprocess.run(self.edge.command('queue', 'convert', other), capture_output=True, text=True, check=False,
                              env={**os.environ, 'POSTERN_CRASH': f'{self.point}:{passing}'})
        again = self.edge.postern('queue', 'convert', other)
        if again.returncode != 0:
            raise Failed(f'{self.point}: queue convert {other} after its crash: {again.stderr}')
        self.edge.configure(self.edge.text.replace(f'spool_format {self.format}', f'spool_format {other}'))
        self.format = other
        return done.returncode < 0

    def quiet_life(self):
        """What is held, given back and removed here goes through all the ends that follow."""
        self.point = 'quiet'
        self.edge.start()
        for _ in range(2):
            self.administer()
        self.edge.stop()

    def run(self):
        if not self.small:
            self.quiet_life()
        for self.point in self.points:
            if self.point == 'recovery.quarantined':
                with open(self.folder + '/spool/log/stranger', 'w', encoding='ascii') as file:
                    file.write('no segment\n')
            for passing in (1,) if self.point.startswith(ONCE) else self.passings:
                self.lives += 1
                if not (self.one_conversion if self.point.startswith('convert') else self.one_life)(passing):
                    self.missed.append(f'{self.point}:{passing}')
        self.everything_arrives()
        return self

    def everything_arrives(self):
        self.edge.start()
        listed = self.edge.postern('queue', 'list', '--held', '--limit', '10000').stdout
        self.wrong = [f'{name} is not held any more' for one, name in self.held.items() if one not in listed]
        self.edge.postern('queue', 'release', '--held')
        self.sink.defers = None

        def empty():
            self.edge.postern('queue', 'retry', '--all')
            return 'queued 0\n' in self.edge.postern('status').stdout
        wait_until(empty, f'the queue of {self.points[0]} and others to run empty', 60)
        self.edge.stop()
        self.wrong += [f'{name} is given up, and nobody was told' for name in self.given_back
                       if name not in self.sink.told and name not in self.sink.taken]
        self.wrong += [f'{name} was removed, and came' for name in self.removed if name in self.sink.taken]
        if self.small:
            subprocess.run(['umount', self.folder + '/spool'], check=True)
        self.sink.close()


def lanes(build, folder, points, passings):
    small = [point for point in points if point in SMALL_SEGMENTS]
    files = [point for point in points if point.startswith('files.')]
    convert = [point for point in points if point.startswith('convert.')]
    # Something has to be there that can be moved aside, so starts come last.
    log = sorted((point for point in points if point not in small + files + convert), key=lambda one: one.startswith('recovery'))
    if small and os.geteuid() != 0:
        print(f'left out, needs root for a small file system: {", ".join(small)}')
        small = []
    parts = [('files', files, 'files', False), ('convert', convert, 'log', False), ('small', small, 'log', True)]
    parts += [(f'log-{number}', log[number::3], 'log', False) for number in range(3)]
    return [Lane(build, f'{folder}/{name}', some, passings, how, is_small) for name, some, how, is_small in parts if some]


def main():
    end_with_us()
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument('build')
    words.add_argument('--only', default='')
    words.add_argument('--passings', default='1,4')
    asked = words.parse_args()
    points = [point for point in names() if asked.only in point]
    passings = [int(word) for word in asked.passings.split(',')]
    lives = acknowledged = twice = held = told = removed = 0
    bad, missed = [], []
    with tempfile.TemporaryDirectory(prefix='crash-points-') as folder, concurrent.futures.ThreadPoolExecutor() as pool:
        try:
            running = [pool.submit(lane.run) for lane in lanes(os.path.abspath(asked.build), folder, points, passings)]
            for lane in (one.result() for one in running):
                lost, damaged, again = lane.ledger.held_against(lane.sink)
                bad += [f'{one} lost' for one in lost[:5]] + [f'{one} damaged' for one in damaged[:5]]
                bad += lane.wrong[:5]
                if again > MOST_TWICE * lane.lives:
                    bad.append(f'{again} came more than once in {lane.lives} lives')
                missed += lane.missed
                held, told, removed = held + len(lane.held), told + len(lane.given_back), removed + len(lane.removed)
                lives, acknowledged, twice = lives + lane.lives, acknowledged + lane.ledger.count(), twice + again
        finally:
            subprocess.run(['umount', '-l', '-q', folder + '/small/spool'], check=False)
    print(f'{lives - len(missed)} ends at {len(points)} named places, {acknowledged} acknowledged, {twice} delivered more than once, '
          f'{held} held, {told} given back, {removed} removed')
    if bad or missed:
        raise SystemExit(f'FAILED: {", ".join(bad) or "nothing lost"}; never reached: {", ".join(missed) or "none"}')
    print('ok: nothing is lost at any place')


if __name__ == '__main__':
    main()
