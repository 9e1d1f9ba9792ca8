#!/usr/bin/env python3
"""A spool on a file system that runs out of space, then of inodes, while the next hop takes nothing: 452 4.3.1 at MAIL as
soon as it is known, after the data where it was not; sessions go on. The next hop comes back: what waits is delivered
although the disk is full, and mail is taken again by itself as soon as there is room. Nothing acknowledged is lost.
`full_disk.py BUILD`. Skipped without root."""
import concurrent.futures
import hashlib
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from kill_loop import CONFIGURATION, all_delivered
from lab.edge import Edge
from lab.ledger import Ledger, Sink, last_reply
from lab.process import Failed, end_with_us, free_port, wait_until

SKIPPED = 77
BUILD = os.path.abspath(sys.argv[1])
FULL = '452 4.3.1'


class Skipped(Exception):
    """The machine does not let us mount."""


class Small:
    """A daemon whose spool is a file system of its own."""

    def __init__(self, folder, name, options, spool_format):
        self.folder, self.name = f'{folder}/{name}', name
        self.mount = self.folder + '/spool'
        os.makedirs(self.mount)
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', self.mount], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise Skipped(done.stderr.strip())
        self.sink = Sink(self.folder + '/taken', defers=b'@')
        self.ledger = Ledger(self.folder + '/acknowledged')
        port = free_port()
        self.edge = Edge(BUILD, self.folder, 'posternd', '127.0.0.1', port, CONFIGURATION.format(
            folder=self.folder, build=BUILD, port=port, hop=self.sink.port, format=spool_format))
        self.sent = 0
        self.edge.start()

    def send(self, size, before_data=None):
        self.sent += 1
        identity = f'{self.name}-{self.sent}'
        body = f'{identity}\r\n' * (size // len(identity))
        said = last_reply(self.edge.port, identity, body, before_data=before_data)
        if said.startswith('250'):
            self.ledger.acknowledged(identity, hashlib.sha256(body.encode()).hexdigest())
        return said

    def expect(self, said, *wanted):
        if not said.startswith(wanted):
            raise Failed(f'{self.name}: "{said}" instead of {" or ".join(wanted)}')

    def fill(self, size):
        """Until MAIL is answered 452; how many were taken."""
        for _ in range(2000):
            said = self.send(size)
            if not said.startswith('250'):
                self.expect(said, FULL)
                return self.ledger.count()
        raise Failed(f'{self.name}: 2000 messages and never full')

    def ends_well(self):
        self.sink.defers = None
        all_delivered(self.edge, 0)
        wait_until(lambda: self.send(300).startswith('250'), f'{self.name}: mail to be taken again', 15)
        all_delivered(self.edge, 0)
        self.edge.stop()
        subprocess.run(['umount', self.mount], check=True)
        self.sink.close()
        lost, damaged, twice = self.ledger.held_against(self.sink)
        print(f'{self.name}: {self.ledger.count()} acknowledged, {len(lost)} lost, {len(damaged)} damaged, {twice} more than once')
        if lost or damaged:
            raise SystemExit(f'FAILED: {self.name}: lost {lost[:5]}, damaged {damaged[:5]}')


def no_space(small):
    ballast = small.mount + '/ballast'

    def take_all():
        with open(ballast, 'wb', buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
    # The room goes while a message is on its way in: what has a file of its own finds none.
    small.expect(small.send(300), '250')
    small.expect(small.send(300000, before_data=take_all), FULL)
    small.expect(small.send(300), FULL)
    os.unlink(ballast)
    wait_until(lambda: small.send(300).startswith('250'), 'mail to be taken when there is room', 15)
    taken = small.fill(60000)
    # Not an octet left, and still what waits can go: its outcomes have room in what is written already.
    take_all()
    small.sink.defers = None
    wait_until(lambda: small.edge.postern('queue', 'retry', '--all') and len(small.sink.taken) >= taken,
               f'{small.name}: {taken} messages to go from a full disk', 30)
    os.unlink(ballast)


def no_inodes(small):
    taken = small.fill(90000)
    strays = []

    def take_all():
        try:
            while True:
                strays.append(f'{small.mount}/stray-{len(strays)}')
                open(strays[-1], 'xb').close()
        except OSError:
            strays.pop()
    # Small ones in the log need no inode of their own, but are refused as well: what is left is for the outcomes.
    small.expect(small.send(300), FULL)
    small.sink.defers = None
    all_delivered(small.edge, 0)
    wait_until(lambda: small.send(300).startswith('250'), 'mail to be taken when there are inodes', 15)
    small.expect(small.send(90000, before_data=take_all), FULL)
    for stray in strays:
        os.unlink(stray)
    if taken < 5:
        raise Failed(f'{small.name}: full after {taken} messages')


def scenario(folder, what, name, options, spool_format):
    small = Small(folder, name, options, spool_format)
    what(small)
    small.ends_well()


def main():
    end_with_us()
    if os.geteuid() != 0:
        print('skipped: needs root')
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix='full-disk-') as folder:
        try:
            with concurrent.futures.ThreadPoolExecutor() as pool:
                running = [pool.submit(scenario, folder, *which) for which in (
                    (no_space, 'space-log', 'size=72m', 'log'), (no_inodes, 'inodes-log', 'size=200m,nr_inodes=90', 'log'),
                    (no_space, 'space-files', 'size=40m', 'files'), (no_inodes, 'inodes-files', 'size=200m,nr_inodes=90', 'files'))]
                for one in running:
                    one.result()
        except Skipped as why:
            print(f'skipped: {why}')
            sys.exit(SKIPPED)
        finally:
            with open('/proc/self/mounts', encoding='utf-8') as file:
                left = [line.split()[1] for line in file if folder in line]
            for mount in left:
                subprocess.run(['umount', '-l', mount], check=False)
    print('ok: full is said, nothing is lost, and service resumes')


main()
