# SPDX-License-Identifier: BSD-3-Clause

# Programs to start from; samples/README says what each of them shows.

if SAMPLES
small_samples = samples/guarded-value samples/hello-lock samples/intention-modes \
	samples/lock-server samples/nowait-notify samples/rate-limiter samples/session \
	samples/transfer
noinst_PROGRAMS += $(small_samples) samples/document-server/document-server samples/demo/demo

samples_guarded_value_SOURCES = samples/guarded-value.c
samples_guarded_value_LDADD = $(sample_libs)
samples_hello_lock_SOURCES = samples/hello-lock.c
samples_hello_lock_LDADD = $(sample_libs)
samples_intention_modes_SOURCES = samples/intention-modes.c
samples_intention_modes_LDADD = $(sample_libs)
samples_lock_server_SOURCES = samples/lock-server.c
samples_lock_server_LDADD = $(sample_libs)
samples_nowait_notify_SOURCES = samples/nowait-notify.c
samples_nowait_notify_LDADD = $(sample_libs)
samples_rate_limiter_SOURCES = samples/rate-limiter.c
samples_rate_limiter_LDADD = $(sample_libs)
samples_session_SOURCES = samples/session.c
samples_session_LDADD = $(sample_libs)
samples_transfer_SOURCES = samples/transfer.c
samples_transfer_LDADD = $(sample_libs)

# A sample sees what a user sees: the library that is installed, not its internals.
sample_libs = lib/libevlock.la $(LIBEVENT_CORE_LIBS)

if ETCD
document_server_etcd_cppflags = -DWITH_ETCD
document_server_etcd_libs = lib/scopes/etcd/libevlock_etcd.la
endif
samples_document_server_document_server_CPPFLAGS = $(AM_CPPFLAGS) $(document_server_etcd_cppflags)
samples_document_server_document_server_LDADD = $(document_server_etcd_libs) $(sample_libs) $(LIBEVENT_EXTRA_LIBS) \
	$(LIBEVENT_PTHREADS_LIBS)
samples_document_server_document_server_SOURCES = \
	samples/document-server/append.c samples/document-server/append.h \
	samples/document-server/client.c samples/document-server/client.h \
	samples/document-server/door.c samples/document-server/door.h \
	samples/document-server/get.c samples/document-server/get.h \
	samples/document-server/job.c samples/document-server/job.h \
	samples/document-server/lines.c samples/document-server/lines.h \
	samples/document-server/locks.c samples/document-server/locks.h \
	samples/document-server/loop.c samples/document-server/loop.h \
	samples/document-server/mailbox.c samples/document-server/mailbox.h \
	samples/document-server/main.c \
	samples/document-server/move.c samples/document-server/move.h \
	samples/document-server/name.c samples/document-server/name.h \
	samples/document-server/options.c samples/document-server/options.h \
	samples/document-server/put.c samples/document-server/put.h \
	samples/document-server/reply.c samples/document-server/reply.h \
	samples/document-server/routes.c samples/document-server/routes.h \
	samples/document-server/save.c samples/document-server/save.h \
	samples/document-server/server.c samples/document-server/server.h \
	samples/document-server/show.c samples/document-server/show.h \
	samples/document-server/store.c samples/document-server/store.h \
	samples/document-server/workers.c samples/document-server/workers.h

samples_demo_demo_LDADD = $(LIBEVENT_CORE_LIBS) $(LIBEVENT_EXTRA_LIBS)
samples_demo_demo_SOURCES = \
	samples/demo/child.c samples/demo/child.h \
	samples/demo/client.c samples/demo/client.h \
	samples/demo/clock.h \
	samples/demo/folder.c samples/demo/folder.h \
	samples/demo/killer.c samples/demo/killer.h \
	samples/demo/ledger.c samples/demo/ledger.h \
	samples/demo/main.c \
	samples/demo/options.c samples/demo/options.h \
	samples/demo/reader.c samples/demo/reader.h \
	samples/demo/report.c samples/demo/report.h \
	samples/demo/run.c samples/demo/run.h \
	samples/demo/texts.c samples/demo/texts.h \
	samples/demo/writer.c samples/demo/writer.h

if ETCD
noinst_PROGRAMS += samples/leader/leader
TESTS += samples/leader/test-leader.sh samples/test-servers.sh
endif
samples_leader_leader_SOURCES = \
	samples/leader/leader.c \
	samples/leader/store.c samples/leader/store.h
samples_leader_leader_LDADD = lib/scopes/etcd/libevlock_etcd.la $(sample_libs)

# A command for everyday use, which is installed.
bin_PROGRAMS = samples/evflock/evflock
dist_man1_MANS = samples/evflock/evflock.1
samples_evflock_evflock_LDADD = $(sample_libs) $(LIBEVENT_PTHREADS_LIBS)
samples_evflock_evflock_SOURCES = \
	samples/evflock/command.c samples/evflock/command.h \
	samples/evflock/evflock.c \
	samples/evflock/holders.c samples/evflock/holders.h \
	samples/evflock/kernel.c samples/evflock/kernel.h \
	samples/evflock/leave.c samples/evflock/leave.h \
	samples/evflock/list.c samples/evflock/list.h \
	samples/evflock/locks.c samples/evflock/locks.h \
	samples/evflock/loop.c samples/evflock/loop.h \
	samples/evflock/numbers.c samples/evflock/numbers.h \
	samples/evflock/opened.c samples/evflock/opened.h \
	samples/evflock/options.c samples/evflock/options.h \
	samples/evflock/proc.c samples/evflock/proc.h \
	samples/evflock/waits.c samples/evflock/waits.h

demo: samples/demo/demo samples/document-server/document-server
	@samples/demo/demo --server samples/document-server/document-server

check_PROGRAMS += samples/ask
samples_ask_SOURCES = samples/ask.c
samples_ask_LDADD =

TESTS += samples/test-samples.sh samples/evflock/test-evflock.sh samples/evflock/test-table.sh \
	test/file/interop.sh
else
demo:
	@echo 'demo: configured without the samples' >&2; exit 1
endif

EXTRA_DIST += samples/leader/test-leader.sh samples/test-servers.sh samples/README samples/test-samples.sh samples/tsan.supp
EXTRA_DIST += samples/evflock/test-evflock.sh samples/evflock/test-table.sh
EXTRA_DIST += test/file/interop.sh test/file/peer.py test/tap.sh

.PHONY: demo
