# SPDX-License-Identifier: BSD-3-Clause
"""What file.c measures, of fasteners' InterProcessLock, which polls.

usage: file_fasteners.py PATH [W7[:PAIRS]]
"""

import os
import struct
import sys
import time

import fasteners

PAIRS_BY_HAND_OVER = 1000
TIME = struct.Struct("=Q")


def print_line(workload, param, value, unit):
    print("fasteners %s %s %.2f %s" % (workload, param, value, unit), flush=True)


def run_pairs(path, n):
    lock = fasteners.InterProcessLock(path)
    for param, is_blocking in ("try", False), ("wait", True):
        begun = time.monotonic_ns()
        for _ in range(n):
            if not lock.acquire(blocking=is_blocking):
                sys.exit("W7: the lock is not free")
            lock.release()
        print_line("W7", param, (time.monotonic_ns() - begun) / n, "ns/pair")


def be_waiter(path, ask, tell):
    """Ends as the holder closes its end of `ask`."""
    lock = fasteners.InterProcessLock(path)
    while os.read(ask, 1):
        if not lock.acquire():
            sys.exit("W7: not granted")
        granted_at = time.monotonic_ns()
        lock.release()
        os.write(tell, TIME.pack(granted_at))


def hand_over(lock, ask, tell, i):
    if not lock.acquire(blocking=False):
        sys.exit("W7: the lock is not free")
    os.write(ask, b"x")
    time.sleep((i * 37 % 46 + 5) / 1000)  # as file.c does
    released_at = time.monotonic_ns()
    lock.release()
    return TIME.unpack(os.read(tell, TIME.size))[0] - released_at


def run_hand_overs(path, n):
    ask, tell = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ask[1])
        be_waiter(path, ask[0], tell[1])
        os._exit(0)
    os.close(tell[1])
    lock = fasteners.InterProcessLock(path)
    ns = sorted(hand_over(lock, ask[1], tell[0], i) for i in range(n))
    print_line("W7handover", "2processes", ns[n // 2], "ns")
    os.close(ask[1])
    if os.waitpid(child, 0)[1]:
        sys.exit("W7: the waiter failed")


def main(path, workload="W7"):
    name, _, pairs = workload.partition(":")
    if name != "W7":
        sys.exit("fasteners: no such workload: " + workload)
    n = int(pairs or 20000)
    run_hand_overs(path, n // PAIRS_BY_HAND_OVER + 1)
    run_pairs(path, n)


main(*sys.argv[1:])
