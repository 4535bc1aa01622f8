# SPDX-License-Identifier: BSD-3-Clause

# A test program, test/unit/core say, takes three lines (see the top Makefile.am for what it is linked with):
#   check_PROGRAMS += test/unit/core
#   TESTS += test/unit/core
#   test_unit_core_SOURCES = test/unit/core.c

# MUST(), and how much a test does: see must.h.
must = test/must.c test/must.h

# --- Units, and the runner itself: see test/README --------------------------------

unit_tests = \
	test/unit/acquire test/unit/bad test/unit/check test/unit/close test/unit/convert \
	test/unit/fork test/unit/free test/unit/handles test/unit/lock test/unit/look \
	test/unit/mem test/unit/modes test/unit/notice test/unit/notify test/unit/own \
	test/unit/port test/unit/priority test/unit/queue test/unit/seed_fifolock \
	test/unit/seed_multilock test/unit/steady test/unit/text test/unit/timeout \
	test/unit/value test/unit/with test/unit/withdraw

unit_common = test/util.c test/util.h test/shim.h
test_unit_acquire_SOURCES = test/unit/acquire.c $(unit_common)
test_unit_bad_SOURCES = test/unit/bad.c $(unit_common)
test_unit_check_SOURCES = test/unit/check.c $(unit_common)
test_unit_close_SOURCES = test/unit/close.c $(unit_common)
test_unit_convert_SOURCES = test/unit/convert.c $(unit_common)
test_unit_fork_SOURCES = test/unit/fork.c $(unit_common)
test_unit_free_SOURCES = test/unit/free.c test/util3.c test/util3.h $(unit_common)
test_unit_handles_SOURCES = test/unit/handles.c $(unit_common)
test_unit_lock_SOURCES = test/unit/lock.c $(unit_common)
test_unit_look_SOURCES = test/unit/look.c $(unit_common)
test_unit_mem_SOURCES = test/unit/mem.c test/scenario.c test/scenario.h $(unit_common)
test_unit_modes_SOURCES = test/unit/modes.c $(unit_common)
test_unit_notice_SOURCES = test/unit/notice.c $(unit_common)
test_unit_notify_SOURCES = test/unit/notify.c $(unit_common)
test_unit_own_SOURCES = test/unit/own.c $(unit_common)
test_unit_port_SOURCES = test/unit/port.c $(unit_common)
test_unit_priority_SOURCES = test/unit/priority.c $(unit_common)
test_unit_queue_SOURCES = test/unit/queue.c $(unit_common)
test_unit_seed_fifolock_SOURCES = test/unit/seed_fifolock.c $(unit_common)
test_unit_seed_multilock_SOURCES = test/unit/seed_multilock.c $(unit_common)
test_unit_steady_SOURCES = test/unit/steady.c $(unit_common)
test_unit_text_SOURCES = test/unit/text.c $(unit_common)
test_unit_timeout_SOURCES = test/unit/timeout.c $(unit_common)
test_unit_value_SOURCES = test/unit/value.c $(unit_common)
test_unit_with_SOURCES = test/unit/with.c $(unit_common)
test_unit_withdraw_SOURCES = test/unit/withdraw.c $(unit_common)

# See wake.c.
if HAVE_LIBEVENT_PTHREADS
check_PROGRAMS += test/unit/wake
TESTS += test/unit/wake
test_unit_wake_SOURCES = test/unit/wake.c test/shim.h
test_unit_wake_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=event_active -Wl,--wrap=write
endif

# Not a test: it has mistakes that test/shim-selftest.sh must find.
test_planted_SOURCES = test/planted.c test/shim.h
test_planted_LDADD = $(CRITERION_LIBS)

check_PROGRAMS += $(unit_tests) test/planted
TESTS += $(unit_tests) test/house.sh test/shim-selftest.sh test/readme.sh
EXTRA_DIST += test/README test/house.sh test/readme.sh test/shim-selftest.sh test/valgrind.supp
# For test/readme.sh.
AM_TESTS_ENVIRONMENT += \
	LIBEVENT_CFLAGS='$(LIBEVENT_CORE_CFLAGS)' RUN_CFLAGS='$(RUN_CFLAGS)' \
	LIBEVENT_LIBS='$(LIBEVENT_CORE_LIBS) $(LIBEVENT_PTHREADS_LIBS)' \
	HAVE_PTHREADS='$(LIBEVENT_PTHREADS_LIBS)'; \
	export LIBEVENT_CFLAGS RUN_CFLAGS LIBEVENT_LIBS HAVE_PTHREADS;

# --- End of the units ----------------------------------------------------------------

# --- test/model, test/fuzz, test/mutate.py ---------------------------------------
#
# The model, and the code that runs the library beside it: see test/model/model.h,
# pair.h.

check_LTLIBRARIES = test/model/libmodel.la
test_model_libmodel_la_SOURCES = \
	test/model/choices.c test/model/choices.h \
	test/model/decide.c \
	test/model/explore.c test/model/explore.h \
	test/model/model.c test/model/model.h \
	test/model/pair.c test/model/pair.h \
	test/model/tables.c test/model/tables.h

# See pair.h.
pair_ldflags = $(AM_LDFLAGS) -Wl,--wrap=evl_end_expire

model_tests = \
	test/model/random \
	test/model/sequences \
	test/model/states \
	test/model/ways
check_PROGRAMS += $(model_tests)
TESTS += $(model_tests)

test_model_random_SOURCES = test/model/random.c $(must)
test_model_random_LDADD = test/model/libmodel.la $(LDADD)
test_model_random_LDFLAGS = $(pair_ldflags)
test_model_sequences_SOURCES = test/model/sequences.c $(must)
test_model_sequences_LDADD = test/model/libmodel.la $(LDADD)
test_model_sequences_LDFLAGS = $(pair_ldflags)
test_model_states_SOURCES = test/model/states.c $(must)
test_model_states_LDADD = test/model/libmodel.la $(LDADD)
test_model_states_LDFLAGS = $(pair_ldflags)
test_model_ways_SOURCES = test/model/ways.c $(must)
test_model_ways_LDADD = test/model/libmodel.la $(LDADD)

# The fuzz target without libFuzzer: known and random inputs.
check_PROGRAMS += test/fuzz/replay
TESTS += test/fuzz/replay.sh
test_fuzz_replay_SOURCES = test/fuzz/fuzz_lock.c test/fuzz/replay.c $(must)
test_fuzz_replay_LDADD = test/model/libmodel.la $(LDADD)
test_fuzz_replay_LDFLAGS = $(pair_ldflags)

EXTRA_DIST += test/fuzz/known.txt test/fuzz/replay.sh test/mutate.py test/mutants.txt

# make fuzz FUZZ_SECONDS=600.  Writes the inputs that fail to variants/fuzz/.  Add them, in
# hexadecimal, to test/fuzz/known.txt.
FUZZ_CC = clang
FUZZ_CFLAGS = -g -O2 -fno-omit-frame-pointer -DEVLOCK_DEBUG \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
fuzz_sources = test/fuzz/fuzz_lock.c \
	$(filter %.c,$(lib_libevlock_internal_la_SOURCES) $(test_model_libmodel_la_SOURCES) $(must))
fuzz_unwanted = test/model/explore.c

fuzz: test/fuzz/replay $(etcd_fuzz)
	@command -v $(FUZZ_CC) >/dev/null || { echo 'fuzz: $(FUZZ_CC) was not found' >&2; exit 1; }
	$(MKDIR_P) variants/fuzz/corpus variants/fuzz/seeds
	test/fuzz/replay --write variants/fuzz/seeds --random 50 \
		--hex $(top_srcdir)/test/fuzz/known.txt
	$(FUZZ_CC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) -std=c99 $(FUZZ_CFLAGS) \
		$(addprefix $(top_srcdir)/,$(filter-out $(fuzz_unwanted),$(fuzz_sources))) \
		-o variants/fuzz/fuzz_lock -Wl,--wrap=evl_end_expire $(LIBEVENT_CORE_LIBS) -lpthread
	cd variants/fuzz && ./fuzz_lock -max_total_time=$${FUZZ_SECONDS:-60} -max_len=600 \
		-seed=$${EVLOCK_TEST_SEED:-0} -timeout=20 -print_final_stats=1 corpus seeds

# The long runs of the model tests and of threads: up to half an hour.
stress: $(model_tests) $(thread_tests) $(file_stress_tests) test/fuzz/replay
	EVLOCK_TEST_SCALE=large EVLOCK_TEST_TIMEOUT=3600 \
		$(MAKE) $(AM_MAKEFLAGS) check \
		TESTS='$(model_tests) $(thread_tests) $(file_stress_tests) test/fuzz/replay.sh'

# Breaks the library on purpose and checks that the tests notice; `test/mutate.py --help`.
check-mutation:
	CC='$(CC)' python3 $(top_srcdir)/test/mutate.py

.PHONY: check-mutation fuzz stress

# --- end of test/model, test/fuzz, test/mutate.py --------------------------------

# --- Units of semaphores, owners, sets and tables ---------------------------------

session_unit_tests = \
	test/unit/deadlock test/unit/growth test/unit/mem_all test/unit/observe test/unit/order \
	test/unit/outside \
	test/unit/over test/unit/owner \
	test/unit/seed_fasteners_owner \
	test/unit/seed_multilock_set test/unit/semaphore test/unit/set test/unit/table

session_unit_common = $(unit_common) test/util3.c test/util3.h
test_unit_deadlock_SOURCES = test/unit/deadlock.c $(session_unit_common)
test_unit_growth_SOURCES = test/unit/growth.c $(session_unit_common)
test_unit_mem_all_SOURCES = test/unit/mem_all.c test/scenario.c test/scenario.h \
	$(session_unit_common)
test_unit_observe_SOURCES = test/unit/observe.c $(session_unit_common)
test_unit_order_SOURCES = test/unit/order.c $(session_unit_common)
test_unit_outside_SOURCES = test/unit/outside.c $(unit_common)
test_unit_over_SOURCES = test/unit/over.c $(session_unit_common)
test_unit_owner_SOURCES = test/unit/owner.c test/owners.h $(session_unit_common)
test_unit_seed_fasteners_owner_SOURCES = test/unit/seed_fasteners_owner.c test/owners.h \
	$(session_unit_common)
test_unit_seed_multilock_set_SOURCES = test/unit/seed_multilock_set.c $(session_unit_common)
test_unit_semaphore_SOURCES = test/unit/semaphore.c $(session_unit_common)
test_unit_set_SOURCES = test/unit/set.c $(session_unit_common)
test_unit_table_SOURCES = test/unit/table.c $(session_unit_common)

check_PROGRAMS += $(session_unit_tests)
TESTS += $(session_unit_tests) test/threadsafe.sh
EXTRA_DIST += test/threadsafe.sh
AM_TESTS_ENVIRONMENT += unit_tests='$(unit_tests) $(session_unit_tests)'; export unit_tests;

# --- End of the units of semaphores, owners, sets and tables ----------------------

# --- test/stress: runs with a point of their own -----------------------------------------

stress_tests = test/stress/philosophers test/stress/deadlocks
check_PROGRAMS += $(stress_tests)
TESTS += $(stress_tests)
test_stress_philosophers_SOURCES = test/stress/philosophers.c test/shim.h $(must)
test_stress_deadlocks_SOURCES = test/stress/deadlocks.c test/shim.h $(must)

# --- Lock files -------------------------------------------------------------------------

file_tests = test/unit/file_claim
if HAVE_LIBEVENT_PTHREADS
file_tests += test/unit/file test/stress/file_races
check_PROGRAMS += test/file_failures
TESTS += test/file_failures.sh
endif
test_stress_file_races_SOURCES = test/stress/file_races.c $(file_common) $(must)
test_file_failures_SOURCES = test/file_failures.c test/files.c test/files.h test/shim.h
EXTRA_DIST += test/file_failures.sh
check_PROGRAMS += $(file_tests)
TESTS += $(file_tests)
file_common = test/files.c test/files.h test/shim.h
test_unit_file_SOURCES = test/unit/file.c test/util.c test/util.h $(file_common)
test_unit_file_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=evl_helper_start
test_unit_file_claim_SOURCES = test/unit/file_claim.c $(file_common)

file_stress_tests = test/stress/file_kills test/stress/file_readers test/stress/file_sets
check_PROGRAMS += $(file_stress_tests)
TESTS += $(file_stress_tests)
test_stress_file_kills_SOURCES = test/stress/file_kills.c $(file_common) $(must)
test_stress_file_readers_SOURCES = test/stress/file_readers.c $(file_common) $(must)
test_stress_file_sets_SOURCES = test/stress/file_sets.c $(file_common) $(must)

# --- End of lock files --------------------------------------------------------------------

# Tests that run threads, if libevent_pthreads exists.
if HAVE_LIBEVENT_PTHREADS
thread_tests = test/stress/threads test/stress/anything/anything test/stress/forks \
	test/model/schedules
thread_unit_tests = test/unit/cancel test/unit/forks test/unit/share test/unit/seed_fasteners
check_PROGRAMS += $(thread_tests) $(thread_unit_tests)
TESTS += $(thread_tests) $(thread_unit_tests)
endif
test_unit_cancel_SOURCES = test/unit/cancel.c $(file_common)
test_unit_forks_SOURCES = test/unit/forks.c $(file_common)
test_unit_share_SOURCES = test/unit/share.c $(session_unit_common)
test_unit_seed_fasteners_SOURCES = test/unit/seed_fasteners.c $(session_unit_common) $(must)
test_stress_threads_SOURCES = test/stress/threads.c test/shim.h $(must)
test_stress_forks_SOURCES = test/stress/forks.c $(file_common) $(must)
# See schedules.c.
test_model_schedules_SOURCES = test/model/schedules.c test/shim.h $(must)
test_model_schedules_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pthread_mutex_lock,--wrap=pthread_mutex_unlock,--wrap=event_active \
	-Wl,--wrap=write,--wrap=eventfd
# Every public call at random, with the public headers only: see anything.h.
test_stress_anything_anything_SOURCES = \
	test/stress/anything/anything.h \
	test/stress/anything/asking.c \
	test/stress/anything/calls.c \
	test/stress/anything/canary.c \
	test/stress/anything/clock.c \
	test/stress/anything/ending.c \
	test/stress/anything/freeing.c \
	test/stress/anything/looking.c \
	test/stress/anything/loops.c \
	test/stress/anything/main.c \
	test/stress/anything/making.c \
	test/stress/anything/memory.c \
	test/stress/anything/neighbour.c \
	test/stress/anything/records.c \
	test/stress/anything/requests.c \
	test/stress/anything/round.c \
	test/stress/anything/tray.c

# make anything ANYTHING_ARGS='--threads 1': runs it for two minutes, with new seeds each time.
anything: test/stress/anything/anything
	EVLOCK_TEST_TIMEOUT=100000 $(LOG_COMPILER) test/stress/anything/anything \
		--seconds $${ANYTHING_SECONDS:-120} $${ANYTHING_ARGS}
.PHONY: anything
