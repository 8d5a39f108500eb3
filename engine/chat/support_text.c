#include "engine/chat/support_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>

#include "engine/base/utf8.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* --- characters ------------------------------------------------------------------------------- */

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static size_t decode(const char *text, size_t length, size_t at, uint32_t *code)
{
    if ((unsigned char)text[at] < 0x80) {
        *code = (unsigned char)text[at];
        return 1;
    }
    return utf8_decode(text + at, length - at, code);
}

/* Scripts that do not part words: each character is one. */
static bool stands_alone(uint32_t code)
{
    return (code >= 0x3040 && code <= 0x30FF) || (code >= 0x3400 && code <= 0x9FFF) ||
           (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x20000 && code <= 0x3FFFF);
}

static bool is_word_code(uint32_t code)
{
    if (code < 0x80)
        return isalnum((int)code);
    return code != UTF8_REPLACEMENT &&
           (uc_is_alnum(code) || uc_is_general_category_withtable(code, UC_CATEGORY_MASK_M));
}

static bool is_apostrophe(uint32_t code)
{
    return code == '\'' || code == 0x2019;
}

/* --- folding ---------------------------------------------------------------------------------- */

/* Sorted, apostrophes left out. */
static const char *const function_words[] = {
    "a",     "about", "after", "all",   "also",   "am",   "an",     "and",   "any",  "are",
    "as",    "at",    "be",    "been",  "being",  "both", "but",    "by",    "can",  "could",
    "did",   "didnt", "do",    "does",  "doesnt", "dont", "each",   "for",   "from", "had",
    "has",   "have",  "he",    "her",   "here",   "hers", "him",    "his",   "how",  "i",
    "if",    "in",    "into",  "is",    "it",     "its",  "just",   "many",  "may",  "me",
    "might", "more",  "most",  "much",  "must",   "my",   "no",     "nor",   "not",  "of",
    "on",    "one",   "or",    "our",   "over",   "she",  "should", "so",    "some", "such",
    "than",  "that",  "the",   "their", "them",   "then", "there",  "these", "they", "this",
    "those", "to",    "too",   "under", "up",     "us",   "very",   "was",   "we",   "were",
    "what",  "when",  "where", "which", "while",  "who",  "whom",   "whose", "why",  "will",
    "with",  "would", "yes",   "you",   "your",
};

static const struct {
    const char *word, *digits;
} number_words[] = {
    {"zero", "0"}, {"two", "2"},  {"three", "3"},   {"four", "4"},
    {"five", "5"}, {"six", "6"},  {"seven", "7"},   {"eight", "8"},
    {"nine", "9"}, {"ten", "10"}, {"eleven", "11"}, {"twelve", "12"},
};

static bool is_function(const char *folded)
{
    size_t low = 0, high = COUNT(function_words);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(folded, function_words[middle]);
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

static bool ends_in(const struct text_word *word, const char *ending)
{
    size_t length = strlen(ending);
    return word->length > length &&
           memcmp(word->folded + word->length - length, ending, length) == 0;
}

static void cut(struct text_word *word, size_t bytes)
{
    word->length -= bytes;
    word->folded[word->length] = '\0';
}

/* "cities" city, "boxes" box, "days" day; "glass", "bus" and "this" as they are. */
static void fold_plural(struct text_word *word)
{
    static const char *const es[] = {"sses", "xes", "zes", "ches", "shes"};
    if (word->length > 4 && ends_in(word, "ies")) {
        cut(word, 3);
        word->folded[word->length++] = 'y';
        word->folded[word->length] = '\0';
        return;
    }
    for (size_t i = 0; i < COUNT(es); i++) {
        if (ends_in(word, es[i])) {
            cut(word, 2);
            return;
        }
    }
    if (word->length > 2 && ends_in(word, "s") && !ends_in(word, "ss") && !ends_in(word, "us"))
        cut(word, 1);
}

/* What is known once the letters are down. */
static void classify(struct text_word *word, bool plain)
{
    word->function = is_function(word->folded);
    if (plain && !word->function)
        fold_plural(word);
    for (size_t i = 0; i < COUNT(number_words); i++) {
        if (strcmp(word->folded, number_words[i].word) != 0)
            continue;
        word->number = true;
        word->length = strlen(number_words[i].digits);
        memcpy(word->folded, number_words[i].digits, word->length + 1);
    }
}

static void put(struct text_word *word, const char *bytes, size_t count)
{
    if (word->length + count >= TEXT_FOLDED_MAX)
        return;
    memcpy(word->folded + word->length, bytes, count);
    word->length += count;
    word->folded[word->length] = '\0';
}

/* --- numbers ---------------------------------------------------------------------------------- */

static size_t digits_at(const char *text, size_t length, size_t at)
{
    size_t count = 0;
    while (at + count < length && is_digit(text[at + count]))
        count++;
    return count;
}

/* The end of the number that begins at `at`: groups of three after commas, then a fraction. */
static size_t number_end(const char *text, size_t length, size_t at, size_t *point)
{
    size_t end = at + digits_at(text, length, at);
    if (end - at <= 3)
        while (end < length && text[end] == ',' && digits_at(text, length, end + 1) == 3)
            end += 4;
    *point = end;
    if (end < length && text[end] == '.') {
        size_t fraction = digits_at(text, length, end + 1);
        if (fraction > 0)
            end += 1 + fraction;
    }
    return end;
}

/* A number by its value: no commas, no zeros before or after. */
static void read_number(const char *text, size_t begin, size_t end, size_t point,
                        struct text_word *word)
{
    size_t last = end;
    while (last > point && (text[last - 1] == '0' || text[last - 1] == '.'))
        last--;
    bool leading = true;
    for (size_t i = begin; i < last; i++) {
        if (text[i] == ',' || (leading && text[i] == '0' && i + 1 < point))
            continue;
        leading = false;
        put(word, text + i, 1);
    }
    word->number = true;
    word->range = (struct text_range){begin, end};
}

/* --- words ------------------------------------------------------------------------------------ */

static size_t letters_end(const char *text, size_t length, size_t at, struct text_word *word,
                          bool *plain)
{
    size_t apostrophe = 0;
    *plain = true;
    while (at < length) {
        uint32_t code, next;
        char bytes[4];
        size_t taken = decode(text, length, at, &code);
        if (is_apostrophe(code) && at + taken < length) {
            decode(text, length, at + taken, &next);
            if (!is_word_code(next) || stands_alone(next))
                break;
            apostrophe = word->length;
        } else if (!is_word_code(code) || stands_alone(code)) {
            break;
        } else {
            *plain = *plain && !(code < 0x80 && isdigit((int)code));
            uint32_t lower = code < 0x80 ? (uint32_t)tolower((int)code) : uc_tolower(code);
            size_t count = utf8_encode(lower, bytes);
            put(word, bytes, count);
        }
        at += taken;
    }
    if (apostrophe > 0 && word->length == apostrophe + 1 && word->folded[apostrophe] == 's') {
        cut(word, 1);
        *plain = false;
    }
    return at;
}

/* Whether only digits stand here, not "2nd" or "47b". */
static bool is_number(const char *text, size_t length, size_t end)
{
    uint32_t code;
    if (end >= length)
        return true;
    decode(text, length, end, &code);
    return !is_word_code(code) || stands_alone(code);
}

bool text_word_next(const char *text, size_t length, size_t *at, struct text_word *word)
{
    uint32_t code = 0;
    size_t taken = 0, begin = *at, point;
    while (begin < length) {
        taken = decode(text, length, begin, &code);
        if (is_word_code(code))
            break;
        begin += taken;
    }
    *at = begin;
    if (begin >= length)
        return false;
    word->length = 0;
    word->folded[0] = '\0';
    word->number = word->function = false;
    if (is_digit(text[begin])) {
        size_t end = number_end(text, length, begin, &point);
        if (is_number(text, length, end)) {
            read_number(text, begin, end, point, word);
            *at = end;
            return true;
        }
    }
    bool plain = false;
    if (stands_alone(code)) {
        put(word, text + begin, taken);
        *at = begin + taken;
    } else {
        *at = letters_end(text, length, begin, word, &plain);
        classify(word, plain);
    }
    word->range = (struct text_range){begin, *at};
    return true;
}

/* --- sentences -------------------------------------------------------------------------------- */

static bool is_white(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* "Dr. Smith", "J. Smith": the period at `at` ends no sentence. */
static bool is_abbreviation(const char *text, size_t begin, size_t at)
{
    static const char *const known[] = {"mr", "mrs", "ms",  "dr",  "st", "prof", "no",    "vs",
                                        "jr", "sr",  "e.g", "i.e", "cf", "fig",  "approx"};
    size_t start = at;
    while (start > begin && !is_white(text[start - 1]) && text[start - 1] != '(')
        start--;
    size_t length = at - start;
    if (length == 1 && isupper((unsigned char)text[start]))
        return true;
    for (size_t i = 0; i < COUNT(known); i++)
        if (strlen(known[i]) == length && strncasecmp(known[i], text + start, length) == 0)
            return true;
    return false;
}

/* Bytes of closing quotes and brackets at `at`. */
static size_t closers(const char *text, size_t length, size_t at)
{
    static const char *const marks[] = {"\"", "'", ")", "]", "\u201D", "\u2019", "\u00BB"};
    size_t taken = 0;
    for (size_t i = 0; i < COUNT(marks) && at + taken < length; i++) {
        size_t mark = strlen(marks[i]);
        if (length - at - taken >= mark && memcmp(text + at + taken, marks[i], mark) == 0)
            taken += mark;
    }
    return taken;
}

/* Whether the line break at `at` ends what stands before it; `line` is where its line begins. */
static bool line_ends(const char *text, size_t length, size_t line, size_t at)
{
    size_t next = at + 1;
    while (next < length && (text[next] == ' ' || text[next] == '\t'))
        next++;
    if (next >= length || text[next] == '\n' || at - line < 50)
        return true;
    return strchr("-*#=|>+", text[next]) != NULL ||
           (length - next >= 3 && memcmp(text + next, "\u2022", 3) == 0);
}

/* The end of the sentence that begins at `begin`, white space after it not included. */
static size_t sentence_end(const char *text, size_t length, size_t begin)
{
    size_t line = begin, words = 0;
    for (size_t at = begin; at < length;) {
        uint32_t code;
        size_t taken = decode(text, length, at, &code), after = at + taken;
        if (code == '\n') {
            if (line_ends(text, length, line, at))
                return at;
            line = after;
        }
        if (code == 0x3002 || code == 0xFF01 || code == 0xFF1F)
            return after + closers(text, length, after);
        if (code == '.' || code == '!' || code == '?' || code == 0x2026) {
            after += closers(text, length, after);
            if ((after >= length || is_white(text[after])) &&
                !(code == '.' && is_abbreviation(text, begin, at)))
                return after;
        }
        if (code < 0x80 && is_white((char)code))
            words += at > begin && !is_white(text[at - 1]);
        if (words >= TEXT_SENTENCE_WORDS || after - begin >= TEXT_SENTENCE_BYTES)
            return after;
        at = after;
    }
    return length;
}

bool text_sentence_next(const char *text, size_t length, size_t *at, struct text_sentence *sentence)
{
    size_t begin = *at, breaks = 0;
    while (begin < length && is_white(text[begin]))
        breaks += text[begin++] == '\n';
    if (begin >= length) {
        *at = length;
        return false;
    }
    size_t end = sentence_end(text, length, begin);
    *at = end;
    while (end > begin && is_white(text[end - 1]))
        end--;
    *sentence = (struct text_sentence){{begin, end}, breaks > 1};
    return true;
}
