/*
 * ask_support.h - what `airo ask` says about an answer besides the answer: where it stands.
 */
#ifndef AIRO_TUI_ASK_SUPPORT_H
#define AIRO_TUI_ASK_SUPPORT_H

#include <stdbool.h>

#include "engine/chat/support.h"

/* The correction of the source, where there is one, as a note on stderr. */
void ask_support_note(const struct support *support, const struct document_list *documents);

/* The check as a line of JSON:
 *
 *   {"event":"support","verdict":"cited|elsewhere|uncited|unsure|nowhere|nothing",
 *    "cited":name or null,"document":name or null,"note":... or null,
 *    "sentences":[{"text":...,"passages":[{"document":name,"score":x,"coverage":x,"begin":bytes,
 *                  "end":bytes,"text":...}]}],
 *    "unknown":[words of the answer that no document has]}
 *
 * Three passages a sentence at most, best first. */
void ask_support_json(const struct support *support, const char *reply,
                      const struct document_list *documents);

#endif
