#!/usr/bin/env python3
"""The public certificate suites, where they lie beside the project: exactly these figures, plainly, with every list of PKITS
handed over for every case, and with the intermediates anchor first. Nothing may be accepted wrongly. One case is not met
on purpose: the leaf of bssl-chain many-names/ok-all-types bears DNS names outside what its CA's name constraints permit
(t171.test and on), so RFC 5280 4.2.1.10 refuses it; BoringSSL keeps that test switched off."""
import os
import re
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
SUITES = os.path.join(ROOT, '..', 'shared', 'pki')
REFUSED_ON_PURPOSE = {'bssl-chain::many-names/ok-all-types'}
EXPECTED = {'pkits': ('209 passed, 0 failed', '22 of 22'), 'bssl-crl': ('61 passed, 0 failed', '42 of 42'),
            'bssl-chain': ('90 passed, 1 failed', None)}
RUNS = {'plainly': [], 'with every list': ['--all-crls'], 'anchor first': ['--reverse-untrusted']}


def check(postern, how, options, suite):
    done = subprocess.run([sys.executable, SUITES + '/run.py', '--strict', *options, suite, '--', postern],
                          capture_output=True, text=True, check=False)
    wanted, told_apart = EXPECTED[suite]
    failing = set(re.findall(r'^  (\S+)  expected ', done.stdout, re.MULTILINE))
    undecided = re.search(r'told apart \(75\): (.*)$', done.stdout, re.MULTILINE)
    fine = (re.search(f'^{wanted},', done.stdout, re.MULTILINE) and failing <= REFUSED_ON_PURPOSE
            and (not told_apart or (undecided and undecided[1] == told_apart)))
    if not fine:
        raise SystemExit(f'FAILED: {suite} {how}\n{done.stdout[-3000:]}{done.stderr[-2000:]}')
    print(f'ok: {suite} {how}: {wanted}' + (f', undecidable told apart {told_apart}' if told_apart else ''))


def main():
    if not os.path.exists(SUITES + '/run.py'):
        print('skipped: the certificate suites are not beside the project')
        return
    postern = os.path.abspath(sys.argv[1]) + '/bin/postern'
    for how, options in RUNS.items():
        for suite in EXPECTED:
            if how != 'with every list' or suite == 'pkits':
                check(postern, how, options, suite)


main()
