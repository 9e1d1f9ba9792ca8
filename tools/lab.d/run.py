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
from lab.process import Failed, end_all, end_with_us
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
    def typed(edge, words):
        return '  ' + shlex.join(edge.command()) + ' ' + words
    contoso, leaf = world.contoso, world.woodgrove_leaf
    dialogue = f'openssl s_client -starttls smtp -crlf -quiet -connect {contoso.address}:{contoso.port}'
    print(f'''
It runs until Ctrl-C. Contoso is {contoso.address}:{contoso.port}, Woodgrove Bank {world.woodgrove.address}:{world.woodgrove.port}.
Try, from another terminal (for the other side put woodgrove in place of contoso):

{typed(contoso, 'status')}
{typed(contoso, 'log list')}
{typed(contoso, 'log show --receive')}
{typed(contoso, 'crl list')}
{typed(contoso, 'crl refresh')}
{typed(contoso, 'proxy show')}
{typed(contoso, f'config check {contoso.conf}')}
  kill -HUP {contoso.process.pid}      # after an edit of {contoso.conf}
  python3 -c "import urllib.request as u; print(u.urlopen('http://{contoso.metrics}/metrics').read().decode())"

Speak to Contoso as the bank; then as somebody without a certificate (EHLO x, MAIL FROM:<bob@woodgrovebank.com>):
  {dialogue} -cert {leaf.certificate} -cert_chain {leaf.chain} -key {leaf.key}
  {dialogue}

Mailboxes: {contoso.folder}/mail  {world.woodgrove.folder}/mail
Logs:      {logs(world)}''', flush=True)
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
