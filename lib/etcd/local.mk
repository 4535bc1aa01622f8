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
	lib/etcd/dial.c lib/etcd/dial.h \
	lib/etcd/exports.h \
	lib/etcd/h2.c lib/etcd/h2.h \
	lib/etcd/h2mem.c lib/etcd/h2mem.h \
	lib/etcd/lock.c \
	lib/etcd/member.c lib/etcd/member.h \
	lib/etcd/memory.h \
	lib/etcd/message.c lib/etcd/message.h \
	lib/etcd/net.c lib/etcd/net.h \
	lib/etcd/place.c lib/etcd/place.h \
	lib/etcd/reply.c lib/etcd/reply.h \
	lib/etcd/route.c lib/etcd/route.h \
	lib/etcd/rpc.c lib/etcd/rpc.h \
	lib/etcd/session.c lib/etcd/session.h \
	lib/etcd/slots.c lib/etcd/slots.h \
	lib/etcd/tls.c lib/etcd/tls.h \
	lib/etcd/token.h \
	lib/etcd/url.c lib/etcd/url.h \
	lib/etcd/watches.c lib/etcd/watches.h
nodist_lib_etcd_libetcd_internal_la_SOURCES = $(etcd_messages)
lib_etcd_libetcd_internal_la_CPPFLAGS = $(AM_CPPFLAGS) $(ETCD_CFLAGS) -iquote lib/etcd \
	-include $(top_srcdir)/lib/etcd/exports.h
lib_etcd_libetcd_internal_la_CFLAGS = $(AM_CFLAGS) $(LIB_CFLAGS)
lib_etcd_libetcd_internal_la_LIBADD = $(ETCD_LIBS) $(LIBEVENT_CORE_LIBS)

# The messages, made by protoc-c in the build folder.
etcd_messages = lib/etcd/etcd.pb-c.c lib/etcd/etcd.pb-c.h
if ETCD
BUILT_SOURCES += $(etcd_messages)
endif
CLEANFILES += $(etcd_messages)
EXTRA_DIST += lib/etcd/etcd.proto

lib/etcd/etcd.pb-c.c: lib/etcd/etcd.proto
	$(AM_V_GEN)$(MKDIR_P) lib/etcd && \
		$(PROTOC_C) --proto_path=$(top_srcdir)/lib/etcd --c_out=lib/etcd \
		$(top_srcdir)/lib/etcd/etcd.proto
lib/etcd/etcd.pb-c.h: lib/etcd/etcd.pb-c.c
	@test -f $@ || { rm -f lib/etcd/etcd.pb-c.c; $(MAKE) lib/etcd/etcd.pb-c.c; }
lib/etcd/libetcd_internal_la-ask.lo lib/etcd/libetcd_internal_la-reply.lo: lib/etcd/etcd.pb-c.h

lib_etcd_libevlock_etcd_la_SOURCES =
lib_etcd_libevlock_etcd_la_LIBADD = lib/etcd/libetcd_internal.la lib/libevlock.la
lib_etcd_libevlock_etcd_la_LDFLAGS = $(AM_LDFLAGS) -no-undefined -version-info 0:0:0

EXTRA_DIST += lib/etcd/README
