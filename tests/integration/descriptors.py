#!/usr/bin/env python3
"""A daemon without a descriptor left: connections wait and it does not spin, a body that needs a file is put off, a delivery
that needs a socket is tried again, `postern status` may ask; and with descriptors all goes on by itself."""
import os
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.crowd import Measured, connected, sanitized
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import Process, wait_until

RECIPIENT, PLENTY, WATCHED = 'bob@contoso.com', 1000, 2.0
BIG = '\r\n'.join(['x' * 70] * 3000)  # a body that has a file of its own


def send(sender, recipient, subject, body='Good morning.'):
    sender.sendmail('x@example.org', recipient, message('x@example.org', recipient, subject, body=body))


def accepting(world, measured):
    edge = world.contoso
    with Sender(edge, source='127.0.3.2') as sender:  # the spool's own files are open then
        send(sender, RECIPIENT, 'before the crowd')
    edge.arrived(RECIPIENT, 'before the crowd')
    since = edge.process.mark()
    measured.limit(measured.descriptors() + 8)
    crowd = connected(edge, 16, '127.0.3.1')
    told = edge.process.wait_for('descriptors-exhausted', since)
    check('the operator hears of it', told, 'ALARM accept: a connection cannot be accepted (Too many open files)', 'LimitNOFILE')
    check('the silent have less time', edge.process.wait_for('crowded:', since), 'inactivity_under_load')
    page = socket.create_connection(world.metrics, 60)
    page.sendall(b'GET /healthz HTTP/1.0\r\n\r\n')
    status = Process('status', edge.command('status'), world.folder + '/status')
    # Watched, not waited for: who spins takes all of that time.
    began = measured.seconds()
    time.sleep(WATCHED)
    check('it does not spin', str(measured.seconds() - began < WATCHED / 10), 'True')
    check('it lives', str(edge.process.alive()), 'True')
    for one in crowd:
        one.close()
    with Sender(edge, source='127.0.3.2') as sender:
        send(sender, RECIPIENT, 'after the crowd')
    edge.arrived(RECIPIENT, 'after the crowd')
    print('ok: the crowd is gone, another client is served')
    check('who asked for the counters, too', page.recv(100).decode(), '200')
    page.close()
    wait_until(lambda: status.ended, 'the answer to `postern status`')
    check('who asked for the status is answered', '\n'.join(status.lines), 'ALARM descriptors-exhausted accept')
    measured.limit(PLENTY)


def storing(world, measured):
    edge = world.contoso
    with Sender(edge, source='127.0.3.3') as sender:
        send(sender, RECIPIENT, 'the first of them')
        sender.mail('x@example.org')
        sender.rcpt(RECIPIENT)
        measured.limit(3)
        check('DATA', sender.answer('DATA'), '354')
        sender.send(f'Subject: without a file\r\n\r\n{BIG}\r\n.\r\n')
        code, text = sender.getreply()
        check('a body without a file', f'{code} {text.decode()}', '451 4.3.0')
        check('the session goes on', sender.answer('RSET'), '250')
        measured.limit(PLENTY)
        wait_until(lambda: try_big(sender), 'the next to be taken')
    edge.arrived(RECIPIENT, 'with a file')


def try_big(sender):
    try:
        send(sender, RECIPIENT, 'with a file', BIG)
        return True
    except Exception as refused:  # 451 at MAIL or behind the data, as long as storage counts as failing
        code = getattr(refused, 'smtp_code', None) or next(iter(getattr(refused, 'recipients', {}).values()), (0,))[0]
        if code != 451:
            raise
        sender.rset()
        return False


def sending(world, measured):
    edge = world.contoso
    since = edge.process.mark()
    with Sender(edge, leaf=world.hub, source='127.0.3.4') as sender:
        measured.limit(3)
        send(sender, 'eve@woodgrovebank.com', 'without a socket')
        told = edge.process.wait_for('deferred:', since)
        check('a delivery without a socket', told, 'to=<eve@woodgrovebank.com>', 'status=4.')
        check('it lives', str(edge.process.alive()), 'True')
        measured.limit(PLENTY)
    world.woodgrove.arrived('eve@woodgrovebank.com', 'without a socket')
    print('ok: with one it went by itself')


def main():
    if sanitized(sys.argv[1]):  # UBSan looks whether an object is one by a pipe, which it could not open
        print('skipped: with sanitizers a process without descriptors ends; tools/test runs it in the release build')
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = World(sys.argv[1], folder)
        world.hub = world.contoso_ca.leaf('hub', ['hub.contoso.com'])
        trusted = f'trusted_servers {{\n  hub {{\n    sha256 {world.hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
        world.contoso.configure(world.text(
            CONTOSO, WOODGROVE, world.contoso_leaf, plugins='tls-mutual name-matching counters',
            more=trusted).replace('\n  counters\n', '\n  counters {\n    listen 127.0.0.1:0\n  }\n'))
        for edge in (world.contoso, world.woodgrove):
            edge.start()
        host, port = world.contoso.process.wait_for('counters-listening').split('http://')[1].split('/')[0].split(':')
        world.metrics = (host, int(port))
        measured = Measured(world.contoso.process.pid)
        try:
            for part in (accepting, storing, sending):
                part(world, measured)
        except BaseException:
            print('\n'.join(world.contoso.process.lines[-40:]))
            raise
        for edge in (world.contoso, world.woodgrove):
            edge.stop()


main()
