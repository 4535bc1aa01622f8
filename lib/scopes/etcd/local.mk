# SPDX-License-Identifier: BSD-3-Clause

# Locks on etcd: a library of its own, so that only those who use it need what it needs.

if ETCD
noinst_LTLIBRARIES += lib/scopes/etcd/libetcd_internal.la
lib_LTLIBRARIES += lib/scopes/etcd/libevlock_etcd.la
evlockinclude_HEADERS += include/evlock/etcd.h
pkgconfig_DATA += evlock_etcd.pc
endif

lib_scopes_etcd_libetcd_internal_la_SOURCES = \
	lib/scopes/etcd/ask.c lib/scopes/etcd/ask.h \
	lib/scopes/etcd/auth.c lib/scopes/etcd/auth.h \
	lib/scopes/etcd/call.c lib/scopes/etcd/call.h \
	lib/scopes/etcd/clock.h \
	lib/scopes/etcd/dial.c lib/scopes/etcd/dial.h \
	lib/scopes/etcd/exports.h \
	lib/scopes/etcd/h2.c lib/scopes/etcd/h2.h \
	lib/scopes/etcd/h2mem.c lib/scopes/etcd/h2mem.h \
	lib/scopes/etcd/lock.c \
	lib/scopes/etcd/member.c lib/scopes/etcd/member.h \
	lib/scopes/etcd/memory.h \
	lib/scopes/etcd/message.c lib/scopes/etcd/message.h \
	lib/scopes/etcd/names.c lib/scopes/etcd/names.h \
	lib/scopes/etcd/net.c lib/scopes/etcd/net.h \
	lib/scopes/etcd/place.c lib/scopes/etcd/place.h \
	lib/scopes/etcd/reply.c lib/scopes/etcd/reply.h \
	lib/scopes/etcd/route.c lib/scopes/etcd/route.h \
	lib/scopes/etcd/rpc.c lib/scopes/etcd/rpc.h \
	lib/scopes/etcd/session.c lib/scopes/etcd/session.h \
	lib/scopes/etcd/slots.c lib/scopes/etcd/slots.h \
	lib/scopes/etcd/tls.c lib/scopes/etcd/tls.h \
	lib/scopes/etcd/token.h \
	lib/scopes/etcd/url.c lib/scopes/etcd/url.h \
	lib/scopes/etcd/watches.c lib/scopes/etcd/watches.h
nodist_lib_scopes_etcd_libetcd_internal_la_SOURCES = $(etcd_messages)
lib_scopes_etcd_libetcd_internal_la_CPPFLAGS = $(AM_CPPFLAGS) $(ETCD_CFLAGS) -iquote lib/scopes/etcd \
	-include $(top_srcdir)/lib/scopes/etcd/exports.h
lib_scopes_etcd_libetcd_internal_la_CFLAGS = $(AM_CFLAGS) $(LIB_CFLAGS)
lib_scopes_etcd_libetcd_internal_la_LIBADD = $(ETCD_LIBS) $(LIBEVENT_CORE_LIBS)

# The messages, made by protoc-c in the build folder.
etcd_messages = lib/scopes/etcd/etcd.pb-c.c lib/scopes/etcd/etcd.pb-c.h
if ETCD
BUILT_SOURCES += $(etcd_messages)
endif
CLEANFILES += $(etcd_messages)
EXTRA_DIST += lib/scopes/etcd/etcd.proto

lib/scopes/etcd/etcd.pb-c.c: lib/scopes/etcd/etcd.proto
	$(AM_V_GEN)$(MKDIR_P) lib/scopes/etcd && \
		$(PROTOC_C) --proto_path=$(top_srcdir)/lib/scopes/etcd --c_out=lib/scopes/etcd \
		$(top_srcdir)/lib/scopes/etcd/etcd.proto
lib/scopes/etcd/etcd.pb-c.h: lib/scopes/etcd/etcd.pb-c.c
	@test -f $@ || { rm -f lib/scopes/etcd/etcd.pb-c.c; $(MAKE) lib/scopes/etcd/etcd.pb-c.c; }
lib/scopes/etcd/libetcd_internal_la-ask.lo lib/scopes/etcd/libetcd_internal_la-reply.lo: lib/scopes/etcd/etcd.pb-c.h

lib_scopes_etcd_libevlock_etcd_la_SOURCES =
lib_scopes_etcd_libevlock_etcd_la_LIBADD = lib/scopes/etcd/libetcd_internal.la lib/libevlock.la
lib_scopes_etcd_libevlock_etcd_la_LDFLAGS = $(AM_LDFLAGS) -no-undefined -version-info 0:0:0

EXTRA_DIST += lib/scopes/etcd/README
