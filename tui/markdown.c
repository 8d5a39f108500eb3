#include "tui/markdown.h"

#include <md4c.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/markdown_inline.h"
#include "tui/markdown_table.h"
#include "tui/sanitize.h"
#include "tui/theme.h"

#define FRAME_COLUMNS    12 /* narrower code has no frame */
#define SPANS_OPEN_MAX   32
#define LISTS_OPEN_MAX   16
#define LANGUAGE_COLUMNS 24
#define RULE_COLUMNS     40

struct list {
    bool ordered;
    unsigned next;
    char delimiter;
};

/* One call of md4c. */
struct reader {
    struct flow *flow;
    const char *message; /* the whole */
    const char *input;   /* what md4c reads: the part, and marks that close what is open */
    size_t start, size;  /* the part in the message */
    size_t input_size;   /* with the closing marks */
    struct list lists[LISTS_OPEN_MAX];
    size_t list_depth;
    size_t link_first[SPANS_OPEN_MAX]; /* pending spans before each open link */
    struct {
        enum style style;
        unsigned attributes;
    } spans[SPANS_OPEN_MAX + 1]; /* the last is what text looks like now */
    size_t span_depth;
    enum flow_kind kind; /* of the text that is pending */
    bool gap_always;     /* before the next rows */
    bool in_code, in_cell, code_mapped;
    struct strbuf code_line;
    size_t code_raw;
    struct markdown_table table;
    size_t cell_first;
    bool shown; /* some row came out */
};

/* --- spacing --------------------------------------------------------------------------------- */

static bool empty_line_in(const char *message, size_t from, size_t to)
{
    bool only = from == 0 || message[from - 1] == '\n';
    for (size_t at = from; at < to; at++) {
        if (message[at] == '\n') {
            if (only)
                return true;
            only = true;
        } else if (strchr(" \t\r>", message[at]) == NULL || message[at] == '\0') {
            only = false;
        }
    }
    return false;
}

void markdown_gap(struct flow *flow, const char *message, size_t raw, bool always)
{
    if (flow->line_count == 0)
        return;
    enum flow_kind last = flow->lines[flow->line_count - 1].kind;
    if (last == FLOW_BLANK)
        return;
    if (always || last == FLOW_CODE || last == FLOW_TABLE || last == FLOW_RULE ||
        (raw > flow->last_raw && empty_line_in(message, flow->last_raw, raw)))
        flow_blank(flow);
}

static void gap(struct reader *reader, size_t raw, bool always)
{
    markdown_gap(reader->flow, reader->message, raw, always || reader->gap_always);
    reader->gap_always = false;
    reader->shown = true;
}

static void flush(struct reader *reader)
{
    struct flow *flow = reader->flow;
    size_t raw, raw_end;
    if (flow->pending_count == 0 || reader->in_cell)
        return;
    if (flow_pending_raw(flow, 0, flow->pending_count, &raw, &raw_end))
        gap(reader, raw, false);
    flow_mark_speakers(flow);
    flow_flush(flow, reader->kind, false);
    reader->shown = true;
}

/* --- code ------------------------------------------------------------------------------------ */

static bool is_framed(const struct flow *flow)
{
    return flow_room(flow) >= FRAME_COLUMNS;
}

void markdown_code_begin(struct flow *flow, const char *language, size_t length, size_t raw,
                         size_t raw_end)
{
    static const char dots[] = "…";
    struct flow_code code = {.start = flow->code.length};
    if (flow->code_count == flow->code_capacity) {
        flow->code_capacity = flow->code_capacity > 0 ? flow->code_capacity * 2 : 8;
        flow->codes = xreallocarray(flow->codes, flow->code_capacity, sizeof *flow->codes);
    }
    code.language = flow->code.length;
    strbuf_add(&flow->code, language, length);
    code.start = code.end = code.language_end = flow->code.length;
    flow->open_code = flow->code_count;
    flow->codes[flow->code_count++] = code;
    struct strbuf label = {0}, safe = {0};
    sanitize_text(&safe, language, length, 0);
    size_t shown = text_fit(strbuf_text(&safe), safe.length, LANGUAGE_COLUMNS);
    strbuf_add(&label, strbuf_text(&safe), shown);
    strbuf_puts(&label, shown < safe.length ? dots : "");
    strbuf_free(&safe);
    flow_line_begin(flow, FLOW_CODE_TOP);
    int room = flow_room(flow);
    if (is_framed(flow)) {
        struct strbuf clean = {0};
        flow_line_literal(flow, "╭─", STYLE_BORDER);
        size_t fit = text_fit(strbuf_text(&label), label.length, room - 6);
        strbuf_puts(&clean, fit > 0 ? " " : "");
        strbuf_add(&clean, strbuf_text(&label), fit);
        strbuf_puts(&clean, fit > 0 ? " " : "");
        int columns = text_columns(strbuf_text(&clean), clean.length);
        flow_line_literal(flow, strbuf_text(&clean), STYLE_DIM);
        flow_line_repeat(flow, "─", room - 3 - columns, STYLE_BORDER);
        flow_line_literal(flow, "╮", STYLE_BORDER);
        strbuf_free(&clean);
    } else {
        flow_line_repeat(flow, "─", room, STYLE_BORDER);
    }
    strbuf_free(&label);
    if (raw_end > raw)
        flow_line_raw(flow, raw, raw_end);
}

/* The line is in the pending text. */
static void code_rows(struct flow *flow, size_t raw, size_t raw_end)
{
    bool framed = is_framed(flow);
    int room = flow_room(flow) - (framed ? 4 : 0);
    size_t at = 0;
    flow_slice(flow, 0, flow->pending_count, room, true);
    for (size_t i = 0; i == 0 || i < flow->slice_count; i++) {
        int columns = i < flow->slice_count ? flow->slices[i].columns : 0;
        flow_line_begin(flow, FLOW_CODE);
        if (framed)
            flow_line_literal(flow, "│ ", STYLE_BORDER);
        if (i < flow->slice_count)
            flow_line_slice(flow, &at, flow->pending_count, &flow->slices[i]);
        else if (raw_end > raw)
            flow_line_raw(flow, raw, raw_end);
        if (framed) {
            flow_line_repeat(flow, " ", room - columns, STYLE_REPLY);
            flow_line_literal(flow, " │", STYLE_BORDER);
        }
    }
    flow_clear_pending(flow);
}

static void keep_code(struct flow *flow, const char *bytes, size_t length)
{
    strbuf_add(&flow->code, bytes, length);
    flow->codes[flow->code_count - 1].end = flow->code.length;
}

void markdown_code_line(struct flow *flow, const char *bytes, size_t length, size_t raw)
{
    size_t shown = length > 0 && bytes[length - 1] == '\n' ? length - 1 : length;
    keep_code(flow, bytes, length);
    flow_add(flow, bytes, shown, raw, STYLE_CODE, 0);
    code_rows(flow, raw, raw + length);
}

void markdown_code_end(struct flow *flow, size_t raw, size_t raw_end)
{
    flow_line_begin(flow, FLOW_CODE);
    if (is_framed(flow)) {
        flow_line_literal(flow, "╰", STYLE_BORDER);
        flow_line_repeat(flow, "─", flow_room(flow) - 2, STYLE_BORDER);
        flow_line_literal(flow, "╯", STYLE_BORDER);
    } else {
        flow_line_repeat(flow, "─", flow_room(flow), STYLE_BORDER);
    }
    if (raw_end > raw)
        flow_line_raw(flow, raw, raw_end);
    flow->open_code = FLOW_NO_CODE;
}

/* Code inside of lists and quotes comes in pieces; its indentation from nowhere. */
static void code_text(struct reader *reader, const char *text, size_t size, bool mapped, size_t raw)
{
    struct flow *flow = reader->flow;
    for (size_t at = 0; at < size;) {
        const char *newline = memchr(text + at, '\n', size - at);
        size_t end = newline != NULL ? (size_t)(newline - text) : size;
        keep_code(flow, text + at, (newline != NULL ? end + 1 : end) - at);
        if (mapped) {
            flow_add(flow, reader->message + raw + at, end - at, raw + at, STYLE_CODE, 0);
            reader->code_raw = raw + end;
        } else {
            flow_add_replaced(flow, text + at, end - at, 0, 0, STYLE_CODE, 0);
        }
        if (newline != NULL)
            code_rows(flow, 0, 0);
        at = newline != NULL ? end + 1 : end;
    }
}

/* --- text ------------------------------------------------------------------------------------ */

/* Where md4c's text stands in the message; what it made up (or the closing marks) has no place. */
static bool place(const struct reader *reader, const char *text, size_t size, size_t *raw)
{
    uintptr_t at = (uintptr_t)text, input = (uintptr_t)reader->input;
    if (at < input || at + size > input + reader->size)
        return false;
    *raw = reader->start + (at - input);
    return true;
}

/* md4c 0.4.8 looks behind an input that ends in a carriage return and hands out what is there.
 * hide_returns keeps it from that; what goes beyond the input all the same is refused. */
static bool is_sound(const struct reader *reader, const char *text, size_t size)
{
    uintptr_t at = (uintptr_t)text, input = (uintptr_t)reader->input;
    if (at < input || at > input + reader->input_size)
        return size <= reader->input_size + 64; /* its own, spaces mostly */
    return size <= input + reader->input_size - at;
}

static void put(struct reader *reader, const char *text, size_t size, enum style style,
                unsigned attributes)
{
    size_t raw;
    if (place(reader, text, size, &raw))
        flow_add(reader->flow, reader->message + raw, size, raw, style, attributes);
    else
        flow_add_replaced(reader->flow, text, size, 0, 0, style, attributes);
}

static void put_entity(struct reader *reader, const char *text, size_t size)
{
    char bytes[4];
    size_t raw, length = markdown_entity(text, size, bytes);
    enum style style = reader->spans[reader->span_depth].style;
    unsigned attributes = reader->spans[reader->span_depth].attributes;
    if (length > 0 && bytes[0] != '\n' && place(reader, text, size, &raw))
        flow_add_replaced(reader->flow, bytes, length, raw, raw + size, style, attributes);
    else
        put(reader, text, size, style, attributes);
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *user)
{
    struct reader *reader = user;
    enum style style = reader->spans[reader->span_depth].style;
    unsigned attributes = reader->spans[reader->span_depth].attributes;
    size_t raw;
    if (!is_sound(reader, text, size))
        return 1;
    if (reader->in_code) {
        bool mapped = place(reader, text, size, &raw);
        code_text(reader, text, size, mapped, mapped ? raw : 0);
    } else if (type == MD_TEXT_ENTITY) {
        put_entity(reader, text, size);
    } else if (type == MD_TEXT_BR || type == MD_TEXT_SOFTBR) {
        flow_add_replaced(reader->flow, "\n", 1, 0, 0, style, attributes);
    } else if (type == MD_TEXT_NULLCHAR) {
        put(reader, "\0", 1, style, attributes);
    } else {
        put(reader, text, size, style, attributes);
    }
    return 0;
}

/* --- spans ----------------------------------------------------------------------------------- */

static int on_enter_span(MD_SPANTYPE type, void *detail, void *user)
{
    struct reader *reader = user;
    (void)detail;
    if (reader->span_depth >= SPANS_OPEN_MAX)
        return 1;
    reader->link_first[reader->span_depth] = reader->flow->pending_count;
    reader->span_depth++;
    reader->spans[reader->span_depth] = reader->spans[reader->span_depth - 1];
    enum style *style = &reader->spans[reader->span_depth].style;
    unsigned *attributes = &reader->spans[reader->span_depth].attributes;
    if (type == MD_SPAN_EM)
        *attributes |= THEME_ITALIC;
    else if (type == MD_SPAN_STRONG)
        *attributes |= THEME_BOLD;
    else if (type == MD_SPAN_CODE)
        *style = STYLE_CODE;
    else if (type == MD_SPAN_A)
        *style = STYLE_LINK;
    else if (type == MD_SPAN_DEL)
        flow_add_replaced(reader->flow, "~", 1, 0, 0, *style = STYLE_DIM, *attributes);
    else if (type == MD_SPAN_IMG)
        flow_add_replaced(reader->flow, "image: ", 7, 0, 0, STYLE_DIM, *attributes);
    return 0;
}

/* " (address)" behind a link's text, unless that is the address. */
static void put_address(struct reader *reader, const MD_ATTRIBUTE *address, size_t first)
{
    struct flow *flow = reader->flow;
    size_t start = first < flow->pending_count ? flow->pending[first].start : flow->text.length;
    const char *text = flow->text.data + start, *url = address->text;
    size_t length = flow->text.length - start, size = address->size;
    if (size == 0)
        return;
    bool same = length > 0 && length <= size && size - length <= 8 &&
                memcmp(url + size - length, text, length) == 0;
    if (same)
        return;
    size_t raw, shown, shown_end = 0;
    flow_pending_raw(flow, first, flow->pending_count, &shown, &shown_end);
    flow_add_replaced(flow, " (", 2, 0, 0, STYLE_DIM, 0);
    /* "](url": otherwise it stands in a definition elsewhere. */
    if (place(reader, url, size, &raw) && raw >= shown_end && raw - shown_end <= 4)
        flow_add(flow, url, size, raw, STYLE_DIM, 0);
    else
        flow_add_replaced(flow, url, size, 0, 0, STYLE_DIM, 0);
    flow_add_replaced(flow, ")", 1, 0, 0, STYLE_DIM, 0);
}

static int on_leave_span(MD_SPANTYPE type, void *detail, void *user)
{
    struct reader *reader = user;
    if (reader->span_depth == 0)
        return 0;
    size_t first = reader->link_first[--reader->span_depth];
    if (type == MD_SPAN_A)
        put_address(reader, &((MD_SPAN_A_DETAIL *)detail)->href, first);
    else if (type == MD_SPAN_IMG)
        put_address(reader, &((MD_SPAN_IMG_DETAIL *)detail)->src, first);
    else if (type == MD_SPAN_DEL)
        flow_add_replaced(reader->flow, "~", 1, 0, 0, STYLE_DIM, 0);
    return 0;
}

/* --- blocks ---------------------------------------------------------------------------------- */

static void text_style(struct reader *reader, enum style style, unsigned attributes,
                       enum flow_kind kind)
{
    reader->spans[0].style = style;
    reader->spans[0].attributes = attributes;
    reader->span_depth = 0;
    reader->kind = kind;
}

static void open_item(struct reader *reader, const MD_BLOCK_LI_DETAIL *detail)
{
    static const char *const bullets[] = {"• ", "◦ ", "▪ "};
    char first[FLOW_MARK_BYTES], rest[FLOW_MARK_BYTES];
    size_t depth = reader->list_depth > 0 ? reader->list_depth - 1 : 0;
    struct list *list = &reader->lists[depth < LISTS_OPEN_MAX ? depth : LISTS_OPEN_MAX - 1];
    if (detail->is_task)
        snprintf(first, sizeof first, "%s ", detail->task_mark == ' ' ? "☐" : "✓");
    else if (list->ordered)
        snprintf(first, sizeof first, "%u%c ", list->next++, list->delimiter);
    else
        snprintf(first, sizeof first, "%s", bullets[depth < 2 ? depth : 2]);
    snprintf(rest, sizeof rest, "%*s", text_columns(first, strlen(first)), "");
    flow_open(reader->flow, first, rest, STYLE_REPLY);
}

static void open_list(struct reader *reader, bool ordered, unsigned start, char delimiter)
{
    if (reader->list_depth < LISTS_OPEN_MAX)
        reader->lists[reader->list_depth] = (struct list){ordered, start, delimiter};
    reader->list_depth++;
}

static void open_code(struct reader *reader, const MD_BLOCK_CODE_DETAIL *detail)
{
    struct flow *flow = reader->flow;
    gap(reader, 0, true);
    reader->in_code = true;
    markdown_code_begin(flow, detail->lang.text, detail->lang.size, 0, 0);
}

static void close_code(struct reader *reader)
{
    if (reader->flow->pending_count > 0)
        code_rows(reader->flow, 0, 0);
    markdown_code_end(reader->flow, 0, 0);
    reader->in_code = false;
    reader->gap_always = true;
}

static void add_rule(struct reader *reader)
{
    int room = flow_room(reader->flow);
    gap(reader, 0, true);
    flow_line_begin(reader->flow, FLOW_RULE);
    flow_line_repeat(reader->flow, "─", room < RULE_COLUMNS ? room : RULE_COLUMNS, STYLE_BORDER);
    reader->gap_always = true;
}

static int open_table(struct reader *reader, const MD_BLOCK_TABLE_DETAIL *detail)
{
    size_t rows = (size_t)detail->head_row_count + detail->body_row_count;
    if (detail->col_count > MARKDOWN_TABLE_COLUMNS_MAX ||
        rows * detail->col_count > MARKDOWN_TABLE_CELLS_MAX)
        return 1;
    reader->table.columns = detail->col_count;
    reader->table.rows = 0;
    reader->table.count = 0;
    return 0;
}

static void close_table(struct reader *reader)
{
    struct markdown_table *table = &reader->table;
    table->rows = table->columns > 0 ? table->count / table->columns : 0;
    reader->in_cell = false;
    if (table->rows == 0)
        return;
    gap(reader, 0, true);
    markdown_table_layout(table, reader->flow);
    reader->gap_always = true;
}

static int on_enter_block(MD_BLOCKTYPE type, void *detail, void *user)
{
    struct reader *reader = user;
    flush(reader);
    switch (type) {
    case MD_BLOCK_QUOTE:
        flow_open(reader->flow, "▎ ", "▎ ", STYLE_QUOTE);
        break;
    case MD_BLOCK_UL:
        open_list(reader, false, 0, '.');
        break;
    case MD_BLOCK_OL:
        open_list(reader, true, ((MD_BLOCK_OL_DETAIL *)detail)->start,
                  ((MD_BLOCK_OL_DETAIL *)detail)->mark_delimiter);
        break;
    case MD_BLOCK_LI:
        text_style(reader, STYLE_REPLY, 0, FLOW_TEXT);
        open_item(reader, detail);
        break;
    case MD_BLOCK_H:
        text_style(reader, STYLE_HEADING,
                   ((MD_BLOCK_H_DETAIL *)detail)->level > 2 ? THEME_ITALIC : 0, FLOW_HEADING);
        reader->gap_always = reader->flow->line_count > 0;
        break;
    case MD_BLOCK_CODE:
        open_code(reader, detail);
        break;
    case MD_BLOCK_HR:
        add_rule(reader);
        break;
    case MD_BLOCK_TABLE:
        return open_table(reader, detail);
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
        text_style(reader, STYLE_REPLY, type == MD_BLOCK_TH ? THEME_BOLD : 0, FLOW_TABLE);
        reader->in_cell = true;
        reader->cell_first = reader->flow->pending_count;
        break;
    case MD_BLOCK_P:
        text_style(reader, STYLE_REPLY, 0, FLOW_TEXT);
        break;
    default:
        break;
    }
    return 0;
}

/* A first-level heading is underlined. */
static void close_heading(struct reader *reader, unsigned level)
{
    struct flow *flow = reader->flow;
    int columns = flow_columns(flow, 0, flow->pending_count), room = flow_room(flow);
    bool any = flow->pending_count > 0;
    flush(reader);
    if (level == 1 && any) {
        flow_line_begin(flow, FLOW_HEADING);
        flow_line_repeat(flow, "━", columns < room ? columns : room, STYLE_BORDER);
    }
}

static int on_leave_block(MD_BLOCKTYPE type, void *detail, void *user)
{
    struct reader *reader = user;
    static const enum table_align aligns[] = {[MD_ALIGN_DEFAULT] = TABLE_LEFT,
                                              [MD_ALIGN_LEFT] = TABLE_LEFT,
                                              [MD_ALIGN_CENTER] = TABLE_CENTRE,
                                              [MD_ALIGN_RIGHT] = TABLE_RIGHT};
    if (type == MD_BLOCK_H)
        close_heading(reader, ((MD_BLOCK_H_DETAIL *)detail)->level);
    else if (type == MD_BLOCK_CODE)
        close_code(reader);
    else if (type == MD_BLOCK_TABLE)
        close_table(reader);
    else if (type == MD_BLOCK_TH || type == MD_BLOCK_TD)
        markdown_table_add(&reader->table, reader->cell_first, reader->flow->pending_count,
                           aligns[((MD_BLOCK_TD_DETAIL *)detail)->align]);
    flush(reader);
    if (type == MD_BLOCK_LI && reader->flow->depth > 0) {
        struct flow *flow = reader->flow;
        size_t top = flow->depth - 1;
        if (top < FLOW_DEPTH_MAX && !flow->containers[top].used) { /* an empty item */
            flow_line_begin(flow, FLOW_TEXT);
            reader->shown = true;
        }
    }
    if (type == MD_BLOCK_QUOTE || type == MD_BLOCK_LI)
        flow_close(reader->flow);
    else if ((type == MD_BLOCK_UL || type == MD_BLOCK_OL) && reader->list_depth > 0)
        reader->list_depth--;
    return 0;
}

/* --- parts ----------------------------------------------------------------------------------- */

void markdown_add_plain(struct flow *flow, const char *message, size_t start, size_t end,
                        enum flow_kind kind, enum style style)
{
    size_t stop = end;
    while (stop > start && strchr("\n\r \t", message[stop - 1]) != NULL &&
           message[stop - 1] != '\0')
        stop--;
    markdown_gap(flow, message, start, false);
    for (size_t at = start; at < stop;) {
        const char *newline = memchr(message + at, '\n', stop - at);
        size_t line_end = newline != NULL ? (size_t)(newline - message) : stop;
        flow_add(flow, message + at, line_end - at, at, style, 0);
        if (flow->pending_count > 0) {
            flow_flush(flow, kind, false);
        } else {
            flow_line_begin(flow, kind);
            flow_line_raw(flow, at, line_end + 1);
        }
        at = line_end + 1;
    }
}

static bool is_white(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (strchr(" \t\r\n", text[i]) == NULL || text[i] == '\0')
            return false;
    return true;
}

static int parse(struct reader *reader, size_t size)
{
    static const MD_PARSER parser = {.flags = MD_DIALECT_GITHUB | MD_FLAG_NOHTML,
                                     .enter_block = on_enter_block,
                                     .leave_block = on_leave_block,
                                     .enter_span = on_enter_span,
                                     .leave_span = on_leave_span,
                                     .text = on_text};
    text_style(reader, STYLE_REPLY, 0, FLOW_TEXT);
    reader->input_size = size;
    return md_parse(reader->input, (MD_SIZE)size, &parser, reader);
}

/* A carriage return alone is shown, not obeyed: for md4c it would end a line. */
static void hide_returns(struct strbuf *text)
{
    for (size_t i = 0; i < text->length; i++)
        if (text->data[i] == '\r' && (i + 1 >= text->length || text->data[i + 1] != '\n'))
            text->data[i] = '\001';
}

void markdown_add(struct flow *flow, const char *message, size_t start, size_t end, bool unfinished)
{
    struct flow_point point = flow_point(flow);
    struct strbuf closed = {0};
    struct reader reader = {.flow = flow,
                            .message = message,
                            .input = message + start,
                            .start = start,
                            .size = end - start};
    size_t size = end - start;
    if (is_white(message + start, size))
        return;
    if (!unfinished || !markdown_close_inline(message + start, size, &closed, &reader.size))
        strbuf_add(&closed, message + start, size);
    hide_returns(&closed);
    reader.input = strbuf_text(&closed);
    size = closed.length;
    if (parse(&reader, size) != 0 || !reader.shown) {
        flow_rewind(flow, &point);
        markdown_add_plain(flow, message, start, end, FLOW_TEXT, STYLE_REPLY);
    }
    markdown_table_free(&reader.table);
    strbuf_free(&closed);
    flow->depth = 0;
}
