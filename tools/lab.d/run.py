"""Runs the steps and prints them; see tools/lab. Ends everything that it started, also after a failure or Ctrl-C."""
import os
import shlex
import shutil
import signal
import smtplib
import sys
import tempfile
import textwrap
import time

import world as cast
from lab.process import Failed, end_all, end_with_us, write
from steps import STEPS

WIDE = 118


def show(text, indent):
    for line in text.rstrip('\n').split('\n'):
        print('\n'.join(textwrap.wrap(line, WIDE, initial_indent=indent, subsequent_indent=indent + '  ',
                                      break_long_words=False, break_on_hyphens=False)) or '')


def run(world):
    failed = 0
    for number, (sentence, why, function) in enumerate(STEPS, 1):
        print()
        show(f'{number:2}. {sentence}', '')
        try:
            show(function(world), '      | ')
            show('Why: ' + why, '    ')
            print('    ok', flush=True)
        except (Failed, OSError, smtplib.SMTPException) as fault:
            failed += 1
            show(str(fault), '      ! ')
            print('    FAILED', flush=True)
    return failed


def logs(world):
    return '  '.join(f'{edge.folder}/log' for edge in (world.contoso, world.woodgrove))


def keep(world):
    """Stays until Ctrl-C, and says what there is to try."""
    contoso, woodgrove, leaf = world.contoso, world.woodgrove, world.woodgrove_leaf
    for edge in (contoso, woodgrove):
        write(edge.folder + '/postern', '#!/bin/sh\nexec ' + shlex.join(edge.command()) + ' "$@"\n', 0o755)
    send = f'python3 {shlex.quote(cast.HERE)}/send.py {contoso.address}:{contoso.port} bob@woodgrovebank.com alice@contoso.com'
    print(f'''
It runs until Ctrl-C. Contoso is {contoso.address}:{contoso.port}, Woodgrove Bank {woodgrove.address}:{woodgrove.port}.
From another terminal, `cd {world.folder}` (woodgrove/ holds the other side):

  contoso/postern status
  contoso/postern log list
  contoso/postern log show --receive
  contoso/postern crl list
  contoso/postern crl refresh
  contoso/postern proxy show
  contoso/postern config check contoso/postern.conf
  kill -HUP {contoso.process.pid}                     # takes up what was edited in contoso/postern.conf
  python3 -c "from urllib.request import *; print(urlopen('http://{contoso.metrics}/metrics').read().decode())"

Write to Alice as the bank: with its certificate, without one, without TLS:
  {send} {leaf.chain} {leaf.key}
  {send} --tls
  {send}

Mailboxes: contoso/mail, woodgrove/mail. Logs: contoso/log, woodgrove/log.''', flush=True)
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        print()


def main():
    end_with_us()
    build, stay = os.path.abspath(sys.argv[1]), '--keep' in sys.argv[2:]
    folder = tempfile.mkdtemp(prefix='postern-lab-')
    began, failed, world = time.monotonic(), 1, None
    try:
        world = cast.World(build, folder)
        world.start()
        failed = run(world)
        print(f'\n{len(STEPS) - failed} steps ok, {failed} FAILED, in {time.monotonic() - began:.0f} seconds')
        if failed:
            print('The daemons said: ' + logs(world))
        if stay:
            keep(world)
        world.stop()
    except Failed as fault:
        failed = failed or 1
        print(f'FAILED: {fault}')
    except KeyboardInterrupt:
        failed = 1
        print('interrupted')
    finally:
        end_all()
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)


main()
