/*
 * support.h - whether a reply stands in the documents that it was given, and where.
 *
 * A model may answer rightly and name the wrong block. So the answer's words, not its source lines,
 * decide: for each of its sentences the passage of every document that says it best is looked for
 * (most of its words and numbers, the rare ones counting most, close together), and the document
 * that carries the answer is compared with the one that the sources name. Nothing here knows what a
 * sentence means: what is said in other words is not found, and a passage that has the words may
 * still say something else.
 *
 * Ranges of passages are in bytes of the document's text, others in bytes of the reply. Everything
 * is owned by the struct support: support_free.
 */
#ifndef AIRO_CHAT_SUPPORT_H
#define AIRO_CHAT_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/chat/document.h"
#include "engine/chat/support_source.h"

/* The best passage of one document for one sentence. */
struct support_passage {
    int document;
    struct text_range range;
    struct text_range *words; /* the supporting words, in order, inside the range */
    size_t word_count;
    double score;    /* 0 to 1: the weight of the sentence's words and the question's found here */
    double coverage; /* 0 to 1: of the sentence's own words, those of the question left out */
};

struct support_sentence {
    struct text_range range;          /* in the reply */
    double weight;                    /* how much it says: the rarity of its words */
    struct support_passage *passages; /* best first, one of a document at most */
    size_t passage_count;
};

/* A word or number of the answer that occurs in no block. */
struct support_unknown {
    struct text_range range; /* in the reply */
    bool number;
    bool in_question; /* the user's own word */
};

enum support_verdict {
    SUPPORT_NOTHING,   /* the answer has no words of its own, or there are no documents */
    SUPPORT_CITED,     /* a cited document carries the answer at least as well as any other */
    SUPPORT_ELSEWHERE, /* another one carries it and the cited ones do not */
    SUPPORT_UNCITED,   /* no source names a document; `document` carries the answer */
    SUPPORT_UNSURE,    /* several do about equally, the cited ones not among the best */
    SUPPORT_NOWHERE,   /* no document carries it */
};

struct support {
    struct source_list sources;
    struct support_sentence *sentences;
    size_t sentence_count;
    struct support_unknown *unknown;
    size_t unknown_count;
    enum support_verdict verdict;
    int document; /* that carries the answer best, -1: none */
    int cited;    /* the cited one that does best, or the first cited; -1: none is cited */
};

/* Checks a reply. Disabled documents are not looked at; `question` and `markers` (of the template)
 * may be NULL. Takes time in proportion to the documents, about a second for 64 MB. */
void support_check(struct support *support, const char *question, const char *reply, size_t length,
                   const struct document_list *documents, const char *const *markers);
void support_free(struct support *support);

/* One line for the user: "the answer stands in report.txt, not in the cited notes.txt". NULL when
 * there is nothing to say against the sources. To be freed. */
char *support_summary(const struct support *support, const struct document_list *documents);

/* The best passage for the answer: of `document`, or of any for -1. NULL: none. */
const struct support_passage *support_best(const struct support *support, int document);

#endif
