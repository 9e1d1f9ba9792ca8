"""Ways in which a configuration can be broken, as a table: each changes the good text (or a file that it names) in one
place and says what is answered, with file and line. The table knows no daemon; reload.py holds it against one."""
import os
import shutil

from .process import write


class Fault:
    """`change(files)` returns the broken text of postern.conf, or None where another file was broken; `wanted` is what the
    log says, where {file}:{line} stand for the place of the line that contains `at`."""

    def __init__(self, what, change, at, wanted, file='postern.conf'):
        self.what, self.change, self.at, self.wanted, self.file = what, change, at, wanted, file


class Files:
    """The good configuration on disk: text and the files beside it, restored after each fault."""

    def __init__(self, folder, text, others):
        self.folder, self.text = folder, text
        self.kept = {path: open(path, 'rb').read() for path in others}
        self.modes = {path: os.stat(path).st_mode for path in others}
        self.extra = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def extra_file(self, name, text, mode=0o644):
        self.extra.append(write(self.path(name), text, mode))
        os.chmod(self.path(name), mode)

    def broken(self, fault):
        """Breaks it; the place that the fault names."""
        text = fault.change(self)
        text = self.text if text is None else text
        write(self.path('postern.conf'), text)
        if fault.at is None:
            return self.path(fault.file)
        with open(self.path(fault.file), encoding='utf-8') as file:
            lines = file.read().split('\n')
        line = next(n for n, one in enumerate(lines, 1) if fault.at in one)
        return f'{self.path(fault.file)}:{line}'

    def mend(self):
        for path in self.extra:
            os.remove(path)
        self.extra.clear()
        for path, octets in self.kept.items():
            with open(path, 'wb') as file:
                file.write(octets)
            os.chmod(path, self.modes[path])
        write(self.path('postern.conf'), self.text)


def instead(old, new):
    def change(files):
        assert old in files.text, old
        return files.text.replace(old, new, 1)
    return change


def beside(more):
    return lambda files: files.text + more


def other(name, text, mode=0o644):
    return lambda files: files.extra_file(name, text, mode)


def over(name, text):
    """One of the files that the configuration names holds something else."""
    return lambda files: write(files.path(name), text) and None


def gone(name):
    return lambda files: os.remove(files.path(name))


def copied(name, source):
    return lambda files: shutil.copyfile(source, files.path(name)) and None


def typing():
    """What a hand gets wrong in the text."""
    yield Fault('an unknown key', instead('fqdn mail1', 'fqnd mail1'), 'fqnd', 'fqnd: is not a key of the configuration (did '
                'you mean fqdn?)')
    yield Fault('an unknown key in a block', instead('domain_secure_enabled yes', 'domain_secure_enable yes'), 'domain_secure_enable yes',
                'domain_secure_enable: is not a key of receive_connector (did you mean domain_secure_enabled?)')
    yield Fault('yes or no', instead('domain_secure_enabled yes', 'domain_secure_enabled perhaps'), 'perhaps',
                'domain_secure_enabled: "perhaps" is not yes or no')
    yield Fault('a duration', beside('drain_time soon\n'), 'soon', 'drain_time: "soon" is not a duration such as 30s')
    yield Fault('a number', beside('workers many\n'), 'many', 'workers: "many" is not a number')
    yield Fault('one of a few words', instead('revocation off', 'revocation of'), 'revocation of',
                'revocation: "of" is none of hard, soft, off (did you mean off?)')
    yield Fault('a key twice', beside('fqdn mail2.contoso.com\n'), 'mail2', 'fqdn: stands twice')
    yield Fault('a key without a value', beside('postmaster_notify\n'), 'postmaster_notify', 'postmaster_notify: has no value')
    yield Fault('a list on one line', instead('tls_receive_domain_secure_list {\n', 'tls_receive_domain_secure_list {\n'
                '  fabrikam.com adatum.com\n'), 'adatum', 'fabrikam.com: one entry a line')
    yield Fault('a list as a value', instead('remote_ranges {\n    0.0.0.0/0\n  }', 'remote_ranges 0.0.0.0/0'),
                'remote_ranges 0', 'remote_ranges: is a list: write it as a block')
    yield Fault('an unquoted ;', beside('postmaster_notify ;admin@contoso.com\n'), ';admin', 'postmaster_notify: has no value')
    yield Fault('a quote that is not closed', beside('postmaster_notify "admin\n'), '"admin', 'admin: the quote is not closed')
    yield Fault('a block that is not closed', beside('resolver {\n'), None, 'resolver: the block that begins at line')
    yield Fault('a } too many', beside('}  ; too many\n'), 'too many', '}: closes no block')
    yield Fault('a second block of one name', beside('roots third {\n  file /dev/null\n} ; again\n'), None,
                'roots: a second roots called third')


def included():
    yield Fault('#include of nothing', beside('#include "nowhere.conf"\n'), '#include', '#include: ')
    yield Fault('#include in a circle', lambda files: files.extra_file('round.conf', '#include "round.conf"\n') or
                files.text + '#include "round.conf"\n', '#include', '#include: files include one another', 'round.conf')
    yield Fault('a file of conf.d', other('conf.d/more.conf', '; mine\nspol /nowhere\n'), 'spol',
                'spol: is not a key of the configuration (did you mean spool?)', 'conf.d/more.conf')


def domains():
    listed = 'tls_receive_domain_secure_list {\n'
    yield Fault('a public suffix', instead(listed, listed + '  co.uk\n'), 'co.uk', 'co.uk: is a public suffix')
    yield Fault('no domain', instead(listed, listed + '  fabrikam..com\n'), 'fabrikam..', 'fabrikam..com: "fabrikam..com" is '
                'no domain name')
    yield Fault('a partner twice', beside('partner WoodgroveBank.com {\n}\n'), 'WoodgroveBank',
                'partner: a second block for woodgrovebank.com')
    yield Fault('roots that nobody defined', instead('    third\n', '    thrid\n'), 'roots {',
                'roots: no roots are called thrid (did you mean third?)')
    yield Fault('an exception without end', instead('  revocation off', '  exception {\n    allow no-tls\n    reason soon\n  }\n'
                '  revocation off'), 'exception {', 'exception: needs until')
    yield Fault('recipients that are not said', instead('  recipients any\n', ''), 'accepted_domain',
                'accepted_domain: needs recipients')
    yield Fault('a file of recipients that is not there', instead('recipients any', 'recipients {\n    file /nowhere/all\n  }'),
                '/nowhere/all', 'file: the file /nowhere/all cannot be read')
    yield Fault('a way of delivery that nobody defined', instead('deliver maildir', 'deliver Hub'), 'deliver Hub',
                'deliver: Hub is neither maildir, nor the NAME of a plugin deliver-NAME, nor a send_connector')


def connectors(busy):
    binding = '  bindings {\n'
    yield Fault('a range that is none', instead('0.0.0.0/0', '10.0.0.0/40'), '/40', '10.0.0.0/40: is no address range')
    yield Fault('a port out of range', instead(binding, binding + '    127.0.0.1:99999\n'), '99999', '127.0.0.1:99999: is no '
                'address:port')
    yield Fault('a port of peers out of range', instead('  routing dns\n', '  routing dns\n  port 99999\n'), 'port 99999',
                'port: "99999" is not a port number')
    yield Fault('a binding in use', instead(binding, f'{binding}    127.0.0.1:{busy}\n'), 'receive_connector Inet',
                f'receive_connector: Inet: cannot listen on 127.0.0.1:{busy}: Address already in use')
    yield Fault('a binding that is not ours', instead(binding, binding + '    192.0.2.1:2525\n'), 'receive_connector Inet',
                'receive_connector: Inet: cannot listen on 192.0.2.1:2525')
    yield Fault('a certificate that nobody defined', instead('certificate edge\n', 'certificate egde\n'), 'egde',
                'certificate: no certificate is called egde (did you mean edge?)')
    yield Fault('credentials for whoever answers', instead('  routing dns\n', '  routing dns\n  user postern\n'), 'user postern',
                'user: user and password_file belong together')
    yield Fault('an extension without the one it needs', instead(binding, '  chunking no\n  binary_mime yes\n' + binding),
                'binary_mime', 'binary_mime: needs chunking yes')
    yield Fault('a smart host that is missing', instead('  routing dns\n', '  tls_domain hub.contoso.com\n'), 'tls_domain',
                'tls_domain: needs smart_host')
    yield Fault('a secure domain that would leave in clear', instead('  domain_secure_enabled yes\n  allow', '  allow'),
                '  woodgrovebank.com', 'woodgrovebank.com: its mail would leave by send_connector Internet')
    yield Fault('a digest that is none', beside('trusted_servers {\n  hub {\n    sha256 abc\n  }\n}\n'), 'abc',
                'sha256: is no SHA-256')


def certificates(foreign_key, encrypted_key):
    block = 'certificate edge {'
    yield Fault('a chain that is not there', instead('/chain.pem', '/chian.pem'), block, 'certificate: the file')
    yield Fault('a chain that is none', over('chain.pem', 'no PEM\n'), block, 'certificate edge: ')
    yield Fault('the key of another', copied('key.pem', foreign_key), block, 'certificate edge: ')
    yield Fault('an encrypted key', copied('key.pem', encrypted_key), block, 'certificate edge: ')
    yield Fault('roots that are not there', gone('roots.pem'), 'roots.pem', 'file: the file')
    yield Fault('roots that are none', over('roots.pem', 'no PEM\n'), 'roots.pem', 'roots: ')
    yield Fault('an intermediate that is none', lambda files: files.extra_file('between.pem', 'no PEM\n') or files.text +
                f'intermediates {{\n  {files.path("between.pem")}\n}}\n', 'between.pem', 'roots: ')


def plugins(build):
    block = 'plugins {\n'
    yield Fault('a plugin that is misspelt', instead('  name-matching\n', '  nam-matching\n'), 'nam-matching',
                'plugins.nam-matching: ')
    yield Fault('an unknown setting of a plugin', instead('    folder /', '    fodler /'), 'fodler', 'deliver-maildir.fodler: is not a key '
                'of the plugin deliver-maildir (did you mean folder?)')
    yield Fault('a setting that its plugin refuses', instead('    folder /', '    folder '), '    folder ',
                'deliver-maildir.folder: ')
    yield Fault('a setting of a wrong kind', instead(block, block + '  crl {\n    allow_private maybe\n  }\n'), 'maybe',
                'crl.allow_private: "maybe" is not yes or no')
    yield Fault('a file that is no plugin', lambda files: files.text.replace(build + '/plugins', build + '/zoo').replace(
                block, block + '  nothing\n'), '  nothing', 'plugins.nothing: ')


def scripts():
    yield Fault('a script that does not compile', other('scripts/a.lua', 'local x = 1\nlocal y = = 2\n'), '= =', 'script: ',
                'scripts/a.lua')
    yield Fault('a script that fails when it is loaded', other('scripts/a.lua', '\n\nlocal x = nil\nlocal y = x.y\n'), 'x.y',
                'script: ', 'scripts/a.lua')
    yield Fault('a script that listens to nothing', other('scripts/a.lua', '\npostern.on("mial", function() end)\n'), 'mial',
                'script: there is no event "mial" (did you mean mail?)', 'scripts/a.lua')
    yield Fault('a script that does not end', other('scripts/a.lua', '-- on\nwhile true do end\n'), None, 'script: ',
                'scripts/a.lua')
    yield Fault('a script of a partner', other('scripts/partners/woodgrovebank.com.lua', 'return +\n'), 'return', 'script: ',
                'scripts/partners/woodgrovebank.com.lua')
    yield Fault('a script of no partner', other('scripts/partners/Wood Grove.lua', '-- nobody\n'), None, 'script: is not named '
                'by a domain', 'scripts/partners/Wood Grove.lua')
    yield Fault('a script writable by others', other('scripts/a.lua', '-- anybody\n', 0o666), None, 'script: is writable by '
                'others', 'scripts/a.lua')
    yield Fault('a test of no script', other('scripts/speed_test.lua', '-- a policy by mistake\n'), None, 'script: is taken for a test '
                'of speed.lua, which is not there', 'scripts/speed_test.lua')
    yield Fault('a module that does not compile', other('scripts/modules/words.lua', 'return {\n  no = =\n}\n'), '= =', 'script: ',
                'scripts/modules/words.lua')
    yield Fault('a module that is not there', other('scripts/a.lua', '\nlocal words = postern.module("wrods")\n'), 'wrods', 'script: there is no modules/wrods.lua',
                'scripts/a.lua')
    yield Fault('a network that is none', other('scripts/data/near.cidr', '10.0.0.0/8 ours\n10.0.0.0/99 nobody\n'), '/99', 'has a prefix length',
                'scripts/data/near.cidr')
    yield Fault('a script that refuses the configuration', other('scripts/a.lua', 'postern.on("config_validate", function()\n'
                '  return postern.reject("not on a Friday")\nend)\n'), None, 'scripts: not on a Friday')
    yield Fault('a folder of scripts that is not there', instead('/scripts\n', '/scirpts\n'), 'scripts {', 'scripts: ')


def table(build, busy, foreign_key, encrypted_key):
    return [*typing(), *included(), *domains(), *connectors(busy), *certificates(foreign_key, encrypted_key), *plugins(build),
            *scripts()]
