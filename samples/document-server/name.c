/* SPDX-License-Identifier: BSD-3-Clause */

/* Which names a document may have.  Checked after decoding, so that nothing
 * unwanted hides behind a percent sign. */

#include <stdlib.h>
#include <string.h>

#include <event2/http.h>

#include "name.h"

static const char allowed[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ" "abcdefghijklmnopqrstuvwxyz" "0123456789" "-_.";

static bool
is_name(const char *text, size_t len)
{
	return len > 0 && len < NAME_SIZE && text[0] != '.'
	    && strspn(text, allowed) == len;
}

bool
name_decode(const char *text, char name[NAME_SIZE])
{
	size_t len;
	char *decoded = evhttp_uridecode(text, 0, &len);
	bool ok = decoded != NULL && is_name(decoded, len);

	if (ok)
		memcpy(name, decoded, len + 1);
	free(decoded);
	return ok;
}

/* The value of the first part of a query that begins with `key`, as it stands there. */
static char *
find_value(const char *query, const char *key)
{
	size_t len = strlen(key);

	while (query) {
		if (strncmp(query, key, len) == 0)
			return strndup(query + len, strcspn(query + len, "&"));
		query = strchr(query, '&');
		if (query)
			query++;
	}
	return NULL;
}

bool
name_find(const char *query, const char *key, char name[NAME_SIZE])
{
	char *value = find_value(query, key);
	bool ok = value && name_decode(value, name);

	free(value);
	return ok;
}
