#include "tui/transcript_search.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"
#include "tui/transcript_model.h"

static uint32_t fold(const struct transcript *transcript, uint32_t code)
{
    if (!transcript->fold)
        return code;
    if (code < 0x80)
        return code >= 'A' && code <= 'Z' ? code + 32 : code;
    return uc_tolower(code);
}

static size_t read_code(const struct transcript *transcript, const char *text, size_t length,
                        uint32_t *code)
{
    size_t bytes = 1;
    if ((unsigned char)text[0] < 0x80)
        *code = (unsigned char)text[0];
    else
        bytes = utf8_decode(text, length, code);
    *code = fold(transcript, *code);
    return bytes;
}

/* Bytes of the match at the start of the text, 0: none. */
static size_t match_here(const struct transcript *transcript, const char *text, size_t length)
{
    size_t at = 0;
    for (size_t i = 0; i < transcript->pattern_length; i++) {
        uint32_t code;
        if (at >= length)
            return 0;
        at += read_code(transcript, text + at, length - at, &code);
        if (code != transcript->pattern[i])
            return 0;
    }
    return at;
}

static void add_match(struct transcript *transcript, struct transcript_item *item, size_t start,
                      size_t end)
{
    if (item->match_count == item->match_capacity) {
        item->match_capacity = item->match_capacity > 0 ? item->match_capacity * 2 : 4;
        item->matches = xreallocarray(item->matches, item->match_capacity, sizeof *item->matches);
    }
    item->matches[item->match_count++] = (struct transcript_match){start, end};
    transcript->match_total++;
}

static void search_item(struct transcript *transcript, struct transcript_item *item)
{
    size_t length, from = 0;
    if (item->message == NULL || transcript->pattern_length == 0)
        return;
    const char *text = item_text(item, &length);
    if (item->searched > 0) { /* it grew: what could not be a match yet is looked at again */
        size_t back = 4 * transcript->pattern_length;
        from = item->searched > back ? item->searched - back : 0;
        if (item->match_count > 0 && item->matches[item->match_count - 1].end > from)
            from = item->matches[item->match_count - 1].end;
        while (from > 0 && from < length && ((unsigned char)text[from] & 0xC0) == 0x80)
            from--;
    }
    for (size_t at = from; at < length;) {
        size_t found = match_here(transcript, text + at, length - at);
        uint32_t code;
        if (found > 0)
            add_match(transcript, item, at, at + found);
        at += found > 0 ? found : read_code(transcript, text + at, length - at, &code);
    }
    item->searched = length;
}

static void set_pattern(struct transcript *transcript, const char *pattern)
{
    size_t length = strlen(pattern), count = 0;
    free(transcript->pattern);
    transcript->pattern = xcalloc(length + 1, sizeof *transcript->pattern);
    transcript->fold = true;
    for (size_t at = 0; at < length;) {
        uint32_t code;
        at += utf8_decode(pattern + at, length - at, &code);
        transcript->fold = transcript->fold && !uc_is_upper(code);
        transcript->pattern[count++] = code;
    }
    for (size_t i = 0; i < count; i++)
        transcript->pattern[i] = fold(transcript, transcript->pattern[i]);
    transcript->pattern_length = count;
}

size_t transcript_search(struct transcript *transcript, const char *pattern)
{
    set_pattern(transcript, pattern);
    transcript->match_total = 0;
    transcript->current_match = (struct transcript_place){0, -1};
    for (size_t i = 0; i < transcript->count; i++) {
        transcript->items[i].match_count = transcript->items[i].searched = 0;
        search_item(transcript, &transcript->items[i]);
    }
    return transcript->match_total;
}

/* The last items only: what was searched before does not grow. */
void transcript_search_grew(struct transcript *transcript)
{
    if (transcript->pattern_length == 0)
        return;
    for (size_t i = transcript->count, left = 4; i-- > 0 && left > 0; left--) {
        size_t length;
        struct transcript_item *item = &transcript->items[i];
        item_text(item, &length);
        if (item->message != NULL && length > item->searched)
            search_item(transcript, item);
    }
}

/* The row of the item's text that shows a byte. */
static struct transcript_place row_of(struct transcript *transcript, size_t index, size_t raw)
{
    item_lay_out(transcript, index);
    const struct flow *flow = &transcript->items[index].rows.flow;
    return (struct transcript_place){index,
                                     item_gap(transcript, index) + (int)flow_line_at(flow, raw)};
}

/* The match that is current, or else where the search goes on from: before the first match that
 * begins at the cursor's row or later. */
static struct transcript_place search_from(struct transcript *transcript, bool backwards)
{
    struct transcript_place from = transcript->current_match;
    size_t start, end;
    if (from.row >= 0 && from.item == transcript->cursor.item && transcript->cursor_shown) {
        size_t raw = transcript->items[from.item].matches[from.row].start;
        if (row_of(transcript, from.item, raw).row == transcript->cursor.row)
            return from;
    }
    from = (struct transcript_place){transcript->count > 0 ? transcript->count - 1 : 0, 0};
    if (transcript->cursor_shown)
        from.item = transcript->cursor.item;
    const struct transcript_item *item = &transcript->items[from.item];
    bool known = item->match_count > 0 && transcript->cursor_shown;
    struct transcript_place kept = transcript->cursor;
    if (known) {
        item_lay_out(transcript, kept.item);
        const struct flow *flow = &item->rows.flow;
        int line = kept.row - item_gap(transcript, kept.item);
        start = line >= 0 && (size_t)line < flow->line_count ? flow->lines[line].raw : 0;
        end = line >= 0 && (size_t)line < flow->line_count ? flow->lines[line].raw_end : 0;
        size_t edge = backwards ? end : start;
        while ((size_t)from.row < item->match_count && item->matches[from.row].start < edge)
            from.row++;
    } else {
        from.row = backwards || !transcript->cursor_shown ? (int)item->match_count : 0;
    }
    if (!backwards)
        from.row--;
    return from;
}

bool transcript_search_next(struct transcript *transcript, bool backwards)
{
    if (transcript->match_total == 0)
        return false;
    struct transcript_place at = search_from(transcript, backwards);
    at.row += backwards ? -1 : 1;
    for (size_t tried = 0; tried <= transcript->count; tried++) {
        const struct transcript_item *item = &transcript->items[at.item];
        if (at.row >= 0 && (size_t)at.row < item->match_count) {
            transcript->current_match = at;
            transcript->cursor_shown = true;
            transcript->cursor = row_of(transcript, at.item, item->matches[at.row].start);
            transcript_reveal(transcript, transcript->cursor);
            return true;
        }
        size_t count = transcript->count;
        at.item = backwards ? (at.item + count - 1) % count : (at.item + 1) % count;
        at.row = backwards ? (int)transcript->items[at.item].match_count - 1 : 0;
    }
    return false;
}

size_t transcript_search_position(const struct transcript *transcript, size_t *count)
{
    *count = transcript->match_total;
    if (transcript->current_match.row < 0)
        return 0;
    size_t before = 0;
    for (size_t i = 0; i < transcript->current_match.item; i++)
        before += transcript->items[i].match_count;
    return before + (size_t)transcript->current_match.row + 1;
}
