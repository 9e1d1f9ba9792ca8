"""A store of certificates with the authorities that sign for it, for tests of `postern cert`: no daemon runs."""
import json
import os
import subprocess

from . import pki
from .process import Failed, free_port, write

PASSWORD = 'correct horse'


def certtool(*arguments):
    done = subprocess.run(['certtool', *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f'certtool {arguments}: {done.stderr}')
    return done.stdout


class CertWorld:
    def __init__(self, build, folder):
        self.build, self.folder = os.path.abspath(build), folder
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
plugin_folder {self.build}/plugins
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

    def command(self, *words):
        return [self.build + '/bin/postern', '-c', self.conf, 'cert', *words]

    def postern(self, *words, **more):
        return subprocess.run(self.command(*words), capture_output=True, text=True, errors='replace',
                              timeout=120, check=False, **more)

    def done(self, what, *words, wanted=(), **more):
        done = self.postern(*words, **more)
        said = done.stdout + done.stderr
        missing = [one for one in wanted if one not in said]
        if done.returncode != 0 or missing:
            raise Failed(f'FAILED {what}: status {done.returncode}, missing {missing} in\n{said}')
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
            raise Failed(f'FAILED {what}: status {done.returncode} (wanted {status}), "{wanted}" in\n'
                             f'{done.stdout}{done.stderr}')
        asked = self.postern(*words, '--json', **more)
        told = json.loads(asked.stdout)
        if asked.returncode != status or told['status'] != status or wanted not in told['error'] + text:
            raise Failed(f'FAILED {what} --json: status {asked.returncode}: {asked.stdout}')
        if self.contents() != before:
            raise Failed(f'FAILED {what}: the store changed')
        print(f'ok: {what}: {text.strip()[-110:]}')

    def path(self, name):
        return os.path.join(self.folder, name)

    def request(self, name, *words):
        path = self.path(name)
        self.done('a request: ' + name, 'request', '--output', path, *words)
        return path
