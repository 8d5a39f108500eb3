#include "tui/fuzzy.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>

#include "engine/base/utf8.h"

#define SCORE_MATCH 16
#define BONUS_START 10 /* at the start of a word */
#define BONUS_FIRST 4  /* at the start of all */
#define BONUS_ROW   8  /* right after another */
#define COST_GAP    3  /* for a gap, and for each character of it */
#define COST_GAP_ON 1
#define IMPOSSIBLE  (-1000000)

struct text {
    uint32_t codes[FUZZY_TEXT_MAX];
    uint16_t offsets[FUZZY_TEXT_MAX];
    int bonus[FUZZY_TEXT_MAX];
    size_t count;
};

static bool is_word(uint32_t code)
{
    return uc_is_property_alphabetic(code) || (code >= '0' && code <= '9');
}

static void read_text(const char *text, size_t length, size_t max, struct text *out)
{
    uint32_t before = ' ', code;
    out->count = 0;
    for (size_t at = 0; at < length && at <= UINT16_MAX && out->count < max;) {
        size_t bytes = utf8_decode(text + at, length - at, &code);
        bool capital = uc_is_property_lowercase(before) && uc_is_property_uppercase(code);
        bool start = is_word(code) && (!is_word(before) || capital);
        out->codes[out->count] = uc_tolower(code);
        out->offsets[out->count] = (uint16_t)at;
        out->bonus[out->count++] = start ? BONUS_START + (at == 0 ? BONUS_FIRST : 0) : 0;
        before = code;
        at += bytes;
    }
}

/* The best score of each prefix of the pattern that ends with a match at each place of the text. */
struct table {
    int score[FUZZY_PATTERN_MAX][FUZZY_TEXT_MAX];
    uint8_t from[FUZZY_PATTERN_MAX][FUZZY_TEXT_MAX];
};

static void fill_row(const struct text *text, const struct text *word, size_t row,
                     struct table *table)
{
    int gap = IMPOSSIBLE; /* the best before here, with the cost of the gap */
    size_t gap_from = 0;
    for (size_t i = 0; i < text->count; i++) {
        int best = row == 0 ? 0 : IMPOSSIBLE;
        size_t from = 0;
        if (row > 0 && i > 0) {
            int near = table->score[row - 1][i - 1] + BONUS_ROW;
            bool in_a_row = near >= gap;
            best = in_a_row ? near : gap;
            from = in_a_row ? i - 1 : gap_from;
        }
        bool match = text->codes[i] == word->codes[row] && best > IMPOSSIBLE / 2;
        table->score[row][i] = match ? best + SCORE_MATCH + text->bonus[i] : IMPOSSIBLE;
        table->from[row][i] = (uint8_t)from;
        gap -= COST_GAP_ON;
        if (row > 0 && i > 0 && table->score[row - 1][i - 1] - COST_GAP >= gap) {
            gap = table->score[row - 1][i - 1] - COST_GAP;
            gap_from = i - 1;
        }
    }
}

static bool match_word(const struct text *text, const struct text *word, bool *marks, int *score)
{
    struct table table;
    size_t last = word->count - 1, best = 0;
    if (word->count == 0 || text->count == 0)
        return false;
    for (size_t row = 0; row <= last; row++)
        fill_row(text, word, row, &table);
    for (size_t i = 1; i < text->count; i++)
        if (table.score[last][i] > table.score[last][best])
            best = i;
    if (table.score[last][best] <= IMPOSSIBLE / 2)
        return false;
    *score += table.score[last][best];
    for (size_t row = word->count; row-- > 0;) {
        marks[best] = true;
        best = table.from[row][best];
    }
    return true;
}

bool fuzzy_match(const char *pattern, const char *text, struct fuzzy_match *match)
{
    struct text whole, word;
    bool marks[FUZZY_TEXT_MAX] = {false};
    match->score = 0;
    match->count = 0;
    read_text(text, strlen(text), FUZZY_TEXT_MAX, &whole);
    for (const char *at = pattern + strspn(pattern, " "); *at != '\0'; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        read_text(at, length, FUZZY_PATTERN_MAX, &word);
        if (!match_word(&whole, &word, marks, &match->score))
            return false;
        at += length;
    }
    for (size_t i = 0; i < whole.count; i++)
        if (marks[i])
            match->positions[match->count++] = whole.offsets[i];
    return true;
}

/* --- ranking --------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b, void *texts)
{
    const struct fuzzy_match *first = a, *second = b;
    const char *const *names = texts;
    if (first->score != second->score)
        return first->score > second->score ? -1 : 1;
    size_t length = strlen(names[first->index]), other = strlen(names[second->index]);
    if (length != other && first->score > 0)
        return length < other ? -1 : 1;
    return first->index < second->index ? -1 : 1;
}

size_t fuzzy_rank(const char *pattern, const char *const *texts, size_t count,
                  struct fuzzy_match *matches)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        matches[found].index = i;
        found += fuzzy_match(pattern, texts[i], &matches[found]);
    }
    if (found > 1)
        qsort_r(matches, found, sizeof *matches, compare, (void *)(uintptr_t)texts);
    return found;
}
