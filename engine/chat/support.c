#include "engine/chat/support.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "engine/chat/support_scan.h"

/* Up to this many sentences of a document make a passage; each further one counts a little less,
 * so that the shortest passage with the same words wins. */
#define PASSAGE_SENTENCES 3
static const double passage_factor[PASSAGE_SENTENCES + 1] = {0, 1.0, 0.88, 0.78};

/* The question's words say which fact is meant, the answer's own which value it has. */
#define QUESTION_WEIGHT 0.5

/* A document carries an answer when it has this much of its own words in one place; */
#define CARRIES 0.5
/* another one is better when it scores this much more, or, where both have the answer's own words
 * alike and only the question's tell them apart, so much more. */
#define MARGIN          0.1
#define QUESTION_MARGIN 0.2

#define SENTENCES_MAX 128 /* of an answer */

struct finder {
    struct support *support;
    const struct document_list *documents;
    struct scan scan;
    double *rarity; /* of each word of the vocabulary */
    bool *own;      /* the answer's sentence at hand has it */
    double *weight; /* in that sentence: 0 where it does not matter */
    double own_total, total;
    uint32_t *stamp; /* the window that has counted the word */
    uint32_t window;
    double *scores; /* of each document, over all sentences */
};

/* A passage as sentences of the scan. */
struct window {
    size_t first, count;
    double score, coverage;
};

/* --- weights ---------------------------------------------------------------------------------- */

static void weigh(struct finder *finder, const char *reply, struct text_range range)
{
    struct scan *scan = &finder->scan;
    struct text_word word;
    memset(finder->own, 0, scan->word_count * sizeof *finder->own);
    finder->own_total = finder->total = 0;
    bool any = false; /* "A or B?" "B.": with none of its own, the question's words are its own */
    for (int pass = 0; pass < 2 && !any; pass++) {
        for (size_t at = range.begin; text_word_next(reply, range.end, &at, &word);) {
            int found = scan_find(scan, &word);
            if (found < 0 || (pass == 0 && scan->words[found].in_question))
                continue;
            finder->own[found] = any = true;
        }
    }
    for (size_t i = 0; i < scan->word_count; i++) {
        double question = scan->words[i].in_question && scan->words[i].in_block
                              ? QUESTION_WEIGHT * finder->rarity[i]
                              : 0;
        finder->weight[i] = finder->own[i] ? finder->rarity[i] : question;
        finder->own_total += finder->own[i] ? finder->rarity[i] : 0;
        finder->total += finder->weight[i];
    }
}

/* --- passages --------------------------------------------------------------------------------- */

static struct window measure(struct finder *finder, size_t first, size_t count, size_t span)
{
    const struct scan *scan = &finder->scan;
    double sum = 0, own = 0;
    finder->window++;
    for (size_t s = first; s < first + count; s++) {
        const struct scan_sentence *sentence = &scan->sentences[s];
        for (size_t h = sentence->first; h < sentence->first + sentence->count; h++) {
            uint32_t word = scan->hits[h].word;
            if (finder->weight[word] <= 0 || finder->stamp[word] == finder->window)
                continue;
            finder->stamp[word] = finder->window;
            sum += finder->weight[word];
            own += finder->own[word] ? finder->rarity[word] : 0;
        }
    }
    return (struct window){first, count, passage_factor[span] * sum / finder->total,
                           finder->own_total > 0 ? own / finder->own_total : 1};
}

/* The best passage among scan sentences [begin, end), all of one document. */
static struct window best_window(struct finder *finder, size_t begin, size_t end)
{
    const struct scan_sentence *sentences = finder->scan.sentences;
    struct window best = {0};
    for (size_t first = begin; first < end; first++) {
        for (size_t last = first; last < end; last++) {
            size_t span = sentences[last].ordinal - sentences[first].ordinal + 1;
            if (span > PASSAGE_SENTENCES)
                break;
            struct window window = measure(finder, first, last - first + 1, span);
            if (window.score > best.score)
                best = window;
        }
    }
    return best;
}

static void fill_words(const struct finder *finder, const struct window *window,
                       struct support_passage *passage)
{
    const struct scan_sentence *first = &finder->scan.sentences[window->first];
    const struct scan_sentence *last = first + window->count - 1;
    size_t end = last->first + last->count;
    passage->words = xcalloc(end - first->first, sizeof *passage->words);
    for (size_t h = first->first; h < end; h++)
        if (finder->weight[finder->scan.hits[h].word] > 0)
            passage->words[passage->word_count++] = finder->scan.hits[h].range;
}

static int better_first(const void *a, const void *b)
{
    const struct support_passage *left = a, *right = b;
    if (left->score != right->score)
        return left->score > right->score ? -1 : 1;
    return left->document - right->document;
}

static void find_passages(struct finder *finder, struct support_sentence *sentence)
{
    const struct scan *scan = &finder->scan;
    sentence->passages = xcalloc(finder->documents->count, sizeof *sentence->passages);
    for (size_t begin = 0, end; begin < scan->sentence_count; begin = end) {
        int document = scan->sentences[begin].document;
        for (end = begin + 1;
             end < scan->sentence_count && scan->sentences[end].document == document;)
            end++;
        struct window window = best_window(finder, begin, end);
        if (window.score <= 0)
            continue;
        struct support_passage *passage = &sentence->passages[sentence->passage_count++];
        *passage = (struct support_passage){
            .document = document,
            .range = {scan->sentences[window.first].range.begin,
                      scan->sentences[window.first + window.count - 1].range.end},
            .score = window.score,
            .coverage = window.coverage};
        fill_words(finder, &window, passage);
        finder->scores[document] += sentence->weight * window.score;
    }
    if (sentence->passage_count > 1)
        qsort(sentence->passages, sentence->passage_count, sizeof *sentence->passages,
              better_first);
}

/* --- the answer ------------------------------------------------------------------------------- */

static void read_sentences(struct finder *finder, const char *reply)
{
    struct support *support = finder->support;
    struct text_sentence text;
    size_t length = support->sources.answer_bytes, capacity = 0;
    for (size_t at = 0; support->sentence_count < SENTENCES_MAX &&
                        text_sentence_next(reply, length, &at, &text);) {
        weigh(finder, reply, text.range);
        if (support->sentence_count == capacity) {
            capacity = capacity ? 2 * capacity : 8;
            support->sentences =
                xreallocarray(support->sentences, capacity, sizeof *support->sentences);
        }
        struct support_sentence *sentence = &support->sentences[support->sentence_count++];
        *sentence = (struct support_sentence){.range = text.range, .weight = finder->own_total};
        if (finder->total > 0)
            find_passages(finder, sentence);
    }
}

static void find_unknown(struct finder *finder, const char *reply)
{
    struct support *support = finder->support;
    struct text_word word;
    size_t capacity = 0;
    for (size_t at = 0; text_word_next(reply, support->sources.answer_bytes, &at, &word);) {
        int found = scan_find(&finder->scan, &word);
        if (found < 0 || finder->scan.words[found].in_block)
            continue;
        if (support->unknown_count == capacity) {
            capacity = capacity ? 2 * capacity : 8;
            support->unknown = xreallocarray(support->unknown, capacity, sizeof *support->unknown);
        }
        support->unknown[support->unknown_count++] = (struct support_unknown){
            word.range, word.number, finder->scan.words[found].in_question};
    }
}

/* --- verdict ---------------------------------------------------------------------------------- */

/* How much of the answer's own words a document's passages have, over all sentences: 0 to 1. */
static double coverage(const struct support *support, int document)
{
    double sum = 0, total = 0;
    for (size_t i = 0; i < support->sentence_count; i++) {
        const struct support_sentence *sentence = &support->sentences[i];
        total += sentence->weight;
        for (size_t k = 0; k < sentence->passage_count; k++)
            if (sentence->passages[k].document == document)
                sum += sentence->weight * sentence->passages[k].coverage;
    }
    return total > 0 ? sum / total : 0;
}

static void find_documents(struct finder *finder)
{
    struct support *support = finder->support;
    const struct source_list *sources = &support->sources;
    support->document = support->cited = -1;
    for (size_t i = 0; i < finder->documents->count; i++) {
        double score = finder->scores[i];
        if (score > 0 && (support->document < 0 || score > finder->scores[support->document]))
            support->document = (int)i;
    }
    for (size_t i = 0; i < sources->count; i++) {
        int cited = sources->sources[i].document;
        if (cited >= 0 &&
            (support->cited < 0 || finder->scores[cited] > finder->scores[support->cited]))
            support->cited = cited;
    }
}

/* With several documents about as good as the best, none is named. */
static bool stands_out(const struct finder *finder)
{
    int best = finder->support->document;
    for (size_t i = 0; i < finder->documents->count; i++)
        if ((int)i != best && finder->scores[i] * (1 + MARGIN) >= finder->scores[best])
            return false;
    return true;
}

static enum support_verdict judge(const struct finder *finder)
{
    const struct support *support = finder->support;
    double words = 0;
    for (size_t i = 0; i < support->sentence_count; i++)
        words += support->sentences[i].weight;
    if (words <= 0 || finder->documents->count == 0)
        return SUPPORT_NOTHING;
    if (support->document < 0 || coverage(support, support->document) < CARRIES)
        return SUPPORT_NOWHERE;
    if (support->cited < 0)
        return stands_out(finder) ? SUPPORT_UNCITED : SUPPORT_UNSURE;
    bool alike =
        coverage(support, support->cited) * (1 + MARGIN) >= coverage(support, support->document);
    double margin = alike ? QUESTION_MARGIN : MARGIN;
    if (finder->scores[support->cited] * (1 + margin) >= finder->scores[support->document])
        return SUPPORT_CITED;
    return stands_out(finder) ? SUPPORT_ELSEWHERE : SUPPORT_UNSURE;
}

void support_check(struct support *support, const char *question, const char *reply, size_t length,
                   const struct document_list *documents, const char *const *markers)
{
    struct finder finder = {.support = support, .documents = documents};
    *support = (struct support){0};
    source_list_read(&support->sources, reply, length, documents, markers);
    if (question != NULL)
        scan_add_text(&finder.scan, question, strlen(question), true);
    scan_add_text(&finder.scan, reply, support->sources.answer_bytes, false);
    for (size_t i = 0; i < documents->count; i++)
        if (documents->items[i].enabled)
            scan_document(&finder.scan, &documents->items[i], (int)i);
    size_t words = finder.scan.word_count + 1;
    finder.rarity = xcalloc(words, sizeof *finder.rarity);
    finder.own = xcalloc(words, sizeof *finder.own);
    finder.weight = xcalloc(words, sizeof *finder.weight);
    finder.stamp = xcalloc(words, sizeof *finder.stamp);
    finder.scores = xcalloc(documents->count + 1, sizeof *finder.scores);
    for (size_t i = 0; i < finder.scan.word_count; i++)
        finder.rarity[i] = scan_rarity(&finder.scan, i);
    read_sentences(&finder, reply);
    find_unknown(&finder, reply);
    find_documents(&finder);
    support->verdict = judge(&finder);
    free(finder.rarity);
    free(finder.own);
    free(finder.weight);
    free(finder.stamp);
    free(finder.scores);
    scan_free(&finder.scan);
}

void support_free(struct support *support)
{
    for (size_t i = 0; i < support->sentence_count; i++) {
        for (size_t k = 0; k < support->sentences[i].passage_count; k++)
            free(support->sentences[i].passages[k].words);
        free(support->sentences[i].passages);
    }
    free(support->sentences);
    free(support->unknown);
    source_list_free(&support->sources);
    *support = (struct support){0};
}

/* --- for the user ----------------------------------------------------------------------------- */

const struct support_passage *support_best(const struct support *support, int document)
{
    const struct support_passage *best = NULL;
    double most = 0;
    for (size_t i = 0; i < support->sentence_count; i++) {
        const struct support_sentence *sentence = &support->sentences[i];
        for (size_t k = 0; k < sentence->passage_count; k++) {
            const struct support_passage *passage = &sentence->passages[k];
            double score = sentence->weight * passage->score * passage->score;
            if ((document < 0 || passage->document == document) && score > most) {
                most = score;
                best = passage;
            }
        }
    }
    return best;
}

static void say_verdict(const struct support *support, const struct document_list *documents,
                        struct strbuf *out)
{
    const char *best = support->document >= 0 ? documents->items[support->document].name : "";
    const char *cited = support->cited >= 0 ? documents->items[support->cited].name : "";
    if (support->verdict == SUPPORT_ELSEWHERE)
        strbuf_printf(out, "the answer stands in %s, not in the cited %s", best, cited);
    else if (support->verdict == SUPPORT_UNCITED && support->sources.line_count > 0)
        strbuf_printf(out, "the source names no document; the answer stands in %s", best);
    else if (support->verdict == SUPPORT_UNCITED && documents->count > 1)
        strbuf_printf(out, "the answer stands in %s", best);
    else if (support->verdict == SUPPORT_UNSURE)
        strbuf_puts(out, "several documents have the answer's words: see which one says it");
    else if (support->verdict == SUPPORT_NOWHERE)
        strbuf_puts(out, "no document has the answer's words in one place: check it");
}

char *support_summary(const struct support *support, const struct document_list *documents)
{
    struct strbuf out = {0};
    say_verdict(support, documents, &out);
    for (size_t i = 0; i < support->sources.count && out.length < 2000; i++) {
        char *difference = source_difference(&support->sources, i, documents);
        if (difference != NULL)
            strbuf_printf(&out, "%s%s", out.length > 0 ? "; " : "", difference);
        free(difference);
    }
    return out.length > 0 ? strbuf_detach(&out) : NULL;
}
