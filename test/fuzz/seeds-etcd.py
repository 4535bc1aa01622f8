#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the first inputs for the fuzzers of lib/scopes/etcd, into FOLDER/reply and FOLDER/h2."""

import os
import sys


def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def num(field, value):
    return varint(field << 3) + varint(value)


def sub(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


HEADER = sub(1, num(3, 9))
KEY = sub(2, sub(1, b'p/a/q/1') + num(2, 7) + num(3, 8))
TXN = HEADER + num(2, 1) + sub(3, sub(1, KEY)) + sub(3, sub(1, KEY))
LEASE = HEADER + num(2, 77) + num(3, 5)
EVENT = sub(11, num(1, 1) + sub(2, sub(1, b'k') + num(3, 7)))
WATCHES = [HEADER + num(2, 1) + num(3, 1), HEADER + num(2, 1) + EVENT + EVENT,
           num(2, 2 ** 64 - 1) + num(3, 1) + num(4, 1) + sub(6, b'etcdserver: permission denied')]

# The first byte is the kind of answer, the second a status: 4 is OK.
REPLIES = [b'\0\4' + HEADER + sub(2, b'abc.9'), b'\1\4' + LEASE, b'\2\4' + HEADER, b'\3\4' + HEADER,
           b'\4\4' + TXN, b'\5\4' + HEADER + sub(2, b'3.4.23') + num(4, 99),
           b'\4\7etcdserver: user name is empty', b'\4\14etcdserver: mvcc: database space exceeded'
           ] + [b'\6\4' + w for w in WATCHES]


def frame(kind, flags, stream, body):
    return len(body).to_bytes(3, 'big') + bytes([kind, flags]) + stream.to_bytes(4, 'big') + body


def literal(name, value):
    return b'\0' + bytes([len(name)]) + name + bytes([len(value)]) + value


OK = b'\x88' + literal(b'content-type', b'application/grpc')
STATUS = literal(b'grpc-status', b'0') + literal(b'grpc-message', b'a%20b')
MESSAGE = b'\0\0\0\0' + bytes([len(LEASE)]) + LEASE
ANSWER = frame(1, 4, 1, OK) + frame(0, 0, 1, MESSAGE) + frame(1, 5, 1, STATUS)
CONNECTIONS = [ANSWER, frame(1, 5, 1, OK + STATUS), frame(1, 4, 3, OK) + frame(0, 0, 3, MESSAGE * 3),
               frame(7, 0, 0, b'\0\0\0\1\0\0\0\0bye'), frame(3, 0, 1, b'\0\0\0\7'),
               frame(6, 0, 0, b'12345678'), frame(8, 0, 0, b'\0\1\0\0'), frame(4, 1, 0, b''),
               frame(4, 0, 0, b'\0\3\0\0\0\1'), frame(1, 0, 1, OK) + frame(9, 4, 1, STATUS)]


def write(folder, seeds):
    os.makedirs(folder, exist_ok=True)
    for number, seed in enumerate(seeds):
        with open(os.path.join(folder, str(number)), 'wb') as out:
            out.write(seed)


write(os.path.join(sys.argv[1], 'reply'), REPLIES)
write(os.path.join(sys.argv[1], 'h2'), [b'\1' + c for c in CONNECTIONS] + [b'\0' + frame(4, 0, 0, b'') + c
                                                                              for c in CONNECTIONS])
