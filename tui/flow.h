/*
 * flow.h - styled text -> rows of spans, each of which knows the bytes of the message it shows.
 *
 * A flow owns a sanitised copy of what it shows. Text is added as pending spans and then broken
 * into rows, which begin with the marks of the containers that are open (bullets, bars of quotes).
 * What is measured is what is drawn: a row is as wide as the sum of its spans, each drawn on its
 * own. The rows of a message divide its bytes among them in order: where one ends the next begins,
 * but rows that stand side by side in a table share their range and frames have an empty one.
 */
#ifndef AIRO_TUI_FLOW_H
#define AIRO_TUI_FLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/strbuf.h"
#include "tui/style.h"

#define FLOW_DEPTH_MAX   12 /* deeper containers are not marked */
#define FLOW_MARK_BYTES  96
#define FLOW_TAB_COLUMNS 4
#define FLOW_NO_RAW      ((size_t)-1)
#define FLOW_NO_CODE     ((size_t)-1)

enum flow_kind {
    FLOW_TEXT,
    FLOW_BLANK,
    FLOW_HEADING,
    FLOW_SOURCE,
    FLOW_CODE,
    FLOW_CODE_TOP, /* the frame's row with the language */
    FLOW_TABLE,
    FLOW_RULE,
};

struct flow_span {
    size_t start, end;   /* in flow.text */
    size_t raw, raw_end; /* bytes of the message; equal: a decoration. As long as the text: the
                            same bytes, otherwise a replacement of all of them */
    enum style style;
    unsigned attributes; /* enum theme_attribute, on top of the style's own */
};

struct flow_line {
    size_t first, count; /* spans */
    size_t raw, raw_end; /* the bytes of the message that the row stands for */
    size_t code;         /* index of its code block, FLOW_NO_CODE: none */
    enum flow_kind kind;
};

/* A code block's text without fences and marks, in flow.code, and its language. */
struct flow_code {
    size_t start, end;
    size_t language, language_end;
};

struct flow_container {
    char first[FLOW_MARK_BYTES], rest[FLOW_MARK_BYTES]; /* of its first row, of the others */
    int columns;
    enum style style;
    bool used; /* its first row is there */
};

/* A piece of the pending text: what one row, or one row of a cell, shows. */
struct flow_slice {
    size_t start, end;
    int columns;
};

/* Whose speech stands at the beginnings of lines. */
struct flow_speaker {
    const char *name;
    enum style style;
};

/* Zero-initialise; flow_free. */
struct flow {
    struct strbuf text, code;
    struct flow_span *spans;
    size_t span_count, span_capacity;
    struct flow_line *lines;
    size_t line_count, line_capacity;
    struct flow_code *codes;
    size_t code_count, code_capacity;
    struct flow_span *pending;
    size_t pending_count, pending_capacity;
    struct flow_slice *slices;
    size_t slice_count, slice_capacity;
    struct strbuf scratch;
    struct flow_container *containers; /* FLOW_DEPTH_MAX, made when the first one opens */
    size_t depth;                      /* that are open, those beyond FLOW_DEPTH_MAX included */
    int columns;
    size_t last_raw; /* the message's bytes that have rows end here */
    size_t open_code;
    const struct flow_speaker *speakers; /* borrowed */
    size_t speaker_count;
};

/* What stands before text that is added again: flow_rewind goes back there. */
struct flow_point {
    size_t text, code, spans, lines, codes, code_end, last_raw, open_code;
};

void flow_free(struct flow *flow);
/* Empties it; the columns, at least 1, hold from now on. */
void flow_begin(struct flow *flow, int columns);
struct flow_point flow_point(const struct flow *flow);
void flow_rewind(struct flow *flow, const struct flow_point *point);

/* Containers: their marks begin every row until they are closed. */
void flow_open(struct flow *flow, const char *first, const char *rest, enum style style);
void flow_close(struct flow *flow);
/* Columns that the open containers leave, 2 at least where there are as many. */
int flow_room(const struct flow *flow);

/* Adds to the pending text: `bytes` of the message, which stand at `raw` there; a decoration or a
 * replacement of raw..raw_end. A newline ends a row. */
void flow_add(struct flow *flow, const char *bytes, size_t length, size_t raw, enum style style,
              unsigned attributes);
void flow_add_replaced(struct flow *flow, const char *text, size_t length, size_t raw,
                       size_t raw_end, enum style style, unsigned attributes);
/* Marks the names of speakers that begin a line of the pending text. */
void flow_mark_speakers(struct flow *flow);
/* The bytes of the message that pending spans first..end show; false when none. */
bool flow_pending_raw(const struct flow *flow, size_t first, size_t end, size_t *raw,
                      size_t *raw_end);

/* Breaks the pending spans first..end into slices of at most `columns`: at words, or (`verbatim`)
 * anywhere. The slices are in flow->slices until the next call. */
void flow_slice(struct flow *flow, size_t first, size_t end, int columns, bool verbatim);
/* Columns of the pending spans first..end, of the longest line of them. */
int flow_columns(const struct flow *flow, size_t first, size_t end);

/* Rows by hand: begin (with the containers' marks), put what it holds, end. */
struct flow_line *flow_line_begin(struct flow *flow, enum flow_kind kind);
void flow_line_literal(struct flow *flow, const char *text, enum style style);
void flow_line_repeat(struct flow *flow, const char *character, int count, enum style style);
/* The part of the pending spans from *at on that `slice` shows; *at moves on. */
void flow_line_slice(struct flow *flow, size_t *at, size_t end, const struct flow_slice *slice);
/* Rows added by hand stand for these bytes. */
void flow_line_raw(struct flow *flow, size_t raw, size_t raw_end);

/* Breaks all that is pending into rows. */
void flow_flush(struct flow *flow, enum flow_kind kind, bool verbatim);
void flow_clear_pending(struct flow *flow);
/* An empty row, with the marks of the containers that have rows. */
void flow_blank(struct flow *flow);

/* Divides raw_start..raw_end of the message among the rows from `first` on. */
void flow_map(struct flow *flow, size_t first, const char *message, size_t raw_start,
              size_t raw_end);

/* The row that shows byte `raw` of the message. */
size_t flow_line_at(const struct flow *flow, size_t raw);

#endif
