#!/usr/bin/env python3
"""A disk with a cache that forgets: an image file offered again as a file of the same size (FUSE), for a loop device. What
was written is kept; what no flush followed may be lost when the power goes: at SIGUSR1 nothing is answered any more, every
sector written since the last flush that was answered is kept or taken back by chance, and the program ends.
`volatile_disk.py IMAGE OFFERED SEED`, as root; prints "disk: offered" and, at its end, "disk: cut, ...".

The kernel's protocol is spoken directly (linux/fuse.h, 7.31): one file, the root itself, one thread. A write is answered
after it is noted, a flush covers what was answered before it: what a drive promises, and no more."""
import ctypes
import errno
import os
import random
import select
import signal
import stat
import struct
import sys

GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH, INIT, DESTROY = 3, 4, 14, 15, 16, 17, 18, 20, 25, 26, 38
FORGET, INTERRUPT, BATCH_FORGET = 2, 36, 42
BIG_WRITES, MAX_PAGES = 1 << 5, 1 << 22
LARGEST = 1 << 20
SECTOR = 512


class VolatileDisk:
    def __init__(self, image, chance):
        self.file = os.open(image, os.O_RDWR)
        self.size = os.fstat(self.file).st_size
        self.chance = chance
        self.unflushed = []  # offset, the octets before, the octets after
        self.flushes = 0

    def write(self, offset, octets):
        self.unflushed.append((offset, os.pread(self.file, len(octets), offset), octets))
        os.pwrite(self.file, octets, offset)

    def flush(self):
        self.unflushed.clear()
        self.flushes += 1

    def cut(self):
        """The image as the power failure leaves it; how many sectors of how many are gone."""
        for offset, before, _ in reversed(self.unflushed):
            os.pwrite(self.file, before, offset)
        share = self.chance.choice((0.0, 0.5, 0.9, 1.0))  # nothing reached the platter, some of it, or all
        kept = count = 0
        for offset, _, after in self.unflushed:
            for at in range(0, len(after), SECTOR):
                count += 1
                if self.chance.random() < share:
                    os.pwrite(self.file, after[at:at + SECTOR], offset + at)
                    kept += 1
        os.fsync(self.file)
        return count - kept, count


class Answers:
    """What the kernel asks, and what it is told."""

    def __init__(self, disk):
        self.disk = disk

    def attributes(self):
        about = struct.pack('<6Q10I', 1, self.disk.size, self.disk.size // SECTOR, 0, 0, 0, 0, 0, 0,
                            stat.S_IFREG | 0o600, 1, 0, 0, 0, 4096, 0)
        return struct.pack('<QII', 3600, 0, 0) + about

    def to(self, opcode, body):
        if opcode == INIT:
            return struct.pack('<4I2H2I2H2I6I', 7, 31, LARGEST, BIG_WRITES | MAX_PAGES, 32, 24, LARGEST, 1, LARGEST // 4096,
                               0, 0, 0, *[0] * 6)
        if opcode in (GETATTR, SETATTR):
            return self.attributes()
        if opcode == OPEN:
            return struct.pack('<QII', 0, 0, 0)
        if opcode == READ:
            _, offset, size = struct.unpack_from('<QQI', body)
            return os.pread(self.disk.file, size, offset)
        if opcode == WRITE:
            _, offset, size = struct.unpack_from('<QQI', body)
            self.disk.write(offset, bytes(body[40:40 + size]))
            return struct.pack('<II', size, 0)
        if opcode == FSYNC:
            self.disk.flush()
            return b''
        if opcode == STATFS:
            return struct.pack('<5Q4I6I', *[0] * 5, 4096, 255, 4096, 0, *[0] * 6)
        if opcode in (RELEASE, FLUSH, DESTROY):
            return b''
        return None


def mount(device, offered):
    libc = ctypes.CDLL(None, use_errno=True)
    options = f'fd={device},rootmode=100600,user_id=0,group_id=0'
    if libc.mount(b'volatile', offered.encode(), b'fuse', 2 | 4, options.encode()) != 0:
        failed = ctypes.get_errno()
        raise OSError(failed, os.strerror(failed), offered)


def serve(device, answers):
    """Until the power goes (True) or the file is unmounted (False)."""
    gone = []
    signal.signal(signal.SIGUSR1, lambda *_: gone.append(True))
    # A signal that comes between the look and the read would be missed: the pipe ends the wait for it.
    end_read, end_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(end_write)
    os.set_blocking(device, False)
    waiting = select.poll()
    waiting.register(device, select.POLLIN)
    waiting.register(end_read, select.POLLIN)
    while not gone:
        waiting.poll()
        if gone:
            break
        try:
            asked = memoryview(os.read(device, LARGEST + 4096))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return False
            if error.errno in (errno.EAGAIN, errno.EINTR, errno.ENOENT):
                continue
            raise
        length, opcode, unique = struct.unpack_from('<IIQ', asked)
        if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
            continue
        answer = answers.to(opcode, asked[40:length])
        if gone:
            break  # done, and nobody was told
        head = struct.pack('<IiQ', 16 + len(answer or b''), 0 if answer is not None else -errno.ENOSYS, unique)
        try:
            os.write(device, head + (answer or b''))
        except OSError as error:
            if error.errno != errno.ENOENT:  # who asked has gone
                raise
    return True


def main():
    image, offered, seed = sys.argv[1:]
    disk = VolatileDisk(image, random.Random(int(seed)))
    device = os.open('/dev/fuse', os.O_RDWR)
    mount(device, offered)
    print('disk: offered', flush=True)
    if serve(device, Answers(disk)):
        os.close(device)  # whoever waits for an answer is told that there will be none
        lost, written = disk.cut()
        print(f'disk: cut, {lost} of {written} unflushed sectors gone, {disk.flushes} flushes before', flush=True)


main()
