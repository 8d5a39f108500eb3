/*
 * Tests of engine/model/tokenizer: equality with the SentencePiece library over strings made from a
 * seed (see tests/golden/make_tokenizer_golden.py, whose generator this repeats), and what only
 * this program does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/utf8.h"
#include "engine/model/tokenizer.h"

#define GOLDEN  "tests/golden/tokenizer/"
#define VAQUITA "models/vaquita/tokenizer.model"
#define ROWS    100000

/* --- a directory that holds one tokenizer ------------------------------------------------------
 */

struct place {
    char path[64];
};

static void place_make(struct place *place)
{
    snprintf(place->path, sizeof place->path, "/tmp/airo-tokenizer-XXXXXX");
    assert_non_null(mkdtemp(place->path));
}

static void place_write(const struct place *place, const char *name, const void *bytes,
                        size_t length)
{
    char *path = path_join(place->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
    free(path);
}

static void place_copy(const struct place *place, const char *from)
{
    struct strbuf bytes = {0};
    struct error error;
    if (file_read(from, 1 << 26, &bytes, &error) != 0)
        fail_msg("%s", error.message);
    place_write(place, "tokenizer.model", bytes.data, bytes.length);
    strbuf_free(&bytes);
}

static void place_remove(const struct place *place)
{
    static const char *const names[] = {"tokenizer.model", "tokenizer.json", "added_tokens.json",
                                        "tokenizer_config.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = path_join(place->path, names[i]);
        unlink(path);
        free(path);
    }
    rmdir(place->path);
}

static struct tokenizer *place_open(const struct place *place)
{
    struct tokenizer *tokenizer = NULL;
    struct error error;
    if (tokenizer_open(&tokenizer, place->path, ROWS, &error) != 0)
        fail_msg("%s", error.message);
    return tokenizer;
}

static const char *model_path(const char *name, char *out, size_t size)
{
    if (strcmp(name, "vaquita") == 0)
        return VAQUITA;
    snprintf(out, size, GOLDEN "%s.model", name);
    return out;
}

static struct tokenizer *open_named(const char *name)
{
    struct place place;
    char path[128];
    place_make(&place);
    place_copy(&place, model_path(name, path, sizeof path));
    struct tokenizer *tokenizer = place_open(&place);
    place_remove(&place);
    return tokenizer;
}

/* --- the generator, as in make_tokenizer_golden.py ---------------------------------------------
 */

struct words {
    struct strbuf text;
    const char *items[256];
    size_t count;
};

static void words_read(struct words *words)
{
    struct error error;
    *words = (struct words){0};
    if (file_read(GOLDEN "words.txt", 1 << 16, &words->text, &error) != 0)
        fail_msg("%s", error.message);
    for (char *line = words->text.data; *line != '\0' && words->count < 256;) {
        char *end = strchr(line, '\n');
        *end = '\0';
        words->items[words->count++] = line;
        line = end + 1;
    }
}

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint32_t below(uint64_t *state, uint32_t n)
{
    return (uint32_t)(next(state) % n);
}

static uint32_t code_point(uint64_t *rng)
{
    static const uint32_t ranges[16][2] = {
        {0x20, 0x7F},       {0xA0, 0x250},      {0x370, 0x530},     {0x590, 0x700},
        {0x900, 0xE00},     {0x2000, 0x2070},   {0x2580, 0x25A0},   {0x3000, 0x3100},
        {0x4E00, 0x9FFF},   {0xAC00, 0xD7A4},   {0xE000, 0xF8FF},   {0xFE00, 0xFFFE},
        {0x1F300, 0x1F700}, {0x1F900, 0x1FA00}, {0x20000, 0x20100}, {0xE0000, 0xE01F0}};
    if (below(rng, 4) == 0) {
        uint32_t code = below(rng, 0x110000);
        return code >= 0xD800 && code < 0xE000 ? 0xFFFD : code;
    }
    const uint32_t *range = ranges[below(rng, 16)];
    return range[0] + below(rng, range[1] - range[0]);
}

static void add_code_point(uint64_t *rng, struct strbuf *out)
{
    char bytes[4];
    strbuf_add(out, bytes, utf8_encode(code_point(rng), bytes));
}

static void add_run(uint64_t *rng, struct strbuf *out)
{
    struct strbuf unit = {0};
    if (below(rng, 2))
        add_code_point(rng, &unit);
    else
        strbuf_putc(&unit, (char)(97 + below(rng, 3)));
    uint32_t times = below(rng, below(rng, 8) == 0 ? 200 : 12) + 1;
    for (uint32_t i = 0; i < times; i++)
        strbuf_add(out, unit.data, unit.length);
    strbuf_free(&unit);
}

static void add_bytes(uint64_t *rng, uint32_t most, uint32_t first, uint32_t range,
                      struct strbuf *out)
{
    uint32_t count = 1 + below(rng, most);
    for (uint32_t i = 0; i < count; i++)
        strbuf_putc(out, (char)(first + (range > 1 ? below(rng, range) : 0)));
}

static void add_part(uint64_t *rng, const struct words *words, struct strbuf *out)
{
    static const char odd[8] = {0, 9, 10, 13, 27, 0x7F, 11, 12};
    uint32_t kind = below(rng, 12);
    if (kind < 4)
        strbuf_puts(out, words->items[below(rng, (uint32_t)words->count)]);
    else if (kind < 6)
        add_bytes(rng, 4, ' ', 1, out);
    else if (kind == 6)
        add_bytes(rng, 8, 33, 94, out);
    else if (kind == 7)
        strbuf_putc(out, odd[below(rng, 8)]);
    else if (kind == 8)
        for (uint32_t left = 1 + below(rng, 4); left > 0; left--)
            add_code_point(rng, out);
    else if (kind == 9)
        add_bytes(rng, 4, 128, 128, out);
    else if (kind == 10)
        add_run(rng, out);
    else
        add_bytes(rng, 12, 97, 4, out);
}

static void make_string(uint64_t index, const struct words *words, struct strbuf *out)
{
    strbuf_clear(out);
    for (uint32_t left = below(&index, 13); left > 0; left--)
        add_part(&index, words, out);
}

static void make_ids(uint64_t index, uint32_t size, struct token_list *out)
{
    uint64_t rng = index ^ 0x5555555555555555u;
    out->count = 0;
    for (uint32_t left = below(&rng, 17); left > 0; left--)
        token_list_add(out, (int32_t)below(&rng, size));
}

static uint32_t hash32(const void *bytes, size_t length)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3u;
    return (uint32_t)(hash ^ (hash >> 32));
}

/* --- against the library -----------------------------------------------------------------------
 */

/* What a streamed decode gives must be the whole decode, but for the leading space. */
static void check_stream(const struct tokenizer *tokenizer, const struct token_list *ids,
                         const struct strbuf *whole)
{
    struct token_decoder decoder = {0};
    struct strbuf text = {0};
    for (size_t i = 0; i < ids->count; i++) {
        token_decoder_push(&decoder, tokenizer, ids->ids[i], &text);
        assert_int_equal(utf8_whole(strbuf_text(&text), text.length), text.length);
    }
    token_decoder_flush(&decoder, &text);
    size_t extra = text.length - whole->length;
    assert_true(extra <= ids->count);
    assert_int_equal(strspn(strbuf_text(&text), " ") >= extra, 1);
    assert_memory_equal(strbuf_text(&text) + extra, strbuf_text(whole), whole->length);
    strbuf_free(&text);
}

struct golden {
    struct tokenizer *tokenizer;
    struct words words;
    struct strbuf records, text, decoded;
    struct token_list ids;
    size_t wrong[3];
};

static void check_record(struct golden *golden, size_t index)
{
    const struct tokenizer *tokenizer = golden->tokenizer;
    struct token_list *ids = &golden->ids;
    uint32_t expected[3], got[3];
    memcpy(expected, golden->records.data + index * sizeof expected, sizeof expected);
    make_string(index, &golden->words, &golden->text);
    ids->count = 0;
    tokenizer_encode(tokenizer, strbuf_text(&golden->text), golden->text.length, true, ids);
    got[0] = hash32(ids->ids, ids->count * sizeof *ids->ids);
    strbuf_clear(&golden->decoded);
    tokenizer_decode(tokenizer, ids->ids, ids->count, &golden->decoded);
    got[1] = hash32(golden->decoded.data, golden->decoded.length);
    check_stream(tokenizer, ids, &golden->decoded);
    make_ids(index, tokenizer_size(tokenizer), ids);
    strbuf_clear(&golden->decoded);
    tokenizer_decode(tokenizer, ids->ids, ids->count, &golden->decoded);
    got[2] = hash32(golden->decoded.data, golden->decoded.length);
    check_stream(tokenizer, ids, &golden->decoded);
    for (int i = 0; i < 3; i++)
        golden->wrong[i] += got[i] != expected[i];
    if (memcmp(got, expected, sizeof got) != 0 &&
        golden->wrong[0] + golden->wrong[1] + golden->wrong[2] < 8)
        print_error("string %zu: ids %d, text %d, random ids %d\n", index, got[0] == expected[0],
                    got[1] == expected[1], got[2] == expected[2]);
}

static void check_vocabulary(const char *name)
{
    struct golden golden = {.tokenizer = open_named(name)};
    char path[128];
    struct error error;
    snprintf(path, sizeof path, GOLDEN "%s.golden", name);
    if (file_read(path, 1 << 22, &golden.records, &error) != 0)
        fail_msg("%s", error.message);
    words_read(&golden.words);
    size_t count = golden.records.length / 12;
    assert_true(count >= 10000);
    for (size_t i = 0; i < count; i++)
        check_record(&golden, i);
    for (int i = 0; i < 3; i++)
        assert_int_equal(golden.wrong[i], 0);
    tokenizer_close(golden.tokenizer);
    strbuf_free(&golden.words.text);
    strbuf_free(&golden.records);
    strbuf_free(&golden.text);
    strbuf_free(&golden.decoded);
    token_list_free(&golden.ids);
}

static void check_readable(const char *name)
{
    struct tokenizer *tokenizer = open_named(name);
    struct error error;
    char path[128];
    snprintf(path, sizeof path, GOLDEN "%s.json", name);
    json_t *rows = json_read(path, 1 << 22, &error);
    if (rows == NULL)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i), *ids = json_object_get(row, "ids");
        const char *text = json_string_value(json_object_get(row, "text"));
        struct token_list got = {0};
        struct strbuf decoded = {0};
        tokenizer_encode(tokenizer, text, strlen(text), true, &got);
        if (got.count != json_array_size(ids))
            print_error("%s: \"%s\"\n", name, text);
        assert_int_equal(got.count, json_array_size(ids));
        for (size_t k = 0; k < got.count; k++)
            assert_int_equal(got.ids[k], json_integer_value(json_array_get(ids, k)));
        tokenizer_decode(tokenizer, got.ids, got.count, &decoded);
        assert_string_equal(strbuf_text(&decoded),
                            json_string_value(json_object_get(row, "decoded")));
        token_list_free(&got);
        strbuf_free(&decoded);
    }
    json_decref(rows);
    tokenizer_close(tokenizer);
}

static void vocabulary_equals_the_library(void **state)
{
    check_readable(*state);
    check_vocabulary(*state);
}

/* --- beyond the library ------------------------------------------------------------------------
 */

static void time_is_about_linear(void **state)
{
    (void)state;
    static const char *const names[] = {"vaquita", "ties", "squeezed"};
    size_t length = 2000000;
    char *text = xmalloc(length);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct tokenizer *tokenizer = open_named(names[i]);
        for (int pattern = 1; pattern <= 3; pattern++) {
            struct token_list ids = {0};
            for (size_t k = 0; k < length; k++)
                text[k] = (char)('a' + k % (size_t)pattern);
            clock_t begin = clock();
            tokenizer_encode(tokenizer, text, length, true, &ids);
            assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 20);
            assert_true(ids.count > length / 64);
            token_list_free(&ids);
        }
        tokenizer_close(tokenizer);
    }
    free(text);
}

/* Whatever pieces of text are joined, no special id comes out. */
static void text_never_becomes_special(void **state)
{
    (void)state;
    static const char *const names[] = {"vaquita", "ties", "small"};
    struct words words;
    words_read(&words);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct tokenizer *tokenizer = open_named(names[i]);
        struct strbuf text = {0};
        struct token_list ids = {0};
        for (uint64_t k = 50000; k < 52000; k++) {
            make_string(k, &words, &text);
            tokenizer_encode(tokenizer, strbuf_text(&text), text.length, k % 2, &ids);
        }
        for (size_t k = 0; k < ids.count; k++)
            assert_false(tokenizer_is_special(tokenizer, ids.ids[k]));
        strbuf_free(&text);
        token_list_free(&ids);
        tokenizer_close(tokenizer);
    }
    strbuf_free(&words.text);
}

static void names_and_ranges(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_named("small");
    assert_int_equal(tokenizer_bos(tokenizer), 1);
    assert_int_equal(tokenizer_eos(tokenizer), 2);
    assert_int_equal(tokenizer_special(tokenizer, "</s>"), 2);
    assert_int_equal(tokenizer_special(tokenizer, "<0x41>"), -1);
    assert_int_equal(tokenizer_special(tokenizer, "the"), -1);
    assert_int_equal(tokenizer_special(tokenizer, ""), -1);
    assert_true(tokenizer_is_special(tokenizer, 0));
    assert_true(tokenizer_is_special(tokenizer, -1));
    assert_true(tokenizer_is_special(tokenizer, (int32_t)tokenizer_size(tokenizer)));
    assert_string_equal(tokenizer_piece(tokenizer, 1), "<s>");
    assert_string_equal(tokenizer_piece(tokenizer, -1), "");
    assert_string_equal(tokenizer_piece(tokenizer, INT32_MAX), "");
    struct strbuf text = {0};
    const int32_t odd[] = {-5, INT32_MAX, 1, 2};
    tokenizer_decode(tokenizer, odd, 4, &text);
    assert_int_equal(text.length, 0);
    tokenizer_close(tokenizer);
}

/* A continued run has no dummy prefix; otherwise it is tokenised the same. */
static void a_run_continues_without_prefix(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_named("vaquita");
    struct token_list with = {0}, without = {0};
    struct strbuf text = {0};
    tokenizer_encode(tokenizer, "\nUSER:", 6, true, &with);
    tokenizer_encode(tokenizer, "\nUSER:", 6, false, &without);
    assert_int_equal(with.count, without.count + 1);
    tokenizer_decode(tokenizer, without.ids, without.count, &text);
    assert_string_equal(text.data, "\nUSER:");
    tokenizer_encode(tokenizer, "", 0, true, &with);
    assert_int_equal(with.count, without.count + 1);
    token_list_free(&with);
    token_list_free(&without);
    strbuf_free(&text);
    tokenizer_close(tokenizer);
}

static void stream_releases_whole_characters(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_named("small");
    struct token_decoder decoder = {.strip_leading_space = true};
    struct token_list ids = {0};
    struct strbuf text = {0};
    static const char word[] = " a\xF0\x9F\x90\xAC";
    tokenizer_encode(tokenizer, word + 1, 5, true, &ids);
    for (size_t i = 0; i + 1 < ids.count; i++) {
        token_decoder_push(&decoder, tokenizer, ids.ids[i], &text);
        assert_string_equal(strbuf_text(&text), i == 0 && text.length == 0 ? "" : "a");
    }
    assert_int_equal(decoder.pending_length, 3);
    struct token_decoder cut = decoder;
    token_decoder_push(&decoder, tokenizer, ids.ids[ids.count - 1], &text);
    assert_string_equal(text.data, word + 1);
    strbuf_clear(&text);
    token_decoder_flush(&cut, &text);
    assert_string_equal(text.data, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    token_list_free(&ids);
    strbuf_free(&text);
    tokenizer_close(tokenizer);
}

/* --- added tokens ------------------------------------------------------------------------------
 */

static struct tokenizer *open_with(const char *added, const char *config, uint32_t rows,
                                   struct error *error)
{
    struct place place;
    struct tokenizer *tokenizer = NULL;
    place_make(&place);
    place_copy(&place, GOLDEN "small.model");
    if (added != NULL)
        place_write(&place, "added_tokens.json", added, strlen(added));
    if (config != NULL)
        place_write(&place, "tokenizer_config.json", config, strlen(config));
    if (tokenizer_open(&tokenizer, place.path, rows, error) != 0)
        tokenizer = NULL;
    place_remove(&place);
    return tokenizer;
}

static void added_tokens_are_found_by_name_only(void **state)
{
    (void)state;
    struct error error = {0};
    struct tokenizer *tokenizer = open_with(
        "{\"<|im_start|>\": 360, \"[PAD]\": 5000}",
        "{\"added_tokens_decoder\": {\"361\": {\"content\": \"<note>\", \"special\": false},"
        "\"0\": {\"content\": \"<pad>\", \"special\": true}}}",
        400, &error);
    if (tokenizer == NULL)
        fail_msg("%s", error.message);
    assert_int_equal(tokenizer_size(tokenizer), 362);
    assert_int_equal(tokenizer_special(tokenizer, "<|im_start|>"), 360);
    assert_int_equal(tokenizer_special(tokenizer, "[PAD]"), -1);
    assert_int_equal(tokenizer_special(tokenizer, "<note>"), 361);
    assert_int_equal(tokenizer_special(tokenizer, "<pad>"), 0);
    assert_true(tokenizer_is_special(tokenizer, 360));
    assert_true(tokenizer_is_special(tokenizer, 355));
    assert_false(tokenizer_is_special(tokenizer, 361));
    struct token_list ids = {0};
    struct strbuf text = {0};
    static const char spelled[] = "<|im_start|><note>[PAD]";
    tokenizer_encode(tokenizer, spelled, strlen(spelled), true, &ids);
    for (size_t i = 0; i < ids.count; i++)
        assert_true(ids.ids[i] < 352);
    const int32_t list[] = {360, 361, 355};
    tokenizer_decode(tokenizer, list, 3, &text);
    assert_string_equal(text.data, "<note>");
    token_list_free(&ids);
    strbuf_free(&text);
    tokenizer_close(tokenizer);
}

/* A user-defined piece that the configuration calls special is no longer matched in text. */
static void special_user_defined_cannot_be_spelled(void **state)
{
    (void)state;
    struct error error = {0};
    struct tokenizer *plain = open_with(NULL, NULL, 400, &error);
    struct token_list ids = {0};
    tokenizer_encode(plain, "<tool>", 6, true, &ids);
    int32_t id = ids.ids[ids.count - 1];
    assert_string_equal(tokenizer_piece(plain, id), "<tool>");
    char config[160];
    snprintf(config, sizeof config,
             "{\"added_tokens_decoder\": {\"%d\": {\"content\": \"<tool>\", \"special\": true}}}",
             id);
    struct tokenizer *special = open_with(NULL, config, 400, &error);
    ids.count = 0;
    tokenizer_encode(special, "<tool>", 6, true, &ids);
    for (size_t i = 0; i < ids.count; i++)
        assert_int_not_equal(ids.ids[i], id);
    assert_true(tokenizer_is_special(special, id));
    assert_int_equal(tokenizer_special(special, "<tool>"), id);
    token_list_free(&ids);
    tokenizer_close(plain);
    tokenizer_close(special);
}

static void wrong_added_tokens_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *added, *config, *expect;
    } rows[] = {
        {"[]", NULL, "added_tokens.json: is not"},
        {"{\"x\": -1}", NULL, "added_tokens.json: x is -1"},
        {"{\"x\": \"1\"}", NULL, "added_tokens.json: x is"},
        {"{\"x\": 99999999999}", NULL, "added_tokens.json: x is"},
        {"{\"x\": 370, \"y\": 370}", NULL, "370 has two spellings"},
        {"{\"<s>\": 370}", NULL, "spelled alike"},
        {"{\"\": 370}", NULL, "0 bytes"},
        {"{\"zz\": 300}", NULL, "token 300 is \"zz\""},
        {NULL, "{\"added_tokens_decoder\": 3}", "added_tokens_decoder is 3"},
        {NULL, "{\"added_tokens_decoder\": {\"x\": {\"content\": \"a\"}}}", "token id"},
        {NULL, "{\"added_tokens_decoder\": {\"370\": {}}}", "content"},
        {NULL, "{\"added_tokens_decoder\": {\"370\": 1}}", "370 is 1"},
        {NULL, "{\"added_tokens_decoder\": {\"37", "tokenizer_config.json: line"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error error = {0};
        assert_null(open_with(rows[i].added, rows[i].config, 400, &error));
        if (strstr(error.message, rows[i].expect) == NULL)
            fail_msg("row %zu: %s", i, error.message);
        assert_null(strchr(error.message, '\n'));
    }
}

/* --- files that are wrong ----------------------------------------------------------------------
 */

/* Opens these bytes as tokenizer.model; returns the error's code. */
static int refuse(const void *bytes, size_t length, const char *expect)
{
    struct place place;
    struct tokenizer *tokenizer = NULL;
    struct error error = {0};
    place_make(&place);
    place_write(&place, "tokenizer.model", bytes, length);
    if (tokenizer_open(&tokenizer, place.path, ROWS, &error) == 0)
        fail_msg("accepted; expected: %s", expect);
    place_remove(&place);
    if (strstr(error.message, expect) == NULL || strchr(error.message, '\n') != NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.message, expect);
    return (int)error.code;
}

#define PIECE_UNK "\x0A\x09\x0A\x05<unk>\x18\x02"
#define PIECE_A                                                                                    \
    "\x0A\x03\x0A\x01"                                                                             \
    "a"
#define BPE                   "\x12\x02\x18\x02"
#define REFUSE(bytes, expect) refuse(bytes, sizeof(bytes) - 1, expect)

static void wrong_files_are_refused(void **state)
{
    (void)state;
    REFUSE("", "no pieces");
    REFUSE(PIECE_UNK PIECE_A PIECE_A BPE, "spelled alike");
    REFUSE(PIECE_A BPE, "no UNKNOWN piece");
    REFUSE(PIECE_UNK "\x0A\x05\x0A\x01"
                     "b\x18\x02" BPE,
           "both UNKNOWN");
    REFUSE(PIECE_UNK "\x0A\x02\x0A\x00" BPE, "piece 1: piece of 0 bytes");
    REFUSE(PIECE_UNK "\x0A\x03\x0A\x01\xFF" BPE, "not valid UTF-8");
    REFUSE(PIECE_UNK "\x0A\x03\x0A\x01\x00" BPE, "not valid UTF-8, or contains NUL");
    REFUSE(PIECE_UNK "\x0A\x05\x15\x00\x00\xC0\x7F" BPE, "piece 1: score");
    REFUSE(PIECE_UNK "\x0A\x0A\x0A\x06<0x41>\x18\x06" BPE, "byte_fallback is off");
    REFUSE(PIECE_UNK "\x0A\x0A\x0A\x06<0x4g>\x18\x06" BPE, "form <0x41>");
    REFUSE(PIECE_UNK "\x0A\x0A\x0A\x06<0x-1>\x18\x06" BPE, "form <0x41>");
    REFUSE(PIECE_UNK "\x12\x05\x18\x02\x98\x02\x01", "<0x00> is missing");
    REFUSE(PIECE_UNK "\x0A\x05\x0A\x01"
                     "b\x18\x4D" BPE,
           "type is 77");
    REFUSE(PIECE_UNK "\x12\x05\x18\x02\xC0\x01\x01", "treat_whitespace_as_suffix");
    REFUSE(PIECE_UNK BPE "\x1A\x03\x12\x01x", "precompiled_charsmap");
    REFUSE(PIECE_UNK BPE "\x2A\x03\x12\x01x", "precompiled_charsmap");
    REFUSE(PIECE_UNK BPE "\x1A\x02\x1D\x01", "malformed");
    REFUSE(PIECE_UNK BPE "\x2A\x01", "malformed");
    REFUSE(PIECE_UNK BPE "\x18\x01", "field 3 has wire type 0");
    REFUSE(PIECE_UNK BPE "\x0B", "malformed");
    REFUSE("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", "malformed");
    REFUSE("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01<unk>", "malformed");
    REFUSE("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", "not a protobuf");
    assert_int_equal(REFUSE(PIECE_UNK, "model_type is 1"), ERROR_UNSUPPORTED);
}

/* Every prefix of a file, and every file with one byte changed, opens or is refused. */
static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    struct place place;
    struct strbuf bytes = {0};
    struct error error;
    place_make(&place);
    assert_int_equal(file_read(GOLDEN "ties.model", 1 << 26, &bytes, &error), 0);
    for (size_t i = 0; i < bytes.length; i += 3) {
        struct tokenizer *tokenizer = NULL;
        place_write(&place, "tokenizer.model", bytes.data, i);
        assert_int_equal(tokenizer_open(&tokenizer, place.path, ROWS, &error), -1);
        bytes.data[i] ^= (char)(1 << i % 8);
        place_write(&place, "tokenizer.model", bytes.data, bytes.length);
        bytes.data[i] ^= (char)(1 << i % 8);
        if (tokenizer_open(&tokenizer, place.path, ROWS, &error) == 0) {
            struct token_list ids = {0};
            tokenizer_encode(tokenizer, "abc ab\xE6\x97\xA5 <tool>> dcba", 22, true, &ids);
            token_list_free(&ids);
            tokenizer_close(tokenizer);
        }
    }
    strbuf_free(&bytes);
    place_remove(&place);
}

static void missing_and_too_large_files_say_so(void **state)
{
    (void)state;
    struct place place;
    struct tokenizer *tokenizer = NULL;
    struct error error = {0};
    place_make(&place);
    assert_int_equal(tokenizer_open(&tokenizer, place.path, ROWS, &error), -1);
    assert_non_null(strstr(error.message, "tokenizer.model: not found"));
    place_write(&place, "tokenizer.json", "{}", 2);
    assert_int_equal(tokenizer_open(&tokenizer, place.path, ROWS, &error), -1);
    assert_int_equal(error.code, ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "tokenizer.json alone is not supported"));
    place_copy(&place, GOLDEN "small.model");
    assert_int_equal(tokenizer_open(&tokenizer, place.path, 351, &error), -1);
    assert_non_null(strstr(error.message, "352 pieces, but the model has embeddings for 351"));
    assert_int_equal(tokenizer_open(&tokenizer, place.path, 352, &error), 0);
    tokenizer_close(tokenizer);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(vocabulary_equals_the_library, (void *)(uintptr_t) "vaquita"),
        cmocka_unit_test_prestate(vocabulary_equals_the_library, (void *)(uintptr_t) "squeezed"),
        cmocka_unit_test_prestate(vocabulary_equals_the_library, (void *)(uintptr_t) "ties"),
        cmocka_unit_test_prestate(vocabulary_equals_the_library, (void *)(uintptr_t) "small"),
        cmocka_unit_test(time_is_about_linear),
        cmocka_unit_test(text_never_becomes_special),
        cmocka_unit_test(names_and_ranges),
        cmocka_unit_test(a_run_continues_without_prefix),
        cmocka_unit_test(stream_releases_whole_characters),
        cmocka_unit_test(added_tokens_are_found_by_name_only),
        cmocka_unit_test(special_user_defined_cannot_be_spelled),
        cmocka_unit_test(wrong_added_tokens_are_refused),
        cmocka_unit_test(wrong_files_are_refused),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(missing_and_too_large_files_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
