#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Breaks the library on purpose, in one small place at a time.  The tests must notice each
break: they do not test what they do not notice.

    mutate.py                 tries the mutants of test/mutants.txt that must be noticed;
                              fails if the tests miss one
    mutate.py --one-of N      tries one in N of them, each day others
    mutate.py --check         only checks that test/mutants.txt fits the library
    mutate.py --all [FILE..]  tries every small change to these files of lib/, or to all
                              files in FLOORS; prints the changes that no test noticed
    mutate.py --all --list    only prints the changes

Everything is built in a scratch folder, with $CC (gcc).  The tests run by test/shim.h.
Mutants that survive are tried again with AddressSanitizer and UBSan.  test/mutants.txt
lists, with the reason, those that do not change what the library does.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The floors below the scopes, without the files that only --enable-debug builds.
FLOORS = ['base', 'rules', 'requests', 'loop', 'lock', 'calls', 'kinds']
LEFT_OUT = ['lock/check.c']
CC = os.environ.get('CC', 'gcc').split()
PLAIN = ['-O1']
SANITIZED = ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
COMMON = ['-std=c99', '-w', '-fPIC', '-D_GNU_SOURCE', '-DEVLOCK_TEST_SHIM']
WRAP = ('-Wl,--wrap=evl_end_expire,--wrap=pthread_mutex_lock,--wrap=pthread_mutex_unlock,'
        '--wrap=event_active,--wrap=write,--wrap=eventfd,--wrap=evl_helper_start')
LIBS = ['-levent_core', '-levent_pthreads', '-lpthread']

# Functions that the library calls and that a test program may replace; see
# test/model/pair.h, schedules.c and unit/file.c.
DEFAULT = '''
#include <pthread.h>
#include <unistd.h>
#include <event2/event.h>
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
void __real_event_active(struct event *ev, int what, short n_calls);
ssize_t __real_write(int fd, const void *data, size_t size);
__attribute__((weak)) ssize_t
__wrap_write(int fd, const void *data, size_t size)
{
	return __real_write(fd, data, size);
}
int __real_eventfd(unsigned value, int flags);
__attribute__((weak)) int
__wrap_eventfd(unsigned value, int flags)
{
	return __real_eventfd(value, flags);
}
__attribute__((weak)) int
__wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	return __real_pthread_mutex_lock(mutex);
}
__attribute__((weak)) int
__wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	return __real_pthread_mutex_unlock(mutex);
}
__attribute__((weak)) void
__wrap_event_active(struct event *ev, int what, short n_calls)
{
	__real_event_active(ev, what, n_calls);
}
struct evl_request;
void __real_evl_end_expire(struct evl_request *r);
__attribute__((weak)) void
__wrap_evl_end_expire(struct evl_request *r)
{
	__real_evl_end_expire(r);
}
struct evl_job;
int __real_evl_helper_start(struct evl_job *job);
__attribute__((weak)) int
__wrap_evl_helper_start(struct evl_job *job)
{
	return __real_evl_helper_start(job);
}
'''

def programs():
    """Reads test/local.mk.  Returns the test programs of test/unit and test/model, as name ->
    sources, and the sources that the model programs share."""
    with open(TOP + '/test/local.mk') as f:
        text = f.read().replace('\\\n', ' ')
    variables = dict(re.findall(r'^(\w+) = (.*)', text, flags=re.M))
    expand = lambda value: re.sub(r'\$\((\w+)\)', lambda m: expand(variables.get(m.group(1), '')), value)
    result = {}
    for kind, name in re.findall(r'^test_(unit|model)_(\w+)_SOURCES', text, flags=re.M):
        sources = expand('$(test_%s_%s_SOURCES)' % (kind, name)).split()
        result[kind + '/' + name] = [f[len('test/'):] for f in sources if f.endswith('.c')]
    return result, result.pop('model/libmodel_la')


def files():
    """The files that --all changes when it is given no names."""
    found = [os.path.relpath(f, TOP + '/lib') for f in library()]
    return sorted((f for f in found if f.split('/')[0] in FLOORS and f not in LEFT_OUT),
                  key=lambda f: (FLOORS.index(f.split('/')[0]), f))


def library():
    """The source files of the library."""
    return [f for f in glob.glob(TOP + '/lib/**/*.[ch]', recursive=True) if '/etcd/' not in f]


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


class Build:
    """The library and the test programs, built once.  A mutant builds only what differs."""

    def __init__(self, folder, flags):
        self.folder = folder
        self.flags = flags
        self.programs, self.shared = programs()
        self.depends = {}	# object -> the files it is made of
        os.makedirs(folder, exist_ok=True)
        with open(folder + '/default.c', 'w') as file:
            file.write(DEFAULT)
        files = [f for f in library() if f.endswith('.c')]
        self.lib = {f[len(TOP + '/lib/'):-2].replace('/', '_'): f for f in sorted(files)}
        self.lib['default'] = folder + '/default.c'
        self.order = []
        self.seconds = {}	# for each program
        self.lock = threading.Lock()

    def compile(self, source, to, lib):
        """Returns whether it compiles.  `lib` is the folder of the library's headers."""
        command = CC + self.flags + COMMON + ['-I', TOP + '/include', '-iquote', lib, '-c', source, '-o', to, '-MMD']
        return run(command).returncode == 0

    def read_depends(self, to):
        with open(to[:-2] + '.d') as file:
            return {os.path.realpath(f) for f in file.read().replace('\\\n', ' ').split()[1:]}

    def object_of(self, folder, source):
        return folder + '/' + source.replace('/', '_')[:-2] + '.o'

    def link_lib(self, objects, to):
        return run(CC + self.flags + ['-shared', '-Wl,-soname,libevl.so', WRAP] + objects + ['-o', to] + LIBS)

    def link_shared(self, objects, to):
        return run(['ar', 'rcs', to] + objects)

    def link_program(self, objects, folder, to):
        return run(CC + self.flags + objects + [WRAP, folder + '/shared.a', folder + '/libevl.so']
                   + LIBS + ['-o', to])

    def objects_of(self, sources, anew={}):
        objects = [self.object_of(self.folder, s) for s in sources]
        return [anew.get(o, o) for o in objects]

    def build_all(self, jobs):
        """Builds the unchanged library.  Leaves out programs that do not build or do not pass."""
        todo = [(path, self.folder + '/lib_' + name + '.o') for name, path in self.lib.items()]
        sources = sorted({s for p in self.programs.values() for s in p} | set(self.shared))
        todo += [(TOP + '/test/' + s, self.object_of(self.folder, s)) for s in sources]
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            done = list(pool.map(lambda t: self.compile(*t, TOP + '/lib'), todo))
        for (path, to), is_good in zip(todo, done):
            if is_good:
                self.depends[to] = self.read_depends(to)
            elif '/lib_' in to:
                sys.exit('mutate: ' + path + ' does not compile')
        objects = [self.folder + '/lib_' + name + '.o' for name in self.lib]
        if self.link_lib(objects, self.folder + '/libevl.so').returncode:
            sys.exit('mutate: the library cannot be linked')
        self.link_shared(self.objects_of(self.shared), self.folder + '/shared.a')
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            whys = list(pool.map(self.build_program, self.programs))
        for name, why in zip(list(self.programs), whys):
            if why:
                print('mutate: left out: test/' + name + ' ' + why, flush=True)
                del self.programs[name]
        self.order = sorted(self.programs, key=lambda name: self.seconds[name])

    def build_program(self, name):
        """Returns None, or why the program cannot be used."""
        objects = self.objects_of(self.programs[name])
        program = self.program(self.folder, name)
        if not all(o in self.depends for o in objects):
            return 'does not compile'
        if self.link_program(objects, self.folder, program).returncode:
            return 'does not link'
        start = time.time()
        is_good = self.passes(self.folder, self.folder, name)
        self.seconds[name] = time.time() - start
        return None if is_good else 'does not pass as things are'

    def program(self, folder, name):
        return folder + '/' + name.replace('/', '_')

    def passes(self, folder, lib, name):
        """Does the program in `folder` pass with the library in `lib`?"""
        env = dict(os.environ, LD_LIBRARY_PATH=lib, EVLOCK_TEST_SCALE='small', EVLOCK_TEST_SEED='1',
                   ASAN_OPTIONS='detect_stack_use_after_return=1',
                   abs_top_srcdir=TOP, abs_top_builddir=folder)
        process = subprocess.Popen([self.program(folder, name)], env=env, start_new_session=True,
                                   cwd=folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return process.wait(10 + 10 * self.seconds.get(name, 5)) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)	# with its children
            except ProcessLookupError:
                pass
            process.wait()

    def rebuild(self, folder, file, text):
        """Builds the mutant in `folder`.  Returns the rebuilt programs, or None."""
        lib = folder + '/lib'
        changed = os.path.realpath(TOP + '/lib/' + file)
        for f in library():
            copy = lib + f[len(TOP + '/lib'):]
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            os.symlink(f, copy)
        os.remove(lib + '/' + file)
        with open(lib + '/' + file, 'w') as out:
            out.write(text)
        anew = {}
        for to, files in self.depends.items():
            if changed in files:
                new = folder + '/' + os.path.basename(to)
                name = os.path.basename(to)[4:-2]
                source = lib + self.lib[name][len(TOP + '/lib'):] if '/lib_' in to else self.source_of(to)
                if not self.compile(source, new, lib):
                    return None
                anew[to] = new
        objects = [self.folder + '/lib_' + name + '.o' for name in self.lib]
        if self.link_lib([anew.get(o, o) for o in objects], folder + '/libevl.so').returncode:
            return None
        is_shared_new = any(o in anew for o in self.objects_of(self.shared))
        if is_shared_new:
            self.link_shared(self.objects_of(self.shared, anew), folder + '/shared.a')
        else:
            os.symlink(self.folder + '/shared.a', folder + '/shared.a')
        rebuilt = set()
        for name, parts in self.programs.items():
            if any(o in anew for o in self.objects_of(parts)) or (is_shared_new and 'model/' in name):
                if self.link_program(self.objects_of(parts, anew), folder,
                                     self.program(folder, name)).returncode:
                    return None
                rebuilt.add(name)
        return rebuilt

    def source_of(self, to):
        for parts in list(self.programs.values()) + [self.shared]:
            for s in parts:
                if self.object_of(self.folder, s) == to:
                    return TOP + '/test/' + s
        return None

    def noticed_by(self, file, text):
        """Returns the program that fails with `text` in place of lib/`file`, '' if none
        fails, or None if the text does not compile."""
        folder = tempfile.mkdtemp(prefix='m', dir=self.folder)
        try:
            rebuilt = self.rebuild(folder, file, text)
            if rebuilt is None:
                return None
            with self.lock:
                order = list(self.order)
            for name in order:
                if not self.passes(folder if name in rebuilt else self.folder, folder, name):
                    self.prefer(name)
                    return name
            return ''
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def prefer(self, name):
        """A program that has noticed a mutant runs earlier from now on."""
        with self.lock:
            i = self.order.index(name)
            self.order.insert(max(0, i // 2), self.order.pop(i))


# --- Mutants ---------------------------------------------------------------------

class Mutant:
    def __init__(self, file, line, function, old, new, text):
        self.file, self.line, self.function = file, line, function
        self.old, self.new, self.text = old.strip(), new.strip(), text

    def key(self):
        return (self.file, self.function, self.old, self.new)

    def __str__(self):
        return '%s:%d: %s()\n-\t%s\n+\t%s' % (self.file, self.line, self.function, self.old, self.new)


SWAPS = [
    (r'==', '!='), (r'!=', '=='), (r'&&', '||'), (r'\|\|', '&&'),
    (r'<=', '<'), (r'(?<!-)>=', '>'), (r'(?<![<-])<(?![<=])', '<='), (r'(?<![->])>(?![>=])', '>='),
    (r'\+\+', '--'), (r'--', '++'), (r'\+=', '-='), (r'-=', '+='), (r'\|=', '='), (r'&=(?!=)', '='),
    (r'(?<= )\+(?= )', '-'), (r'(?<= )-(?= )', '+'), (r'<<', '>>'), (r'>>', '<<'),
    (r'(?<![\w.])0(?![\w.])', '1'), (r'(?<![\w.-])1(?![\w.])', '0'), (r'-1\b', '0'),
    (r'!(?!=)', ''),
    (r'\bEVL_QUEUED\b', 'EVL_GRANTED'), (r'\bEVL_GRANTED\b', 'EVL_HELD'), (r'\bEVL_HELD\b', 'EVL_GRANTED'),
    (r'\bEVL_FAILED\b', 'EVL_FREE'), (r'\bEVL_FREE\b', 'EVL_HELD'),
    (r'\bE(?:INVAL|NOENT|AGAIN|CANCELED|TIMEDOUT|DEADLK|BUSY|EXIST|NOMEM|PERM)\b', 'EXDEV'),
    (r'(?<=->)next\b', 'prev'), (r'(?<=->)prev\b', 'next'),
]

DECLARATION = re.compile(r'\s*(?:static |const |volatile )*(?:struct \w+|union \w+|enum \w+|unsigned|int|'
                         r'void|char|size_t|u?int\d+_t|evlock_\w+|pid_t|evutil_socket_t)\b[\s*]*\**\w+')


def without_comments(lines):
    """Returns the lines with comments and strings blanked out."""
    text = '\n'.join(lines)
    blank = lambda m: re.sub(r'[^\n]', ' ', m.group())
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S).split('\n')


def functions(code):
    """Returns, for each line, the function whose body has it, or None."""
    result, name, is_body = [], None, False
    for line in code:
        match = re.match(r'(\w+)\(', line)
        if match:
            name = match.group(1)
        if line.startswith('}'):
            is_body = False
        result.append(name if is_body else None)
        if line.startswith('{') and name:
            is_body = True
    return result


def closing(code, start):
    """Returns the index after the parenthesis that opens at `start`, or -1."""
    depth = 0
    for i in range(start, len(code)):
        depth += {'(': 1, ')': -1}.get(code[i], 0)
        if not depth:
            return i + 1
    return -1


def changes(line, code):
    """Returns every small change of one line."""
    for pattern, new in SWAPS:
        for m in re.finditer(pattern, code):
            yield line[:m.start()] + new + line[m.end():]
    for m in re.finditer(r'\b(if|while) (?=\()', code):
        end = closing(code, m.end())
        if end > 0:
            yield line[:m.end()] + '(0)' + line[end:]
            if m.group(1) == 'if':
                yield line[:m.end()] + '(1)' + line[end:]
    statement = re.fullmatch(r'(\t+)([^\t].*;)\s*', code)
    if statement and not DECLARATION.match(code) and not re.match(
            r'\s*(return\b|goto |for |case |default:|while |do |if )', code) and code.count('(') == code.count(')'):
        yield statement.group(1) + ';' + line[len(code.rstrip()):]


def mutants_of(file):
    with open(TOP + '/lib/' + file) as f:
        lines = f.read().split('\n')
    code = without_comments(lines)
    inside = functions(code)
    for i, line in enumerate(lines):
        if inside[i] and not line.startswith('#'):
            seen = {line}
            for new in changes(line, code[i]):
                if new not in seen:
                    seen.add(new)
                    text = '\n'.join(lines[:i] + [new] + lines[i + 1:])
                    yield Mutant(file, i + 1, inside[i], line, new, text)


# --- test/mutants.txt -----------------------------------------------------------

def read_list():
    """The blocks of test/mutants.txt: (kind, file, function, reason, old, new)."""
    with open(TOP + '/test/mutants.txt') as f:
        text = re.sub(r'^#.*\n', '', f.read(), flags=re.M)
    for block in re.split(r'\n\s*\n', text.strip()):
        m = re.fullmatch(r'(must|same) (\S+) (\w+): (.*)\n-(.*)\n\+(.*)', block)
        if not m:
            sys.exit('mutate: test/mutants.txt: not understood:\n' + block)
        yield m.groups()


def must_be_noticed():
    seen = set()
    for kind, file, function, reason, old, new in read_list():
        if (file, function, old, new) in seen:
            sys.exit('mutate: test/mutants.txt: %s: %s() has the same mutant twice: %s' % (file, function, old))
        seen.add((file, function, old, new))
        if kind == 'must':
            yield reason, mutant_by_text(file, function, old.strip(), new.strip())


def mutant_by_text(file, function, old, new):
    """Replaces `old` by `new`.  `old` is part of one line, and the function has it once."""
    with open(TOP + '/lib/' + file) as f:
        lines = f.read().split('\n')
    inside = functions(without_comments(lines))
    found = [i for i, line in enumerate(lines) if inside[i] == function and old in line]
    if len(found) != 1:
        sys.exit('mutate: test/mutants.txt: lib/%s: %s() has this %d times, not once: %s'
                 % (file, function, len(found), old))
    i = found[0]
    changed = lines[:i] + [lines[i].replace(old, new)] + lines[i + 1:]
    return Mutant(file, i + 1, function, lines[i], changed[i], '\n'.join(changed))


def todays(mutants, n):
    """One in `n`: all have had their turn after as many days."""
    return mutants[int(time.time() / 86400) % n::n]


def known_to_be_the_same():
    return {(file, function, old.strip(), new.strip())
            for kind, file, function, _, old, new in read_list() if kind == 'same'}


# --- Running ------------------------------------------------------------------------

def try_all(build, mutants, jobs):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        by = pool.map(lambda m: build.noticed_by(m.file, m.text), mutants)
        yield from zip(mutants, by)


def try_sanitized(left, options, scratch):
    """Tries mutants again with sanitizers: yields as try_all()."""
    if not left or options.plain:
        return [(mutant, '') for mutant in left]
    sanitized = Build(scratch + '/sanitized', SANITIZED)
    sanitized.build_all(options.jobs)
    return try_all(sanitized, left, options.jobs)


def run_fixed(build, options, reasons, scratch):
    left = []
    reason_of = {mutant: reason for reason, mutant in reasons}
    say = lambda what, mutant, by='': print('%-8s %-60s %s' % (what, reason_of[mutant], by), flush=True)
    build.build_all(options.jobs)
    for mutant, by in try_all(build, [m for _, m in reasons], options.jobs):
        if by is None:
            sys.exit('mutate: does not compile: %s' % mutant)
        if by:
            say('noticed', mutant, by)
        else:
            left.append(mutant)
    survivors = 0
    for mutant, by in try_sanitized(left, options, scratch):
        say('noticed' if by else 'SURVIVES', mutant, by and by + ', with sanitizers')
        survivors += not by
    print('%d of %d mutants noticed' % (len(reasons) - survivors, len(reasons)))
    return survivors


def run_all(build, options, scratch):
    same = known_to_be_the_same()
    mutants = [m for f in options.files or files() for m in mutants_of(f) if m.key() not in same]
    if options.sample:
        mutants = mutants[::max(1, len(mutants) // options.sample)]
    if options.list:
        print('\n'.join(str(m) for m in mutants))
        return 0
    build.build_all(options.jobs)
    left, counts, by_file = [], {'noticed': 0, 'not compiled': 0}, {}
    for n, (mutant, by) in enumerate(try_all(build, mutants, options.jobs)):
        if by is None:
            counts['not compiled'] += 1
        elif by:
            counts['noticed'] += 1
            by_file[mutant.file] = by_file.get(mutant.file, 0) + 1
        else:
            left.append(mutant)
        if n % 100 == 99:
            print('# %d of %d, %d left' % (n + 1, len(mutants), len(left)), flush=True)
    results = list(try_sanitized(left, options, scratch))
    counts['noticed by sanitizers'] = sum(bool(by) for _, by in results)
    left = [m for m, by in results if not by]
    for mutant in left:
        print(mutant, flush=True)
    counts['survive'] = len(left)
    total = sum(n for what, n in counts.items() if what != 'not compiled')
    print('%d mutants, %s: %.1f %% noticed' % (total, ', '.join('%d %s' % (n, what)
          for what, n in counts.items()), 100.0 * (total - len(left)) / max(1, total)))
    return len(left)


def take_copy(folder):
    """Makes TOP a copy, so that nobody edits it meanwhile."""
    global TOP
    for name in ('lib', 'include', 'test'):
        shutil.copytree(TOP + '/' + name, folder + '/' + name)
    TOP = folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('files', nargs='*', help='files of lib/, with --all')
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--check', action='store_true', help='only see whether test/mutants.txt fits')
    parser.add_argument('--one-of', type=int, default=1, metavar='N', help='one in N of test/mutants.txt')
    parser.add_argument('--list', action='store_true', help='only print the mutants')
    parser.add_argument('--sample', type=int, help='about so many of them, evenly spread')
    parser.add_argument('--plain', action='store_true', help='do not try survivors with sanitizers')
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.check:
        print('%d mutants' % len(list(must_be_noticed())))
        return False
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    start = time.time()
    with tempfile.TemporaryDirectory(prefix='evlock-mutate-') as scratch:
        take_copy(scratch + '/copy')
        build = Build(scratch + '/plain', PLAIN)
        if options.all:
            failed = run_all(build, options, scratch)
        else:
            failed = run_fixed(build, options, todays(list(must_be_noticed()), options.one_of),
                               scratch)
    print('# %d s' % (time.time() - start))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
