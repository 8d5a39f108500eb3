/* Tests of Markdown as rows: what is shown, and that rows, bytes and widths agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/message_rows.h"
#include "tui/theme.h"

static void add_row(const struct flow *flow, const struct flow_line *line, struct strbuf *out)
{
    for (size_t i = 0; i < line->count; i++) {
        const struct flow_span *span = &flow->spans[line->first + i];
        strbuf_add(out, flow->text.data + span->start, span->end - span->start);
    }
    while (out->length > 0 && out->data[out->length - 1] == ' ')
        strbuf_remove(out, out->length - 1, 1);
    strbuf_putc(out, '\n');
}

static char *rows_text(const struct message_rows *rows)
{
    struct strbuf out = {0};
    for (size_t i = 0; i < rows->flow.line_count; i++)
        add_row(&rows->flow, &rows->flow.lines[i], &out);
    return out.length > 0 ? strbuf_detach(&out) : xstrdup("");
}

static int row_columns(const struct flow *flow, const struct flow_line *line)
{
    int columns = 0;
    for (size_t i = 0; i < line->count; i++) {
        const struct flow_span *span = &flow->spans[line->first + i];
        columns += text_columns(flow->text.data + span->start, span->end - span->start);
    }
    return columns;
}

static void expect(const char *text, int columns, bool unfinished, const char *wanted)
{
    struct message_rows rows = {.form = MESSAGE_MARKDOWN};
    message_rows_update(&rows, text, strlen(text), columns, unfinished);
    char *shown = rows_text(&rows);
    assert_string_equal(shown, wanted);
    free(shown);
    message_rows_free(&rows);
}

static void blocks_are_shown(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int columns;
        const char *rows;
    } cases[] = {
        {"one *two* **three** `four`", 40, "one two three four\n"},
        {"# Title\ntext", 40, "Title\n━━━━━\ntext\n"},
        {"a\n## Sub\nb", 40, "a\n\nSub\nb\n"},
        {"- one two three\n- b\n  - c\n", 10, "• one two\n  three\n• b\n  ◦ c\n"},
        {"9. a\n10. b\n", 20, "9. a\n10. b\n"},
        {"- [ ] a\n- [x] b\n", 20, "☐ a\n✓ b\n"},
        {"> a b\n> c\n", 20, "▎ a b\n▎ c\n"},
        {"```c\nint x;\n```\n", 16, "╭─ c ──────────╮\n│ int x;       │\n╰──────────────╯\n"},
        {"a\n\n---\n\nb", 10, "a\n\n──────────\n\nb\n"},
        {"| a | bb |\n|--:|:--|\n| 1 | 2 |\n", 40,
         "┌───┬────┐\n│ a │ bb │\n├───┼────┤\n│ 1 │ 2  │\n└───┴────┘\n"},
        {"| name | what |\n|---|---|\n| x | y |\n", 14, "name: x\nwhat: y\n"},
        {"[here](http://x.y) <http://z.z>", 60, "here (http://x.y) http://z.z\n"},
        {"<b>bold</b> &amp; &lt;", 40, "<b>bold</b> & <\n"},
        {"a ~~b~~", 40, "a ~b~\n"},
        {"line\nline two\n\n\n\npara", 40, "line\nline two\n\npara\n"},
        {"Source:\nurl: a_b_c.txt\n", 40, "Source:\nurl: a_b_c.txt\n"},
        {"[a]: http://b\n", 40, "[a]: http://b\n"},
        {"\033[31m", 40, "␛[31m\n"},
        {"one\n\ntwo\n\nthree\n\n- a\n\nfour\n", 40, "one\n\ntwo\n\nthree\n\n• a\n\nfour\n"},
        {"---\n\nSource: a\n", 3, "───\n\nSou\nrce\n: a\n"},
        {"| a |\n|---|\n\n> q\n", 40, "┌───┐\n│ a │\n└───┘\n\n▎ q\n"},
        {"- a\n\n  b\n- c\n", 40, "• a\n\n  b\n• c\n"},
        {"", 40, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(cases[i].text, cases[i].columns, false, cases[i].rows);
}

static void unfinished_marks_are_closed(void **state)
{
    (void)state;
    expect("a **bo", 40, true, "a bo\n");
    expect("a **", 40, true, "a\n");
    expect("a *b **c", 40, true, "a b c\n");
    expect("a `co", 40, true, "a co\n");
    expect("a **bo", 40, false, "a **bo\n");
    expect("2 * 3", 40, true, "2 * 3\n");
    expect("```c\nint", 12, true, "╭─ c ──────╮\n│ int      │\n╰──────────╯\n");
}

/* --- properties ------------------------------------------------------------------------------ */

static const char *const pieces[] = {
    "word ",
    "longer-word ",
    "**",
    "*",
    "`",
    "```\n",
    "~~~\n",
    "\n",
    "\n\n",
    "- ",
    "  ",
    "1. ",
    "> ",
    "# ",
    "|",
    "|---|---|\n",
    "| a | b |\n",
    "海豚",
    "e\xCC\x81",
    "\033",
    "\t",
    "\xFF",
    "[x](y)",
    "&amp;",
    "Source: a\n",
    "~~",
    "    ",
    "---\n",
    "<b>",
    "\\",
    "https://a.b/c ",
    "[r]: x\n",
    "```c\n",
    "    code\n",
    "👩‍👩‍👧",
    "\xE2\x80\xAE",
    "Ann: hi\n",
    "- [ ] ",
    "\r\n",
    "== \n",
    "a\xCC\x81\xCC\x81",
};

static void random_text(unsigned *seed, struct strbuf *out, int count)
{
    strbuf_clear(out);
    for (int i = 0; i < count; i++)
        strbuf_puts(out, pieces[(size_t)rand_r(seed) % (sizeof pieces / sizeof pieces[0])]);
}

static void assert_same(const struct message_rows *a, const struct message_rows *b)
{
    assert_int_equal(a->flow.line_count, b->flow.line_count);
    assert_int_equal(a->flow.text.length, b->flow.text.length);
    assert_int_equal(a->flow.code.length, b->flow.code.length);
    assert_int_equal(a->flow.code_count, b->flow.code_count);
    if (a->flow.line_count == 0)
        return;
    assert_memory_equal(a->flow.text.data, b->flow.text.data, a->flow.text.length);
    assert_memory_equal(a->flow.lines, b->flow.lines, a->flow.line_count * sizeof *a->flow.lines);
    assert_int_equal(a->flow.span_count, b->flow.span_count);
    for (size_t i = 0; i < a->flow.span_count; i++) {
        const struct flow_span *x = &a->flow.spans[i], *y = &b->flow.spans[i];
        assert_true(x->start == y->start && x->end == y->end && x->raw == y->raw &&
                    x->raw_end == y->raw_end && x->style == y->style &&
                    x->attributes == y->attributes);
    }
}

/* Rows divide the message among them, in order; spans lie within the message. */
static void assert_mapped(const struct message_rows *rows, size_t length)
{
    size_t at = 0;
    for (size_t i = 0; i < rows->flow.line_count; i++) {
        const struct flow_line *line = &rows->flow.lines[i];
        assert_true(line->raw <= line->raw_end && line->raw_end <= length);
        assert_true(line->raw <= at && line->raw_end >= at);
        at = line->raw_end;
        for (size_t j = 0; j < line->count; j++) {
            const struct flow_span *span = &rows->flow.spans[line->first + j];
            assert_true(span->raw <= span->raw_end && span->raw_end <= length);
            assert_true(span->raw == span->raw_end ||
                        (span->raw >= line->raw && span->raw_end <= line->raw_end));
        }
    }
}

static void assert_narrow(const struct message_rows *rows, int columns)
{
    for (size_t i = 0; i < rows->flow.line_count; i++)
        assert_in_range(row_columns(&rows->flow, &rows->flow.lines[i]), 0, columns);
}

static void random_markdown_holds(void **state)
{
    (void)state;
    unsigned seed = 11;
    struct strbuf text = {0};
    for (int round = 0; round < 1500; round++) {
        int columns = 2 + rand_r(&seed) % 60;
        random_text(&seed, &text, 1 + rand_r(&seed) % 60);
        struct message_rows whole = {.form = MESSAGE_MARKDOWN}, grown = {.form = MESSAGE_MARKDOWN};
        message_rows_update(&whole, strbuf_text(&text), text.length, columns, false);
        for (size_t at = 0; at < text.length;) {
            at += 1 + (size_t)rand_r(&seed) % 9;
            at = at > text.length ? text.length : at;
            message_rows_update(&grown, strbuf_text(&text), at, columns, true);
            assert_mapped(&grown, at);
        }
        message_rows_update(&grown, strbuf_text(&text), text.length, columns, false);
        assert_same(&whole, &grown);
        assert_mapped(&whole, text.length);
        assert_narrow(&whole, columns);
        message_rows_free(&whole);
        message_rows_free(&grown);
    }
    strbuf_free(&text);
}

/* The work for a piece does not depend on what came before it. */
static void a_long_reply_costs_little_a_piece(void **state)
{
    (void)state;
    static const char *const texts[] = {"word ",   "word\n", "- item\n", "```\ncode\n",
                                        "a | b\n", "> q\n",  "x",        "para\n\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct message_rows rows = {.form = MESSAGE_MARKDOWN};
        struct strbuf text = {0};
        while (text.length < 200000)
            strbuf_puts(&text, texts[i]);
        for (size_t at = 0; at < text.length; at += 1000)
            message_rows_update(&rows, strbuf_text(&text), at, 80, true);
        assert_in_range(rows.bytes_read, 0, 200 * 2 * MARKDOWN_PART_BYTES);
        strbuf_free(&text);
        message_rows_free(&rows);
    }
}

static void hostile_text_is_bounded(void **state)
{
    (void)state;
    static const char *const texts[] = {">",    "- ", "[",  "*",   "**a ", "`",  "|",    "|\n",
                                        "| - ", "<",  "![", "1. ", "&",    "_a", "|-|\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct message_rows rows = {.form = MESSAGE_MARKDOWN};
        struct strbuf text = {0};
        while (text.length < 100000)
            strbuf_puts(&text, texts[i]);
        message_rows_update(&rows, strbuf_text(&text), text.length, 40, true);
        assert_mapped(&rows, text.length);
        assert_narrow(&rows, 40);
        assert_in_range(rows.flow.text.length, 1, 40u << 20);
        strbuf_free(&text);
        message_rows_free(&rows);
    }
}

static void code_is_kept_for_copying(void **state)
{
    (void)state;
    const char *text = "a\n\n```py\nx = 1\n\n  y\n```\n- b\n  ```\n  z\n  ```\n";
    struct message_rows rows = {.form = MESSAGE_MARKDOWN};
    message_rows_update(&rows, text, strlen(text), 40, false);
    assert_int_equal(rows.flow.code_count, 2);
    const struct flow_code *code = rows.flow.codes;
    assert_int_equal(code[0].end - code[0].start, strlen("x = 1\n\n  y\n"));
    assert_memory_equal(rows.flow.code.data + code[0].start, "x = 1\n\n  y\n", 11);
    assert_memory_equal(rows.flow.code.data + code[0].language, "py", 2);
    assert_int_equal(code[1].end - code[1].start, 2);
    assert_memory_equal(rows.flow.code.data + code[1].start, "z\n", 2);
    message_rows_free(&rows);
}

static void speakers_are_marked(void **state)
{
    (void)state;
    static const struct flow_speaker speakers[] = {{"Ann", STYLE_SPEAKER_1},
                                                   {"Bo", STYLE_SPEAKER_2}};
    struct message_rows rows = {.form = MESSAGE_MARKDOWN};
    const char *text = "Ann: \"Hello\"\n**Bo:** \"Hi, Ann: you\"";
    rows.flow.speakers = speakers;
    rows.flow.speaker_count = 2;
    message_rows_update(&rows, text, strlen(text), 60, false);
    int found[2] = {0};
    for (size_t i = 0; i < rows.flow.span_count; i++)
        for (int j = 0; j < 2; j++)
            found[j] += rows.flow.spans[i].style == speakers[j].style;
    assert_int_equal(found[0], 1);
    assert_int_equal(found[1], 1);
    assert_int_equal(rows.flow.spans[0].raw_end, 3);
    message_rows_free(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_shown),
        cmocka_unit_test(unfinished_marks_are_closed),
        cmocka_unit_test(random_markdown_holds),
        cmocka_unit_test(a_long_reply_costs_little_a_piece),
        cmocka_unit_test(hostile_text_is_bounded),
        cmocka_unit_test(code_is_kept_for_copying),
        cmocka_unit_test(speakers_are_marked),
    };
    return cmocka_run_group_tests_name("markdown", tests, NULL, NULL);
}
