/*
 * support_scan.h - the words of an answer and its question, and where documents have them.
 *
 * First the vocabulary is made (scan_add_text), then every document is read once (scan_document);
 * only sentences with a word of the vocabulary are kept. Owned by the struct: scan_free.
 */
#ifndef AIRO_CHAT_SUPPORT_SCAN_H
#define AIRO_CHAT_SUPPORT_SCAN_H

#include <stdint.h>

#include "engine/chat/document.h"
#include "engine/chat/support_text.h"

#define SCAN_WORDS_MAX 8192 /* of the vocabulary; what comes after is not looked for */

struct scan_word {
    char *folded;
    uint32_t hash;
    bool number, in_question, in_block;
    size_t sentences; /* of the documents, that have it */
    uint32_t last;    /* the last of these, counted from 1 */
};

struct scan_hit {
    uint32_t word;
    struct text_range range;
};

/* A sentence of a document with at least one word of the vocabulary. */
struct scan_sentence {
    int document;
    uint32_t ordinal; /* among all sentences of the documents */
    struct text_range range;
    size_t first, count; /* of the hits */
};

struct scan {
    struct scan_word *words;
    size_t word_count, word_capacity;
    uint32_t *slots; /* a hash table of word numbers + 1 */
    size_t slot_count;
    struct scan_hit *hits;
    size_t hit_count, hit_capacity;
    struct scan_sentence *sentences;
    size_t sentence_count, sentence_capacity;
    uint32_t total; /* sentences read */
};

void scan_add_text(struct scan *scan, const char *text, size_t length, bool question);
/* Finds a word of the vocabulary; -1: none. */
int scan_find(const struct scan *scan, const struct text_word *word);
void scan_document(struct scan *scan, const struct document *document, int number);
/* How rare a word is among the sentences; higher for rarer ones, above 0. */
double scan_rarity(const struct scan *scan, size_t word);
void scan_free(struct scan *scan);

#endif
