#!/usr/bin/env python3
"""Started by root with `user`: runs as that user with no capability but binding low ports, mail and reload still work."""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.partners import CONTOSO, WOODGROVE, World


def main():
    if os.geteuid() != 0:
        print('skipped: only root can become somebody else')
        return
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = World(sys.argv[1], folder)
        # What the user must read: plugins owned by root, certificate and key.
        plugins = folder + '/plugins'
        shutil.copytree(world.build + '/plugins', plugins)
        shutil.chown(world.contoso_leaf.key, 'nobody')
        text = world.text(CONTOSO, WOODGROVE, world.contoso_leaf, plugins='tls-mutual name-matching proxy-winhttp')
        text = text.replace(world.build + '/plugins', plugins)
        os.makedirs(world.contoso.folder + '/mail', exist_ok=True)
        shutil.chown(world.contoso.folder + '/mail', 'nobody')
        text = text.replace(f'control_socket {world.contoso.folder}/control', f'control_socket {folder}/run/control')
        world.contoso.configure('user nobody\n' + text)
        done = world.contoso.postern('proxy', 'set', '127.0.0.1:3128')
        assert done.returncode == 0, done
        for name in '', '/proxy-winhttp', '/proxy-winhttp/proxy.info':
            assert os.stat(world.contoso.folder + '/state' + name).st_uid == 65534, name
        print("ok: what root's command writes before the first start is the daemon's")
        edge = world.contoso.start()
        with open(f'/proc/{edge.process.pid}/status', encoding='ascii') as file:
            status = dict(line.rstrip('\n').split(':\t', 1) for line in file if ':\t' in line)
        assert set(status['Uid'].split()) == {'65534'}, status['Uid']
        assert int(status['CapPrm'], 16) == 1 << 10 and int(status['CapEff'], 16) == 1 << 10, status
        assert status['NoNewPrivs'] == '1', status
        print('ok: nobody, CAP_NET_BIND_SERVICE alone, no new privileges')
        edge.reload()
        with Sender(edge, tls=True, source='127.0.3.1') as sender:
            sender.sendmail('x@example.org', 'bob@contoso.com', message('x@example.org', 'bob@contoso.com', 'dropped'))
        edge.arrived('bob@contoso.com', 'dropped')
        print('ok: STARTTLS, delivery and reload as that user')
        edge.stop()
        world.contoso.configure('user no-such-user\n' + text)
        try:
            edge.start()
        except Exception as failure:  # the process ends: its own words are in the failure
            assert 'there is no user no-such-user' in str(failure), failure
            print('ok: an unknown user is named')
        else:
            raise SystemExit('FAILED: it started as nobody knows whom')


main()
