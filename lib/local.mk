# SPDX-License-Identifier: BSD-3-Clause

# Built once, as a convenience library, which the tests link because they use hidden symbols.

evlockincludedir = $(includedir)/evlock
evlockinclude_HEADERS = \
	include/evlock/evlock.h \
	include/evlock/file.h \
	include/evlock/owner.h \
	include/evlock/semaphore.h \
	include/evlock/set.h \
	include/evlock/table.h

noinst_LTLIBRARIES = lib/libevlock_internal.la
lib_libevlock_internal_la_SOURCES = \
	lib/exports.h \
	lib/base/cancel.h \
	lib/base/fail.c lib/base/fail.h \
	lib/base/list.h \
	lib/base/mem.c lib/base/mem.h \
	lib/base/siphash.c lib/base/siphash.h \
	lib/base/text.c lib/base/text.h \
	lib/base/threads.c lib/base/threads.h \
	lib/rules/bound.c lib/rules/bound.h \
	lib/rules/change.c lib/rules/change.h \
	lib/rules/core.c lib/rules/core.h \
	lib/rules/deadlock.c lib/rules/deadlock.h \
	lib/rules/grant.c lib/rules/grant.h \
	lib/rules/ties.c lib/rules/ties.h \
	lib/requests/chosen.c lib/requests/chosen.h \
	lib/requests/extra.c lib/requests/extra.h \
	lib/requests/handles.c lib/requests/handles.h \
	lib/requests/request.h \
	lib/requests/timeout.c lib/requests/timeout.h \
	lib/loop/drain.c lib/loop/drain.h \
	lib/loop/letters.c lib/loop/letters.h \
	lib/loop/port.h \
	lib/loop/ports.c lib/loop/ports.h \
	lib/loop/settings.c lib/loop/settings.h \
	lib/lock/check.c lib/lock/check.h \
	lib/lock/guard.c lib/lock/guard.h \
	lib/lock/kind.h \
	lib/lock/lock.c lib/lock/lock.h \
	lib/lock/member.c lib/lock/member.h \
	lib/lock/notify.c lib/lock/notify.h \
	lib/lock/observe.c lib/lock/observe.h \
	lib/lock/step.c lib/lock/step.h \
	lib/calls/alone.c lib/calls/alone.h \
	lib/calls/acquire.c lib/calls/acquire.h \
	lib/calls/base.c \
	lib/calls/close.c lib/calls/close.h \
	lib/calls/convert.c \
	lib/calls/deliver.c lib/calls/deliver.h \
	lib/calls/dump.c \
	lib/calls/end.c lib/calls/end.h \
	lib/calls/forget.c lib/calls/forget.h \
	lib/calls/life.h \
	lib/calls/look.c \
	lib/calls/objects.c lib/calls/objects.h \
	lib/calls/owner.c lib/calls/owner.h \
	lib/calls/release.c \
	lib/calls/watch.c lib/calls/watch.h \
	lib/kinds/semaphore.c \
	lib/kinds/set.c \
	lib/kinds/table.c \
	lib/scopes/outside.c lib/scopes/outside.h \
	lib/scopes/file/claim.c lib/scopes/file/claim.h \
	lib/scopes/file/helper.c lib/scopes/file/helper.h \
	lib/scopes/file/kernel.c lib/scopes/file/kernel.h \
	lib/scopes/file/lock.c \
	lib/scopes/file/near.c lib/scopes/file/near.h \
	lib/scopes/file/opened.c lib/scopes/file/opened.h \
	lib/scopes/file/path.c lib/scopes/file/path.h \
	lib/scopes/file/seen.c lib/scopes/file/seen.h \
	lib/scopes/file/wait.c lib/scopes/file/wait.h
lib_libevlock_internal_la_CPPFLAGS = $(AM_CPPFLAGS) -include $(top_srcdir)/lib/exports.h
lib_libevlock_internal_la_CFLAGS = $(AM_CFLAGS) $(LIB_CFLAGS)
lib_libevlock_internal_la_LIBADD = $(LIBEVENT_CORE_LIBS)

lib_LTLIBRARIES = lib/libevlock.la
lib_libevlock_la_SOURCES =
lib_libevlock_la_LIBADD = lib/libevlock_internal.la
# current:revision:age, to be changed at each release:
# https://www.gnu.org/software/libtool/manual/html_node/Updating-version-info.html
lib_libevlock_la_LDFLAGS = $(AM_LDFLAGS) $(LIB_LDFLAGS) -no-undefined -version-info 0:0:0

EXTRA_DIST += lib/README
