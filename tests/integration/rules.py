#!/usr/bin/env python3
"""Every rule that tools/check holds goes red when it is broken: each is broken once in a copy of the tree."""
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
INCLUDE = '#include <{}>\n'

# What is broken, which part of the check must see it, the file, what is put in front of it, what the check says.
BREAKS = [
    ('a layer that looks up', 'layers', 'core/mail/address.cpp', INCLUDE.format('net/stream.hpp'), 'later layer net'),
    ('a plugin that sees core', 'layers', 'plugins/crl/scope.cpp', INCLUDE.format('base/log.hpp'), 'includes core'),
    ('a plugin that sees another', 'layers', 'plugins/crl/scope.cpp', INCLUDE.format('tls-mutual/judge.hpp'),
     'includes the plugin tls-mutual'),
    ('x509 that sees core', 'layers', 'x509/der.cpp', INCLUDE.format('base/failure.hpp'), 'x509 or the SDK includes core'),
    ('a plugin that links core', 'layers', 'plugins/crl/CMakeLists.txt',
     'postern_plugin(other LIBRARIES postern_x509 postern_net)\n', 'links more of ours'),
    ('GnuTLS in the core', 'third_party', 'core/net/stream.cpp', INCLUDE.format('gnutls/gnutls.h'), '<gnutls/> outside'),
    ('Asio below net', 'third_party', 'core/queue/queue.cpp', INCLUDE.format('boost/asio/io_context.hpp'),
     '<boost/asio> outside'),
    ('Boost.DLL outside plugins', 'third_party', 'core/app/daemon.cpp', INCLUDE.format('boost/dll/shared_library.hpp'),
     '<boost/dll> outside'),
    ('HTTP in crl', 'third_party', 'plugins/crl/flights.cpp', INCLUDE.format('curl/curl.h'), '<curl/> outside'),
    ('Lua outside script', 'third_party', 'core/policy/evidence.cpp', INCLUDE.format('lua.hpp'), '<lua> outside'),
    ('spdlog below app', 'third_party', 'core/net/stream.cpp', INCLUDE.format('spdlog/spdlog.h'), '<spdlog/> outside'),
    ('PropertyTree outside config', 'third_party', 'core/app/daemon.cpp',
     INCLUDE.format('boost/property_tree/ptree.hpp'), '<boost/property_tree> outside'),
    ('Boost in the SDK', 'third_party', 'include/postern/types.hpp', INCLUDE.format('boost/optional.hpp'), 'std only'),
    ('an SDK header that needs another first', 'headers', 'include/postern/units.hpp', 'inline Missing nothing;\n',
     'does not compile alone with clang++'),
    ('something of a released SDK gone', 'sdk', 'tests/sdk-released/1.0/include/postern/decider.hpp',
     'struct Released {};\n', 'lost what tests/sdk-released/1.0 has: struct Released {}'),
    ('a file of 501 lines', 'size', 'core/base/log.cpp', '//\n' * 500, 'core/base/log.cpp has'),
    ('a file that is not formatted', 'format', 'core/base/log.cpp', 'int   x ;\n', 'run clang-format'),
]


def check(folder, part):
    done = subprocess.run(['tools/check', part], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def main():
    with tempfile.TemporaryDirectory() as folder:
        listed = subprocess.run(['git', 'ls-files', '-z'], cwd=SOURCE, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split('\0')):
            if os.path.exists(f'{SOURCE}/{name}'):
                os.makedirs(os.path.dirname(f'{folder}/{name}'), exist_ok=True)
                shutil.copy(f'{SOURCE}/{name}', f'{folder}/{name}')
        for command in (['init', '-q'], ['add', '-A']):
            subprocess.run(['git', *command], cwd=folder, check=True)
        for part in sorted({one[1] for one in BREAKS}):
            status, said = check(folder, part)
            assert status == 0, f'{part} is red before anything is broken:\n{said}'
        for what, part, name, text, wanted in BREAKS:
            with open(f'{folder}/{name}', encoding='utf-8') as file:
                before = file.read()
            with open(f'{folder}/{name}', 'w', encoding='utf-8') as file:
                file.write(before.replace('#pragma once\n', '#pragma once\n' + text, 1) if '#pragma once' in before
                           else text + before)
            status, said = check(folder, part)
            assert status != 0 and wanted in said, f'{what} went unseen by {part}: {status}\n{said}'
            print(f'ok: {what} is red')
            with open(f'{folder}/{name}', 'w', encoding='utf-8') as file:
                file.write(before)


main()
