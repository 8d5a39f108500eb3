/*
 * reply.h - sampled ids in, the reply's text out, and with it the ids that the text came from.
 *
 * Text is released in whole characters that cannot begin a stop string; an id is released with the
 * last of its text. Where a stop string cuts a token in two, the part that is kept is tokenised
 * again, so that the ids of the reply decode to its text. Owned by one generation.
 */
#ifndef AIRO_INFER_REPLY_H
#define AIRO_INFER_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/strbuf.h"
#include "engine/model/tokenizer.h"

struct reply;

/* `strip_leading_space`: the reply's first word piece carries a space that is not shown. */
struct reply *reply_create(const struct tokenizer *tokenizer, const char *const *stops,
                           size_t stop_count, bool strip_leading_space);
void reply_free(struct reply *reply);

/* Ids that the reply begins with, whatever the stop strings say. */
void reply_begin(struct reply *reply, const int32_t *ids, size_t count);
/* One more id. True when a stop string was found: the reply ends before it (reply_cut). */
bool reply_push(struct reply *reply, int32_t id);
/* The reply ends here: what was held back is no part of it. */
void reply_cut(struct reply *reply);
/* The reply ends for another reason: releases what was held back. */
void reply_finish(struct reply *reply);

/* What has been released since the last reply_clear; owned by the reply. */
const struct strbuf *reply_text(const struct reply *reply);
const struct token_list *reply_tokens(const struct reply *reply);
void reply_clear(struct reply *reply);

#endif
