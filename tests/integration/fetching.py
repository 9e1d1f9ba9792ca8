#!/usr/bin/env python3
"""Where lists come from, and what comes instead: a directory (slapd), an origin that hangs, sends without end, loops,
redirects to a file, sends garbage, a list by another key, yesterday's list; five hundred sessions that wait for one list; a
list that an operator imports; proxy test."""
import asyncio
import os
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender, context_for
from lab.expect import check
from lab.origin import Origin
from lab.partners import CONTOSO, WOODGROVE, World
from lab.services import Directory

SESSIONS = 500


class Fetching(World):
    def __init__(self, build, folder):
        self.origin = Origin()
        self.silent, self.dead, self.offline = Origin(), Origin(), Origin()  # servers that never answer
        self.directory = Directory(folder).start()
        super().__init__(build, folder)

    def authorities(self):
        folder = self.folder
        self.root = pki.Authority(folder, 'root', 'Third Party')
        self.contoso_ca = pki.Authority(folder, 'contoso-ca', 'Contoso', self.root)
        self.contoso_leaf = self.contoso_ca.leaf('mail1', ['mail1.contoso.com'])
        self.root_url = f'ldap://127.0.0.1:{self.directory.port}' + Directory.question('root')
        self.directory.publish(self.root)
        self.woodgrove_ca = self.issuer('woodgrove-ca')
        self.directory.publish(self.woodgrove_ca)
        self.woodgrove_leaf = self.woodgrove_ca.leaf('mail1', ['mail1.woodgrovebank.com'],
                                                     crl='ldap://' + Directory.question('woodgrove-ca'))

    def issuer(self, name):
        return pki.Authority(self.folder, name, 'Woodgrove ' + name, self.root, self.root_url)

    def text(self, own, other, leaf, **more):
        crl = f'''crl {{
    crl_hosts {{
      127.0.0.1
    }}
    crl_ports {{
      389
      {self.origin.port}
      {self.silent.port}
      {self.dead.port}
      {self.offline.port}
      {self.directory.port}
    }}
    ldap_hosts {{
      127.0.0.1:{self.directory.port}
    }}
    timeout {more.pop('timeout', '2s')}
    backoff 60s
  }}'''
        more.setdefault('plugins', 'tls-mutual name-matching proxy-winhttp')
        more.setdefault('revocation', 'hard')
        return super().text(own, other, leaf, **more).replace('plugins {\n', f'plugins {{\n  {crl}\n', 1)

    def served(self, path, authority, days=7):
        """A leaf whose list stands at that path, made now."""
        file = f'{self.folder}/lists/{authority.name}.crl'
        authority.publish(file, days)
        with open(file, 'rb') as octets:
            self.origin.lists[path] = octets.read()
        return authority.leaf(path.replace('/', '-'), ['mail1.woodgrovebank.com'], crl=self.origin.url(path))


def answer_to(world, leaf, source):
    with Sender(world.contoso, leaf=leaf, source=source) as sender:
        return sender.to_mail('eve@woodgrovebank.com')


def from_directory(world):
    check('lists out of a directory, with host and without', answer_to(world, world.woodgrove_leaf, '127.0.5.1'), '250 2.1.0')
    line = world.contoso.process.wait_for('crl-fetched: crl: ldap:///')
    check('LDAP goes direct and says so', line, f'direct to 127.0.0.1:{world.directory.port} (LDAP takes no proxy)')
    fresh = world.woodgrove_ca.leaf('doomed', ['mail1.woodgrovebank.com'], crl='ldap://' + Directory.question('woodgrove-ca'))
    world.woodgrove_ca.revoke(fresh)
    world.directory.publish(world.woodgrove_ca)
    check('crl refresh', world.contoso.postern('crl', 'refresh').stdout, 'good    ldap:///', 'good    ldap://127.0.0.1')
    check('and revokes', answer_to(world, fresh, '127.0.5.2'), '550 5.7.5 revoked')
    world.directory.stop()
    done = world.contoso.postern('crl', 'refresh')
    check('a directory that is down', done.stdout, 'failed  ldap:///', 'Connection refused')
    check('does not matter while its list is good', answer_to(world, world.woodgrove_leaf, '127.0.5.3'), '250 2.1.0')
    world.directory.start()


def hostile(world):
    """Each costs a temporary answer that says what happened, and nothing else."""
    ca = world.issuer('hostile-ca')
    other = pki.Authority(world.folder, 'impostor', 'Woodgrove hostile-ca', world.root)  # the same name, another key
    other.publish(world.folder + '/lists/impostor.crl')
    with open(world.folder + '/lists/impostor.crl', 'rb') as file:
        world.origin.lists['/other-key'] = file.read()
    world.origin.lists['/garbage'] = b'<html>Welcome to our captive portal</html>'
    world.served('/yesterday', ca, days=-1)
    wanted = {'/hang': ('crl-unreachable', 'no answer in time'),
              '/endless': ('crl-unreachable', f'127.0.0.1:{world.origin.port}'),
              '/loop': ('crl-unreachable', 'redirects more than 3 times'),
              '/file': ('crl-unreachable', 'file:///etc/passwd', 'neither http nor https'),
              '/metadata': ('crl-unreachable', 'is not among the allowed'),
              '/garbage': ('crl-unverifiable', 'Welcome to our captive portal'),
              '/other-key': ('crl-unverifiable', 'not signed by the issuer'),
              '/yesterday': ('crl-stale', 'ended')}
    for number, (path, words) in enumerate(wanted.items()):
        origin = world.silent if path == '/hang' else world.origin
        leaf = ca.leaf('hostile' + path.replace('/', '-'), ['mail1.woodgrovebank.com'], crl=origin.url(path))
        check(path, answer_to(world, leaf, f'127.0.6.{number + 1}'), '451 4.7.5 ' + words[0], *words[1:])
    log = '\n'.join(world.contoso.process.lines)
    check('nobody read a file', str('root:' in log), 'False')
    check('nor was it asked again meanwhile', str([world.origin.count(path) for path in ('/garbage', '/yesterday')]), '[1, 1]')
    beside = world.issuer('beside-ca').leaf('beside', ['mail1.woodgrovebank.com'], crl=world.silent.url('/hang/beside'))
    check('another list of the silent server', answer_to(world, beside, '127.0.7.1'), '451 4.7.5 crl-unreachable',
          f'its server http://127.0.0.1:{world.silent.port} did not answer lately', 'next try after')
    check('is not asked for: one server, one time-out', str(world.silent.asked), "['/hang']")


class Session:
    """One sender of many, on the event loop."""

    def __init__(self, world, leaf, source):
        self.world, self.leaf, self.source = world, leaf, source

    async def reply(self):
        while True:
            line = (await self.reader.readline()).decode()
            if not line or line[3:4] == ' ':
                return line.strip()

    async def say(self, line):
        self.writer.write(line.encode() + b'\r\n')
        return await self.reply()

    async def connect(self, context):
        edge = self.world.contoso
        self.reader, self.writer = await asyncio.open_connection(edge.address, edge.port, local_addr=(self.source, 0))
        await self.reply()
        await self.say('EHLO mail1.woodgrovebank.com')
        await self.say('STARTTLS')
        await self.writer.start_tls(context)
        await self.say('EHLO mail1.woodgrovebank.com')

    def ask(self):
        self.writer.write(b'MAIL FROM:<eve@woodgrovebank.com>\r\n')


async def crowd(world, leaf, release):
    context = context_for(leaf)
    sessions = [Session(world, leaf, f'127.0.{20 + number // 20}.1') for number in range(SESSIONS)]
    for at in range(0, SESSIONS, 50):  # an edge has one core here: no more handshakes at once than it can do in time
        await asyncio.gather(*(one.connect(context) for one in sessions[at:at + 50]))
    for one in sessions:
        one.ask()
    replies = [asyncio.ensure_future(one.reply()) for one in sessions]
    answered = await release(replies)
    lines = await asyncio.gather(*replies)
    for one in sessions:
        one.writer.close()
    return answered, lines


def one_fetch(world):
    """Five hundred sessions wait for one list: the origin is asked once, and all are answered when it comes."""
    world.contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, timeout='100s'))
    world.contoso.reload()
    leaf = world.served('/held/one.crl', world.issuer('crowded-ca'))

    async def release(replies):
        # The last session to ask must be seen waiting: its connection's log line would come with the answer alone, so the
        # origin's own count and the silence of all are what is looked at.
        while world.origin.count('/held/one.crl') == 0:
            await asyncio.sleep(0.01)
        waiting = sum(not one.done() for one in replies)
        world.origin.release.set()
        return SESSIONS - waiting

    answered, lines = asyncio.run(crowd(world, leaf, release))
    check('who waited', f'{SESSIONS - answered} of {SESSIONS}', f'{SESSIONS} of {SESSIONS}')
    check('who was answered 250 when the list came', f'{sum(line.startswith("250 2.1.0") for line in lines)}', f'{SESSIONS}')
    check('how often the origin was asked', str(world.origin.count('/held/one.crl')), '1')
    world.contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf))
    world.contoso.reload()


def one_time_out(world):
    """An unreachable server costs one time-out, not one a session."""
    leaf = world.issuer('dead-ca').leaf('dead', ['mail1.woodgrovebank.com'], crl=world.dead.url('/hang/dead.crl'))

    async def release(_):
        return 0

    _, lines = asyncio.run(crowd(world, leaf, release))
    check('all are deferred', str(sum(line.startswith('451 4.7.5 crl-unreachable') for line in lines)), f'{SESSIONS}')
    check('by one request', str(world.dead.count('/hang/dead.crl')), '1')


def by_hand(world):
    """`crl import` and `proxy test`, typed in the folder where the files are."""
    def postern(*words, folder=world.folder):
        done = subprocess.run(world.contoso.command(*words), cwd=folder, capture_output=True, text=True, check=False)
        return f'{done.returncode} {done.stdout}{done.stderr}'
    ca = world.issuer('offline-ca')
    url = world.offline.url('/hang/offline.crl')
    leaf = ca.leaf('offline', ['mail1.woodgrovebank.com'], crl=url)
    check('an issuer whose list hangs', answer_to(world, leaf, '127.0.8.1'), '451 4.7.5 crl-unreachable')
    check('crl show', postern('crl', 'show', url), '0 list', 'missing', 'Woodgrove offline-ca', 'no answer in time')
    ca.publish(world.folder + '/lists/offline.crl')
    check('crl import', postern('crl', 'import', 'offline.crl', folder=world.folder + '/lists'), '0 taken', url)
    check('is in force at once', answer_to(world, leaf, '127.0.8.2'), '250 2.1.0')
    check('crl list --json', postern('crl', 'list', '--json'), '0 [', '"state": "good"', url)
    test = postern('proxy', 'test', world.woodgrove_leaf.chain)
    check('proxy test', test, '0 certificate', 'went    direct to 127.0.0.1', '(LDAP takes no proxy)', 'the certificate is not on it',
          'Every distribution point gave a list.')
    check('proxy test of a dead server', postern('proxy', 'test', leaf.certificate), '1 certificate', 'failed', 'no answer in time')


def without_daemon(world):
    world.contoso.stop()
    done = world.contoso.postern('crl', 'list')
    check('crl list of what is on disk', f'{done.returncode} {done.stdout}', '0 good', 'offline.crl')
    file = next(line.split()[-1] for line in world.contoso.postern('crl', 'show', world.root_url).stdout.splitlines()
                if line.startswith('kept in'))
    with open(file, 'r+b') as octets:  # a disk's fault
        octets.seek(-9, os.SEEK_END)
        octets.write(b'?')
    world.contoso.start()
    check('a damaged file is told of', world.contoso.process.wait_for('crl-cache-damaged'), file)
    check('and its list fetched again', answer_to(world, world.woodgrove_leaf, '127.0.8.3'), '250 2.1.0')


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = Fetching(sys.argv[1], folder)
        world.contoso.start()
        try:
            for part in (from_directory, hostile, one_fetch, one_time_out, by_hand, without_daemon):
                part(world)
        except BaseException:
            print('\n'.join(world.contoso.process.lines[-60:]))
            raise
        world.contoso.stop()


main()
