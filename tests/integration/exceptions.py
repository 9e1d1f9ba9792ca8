#!/usr/bin/env python3
"""What a partner block may let through, and nothing beside it: an exception forgives one fault until its day, report-only
judges and passes, and each use is logged."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World

LISTED = 'eve@woodgrovebank.com'
CLEAR, NAME = '530 5.7.0 starttls-required', '550 5.7.1 name-mismatch'


def exception(what, until='2099-01-01'):
    return f'  exception {{\n    allow {what}\n    until {until}\n    reason "their move"\n  }}'


# The block's text, what a session in clear and one with a name two labels below are answered.
CASES = [
    ('nothing', '', CLEAR, NAME),
    ('no-tls', exception('no-tls'), '250 2.1.0', NAME),
    ('any-name', exception('any-name'), CLEAR, '250 2.1.0'),
    ('no-tls of the past', exception('no-tls', '2020-01-01'), CLEAR, NAME),
    ('report_only', '  report_only "until 2099-01-01"', '250 2.1.0', '250 2.1.0'),
    ('report_only of the past', '  report_only "until 2020-01-01"', CLEAR, NAME),
    ('softer replies', '  starttls_required defer\n  name_mismatch defer', '450 4.7.0', '454 4.7.1'),
]


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(sys.argv[1], folder)
        edge = world.contoso.start()
        deep = world.woodgrove_ca.leaf('deep', ['mail1.us.woodgrovebank.com'])
        for number, (what, block, clear, name) in enumerate(CASES, 1):
            edge.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, partner=block))
            edge.reload()
            since = edge.process.mark()
            with Sender(edge, source=f'127.0.3.{number}') as sender:
                check(f'{what}, in clear', sender.to_mail(LISTED), clear)
            with Sender(edge, leaf=deep, source=f'127.0.4.{number}') as sender:
                check(f'{what}, another name', sender.to_mail(LISTED), name)
            if '250 2.1.0' in (clear, name):
                check('its use is logged', edge.process.wait_for('exception-used', since), 'woodgrovebank.com')
        edge.stop()


main()
