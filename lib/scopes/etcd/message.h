/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_MESSAGE_H_INCLUDED_
#define EVL_MESSAGE_H_INCLUDED_

/* The messages of etcd.proto as bytes: packed behind the five bytes that gRPC puts before each, and
 * unpacked within a budget of memory.  The only caller of protobuf-c.  Pure; called by ask and
 * reply. */

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

struct evbuffer;

/** Bytes before each message: a flag (1: compressed), and the length. */
#define EVL_MESSAGE_PREFIX 5

/** Adds `message`, with its prefix.  Returns 0, or -1 if there is no memory. */
int evl_message_add(struct evbuffer *out, const ProtobufCMessage *message);

/** Unpacks.  A message may take eight times as much memory as its bytes and 4 KiB: a hostile one
 * would take sixty times.  The result is to be freed by evl_message_free().
 * Returns NULL with errno EPROTO (the bytes are not such a message, or need too much memory) or
 * ENOMEM. */
ProtobufCMessage *evl_message_read(const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
    size_t size);
void evl_message_free(ProtobufCMessage *message);

#endif
