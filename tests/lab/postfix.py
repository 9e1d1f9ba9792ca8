"""Debian's Postfix as a partner: fetched and unpacked below the build folder, never installed (it would replace the
machine's own mail server), with a queue and a configuration of its own, its log on our pipe. Needs root, as Postfix
itself does: it changes to users of the base system."""
import glob
import os
import shutil
import subprocess
import tempfile

from .process import Failed, Process, wait_until, write

# Users and groups that every Debian has; Postfix insists on two different ones of its own.
OWNER, DROP = 'news', 'uucp'
_OWN = ('active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold', 'incoming', 'private', 'saved', 'trace')
_SERVICES = '''cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
'''


class NoNetwork(Exception):
    """The packages cannot be fetched here."""


def _fetch(packages, folder):
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o777)  # apt's own user writes here
        done = subprocess.run(['apt-get', 'download', '-q', *packages], cwd=work, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            subprocess.run(['apt-get', 'update', '-q'], capture_output=True, check=False)
            done = subprocess.run(['apt-get', 'download', '-q', *packages], cwd=work, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NoNetwork(f'apt-get download {" ".join(packages)}: {done.stderr.strip()}')
        for package in glob.glob(work + '/*.deb'):
            subprocess.run(['dpkg-deb', '-x', package, folder], check=True)


def _libraries(tree):
    return ':'.join([tree + '/usr/lib/postfix', *glob.glob(tree + '/usr/lib/*-linux-gnu*'), *glob.glob(tree + '/lib/*-linux-gnu*')])


def _lacks(tree):
    """Libraries of other packages that this machine does not have."""
    missing = ''
    for program in glob.glob(tree + '/usr/lib/postfix/sbin/*'):
        listed = subprocess.run(['ldd', program], env=dict(os.environ, LD_LIBRARY_PATH=_libraries(tree)),
                                capture_output=True, text=True, check=False)
        missing += ''.join(line for line in listed.stdout.splitlines() if 'not found' in line)
    return missing


def unpacked(build):
    """The folder with Postfix in it; fetched the first time."""
    tree = build + '/partners/postfix'
    if os.path.isdir(tree):
        return tree
    os.makedirs(build + '/partners', exist_ok=True)
    fresh = tempfile.mkdtemp(dir=build + '/partners')
    try:
        os.chmod(fresh, 0o755)
        _fetch(['postfix'], fresh)
        if _lacks(fresh):
            _fetch(['libdb5.3', 'libicu72', 'libnsl2', 'libtirpc3', 'libsasl2-2'], fresh)
        if _lacks(fresh):
            raise Failed('Postfix lacks libraries: ' + _lacks(fresh))
        os.rename(fresh, tree)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return tree


class Postfix:
    """`settings` go into main.cf, `services` are lines of master.cf beside the usual ones."""

    def __init__(self, build, folder, settings, services):
        self.tree, self.folder, self.process = unpacked(build), folder, None
        self.environment = dict(os.environ, LD_LIBRARY_PATH=_libraries(self.tree))
        self._make_folders()
        every = {
            'compatibility_level': '3.6', 'mail_owner': OWNER, 'setgid_group': DROP, 'default_privs': 'nobody',
            'queue_directory': folder + '/queue', 'data_directory': folder + '/data',
            'command_directory': self.tree + '/usr/sbin', 'daemon_directory': self.tree + '/usr/lib/postfix/sbin',
            'shlib_directory': self.tree + '/usr/lib/postfix', 'maillog_file': '/dev/stdout',
            'import_environment': 'MAIL_CONFIG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME LD_LIBRARY_PATH',
            'alias_maps': '', 'alias_database': '', 'local_recipient_maps': '', 'inet_protocols': 'ipv4',
            'mynetworks': '127.0.0.0/8', 'smtpd_peername_lookup': 'no', 'biff': 'no', 'mydestination': '',
            'smtpd_relay_restrictions': 'permit_mynetworks, reject', **settings}
        write(folder + '/conf/main.cf', ''.join(f'{key} = {value}\n' for key, value in every.items()))
        write(folder + '/conf/master.cf', _SERVICES + '\n'.join(services) + '\n')

    def _make_folders(self):
        queue = self.folder + '/queue'
        for name in _OWN:
            os.makedirs(f'{queue}/{name}', 0o700, exist_ok=True)
            shutil.chown(f'{queue}/{name}', OWNER)
        for name, mode in ('maildrop', 0o730), ('public', 0o710):
            os.makedirs(f'{queue}/{name}', exist_ok=True)
            os.chmod(f'{queue}/{name}', mode)
            shutil.chown(f'{queue}/{name}', OWNER, DROP)
        os.makedirs(queue + '/pid', exist_ok=True)
        for name in 'data', 'mail':
            os.makedirs(f'{self.folder}/{name}', exist_ok=True)
            shutil.chown(f'{self.folder}/{name}', OWNER if name == 'data' else 'nobody')

    def start(self):
        master = self.tree + '/usr/lib/postfix/sbin/master'
        self.process = Process('postfix', [master, '-c', self.folder + '/conf', '-s', '-d'], self.folder + '/log',
                               env=dict(self.environment, MAIL_CONFIG=self.folder + '/conf'))
        self.process.wait_for('daemon started')
        return self

    def stop(self):
        self.process.stop()

    def mailbox(self, address):
        local, domain = address.split('@')
        texts = []
        for name in glob.glob(f'{self.folder}/mail/{domain}/{local}/new/*'):
            with open(name, encoding='utf-8', errors='replace') as file:
                texts.append(file.read())
        return texts

    def arrived(self, address, subject, seconds=30):
        """Waits for the message with that subject."""
        def found():
            return next((text for text in self.mailbox(address) if f'\nSubject: {subject}\n' in text), None)
        return wait_until(found, f'"{subject}" in the mailbox of {address}', seconds)
