#!/usr/bin/env python3
"""A thousand SIGHUPs, each with a changed configuration, certificate and script, as fast as the daemon takes them, while
senders send, in clear and over TLS: no session fails, every accepted message arrives, at most eight generations live, and
memory does not grow. `reload_storm.py BUILD [--sighups N]`."""
import argparse
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until, write

ALIVE, MAILS_A_SESSION, RECIPIENT = 8, 5, 'bob@contoso.com'
SANITIZER = 'quarantine_size_mb=4'


class Storm(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.leaves = [self.contoso_leaf, self.contoso_ca.leaf('other', ['mail1.contoso.com'])]
        self.accepted, self.failed, self.over = [], [], threading.Event()

    def change(self, number):
        own = self.contoso.folder
        write(own + '/scripts/some.lua', f'-- {number}\npostern.on("mail", function() end)\n')
        self.contoso.configure(self.text(CONTOSO, WOODGROVE, self.leaves[number % 2], revocation=('off', 'soft')[number % 2],
                                         more=f'scripts {{\n  folder {own}/scripts\n}}\ndrain_time {30 + number % 30}s\n'))

    def send(self, number, tls):
        """Sessions of a few messages until the storm is over; every third rests between two of them."""
        sent = 0
        try:
            while not self.over.is_set():
                with Sender(self.contoso, tls=tls, source=f'127.0.3.{number + 1}') as session:
                    for _ in range(MAILS_A_SESSION):
                        subject = f'{number}-{sent}'
                        session.sendmail('x@example.org', RECIPIENT, message('x@example.org', RECIPIENT, subject))
                        self.accepted.append(subject)
                        sent += 1
                        if sent % 3 == 0:
                            self.over.wait(0.05)
        except Exception as failure:  # whatever it is, a session failed
            self.failed.append(f'sender {number}, after {sent} messages: {failure!r}')

    def arrived(self):
        return {subject for text in self.contoso.mailbox(RECIPIENT) for subject in re.findall(r'^Subject: (\S+)$', text, re.M)}


def sanitized(build):
    with open(build + '/CMakeCache.txt', encoding='utf-8') as file:
        return bool(re.search('^POSTERN_SANITIZE:.*=.+$', file.read(), re.M))


def rss(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith('VmRSS'))


def storm(world, sighups):
    """The seconds that each reload took, and the memory after the first fifth and at the end."""
    edge, took, memory, alive = world.contoso, [], [], 0
    for number in range(1, sighups + 1):
        world.change(number)
        since, began = edge.process.mark(), time.monotonic()
        edge.process.signal(signal.SIGHUP)
        edge.process.wait_for('reloaded:', since)
        took.append(time.monotonic() - began)
        if world.failed:
            raise SystemExit('FAILED at SIGHUP %d: %s' % (number, '; '.join(world.failed)))
        if number % max(sighups // 20, 1) == 0:
            alive = max(alive, json.loads(edge.postern('status', '--json').stdout)['generations_alive'])
        if number in (sighups // 5, sighups):
            memory.append(rss(edge.process.pid))
    if alive > ALIVE:
        raise SystemExit(f'FAILED: {alive} generations lived')
    return took, memory


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument('build')
    words.add_argument('--sighups', type=int, default=1000)
    asked = words.parse_args()
    os.environ['ASAN_OPTIONS'] = ':'.join(filter(None, [os.environ.get('ASAN_OPTIONS'), SANITIZER]))
    with tempfile.TemporaryDirectory() as folder:
        world = Storm(asked.build, folder)
        world.change(0)
        edge = world.contoso.start()
        senders = [threading.Thread(target=world.send, args=(number, number % 2 == 1)) for number in range(4)]
        for one in senders:
            one.start()
        try:
            took, memory = storm(world, asked.sighups)
        finally:
            world.over.set()
            for one in senders:
                one.join()
        if world.failed:
            raise SystemExit('FAILED: ' + '; '.join(world.failed))
        wait_until(lambda: set(world.accepted) <= world.arrived(), 'every accepted message to arrive', 60)
        took.sort()
        print(f'ok: {asked.sighups} SIGHUPs, {took[len(took) // 2] * 1000:.0f} ms each (median), {took[-1] * 1000:.0f} ms the '
              f'longest; {len(world.accepted)} messages accepted and delivered, no session failed')
        print(f'ok: memory {memory[0]:.1f} MiB, then {memory[1]:.1f} MiB')
        most = 64 if sanitized(asked.build) else 16  # what a sanitizer notes down is no growth of ours
        if memory[1] - memory[0] > most:
            raise SystemExit(f'FAILED: it grew by more than {most} MiB')
        edge.stop()


main()
