/*
 * store_search.h - full-text search over titles and messages.
 *
 * Whatever is typed is a query: it is cut into words, all of which must be there; the last one may
 * be the beginning of a word, unless a space follows it. Case and accents do not matter. Deleted
 * chats and hidden messages are left out.
 */
#ifndef AIRO_CHAT_STORE_SEARCH_H
#define AIRO_CHAT_STORE_SEARCH_H

#include "engine/chat/store.h"

struct store_mark {
    size_t begin, length; /* bytes of the snippet */
};

struct store_hit {
    int64_t chat;
    int64_t message; /* its row; 0: the title was found */
    char *title;     /* the chat's, NULL: not set */
    char *snippet;   /* some words around what was found, raw text */
    struct store_mark *marks;
    size_t mark_count;
};

struct store_hits {
    struct store_hit *items;
    size_t count, capacity;
};

/* Titles first, then messages, newest first, `limit` at most: where there are more, those that came
 * into the store last. A query without a word finds nothing. */
int store_search(struct store *store, const char *query, size_t limit, struct store_hits *out,
                 struct error *error);
void store_hits_free(struct store_hits *hits);

#endif
