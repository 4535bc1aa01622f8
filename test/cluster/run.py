#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Locks between machines while machines fail: `make check-cluster`.

    run.py CLIENT [--seconds N] [FAULT...]

Runs three etcd nodes, each in its own network namespace.  Six clients take turns with one lock, for
N seconds (40) with each fault.  Then history.py checks their records.  The store that they write to
is part of this program.  Finally one session waits for a thousand locks while a member dies.
Needs root, iproute2 and etcd.
"""

import argparse
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import history

HERE = os.path.dirname(os.path.abspath(__file__))
NODES = (1, 2, 3)
CLIENTS = 'abcdef'
TTL = 2
PORT = 2379
BRIDGE = 'evl%d' % (os.getpid() % 100000)


def run(*args, **kwargs):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)


def now():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1e9)


# --- Three machines ----------------------------------------------------------------------------

class Node:
    def __init__(self, number, folder):
        self.number = number
        self.space = '%sn%d' % (BRIDGE, number)
        self.address = '10.99.%d.%d' % (os.getpid() % 250, number)
        self.link = '%sv%d' % (BRIDGE, number)
        self.data = os.path.join(folder, 'node%d' % number)
        self.url = 'http://%s:%d' % (self.address, PORT)
        self.log = open(self.data + '.log', 'w')
        self.process = None

    def make_network(self):
        run('ip', 'netns', 'add', self.space)
        run('ip', 'link', 'add', self.link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', self.space)
        run('ip', 'link', 'set', self.link, 'master', BRIDGE, 'up')
        run('ip', '-n', self.space, 'addr', 'add', self.address + '/24', 'dev', 'eth0')
        run('ip', '-n', self.space, 'link', 'set', 'eth0', 'up')
        run('ip', '-n', self.space, 'link', 'set', 'lo', 'up')

    def start(self, nodes):
        peer = 'http://%s:2380' % self.address
        cluster = ','.join('n%d=http://%s:2380' % (n.number, n.address) for n in nodes)
        state = 'existing' if os.path.exists(self.data) else 'new'
        self.process = subprocess.Popen(
            ['ip', 'netns', 'exec', self.space, 'etcd', '--name', 'n%d' % self.number,
             '--data-dir', self.data, '--log-level', 'error', '--listen-client-urls', self.url,
             '--advertise-client-urls', self.url, '--listen-peer-urls', peer,
             '--initial-advertise-peer-urls', peer, '--initial-cluster', cluster,
             '--initial-cluster-state', state], stdout=self.log, stderr=self.log)

    def signal(self, number):
        self.process.send_signal(number)

    def cut(self):
        run('ip', 'link', 'set', self.link, 'down')

    def mend(self):
        run('ip', 'link', 'set', self.link, 'up')


class Cluster:
    def __init__(self, folder):
        self.nodes = [Node(n, folder) for n in NODES]
        self.endpoints = ','.join(n.url for n in self.nodes)

    def start(self):
        run('ip', 'link', 'add', BRIDGE, 'type', 'bridge')
        run('ip', 'addr', 'add', '10.99.%d.254/24' % (os.getpid() % 250), 'dev', BRIDGE)
        run('ip', 'link', 'set', BRIDGE, 'up')
        for node in self.nodes:
            node.make_network()
        for node in self.nodes:
            node.start(self.nodes)
        self.wait()

    def control(self, *args, seconds=10):
        return run('etcdctl', '--endpoints', self.endpoints, '--command-timeout', '%ds' % seconds, *args,
                   env=dict(os.environ, ETCDCTL_API='3'))

    def wait(self):
        for _ in range(60):
            try:
                return self.control('endpoint', 'health', seconds=3)
            except subprocess.CalledProcessError:
                time.sleep(0.5)
        raise SystemExit('the cluster does not start')

    def leader(self):
        """Returns the leader, as some answering node names it, and the id of another member."""
        ids, leader = {}, None
        for node in self.nodes:
            try:
                out = run('etcdctl', '--endpoints', node.url, '--command-timeout', '2s', 'endpoint', 'status',
                          env=dict(os.environ, ETCDCTL_API='3')).stdout.split(', ')
            except subprocess.CalledProcessError:
                continue
            ids[node] = out[1]
            if out[4] == 'true':
                leader = node
        return leader or self.nodes[0], [i for n, i in ids.items() if n is not leader]

    def stop(self):
        for node in self.nodes:
            if node.process:
                node.process.kill()
                node.process.wait()
            subprocess.run(['ip', 'netns', 'del', node.space], stderr=subprocess.DEVNULL)
            subprocess.run(['ip', 'link', 'del', node.link], stderr=subprocess.DEVNULL)
        subprocess.run(['ip', 'link', 'del', BRIDGE], stderr=subprocess.DEVNULL)


# --- Faults ---------------------------------------------------------------------------------------

class Faults:
    """Each fault is a generator.  It does one step, and yields the seconds until the next."""

    def __init__(self, cluster, clients):
        self.cluster, self.clients = cluster, clients

    def none(self):
        while True:
            yield 1

    def _leader_or_any(self, turn):
        leader, _ = self.cluster.leader()
        return leader if turn % 2 == 0 else random.choice(self.cluster.nodes)

    def node_kill(self):
        for turn in range(10 ** 6):
            yield 3
            node = self._leader_or_any(turn)
            node.signal(signal.SIGKILL)
            node.process.wait()
            yield 3
            node.start(self.cluster.nodes)
            yield 2

    def node_stop(self):
        for turn in range(10 ** 6):
            yield 3
            node = self._leader_or_any(turn)
            node.signal(signal.SIGSTOP)
            try:
                yield 4
            finally:
                node.signal(signal.SIGCONT)
            yield 2

    def link_cut(self):
        for turn in range(10 ** 6):
            yield 3
            node = self._leader_or_any(turn)
            node.cut()
            try:
                yield 5
            finally:
                node.mend()
            yield 2

    def client_stop(self):
        while True:
            yield 1
            client = random.choice(self.clients)
            client.process.send_signal(signal.SIGSTOP)
            try:
                yield TTL * 1.5
            finally:
                client.process.send_signal(signal.SIGCONT)

    def compaction(self):
        while True:
            yield 0.3
            header = self.cluster.control('get', 'x', '-w', 'json').stdout
            revision = header.split('"revision":')[1].split(',')[0]
            subprocess.run(['etcdctl', '--endpoints', self.cluster.endpoints, 'compact', revision],
                           env=dict(os.environ, ETCDCTL_API='3'), stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)

    def leader_change(self):
        while True:
            yield 2
            leader, others = self.cluster.leader()
            if others:
                subprocess.run(['etcdctl', '--endpoints', leader.url, 'move-leader', random.choice(others)],
                               env=dict(os.environ, ETCDCTL_API='3'), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)

    def client_kill(self):
        while True:
            yield 2
            client = random.choice(self.clients)
            client.kill()
            client.start()


FAULTS = ['none', 'node_kill', 'node_stop', 'link_cut', 'client_stop', 'compaction', 'leader_change',
          'client_kill', 'waiters']


# --- Six clients and a store --------------------------------------------------------------------------

class Client:
    def __init__(self, letter, program, endpoints, store, folder, ttl):
        self.letter, self.endpoints, self.store, self.ttl = letter, endpoints, store, ttl
        self.program, self.folder, self.life = program, folder, 0
        self.errors = open(os.path.join(folder, 'clients.log'), 'a')
        self.out = open(os.path.join(folder, 'history'), 'ab')
        self.process = None

    def start(self):
        self.life += 1
        self.name = '%s%d' % (self.letter, self.life)
        self.process = subprocess.Popen(
            [self.program, self.endpoints, self.name, self.store, str(self.ttl), str(random.randrange(10 ** 6))],
            stdout=self.out, stderr=self.errors)

    def note_death(self):
        self.out.write(b'%d killed %s\n' % (now(), self.name.encode()))
        self.out.flush()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.note_death()

    def end(self):
        self.process.terminate()

    def wait(self):
        """Returns the exit status.  A client that does not end is a failure."""
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return 'does not end'


class Store(threading.Thread):
    """Accepts writes whose tokens do not fall, and records all writes."""

    def __init__(self, path, out):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.out, self.highest = out, 0

    def run(self):
        while True:
            text = self.socket.recv(200).decode()
            if text == 'end':
                return
            name, number, _, token = text.split()
            result = 'taken' if int(token) >= self.highest else 'refused'
            self.highest = max(self.highest, int(token))
            self.out.write(b'%d store %s %s %s %s\n' % (
                now(), name.encode(), number.encode(), token.encode(), result.encode()))
            self.out.flush()

    def end(self):
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'end', self.socket.getsockname())
        self.join()


# --- One run ---------------------------------------------------------------------------------------------

def play(steps, seconds):
    """Runs a fault for some seconds, and then lets it repair what it broke."""
    deadline = time.monotonic() + seconds
    for pause in steps:
        left = deadline - time.monotonic()
        time.sleep(max(0, min(pause, left)))
        if left <= pause:
            break
    steps.close()


def check(folder):
    with open(os.path.join(folder, 'history')) as f:
        return history.check(f)


def start(cluster, program, folder):
    os.mkdir(folder)
    path = os.path.join(folder, 'store')
    store = Store(path, open(os.path.join(folder, 'history'), 'ab'))
    store.start()
    clients = [Client(c, program, cluster.endpoints, path, folder, TTL) for c in CLIENTS]
    for client in clients:
        client.start()
    return store, clients


def try_fault(fault, cluster, program, top, seconds):
    folder = os.path.join(top, fault)
    store, clients = start(cluster, program, folder)
    play(getattr(Faults(cluster, clients), fault)(), seconds)
    for node in cluster.nodes:
        if node.process.poll() is not None:
            node.start(cluster.nodes)
    for client in clients:
        client.end()
    statuses = [client.wait() for client in clients]
    store.end()
    wrong, numbers = check(folder)
    wrong += ['client %s: %s' % (c.name, s) for c, s in zip(clients, statuses) if s != 0]
    if not numbers['holds']:
        wrong.append('nobody ever held the lock')
    return wrong, numbers


def look_for_leftovers(cluster, program, top):
    """Kills the clients.  When their leases have expired, no key of theirs is left."""
    folder = os.path.join(top, 'leftovers')
    _, clients = start(cluster, program, folder)
    time.sleep(2)
    before = cluster.control('get', '--prefix', 'evlock', '--keys-only').stdout.split()
    for client in clients:
        client.kill()
    time.sleep(TTL + 4)
    after = cluster.control('get', '--prefix', 'evlock', '--keys-only').stdout.split()
    leases = cluster.control('lease', 'list').stdout.split('\n')[0]
    print('leftovers      %d keys before, %d after; %s' % (len(before), len(after), leases))
    return [] if before and not after else ['left behind: %s' % after[:4]]


def count_places(cluster):
    keys = cluster.control('get', '--prefix', 'evlock/2/many', '--keys-only').stdout.split()
    return sum('/q/' in key for key in keys)


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)


def kill_under_waiters(cluster, program, top, count=1000, ttl=30):
    """One session waits for many locks while its member dies.  Then all locks are released."""
    log = open(os.path.join(top, 'waiters.log'), 'w')
    process = subprocess.Popen([os.path.join(os.path.dirname(program), 'waiters'), cluster.endpoints,
                                str(count), str(ttl)], stdout=subprocess.PIPE, stderr=log, text=True)
    held = process.stdout.readline()
    wait_for(lambda: count_places(cluster) == 2 * count, 30)
    node = cluster.nodes[0]
    node.signal(signal.SIGKILL)
    node.process.wait()
    time.sleep(3)
    process.send_signal(signal.SIGUSR1)
    try:
        out, _ = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        out = ''
    node.start(cluster.nodes)
    words = out.split()
    is_right = held == 'held\n' and words[:2] == ['granted', str(count)] and process.returncode == 0
    numbers = {'locks': count, 'handed over in': words[2] + ' s'} if is_right else {}
    return [] if is_right else ['waiters: %r %r' % (held, out)], numbers


def report(name, wrong, numbers):
    print('%-14s %s: %s' % (name, 'WRONG' if wrong else 'ok', ', '.join('%s %s' % p for p in numbers.items())))
    for w in wrong[:10]:
        print('    ' + w)
    sys.stdout.flush()
    return bool(wrong)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('client')
    parser.add_argument('--seconds', type=float, default=float(os.environ.get('CLUSTER_SECONDS', 40)))
    parser.add_argument('--keep', action='store_true', help='keep the histories')
    parser.add_argument('faults', nargs='*', default=FAULTS)
    args = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which('etcd') or not shutil.which('ip'):
        sys.exit('check-cluster: needs root, etcd and ip; ./bootstrap tools installs them')
    if history.selftest():
        sys.exit(1)
    top = tempfile.mkdtemp(prefix='evlock-cluster.')
    cluster = Cluster(top)
    failed = False
    try:
        cluster.start()
        for fault in args.faults:
            if fault == 'waiters':
                failed |= report(fault, *kill_under_waiters(cluster, args.client, top))
                cluster.wait()
                continue
            failed |= report(fault, *try_fault(fault, cluster, args.client, top, args.seconds))
            cluster.wait()
        failed |= report('quiet', look_for_leftovers(cluster, args.client, top), {})
    finally:
        cluster.stop()
        if args.keep or failed:
            print('the histories are in ' + top)
        else:
            shutil.rmtree(top)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
