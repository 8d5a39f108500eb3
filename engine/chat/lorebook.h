/*
 * lorebook.h - a card's character_book: texts that join the prompt when the talk comes to them.
 *
 * Read from the card's JSON within bounds; which entries fire is lorebook_scan.h. The book owns its
 * entries; the JSON stays the card's.
 */
#ifndef AIRO_CHAT_LOREBOOK_H
#define AIRO_CHAT_LOREBOOK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"

#define LORE_ENTRIES_MAX   4096
#define LORE_KEYS_MAX      8192 /* of all entries together */
#define LORE_TEXT_MAX      (1u << 20)
#define LORE_SCAN_DEPTH    4 /* messages, when the book does not say */
#define LORE_DEPTH_MAX     100
#define LORE_BUDGET_TOKENS 1024 /* when the book does not say */

enum lore_position { LORE_BEFORE, LORE_AFTER }; /* the block of characters */

struct lore_entry {
    char *name; /* "name", else "comment", else the first key, else "entry 3" */
    char **keys, **secondary_keys;
    size_t key_count, secondary_count;
    char *content;
    bool enabled, constant, selective, case_sensitive;
    bool use_regex; /* such keys are not read: the entry fires only when constant */
    long insertion_order, priority;
    enum lore_position position;
};

struct lorebook {
    char *name;
    struct lore_entry *entries;
    size_t count;
    size_t scan_depth, token_budget;
    bool recursive;
};

/* Reads a character_book object; `source` is named in errors. NULL on error. */
struct lorebook *lorebook_parse(const json_t *value, const char *source, struct error *error);
void lorebook_free(struct lorebook *book);
/* Writes what may be changed here (enabled) back into the object it was read from. */
void lorebook_write(const struct lorebook *book, json_t *value);

/* What is put for an entry: its content without the "@@" lines that begin it in V3. */
const char *lore_content(const struct lore_entry *entry);

#endif
