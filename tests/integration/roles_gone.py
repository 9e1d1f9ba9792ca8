#!/usr/bin/env python3
"""The table "gone / effect" of the architecture: the daemon starts without each plugin, whatever depended on it is deferred
and is an alarm, everyone else's mail flows. A file that is missing although the configuration names it is refused."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World

ALL = 'tls-mutual name-matching crl proxy-winhttp'.split()
LISTED, OTHER = 'eve@woodgrovebank.com', 'x@example.org'


class Gone(World):
    def authorities(self):
        super().authorities()
        where = 'http://crl.example.net/'
        self.woodgrove_ca = pki.Authority(self.folder, 'listed-ca', 'Woodgrove Bank', self.root, where + 'root.crl')
        self.woodgrove_leaf = self.woodgrove_ca.leaf('listed', ['mail1.woodgrovebank.com'], crl=where + 'listed-ca.crl')

    def start_without(self, plugin, **more):
        """An edge whose plugin folder lacks that file, and whose configuration does not name it."""
        folder = f'{self.folder}/plugins-without-{plugin}'
        shutil.copytree(self.build + '/plugins', folder)
        if os.path.exists(f'{folder}/{plugin}.so'):
            os.remove(f'{folder}/{plugin}.so')
        left = ' '.join(one for one in ALL if one != plugin)
        more.setdefault('revocation', 'hard')
        text = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, plugins=left, **more)
        self.contoso.configure(text.replace(self.build + '/plugins', folder))
        return self.contoso.start()

    def listed(self, source, leaf=True):
        with Sender(self.contoso, leaf=self.woodgrove_leaf if leaf else None, source=source) as sender:
            return sender.to_mail(LISTED)

    def flows(self, what, source):
        with Sender(self.contoso, source=source) as sender:
            sender.sendmail(OTHER, 'bob@contoso.com', message(OTHER, 'bob@contoso.com', what))
        check(f'{what}: everyone else is delivered', self.contoso.arrived('bob@contoso.com', what), what)

    def alarm(self, plugin, word):
        status = self.contoso.postern('status')
        check(f'{plugin} gone: an alarm', status.stdout, f'ALARM role-missing {plugin}: {word}')
        check(f'{plugin} gone: status exits', str(status.returncode), '1')


def without_tls(world):
    edge = world.start_without('tls-mutual')
    with Sender(edge, source='127.0.3.1') as sender:
        check('tls-mutual gone: no STARTTLS', str(sender.has_extn('starttls')), 'False')
        check('tls-mutual gone: STARTTLS', sender.answer('STARTTLS'), '454 4.7.0')
        check('tls-mutual gone: listed', sender.to_mail(LISTED), '451 4.3.0 role-missing: ')
    world.alarm('tls-mutual', 'mail of listed domains is deferred')
    world.flows('without-tls', '127.0.3.2')
    edge.stop()


def without_names(world):
    edge = world.start_without('name-matching')
    check('name-matching gone: listed', world.listed('127.0.3.3'), '451 4.3.0 role-missing: ')
    world.alarm('name-matching', 'mail of listed domains is deferred')
    world.flows('without-names', '127.0.3.4')
    edge.stop()


def without_crl(world):
    edge = world.start_without('crl')
    check('crl gone: listed', world.listed('127.0.3.5'), '451 4.3.0 role-missing: ')
    world.alarm('crl', 'mail of listed domains is deferred')
    world.flows('without-crl', '127.0.3.6')
    edge.stop()
    text = world.text(CONTOSO, WOODGROVE, world.contoso_leaf, plugins='tls-mutual name-matching', revocation='off')
    world.contoso.configure(text)
    world.contoso.start()
    check('crl gone, revocation off: listed', world.listed('127.0.3.7'), '250 2.1.0')
    world.contoso.stop()


def without_fetcher(world):
    edge = world.start_without('proxy-winhttp')
    answer = world.listed('127.0.3.8')
    check('proxy-winhttp gone: nothing is fetched, least of all directly', answer, '451 4.7.5 crl-unreachable: ',
          'proxy-winhttp')
    world.flows('without-fetcher', '127.0.3.9')
    edge.stop()
    # Files still count.
    for authority in (world.root, world.woodgrove_ca):
        authority.publish(f'{world.folder}/lists/{authority.name}.crl')
    text = world.contoso.text.replace('  crl\n', f'  crl {{\n    files {{\n      {world.folder}/lists\n    }}\n  }}\n')
    world.contoso.configure(text)
    world.contoso.start()
    check('proxy-winhttp gone: files do', world.listed('127.0.3.10'), '250 2.1.0')
    world.contoso.stop()


def without_observers(world):
    for plugin in ('logging', 'counters'):
        edge = world.start_without(plugin, revocation='off')
        world.alarm(plugin, 'mail flows without it')
        check(f'{plugin} gone: listed', world.listed('127.0.3.11'), '250 2.1.0')
        world.flows(f'without-{plugin}', '127.0.3.12')
        edge.stop()


def named_and_missing(world):
    """The configuration names a plugin whose file is not there: refused with the remedy, exit 78."""
    text = world.text(CONTOSO, WOODGROVE, world.contoso_leaf, plugins='tls-mutual name-matching crl')
    folder = f'{world.folder}/empty'
    os.mkdir(folder)
    world.contoso.configure(text.replace(world.build + '/plugins', folder))
    for program in (['bin/posternd', '-c', world.contoso.conf], ['bin/postern', 'config', 'check', world.contoso.conf]):
        done = subprocess.run([world.build + '/' + program[0], *program[1:]], capture_output=True, text=True, timeout=60,
                              check=False)
        check(f'{program[0]} with a missing plugin', f'exit {done.returncode}', 'exit 78')
        check('it names every file and the remedy', done.stdout + done.stderr, f'{folder}/crl.so', f'{folder}/tls-mutual.so',
              'install it, or take it out of plugins { }')


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = Gone(sys.argv[1], folder)
        try:
            for scenario in (without_tls, without_names, without_crl, without_fetcher, without_observers,
                             named_and_missing):
                scenario(world)
        except BaseException:
            if world.contoso.process:
                print('--- the daemon\n' + '\n'.join(world.contoso.process.lines[-60:]))
            raise


main()
