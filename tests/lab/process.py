"""A child process whose lines can be waited for, and which ends with us however we end: by pid at exit, by the kernel
where we are killed. Free ports. Nothing here knows what it starts."""
import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time

_running = []


class Failed(Exception):
    """A part did not do what it must; the text is for the reader."""


class Process:
    def __init__(self, name, command, log_file, **more):
        self.name, self.lines, self.ended = name, [], False
        self._news = threading.Condition()
        self._log = open(log_file, 'a', encoding='utf-8')
        # The kernel ends the child where we cannot (kill -9, a test's time-out).
        self._child = subprocess.Popen(['setpriv', '--pdeathsig', 'TERM', '--', *command], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace',
                                       start_new_session=True, **more)
        self.pid = self._child.pid
        _running.append(self)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._child.stdout:
            with self._news:
                self._log.write(line)
                self._log.flush()
                self.lines.append(line.rstrip('\n'))
                self._news.notify_all()
        with self._news:
            self.ended = True
            self._news.notify_all()

    def mark(self):
        """A place in the log: what is waited for `since` it must come later. Lines are written some milliseconds late, so
        those of what was done before have their time first."""
        time.sleep(0.03)
        with self._news:
            return len(self.lines)

    def wait_for(self, text, since=0, seconds=30):
        """The first line since the mark that contains the text."""
        found = []

        def there():
            found.extend(line for line in self.lines[since:] if text in line)
            return found or self.ended

        with self._news:
            self._news.wait_for(there, seconds)
            if found:
                return found[0]
            seen = '\n'.join(self.lines[since:][-30:])
        raise Failed(f'{self.name}: "{text}" did not come within {seconds} s; it said:\n{seen}')

    def count(self, text, since=0):
        with self._news:
            return sum(text in line for line in self.lines[since:])

    def signal(self, number):
        self._child.send_signal(number)

    def alive(self):
        return self._child.poll() is None

    def stop(self, seconds=30):
        """Asks it to end, forces it after the time; its exit status."""
        if self in _running:
            _running.remove(self)
        if self.alive():
            self._child.terminate()
        try:
            status = self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            raise Failed(f'{self.name} did not end within {seconds} s')
        self._reader.join(5)
        return status


@atexit.register
def end_all():
    for process in reversed(_running[:]):
        try:
            process.stop(10)
        except Failed:
            pass


def end_with_us():
    """SIGTERM ends us like Ctrl-C does: with everything that we started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is in the background deaf to it


def free_port(*addresses):
    """A port that is free on each of the loopback addresses."""
    addresses = addresses or ('127.0.0.1',)
    for _ in range(100):
        held = []
        try:
            port = 0
            for address in addresses:
                held.append(socket.socket())
                held[-1].bind((address, port))
                port = held[-1].getsockname()[1]
            return port
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    raise Failed('no port is free on ' + ', '.join(addresses))


def wait_until(ready, what, seconds=30):
    """For what sends no event: a port that opens, a file that appears."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.02)
    raise Failed(f'{what}: not within {seconds} s')


def accepts(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), 'w', encoding='utf-8') as file:
        file.write(text)
    return path
