#include "engine/chat/card_png.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "engine/base/alloc.h"
#include "engine/chat/card.h"
#include "engine/chat/card_base64.h"

static const char signature[] = "\x89PNG\r\n\x1A\n";
#define SIGNATURE_BYTES (sizeof signature - 1)
#define CHUNK_BYTES     12 /* length, type, checksum */

/* --- chunks ----------------------------------------------------------------------------------- */

struct chunk {
    char type[5];
    const char *data;
    size_t length;
    const char *whole; /* with length, type and checksum: length + CHUNK_BYTES */
};

struct reader {
    const char *bytes;
    size_t length, at;
    const char *source;
    struct error *error;
};

static uint32_t read_u32(const char *at)
{
    const unsigned char *b = (const unsigned char *)at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint32_t checksum(const char *bytes, size_t length)
{
    return (uint32_t)crc32_z(0, (const unsigned char *)bytes, length);
}

bool card_png_is(const char *bytes, size_t length)
{
    return length >= SIGNATURE_BYTES && memcmp(bytes, signature, SIGNATURE_BYTES) == 0;
}

static int reader_open(struct reader *reader)
{
    reader->at = SIGNATURE_BYTES;
    if (reader->length > CARD_BYTES_MAX)
        return error_set(reader->error, ERROR_INPUT, "%s: larger than 16 MiB", reader->source);
    if (!card_png_is(reader->bytes, reader->length))
        return error_set(reader->error, ERROR_INPUT, "%s: not a PNG file", reader->source);
    return 0;
}

static int damaged(const struct reader *reader, const struct chunk *chunk, const char *what)
{
    return error_set(reader->error, ERROR_INPUT, "%s: chunk %s: %s", reader->source, chunk->type,
                     what);
}

/* The next chunk; IEND is the last, and a file must have it. */
static int next_chunk(struct reader *reader, struct chunk *chunk)
{
    size_t left = reader->length - reader->at;
    if (left < CHUNK_BYTES || read_u32(reader->bytes + reader->at) > left - CHUNK_BYTES)
        return error_set(reader->error, ERROR_INPUT, "%s: the PNG file is cut short at byte %zu",
                         reader->source, reader->at);
    chunk->whole = reader->bytes + reader->at;
    chunk->length = read_u32(chunk->whole);
    chunk->data = chunk->whole + 8;
    memcpy(chunk->type, chunk->whole + 4, 4);
    chunk->type[4] = '\0';
    for (int i = 0; i < 4; i++)
        if (!((chunk->type[i] >= 'A' && chunk->type[i] <= 'Z') ||
              (chunk->type[i] >= 'a' && chunk->type[i] <= 'z')))
            return error_set(reader->error, ERROR_INPUT, "%s: no PNG chunk at byte %zu",
                             reader->source, reader->at);
    reader->at += chunk->length + CHUNK_BYTES;
    return 0;
}

/* --- text chunks ------------------------------------------------------------------------------ */

static int inflate_text(const struct reader *reader, const struct chunk *chunk, const char *data,
                        size_t length, struct strbuf *out)
{
    z_stream stream = {0};
    char piece[16384];
    int status = Z_OK;
    size_t begin = out->length;
    if (inflateInit(&stream) != Z_OK)
        return error_set(reader->error, ERROR_MEMORY, "%s: cannot inflate", reader->source);
    stream.next_in = (unsigned char *)(uintptr_t)data;
    stream.avail_in = (uInt)length; /* a file is at most CARD_BYTES_MAX */
    while (status == Z_OK && out->length - begin <= CARD_BYTES_MAX) {
        stream.next_out = (unsigned char *)piece;
        stream.avail_out = sizeof piece;
        status = inflate(&stream, Z_NO_FLUSH);
        strbuf_add(out, piece, sizeof piece - stream.avail_out);
    }
    inflateEnd(&stream);
    if (out->length - begin > CARD_BYTES_MAX)
        return damaged(reader, chunk, "inflates to more than 16 MiB");
    return status == Z_STREAM_END ? 0 : damaged(reader, chunk, "the compressed text is damaged");
}

/* What follows the NUL after `at`, NULL when there is none. */
static const char *after_nul(const char *at, const char *end)
{
    const char *nul = at != NULL && at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
    return nul != NULL ? nul + 1 : NULL;
}

/* The text of a text chunk, `at` behind its keyword. */
static int chunk_text(const struct reader *reader, const struct chunk *chunk, const char *at,
                      struct strbuf *out)
{
    const char *end = chunk->data + chunk->length;
    bool compressed = strcmp(chunk->type, "zTXt") == 0;
    if (checksum(chunk->whole + 4, chunk->length + 4) != read_u32(end))
        return damaged(reader, chunk, "the checksum is wrong");
    if (strcmp(chunk->type, "iTXt") == 0) {
        if (end - at < 2)
            return damaged(reader, chunk, "too short");
        compressed = at[0] != 0;
        if (compressed && at[1] != 0)
            return damaged(reader, chunk, "unknown compression");
        at = after_nul(after_nul(at + 2, end), end);
        if (at == NULL)
            return damaged(reader, chunk, "too short");
    } else if (compressed && (at == end || *at++ != 0)) {
        return damaged(reader, chunk, "unknown compression");
    }
    if (compressed)
        return inflate_text(reader, chunk, at, (size_t)(end - at), out);
    strbuf_add(out, at, (size_t)(end - at));
    return 0;
}

/* 2 for "chara", 3 for "ccv3", 0 for any other chunk; *text is where its text begins. */
static int chunk_version(const struct chunk *chunk, const char **text)
{
    static const char *const types[] = {"tEXt", "zTXt", "iTXt"};
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(chunk->type, types[i]) != 0)
            continue;
        *text = after_nul(chunk->data, chunk->data + chunk->length);
        return *text == NULL                       ? 0
               : strcmp(chunk->data, "chara") == 0 ? 2
               : strcmp(chunk->data, "ccv3") == 0  ? 3
                                                   : 0;
    }
    return 0;
}

/* Some programs put the JSON there as it is. */
static int decode_text(const struct reader *reader, const struct chunk *chunk,
                       const struct strbuf *text, struct strbuf *out)
{
    if (strbuf_text(text)[0] == '{')
        strbuf_add(out, text->data, text->length);
    else if (base64_decode(out, strbuf_text(text), text->length) != 0)
        return damaged(reader, chunk, "the character is not base64");
    return 0;
}

int card_png_read(const char *bytes, size_t length, const char *source, struct strbuf *out,
                  struct error *error)
{
    struct reader reader = {bytes, length, 0, source, error};
    struct chunk chunk, best = {0};
    int best_version = 0;
    const char *text = NULL, *best_text = NULL;
    if (reader_open(&reader) != 0)
        return -1;
    do {
        if (next_chunk(&reader, &chunk) != 0)
            return -1;
        int version = chunk_version(&chunk, &text);
        if (version > best_version) {
            best_version = version;
            best = chunk;
            best_text = text;
        }
    } while (strcmp(chunk.type, "IEND") != 0);
    if (best_version == 0)
        return error_set(error, ERROR_INPUT, "%s: the picture holds no character", source);
    struct strbuf encoded = {0};
    int result = chunk_text(&reader, &best, best_text, &encoded);
    if (result == 0)
        result = decode_text(&reader, &best, &encoded, out);
    strbuf_free(&encoded);
    return result;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put_u32(struct strbuf *out, uint32_t value)
{
    const char bytes[] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8),
                          (char)value};
    strbuf_add(out, bytes, 4);
}

static void put_chunk(struct strbuf *out, const char *type, const struct strbuf *data)
{
    put_u32(out, (uint32_t)data->length);
    size_t begin = out->length;
    strbuf_add(out, type, 4);
    strbuf_add(out, data->data, data->length);
    put_u32(out, checksum(out->data + begin, out->length - begin));
}

static void put_card(struct strbuf *out, const char *keyword, const struct strbuf *json)
{
    struct strbuf data = {0};
    strbuf_add(&data, keyword, strlen(keyword) + 1);
    base64_encode(&data, strbuf_text(json), json->length);
    put_chunk(out, "tEXt", &data);
    strbuf_free(&data);
}

int card_png_write(const char *bytes, size_t length, const char *source, const struct strbuf *v2,
                   const struct strbuf *v3, struct strbuf *out, struct error *error)
{
    struct reader reader = {bytes, length, 0, source, error};
    struct chunk chunk;
    const char *text;
    if (reader_open(&reader) != 0)
        return -1;
    size_t begin = out->length;
    strbuf_add(out, signature, SIGNATURE_BYTES);
    do {
        if (next_chunk(&reader, &chunk) != 0) {
            strbuf_remove(out, begin, out->length - begin);
            return -1;
        }
        if (strcmp(chunk.type, "IEND") == 0) {
            put_card(out, "chara", v2);
            put_card(out, "ccv3", v3);
        }
        if (chunk_version(&chunk, &text) == 0)
            strbuf_add(out, chunk.whole, chunk.length + CHUNK_BYTES);
    } while (strcmp(chunk.type, "IEND") != 0);
    return 0;
}

/* --- a plain picture -------------------------------------------------------------------------- */

#define BLANK_WIDTH  96
#define BLANK_HEIGHT 144

/* Rows of RGB, each after a filter byte: a colour that darkens downwards. */
static void blank_rows(const char *name, struct strbuf *rows)
{
    uint32_t hash = checksum(name, strlen(name));
    for (unsigned y = 0; y < BLANK_HEIGHT; y++) {
        strbuf_putc(rows, 0);
        for (unsigned x = 0; x < BLANK_WIDTH; x++)
            for (unsigned k = 0; k < 3; k++) {
                unsigned full = 96 + (hash >> 8 * k & 127);
                strbuf_putc(rows, (char)(full * (2 * BLANK_HEIGHT - y) / (2 * BLANK_HEIGHT)));
            }
    }
}

void card_png_blank(const char *name, struct strbuf *out)
{
    struct strbuf rows = {0}, header = {0}, empty = {0};
    blank_rows(name, &rows);
    uLongf size = compressBound(rows.length);
    struct strbuf packed = {.data = xmalloc(size)};
    compress((unsigned char *)packed.data, &size, (const unsigned char *)rows.data, rows.length);
    packed.length = packed.capacity = size;
    put_u32(&header, BLANK_WIDTH);
    put_u32(&header, BLANK_HEIGHT);
    strbuf_add(&header, "\x08\x02\0\0\0", 5); /* 8 bits, RGB, no interlace */
    strbuf_add(out, signature, SIGNATURE_BYTES);
    put_chunk(out, "IHDR", &header);
    put_chunk(out, "IDAT", &packed);
    put_chunk(out, "IEND", &empty);
    strbuf_free(&rows);
    strbuf_free(&header);
    strbuf_free(&packed);
}
