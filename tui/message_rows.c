#include "tui/message_rows.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/width.h"
#include "tui/markdown.h"
#include "tui/sanitize.h"

/* --- plain text ------------------------------------------------------------------------------ */

/* Bytes of a line's indentation and list mark: "- ", "* ", "12. "; 0: not a list. */
static size_t list_mark(const char *line, size_t length)
{
    size_t at = 0;
    while (at < length && line[at] == ' ')
        at++;
    size_t mark = at;
    while (at < length && line[at] >= '0' && line[at] <= '9')
        at++;
    bool numbered = at > mark && at < length && (line[at] == '.' || line[at] == ')');
    bool bulleted = at == mark && at < length && (line[at] == '-' || line[at] == '*');
    if (!(numbered || bulleted) || at + 2 >= length || line[at + 1] != ' ')
        return 0;
    return at + 2 < FLOW_MARK_BYTES ? at + 2 : 0;
}

static void open_mark(struct flow *flow, const char *text, size_t length, int columns,
                      enum style style)
{
    char first[FLOW_MARK_BYTES], rest[FLOW_MARK_BYTES];
    int used = text_columns(text, length);
    snprintf(first, sizeof first, "%.*s%*s", (int)length, text, columns - used, "");
    snprintf(rest, sizeof rest, "%*s", columns, "");
    flow_open(flow, first, rest, style);
}

/* The name in a column of its own, where there is room. Returns its bytes. */
static size_t open_name(struct message_rows *rows, const char *line, size_t length)
{
    struct strbuf clean = {0};
    size_t name = text_fit(line, length, rows->name_columns);
    sanitize_text(&clean, line, name, 0);
    bool fits = rows->flow.columns > 2 * rows->name_columns && name == clean.length &&
                name + (size_t)rows->name_columns < FLOW_MARK_BYTES;
    if (fits)
        open_mark(&rows->flow, line, name, rows->name_columns, STYLE_KEY);
    strbuf_free(&clean);
    return fits ? name : 0;
}

static void add_line(struct message_rows *rows, const char *text, size_t at, size_t end)
{
    struct flow *flow = &rows->flow;
    size_t mark = 0;
    if (rows->form == MESSAGE_TABLE) {
        mark = open_name(rows, text + at, end - at);
        size_t name = mark > 0 ? 0 : text_fit(text + at, end - at, rows->name_columns);
        flow_add(flow, text + at, name, at, STYLE_KEY, 0);
        flow_add(flow, text + at + mark + name, end - at - mark - name, at + mark + name,
                 rows->style, 0);
    } else {
        mark = list_mark(text + at, end - at);
        if (mark > 0)
            open_mark(flow, text + at, mark, (int)mark, rows->style);
        flow_add(flow, text + at + mark, end - at - mark, at + mark, rows->style, 0);
        flow_mark_speakers(flow);
    }
    if (flow->pending_count > 0) {
        flow_flush(flow, FLOW_TEXT, false);
    } else {
        flow_line_begin(flow, FLOW_TEXT);
        flow_line_raw(flow, at, end + 1);
    }
    flow->depth = 0;
}

static void update_plain(struct message_rows *rows, const char *text, size_t length)
{
    for (size_t at = rows->done; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t end = newline != NULL ? (size_t)(newline - text) : length;
        size_t next = newline != NULL ? end + 1 : end, first = rows->flow.line_count;
        add_line(rows, text, at, end);
        flow_map(&rows->flow, first, text, at, next);
        if (newline != NULL) {
            rows->done = next;
            rows->point = flow_point(&rows->flow);
        }
        at = next;
    }
}

/* --- Markdown -------------------------------------------------------------------------------- */

/* "c" of "```c title=x". */
static void begin_fence(struct message_rows *rows, const char *text, size_t start, size_t end,
                        size_t indent)
{
    size_t at = start + indent, stop;
    while (at < end && (text[at] == '`' || text[at] == '~'))
        at++;
    while (at < end && text[at] == ' ')
        at++;
    for (stop = at; stop < end && strchr(" \t\r\n{", text[stop]) == NULL;)
        stop++;
    markdown_gap(&rows->flow, text, start, rows->flow.line_count > 0);
    markdown_code_begin(&rows->flow, text + at, stop - at, start, end);
}

static void add_fence(struct message_rows *rows, const char *text, size_t start,
                      const struct markdown_cut *cut, const struct markdown_splitter *fence)
{
    bool first = cut->part == MARKDOWN_FENCE;
    for (size_t at = start; at < cut->end;) {
        const char *newline = memchr(text + at, '\n', cut->end - at);
        size_t end = newline != NULL ? (size_t)(newline - text) : cut->end;
        size_t next = newline != NULL ? end + 1 : end, strip = 0;
        while (strip < fence->fence_indent && at + strip < end && text[at + strip] == ' ')
            strip++;
        if (first)
            begin_fence(rows, text, at, next, fence->fence_indent);
        else if (cut->last && next == cut->end &&
                 markdown_is_fence_end(text + at, end - at, fence)) {
            markdown_code_end(&rows->flow, at, next);
            return;
        } else
            markdown_code_line(&rows->flow, text + at + strip, next - at - strip, at + strip);
        first = false;
        at = next;
    }
    if (cut->last)
        markdown_code_end(&rows->flow, 0, 0);
}

static void add_part(struct message_rows *rows, const char *text, size_t start,
                     const struct markdown_cut *cut, const struct markdown_splitter *splitter)
{
    struct flow *flow = &rows->flow;
    size_t first = flow->line_count;
    rows->bytes_read += cut->end - start;
    if (cut->part == MARKDOWN_SOURCE)
        markdown_add_plain(flow, text, start, cut->end, FLOW_SOURCE, STYLE_SOURCE);
    else if (cut->part == MARKDOWN_TEXT)
        markdown_add(flow, text, start, cut->end, rows->unfinished && !cut->closed);
    else
        add_fence(rows, text, start, cut, splitter);
    flow_map(flow, first, text, start, cut->end);
}

static void update_markdown(struct message_rows *rows, const char *text, size_t length)
{
    for (size_t at = rows->done; at < length;) {
        struct markdown_splitter before = rows->splitter, splitter = rows->splitter;
        struct markdown_cut cut = markdown_split(&splitter, text, length, at);
        const struct markdown_splitter *fence = &splitter;
        if (before.fence != '\0' || cut.part == MARKDOWN_TEXT || cut.part == MARKDOWN_SOURCE)
            fence = &before;
        struct markdown_splitter opened;
        if (cut.part == MARKDOWN_FENCE) {
            const char *newline = memchr(text + at, '\n', length - at);
            size_t line = newline != NULL ? (size_t)(newline - text) - at : length - at;
            if (markdown_is_fence(text + at, line, &opened))
                fence = &opened;
        }
        add_part(rows, text, at, &cut, fence);
        at = cut.end;
        if (!cut.closed)
            break;
        rows->splitter = splitter;
        rows->done = at;
        rows->point = flow_point(&rows->flow);
    }
}

/* --- both ------------------------------------------------------------------------------------ */

bool message_rows_update(struct message_rows *rows, const char *text, size_t length, int columns,
                         bool unfinished)
{
    columns = columns < 1 ? 1 : columns;
    if (!rows->laid_out || columns != rows->flow.columns)
        message_rows_reset(rows);
    else if (length == rows->seen && unfinished == rows->unfinished)
        return false;
    if (!rows->laid_out) {
        flow_begin(&rows->flow, columns);
        rows->point = flow_point(&rows->flow);
    }
    rows->laid_out = true;
    rows->seen = length;
    rows->unfinished = unfinished;
    flow_rewind(&rows->flow, &rows->point);
    if (rows->form == MESSAGE_MARKDOWN)
        update_markdown(rows, text, length);
    else
        update_plain(rows, text, length);
    return true;
}

void message_rows_reset(struct message_rows *rows)
{
    rows->laid_out = false;
    rows->seen = rows->done = 0;
    rows->splitter = (struct markdown_splitter){0};
}

void message_rows_free(struct message_rows *rows)
{
    flow_free(&rows->flow);
    message_rows_reset(rows);
}
