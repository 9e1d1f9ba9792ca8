#!/usr/bin/env python3
"""docs/certificates.md says what works: every command on the page is run as it stands there, in an order that an
administrator would take; where the page has a thumbprint, a password or a partner's file, ours stands in. A command that is
added to the page and not here, or the other way about, fails."""
import json
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.certs import PASSWORD, CertWorld
from lab.process import Failed, write
from lab.tokens import PIN, run

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../docs/certificates.md')


def commands():
    """Of the blocks and of the tables' right column and the text."""
    with open(PAGE, encoding='utf-8') as file:
        page = file.read()
    blocks = re.findall(r'^    (postern cert .*?)(?:\s+#.*)?$', page, re.M)
    return set(blocks) | set(re.findall(r'`(postern cert [^`]+)`', page))


class Page(CertWorld):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.conf = write(self.conf, self.text(f'intermediates {{\n  {self.ca.certificate}\n}}\n').replace(
            '\n  tls-mutual\n', f'\n  tls-mutual {{\n    token_pin {folder}/pin\n  }}\n'))
        self.left = commands()
        os.makedirs(folder + '/here')

    def type(self, command, wanted=(), replace=(), typed=0, status=0):
        """One line of the page. `typed`: how often the password is asked for."""
        if command not in self.left:
            raise Failed(f'the page does not hold "{command}"')
        self.left.discard(command)
        line = command
        for old, new in replace:
            line = line.replace(old, new)
        words = self.command(*shlex.split(line)[2:])
        got, said = self.at_terminal(words, typed) if typed else self.plain(words)
        missing = [one for one in wanted if one not in said]
        if got not in (status if isinstance(status, tuple) else (status,)) or missing:
            raise Failed(f'{line}: status {got}, missing {missing} in\n{said}')
        print('ok: ' + command)
        return said

    def plain(self, words):
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=self.folder + '/here')
        return done.returncode, done.stdout + done.stderr

    def at_terminal(self, words, times):
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder + '/here')
            os.execv(words[0], words)
        seen = b''
        for prompt in ('Password of', 'Again:')[:times]:
            while prompt.encode() not in seen:
                seen += os.read(terminal, 1000)
            os.write(terminal, PASSWORD.encode() + b'\n')
        try:
            while part := os.read(terminal, 1000):
                seen += part
        except OSError:
            pass  # the other end closed
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode().replace('\r', '')

    def here(self, name):
        return f'{self.folder}/here/{name}'

    def sign(self, request, answer):
        self.ca.sign_request(self.here(request), self.here(answer))

    def sweep(self, *names):
        for name in names:
            os.unlink(self.here(name))


def first(page):
    page.type('postern cert request --connector Inet --friendly-name "Internet certificate" --output mail1.req',
              wanted=['mail1.contoso.com, contoso.com, fabrikam.com'])
    page.sign('mail1.req', 'mail1.crt')
    taken = page.type('postern cert import mail1.crt --services smtp', wanted=['chain    2 certificates'])
    sha256 = taken.split()[0]
    page.type('postern cert which', wanted=['* ' + sha256[:16]], status=1)  # the send connector's fqdn has none yet
    return sha256


def table(page, sha256):
    sha1 = json.loads(page.postern('show', sha256, '--json').stdout)['sha1']
    ours = [('c424...', sha1[:12]), ('AB49...', sha1[:8])]
    page.type('postern cert request --friendly-name "Internet certificate" --output request.req --subject '
              '"DC=com,DC=Contoso,CN=mail1.contoso.com" --domain mail.contoso.com',
              wanted=['DC=com, DC=Contoso, CN=mail1.contoso.com', 'mail1.contoso.com, mail.contoso.com'])
    page.type('postern cert new --domain mail1.contoso.com', wanted=['enable it'])
    leaf = page.ca.leaf('import', ['mail1.contoso.com'])
    pki.openssl('pkcs12', '-export', '-in', leaf.chain, '-inkey', leaf.key, '-passout', 'pass:' + PASSWORD, '-out',
                page.here('import.pfx'))
    page.type('postern cert import import.pfx', wanted=[leaf.sha256(), 'enable it'], typed=1)
    page.postern('remove', leaf.sha256())
    page.type('postern cert import import.pfx --services smtp', wanted=[leaf.sha256()], typed=1)
    page.type('postern cert enable AB49... --services smtp', wanted=['enabled for smtp'], replace=ours)
    page.type('postern cert list', wanted=['Internet certificate', leaf.sha256(), 'pending '])
    page.type('postern cert list --domain mail1.contoso.com', wanted=[sha256])
    page.type('postern cert which --domain mail1.contoso.com', wanted=['  * '])
    page.type('postern cert show c424...', wanted=[sha256, 'used by'], replace=ours)
    page.type('postern cert clone c424...', wanted=['contoso.com, fabrikam.com'], replace=ours)
    page.sweep('mail1.req')
    page.type('postern cert clone c424... --request --output mail1.req', wanted=['contoso.com, fabrikam.com'], replace=ours)
    page.type('postern cert export c424... --output mail1.cer', wanted=['without its key'], replace=ours)
    page.type('postern cert export c424... --output mail1.pfx', wanted=['was not made --exportable'], replace=ours, status=1)
    page.type('postern cert verify mail1.cer', status=(0, 75))
    page.postern('disable', leaf.sha256())  # of two that fit the one that ends last would be in use
    page.type('postern cert remove c424...', wanted=['is in use by receive_connector Inet'], replace=ours, status=1)


def renewed(page, sha256):
    ours = [('3e7431ba', sha256[:8])]
    page.type('postern cert clone 3e7431ba --request --exportable --output renewal.req', wanted=['have a CA sign it'], replace=ours)
    page.sign('renewal.req', 'renewal.crt')
    new = page.type('postern cert import renewal.crt --services smtp', wanted=['chain    2 certificates']).split()[0]
    page.type('postern cert remove 3e7431ba', wanted=['removed'], replace=ours)
    page.type('postern cert export e6bf7968 --output edge.pfx', wanted=['keep it safe'], replace=[('e6bf7968', new[:8])], typed=2)
    page.postern('disable', new)
    page.postern('remove', new)
    page.type('postern cert import edge.pfx --services smtp', wanted=[new], typed=1)


def token(page):
    os.makedirs(page.folder + '/tokens')
    os.environ['SOFTHSM2_CONF'] = write(page.folder + '/softhsm2.conf', f'directories.tokendir = {page.folder}/tokens\n'
                                        'objectstore.backend = file\nlog.level = ERROR\n')
    run('softhsm2-util', '--init-token', '--free', '--label', 'edge one', '--pin', PIN, '--so-pin', '271828')
    write(page.folder + '/pin', PIN + '\n', 0o600)
    page.sweep('mail1.req')
    page.type('postern cert request --connector Inet --token "edge one" --output mail1.req', wanted=['have a CA sign it'])


def main():
    with tempfile.TemporaryDirectory(prefix='postern-page-') as folder:
        page = Page(sys.argv[1], folder)
        sha256 = first(page)
        table(page, sha256)
        renewed(page, sha256)
        token(page)
        if page.left:
            raise Failed('on the page, and not run here: ' + '; '.join(sorted(page.left)))
        print('ok: every command of the page was run')


main()
