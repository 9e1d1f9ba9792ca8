#!/usr/bin/env python3
"""`resolver { dnssec off|log|on }` against zones that are really signed, in the ways in which they go wrong: what is bogus is
used by off and log, told by log, and by on neither used nor believed when it says that a domain does not exist. An anchor
that is missing or none is no validation, and said so before the daemon starts."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab import dns
from lab.client import Sender, message
from lab.expect import check
from lab.hostile import Hostile
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until, write
from lab.zones import Recursor, Zones

TRUE, FORGED = '127.0.5.1', '127.0.5.66'
MAIL = ['@ IN MX 10 mx', f'mx IN A {TRUE}']
SIGNED = ('good', 'forged', 'forged-mx', 'expired', 'stripped', 'other-key')
BOGUS = {'forged': 'signature', 'forged-mx': 'signature', 'expired': 'expired', 'stripped': 'DNSKEY', 'other-key': ''}


def zones_in(folder):
    zones = Zones(folder)
    for name in SIGNED:
        zones.key(f'{name}.example')
    zones.add('example', [line for name in SIGNED for line in zones.delegation(f'{name}.example')] +
              zones.delegation('plain.example', signed=False))
    zones.add('good.example', MAIL)
    zones.add('plain.example', MAIL, signed=False)
    zones.add('forged.example', MAIL, broken=(TRUE, FORGED))
    zones.add('forged-mx.example', MAIL + [f'evil IN A {FORGED}'], broken=('MX\t10 mx.', 'MX\t10 evil.'))
    zones.add('expired.example', MAIL, until='20200101')
    zones.add('stripped.example', MAIL, signed=False)
    del zones.keys['other-key.example']
    zones.add('other-key.example', MAIL)
    return zones.start()


class Signed(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.hub = self.contoso_ca.leaf('hub', ['hub.contoso.com'])
        self.zones = zones_in(folder)
        self.recursor = Recursor(folder, self.zones, 'example').start()
        self.anchor = write(folder + '/anchor', '; of the test\n' + self.zones.key('example').ds)
        trusted = f'trusted_servers {{\n  hub {{\n    sha256 {self.hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
        self.plain = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, more=trusted).replace(
            '  retry {\n', '  keep_idle 0s\n  retry {\n    delay_notice 2s\n')
        self.taken = {address: Hostile(address, self.port, self.take) for address in (TRUE, FORGED)}

    @staticmethod
    def take(peer):
        peer.greet('SIZE')
        peer.take_mail()

    def under(self, dnssec, more='', ask=None):
        """The configuration with that setting; asks the recursor, or `ask`."""
        text = self.plain.replace(f'127.0.0.1:{self.dns.port}', f'127.0.0.1:{(ask or self.recursor).port}')
        return text.replace('  dnssec off\n', f'  dnssec {dnssec}\n  trust_anchor {self.anchor}\n{more}')

    def restart(self, text):
        if self.contoso.process:
            self.contoso.stop()
        self.contoso.configure(text)
        self.contoso.start()

    def relay(self, *domains):
        for domain in domains:
            with Sender(self.contoso, leaf=self.hub, source='127.0.3.1') as session:
                session.sendmail('bob@contoso.com', f'eve@{domain}', message('bob@contoso.com', f'eve@{domain}', domain))

    def outcome(self, domain):
        return self.contoso.process.wait_for(f'to=<eve@{domain}>')


def not_validated(world):
    world.restart(world.under('off'))
    world.relay(*(f'{name}.example' for name in SIGNED), 'none.stripped.example')
    for name in SIGNED:
        check(f'off: {name}', world.outcome(f'{name}.example'), 'delivered:')
    check('off: what does not exist', world.outcome('none.stripped.example'), 'bounced:', 'status=5.1.2')
    assert world.contoso.process.count('dns-bogus') == 0
    assert len(world.taken[FORGED].connections) == 2, len(world.taken[FORGED].connections)
    print('ok: off validates nothing')


def logged(world):
    world.restart(world.under('log'))
    process = world.contoso.process
    world.relay(*(f'{name}.example' for name in SIGNED), 'plain.example', 'none.stripped.example')
    for name in (*SIGNED, 'plain'):
        check(f'log: {name}', world.outcome(f'{name}.example'), 'delivered:')
    check('log: what does not exist', world.outcome('none.stripped.example'), 'bounced:', 'status=5.1.2')
    for name, why in BOGUS.items():
        host = 'mx.forged.example A' if name == 'forged' else f'{name}.example MX'
        check(f'log tells of {name}', process.wait_for(f'dns-bogus: {host}: '), 'warning', why, 'used all the same (dnssec log)',
              'insecure')
    assert not any('dns-bogus' in line and ('good' in line or 'plain' in line) for line in process.lines)
    assert len(world.taken[FORGED].connections) == 4, len(world.taken[FORGED].connections)
    told = process.count('dns-bogus: mx.forged.example A')
    world.relay('forged.example', 'good.example')
    wait_until(lambda: process.count('to=<eve@forged.example>') == 2, 'the second message')
    assert (told, process.count('dns-bogus: mx.forged.example A')) == (1, 1)
    print('ok: told once an hour')


def refused(world):
    world.restart(world.under('on'))
    process, forged = world.contoso.process, len(world.taken[FORGED].connections)
    world.relay(*(f'{name}.example' for name in SIGNED), 'plain.example', 'none.stripped.example', 'none.good.example')
    check('on: signed', world.outcome('good.example'), 'delivered:')
    check('on: unsigned', world.outcome('plain.example'), 'delivered:')
    check('on: what is proven not to exist', world.outcome('none.good.example'), 'bounced:', 'status=5.1.2')
    for name, why in BOGUS.items():
        check(f'on: {name}', world.outcome(f'{name}.example'), 'deferred:', 'status=4.4.3', 'is bogus and not used', why)
        process.wait_for(f'dns-bogus: {"mx.forged" if name == "forged" else name}.example')
    check('on: what nobody proves not to exist', world.outcome('none.stripped.example'), 'deferred:', 'status=4.4.3')
    assert len(world.taken[FORGED].connections) == forged
    print('ok: nothing went where the forger wanted it')
    notice = wait_until(lambda: next((one for one in world.contoso.mailbox('bob@contoso.com')
                                      if 'rfc822; eve@expired.example' in one), None), 'the delay notice')
    check('the notice says why', ' '.join(notice.split()), 'Action: delayed', 'Status: 4.4.3', 'Diagnostic-Code: x-postern;',
          'is bogus and not used', 'expired')


def mended(world):
    """What waited goes when the zones are right again, and a zone of one's own can be taken out of validation."""
    world.contoso.stop()
    world.zones.stop()
    for name in ('forged', 'expired'):
        world.zones.add(f'{name}.example', MAIL)
    world.zones.start()
    world.restart(world.under('on', '  insecure {\n    stripped.example\n  }\n'))
    for name in ('forged', 'expired'):
        check(f'mended: {name}', world.contoso.process.wait_for(f'to=<eve@{name}.example>'), 'delivered:')
        world.contoso.process.wait_for(f'to=<eve@{name}.example> relay=mx.{name}.example[{TRUE}]')
    world.contoso.process.wait_for('to=<eve@stripped.example> relay=mx.stripped.example')
    print('ok: insecure takes a zone out of validation')


def withheld(world):
    """A resolver in between that does not answer for keys: log does not hold mail up for long, on does not go on without."""
    world.restart(world.under('log', ask=dns.Withholding(world.recursor, (dns.DNSKEY, dns.DS))))
    world.relay('good.example')
    check('log: keys are withheld', world.contoso.process.wait_for('to=<eve@good.example>', seconds=60), 'delivered:')
    check('and told', world.contoso.process.wait_for('dns-bogus: good.example MX'), 'could not be validated', 'no answer within')


def checked(world, text):
    world.contoso.configure(text)
    done = world.contoso.postern('config', 'check', world.contoso.conf)
    return done.returncode, done.stdout


def anchors(world):
    faults = [('missing', None, 'cannot be read: No such file'), ('empty', '; nothing\n', 'holds no trust anchor'),
              ('nonsense', 'example. IN DS nonsense\n', 'is none: '),
              ('unknown', 'example. IN DS 1 250 2 ' + '00' * 32 + '\n', 'is none: ')]
    for name, text, why in faults:
        file = f'{world.folder}/{name}'
        if text:
            write(file, text)
        for dnssec in ('on', 'log'):
            status, said = checked(world, world.under(dnssec).replace(world.anchor, file))
            check(f'an anchor that is {name}, {dnssec}', f'{status} {said}', '78 ', 'postern.conf:', 'resolver: ', file, why)
    done = subprocess.run([world.build + '/bin/posternd', '-c', world.contoso.conf], capture_output=True, text=True,
                          timeout=60, check=False)
    check('the daemon does not start with it', f'{done.returncode} {done.stderr}', '78 ', 'start-failed', 'is none: ')


def no_default(world):
    """Without Debian's file `log` warns and goes on, `on` is refused with the remedy. In a mount namespace of its own."""
    os.makedirs(world.folder + '/no-anchors', exist_ok=True)
    hidden = ['unshare', '-m', 'sh', '-c', f'mount --bind {world.folder}/no-anchors /usr/share/dns && exec "$@"', 'sh']
    if os.geteuid() != 0 or subprocess.run([*hidden, 'true'], check=False, capture_output=True).returncode != 0:
        return print('skipped: no default anchor: needs root and a kernel that allows mount namespaces')
    for dnssec, status, words in (('log', 0, ('(warning)', 'DNS answers are not validated', 'dns-root-data', 'or say dnssec off')),
                                  ('on', 78, ('dnssec on cannot validate anything', 'dns-root-data', 'trust_anchor'))):
        world.contoso.configure(world.under(dnssec).replace(f'  trust_anchor {world.anchor}\n', ''))
        done = subprocess.run([*hidden, *world.contoso.command('config', 'check', world.contoso.conf)], capture_output=True,
                              text=True, timeout=60, check=False)
        check(f'no anchor at all, {dnssec}', f'{done.returncode} {done.stdout}', f'{status} ', '/usr/share/dns/root.key', *words)
    return None


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = Signed(sys.argv[1], folder)
        try:
            for scenario in (not_validated, logged, refused, mended, withheld, anchors, no_default):
                scenario(world)
        except BaseException:
            print('\n'.join(world.contoso.process.lines[-60:]))
            raise
        world.contoso.stop()


main()
