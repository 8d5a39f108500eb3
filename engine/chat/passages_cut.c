#include "engine/chat/passages_cut.h"

static size_t count_words(const char *text, struct text_range range)
{
    size_t words = 0;
    for (size_t i = range.begin; i < range.end; i++) {
        bool white = text[i] == ' ' || text[i] == '\n' || text[i] == '\t';
        bool before =
            i == range.begin || text[i - 1] == ' ' || text[i - 1] == '\n' || text[i - 1] == '\t';
        words += !white && before;
    }
    /* Text without spaces must end somewhere too. */
    size_t by_bytes = (range.end - range.begin) / 24;
    return words > by_bytes ? words : by_bytes;
}

bool passage_cut_next(struct passage_cutter *cutter, const char *text, size_t length,
                      struct text_range *range)
{
    size_t words = 0;
    *range = (struct text_range){0, 0};
    for (;;) {
        struct text_sentence next = cutter->ahead;
        if (!cutter->has_ahead && !text_sentence_next(text, length, &cutter->at, &next))
            break;
        size_t more = count_words(text, next.range);
        bool full = words + more > PASSAGE_WORDS_MAX;
        if (words > 0 && (full || (next.after_blank && words >= PASSAGE_WORDS_MIN))) {
            cutter->ahead = next;
            cutter->has_ahead = true;
            return true;
        }
        cutter->has_ahead = false;
        if (words == 0)
            range->begin = next.range.begin;
        range->end = next.range.end;
        words += more > 0 ? more : 1;
    }
    return words > 0;
}
