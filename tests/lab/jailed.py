"""Mail servers of Debian that want to be the machine's own: fetched, unpacked, and run in a private view of the machine
(a mount namespace with an overlay over /), where their users and their configuration exist and nothing else is touched.
Needs root. Exim and OpenSMTPD."""
import glob
import os
import shutil
import subprocess
import tempfile

from .postfix import _fetch
from .process import Process, accepts, wait_until, write

# Arguments: the unpacked package, the test's folder, then the command.
_VIEW = '''set -e
mount --make-rprivate /
mkdir -p "$2/view"
mount -t tmpfs none "$2/view"
cd "$2/view"
mkdir up work root
cp -a "$1/usr" up/
mkdir -p up/etc
cp /etc/passwd /etc/group up/etc/
cat "$2/passwd" >> up/etc/passwd
cat "$2/group" >> up/etc/group
cp -a "$2/etc/." up/etc/
mount -t overlay overlay -o lowerdir=/,upperdir="$2/view/up",workdir="$2/view/work" root
mount --rbind /dev root/dev
mount --rbind /proc root/proc
mkdir -p "root$2"
mount --bind "$2" "root$2"
shift 2
exec chroot root "$@"
'''


def unpacked(build, name, packages):
    """The folder with the packages' files in it; fetched the first time."""
    tree = f'{build}/partners/{name}'
    if not os.path.isdir(tree):
        os.makedirs(build + '/partners', exist_ok=True)
        fresh = tempfile.mkdtemp(dir=build + '/partners')
        try:
            os.chmod(fresh, 0o755)
            _fetch(packages, fresh)
            os.rename(fresh, tree)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    return tree


def possible():
    """Whether this machine lets us have a view of our own."""
    command = 'd=$(mktemp -d) && mount -t tmpfs none $d && mkdir $d/u $d/w $d/r && ' \
              'mount -t overlay overlay -o lowerdir=/,upperdir=$d/u,workdir=$d/w $d/r'
    return os.geteuid() == 0 and subprocess.run(['unshare', '-m', 'sh', '-c', command], capture_output=True,
                                                check=False).returncode == 0


class Jailed:
    """`users`: name to number; `files`: below /etc, path to text."""

    def __init__(self, build, folder, name, packages, users, files, address, port):
        self.folder, self.name, self.address, self.port, self.process = folder, name, address, port, None
        self.wrap = lambda command: command
        self.tree = unpacked(build, name, packages)
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        write(folder + '/passwd', ''.join(f'{user}:x:{n}:{n}::/var/empty:/usr/sbin/nologin\n' for user, n in users.items()))
        write(folder + '/group', ''.join(f'{user}:x:{n}:\n' for user, n in users.items()))
        for path, text in files.items():
            write(f'{folder}/etc/{path}', text)

    def start(self, *command):
        whole = ['unshare', '-m', 'sh', '-c', _VIEW, 'view', self.tree, self.folder, *command]
        self.process = Process(self.name, self.wrap(whole), self.folder + '/log')
        wait_until(lambda: accepts(self.address, self.port) or not self.process.alive(), self.name)
        if not self.process.alive():
            self.process.wait_for('(its own words)', seconds=0.1)
        return self

    def stop(self):
        self.process.stop()

    def arrived(self, subject, seconds=30):
        """Waits for the message with that subject in the one mailbox."""
        def found():
            for name in glob.glob(self.folder + '/box/new/*'):
                with open(name, encoding='utf-8', errors='surrogateescape', newline='') as file:
                    text = file.read()
                if f'Subject: {subject}' in text:
                    return text
            return None
        return wait_until(found, f'"{subject}" at {self.name}', seconds)


class OpenSmtpd(Jailed):
    """Takes mail of `domain` into one mailbox, and relays that of `other` to a host."""

    def __init__(self, build, folder, domain, address, port, other, host):
        conf = f'''listen on {address} port {port} hostname mx.{domain}
action "box" maildir "{folder}/box" user opensmtpd
action "out" relay host smtp://{host}:{port} helo mx.{domain}
match from any for domain "{domain}" action "box"
match from any for domain "{other}" action "out"
'''
        aliases = f'table accounts {{ "@" = opensmtpd }}\n'
        conf = aliases + conf.replace('user opensmtpd', 'virtual <accounts>')
        super().__init__(build, folder, 'opensmtpd', ['opensmtpd', 'libevent-2.1-7', 'libdb5.3'],
                         {'opensmtpd': 121, 'opensmtpq': 122}, {'smtpd.conf': conf}, address, port)
        os.makedirs(folder + '/box', exist_ok=True)
        os.chown(folder + '/box', 121, 121)

    def start(self):
        return super().start('sh', '-c', 'mkdir -p /var/lib/opensmtpd/empty && exec /usr/sbin/smtpd -d')


class Exim(Jailed):
    """The same with Exim, which speaks CHUNKING, DSN and PIPELINING both ways. `tls`: certificate, key and roots as files;
    then it wants TLS towards the other, verifies it, and asks whoever connects for a certificate."""

    def __init__(self, build, folder, domain, address, port, other, host, tls=None):
        main, out = 'tls_advertise_hosts =\n', '  hosts_avoid_tls = *\n'
        if tls:
            own = f'tls_certificate = {tls[0]}\ntls_privatekey = {tls[1]}\ntls_verify_certificates = {tls[2]}\n'
            main = f'tls_advertise_hosts = *\n{own}tls_try_verify_hosts = *\nlog_selector = +tls_peerdn +tls_certificate_verified\n'
            out = own + 'hosts_require_tls = *\ntls_verify_hosts = *\ntls_verify_cert_hostnames =\n'
        conf = f'''primary_hostname = mx.{domain}
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%slog
local_interfaces = {address}.{port}
{main}dsn_advertise_hosts = *
chunking_advertise_hosts = *
hosts_require_alpn =
acl_smtp_rcpt = accept
acl_smtp_data = accept
accept_8bitmime = true
keep_environment =
begin routers
here:
  driver = accept
  domains = {domain}
  transport = box
there:
  driver = manualroute
  domains = {other}
  route_list = * {host}
  self = send
  transport = out
begin transports
box:
  driver = appendfile
  maildir_format
  directory = {folder}/box
  user = Debian-exim
out:
  driver = smtp
  port = {port}
  allow_localhost
{out}'''.replace('hosts_require_alpn =\n', '')
        super().__init__(build, folder, 'exim', ['exim4-daemon-light', 'libidn12', 'libgnutls-dane0', 'libdb5.3', 'libnsl2', 'libtirpc3'],
                         {'Debian-exim': 120}, {'exim4/exim4.conf': conf}, address, port)
        for name in 'box', 'spool':
            os.makedirs(f'{folder}/{name}', exist_ok=True)
            os.chown(f'{folder}/{name}', 120, 120)

    def start(self):
        return super().start('/usr/sbin/exim4', '-bdf', '-q1m')
