"""A web server whose path says how it misbehaves: hangs, drips, never ends, redirects; any other gives what stands in `lists`."""
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Origin(ThreadingHTTPServer):
    """Answers by path; counts what it was asked. `hold` keeps /held/ waiting until `release` is set."""
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 128

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Answer)
        self.port, self.asked, self.lists, self.release = self.server_address[1], [], {}, threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f'http://127.0.0.1:{self.port}{path}'

    def count(self, path):
        return sum(one == path for one in self.asked)


class Answer(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        self.close_connection = True
        kind = self.path.split('/')[1]
        getattr(self, 'do_' + kind, self.do_list)()

    def begin(self, status, **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()

    def do_list(self):
        body = self.server.lists[self.path]
        self.begin(200, Content_Length=str(len(body)))
        self.wfile.write(body)

    def do_held(self):
        self.server.release.wait(120)
        self.do_list()

    def do_hang(self):
        self.connection.recv(1)  # until the other side gives up

    def do_drip(self):
        """Octet by octet, until the other side gives up."""
        self.begin(200, Content_Length='1000000')
        try:
            while not self.server.release.wait(0.05):
                self.wfile.write(b'0')
        except OSError:
            pass

    def do_endless(self):
        self.begin(200)
        try:
            while True:
                self.wfile.write(b'0' * 65536)
        except OSError:
            pass

    def do_loop(self):
        self.begin(302, Location=self.path, Content_Length='0')

    def do_file(self):
        self.begin(302, Location='file:///etc/passwd', Content_Length='0')

    def do_metadata(self):
        self.begin(302, Location='http://169.254.169.254/latest', Content_Length='0')
