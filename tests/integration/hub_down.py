#!/usr/bin/env python3
"""The hub is down for a day: the wall clock that the daemon sees is moved on in steps of five minutes (libfaketime), and the
kill of a daemon is part of that day. Mail for the hub waits and is tried by the schedule, not more often; mail for others
goes at once all day long; senders of ours are told once that theirs is late. Then the hub is back: one probe, not a
stampede, and everything arrives once and whole. `hub_down.py BUILD [--hours N]`. Skipped without libfaketime."""
import argparse
import glob
import hashlib
import os
import signal
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from kill_loop import CONFIGURATION
from lab.edge import Edge
from lab.ledger import Ledger, Sink, last_reply
from lab.process import Failed, end_with_us, free_port, wait_until

SKIPPED = 77
OTHERS = '''send_connector Others {{
  address_spaces {{
    fabrikam.com 1
  }}
  smart_host 127.0.0.1
  port {port}
  allow_destinations {{
    127.0.0.0/8
  }}
}}
accepted_domain fabrikam.com {{
  recipients any
  deliver Others
}}
'''


class Down:
    """A hub of which only the port is there: it hangs up at once, and counts who asks."""

    def __init__(self, port):
        self.tries = 0
        self._socket = socket.create_server(('127.0.0.1', port))
        self._thread = threading.Thread(target=self._hang_up, daemon=True)
        self._thread.start()

    def _hang_up(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.tries += 1
            connection.close()

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


class Day:
    def __init__(self, build, folder, library):
        self.folder, self.hub_port, self.minutes = folder, free_port(), 0
        self.others = Sink(folder + '/others')
        self.ledger = Ledger(folder + '/acknowledged')
        self.clock = folder + '/clock'
        self.environment = {**os.environ, 'LD_PRELOAD': library, 'FAKETIME_TIMESTAMP_FILE': self.clock, 'FAKETIME_NO_CACHE': '1',
                            'FAKETIME_DONT_FAKE_MONOTONIC': '1', 'DONT_FAKE_MONOTONIC': '1',
                            'ASAN_OPTIONS': 'verify_asan_link_order=0:detect_leaks=0'}
        self.set_clock()
        port = free_port()
        text = CONFIGURATION.format(folder=folder, build=build, port=port, hop=self.hub_port, format='log')
        self.edge = Edge(build, folder, 'posternd', '127.0.0.1', port, text.replace('connections_per_source', 'own_senders allow\n  connections_per_source') + OTHERS.format(port=self.others.port))

    def set_clock(self):
        with open(self.clock + '.new', 'w', encoding='ascii') as file:
            file.write(f'+{self.minutes * 60}\n')
        os.rename(self.clock + '.new', self.clock)

    def start(self):
        self.edge.start(env=self.environment)

    def die(self):
        self.edge.process.signal(signal.SIGKILL)
        wait_until(lambda: not self.edge.process.alive(), 'its end')
        self.edge.process.stop()
        self.start()

    def send(self, identity, recipient):
        body = f'{identity} of {self.minutes}\r\n'
        said = last_reply(self.edge.port, identity, body, recipient, sender='clerk@fabrikam.com')
        if not said.startswith('250'):
            raise Failed(f'{identity}: {said}')
        return hashlib.sha256(body.encode()).hexdigest()

    def later(self):
        """Five minutes on. Mail comes in all day: that wakes the daemon, whose timers know nothing of our clock."""
        self.minutes += 5
        self.set_clock()
        identity = f'other-{self.minutes}'
        self.send(identity, 'bob@fabrikam.com')
        wait_until(lambda: identity in self.others.taken, f'mail for another destination, at minute {self.minutes}', 10)
        # A day has time for this: senders are told one by one that their mail waits.
        told = -1
        while told != (told := self.edge.process.count('deferred:')):
            time.sleep(0.03)


def main():
    end_with_us()
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument('build')
    words.add_argument('--hours', type=int, default=24)
    words.add_argument('--messages', type=int, default=40)
    asked = words.parse_args()
    found = glob.glob('/usr/lib/*/faketime/libfaketimeMT.so.1')
    if not found:
        print('skipped: needs libfaketime')
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix='hub-down-') as folder:
        day = Day(os.path.abspath(asked.build), folder, found[0])
        down = Down(day.hub_port)
        day.start()
        for count in range(asked.messages):
            identity = f'late-{count}'
            day.ledger.acknowledged(identity, day.send(identity, 'bob@contoso.com'))
        tries = []
        for step in range(asked.hours * 12):
            before = down.tries
            day.later()
            tries.append(down.tries - before)
            if step == asked.hours * 4:
                day.die()
        down.close()
        hub = Sink(folder + '/taken', port=day.hub_port)
        steps = 0
        while day.ledger.held_against(hub)[0] and steps < 12:
            day.later()
            steps += 1
        lost, damaged, twice = day.ledger.held_against(hub)
        notices = sum(len(got) for name, got in day.others.taken.items() if not name.startswith('other-'))
        day.edge.stop()
        print(f'{asked.hours} hours down: {day.ledger.count()} acknowledged, {down.tries} tries, at most {max(tries[4:])} in five '
              f'minutes after the first twenty, {notices} notices; back: {hub.sessions_before} sessions up to the first message, '
              f'all there after {5 * steps} minutes, {len(lost)} lost, {len(damaged)} damaged, {twice} more than once')
        # 60 s four times, 10 min six times, then 30 min; the daemon that was killed asks anew, by each connection once.
        wanted = 10 + 2 * asked.hours
        if lost or damaged or twice:
            raise SystemExit(f'FAILED: lost {lost[:5]}, damaged {damaged[:5]}, {twice} more than once')
        if not wanted / 2 < down.tries < wanted + 30:
            raise SystemExit(f'FAILED: {down.tries} tries where the schedule has about {wanted}')
        if hub.sessions_before != 1:
            raise SystemExit(f'FAILED: {hub.sessions_before} sessions before it was known to be back')
        if notices != asked.messages:
            raise SystemExit(f'FAILED: {notices} notices of delay for {asked.messages} messages')
    print('ok: a day without the hub loses nothing')


main()
