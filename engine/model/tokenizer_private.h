/* INTERIM (from the lead, so that others can run): the tokenizer engineer overwrites or deletes tokenizer.c, tokenizer_{encode,decode,model,private}.[ch]; keep whichever is better, not both. */
/*
 * tokenizer_private.h - what tokenizer*.c share; nobody else includes it.
 */
#ifndef AIRO_MODEL_TOKENIZER_PRIVATE_H
#define AIRO_MODEL_TOKENIZER_PRIVATE_H

#include "engine/model/tokenizer.h"
#include "engine/model/tokenizer_model.h"

/* A token that is added beside tokenizer.model, by added_tokens.json or tokenizer_config.json. */
struct added_token {
    char *text;
    int32_t id;
};

struct tokenizer {
    struct tokenizer_model model;
    uint32_t size; /* ids are 0 .. size - 1 */
    int32_t bos_id, eos_id;
    struct added_token *added; /* sorted by id */
    size_t added_count;
    int32_t *table;       /* open addressing: ids of the pieces that text can become, -1 empty */
    uint32_t table_mask;
    uint32_t longest;     /* bytes of the longest of these pieces */
    uint32_t *rank;       /* [count] merge order: 0 is the best score, equal scores share one */
    uint32_t rank_count;
    uint32_t *defined_lengths; /* lengths of USER_DEFINED pieces, longest first */
    size_t defined_length_count;
    bool defined_first[256]; /* bytes that begin one */
};

/* The id of a NORMAL, USER_DEFINED or UNUSED piece with exactly this text, or -1. */
int32_t tokenizer_lookup(const struct tokenizer *tokenizer, const char *text, size_t length);

/* Bytes of the longest USER_DEFINED piece that text begins with, 0: none. */
size_t tokenizer_defined_prefix(const struct tokenizer *tokenizer, const char *text,
                                size_t length);

/* The text under the model's normaliser: invalid UTF-8 replaced, spaces escaped. */
void tokenizer_normalize(const struct tokenizer *tokenizer, const char *text, size_t length,
                         bool dummy_prefix, struct strbuf *out);

#endif
