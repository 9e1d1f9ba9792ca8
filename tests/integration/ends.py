#!/usr/bin/env python3
"""What ends soon, in a daemon: our own certificate (named by file), the partner's and a list that an operator laid down are
each a line in the log, a time stamp among the counters and an alarm in `postern status`; and renewed they are none."""
import os
import re
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import pki
from lab.client import Sender
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until


class Ending(World):
    """Contoso ends in ten days, Woodgrove Bank in five, the list of its CA in hours."""

    def authorities(self):
        super().authorities()
        self.contoso_ca.age(self.contoso_leaf, ['mail1.contoso.com'], 80, 10)
        self.woodgrove_ca.age(self.woodgrove_leaf, ['mail1.woodgrovebank.com'], 85, 5)
        self.lists = self.folder + '/laid-down'
        os.makedirs(self.lists, exist_ok=True)
        self.lay_down(0.5)

    def lay_down(self, days):
        self.woodgrove_ca.publish(self.lists + '/woodgrove-ca.crl', days)

    def text(self, own, other, leaf, **more):
        text = super().text(own, other, leaf, plugins='tls-mutual name-matching crl counters logging', **more)
        text = text.replace('\n  counters\n', '\n  counters {\n    listen 127.0.0.1:0\n  }\n')
        return text.replace('\n  crl\n', f'\n  crl {{\n    files {{\n      {self.lists}\n    }}\n  }}\n')


def incoming(world, leaf, source):
    with Sender(world.contoso, leaf=leaf, source=source) as sender:
        check('mail is taken all the while', sender.to_mail('eve@woodgrovebank.com'), '250 2.1.0')


def status(world):
    done = world.contoso.postern('status')
    return f'{done.returncode} {done.stdout}'


def ending(world):
    edge = world.contoso
    log = edge.process
    check('our own', log.wait_for('certificate-ending: tls-mutual: our certificate'), world.contoso_leaf.chain,
          'mail1.contoso.com', 'ends within 14 days', 'put its successor into the same files and reload')
    incoming(world, world.woodgrove_leaf, '127.0.5.1')
    check('the partner\'s', log.wait_for('partner-certificate-ending: tls-mutual: the certificate of woodgrovebank.com'),
          'for mail1.woodgrovebank.com', 'ends within 7 days', 'the partner must renew it')
    told = wait_until(lambda: (text := status(world)).count('ALARM') == 4 and text, 'the alarms')
    check('each is an alarm, and status says so by its exit status', told, '1 ',
          'ALARM own-certificate receive_connector Inet: mail of woodgrovebank.com stops',
          'ALARM own-certificate send_connector Internet: mail of woodgrovebank.com stops',
          'ALARM partner-certificate-ending woodgrovebank.com mail1.woodgrovebank.com: the certificate of woodgrovebank.com',
          f'ALARM crl-ending {world.lists}/woodgrove-ca.crl: the list of', 'put a newer one there and reload')
    address = log.wait_for('counters-listening').split('http://')[1].split('/')[0]
    with urllib.request.urlopen(f'http://{address}/metrics', timeout=20) as answer:
        page = answer.read().decode()
    for name in (f'postern_own_certificate_not_after_seconds{{sha256="{world.contoso_leaf.sha256()}"}}',
                 'postern_partner_certificate_not_after_seconds{partner="woodgrovebank.com",name="mail1.woodgrovebank.com"}',
                 f'postern_crl_next_update_timestamp_seconds{{url="{world.lists}/woodgrove-ca.crl"}}'):
        line = next((one for one in page.splitlines() if one.startswith(name)), f'no {name}')
        check('a time stamp among the counters', line, name)
        if not re.search(r' 1\.?\d*e\+09$| \d{10}(\.0+)?$', line):
            raise SystemExit(f'FAILED: no moment of these years: {line}')


def renewed(world):
    edge = world.contoso
    fresh, partners = (world.contoso_ca.leaf('renewed', ['mail1.contoso.com']),
                       world.woodgrove_ca.leaf('renewed', ['mail1.woodgrovebank.com']))
    world.lay_down(7)
    edge.configure(world.text(CONTOSO, WOODGROVE, fresh))
    edge.reload()
    incoming(world, partners, '127.0.5.2')
    wait_until(lambda: status(world).startswith('0 ') and 'no alarms' in status(world), 'the alarms to end')
    print('ok: renewed, and no alarm is left')


def invalid(world):
    """What partners would not believe is found by us first: at load, by the roots that the configuration names."""
    edge = world.contoso
    foreign = pki.Authority(world.folder, 'nobody', 'Nobody').leaf('mail1', ['mail1.contoso.com'])
    edge.configure(world.text(CONTOSO, WOODGROVE, foreign))
    edge.reload()
    told = wait_until(lambda: 'ALARM' in (text := status(world)) and text, 'the alarm')
    check('a certificate that is not valid', told, '1 ', f'ALARM own-certificate {foreign.sha256()[:16]}: our certificate '
          + foreign.chain, 'is not valid: ')


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = Ending(sys.argv[1], folder)
        world.contoso.start()
        try:
            ending(world)
            renewed(world)
            invalid(world)
        except BaseException:
            print('\n'.join(world.contoso.process.lines[-60:]))
            raise
        world.contoso.stop()


main()
