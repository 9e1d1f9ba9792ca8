#!/usr/bin/env python3
"""Who may look and who may change by the control socket: two groups, and nobody else. Needs root, to be somebody else."""
import grp
import json
import os
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from kill_loop import CONFIGURATION
from lab.edge import Edge
from lab.ledger import send_one
from lab.process import end_with_us, free_port, wait_until

NOBODY, FOREIGN = 65534, 65533
LOOK, CHANGE = (grp.getgrnam(name) for name in ('adm', 'staff'))


def ask(path, words, group, more=()):
    """What the daemon answers a process of that user and groups; None: it could not even connect."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setgroups(more)
        os.setgid(group)
        os.setuid(NOBODY)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(path)
                connection.sendall(json.dumps(words).encode() + b'\n')
                answer = connection.makefile().readline()
        except OSError:
            answer = 'null'
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        answer = json.loads(said.read())
    os.wait()
    return answer


def check(what, holds, seen=''):
    if not holds:
        raise SystemExit(f'FAILED {what}: {seen}')
    print('ok: ' + what)


def main():
    if os.getuid() != 0:
        print('skipped: it takes root to be somebody else')
        return
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='control-groups-') as folder:
        os.chmod(folder, 0o755)
        port, path = free_port(), folder + '/control'
        text = CONFIGURATION.format(folder=folder, build=os.path.abspath(sys.argv[1]), port=port, hop=free_port(), format='log')
        edge = Edge(os.path.abspath(sys.argv[1]), folder, 'posternd', '127.0.0.1', port, text).start()
        check('without groups only owner and group connect', ask(path, ['status'], FOREIGN) is None and os.stat(path).st_mode & 0o777 == 0o660)
        edge.stop()
        edge.configure(text + f'control_look_group {LOOK.gr_name}\ncontrol_change_group {CHANGE.gr_name}\n')
        edge.start()
        check('a message is taken', send_one(port, 's', 'x\r\n'))
        listed = json.loads(wait_until(lambda: edge.postern('queue', 'list', '--json').stdout, 'the list'))
        one = listed[0]['id']
        check('a stranger learns nothing', ask(path, ['queue', 'list'], FOREIGN)['status'] == 77)
        check('who may look, looks', one in ask(path, ['queue', 'list'], LOOK.gr_gid)['out'])
        check('by another of his groups, too', one in ask(path, ['trace', one], FOREIGN, [LOOK.gr_gid])['out'])
        check('and does not see mail', ask(path, ['queue', 'show', one, '--body'], LOOK.gr_gid)['status'] == 77)
        refused = ask(path, ['queue', 'remove', one], LOOK.gr_gid)
        check('nor changes anything', refused['status'] == 77 and 'control_change_group' in refused['err'], refused)
        check('who may change, does', ask(path, ['queue', 'hold', one], CHANGE.gr_gid)['status'] == 0)
        check('root does, too', edge.postern('queue', 'remove', one).returncode == 0)
        edge.stop()
        edge.configure(text + 'control_look_group no-such-group\n')
        try:
            edge.start()
        except Exception as why:
            check('a group that is not there is named', 'control_look_group no-such-group' in str(why), why)
        else:
            raise SystemExit('FAILED: it started without the group')


main()
