/* Tests of engine/chat/passages and passages_cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "engine/chat/passages.h"
#include "engine/chat/passages_cut.h"

/* A token for every four bytes, and the metadata. */
static size_t count(void *user, const struct document *document)
{
    size_t tokens = 10 + (document->length + 3) / 4;
    (void)user;
    for (size_t i = 0; i < document->pair_count; i++)
        tokens += strlen(document->pairs[i].value);
    return tokens;
}

/* Paragraph n of a document: 70 words, one of them its own. */
static void paragraph(struct strbuf *out, size_t number, const char *word)
{
    strbuf_printf(out, "Paragraph %zu tells of %s.", number, word);
    for (int i = 0; i < 65; i++)
        strbuf_printf(out, " filler%d", i);
    strbuf_puts(out, ".\n\n");
}

static struct document_list two_documents(void)
{
    static const char *const words[] = {"apples", "pears", "plums",  "grapes",  "figs",
                                        "dates",  "limes", "lemons", "quinces", "cherries"};
    struct document_list list = {0};
    struct strbuf text = {0};
    for (size_t i = 0; i < 10; i++)
        paragraph(&text, i + 1, words[i]);
    document_add_text(&list, "fruit.txt", strbuf_text(&text), text.length);
    document_set_pair(&list.items[0], "url", "x", NULL);
    strbuf_clear(&text);
    for (size_t i = 0; i < 10; i++)
        paragraph(&text, i + 1, i == 4 ? "the violin" : "nothing");
    document_add_text(&list, "music.txt", strbuf_text(&text), text.length);
    document_set_pair(&list.items[1], "title", "Music", NULL);
    strbuf_free(&text);
    return list;
}

static void origins_are_right(const struct passages_choice *choice,
                              const struct document_list *documents)
{
    for (size_t i = 0; i < choice->documents.count; i++) {
        const struct document *chosen = &choice->documents.items[i];
        size_t mapped = 0;
        for (size_t at = 0; at < chosen->length; at++) {
            size_t document, origin;
            if (!passages_origin(choice, i, at, &document, &origin))
                continue;
            mapped++;
            assert_true(document < documents->count && origin < documents->items[document].length);
            assert_int_equal(chosen->text[at], documents->items[document].text[origin]);
        }
        assert_true(mapped > 0);
    }
}

static void the_matching_paragraphs_are_chosen(void **state)
{
    (void)state;
    struct document_list documents = two_documents();
    struct passages_choice choice;
    struct error error = {0};
    struct passages *passages = passages_open(&documents, NULL, NULL, &error);
    assert_non_null(passages);
    assert_int_equal(passages_paragraphs(passages, 0), 10);
    assert_int_equal(passages_pick(passages, "What of plums, grapes and cherries?", 700, count,
                                   NULL, &choice, &error),
                     0);
    assert_true(choice.matched);
    assert_int_equal(choice.documents.count, 1);
    assert_string_equal(choice.documents.items[0].name, "fruit.txt");
    assert_string_equal(choice.documents.items[0].pairs[0].value, "x");
    assert_int_equal(choice.report_count, 1);
    assert_string_equal(choice.report[0], "fruit.txt: paragraphs 3-4, 10 of 10");
    const char *text = choice.documents.items[0].text;
    assert_int_equal(strncmp(text, PASSAGES_GAP "\n\nParagraph 3", 18), 0);
    assert_non_null(strstr(text, ".\n\nParagraph 4"));
    assert_non_null(strstr(text, "\n\n" PASSAGES_GAP "\n\nParagraph 10"));
    assert_null(strstr(text, "Paragraph 5"));
    assert_int_not_equal(strcmp(text + strlen(text) - 5, PASSAGES_GAP), 0);
    assert_true(choice.tokens <= 700);
    assert_true(count(NULL, &choice.documents.items[0]) <= choice.tokens);
    origins_are_right(&choice, &documents);
    passages_choice_free(&choice);
    /* The singular finds the plural, the other document is found too. */
    assert_int_equal(passages_pick(passages, "fig VIOLINS", 700, count, NULL, &choice, &error), 0);
    assert_int_equal(choice.documents.count, 2);
    assert_string_equal(choice.report[0], "fruit.txt: paragraph 5 of 10");
    assert_string_equal(choice.report[1], "music.txt: paragraph 5 of 10");
    assert_int_equal(choice.items[1].chosen_document, 1);
    origins_are_right(&choice, &documents);
    passages_choice_free(&choice);
    passages_close(passages);
    document_list_free(&documents);
}

static void the_budget_holds(void **state)
{
    (void)state;
    struct document_list documents = two_documents();
    struct passages_choice choice;
    struct error error = {0};
    struct passages *passages = passages_open(&documents, NULL, NULL, &error);
    for (size_t budget = 0; budget < 4000; budget += 37) {
        if (passages_pick(passages, "paragraph filler1 plums", budget, count, NULL, &choice,
                          &error) != 0) {
            assert_true(budget < 250);
            assert_non_null(strstr(error.message, "too few for one paragraph"));
            continue;
        }
        size_t total = 0;
        for (size_t i = 0; i < choice.documents.count; i++)
            total += count(NULL, &choice.documents.items[i]);
        assert_true(total <= budget);
        assert_true(choice.count > 0);
        passages_choice_free(&choice);
    }
    passages_close(passages);
    document_list_free(&documents);
}

static void beginnings_stand_in_for_matches(void **state)
{
    (void)state;
    static const char *const questions[] = {
        "zebra?",        "", "?!", "\"'\";--", "the of and", "NEAR(x y) AND NOT *", "\xFF\xFE",
        "words:zebra ^x"};
    struct document_list documents = two_documents();
    struct passages_choice choice;
    struct error error = {0};
    struct passages *passages = passages_open(&documents, NULL, NULL, &error);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        if (passages_pick(passages, questions[i], 450, count, NULL, &choice, &error) != 0)
            fail_msg("%s: %s", questions[i], error.message);
        if (strcmp(questions[i], "the of and") != 0) { /* nothing but these: then they count */
            assert_false(choice.matched);
            assert_int_equal(choice.documents.count, 2);
            assert_string_equal(choice.report[1], "music.txt: paragraph 1 of 10");
            assert_int_equal(strncmp(choice.documents.items[0].text, "Paragraph 1", 11), 0);
        }
        passages_choice_free(&choice);
    }
    passages_close(passages);
    document_list_free(&documents);
}

/* A word that is everywhere does not outweigh one that is in one place. */
static void common_words_weigh_little(void **state)
{
    (void)state;
    struct document_list documents = two_documents();
    struct passages_choice choice;
    struct passages *passages = passages_open(&documents, NULL, NULL, NULL);
    assert_int_equal(passages_pick(passages, "nothing filler1 filler2 filler3 filler4 violin", 260,
                                   count, NULL, &choice, NULL),
                     0);
    assert_int_equal(choice.count, 1);
    assert_int_equal(choice.items[0].document, 1);
    assert_int_equal(choice.items[0].number, 5);
    double best = choice.items[0].score;
    passages_choice_free(&choice);
    assert_int_equal(passages_pick(passages, "nothing violin", 1000, count, NULL, &choice, NULL),
                     0);
    assert_true(choice.count > 2);
    for (size_t i = 0; i < choice.count; i++)
        assert_true(choice.items[i].number == 5 || choice.items[i].score < best);
    passages_choice_free(&choice);
    passages_close(passages);
    document_list_free(&documents);
}

static void disabled_documents_are_left_out(void **state)
{
    (void)state;
    struct document_list documents = two_documents();
    struct passages_choice choice;
    documents.items[0].enabled = false;
    struct passages *passages = passages_open(&documents, NULL, NULL, NULL);
    assert_int_equal(passages_pick(passages, "plums", 700, count, NULL, &choice, NULL), 0);
    assert_int_equal(choice.documents.count, 1);
    assert_string_equal(choice.documents.items[0].name, "music.txt");
    passages_choice_free(&choice);
    passages_close(passages);
    documents.items[1].enabled = false;
    struct error error = {0};
    passages = passages_open(&documents, NULL, NULL, NULL);
    assert_int_equal(passages_pick(passages, "plums", 700, count, NULL, &choice, &error), -1);
    passages_close(passages);
    document_list_free(&documents);
}

/* --- cutting ---------------------------------------------------------------------------------- */

static size_t words_in(const char *text, struct text_range range)
{
    size_t words = 0;
    for (size_t i = range.begin; i < range.end; i++)
        words += text[i] != ' ' && text[i] != '\n' &&
                 (i == range.begin || text[i - 1] == ' ' || text[i - 1] == '\n');
    return words;
}

/* The pieces hold everything but white space, in order, and none is too long. */
static void cut_is_sound(const char *text, size_t length)
{
    struct passage_cutter cutter = {0};
    struct text_range range;
    size_t last = 0;
    while (passage_cut_next(&cutter, text, length, &range)) {
        for (size_t i = last; i < range.begin; i++)
            assert_non_null(strchr(" \t\r\n", text[i]));
        assert_true(range.begin < range.end && range.end <= length);
        assert_true(words_in(text, range) <= PASSAGE_WORDS_MAX);
        assert_true(range.end - range.begin <= 6000);
        assert_true(((unsigned char)text[range.begin] & 0xC0) != 0x80);
        last = range.end;
    }
    for (size_t i = last; i < length; i++)
        assert_non_null(strchr(" \t\r\n", text[i]));
}

static void any_text_is_cut(void **state)
{
    (void)state;
    static const char *const parts[] = {"word ", "word. ", "\n",     "\n\n", "\u6771\u4EAC",
                                        "x",     "Dr. ",   "\u3002", "\t",   "long"};
    uint32_t seed = 5;
    for (int i = 0; i < 60; i++) {
        struct strbuf text = {0};
        size_t kinds = 1 + (seed >> 8) % 10;
        for (int k = 0; k < 3000; k++) {
            seed = seed * 1664525u + 1013904223u;
            strbuf_puts(&text, parts[(seed >> 8) % kinds]);
        }
        cut_is_sound(strbuf_text(&text), text.length);
        strbuf_free(&text);
    }
}

static void text_without_spaces_is_cut(void **state)
{
    (void)state;
    struct strbuf text = {0};
    for (int i = 0; i < 50000; i++)
        strbuf_puts(&text, "\u6771");
    cut_is_sound(strbuf_text(&text), text.length);
    strbuf_free(&text);
}

static void long_and_short_paragraphs(void **state)
{
    (void)state;
    struct strbuf text = {0};
    struct passage_cutter cutter = {0};
    struct text_range range;
    for (int i = 0; i < 100; i++)
        strbuf_puts(&text, "A sentence of exactly six words. ");
    strbuf_puts(&text, "\n\nShort one.\n\nShort two.");
    assert_true(passage_cut_next(&cutter, text.data, text.length, &range));
    assert_int_equal(words_in(text.data, range), 198);
    assert_true(passage_cut_next(&cutter, text.data, text.length, &range));
    assert_true(passage_cut_next(&cutter, text.data, text.length, &range));
    assert_true(passage_cut_next(&cutter, text.data, text.length, &range));
    assert_int_equal(words_in(text.data, range), 6 + 4); /* the short ones are put together */
    assert_false(passage_cut_next(&cutter, text.data, text.length, &range));
    strbuf_free(&text);
}

/* --- size ------------------------------------------------------------------------------------- */

struct watching {
    size_t calls, last, stop_after;
};

static bool watch(void *user, size_t done, size_t total)
{
    struct watching *watching = user;
    assert_true(done >= watching->last && done <= total);
    watching->last = done;
    return ++watching->calls != watching->stop_after;
}

static void much_text_is_indexed_and_stopped(void **state)
{
    (void)state;
    struct document_list documents = {0};
    struct strbuf text = {0};
    struct watching watching = {0};
    struct error error = {0};
    struct passages_choice choice;
    for (uint32_t i = 0; text.length < (4u << 20); i++)
        strbuf_printf(&text, "word%u is at place %u.%s", i * 2654435761u % 100000u, i,
                      i % 9 == 0 ? "\n\n" : " ");
    document_add_text(&documents, "much.txt", strbuf_text(&text), text.length);
    struct passages *passages = passages_open(&documents, watch, &watching, &error);
    assert_non_null(passages);
    assert_true(watching.calls >= 8);
    assert_int_equal(
        passages_pick(passages, "Where is word4321?", 500, count, NULL, &choice, &error), 0);
    assert_non_null(strstr(choice.documents.items[0].text, "word4321 "));
    passages_choice_free(&choice);
    passages_close(passages);
    watching = (struct watching){.stop_after = 3};
    assert_null(passages_open(&documents, watch, &watching, &error));
    assert_int_equal(error.code, ERROR_CANCELLED);
    assert_int_equal(watching.calls, 3);
    strbuf_free(&text);
    document_list_free(&documents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_matching_paragraphs_are_chosen),
        cmocka_unit_test(the_budget_holds),
        cmocka_unit_test(beginnings_stand_in_for_matches),
        cmocka_unit_test(common_words_weigh_little),
        cmocka_unit_test(disabled_documents_are_left_out),
        cmocka_unit_test(any_text_is_cut),
        cmocka_unit_test(text_without_spaces_is_cut),
        cmocka_unit_test(long_and_short_paragraphs),
        cmocka_unit_test(much_text_is_indexed_and_stopped),
    };
    return cmocka_run_group_tests_name("passages", tests, NULL, NULL);
}
