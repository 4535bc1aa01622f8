/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_MESSAGE_H_INCLUDED_
#define EVL_MESSAGE_H_INCLUDED_

/* Packs the messages of etcd.proto, each behind the prefix of five bytes that gRPC wants, and
 * unpacks them within a budget of memory.  Only this file calls protobuf-c.  Pure; called by ask
 * and reply. */

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

struct evbuffer;

/** Size of the prefix of each message: a flag (1: compressed), and the length in four bytes. */
#define EVL_MESSAGE_PREFIX 5

/** Appends `message`, with its prefix.  Returns 0, or -1 if there is no memory. */
int evl_message_add(struct evbuffer *out, const ProtobufCMessage *message);

/** Unpacks a message of the given type.  The result may take eight times as much memory as `size`
 * and 4 KiB; without a budget, a hostile message could take sixty times its size.  Free the result
 * by evl_message_free().
 * Returns NULL with errno EPROTO (the bytes are not such a message, or need too much memory) or
 * ENOMEM. */
ProtobufCMessage *evl_message_read(const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
    size_t size);
void evl_message_free(ProtobufCMessage *message);

#endif
