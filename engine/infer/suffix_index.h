/*
 * suffix_index.h - the longest piece of text that stood before: a suffix automaton over tokens.
 *
 * Tokens are added one by one; after each the index knows the longest suffix of the text that also
 * occurs earlier, and where. Adding takes constant time on average (Blumer et al., "The smallest
 * automaton recognizing the subwords of a text", 1985: at most 2n states and 3n edges), finding
 * none at all. Everything is allocated when it is made, about 108 bytes a token.
 *
 * Of several earlier places it names one in a document where there is one, otherwise the latest
 * that it has come across. Owned by one generation.
 */
#ifndef AIRO_INFER_SUFFIX_INDEX_H
#define AIRO_INFER_SUFFIX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct suffix_index;

/* tokens[end - length .. end) equal the last `length` tokens, and end < count. length 0: none. */
struct suffix_match {
    size_t length, end;
    bool document;
};

/* For at most `capacity` tokens. NULL when there is no memory for it. */
struct suffix_index *suffix_index_create(size_t capacity);
void suffix_index_free(struct suffix_index *index);

/* One more token. Beyond the capacity it is ignored, and nothing matches any more. */
void suffix_index_add(struct suffix_index *index, int32_t id, bool document);
struct suffix_match suffix_index_match(const struct suffix_index *index);
const int32_t *suffix_index_tokens(const struct suffix_index *index, size_t *count);

#endif
