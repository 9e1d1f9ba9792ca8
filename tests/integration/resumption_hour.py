#!/usr/bin/env python3
"""The keys of session tickets live an hour, in the running daemon: its clocks are moved on (libfaketime). Within the hour a
ticket resumes; when the hour of its key is over it does not, however young it is, and the client makes a whole handshake;
what is given from then on is good again. Skipped without libfaketime."""
import glob
import os
import signal
import smtplib
import ssl
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import context_for
from lab.expect import check
from lab.partners import World
from lab.process import Process, accepts, end_with_us, wait_until

SKIPPED = 77


class Clock:
    def __init__(self, folder, library):
        self.path = folder + '/clock'
        self.environment = {**os.environ, 'LD_PRELOAD': library, 'FAKETIME_TIMESTAMP_FILE': self.path, 'FAKETIME_NO_CACHE': '1',
                            'ASAN_OPTIONS': 'verify_asan_link_order=0:detect_leaks=0'}
        self.at(0)

    def at(self, minutes):
        with open(self.path + '.new', 'w', encoding='ascii') as file:
            file.write(f'+{minutes * 60}\n')
        os.rename(self.path + '.new', self.path)


class Client:
    def __init__(self, edge, leaf, at_most):
        self.edge, self.context, self.session = edge, context_for(leaf, at_most), None

    def mail(self):
        with smtplib.SMTP(self.edge.address, self.edge.port, 'mail1.woodgrovebank.com', 60) as smtp:
            smtp.ehlo()
            smtp.docmd('STARTTLS')
            smtp.sock = self.context.wrap_socket(smtp.sock, session=self.session)
            smtp.file = None
            smtp.ehlo()
            code, text = smtp.docmd('MAIL FROM:<eve@woodgrovebank.com>')
            if smtp.sock.session.has_ticket:
                self.session = smtp.sock.session
            return f'{code} {text.decode()}' + (' resumed' if smtp.sock.session_reused else ' anew')


def an_hour(world, clock, name, at_most):
    """Each version in an hour of its own: the keys are its connector's."""
    def client():
        return Client(world.contoso, world.woodgrove_leaf, at_most)

    begun = clock.begun
    first = client()
    check(f'{name}: at first', first.mail(), '250 2.1.0', 'anew')
    check(f'{name}: then', first.mail(), '250 2.1.0', 'resumed')
    clock.at(begun + 50)
    check(f'{name}: fifty minutes later', first.mail(), '250 2.1.0', 'resumed')
    late = client()
    check(f'{name}: one that comes late', late.mail(), '250 2.1.0', 'anew')
    check(f'{name}: has a good ticket', late.mail(), '250 2.1.0', 'resumed')
    clock.at(begun + 61)
    check(f'{name}: its key has had its hour, it has not', late.mail(), '250 2.1.0', 'anew')
    check(f'{name}: nor has what was renewed under it', first.mail(), '250 2.1.0', 'anew')
    check(f'{name}: and then again', late.mail(), '250 2.1.0', 'resumed')
    clock.begun = begun + 122  # beyond the hour of the second key


def main():
    end_with_us()
    found = glob.glob('/usr/lib/*/faketime/libfaketimeMT.so.1')
    if not found:
        print('skipped: needs libfaketime')
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix='resumption-hour-') as folder:
        world, clock = World(sys.argv[1], folder), Clock(folder, found[0])
        clock.begun = 0
        edge = world.contoso
        edge.process = Process(edge.name, [edge.build + '/bin/posternd', '-c', edge.conf], edge.folder + '/log', env=clock.environment)
        # Its timed waits know nothing of our clock: the log's next line may wait for a later one.
        wait_until(lambda: accepts(edge.address, edge.port), 'the edge to listen')
        try:
            for name, at_most in (('TLS 1.3', None), ('TLS 1.2', ssl.TLSVersion.TLSv1_2)):
                clock.at(clock.begun)
                an_hour(world, clock, name, at_most)
        except BaseException:
            print('\n'.join(world.contoso.process.lines[-40:]))
            raise
        # Its timers know nothing of our clock: a farewell would take its time.
        world.contoso.process.signal(signal.SIGKILL)
        wait_until(lambda: not world.contoso.process.alive(), 'its end')


main()
