/*
 * tokenizer.h - SentencePiece BPE: text <-> ids, equal to the reference library's.
 *
 * Immutable after load, so any thread may use it. Encoding never produces a special id: control
 * pieces cannot be spelled in text; they are asked for by name, and only templates do.
 */
#ifndef AIRO_MODEL_TOKENIZER_H
#define AIRO_MODEL_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/strbuf.h"

/* A growing list of ids; zero-initialise, token_list_free. */
struct token_list {
    int32_t *ids;
    size_t count, capacity;
};

void token_list_add(struct token_list *list, int32_t id);
void token_list_append(struct token_list *list, const int32_t *ids, size_t count);
void token_list_free(struct token_list *list);

struct tokenizer;

/* Reads DIRECTORY/tokenizer.model, and special tokens from added_tokens.json and
 * tokenizer_config.json where present. `vocab` is the number of embedding rows: more pieces than
 * that are refused, added tokens beyond it (a "[PAD]" that the model never got a row for) do not
 * exist. */
int tokenizer_open(struct tokenizer **out, const char *directory, uint32_t vocab,
                   struct error *error);
void tokenizer_close(struct tokenizer *tokenizer);

/* Appends the ids of text[0..length) to `out`. `dummy_prefix`: put a space before the text, where
 * the model's normaliser does so (the library's behaviour for a whole string); false continues an
 * earlier run. An invalid byte becomes U+FFFD. Time is about linear in the length. */
void tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length,
                      bool dummy_prefix, struct token_list *out);

/* The text of a whole list as the library decodes it: the leading dummy space removed, control
 * pieces empty, bytes joined (invalid UTF-8 becomes U+FFFD). */
void tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                      struct strbuf *out);

uint32_t tokenizer_size(const struct tokenizer *tokenizer);
/* -1: the model has none. */
int32_t tokenizer_bos(const struct tokenizer *tokenizer);
int32_t tokenizer_eos(const struct tokenizer *tokenizer);
/* The id of a special token by its spelling ("</s>", "<|im_start|>"), or -1. */
int32_t tokenizer_special(const struct tokenizer *tokenizer, const char *name);
/* True for control, unknown and added special pieces: never shown, never sampled but as a stop. */
bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id);
/* The piece as the vocabulary spells it, U+2581 for spaces; "" when out of range. */
const char *tokenizer_piece(const struct tokenizer *tokenizer, int32_t id);

/* Streaming decode: releases whole characters only. Zero-initialise; strip_leading_space drops one
 * space before the first text, once. */
struct token_decoder {
    char pending[8]; /* bytes of an unfinished character */
    size_t pending_length;
    bool strip_leading_space;
};

/* Appends to `out` what this id completes. */
void token_decoder_push(struct token_decoder *decoder, const struct tokenizer *tokenizer,
                        int32_t id, struct strbuf *out);
/* At the end: what is still unfinished, as U+FFFD. */
void token_decoder_flush(struct token_decoder *decoder, struct strbuf *out);

#endif
