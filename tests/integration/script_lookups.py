#!/usr/bin/env python3
"""Scripts that wait in the real daemon: DNS lists, HTTP by way of the proxy, timers, modules and data files; a name server
that does not answer holds up its own question and nobody else's; a transaction ends under the scripts it began with."""
import os
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender
from lab.expect import check
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until, write
from lab.services import NameServer, Proxy, WebServer

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'scripts', 'examples')
BLOCKED, CLEAN, FRIEND = '127.0.3.7', '127.0.3.8', '127.0.3.9'
OTHER = 'x@example.org'


class Asking(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.dns.stop()
        self.dns = NameServer(folder + '/lists', {'7.3.0.127.dnsbl.example.org': '127.0.0.2', '9.3.0.127.dnsbl.example.org': '127.0.0.2'}, {},
                              ['txt-record=7.3.0.127.dnsbl.example.org,"sends what nobody asked for"']).start()
        self.silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.silent.bind(('127.0.0.1', 0))
        self.web = WebServer(folder).start()
        self.proxy = Proxy(folder, self.web).start()
        self.scripts = folder + '/scripts'
        os.makedirs(self.scripts + '/data')
        self.use_dns(self.dns.port)

    def use_dns(self, port):
        text = self.text(CONTOSO, WOODGROVE, self.contoso_leaf, plugins='tls-mutual name-matching proxy-winhttp',
                         more=f'workers 2\nscripts {{\n  folder {self.scripts}\n  http_hosts {{\n    policy.contoso.com\n  }}\n}}\n')
        self.contoso.configure(text.replace(f'127.0.0.1:{self.dns.port}', f'127.0.0.1:{port}'))

    def script(self, name, text):
        write(f'{self.scripts}/{name}', text)

    def asked(self, what, *wanted, source=CLEAN, sender=OTHER):
        with Sender(self.contoso, source=source) as session:
            check(what, session.to_mail(sender), *wanted)


def dns_list(world):
    with open(EXAMPLES + '/dnsbl/dnsbl.lua', encoding='utf-8') as file:
        world.script('dnsbl.lua', file.read())
    write(world.scripts + '/data/friends.cidr', f'{FRIEND}/32 our own\n')
    world.contoso.start()
    since = world.contoso.process.mark()
    world.asked('a client on the list', f'451 4.7.1 policy: {BLOCKED} stands on dnsbl.example.org: sends what nobody asked for',
                source=BLOCKED)
    check('the line has fields', world.contoso.process.wait_for('script-log', since), 'answer=127.0.0.2',
          f'client={BLOCKED}', 'zone=dnsbl.example.org')
    world.asked('a client that is not', '250 2.1.0')
    world.asked('a friend, on the list', '250 2.1.0', source=FRIEND)
    since = world.contoso.process.mark()
    write(world.scripts + '/data/friends.cidr', '127.0.3.0/33\n')
    world.contoso.process.signal(1)
    check('a broken data file is refused', world.contoso.process.wait_for('reload-refused', since),
          'friends.cidr:1: 127.0.3.0/33')
    world.asked('and the old one stays', '250 2.1.0', source=FRIEND)
    os.remove(world.scripts + '/dnsbl.lua')
    os.remove(world.scripts + '/data/friends.cidr')


def http(world):
    done = world.contoso.postern('proxy', 'set', f'127.0.0.1:{world.proxy.port}')
    check('the proxy is set', f'{done.returncode} {done.stderr}', '0 ')
    with open(world.web.root + '/verdict', 'w', encoding='utf-8') as file:
        file.write('defer')
    world.script('http.lua', '''postern.on("mail", function(session, envelope)
  if envelope.sender == "first@example.org" then
    local body, token, why = postern.http("http://policy.contoso.com/verdict")
    return postern.defer("policy says " .. (body or token .. ": " .. why))
  end
  local body, token = postern.http("http://elsewhere.example.org/verdict")
  return postern.reject("policy says " .. (body or token))
end)
''')
    world.contoso.reload()
    world.asked('the answer of a service, by way of the proxy', '451 4.7.1 policy says defer', sender='first@example.org')
    passed_on = wait_until(lambda: [line for line in world.web.asked() if '/verdict' in line], 'the web server\'s log')
    check('the proxy passed it on', passed_on[0], '/verdict HTTP/1.1" 200')
    world.asked('a host that the configuration does not name', '550 5.7.1 policy says host-not-allowed')
    os.remove(world.web.root + '/verdict')
    world.asked('a service that fails', '451 4.7.1 policy says http-failed', sender='first@example.org')
    os.remove(world.scripts + '/http.lua')


def timer(world):
    with open(world.web.root + '/list', 'w', encoding='utf-8') as file:
        file.write('blocked@example.org\n')
    os.makedirs(world.scripts + '/modules')
    world.script('modules/lines.lua', '''return {
  has = function(text, wanted) return ("\\n" .. text):find("\\n" .. wanted .. "\\n", 1, true) ~= nil end,
}
''')
    world.script('list.lua', '''local lines = postern.module("lines")
local list
postern.every(3600, function()
  list = postern.http("http://policy.contoso.com/list") or list
  postern.log("list fetched")
end)
postern.on("mail", function(session, envelope)
  if not list then return postern.defer("policy: no list yet") end
  if lines.has(list, envelope.sender) then return postern.reject("policy: blocked") end
end)
''')
    since = world.contoso.process.mark()
    world.contoso.reload()
    wait_until(lambda: world.contoso.process.count('list fetched', since) == 2, 'the list on each worker')
    world.asked('what a timer fetched', '550 5.7.1 policy: blocked', sender='blocked@example.org')
    world.asked('and nobody else', '250 2.1.0')
    os.remove(world.scripts + '/list.lua')


def begun_under_the_old(world):
    world.script('old.lua', 'postern.on("recipient", function() return postern.reject("policy: the old one") end)\n')
    world.contoso.reload()
    with Sender(world.contoso, source=CLEAN) as session:
        check('MAIL', session.to_mail(OTHER), '250 2.1.0')
        world.script('old.lua', 'postern.on("recipient", function() return postern.reject("policy: the new one") end)\n')
        world.contoso.reload()
        check('the transaction ends under the old scripts', session.answer('RCPT TO:<bob@contoso.com>'), 'policy: the old one')
        session.rset()
        session.to_mail(OTHER)
        check('the next one begins under the new', session.answer('RCPT TO:<bob@contoso.com>'), 'policy: the new one')
    os.remove(world.scripts + '/old.lua')


def silent_name_server(world):
    """Its question ends after five seconds; meanwhile the worker serves others."""
    world.contoso.stop()
    world.use_dns(world.silent.getsockname()[1])
    world.script('asks.lua', '''postern.on("mail", function(session, envelope)
  if envelope.sender ~= "slow@example.org" then return nil end
  local found, token = postern.dns("A", "nowhere.example.org")
  return postern.defer("policy: " .. token)
end)
''')
    world.contoso.start()
    waiting = [Sender(world.contoso, source=f'127.0.4.{n}') for n in range(1, 21)]
    for one in waiting:
        one.putcmd('MAIL FROM:<slow@example.org>')
    world.asked('others, while twenty wait', '250 2.1.0')
    for one in waiting[:10]:
        one.close()  # gone while their scripts wait
    for one in waiting[10:]:
        check('those who stayed', one.getreply()[1].decode(), '4.7.1 policy: dns-failed')
        one.close()
    world.asked('afterwards', '250 2.1.0')


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = Asking(sys.argv[1], folder)
        try:
            for scenario in (dns_list, http, timer, begun_under_the_old, silent_name_server):
                scenario(world)
        except BaseException:
            print('--- the daemon\n' + '\n'.join(world.contoso.process.lines[-60:]))
            raise
        world.contoso.stop()


main()
