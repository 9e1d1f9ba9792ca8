#!/usr/bin/env python3
"""The counters of the white paper as an operator reads them, from GET /metrics of two real edges: what each message,
refusal and failed connection moves, under which labels, and that nothing else of the paper's moves with it."""
import os
import re
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, message
from lab.partners import CONTOSO, WOODGROVE, World
from lab.process import wait_until

PLUGINS = 'tls-mutual name-matching crl counters'
SECURED = 'postern_domain_secured_'
LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)')
EVE, BOB = 'eve@woodgrovebank.com', 'bob@contoso.com'


def check(what, got, wanted):
    if got != wanted:
        raise SystemExit(f'FAILED {what}: wanted {wanted!r}, got {got!r}')
    print(f'ok: {what}: {got}')


class Counted(World):
    """Certificates of a week without lists, straight from the root: domain-secured without a web server."""

    def authorities(self):
        super().authorities()
        self.contoso_leaf = self.root.leaf('contoso', ['mail1.contoso.com'], days=6)
        self.woodgrove_leaf = self.root.leaf('woodgrove', ['mail1.woodgrovebank.com'], days=6)

    def text(self, own, other, leaf, **more):
        more.setdefault('revocation', 'hard')
        text = super().text(own, other, leaf, plugins=PLUGINS, **more)
        return text.replace('\n  counters\n', '\n  counters {\n    listen 127.0.0.1:0\n  }\n')


class Page:
    """What one edge serves; read strictly, so that a line which a collector would refuse fails the test."""

    def __init__(self, edge):
        self.process = edge.process
        self.address = edge.process.wait_for('counters-listening').split('http://')[1].split('/')[0]

    def get(self, path, method='GET'):
        asked = urllib.request.Request(f'http://{self.address}{path}', method=method)
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def samples(self):
        values, types = {}, {}
        status, text = self.get('/metrics')
        assert status == 200 and text.endswith('\n'), (status, text[-100:])
        for line in text.splitlines():
            if line.startswith('# TYPE '):
                name, kind = line[7:].split(' ')
                assert name not in types, f'{name} has two types'
                types[name] = kind
            elif not line.startswith('# HELP '):
                found = LINE.fullmatch(line)
                assert found, f'not a sample: {line}'
                assert found[1] in types, f'no TYPE before {line}'
                values[f'{found[1]}{{{found[2]}}}' if found[2] else found[1]] = float(found[3])
        assert values['postern_counters_left_out'] == 0, 'a sample could not be printed'
        return values

    def secured(self):
        """The paper's counters and their inbound twins that are not zero, without the common beginning."""
        return {name[len(SECURED):]: value for name, value in self.samples().items()
                if name.startswith(SECURED) and value}

    def settled(self, what, wanted):
        """Counting comes after the answer to the peer or beside it: waits for the wanted, then compares all."""
        try:
            wait_until(lambda: self.secured() == wanted, what, 20)
        finally:
            check(what, self.secured(), wanted)


def pages(world, page):
    check('healthz', page.get('/healthz'), (200, 'ok\n'))
    check('another path', page.get('/')[0], 404)
    check('another method', page.get('/metrics', 'POST')[0], 405)
    samples = page.samples()
    for name in ('messages_received_total', 'messages_sent_total', 'outbound_session_failures_total',
                 'inbound_failures_total'):
        check(f'{name} is there at the start', samples[SECURED + name], 0)
    check('an alarm that stands is 1', samples['postern_alarm{alarm="role-missing",subject="logging"}'], 1)
    assert '\n# HELP postern_domain_secured_messages_sent_total Domain-Secured Messages Sent: ' in page.get('/metrics')[1]


def received(world, page):
    with Sender(world.contoso, 'mail1.woodgrovebank.com', leaf=world.woodgrove_leaf, source='127.0.3.1') as sender:
        sender.sendmail(EVE, BOB, message(EVE, BOB, 'secured'))
        check('MAIL that is taken back', sender.to_mail(EVE)[:3], '250')
        sender.rset()
        sender.sendmail('x@example.org', BOB, message('x@example.org', BOB, 'unlisted'))
    world.contoso.arrived(BOB, 'unlisted')
    page.settled('one domain-secured message received', {'messages_received_total{domain="woodgrovebank.com"}': 1})
    delivered = 'postern_messages_delivered_total{way="deliver"}'
    wait_until(lambda: page.samples().get(delivered) == 2, 'two deliveries counted', 20)  # counted behind the mailbox
    samples = page.samples()
    check('messages received, all senders', samples['postern_messages_received_total{connector="Inet"}'], 2)
    check('handshakes', samples['postern_tls_handshakes_total{direction="in",result="ok"}'], 1)


def refused(world, page):
    with Sender(world.contoso, source='127.0.3.2') as sender:
        sender.to_mail(EVE)
        sender.to_mail(EVE)
    foreign = world.foreign.leaf('f', ['mail1.woodgrovebank.com'])
    with Sender(world.contoso, leaf=foreign, source='127.0.3.3') as sender:
        sender.to_mail(EVE)
        sender.to_mail('x@example.org')
    page.settled('refusals at MAIL', {
        'messages_received_total{domain="woodgrovebank.com"}': 1,
        'inbound_failures_total{domain="woodgrovebank.com",reason="starttls-required"}': 2,
        'inbound_failures_total{domain="woodgrovebank.com",reason="unknown-root"}': 1})


def relayed(world, subject):
    with Sender(world.contoso, leaf=world.hub, source='127.0.3.4') as sender:
        sender.sendmail(BOB, EVE, message(BOB, EVE, subject))


def sent(world, contoso, woodgrove):
    before = contoso.secured()
    relayed(world, 'out')
    world.woodgrove.arrived(EVE, 'out')
    contoso.settled('one sent', before | {'messages_sent_total{domain="woodgrovebank.com"}': 1})
    woodgrove.settled('is one received there', {'messages_received_total{domain="contoso.com"}': 1})


def failing(world, contoso, woodgrove):
    """A server of the listed domain that proves somebody else, then none at all: each try is a failure, none is sent."""
    before = contoso.secured()
    other = world.root.leaf('other', ['mail1.fabrikam.com'], days=6)
    world.woodgrove.configure(world.text(WOODGROVE, CONTOSO, other))
    world.woodgrove.reload()
    failed = SECURED + 'outbound_session_failures_total{domain="woodgrovebank.com",reason="%s"}'
    relayed(world, 'patient')
    wait_until(lambda: contoso.samples().get(failed % 'name-mismatch', 0) >= 2, 'two failed sessions')
    alarm = 'postern_alarm{alarm="certificate-failure",subject="woodgrovebank.com"}'
    check('the alarm stands', contoso.samples()[alarm], 1)
    world.woodgrove.stop()
    wait_until(lambda: contoso.samples().get(failed % 'connection', 0) >= 1, 'a session that found nobody')
    world.woodgrove.configure(world.text(WOODGROVE, CONTOSO, world.woodgrove_leaf))
    world.woodgrove.start()
    world.woodgrove.arrived(EVE, 'patient')
    wait_until(lambda: contoso.samples()[alarm] == 0, 'the alarm to end')
    after = {name: value for name, value in contoso.secured().items() if not name.startswith('outbound_session')}
    check('nothing else moved but one more sent', after, before | {'messages_sent_total{domain="woodgrovebank.com"}': 2})


def by_exception(world, page):
    """Without revocation it passes, and counts as an exception once it is a message."""
    world.contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, revocation='off'))
    world.contoso.reload()
    check('a reload with the same address keeps it', page.get('/healthz')[0], 200)
    before = page.secured()
    with Sender(world.contoso, leaf=world.woodgrove_leaf, source='127.0.3.5') as sender:
        sender.to_mail(EVE)
        sender.rset()
        sender.sendmail(EVE, BOB, message(EVE, BOB, 'excepted'))
    world.contoso.arrived(BOB, 'excepted')
    passed = 'postern_passed_by_exception_total{domain="woodgrovebank.com"}'
    wait_until(lambda: page.samples().get(passed) == 1, 'the exception to be counted')
    check('and not as domain-secured', page.secured(), before)


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = Counted(sys.argv[1], folder)
        world.hub = world.contoso_ca.leaf('hub', ['hub.contoso.com'])
        trusted = (f'trusted_servers {{\n  hub1 {{\n    sha256 {world.hub.sha256()}\n    roles {{\n      relay\n'
                   '      marks\n    }\n  }\n}\n')
        text = world.text(CONTOSO, WOODGROVE, world.contoso_leaf, more=trusted)
        # Each message over a connection of its own: the partner's next certificate is seen at once.
        world.contoso.configure(text.replace('  retry {\n', '  keep_idle 0s\n  retry {\n'))
        for edge in (world.contoso, world.woodgrove):
            edge.start()
        try:
            contoso, woodgrove = Page(world.contoso), Page(world.woodgrove)
            pages(world, contoso)
            received(world, contoso)
            refused(world, contoso)
            sent(world, contoso, woodgrove)
            failing(world, contoso, woodgrove)
            by_exception(world, contoso)
        except BaseException:
            for edge in (world.contoso, world.woodgrove):
                print(f'--- {edge.name}\n' + '\n'.join(edge.process.lines[-60:]))
            raise
        for edge in (world.contoso, world.woodgrove):
            edge.stop()
        check('it listens no longer', contoso_listens(contoso), False)
        world.dns.stop()


def contoso_listens(page):
    try:
        return bool(page.get('/healthz'))
    except OSError:
        return False


main()
