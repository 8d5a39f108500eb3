/* Tests of engine/chat/card, card_png, card_file: forms, round trips, hostile files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/card_base64.h"
#include "engine/chat/card_file.h"
#include "engine/chat/card_png.h"

static const char v1[] =
    "{\"name\":\"Ann\",\"description\":\"d\",\"personality\":\"p\",\"scenario\":"
    "\"s\",\"first_mes\":\"f\",\"mes_example\":\"e\",\"extra\":{\"x\":[1]}}";

static const char v2[] =
    "{\"spec\":\"chara_card_v2\",\"spec_version\":\"2.0\",\"top\":true,\"data\":{\"name\":\"Ann\","
    "\"description\":\"d\",\"personality\":null,\"system_prompt\":\"sp {{original}}\","
    "\"post_history_instructions\":\"ph\",\"creator_notes\":\"cn\",\"creator\":\"c\","
    "\"character_version\":\"1.2\",\"alternate_greetings\":[\"a\",\"b\"],\"tags\":[\"t\"],"
    "\"unknown\":{\"deep\":[1,2,{\"y\":\"\\u00e9\"}]},\"extensions\":{\"app/x\":{\"k\":1.5}},"
    "\"character_book\":{\"name\":\"B\",\"extensions\":{\"e\":1},\"entries\":[{\"keys\":[\"k\"],"
    "\"content\":\"lore\",\"enabled\":true,\"insertion_order\":3,\"extensions\":{\"z\":0},"
    "\"id\":7}]}}}";

static struct card *parse(const char *text)
{
    struct error error = {0};
    struct card *card = card_parse(text, strlen(text), "SOURCE", &error);
    if (card == NULL)
        fail_msg("%s", error.message);
    return card;
}

static json_t *load(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    return value;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void every_form_is_read(void **state)
{
    (void)state;
    struct card *flat = parse(v1), *card = parse(v2);
    assert_int_equal(flat->version, 1);
    assert_string_equal(flat->fields[CARD_SCENARIO], "s");
    assert_string_equal(flat->fields[CARD_SYSTEM_PROMPT], "");
    assert_int_equal(card->version, 2);
    assert_string_equal(card->fields[CARD_PERSONALITY], "");
    assert_string_equal(card->fields[CARD_POST_HISTORY], "ph");
    assert_string_equal(card->fields[CARD_VERSION], "1.2");
    assert_int_equal(card->greeting_count, 2);
    assert_int_equal(card->book->count, 1);
    assert_int_equal(card->book->entries[0].insertion_order, 3);
    card_free(flat);
    card_free(card);
}

static void a_round_trip_keeps_everything(void **state)
{
    (void)state;
    struct card *card = parse(v2);
    json_t *before = load(v2), *after = card_json(card, 0);
    assert_true(json_equal(before, after));
    json_decref(after);
    json_decref(before);
    struct card *copy = card_copy(card);
    card_set(copy, CARD_NAME, "Ben");
    card_set(copy, CARD_NAME, "");
    card_set(copy, CARD_FIRST_MES, "hello");
    copy->book->entries[0].enabled = false;
    json_t *edited = card_json(copy, 3);
    json_t *data = json_object_get(edited, "data");
    assert_string_equal(json_string_value(json_object_get(edited, "spec")), "chara_card_v3");
    assert_string_equal(json_string_value(json_object_get(data, "name")), "Ben");
    assert_string_equal(json_string_value(json_object_get(data, "first_mes")), "hello");
    assert_true(json_is_array(json_object_get(data, "group_only_greetings")));
    const json_t *entry =
        json_array_get(json_object_get(json_object_get(data, "character_book"), "entries"), 0);
    assert_true(json_is_false(json_object_get(entry, "enabled")));
    assert_int_equal(json_integer_value(json_object_get(entry, "id")), 7);
    assert_non_null(json_object_get(json_object_get(data, "extensions"), "app/x"));
    assert_non_null(json_object_get(json_object_get(data, "unknown"), "deep"));
    json_decref(edited);
    card_free(copy);
    card_free(card);
}

static void a_flat_card_becomes_v2(void **state)
{
    (void)state;
    struct card *card = parse(v1);
    struct strbuf text = {0};
    card_write(card, 0, &text);
    struct card *again = parse(text.data);
    assert_int_equal(again->version, 2);
    for (int i = 0; i < CARD_FIELDS; i++)
        assert_string_equal(again->fields[i], card->fields[i]);
    assert_non_null(json_object_get(json_object_get(again->root, "data"), "extra"));
    strbuf_free(&text);
    card_free(again);
    card_free(card);
}

static void wrong_cards_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[]", "SOURCE: not a JSON object"},
        {"{}", "SOURCE: name: missing; is this a character card?"},
        {"{\"name\":7}", "SOURCE: name: not a string"},
        {"{\"name\":\"a\",\"alternate_greetings\":[1]}",
         "SOURCE: alternate_greetings[0]: not a string of at most 1 MiB"},
        {"{\"spec\":\"chara_card_v9\",\"data\":{\"name\":\"a\"}}",
         "SOURCE: spec: neither chara_card_v2 nor chara_card_v3"},
        {"{\"spec\":\"chara_card_v2\",\"data\":[]}", "SOURCE: data: not an object"},
        {"{\"name\":\"a\",\"character_book\":{\"entries\":{}}}",
         "SOURCE: character_book.entries: not a list of at most 4096 entries"},
        {"{\"name\":\"a\",\"character_book\":{\"entries\":[{\"keys\":\"k\"}]}}",
         "SOURCE: character_book.entries[0].keys: not a list"},
        {"{\"name\":\"a\",\"character_book\":{\"entries\":[{\"keys\":[1]}]}}",
         "SOURCE: character_book.entries[0].keys: not a list of strings"},
        {"{\"name\":\"a\",\"character_book\":{\"entries\":[{\"enabled\":1}]}}",
         "SOURCE: character_book.entries[0].enabled: not true or false"},
        {"{\"name\":\"a\",\"character_book\":{\"entries\":[],\"scan_depth\":\"x\"}}",
         "SOURCE: character_book.scan_depth: not a number"},
        {"{\"name\":\"a\",", NULL},
        {"{\"name\":\"a\\u0000b\"}", NULL},
        {"{\"name\":\"a\",\"name\":\"b\"}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = {0};
        if (card_parse(cases[i][0], strlen(cases[i][0]), "SOURCE", &error) != NULL)
            fail_msg("taken: %s", cases[i][0]);
        if (cases[i][1] != NULL)
            assert_string_equal(error.message, cases[i][1]);
        assert_int_equal(strncmp(error.message, "SOURCE: ", 8), 0);
        assert_null(strchr(error.message, '\n'));
    }
}

static void limits_hold(void **state)
{
    (void)state;
    struct strbuf text = {0};
    struct error error = {0};
    strbuf_puts(&text, "{\"name\":\"a\",\"description\":\"");
    while (text.length <= CARD_TEXT_MAX + 64)
        strbuf_puts(&text, "0123456789abcdef");
    strbuf_puts(&text, "\"}");
    assert_null(card_parse(text.data, text.length, "S", &error));
    assert_string_equal(error.message, "S: description: longer than 1 MiB");
    strbuf_clear(&text);
    strbuf_puts(&text, "{\"name\":\"a\",\"x\":");
    for (int i = 0; i < CARD_DEPTH_MAX; i++)
        strbuf_putc(&text, '[');
    for (int i = 0; i < CARD_DEPTH_MAX; i++)
        strbuf_putc(&text, ']');
    strbuf_putc(&text, '}');
    assert_null(card_parse(text.data, text.length, "S", &error));
    assert_non_null(strstr(error.message, "nested deeper than 56 levels"));
    strbuf_clear(&text);
    strbuf_puts(&text, "{\"name\":\"a\",\"character_book\":{\"entries\":[{\"keys\":[\"k\"");
    for (int i = 0; i < LORE_KEYS_MAX; i++)
        strbuf_puts(&text, ",\"k\"");
    strbuf_puts(&text, "]}]}}");
    assert_null(card_parse(text.data, text.length, "S", &error));
    assert_non_null(strstr(error.message, "more than 8192 keys"));
    strbuf_free(&text);
}

/* --- base64 and PNG --------------------------------------------------------------------------- */

static void base64_goes_both_ways(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xFF\xFE", "//4="}};
    static const char *const bad[] = {"A", "AAAAA", "A===", "AA=A", "AA*A", "====", "Zg==Zg=="};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct strbuf text = {0}, back = {0};
        base64_encode(&text, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(strbuf_text(&text), pairs[i][1]);
        assert_int_equal(base64_decode(&back, strbuf_text(&text), text.length), 0);
        assert_string_equal(strbuf_text(&back), pairs[i][0]);
        strbuf_free(&text);
        strbuf_free(&back);
    }
    struct strbuf out = {0};
    assert_int_equal(base64_decode(&out, "Zm\n9v Yg", 8), 0);
    assert_string_equal(out.data, "foob");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (base64_decode(&out, bad[i], strlen(bad[i])) == 0)
            fail_msg("%s decoded", bad[i]);
    strbuf_free(&out);
}

static void put_u32(struct strbuf *out, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        strbuf_putc(out, (char)(value >> shift));
}

static void put_chunk(struct strbuf *out, const char *type, const void *data, size_t length)
{
    put_u32(out, (uint32_t)length);
    size_t begin = out->length;
    strbuf_puts(out, type);
    strbuf_add(out, data, length);
    put_u32(out, (uint32_t)crc32_z(0, (unsigned char *)out->data + begin, length + 4));
}

static void begin_png(struct strbuf *out)
{
    strbuf_clear(out);
    strbuf_add(out, "\x89PNG\r\n\x1A\n", 8);
    put_chunk(out, "IHDR", "\0\0\0\1\0\0\0\1\x08\0\0\0\0", 13);
}

enum packing { TEXT, ZTEXT, ITEXT, ITEXT_PACKED };

static void deflate_text(const struct strbuf *text, struct strbuf *out)
{
    uLongf size = compressBound(text->length);
    char *packed = xmalloc(size);
    compress((unsigned char *)packed, &size, (const unsigned char *)text->data, text->length);
    strbuf_add(out, packed, size);
    free(packed);
}

static void put_text(struct strbuf *out, const char *keyword, const struct strbuf *text,
                     enum packing packing)
{
    static const char *const types[] = {"tEXt", "zTXt", "iTXt", "iTXt"};
    struct strbuf data = {0};
    strbuf_add(&data, keyword, strlen(keyword) + 1);
    if (packing == ZTEXT)
        strbuf_putc(&data, 0);
    if (packing >= ITEXT)
        strbuf_add(&data, packing == ITEXT ? "\0\0en\0key\0" : "\1\0en\0key\0", 9);
    if (packing == TEXT || packing == ITEXT)
        strbuf_add(&data, text->data, text->length);
    else
        deflate_text(text, &data);
    put_chunk(out, types[packing], data.data, data.length);
    strbuf_free(&data);
}

static void put_card(struct strbuf *out, const char *keyword, const char *json,
                     enum packing packing)
{
    struct strbuf text = {0};
    base64_encode(&text, json, strlen(json));
    put_text(out, keyword, &text, packing);
    strbuf_free(&text);
}

static char *read_png(const struct strbuf *png, struct error *error)
{
    struct strbuf out = {0};
    if (card_png_read(strbuf_text(png), png->length, "PNG", &out, error) == 0)
        return strbuf_detach(&out);
    strbuf_free(&out);
    return NULL;
}

static void every_text_chunk_is_read(void **state)
{
    (void)state;
    for (int packing = TEXT; packing <= ITEXT_PACKED; packing++) {
        struct strbuf png = {0};
        struct error error = {0};
        begin_png(&png);
        put_card(&png, "Comment", "{}", TEXT);
        put_card(&png, "chara", v2, (enum packing)packing);
        put_chunk(&png, "IEND", "", 0);
        char *json = read_png(&png, &error);
        if (json == NULL)
            fail_msg("packing %d: %s", packing, error.message);
        assert_string_equal(json, v2);
        free(json);
        strbuf_free(&png);
    }
}

static void v3_goes_before_v2(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct strbuf png = {0};
        begin_png(&png);
        put_card(&png, order ? "chara" : "ccv3", order ? "{\"two\":2}" : "{\"three\":3}", TEXT);
        put_card(&png, order ? "ccv3" : "chara", order ? "{\"three\":3}" : "{\"two\":2}", TEXT);
        put_chunk(&png, "IEND", "", 0);
        char *json = read_png(&png, NULL);
        assert_string_equal(json, "{\"three\":3}");
        free(json);
        strbuf_free(&png);
    }
}

static void expect_damage(struct strbuf *png, const char *message)
{
    struct error error = {0};
    char *json = read_png(png, &error);
    if (json != NULL || strstr(error.message, message) == NULL)
        fail_msg("\"%s\" instead of \"%s\"", error.message, message);
    strbuf_free(png);
}

static void damaged_pictures_are_refused(void **state)
{
    (void)state;
    struct strbuf png = {0};
    strbuf_puts(&png, "GIF89a");
    expect_damage(&png, "PNG: not a PNG file");
    begin_png(&png);
    expect_damage(&png, "cut short at byte 33");
    begin_png(&png);
    put_chunk(&png, "IEND", "", 0);
    expect_damage(&png, "holds no character");
    begin_png(&png);
    put_card(&png, "chara", v2, TEXT);
    png.data[60] ^= 1;
    put_chunk(&png, "IEND", "", 0);
    expect_damage(&png, "chunk tEXt: the checksum is wrong");
    begin_png(&png);
    put_chunk(&png, "tEXt", "chara\0$$$$", 10);
    put_chunk(&png, "IEND", "", 0);
    expect_damage(&png, "chunk tEXt: the character is not base64");
    begin_png(&png);
    put_chunk(&png, "zTXt", "chara\0\0junk", 11);
    put_chunk(&png, "IEND", "", 0);
    expect_damage(&png, "chunk zTXt: the compressed text is damaged");
    begin_png(&png);
    put_chunk(&png, "zTXt", "chara\0", 6);
    put_chunk(&png, "IEND", "", 0);
    expect_damage(&png, "chunk zTXt: unknown compression");
    begin_png(&png);
    put_chunk(&png, "iTXt", "chara\0\1\0en", 10);
    put_chunk(&png, "IEND", "", 0);
    expect_damage(&png, "chunk iTXt: too short");
    begin_png(&png);
    put_u32(&png, 0xFFFFFFFFu);
    strbuf_puts(&png, "tEXtchara");
    expect_damage(&png, "cut short at byte 33");
}

/* 32 MiB of one letter packs into a few kilobytes. */
static void a_bomb_is_not_inflated(void **state)
{
    (void)state;
    struct strbuf png = {0}, huge = {0};
    char row[4096];
    memset(row, 'A', sizeof row);
    while (huge.length < 2u * CARD_BYTES_MAX)
        strbuf_add(&huge, row, sizeof row);
    begin_png(&png);
    put_text(&png, "chara", &huge, ZTEXT);
    put_chunk(&png, "IEND", "", 0);
    assert_true(png.length < 100000);
    expect_damage(&png, "chunk zTXt: inflates to more than 16 MiB");
    strbuf_free(&huge);
}

static void cards_go_into_pictures(void **state)
{
    (void)state;
    struct strbuf picture = {0}, two = {0}, three = {0}, out = {0};
    struct error error = {0};
    strbuf_puts(&two, "{\"two\":2}");
    strbuf_puts(&three, "{\"three\":3}");
    begin_png(&picture);
    put_card(&picture, "chara", "{\"old\":1}", ZTEXT);
    put_chunk(&picture, "tEXt", "Author\0me", 9);
    put_chunk(&picture, "IEND", "", 0);
    assert_int_equal(card_png_write(picture.data, picture.length, "P", &two, &three, &out, &error),
                     0);
    char *json = read_png(&out, &error);
    assert_string_equal(json, "{\"three\":3}");
    assert_non_null(memmem(out.data, out.length, "Author\0me", 9));
    assert_null(memmem(out.data, out.length, "zTXt", 4));
    size_t length = out.length;
    assert_int_equal(card_png_write("GIF", 3, "P", &two, &three, &out, &error), -1);
    assert_int_equal(card_png_write(picture.data, 40, "P", &two, &three, &out, &error), -1);
    assert_int_equal(out.length, length);
    free(json);
    strbuf_free(&picture);
    strbuf_free(&two);
    strbuf_free(&three);
    strbuf_free(&out);
}

/* The picture that is made for a card without one is a whole PNG: its rows inflate. */
static void a_plain_picture_is_whole(void **state)
{
    (void)state;
    struct strbuf png = {0};
    card_png_blank("Ann", &png);
    assert_true(card_png_is(png.data, png.length));
    const char *data = memmem(png.data, png.length, "IDAT", 4);
    assert_non_null(data);
    unsigned char *rows = xmalloc(144 * (96 * 3 + 1) + 1);
    uLongf size = 144 * (96 * 3 + 1) + 1;
    size_t left = png.length - (size_t)(data + 4 - png.data);
    assert_int_equal(uncompress(rows, &size, (const unsigned char *)data + 4, left), Z_OK);
    assert_int_equal(size, 144 * (96 * 3 + 1));
    free(rows);
    strbuf_free(&png);
}

static void files_are_told_apart(void **state)
{
    (void)state;
    char directory[] = "/tmp/airo-card-XXXXXX";
    struct error error = {0};
    assert_non_null(mkdtemp(directory));
    char *json = path_join(directory, "a.json"), *png = path_join(directory, "a.png");
    char *again = path_join(directory, "b.png");
    struct card *card = parse(v2);
    assert_int_equal(card_export_json(card, json, &error), 0);
    assert_int_equal(card_export_json(card, json, &error), -1);
    assert_int_equal(card_export_png(card, NULL, png, &error), 0);
    assert_int_equal(card_export_png(card, png, again, &error), 0);
    const char *const paths[] = {json, png, again};
    for (size_t i = 0; i < 3; i++) {
        struct card *read = card_open(paths[i], &error);
        if (read == NULL)
            fail_msg("%s", error.message);
        assert_int_equal(read->version, i == 0 ? 2 : 3);
        assert_string_equal(read->fields[CARD_POST_HISTORY], "ph");
        assert_non_null(json_object_get(
            json_object_get(json_object_get(read->root, "data"), "extensions"), "app/x"));
        card_free(read);
        unlink(paths[i]);
    }
    assert_null(card_open(directory, &error));
    assert_null(card_open(json, &error));
    assert_int_equal(strncmp(error.message, json, strlen(json)), 0);
    card_free(card);
    free(json);
    free(png);
    free(again);
    rmdir(directory);
}

/* --- hostile files ---------------------------------------------------------------------------- */

static uint32_t chance(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void mutate(struct strbuf *bytes, uint32_t *seed)
{
    static const char *const bits[] = {
        "\"", "{",     "[",    "null",     "\\u0000", "tEXt",          "\xFF",
        "-1", "1e999", "IEND", "\0\0\0\0", "]}",      "character_book"};
    for (uint32_t n = 1 + chance(seed) % 4; n > 0 && bytes->length > 1; n--) {
        size_t at = chance(seed) % bytes->length;
        const char *bit = bits[chance(seed) % (sizeof bits / sizeof bits[0])];
        size_t length = strlen(bit) > 0 ? strlen(bit) : 4;
        switch (chance(seed) % 4) {
        case 0:
            bytes->data[at] = (char)chance(seed);
            break;
        case 1:
            bytes->data[at] = (char)(bytes->data[at] ^ (1 << chance(seed) % 8));
            break;
        case 2:
            strbuf_remove(bytes, at, 1 + chance(seed) % (bytes->length - at));
            break;
        default:
            memcpy(bytes->data + at, bit,
                   length < bytes->length - at ? length : bytes->length - at);
        }
    }
}

/* Gives a mutated PNG right checksums again, so that what is behind them is reached too. */
static void mend(struct strbuf *png)
{
    for (size_t at = 8; png->length >= at + 12;) {
        const unsigned char *b = (const unsigned char *)png->data + at;
        size_t length = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
        if (length > png->length - at - 12)
            return;
        uint32_t sum = (uint32_t)crc32_z(0, b + 4, length + 4);
        for (size_t i = 0; i < 4; i++)
            png->data[at + 8 + length + i] = (char)(sum >> (24 - 8 * i));
        at += length + 12;
    }
}

/* One input: an error of one line that names the source, or a card that can be written and read. */
static bool try_bytes(const struct strbuf *bytes, bool picture)
{
    struct error error = {0};
    struct strbuf json = {0}, text = {0};
    struct card *card = NULL;
    char *copy = xmalloc(bytes->length + 1); /* exactly as long, for the address sanitiser */
    memcpy(copy, strbuf_text(bytes), bytes->length);
    char *exact = realloc(copy, bytes->length > 0 ? bytes->length : 1);
    if (!picture)
        card = card_parse(exact, bytes->length, "FUZZ", &error);
    else if (card_png_read(exact, bytes->length, "FUZZ", &json, &error) == 0)
        card = card_parse(strbuf_text(&json), json.length, "FUZZ", &error);
    free(exact);
    bool taken = card != NULL;
    if (taken) {
        card_write(card, 3, &text);
        struct card *again = card_parse(text.data, text.length, "FUZZ", &error);
        if (again == NULL)
            fail_msg("%s in %s", error.message, text.data);
        card_free(again);
    } else if (strncmp(error.message, "FUZZ: ", 6) != 0 || strchr(error.message, '\n') != NULL) {
        fail_msg("\"%s\"", error.message);
    }
    card_free(card);
    strbuf_free(&json);
    strbuf_free(&text);
    return taken;
}

static void mutations_are_refused_or_read(void **state)
{
    (void)state;
    struct strbuf seeds[3] = {0};
    uint32_t seed = 1;
    size_t taken = 0;
    strbuf_puts(&seeds[0], v2);
    for (int i = 1; i < 3; i++) {
        begin_png(&seeds[i]);
        put_card(&seeds[i], i == 1 ? "chara" : "ccv3", v2, i == 1 ? ZTEXT : ITEXT_PACKED);
        put_card(&seeds[i], "chara", v1, TEXT);
        put_chunk(&seeds[i], "IEND", "", 0);
    }
    for (int round = 0; round < 60000; round++) {
        const struct strbuf *from = &seeds[round % 3];
        struct strbuf bytes = {0};
        strbuf_add(&bytes, from->data, from->length);
        mutate(&bytes, &seed);
        if (round % 3 > 0 && round % 2 == 0)
            mend(&bytes);
        taken += try_bytes(&bytes, round % 3 > 0);
        strbuf_free(&bytes);
    }
    assert_true(taken > 1000 && taken < 59000); /* both ways were gone */
    for (int i = 0; i < 3; i++)
        strbuf_free(&seeds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(a_round_trip_keeps_everything),
        cmocka_unit_test(a_flat_card_becomes_v2),
        cmocka_unit_test(wrong_cards_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(every_text_chunk_is_read),
        cmocka_unit_test(v3_goes_before_v2),
        cmocka_unit_test(damaged_pictures_are_refused),
        cmocka_unit_test(a_bomb_is_not_inflated),
        cmocka_unit_test(cards_go_into_pictures),
        cmocka_unit_test(a_plain_picture_is_whole),
        cmocka_unit_test(files_are_told_apart),
        cmocka_unit_test(mutations_are_refused_or_read),
    };
    return cmocka_run_group_tests_name("card", tests, NULL, NULL);
}
