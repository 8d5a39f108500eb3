/*
 * words.h - what generated sentences are filled with: invented names, numbers, dates, and words
 * from lists.
 *
 * A world never invents the same name twice. The caller owns it: eval_world_free.
 */
#ifndef AIRO_EVAL_WORDS_H
#define AIRO_EVAL_WORDS_H

#include "engine/base/strbuf.h"
#include "engine/eval/random.h"

struct eval_world {
    struct eval_random random;
    struct seen names; /* invented so far */
};

struct eval_world eval_world_begin(uint64_t seed, uint64_t stream);
void eval_world_free(struct eval_world *world);

/* Appends a value for a slot of a sentence:
 *   p q person        t u town         o organisation    W name           w invented noun
 *   n number          s 2 .. 60        y year            d date           h time of day
 *   m money           k code           z phone number    D day of the week
 *   c colour  j job  a animal  f food  i thing  l place  g goods (plural)  b material
 *   e instrument  v vehicle  A attribute  J adjective
 * and for free sentences  N M noun  V verb  B adverbial. False for any other letter. */
bool eval_world_value(struct eval_world *world, char slot, struct strbuf *out);

/* An invented word, lower case. */
void eval_world_word(struct eval_world *world, struct strbuf *out);
/* The text with its first letter in upper case (ASCII). */
void strbuf_capitalised(struct strbuf *out, const char *text);

#endif
