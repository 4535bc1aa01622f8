# SPDX-License-Identifier: BSD-3-Clause

# Measures what evlock costs; see bench/README.  `make` builds nothing of this, and
# `make check` runs nothing of it:
#
#   make bench            measures; FLOOR=DIR, RUNS=N, WORKLOADS="W1 W2:1000"
#   make bench-file       locks between processes; RUNS=N, WORKLOADS="W7:1000"
#   make bench-smoke      runs everything at tiny sizes, and measures nothing

bench_programs = bench/evlock bench/libevent bench/rwlock bench/several
EXTRA_PROGRAMS += $(bench_programs)

bench_evlock_SOURCES = bench/evlock.c bench/bench.c bench/bench.h bench/loop.h
bench_evlock_LDADD = lib/libevlock.la $(LIBEVENT_CORE_LIBS)
# Linked statically: the floor is one file too, and calls nothing through a table.
bench_evlock_LDFLAGS = $(AM_LDFLAGS) -static

bench_libevent_SOURCES = bench/libevent.c bench/bench.c bench/bench.h bench/loop.h
bench_libevent_LDADD = $(LIBEVENT_CORE_LIBS)

bench_rwlock_SOURCES = bench/rwlock.c bench/bench.c bench/bench.h
bench_rwlock_LDADD =

bench_several_SOURCES = bench/several.c bench/bench.c bench/bench.h
bench_several_LDADD = lib/libevlock.la $(LIBEVENT_CORE_LIBS)
bench_several_LDFLAGS = $(AM_LDFLAGS) -static

# Two threads: see threads.c.
bench_threads_SOURCES = bench/threads.c bench/bench.c bench/bench.h
bench_threads_LDADD = lib/libevlock.la $(LIBEVENT_PTHREADS_LIBS) $(LIBEVENT_CORE_LIBS)
bench_threads_LDFLAGS = $(AM_LDFLAGS) -static
if HAVE_LIBEVENT_PTHREADS
bench_programs += bench/threads
endif

EXTRA_DIST += bench/README bench/etcd-run bench/etcd_mutex.go bench/file-run bench/file_fasteners.py \
	bench/medians.awk bench/run bench/smoke
CLEANFILES += $(bench_programs) bench/floor bench/raw bench/smoke.out bench/smoke.raw

bench: $(bench_programs)
	@BENCH=bench CC='$(CC)' $(SHELL) $(srcdir)/bench/run $(WORKLOADS)
	@test -n '$(WORKLOADS)' || bench/several

bench-smoke: $(bench_programs) $(file_programs)
	@BENCH=bench CC='$(CC)' RAW=bench/smoke.raw $(SHELL) $(srcdir)/bench/smoke

# Locks between processes: see file.c.
bench_file_SOURCES = bench/file.c bench/bench.c bench/bench.h
bench_file_LDADD = lib/libevlock.la $(LIBEVENT_PTHREADS_LIBS) $(LIBEVENT_CORE_LIBS)
bench_file_LDFLAGS = $(AM_LDFLAGS) -static
file_programs =
if HAVE_LIBEVENT_PTHREADS
if OFD
file_programs += bench/file
endif
endif
EXTRA_PROGRAMS += $(file_programs)
CLEANFILES += $(file_programs) bench/file.raw

bench-file: $(file_programs)
	@test -x bench/file || \
		{ echo 'bench-file: configured without libevent_pthreads or OFD locks' >&2; exit 1; }
	@BENCH=bench $(SHELL) $(srcdir)/bench/file-run $(WORKLOADS)

# Locks on etcd: on one node of its own.  RUNS=N; or WORKLOADS="E1 E2:100", once
EXTRA_PROGRAMS += bench/etcd
CLEANFILES += bench/etcd bench/etcd.raw bench/etcd_mutex
bench_etcd_SOURCES = bench/etcd.c bench/bench.c bench/bench.h
bench_etcd_CPPFLAGS = $(AM_CPPFLAGS) $(ETCD_CFLAGS)
bench_etcd_LDADD = lib/scopes/etcd/libetcd_internal.la lib/libevlock.la $(ETCD_LIBS) $(LIBEVENT_EXTRA_LIBS) \
	$(LIBEVENT_CORE_LIBS)

if ETCD
bench-etcd: bench/etcd
	@abs_top_builddir='$(abs_top_builddir)' $(SHELL) $(srcdir)/bench/etcd-run $(WORKLOADS)
else
bench-etcd:
	@echo 'bench-etcd: configured without etcd' >&2; exit 1
endif

.PHONY: bench bench-etcd bench-file bench-smoke
