#!/usr/bin/env python3
"""A next hop that takes its time with each message gets as many connections as `concurrency` allows, and no more: what waits
is not left to those that are at work already."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from kill_loop import CONFIGURATION
from lab.edge import Edge
from lab.expect import check
from lab.ledger import send_one
from lab.process import end_with_us, free_port, wait_until
from lab.tls_hop import TlsHop

BUILD = os.path.abspath(sys.argv[1])
ALLOWED, MESSAGES = 4, 7


def fill(port, numbers):
    for number in numbers:
        check(f'{number} is taken', str(send_one(port, f'm{number}', 'x\r\n')), 'True')


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='slow-hop-') as folder:
        port, hop_port = free_port(), free_port()
        hop = TlsHop('127.0.0.1', hop_port)
        hop.may_take.clear()
        edge = Edge(BUILD, folder, 'posternd', '127.0.0.1', port,
                    CONFIGURATION.format(folder=folder, build=BUILD, port=port, hop=hop_port, format='log')).start()
        try:
            fill(port, range(ALLOWED))
            wait_until(lambda: sum(one.waiting for one in hop.connections) == ALLOWED, f'{ALLOWED} messages to be there at once', 60)
            check('connections', f'{len(hop.connections)} of {ALLOWED}', '4 of 4')
            fill(port, range(ALLOWED, MESSAGES))
            hop.may_take.set()
            wait_until(lambda: len(hop.taken()) == MESSAGES, 'all to be taken', 60)
            check('each once', f'{len({one[1] for one in hop.taken()})} of {MESSAGES}', '7 of 7')
            check('never more connections', f'{len(hop.connections)} of {ALLOWED}', '4 of 4')
        except BaseException:
            print('\n'.join(edge.process.lines[-30:]))
            raise
        edge.stop()


main()
