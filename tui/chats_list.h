/*
 * chats_list.h - what the chats pane lists: the chats, the deleted ones, or what a search found.
 *
 * It is read anew when the library's version says that the disk has changed, and no more often
 * than its reading is cheap; other programs that write to the file are noticed by
 * chats_list_poll. Owns what it has read; the library is borrowed.
 */
#ifndef AIRO_TUI_CHATS_LIST_H
#define AIRO_TUI_CHATS_LIST_H

#include "engine/chat/store_search.h"
#include "tui/library.h"

enum chats_kind { CHATS_KEPT, CHATS_DELETED, CHATS_FOUND };

struct chats_list {
    struct library *library;
    enum chats_kind kind;
    char *query;               /* of CHATS_FOUND */
    struct store_list entries; /* of the other two */
    struct store_hits hits;
    struct error problem; /* of reading */
    bool stale;
    unsigned long version; /* of the library, that was read */
    uint64_t next_ms;      /* not read anew before */
    uint64_t poll_ms;      /* when other programs are looked for again */
    int64_t data_version;
};

void chats_list_open(struct chats_list *list, struct library *library);
void chats_list_free(struct chats_list *list);

/* From now on these, read at once or when `pause_ms` have passed; `query` for CHATS_FOUND. */
void chats_list_show(struct chats_list *list, enum chats_kind kind, const char *query,
                     uint64_t now_ms, uint64_t pause_ms);
/* Reads where it must and may; true: what is listed may have changed. */
bool chats_list_refresh(struct chats_list *list, uint64_t now_ms);
/* Milliseconds until chats_list_refresh or chats_list_poll have something to do; -1: never. */
int chats_list_timeout(const struct chats_list *list, uint64_t now_ms);
/* Looks for changes by other programs, where that is due. */
void chats_list_poll(struct chats_list *list, uint64_t now_ms);

size_t chats_list_count(const struct chats_list *list);
/* The chat's row of an entry; 0 past the last. */
int64_t chats_list_row(const struct chats_list *list, size_t index);
/* Its title, "" for none. */
const char *chats_list_title(const struct chats_list *list, size_t index);
/* Takes the entry out at once, before the disk has changed. Not from what was found. */
void chats_list_remove(struct chats_list *list, size_t index);

#endif
