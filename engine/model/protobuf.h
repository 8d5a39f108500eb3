/*
 * protobuf.h - walking a protobuf message field by field, without recursion and without a schema.
 *
 * A reader looks at bytes that its caller owns. Nested messages are readers of their own over a
 * part of the same bytes, so depth is what the caller's code makes it. Varints have at most ten
 * bytes; groups, field number 0 and lengths beyond the message are refused.
 */
#ifndef AIRO_MODEL_PROTOBUF_H
#define AIRO_MODEL_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct protobuf_reader {
    const unsigned char *at, *end;
    const char *source; /* the file and message, for errors */
};

/* One field; `bytes` points into the message. */
struct protobuf_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value; /* of a varint or a fixed one */
    const unsigned char *bytes;
    size_t length;
};

/* 1: a field, 0: the end, -1: an error. */
int protobuf_next(struct protobuf_reader *reader, struct protobuf_field *field,
                  struct error *error);

/* Errors when the field's wire type is another one; the typed getters below check it too. */
int protobuf_expect(const struct protobuf_reader *reader, const struct protobuf_field *field,
                    enum wire_type type, struct error *error);
int protobuf_bool(const struct protobuf_reader *reader, const struct protobuf_field *field,
                  bool *out, struct error *error);
int protobuf_float(const struct protobuf_reader *reader, const struct protobuf_field *field,
                   float *out, struct error *error);

#endif
