# SPDX-License-Identifier: BSD-3-Clause

# The tests of lib/scopes/etcd, and what they run beside it.
#
#   names url reply route tls   parts that need no server
#   faults           what a real etcd does not do on demand; a server in the same loop does it
#   real.sh          runs `real`, sessions and places, against an etcd of its own; skipped where
#                    there is none
#   locks.sh         the same for <evlock/etcd.h>
#   secure.sh        the same with TLS and users
#   named.sh         the same with users that are known by their certificates

if ETCD
etcd_unit_tests = test/etcd/faults test/etcd/names test/etcd/reply test/etcd/route test/etcd/tls test/etcd/url
check_PROGRAMS += $(etcd_unit_tests) test/etcd/locks test/etcd/named test/etcd/real test/etcd/secure
TESTS += $(etcd_unit_tests) test/etcd/locks.sh test/etcd/named.sh test/etcd/real.sh \
	test/etcd/secure.sh
etcd_fuzz = fuzz-reply fuzz-h2
endif

etcd_cppflags = $(AM_CPPFLAGS) $(ETCD_CFLAGS) -iquote lib/scopes/etcd
etcd_ldadd = lib/scopes/etcd/libetcd_internal.la $(LDADD) $(ETCD_LIBS)

test_etcd_url_SOURCES = test/etcd/url.c test/shim.h
test_etcd_url_CPPFLAGS = $(etcd_cppflags)
test_etcd_url_LDADD = $(etcd_ldadd)
test_etcd_names_SOURCES = test/etcd/names.c test/shim.h
test_etcd_names_CPPFLAGS = $(etcd_cppflags)
test_etcd_names_LDADD = $(etcd_ldadd)
test_etcd_reply_SOURCES = test/etcd/reply.c test/shim.h
test_etcd_reply_CPPFLAGS = $(etcd_cppflags)
test_etcd_reply_LDADD = $(etcd_ldadd)

test_etcd_route_SOURCES = test/etcd/route.c test/shim.h
test_etcd_route_CPPFLAGS = $(etcd_cppflags)
test_etcd_route_LDADD = $(etcd_ldadd)

etcd_story = test/etcd/story.c test/etcd/story.h test/shim.h
test_etcd_real_SOURCES = test/etcd/real.c $(etcd_story)
test_etcd_real_CPPFLAGS = $(etcd_cppflags)
test_etcd_real_LDADD = $(etcd_ldadd)

test_etcd_named_SOURCES = test/etcd/named.c $(etcd_story)
test_etcd_named_CPPFLAGS = $(etcd_cppflags)
test_etcd_named_LDADD = $(etcd_ldadd)

etcd_fake_tls = test/etcd/fake_tls.c test/etcd/fake_tls.h
test_etcd_tls_SOURCES = test/etcd/tls.c $(etcd_fake_tls) test/shim.h
test_etcd_tls_CPPFLAGS = $(etcd_cppflags)
test_etcd_tls_LDADD = $(etcd_ldadd)

test_etcd_faults_SOURCES = test/etcd/faults.c test/etcd/fake.c test/etcd/fake.h $(etcd_fake_tls) $(etcd_story)
test_etcd_faults_CPPFLAGS = $(etcd_cppflags)
test_etcd_faults_LDADD = $(etcd_ldadd)

test_etcd_locks_SOURCES = test/etcd/locks.c $(etcd_story)
test_etcd_locks_CPPFLAGS = $(etcd_cppflags)
test_etcd_locks_LDADD = $(etcd_ldadd)

test_etcd_secure_SOURCES = test/etcd/secure.c $(etcd_story)
test_etcd_secure_CPPFLAGS = $(etcd_cppflags)
test_etcd_secure_LDADD = $(etcd_ldadd)

EXTRA_DIST += test/etcd/certificates.sh test/etcd/locks.sh test/etcd/named.sh test/etcd/node.sh \
	test/etcd/real.sh test/etcd/secure.sh

# Fuzzes what a server may send: messages, and whole connections.  A part of `make fuzz`.
fuzz_etcd_sources = \
	$(top_srcdir)/lib/scopes/etcd/h2.c $(top_srcdir)/lib/scopes/etcd/h2mem.c $(top_srcdir)/lib/scopes/etcd/message.c \
	$(top_srcdir)/lib/scopes/etcd/reply.c $(top_srcdir)/lib/scopes/etcd/rpc.c $(top_srcdir)/lib/scopes/etcd/tls.c \
	lib/scopes/etcd/etcd.pb-c.c
fuzz_etcd_compile = $(FUZZ_CC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(ETCD_CFLAGS) -iquote lib/scopes/etcd \
	-std=c99 $(FUZZ_CFLAGS)
fuzz_etcd_run = -max_total_time=$${FUZZ_SECONDS:-180} -max_len=4096 -timeout=20 -print_final_stats=1

variants/fuzz/etcd-seeds: test/fuzz/seeds-etcd.py
	$(MKDIR_P) variants/fuzz/reply-corpus variants/fuzz/h2-corpus
	python3 $(top_srcdir)/test/fuzz/seeds-etcd.py $@

fuzz-reply fuzz-h2: variants/fuzz/etcd-seeds lib/scopes/etcd/etcd.pb-c.h lib/libevlock_internal.la
	name=$(@:fuzz-%=%) && \
	$(fuzz_etcd_compile) $(top_srcdir)/test/fuzz/fuzz_$$name.c $(fuzz_etcd_sources) \
		-o variants/fuzz/fuzz_$$name lib/.libs/libevlock_internal.a $(ETCD_LIBS) \
		$(LIBEVENT_CORE_LIBS) $(LIBS) && \
	cd variants/fuzz && ./fuzz_$$name $(fuzz_etcd_run) $$name-corpus etcd-seeds/$$name

EXTRA_DIST += test/fuzz/fuzz_h2.c test/fuzz/fuzz_reply.c test/fuzz/seeds-etcd.py

.PHONY: fuzz-h2 fuzz-reply

# Three nodes, six clients, and faults.  Takes minutes, as root.  CLUSTER_SECONDS=N sets the time of
# each fault, and CLUSTER="FAULT..." chooses some of them.
EXTRA_PROGRAMS += test/cluster/client test/cluster/waiters
CLEANFILES += test/cluster/client test/cluster/waiters
test_cluster_client_SOURCES = test/cluster/client.c
test_cluster_client_LDADD = lib/scopes/etcd/libevlock_etcd.la lib/libevlock.la $(LIBEVENT_CORE_LIBS)
test_cluster_waiters_SOURCES = test/cluster/waiters.c
test_cluster_waiters_LDADD = $(test_cluster_client_LDADD)

if ETCD
check-cluster: test/cluster/client test/cluster/waiters
	python3 $(top_srcdir)/test/cluster/run.py test/cluster/client $(CLUSTER)
else
check-cluster:
	@echo 'check-cluster: configured without etcd' >&2; exit 1
endif

EXTRA_DIST += test/cluster/history.py test/cluster/run.py

.PHONY: check-cluster
