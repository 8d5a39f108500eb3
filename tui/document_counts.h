/*
 * document_counts.h - exact tokens of documents, each counted once, by the generator in its own
 * time.
 *
 * A count belongs to a text and its metadata: who changes either asks anew, and who does not gets
 * the number that is there.
 */
#ifndef AIRO_TUI_DOCUMENT_COUNTS_H
#define AIRO_TUI_DOCUMENT_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "tui/chat.h"

struct document_counts;

/* `slot` as of app_new_slot. */
struct document_counts *document_counts_create(uint32_t slot);
void document_counts_free(struct document_counts *counts);

/* False: not known yet; `document_counts_ask` brings it. */
bool document_counts_find(const struct document_counts *counts, const struct document *document,
                          size_t *tokens);
/* True while an answer is under way. */
bool document_counts_busy(const struct document_counts *counts);
/* Asks for one; an EVENT_COUNT brings it. */
void document_counts_ask(struct document_counts *counts, const struct chat *chat,
                         const struct document *document);
/* True when the event was the answer. */
bool document_counts_event(struct document_counts *counts, const struct event *event);

#endif
