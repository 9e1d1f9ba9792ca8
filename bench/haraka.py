"""Haraka as a peer of bench/relay.py: npm's own package below the build folder, configured to relay by its disk queue."""
import os
import subprocess

from lab.process import Process, free_port, write


class NoHaraka(Exception):
    """It cannot be fetched, or there is no Node.js for it."""


def unpacked(build):
    tree = build + '/partners/haraka'
    program = tree + '/node_modules/Haraka/bin/haraka'
    if not os.path.exists(program):
        os.makedirs(tree, exist_ok=True)
        write(tree + '/package.json', '{"name": "peer", "private": true}\n')
        try:
            done = subprocess.run(['npm', 'install', 'Haraka', '--no-audit', '--no-fund', '--ignore-scripts'], cwd=tree,
                                  capture_output=True, text=True, check=False)
        except FileNotFoundError as why:
            raise NoHaraka('there is no npm') from why
        if done.returncode != 0 or not os.path.exists(program):
            raise NoHaraka('npm install Haraka: ' + done.stderr.strip()[-300:])
    return program


class Haraka:
    def __init__(self, build, folder, sink_port, server=None):
        self.program, self.folder, self.port = unpacked(build), folder, free_port()
        plugins = ['relay', 'next_hop'] + (['tls'] if server else [])
        files = {
            'smtp.ini': f'listen=127.0.0.1:{self.port}\nnodes=0\ndaemonize=false\n', 'me': 'mail1.contoso.com\n',
            'plugins': '\n'.join(plugins) + '\n', 'relay.ini': '[relay]\nacl=true\n', 'relay_acl_allow': '127.0.0.0/8\n',
            'outbound.ini': f'enable_tls={"true" if server else "false"}\nconcurrency_max=50\n', 'loglevel': 'NOTICE\n',
            'host_list': 'contoso.com\n'}
        if server:
            files['tls.ini'] = (f'key={server.key}\ncert={server.chain}\nrequestCert=true\nrejectUnauthorized=false\n'
                                f'[outbound]\nkey={server.key}\ncert={server.chain}\n')
        for name, text in files.items():
            write(f'{folder}/config/{name}', text)
        write(folder + '/plugins/next_hop.js', 'exports.hook_get_mx = (next, hmail, domain) => next(OK, '
              f'{{ exchange: "127.0.0.1", port: {sink_port}, priority: 0 }});\n')
        os.makedirs(folder + '/queue')
        self.process = None

    def command(self):
        return ['node', self.program, '-c', self.folder]

    def start(self, wrap):
        self.process = Process('haraka', wrap(self.command()), self.folder + '/log')
        self.process.wait_for('Listening on')

    def stop(self):
        self.process.stop()
