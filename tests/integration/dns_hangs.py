#!/usr/bin/env python3
"""DNS that never answers costs a fetch its time-out and no more, by HTTP and by LDAP. In a network of its own, whose one
name server listens and says nothing; skipped where the machine forbids that."""
import os
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.expect import check
from lab.process import write

INSIDE = '--inside'


def outside():
    """Again, within namespaces of its own."""
    if os.geteuid() != 0 or subprocess.run(['unshare', '-m', '-n', 'true'], check=False, capture_output=True).returncode != 0:
        print('skipped: namespaces of its own need root and a kernel that allows them')
        sys.exit(77)
    sys.exit(subprocess.run(['unshare', '-m', '-n', sys.executable, __file__, sys.argv[1], INSIDE], check=False).returncode)


def main(build, folder):
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    write(folder + '/resolv.conf', 'nameserver 127.0.0.1\noptions timeout:10 attempts:3\n')
    write(folder + '/nsswitch.conf', 'hosts: files dns\n')
    for name in ('resolv.conf', 'nsswitch.conf'):
        subprocess.run(['mount', '--bind', f'{folder}/{name}', os.path.realpath('/etc/' + name)], check=True)
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(('127.0.0.1', 53))
    conf = write(folder + '/postern.conf', f'''fqdn mail1.contoso.com
spool {folder}/spool
state {folder}/state
control_socket {folder}/control
plugin_folder {build}/plugins
plugins {{
  proxy-winhttp
  crl {{
    timeout 2s
  }}
}}
''')
    root = pki.Authority(folder, 'root', 'Root')
    for number, url in enumerate(('http://crl.example.net/a.crl', 'ldap://ldap.example.net/cn=a?certificateRevocationList')):
        leaf = root.leaf(f'leaf{number}', ['mail1.example.net'], crl=url)
        began = time.monotonic()
        done = subprocess.run([build + '/bin/postern', '-c', conf, 'proxy', 'test', leaf.certificate], capture_output=True,
                              text=True, check=False)
        took = time.monotonic() - began
        check('without an answer', f'{done.returncode} {done.stdout}', '1 certificate', url, 'in time')
        check('the name server was asked', repr(silent.recv(512)), 'example')
        # 30 s is what the resolver itself would take; between it and the 2 s of the setting lies every slow machine.
        check('it took its time-out, not the resolver\'s', f'{took < 15}', 'True')
        silent.setblocking(False)
        try:
            while silent.recv(512):
                pass
        except BlockingIOError:
            silent.setblocking(True)


if INSIDE in sys.argv:
    with tempfile.TemporaryDirectory() as temporary:
        main(os.path.abspath(sys.argv[1]), temporary)
else:
    outside()
