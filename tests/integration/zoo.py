#!/usr/bin/env python3
"""The zoo in a running daemon: each library and script that is wrong on purpose is contained. One row says what it does, what
the listed sender is answered, and the one line of the log that names it; mail of everybody else passes in every row, and so
does the listed sender's once the animal is gone. tests/zoo/README.md lists them."""
import os
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until, Failed, write

LISTED, OTHER, OURS = 'eve@woodgrovebank.com', 'x@example.org', 'bob@contoso.com'

# What it is, the file in tests/zoo, what the refusal of the reload says behind "plugins.NAME: ".
FILES = [
    ('no descriptor', 'nothing', 'POSTERN_PLUGIN'),
    ('a broken descriptor', 'wrong-magic', 'broken descriptor'),
    ('another ABI', 'other-abi', 'is built for the ABI clang99-libc++-x64'),
    ('another SDK', 'other-major', 'built for SDK'),
    ('a newer SDK', 'newer-minor', 'built for SDK'),
    ('the name of another', 'other-name', 'install it as somebody-else.so'),
    ('a missing symbol', 'unresolved', 'undefined symbol'),
    ('a symbol that lives twice', 'unique-symbol', '-fno-gnu-unique'),
    ('no entry', 'no-entry', 'POSTERN_ENTRY'),
    ('throws at its birth', 'throws-at-birth', 'threw'),
]

# What it is, its role and mode, the answer to the listed sender, the log's line.
ROLES = [
    ('a matcher throws', 'names throw', '451 4.3.0 plugin-failed', 'matched to its name: the plugin fails-in-role threw'),
    ('a judge throws', 'judge throw', '451 4.3.0 plugin-failed', 'could not be judged: the plugin fails-in-role threw'),
    ('a judge never answers', 'judge never', '451 4.3.0 plugin-failed', 'the provider dropped the question without an answer'),
    # The judge's first answer is "undecided", its second "valid".
    ('a judge answers twice: the first one counts', 'judge twice', '45', 'woodgrovebank.com'),
    ('a decider throws', 'decider throw', '451 4.3.0 plugin-failed', 'plugin-failed: fails-in-role: the plugin fails-in-role threw'),
    ('a decider throws on the worker', 'inline-decider throw', '451 4.3.0 plugin-failed', 'plugin-failed: fails-in-role: the plugin'),
    ('a decider never answers', 'decider never', '451 4.3.0 plugin-failed', 'plugin-failed: fails-in-role: the provider dropped'),
    ('a decider answers twice: the first one counts', 'inline-decider twice', '550 5.7.1 the first answer', ''),
    ('a verdict that is none', 'decider no-verdict', '451 4.3.0 plugin-failed', 'fails-in-role: a verdict of a kind that this host'),
    ('an effect that is none', 'decider no-effect', '451 4.3.0 plugin-failed', 'fails-in-role: an effect is not taken at the event mail'),
    ('a reply that is none', 'decider no-reply', '451 4.3.0 plugin-failed', 'fails-in-role: a reply that is none'),
]

# What it is, the body of the partner's handler (line 2 on), the cause that the log names.
SCRIPTS = [
    ('while true', 'while true do end', ':2: ran '),
    ('a table without bounds', 'local t = {} for i = 1, 1e9 do t[i] = i end', 'MiB of memory|ran longer'),
    ('a text without bounds', 'local s = "x" while true do s = s .. s end', 'MiB of memory|ran longer'),
    ('string.rep of 2 GiB', 'return ("x"):rep(2 ^ 31)', ':2: string.rep would make more than 1 MiB'),
    ('a pattern bomb', 'return (("a"):rep(300)):find((".-"):rep(12) .. "b")', ':2: this pattern could take too long'),
    ('deep recursion', 'local function f(n) return 1 + f(n + 1) end return f(0)', 'MiB of memory|stack overflow|ran longer'),
    ('recursion through C', 'local function f(s) return (s:gsub("x", f)) end return f("x")', 'C stack overflow'),
    ('error(nil)', 'error(nil)', ':2: error was called with a nil instead of a text'),
    ('error with a table', 'error({})', ':2: error was called with a table'),
    ('an error in __gc', 'setmetatable({}, { __gc = function() error("late") end })', ':2: bad argument #2 to'),
    ('an error in __close', 'local t <close> = setmetatable({}, { __close = function() error("late") end })', ':2: late'),
    ('a global that would leak', 'seen = (seen or 0) + 1', ":2: there is no global 'seen'"),
    ('a global that is set', 'seen = envelope.sender', ":2: global 'seen' is read-only"),
    ('a library that is changed', 'string.find = nil', ':2: string is read-only'),
    ('nonsense returned', 'return 7', 'returned a number'),
    ('a reply that is none', 'return postern.reject("no\\r\\n250 reply")', ':2: postern.reject takes printable ASCII'),
    ('an effect of another event', 'return postern.hold("x")', 'hold is not taken at the event mail'),
]


class Zoo(World):
    """Contoso with plugin files of its own, beside which the animals are put."""

    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.plugins, self.scripts = folder + '/plugins', folder + '/scripts'
        self.partner = self.scripts + '/partners/woodgrovebank.com.lua'
        self.sources = iter(f'127.0.{n}.{m}' for n in range(3, 9) for m in range(1, 250))
        os.makedirs(self.plugins)
        os.makedirs(self.scripts + '/partners')
        for kind, names in (('plugins', ('tls-mutual', 'name-matching', 'deliver-maildir')),
                            ('zoo', [row[1] for row in FILES] + ['fails-in-role', 'throws-at-start', 'misbehaves'])):
            for name in names:
                shutil.copy(f'{self.build}/{kind}/{name}.so', self.plugins)
        self.sound()

    def settings(self, block=''):
        text = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, more=f'scripts {{\n  folder {self.scripts}\n}}\n')
        return text.replace(f'{self.build}/plugins', self.plugins).replace('plugins {\n', 'plugins {\n' + block, 1)

    def sound(self):
        self.contoso.configure(self.settings())

    def sender(self, **more):
        return Sender(self.contoso, source=next(self.sources), **more)

    def listed(self):
        return self.sender(leaf=self.woodgrove_leaf)

    def others_pass(self, what):
        with self.sender() as session:
            check(f'{what}: everybody else', session.to_mail(OTHER), '250')

    def answered(self, what, *wanted):
        with self.listed() as session:
            check(what, session.to_mail(LISTED), *wanted)

    def named_once(self, what, wanted, since):
        """One line says so, and no other one like it."""
        parts = wanted.split('|')

        def named():
            return [line for line in self.contoso.process.lines[since:] if any(part in line for part in parts)]

        lines = wait_until(named, f'{what}: a line with "{wanted}"')  # the reply may be here before the line
        if len(lines) != 1:
            said = '\n'.join(self.contoso.process.lines[since:])
            raise SystemExit(f'FAILED {what}: {len(lines)} lines with "{wanted}":\n{said}')
        return lines[0]

    def refused(self, what, *wanted):
        """SIGHUP takes nothing of it, and names the place."""
        since = self.contoso.process.mark()
        self.contoso.process.signal(signal.SIGHUP)
        check(what, self.contoso.process.wait_for('reload-refused', since), *wanted)
        self.answered(f'{what}: the old generation', '250')
        self.others_pass(what)


def files(world):
    for what, name, wanted in FILES:
        text = world.settings(f'  {name}\n')
        line = text.split('\n').index(f'  {name}') + 1
        world.contoso.configure(text)
        world.refused(what, f'postern.conf:{line}: plugins.{name}: ', wanted)
    for what, file in (('a file writable by others', world.plugins + '/fails-in-role.so'), ('its folder', world.plugins)):
        mode = os.stat(file).st_mode
        world.contoso.configure(world.settings('  fails-in-role\n'))
        os.chmod(file, mode | 0o002)
        world.refused(f'writable by others: {what}', 'postern.conf:', 'plugins.', 'writable by others; chmod o-w')
        os.chmod(file, mode)
    write(world.plugins + '/fails-in-role.new', '\x7fELF')
    shutil.move(world.plugins + '/fails-in-role.so', world.folder)
    os.rename(world.plugins + '/fails-in-role.new', world.plugins + '/fails-in-role.so')
    world.refused('a file that is cut off', 'postern.conf:', 'plugins.fails-in-role: ')
    shutil.move(world.folder + '/fails-in-role.so', world.plugins + '/fails-in-role.so')
    for mode, wanted in (('throw-at-check', 'threw while its settings were checked'), ('throw', 'the plugin misbehaves threw')):
        world.contoso.configure(world.settings(f'  misbehaves {{\n    mode {mode}\n  }}\n'))
        world.refused(f'an engine and judge: {mode}', 'postern.conf:', wanted)
    world.sound()
    world.contoso.reload()


def starts(world):
    """A matcher that throws at its start, in the place of the one that works: nobody speaks for names then."""
    world.contoso.configure(world.settings().replace('  name-matching\n', '  throws-at-start\n'))
    since = world.contoso.process.mark()
    world.contoso.reload()
    world.named_once('throws at its start', 'throws-at-start.so threw at its start', since)
    world.answered('throws at its start', '451 4.3.0 role-missing')
    world.others_pass('throws at its start')
    world.sound()
    world.contoso.reload()
    world.answered('gone', '250')


def roles(world):
    for what, kind, answer, wanted in ROLES:
        role, mode = kind.split()
        block = f'  fails-in-role {{\n    role {role}\n    mode {mode}\n  }}\n'
        text = world.settings(block)
        world.contoso.configure(text.replace('  name-matching\n', '') if role == 'names' else text)
        world.contoso.reload()
        since = world.contoso.process.mark()
        world.answered(what, answer)
        if wanted:
            world.contoso.process.wait_for(wanted, since)
            world.named_once(what, wanted, since)
        world.others_pass(what)
        world.sound()
        world.contoso.reload()
    world.answered('all gone', '250')


def blocked(world, role, answer, wanted):
    """It blocks in its lane: who asked is answered in the end, nobody else waits meanwhile, and it ends with the block."""
    until = f'{world.folder}/go-on-{role}'
    world.contoso.configure(world.settings(f'  fails-in-role {{\n    role {role}\n    mode block\n    until {until}\n  }}\n'))
    world.contoso.reload()
    since = world.contoso.process.mark()
    with world.sender() as under_way, world.listed() as session:
        under_way.mail(OTHER)
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(session.to_mail(LISTED)), daemon=True)
        waiting.start()
        begun = time.monotonic()
        under_way.rcpt(OURS)
        under_way.data(message(OTHER, OURS, f'past a {role}'))
        if role == 'judge':
            world.others_pass(f'a {role} blocks')
        took = time.monotonic() - begun
        waiting.join(60)
    world.contoso.arrived(OURS, f'past a {role}')
    if took > 9 or not answers:
        raise Failed(f'a {role} that blocks held up others for {took:.1f} s, answers {answers}')
    check(f'a {role} blocks', answers[0], answer)
    check(f'a {role} blocks: the log', world.named_once(f'a {role} blocks', wanted, since), 'woodgrovebank.com')
    if role == 'judge':  # its lane is past the deadline: nobody waits for it any more
        since = world.contoso.process.mark()
        world.answered(f'a {role} blocks: the next question', '451 4.3.0 plugin-failed')
        check(f'a {role} blocks: the log', world.contoso.process.wait_for('fails-in-role', since), 'woodgrovebank.com')
    write(until, '')
    world.sound()
    world.contoso.reload()
    world.answered(f'a {role} blocks no more', '250')


def scripts(world):
    for what, body, wanted in SCRIPTS:
        write(world.partner, f'postern.on("mail", function(session, envelope)\n{body}\nend)\n')
        world.contoso.reload()
        for turn in 'once', 'again':
            since = world.contoso.process.mark()
            world.answered(f'{what}, {turn}', '451 4.3.0 plugin-failed')
            line = world.named_once(what, 'script-failed', since)
            if not any(one in line for one in wanted.split('|')) or world.partner not in line:
                raise SystemExit(f'FAILED {what}: "{wanted}" is not in {line}')
        world.others_pass(what)
        write(world.partner, 'postern.on("mail", function() return { tls = "mutual" } end)\n')
        world.contoso.reload()
        world.answered(f'{what}, mended', '250')
    os.remove(world.partner)
    world.contoso.reload()


def leaks(world):
    """What one session leaves behind in a script another one does not meet: a view that is kept is dead."""
    write(world.partner, 'local kept\npostern.on("mail", function(session, envelope)\n  if kept then return '
          'postern.reject(kept.sender) end\n  kept = envelope\nend)\n')
    world.contoso.configure(world.settings().replace('\nresolver', '\nworkers 1\nresolver'))
    world.contoso.stop()
    world.contoso.start()
    world.answered('a view is kept', '250')
    since = world.contoso.process.mark()
    with world.listed() as session:
        said = session.to_mail('mallory@woodgrovebank.com')
    if 'eve@' in said or not said.startswith(('451 4.3.0', '550 5.7.1 mallory@')):
        raise Failed('the script saw another session: ' + said)
    print(f'ok: and shows the next session no other: {said}')
    os.remove(world.partner)
    world.sound()
    world.contoso.reload()


def main():
    with tempfile.TemporaryDirectory(prefix='postern-') as folder:
        os.chmod(folder, 0o755)
        world = Zoo(sys.argv[1], folder)
        world.contoso.start()
        try:
            for step in files, starts, roles, scripts, leaks:
                step(world)
            blocked(world, 'decider', '451 4.3.0 plugin-failed', 'plugin-failed: fails-in-role: ')
            blocked(world, 'judge', '451 4.7.5 revocation-pending', 'revocation-pending: ')
        except BaseException:
            print('--- the daemon\n' + '\n'.join(world.contoso.process.lines[-30:]))
            raise
        world.contoso.stop()


main()
