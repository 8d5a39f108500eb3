#include "tui/prompt_flow.h"

#include <string.h>

#include "engine/base/width.h"
#include "tui/sanitize.h"
#include "tui/wrap.h"

#define LINE_END_MARK "↵"

/* --- units ----------------------------------------------------------------------------------- */

void prompt_flow_begin(struct prompt_flow *flow, const struct prompt_view *view,
                       const struct prompt_look *look, size_t begin, size_t end)
{
    size_t length = strlen(look->words);
    flow->view = view;
    flow->look = look;
    flow->at = begin;
    flow->end = end;
    flow->match_begin = flow->match_end = 0;
    /* A match may have begun in the row before. */
    size_t from = begin + 1 > length ? begin + 1 - length : 0;
    for (size_t at = from; length > 0 && at < begin; at++) {
        if (prompt_view_matches(view, at, look->words, length)) {
            flow->match_begin = at;
            flow->match_end = at + length;
        }
    }
}

void prompt_flow_free(struct prompt_flow *flow)
{
    strbuf_free(&flow->text);
    strbuf_free(&flow->label);
    *flow = (struct prompt_flow){0};
}

static bool is_plain(unsigned char byte)
{
    return byte >= ' ' && byte < 0x7F;
}

/* Most text is ASCII, and then a character is a byte. */
static size_t cluster_length(const char *text, size_t length)
{
    if (is_plain((unsigned char)text[0]) && (length == 1 || (unsigned char)text[1] < 0x80))
        return 1;
    return grapheme_next(text, length);
}

static void put_special(struct prompt_flow *flow, size_t length)
{
    strbuf_putc(&flow->text, ' ');
    sanitize_text(&flow->text, flow->view->text.data + flow->begin, length, 0);
    strbuf_putc(&flow->text, ' ');
    flow->columns = text_columns(flow->text.data, flow->text.length);
}

static void put_character(struct prompt_flow *flow, size_t length)
{
    const char *text = flow->view->text.data + flow->begin;
    if (length == 1 && is_plain((unsigned char)text[0])) {
        strbuf_putc(&flow->text, text[0]);
        flow->columns = 1;
    } else if (text[0] == '\n') {
        strbuf_puts(&flow->text, flow->look->tokens ? LINE_END_MARK : "");
        flow->columns = flow->look->tokens;
    } else if (text[0] == '\t') {
        for (int i = 0; i < WRAP_TAB_COLUMNS; i++)
            strbuf_putc(&flow->text, ' ');
        flow->columns = WRAP_TAB_COLUMNS;
    } else {
        sanitize_text(&flow->text, text, length, 0);
        flow->columns = text_columns(flow->text.data, flow->text.length);
    }
}

/* A token without bytes belongs to the character that follows it. */
static bool ends_within(const struct prompt_view *view, size_t token, size_t begin, size_t end)
{
    size_t token_end = prompt_view_token_end(view, token);
    if (view->tokens[token].begin == token_end)
        return token_end >= begin && (token_end < end || end == view->text.length);
    return token_end > begin && token_end <= end;
}

static void put_digits(struct strbuf *out, int32_t id)
{
    char digits[16] = "";
    struct strbuf number = {0};
    strbuf_printf(&number, "%d", id);
    for (size_t i = 0; i < number.length; i++) {
        char digit = number.data[i];
        strbuf_puts(out, digit == '-' ? "₋" : "");
        if (digit >= '0' && digit <= '9') {
            memcpy(digits, "\xE2\x82\x80", 4); /* U+2080, subscript zero */
            digits[2] = (char)(digits[2] + (digit - '0'));
            strbuf_puts(out, digits);
        }
    }
    strbuf_free(&number);
}

static void put_label(struct prompt_flow *flow, size_t end)
{
    const struct prompt_view *view = flow->view;
    if (!flow->look->tokens || !flow->look->ids || view->token_count == 0)
        return;
    size_t token = prompt_view_token_at(view, flow->begin);
    while (token > 0 && ends_within(view, token - 1, flow->begin, end))
        token--;
    for (; token < view->token_count && view->tokens[token].begin <= end; token++) {
        if (!ends_within(view, token, flow->begin, end))
            continue;
        strbuf_puts(&flow->label, flow->label.length > 0 ? "·" : "");
        put_digits(&flow->label, view->tokens[token].id);
    }
    flow->label_columns = text_columns(strbuf_text(&flow->label), flow->label.length);
}

static enum style text_style(const struct prompt_flow *flow, const struct prompt_stretch *stretch)
{
    const struct prompt_view *view = flow->view;
    if (flow->begin < flow->match_end)
        return flow->match_begin == flow->look->current ? STYLE_MATCH_CURRENT : STYLE_MATCH;
    if (stretch->special)
        return STYLE_BADGE;
    if (flow->look->tokens && view->token_count > 0)
        return prompt_view_token_at(view, flow->begin) % 2 ? STYLE_TOKEN_B : STYLE_TOKEN_A;
    return (enum style)(STYLE_PART_SYSTEM + (int)stretch->part);
}

static void look_for_match(struct prompt_flow *flow)
{
    size_t length = strlen(flow->look->words);
    if (flow->begin >= flow->match_end &&
        prompt_view_matches(flow->view, flow->begin, flow->look->words, length)) {
        flow->match_begin = flow->begin;
        flow->match_end = flow->begin + length;
    }
}

bool prompt_flow_next(struct prompt_flow *flow)
{
    const struct prompt_view *view = flow->view;
    if (flow->at >= flow->end)
        return false;
    size_t index = prompt_view_stretch_at(view, flow->at);
    size_t stretch_end = prompt_view_stretch_end(view, index);
    flow->begin = flow->at;
    flow->special = view->stretches[index].special;
    flow->label_columns = 0;
    strbuf_clear(&flow->text);
    strbuf_clear(&flow->label);
    look_for_match(flow);
    size_t limit = flow->special && stretch_end < flow->end ? stretch_end : flow->end;
    size_t length = limit - flow->at;
    if (flow->special) {
        put_special(flow, length);
    } else {
        length = cluster_length(view->text.data + flow->at, length);
        put_character(flow, length);
    }
    flow->style = text_style(flow, &view->stretches[index]);
    put_label(flow, flow->at + length);
    char last = view->text.data[flow->at + length - 1];
    flow->may_break = flow->special || last == ' ' || last == '\t';
    flow->at += length;
    return true;
}

/* --- rows ------------------------------------------------------------------------------------ */

/* Where the row that begins at `begin` ends, in a line that ends at `end`. */
static size_t row_end(const struct prompt_view *view, const struct prompt_look *look, size_t begin,
                      size_t end)
{
    struct prompt_flow flow = {0};
    size_t breakable = begin, result = end;
    int columns = 0;
    if (!look->wrap)
        return end;
    prompt_flow_begin(&flow, view, look, begin, end);
    while (prompt_flow_next(&flow)) {
        columns += flow.columns + flow.label_columns;
        /* A space at the edge may hang over it. */
        bool hangs = flow.may_break && !flow.special && columns - 1 <= look->columns;
        if (columns > look->columns && !hangs && flow.begin > begin) {
            result = breakable > begin ? breakable : flow.begin;
            break;
        }
        if (flow.may_break)
            breakable = flow.at;
    }
    prompt_flow_free(&flow);
    return result;
}

/* The last row of the line that begins at or before `offset`. */
static size_t row_in_line(const struct prompt_view *view, const struct prompt_look *look,
                          size_t line, size_t offset)
{
    size_t row = view->lines[line], end = prompt_view_line_end(view, line);
    for (size_t next = row; next < end && next <= offset; next = row_end(view, look, row, end))
        row = next;
    return row;
}

size_t prompt_row_next(const struct prompt_view *view, const struct prompt_look *look, size_t begin)
{
    size_t line = prompt_view_line_at(view, begin), end = prompt_view_line_end(view, line);
    size_t next = row_end(view, look, begin, end);
    if (next < end)
        return next;
    return line + 1 < view->line_count ? end : PROMPT_NO_ROW;
}

size_t prompt_row_previous(const struct prompt_view *view, const struct prompt_look *look,
                           size_t begin)
{
    size_t line = prompt_view_line_at(view, begin);
    if (begin > view->lines[line])
        return row_in_line(view, look, line, begin - 1);
    return line > 0 ? row_in_line(view, look, line - 1, begin) : PROMPT_NO_ROW;
}

size_t prompt_row_of(const struct prompt_view *view, const struct prompt_look *look, size_t offset)
{
    return row_in_line(view, look, prompt_view_line_at(view, offset), offset);
}
