# SPDX-License-Identifier: BSD-3-Clause

# Locks on etcd: a library of its own, so that only those who use it need what it needs.

if ETCD
noinst_LTLIBRARIES += lib/etcd/libetcd_internal.la
lib_LTLIBRARIES += lib/etcd/libevlock_etcd.la
evlockinclude_HEADERS += include/evlock/etcd.h
pkgconfig_DATA += evlock_etcd.pc
endif

lib_etcd_libetcd_internal_la_SOURCES = \
	lib/etcd/ask.c lib/etcd/ask.h \
	lib/etcd/auth.c lib/etcd/auth.h \
	lib/etcd/call.c lib/etcd/call.h \
	lib/etcd/clock.h \
	lib/etcd/exports.h \
	lib/etcd/lock.c \
	lib/etcd/memory.h \
	lib/etcd/net.c lib/etcd/net.h \
	lib/etcd/place.c lib/etcd/place.h \
	lib/etcd/reply.c lib/etcd/reply.h \
	lib/etcd/session.c lib/etcd/session.h \
	lib/etcd/tls.c lib/etcd/tls.h \
	lib/etcd/url.c lib/etcd/url.h \
	lib/etcd/watch.c lib/etcd/watch.h \
	lib/etcd/wire.c lib/etcd/wire.h
lib_etcd_libetcd_internal_la_CPPFLAGS = $(AM_CPPFLAGS) $(ETCD_CFLAGS) \
	-include $(top_srcdir)/lib/etcd/exports.h
lib_etcd_libetcd_internal_la_CFLAGS = $(AM_CFLAGS) $(LIB_CFLAGS)
lib_etcd_libetcd_internal_la_LIBADD = $(ETCD_LIBS) $(LIBEVENT_CORE_LIBS)

lib_etcd_libevlock_etcd_la_SOURCES =
lib_etcd_libevlock_etcd_la_LIBADD = lib/etcd/libetcd_internal.la lib/libevlock.la
lib_etcd_libevlock_etcd_la_LDFLAGS = $(AM_LDFLAGS) -no-undefined -version-info 0:0:0

EXTRA_DIST += lib/etcd/README
