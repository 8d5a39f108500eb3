/*
 * cases.h - questions on generated documents with what a right reply holds, made from a seed.
 *
 * Recall: one haystack is asked about the fact nearest to each depth. Obedience: short documents
 * that contradict what everybody knows, that do not say what is asked, or that do. A case borrows
 * its documents from a haystack, which must outlive it, and owns the rest: eval_case_free. The same
 * seed gives the same cases byte for byte (recall: with the same tokenizer, which decides where a
 * length ends).
 */
#ifndef AIRO_EVAL_CASES_H
#define AIRO_EVAL_CASES_H

#include <jansson.h>

#include "engine/eval/haystack.h"

enum eval_kind { EVAL_RECALL, EVAL_COUNTERFACTUAL, EVAL_ABSENT, EVAL_PRESENT, EVAL_KINDS };

/* "recall", "counterfactual", "absent", "present". */
const char *eval_kind_name(enum eval_kind kind);

struct eval_case {
    enum eval_kind kind;
    size_t length;                         /* recall: tokens of the prompt that were asked for */
    unsigned depth;                        /* recall: percent */
    const struct document_list *documents; /* borrowed from a haystack */
    char *question;
    char *answer; /* what a right reply holds; absent: "I don't know" */
    char *known;  /* counterfactual: what everybody knows and the documents deny; else NULL */
    int block;    /* the document that says it; -1: none does */
};

void eval_case_free(struct eval_case *test);

/* The documents of the index-th recall case of a length, filled up to `tokens`. */
void eval_recall_haystack(struct haystack *out, uint64_t seed, size_t length, size_t index,
                          size_t tokens, const struct tokenizer *tokenizer);
/* A question on it, at a depth in percent. */
void eval_recall_case(struct eval_case *out, const struct haystack *haystack, uint64_t seed,
                      size_t length, size_t index, unsigned depth);

/* The index-th case of a kind but recall, with its documents. */
void eval_obedience_case(struct eval_case *out, struct haystack *haystack, uint64_t seed,
                         enum eval_kind kind, size_t index);

/* One object, in the form that `airo ask --cases` reads, with "kind", "length" and "depth"
 * besides. */
json_t *eval_case_json(const struct eval_case *test);

#endif
