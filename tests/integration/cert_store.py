#!/usr/bin/env python3
"""Certificates by `postern cert`, held against openssl and certtool: what is made here is read by them, what they make is
read here, and whatever goes wrong leaves the store exactly as it was."""
import datetime
import fcntl
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.certs import PASSWORD, CertWorld, certtool
from lab.process import write


def making(world):
    text = openssl_text(world.request('plain.req', '--subject', 'cn=mail1.contoso.com, o=contoso corp, c=us',
                                      '--include-accepted-domains', '--domain', '*.contoso.com'))
    expect('its subject, names and purposes', text, 'Subject: C = US, O = contoso corp, CN = mail1.contoso.com',
           'DNS:mail1.contoso.com, DNS:*.contoso.com, DNS:contoso.com, DNS:fabrikam.com',
           'TLS Web Server Authentication, TLS Web Client Authentication', 'Digital Signature')
    expect('certtool reads it', certtool('--crq-info', '--infile', world.path('plain.req')), 'CN=mail1.contoso.com',
           'Self signature: verified')
    text = openssl_text(world.request('der.req', '--connector', 'Inet', '--form', 'der'), '-inform', 'DER')
    expect('what a connector needs, as DER', text, 'CN = mail1.contoso.com',
           'DNS:mail1.contoso.com, DNS:contoso.com, DNS:fabrikam.com')
    for key, wanted in (('ecdsa-p384', 'P-384'), ('rsa-2048', '(2048 bit)'), ('rsa-3072', '(3072 bit)'),
                        ('rsa-4096', '(4096 bit)'), ('ed25519', 'ED25519')):
        expect(key, openssl_text(world.request(key + '.req', '--domain', 'mail1.contoso.com', '--key', key)), wanted)
    long_name = 'a-name-that-is-long-enough-to-be-no-common-name.department.division.contoso.com'
    done = world.postern('request', '--subject', 'O=Contoso, CN=' + long_name)
    expect('a CN of over 64 characters stands among the names alone', done.stderr, 'stands among the alternative names alone')
    text = pki.openssl('req', '-noout', '-text', input=done.stdout)
    expect('and not in the subject', text, 'Subject: O = Contoso\n', 'DNS:' + long_name)
    done = world.postern('request', '--subject', 'C=US, DC=contoso, DC=com, CN=mail.mïcrosoft.com', '--domain', 'mail1.contoso.com')
    expect('the CN that is no name', done.stderr, 'C and DC', 'the CN mail.mïcrosoft.com is no DNS name',
           'easily taken for mail.microsoft.com')
    done = world.postern('request', '--domain', 'mail.mïcrosoft.com', '--domain', '*.bücher.example', '--output', world.path('idn.req'))
    expect('names beyond ASCII: as A-labels, with what a human reads', done.stdout, 'mail.xn--mcrosoft-u2a.com, *.xn--bcher-kva.example',
           'reads as mail.xn--mcrosoft-u2a.com (mail.mïcrosoft.com)', 'reads as *.xn--bcher-kva.example (*.bücher.example)')
    expect('and whom they may be taken for', done.stderr, 'mail.mïcrosoft.com is easily taken for mail.microsoft.com: it holds U+00EF')
    expect('so it stands in the request', openssl_text(world.path('idn.req')), 'DNS:mail.xn--mcrosoft-u2a.com, DNS:*.xn--bcher-kva.example')
    done = world.postern('request', '--domain', 'elsewhere.example', '--json')
    expect('a name that no connector has', json.loads(done.stdout)['warnings'][0], 'it covers the fqdn of no connector (mail1.contoso.com, ')
    done = world.postern('request', '--domain', 'mail1.contoso.com', '--purpose', 'server', '--key', 'ed25519')
    expect('what partners will not like', done.stderr, 'lacks clientAuth', 'Postfix before 3.12', 'by March 2027', 'Ed25519')
    lifetimes(world)
    lost(world)
    for one in world.json('list')['requests']:
        world.done('a request is taken back', 'remove', one['key_sha256'])
    for what, wanted, words in (
            ('no name', 'would hold no DNS name', ['request', '--subject', 'O=Contoso']),
            ('a missing comma', 'a comma is missing before "o=contoso corp"', ['new', '--subject', 'C=US o=contoso corp']),
            ('an unknown connector', 'there are Inet, Internet', ['new', '--connector', 'Intern']),
            ('an unknown key', '--key knows', ['new', '--key', 'dsa']),
            ('what is not UTF-8', 'is not UTF-8', ['new', '--domain', os.fsdecode(b'a\xff.com')]),
            ('an unknown option', 'did you mean --domain?', ['new', '--domains', 'a.b']),
            ('names in one word', 'holds a comma; give each name an option', ['new', '--domain', 'a.contoso.com,b.contoso.com']),
            ('an output that exists', 'plain.req exists', ['request', '--output', world.path('plain.req')])):
        world.refused(what, 1 if 'comma' in what or 'names' in what or 'UTF-8' in what else 2, wanted, *words)


def lifetimes(world):
    for days in (None, 40):
        made = world.done(f'a certificate for {days or "as long as nothing is said"}', 'new', '--domain', 'mail1.contoso.com',
                          *(['--days', str(days)] if days else [])).split()[0]
        shown = world.json('show', made)
        ends = datetime.datetime.fromisoformat(shown['not_after'].rstrip('Z')) - datetime.datetime.utcnow()
        assert ends.days in ((days or 365) - 1, days or 365) and shown['server'] and shown['client'], shown
        world.done('it goes again', 'remove', made)
    world.refused('no lifetime', 2, '--days takes a number from 1 to 3653', 'new', '--domain', 'mail1.contoso.com', '--days', '0')


def lost(world):
    """A request whose file got lost is handed out again, as it was."""
    key = next(one['key_sha256'] for one in world.json('list')['requests'] if one['subject'].endswith('O=contoso corp,C=US')
               or 'contoso corp' in one['subject'])
    assert world.postern('export', key).stdout == pki.read(world.path('plain.req'))
    assert world.json('show', key)['key_sha256'] == key
    world.done('the request once more, as DER', 'export', key, '--output', world.path('again.der'), '--form', 'der')
    expect('which openssl reads', openssl_text(world.path('again.der'), '-inform', 'DER'), 'O = contoso corp')


def openssl_text(path, *more):
    return pki.openssl('req', '-in', path, '-noout', '-text', '-verify', *more)


def expect(what, text, *wanted):
    missing = [one for one in wanted if one not in text]
    if missing:
        raise SystemExit(f'FAILED {what}: missing {missing} in\n{text}')
    print('ok: ' + what)


def answers(world):
    """Every form in which a CA answers, each to a request of its own."""
    forms = {
        'pem': lambda path: path,
        'der': lambda path: convert('x509', path, '-outform', 'DER'),
        'pkcs7': lambda path: convert('crl2pkcs7', path, '-nocrl', '-certfile', world.ca.certificate, takes='-certfile'),
        'pkcs7-der': lambda path: convert('crl2pkcs7', path, '-nocrl', '-certfile', world.ca.certificate, '-outform', 'DER',
                                          takes='-certfile'),
        'wrong-order': lambda path: joined(path, world.root.certificate, world.ca.certificate, path),
    }
    for form, make in forms.items():
        request = world.request('answer-' + form + '.req', '--domain', 'mail1.contoso.com', '--friendly-name', form)
        answer = make(world.ca.sign_request(request, world.path(form + '.crt'), 'http://crl.example.net/ca.crl'))
        whole = form in ('pkcs7', 'pkcs7-der', 'wrong-order')
        if not whole:
            world.refused('an answer without its intermediate, ' + form, 1, 'nor was its certificate sent', 'import', answer)
            world.conf = write(world.folder + '/with.conf', world.text(f'intermediates {{\n  {world.ca.certificate}\n}}'))
        taken = world.done('the answer as ' + form, 'import', answer, wanted=['chain    2 certificates'])
        world.conf = world.folder + '/postern.conf'
        assert not world.json('list')['requests'], 'the request still waits'
        world.refused('the same answer again, ' + form, 1, 'answered already', 'import', answer)
        shown = world.json('show', taken.split()[0])
        assert shown['friendly_name'] == form and shown['validation'] == 'good' and not shown['exportable'], shown
        pki.openssl('verify', '-purpose', 'sslclient', '-CAfile', world.root.certificate, '-untrusted', shown['file'],
                    shown['file'])
        world.done('it goes again', 'remove', taken.split()[0])


def convert(command, path, *arguments, takes='-in'):
    out = path + '.' + command + '.' + arguments[-1].lower().replace('/', '_')
    pki.openssl(command, takes, path, *arguments, '-out', out)
    return out


def joined(path, *parts):
    return write(path + '.joined', ''.join(pki.read(one) for one in parts))


def bad_answers(world):
    request = world.request('bad.req', '--domain', 'mail1.contoso.com')
    good = world.ca.sign_request(request, world.path('good.crt'))
    old = world.ca.sign_request(request, world.path('old.crt'), start='20240101000000Z', end='20250101000000Z')
    foreign = world.foreign.sign_request(request, world.path('foreign.crt'))
    other = world.ca.leaf('other', ['mail1.contoso.com'])
    text = pki.read(good)
    for what, path, wanted in (
            ('an expired answer', old, 'old.crt: the certificate expired on 2025-01-01; ask the CA'),
            ('an untrusted answer', foreign, 'foreign.crt: unknown-root'),
            ('the answer to another request', other.certificate, 'answers no request that waits here'),
            ('the request instead of its answer', request, 'is a request, not its answer'),
            ('a truncated answer', write(world.path('cut.crt'), text[:len(text) // 2]), 'cut.crt: PEM block 1 has no end'),
            ('an empty file', write(world.path('empty.crt'), ''), 'empty.crt: is empty'),
            ('a file that is none', write(world.path('none.crt'), 'hello\n'), 'none.crt: is neither a certificate'),
            ('no file', world.path('nowhere.crt'), 'nowhere.crt: No such file')):
        world.refused(what, 1, wanted, 'import', path)
    world.done('with its root named it is taken', 'import', foreign, '--trust', world.foreign.certificate)
    world.request('again.req', '--domain', 'mail1.contoso.com')
    again = world.foreign.sign_request(world.path('again.req'), world.path('again.crt'), 'ldap:///cn=ca',
                                       purposes=('server',))
    world.done('or unverified, and what partners will not like is said', 'import', again, '--unverified',
               wanted=['taken unverified', 'lacks clientAuth', 'partners cannot reach (ldap:///cn=ca)'])
    verified = subprocess.run(['openssl', 'verify', '-purpose', 'sslclient', '-CAfile', world.foreign.certificate, again],
                              capture_output=True, text=True, check=False)
    expect('which is true of OpenSSL, and so of Postfix', verified.stderr + verified.stdout, 'unsuitable certificate purpose')
    doubtful = next(one['sha256'] for one in world.json('list')['certificates'] if not one['client'])
    world.done('enabled, it is said again', 'enable', doubtful,
               wanted=['lacks clientAuth', 'Postfix before 3.12', 'partners cannot reach (ldap:///cn=ca)'])
    world.done('and it is no connector\'s any more', 'disable', doubtful, wanted=['receive_connector Inet used it'])
    for one in world.json('list')['certificates']:
        world.done('it goes again', 'remove', one['sha256'])


def stubborn(world):
    """A CA that signs what it likes (`openssl x509 -req` drops every extension): what is missing is told before it costs mail."""
    request, answer = world.request('stubborn.req', '--domain', 'mail1.contoso.com', '--domain', 'mail.contoso.com'), 'stubborn.crt'
    pki.openssl('x509', '-req', '-in', request, '-CA', world.ca.certificate, '-CAkey', world.ca.self_.key, '-CAcreateserial', '-out',
                world.path(answer), '-days', '90')
    write(world.path(answer), pki.read(world.path(answer)) + pki.read(world.ca.certificate))
    taken = world.done('an answer without what was asked for', 'import', world.path(answer), wanted=[
        'the CA left out what was asked for: mail.contoso.com', 'names no revocation list'])
    world.done('it goes again', 'remove', taken.split()[0])


def packed(world, leaf):
    """PKCS#12 of both makers, old encryption (RC2, 3DES, SHA-1) and new (AES, PBES2, SHA-256), one with a password beyond
    ASCII; each with its password."""
    openssl = {'new': ['-keypbe', 'AES-256-CBC', '-certpbe', 'AES-256-CBC', '-macalg', 'sha256'],
               'rc2-and-3des': ['-legacy'],
               '3des': ['-legacy', '-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1'],
               'aes-128-and-sha512': ['-keypbe', 'AES-128-CBC', '-certpbe', 'AES-128-CBC', '-macalg', 'sha512']}
    for kind, options in openssl.items():
        path = world.path(f'openssl-{kind}.p12')
        pki.openssl('pkcs12', '-export', '-in', leaf.chain, '-inkey', leaf.key, '-name', 'edge one', '-passout',
                    'pass:' + PASSWORD, '-out', path, *options)
        yield path, PASSWORD
    for cipher, digest in (('aes-256', 'sha256'), ('aes-128', 'sha512'), ('3des-pkcs12', 'sha1'), ('rc2-40', 'sha1')):
        path = world.path(f'certtool-{cipher}.p12')
        certtool('--to-p12', '--load-privkey', leaf.key, '--load-certificate', leaf.chain, '--p12-name', 'edge one', '--password',
                 PASSWORD, '--outder', '--outfile', path, '--pkcs-cipher', cipher, '--hash', digest)
        yield path, PASSWORD
    path, odd = world.path('umlaut.p12'), 'Schlüssel für 2 €'
    pki.openssl('pkcs12', '-export', '-in', leaf.chain, '-inkey', leaf.key, '-name', 'edge one', '-passout', 'pass:' + odd, '-out',
                path)
    yield path, odd


def containers(world):
    """PKCS#12 of others is taken, ours is read by both."""
    leaf = world.ca.leaf('edge', ['mail1.contoso.com'], crl='http://crl.example.net/ca.crl')
    for path, password in packed(world, leaf):
        name = os.path.basename(path)
        world.refused('a wrong password, ' + name, 1, 'the password is wrong', 'import', path, '--password-stdin', input='no\n')
        with open(path, 'rb') as file:
            octets = file.read()
        with open(world.path('cut.p12'), 'wb') as file:
            file.write(octets[:-200])
        world.refused('a truncated file, ' + name, 1, 'cut.p12: is neither', 'import', world.path('cut.p12'),
                      '--password-file', world.password)
        taken = world.done('PKCS#12: ' + name, 'import', path, '--password-stdin', '--exportable', input=password + '\n')
        assert leaf.sha256() in taken, taken
        shown = world.json('show', leaf.sha256())
        assert shown['friendly_name'] == 'edge one' and shown['validation'] == 'good', shown
        world.done('it goes again', 'remove', leaf.sha256())
    world.done('one to hand on', 'import', world.path('openssl-new.p12'), '--password-file', world.password, '--exportable')
    for encryption in ('modern', 'legacy'):
        path = world.path(f'ours-{encryption}.p12')
        world.done('our own PKCS#12, ' + encryption, 'export', leaf.sha256(), '--output', path, '--encryption', encryption,
                   '--password-stdin', input=PASSWORD + '\n')
        text = pki.openssl('pkcs12', '-in', path, '-passin', 'pass:' + PASSWORD, '-nodes')
        expect('openssl reads it', text, 'friendlyName: edge one', 'BEGIN PRIVATE KEY', 'CN = mail1.contoso.com')
        assert text.count('BEGIN CERTIFICATE') == 2, text
        expect('certtool reads it', certtool('--p12-info', '--inder', '--infile', path, '--password', PASSWORD), 'edge one')
        assert os.stat(path).st_mode & 0o777 == 0o600
    world.done('the certificate as .cer', 'export', leaf.sha256(), '--output', world.path('edge.cer'))
    expect('is DER', pki.openssl('x509', '-inform', 'DER', '-in', world.path('edge.cer'), '-noout', '-subject'), 'mail1.contoso.com')
    assert world.postern('export', leaf.sha256()).stdout == pki.read(leaf.certificate)
    assert world.json('export', leaf.sha256())['pem'] == pki.read(leaf.certificate)
    assert world.postern('export', leaf.sha1()).stdout == pki.read(leaf.certificate), 'by SHA-1, as in the paper'
    assert world.postern('export', leaf.sha256(), '--chain').stdout == pki.read(leaf.chain)
    world.refused('a file that is there', 2, 'edge.cer exists', 'export', leaf.sha256(), '--output', world.path('edge.cer'))
    world.refused('an empty password', 1, 'needs a password that is not empty', 'export', leaf.sha256(), '--output',
                  world.path('no.p12'), '--password-stdin', input='\n')
    world.done('it goes again', 'remove', leaf.sha256())
    stays_here(world, leaf)
    interrupted(world, world.path('openssl-new.p12'))
    prompted(world, world.path('openssl-new.p12'))
    world.refused('no terminal to ask on', 1, 'needs a password and there is no terminal', 'import',
                  world.path('openssl-new.p12'), start_new_session=True)
    world.refused('the same one again', 1, 'is in the store already', 'import', world.path('openssl-3des.p12'), '--password-file',
                  world.password)
    world.done('it goes again', 'remove', leaf.sha256())


def stays_here(world, leaf):
    world.done('taken without --exportable', 'import', world.path('openssl-new.p12'), '--password-file', world.password)
    world.refused('its key stays here', 1, 'was not made --exportable', 'export', leaf.sha256(), '--output',
                  world.path('no.p12'), '--password-file', world.password)
    world.done('it goes again', 'remove', leaf.sha256())


def swapped(world):
    """One file in another's place, and what strangers put into a file."""
    leaf, other = world.ca.leaf('one', ['mail1.contoso.com']), world.ca.leaf('other', ['mail1.contoso.com'])
    pem = write(world.path('both.pem'), pki.read(leaf.chain) + pki.read(other.key), 0o600)
    world.refused('a key that belongs to another certificate', 1, 'its private key belongs to none of its certificates', 'import', pem)
    world.refused('a key alone', 1, 'holds no certificate that can be read', 'import', leaf.key)
    locked = world.path('locked.pem')
    pki.openssl('pkey', '-in', leaf.key, '-aes128', '-passout', 'pass:x', '-out', locked)
    pem = write(world.path('locked-too.pem'), pki.read(leaf.chain) + pki.read(locked), 0o600)
    world.refused('an encrypted key', 1, 'an encrypted key travels in a PKCS#12 file', 'import', pem)
    pfx = world.path('swap.p12')
    pki.openssl('pkcs12', '-export', '-in', leaf.chain, '-inkey', leaf.key, '-passout', 'pass:' + PASSWORD, '-out', pfx, '-name',
                'nice\nexportable: yes\nkey: pkcs11:token=theirs')
    world.refused('file and password swapped', 1, 'password: is neither a certificate', 'import', world.password,
                  '--password-file', pfx)
    world.refused('both from standard input', 2, 'cannot both come from standard input', 'import', '-', '--password-stdin', input='x')
    world.refused('a friendly name of two lines', 2, '--friendly-name takes one line', 'import', pfx, '--friendly-name',
                  'a\nexportable: yes', '--password-file', world.password)
    world.refused('no argument', 2, 'THUMBPRINT is missing', 'show')
    world.done('a friendly name that would write into the store is left out', 'import', pfx, '--password-file', world.password,
               wanted=['its friendly name is no line of text'])
    shown = world.json('show', leaf.sha256())
    assert shown['friendly_name'] == '' and not shown['exportable'] and shown['token'] == '', shown
    world.done('it goes again', 'remove', leaf.sha256())
    with open(pfx, 'rb') as file:
        taken = subprocess.run(world.command('import', '-', '--password-file', world.password, '--json'), stdin=file,
                               capture_output=True, text=True, check=True)
    assert json.loads(taken.stdout)['sha256'] == leaf.sha256()
    print('ok: from standard input')
    world.done('it goes again', 'remove', leaf.sha256())


def prompted(world, path):
    """At a terminal the password is asked for, and not shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(world.build + '/bin/postern', world.command('import', path))
    seen = b''
    while b'Password of' not in seen:
        seen += os.read(terminal, 1000)
    os.write(terminal, PASSWORD.encode() + b'\n')
    try:
        while part := os.read(terminal, 1000):
            seen += part
    except OSError:
        pass  # the other end closed
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    text = seen.decode()
    if status != 0 or PASSWORD in text or 'chain    2 certificates' not in text:
        raise SystemExit(f'FAILED the prompt: status {status}: {text}')
    print('ok: a password typed at a terminal')


def interrupted(world, path):
    """Ctrl-C at the prompt: nothing happened, and the terminal shows again what is typed."""
    ours, theirs = pty.openpty()
    before = world.contents()
    child = subprocess.Popen(world.command('import', path), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                             preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    seen = b''
    while b'Password of' not in seen:
        seen += os.read(ours, 1000)
    assert not termios.tcgetattr(theirs)[3] & termios.ECHO, 'the password would be shown'
    os.write(ours, b'half a pass\x03')
    status = child.wait(60)
    assert status == -signal.SIGINT and termios.tcgetattr(theirs)[3] & termios.ECHO, f'{status}, {termios.tcgetattr(theirs)}'
    assert world.contents() == before
    print('ok: Ctrl-C at the prompt leaves store and terminal as they were')


def no_room():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))


def store_faults(world):
    kept = world.done('one to keep', 'new', '--domain', 'mail1.contoso.com', '--services', 'smtp').split()[0]
    request = world.request('kept.req', '--domain', 'mail1.contoso.com')
    answer = joined(world.ca.sign_request(request, world.path('kept.crt')), world.path('kept.crt'), world.ca.certificate)
    for words in (['new', '--domain', 'mail2.contoso.com'], ['request', '--domain', 'mail2.contoso.com'],
                  ['import', answer], ['disable', kept]):
        world.refused('a full disk: ' + words[0], 73, 'make room and try again; nothing was changed', *words, preexec_fn=no_room)
    target = world.path('no-such-folder/out.req')
    world.refused('a request that cannot be written', 73, 'no-such-folder', 'request', '--domain', 'a.contoso.com', '--output', target)
    with open(world.store + '/.lock', 'w', encoding='ascii') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        world.refused('two commands at once', 75, 'is being changed by another command', 'disable', kept)
    at_once = [subprocess.Popen(world.command('new', '--domain', f'at-once-{n}.contoso.com', '--json'), stdout=subprocess.PIPE,
                                text=True) for n in range(8)]
    made = {json.loads(one.communicate()[0])['sha256'] for one in at_once}
    there = {one['sha256'] for one in world.json('list')['certificates']}
    assert len(made) == 8 and made < there, (made, there)
    print('ok: eight commands at once, each waits for its turn')
    for one in made:
        world.done('it goes again', 'remove', one)
    world.refused('a certificate in use', 1, 'is in use by receive_connector Inet', 'remove', kept)
    os.chmod(world.store, 0o755)
    world.refused('a store open to others', 73, 'chmod 700', 'disable', kept)
    os.chmod(world.store, 0o700)
    return kept, answer


def living(world, kept, answer):
    """From the answer on: enabled, chosen, cloned, the old one out."""
    new = world.done('the answer', 'import', answer, '--services', 'smtp').split()[0]
    which = world.json('which', '--connector', 'Inet')[0]
    assert which['chosen']['sha256'] == new and which['others'][0]['sha256'] == kept, which
    expect('and why not the other', which['others'][0]['reason'], 'validation is unknown: self-signed')
    assert world.json('list', '--domain', 'mail1.contoso.com')['certificates'][0]['sha256'] == new
    done = world.postern('which', '--connector', 'Internet')
    expect(f'nothing fits the other connector, status {done.returncode}', done.stdout + str(done.returncode), 'nothing fits',
           'does not cover mail.contoso.com', '1')
    clone = world.done('a clone has the names', 'clone', new, '--friendly-name', 'copy').split()[0]
    shown, model = world.json('show', clone), world.json('show', new)
    assert shown['names'] == model['names'] and shown['subject'] == model['subject'] and shown['self_signed'], shown
    assert shown['key_sha256'] != model['key_sha256'], 'the key was cloned'
    text = pki.openssl('req', '-noout', '-text', '-verify', input=world.done('or as a request', 'clone', new, '--request'))
    expect('for a CA', text, 'DNS:mail1.contoso.com')
    world.done('the old one goes', 'remove', kept)
    world.done('disabled', 'disable', new, wanted=['receive_connector Inet used it'])
    world.done('what is disabled may go', 'remove', new)


def main():
    with tempfile.TemporaryDirectory(prefix='postern-cert-') as folder:
        world = CertWorld(sys.argv[1], folder)
        for part in (making, answers, bad_answers, stubborn, containers, swapped):
            part(world)
        living(world, *store_faults(world))
        shutil.rmtree(world.store)
        expect('an empty store says what to do', world.done('list', 'list'), 'see postern cert new')


main()
