#!/usr/bin/env python3
"""The protocol log of one conversation over mutual TLS, as both sides wrote it and `postern log show` prints it: lines and
order of the white paper's examples. And `postern proxy`, which needs no daemon."""
import glob
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until


def expect(what, text, patterns):
    """The patterns in this order, other lines between them allowed where a pattern is None."""
    lines = text.splitlines()
    for pattern in patterns:
        if pattern is None:
            continue
        while lines and not re.fullmatch(pattern, lines[0]):
            if patterns[patterns.index(pattern) - 1] is not None:
                raise SystemExit(f'FAILED {what}: wanted {pattern} at "{lines[0]}" in\n{text}')
            lines.pop(0)
        if not lines:
            raise SystemExit(f'FAILED {what}: no {pattern} in\n{text}')
        lines.pop(0)
    if lines:
        raise SystemExit(f'FAILED {what}: more than expected: {lines[0]}\n{text}')
    print(f'ok: {what}')


def certificate(leaf, organisation, name):
    return [rf'\*CN={name}, O={organisation}, C=US, Certificate subject',
            rf'\*CN={organisation} Issuing CA, O={organisation}, Certificate issuer name',
            rf'\*{leaf.serial:04X}, Certificate serial number',
            r'\*[0-9A-F]{40}, Certificate thumbprint',
            rf'\*{name}, Certificate alternate names']


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(sys.argv[1], folder)
        hub = world.contoso_ca.leaf('hub', ['hub.contoso.com'])
        trusted = f'trusted_servers {{\n  hub {{\n    sha256 {hub.sha256()}\n    roles {{\n      relay\n    }}\n  }}\n}}\n'
        for edge, own, other, leaf in ((world.contoso, CONTOSO, WOODGROVE, world.contoso_leaf),
                                       (world.woodgrove, WOODGROVE, CONTOSO, world.woodgrove_leaf)):
            text = world.text(own, other, leaf, plugins='tls-mutual name-matching proxy-winhttp',
                              more=trusted if own is CONTOSO else '')
            text = text.replace('plugins {\n', f'plugins {{\n  logging {{\n    folder {edge.folder}/protocol\n  }}\n', 1)
            edge.configure(text.replace('  certificate edge\n', '  certificate edge\n  protocol_logging_level verbose\n'))
            edge.start()
        with Sender(world.contoso, leaf=hub, source='127.0.6.1') as sender:
            sender.sendmail('bob@contoso.com', 'eve@woodgrovebank.com',
                            message('bob@contoso.com', 'eve@woodgrovebank.com', 'logged'))
        world.woodgrove.arrived('eve@woodgrovebank.com', 'logged')

        with Sender(world.contoso, source='127.0.6.2') as guesser:
            check('AUTH is not offered', guesser.answer('aUtH PLAIN ' + 'QUdWMlpRQnpaV055WlhR' * 300), '50')
            check('nor any other', guesser.answer('AUTH LOGIN c2VjcmV0'), '502 5.5.1')

        def shown(edge, *words):
            """The records are written off the session's path: wait for the last line."""
            def ready():
                done = edge.postern('log', 'show', *words)
                return done.stdout if '221 2.0.0' in done.stdout else None
            return wait_until(ready, 'the conversation in the log')

        own = certificate(world.contoso_leaf, 'Contoso', 'mail1.contoso.com')
        peer = certificate(world.woodgrove_leaf, 'Woodgrove Bank', 'mail1.woodgrovebank.com')
        session = r'\*[0-9A-F]{16};\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z;1'
        expect('the send log', shown(world.contoso, '--send'), [
            '<220 mail1.woodgrovebank.com .*', '>EHLO mail1.contoso.com', '<250-mail1.woodgrovebank.com.*', None,
            '<250[ -]STARTTLS', None, '>STARTTLS', '<220 2.0.0 .*', r'\*Sending certificate', *own,
            r'\*Received certificate', *peer, '>EHLO mail1.contoso.com', '<250-mail1.woodgrovebank.com.*', None,
            session + ', sending message', '>MAIL FROM:<bob@contoso.com>.*', '>RCPT TO:.*', '>BDAT .* LAST', '<250 2.1.0 .*', '<250 2.1.5 .*', None,
            '<250 2.6.0 .*', '>QUIT', '<221 2.0.0 .*'])
        expect('the receive log', shown(world.woodgrove, '--receive'), [
            '>220 mail1.woodgrovebank.com .*', '<EHLO mail1.contoso.com', '>250-mail1.woodgrovebank.com.*', None,
            '<STARTTLS', '>220 2.0.0 .*', r'\*Sending certificate', *peer, r'\*Received certificate', *own,
            '<EHLO mail1.contoso.com', None, '<MAIL FROM:<bob@contoso.com>.*', None, session + ', receiving message',
            '<RCPT TO:.*', '<BDAT .* LAST', '>250 2.1.0 .*', None, '>250 2.6.0 .*', '<QUIT', '>221 2.0.0 .*'])
        status = world.contoso.postern('status').stdout
        if 'ALARM role-missing logging' in status:
            raise SystemExit('FAILED: logging is loaded and yet missed:\n' + status)
        for words, wanted in ((('proxy', 'set', '127.0.0.1:3128', '<local>'), '127.0.0.1:3128'),
                              (('proxy', 'show'), '<local>'), (('proxy', 'direct'), 'Direct access'),
                              (('log', 'list'), 'Internet')):
            done = world.contoso.postern(*words)
            if done.returncode != 0 or wanted not in done.stdout:
                raise SystemExit(f'FAILED postern {words}: {done}')
            print('ok: postern ' + ' '.join(words))
        wrong = world.contoso.postern('proxy', 'shwo')
        if wrong.returncode != 2 or 'did you mean' not in wrong.stderr:
            raise SystemExit(f'FAILED an unknown verb: {wrong}')
        listed = world.contoso.postern('--help')
        if 'proxy set' not in listed.stdout:
            raise SystemExit(f'FAILED --help lists what plugins bring: {listed}')
        for edge in (world.contoso, world.woodgrove):
            edge.stop()
        written = ''.join(open(path, encoding='utf-8').read()
                          for path in glob.glob(world.contoso.folder + '/protocol/**', recursive=True) if os.path.isfile(path))
        for wanted in ('aUtH PLAIN ...', 'AUTH LOGIN ...'):
            check('what was tried is logged', wanted if wanted in written else 'not there', wanted)
        for secret in ('QUdWMlpRQnpaV055WlhR', 'c2VjcmV0'):
            check('what was sent with it is not', 'clean' if secret not in written else secret, 'clean')


main()
