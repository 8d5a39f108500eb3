/*
 * lorebook_scan.h - which entries of a lorebook fire, why, and what they cost.
 *
 * The keys of every entry are looked for in the newest messages, then in what fired. A key is found
 * as whole words (where its ends are letters or digits), without regard to case unless the entry
 * says so. What the token budget has no room for is dropped, lowest priority first, and told too.
 */
#ifndef AIRO_CHAT_LOREBOOK_SCAN_H
#define AIRO_CHAT_LOREBOOK_SCAN_H

#include "engine/chat/lorebook.h"

#define LORE_SCAN_BYTES    (16u << 10) /* of messages, newest first; again for each recursion */
#define LORE_WORK_MAX      (16u << 20) /* bytes looked through in all, for all keys */
#define LORE_RECURSION_MAX 4           /* entries fired by entries fired by ... */

struct lore_text {
    const char *text;
    size_t length;
    int message; /* id, or -1 for the draft */
};

enum lore_state {
    LORE_FIRED,
    LORE_OVER_BUDGET, /* fired, but there was no room */
    LORE_LOST_PARENT, /* fired by an entry that had no room */
    LORE_UNREADABLE,  /* has regular expressions for keys */
    LORE_UNSCANNED,   /* its keys were not looked for: LORE_WORK_MAX is used up */
};

#define LORE_CONSTANT  (-2) /* `message` of an entry that always fires */
#define LORE_RECURSION (-3) /* ... that another entry fired: `parent` */

struct lore_hit {
    size_t entry;
    const char *key; /* that matched, of the book; NULL for constant entries */
    int message;
    size_t parent; /* entry, for LORE_RECURSION */
    enum lore_state state;
    size_t tokens;
};

struct lore_hits {
    struct lore_hit *items; /* in the order in which the texts are put: insertion_order */
    size_t count;
    size_t tokens; /* of those that fired */
};

typedef size_t (*lore_count_tokens)(void *user, const char *text, size_t length);

/* `texts` newest last. */
void lorebook_scan(const struct lorebook *book, const struct lore_text *texts, size_t count,
                   lore_count_tokens count_tokens, void *user, struct lore_hits *out);
void lore_hits_free(struct lore_hits *hits);

#endif
