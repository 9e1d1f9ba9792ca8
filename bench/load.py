"""The load: parallel senders, each a process with one connection, that send messages one after the other and wait for
each 250. What they use of the machine is theirs; only the server's CPU time is measured."""
import multiprocessing
import socket
import time

SENDER, RECIPIENT = 'load@example.org', 'bob@contoso.com'


def body(octets):
    head = f'From: <{SENDER}>\r\nTo: <{RECIPIENT}>\r\nSubject: load\r\n\r\n'
    line = 'x' * 76 + '\r\n'
    text = (head + line * (octets // len(line) + 1))[:octets - 2] + '\r\n'
    return text.encode()


class Connection:
    def __init__(self, address, port, source):
        self.socket = socket.create_connection((address, port), 60, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.socket.makefile('rb')
        self.expect(b'220')
        self.say(b'EHLO sender.example.org')
        self.expect(b'250')

    def say(self, line):
        self.socket.sendall(line + b'\r\n')

    def expect(self, code):
        while True:
            line = self.replies.readline()
            if not line.startswith(code):
                raise SystemExit(f'wanted {code.decode()}, got {line!r}')
            if line[3:4] == b' ':
                return

    def send(self, text):
        """RFC 2920: the envelope in one piece, as every large sender does."""
        self.say(f'MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA'.encode())
        for code in b'250', b'250', b'354':
            self.expect(code)
        self.socket.sendall(text + b'.\r\n')
        self.expect(b'250')


def _sender(number, address, port, messages, octets, ready, go):
    text = body(octets)
    connection = Connection(address, port, f'127.0.9.{number + 1}')
    connection.send(text)  # what happens only once is not measured
    ready.wait()
    go.wait()
    for _ in range(messages):
        connection.send(text)
    connection.say(b'QUIT')
    connection.replies.readline()


def send(address, port, senders, messages, octets, began):
    """`messages` by each of the senders; calls `began` when all are connected; the seconds that it took."""
    ready, go = multiprocessing.Barrier(senders + 1), multiprocessing.Event()
    running = [multiprocessing.Process(target=_sender, args=(n, address, port, messages, octets, ready, go))
               for n in range(senders)]
    for one in running:
        one.start()
    try:
        ready.wait(60)
        began()
        start = time.monotonic()
        go.set()
        for one in running:
            one.join()
        took = time.monotonic() - start
    finally:
        for one in running:
            one.kill()
    if any(one.exitcode for one in running):
        raise SystemExit('a sender failed; see above')
    return took
