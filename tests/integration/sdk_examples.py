#!/usr/bin/env python3
"""What a plugin author does: the SDK is installed, a new plugin is scaffolded and the examples of the guide are built out
of tree, by CMake and by hand with pkg-config, and posternd takes real mail with them."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import Failed, wait_until

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
EXAMPLES = ROOT + '/docs/examples/plugins'
OTHER, OURS = 'x@example.org', 'bob@contoso.com'


def run(*words, **more):
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, **more)
    if done.returncode != 0:
        raise Failed(f'{" ".join(words)}: {done.stdout[-2000:]} {done.stderr[-2000:]}')
    return done.stdout


def installed(build, folder):
    prefix = folder + '/installed'
    for component in ('sdk', 'server'):
        run('cmake', '--install', build, '--prefix', prefix, '--component', component)
    print('ok: installed')
    return prefix


def built(prefix, source, folder):
    """Into the installation, as an administrator would."""
    run('cmake', '-S', source, '-B', folder, '-G', 'Ninja', f'-DCMAKE_PREFIX_PATH={prefix}', '-DCMAKE_BUILD_TYPE=Debug',
        f'-DCMAKE_INSTALL_PREFIX={prefix}')
    run('cmake', '--build', folder)
    run('cmake', '--install', folder)


def by_hand(prefix, name, folder):
    """One compiler call with what pkg-config says."""
    flags = run('pkg-config', '--cflags', '--libs', 'postern-sdk',
                env={**os.environ, 'PKG_CONFIG_PATH': prefix + '/lib/pkgconfig'}).split()
    run('g++', f'{EXAMPLES}/{name}/{name}.cpp', '-o', f'{folder}/{name}.so', *flags)
    checked = run(f'{prefix}/bin/postern', 'plugin', 'check', f'{folder}/{name}.so')
    check(f'{name} built by hand', checked, f'good, {name} 1.0')


def released(prefix, folder):
    """Plugins built against the headers of each release are taken by today's loader, which starts them."""
    versions = sorted(os.listdir(ROOT + '/tests/sdk-released'))
    for version in versions:
        flags = run('pkg-config', '--cflags', '--libs', 'postern-sdk',
                    env={**os.environ, 'PKG_CONFIG_PATH': prefix + '/lib/pkgconfig'}).split()
        flags = [flag for flag in flags if not flag.startswith('-I')]
        for name in sorted(os.listdir(EXAMPLES)):
            run('g++', f'-I{ROOT}/tests/sdk-released/{version}/include', f'{EXAMPLES}/{name}/{name}.cpp', '-o',
                f'{folder}/{name}.so', *flags)
            checked = run(f'{prefix}/bin/postern', 'plugin', 'check', f'{folder}/{name}.so')
            check(f'{name} built against SDK {version}', checked, f'SDK {version}')
            shutil.copy(f'{folder}/{name}.so', f'{prefix}/lib/postern/plugins/{name}.so')


def scaffolded(prefix, folder):
    run(f'{prefix}/bin/postern-new-plugin', 'my-first', '--in', folder)
    built(prefix, folder + '/my-first', folder + '/my-first/build')
    tested = run('ctest', '--test-dir', folder + '/my-first/build', '--output-on-failure')
    check('the scaffold passes its tests', tested, '100% tests passed', 'out of 2')
    again = subprocess.run([f'{prefix}/bin/postern-new-plugin', 'my-first', '--in', folder], capture_output=True, text=True,
                           check=False)
    check('it overwrites nothing', f'{again.returncode} {again.stderr}', '73 ', 'is there already')
    for bad in ('My_Plugin', '../up', ''):
        wrong = subprocess.run([f'{prefix}/bin/postern-new-plugin', bad], capture_output=True, text=True, check=False)
        check(f'"{bad}" is no name', f'{wrong.returncode} {wrong.stderr}', '64 ', 'usage')


def mail(world, prefix, folder):
    """All of them in one daemon."""
    text = world.text(CONTOSO, WOODGROVE, world.contoso_leaf).replace(f'{world.build}/plugins', f'{prefix}/lib/postern/plugins')
    blocks = f'''  header-tag {{
    name X-Came-By
  }}
  my-first
  rate-limit {{
    others 3
  }}
  mail-journal {{
    file {folder}/journal
  }}
  deliver-mbox {{
    folder {folder}/mbox
  }}
  fetch-file {{
    folder {folder}
  }}
'''
    text = text.replace('plugins {\n', 'plugins {\n' + blocks, 1).replace('deliver maildir', 'deliver mbox')
    world.contoso.configure(text)
    world.contoso.build = prefix
    os.makedirs(f'{prefix}/bin', exist_ok=True)
    shutil.copy(f'{prefix}/sbin/posternd', f'{prefix}/bin/posternd')
    world.contoso.start()
    with Sender(world.contoso, source='127.0.3.1') as session:
        session.sendmail(OTHER, OURS, message(OTHER, OURS, 'through the examples', body='From here on'))
        for _ in range(2):
            session.rset()
            check('within the rate', session.to_mail(OTHER), '250')
        session.rset()
        check('rate-limit defers the fourth', session.to_mail(OTHER), '450 4.7.1 rate: 127.0.3.1 sends too much')
    def box():
        try:
            with open(f'{folder}/mbox/contoso.com/bob', encoding='utf-8') as file:
                return file.read()
        except FileNotFoundError:
            return None
    check('deliver-mbox', wait_until(box, 'the mailbox'), 'From MAILER-DAEMON', 'Subject: through the examples',
          '\n>From here on\n', '\nX-Came-By: Inet\n', '\nX-MyFirst: seen\n')
    def journal():
        try:
            with open(f'{folder}/journal', encoding='utf-8') as file:
                text = file.read()
                return text if 'delivery_result' in text else None
        except FileNotFoundError:
            return None
    check('mail-journal', wait_until(journal, 'the journal'), '"event":"queued"', f'"from":"{OTHER}"', '"result":"delivered"')
    world.contoso.stop()


def main():
    build = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix='postern-') as folder:
        prefix = installed(build, folder)
        scaffolded(prefix, folder)
        for name in sorted(os.listdir(EXAMPLES)):
            built(prefix, f'{EXAMPLES}/{name}', f'{folder}/build-{name}')
            print(f'ok: {name} is built out of tree')
        by_hand(prefix, 'header-tag', folder)
        released(prefix, folder)
        world = World(build, folder)
        mail(world, prefix, folder)


main()
