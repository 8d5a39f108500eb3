/* Tests of engine/chat/segment, with Vaquita's tokenizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "engine/chat/segment.h"

static struct tokenizer *tokenizer;

static int setup(void **state)
{
    (void)state;
    struct error error;
    return tokenizer_open(&tokenizer, "models/vaquita", 1u << 20, &error);
}

static int teardown(void **state)
{
    (void)state;
    tokenizer_close(tokenizer);
    return 0;
}

static void add(struct segment_list *list, enum segment_part part, bool fresh, const char *text)
{
    segment_add_text(list, part == PART_SYSTEM ? SEGMENT_TEMPLATE : SEGMENT_CONTENT, part, 3, fresh,
                     text, strlen(text));
}

static void assert_same(const struct token_list *a, const struct token_list *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->ids, b->ids, a->count * sizeof *a->ids);
}

/* However a text is cut into segments, the ids are those of the whole; and each token counts for
 * the part in which it begins, which is found here by decoding one token after the other. */
static void cuts_do_not_change_the_ids(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "A chat between a user and an assistant. USER: Hello there! ASSISTANT: ",
        "two  spaces   and\nnew\n\nlines\t",
        "na\xC3\xAFve caf\xC3\xA9 \xE6\xBC\xA2\xE5\xAD\x97 \xF0\x9F\x90\xAC dolphin",
        "<0x41> </s> <s> literally",
    };
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
        size_t length = strlen(texts[t]);
        struct token_list whole = {0};
        tokenizer_encode(tokenizer, texts[t], length, true, &whole);
        for (size_t cut = 1; cut < length; cut++) {
            if (((unsigned char)texts[t][cut] & 0xC0) == 0x80)
                continue;
            struct segment_list list = {0};
            struct token_list ids = {0};
            size_t parts[PARTS];
            segment_add_text(&list, SEGMENT_TEMPLATE, PART_SYSTEM, -1, false, texts[t], cut);
            segment_add_text(&list, SEGMENT_CONTENT, PART_DRAFT, 1, false, texts[t] + cut,
                             length - cut);
            segment_tokenize(&list, tokenizer, &ids, parts);
            assert_same(&ids, &whole);
            struct token_decoder decoder = {.strip_leading_space = true};
            struct strbuf out = {0};
            size_t first = 0;
            for (size_t i = 0; i < ids.count; i++) {
                first += out.length < cut;
                token_decoder_push(&decoder, tokenizer, ids.ids[i], &out);
            }
            assert_int_equal(parts[PART_SYSTEM], first);
            assert_int_equal(parts[PART_SYSTEM] + parts[PART_DRAFT], ids.count);
            strbuf_free(&out);
            token_list_free(&ids);
            segment_list_free(&list);
        }
        token_list_free(&whole);
    }
}

static void special_fresh_and_tokens_end_a_run(void **state)
{
    (void)state;
    static const int32_t reply[] = {300, 301, 302};
    struct segment_list list = {0}, copy = {0};
    struct token_list ids = {0}, expected = {0}, again = {0};
    size_t parts[PARTS];
    segment_add_special(&list, PART_SYSTEM, "<s>", 1);
    add(&list, PART_SYSTEM, false, "be ");
    add(&list, PART_DOCUMENT, false, "good and long");
    add(&list, PART_DRAFT, true, "hello");
    segment_add_tokens(&list, PART_HISTORY, 7, reply, 3);
    add(&list, PART_SCENE, false, "and so on");
    add(&list, PART_SCENE, false, "");
    segment_add_special(&list, PART_HISTORY, "</s>", 2);

    token_list_add(&expected, 1);
    tokenizer_encode(tokenizer, "be good and long", 16, true, &expected);
    size_t run = expected.count - 1;
    tokenizer_encode(tokenizer, "hello", 5, true, &expected);
    size_t draft = expected.count - 1 - run;
    token_list_append(&expected, reply, 3);
    size_t before = expected.count;
    tokenizer_encode(tokenizer, "and so on", 9, true, &expected);
    size_t scene = expected.count - before;
    token_list_add(&expected, 2);

    segment_tokenize(&list, tokenizer, &ids, parts);
    assert_same(&ids, &expected);
    assert_int_equal(parts[PART_SYSTEM] + parts[PART_DOCUMENT], 1 + run);
    assert_true(parts[PART_DOCUMENT] > 0);
    assert_int_equal(parts[PART_DRAFT], draft);
    assert_int_equal(parts[PART_HISTORY], 4);
    assert_int_equal(parts[PART_SCENE], scene);

    segment_list_copy(&copy, &list);
    segment_list_free(&list);
    segment_tokenize(&copy, tokenizer, &again, NULL);
    assert_same(&again, &expected);
    assert_int_equal(copy.items[4].owner, 7);
    assert_string_equal(copy.items[3].text, "hello");
    segment_list_free(&copy);
    token_list_free(&ids);
    token_list_free(&again);
    token_list_free(&expected);
}

static void content_cannot_become_a_special_token(void **state)
{
    (void)state;
    struct segment_list list = {0};
    struct token_list ids = {0};
    add(&list, PART_DRAFT, false, "</s><s><unk></s> <s>");
    segment_tokenize(&list, tokenizer, &ids, NULL);
    for (size_t i = 0; i < ids.count; i++)
        assert_false(tokenizer_is_special(tokenizer, ids.ids[i]));
    segment_list_free(&list);
    token_list_free(&ids);
}

/* Broken bytes become U+FFFD; the counts still come out right. */
static void invalid_text_is_attributed(void **state)
{
    (void)state;
    struct segment_list list = {0};
    struct token_list ids = {0}, tail = {0};
    size_t parts[PARTS];
    add(&list, PART_SYSTEM, false, "a\xFF\xFE\xC3(b\xE6\xBC ");
    add(&list, PART_DRAFT, false, "tail of it");
    segment_tokenize(&list, tokenizer, &ids, parts);
    tokenizer_encode(tokenizer, "tail of it", 10, true, &tail);
    assert_int_equal(parts[PART_SYSTEM] + parts[PART_DRAFT], ids.count);
    /* The lone space goes with "tail", so the draft has all tokens of its own but that one. */
    assert_in_range(parts[PART_DRAFT], tail.count - 1, tail.count + 1);
    segment_list_free(&list);
    token_list_free(&ids);
    token_list_free(&tail);
}

static void text_spells_special_tokens(void **state)
{
    (void)state;
    struct segment_list list = {0};
    struct strbuf out = {0};
    segment_add_special(&list, PART_SYSTEM, "<s>", -1);
    add(&list, PART_SYSTEM, false, "USER: hi ASSISTANT: ");
    segment_add_special(&list, PART_HISTORY, "</s>", -1);
    segment_text(&list, NULL, &out);
    assert_string_equal(strbuf_text(&out), "<s>USER: hi ASSISTANT: </s>");
    strbuf_clear(&out);
    struct token_list ids = {0};
    tokenizer_encode(tokenizer, "a reply", 7, true, &ids);
    segment_add_tokens(&list, PART_HISTORY, 1, ids.ids, ids.count);
    segment_text(&list, tokenizer, &out);
    assert_string_equal(strbuf_text(&out), "<s>USER: hi ASSISTANT: </s>a reply");
    strbuf_free(&out);
    token_list_free(&ids);
    segment_list_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_do_not_change_the_ids),
        cmocka_unit_test(special_fresh_and_tokens_end_a_run),
        cmocka_unit_test(content_cannot_become_a_special_token),
        cmocka_unit_test(invalid_text_is_attributed),
        cmocka_unit_test(text_spells_special_tokens),
    };
    return cmocka_run_group_tests_name("segment", tests, setup, teardown);
}
