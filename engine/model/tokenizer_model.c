/* INTERIM (from the lead, so that others can run): the tokenizer engineer overwrites or deletes tokenizer.c, tokenizer_{encode,decode,model,private}.[ch]; keep whichever is better, not both. */
#include "engine/model/tokenizer_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"

#define MODEL_BYTES_MAX (256u << 20)
#define PIECE_BYTES_MAX 65536u

/* --- protobuf --------------------------------------------------------------------------------- */

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct field {
    uint64_t number;
    enum wire wire;
    uint64_t value; /* VARINT, FIXED32, FIXED64 */
    const unsigned char *bytes;
    size_t length; /* BYTES */
};

struct reader {
    const unsigned char *at, *end;
    const char *path;
    struct error *error;
};

static int malformed(const struct reader *reader, const char *what)
{
    return error_set(reader->error, ERROR_INPUT, "%s: not a SentencePiece model: %s",
                     reader->path, what);
}

static int read_varint(struct reader *reader, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < 10; i++) {
        if (reader->at == reader->end)
            return malformed(reader, "cut short inside a number");
        unsigned char byte = *reader->at++;
        if (i == 9 && byte > 1)
            return malformed(reader, "varint larger than 64 bits");
        *value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80)
            return 0;
    }
    return malformed(reader, "varint longer than 10 bytes");
}

static int read_fixed(struct reader *reader, unsigned width, uint64_t *value)
{
    if ((size_t)(reader->end - reader->at) < width)
        return malformed(reader, "cut short inside a number");
    *value = 0;
    for (unsigned i = 0; i < width; i++)
        *value |= (uint64_t)*reader->at++ << (8 * i);
    return 0;
}

static int read_bytes(struct reader *reader, struct field *field)
{
    uint64_t length;
    if (read_varint(reader, &length) != 0)
        return -1;
    if (length > (uint64_t)(reader->end - reader->at))
        return malformed(reader, "a field is longer than the file");
    field->bytes = reader->at;
    field->length = (size_t)length;
    reader->at += length;
    return 0;
}

/* 1: a field; 0: the end; -1: an error. */
static int read_field(struct reader *reader, struct field *field)
{
    uint64_t key;
    if (reader->at == reader->end)
        return 0;
    *field = (struct field){0};
    if (read_varint(reader, &key) != 0)
        return -1;
    field->number = key >> 3;
    field->wire = (enum wire)(key & 7);
    int result;
    if (field->wire == WIRE_VARINT)
        result = read_varint(reader, &field->value);
    else if (field->wire == WIRE_BYTES)
        result = read_bytes(reader, field);
    else if (field->wire == WIRE_FIXED32 || field->wire == WIRE_FIXED64)
        result = read_fixed(reader, field->wire == WIRE_FIXED32 ? 4 : 8, &field->value);
    else
        result = malformed(reader, "unknown wire type");
    return result == 0 ? 1 : -1;
}

static struct reader sub_reader(const struct reader *reader, const struct field *field)
{
    return (struct reader){field->bytes, field->bytes + field->length, reader->path,
                           reader->error};
}

/* --- the messages ----------------------------------------------------------------------------- */

static int piece_error(const struct reader *reader, uint32_t id, const char *what)
{
    return error_set(reader->error, ERROR_INPUT, "%s: piece %u: %s", reader->path, id, what);
}

/* "<0xHH>", both digits in hexadecimal, or -1. */
static int byte_value(const char *text, size_t length)
{
    static const char digits[] = "0123456789ABCDEF";
    if (length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    const char *high = memchr(digits, text[3], 16), *low = memchr(digits, text[4], 16);
    return high != NULL && low != NULL ? (int)((high - digits) * 16 + (low - digits)) : -1;
}

static int check_piece(struct tokenizer_model *model, const struct reader *reader, uint32_t id)
{
    struct piece *piece = &model->pieces[id];
    const char *text = piece_text(model, id);
    if (!isfinite(piece->score))
        return piece_error(reader, id, "score is not finite");
    if (piece->type < PIECE_NORMAL || piece->type > PIECE_BYTE)
        return piece_error(reader, id, "unknown type");
    if (piece->length == 0)
        return piece_error(reader, id, "empty");
    if (strlen(text) != piece->length)
        return piece_error(reader, id, "contains a zero byte");
    if (piece->type == PIECE_UNKNOWN) {
        if (model->unknown_id >= 0)
            return piece_error(reader, id, "a second unknown piece");
        model->unknown_id = (int32_t)id;
    }
    if (piece->type != PIECE_BYTE)
        return 0;
    int byte = byte_value(text, piece->length);
    if (byte < 0)
        return piece_error(reader, id, "a byte piece that is not spelled <0xHH>");
    if (model->byte_ids[byte] >= 0)
        return piece_error(reader, id, "a byte piece for the second time");
    model->byte_ids[byte] = (int32_t)id;
    piece->byte = (uint8_t)byte;
    return 0;
}

static struct piece *new_piece(struct tokenizer_model *model)
{
    if (model->count == model->capacity) {
        model->capacity = model->capacity ? model->capacity * 2 : 1024;
        model->pieces = xreallocarray(model->pieces, model->capacity, sizeof *model->pieces);
    }
    struct piece *piece = &model->pieces[model->count++];
    *piece = (struct piece){.type = PIECE_NORMAL, .text = (uint32_t)model->texts.length};
    return piece;
}

static int read_piece(struct tokenizer_model *model, struct reader reader)
{
    if (model->count >= TOKENIZER_PIECES_MAX)
        return malformed(&reader, "more than 1000000 pieces");
    uint32_t id = model->count;
    struct piece *piece = new_piece(model);
    struct field field, text = {0};
    int more;
    while ((more = read_field(&reader, &field)) > 0) {
        if (field.number == 1 && field.wire == WIRE_BYTES)
            text = field;
        else if (field.number == 2 && field.wire == WIRE_FIXED32)
            memcpy(&piece->score, &(uint32_t){(uint32_t)field.value}, sizeof piece->score);
        else if (field.number == 3 && field.wire == WIRE_VARINT)
            piece->type = field.value <= PIECE_BYTE ? (uint8_t)field.value : 0;
    }
    if (more < 0)
        return -1;
    if (text.length > PIECE_BYTES_MAX)
        return piece_error(&reader, id, "longer than 65536 bytes");
    strbuf_add(&model->texts, text.bytes, text.length);
    strbuf_putc(&model->texts, '\0');
    piece->length = (uint32_t)text.length;
    return check_piece(model, &reader, id);
}

static void set_string(char **string, const struct field *field)
{
    free(*string);
    *string = xstrndup((const char *)field->bytes, field->length);
}

/* trainer_spec: model_type 3, treat_whitespace_as_suffix 24, byte_fallback 35, unk_surface 44,
 * bos_piece 46, eos_piece 47. */
static int read_trainer(struct tokenizer_model *model, struct reader reader)
{
    struct field field;
    int more;
    uint64_t model_type = 1, suffix = 0; /* the format's default is unigram */
    while ((more = read_field(&reader, &field)) > 0) {
        if (field.wire == WIRE_VARINT && field.number == 3)
            model_type = field.value;
        else if (field.wire == WIRE_VARINT && field.number == 24)
            suffix = field.value;
        else if (field.wire == WIRE_VARINT && field.number == 35)
            model->byte_fallback = field.value != 0;
        else if (field.wire == WIRE_BYTES && field.number == 44)
            set_string(&model->unknown_surface, &field);
        else if (field.wire == WIRE_BYTES && field.number == 46)
            set_string(&model->bos_piece, &field);
        else if (field.wire == WIRE_BYTES && field.number == 47)
            set_string(&model->eos_piece, &field);
    }
    if (more < 0)
        return -1;
    if (model_type != 2)
        return error_set(reader.error, ERROR_UNSUPPORTED,
                         "%s: trainer_spec.model_type is %llu; only BPE (2) is supported",
                         reader.path, (unsigned long long)model_type);
    if (suffix != 0)
        return error_set(reader.error, ERROR_UNSUPPORTED,
                         "%s: trainer_spec.treat_whitespace_as_suffix is not supported",
                         reader.path);
    return 0;
}

static int read_normalizer(struct tokenizer_model *model, struct reader reader)
{
    struct field field;
    int more;
    while ((more = read_field(&reader, &field)) > 0) {
        if (field.number == 2 && field.wire == WIRE_BYTES && field.length > 0)
            return error_set(reader.error, ERROR_UNSUPPORTED,
                             "%s: normalizer_spec.precompiled_charsmap is not empty; only the "
                             "identity normaliser is supported",
                             reader.path);
        if (field.wire != WIRE_VARINT)
            continue;
        if (field.number == 3)
            model->add_dummy_prefix = field.value != 0;
        else if (field.number == 4)
            model->remove_extra_whitespaces = field.value != 0;
        else if (field.number == 5)
            model->escape_whitespaces = field.value != 0;
    }
    return more;
}

static int read_message(struct tokenizer_model *model, struct reader reader)
{
    struct field field;
    bool have_trainer = false;
    int more;
    while ((more = read_field(&reader, &field)) > 0) {
        if (field.wire != WIRE_BYTES)
            continue;
        if (field.number == 1 && read_piece(model, sub_reader(&reader, &field)) != 0)
            return -1;
        if (field.number == 2 && read_trainer(model, sub_reader(&reader, &field)) != 0)
            return -1;
        if (field.number == 3 && read_normalizer(model, sub_reader(&reader, &field)) != 0)
            return -1;
        have_trainer |= field.number == 2;
    }
    if (more < 0)
        return -1;
    if (model->count == 0)
        return malformed(&reader, "no pieces");
    return have_trainer ? 0 : malformed(&reader, "no trainer_spec");
}

static int check_whole(const struct tokenizer_model *model, const char *path, struct error *error)
{
    if (model->unknown_id < 0)
        return error_set(error, ERROR_INPUT, "%s: pieces: there is no unknown piece", path);
    for (int byte = 0; byte < 256; byte++) {
        if (model->byte_fallback && model->byte_ids[byte] < 0)
            return error_set(error, ERROR_INPUT,
                             "%s: pieces: byte_fallback is on but <0x%02X> is missing", path,
                             byte);
        if (!model->byte_fallback && model->byte_ids[byte] >= 0)
            return error_set(error, ERROR_INPUT,
                             "%s: pieces: <0x%02X> is a byte piece but byte_fallback is off",
                             path, byte);
    }
    return 0;
}

int tokenizer_model_read(struct tokenizer_model *model, const char *path, struct error *error)
{
    *model = (struct tokenizer_model){
        .add_dummy_prefix = true,
        .remove_extra_whitespaces = true,
        .escape_whitespaces = true,
        .unknown_id = -1,
        .unknown_surface = xstrdup(" \xE2\x81\x87 "),
        .bos_piece = xstrdup("<s>"),
        .eos_piece = xstrdup("</s>"),
    };
    memset(model->byte_ids, 0xFF, sizeof model->byte_ids);
    struct strbuf file = {0};
    int result = file_read(path, MODEL_BYTES_MAX, &file, error);
    if (result == 0) {
        const unsigned char *bytes = (const unsigned char *)strbuf_text(&file);
        result = read_message(model, (struct reader){bytes, bytes + file.length, path, error});
    }
    if (result == 0)
        result = check_whole(model, path, error);
    strbuf_free(&file);
    if (result != 0)
        tokenizer_model_free(model);
    return result;
}

void tokenizer_model_free(struct tokenizer_model *model)
{
    strbuf_free(&model->texts);
    free(model->pieces);
    free(model->unknown_surface);
    free(model->bos_piece);
    free(model->eos_piece);
    *model = (struct tokenizer_model){0};
}
