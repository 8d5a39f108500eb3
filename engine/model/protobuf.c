#include "engine/model/protobuf.h"

#include <string.h>

#define VARINT_BYTES_MAX 10

/* 0 or -1; the tenth byte may carry one bit only. */
static int read_varint(struct protobuf_reader *reader, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && reader->at < reader->end; i++) {
        unsigned char byte = *reader->at++;
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return -1;
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *out = value;
            return 0;
        }
    }
    return -1;
}

static int read_fixed(struct protobuf_reader *reader, unsigned bytes, uint64_t *out)
{
    if ((size_t)(reader->end - reader->at) < bytes)
        return -1;
    *out = 0;
    for (unsigned i = 0; i < bytes; i++)
        *out |= (uint64_t)reader->at[i] << (8 * i);
    reader->at += bytes;
    return 0;
}

static int read_bytes(struct protobuf_reader *reader, struct protobuf_field *field)
{
    uint64_t length;
    if (read_varint(reader, &length) != 0 || length > (uint64_t)(reader->end - reader->at))
        return -1;
    field->bytes = reader->at;
    field->length = (size_t)length;
    reader->at += length;
    return 0;
}

static int read_value(struct protobuf_reader *reader, struct protobuf_field *field)
{
    switch (field->type) {
    case WIRE_VARINT:
        return read_varint(reader, &field->value);
    case WIRE_FIXED64:
        return read_fixed(reader, 8, &field->value);
    case WIRE_BYTES:
        return read_bytes(reader, field);
    case WIRE_FIXED32:
        return read_fixed(reader, 4, &field->value);
    }
    return -1; /* groups, and what does not exist */
}

int protobuf_next(struct protobuf_reader *reader, struct protobuf_field *field, struct error *error)
{
    if (reader->at == reader->end)
        return 0;
    uint64_t tag = 0;
    if (read_varint(reader, &tag) != 0 || tag >> 3 == 0 || tag >> 32 != 0)
        return error_set(error, ERROR_INPUT, "%s: not a protobuf message, or cut short",
                         reader->source);
    *field =
        (struct protobuf_field){.number = (uint32_t)(tag >> 3), .type = (enum wire_type)(tag & 7)};
    if (read_value(reader, field) != 0)
        return error_set(error, ERROR_INPUT, "%s: field %u is malformed or goes beyond the end",
                         reader->source, field->number);
    return 1;
}

int protobuf_expect(const struct protobuf_reader *reader, const struct protobuf_field *field,
                    enum wire_type type, struct error *error)
{
    if (field->type == type)
        return 0;
    return error_set(error, ERROR_INPUT, "%s: field %u has wire type %d; must be %d",
                     reader->source, field->number, (int)field->type, (int)type);
}

int protobuf_bool(const struct protobuf_reader *reader, const struct protobuf_field *field,
                  bool *out, struct error *error)
{
    if (protobuf_expect(reader, field, WIRE_VARINT, error) != 0)
        return -1;
    *out = field->value != 0;
    return 0;
}

int protobuf_float(const struct protobuf_reader *reader, const struct protobuf_field *field,
                   float *out, struct error *error)
{
    if (protobuf_expect(reader, field, WIRE_FIXED32, error) != 0)
        return -1;
    uint32_t bits = (uint32_t)field->value;
    memcpy(out, &bits, sizeof bits);
    return 0;
}
