# SPDX-License-Identifier: BSD-3-Clause
"""Locks a file as programs without evlock do; see interop.sh.

peer.py KIND FILE try         exit status 0, or 9 if others have it
peer.py KIND FILE hold        says so in `said`, and keeps it until the FIFO $go is opened and closed
peer.py KIND FILE add N       adds one to the number in `count`, N times, each time locked
"""

import fcntl
import os
import sys


class Lockf:
    """lockf() of the standard library."""

    def __init__(self, path, operation):
        self.file = open(path, "a+")
        self.operation = operation

    def acquire(self, blocking):
        try:
            fcntl.lockf(self.file, self.operation | (0 if blocking else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def release(self):
        fcntl.lockf(self.file, fcntl.LOCK_UN)


class Fasteners:
    """A lock of fasteners, given the names of its two calls."""

    def __init__(self, lock, acquire, release):
        self.take = getattr(lock, acquire)
        self.release = getattr(lock, release)

    def acquire(self, blocking):
        return self.take(blocking=blocking)


def make(kind, path):
    if kind == "lockf-exclusive":
        return Lockf(path, fcntl.LOCK_EX)
    if kind == "lockf-shared":
        return Lockf(path, fcntl.LOCK_SH)
    import fasteners
    if kind == "fasteners-exclusive":
        return Fasteners(fasteners.InterProcessLock(path), "acquire", "release")
    lock = fasteners.InterProcessReaderWriterLock(path)
    side = {"fasteners-rw-exclusive": "write", "fasteners-rw-shared": "read"}[kind]
    return Fasteners(lock, "acquire_%s_lock" % side, "release_%s_lock" % side)


def hold(lock):
    if not lock.acquire(True):
        return 9
    with open("said", "w") as said:
        said.write("held\n")
    with open(os.environ["go"]) as go:
        go.read()
    with open("log", "a") as log:
        log.write("peer\n")
    lock.release()
    return 0


def add(lock, times):
    for _ in range(times):
        if not lock.acquire(True):
            return 9
        with open("count") as count:
            number = int(count.read())
        with open("count", "w") as count:
            count.write("%d\n" % (number + 1))
        lock.release()
    return 0


def main(kind, path, what, times="0"):
    lock = make(kind, path)
    if what == "try":
        return 0 if lock.acquire(False) else 9
    return hold(lock) if what == "hold" else add(lock, int(times))


sys.exit(main(*sys.argv[1:]))
