#!/usr/bin/env python3
"""A key in a PKCS#11 token (SoftHSM): made there, used there by live TLS both ways, never out of it. Many handshakes at
once; a token that goes away gives way to the next certificate; the PIN as a systemd credential. A token that hangs, and a
PIN that is wrong, are cert_token_bad.py's."""
import concurrent.futures
import json
import os
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender, message
from lab.expect import check
from lab.process import end_with_us, wait_until, write
from lab.tokens import PIN, TokenWorld, objects


def cert(world, *words, status=0, wanted=()):
    done = world.contoso.postern('cert', *words)
    check('postern cert ' + words[0], done.stdout + done.stderr + f' status {done.returncode}', f'status {status}', *wanted)
    return done.stdout


def seen(edge, source):
    with Sender(edge, tls=True, source=source) as sender:
        return ssl.DER_cert_to_PEM_cert(sender.sock.getpeercert(True))


def making(world):
    """A request with each kind of key, the answer imported."""
    taken = {}
    for key in ('ecdsa-p256', 'rsa-2048'):
        path = f'{world.folder}/{key}.req'
        cert(world, 'request', '--domain', 'mail1.contoso.com', '--key', key, '--token', 'edge one', '--output', path)
        pki.openssl('req', '-in', path, '-noout', '-verify')
        answer = world.contoso_ca.sign_request(path, path + '.crt')
        taken[key] = cert(world, 'import', answer, '--services', 'smtp').split()[0]
    uris, listed = objects()
    check(f'{len(uris)} keys, private and not to be had', listed, 'CKA_PRIVATE', 'CKA_NEVER_EXTRACTABLE', 'CKA_SENSITIVE')
    assert len(uris) == 2, uris
    store = world.contoso.folder + '/state/tls-mutual/certificates'
    text = ''.join(open(os.path.join(store, name), encoding='utf-8').read() for name in os.listdir(store))
    check('no key lies in the store', str('PRIVATE KEY' in text), 'False')
    cert(world, 'export', taken['rsa-2048'], '--output', world.folder + '/no.p12', '--password-file', world.pin, status=1,
         wanted=['the key lies in a token and cannot leave it'])
    cert(world, 'new', '--domain', 'a.contoso.com', '--token', 'edge one', '--exportable', status=2)
    cert(world, 'new', '--domain', 'a.contoso.com', '--token', 'nowhere', status=1, wanted=['nowhere: the token made no key'])
    wrong = write(world.folder + '/wrong', '000000\n', 0o600)
    cert(world, 'new', '--domain', 'a.contoso.com', '--token', 'edge one', '--pin-file', wrong, status=1,
         wanted=['refuses the PIN in it, which is not tried again'])
    return taken


def live(world, taken):
    world.contoso.start()
    world.woodgrove.start()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        shown = set(pool.map(lambda n: seen(world.contoso, f'127.0.20.{n}'), range(1, 65)))
    check('64 handshakes, 16 at once, each signed in the token', str(len(shown)), '1')
    path = write(world.folder + '/shown.pem', shown.pop())
    fingerprint = pki.openssl('x509', '-in', path, '-noout', '-fingerprint', '-sha256')
    check('by the ECDSA one', fingerprint.replace(':', '').lower(), taken['ecdsa-p256'])
    done = subprocess.run(['openssl', 's_client', '-starttls', 'smtp', '-connect',
                           f'{world.contoso.address}:{world.contoso.port}', '-sigalgs', 'RSA-PSS+SHA256', '-brief'],
                          input='QUIT\n', capture_output=True, text=True, check=False)
    check('whoever cannot check it is shown the RSA one', done.stderr, 'Signature type: RSA-PSS')
    with Sender(world.contoso, leaf=world.contoso_leaf, source='127.0.6.1') as hub:
        hub.sendmail('bob@contoso.com', 'eve@woodgrovebank.com', message('bob@contoso.com', 'eve@woodgrovebank.com', 'signed there'))
    check('and we send as client', world.woodgrove.arrived('eve@woodgrovebank.com', 'signed there'), 'mail1.contoso.com')
    assert world.contoso.process.count('plugin-blocked') == 0, 'a worker waited for the token'


def gone(world, taken):
    """The token is away: the next certificate is shown, and the log says why."""
    spare = cert(world, 'new', '--domain', 'mail1.contoso.com', '--services', 'smtp').split()[0]
    world.contoso.stop()
    os.rename(world.folder + '/tokens', world.folder + '/away')
    os.makedirs(world.folder + '/tokens')
    world.contoso.start()
    said = world.contoso.process.wait_for('certificate-store: ')
    check('the log names file, key and cause', said, taken['ecdsa-p256'][:16], 'pkcs11:token=edge%20one')
    path = write(world.folder + '/spare.pem', seen(world.contoso, '127.0.21.1'))
    shown = pki.openssl('x509', '-in', path, '-noout', '-fingerprint', '-sha256').replace(':', '').lower()
    check('the next one is shown', shown, spare)
    os.rmdir(world.folder + '/tokens')
    os.rename(world.folder + '/away', world.folder + '/tokens')
    world.contoso.stop()
    world.contoso.start()
    wait_until(lambda: spare not in pki.openssl('x509', '-noout', '-fingerprint', '-sha256',
                                                input=seen(world.contoso, '127.0.21.2')).replace(':', '').lower(), 'the token')
    print('ok: it is back and in use')


def shown(edge, source):
    return pki.openssl('x509', '-noout', '-fingerprint', '-sha256', input=seen(edge, source)).replace(':', '').lower()


def credential(world, taken):
    """`token_pin` without a slash is a credential that systemd hands over."""
    edge = world.contoso
    edge.stop()
    write(world.folder + '/credentials/token-pin', PIN + '\n', 0o600)
    os.rename(world.pin, world.pin + '.away')
    edge.configure(edge.text.replace(f'token_pin {world.pin}', 'token_pin token-pin'))
    os.environ['CREDENTIALS_DIRECTORY'] = world.folder + '/credentials'
    edge.start()
    wait_until(lambda: taken['ecdsa-p256'] in shown(edge, '127.0.21.4'), 'the token by its credential')
    print('ok: the PIN from a systemd credential')


def removed(world, taken):
    for sha256 in taken.values():
        cert(world, 'disable', sha256)
        cert(world, 'remove', sha256)
    check('with the certificates the keys went', str(len(objects()[0]) + len(objects('public')[0])), '0')
    assert all(one['token'] == '' for one in json.loads(cert(world, 'list', '--json'))['certificates'])


def main():
    end_with_us()
    with tempfile.TemporaryDirectory(prefix='postern-token-') as folder:
        world = TokenWorld(sys.argv[1], folder)
        try:
            taken = making(world)
            for part in (live, gone, credential, removed):
                part(world, taken)
        except BaseException:
            for edge in (world.contoso, world.woodgrove):
                print(f'--- {edge.name}\n' + '\n'.join(edge.process.lines[-40:] if edge.process else []))
            raise
        for part in (world.contoso, world.woodgrove, world.dns):
            part.stop()


main()
