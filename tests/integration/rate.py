#!/usr/bin/env python3
"""`rate` is kept for each destination, as the next hop counts it: never more messages than so many by so many seconds after
the first was given, however many connections there might be and whatever is warm. Who has no rate, and other destinations
of the same connector, go on unhindered."""
import os
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from kill_loop import CONFIGURATION
from lab.edge import Edge
from lab.ledger import send_one
from lab.process import end_with_us, free_port, wait_until
from lab.tls_hop import TlsHop

BUILD = os.path.abspath(sys.argv[1])
# Domain: messages a minute, how many at once as whole seconds have it, and in how many seconds.
PACED = {'slow.example': (30, 1, 2), 'also-slow.example': (30, 1, 2), 'brisk.example': (180, 3, 1)}


class Counting(TlsHop):
    """Notes when each message came."""

    def __init__(self, address, port):
        self.came = {}
        super().__init__(address, port)
        self.answers['DATA'] = self._count

    def _count(self, peer):
        recipient = next(line for line in reversed(peer.heard) if line.startswith('RCPT'))
        self.came.setdefault(recipient[recipient.index('@') + 1:recipient.index('>')], []).append(time.monotonic())
        peer.say('354 go on')
        self._take(peer, [recipient])

    def count(self, domain):
        return len(self.came.get(domain, ()))


def configuration(folder, port, hop):
    text = CONFIGURATION.format(folder=folder, build=BUILD, port=port, hop=hop, format='log')
    for name, domains, rate in (('Slow', ('slow.example', 'also-slow.example'), 30), ('Brisk', ('brisk.example',), 180)):
        text += f'''send_connector {name} {{
  smart_host 127.0.0.1
  port {hop}
  concurrency 8
  rate {rate}
  allow_destinations {{
    127.0.0.0/8
  }}
}}
'''
        for domain in domains:
            text += f'accepted_domain {domain} {{\n  recipients any\n  deliver {name}\n}}\n'
    return text


def check(what, holds, seen=''):
    if not holds:
        raise SystemExit(f'FAILED {what}: {seen}')
    print('ok: ' + what)


def within(domain, began, came):
    """A machine that is slow makes them later, never earlier: no time-out decides."""
    _, portion, seconds = PACED[domain]
    for number, at in enumerate(came):
        # The second in which the first one left had begun up to a second before.
        earliest = number // portion * seconds - 1
        if at - began < earliest:
            raise SystemExit(f'FAILED {domain}: message {number + 1} came after {at - began:.2f} s, not before {earliest} s; '
                             f'all: {[round(one - began, 2) for one in came]}')
    print(f'ok: {domain}: {len(came)} messages in {came[-1] - began:.1f} s, {PACED[domain][0]} a minute')


def fill(port, domain, count):
    for number in range(count):
        check(f'{domain} {number} is taken', send_one(port, f'{domain}-{number}', 'x\r\n', 'x@' + domain))


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='rate-') as folder:
        port, hop_port = free_port(), free_port()
        hop = Counting('127.0.0.1', hop_port)
        edge = Edge(BUILD, folder, 'posternd', '127.0.0.1', port, configuration(folder, port, hop_port)).start()
        try:
            began = time.monotonic()
            many = {'slow.example': 40, 'also-slow.example': 20, 'brisk.example': 60}
            threads = [threading.Thread(target=fill, args=(port, *one)) for one in many.items()]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
            fill(port, 'contoso.com', 50)
            wait_until(lambda: hop.count('contoso.com') == 50, 'mail without a rate to go')
            check('mail without a rate does not wait for what has one', hop.count('slow.example') < 40, hop.came)
            wait_until(lambda: hop.count('slow.example') >= 5 and hop.count('also-slow.example') >= 5, 'the slow ones to go on', 60)
            wait_until(lambda: hop.count('brisk.example') >= 21, 'the brisk one to go on', 60)
            check('what is paced is no failure', not any('deferred:' in line for line in edge.process.lines))
            check('and waits with its time', 'slow.example' in edge.postern('queue', 'list').stdout)
            for domain in PACED:
                within(domain, began, hop.came[domain][:])
            edge.configure(edge.text.replace('  rate 30\n', '').replace('  rate 180\n', ''))
            edge.reload()
            wait_until(lambda: all(hop.count(domain) == count for domain, count in many.items()), 'the rest to go without a rate')
            wait_until(lambda: len(hop.taken()) >= 50 + sum(many.values()), 'all to be taken')
            check('each once', len({one[1] for one in hop.taken()}) == len(hop.taken()) == 50 + sum(many.values()), len(hop.taken()))
        except BaseException:
            print('\n'.join(edge.process.lines[-30:]))
            raise
        edge.stop()


main()
