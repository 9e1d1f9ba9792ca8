#!/usr/bin/env python3
"""The index of the log can be neither written nor read (strace makes every write to it fail, and every attempt to open it
anew) while messages that only it knows are delivered, in whole or for some recipients. What is known is delivered and
recorded; what would have to be looked up waits, and the log says for how long and why; new mail is taken. When the index
is there again, or the daemon was killed meanwhile, everything arrives, for each recipient once. Skipped without strace."""
import collections
import os
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from kill_loop import CONFIGURATION
from lab.edge import Edge
from lab.expect import check
from lab.process import Process, end_with_us, free_port, wait_until
from lab.tls_hop import TlsHop

SKIPPED = 77
BUILD = os.path.abspath(sys.argv[1])
LATER = 'later@fabrikam.com'
# A destination each, so that all are under way at once.
OWN = ('contoso.com', 'one.example', 'two.example', 'three.example')


class World:
    def __init__(self, folder):
        os.makedirs(folder)
        self.folder, self.port, hop_port = folder, free_port(), free_port()
        self.hop = TlsHop('127.0.0.1', hop_port)
        text = CONFIGURATION.format(folder=folder, build=BUILD, port=self.port, hop=hop_port, format='log')
        for domain in ('fabrikam.com', 'woodgrovebank.com', *OWN[1:]):
            text += f'accepted_domain {domain} {{\n  recipients any\n  deliver Hub\n}}\n'
        self.edge = Edge(BUILD, folder, 'posternd', '127.0.0.1', self.port, text)
        self.wanted = collections.Counter()
        self.strace = None

    def send(self, subject, *recipients, size=100):
        with smtplib.SMTP('127.0.0.1', self.port, 'sender.example.org', 60) as smtp:
            smtp.sendmail('load@example.org', recipients, f'Subject: {subject}\r\n\r\n' + 'all of it is here\r\n' * (size // 19))
        self.wanted.update((subject, recipient) for recipient in recipients)

    def came(self):
        return collections.Counter((subject, one) for recipients, subject in self.hop.taken() for one in recipients)

    def under_way(self, count):
        wait_until(lambda: sum(one.waiting for one in self.hop.connections) == count, f'{count} under way')

    def lose_index(self):
        index = self.edge.folder + '/spool/index/'
        self.strace = Process('strace', ['strace', '-f', '-o', self.folder + '/trace', '-P', index + 'data.mdb', '-P', index + 'lock.mdb',
                                         '-e', 'trace=pwrite64,pwritev,writev,fdatasync,open,openat',
                                         '-e', 'inject=pwrite64,pwritev,writev,fdatasync:error=EIO',
                                         '-e', 'inject=open,openat:error=EMFILE', '-p', str(self.edge.process.pid)],
                              self.folder + '/strace')
        self.strace.wait_for('attached')
        since = self.edge.process.mark()
        self.send('unseen', LATER)  # something that the index is to be told
        check('the log says so', self.edge.process.wait_for('spool-failing', since), 'index/data.mdb', 'mail goes on')
        wait_until(lambda: 'cannot read the index' in self.edge.postern('queue', 'list').stderr, 'the index to be out of reach')

    def give_back(self):
        self.strace.signal(signal.SIGINT)
        wait_until(lambda: not self.strace.alive(), 'strace to let go')
        with open(self.folder + '/trace', encoding='utf-8', errors='replace') as file:
            check('what could not be opened', file.read(), 'EMFILE (Too many open files) (INJECTED)')

    def kill(self):
        self.edge.process.signal(signal.SIGKILL)
        wait_until(lambda: not self.edge.process.alive(), 'its end')
        self.edge.process.stop()

    def everything_once(self, what):
        """All that was acknowledged is there for all its recipients, once; what is delivered is gone from the queue."""
        self.hop.deferred = ()
        def empty():
            self.edge.postern('queue', 'retry', '--all')
            return 'queued 0\n' in self.edge.postern('status').stdout
        wait_until(empty, f'{what}: the queue to run empty', 60)
        came = self.came()
        check(f'{what}: nothing is lost', str(sorted(self.wanted - came)), '[]')
        check(f'{what}: nothing comes twice', str(sorted(came - self.wanted)), '[]')


def delivered_meanwhile(world):
    """Known to the index alone when it fails: two under way for one of their recipients, one under way for all, one in a file
    of its own, and one that waits."""
    world.hop.deferred = ('@',)
    world.edge.start()
    world.send('half', 'bob@contoso.com', LATER)
    world.send('half, large', 'bob@one.example', LATER, size=90000)
    world.send('whole', 'bob@two.example')
    world.send('whole, large', 'bob@three.example', size=90000)
    world.send('waits', 'eve@woodgrovebank.com')
    wait_until(lambda: world.edge.process.count('deferred:') >= 7, 'all of them to have been tried')
    world.edge.stop()  # it tells the index
    world.edge.start()
    world.hop.may_take.clear()
    world.hop.deferred = ('later@',)
    for domain in OWN:
        world.edge.postern('queue', 'retry', '--domain', domain)
    world.under_way(4)
    world.lose_index()
    since = world.edge.process.mark()
    world.hop.may_take.set()
    wait_until(lambda: world.edge.process.count('delivered:', since) == 4, 'the four to be delivered')
    check('what waits is not tried', str(world.hop.taken('waits')), '[]')
    world.edge.process.signal(signal.SIGHUP)  # all is due
    # Where memory does not happen to know it, it waits, and the log says why.
    wait_until(lambda: world.edge.process.count('tried again in 30 s', since) or world.hop.taken('waits'), 'what waits to be looked at')
    for line in world.edge.process.lines[since:]:
        if 'tried again in 30 s' in line:
            check('what has to be looked up waits', line, 'spool-failing', 'index')
    world.send('new', 'bob@contoso.com')
    wait_until(lambda: world.hop.taken('new'), 'new mail to be delivered')
    told = world.edge.postern('queue', 'list', '--domain', 'woodgrovebank.com')
    check('the command does not say that nothing waits', told.stderr, 'cannot', 'index')
    check('and ends so', str(told.returncode != 0), 'True')


def it_comes_back(world):
    delivered_meanwhile(world)
    world.give_back()
    since = world.edge.process.mark()
    wait_until(lambda: world.edge.postern('queue', 'list').returncode == 0, 'the index to be back')
    world.edge.reload()  # no need to wait for the thirty seconds
    wait_until(lambda: world.hop.taken('waits'), 'what waited to go by itself')
    listed = world.edge.postern('queue', 'list').stdout
    check('the halves wait for the rest alone', str(listed.count(f'to <{LATER}>')) + str(listed.count('bob@')), '30')
    check('nothing is set aside', str(world.edge.process.count('spool-damaged', since)), '0')
    world.kill()
    world.edge.start()
    listed = world.edge.postern('queue', 'list').stdout
    check('also after kill -9', str(listed.count(f'to <{LATER}>')) + str(listed.count('bob@')), '30')
    world.everything_once('it came back')
    world.edge.stop()


def killed_meanwhile(world):
    delivered_meanwhile(world)
    world.kill()
    wait_until(lambda: not world.strace.alive(), 'strace to end')
    world.edge.start()
    world.everything_once('killed meanwhile')
    world.edge.stop()


def stopped_meanwhile(world):
    delivered_meanwhile(world)
    world.edge.stop()
    wait_until(lambda: not world.strace.alive(), 'strace to end')
    world.edge.start()
    world.everything_once('stopped meanwhile')
    world.edge.stop()


def main():
    end_with_us()
    if not shutil.which('strace') or subprocess.run(['strace', '-qq', '-e', 'trace=none', 'true'], check=False).returncode != 0:
        print('skipped: strace is missing, or may not trace here')
        sys.exit(SKIPPED)
    os.environ['ASAN_OPTIONS'] = 'detect_leaks=0'  # not under ptrace
    with tempfile.TemporaryDirectory(prefix='index-unread-') as folder:
        for scenario in (it_comes_back, killed_meanwhile, stopped_meanwhile):
            world = World(f'{folder}/{scenario.__name__}')
            try:
                scenario(world)
            except BaseException:
                print('\n'.join(world.edge.process.lines[-40:]))
                print([(one.heard, one.taken) for one in world.hop.connections[-8:]])
                raise


main()
