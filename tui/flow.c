#include "tui/flow.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"
#include "engine/base/width.h"
#include "tui/sanitize.h"
#include "tui/theme.h"

#define LEAST_COLUMNS 2 /* for text beside the containers' marks: one wide character */

static void *grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity > 0 ? *capacity * 2 : 16;
    return xreallocarray(items, *capacity, size);
}

/* --- life ------------------------------------------------------------------------------------ */

void flow_free(struct flow *flow)
{
    strbuf_free(&flow->text);
    strbuf_free(&flow->code);
    strbuf_free(&flow->scratch);
    free(flow->spans);
    free(flow->lines);
    free(flow->codes);
    free(flow->pending);
    free(flow->slices);
    free(flow->containers);
    *flow = (struct flow){0};
}

void flow_begin(struct flow *flow, int columns)
{
    static const struct flow_point start = {.open_code = FLOW_NO_CODE};
    flow_rewind(flow, &start);
    flow->columns = columns < 1 ? 1 : columns;
}

struct flow_point flow_point(const struct flow *flow)
{
    size_t code_end = flow->code_count > 0 ? flow->codes[flow->code_count - 1].end : 0;
    return (struct flow_point){flow->text.length, flow->code.length, flow->span_count,
                               flow->line_count,  flow->code_count,  code_end,
                               flow->last_raw,    flow->open_code};
}

static void cut(struct strbuf *text, size_t length)
{
    if (text->length > length)
        strbuf_remove(text, length, text->length - length);
}

void flow_rewind(struct flow *flow, const struct flow_point *point)
{
    cut(&flow->text, point->text);
    cut(&flow->code, point->code);
    flow->span_count = point->spans;
    flow->line_count = point->lines;
    flow->code_count = point->codes;
    if (flow->code_count > 0)
        flow->codes[flow->code_count - 1].end = point->code_end;
    flow->last_raw = point->last_raw;
    flow->open_code = point->open_code;
    flow->pending_count = 0;
    flow->depth = 0;
}

/* --- containers ------------------------------------------------------------------------------ */

static size_t marked(const struct flow *flow)
{
    return flow->depth < FLOW_DEPTH_MAX ? flow->depth : FLOW_DEPTH_MAX;
}

static int marks_columns(const struct flow *flow)
{
    int columns = 0;
    for (size_t i = 0; i < marked(flow); i++)
        columns += flow->containers[i].columns;
    return columns;
}

int flow_room(const struct flow *flow)
{
    return flow->columns - marks_columns(flow);
}

void flow_open(struct flow *flow, const char *first, const char *rest, enum style style)
{
    int room = flow_room(flow), columns = text_columns(first, strlen(first));
    if (flow->depth++ >= FLOW_DEPTH_MAX)
        return;
    if (flow->containers == NULL)
        flow->containers = xcalloc(FLOW_DEPTH_MAX, sizeof *flow->containers);
    struct flow_container *container = &flow->containers[flow->depth - 1];
    *container = (struct flow_container){.style = style};
    if (room - columns < LEAST_COLUMNS || columns + marks_columns(flow) > flow->columns * 2 / 3)
        return;
    container->columns = columns;
    snprintf(container->first, sizeof container->first, "%s", first);
    snprintf(container->rest, sizeof container->rest, "%s", rest);
}

void flow_close(struct flow *flow)
{
    if (flow->depth > 0)
        flow->depth--;
}

/* --- pending text ---------------------------------------------------------------------------- */

/* Joined with the one before where that changes nothing: no cluster may arise from two. */
static void push_pending(struct flow *flow, const struct flow_span *span)
{
    struct flow_span *last =
        flow->pending_count > 0 ? &flow->pending[flow->pending_count - 1] : NULL;
    unsigned char byte = (unsigned char)flow->text.data[span->start];
    bool same = span->raw_end - span->raw == span->end - span->start;
    if (last != NULL && same && last->raw_end - last->raw == last->end - last->start &&
        last->raw_end == span->raw && last->end == span->start && last->style == span->style &&
        last->attributes == span->attributes && byte >= 0x20 && byte < 0x7F &&
        flow->text.data[last->start] != '\n') {
        last->end = span->end;
        last->raw_end = span->raw_end;
        return;
    }
    flow->pending =
        grow(flow->pending, flow->pending_count, &flow->pending_capacity, sizeof *flow->pending);
    flow->pending[flow->pending_count++] = *span;
}

void flow_add_replaced(struct flow *flow, const char *text, size_t length, size_t raw,
                       size_t raw_end, enum style style, unsigned attributes)
{
    struct flow_span span = {flow->text.length, 0, raw, raw_end, style, attributes};
    sanitize_text(&flow->text, text, length, SANITIZE_KEEP_NEWLINES);
    span.end = flow->text.length;
    if (span.end > span.start)
        push_pending(flow, &span);
}

/* Bytes from `at` on that stay as they are when sanitised, or one character that does not (or a
 * newline or a tab). `marks` counts combining marks over the whole text. */
static size_t next_piece(struct flow *flow, const char *bytes, size_t length, bool *same)
{
    size_t at = 0;
    *same = true;
    while (at < length) {
        unsigned char byte = (unsigned char)bytes[at];
        if (byte >= 0x20 && byte < 0x7F) {
            at++;
            continue;
        }
        if (byte < 0x80)
            break;
        uint32_t code;
        size_t size = utf8_decode(bytes + at, length - at, &code);
        strbuf_clear(&flow->scratch);
        sanitize_text(&flow->scratch, bytes + at, size, 0);
        if (flow->scratch.length != size || memcmp(flow->scratch.data, bytes + at, size) != 0) {
            *same = at > 0;
            return at > 0 ? at : size;
        }
        at += size;
    }
    if (at == 0 && length > 0) {
        *same = false;
        return 1;
    }
    return at;
}

static int column_of_pending(const struct flow *flow)
{
    int columns = 0;
    for (size_t i = flow->pending_count; i-- > 0;) {
        const struct flow_span *span = &flow->pending[i];
        if (flow->text.data[span->start] == '\n')
            break;
        columns += text_columns(flow->text.data + span->start, span->end - span->start);
    }
    return columns;
}

static void add_odd(struct flow *flow, const char *bytes, size_t size, size_t raw, enum style style,
                    unsigned attributes)
{
    static const char spaces[FLOW_TAB_COLUMNS + 1] = "    ";
    if (bytes[0] == '\t') {
        size_t count = FLOW_TAB_COLUMNS - (size_t)column_of_pending(flow) % FLOW_TAB_COLUMNS;
        flow_add_replaced(flow, spaces, count, raw, raw + 1, style, attributes);
    } else {
        flow_add_replaced(flow, bytes, size, raw, raw + size, style, attributes);
    }
}

/* More marks than a character may carry: the sanitiser sees the run as a whole. */
static void add_same(struct flow *flow, const char *bytes, size_t size, size_t raw,
                     enum style style, unsigned attributes)
{
    size_t start = flow->text.length;
    sanitize_text(&flow->text, bytes, size, 0);
    size_t shown = flow->text.length - start;
    if (shown == size) {
        push_pending(flow,
                     &(struct flow_span){start, start + size, raw, raw + size, style, attributes});
        return;
    }
    cut(&flow->text, start);
    for (size_t at = 0; at < size;) {
        size_t cluster = grapheme_next(bytes + at, size - at);
        flow_add_replaced(flow, bytes + at, cluster, raw + at, raw + at + cluster, style,
                          attributes);
        at += cluster;
    }
}

void flow_add(struct flow *flow, const char *bytes, size_t length, size_t raw, enum style style,
              unsigned attributes)
{
    for (size_t at = 0; at < length;) {
        bool same;
        size_t size = next_piece(flow, bytes + at, length - at, &same);
        if (same)
            add_same(flow, bytes + at, size, raw + at, style, attributes);
        else
            add_odd(flow, bytes + at, size, raw + at, style, attributes);
        at += size;
    }
}

void flow_clear_pending(struct flow *flow)
{
    flow->pending_count = 0;
}

bool flow_pending_raw(const struct flow *flow, size_t first, size_t end, size_t *raw,
                      size_t *raw_end)
{
    bool found = false;
    for (size_t i = first; i < end; i++) {
        const struct flow_span *span = &flow->pending[i];
        if (span->raw == span->raw_end)
            continue;
        *raw = !found || span->raw < *raw ? span->raw : *raw;
        *raw_end = !found || span->raw_end > *raw_end ? span->raw_end : *raw_end;
        found = true;
    }
    return found;
}

/* --- speakers -------------------------------------------------------------------------------- */

static const struct flow_speaker *speaker_at(const struct flow *flow, size_t at, size_t end)
{
    for (size_t i = 0; i < flow->speaker_count; i++) {
        size_t length = strlen(flow->speakers[i].name);
        if (length > 0 && at + length < end && flow->text.data[at + length] == ':' &&
            memcmp(flow->text.data + at, flow->speakers[i].name, length) == 0)
            return &flow->speakers[i];
    }
    return NULL;
}

/* Pending spans from `index` on, up to byte `end` of the text, become the speaker's. */
static void paint(struct flow *flow, size_t index, size_t end, enum style style)
{
    for (; index < flow->pending_count && flow->pending[index].start < end; index++) {
        struct flow_span *span = &flow->pending[index];
        if (span->end > end) {
            struct flow_span rest = *span;
            size_t size = end - span->start;
            rest.start = end;
            rest.raw += size;
            span->end = end;
            span->raw_end = span->raw + size;
            flow->pending = grow(flow->pending, flow->pending_count, &flow->pending_capacity,
                                 sizeof *flow->pending);
            span = &flow->pending[index];
            memmove(span + 2, span + 1, (flow->pending_count - index - 1) * sizeof *span);
            span[1] = rest;
            flow->pending_count++;
        }
        span->style = style;
    }
}

void flow_mark_speakers(struct flow *flow)
{
    bool begins = true;
    for (size_t i = 0; i < flow->pending_count && flow->speaker_count > 0; i++) {
        const struct flow_span *span = &flow->pending[i];
        const struct flow_speaker *speaker =
            begins ? speaker_at(flow, span->start, flow->text.length) : NULL;
        begins = flow->text.data[span->start] == '\n';
        if (speaker != NULL)
            paint(flow, i, span->start + strlen(speaker->name), speaker->style);
    }
}

/* --- breaking -------------------------------------------------------------------------------- */

static void push_slice(struct flow *flow, size_t start, size_t end, int columns)
{
    flow->slices =
        grow(flow->slices, flow->slice_count, &flow->slice_capacity, sizeof *flow->slices);
    flow->slices[flow->slice_count++] = (struct flow_slice){start, end, columns};
}

/* The state of a break: the row so far, and the last place where it may end. */
struct breaker {
    struct flow *flow;
    const char *breaks; /* of the text from `base` on; NULL: anywhere */
    size_t base;
    int columns;
    size_t start;
    int column, solid; /* columns so far; without the spaces at the end */
    size_t last_break;
    int break_column, break_solid; /* the same two before the break */
};

static void breaker_row(struct breaker *breaker, size_t end)
{
    const char *text = breaker->flow->text.data;
    size_t solid = end;
    while (breaker->breaks != NULL && solid > breaker->start && text[solid - 1] == ' ')
        solid--;
    push_slice(breaker->flow, breaker->start, solid, breaker->solid);
    breaker->start = end;
    breaker->column = breaker->solid = 0;
    breaker->last_break = end;
}

/* A cluster that does not fit: the row ends at the last break, or before it where there is none. */
static void breaker_turn(struct breaker *breaker, size_t at)
{
    if (breaker->last_break <= breaker->start) {
        breaker_row(breaker, at);
        return;
    }
    int column = breaker->column - breaker->break_column;
    size_t start = breaker->last_break;
    breaker->solid = breaker->break_solid;
    breaker_row(breaker, start);
    breaker->column = breaker->solid = column;
}

static void breaker_cluster(struct breaker *breaker, size_t at, size_t bytes)
{
    const char *text = breaker->flow->text.data;
    int columns = grapheme_columns(text + at, bytes);
    if (breaker->breaks != NULL && at > breaker->start && breaker->breaks[at - breaker->base]) {
        breaker->last_break = at;
        breaker->break_column = breaker->column;
        breaker->break_solid = breaker->solid;
    }
    bool space = breaker->breaks != NULL && text[at] == ' ';
    /* After a turn the rest may still be too long. */
    while (!space && at > breaker->start && breaker->column + columns > breaker->columns) {
        size_t before = breaker->start;
        breaker_turn(breaker, at);
        if (breaker->start == before)
            break;
    }
    breaker->column += columns;
    if (!space)
        breaker->solid = breaker->column;
}

void flow_slice(struct flow *flow, size_t first, size_t end, int columns, bool verbatim)
{
    flow->slice_count = 0;
    if (first >= end)
        return;
    size_t base = flow->pending[first].start, last = flow->pending[end - 1].end;
    char *breaks = NULL;
    if (!verbatim) {
        breaks = xmalloc(last - base);
        text_line_breaks(flow->text.data + base, last - base, breaks);
    }
    struct breaker breaker = {.flow = flow,
                              .breaks = breaks,
                              .base = base,
                              .columns = columns < 1 ? 1 : columns,
                              .start = base,
                              .last_break = base};
    for (size_t i = first; i < end; i++) {
        const struct flow_span *span = &flow->pending[i];
        for (size_t at = span->start; at < span->end;) {
            if (flow->text.data[at] == '\n') {
                breaker_row(&breaker, at);
                breaker.start = breaker.last_break = ++at;
                continue;
            }
            size_t bytes = grapheme_next(flow->text.data + at, span->end - at);
            breaker_cluster(&breaker, at, bytes);
            at += bytes;
        }
    }
    breaker_row(&breaker, last);
    free(breaks);
}

int flow_columns(const struct flow *flow, size_t first, size_t end)
{
    int columns = 0, most = 0;
    for (size_t i = first; i < end; i++) {
        const struct flow_span *span = &flow->pending[i];
        if (flow->text.data[span->start] == '\n')
            columns = 0;
        else
            columns += text_columns(flow->text.data + span->start, span->end - span->start);
        most = columns > most ? columns : most;
    }
    return most;
}

/* --- rows ------------------------------------------------------------------------------------ */

static void push_span(struct flow *flow, const struct flow_span *span)
{
    flow->spans = grow(flow->spans, flow->span_count, &flow->span_capacity, sizeof *flow->spans);
    flow->spans[flow->span_count++] = *span;
    flow->lines[flow->line_count - 1].count++;
}

void flow_line_literal(struct flow *flow, const char *text, enum style style)
{
    struct flow_span span = {flow->text.length, 0, 0, 0, style, 0};
    strbuf_puts(&flow->text, text);
    span.end = flow->text.length;
    if (span.end > span.start)
        push_span(flow, &span);
}

void flow_line_repeat(struct flow *flow, const char *character, int count, enum style style)
{
    struct flow_span span = {flow->text.length, 0, 0, 0, style, 0};
    for (int i = 0; i < count; i++)
        strbuf_puts(&flow->text, character);
    span.end = flow->text.length;
    if (span.end > span.start)
        push_span(flow, &span);
}

static struct flow_line *push_line(struct flow *flow, enum flow_kind kind)
{
    flow->lines = grow(flow->lines, flow->line_count, &flow->line_capacity, sizeof *flow->lines);
    struct flow_line *line = &flow->lines[flow->line_count++];
    *line = (struct flow_line){.first = flow->span_count,
                               .raw = FLOW_NO_RAW,
                               .raw_end = FLOW_NO_RAW,
                               .code = flow->open_code,
                               .kind = kind};
    return line;
}

struct flow_line *flow_line_begin(struct flow *flow, enum flow_kind kind)
{
    push_line(flow, kind);
    for (size_t i = 0; i < marked(flow); i++) {
        struct flow_container *container = &flow->containers[i];
        flow_line_literal(flow, container->used ? container->rest : container->first,
                          container->style);
        container->used = true;
    }
    return &flow->lines[flow->line_count - 1];
}

void flow_blank(struct flow *flow)
{
    push_line(flow, FLOW_BLANK)->code = FLOW_NO_CODE;
    for (size_t i = 0; i < marked(flow); i++)
        if (flow->containers[i].used)
            flow_line_literal(flow, flow->containers[i].rest, flow->containers[i].style);
}

void flow_line_raw(struct flow *flow, size_t raw, size_t raw_end)
{
    struct flow_line *line = &flow->lines[flow->line_count - 1];
    line->raw = line->raw == FLOW_NO_RAW || raw < line->raw ? raw : line->raw;
    line->raw_end =
        line->raw_end == FLOW_NO_RAW || raw_end > line->raw_end ? raw_end : line->raw_end;
    flow->last_raw = raw_end > flow->last_raw ? raw_end : flow->last_raw;
}

/* The part of a span that a slice shows. */
static struct flow_span clip(const struct flow_span *span, const struct flow_slice *slice)
{
    struct flow_span part = *span;
    bool same = span->raw_end - span->raw == span->end - span->start;
    part.start = span->start > slice->start ? span->start : slice->start;
    part.end = span->end < slice->end ? span->end : slice->end;
    if (same && part.end > part.start) {
        part.raw = span->raw + (part.start - span->start);
        part.raw_end = part.raw + (part.end - part.start);
    }
    return part;
}

void flow_line_slice(struct flow *flow, size_t *at, size_t end, const struct flow_slice *slice)
{
    for (; *at < end && flow->pending[*at].start < slice->end; (*at)++) {
        struct flow_span part = clip(&flow->pending[*at], slice);
        if (part.end > part.start) {
            push_span(flow, &part);
            if (part.raw_end > part.raw)
                flow_line_raw(flow, part.raw, part.raw_end);
        }
        if (flow->pending[*at].end > slice->end)
            return;
    }
}

void flow_flush(struct flow *flow, enum flow_kind kind, bool verbatim)
{
    size_t at = 0;
    flow_slice(flow, 0, flow->pending_count, flow_room(flow), verbatim);
    for (size_t i = 0; i < flow->slice_count; i++) {
        flow_line_begin(flow, kind);
        flow_line_slice(flow, &at, flow->pending_count, &flow->slices[i]);
    }
    flow_clear_pending(flow);
}

/* --- rows and the message -------------------------------------------------------------------- */

/* Where between two rows the one's bytes end: after the line, or the word, that is shown. */
static size_t border(const char *message, size_t from, size_t to)
{
    const char *newline = memchr(message + from, '\n', to - from);
    if (newline != NULL)
        return (size_t)(newline - message) + 1;
    for (size_t at = from; at < to; at++)
        if (message[at] == ' ' || message[at] == '\t')
            return at;
    return from;
}

void flow_map(struct flow *flow, size_t first, const char *message, size_t raw_start,
              size_t raw_end)
{
    size_t shown = FLOW_NO_RAW; /* the group of rows that is open: its first row */
    size_t start = raw_start, last = raw_start;
    for (size_t i = first; i < flow->line_count; i++) {
        struct flow_line *line = &flow->lines[i];
        if (line->raw != FLOW_NO_RAW && shown != FLOW_NO_RAW && line->raw < last) {
            last = line->raw_end > last ? line->raw_end : last;
            continue; /* beside the one before */
        }
        if (line->raw == FLOW_NO_RAW)
            continue;
        if (shown != FLOW_NO_RAW) {
            size_t end = border(message, last, line->raw);
            for (size_t j = shown; j < i; j++) {
                bool frame = flow->lines[j].raw == FLOW_NO_RAW;
                flow->lines[j].raw = frame ? end : start;
                flow->lines[j].raw_end = end;
            }
            start = end;
        } else {
            for (size_t j = first; j < i; j++)
                flow->lines[j].raw = flow->lines[j].raw_end = start;
        }
        shown = i;
        last = line->raw_end > last ? line->raw_end : last;
    }
    size_t from = shown == FLOW_NO_RAW ? first : shown;
    for (size_t j = from; j < flow->line_count; j++) {
        bool frame = flow->lines[j].raw == FLOW_NO_RAW && j > from;
        flow->lines[j].raw = frame ? raw_end : start;
        flow->lines[j].raw_end = raw_end;
    }
}

size_t flow_line_at(const struct flow *flow, size_t raw)
{
    size_t low = 0, high = flow->line_count;
    while (low + 1 < high) { /* the last row that begins at or before the byte ... */
        size_t middle = (low + high) / 2;
        if (flow->lines[middle].raw <= raw)
            low = middle;
        else
            high = middle;
    }
    /* ... of those with the same range the first that shows it, not a frame. */
    while (low > 0 &&
           (flow->lines[low].raw_end <= flow->lines[low].raw || flow->lines[low - 1].raw_end > raw))
        low--;
    return low;
}
