"""Many connections at once from one process, what they cost a daemon, and limits of descriptors: ours and the daemon's."""
import os
import re
import resource
import socket

from .process import wait_until


def raise_descriptors(wanted):
    """Descriptors for ourselves and what we start; how many there are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            hard = wanted
        except (ValueError, OSError):
            pass
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def sanitized(build):
    with open(build + '/CMakeCache.txt', encoding='utf-8') as file:
        return bool(re.search('^POSTERN_SANITIZE:.*=.+$', file.read(), re.M))


class Measured:
    """A daemon's memory of its own in MiB, its descriptors and processor seconds, from outside."""

    def __init__(self, pid):
        self.pid = pid

    def memory(self):
        with open(f'/proc/{self.pid}/status', encoding='ascii') as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith('RssAnon'))

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.pid}/fd'))

    def seconds(self):
        with open(f'/proc/{self.pid}/stat', encoding='ascii') as file:
            user, system = file.read().rpartition(')')[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')

    def limit(self, descriptors):
        """At most so many descriptors from now on; what is open stays open."""
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (descriptors, hard))

    def let_go(self, most, seconds=60):
        wait_until(lambda: self.descriptors() <= most, f'{most} descriptors left, not {self.descriptors()}', seconds)


def connected(edge, count, source):
    """So many connections; nothing is read yet."""
    sockets = []
    for _ in range(count):
        one = socket.socket()
        one.bind((source, 0))
        one.settimeout(60)
        one.connect((edge.address, edge.port))
        sockets.append(one)
    return sockets


def line(one):
    """The first line that it says; empty where it says none."""
    said = b''
    try:
        while not said.endswith(b'\r\n'):
            more = one.recv(512)
            if not more:
                break
            said += more
    except ConnectionResetError:
        pass
    return said.decode(errors='replace').strip()
