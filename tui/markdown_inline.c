#include "tui/markdown_inline.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/utf8.h"

#define OPEN_MAX 8

static const struct {
    const char *name;
    unsigned code;
} entities[] = {
    {"&amp;", '&'},      {"&lt;", '<'},       {"&gt;", '>'},        {"&quot;", '"'},
    {"&apos;", '\''},    {"&nbsp;", ' '},     {"&hellip;", 0x2026}, {"&mdash;", 0x2014},
    {"&ndash;", 0x2013}, {"&copy;", 0xA9},    {"&reg;", 0xAE},      {"&deg;", 0xB0},
    {"&times;", 0xD7},   {"&euro;", 0x20AC},  {"&rarr;", 0x2192},   {"&larr;", 0x2190},
    {"&bull;", 0x2022},  {"&middot;", 0xB7},  {"&lsquo;", 0x2018},  {"&rsquo;", 0x2019},
    {"&ldquo;", 0x201C}, {"&rdquo;", 0x201D}, {"&plusmn;", 0xB1},   {"&le;", 0x2264},
    {"&ge;", 0x2265},    {"&ne;", 0x2260},
};

size_t markdown_entity(const char *text, size_t length, char *out)
{
    char copy[16];
    if (length < 3 || length >= sizeof copy)
        return 0;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (copy[1] == '#') {
        bool hex = copy[2] == 'x' || copy[2] == 'X';
        unsigned long code = strtoul(copy + (hex ? 3 : 2), NULL, hex ? 16 : 10);
        return code > 0 && code <= 0x10FFFF ? utf8_encode((uint32_t)code, out) : 0;
    }
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
        if (strcmp(copy, entities[i].name) == 0)
            return utf8_encode(entities[i].code, out);
    return 0;
}

/* --- what is open ---------------------------------------------------------------------------- */

struct open_mark {
    char mark;
    size_t length;
};

struct open_marks {
    struct open_mark items[OPEN_MAX];
    size_t count;
    size_t last_start, last_end; /* of the last run that opened something */
};

static size_t run_length(const char *text, size_t length, size_t at)
{
    size_t run = 1;
    while (at + run < length && text[at + run] == text[at])
        run++;
    return run;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\t';
}

/* The last paragraph or line of a list: emphasis does not reach beyond it. */
static size_t last_paragraph(const char *text, size_t length)
{
    for (size_t at = length; at > 1; at--)
        if (text[at - 1] == '\n' && text[at - 2] == '\n')
            return at;
    return 0;
}

/* Past a code span; `length` when it is not closed. */
static size_t code_end(const char *text, size_t length, size_t at, size_t run)
{
    for (size_t i = at + run; i < length; i++) {
        if (text[i] != '`')
            continue;
        size_t other = run_length(text, length, i);
        if (other == run)
            return i + other;
        i += other - 1;
    }
    return length;
}

static void see_run(struct open_marks *open, const char *text, size_t length, size_t at, size_t run)
{
    bool closes = at > 0 && !is_space(text[at - 1]);
    bool opens = at + run >= length || !is_space(text[at + run]);
    size_t take = run > 3 ? 3 : run;
    while (closes && take > 0 && open->count > 0 && open->items[open->count - 1].mark == text[at] &&
           open->items[open->count - 1].length <= take)
        take -= open->items[--open->count].length;
    if (!opens || take == 0 || (text[at] == '~' && take != 2) || (text[at] == '_' && closes))
        return;
    for (size_t size = take > 2 ? 2 : take; take > 0 && open->count < OPEN_MAX;
         take -= size, size = take)
        open->items[open->count++] = (struct open_mark){text[at], size};
    open->last_start = at;
    open->last_end = at + run;
}

static void find_open(struct open_marks *open, const char *text, size_t length, size_t from)
{
    for (size_t at = from; at < length;) {
        if (text[at] == '\\') {
            at += 2;
        } else if (text[at] == '`') {
            size_t run = run_length(text, length, at), end = code_end(text, length, at, run);
            if (end >= length && text[length - 1] != '`') {
                if (run < 3 && open->count < OPEN_MAX) /* three: a fence */
                    open->items[open->count++] = (struct open_mark){'`', run};
                return;
            }
            at = end;
        } else if (text[at] == '*' || text[at] == '_' || text[at] == '~') {
            size_t run = run_length(text, length, at);
            see_run(open, text, length, at, run);
            at += run;
        } else {
            at++;
        }
    }
}

bool markdown_close_inline(const char *text, size_t length, struct strbuf *out, size_t *kept)
{
    struct open_marks open = {.last_end = (size_t)-1};
    find_open(&open, text, length, last_paragraph(text, length));
    if (open.count == 0)
        return false;
    size_t keep = length;
    while (keep > 0 && is_space(text[keep - 1]))
        keep--;
    if (keep <= open.last_end && open.last_end != (size_t)-1 && keep > open.last_start) {
        /* Nothing behind the mark yet. */
        size_t dropped = open.last_end - open.last_start;
        keep = open.last_start;
        while (dropped > 0 && open.count > 0 && open.items[open.count - 1].length <= dropped)
            dropped -= open.items[--open.count].length;
        while (keep > 0 && text[keep - 1] == ' ')
            keep--;
    }
    if (keep == 0)
        return false;
    strbuf_add(out, text, keep);
    while (open.count-- > 0)
        for (size_t i = 0; i < open.items[open.count].length; i++)
            strbuf_putc(out, open.items[open.count].mark);
    *kept = keep;
    return true;
}
