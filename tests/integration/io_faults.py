#!/usr/bin/env python3
"""The n-th call by which the running daemon changes the disk fails (strace -e inject): the client is told 4xx, never 5xx and
never nothing; the log names file, fault and remedy; nothing acknowledged is lost; a file whose sync failed is never written
or synced again; and when the fault has passed mail goes on by itself. Then the same of a start: it goes on or ends with a
sentence, and the next one finds everything.

`io_faults.py BUILD [--most N]`: N is how far the n-th goes for each call. Skipped where strace may not trace."""
import argparse
import concurrent.futures
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from kill_loop import CONFIGURATION, all_delivered
from lab.edge import Edge
from lab.ledger import Ledger, Sink, last_reply
from lab.process import Failed, Process, end_with_us, free_port, wait_until

SKIPPED = 77
# Which calls, and how they fail. EINTR is no fault: the call is made again.
RUNNING = [('fdatasync', 'EIO'), ('pwritev', 'ENOSPC'), ('pwritev', 'EIO'), ('pwritev', 'EROFS'), ('pwritev', 'EINTR'),
           ('openat', 'EMFILE'), ('rename', 'EIO'), ('fsync', 'EIO'), ('unlink', 'EIO'), ('pwrite64', 'ENOSPC'), ('pread64', 'EIO')]
LIMITED = [('write', 'EFBIG')]
STARTING = [('fdatasync', 'EIO'), ('fallocate', 'ENOSPC'), ('pwritev', 'ENOSPC'), ('pwrite64', 'EIO'), ('ftruncate', 'EIO'),
            ('rename', 'EIO'), ('pread64', 'EIO'), ('flock', 'ENOLCK')]
SYNCED = re.compile(r'(fdatasync|pwritev)\(\d+<([^>]*/log/[^>]*)>.*')


class Case:
    def __init__(self, build, folder, call, error, number):
        self.name = f'{call} {error} at {number}'
        self.folder = f'{folder}/{call}-{error}-{number}'
        self.trace = self.folder + '/trace'
        self.inject = ['-e', f'trace={call},pwritev,fdatasync', '-e', f'inject={call}:error={error}:when={number}']
        os.makedirs(self.folder)
        self.sink = Sink(self.folder + '/taken')
        self.ledger = Ledger(self.folder + '/acknowledged')
        self.error = error
        port = free_port()
        self.edge = Edge(build, self.folder, 'posternd', '127.0.0.1', port, CONFIGURATION.format(
            folder=self.folder, build=build, port=port, hop=self.sink.port, format='log'))
        self.sent, self.faults = 0, []

    def strace(self, *what):
        return ['strace', '-f', '-y', '-s', '8', '-o', self.trace, *self.inject, *what]

    def injected(self):
        with open(self.trace, encoding='utf-8', errors='replace') as file:
            return '(INJECTED)' in file.read()

    def fault(self, text):
        self.faults.append(f'{self.name}: {text}')

    def send(self, size):
        """What was said to it."""
        self.sent += 1
        identity = f'm{self.sent}'
        body = f'{identity} of {self.name}\r\n' * (size // 20)
        said = last_reply(self.edge.port, identity, body)
        if said.startswith('250'):
            self.ledger.acknowledged(identity, hashlib.sha256(body.encode()).hexdigest())
        elif not said.startswith('4'):
            self.fault(f'a client was told "{said}"')
        return said

    def held_against(self):
        """The daemon dies and is started again without the fault."""
        self.edge.process.signal(signal.SIGKILL)
        wait_until(lambda: not self.edge.process.alive(), 'its end')
        self.edge.process.stop()
        self.edge.start()
        all_delivered(self.edge, 0)
        self.edge.stop()
        self.sink.close()
        lost, damaged, _ = self.ledger.held_against(self.sink)
        if lost or damaged:
            self.fault(f'lost {lost}, damaged {damaged}')

    def never_again(self):
        """No file is written or synced after its sync failed."""
        given_up = set()
        with open(self.trace, encoding='utf-8', errors='replace') as file:
            for line in file:
                found = SYNCED.search(line)
                if not found:
                    continue
                if found.group(2) in given_up:
                    self.fault('used again after its sync failed: ' + line.strip())
                if found.group(1) == 'fdatasync' and 'INJECTED' in line:
                    given_up.add(found.group(2))


def while_running(build, folder, call, error, number):
    """True when the call was made so often."""
    case = Case(build, folder, call, error, number)
    case.edge.start()
    since = case.edge.process.mark()
    strace = Process('strace', case.strace('-p', str(case.edge.process.pid)), case.folder + '/strace')
    strace.wait_for('attached')
    answers = [case.send(90000 if count % 3 == 1 else 300) for count in range(7)]
    # The index is written each second only.
    until = time.monotonic() + (3 if call.startswith('pwrite64') else 0)
    while time.monotonic() < until and not case.injected():
        answers.append(case.send(300))
    strace.signal(signal.SIGINT)  # lets go of the daemon
    wait_until(lambda: not strace.alive(), 'strace to let go')
    happened = case.injected()
    refused = [said for said in answers if not said.startswith('250')]
    if refused and not any('spool-failing' in line for line in case.edge.process.lines[since:]):
        case.fault(f'told "{refused[0]}", and nothing in the log')
    if refused and error in ('EINTR',):
        case.fault(f'told "{refused[0]}" for a call that was merely interrupted')
    wait_until(lambda: case.send(300).startswith('250'), f'{case.name}: mail to be taken again', 15)
    if call == 'fdatasync':
        case.never_again()
    case.held_against()
    return happened, len(refused), case


def with_a_limit(build, folder, call, error, number):
    """Files may not grow beyond some place in the middle of a message: its write is cut short, then refused."""
    case = Case(build, folder, call, error, number)
    case.edge.start()
    answers = [case.send(300)]
    pid = str(case.edge.process.pid)
    subprocess.run(['prlimit', '--pid', pid, f'--fsize={4096 * 3 + 1000 * number}:unlimited'], check=True)
    answers += [case.send(size) for size in (9000, 90000, 300)]
    refused = [said for said in answers if not said.startswith('250')]
    if not refused or not any('File too large' in line for line in case.edge.process.lines):
        case.fault(f'told {answers}, and of the limit nothing in the log')
    subprocess.run(['prlimit', '--pid', pid, '--fsize=unlimited:unlimited'], check=True)
    wait_until(lambda: case.send(300).startswith('250'), f'{case.name}: mail to be taken again', 15)
    case.held_against()
    return True, len(refused), case


def while_starting(build, folder, call, error, number):
    case = Case(build, folder + '/start', call, error, number)
    case.sink.defers = b'bob'
    case.edge.start()
    for count in range(4):
        case.send(90000 if count == 1 else 300)
    case.edge.process.signal(signal.SIGKILL)
    wait_until(lambda: not case.edge.process.alive(), 'its end')
    case.edge.process.stop()
    # -D: the daemon is our child, and strace beside it.
    started = Process('posternd', case.strace('-D', build + '/bin/posternd', '-c', case.edge.conf), case.folder + '/log')
    wait_until(lambda: started.count('started:') or started.ended, f'{case.name}: a start or an end', 30)
    up = started.count('started:') > 0
    if not up and not any(word in line for line in started.lines for word in ('start-failed', 'spool-', 'error while loading')):
        case.fault('it ended without a word: ' + ' / '.join(started.lines[-3:]))
    if any('Sanitizer' in line or 'terminate' in line for line in started.lines):
        case.fault('it broke: ' + ' / '.join(started.lines[-3:]))
    started.stop()
    case.sink.defers = None
    case.edge.start()
    case.held_against()
    return case.injected(), int(not up), case


def main():
    end_with_us()
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument('build')
    words.add_argument('--most', type=int, default=2)
    words.add_argument('--only', default='', help='a call')
    words.add_argument('--at-once', type=int, default=6)
    asked = words.parse_args()
    build = os.path.abspath(asked.build)
    if not shutil.which('strace') or subprocess.run(['strace', '-qq', '-e', 'trace=none', 'true'], check=False).returncode != 0:
        print('skipped: strace is missing, or may not trace here')
        sys.exit(SKIPPED)
    os.environ['ASAN_OPTIONS'] = 'detect_leaks=0'  # not under ptrace
    numbers = range(1, asked.most + 1)
    injected = refused = acknowledged = 0
    faults, never = [], []
    with tempfile.TemporaryDirectory(prefix='io-faults-') as folder, \
            concurrent.futures.ThreadPoolExecutor(asked.at_once) as pool:
        running = {pool.submit(how, build, folder, *fault, number): (how.__name__, *fault, number)
                   for how, calls in ((while_running, RUNNING), (with_a_limit, LIMITED), (while_starting, STARTING))
                   for fault in calls if asked.only in fault[0] for number in numbers}
        for done in concurrent.futures.as_completed(running):
            try:
                happened, told, case = done.result()
            except Failed as failed:
                faults.append(f'{running[done]}: {failed}')
                continue
            injected, refused, acknowledged = injected + happened, refused + told, acknowledged + case.ledger.count()
            faults += case.faults
            shutil.rmtree(case.folder, ignore_errors=True)  # hundreds of logs of two segments each
            if not happened and running[done][-1] == 1:
                never.append(' '.join(map(str, running[done][:3])))
    print(f'{injected} injected faults in {len(running)} lives, {acknowledged} acknowledged, {refused} refused, 0 lost' if not faults
          else '\n'.join(faults))
    if never:
        print('never called: ' + ', '.join(never))
    if faults or injected == 0:
        raise SystemExit('FAILED')
    print('ok: no failing call loses what was acknowledged')


if __name__ == '__main__':
    main()
