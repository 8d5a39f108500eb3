/*
 * grammar.h - what the text of a reply may be, byte by byte: an interface that the sampling asks.
 *
 * A token that the grammar forbids is put aside and the sampler chooses again among the rest, which
 * is the model's own distribution restricted to what the grammar allows. Bytes, not characters:
 * a token may end in the middle of one.
 */
#ifndef AIRO_BASE_GRAMMAR_H
#define AIRO_BASE_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

struct grammar;

enum grammar_verdict {
    GRAMMAR_FORBIDS,
    GRAMMAR_ALLOWS,
    GRAMMAR_ENDS, /* the reply is over before this text: it would begin what is not the reply's */
};

struct grammar_ops {
    /* What it would mean that the reply goes on with `text`; changes nothing. */
    enum grammar_verdict (*judge)(const struct grammar *grammar, const char *text, size_t length);
    /* Whether the reply may end here. */
    bool (*may_end)(const struct grammar *grammar);
    /* The reply goes on with `text`, which may be what judge() forbids (a forced beginning). */
    void (*accept)(struct grammar *grammar, const char *text, size_t length);
    struct grammar *(*copy)(const struct grammar *grammar);
    void (*free)(struct grammar *grammar);
};

/* Implementations begin with this. */
struct grammar {
    const struct grammar_ops *ops;
};

/* NULL is fine. */
static inline void grammar_free(struct grammar *grammar)
{
    if (grammar != NULL)
        grammar->ops->free(grammar);
}

#endif
