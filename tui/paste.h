/*
 * paste.h - large pastes kept aside: the draft holds one private character for each.
 *
 * The characters are U+F0000 and up (plane 15, private use). Text from outside that contains one
 * is cleaned on its way in, so a paste cannot name another.
 */
#ifndef AIRO_TUI_PASTE_H
#define AIRO_TUI_PASTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/strbuf.h"

#define PASTE_FOLD_BYTES 2048 /* a paste larger than this or of more lines is folded */
#define PASTE_FOLD_LINES 16

struct paste_list {
    struct strbuf *items;
    size_t count, capacity;
};

/* Line ends become \n, NUL and the private characters U+FFFD; the rest stays. */
void paste_clean(struct strbuf *out, const char *text, size_t length);
bool paste_is_large(const char *text, size_t length);

/* Takes `text` over and writes the character that stands for it (at most 5 bytes with the NUL). */
void paste_fold(struct paste_list *list, struct strbuf *text, char *character);
/* The paste that the code point names, NULL when none. */
const struct strbuf *paste_find(const struct paste_list *list, uint32_t code);
/* Appends `text` with every paste in full, or with a short label in place of each. */
void paste_unfold(const struct paste_list *list, const char *text, size_t length, bool labels,
                  struct strbuf *out);
void paste_list_free(struct paste_list *list);

#endif
