# SPDX-License-Identifier: BSD-3-Clause

# The tests of lib/etcd, and what they run beside it.
#
#   url reply        pure parts
#   faults           what a real etcd will not do on demand; a server in the same loop does it
#   real.sh          runs `real`, sessions and places, against an etcd of its own; skipped where
#                    there is none
#   locks.sh         the same for <evlock/etcd.h>
#   secure.sh        the same with TLS and users

if ETCD
etcd_unit_tests = test/etcd/faults test/etcd/reply test/etcd/url
check_PROGRAMS += $(etcd_unit_tests) test/etcd/locks test/etcd/real test/etcd/secure
TESTS += $(etcd_unit_tests) test/etcd/locks.sh test/etcd/real.sh \
	test/etcd/secure.sh
etcd_fuzz = fuzz-reply
endif

etcd_cppflags = $(AM_CPPFLAGS) $(ETCD_CFLAGS)
etcd_ldadd = lib/etcd/libetcd_internal.la $(LDADD) $(ETCD_LIBS)

test_etcd_url_SOURCES = test/etcd/url.c test/shim.h
test_etcd_url_CPPFLAGS = $(etcd_cppflags)
test_etcd_url_LDADD = $(etcd_ldadd)
test_etcd_reply_SOURCES = test/etcd/reply.c test/shim.h
test_etcd_reply_CPPFLAGS = $(etcd_cppflags)
test_etcd_reply_LDADD = $(etcd_ldadd)

etcd_story = test/etcd/story.c test/etcd/story.h test/shim.h
test_etcd_real_SOURCES = test/etcd/real.c $(etcd_story)
test_etcd_real_CPPFLAGS = $(etcd_cppflags)
test_etcd_real_LDADD = $(etcd_ldadd)

test_etcd_faults_SOURCES = test/etcd/faults.c test/etcd/fake.c test/etcd/fake.h $(etcd_story)
test_etcd_faults_CPPFLAGS = $(etcd_cppflags)
test_etcd_faults_LDADD = $(etcd_ldadd)

test_etcd_locks_SOURCES = test/etcd/locks.c $(etcd_story)
test_etcd_locks_CPPFLAGS = $(etcd_cppflags)
test_etcd_locks_LDADD = $(etcd_ldadd)

test_etcd_secure_SOURCES = test/etcd/secure.c $(etcd_story)
test_etcd_secure_CPPFLAGS = $(etcd_cppflags)
test_etcd_secure_LDADD = $(etcd_ldadd)

EXTRA_DIST += test/etcd/locks.sh test/etcd/node.sh test/etcd/real.sh test/etcd/secure.sh

# The reader of answers, which anybody may have sent; a part of `make fuzz`.
fuzz-reply:
	$(MKDIR_P) variants/fuzz/reply-corpus variants/fuzz/reply-seeds
	awk '{ f = "variants/fuzz/reply-seeds/" NR; printf "%s", $$0 >f; close(f) }' \
		$(top_srcdir)/test/fuzz/replies.txt
	$(FUZZ_CC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(ETCD_CFLAGS) -std=c99 $(FUZZ_CFLAGS) \
		$(top_srcdir)/test/fuzz/fuzz_reply.c $(top_srcdir)/lib/etcd/reply.c \
		-o variants/fuzz/fuzz_reply $(ETCD_LIBS)
	cd variants/fuzz && ./fuzz_reply -max_total_time=$${FUZZ_SECONDS:-180} -max_len=4096 \
		-timeout=20 -print_final_stats=1 reply-corpus reply-seeds

EXTRA_DIST += test/fuzz/fuzz_reply.c test/fuzz/replies.txt

.PHONY: fuzz-reply

# Three nodes, six clients, and what may go wrong with them: minutes, as root.  CLUSTER_SECONDS=N for
# each fault, CLUSTER="FAULT..." for some of them.
EXTRA_PROGRAMS += test/cluster/client
CLEANFILES += test/cluster/client
test_cluster_client_SOURCES = test/cluster/client.c
test_cluster_client_LDADD = lib/etcd/libevlock_etcd.la lib/libevlock.la $(LIBEVENT_CORE_LIBS)

if ETCD
check-cluster: test/cluster/client
	python3 $(top_srcdir)/test/cluster/run.py test/cluster/client $(CLUSTER)
else
check-cluster:
	@echo 'check-cluster: configured without etcd' >&2; exit 1
endif

EXTRA_DIST += test/cluster/history.py test/cluster/run.py

.PHONY: check-cluster
