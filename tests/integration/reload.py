#!/usr/bin/env python3
"""SIGHUP with a configuration that is broken, once in each way of lab/faults.py: refused whole, with file and line, the old
one in force, sessions untouched. And generations: a session in a transaction keeps its own to the end, an idle one keeps
none, at most eight live, and the next reload waits for one of them."""
import json
import os
import shutil
import signal
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import faults, pki
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import accepts, free_port, wait_until, write

ALIVE = 8


class Reloaded(World):
    """Contoso alone, with everything that can be broken in its own folder."""

    def __init__(self, build, folder):
        super().__init__(build, folder)
        own = self.contoso.folder
        for name, source in (('chain.pem', self.contoso_leaf.chain), ('key.pem', self.contoso_leaf.key),
                             ('roots.pem', self.root.certificate)):
            shutil.copyfile(source, f'{own}/{name}')
            os.chmod(f'{own}/{name}', 0o600)
        write(own + '/scripts/good.lua', 'postern.on("mail", function() end)\n')
        os.makedirs(own + '/scripts/partners')
        text = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, more=f'scripts {{\n  folder {own}/scripts\n}}\n')
        for old, new in ((self.contoso_leaf.chain, 'chain.pem'), (self.contoso_leaf.key, 'key.pem'),
                         (self.root.certificate, 'roots.pem')):
            text = text.replace(old, f'{own}/{new}')
        self.contoso.configure(text)
        self.files = faults.Files(own, text, [f'{own}/{name}' for name in ('chain.pem', 'key.pem', 'roots.pem')])

    def status(self):
        return json.loads(self.contoso.postern('status', '--json').stdout)

    def sender(self, number, **more):
        return Sender(self.contoso, source=f'127.0.3.{number}', **more)


def refused(world):
    edge, busy = world.contoso, socket.create_server(('127.0.0.1', 0))
    encrypted = world.folder + '/encrypted.key'
    pki.openssl('pkey', '-in', world.contoso_leaf.key, '-aes128', '-passout', 'pass:x', '-out', encrypted)
    table = faults.table(world.build, busy.getsockname()[1], world.woodgrove_leaf.key, encrypted)
    generation = world.status()['generation']
    open_session, transaction = world.sender(1), world.sender(2, tls=True)
    transaction.mail('x@example.org')
    for fault in table:
        place = world.files.broken(fault)
        since = edge.process.mark()
        edge.process.signal(signal.SIGHUP)
        edge.process.wait_for('reload', since)
        said = edge.process.wait_for(fault.wanted, since, 5).split(' reload-refused: ', 1)[-1]
        check(fault.what, said, place)
        world.files.mend()
        assert open_session.noop()[0] == 250 and world.status()['generation'] == generation, fault.what
        assert edge.process.count('reloaded:', since) == 0, fault.what
    print(f'ok: {len(table)} ways to break it, generation {generation} all the time')
    assert len(table) >= 24
    transaction.rcpt('bob@contoso.com')
    transaction.data(message('x@example.org', 'bob@contoso.com', 'through it all'))
    open_session.sendmail('x@example.org', 'bob@contoso.com', message('x@example.org', 'bob@contoso.com', 'after it all'))
    for one in 'through it all', 'after it all':
        edge.arrived('bob@contoso.com', one)
    busy.close()
    print('ok: the sessions that were open sent their mail')


def doors(world):
    """One binding of two cannot be opened: the other is not opened either, and the old one serves."""
    edge, busy, free = world.contoso, socket.create_server(('127.0.0.1', 0)), free_port()
    edge.configure(world.files.text.replace('bindings {\n', f'bindings {{\n    127.0.0.1:{free}\n    127.0.0.1:'
                                            f'{busy.getsockname()[1]}\n', 1))
    since = edge.process.mark()
    edge.process.signal(signal.SIGHUP)
    edge.process.wait_for('reload-refused', since)
    wait_until(lambda: not accepts('127.0.0.1', free), 'the first binding to be given up')
    with world.sender(3) as sender:
        check('the old binding serves', sender.answer('NOOP'), '250')
    busy.close()
    edge.reload()
    assert accepts('127.0.0.1', free)
    edge.configure(world.files.text)
    edge.reload()
    wait_until(lambda: not accepts('127.0.0.1', free), 'the binding that is gone to be closed')
    print('ok: bindings open and close with the generation that names them')


def restart_only(world):
    world.contoso.configure(world.files.text + 'workers 3\n')
    since = world.contoso.process.mark()
    world.contoso.reload()
    check('what only a restart takes up', world.contoso.process.wait_for('workers: changed', since), 'config-warning')
    world.contoso.configure(world.files.text)
    world.contoso.reload()


def generations(world):
    edge = world.contoso
    idle = [world.sender(10 + n) for n in range(2)]
    for _ in range(ALIVE + 2):
        edge.reload()
    wait_until(lambda: world.status()['generations_alive'] == 1, 'idle sessions to let go')
    print('ok: idle sessions hold no generation')
    held = []
    for n in range(ALIVE - 1):
        held.append(world.sender(20 + n))
        held[-1].mail('x@example.org')
        edge.reload()
    told = world.status()
    check('eight live', f"{told['generations_alive']} {told['holders_of_older']}", f'{ALIVE} {ALIVE - 1}')
    check('status says so', edge.postern('status').stdout, f'; {ALIVE - 1} older held by {ALIVE - 1} sessions')
    since = edge.process.mark()
    for _ in range(3):
        edge.process.signal(signal.SIGHUP)
    check('the ninth waits', edge.process.wait_for('reload-waiting', since), f"generation {told['generation'] - 1} (held by 1)")
    assert idle[0].noop()[0] == 250 and world.status()['generation'] == told['generation']
    held[3].rset()
    check('one ends', edge.process.wait_for('reloaded:', since), f"generation {told['generation'] + 1} is in force")
    for n, one in enumerate(held):
        if n != 3:
            one.rcpt('bob@contoso.com')
            one.data(message('x@example.org', 'bob@contoso.com', f'held {n}'))
        one.quit()
    for n in range(ALIVE - 1):
        if n != 3:
            edge.arrived('bob@contoso.com', f'held {n}')
    wait_until(lambda: world.status()['generations_alive'] == 1, 'all old generations to end')
    check('those that came meanwhile were one', str(edge.process.count('reloaded:', since)), '1')


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = Reloaded(sys.argv[1], folder)
        world.contoso.start()
        try:
            for scenario in refused, doors, restart_only, generations:
                scenario(world)
        except BaseException:
            print('--- the daemon\n' + '\n'.join(world.contoso.process.lines[-30:]))
            raise
        world.contoso.stop()


main()
