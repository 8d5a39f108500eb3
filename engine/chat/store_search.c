#include "engine/chat/store_search.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "engine/base/utf8.h"
#include "engine/chat/store_sql.h"

#define QUERY_BYTES_MAX 1024
#define QUERY_WORDS_MAX 32
#define MARK_BEGIN      '\x02' /* what the statement's snippet() puts around words */
#define MARK_END        '\x03'

/* True for what can be part of a word: everything but ASCII that is no letter or digit. What is
 * left of a word after the tokenizer (only symbols, say) asks for nothing. */
static bool in_word(unsigned char byte)
{
    return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z');
}

/* "foo ba" -> `"foo" "ba"*`. Inside the quotes there is nothing that FTS5 could read as syntax. */
static void make_query(const char *typed, struct strbuf *out)
{
    size_t length = strnlen(typed, QUERY_BYTES_MAX), at = 0;
    for (int words = 0; words < QUERY_WORDS_MAX; words++) {
        while (at < length && !in_word((unsigned char)typed[at]))
            at++;
        if (at == length)
            return;
        strbuf_puts(out, words > 0 ? " \"" : "\"");
        while (at < length && in_word((unsigned char)typed[at])) {
            uint32_t code;
            char bytes[4];
            at += utf8_decode(typed + at, length - at, &code);
            strbuf_add(out, bytes, utf8_encode(code, bytes));
        }
        strbuf_putc(out, '"');
        if (at == length)
            strbuf_putc(out, '*');
    }
}

/* Takes the marks out of the text. */
static void read_snippet(struct store_hit *hit, const char *text)
{
    struct strbuf plain = {0};
    size_t room = 0;
    for (; *text != '\0'; text++) {
        if (*text == MARK_BEGIN) {
            if (hit->mark_count == room) {
                room = room ? 2 * room : 4;
                hit->marks = xreallocarray(hit->marks, room, sizeof *hit->marks);
            }
            hit->marks[hit->mark_count++] = (struct store_mark){plain.length, 0};
        } else if (*text == MARK_END) {
            if (hit->mark_count > 0) {
                struct store_mark *mark = &hit->marks[hit->mark_count - 1];
                mark->length = plain.length - mark->begin;
            }
        } else {
            strbuf_putc(&plain, *text);
        }
    }
    hit->snippet = xstrdup(strbuf_text(&plain));
    strbuf_free(&plain);
}

static void add_hit(struct store_hits *hits, sqlite3_stmt *row)
{
    if (hits->count == hits->capacity) {
        hits->capacity = hits->capacity ? 2 * hits->capacity : 16;
        hits->items = xreallocarray(hits->items, hits->capacity, sizeof *hits->items);
    }
    struct store_hit *hit = &hits->items[hits->count++];
    const char *found = (const char *)sqlite3_column_text(row, 3);
    *hit = (struct store_hit){.chat = sqlite3_column_int64(row, 0),
                              .message = sqlite3_column_int64(row, 1),
                              .title = sql_text(row, 2)};
    read_snippet(hit, found != NULL ? found : "");
}

int store_search(struct store *store, const char *query, size_t limit, struct store_hits *out,
                 struct error *error)
{
    struct strbuf words = {0};
    *out = (struct store_hits){0};
    make_query(query, &words);
    int more = 0;
    sqlite3_stmt *row = NULL;
    if (words.length > 0) {
        row = sql_begin(store, SQL_SEARCH, error, "ti", strbuf_text(&words), (int64_t)limit);
        more = row != NULL ? 1 : -1;
    }
    while (more > 0 && (more = sql_step(store, row, error)) > 0)
        add_hit(out, row);
    if (row != NULL)
        sql_done(row);
    strbuf_free(&words);
    if (more < 0)
        store_hits_free(out);
    return more;
}

void store_hits_free(struct store_hits *hits)
{
    for (size_t i = 0; i < hits->count; i++) {
        free(hits->items[i].title);
        free(hits->items[i].snippet);
        free(hits->items[i].marks);
    }
    free(hits->items);
    *hits = (struct store_hits){0};
}
