#!/usr/bin/env python3
"""What is shown as an example loads: each plugin's example.info, and the first configuration of packaging/."""
import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
BUILD = os.path.abspath(sys.argv[1])


def check(what, conf):
    done = subprocess.run([BUILD + '/bin/postern', 'config', 'check', conf], capture_output=True, text=True, timeout=60,
                          check=False)
    if done.returncode != 0:
        raise SystemExit(f'FAILED {what}: exit {done.returncode}\n{done.stdout}{done.stderr}')
    print(f'ok: {what}')


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        conf = folder + '/postern.conf'
        for example in sorted(glob.glob(ROOT + '/plugins/*/example.info')):
            with open(example, encoding='utf-8') as file:
                block = file.read()
            with open(conf, 'w', encoding='utf-8') as file:
                file.write(f'fqdn mail1.contoso.com\nplugin_folder {BUILD}/plugins\nstate {folder}/state\n'
                           f'plugins {{\n{block}\n}}\n')
            check(os.path.relpath(example, ROOT), conf)
        root = pki.Authority(folder, 'root', 'Third Party')
        leaf = root.leaf('edge', ['mail1.contoso.com'])
        with open(ROOT + '/packaging/postern.conf', encoding='utf-8') as file:
            text = file.read()
        for path, real in (('edge.pem', leaf.chain), ('edge.key', leaf.key), ('woodgrove-root.pem', root.certificate)):
            text = text.replace('/etc/postern/' + path, real)
        with open(folder + '/recipients', 'w', encoding='ascii') as file:
            file.write('alice\n')
        text = text.replace('/etc/postern/recipients', folder + '/recipients')
        assert not re.search('/etc/postern', text), text
        with open(conf, 'w', encoding='utf-8') as file:
            file.write(f'plugin_folder {BUILD}/plugins\nstate {folder}/state\n' + text)
        check('packaging/postern.conf', conf)


main()
