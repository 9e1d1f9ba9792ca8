#!/usr/bin/env python3
"""A command that changes the store, stopped at each of its system calls that write: failing with ENOSPC or EIO, or killed.
Afterwards the store is byte for byte what it was, or what the command wanted; never something in between, never a file
that cannot be read. And a disk that is full in earnest: a small tmpfs, in a mount namespace of our own."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.certs import PASSWORD, CertWorld
from lab.process import Failed, write

SKIPPED = 77
CALLS = ('write', 'fsync', 'openat', 'linkat', 'renameat', 'unlinkat', 'mkdir', 'fchown', 'flock')
QUIET = dict(os.environ, ASAN_OPTIONS='detect_leaks=0:' + os.environ.get('ASAN_OPTIONS', ''))  # ptrace is strace's


def possible():
    return subprocess.run(['strace', '-e', 'trace=none', 'true'], capture_output=True, check=False).returncode == 0


class Crash(CertWorld):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.kept = self.done('one to keep', 'new', '--domain', 'mail1.contoso.com', '--services', 'smtp').split()[0]
        self.off = self.done('one that is off', 'new', '--domain', 'off.contoso.com', '--exportable').split()[0]
        request = self.request('crash.req', '--domain', 'mail1.contoso.com')
        self.answer = self.ca.sign_request(request, self.path('crash.crt'))
        write(self.answer, pki.read(self.answer) + pki.read(self.ca.certificate))
        leaf = self.ca.leaf('edge', ['mail2.contoso.com'])
        self.pfx = self.path('edge.pfx')
        pki.openssl('pkcs12', '-export', '-in', leaf.chain, '-inkey', leaf.key, '-passout', 'pass:' + PASSWORD, '-out', self.pfx)
        self.before = self.folder + '/before'
        shutil.copytree(self.store, self.before)
        self.was = self.kept_files()

    def kept_files(self):
        return {name: content for name, content in self.contents().items() if not name.startswith('.')}

    def restore(self):
        shutil.rmtree(self.store, ignore_errors=True)
        shutil.copytree(self.before, self.store)
        for path in (self.path('out.req'), self.path('out.pfx')):
            if os.path.exists(path):
                os.unlink(path)

    def commands(self):
        """Each with what it leaves behind where it was done: files more or fewer, or what is changed in one."""
        out = self.path('out.req')
        return {
            'new': (['new', '--domain', 'x.contoso.com'], 1),
            'request': (['request', '--domain', 'x.contoso.com', '--output', out], 1),
            'import an answer': (['import', self.answer, '--services', 'smtp'], 0),
            'import PKCS#12': (['import', self.pfx, '--password-file', self.password], 1),
            'enable': (['enable', self.off], 0),
            'remove': (['remove', self.off], -1),
            'export': (['export', self.off, '--output', self.path('out.pfx'), '--password-file', self.password], None),
        }

    def traced(self, words, inject=()):
        log = self.path('strace.log')
        options = [one for what in inject for one in ('-e', what)]
        return subprocess.run(['strace', '-y', '-o', log, '-e', 'trace=' + ','.join(CALLS), *options, *self.command(*words)],
                              capture_output=True, text=True, check=False, env=QUIET, timeout=100), log

    def points(self, words):
        """The calls that write to the store or to what is handed out, as (name, number among its kind)."""
        self.restore()
        done, log = self.traced(words)
        if done.returncode != 0:
            raise Failed(f'{words}: {done.stderr}')
        counts, found = {}, []
        with open(log, encoding='utf-8', errors='replace') as file:
            for line in file:
                name = re.match(r'[a-z]+', line)
                if not name:
                    continue
                name = name.group()
                counts[name] = counts.get(name, 0) + 1
                ours = self.store in line or self.path('out') in line or '.new-' in line
                if ours and (name != 'openat' or 'O_CREAT' in line):
                    found.append((name, counts[name]))
        return found

    def is_done(self, difference):
        """Whether the store is what the command wanted: as many files, and something changed; None: nothing."""
        if difference is None:
            return self.kept_files() == self.was
        return len(self.kept_files()) == len(self.was) + difference and self.kept_files() != self.was

    def handed_out(self):
        """Names of what was written elsewhere; whatever is there is whole."""
        there = [name for name in ('out.req', 'out.pfx') if os.path.exists(self.path(name))]
        for name in there:
            command = ('req', '-noout', '-verify') if name.endswith('.req') else (
                'pkcs12', '-noout', '-passin', 'pass:' + PASSWORD)
            pki.openssl(*command, '-in', self.path(name))
        return there

    def swept_and_done(self, what, difference):
        """The next command takes out what this one left over; then the store is what was wanted."""
        self.readable(what)
        next_one = self.postern('disable', self.kept, env=QUIET)
        if next_one.returncode != 0 or [name for name in self.contents() if name.startswith('.new-')]:
            raise Failed(f'{what}: the next command: {next_one.stderr}, {list(self.contents())}')
        if not self.is_done(difference):
            raise Failed(f'{what}: neither as before nor as wanted: {sorted(self.kept_files())}')

    def readable(self, what):
        listed = self.postern('list', '--json', env=QUIET)
        if listed.returncode != 0 or '"damaged": []' not in listed.stdout:
            raise Failed(f'{what}: the store cannot be read: {listed.stdout}{listed.stderr}')


def failing(world, what, words, difference, point, error):
    name, number = point
    where = f'{what}, {error} at {name} {number}'
    world.restore()
    done, _ = world.traced(words, [f'inject={name}:error={error}:when={number}'])
    unchanged = world.kept_files() == world.was
    if done.returncode == 0:  # at what is no part of the change: something left over is to be swept
        if not unchanged:
            world.swept_and_done(where, difference)
        return False
    sentence = done.stderr.strip()
    if not unchanged or world.handed_out():
        raise Failed(f'{where}: status {done.returncode} ({sentence}), and the store changed, or a file was handed out')
    if done.returncode != 73 or sentence.count('\n') or '/' not in sentence or ';' not in sentence:
        raise Failed(f'{where}: status {done.returncode}: {sentence}')
    return True


def killed(world, what, words, difference, point):
    name, number = point
    where = f'{what}, killed at {name} {number}'
    world.restore()
    done, _ = world.traced(words, [f'inject={name}:signal=KILL:when={number}'])
    if done.returncode not in (0, -signal.SIGKILL):
        raise Failed(f'{where}: status {done.returncode}: {done.stderr}')
    world.readable(where)
    world.handed_out()
    before = world.kept_files() == world.was
    if not before:
        world.swept_and_done(where, difference)
    return before


def stopped_everywhere(world):
    for what, (words, difference) in world.commands().items():
        points = world.points(words)
        assert any(name == 'renameat' for name, _ in points), f'{what}: {points}'
        refused = sum(failing(world, what, words, difference, point, 'ENOSPC' if point[0] != 'fsync' else 'EIO')
                      for point in points)
        before = sum(killed(world, what, words, difference, point) for point in points)
        assert refused > 3 and before > 0, f'{what}: {refused} refused, {before} of {len(points)} as before'
        assert difference is None or before < len(points), f'{what}: killed at the end it was not done'
        print(f'ok: {what}: {len(points)} calls; {refused} faults refused, the store as before; killed: {before} times as before, '
              f'{len(points) - before} times done')


def full_disk(world):
    """The store on a file system of its own, with no block left."""
    for what, (words, _) in world.commands().items():
        world.restore()
        shutil.rmtree(world.store)
        os.mkdir(world.store, 0o700)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256k,mode=700', 'none', world.store], check=True)
        try:
            shutil.copytree(world.before, world.store, dirs_exist_ok=True)
            filler = world.store + '/.filler'
            with open(filler, 'wb', buffering=0) as file:
                try:
                    while True:
                        file.write(b'x' * 4096)
                except OSError:
                    pass
            done = world.postern(*words, env=QUIET)
            if what in ('export', 'remove'):  # what frees room, or writes elsewhere, needs none
                assert done.returncode == 0, done
                continue
            if done.returncode != 73 or 'make room and try again; nothing was changed' not in done.stderr:
                raise Failed(f'{what} on a full disk: status {done.returncode}: {done.stderr}')
            assert world.kept_files() == world.was, f'{what}: the store changed'
            os.unlink(filler)
            done = world.postern(*words, env=QUIET)
            assert done.returncode == 0, f'{what} with room again: {done.stderr}'
            print(f'ok: {what} on a full disk is refused, and done when there is room')
        finally:
            subprocess.run(['umount', world.store], check=True)


def main():
    if not possible():
        print('skipped: strace may not trace here')
        sys.exit(SKIPPED)
    own_view = ['unshare', '-m', '--propagation', 'private']
    if 'OWN_VIEW' not in os.environ and subprocess.run([*own_view, 'true'], check=False, capture_output=True).returncode == 0:
        os.execvpe('unshare', [*own_view, sys.executable, *sys.argv], dict(os.environ, OWN_VIEW='yes'))
    with tempfile.TemporaryDirectory(prefix='postern-crash-') as folder:
        world = Crash(sys.argv[1], folder)
        stopped_everywhere(world)
        if 'OWN_VIEW' in os.environ:
            full_disk(world)


main()
