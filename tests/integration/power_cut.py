#!/usr/bin/env python3
"""A power cut: the spool lies on a file system of its own that loses its power in the middle of mail, is mounted again, and
the daemon started on it. What was acknowledged must arrive, whole. Two ways (`--how`):

disk      the file system's disk has a cache that forgets (lab/volatile_disk.py): what a flush covered is there, of what was
          written since any sectors may be missing. As honest as a plug that is pulled: no sync under way is answered.
shutdown  `xfs_io -x -c shutdown`: the file system drops what was not written and goes on answering. Some syncs that are
          under way it answers with success although what they waited for is lost (ext4: the note in its journal that an
          extent holds data fails behind the sync's back; only a sync that begins later is refused), which no machine
          without power can do. So what was acknowledged after the cut was asked for is counted apart there, and `disk` is
          what judges.

`power_cut.py BUILD [--cuts N] [--file-systems xfs,ext4] [--how disk,shutdown] [--messages-a-cut N]`. Skipped where the
machine does not let us mount."""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))
from kill_loop import CONFIGURATION, all_delivered, sender
from lab.edge import Edge
from lab.ledger import Ledger, Sink
from lab.process import Process, end_with_us, free_port, wait_until

SKIPPED = 77


def run_or_skip(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f'skipped: {" ".join(command)}: {done.stderr.strip()}')
        sys.exit(SKIPPED)
    return done.stdout.strip()


class Volume:
    """An image file, mounted; shut down by the kernel."""

    def __init__(self, folder, kind, chance):
        self.kind, self.image, self.mount, self.chance = kind, f'{folder}/{kind}.image', f'{folder}/{kind}', chance
        os.makedirs(self.mount)
        subprocess.run(['truncate', '-s', '320M', self.image], check=True)
        subprocess.run(['mkfs.' + kind, '-q', self.image], check=True)
        self.up()

    def up(self):
        run_or_skip('mount', '-o', 'loop', self.image, self.mount)

    def cut(self):
        """Without -f nothing of the log is flushed."""
        subprocess.run(['xfs_io', '-x', '-c', 'shutdown', self.mount], check=True)

    def down(self):
        subprocess.run(['umount', self.mount], check=True)


class PoweredVolume(Volume):
    """The same on a disk that loses its power."""
    disk = loop = None

    def up(self):
        self.offered = self.image + '.offered'
        open(self.offered, 'a', encoding='ascii').close()
        self.disk = Process('disk', [sys.executable, os.path.join(HERE, '../lab/volatile_disk.py'), self.image, self.offered,
                                     str(self.chance.randrange(1 << 30))], self.image + '.log')
        self.disk.wait_for('disk: offered')
        self.loop = run_or_skip('losetup', '--find', '--show', self.offered)
        run_or_skip('mount', self.loop, self.mount)

    def cut(self):
        self.disk.signal(signal.SIGUSR1)
        self.disk.wait_for('disk: cut')

    def down(self):
        super().down()
        subprocess.run(['losetup', '--detach', self.loop], check=True)
        # The loop device is let go of when the kernel has time for it.
        wait_until(lambda: subprocess.run(['umount', '-q', self.offered], check=False, stderr=subprocess.DEVNULL).returncode == 0,
                   'the loop device to let go')
        self.disk.stop()


def run(folder, build, kind, how, asked):
    chance = random.Random(asked.seed)
    os.makedirs(folder)
    if how == 'disk' and not os.path.exists('/dev/fuse'):
        print('skipped: there is no /dev/fuse')
        sys.exit(SKIPPED)
    volume = (PoweredVolume if how == 'disk' else Volume)(folder, kind, chance)
    sink = Sink(f'{folder}/taken')
    ledger = Ledger(f'{folder}/acknowledged')
    port = free_port()
    edge = Edge(build, f'{folder}/daemon', 'posternd', '127.0.0.1', port, CONFIGURATION.format(
        folder=f'{folder}/daemon', build=build, port=port, hop=sink.port, format='log').replace(
            f'spool {folder}/daemon/spool', f'spool {volume.mount}/spool'))
    running = threading.Event()
    running.set()
    edge.start()
    senders = [threading.Thread(target=sender, args=(n, port, ledger, running, random.Random(asked.seed + n)), daemon=True)
               for n in range(4)]
    for one in senders:
        one.start()
    cut_times = []
    for _ in range(asked.cuts):
        wanted = ledger.count() + 1 + chance.randrange(2 * asked.messages_a_cut)
        wait_until(lambda: ledger.count() >= wanted, f'{wanted} acknowledged messages (seed {asked.seed})', 60)
        cut_at = time.monotonic()
        volume.cut()
        edge.process.signal(signal.SIGKILL)
        wait_until(lambda: not edge.process.alive(), 'the daemon to end')
        edge.process.stop()
        cut_times.append((cut_at, time.monotonic()))
        volume.down()
        volume.up()
        edge.start()
    running.clear()
    for one in senders:
        one.join(60)
    all_delivered(edge, asked.seed)
    edge.stop()
    volume.down()
    lost, damaged, twice = ledger.held_against(sink)
    unreal = []
    if how == 'shutdown':
        unreal = [one for one in lost if any(cut < ledger.times[one] < back for cut, back in cut_times)]
        lost = [one for one in lost if one not in unreal]
    print(f'{kind}, {how}: {asked.cuts} power cuts, {ledger.count()} acknowledged, {len(lost)} lost, {len(damaged)} damaged, '
          f'{twice} delivered more than once' +
          (f', {len(unreal)} acknowledged after the cut and gone' if how == 'shutdown' else '') + f', seed {asked.seed}',
          flush=True)
    if lost or damaged:
        raise SystemExit(f'FAILED: lost {lost[:5]}, damaged {damaged[:5]}')


def unmount_all(folder):
    """Whatever a failure left mounted, the newest first."""
    with open('/proc/self/mounts', encoding='utf-8') as file:
        mounts = [line.split()[:2] for line in file if folder in line]
    for device, mount in reversed(mounts):
        subprocess.run(['umount', '-l', mount], check=False)
        if device.startswith('/dev/loop'):
            subprocess.run(['losetup', '--detach', device], check=False, capture_output=True)


def main():
    end_with_us()
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument('build')
    words.add_argument('--cuts', type=int, default=3)
    words.add_argument('--messages-a-cut', type=int, default=15)
    words.add_argument('--file-systems', default='xfs,ext4')
    words.add_argument('--how', default='disk,shutdown')
    words.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    asked = words.parse_args()
    missing = [tool for tool in ('xfs_io', 'mkfs.xfs', 'mkfs.ext4', 'mount', 'losetup', 'unshare') if not shutil.which(tool)]
    if os.geteuid() != 0 or missing:
        print('skipped: needs root' + (' and ' + ', '.join(missing) if missing else ''))
        sys.exit(SKIPPED)
    # Whoever else makes himself a mount namespace meanwhile would take copies of our mounts with him, and keep a file system
    # that was shut down alive: ours are seen by nobody.
    if 'POSTERN_OWN_MOUNTS' not in os.environ:
        os.environ['POSTERN_OWN_MOUNTS'] = 'yes'
        os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private', sys.executable, *sys.argv])
    folder = tempfile.mkdtemp(prefix='power-cut-')
    try:
        for how in asked.how.split(','):
            for kind in asked.file_systems.split(','):
                run(f'{folder}/{how}-{kind}', os.path.abspath(asked.build), kind, how, asked)
    finally:
        unmount_all(folder)
        shutil.rmtree(folder, ignore_errors=True)
    print('ok: nothing that was acknowledged is lost')


main()
