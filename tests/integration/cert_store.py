#!/usr/bin/env python3
"""Certificates by `postern cert`, held against openssl and certtool: what is made here is read by them, what they make is
read here, and whatever goes wrong leaves the store exactly as it was."""
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

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.process import free_port, write

BUILD = os.path.abspath(sys.argv[1])
PASSWORD = 'correct horse'


def certtool(*arguments):
    done = subprocess.run(['certtool', *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f'certtool {arguments}: {done.stderr}')
    return done.stdout


class World:
    def __init__(self, folder):
        self.folder = folder
        self.root = pki.Authority(folder, 'root', 'Third Party')
        self.ca = pki.Authority(folder, 'issuing', 'Issuer', self.root, 'http://crl.example.net/root.crl')
        self.foreign = pki.Authority(folder, 'foreign', 'Foreign')
        self.password = write(folder + '/password', PASSWORD + '\n', 0o600)
        self.conf = write(folder + '/postern.conf', self.text())
        self.store = folder + '/state/tls-mutual/certificates'

    def text(self, intermediates=''):
        return f'''fqdn mail1.contoso.com
state {self.folder}/state
spool {self.folder}/spool
control_socket {self.folder}/control
plugin_folder {BUILD}/plugins
plugins {{
  tls-mutual
}}
{intermediates}
roots third {{
  file {self.root.certificate}
}}
receive_connector Inet {{
  bindings {{
    127.0.0.1:{free_port()}
  }}
  remote_ranges {{
    127.0.0.0/8
  }}
  permission_groups {{
    anonymous
  }}
  auth_mechanism {{
    tls
  }}
  domain_secure_enabled yes
}}
send_connector Internet {{
  address_spaces {{
    * 1
  }}
  fqdn mail.contoso.com
}}
accepted_domain contoso.com {{
  recipients any
  deliver Internet
}}
accepted_domain fabrikam.com {{
  recipients any
  deliver Internet
}}
'''

    def postern(self, *words, **more):
        return subprocess.run([BUILD + '/bin/postern', '-c', self.conf, 'cert', *words], capture_output=True, text=True,
                              timeout=120, check=False, **more)

    def done(self, what, *words, wanted=(), **more):
        done = self.postern(*words, **more)
        said = done.stdout + done.stderr
        missing = [one for one in wanted if one not in said]
        if done.returncode != 0 or missing:
            raise SystemExit(f'FAILED {what}: status {done.returncode}, missing {missing} in\n{said}')
        print('ok: ' + what)
        return done.stdout

    def json(self, *words):
        return json.loads(self.done('cert ' + ' '.join(words[:1]) + ' --json', *words, '--json'))

    def contents(self):
        if not os.path.isdir(self.store):
            return {}
        return {name: open(os.path.join(self.store, name), 'rb').read() for name in sorted(os.listdir(self.store))
                if name != '.lock'}

    def refused(self, what, status, wanted, *words, **more):
        """One sentence with the file and the remedy, the status, and the store as it was."""
        before = self.contents()
        done = self.postern(*words, **more)
        text = done.stderr.split('usage:')[0]
        if done.returncode != status or wanted not in text or done.stdout or text.count('\n') != 1:
            raise SystemExit(f'FAILED {what}: status {done.returncode} (wanted {status}), "{wanted}" in\n'
                             f'{done.stdout}{done.stderr}')
        if self.contents() != before:
            raise SystemExit(f'FAILED {what}: the store changed')
        print(f'ok: {what}: {text.strip()[-110:]}')

    def path(self, name):
        return os.path.join(self.folder, name)

    def request(self, name, *words):
        path = self.path(name)
        self.done('a request: ' + name, 'request', '--output', path, *words)
        return path


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
    done = world.postern('request', '--domain', 'mail1.contoso.com', '--purpose', 'server', '--key', 'ed25519')
    expect('what partners will not like', done.stderr, 'lacks clientAuth', 'Postfix before 3.12', 'by March 2027', 'Ed25519')
    for one in world.json('list')['requests']:
        world.done('a request is taken back', 'remove', one['key_sha256'])
    for what, wanted, words in (
            ('no name', 'would hold no DNS name', ['request', '--subject', 'O=Contoso']),
            ('a missing comma', 'a comma is missing before "o=contoso corp"', ['new', '--subject', 'C=US o=contoso corp']),
            ('an unknown connector', 'there are Inet, Internet', ['new', '--connector', 'Intern']),
            ('an unknown key', '--key knows', ['new', '--key', 'dsa']),
            ('an unknown option', 'did you mean --domain?', ['new', '--domains', 'a.b']),
            ('an output that exists', 'plain.req exists', ['request', '--output', world.path('plain.req')])):
        world.refused(what, 1 if 'comma' in what else 2, wanted, *words)


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
    for one in world.json('list')['certificates']:
        world.done('it goes again', 'remove', one['sha256'])


def containers(world):
    """PKCS#12 of both makers, old and new; ours read by both."""
    leaf = world.ca.leaf('edge', ['mail1.contoso.com'], crl='http://crl.example.net/ca.crl')
    made = {'openssl': ['-keypbe', 'AES-256-CBC', '-certpbe', 'AES-256-CBC'], 'openssl-legacy': ['-legacy'], 'certtool': None}
    for maker, options in made.items():
        path = world.path(maker + '.p12')
        if options is None:
            certtool('--to-p12', '--load-privkey', leaf.key, '--load-certificate', leaf.chain, '--p12-name', 'edge one',
                     '--password', PASSWORD, '--outder', '--outfile', path)
        else:
            pki.openssl('pkcs12', '-export', '-in', leaf.chain, '-inkey', leaf.key, '-name', 'edge one', '-passout',
                        'pass:' + PASSWORD, '-out', path, *options)
        world.refused('a wrong password, ' + maker, 1, 'the password is wrong', 'import', path, '--password-stdin', input='no\n')
        with open(path, 'rb') as file:
            octets = file.read()
        with open(world.path('cut.p12'), 'wb') as file:
            file.write(octets[:-200])
        world.refused('a truncated file, ' + maker, 1, 'cut.p12: is neither', 'import', world.path('cut.p12'),
                      '--password-file', world.password)
        taken = world.done('PKCS#12 by ' + maker, 'import', path, '--password-file', world.password, '--exportable')
        assert leaf.sha256() in taken, taken
        assert world.json('show', leaf.sha256())['friendly_name'] == 'edge one'
        if maker == 'certtool':
            break
        world.done('it goes again', 'remove', leaf.sha256())
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
    world.refused('a file that is there', 2, 'edge.cer exists', 'export', leaf.sha256(), '--output', world.path('edge.cer'))
    world.done('it goes again', 'remove', leaf.sha256())
    world.done('taken without --exportable', 'import', world.path('openssl.p12'), '--password-file', world.password)
    world.refused('its key stays here', 1, 'was not made --exportable', 'export', leaf.sha256(), '--output',
                  world.path('no.p12'), '--password-file', world.password)
    world.done('it goes again', 'remove', leaf.sha256())
    prompted(world, world.path('openssl.p12'))
    world.refused('no terminal to ask on', 1, 'needs a password and there is no terminal', 'import',
                  world.path('openssl.p12'), start_new_session=True)
    world.done('it goes again', 'remove', leaf.sha256()) if world.json('list')['certificates'] else None


def prompted(world, path):
    """At a terminal the password is asked for, and not shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(BUILD + '/bin/postern', ['postern', '-c', world.conf, 'cert', 'import', path])
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
        world = World(folder)
        for part in (making, answers, bad_answers, containers):
            part(world)
        living(world, *store_faults(world))
        shutil.rmtree(world.store)
        expect('an empty store says what to do', world.done('list', 'list'), 'see postern cert new')


main()
