#!/usr/bin/env python3
"""Plugins at SIGHUP: one newly named is in use, a newer file renamed over its own serves new transactions while those
under way end on the older code, and a file overwritten in place, broken or open to others is refused by name."""
import os
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import Failed

LISTED, OTHER, OURS = 'eve@woodgrovebank.com', 'x@example.org', 'bob@contoso.com'


class Installed(World):
    """Contoso with plugin files of its own, which can be replaced."""

    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.plugins = folder + '/plugins'
        self.sources = iter(f'127.0.3.{n}' for n in range(1, 250))
        os.makedirs(self.plugins)
        for name in ('tls-mutual', 'name-matching', 'deliver-maildir', 'logging'):
            shutil.copy(f'{self.build}/plugins/{name}.so', self.plugins)
        self.contoso.configure(self.settings())

    def settings(self, witness=None):
        logging = f'  logging {{\n    folder {self.folder}/protocol\n  }}\n'
        text = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, receive='  protocol_logging_level verbose\n')
        text = text.replace(f'{self.build}/plugins', self.plugins)
        block = f'  witness {{\n    rules {{\n      "{witness}"\n    }}\n  }}\n' if witness else ''
        return text.replace('  deliver-maildir {', logging + block + '  deliver-maildir {')

    def install(self, name, kind='plugins'):
        """A new file of that name, by rename as a package manager does."""
        shutil.copy(f'{self.build}/{kind}/{name}.so', f'{self.plugins}/.{name}.new')
        os.rename(f'{self.plugins}/.{name}.new', f'{self.plugins}/{name}.so')

    def refused(self, what, *wanted):
        since = self.contoso.process.mark()
        self.contoso.process.signal(signal.SIGHUP)
        line = self.contoso.process.wait_for('reload-refused', since)
        check(what, line, *wanted)
        with self.sender() as session:
            check(f'{what}: the old one goes on', session.to_mail(OTHER), '250')

    def sender(self, **more):
        return Sender(self.contoso, source=next(self.sources), **more)


def newly_named(world):
    world.install('witness', 'witness')
    world.contoso.configure(world.settings('mail reject'))
    world.contoso.reload()
    with world.sender() as session:
        check('a plugin newly named decides', session.to_mail(OTHER), '550 5.7.1 the witness rejects')
    world.contoso.configure(world.settings())
    world.contoso.reload()
    with world.sender() as session:
        check('no longer named, it does not', session.to_mail(OTHER), '250')


def replaced(world):
    """Engine, judge, a decider and the protocol log are replaced while a session is in the middle of its transaction."""
    world.contoso.configure(world.settings('recipient add_field'))  # fails closed at RCPT: no effect of that event
    world.contoso.reload()
    with world.sender(leaf=world.woodgrove_leaf) as old, world.sender(leaf=world.woodgrove_leaf) as between:
        check('a transaction begins', old.to_mail(LISTED), '250')
        world.install('witness', 'witness')
        for name in ('tls-mutual', 'name-matching', 'logging', 'deliver-maildir'):
            world.install(name)
        world.contoso.configure(world.settings('mail add_field'))
        since = world.contoso.process.mark()
        world.contoso.reload()
        for name in ('witness', 'tls-mutual', 'name-matching', 'logging', 'deliver-maildir'):
            check(f'{name} is replaced', world.contoso.process.wait_for(f'/{name}.so', since), 'plugin-replaced')
        check('it ends on the older decider', old.answer(f'RCPT TO:<{OURS}>'), '451 4.3.0')
        check('the next one meets the newer', old.to_mail(LISTED), '503')
        check('after RSET too', f'{old.answer("RSET")} {old.to_mail(LISTED)}', '451 4.3.0')
        check('and an older session in its next transaction', between.to_mail(LISTED), '451 4.3.0')
    world.contoso.configure(world.settings())
    world.contoso.reload()
    with world.sender(leaf=world.woodgrove_leaf) as session:
        session.sendmail(LISTED, OURS, message(LISTED, OURS, 'by the newer'))
    world.contoso.arrived(OURS, 'by the newer')
    print('ok: the newer engine, judge and delivery took a message')
    shown = world.contoso.postern('log', 'list')
    check('the protocol log goes on', f'{shown.returncode} {shown.stdout}', '0 ', 'Inet')


def many_times(world):
    """Each is loaded for ever, so the number of threads tells whether the old ones end."""
    def threads():
        return len(os.listdir(f'/proc/{world.contoso.process.pid}/task'))
    before = threads()
    for _ in range(10):
        world.install('tls-mutual')
        world.contoso.reload()
        with world.sender(leaf=world.woodgrove_leaf) as session:
            check('served', session.to_mail(LISTED), '250')
    if threads() > before + 3:
        raise Failed(f'{threads()} threads after ten replacements, {before} before')
    print('ok: the threads of those replaced end')


def broken(world):
    file = f'{world.plugins}/logging.so'
    os.chmod(file, 0o666)
    world.refused('writable by others', 'postern.conf:', 'plugins.logging', 'writable by others; chmod o-w it')
    os.chmod(file, 0o755)
    with open(f'{world.plugins}/.new', 'wb') as new:
        new.write(b'\x7fELF and nothing more')
    os.rename(f'{world.plugins}/.new', file)
    world.refused('a broken newer file', 'postern.conf:', 'plugins.logging', file)
    world.install('logging')
    world.contoso.reload()
    with open(file, 'ab') as written:
        written.write(b'\0')
    world.refused('overwritten in place', 'postern.conf:', 'plugins.logging', file, 'overwritten in place', 'rename')
    status = world.contoso.postern('status')
    check('an alarm says so', f'{status.returncode} {status.stdout}', '1 ', 'plugin-overwritten logging')


def shown(world):
    """What an administrator asks of plugins, with a daemon and without."""
    listed = world.contoso.postern('plugin', 'list', '--json')
    check('plugin list', f'{listed.returncode} {listed.stdout}', '0 ', '"name":"tls-mutual"', '"state":"in use"')
    world.contoso.configure(world.settings('mail proceed'))
    world.install('witness', 'witness')
    world.install('logging')
    world.contoso.reload()
    order = world.contoso.postern('plugin', 'order')
    check('plugin order', f'{order.returncode} {order.stdout}', '0 ', 'chain-judge: tls-mutual', '  mail: witness\n',
          'logging (protocol-observer)')
    good = world.contoso.postern('plugin', 'check', f'{world.plugins}/witness.so')
    check('plugin check', f'{good.returncode} {good.stdout}', '0 ', 'good, witness 1.0', 'postern.decider', 'key rules, list')
    for name, wanted in (('unresolved', 'undefined symbol'), ('other-abi', 'is built for the ABI'),
                         ('unique-symbol', 'unique'), ('no-entry', 'POSTERN_ENTRY')):
        bad = world.contoso.postern('plugin', 'check', f'{world.build}/zoo/{name}.so')
        check(f'plugin check {name}', f'{bad.returncode} {bad.stdout}', '1 ', wanted)


def main():
    with tempfile.TemporaryDirectory(prefix='postern-') as folder:
        world = Installed(sys.argv[1], folder)
        world.contoso.start()
        for step in (newly_named, replaced, many_times, broken, shown):
            step(world)
        world.contoso.stop()


main()
