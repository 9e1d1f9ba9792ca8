#!/usr/bin/env python3
"""What an administrator types, with and without a configuration, with and without a daemon: which commands there are,
where each runs, and the exit status of every mistake."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.edge import Edge
from lab.process import end_with_us, free_port

BUILD = os.path.abspath(sys.argv[1])


def configuration(folder, port, plugins='', more=''):
    return f'''fqdn mail1.contoso.com
spool {folder}/spool
state {folder}/state
control_socket {folder}/control
plugin_folder {BUILD}/plugins
plugins {{
  crl
  proxy-winhttp
{plugins}
}}
receive_connector Inet {{
  bindings {{
    127.0.0.1:{port}
  }}
  remote_ranges {{
    127.0.0.0/8
  }}
  permission_groups {{
    anonymous
  }}
}}
{more}'''


def check(what, done, status, *wanted):
    said = done.stdout + done.stderr
    missing = [one for one in wanted if one not in said]
    if done.returncode != status or missing:
        raise SystemExit(f'FAILED {what}: status {done.returncode} (wanted {status}), missing {missing} in\n{said}')
    print('ok: ' + what)


def without_configuration():
    """Only where the machine has none of its own."""
    if os.path.exists('/etc/postern/postern.conf'):
        return

    def postern(*words):
        return subprocess.run([BUILD + '/bin/postern', *words], capture_output=True, text=True, timeout=60, check=False)
    check('no words: usage', postern(), 2, 'usage: postern')
    check('help lists what the plugins beside the program bring', postern('help'), 0,
          'config check [FILE]', 'proxy set PROXY', 'crl refresh [URL]', 'log show')
    check('a command that needs no configuration', postern('proxy', 'show'), 0, 'Direct access')
    check('a command that has nowhere to write', postern('proxy', 'set', '127.0.0.1:3128'), 1, 'postern -c FILE')
    check('a misspelt command', postern('proxy', 'shwo'), 2, 'did you mean proxy show?')
    check('a misspelt first word', postern('stauts'), 2, 'did you mean status?')
    check('half a command', postern('crl'), 2, 'crl list [--json]')
    check('nothing like it', postern('make', 'coffee'), 2, 'no such command: make coffee')
    check('a file that is not there', postern('-c', '/nonexistent/postern.conf', 'proxy', 'show'), 78, '/nonexistent')
    check('-c alone', postern('-c'), 2, 'wants a file')


def without_daemon(edge):
    check('proxy set without a daemon', edge.postern('proxy', 'set', 'http://127.0.0.1:3128', '--bypass', '<local>'), 0,
          f'{edge.folder}/state/proxy-winhttp/proxy.info', '127.0.0.1:3128')
    check('proxy show', edge.postern('proxy', 'show'), 0, '127.0.0.1:3128', '<local>')
    check('a usage mistake of the command itself', edge.postern('proxy', 'set'), 2, 'usage: proxy show')
    check('one command explained', edge.postern('proxy', 'set', '--help'), 0, 'usage: postern [-c FILE] proxy set PROXY')
    check('a command of the daemon', edge.postern('crl', 'refresh'), 69, 'is posternd running?')
    check('one that reads the cache where none runs', edge.postern('crl', 'list'), 0, 'no lists yet')
    check('status', edge.postern('status'), 69, 'is posternd running?')


def with_faults(edge, port):
    """A plugin with faults is left out; the commands of the others may be what mends them."""
    good = edge.text
    edge.configure(configuration(edge.folder, port, plugins='  no-such-plugin'))
    check('another plugin is missing', edge.postern('proxy', 'show'), 0, '127.0.0.1:3128')
    edge.configure(good.replace('  crl\n', '  crl {\n    crl_hsots x\n  }\n'))
    check('its plugin has faults', edge.postern('crl', 'list'), 78, 'no such command: crl list', 'crl_hosts')
    check('help says that it is not whole', edge.postern('--help'), 0, 'proxy set PROXY', 'config check')
    edge.configure(good + 'fqnd typo\n')
    check('a fault of the file', edge.postern('proxy', 'show'), 78, 'did you mean fqdn?')
    edge.configure(good)


def with_daemon(edge):
    edge.start()
    check('a command of the daemon, answered', edge.postern('crl', 'list'), 0, 'no lists yet')
    check('arguments travel', edge.postern('crl', 'list', '--json'), 0, '[]')
    check('a usage mistake there', edge.postern('crl', 'list', 'x'), 2, 'usage: crl list')
    check('proxy direct beside it', edge.postern('proxy', 'direct'), 0, 'Direct access')
    edge.stop()


def main():
    end_with_us()
    without_configuration()
    with tempfile.TemporaryDirectory(prefix='postern-commands-') as folder:
        port = free_port()
        edge = Edge(BUILD, folder, 'mail1.contoso.com', '127.0.0.1', port, configuration(folder, port))
        without_daemon(edge)
        with_faults(edge, port)
        with_daemon(edge)


main()
