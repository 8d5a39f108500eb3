/*
 * draft.h - prompt lookup: what a reply may go on with, guessed from what stood before.
 *
 * Where the last tokens of prompt and reply also occur earlier, the tokens that followed them there
 * are a draft of the next ones (Saxena, "Prompt Lookup Decoding", 2023). The draft says how likely
 * each of them is to be right: whether a match of so many tokens has told the next token, in this
 * reply and lately. That is watched at every token of the reply, drafted or not, so a draft that is
 * not made because drafts have failed costs nothing, and drafts come back when they would be right
 * again. Owned by one generation.
 */
#ifndef AIRO_INFER_DRAFT_H
#define AIRO_INFER_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRAFT_MAX 7 /* tokens drafted at once, for a batch of 8 rows */

/* chance[i]: that ids[0 .. i] are all right. Never rising. */
struct draft_offer {
    uint32_t count;
    int32_t ids[DRAFT_MAX];
    double chance[DRAFT_MAX];
};

struct draft;

/* For a prompt and reply of `capacity` tokens in all. NULL when there is no memory for it. */
struct draft *draft_create(size_t capacity);
void draft_free(struct draft *draft);

/* Tokens of the prompt, in order. */
void draft_read(struct draft *draft, const int32_t *ids, size_t count, bool document);
/* The reply's next token. */
void draft_keep(struct draft *draft, int32_t id);
/* At most `most` (0 .. DRAFT_MAX) tokens that may follow now. */
void draft_propose(const struct draft *draft, uint32_t most, struct draft_offer *offer);

#endif
