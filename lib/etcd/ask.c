/* SPDX-License-Identifier: BSD-3-Clause */

/* What is asked of the cluster; see ask.h. */

#include <inttypes.h>
#include <stdio.h>

#include <event2/buffer.h>
#include <jansson.h>
#include <openssl/evp.h>

#include "ask.h"

/* --- Keys ----------------------------------------------------------------- */

void
evl_ask_root(char *root, const char *prefix, const char *name)
{
	root += sprintf(root, "%s", prefix);
	for (; *name; name++) {
		if (*name == '/' || *name == '%')
			root += sprintf(root, "%%%02X", (unsigned)*name);
		else
			*root++ = *name;
	}
	*root = '\0';
}

/* A key in base64, as a string of JSON. */
struct key64 {
	char text[EVL_KEY64_SIZE];
};

static struct key64
key64(const struct evl_entry *entry, const char *folder, const char *id)
{
	char key[EVL_KEY_MAX + 1];
	struct key64 result;
	int n = snprintf(key, sizeof key, "%s/%s%s", entry->root, folder, id);

	EVP_EncodeBlock((unsigned char *)result.text, (unsigned char *)key, n);
	return result;
}

/* Those in the way of `entry`: ahead in the queue and, if it is shared, exclusive. */
static const char *
rivals(const struct evl_entry *entry)
{
	return entry->is_exclusive ? "q/" : "x/";
}

/* What comes after all the keys in a folder: / is followed by 0. */
static const char *
rivals_end(const struct evl_entry *entry)
{
	return entry->is_exclusive ? "q0" : "x0";
}

/* --- Parts of a transaction ------------------------------------------------ */

#define ADD(out, ...) (evbuffer_add_printf(out, __VA_ARGS__) < 0 ? -1 : 0)

static int
add_compare(struct evbuffer *out, const struct evl_entry *entry, const char *folder,
    int64_t revision)
{
	return ADD(out, "{\"key\":\"%s\",\"target\":\"CREATE\",\"result\":\"EQUAL\","
	    "\"create_revision\":\"%" PRId64 "\"}", key64(entry, folder, entry->id).text, revision);
}

static int
add_is_free(struct evbuffer *out, const struct evl_entry *entry)
{
	return ADD(out, "{\"key\":\"%s\",\"range_end\":\"%s\",\"target\":\"CREATE\","
	    "\"result\":\"EQUAL\",\"create_revision\":\"0\"}",
	    key64(entry, rivals(entry), "").text, key64(entry, rivals_end(entry), "").text);
}

/* Who is next ahead.  The order is named, as etcd 3.4 applies the limit before it sorts otherwise.
 * Without a revision it is asked before the place is entered: all who are there are ahead. */
static int
add_ahead(struct evbuffer *out, const struct evl_entry *entry)
{
	if (ADD(out, "{\"request_range\":{\"key\":\"%s\",\"range_end\":\"%s\","
	    "\"sort_target\":\"CREATE\",\"sort_order\":\"DESCEND\",\"limit\":\"1\","
	    "\"keys_only\":true",
	    key64(entry, rivals(entry), "").text, key64(entry, rivals_end(entry), "").text) < 0)
		return -1;
	if (entry->revision && ADD(out, ",\"max_create_revision\":\"%" PRId64 "\"",
	    entry->revision - 1) < 0)
		return -1;
	return ADD(out, "}}");
}

static int
add_own(struct evbuffer *out, const struct evl_entry *entry)
{
	return ADD(out, "{\"request_range\":{\"key\":\"%s\",\"keys_only\":true}}",
	    key64(entry, "q/", entry->id).text);
}

static int
add_put(struct evbuffer *out, const struct evl_entry *entry, const char *folder)
{
	return ADD(out, "{\"request_put\":{\"key\":\"%s\",\"lease\":\"%" PRId64 "\"}}",
	    key64(entry, folder, entry->id).text, entry->lease);
}

static int
add_delete(struct evbuffer *out, const struct evl_entry *entry, const char *folder)
{
	return ADD(out, "{\"request_delete_range\":{\"key\":\"%s\"}}",
	    key64(entry, folder, entry->id).text);
}

static int
add_puts(struct evbuffer *out, const struct evl_entry *entry)
{
	if (add_put(out, entry, "q/") < 0)
		return -1;
	if (!entry->is_exclusive)
		return 0;
	return ADD(out, ",") || add_put(out, entry, "x/") ? -1 : 0;
}

/* --- Whole requests ---------------------------------------------------------- */

static int
add_text(const char *text, size_t size, void *out)
{
	return evbuffer_add(out, text, size);
}

/* Whatever stands in a password, it ends up in a string. */
int
evl_ask_authenticate(struct evbuffer *out, const char *user, const char *password)
{
	json_t *body = json_pack("{s:s, s:s}", "name", user, "password", password);
	int result = body ? json_dump_callback(body, add_text, out, JSON_COMPACT) : -1;

	json_decref(body);
	return result;
}

int
evl_ask_grant(struct evbuffer *out, int64_t lease, unsigned ttl)
{
	return ADD(out, "{\"ID\":\"%" PRId64 "\",\"TTL\":\"%u\"}", lease, ttl);
}

int
evl_ask_keepalive(struct evbuffer *out, int64_t lease)
{
	return ADD(out, "{\"ID\":\"%" PRId64 "\"}", lease);
}

int
evl_ask_revoke(struct evbuffer *out, int64_t lease)
{
	return evl_ask_keepalive(out, lease);
}

int
evl_ask_enter(struct evbuffer *out, const struct evl_entry *entry)
{
	return ADD(out, "{\"compare\":[") || add_compare(out, entry, "q/", 0) || ADD(out, ",") ||
	    add_compare(out, entry, "t/", 0) || ADD(out, "],\"success\":[") ||
	    add_ahead(out, entry) || ADD(out, ",") || add_puts(out, entry) ||
	    ADD(out, "],\"failure\":[") || add_own(out, entry) || ADD(out, "]}") ? -1 : 0;
}

int
evl_ask_try(struct evbuffer *out, const struct evl_entry *entry)
{
	return ADD(out, "{\"compare\":[") || add_is_free(out, entry) || ADD(out, ",") ||
	    add_compare(out, entry, "t/", 0) || ADD(out, "],\"success\":[") ||
	    add_puts(out, entry) || ADD(out, "],\"failure\":[") || add_own(out, entry) ||
	    ADD(out, "]}") ? -1 : 0;
}

int
evl_ask_check(struct evbuffer *out, const struct evl_entry *entry)
{
	return ADD(out, "{\"compare\":[") || add_compare(out, entry, "q/", entry->revision) ||
	    ADD(out, "],\"success\":[") || add_ahead(out, entry) || ADD(out, "]}") ? -1 : 0;
}

int
evl_ask_weaken(struct evbuffer *out, const struct evl_entry *entry)
{
	return ADD(out, "{\"compare\":[") || add_compare(out, entry, "q/", entry->revision) ||
	    ADD(out, "],\"success\":[") || add_delete(out, entry, "x/") || ADD(out, "]}") ? -1 : 0;
}

int
evl_ask_leave(struct evbuffer *out, const struct evl_entry *entry)
{
	int error = ADD(out, "{\"success\":[") || add_delete(out, entry, "q/") || ADD(out, ",") ||
	    add_delete(out, entry, "x/");

	if (entry->is_unsure)
		error |= ADD(out, ",") || add_put(out, entry, "t/");
	return error || ADD(out, "]}") ? -1 : 0;
}

int
evl_ask_watch(struct evbuffer *out, const char *key, int64_t revision)
{
	return ADD(out, "{\"create_request\":{\"key\":\"%s\",\"start_revision\":\"%" PRId64 "\","
	    "\"filters\":[\"NOPUT\"]}}", key, revision);
}
