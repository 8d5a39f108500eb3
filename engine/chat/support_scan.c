#include "engine/chat/support_scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"

/* --- vocabulary ------------------------------------------------------------------------------- */

static uint32_t hash_of(const struct text_word *word)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < word->length; i++)
        hash = (hash ^ (unsigned char)word->folded[i]) * 16777619u;
    return hash;
}

static size_t slot_of(const struct scan *scan, const char *folded, uint32_t hash)
{
    size_t slot = hash & (scan->slot_count - 1);
    while (scan->slots[slot] != 0) {
        const struct scan_word *other = &scan->words[scan->slots[slot] - 1];
        if (other->hash == hash && strcmp(other->folded, folded) == 0)
            break;
        slot = (slot + 1) & (scan->slot_count - 1);
    }
    return slot;
}

int scan_find(const struct scan *scan, const struct text_word *word)
{
    if (scan->slot_count == 0 || word->function)
        return -1;
    return (int)scan->slots[slot_of(scan, word->folded, hash_of(word))] - 1;
}

static void add_word(struct scan *scan, const struct text_word *word, bool question)
{
    uint32_t hash = hash_of(word);
    size_t slot = slot_of(scan, word->folded, hash);
    if (scan->slots[slot] != 0 || scan->word_count == SCAN_WORDS_MAX)
        return;
    if (scan->word_count == scan->word_capacity) {
        scan->word_capacity = scan->word_capacity ? 2 * scan->word_capacity : 64;
        scan->words = xreallocarray(scan->words, scan->word_capacity, sizeof *scan->words);
    }
    scan->words[scan->word_count++] = (struct scan_word){.folded = xstrdup(word->folded),
                                                         .hash = hash,
                                                         .number = word->number,
                                                         .in_question = question};
    scan->slots[slot] = (uint32_t)scan->word_count;
}

void scan_add_text(struct scan *scan, const char *text, size_t length, bool question)
{
    struct text_word word;
    if (scan->slot_count == 0) {
        scan->slot_count = 4 * SCAN_WORDS_MAX;
        scan->slots = xcalloc(scan->slot_count, sizeof *scan->slots);
    }
    for (size_t at = 0; text_word_next(text, length, &at, &word);)
        if (!word.function)
            add_word(scan, &word, question);
}

/* --- documents -------------------------------------------------------------------------------- */

static void add_hit(struct scan *scan, size_t word, struct text_range range)
{
    if (scan->hit_count == scan->hit_capacity) {
        scan->hit_capacity = scan->hit_capacity ? 2 * scan->hit_capacity : 256;
        scan->hits = xreallocarray(scan->hits, scan->hit_capacity, sizeof *scan->hits);
    }
    scan->hits[scan->hit_count++] = (struct scan_hit){(uint32_t)word, range};
}

static void add_sentence(struct scan *scan, struct scan_sentence sentence)
{
    if (scan->sentence_count == scan->sentence_capacity) {
        scan->sentence_capacity = scan->sentence_capacity ? 2 * scan->sentence_capacity : 64;
        scan->sentences =
            xreallocarray(scan->sentences, scan->sentence_capacity, sizeof *scan->sentences);
    }
    scan->sentences[scan->sentence_count++] = sentence;
}

static void read_sentence(struct scan *scan, const struct document *document, int number,
                          struct text_range range)
{
    struct text_word word;
    size_t first = scan->hit_count;
    scan->total++;
    for (size_t at = range.begin; text_word_next(document->text, range.end, &at, &word);) {
        int found = scan_find(scan, &word);
        if (found < 0)
            continue;
        struct scan_word *known = &scan->words[found];
        known->in_block = true;
        known->sentences += known->last != scan->total;
        known->last = scan->total;
        add_hit(scan, (size_t)found, word.range);
    }
    if (scan->hit_count > first)
        add_sentence(scan, (struct scan_sentence){number, scan->total, range, first,
                                                  scan->hit_count - first});
}

/* What a block says besides its text counts as said, but carries no answer. */
static void read_pair(struct scan *scan, const char *text)
{
    struct text_word word;
    size_t length = strlen(text);
    for (size_t at = 0; text_word_next(text, length, &at, &word);) {
        int found = scan_find(scan, &word);
        if (found >= 0)
            scan->words[found].in_block = true;
    }
}

void scan_document(struct scan *scan, const struct document *document, int number)
{
    struct text_sentence sentence;
    for (size_t at = 0; text_sentence_next(document->text, document->length, &at, &sentence);)
        read_sentence(scan, document, number, sentence.range);
    for (size_t i = 0; i < document->pair_count; i++) {
        read_pair(scan, document->pairs[i].key);
        read_pair(scan, document->pairs[i].value);
    }
}

double scan_rarity(const struct scan *scan, size_t word)
{
    return log(1.5 + (double)scan->total / (1.0 + (double)scan->words[word].sentences));
}

void scan_free(struct scan *scan)
{
    for (size_t i = 0; i < scan->word_count; i++)
        free(scan->words[i].folded);
    free(scan->words);
    free(scan->slots);
    free(scan->hits);
    free(scan->sentences);
    *scan = (struct scan){0};
}
