#!/usr/bin/env python3
"""Thousands of sessions of every hostile kind at once, some of them held open to the end, and a partner's mail over mutual
TLS beside them: it arrives once and whole, memory grows by less than 64 MiB, and nothing is left when they are gone. How
long a partner's message takes is measured and told. `hostile_sessions.py BUILD [--sessions 10000] [--good 200]`."""
import argparse
import hashlib
import os
import random
import re
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from lab.client import Sender, context_for, message
from lab.crowd import Measured, raise_descriptors, sanitized
from lab.partners import CONTOSO, WOODGROVE, World

MOST, RECIPIENT, THREADS, HELD = 64, 'bob@contoso.com', 16, 400
HEAD = b'EHLO hostile.example\r\n'
ENVELOPE = b'MAIL FROM:<x@example.org>\r\nRCPT TO:<bob@contoso.com>\r\n'


class Attack:
    """One connection; a kind is a method that begins with kind_."""

    def __init__(self, world, source, contexts, chance):
        self.contexts, self.chance = contexts, chance
        self.socket = socket.create_connection((world.contoso.address, world.contoso.port), 60, (source, 0))

    def send(self, octets):
        self.socket.sendall(octets)

    def hear(self, times=1):
        for _ in range(times):
            if not self.socket.recv(65536):
                return

    def to_the_end(self):
        while self.socket.recv(65536):
            pass

    def start_tls(self, which):
        self.hear()
        self.send(HEAD)
        self.hear()
        self.send(b'STARTTLS\r\n')
        self.hear()
        self.socket = self.contexts[which].wrap_socket(self.socket)
        self.send(HEAD)
        self.hear()

    def kind_malformed(self):
        self.send(HEAD)
        for line in (b'FROB', b'MAIL FROM:x', b'MAIL FROM:<\0@>', b'RCPT TO:<>', b'EHLO \xff', b'BDAT x', b'\x01\x02', b'DATA',
                     b'MAIL FROM:<a@b> SIZE=x', b'VRFY', b'AUTH PLAIN AGEAYg==', b'GET / HTTP/1.1'):
            self.send(line + b'\r\n')
        self.to_the_end()

    def kind_bare_lf(self):
        self.hear()
        self.send(b'EHLO a.example\nMAIL FROM:<a@b.example>\nRCPT TO:<bob@contoso.com>\n')
        self.to_the_end()

    def kind_junk(self):
        self.send(self.chance.randbytes(60000).replace(b'\n', b'\r\n'))
        self.to_the_end()

    def kind_smuggled(self):
        self.hear()
        self.send(HEAD)
        self.hear()
        self.send(ENVELOPE + b'DATA\r\n')
        self.hear()
        self.send(b'Subject: smuggled\r\n\r\nx\n.\nMAIL FROM:<a@b.example>\r\n.\r\nQUIT\r\n')
        self.to_the_end()

    def kind_tls_garbage(self):
        self.hear()
        self.send(HEAD)
        self.hear()
        self.send(b'STARTTLS\r\n')
        self.hear()
        self.send(b'\x16\x03\x01\x40\x00' + self.chance.randbytes(20000))

    def kind_half_handshake(self):
        self.hear()
        self.send(HEAD)
        self.hear()
        self.send(b'STARTTLS\r\n')
        self.hear()
        inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self.contexts['nobody'].wrap_bio(inward, outward).do_handshake()
        except ssl.SSLWantReadError:
            pass
        hello = outward.read()
        self.send(hello[:self.chance.randrange(1, len(hello) + 1)])

    def kind_abandoned_data(self):
        self.hear()
        self.send(HEAD)
        self.hear()
        self.send(ENVELOPE + b'DATA\r\n')
        self.hear()
        self.send(b'Subject: abandoned\r\n\r\n' + b'a line of it\r\n' * self.chance.randrange(8000))

    def kind_abandoned_bdat(self):
        self.hear()
        self.send(HEAD)
        self.hear()
        self.send(ENVELOPE + b'BDAT 10000000\r\nSubject: abandoned\r\n\r\n' + b'a line of it\r\n' * self.chance.randrange(8000))

    def kind_huge_line(self):
        self.send(b'a' * 300000)
        self.to_the_end()

    def kind_huge_header(self):
        self.hear()
        self.send(HEAD)
        self.hear()
        self.send(ENVELOPE + b'DATA\r\n')
        self.hear()
        self.send(b'X: aaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n' * 20000 + b'\r\n.\r\n')
        self.hear()

    def kind_close_in_data(self):
        self.start_tls('nobody')
        self.send(ENVELOPE + b'DATA\r\n')
        self.hear()
        self.send(b'Subject: cut\r\n\r\nand then\r\n')
        self.socket = self.socket.unwrap()
        self.send(b'.\r\nNOOP\r\n')
        self.to_the_end()

    def kind_foreign_certificate(self):
        self.start_tls('foreign')
        self.send(b'MAIL FROM:<eve@woodgrovebank.com>\r\n')
        self.hear()

    def kind_no_certificate(self):
        self.start_tls('nobody')
        self.send(b'MAIL FROM:<eve@woodgrovebank.com>\r\n')
        self.hear()

    def kind_tls_cut(self):
        self.start_tls('nobody')
        os.close(os.dup(self.socket.fileno()))
        socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def kind_slow_reader(self):
        """Asks much and never reads: the kernel's buffers fill, ours must not."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        try:
            for _ in range(2000):
                self.socket.send(b'HELP\r\n' * 2000)
        except BlockingIOError:
            pass

    def kind_early_end(self):
        pass

    def kind_early_text(self):
        self.send(b'EHLO early.example\r\n' + ENVELOPE)
        self.to_the_end()

    def kind_reset(self):
        self.send(HEAD + ENVELOPE[:30])
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


KINDS = sorted(name for name in dir(Attack) if name.startswith('kind_'))
LINGERING = ('kind_slow_reader', 'kind_tls_garbage', 'kind_half_handshake', 'kind_abandoned_data', 'kind_abandoned_bdat',
             'kind_early_end')


class Siege:
    """Hostile sessions by turns of all kinds, from many addresses; some stay to the end."""

    def __init__(self, world, sessions):
        self.world, self.sessions, self.done, self.held = world, sessions, 0, []
        self.lock, self.strange = threading.Lock(), []
        self.contexts = {'nobody': context_for(), 'foreign': context_for(world.foreign.leaf('eve', ['mail1.woodgrovebank.com']))}
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(THREADS)]

    def run(self, thread):
        chance = random.Random(thread)
        for number in range(thread, self.sessions, THREADS):
            name = KINDS[number // THREADS % len(KINDS)]
            try:
                attack = Attack(self.world, f'127.{20 + thread}.{number // THREADS % 250}.1', self.contexts, chance)
                try:
                    getattr(attack, name)()
                except (OSError, ssl.SSLError):
                    pass  # thrown out: that is what they are here for
                with self.lock:
                    stays = name in LINGERING and len(self.held) < HELD
                    if stays:
                        self.held.append(attack)
                if not stays:
                    attack.socket.close()
            except Exception as failure:  # the daemon does not take connections any more, or the test is wrong
                with self.lock:
                    self.strange.append(f'{name}: {failure!r}')
            with self.lock:
                self.done += 1


class Partner:
    """Mail over mutual TLS, four messages a session; what was acknowledged, and how long each message took."""

    def __init__(self, world):
        self.world, self.sent, self.chance = world, {}, random.Random(1)

    def session(self):
        took = []
        with Sender(self.world.contoso, leaf=self.world.woodgrove_leaf) as sender:
            for _ in range(4):
                subject = f'good {len(self.sent)}'
                body = '\r\n'.join(self.chance.randbytes(30).hex() for _ in range(self.chance.randrange(1, 500)))
                began = time.monotonic()
                sender.sendmail('eve@woodgrovebank.com', RECIPIENT,
                                message('eve@woodgrovebank.com', RECIPIENT, subject, body=body))
                took.append(time.monotonic() - began)
                self.sent[subject] = hashlib.sha256(body.encode()).hexdigest()
        return took

    def check_arrived(self):
        self.world.contoso.arrived(RECIPIENT, f'good {len(self.sent) - 1}')
        seen = {}
        for text in self.world.contoso.mailbox(RECIPIENT):
            head, _, body = text.replace('\n', '\r\n').partition('\r\n\r\n')
            subject = re.search(r'^Subject: (.*?)\r?$', head, re.M).group(1)
            if subject in seen:
                raise SystemExit(f'FAILED: {subject} came twice')
            seen[subject] = hashlib.sha256(body.strip('\r\n').encode()).hexdigest()
        if seen != self.sent:
            raise SystemExit(f'FAILED: sent {len(self.sent)}, arrived {len(seen)}, whole '
                             f'{sum(self.sent.get(one) == two for one, two in seen.items())}')
        print(f'ok: {len(seen)} messages of the partner, each once and whole; nothing else')


def p99(took):
    return sorted(took)[max(0, int(len(took) * 0.99) - 1)] * 1000


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument('build')
    words.add_argument('--sessions', type=int, default=10000)
    words.add_argument('--good', type=int, default=200)
    asked = words.parse_args()
    raise_descriptors(4000)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        world = World(asked.build, folder)
        world.contoso.configure(world.text(CONTOSO, WOODGROVE, world.contoso_leaf, receive='  tarpit 0s\n'))
        edge = world.contoso.start()
        partner, measured = Partner(world), Measured(edge.process.pid)
        quiet = [one for _ in range(asked.good // 4) for one in partner.session()]
        before, descriptors = measured.memory(), measured.descriptors()
        siege = Siege(world, asked.sessions)
        began, peak, busy = time.monotonic(), before, []
        for thread in siege.threads:
            thread.start()
        while any(thread.is_alive() for thread in siege.threads):
            busy += partner.session()
            peak = max(peak, measured.memory())
        took = time.monotonic() - began
        busy += partner.session()
        peak = max(peak, measured.memory())
        for one in siege.held:
            one.socket.close()
        measured.let_go(descriptors + 2)
        partner.check_arrived()
        a_kind = asked.sessions // len(KINDS)
        for what, kinds in (('handshake-failed', 2), ('mail-refused', 2)):  # they did what they are here for
            if edge.process.count(what) < kinds * a_kind // 2:
                raise SystemExit(f'FAILED: of {kinds * a_kind} sessions only {edge.process.count(what)} ended in {what}')
        if siege.strange:
            raise SystemExit(f'FAILED: {len(siege.strange)} of {asked.sessions} sessions: ' + '; '.join(siege.strange[:5]))
        print(f'ok: {asked.sessions} hostile sessions of {len(KINDS)} kinds in {took:.0f} s, {len(siege.held)} held to the end; '
              f'memory +{peak - before:.1f} MiB at the most, {measured.memory() - before:+.1f} after')
        print(f'a message of the partner, p99: {p99(quiet):.1f} ms quiet, {p99(busy):.1f} ms meanwhile ({len(quiet)} and '
              f'{len(busy)} messages)')
        if peak - before > MOST and not sanitized(asked.build):
            raise SystemExit(f'FAILED: memory grew by more than {MOST} MiB')
        edge.stop()


main()
