#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks the records of a lock's clients.  Their lines: see client.c.  Those of the store: run.py.

    history.py FILE        prints each violation, and a summary
    history.py --selftest  plants each kind of mistake into a good history, and looks for it

These rules must hold, whatever happened to nodes, links and clients:

 - A grant is certain when its callback runs, unless the client was stopped just then.
 - The tokens of certain grants never fall from an exclusive hold to the next hold.  They rise if
   the next hold is another client's.
 - Two holds that exclude each other do not overlap while both are certain.
 - The tokens of the writes that the store accepts never fall.
 - Every request ends, except one of a client that was killed.
 - No request waits longer than LONGEST.
"""

import collections
import sys

LONGEST = 30.0
SECOND = 1e9

Line = collections.namedtuple('Line', 'time client what number mode token until error')


class Hold:
    """One hold: from the grant until it ended or, if that is earlier, stopped being certain."""

    def __init__(self, line):
        self.client, self.number, self.mode, self.token = line.client, line.number, line.mode, line.token
        self.start = line.time
        self.known = [line]

    @property
    def end(self):
        """The last moment at which the record shows it both held and certain."""
        last = self.known[-1]
        until = max(line.until for line in self.known)
        return min(last.time, until)

    def is_certain(self):
        return self.start < self.known[0].until

    def __str__(self):
        return '%s %d %s token %d [%.4f %.4f]' % (
            self.client, self.number, self.mode, self.token, self.start / SECOND, self.end / SECOND)


def read(lines):
    history, store = [], []
    for text in lines:
        f = text.split()
        if len(f) == 8:
            history.append(Line(int(f[0]), f[1], f[2], int(f[3]), f[4], int(f[5]), int(f[6]), int(f[7])))
        elif len(f) == 6 and f[1] == 'store':    # TIME store CLIENT NUMBER TOKEN taken|refused
            store.append((int(f[0]), f[2], int(f[3]), int(f[4]), f[5]))
        elif len(f) == 3 and f[1] == 'killed':   # TIME killed CLIENT
            history.append(Line(int(f[0]), f[2], 'killed', 0, '-', 0, 0, 0))
        else:
            raise ValueError('what is this? ' + text)
    history.sort(key=lambda line: line.time)
    return history, store


def follow(history, wrong):
    """Returns the holds, and checks how each request ended."""
    holds, open_request = [], {}
    for line in history:
        key = line.client
        if line.what == 'ask':
            if key in open_request:
                wrong.append('%s asks twice at a time' % key)
            open_request[key] = [line, None]
            continue
        request = open_request.get(key)
        if line.what == 'killed':
            open_request.pop(key, None)
            continue
        if not request or request[0].number != line.number:
            wrong.append('out of order: %s' % (line,))
            continue
        if line.what == 'got':
            request[1] = Hold(line)
            holds.append(request[1])
            waited = (line.time - request[0].time) / SECOND
            if waited > LONGEST:
                wrong.append('%s %d waited for %.1f s' % (key, line.number, waited))
        elif line.what in ('write', 'end') and request[1]:
            request[1].known.append(line)
        if line.what in ('end', 'lost', 'failed'):
            del open_request[key]
    for key, (line, _) in open_request.items():
        wrong.append('%s %d never ended' % (key, line.number))
    return holds


def conflict(a, b):
    return a.mode == 'X' or b.mode == 'X'


def check_overlaps(holds, wrong):
    certain = sorted((h for h in holds if h.is_certain()), key=lambda h: h.start)
    active = []
    for hold in certain:
        active = [a for a in active if a.end > hold.start]
        for other in active:
            if conflict(hold, other):
                wrong.append('both at once: %s, %s' % (other, hold))
        active.append(hold)


def check_tokens(holds, wrong):
    """Of two holds that exclude each other, the later one has the larger token.  A hold that was no
    longer certain when its callback ran may have come late."""
    highest = highest_exclusive = None
    for hold in sorted((h for h in holds if h.is_certain()), key=lambda h: h.start):
        if hold.token == 0:
            wrong.append('no token: %s' % hold)
        before = highest if hold.mode == 'X' else highest_exclusive
        if before and (hold.token < before.token or
                       hold.token == before.token and hold.client != before.client):
            wrong.append('tokens fall: %s, then %s' % (before, hold))
        if not highest or hold.token > highest.token:
            highest = hold
        if hold.mode == 'X' and (not highest_exclusive or hold.token > highest_exclusive.token):
            highest_exclusive = hold


def check_store(store, wrong):
    highest = 0
    for time, client, number, token, result in store:
        if result == 'taken' and token < highest:
            wrong.append('the store took token %d of %s after %d' % (token, client, highest))
        if result == 'refused' and token >= highest:
            wrong.append('the store refused token %d of %s' % (token, client))
        highest = max(highest, token)


def check(lines):
    wrong = []
    history, store = read(lines)
    holds = follow(history, wrong)
    check_overlaps(holds, wrong)
    check_tokens(holds, wrong)
    check_store(store, wrong)
    counts = collections.Counter(line.what for line in history)
    asked = {(l.client, l.number): l.time for l in history if l.what == 'ask'}
    longest = max(((h.start - asked.get((h.client, h.number), h.start)) / SECOND for h in holds), default=0)
    numbers = {
        'holds': len(holds),
        'uncertain when told': sum(not h.is_certain() for h in holds),
        'lost': counts['lost'], 'failed': counts['failed'],
        'writes': len(store), 'refused writes': sum(s[4] == 'refused' for s in store),
        'longest wait': '%.2f s' % longest,
    }
    return wrong, numbers


# --- The self-test -------------------------------------------------------------------------

GOOD = """\
1000 a ask 1 X 0 0 0
1001 b ask 1 X 0 0 0
1010 a got 1 X 5 9000 0
1011 a write 1 X 5 9000 0
1012 store a 1 5 taken
1020 a end 1 X 5 9000 0
1030 b got 1 X 7 9000 0
1031 b write 1 X 7 9000 0
1032 store b 1 7 taken
1033 c ask 1 S 0 0 0
1034 d ask 1 S 0 0 0
1040 b end 1 X 7 9000 0
1050 c got 1 S 8 9000 0
1051 d got 1 S 9 9000 0
1060 c end 1 S 8 9000 0
1061 d end 1 S 9 9000 0
1070 e ask 1 X 0 0 0
1071 killed e
1080 a ask 2 X 0 0 0
1081 a failed 2 X 0 0 116
"""

PLANTED = [
    ('both at once', '1020 a end', '1035 a end'),
    ('both at once', '1050 c got', '1039 c got'),
    ('tokens fall', '1030 b got 1 X 7', '1030 b got 1 X 5'),
    ('tokens fall', '1050 c got 1 S 8', '1050 c got 1 S 6'),
    ('no token', '1010 a got 1 X 5', '1010 a got 1 X 0'),
    ('the store took', '1032 store b 1 7', '1032 store b 1 4'),
    ('the store refused', '1032 store b 1 7 taken', '1032 store b 1 7 refused'),
    ('never ended', '1061 d end 1 S 9 9000 0\n', ''),
    ('never ended', '1071 killed e\n', ''),
    ('never ended', '1081 a failed 2 X 0 0 116\n', ''),
    ('waited for', '1000 a ask', '-99999999999 a ask'),
    ('asks twice', '1081 a failed 2 X 0 0 116', '1081 a ask 3 X 0 0 0'),
    ('out of order', '1070 e ask 1 X 0 0 0\n1071 killed e\n', '1070 e got 1 X 11 9000 0\n'),
]

# These are not mistakes: a stopped client that holds on after the hold has ended by its own clock,
# and a grant whose callback runs after its end.
FINE = [
    ('1011 a write 1 X 5 9000 0\n1012 store a 1 5 taken\n1020 a end 1 X 5 9000 0',
     '1035 a end 1 X 5 1015 0', '1010 a got 1 X 5 9000', '1010 a got 1 X 5 1015'),
    ('1050 c got 1 S 8 9000', '1050 c got 1 S 6 1049'),
]


def plant(pairs):
    text = GOOD
    for old, new in zip(pairs[::2], pairs[1::2]):
        assert old in text, old
        text = text.replace(old, new)
    return check(text.splitlines())[0]


def selftest():
    failed = 0
    for what, old, new in PLANTED:
        found = plant([old, new])
        if not any(what in w for w in found):
            failed += 1
            print('not noticed: %s, by %r: %s' % (what, new, found))
    for pairs in [()] + FINE:
        found = plant(pairs)
        if found:
            failed += 1
            print('no mistake, but: %s' % found)
    print('history.py: %d of %d planted mistakes noticed' % (len(PLANTED) - failed, len(PLANTED)))
    return failed


def main():
    if sys.argv[1:] == ['--selftest']:
        sys.exit(1 if selftest() else 0)
    with open(sys.argv[1]) as f:
        wrong, numbers = check(f)
    print(', '.join('%s %s' % pair for pair in numbers.items()))
    print('\n'.join(wrong[:20]))
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
