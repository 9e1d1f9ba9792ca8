#!/usr/bin/env python3
"""A PKCS#11 token that is bad. It hangs, in a signature, at the login, at the session: a reload goes on, other connectors
notice nothing, the next certificate is shown, `postern status` says so, the process ends when asked; when the token is
back its key is in use again. Its PIN is wrong: it is offered once, since tokens lock themselves."""
import concurrent.futures
import os
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender
from lab.expect import check
from lab.partners import CONTOSO
from lab.process import end_with_us, free_port, wait_until, write
from lab.tokens import PIN, HangingEdge, HangingModule, TokenWorld

SKIPPED = 77
WRONG_PIN = 'C_Login 160'  # CKR_PIN_INCORRECT


class Bad(TokenWorld):
    """Beside the connector whose key lies in the token one whose key lies in a file."""

    def edge(self, own, other, leaf, **more):
        edge = super().edge(own, other, leaf, **more)
        if own == CONTOSO:
            self.module = HangingModule(self.build, self.folder)
            self.other_port = free_port(own[1])
            edge.__class__, edge.module = HangingEdge, self.module
            edge.configure(edge.text + f'''receive_connector Other {{
  bindings {{
    {own[1]}:{self.other_port}
  }}
  remote_ranges {{
    0.0.0.0/0
  }}
  permission_groups {{
    anonymous
  }}
  auth_mechanism {{
    tls
  }}
  fqdn other.contoso.com
}}
''')
        return edge

    def wrong_pins(self):
        return pki.read(self.module.folder + '/hangs/calls').count(WRONG_PIN)


class Listener:
    """A port of an edge, for Sender."""

    def __init__(self, edge, port):
        self.address, self.port = edge.address, port


def shown(edge, source):
    """SHA-256 of the certificate that a sender sees, or why he saw none."""
    try:
        with Sender(edge, tls=True, source=source) as sender:
            pem = ssl.DER_cert_to_PEM_cert(sender.sock.getpeercert(True))
    except (OSError, ValueError) as why:
        return f'none: {why}'
    return pki.openssl('x509', '-noout', '-fingerprint', '-sha256', input=pem).split('=')[1].strip().replace(':', '').lower()


def alarms(world):
    done = world.contoso.postern('status')
    return [line for line in done.stdout.splitlines() if 'ALARM own-certificate key of ' in line]


def prepared(world):
    spare = world.cert('new', '--domain', 'mail1.contoso.com', '--services', 'smtp').split()[0]
    other = world.cert('new', '--domain', 'other.contoso.com', '--services', 'smtp').split()[0]
    token = world.answered('token', '--domain', 'mail1.contoso.com')
    return {'token': token, 'spare': spare, 'other': other}


def signature(world, known):
    edge = world.contoso.start()
    check('the key in the token signs', shown(edge, '127.0.30.1'), known['token'])
    other, module = Listener(edge, world.other_port), world.module
    with concurrent.futures.ThreadPoolExecutor(8) as pool, module.held('C_Sign'):
        hanging = [pool.submit(shown, edge, f'127.0.31.{n}') for n in range(1, 9)]
        for number in range(1, 9):
            check('another connector notices nothing', shown(other, f'127.0.32.{number}'), known['other'])
        check('a reload goes on', edge.reload(), 'is in force')
        said = edge.process.wait_for('does not answer; sessions are shown the next certificate')
        check('the log names file, token and remedy', said, known['token'], 'pkcs11:token=edge%20one', 'p11tool --list-tokens')
        for one in hanging:
            assert one.result() in (known['spare'], 'none: Connection unexpectedly closed') or 'none: ' in one.result(), one.result()
        wait_until(lambda: shown(edge, '127.0.33.1') == known['spare'], 'the next certificate')
        print('ok: new sessions are shown the next certificate')
        check('status says so', '\n'.join(wait_until(lambda: alarms(world), 'the alarm')), 'key of ' + known['token'][:16],
              'does not answer')
        check('and so does which', edge.postern('cert', 'which', '--connector', 'Inet').stdout, '* ' + known['spare'][:16],
              known['token'][:16] + '  its key is in a token that does not answer')
        check('a reload still goes on', edge.reload(), 'is in force')
        world.cert('enable', known['spare'])
        assert edge.process.count('plugin-blocked') == 0, 'a worker waited for the token'
    wait_until(lambda: shown(edge, '127.0.33.2') == known['token'], 'the token')
    wait_until(lambda: not alarms(world), 'the end of the alarm')
    print('ok: it is back, and in use without a reload')


def at_the_end(world, known):
    edge, module = world.contoso, world.module
    with module.held('C_Sign', 'C_Finalize', 'C_CloseSession'):
        check('a handshake that hangs', shown(edge, '127.0.34.1'), 'none: ')
        edge.stop()
        print('ok: the process ends although the token hangs')


def opening(world, known):
    """At the start, and at a reload, where the key is to be opened."""
    edge, module = world.contoso, world.module
    for call, number in (('C_Login', 1), ('C_OpenSession', 2), ('C_FindObjectsInit', 3)):
        with module.held(call):
            edge.start()
            said = edge.process.wait_for('its token does not answer within 5 s')
            check(f'{call} hangs: it starts all the same, and says so', said, known['token'], 'p11tool --list-tokens')
            check('with the next certificate', shown(edge, f'127.0.35.{number}'), known['spare'])
            check('and goes on at a reload', edge.reload(), 'is in force')
            assert alarms(world), 'no alarm'
        wait_until(lambda: shown(edge, f'127.0.36.{number}') == known['token'], 'the token')  # pylint: disable=cell-var-from-loop
        print('ok: and has the key when it is back')
        if call != 'C_FindObjectsInit':
            edge.stop()


def by_hand(world, known):
    """The command line, too, waits for no token for ever, and ends although the module would hold it up."""
    doomed = world.answered('doomed', '--domain', 'doomed.contoso.com')
    command = world.module.command(*world.contoso.command('cert', 'remove', doomed))
    with world.module.held('C_OpenSession', 'C_Finalize'):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=world.module.environment, timeout=100)
        check('a key that cannot be removed is told', done.stdout + done.stderr, doomed + ' removed',
              'the token does not answer within 10 s')


def wrong_pin(world, known):
    edge = world.contoso
    edge.stop()
    before = world.wrong_pins()
    write(world.pin, '000000\n', 0o600)
    edge.start()
    edge.process.wait_for('refuses the PIN in it, which is not tried again')
    for _ in range(3):
        edge.reload()
        world.cert('enable', known['spare'])
    check('a wrong PIN was offered once', str(world.wrong_pins() - before), '1')
    write(world.pin, PIN + '\n', 0o600)
    world.cert('enable', known['spare'])
    wait_until(lambda: shown(edge, '127.0.37.1') == known['token'], 'the token with the right PIN')
    print('ok: with the right one in its file the key is in use')


def main():
    end_with_us()
    if not HangingModule.possible():
        print('skipped: needs softhsm2 and a mount namespace of its own')
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix='postern-bad-token-') as folder:
        world = Bad(sys.argv[1], folder)
        try:
            known = prepared(world)
            for part in (signature, at_the_end, opening, by_hand, wrong_pin):
                part(world, known)
        except BaseException:
            print('--- contoso\n' + '\n'.join(world.contoso.process.lines[-60:] if world.contoso.process else []))
            raise
        world.contoso.stop()
        world.dns.stop()


main()
