# SPDX-License-Identifier: BSD-3-Clause

# EVLOCK_ENABLE(FEATURE, HELP): --enable-FEATURE, off unless asked for.
AC_DEFUN([EVLOCK_ENABLE], [
	AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1], [$2])],
		[], [AS_TR_SH([enable_$1])=no])
])

# _EVLOCK_CFLAGS(FLAGS, IF-TAKEN, IF-NOT): does $CC take FLAGS, to compile and to link?
# -Werror, as clang only warns of an option that it does not know.
AC_DEFUN([_EVLOCK_CFLAGS], [
	evlock_cflags=$CFLAGS
	CFLAGS="$CFLAGS -Werror $1"
	AC_LINK_IFELSE([AC_LANG_PROGRAM], [evlock_taken=yes], [evlock_taken=no])
	CFLAGS=$evlock_cflags
	AS_IF([test $evlock_taken = yes], [$2], [$3])
])

# EVLOCK_TRY_CFLAGS(VARIABLE, FLAGS): gathers those of FLAGS that $CC takes.
AC_DEFUN([EVLOCK_TRY_CFLAGS], [
	AC_MSG_CHECKING([which flags $CC takes for $1])
	for evlock_flag in m4_normalize([$2]); do
		_EVLOCK_CFLAGS([$evlock_flag], [AS_VAR_APPEND([$1], [" $evlock_flag"])])
	done
	AC_MSG_RESULT([$$1])
	AC_SUBST([$1])
])

# EVLOCK_NEED_CFLAGS(VARIABLE, FLAGS): adds FLAGS, or ends configure.
AC_DEFUN([EVLOCK_NEED_CFLAGS], [
	AC_MSG_CHECKING([whether $CC takes $2])
	_EVLOCK_CFLAGS([$2], [AS_VAR_APPEND([$1], [" $2"])],
		[AC_MSG_ERROR([no; see config.log])])
	AC_MSG_RESULT([yes])
	AC_SUBST([$1])
])
