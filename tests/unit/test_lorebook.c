/* Tests of engine/chat/lorebook, lorebook_scan and macro: what fires, why, what it costs; macros
 * with given chance and time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/json.h"
#include "engine/chat/lorebook_scan.h"
#include "engine/chat/macro.h"

static struct lorebook *book_of(const char *text)
{
    struct error error = {0};
    json_t *value = json_parse(text, strlen(text), "test", &error);
    if (value == NULL)
        fail_msg("%s", error.message);
    struct lorebook *book = lorebook_parse(value, "test", &error);
    if (book == NULL)
        fail_msg("%s", error.message);
    json_decref(value);
    return book;
}

static size_t count_bytes(void *user, const char *text, size_t length)
{
    (void)user;
    (void)text;
    return length;
}

/* Up to four messages, the last the newest; each hit as "name:key:message:state:tokens ". */
static char *scan(const struct lorebook *book, const char *const *messages)
{
    struct lore_text texts[8];
    struct lore_hits hits;
    struct strbuf out = {0};
    size_t count = 0;
    for (; messages[count] != NULL; count++)
        texts[count] = (struct lore_text){messages[count], strlen(messages[count]), (int)count};
    lorebook_scan(book, texts, count, count_bytes, NULL, &hits);
    strbuf_puts(&out, "");
    for (size_t i = 0; i < hits.count; i++) {
        const struct lore_hit *hit = &hits.items[i];
        strbuf_printf(&out, "%s:%s:%d:%d:%zu ", book->entries[hit->entry].name,
                      hit->key != NULL ? hit->key : "-", hit->message, (int)hit->state,
                      hit->tokens);
    }
    lore_hits_free(&hits);
    strbuf_add(&out, "", 0);
    return strbuf_detach(&out);
}

static void expect(const char *entries, const char *const *messages, const char *expected)
{
    struct lorebook *book = book_of(entries);
    char *found = scan(book, messages);
    assert_string_equal(found, expected);
    free(found);
    lorebook_free(book);
}

#define SAID(...) ((const char *const[]){__VA_ARGS__, NULL})

static void keys_fire_as_words(void **state)
{
    (void)state;
    static const char book[] = "{\"entries\":[{\"name\":\"cat\",\"keys\":[\"cat\",\"Big Dog\"],"
                               "\"content\":\"1234\"}]}";
    expect(book, SAID("A CAT!"), "cat:cat:0:0:4 ");
    expect(book, SAID("concatenate cats"), "");
    expect(book, SAID("a big dog, it is"), "cat:Big Dog:0:0:4 ");
    expect(book, SAID("\u00E9cat cat\u00E9"), "");
    expect(book, SAID("x", "(cat)", "y"), "cat:cat:1:0:4 ");
    expect("{\"entries\":[{\"keys\":[\"\u732B\",\"\u00C9t\u00E9\"],\"content\":\"1\"}]}",
           SAID("\u9ED2\u732B\u3067\u3059"), "\u732B:\u732B:0:0:1 ");
    expect("{\"entries\":[{\"keys\":[\"\u00C9t\u00E9\"],\"content\":\"1\"}]}",
           SAID("un \u00E9T\u00C9 chaud"), "\u00C9t\u00E9:\u00C9t\u00E9:0:0:1 ");
    expect("{\"entries\":[{\"keys\":[\"cat\"],\"content\":\"1\"}]}", SAID("\xFF CAT \xC3"),
           "cat:cat:0:0:1 ");
    expect("{\"entries\":[{\"keys\":[\"\"],\"content\":\"1\"}]}", SAID("anything"), "");
}

static void switches_are_obeyed(void **state)
{
    (void)state;
    expect("{\"entries\":[{\"name\":\"a\",\"keys\":[\"Cat\"],\"case_sensitive\":true,\"content\":"
           "\"1\"}]}",
           SAID("cat"), "");
    expect("{\"entries\":[{\"name\":\"a\",\"keys\":[\"Cat\"],\"case_sensitive\":true,\"content\":"
           "\"1\"}]}",
           SAID("Cat"), "a:Cat:0:0:1 ");
    expect(
        "{\"entries\":[{\"name\":\"a\",\"keys\":[\"cat\"],\"enabled\":false,\"content\":\"1\"}]}",
        SAID("cat"), "");
    expect("{\"entries\":[{\"name\":\"a\",\"keys\":[],\"constant\":true,\"content\":\"1\"}]}",
           SAID("x"), "a:-:-2:0:1 ");
    static const char selective[] =
        "{\"entries\":[{\"name\":\"a\",\"keys\":[\"cat\"],\"secondary_keys\":[\"hat\"],"
        "\"selective\":true,\"content\":\"1\"}]}";
    expect(selective, SAID("cat"), "");
    expect(selective, SAID("hat"), "");
    expect(selective, SAID("the hat", "the cat"), "a:cat:1:0:1 ");
    expect("{\"entries\":[{\"name\":\"r\",\"keys\":[\"c.t\"],\"use_regex\":true,\"content\":"
           "\"1\"}]}",
           SAID("cat c.t"), "r:-:-2:3:1 ");
}

static void depth_counts_messages(void **state)
{
    (void)state;
    static const char one[] =
        "{\"scan_depth\":1,\"entries\":[{\"name\":\"a\",\"keys\":[\"cat\"],\"content\":\"1\"}]}";
    static const char usual[] =
        "{\"entries\":[{\"name\":\"a\",\"keys\":[\"cat\"],\"content\":\"1\"}]}";
    expect(one, SAID("cat", "x"), "");
    expect(one, SAID("x", "cat"), "a:cat:1:0:1 ");
    expect(usual, SAID("cat", "x", "x", "x"), "a:cat:0:0:1 ");
    expect(usual, SAID("cat", "x", "x", "x", "x"), "");
    expect("{\"scan_depth\":0,\"entries\":[{\"name\":\"a\",\"keys\":[\"cat\"],\"content\":\"1\"}]}",
           SAID("cat"), "");
}

static void the_budget_keeps_the_important(void **state)
{
    (void)state;
    static const char book[] =
        "{\"token_budget\":10,\"entries\":["
        "{\"name\":\"low\",\"keys\":[\"k\"],\"content\":\"12345\",\"priority\":1,"
        "\"insertion_order\":1},"
        "{\"name\":\"high\",\"keys\":[\"k\"],\"content\":\"1234567\",\"priority\":9,"
        "\"insertion_order\":3},"
        "{\"name\":\"mid\",\"keys\":[\"k\"],\"content\":\"123\",\"priority\":5,"
        "\"insertion_order\":2}]}";
    expect(book, SAID("k"), "low:k:0:1:5 mid:k:0:0:3 high:k:0:0:7 ");
    expect(
        "{\"token_budget\":0,\"entries\":[{\"name\":\"a\",\"keys\":[\"k\"],\"content\":\"123\"}]}",
        SAID("k"), "a:k:0:0:3 ");
}

static void recursion_is_bounded(void **state)
{
    (void)state;
    struct strbuf text = {0};
    strbuf_puts(&text, "{\"recursive_scanning\":true,\"entries\":[");
    for (int i = 0; i < 8; i++)
        strbuf_printf(&text, "%s{\"name\":\"e%d\",\"keys\":[\"k%d\"],\"content\":\"k%d k%d\"}",
                      i > 0 ? "," : "", i, i, i + 1, i);
    strbuf_puts(&text, "]}");
    expect(text.data, SAID("k0"),
           "e0:k0:0:0:5 e1:k1:-3:0:5 e2:k2:-3:0:5 e3:k3:-3:0:5 e4:k4:-3:0:5 ");
    strbuf_free(&text);
    expect("{\"recursive_scanning\":false,\"entries\":["
           "{\"name\":\"a\",\"keys\":[\"x\"],\"content\":\"y\"},"
           "{\"name\":\"b\",\"keys\":[\"y\"],\"content\":\"z\"}]}",
           SAID("x"), "a:x:0:0:1 ");
    expect("{\"recursive_scanning\":true,\"token_budget\":3,\"entries\":["
           "{\"name\":\"a\",\"keys\":[\"x\"],\"content\":\"y too long\"},"
           "{\"name\":\"b\",\"keys\":[\"y\"],\"content\":\"z\"}]}",
           SAID("x"), "a:x:0:1:10 b:y:-3:2:1 ");
}

static void decorators_are_no_content(void **state)
{
    (void)state;
    struct lorebook *book = book_of("{\"entries\":[{\"content\":\"@@depth 4\\n@@role x\\nText\\n"
                                    "@@kept\"},{\"content\":\"@@only\"}]}");
    assert_string_equal(lore_content(&book->entries[0]), "Text\n@@kept");
    assert_string_equal(lore_content(&book->entries[1]), "");
    assert_string_equal(book->entries[1].name, "entry 2");
    lorebook_free(book);
}

/* The most keys on the longest text: looked through as far as the limit, and told. */
static void a_large_book_ends(void **state)
{
    (void)state;
    struct strbuf text = {0}, said = {0};
    strbuf_puts(&text, "{\"entries\":[{\"name\":\"a\",\"keys\":[\"aaaaaaab\"");
    for (int i = 2; i < LORE_KEYS_MAX; i++)
        strbuf_puts(&text, ",\"aaaaaaab\"");
    strbuf_puts(&text, ",\"zebra\"],\"content\":\"\"}]}");
    while (said.length < 1000000)
        strbuf_puts(&said, "aaaaaaaaaaaaaaaa");
    strbuf_puts(&said, " zebra");
    expect(text.data, SAID(said.data), "a:-:-2:4:0 ");
    strbuf_free(&text);
    strbuf_free(&said);
}

/* --- macros ----------------------------------------------------------------------------------- */

static char *expanded(const char *text, const struct macro_context *context)
{
    struct strbuf out = {0};
    strbuf_puts(&out, "");
    macro_expand(&out, text, context);
    strbuf_add(&out, "", 0);
    return strbuf_detach(&out);
}

static void macros_expand(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{{char}} and {{USER}}", "Ann and Jon"},
        {"<BOT>, <user>, <char>", "Ann, Jon, Ann"},
        {"{{original}}!", "old!"},
        {"{{random:x}}{{random:}}", "x{{random:}}"},
        {"{{roll:d1}}{{roll:1}}{{roll: 3d1}}", "113"},
        {"{{roll:0}}{{roll:d}}{{roll:-1}}{{roll:d6x}}{{roll:999d6}}",
         "{{roll:0}}{{roll:d}}{{roll:-1}}{{roll:d6x}}{{roll:999d6}}"},
        {"{{// a note}}x", "x"},
        {"{{nothing}} {{ char }} {char} {{char", "{{nothing}} {{ char }} {char} {{char"},
        {"{{char:x}}{{}}<>", "{{char:x}}{{}}<>"},
        {"{{{char}}}", "{Ann}"},
        {"", ""},
    };
    const struct macro_context context = {.character = "Ann", .user = "Jon", .original = "old"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = expanded(cases[i][0], &context);
        assert_string_equal(text, cases[i][1]);
        free(text);
    }
    char *clock = expanded("{{time}} {{date}}",
                           &(struct macro_context){.now_s = 1000000000, .utc_offset_s = 3600});
    assert_string_equal(clock, "02:46 2001-09-09");
    free(clock);
    char *own = expanded("{{char}}{{user}}",
                         &(struct macro_context){.character = "{{user}}", .user = "{{char}}"});
    assert_string_equal(own, "{{user}}{{char}}");
    free(own);
}

static void chance_is_the_callers(void **state)
{
    (void)state;
    size_t seen[4] = {0};
    for (uint64_t seed = 0; seed < 400; seed++) {
        const struct macro_context context = {.seed = seed};
        char *first = expanded("{{random:a, b ,c,d}}{{roll:2d6}}", &context);
        char *second = expanded("{{random:a, b ,c,d}}{{roll:2d6}}", &context);
        assert_string_equal(first, second);
        assert_true(first[0] >= 'a' && first[0] <= 'd');
        seen[first[0] - 'a']++;
        long rolled = strtol(first + 1, NULL, 10);
        assert_true(rolled >= 2 && rolled <= 12);
        free(first);
        free(second);
        char *colons = expanded("{{random::a,b::a,b}}", &context);
        assert_string_equal(colons, "a,b");
        free(colons);
    }
    for (size_t i = 0; i < 4; i++)
        assert_true(seen[i] > 50);
}

static void expansion_is_bounded(void **state)
{
    (void)state;
    struct strbuf text = {0}, original = {0}, out = {0};
    for (int i = 0; i < 100000; i++) {
        strbuf_puts(&text, "{{original}}");
        strbuf_puts(&original, "0123456789");
    }
    macro_expand(&out, text.data, &(struct macro_context){.original = original.data});
    assert_true(out.length <= MACRO_BYTES_MAX);
    strbuf_clear(&text);
    for (int i = 0; i < 200000; i++)
        strbuf_puts(&text, "{{");
    strbuf_clear(&out);
    macro_expand(&out, text.data, &(struct macro_context){0});
    assert_string_equal(out.data, text.data);
    strbuf_free(&text);
    strbuf_free(&original);
    strbuf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_fire_as_words),    cmocka_unit_test(switches_are_obeyed),
        cmocka_unit_test(depth_counts_messages), cmocka_unit_test(the_budget_keeps_the_important),
        cmocka_unit_test(recursion_is_bounded),  cmocka_unit_test(decorators_are_no_content),
        cmocka_unit_test(a_large_book_ends),     cmocka_unit_test(macros_expand),
        cmocka_unit_test(chance_is_the_callers), cmocka_unit_test(expansion_is_bounded),
    };
    return cmocka_run_group_tests_name("lorebook", tests, NULL, NULL);
}
