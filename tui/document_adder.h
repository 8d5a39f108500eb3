/*
 * document_adder.h - adds the documents that a person names, on a thread of its own: directories
 * are walked, files read and converters run there.
 *
 * The adder owns the documents until document_adder_take.
 */
#ifndef AIRO_TUI_DOCUMENT_ADDER_H
#define AIRO_TUI_DOCUMENT_ADDER_H

#include <stdbool.h>

#include "engine/base/strbuf.h"
#include "engine/chat/converter_table.h"
#include "engine/chat/document.h"

struct document_adder;

/* What came of it. Zero-initialise; document_added_free. */
struct document_added {
    struct document_list documents;
    char **skipped; /* a line each: "a.png: skipped, not text" */
    size_t skipped_count;
    bool stopped;
};

/* `spec`: a file, a pattern or a directory, "~" for home. `converters` is borrowed. */
struct document_adder *document_adder_start(const char *spec,
                                            const struct converter_table *converters);
bool document_adder_ended(const struct document_adder *adder);
void document_adder_stop(struct document_adder *adder);
/* What was asked for, and "3 of 12" while it goes on; appends. */
void document_adder_say(const struct document_adder *adder, struct strbuf *out);
const char *document_adder_spec(const struct document_adder *adder);
/* Waits if it must, and frees the adder; NULL is fine. `added` NULL: all is thrown away. */
void document_adder_take(struct document_adder *adder, struct document_added *added);
void document_added_free(struct document_added *added);

/* Moves the new ones into `list`, which refuses what it has already; the reasons join `skipped`.
 * Returns how many have come. */
size_t document_added_merge(struct document_added *added, struct document_list *list);
/* One line for a person: "3 documents added, 1 skipped: a.png: skipped, not text". */
void document_added_say(const struct document_added *added, size_t count, struct strbuf *out);

#endif
