#!/usr/bin/env python3
"""`postern config show` prints what is understood so that it loads again, and no secret; `config diff` says what a reload would
change in the running daemon, what only a restart takes up (as the daemon itself says then), and nothing once it is taken."""
import json
import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import Failed, write

RESTART = ['spool', 'state', 'workers', 'resolver']


def run(edge, what, status, *words, wanted=()):
    done = edge.postern('config', *words)
    check(what, f'{done.returncode} {done.stdout}{done.stderr}', f'{status} ', *wanted)
    return done.stdout


def shown(world):
    edge = world.contoso
    text = run(edge, 'show', 0, 'show', wanted=['workers 0  ; default', f'fqdn mail1.contoso.com  ; {edge.conf}:1',
                                                'message_size 36M  ; default'])
    again = write(world.folder + '/again/postern.conf', text)
    run(edge, 'what is shown loads again', 0, 'check', again)
    run(edge, 'and means the same', 0, 'diff', edge.conf, again, wanted=['no difference'])
    changed = run(edge, 'show --changed', 0, 'show', '--changed', wanted=['revocation off', 'quick 1s'])
    if 'default' in changed or 'drain_time' in changed:
        raise Failed('a default is among what was changed:\n' + changed)
    told = json.loads(run(edge, 'show --json', 0, 'show', '--json'))
    off = next(one for one in told if one['key'] == 'revocation')
    line = edge.text.split('\n').index('  revocation off') + 1
    wanted = {'blocks': ['partner woodgrovebank.com'], 'value': 'off', 'changed': True, 'file': edge.conf, 'line': line}
    assert wanted.items() <= off.items(), off
    broken = write(world.folder + '/broken.conf', edge.text.replace('fqdn', 'fqnd', 1))
    run(edge, 'a broken one', 78, 'show', broken, wanted=['broken.conf:1: fqnd: is not a key'])
    run(edge, 'usage', 2, 'show', '--chnaged', wanted=['usage: postern config'])
    run(edge, 'usage', 2, 'diff', 'a', 'b', 'c', wanted=['usage: postern config'])


def compared(world):
    edge = world.contoso
    run(edge, 'no daemon', 69, 'diff', wanted=['no daemon answers on'])
    edge.start()
    run(edge, 'what runs is what stands there', 0, 'diff', wanted=['no difference'])
    first = edge.text
    folder = f'{world.folder}/{CONTOSO[0]}'
    second = first.replace('quick 1s', 'quick 2s').replace('dnssec off', 'dnssec log')
    second = second.replace('tls_send_domain_secure_list {', 'tls_send_domain_secure_list {\n  fabrikam.com')
    second = second.replace(f'spool {folder}/spool', f'spool {folder}/other').replace(f'state {folder}/state',
                                                                                      f'state {folder}/elsewhere')
    edge.configure(second + 'workers 3\n')
    wanted = ['~ send_connector Internet.retry.quick: 1s (', ') -> 2s (', '+ tls_send_domain_secure_list: fabrikam.com  (',
              '~ workers: 0 (default) -> 3 (', '~ resolver.dnssec: off (', '  [restart]', '6 differences; what is marked']
    text = run(edge, 'what a reload would change', 1, 'diff', wanted=wanted)
    edge.configure(first)
    run(edge, 'of another file', 1, 'diff', write(world.folder + '/next.conf', second + 'workers 3\n'), wanted=wanted[2:])
    edge.configure(second + 'workers 3\n')
    told = json.loads(run(edge, 'as JSON', 1, 'diff', '--json'))
    late = sorted({one['path'].split('.')[0] for one in told if one['restart']})
    since = edge.process.mark()
    edge.process.signal(signal.SIGHUP)
    edge.process.wait_for('reloaded:', since)
    for key in RESTART:
        edge.process.wait_for(f'{key}: changed: taken up by a restart', since)
    said = sorted({line.split(': changed: taken up')[0].rsplit(' ', 1)[1] for line in edge.process.lines[since:]
                   if ': changed: taken up by a restart' in line})
    if late != said or late != sorted(RESTART) or text.count('[restart]') != len(RESTART) + 1:
        raise Failed(f'diff says {late}, the daemon {said}')
    print(f'ok: the daemon says the same of {", ".join(said)}')
    left = run(edge, 'the rest waits for a restart', 1, 'diff', wanted=['~ workers: 0 (default) -> 3 ('])
    if left.count('[restart]') != len(RESTART) + 1 or 'retry.quick' in left:
        raise Failed('not only what a restart takes up is left:\n' + left)
    edge.stop()
    edge.start()
    run(edge, 'taken', 0, 'diff', wanted=['no difference'])
    edge.configure(edge.text.replace('fqdn', 'fqnd', 1))
    run(edge, 'a broken one changes nothing', 78, 'diff', wanted=['postern.conf:1: fqnd: is not a key'])
    edge.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(sys.argv[1], folder)
        shown(world)
        compared(world)


main()
