#!/usr/bin/env python3
"""Connections stay warm between bursts: several messages a connection, one destination domain each, a RSET before it is used
again; they end at a reload, at shutdown and when the peer goes, and nobody's mail is deferred for that. Counted at the next
hop, session by session."""
import os
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from kill_loop import CONFIGURATION
from lab.edge import Edge
from lab.hostile import Hostile
from lab.ledger import send_one
from lab.process import end_with_us, free_port, wait_until

BUILD = os.path.abspath(sys.argv[1])
OPEN = threading.Event()  # while it is not set the hop answers no MAIL
OPEN.set()


def hop(peer):
    peer.greet('PIPELINING', 'SIZE')
    while True:
        verb = peer.hear()
        if verb.startswith('MAIL'):
            OPEN.wait()
        if verb == 'DATA':
            peer.say('354 go on')
            peer.hear_data()
        peer.say('221 2.0.0 bye' if verb == 'QUIT' else '250 2.0.0 ok')
        if verb == 'QUIT':
            return


class Warm:
    def __init__(self, folder):
        self.port, self.hop_port = free_port(), free_port()
        self.hop = Hostile('127.0.0.1', self.hop_port, hop)
        self.text = CONFIGURATION.format(folder=folder, build=BUILD, port=self.port, hop=self.hop_port, format='log').replace(
            '  concurrency 4\n', '  concurrency 4\n  keep_idle 10min\n') + '''accepted_domain fabrikam.com {
  recipients any
  deliver Hub
}
'''
        self.edge = Edge(BUILD, folder, 'posternd', '127.0.0.1', self.port, self.text).start()
        self.sent = 0

    def delivered(self):
        return sum('delivered:' in line for line in self.edge.process.lines)

    def send(self, domain='contoso.com'):
        """One message, and waits until it has gone."""
        self.sent += 1
        check(f'message {self.sent} is taken', send_one(self.port, f's{self.sent}', 'x\r\n', 'bob@' + domain))
        wait_until(lambda: self.delivered() == self.sent, f'message {self.sent} to be delivered')

    def sessions(self):
        return [one.heard for one in self.hop.connections]


def check(what, holds, seen=''):
    if not holds:
        raise SystemExit(f'FAILED {what}: {seen}')
    print('ok: ' + what)


def verbs(session):
    return [line.split(':')[0].split(' ')[0] for line in session if line.split(' ')[0] in ('MAIL', 'RSET', 'QUIT')]


def reused(world):
    world.send()
    world.send()
    time.sleep(1.2)  # a second is what the connection is believed in for
    world.send()
    said = [verbs(one) for one in world.sessions()]
    check('three bursts, one connection, a RSET behind the pause',
          len(said) == 1 and said[0].count('MAIL') == 3 and said[0][-2:] == ['RSET', 'MAIL'], world.sessions())
    world.send('fabrikam.com')
    check('another recipient domain has a connection of its own', [verbs(one) for one in world.sessions()][1:] == [['MAIL']],
          world.sessions())


def ended_by_reload(world):
    world.edge.reload()
    wait_until(lambda: all(verbs(one)[-1] == 'QUIT' for one in world.sessions()), 'the old connections to end')
    world.send()
    check('a reload ends what stands idle', len(world.sessions()) == 3, world.sessions())


def ended_by_peer(world):
    world.hop.connections[-1].socket.shutdown(2)
    world.send()
    check('a peer that closed is replaced', len(world.sessions()) == 4, world.sessions())
    check('and nobody waits for it', not any('deferred:' in line for line in world.edge.process.lines))


def ended_unasked(world):
    world.hop.connections[-1].say('421 4.4.2 idle for too long')
    wait_until(lambda: verbs(world.sessions()[-1])[-1] == 'QUIT', 'the connection to end')
    world.send()
    check('421 while it stands idle ends it, and no mail is deferred', len(world.sessions()) == 5 and
          not any('deferred:' in line for line in world.edge.process.lines), world.sessions())


def bounded(world):
    """A dozen at once: as many connections as `concurrency` says, and batches over them."""
    world.edge.reload()
    wait_until(lambda: verbs(world.sessions()[-1])[-1] == 'QUIT', 'the old connection to end')
    before = len(world.sessions())
    OPEN.clear()
    for _ in range(12):
        world.sent += 1
        check(f'message {world.sent} is taken', send_one(world.port, f's{world.sent}', 'x\r\n'))
    wait_until(lambda: sum('MAIL' in verbs(one) for one in world.sessions()[before:]) == 4, 'four connections')
    OPEN.set()
    wait_until(lambda: world.delivered() == world.sent, 'all to be delivered')
    check('no more than four connections, several messages each', len(world.sessions()) - before == 4,
          world.sessions()[before:])


def not_kept(world):
    world.edge.configure(world.text.replace('keep_idle 10min', 'keep_idle 0s'))
    world.edge.reload()
    before = len(world.sessions())
    for _ in range(2):
        world.send()
    wait_until(lambda: [verbs(one) for one in world.sessions()[before:]] == [['MAIL', 'QUIT']] * 2, 'both to have ended')
    print('ok: keep_idle 0s keeps none')


def ended_by_shutdown(world):
    world.edge.configure(world.text)
    world.edge.reload()
    world.send()
    world.edge.stop()
    check('SIGTERM does not wait for idle connections', verbs(world.sessions()[-1]) == ['MAIL', 'QUIT'], world.sessions()[-1])


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='warm-') as folder:
        world = Warm(folder)
        try:
            for scenario in (reused, ended_by_reload, ended_by_peer, ended_unasked, bounded, not_kept, ended_by_shutdown):
                scenario(world)
        except BaseException:
            print('\n'.join(world.edge.process.lines[-30:]))
            raise


main()
