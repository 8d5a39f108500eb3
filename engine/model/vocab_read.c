#include "engine/model/vocab_read.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/utf8.h"
#include "engine/model/protobuf.h"

#define MODEL_BYTES_MAX (64u << 20)
#define MODEL_TYPE_BPE  2

/* Where we are: `path` for whole-file errors, `where` ("PATH: piece 12") for those of a part. */
struct reading {
    struct vocab *vocab;
    const char *path;
    char where[384];
    uint64_t model_type;
};

static int read_piece_type(const struct protobuf_reader *reader, const struct protobuf_field *field,
                           enum piece_type *type, struct error *error)
{
    if (protobuf_expect(reader, field, WIRE_VARINT, error) != 0)
        return -1;
    if (field->value < PIECE_NORMAL || field->value > PIECE_BYTE)
        return error_set(error, ERROR_INPUT, "%s: type is %llu; must be 1 to 6", reader->source,
                         (unsigned long long)field->value);
    *type = (enum piece_type)field->value;
    return 0;
}

static int read_piece(struct reading *reading, const struct protobuf_field *message,
                      struct error *error)
{
    snprintf(reading->where, sizeof reading->where, "%s: piece %u", reading->path,
             reading->vocab->count);
    struct protobuf_reader reader = {message->bytes, message->bytes + message->length,
                                     reading->where};
    struct protobuf_field field, text = {0};
    enum piece_type type = PIECE_NORMAL;
    float score = 0;
    int more;
    while ((more = protobuf_next(&reader, &field, error)) > 0) {
        int result = 0;
        if (field.number == 1) {
            result = protobuf_expect(&reader, &field, WIRE_BYTES, error);
            text = field;
        } else if (field.number == 2) {
            result = protobuf_float(&reader, &field, &score, error);
        } else if (field.number == 3) {
            result = read_piece_type(&reader, &field, &type, error);
        }
        if (result != 0)
            return -1;
    }
    if (more < 0)
        return -1;
    if (!isfinite(score))
        return error_set(error, ERROR_INPUT, "%s: score is not a finite number", reading->where);
    return vocab_add(reading->vocab, (const char *)text.bytes, text.length, score, type,
                     reading->where, error);
}

/* A name among the settings: a valid, short string. */
static int read_name(const struct protobuf_reader *reader, const struct protobuf_field *field,
                     char **out, struct error *error)
{
    if (protobuf_expect(reader, field, WIRE_BYTES, error) != 0)
        return -1;
    bool valid =
        field->length <= PIECE_BYTES_MAX && memchr(field->bytes, '\0', field->length) == NULL;
    for (size_t i = 0; valid && i < field->length;) {
        uint32_t code;
        size_t size = utf8_decode((const char *)field->bytes + i, field->length - i, &code);
        valid = code != UTF8_REPLACEMENT || size > 1;
        i += size;
    }
    if (!valid)
        return error_set(error, ERROR_INPUT, "%s: field %u is not a short UTF-8 text",
                         reader->source, field->number);
    free(*out);
    *out = xstrndup((const char *)field->bytes, field->length);
    return 0;
}

/* An absent or empty name means the usual one, as in the library. */
static int read_piece_name(const struct protobuf_reader *reader, const struct protobuf_field *field,
                           char **out, struct error *error)
{
    if (field->type == WIRE_BYTES && field->length == 0)
        return 0;
    return read_name(reader, field, out, error);
}

static int read_trainer_field(struct reading *reading, const struct protobuf_reader *reader,
                              const struct protobuf_field *field, struct error *error)
{
    struct vocab *vocab = reading->vocab;
    bool suffix = false;
    switch (field->number) {
    case 3:
        reading->model_type = field->value;
        return protobuf_expect(reader, field, WIRE_VARINT, error);
    case 24:
        if (protobuf_bool(reader, field, &suffix, error) != 0)
            return -1;
        return !suffix
                   ? 0
                   : error_set(error, ERROR_UNSUPPORTED,
                               "%s: treat_whitespace_as_suffix is not supported", reader->source);
    case 35:
        return protobuf_bool(reader, field, &vocab->byte_fallback, error);
    case 44:
        return read_name(reader, field, &vocab->unknown_text, error);
    case 46:
        return read_piece_name(reader, field, &vocab->bos_name, error);
    case 47:
        return read_piece_name(reader, field, &vocab->eos_name, error);
    default:
        return 0;
    }
}

static int refuse_charsmap(const struct protobuf_reader *reader, const struct protobuf_field *field,
                           struct error *error)
{
    if (protobuf_expect(reader, field, WIRE_BYTES, error) != 0)
        return -1;
    if (field->length == 0)
        return 0;
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: precompiled_charsmap is not empty; only vocabularies without text "
                     "normalisation are supported, as Llama's are",
                     reader->source);
}

static int read_normalizer_field(struct reading *reading, const struct protobuf_reader *reader,
                                 const struct protobuf_field *field, struct error *error)
{
    struct vocab *vocab = reading->vocab;
    switch (field->number) {
    case 2:
        return refuse_charsmap(reader, field, error);
    case 3:
        return protobuf_bool(reader, field, &vocab->dummy_prefix, error);
    case 4:
        return protobuf_bool(reader, field, &vocab->remove_extra_whitespaces, error);
    case 5:
        return protobuf_bool(reader, field, &vocab->escape_whitespaces, error);
    default:
        return 0;
    }
}

/* What normalises the output of decoding; only its table matters. */
static int read_denormalizer_field(struct reading *reading, const struct protobuf_reader *reader,
                                   const struct protobuf_field *field, struct error *error)
{
    (void)reading;
    return field->number == 2 ? refuse_charsmap(reader, field, error) : 0;
}

typedef int (*read_field)(struct reading *reading, const struct protobuf_reader *reader,
                          const struct protobuf_field *field, struct error *error);

static int read_settings(struct reading *reading, const struct protobuf_field *message,
                         const char *name, read_field read, struct error *error)
{
    snprintf(reading->where, sizeof reading->where, "%s: %s", reading->path, name);
    struct protobuf_reader reader = {message->bytes, message->bytes + message->length,
                                     reading->where};
    struct protobuf_field field;
    int more;
    while ((more = protobuf_next(&reader, &field, error)) > 0) {
        if (read(reading, &reader, &field, error) != 0)
            return -1;
    }
    return more;
}

/* One field of the outermost message. */
static int read_part(struct reading *reading, const struct protobuf_reader *reader,
                     const struct protobuf_field *field, struct error *error)
{
    if (field->number == 4 || field->number > 5)
        return 0; /* self-tests and extensions */
    if (protobuf_expect(reader, field, WIRE_BYTES, error) != 0)
        return -1;
    switch (field->number) {
    case 1:
        return read_piece(reading, field, error);
    case 2:
        return read_settings(reading, field, "trainer_spec", read_trainer_field, error);
    case 3:
        return read_settings(reading, field, "normalizer_spec", read_normalizer_field, error);
    default:
        return read_settings(reading, field, "denormalizer_spec", read_denormalizer_field, error);
    }
}

static int check_read(const struct reading *reading, uint32_t rows, struct error *error)
{
    if (reading->vocab->count == 0)
        return error_set(error, ERROR_INPUT, "%s: holds no pieces", reading->path);
    if (reading->model_type != MODEL_TYPE_BPE)
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s: model_type is %llu (1 is unigram); only BPE (2) is supported",
                         reading->path, (unsigned long long)reading->model_type);
    if (reading->vocab->count > rows)
        return error_set(error, ERROR_INPUT,
                         "%s: holds %u pieces, but the model has embeddings for %u", reading->path,
                         reading->vocab->count, rows);
    return 0;
}

int vocab_read(struct vocab *vocab, const char *path, uint32_t rows, struct error *error)
{
    struct strbuf file = {0};
    if (file_read(path, MODEL_BYTES_MAX, &file, error) != 0) {
        strbuf_free(&file);
        return -1;
    }
    struct reading reading = {.vocab = vocab, .path = path, .model_type = 1};
    const unsigned char *bytes = (const unsigned char *)strbuf_text(&file);
    struct protobuf_reader reader = {bytes, bytes + file.length, path};
    struct protobuf_field field;
    int more, result = 0;
    while (result == 0 && (more = protobuf_next(&reader, &field, error)) != 0)
        result = more < 0 ? -1 : read_part(&reading, &reader, &field, error);
    if (result == 0)
        result = check_read(&reading, rows, error);
    strbuf_free(&file);
    return result;
}
