"""A DNS server that says what a test wants, also what no decent one would: loops, hundreds of MX, SERVFAIL. UDP and TCP on
one loopback port; counts what it was asked."""
import collections
import socket
import socketserver
import struct
import threading

from .process import free_port

A, CNAME, MX, AAAA, DS, DNSKEY = 1, 5, 15, 28, 43, 48
SERVFAIL, NXDOMAIN = 2, 3


def wire_name(name):
    return b''.join(bytes([len(label)]) + label.encode() for label in name.split('.') if label) + b'\0'


def mx(preference, host):
    return MX, struct.pack('>H', preference) + wire_name(host)


def address(text):
    return A, socket.inet_aton(text)


def cname(target):
    return CNAME, wire_name(target)


def address6(text):
    return AAAA, socket.inet_pton(socket.AF_INET6, text)


class Withholding:
    """Passes questions on to a server, by UDP, and never answers those for the types of `withheld`."""
    address = '127.0.0.1'

    def __init__(self, behind, withheld):
        self.socket, self.behind, self.withheld = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), behind, withheld
        self.socket.bind((self.address, 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            query, who = self.socket.recvfrom(4096)
            at = 12
            while query[at]:
                at += 1 + query[at]
            if struct.unpack('>H', query[at + 1:at + 3])[0] not in self.withheld:
                threading.Thread(target=self._pass_on, args=(query, who), daemon=True).start()

    def _pass_on(self, query, who):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(10)
            asking.sendto(query, (self.behind.address, self.behind.port))
            self.socket.sendto(asking.recv(65535), who)


class Names:
    """`records`: name to a list of mx(), address(), cname(), or to a response code. What is missing does not exist."""
    address = '127.0.0.1'

    def __init__(self, records):
        self.records, self.asked = records, collections.Counter()
        self.port = free_port(self.address)
        names = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                data, reply_socket = self.request
                reply_socket.sendto(names.answer(data, 1200), self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self):
                while len(head := self.rfile.read(2)) == 2:
                    reply = names.answer(self.rfile.read(struct.unpack('>H', head)[0]), 65535)
                    self.wfile.write(struct.pack('>H', len(reply)) + reply)

        for kind, handler in (socketserver.ThreadingUDPServer, Udp), (socketserver.ThreadingTCPServer, Tcp):
            server = type('Server', (kind,), {'daemon_threads': True, 'allow_reuse_address': True})((self.address, self.port),
                                                                                                    handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def answer(self, query, most):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        question, (kind,) = query[12:at + 5], struct.unpack('>H', query[at + 1:at + 3])
        name = '.'.join(labels)
        self.asked[name, kind] += 1
        found = self.records.get(name, NXDOMAIN)
        code, records = (found, []) if isinstance(found, int) else (0, found)
        chosen = [one for one in records if one[0] in (kind, CNAME)]
        body = b''.join(b'\xc0\x0c' + struct.pack('>HHIH', number, 1, 60, len(data)) + data for number, data in chosen)
        truncated = 12 + len(question) + len(body) > most
        flags = 0x8580 | code | (0x200 if truncated else 0)
        head = query[:2] + struct.pack('>HHHHH', flags, 1, 0 if truncated else len(chosen), 0, 0)
        return head + question + (b'' if truncated else body)
