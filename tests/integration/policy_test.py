#!/usr/bin/env python3
"""`postern policy test`: the shipped scripts pass their own tests with every branch taken; broken copies of them do not; a
daemon serves a folder that holds tests; exit statuses are as documented."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.expect import check
from lab.process import write

BUILD = os.path.abspath(sys.argv[1])
SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'scripts')


def run(what, status, *words, wanted=(), configuration=None):
    command = [BUILD + '/bin/postern', *(['-c', configuration] if configuration else []), 'policy', 'test', *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    check(what, f'{done.returncode} {done.stdout}{done.stderr}', f'{status} ', *wanted)
    return done.stdout


def broken(folder, name, old, new, wanted):
    """A mistake in a shipped script is found by its test."""
    for file in name + '.lua', name + '_test.lua':
        shutil.copy(f'{SHIPPED}/examples/{file}', folder)
    with open(f'{folder}/{name}.lua', encoding='utf-8') as file:
        text = file.read()
    assert old in text, old
    write(f'{folder}/{name}.lua', text.replace(old, new, 1))
    run(f'{name} with {new}', 1, folder, wanted=wanted)


def shipped():
    run('the shipped scripts', 0, SHIPPED, '--min-coverage', '100', wanted=['15 of 15 cases passed, 100 % of branches'])
    told = json.loads(run('as JSON', 0, SHIPPED + '/examples', '--coverage', '--json'))
    assert told['good'] and told['percent'] == 100 and len(told['files']) == 4, told
    run('a script finds its test', 0, SHIPPED + '/examples/fabrikam.com.lua', wanted=['4 of 4 cases passed'])


def mistakes(folder):
    broken(folder, 'woodgrovebank.com', '"1.3"', '"1.2"', ['woodgrovebank.com_test.lua:8: min_tls: wanted "1.3", got "1.2"'])
    broken(folder, 'fabrikam.com', ':lower()', '', ['fabrikam.com_test.lua:9: ', 'verdict: wanted "proceed", got "reject"'])
    broken(folder, 'litwareinc.com', 'event.size >', 'event.szie >', ['litwareinc.com.lua:12: there is no event.szie (did you '
                                                                      'mean size?)'])


def coverage(folder):
    write(folder + '/a.lua', 'postern.on("mail", function(session)\n  if session.tls then return postern.proceed() end\nend)\n')
    write(folder + '/a_test.lua', 'test.case("in clear", function()\n  test.equal(test.ask("mail").spoke, false)\nend)\n')
    run('a branch that is not taken', 0, folder, '--coverage',
        wanted=['a.lua:2: the condition of if (column 6) was never true', '66 % of branches taken'])
    run('is too little', 1, folder, '--min-coverage', '67', wanted=['66 % of branches taken, 67 % are wanted'])
    run('is enough', 0, folder, '--min-coverage', '66')
    write(folder + '/b.lua', 'postern.on("mail", function(session, envelope)\n  if postern.listed("send", envelope.domain) then'
          ' return postern.reject("listed") end\nend)\n')
    write(folder + '/b_test.lua', 'test.case("listed", function()\n  test.equal(test.ask("mail").verdict, "reject")\nend)\n')
    run('unlisted', 1, folder + '/b_test.lua')
    run('listed by the command', 0, folder + '/b_test.lua', '--listed', 'example.org')


def statuses(folder):
    os.makedirs(folder + '/none')
    run('no test', 1, folder + '/none', wanted=['no test (NAME_test.lua) in ' + folder])
    run('no such file', 2, folder + '/gone.lua', wanted=['there is no ' + folder + '/gone_test.lua'])
    run('no such option', 2, '--verbos')
    run('no percentage', 2, folder, '--min-coverage', 'all')
    configured = write(folder + '/postern.conf', f'fqdn mail1.contoso.com\nplugin_folder {BUILD}/plugins\n')
    run('no scripts', 2, wanted=['no scripts folder is configured'], configuration=configured)
    write(folder + '/s/a.lua', '')
    write(folder + '/s/a_test.lua', 'test.case("a", function()\n  test.equal(test.ask("mail").spoke, false)\nend)\n')
    write(configured, f'fqdn mail1.contoso.com\nplugin_folder {BUILD}/plugins\nscripts {{\n  folder {folder}/s\n}}\n')
    run('the configured ones', 0, wanted=['1 of 1 cases passed'], configuration=configured)
    done = subprocess.run([BUILD + '/bin/postern', 'config', 'check', configured], capture_output=True, text=True, timeout=60,
                          check=False)
    check('a configuration does not mind tests', f'{done.returncode} {done.stdout}', '0 ', 'good')


def main():
    shipped()
    for step in mistakes, coverage, statuses:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            step(folder)


main()
