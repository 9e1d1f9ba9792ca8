"""A client that sends octets, whatever they are, and holds every reply against what a reply must be."""
import re
import socket


class Raw:
    """`early`: sent before the greeting is read; it is left to be read where not `greeted`."""

    def __init__(self, edge, source, greeted=True, early=b''):
        self.socket = socket.create_connection((edge.address, edge.port), 30, (source, 0))
        self.rest = b''
        self.send(early)
        if greeted:
            self.reply()

    def reply(self):
        """One reply, its lines joined; None at the end of the connection."""
        lines = []
        while True:
            while b'\r\n' not in self.rest:
                try:
                    more = self.socket.recv(65536)
                except ConnectionResetError:
                    more = b''
                if not more:
                    return None
                self.rest += more
            line, self.rest = self.rest.split(b'\r\n', 1)
            text = line.decode('ascii')
            assert len(line) <= 510 and re.match(r'[2-5]\d\d[ -]', text), f'no reply: {text}'
            lines.append(text)
            if text[3] == ' ':
                return ' / '.join(lines)

    def send(self, octets):
        try:
            self.socket.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server closed at an attack; what it said still counts
