#!/usr/bin/env python3
"""postern queue and postern trace, with the daemon and without it: the same messages, the same words, the same JSON; what an
administrator does holds over a restart. Both spool formats, and moving from one to the other."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from kill_loop import CONFIGURATION
from lab.edge import Edge
from lab.ledger import Sink, send_one
from lab.process import end_with_us, free_port, wait_until

BUILD = os.path.abspath(sys.argv[1])


def check(what, holds, seen=''):
    if not holds:
        raise SystemExit(f'FAILED {what}: {seen}')
    print('ok: ' + what)


def listed(edge, *words):
    done = edge.postern('queue', 'list', '--json', *words)
    return json.loads(done.stdout)


def do(edge, status, *words):
    done = edge.postern(*words)
    if done.returncode != status:
        raise SystemExit(f'FAILED: {" ".join(words)} gave {done.returncode}, not {status}: {done.stdout}{done.stderr}')
    return done.stdout + done.stderr


def the_same_words(edge, ids):
    """Whatever answers: the daemon or the command itself."""
    check('list shows all of them', [one['id'] for one in listed(edge)] == ids, listed(edge))
    check('by domain', len(listed(edge, '--domain', 'contoso.com')) == len(ids) and not listed(edge, '--domain', 'x.example'))
    check('by sender', len(listed(edge, '--sender', '@example.org')) == len(ids) and not listed(edge, '--sender', '<>'))
    check('by age', not listed(edge, '--older', '1h') and len(listed(edge, '--younger', '1h')) == len(ids))
    check('a bounded list says that there is more', '--limit' in do(edge, 0, 'queue', 'list', '--limit', '1'))
    shown = do(edge, 0, 'queue', 'show', ids[0], '--body')
    check('show gives envelope and message', 'bob0@contoso.com' in shown and 'Subject: s0' in shown and 'the body' in shown, shown)
    check('trace finds by recipient', ids[1] in do(edge, 0, 'trace', 'bob1@contoso.com'))
    check('trace finds by id', ids[1] in do(edge, 0, 'trace', ids[1]))
    traced = json.loads(do(edge, 0, 'trace', ids[1], '--json'))
    check('with what the log says of it', [one['id'] for one in traced['waiting']] == [ids[1]] and
          any('queued:' in line for line in traced['log']) and all(ids[1] in line for line in traced['log']), traced)
    check('by reason', len(listed(edge, '--reason', 'refused')) >= 1 and not listed(edge, '--reason', 'no such words'))
    check('whatever the case', listed(edge, '--domain', 'CONTOSO.com') and listed(edge, '--sender', '<load@Example.ORG>') and
          listed(edge, ids[0].lower()))
    bounded = edge.postern('queue', 'list', '--json', '--limit', '1')
    check('a bounded list is bounded as JSON, too, and says so', len(json.loads(bounded.stdout)) == 1 and '--limit' in bounded.stderr)
    check('in pieces', [one['id'] for one in listed(edge, '--after', ids[0])] == ids[1:])
    check('trace finds by Message-ID', 'queued:' in do(edge, 0, 'trace', '<m1@example.org>'))
    check('by several at once', [one['id'] for one in listed(edge, ids[0], ids[1], '--sender', 'load@example.org', '--domain',
                                                             'contoso.com', '--younger', '1h')] == ids[:2])
    shown = json.loads(do(edge, 0, 'queue', 'show', ids[0], '--json'))
    check('show as JSON', shown[0]['id'] == ids[0] and shown[0]['recipients'][0]['address'] == 'bob0@contoso.com', shown)
    do(edge, 1, 'trace', 'nobody@contoso.com')
    do(edge, 1, 'queue', 'show', '0' * 18)
    do(edge, 2, 'queue', 'list', '--older', 'long')
    do(edge, 2, 'queue', 'remove')
    do(edge, 2, 'queue', 'explode')


def change(edge, ids):
    do(edge, 0, 'queue', 'hold', ids[0])
    do(edge, 1, 'queue', 'hold', ids[0])
    check('held ones are found', [one['id'] for one in listed(edge, '--held')] == [ids[0]])
    do(edge, 1, 'queue', 'retry', ids[0])
    said = do(edge, 1, 'queue', 'hold', ids[2], '0' * 18)
    check('of several ids those that are not there are told', f'{ids[2]} is held' in said and '0' * 18 + ' is not in the queue' in said, said)
    do(edge, 0, 'queue', 'release', ids[2])
    done = json.loads(do(edge, 0, 'queue', 'remove', ids[1], '--json'))
    check('what was done as JSON', done == [{'id': ids[1], 'done': True, 'why_not': ''}], done)
    check('trace finds what became of one that is gone', 'removed:' in do(edge, 0, 'trace', ids[1]))
    check('by its Message-ID, too', 'removed:' in do(edge, 0, 'trace', 'm1@example.org'))
    check('what is removed is gone', [one['id'] for one in listed(edge)] == [ids[0], *ids[2:]], listed(edge))


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='queue-commands-') as folder:
        port, hop = free_port(), free_port()
        text = CONFIGURATION.format(folder=folder, build=BUILD, port=port, hop=hop, format='log')
        text += f'log_file {folder}/events\n'
        edge = Edge(BUILD, folder, 'posternd', '127.0.0.1', port, text).start()
        for number in range(5):
            check(f'message {number} is taken', send_one(port, f's{number}\r\nMessage-ID: <m{number}@example.org>', 'the body\r\n', f'bob{number}@contoso.com'))
        ids = [one['id'] for one in listed(edge)]
        wait_until(lambda: all(one['state'] == 'waiting' for one in listed(edge)) and
                   json.loads(do(edge, 0, 'queue', 'destinations', '--json'))[0]['put_off_until'], 'the dead hop to be put off')
        destination = json.loads(do(edge, 0, 'queue', 'destinations', '--json'))[0]
        check('destinations say why one is put off', destination['waiting'] == 5 and 'refused' in destination['why'], destination)
        the_same_words(edge, ids)
        change(edge, ids)
        edge.stop()

        left = [ids[0], *ids[2:]]
        check('the log is found without the daemon, too', 'removed:' in do(edge, 0, 'trace', ids[1]))
        check('without the daemon the same is listed', [one['id'] for one in listed(edge)] == left, listed(edge))
        check('what was held is held', [one['id'] for one in listed(edge, '--held')] == [ids[0]])
        do(edge, 0, 'queue', 'hold', ids[2])
        do(edge, 0, 'queue', 'release', ids[0])
        check('moved to the other format', '4 messages moved' in do(edge, 0, 'queue', 'convert', 'files'))
        done = edge.postern('queue', 'list')
        check('the other format is refused, with the remedy', done.returncode == 75 and 'postern queue convert' in done.stderr, done)
        edge.configure(text.replace('spool_format log', 'spool_format files'))
        check('and lists the same', [one['id'] for one in listed(edge)] == left, listed(edge))
        check('moved back', '4 messages moved' in do(edge, 0, 'queue', 'convert', 'log'))
        edge.configure(text)

        # Whichever of them was tried last: the daemon that starts next knows that all are due.
        do(edge, 0, 'queue', 'retry', ids[0], *ids[3:])
        sink = Sink(folder + '/taken', hop)
        edge.start()
        check('one spool, one process', edge.postern('queue', 'convert', 'files').returncode == 75)
        wait_until(lambda: len(sink.taken) == 3, 'the three that are not held to arrive')
        do(edge, 0, 'queue', 'release', '--held')
        wait_until(lambda: len(sink.taken) == 4, 'the held one to arrive')
        check('each arrived once', sorted(sink.taken) == ['s0', 's2', 's3', 's4'] and
              all(len(got) == 1 for got in sink.taken.values()), sink.taken)
        wait_until(lambda: not listed(edge), 'the queue to be empty')
        check('trace finds where a delivered one went', 'delivered:' in do(edge, 0, 'trace', ids[2]) and
              ids[2] in do(edge, 0, 'trace', 'bob2@contoso.com'))
        edge.stop()

        edge.start()
        sink.close()
        check('another is taken', send_one(port, 'unwanted', 'x\r\n'))
        wait_until(lambda: listed(edge) and listed(edge)[0]['state'] == 'waiting', 'it to wait')
        unwanted = listed(edge)[0]['id']
        do(edge, 0, 'queue', 'bounce', unwanted)
        back = listed(edge)
        check('a bounced one goes back to its sender', len(back) == 1 and back[0]['sender'] == '' and
              back[0]['recipients'][0]['address'] == 'load@example.org', back)
        check('trace leads from it to its notice, and back', back[0]['id'] in do(edge, 0, 'trace', unwanted) and
              unwanted in do(edge, 0, 'trace', back[0]['id']))
        several(edge, port)
        edge.stop()


def several(edge, port):
    """Many at once, as xargs -P would."""
    for number in range(12):
        check(f'message {number} of many is taken', send_one(port, f'many{number}', 'x\r\n'))
    wanted = [one['id'] for one in listed(edge, '--domain', 'contoso.com')]
    wait_until(lambda: all(one['state'] == 'waiting' for one in listed(edge, *wanted)), 'all of them to wait')
    bouncing = [subprocess.Popen(edge.command('queue', 'bounce', one), stdout=subprocess.DEVNULL) for one in wanted]
    check('many bounces at once all end', [one.wait(100) for one in bouncing] == [0] * 12)
    check('and all went back', len(listed(edge, '--sender', '<>')) >= 12)


main()
