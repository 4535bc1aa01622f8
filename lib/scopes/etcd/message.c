/* SPDX-License-Identifier: BSD-3-Clause */

/* Packs and unpacks messages; see message.h. */

#include <errno.h>

#include <event2/buffer.h>

#include "scopes/etcd/memory.h"
#include "scopes/etcd/message.h"

/* --- Packing --------------------------------------------------------------------- */

int
evl_message_add(struct evbuffer *out, const ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	struct evbuffer_iovec room;
	uint8_t *byte;

	if (evbuffer_reserve_space(out, (ev_ssize_t)(EVL_MESSAGE_PREFIX + size), &room, 1) != 1)
		return -1;
	byte = room.iov_base;
	byte[0] = 0;
	byte[1] = (uint8_t)(size >> 24);
	byte[2] = (uint8_t)(size >> 16);
	byte[3] = (uint8_t)(size >> 8);
	byte[4] = (uint8_t)size;
	protobuf_c_message_pack(message, byte + EVL_MESSAGE_PREFIX);
	room.iov_len = EVL_MESSAGE_PREFIX + size;
	return evbuffer_commit_space(out, &room, 1);
}

/* --- Unpacking ------------------------------------------------------------------- */

struct budget {
	size_t left;
	int is_short;		/* malloc() failed, rather than the budget */
};

static void *
take(void *budget_, size_t size)
{
	struct budget *budget = budget_;
	void *ptr;

	if (size > budget->left)
		return NULL;
	budget->left -= size;
	ptr = evl_outside_malloc(size);
	budget->is_short |= !ptr;
	return ptr;
}

static void
give(void *budget, void *ptr)
{
	(void)budget;
	evl_memory_free(ptr);
}

ProtobufCMessage *
evl_message_read(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t size)
{
	struct budget budget = { 8 * size + 4096, 0 };
	ProtobufCAllocator allocator = { take, give, &budget };
	ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, size, bytes);

	if (!message)
		errno = budget.is_short ? ENOMEM : EPROTO;
	return message;
}

void
evl_message_free(ProtobufCMessage *message)
{
	ProtobufCAllocator allocator = { take, give, NULL };

	protobuf_c_message_free_unpacked(message, &allocator);
}
