"""A mail server by OpenSSL (Python's ssl) that speaks STARTTLS, asks for the client's certificate, takes mail, and remembers
of each connection what no log of ours could tell it: whether the client offered to continue an earlier TLS session, whether
it was continued, which certificate it showed, and each command. May be told to break a connection in one of many ways."""
import hashlib
import os
import re
import select
import socket
import ssl
import struct
import threading

SUBJECT = re.compile(r'^Subject: (.*)$', re.M)


def offers_ticket(hello):
    """Whether a ClientHello, in its record, brings a session to continue: pre_shared_key (RFC 8446), or a ticket (RFC 5077)."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]  # legacy session id
    at += 2 + struct.unpack('>H', hello[at:at + 2])[0]  # cipher suites
    at += 1 + hello[at]  # compression
    end = at + 2 + struct.unpack('>H', hello[at:at + 2])[0]
    at += 2
    while at < end:
        kind, length = struct.unpack('>HH', hello[at:at + 4])
        if kind == 41 or (kind == 35 and length > 0):
            return True
        at += 4 + length
    return False


class Connection:
    def __init__(self, plain):
        self.socket, self.rest = plain, b''
        self.heard, self.taken = [], []  # commands; (recipients, subject) of each message
        self.offered = self.resumed = False
        self.shown = None  # SHA-256 of the client's certificate
        self.tls = self.ended = False
        self.waiting = False  # a message is there, and not answered yet
        self._told, self._tell = os.pipe()
        self._deeds = []

    def verbs(self):
        return [line.split(' ')[0].split(':')[0].upper() for line in self.heard]

    def say(self, text):
        self.socket.sendall(text.encode() + b'\r\n')

    def do(self, deed):
        """What the server does by itself while it waits for a command; 'end' ends the connection. On its own thread: a TLS
        session is no two threads'."""
        self._deeds.append(deed)
        os.write(self._tell, b'x')

    def _wait(self):
        if not (self.tls and self.socket.pending()):
            ready, _, _ = select.select([self.socket, self._told], [], [])
            if self._told in ready:
                os.read(self._told, 1)
                if self._deeds.pop(0)(self) == 'end':
                    raise ConnectionError('we close')
                self._wait()

    def hear(self):
        while b'\r\n' not in self.rest:
            self._wait()
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError('the client closed')
            self.rest += more
        line, self.rest = self.rest.split(b'\r\n', 1)
        return line.decode(errors='replace')

    def start_tls(self, context):
        hello = b''
        while len(hello) < 5 or len(hello) < 5 + struct.unpack('>H', hello[3:5])[0]:
            hello = self.socket.recv(65536, socket.MSG_PEEK)
            if not hello:
                raise ConnectionError('the client closed')
        self.offered = offers_ticket(hello)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.resumed = self.socket.session_reused
        shown = self.socket.getpeercert(True)
        self.shown = hashlib.sha256(shown).hexdigest() if shown else None
        self.tls = True

    def reset_at_end(self):
        """Its end is an RST, not a FIN: whatever was sent before may be lost."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


class TlsHop:
    """`leaf`: what it shows; `roots`: whose names it sends as those that it would believe. Without `leaf` it has no TLS."""

    def __init__(self, address, port, leaf=None, roots=None, at_most=None):
        self.connections, self.lock = [], threading.Condition()
        self.answers = {}  # verb: function of a connection, instead of the usual reply
        self.deferred = ()  # parts of recipients that are put off
        self.may_take = threading.Event()
        self.may_take.set()
        self.roots, self.at_most = roots, at_most
        self.show(leaf)
        self.listener = socket.create_server((address, port))
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def show(self, leaf):
        """From the next handshake on; the keys of its tickets are new."""
        self.context = None
        if leaf:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(leaf.chain, leaf.key)
            self.context.verify_mode = ssl.CERT_OPTIONAL
            self.context.load_verify_locations(self.roots)
            if self.at_most:
                self.context.maximum_version = self.at_most

    def taken(self, subject=None):
        """(recipients, subject) of all messages in order, or those of one."""
        return [one for connection in self.connections for one in connection.taken if subject in (None, one[1])]

    def by_domain(self, domain):
        return [one for one in self.connections if any(domain in line for line in one.heard)]

    def stop(self):
        """Nobody new comes; who is connected stays so."""
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in it
        self.thread.join(10)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(Connection(plain))
            threading.Thread(target=self._serve, args=(self.connections[-1],), daemon=True).start()

    def _serve(self, peer):
        try:
            peer.say('220 hop.example ESMTP')
            self._converse(peer)
        except (OSError, ValueError):
            pass
        finally:
            peer.ended = True
            peer.socket.close()

    def _converse(self, peer):
        recipients = []
        while True:
            line = peer.hear()
            peer.heard.append(line)
            verb = line.split(' ')[0].split(':')[0].upper()
            if verb in self.answers:
                if self.answers[verb](peer) == 'end':
                    return
            elif verb == 'EHLO':
                peer.say('250-hop.example')
                if self.context and not peer.tls:
                    peer.say('250-STARTTLS')
                peer.say('250 PIPELINING')
            elif verb == 'STARTTLS':
                peer.say('220 2.0.0 go on')
                peer.start_tls(self.context)
            elif verb == 'RCPT' and any(part in line for part in self.deferred):
                peer.say('450 4.2.1 later')
            elif verb == 'DATA' and not recipients:
                peer.say('554 5.5.1 no valid recipients')
            elif verb == 'DATA':
                peer.say('354 go on')
                self._take(peer, recipients)
            else:
                recipients = recipients + [line[9:line.index('>')]] if verb == 'RCPT' else [] if verb in ('MAIL', 'RSET') else recipients
                peer.say('221 2.0.0 bye' if verb == 'QUIT' else '250 2.0.0 ok')
                if verb == 'QUIT':
                    return

    def _take(self, peer, recipients):
        text = ''
        while (line := peer.hear()) != '.':
            text += line + '\n'
        peer.waiting = True
        self.may_take.wait()
        peer.waiting = False
        found = SUBJECT.search(text)
        peer.taken.append((tuple(recipients), found.group(1).strip() if found else ''))
        peer.say('250 2.0.0 taken')
