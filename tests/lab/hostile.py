"""A mail server that does what its script says: a function over one connection. Each has a loopback address of its own;
every connection is a thread, and none outlives the test."""
import socket
import ssl
import threading


class Connection:
    def __init__(self, plain):
        self.socket, self.rest, self.heard = plain, b'', []

    def say(self, text):
        self.raw(text.encode() + b'\r\n')

    def raw(self, octets):
        self.socket.sendall(octets)

    def hear(self):
        """One line; raises where the client is gone."""
        while b'\r\n' not in self.rest:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError('the client closed')
            self.rest += more
        line, self.rest = self.rest.split(b'\r\n', 1)
        self.heard.append(line.decode(errors='replace'))
        return self.heard[-1]

    def hear_data(self):
        while self.hear() != '.':
            pass

    def until_closed(self):
        """What the client still says, to its end."""
        while True:
            self.hear()

    def greet(self, *extensions):
        self.say('220 hostile.example ESMTP')
        self.ehlo(*extensions)

    def ehlo(self, *extensions):
        self.hear()
        lines = ['hostile.example', *extensions]
        for line in lines[:-1]:
            self.say('250-' + line)
        self.say('250 ' + lines[-1])

    def start_tls(self, leaf, root):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf.chain, leaf.key)
        # Asks for the client's certificate and does not get to judge it: an authority of nobody's.
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(root)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def take_mail(self, rcpt=('250 2.1.5 ok',), end='250 2.0.0 taken'):
        """One message; the replies to RCPT in turn."""
        replies = iter(rcpt)
        while True:
            verb = self.hear().upper()
            if verb.startswith('MAIL'):
                self.say('250 2.1.0 ok')
            elif verb.startswith('RCPT'):
                self.say(next(replies))
            elif verb == 'DATA':
                self.say('354 go on')
                self.hear_data()
                if end is None:
                    return
                self.say(end)
            elif verb == 'QUIT':
                self.say('221 2.0.0 bye')
                return
            else:
                self.say('250 2.0.0 ok')


class Hostile:
    def __init__(self, address, port, script):
        self.script, self.connections = script, []
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        self.listener = socket.create_server((address, port), family=family)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(Connection(plain))
            threading.Thread(target=self._serve, args=(self.connections[-1],), daemon=True).start()

    def _serve(self, connection):
        try:
            self.script(connection)
        except (OSError, StopIteration):
            pass
        finally:
            connection.socket.close()

    def stop(self):
        self.listener.close()
