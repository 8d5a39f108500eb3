/*
 * source_grammar.h - a grammar by which a reply can only cite what it was given: where a line
 * begins with "Source:" or "Sources:", what follows is the metadata of one of the prompt's
 * documents, from the first line to the last, byte for byte. Then the reply ends, or an empty line
 * and any text follow, other sources among it. Everything else of the reply is free.
 *
 * Which document is the right one remains the model's to say.
 */
#ifndef AIRO_CHAT_SOURCE_GRAMMAR_H
#define AIRO_CHAT_SOURCE_GRAMMAR_H

#include "engine/base/grammar.h"
#include "engine/chat/segment.h"

/* Keeps nothing of the prompt, whose blocks are read as they stand there. NULL: none of them has
 * metadata. grammar->ops->free. */
struct grammar *source_grammar_create(const struct segment_list *prompt);

#endif
