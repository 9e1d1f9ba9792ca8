"""What was promised and what arrived: the client's ledger, written and synced only after the 250 was read, and a next hop
that notes what it took with a hash of its body before it says 250."""
import hashlib
import os
import re
import socket
import socketserver
import threading
import time

IDENTITY = re.compile(r'^Subject: (\S+)', re.M)


class Ledger:
    def __init__(self, path):
        self._file = open(path, 'a', encoding='ascii')
        self._lock = threading.Lock()
        self.hashes, self.times = {}, {}

    def acknowledged(self, identity, digest):
        read_at = time.monotonic()
        with self._lock:
            self.times[identity] = read_at
            self._file.write(f'{identity} {digest}\n')
            self._file.flush()
            os.fsync(self._file.fileno())
            self.hashes[identity] = digest

    def count(self):
        return len(self.hashes)

    def held_against(self, sink):
        """What is lost, what is damaged, how many came more than once."""
        lost = [one for one in self.hashes if one not in sink.taken]
        damaged = [one for one, digest in self.hashes.items() if any(got != digest for got in sink.taken.get(one, ()))]
        return lost, damaged, sum(len(got) > 1 for got in sink.taken.values())


class _Session(socketserver.StreamRequestHandler):
    def reply(self, line):
        self.wfile.write(line.encode() + b'\r\n')

    def handle(self):
        self.server.sink.sessions += 1
        try:
            self.reply('220 sink')
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b'QUIT':
                    self.reply('221 bye')
                    return
                if verb == b'RCPT' and self.server.sink.refuses and self.server.sink.refuses in line:
                    self.reply('550 5.1.1 unknown here')
                    continue
                if verb == b'RCPT' and self.server.sink.defers and self.server.sink.defers in line:
                    self.reply('450 4.2.1 later')
                    continue
                if verb == b'DATA':
                    self.reply('354 go')
                    octets = bytearray()
                    while (line := self.rfile.readline()) != b'.\r\n':
                        if not line:
                            return  # broken off: nothing of it counts
                        octets += line[1:] if line.startswith(b'.') else line
                    self.server.sink.take(bytes(octets).decode('latin-1'))
                self.reply('250 ok')
        except OSError:
            pass


class Sink:
    """A next hop on a free loopback port."""

    def __init__(self, path, port=0, refuses=None, defers=None):
        """`refuses`, `defers`: what a recipient must contain to be refused for good, or for now."""
        self._file = open(path, 'a', encoding='ascii')
        self._lock = threading.Lock()
        self.taken, self.refuses, self.defers = {}, refuses, defers
        self.told = set()  # whose failure a notice told of
        self.sessions = self.sessions_before = 0  # in all; up to the first message
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        socketserver.ThreadingTCPServer.daemon_threads = True
        self._server = socketserver.ThreadingTCPServer(('127.0.0.1', port), _Session)
        self._server.sink = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, text):
        head, _, body = text.partition('\r\n\r\n')
        found = IDENTITY.search(head)
        identity = found.group(1) if found else 'unknown'
        digest = hashlib.sha256(body.encode('latin-1')).hexdigest()
        with self._lock:
            if 'Action: failed' in body:
                self.told.update(IDENTITY.findall(body.replace('\r', '')))
            if not self.taken:
                self.sessions_before = self.sessions
            self.taken.setdefault(identity, []).append(digest)
            self._file.write(f'{identity} {digest}\n')

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def last_reply(port, identity, body, recipient='bob@contoso.com', seconds=60, before_data=None,
               sender='load@example.org'):
    """Sends one message; the reply that ended it: to the data, or the one that refused. Empty: the connection broke.
    `before_data` is called after the 354."""
    try:
        with socket.create_connection(('127.0.0.1', port), seconds) as connection:
            replies = connection.makefile('rb')

            def reply():
                while line := replies.readline():
                    if line[3:4] == b' ':
                        return line.decode('latin-1').rstrip()
                return ''

            for code, command in (('220', ''), ('250', 'EHLO sender.example.org\r\n'), 
                                  ('250', f'MAIL FROM:<{sender}>\r\n'),
                                  ('250', f'RCPT TO:<{recipient}>\r\n'), ('354', 'DATA\r\n')):
                connection.sendall(command.encode())
                if not (said := reply()).startswith(code):
                    return said
            if before_data:
                before_data()
            connection.sendall(f'From: <{sender}>\r\nSubject: {identity}\r\n\r\n{body}.\r\n'.encode())
            said = reply()
            connection.sendall(b'QUIT\r\n')
            return said
    except OSError:
        return ''


def send_one(port, identity, body, recipient='bob@contoso.com', seconds=60):
    """True only after a 250 to the data was read."""
    return last_reply(port, identity, body, recipient, seconds).startswith('250')
