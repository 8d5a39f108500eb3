#include "tui/markdown_split.h"

#include <string.h>

#define NOT_A_LIST ((size_t)-1)

static size_t indent_of(const char *line, size_t length)
{
    size_t at = 0;
    while (at < length && line[at] == ' ')
        at++;
    return at;
}

static bool is_blank(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

static bool starts_with(const char *line, size_t length, const char *prefix)
{
    size_t size = strlen(prefix);
    return length >= size && memcmp(line, prefix, size) == 0;
}

bool markdown_is_fence(const char *line, size_t length, struct markdown_splitter *fence)
{
    size_t indent = indent_of(line, length), run = 0;
    if (indent > 3 || indent >= length || (line[indent] != '`' && line[indent] != '~'))
        return false;
    char mark = line[indent];
    while (indent + run < length && line[indent + run] == mark)
        run++;
    if (run < 3 || (mark == '`' && memchr(line + indent + run, '`', length - indent - run) != NULL))
        return false;
    *fence = (struct markdown_splitter){mark, run, indent};
    return true;
}

bool markdown_is_fence_end(const char *line, size_t length, const struct markdown_splitter *fence)
{
    size_t indent = indent_of(line, length), run = 0;
    while (indent + run < length && line[indent + run] == fence->fence)
        run++;
    return indent < 4 && run >= fence->fence_length &&
           is_blank(line + indent + run, length - indent - run);
}

/* Columns before the text of a list's item, 0 when the line begins none. */
static size_t list_content(const char *line, size_t length)
{
    size_t at = indent_of(line, length), mark = at;
    while (at < length && at - mark < 9 && line[at] >= '0' && line[at] <= '9')
        at++;
    if (at > mark ? at < length && (line[at] == '.' || line[at] == ')')
                  : at < length && strchr("-*+", line[at]) != NULL && line[at] != '\0')
        at++;
    else
        return 0;
    if (at < length && line[at] != ' ' && line[at] != '\t')
        return 0;
    return at + 1;
}

static bool is_heading(const char *line, size_t length)
{
    size_t hashes = 0;
    while (hashes < length && line[hashes] == '#')
        hashes++;
    return hashes > 0 && hashes < 7 && hashes < length && line[hashes] == ' ';
}

/* "|---|:--:|" and the like: what is above and below it is a table. */
static bool is_delimiter(const char *line, size_t length)
{
    bool dash = false, bar = false;
    for (size_t i = 0; i < length; i++) {
        if (line[i] == '\0' || strchr(" \t\r-:|", line[i]) == NULL)
            return false;
        dash = dash || line[i] == '-';
        bar = bar || line[i] == '|';
    }
    return dash && bar;
}

/* --- a part that has grown too large --------------------------------------------------------- */

/* The last word's or character's beginning in text[start..end). */
static size_t cut_line(const char *text, size_t start, size_t end)
{
    for (size_t at = end; at > start + (end - start) / 2; at--)
        if (text[at - 1] == ' ')
            return at;
    size_t at = end;
    while (at > start + 1 && end - at < 4 && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    return at;
}

static struct markdown_cut cut_at(enum markdown_part part, size_t end)
{
    return (struct markdown_cut){part, end, true, false};
}

/* --- fences ---------------------------------------------------------------------------------- */

static struct markdown_cut split_fence(struct markdown_splitter *splitter, const char *text,
                                       size_t length, size_t start, bool begins)
{
    enum markdown_part part = begins ? MARKDOWN_FENCE : MARKDOWN_FENCE_MORE;
    for (size_t at = start; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t end = newline != NULL ? (size_t)(newline - text) : length;
        bool first = begins && at == start;
        if (!first && markdown_is_fence_end(text + at, end - at, splitter)) {
            struct markdown_cut cut = {part, newline != NULL ? end + 1 : end, newline != NULL,
                                       true};
            splitter->fence = cut.closed ? '\0' : splitter->fence;
            return cut;
        }
        /* A line without an end in sight, and not one that might close the fence. */
        if (end - at > MARKDOWN_PART_BYTES && !first)
            return cut_at(part, cut_line(text, at, at + MARKDOWN_PART_BYTES));
        if (newline == NULL)
            break;
        at = end + 1;
        if (at - start >= MARKDOWN_FENCE_BYTES)
            return cut_at(part, at);
    }
    return (struct markdown_cut){part, length, false, true};
}

/* --- text ------------------------------------------------------------------------------------ */

/* What the lines of a part so far say about the next. */
struct part_state {
    size_t list;  /* columns before the text of the list's last item, NOT_A_LIST */
    bool blank;   /* the last line was empty */
    bool content; /* some line was not */
    bool table;
    size_t item; /* where the last item, or line, of a list begins */
};

static bool part_ends_before(const struct part_state *state, const char *line, size_t length)
{
    struct markdown_splitter fence;
    size_t indent = indent_of(line, length), content = list_content(line, length);
    bool inside = state->list != NOT_A_LIST && indent >= state->list;
    if (!state->content || inside || is_blank(line, length))
        return false;
    if (markdown_is_fence(line, length, &fence) || is_heading(line, length) ||
        starts_with(line, length, "Source:"))
        return true;
    if (!state->blank)
        return false;
    return state->list == NOT_A_LIST || (content == 0 && indent < 2);
}

static void part_add(struct part_state *state, const char *line, size_t length, size_t at)
{
    size_t content = list_content(line, length), indent = indent_of(line, length);
    bool blank = is_blank(line, length);
    if (!blank && content > 0 && indent < 2 &&
        (!state->content || state->list != NOT_A_LIST || !state->blank)) {
        state->list = content;
        state->item = at;
    }
    state->table = state->table || is_delimiter(line, length);
    state->content = state->content || !blank;
    state->blank = blank;
}

static struct markdown_cut split_text(const char *text, size_t length, size_t start)
{
    struct part_state state = {.list = NOT_A_LIST, .item = start};
    for (size_t at = start; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t end = newline != NULL ? (size_t)(newline - text) : length;
        size_t most = state.table ? MARKDOWN_TABLE_BYTES : MARKDOWN_PART_BYTES;
        if (end - start > most) {
            size_t item = state.item > start ? state.item : at;
            return cut_at(MARKDOWN_TEXT, item > start ? item : cut_line(text, start, start + most));
        }
        if (newline == NULL)
            break;
        if (part_ends_before(&state, text + at, end - at))
            return cut_at(MARKDOWN_TEXT, at);
        part_add(&state, text + at, end - at, at);
        at = end + 1;
        if (is_heading(text + start, at - start) && at - start < most &&
            memchr(text + start, '\n', at - start) == text + at - 1)
            return cut_at(MARKDOWN_TEXT, at);
    }
    return (struct markdown_cut){MARKDOWN_TEXT, length, false, false};
}

static struct markdown_cut split_source(const char *text, size_t length, size_t start)
{
    for (size_t at = start; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        if (newline == NULL && length - start <= MARKDOWN_PART_BYTES)
            break;
        size_t end = newline != NULL ? (size_t)(newline - text) : length;
        if (end - start > MARKDOWN_PART_BYTES)
            return cut_at(MARKDOWN_SOURCE,
                          at > start ? at : cut_line(text, start, start + MARKDOWN_PART_BYTES));
        if (is_blank(text + at, end - at))
            return cut_at(MARKDOWN_SOURCE, end + 1);
        at = end + 1;
    }
    return (struct markdown_cut){MARKDOWN_SOURCE, length, false, false};
}

struct markdown_cut markdown_split(struct markdown_splitter *splitter, const char *text,
                                   size_t length, size_t start)
{
    if (splitter->fence != '\0')
        return split_fence(splitter, text, length, start, false);
    const char *newline = memchr(text + start, '\n', length - start);
    size_t line = newline != NULL ? (size_t)(newline - text) - start : length - start;
    struct markdown_splitter fence;
    if (line < MARKDOWN_PART_BYTES && markdown_is_fence(text + start, line, &fence)) {
        *splitter = fence;
        return split_fence(splitter, text, length, start, true);
    }
    if (starts_with(text + start, line, "Source:"))
        return split_source(text, length, start);
    return split_text(text, length, start);
}
