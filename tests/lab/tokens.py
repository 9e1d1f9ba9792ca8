"""A SoftHSM token and an edge whose keys lie in it. As a module that hangs where a test wants it to (tests/tokens), in a
private view of the machine in which p11-kit knows no other."""
import contextlib
import fcntl
import os
import re
import subprocess

from .edge import Edge
from .partners import CONTOSO, World
from .process import Failed, Process, write

PIN = '314159'
_MODULES = '/usr/share/p11-kit/modules'

# LeakSanitizer cannot look into a process whose token module has ended under it.
os.environ['ASAN_OPTIONS'] = 'detect_leaks=0:' + os.environ.get('ASAN_OPTIONS', '')


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise Failed(f'{command}: {done.stdout}{done.stderr}')
    return done.stdout


def objects(kind='private'):
    command = ['p11tool', '--list-all', '--login', '--set-pin', PIN, 'pkcs11:token=edge%20one']
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # status 1 where it is empty
    return re.findall(rf'URL: (\S*type={kind})', listed), listed


class TokenWorld(World):
    """Contoso names no certificate: its own are the store's, their keys the token's."""

    def __init__(self, build, folder):
        os.makedirs(folder + '/tokens')
        os.environ['SOFTHSM2_CONF'] = write(folder + '/softhsm2.conf', f'directories.tokendir = {folder}/tokens\n'
                                            'objectstore.backend = file\nlog.level = ERROR\n')
        run('softhsm2-util', '--init-token', '--free', '--label', 'edge one', '--pin', PIN, '--so-pin', '271828')
        self.pin = write(folder + '/pin', PIN + '\n', 0o600)
        super().__init__(build, folder)

    def edge(self, own, other, leaf, **more):
        text = self.text(own, other, leaf, **more)
        if own == CONTOSO:
            text = text.replace('\n  tls-mutual\n', f'\n  tls-mutual {{\n    token_pin {self.pin}\n  }}\n')
            text = text.replace('  certificate edge\n', '')
            text += (f'trusted_servers {{\n  hub {{\n    sha256 {self.contoso_leaf.sha256()}\n    roles {{\n      relay\n    }}\n'
                     f'  }}\n}}\nintermediates {{\n  {self.contoso_ca.certificate}\n}}\n')
        folder = f'{self.folder}/{own[0]}'
        os.makedirs(folder, exist_ok=True)
        return Edge(self.build, folder, 'mail1.' + own[0], own[1], self.port, text)

    def cert(self, *words):
        done = self.contoso.postern('cert', *words)
        if done.returncode != 0:
            raise Failed(f'postern cert {words}: {done.stdout}{done.stderr}')
        return done.stdout

    def answered(self, name, *words):
        """A request with a key in the token, signed, imported and enabled; the certificate's SHA-256."""
        path = f'{self.folder}/{name}.req'
        self.cert('request', '--token', 'edge one', '--output', path, *words)
        return self.cert('import', self.contoso_ca.sign_request(path, path + '.crt'), '--services', 'smtp').split()[0]


class HangingModule:
    """Of the module's calls those hang that are held."""

    def __init__(self, build, folder):
        self.folder = folder
        os.makedirs(folder + '/hangs')
        os.makedirs(folder + '/modules')
        with open(_MODULES + '/softhsm2.module', encoding='utf-8') as file:
            real = next(line.split(':', 1)[1].strip() for line in file if line.startswith('module:'))
        write(folder + '/modules/softhsm2.module', f'module: {build}/tokens/hanging-token.so\n')
        self.view = write(folder + '/view', f'mount --bind {folder}/modules {_MODULES} && exec "$@"\n')
        self.environment = dict(os.environ, HANGING_TOKEN=folder + '/hangs', HANGING_TOKEN_REAL=real)

    @staticmethod
    def possible():
        command = f'mount --bind /tmp {_MODULES}'
        return os.path.isdir(_MODULES) and subprocess.run(['unshare', '-m', 'sh', '-c', command], capture_output=True,
                                                          check=False).returncode == 0

    def command(self, *words):
        return ['unshare', '-m', 'sh', self.view, *words]

    @contextlib.contextmanager
    def held(self, *calls):
        files = [open(f'{self.folder}/hangs/{call}', 'w', encoding='ascii') for call in calls]
        for file in files:
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            for file in files:
                file.close()


class HangingEdge(Edge):
    """An edge in the module's view."""
    module = None

    def start(self):
        self.process = Process(self.name, self.module.command(self.build + '/bin/posternd', '-c', self.conf), self.folder + '/log',
                               env=self.module.environment)
        self.process.wait_for('started:')
        return self
