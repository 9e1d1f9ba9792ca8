"""Other mail servers in the place of the one under test: each relays contoso.com to the sink and acknowledges after its
own idea of stable storage. Unpacked or installed beside, never installed; one that is not to be had is left out."""
import os
import shutil

from lab.jailed import Jailed, possible
from lab.postfix import NoNetwork, Postfix
from lab.process import Failed, Process, accepts, free_port, wait_until, write


class PostfixServer:
    name = 'Postfix'
    slow = 1  # gets so many times fewer messages, so that a round ends

    def __init__(self, build, folder, world, sink, tls, group, waits=False):
        self.group, self.port = group, free_port()
        os.makedirs(folder + '/conf')
        settings = {'myhostname': 'mail1.contoso.com', 'relay_domains': 'contoso.com', 'smtpd_client_connection_count_limit': '0',
                    'relayhost': f'[127.0.0.1]:{sink}', 'relay_transport': f'smtp:[127.0.0.1]:{sink}', 'message_size_limit': '20480000',
                    'smtp_destination_concurrency_limit': '20', 'initial_destination_concurrency': '20'}
        if waits:
            settings['defer_transports'] = 'smtp relay'
        if tls:
            settings |= {'smtpd_tls_security_level': 'encrypt', 'smtpd_tls_cert_file': world.server.chain,
                         'smtpd_tls_key_file': world.server.key, 'smtpd_tls_req_ccert': 'yes',
                         'smtpd_tls_CAfile': world.ca.certificate, 'smtp_tls_security_level': 'encrypt',
                         'smtp_tls_cert_file': world.server.chain, 'smtp_tls_key_file': world.server.key}
        self.postfix = Postfix(build, folder, settings, [f'127.0.0.1:{self.port} inet n - n - 100 smtpd'])

    def start(self):
        postfix = self.postfix
        master = postfix.tree + '/usr/lib/postfix/sbin/master'
        postfix.process = Process('postfix', self.group.wrap([master, '-c', postfix.folder + '/conf', '-s', '-d']),
                                  postfix.folder + '/log', env=dict(postfix.environment, MAIL_CONFIG=postfix.folder + '/conf'))
        postfix.process.wait_for('daemon started')

    def stop(self):
        self.postfix.stop()


class InView:
    """A server of lab/jailed.py, on its core and in its group."""

    def start(self):
        jailed = self.jailed
        jailed.wrap = self.group.wrap
        jailed.start(*self.command)

    def stop(self):
        self.jailed.stop()


class EximServer(InView):
    """Each message is taken by a process of its own and passed on by another; its spool files are synced."""
    name = 'Exim'
    slow = 5
    command = '/usr/sbin/exim4', '-bdf', '-q5s'

    def __init__(self, build, folder, world, sink, tls, group, waits=False):
        if not possible():
            raise NoNetwork('this machine gives no view of its own')
        self.group, self.port = group, free_port()
        main, out = 'tls_advertise_hosts =\n', '  hosts_avoid_tls = *\n'
        if tls:
            copies = []
            for source in world.server.chain, world.server.key, world.ca.certificate:
                copies.append(shutil.copy(source, f'{folder}/{len(copies)}.pem'))
                os.chown(copies[-1], 120, 120)
            own = f'tls_certificate = {copies[0]}\ntls_privatekey = {copies[1]}\ntls_verify_certificates = {copies[2]}\n'
            main = f'tls_advertise_hosts = *\n{own}tls_verify_hosts = *\n'
            out = own + 'hosts_require_tls = *\ntls_verify_hosts = *\ntls_verify_cert_hostnames =\n'
        conf = f'''primary_hostname = mail1.contoso.com
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%slog
local_interfaces = 127.0.0.1.{self.port}
{main}smtp_accept_max = 200
smtp_accept_max_per_connection = 10000
smtp_accept_queue_per_connection = 0
smtp_receive_timeout = 60s
queue_run_max = 20
remote_max_parallel = 20
{"queue_only = true" if waits else ""}
acl_smtp_rcpt = accept
acl_smtp_data = accept
keep_environment =
begin routers
there:
  driver = manualroute
  domains = contoso.com
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = {sink}
  allow_localhost
{out}'''
        self.jailed = Jailed(build, folder, 'exim', ['exim4-daemon-light', 'libidn12', 'libgnutls-dane0', 'libdb5.3', 'libnsl2',
                                                     'libtirpc3'],
                             {'Debian-exim': 120}, {'exim4/exim4.conf': conf}, '127.0.0.1', self.port)
        os.makedirs(folder + '/spool', exist_ok=True)
        os.chown(folder + '/spool', 120, 120)


class OpenSmtpdServer(InView):
    """Keeps several recipients and sessions in few processes; its queue files are synced one by one. What it could not
    pass on at once waits ten seconds, and of 16 sessions it left some without a reply for ever: it gets four, and few
    messages."""
    name = 'OpenSMTPD'
    slow = 15
    most_sessions = 4

    def __init__(self, build, folder, world, sink, tls, group, waits=False):
        if not possible():
            raise NoNetwork('this machine gives no view of its own')
        if tls:
            raise NoNetwork('its certificate towards the next host is not asked for here')
        self.group, self.port = group, free_port()
        # Its queue on the disk that is meant, not in the view's memory.
        queue = folder + '/queue'
        os.makedirs(queue)
        os.chmod(queue, 0o711)
        self.command = 'sh', '-c', (f'mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd && mount --bind {queue} /var/spool/smtpd'
                                    ' && exec /usr/sbin/smtpd -d')
        conf = f'''listen on 127.0.0.1 port {self.port} hostname mail1.contoso.com
action "out" relay host smtp://127.0.0.1:{sink} helo mail1.contoso.com
match from any for domain "contoso.com" action "out"
'''
        self.jailed = Jailed(build, folder, 'opensmtpd', ['opensmtpd', 'libevent-2.1-7', 'libdb5.3'],
                             {'opensmtpd': 121, 'opensmtpq': 122}, {'smtpd.conf': conf}, '127.0.0.1', self.port)


ROUTE = '''exports.hook_mail = (next, connection) => { connection.relaying = true; next(OK) };
exports.hook_rcpt = (next) => next(OK);
exports.hook_get_mx = (next) => next(OK, {exchange: '127.0.0.1', port: %d, priority: 0});
'''


class HarakaServer:
    """From npm, where NODE_PREFIX or build/partners/haraka holds it: `npm install --prefix build/partners/haraka
    Haraka@3.1.1` (later ones need Node 22). Its queue files are synced before the 250."""
    name = 'Haraka'
    slow = 3

    def __init__(self, build, folder, world, sink, tls, group, waits=False):
        self.group, self.port, self.process, self.folder = group, free_port(), None, folder
        self.program = build + '/partners/haraka/node_modules/.bin/haraka'
        if not os.path.exists(self.program) or not shutil.which('node'):
            raise NoNetwork(f'there is no {self.program}: npm install --prefix {build}/partners/haraka Haraka@3.1.1')
        files = {'config/smtp.ini': f'listen=127.0.0.1:{self.port}\nnodes=0\n', 'config/host_list': 'contoso.com\n',
                 'config/me': 'mail1.contoso.com\n', 'config/plugins': ('tls\n' if tls else '') + 'route\n',
                 'config/log.ini': 'level=notice\n', 'plugins/route.js': ROUTE % sink,
                 'config/outbound.ini': f'local_mx_ok=true\nconcurrency_max=100\nenable_tls={"true" if tls else "false"}\n',
                 'config/databytes': '20480000\n', 'config/package.json': '{}\n'}
        for path, text in files.items():
            write(f'{folder}/{path}', text)
        if tls:
            for name, source in ('tls_key.pem', world.server.key), ('tls_cert.pem', world.server.chain), ('ca.pem', world.ca.certificate):
                shutil.copy(source, f'{folder}/config/{name}')
            write(folder + '/config/tls.ini', 'key=tls_key.pem\ncert=tls_cert.pem\nca=ca.pem\nrequestCert=true\nrejectUnauthorized=true\n'
                                              '[outbound]\nkey=tls_key.pem\ncert=tls_cert.pem\nrejectUnauthorized=false\n')
        shutil.copy(build + '/partners/haraka/node_modules/Haraka/config/connection.ini', folder + '/config/')
        os.makedirs(folder + '/queue', exist_ok=True)

    def start(self):
        self.process = Process('haraka', self.group.wrap([self.program, '-c', self.folder]), self.folder + '/log')
        wait_until(lambda: accepts('127.0.0.1', self.port) or not self.process.alive(), 'Haraka to listen')
        if not self.process.alive():
            raise Failed('Haraka did not start: ' + ' '.join(self.process.lines[-3:]))

    def stop(self):
        self.process.stop()


PEERS = PostfixServer, EximServer, OpenSmtpdServer, HarakaServer
