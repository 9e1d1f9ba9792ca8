#!/usr/bin/env python3
"""Thousands of idle and dripping connections from one address: at the default limits all but twenty get 421; where an
operator raised the limits they are held, for less than 64 MiB. Another client is served all the while, and nothing is left
behind by those who leave. `idle_crowd.py BUILD [--connections 10000]`."""
import argparse
import os
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.crowd import Measured, connected, line, raise_descriptors, sanitized
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World

MOST, SOURCE, RECIPIENT = 64, '127.0.4.1', 'bob@contoso.com'
RAISED = '  connections 60000\n  connections_per_source 60000\n'


def served(world, subject, source='127.0.3.1'):
    """One message of another client's, from connection to 250: seconds."""
    began = time.monotonic()
    with Sender(world.contoso, source=source) as sender:
        sender.sendmail('x@example.org', RECIPIENT, message('x@example.org', RECIPIENT, subject))
    took = time.monotonic() - began
    world.contoso.arrived(RECIPIENT, subject)
    return took


def refused(world, count):
    """At the default limits."""
    measured = Measured(world.contoso.process.pid)
    before, descriptors = measured.memory(), measured.descriptors()
    crowd = connected(world.contoso, count, SOURCE)
    took = served(world, 'beside the refused')
    first = [line(one)[:9] for one in crowd]
    check('who was greeted', str(sum(one[:3] == '220' for one in first)), '20')
    check('who was told why not', str(sum(one == '421 mail1' for one in first)), str(count - 20))
    check('and why', world.contoso.process.wait_for('session-refused'), '4.7.0 too many connections from your address')
    grown = measured.memory() - before
    for one in crowd:
        one.close()
    measured.let_go(descriptors)
    print(f'ok: {count} connections from one address, 20 kept: another client served in {took * 1000:.0f} ms, memory '
          f'+{grown:.1f} MiB')
    return grown


def drip(crowd, over):
    """An octet each, again and again: a command that never ends."""
    while not over.is_set():
        for one in crowd:
            if over.is_set():
                return
            one.send(b'x')


def held(world, count, what):
    """With the limits out of the way: half of them idle, half dripping."""
    measured = Measured(world.contoso.process.pid)
    before, descriptors = measured.memory(), measured.descriptors()
    crowd = connected(world.contoso, count, SOURCE)
    check('all are greeted', str(sum(line(one)[:3] == '220' for one in crowd)), str(count))
    over = threading.Event()
    dripping = threading.Thread(target=drip, args=(crowd[::2], over))
    dripping.start()
    try:
        took = max(served(world, f'{what} {number}') for number in range(3))
    finally:
        over.set()
        dripping.join()
    grown = measured.memory() - before
    if measured.descriptors() < count:
        raise SystemExit(f'FAILED: of {count} only {measured.descriptors()} are held')
    for one in crowd:
        one.close()
    measured.let_go(descriptors)
    print(f'ok: {count} connections held, half of them dripping: another client served in {took * 1000:.0f} ms at the '
          f'most, memory +{grown:.1f} MiB')
    return grown


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument('build')
    words.add_argument('--connections', type=int, default=10000)
    asked = words.parse_args()
    count = min(asked.connections, raise_descriptors(asked.connections + 1000) - 500)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = World(asked.build, folder)
        edge = world.contoso.start()
        served(world, 'the first')
        grown = [refused(world, count)]
        edge.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, receive=RAISED))
        edge.reload()
        grown += [held(world, count, 'held'), held(world, count, 'held again')]
        if not sanitized(asked.build):  # what a sanitizer notes down is no growth of ours
            if max(grown) > MOST:
                raise SystemExit(f'FAILED: memory grew by more than {MOST} MiB')
            # What the second crowd takes was the first one's: nothing of that one is left.
            if grown[2] > MOST / 8:
                raise SystemExit('FAILED: the first crowd left memory behind')
        edge.stop()


main()
