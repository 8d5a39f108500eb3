/* Tests of the prompt as it is shown: exact tokens, lines, rows, searching. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/utf8.h"
#include "tui/prompt_flow.h"
#include "tui/prompt_job.h"
#include "tui/prompt_view.h"

#define SPACE_MARK "\xE2\x96\x81"

static struct tokenizer *tokenizer;

static int open_tokenizer(void **state)
{
    struct error error;
    (void)state;
    return tokenizer_open(&tokenizer, "models/vaquita", 1u << 20, &error);
}

static int close_tokenizer(void **state)
{
    (void)state;
    tokenizer_close(tokenizer);
    return 0;
}

static void add(struct segment_list *list, enum segment_kind kind, enum segment_part part,
                const char *text)
{
    segment_add_text(list, kind, part, -1, false, text, strlen(text));
}

/* As a chat's prompt is: specials, template, content in one run, and a reply's own ids. */
static void put_prompt(struct segment_list *list, const char *content)
{
    struct token_list reply = {0};
    tokenizer_encode(tokenizer, "A reply: 海豚 🐬 é.", strlen("A reply: 海豚 🐬 é."), true, &reply);
    segment_add_special(list, PART_SYSTEM, "<s>", tokenizer_bos(tokenizer));
    add(list, SEGMENT_TEMPLATE, PART_SYSTEM, "A chat. USER: ");
    add(list, SEGMENT_CONTENT, PART_HISTORY, "What?");
    add(list, SEGMENT_TEMPLATE, PART_HISTORY, " ASSISTANT: ");
    segment_add_tokens(list, PART_HISTORY, 1, reply.ids, reply.count);
    segment_add_special(list, PART_HISTORY, "</s>", tokenizer_eos(tokenizer));
    add(list, SEGMENT_TEMPLATE, PART_DRAFT, "USER: ");
    add(list, SEGMENT_CONTENT, PART_DRAFT, content);
    add(list, SEGMENT_TEMPLATE, PART_DRAFT, " ASSISTANT: ");
    token_list_free(&reply);
}

/* What a token is, as bytes; false for one of several that a character is made of. */
static bool piece_text(int32_t id, struct strbuf *out)
{
    const char *piece = tokenizer_piece(tokenizer, id);
    if (strlen(piece) == 6 && strncmp(piece, "<0x", 3) == 0)
        return false;
    for (; *piece != '\0'; piece++) {
        if (strncmp(piece, SPACE_MARK, strlen(SPACE_MARK)) == 0) {
            strbuf_putc(out, ' ');
            piece += strlen(SPACE_MARK) - 1;
        } else {
            strbuf_putc(out, *piece);
        }
    }
    return true;
}

static void assert_tokens_are_their_text(const struct prompt_view *view)
{
    for (size_t i = 0; i < view->token_count; i++) {
        struct strbuf piece = {0};
        size_t begin = view->tokens[i].begin, end = prompt_view_token_end(view, i);
        bool whole = piece_text(view->tokens[i].id, &piece);
        const char *text = strbuf_text(&piece);
        /* The tokenizer's own space is no byte of the prompt. */
        if (whole && end - begin + 1 == piece.length && text[0] == ' ')
            text++;
        if (whole)
            assert_memory_equal(view->text.data + begin, text, end - begin);
        if (whole)
            assert_true(strlen(text) == end - begin);
        strbuf_free(&piece);
    }
}

static void check_prompt(const char *content)
{
    struct segment_list list = {0};
    struct token_list ids = {0};
    struct strbuf text = {0};
    size_t parts[PARTS], at = 0;
    put_prompt(&list, content);
    segment_tokenize(&list, tokenizer, &ids, parts);
    segment_text(&list, tokenizer, &text);
    struct prompt_view *view = prompt_view_create(&list, tokenizer);
    assert_int_equal(view->token_count, ids.count);
    for (size_t i = 0; i < ids.count; i++) {
        assert_int_equal(view->tokens[i].id, ids.ids[i]);
        assert_true(view->tokens[i].begin >= at);
        at = view->tokens[i].begin;
    }
    assert_memory_equal(view->parts, parts, sizeof parts);
    assert_int_equal(view->text.length, text.length);
    assert_memory_equal(view->text.data, text.data, text.length);
    assert_int_equal(view->tokens[0].begin, 0);
    assert_tokens_are_their_text(view);
    prompt_view_free(view);
    strbuf_free(&text);
    token_list_free(&ids);
    segment_list_free(&list);
}

static void tokens_are_exact(void **state)
{
    (void)state;
    static const char *const contents[] = {
        "Where does it live?",
        "</s> and <s> and [INST] are text",
        "",
        " leading",
        "trailing   ",
        "two\n\nlines\r\nand a\ttab",
        "海豚 👨‍👩‍👧 🇲🇽 e\xCC\x81 \xE2\x80\xAE",
        "<0x41> is spelled",
        "   many   spaces   "};
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++)
        check_prompt(contents[i]);
}

/* An invalid byte is another character to the tokenizer; the bytes stay what they are. */
static void invalid_bytes_stay(void **state)
{
    (void)state;
    struct segment_list list = {0};
    add(&list, SEGMENT_CONTENT, PART_DRAFT,
        "a\xFF"
        "b\xC3");
    struct prompt_view *view = prompt_view_create(&list, tokenizer);
    assert_int_equal(view->text.length, 4);
    assert_memory_equal(view->text.data,
                        "a\xFF"
                        "b\xC3",
                        4);
    for (size_t i = 0; i < view->token_count; i++)
        assert_true(view->tokens[i].begin <= 4);
    prompt_view_free(view);
    segment_list_free(&list);
}

static void literal_specials_are_no_badges(void **state)
{
    (void)state;
    struct segment_list list = {0};
    put_prompt(&list, "</s>");
    struct prompt_view *view = prompt_view_create(&list, tokenizer);
    size_t specials = 0, eos = 0;
    for (size_t i = 0; i < view->stretch_count; i++)
        specials += view->stretches[i].special;
    for (size_t i = 0; i < view->token_count; i++)
        eos += view->tokens[i].id == tokenizer_eos(tokenizer);
    assert_int_equal(specials, 2);
    assert_int_equal(eos, 1);
    prompt_view_free(view);
    segment_list_free(&list);
}

static struct prompt_view *view_of(const char *text)
{
    struct segment_list list = {0};
    add(&list, SEGMENT_CONTENT, PART_DRAFT, text);
    struct prompt_view *view = prompt_view_create(&list, tokenizer);
    segment_list_free(&list);
    return view;
}

static void ids_are_json(void **state)
{
    (void)state;
    struct token_list ids = {0};
    struct strbuf wanted = {0}, got = {0};
    struct prompt_view *view = view_of("two words");
    tokenizer_encode(tokenizer, "two words", 9, true, &ids);
    for (size_t i = 0; i < ids.count; i++)
        strbuf_printf(&wanted, "%s%d", i == 0 ? "[" : ", ", ids.ids[i]);
    strbuf_puts(&wanted, "]");
    prompt_view_ids(view, &got);
    assert_string_equal(strbuf_text(&got), strbuf_text(&wanted));
    strbuf_free(&wanted);
    strbuf_free(&got);
    token_list_free(&ids);
    prompt_view_free(view);
}

/* --- rows ------------------------------------------------------------------------------------ */

static void rows_are(const char *text, const struct prompt_look *look, const char *wanted)
{
    struct prompt_view *view = view_of(text);
    struct strbuf got = {0};
    size_t begin = 0, rows = 0, last = 0;
    for (; begin != PROMPT_NO_ROW; rows++) {
        size_t next = prompt_row_next(view, look, begin);
        size_t end = next != PROMPT_NO_ROW ? next : view->text.length;
        strbuf_puts(&got, rows > 0 ? "|" : "");
        strbuf_add(&got, strbuf_text(&view->text) + begin, end - begin);
        last = begin;
        begin = next;
    }
    assert_string_equal(strbuf_text(&got), wanted);
    /* The same rows from the end. */
    for (begin = last; begin != PROMPT_NO_ROW; rows--) {
        assert_int_equal(prompt_row_of(view, look, begin), begin);
        begin = prompt_row_previous(view, look, begin);
    }
    assert_int_equal(rows, 0);
    strbuf_free(&got);
    prompt_view_free(view);
}

static void rows_hold_words(void **state)
{
    (void)state;
    const struct prompt_look look = {.columns = 6, .wrap = true, .words = ""};
    rows_are("", &look, "");
    rows_are("one", &look, "one");
    rows_are("one two", &look, "one |two");
    rows_are("abcdef ghi", &look, "abcdef |ghi");
    rows_are("abcdefghij", &look, "abcdef|ghij");
    rows_are("a\n\nb\n", &look, "a\n|\n|b\n|");
    rows_are("海豚海豚", &look, "海豚海|豚");
    const struct prompt_look tiny = {.columns = 1, .wrap = true, .words = ""};
    rows_are("海豚", &tiny, "海|豚");
    const struct prompt_look whole = {.columns = 6, .words = ""};
    rows_are("one two three\nfour", &whole, "one two three\n|four");
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    size_t length = 3 * PROMPT_LINE_BYTES;
    char *text = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        text[i] = "\xE6\xB5\xB7"[i % 3];
    text[length] = '\0';
    struct prompt_view *view = view_of(text);
    assert_true(view->line_count >= 3);
    for (size_t i = 0; i < view->line_count; i++) {
        assert_true(prompt_view_line_end(view, i) - view->lines[i] <= PROMPT_LINE_BYTES);
        assert_int_equal(view->lines[i] % 3, 0);
    }
    prompt_view_free(view);
    free(text);
}

static void units_cover_the_text(void **state)
{
    (void)state;
    struct segment_list list = {0};
    put_prompt(&list, "海豚 \033[31m 👨‍👩‍👧 e\xCC\x81\n");
    struct prompt_view *view = prompt_view_create(&list, tokenizer);
    const struct prompt_look look = {
        .columns = 20, .wrap = true, .tokens = true, .ids = true, .words = ""};
    struct prompt_flow flow = {0};
    size_t at = 0, labels = 0;
    prompt_flow_begin(&flow, view, &look, 0, view->text.length);
    while (prompt_flow_next(&flow)) {
        assert_int_equal(flow.begin, at);
        at = flow.at;
        labels += flow.label.length > 0;
        for (const char *dot = strbuf_text(&flow.label); (dot = strstr(dot, "·")) != NULL; dot++)
            labels++;
        assert_null(strchr(strbuf_text(&flow.text), '\033'));
    }
    assert_int_equal(at, view->text.length);
    assert_int_equal(labels, view->token_count); /* each token has its id, once */
    prompt_flow_free(&flow);
    prompt_view_free(view);
    segment_list_free(&list);
}

/* --- searching ------------------------------------------------------------------------------- */

static void searching_goes_round(void **state)
{
    (void)state;
    struct prompt_view *view = view_of("Ab ab aB");
    size_t found, before;
    assert_true(prompt_view_find(view, "ab", 0, false, &found));
    assert_int_equal(found, 0);
    assert_true(prompt_view_find(view, "ab", 1, false, &found));
    assert_int_equal(found, 3);
    assert_true(prompt_view_find(view, "ab", 7, false, &found));
    assert_int_equal(found, 0);
    assert_true(prompt_view_find(view, "ab", 3, true, &found));
    assert_int_equal(found, 0);
    assert_true(prompt_view_find(view, "ab", 0, true, &found));
    assert_int_equal(found, 6);
    assert_false(prompt_view_find(view, "abc", 0, false, &found));
    assert_false(prompt_view_find(view, "", 0, false, &found));
    assert_int_equal(prompt_view_count_matches(view, "AB", 6, &before), 3);
    assert_int_equal(before, 2);
    prompt_view_free(view);
}

/* --- in the background ----------------------------------------------------------------------- */

static void a_job_makes_the_same(void **state)
{
    (void)state;
    struct segment_list list = {0};
    struct error error;
    struct strbuf text = {0};
    for (int i = 0; i < 20000; i++)
        strbuf_printf(&text, "line %d of a long document\n", i);
    put_prompt(&list, strbuf_text(&text));
    struct prompt_view *here = prompt_view_create(&list, tokenizer);
    struct prompt_job *job = prompt_job_start(&list, tokenizer, &error);
    assert_non_null(job);
    assert_int_equal(list.count, 0);
    while (!prompt_job_is_done(job))
        usleep(1000);
    struct prompt_view *there = prompt_job_finish(job);
    assert_int_equal(there->token_count, here->token_count);
    assert_int_equal(there->line_count, here->line_count);
    assert_null(prompt_job_finish(NULL));
    prompt_view_free(there);
    prompt_view_free(here);
    strbuf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_exact),
        cmocka_unit_test(invalid_bytes_stay),
        cmocka_unit_test(literal_specials_are_no_badges),
        cmocka_unit_test(ids_are_json),
        cmocka_unit_test(rows_hold_words),
        cmocka_unit_test(a_long_line_is_cut),
        cmocka_unit_test(units_cover_the_text),
        cmocka_unit_test(searching_goes_round),
        cmocka_unit_test(a_job_makes_the_same),
    };
    return cmocka_run_group_tests(tests, open_tokenizer, close_tokenizer);
}
