#include "tui/prompt_view.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"

/* --- making ---------------------------------------------------------------------------------- */

static void add_stretch(struct prompt_view *view, const struct segment *segment)
{
    bool special = segment->kind == SEGMENT_SPECIAL;
    const struct prompt_stretch *last =
        view->stretch_count > 0 ? &view->stretches[view->stretch_count - 1] : NULL;
    if (last != NULL && !special && !last->special && last->part == segment->part)
        return;
    if (view->stretch_count == view->stretch_capacity) {
        view->stretch_capacity = view->stretch_capacity ? view->stretch_capacity * 2 : 16;
        view->stretches =
            xreallocarray(view->stretches, view->stretch_capacity, sizeof *view->stretches);
    }
    view->stretches[view->stretch_count++] =
        (struct prompt_stretch){view->text.length, segment->part, special};
}

static void add_text(struct prompt_view *view, const struct segment *segment,
                     const struct tokenizer *tokenizer)
{
    if (segment->kind != SEGMENT_TOKENS)
        strbuf_add(&view->text, segment->text, segment->length);
    else if (tokenizer != NULL)
        tokenizer_decode(tokenizer, segment->tokens.ids, segment->tokens.count, &view->text);
}

static void add_line(struct prompt_view *view, size_t begin)
{
    if (view->line_count == view->line_capacity) {
        view->line_capacity = view->line_capacity ? view->line_capacity * 2 : 64;
        view->lines = xreallocarray(view->lines, view->line_capacity, sizeof *view->lines);
    }
    view->lines[view->line_count++] = begin;
}

/* A cut at a space where there is one, and never within a character. */
static size_t cut_line(const char *text, size_t from, size_t end)
{
    if (end - from <= PROMPT_LINE_BYTES)
        return end;
    size_t cut = from + PROMPT_LINE_BYTES;
    for (size_t i = cut; i > from + PROMPT_LINE_BYTES / 2; i--)
        if (text[i - 1] == ' ')
            return i;
    while (cut > from + 1 && ((unsigned char)text[cut] & 0xC0) == 0x80)
        cut--;
    return cut;
}

static void find_lines(struct prompt_view *view)
{
    const char *text = strbuf_text(&view->text);
    size_t length = view->text.length;
    add_line(view, 0);
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t end = newline != NULL ? (size_t)(newline - text) + 1 : length;
        at = cut_line(text, at, end);
        if (at < length || newline != NULL)
            add_line(view, at);
    }
}

struct prompt_view *prompt_view_create(const struct segment_list *segments,
                                       const struct tokenizer *tokenizer)
{
    struct prompt_view *view = xcalloc(1, sizeof *view);
    for (size_t i = 0; i < segments->count; i++) {
        add_stretch(view, &segments->items[i]);
        add_text(view, &segments->items[i], tokenizer);
    }
    find_lines(view);
    if (tokenizer == NULL)
        return view;
    view->token_count = segment_trace(segments, tokenizer, &view->tokens);
    for (size_t i = 0; i < view->token_count; i++)
        view->parts[segments->items[view->tokens[i].segment].part]++;
    return view;
}

void prompt_view_free(struct prompt_view *view)
{
    if (view == NULL)
        return;
    strbuf_free(&view->text);
    free(view->tokens);
    free(view->stretches);
    free(view->lines);
    free(view);
}

/* --- places ---------------------------------------------------------------------------------- */

size_t prompt_view_line_end(const struct prompt_view *view, size_t index)
{
    return index + 1 < view->line_count ? view->lines[index + 1] : view->text.length;
}

size_t prompt_view_token_end(const struct prompt_view *view, size_t index)
{
    return index + 1 < view->token_count ? view->tokens[index + 1].begin : view->text.length;
}

size_t prompt_view_stretch_end(const struct prompt_view *view, size_t index)
{
    return index + 1 < view->stretch_count ? view->stretches[index + 1].begin : view->text.length;
}

static size_t line_begin(const struct prompt_view *view, size_t index)
{
    return view->lines[index];
}

static size_t token_begin(const struct prompt_view *view, size_t index)
{
    return view->tokens[index].begin;
}

static size_t stretch_begin(const struct prompt_view *view, size_t index)
{
    return view->stretches[index].begin;
}

static size_t last_before(const struct prompt_view *view, size_t count,
                          size_t (*begin)(const struct prompt_view *view, size_t index),
                          size_t offset)
{
    size_t low = 0, high = count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (begin(view, middle) <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

size_t prompt_view_line_at(const struct prompt_view *view, size_t offset)
{
    return last_before(view, view->line_count, line_begin, offset);
}

size_t prompt_view_token_at(const struct prompt_view *view, size_t offset)
{
    return last_before(view, view->token_count, token_begin, offset);
}

size_t prompt_view_stretch_at(const struct prompt_view *view, size_t offset)
{
    return last_before(view, view->stretch_count, stretch_begin, offset);
}

/* --- searching ------------------------------------------------------------------------------- */

bool prompt_view_matches(const struct prompt_view *view, size_t offset, const char *words,
                         size_t length)
{
    return length > 0 && length <= view->text.length && offset <= view->text.length - length &&
           strncasecmp(view->text.data + offset, words, length) == 0;
}

/* The first match in [from, end) of beginnings; `end` when there is none. */
static size_t find_first(const struct prompt_view *view, const char *words, size_t from, size_t end)
{
    size_t length = strlen(words);
    while (from < end && !prompt_view_matches(view, from, words, length))
        from++;
    return from;
}

static bool find_last(const struct prompt_view *view, const char *words, size_t from, size_t end,
                      size_t *found)
{
    size_t length = strlen(words);
    for (size_t at = end; at > from; at--) {
        if (prompt_view_matches(view, at - 1, words, length)) {
            *found = at - 1;
            return true;
        }
    }
    return false;
}

bool prompt_view_find(const struct prompt_view *view, const char *words, size_t from,
                      bool backwards, size_t *found)
{
    size_t end = view->text.length;
    if (words[0] == '\0' || end == 0)
        return false;
    from = from < end ? from : end;
    if (backwards)
        return find_last(view, words, 0, from, found) || find_last(view, words, from, end, found);
    *found = find_first(view, words, from, end);
    if (*found < end)
        return true;
    *found = find_first(view, words, 0, from);
    return *found < from;
}

size_t prompt_view_count_matches(const struct prompt_view *view, const char *words, size_t offset,
                                 size_t *before)
{
    size_t count = 0, length = strlen(words);
    *before = 0;
    if (length == 0)
        return 0;
    for (size_t at = 0; (at = find_first(view, words, at, view->text.length)) < view->text.length;
         at++) {
        count++;
        *before += at < offset;
    }
    return count;
}

void prompt_view_ids(const struct prompt_view *view, struct strbuf *out)
{
    strbuf_putc(out, '[');
    for (size_t i = 0; i < view->token_count; i++)
        strbuf_printf(out, "%s%d", i > 0 ? ", " : "", view->tokens[i].id);
    strbuf_puts(out, "]");
}
