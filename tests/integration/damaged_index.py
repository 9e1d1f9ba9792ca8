#!/usr/bin/env python3
"""The queue's index is cut short behind the daemon's back (a copy that was broken off): reading it ends the process, since
it is read through a mapping. A start that ended so is counted, the third one makes the index anew from the log, says so,
and everything arrives. `damaged_index.py BUILD`."""
import hashlib
import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from kill_loop import CONFIGURATION, all_delivered
from lab.edge import Edge
from lab.ledger import Ledger, Sink, last_reply
from lab.process import Failed, end_with_us, free_port, wait_until

BUILD = os.path.abspath(sys.argv[1])


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='damaged-index-') as folder:
        sink = Sink(folder + '/taken', defers=b'@')
        ledger = Ledger(folder + '/acknowledged')
        port = free_port()
        edge = Edge(BUILD, folder, 'posternd', '127.0.0.1', port, CONFIGURATION.format(
            folder=folder, build=BUILD, port=port, hop=sink.port, format='log'))
        edge.start()
        for count in range(60):
            identity, body = f'm{count}', f'message {count}\r\n' * 20
            if not last_reply(port, identity, body).startswith('250'):
                raise Failed(f'{identity} was not taken')
            ledger.acknowledged(identity, hashlib.sha256(body.encode()).hexdigest())
        edge.stop()  # writes the index
        data = folder + '/spool/index/data.mdb'
        os.truncate(data, 8192)
        ended = 0
        while ended < 5:
            try:
                edge.start()
                break
            except Failed:
                ended += 1
                edge.process.signal(signal.SIGKILL)
                wait_until(lambda: not edge.process.alive(), 'its end')
                edge.process.stop()
        told = [line for line in edge.process.lines if 'spool-damaged' in line]
        sink.defers = None
        all_delivered(edge, 0)
        edge.stop()
        lost, damaged, _ = ledger.held_against(sink)
        print(f'{ended} starts ended, then: {told}; {ledger.count()} acknowledged, {len(lost)} lost')
        if lost or damaged or ended > 2 or len(told) != 1:
            raise SystemExit('FAILED')
        if os.path.exists(folder + '/spool/index.reading'):
            raise SystemExit('FAILED: a start in order leaves its count behind')
    print('ok: a damaged index costs two starts and no mail')


main()
