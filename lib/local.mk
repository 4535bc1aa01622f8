# SPDX-License-Identifier: BSD-3-Clause

# Built once, as a convenience library: the tests link that, as they use its hidden symbols too.

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
	lib/bound.c lib/bound.h \
	lib/cancel.h \
	lib/check.c \
	lib/core.c lib/core.h \
	lib/deadlock.c \
	lib/exports.h \
	lib/extra.c lib/extra.h \
	lib/file.c \
	lib/forget.c lib/forget.h \
	lib/file/claim.c lib/file/claim.h \
	lib/file/kernel.c lib/file/kernel.h \
	lib/file/opened.c lib/file/opened.h \
	lib/file/path.c lib/file/path.h \
	lib/giving_up.c \
	lib/guard.c lib/guard.h \
	lib/handles.c lib/handles.h \
	lib/list.h \
	lib/lock.c lib/lock.h \
	lib/look.c \
	lib/mem.c lib/mem.h \
	lib/own.c \
	lib/outside.c lib/outside.h \
	lib/owner.c lib/owner.h \
	lib/base.c lib/base.h lib/base_settings.c lib/base_settings.h \
	lib/port.c lib/port.h \
	lib/acquire.c \
	lib/convert.c \
	lib/deliver.c \
	lib/end.c \
	lib/life.h \
	lib/release.c \
	lib/request.h \
	lib/semaphore.c \
	lib/set.c \
	lib/siphash.c lib/siphash.h \
	lib/table.c \
	lib/tell.c \
	lib/text.c lib/text.h \
	lib/timeout.c lib/timeout.h
lib_libevlock_internal_la_CPPFLAGS = $(AM_CPPFLAGS) -include $(top_srcdir)/lib/exports.h
lib_libevlock_internal_la_CFLAGS = $(AM_CFLAGS) $(LIB_CFLAGS)
lib_libevlock_internal_la_LIBADD = $(LIBEVENT_CORE_LIBS)

lib_LTLIBRARIES = lib/libevlock.la
lib_libevlock_la_SOURCES =
lib_libevlock_la_LIBADD = lib/libevlock_internal.la
# current:revision:age, to be changed at each release:
# https://www.gnu.org/software/libtool/manual/html_node/Updating-version-info.html
lib_libevlock_la_LDFLAGS = $(AM_LDFLAGS) -no-undefined -version-info 0:0:0

EXTRA_DIST += lib/README
