#include "engine/chat/passages.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "engine/chat/passages_cut.h"

#define QUERY_WORDS_MAX 64
#define RANKED_MAX      20000
#define PROGRESS_BYTES  (1u << 18)
/* So many that do not fit are passed over before the choice is called full. */
#define MISSES_MAX 32

struct paragraph {
    size_t document, number;
    struct text_range range;
};

struct passages {
    const struct document_list *documents;
    struct paragraph *items;
    size_t count, capacity;
    size_t *counts; /* paragraphs of each document */
    sqlite3 *index;
    sqlite3_stmt *insert;
};

/* --- index ------------------------------------------------------------------------------------ */

static int failed(const struct passages *passages, struct error *error)
{
    return error_set(error, ERROR_SYSTEM, "passages: SQLite: %s",
                     passages->index != NULL ? sqlite3_errmsg(passages->index) : "no memory");
}

static int open_index(struct passages *passages, struct error *error)
{
    /* The words come folded already, parted by spaces. */
    static const char schema[] =
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY;"
        "CREATE VIRTUAL TABLE paragraph USING fts5(words, content='',"
        " tokenize=\"ascii tokenchars '.'\");"
        "INSERT INTO paragraph(paragraph, rank) VALUES('hashsize', 33554432);"
        "BEGIN;";
    if (sqlite3_open_v2(":memory:", &passages->index,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK ||
        sqlite3_exec(passages->index, schema, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(passages->index, "INSERT INTO paragraph(rowid, words) VALUES(?, ?)", -1,
                           &passages->insert, NULL) != SQLITE_OK)
        return failed(passages, error);
    return 0;
}

static void fold_words(const char *text, struct text_range range, struct strbuf *out)
{
    struct text_word word;
    strbuf_clear(out);
    for (size_t at = range.begin; text_word_next(text, range.end, &at, &word);) {
        strbuf_add(out, word.folded, word.length);
        strbuf_putc(out, ' ');
    }
}

static int add_paragraph(struct passages *passages, size_t document, struct text_range range,
                         struct strbuf *words, struct error *error)
{
    if (passages->count == passages->capacity) {
        passages->capacity = passages->capacity ? 2 * passages->capacity : 64;
        passages->items =
            xreallocarray(passages->items, passages->capacity, sizeof *passages->items);
    }
    passages->items[passages->count++] =
        (struct paragraph){document, ++passages->counts[document], range};
    fold_words(passages->documents->items[document].text, range, words);
    sqlite3_bind_int64(passages->insert, 1, (sqlite3_int64)passages->count);
    sqlite3_bind_text(passages->insert, 2, strbuf_text(words), (int)words->length, SQLITE_STATIC);
    int result = sqlite3_step(passages->insert);
    sqlite3_reset(passages->insert);
    return result == SQLITE_DONE ? 0 : failed(passages, error);
}

struct progress_state {
    passages_progress report;
    void *user;
    size_t before, told, total; /* bytes */
};

static int tell(struct progress_state *state, size_t done, struct error *error)
{
    if (state->report == NULL || done < state->told + PROGRESS_BYTES)
        return 0;
    state->told = done;
    return state->report(state->user, done, state->total)
               ? 0
               : error_set(error, ERROR_CANCELLED, "passages: stopped");
}

static int index_document(struct passages *passages, size_t number, struct progress_state *state,
                          struct error *error)
{
    const struct document *document = &passages->documents->items[number];
    struct passage_cutter cutter = {0};
    struct text_range range;
    struct strbuf words = {0};
    int result = 0;
    while (result == 0 && passage_cut_next(&cutter, document->text, document->length, &range)) {
        result = add_paragraph(passages, number, range, &words, error);
        if (result == 0)
            result = tell(state, state->before + range.end, error);
    }
    state->before += document->length;
    strbuf_free(&words);
    return result;
}

struct passages *passages_open(const struct document_list *documents, passages_progress progress,
                               void *user, struct error *error)
{
    struct passages *passages = xcalloc(1, sizeof *passages);
    struct progress_state state = {progress, user, 0, 0, 0};
    passages->documents = documents;
    passages->counts = xcalloc(documents->count + 1, sizeof *passages->counts);
    for (size_t i = 0; i < documents->count; i++)
        state.total += documents->items[i].enabled ? documents->items[i].length : 0;
    int result = open_index(passages, error);
    for (size_t i = 0; i < documents->count && result == 0; i++)
        if (documents->items[i].enabled)
            result = index_document(passages, i, &state, error);
    if (result == 0 && sqlite3_exec(passages->index, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        result = failed(passages, error);
    if (result == 0)
        return passages;
    passages_close(passages);
    return NULL;
}

void passages_close(struct passages *passages)
{
    if (passages == NULL)
        return;
    sqlite3_finalize(passages->insert);
    sqlite3_close(passages->index);
    free(passages->items);
    free(passages->counts);
    free(passages);
}

size_t passages_paragraphs(const struct passages *passages, size_t document)
{
    return document < passages->documents->count ? passages->counts[document] : 0;
}

/* --- question --------------------------------------------------------------------------------- */

/* "word" OR "word": folded words have nothing but letters, digits and points in them. */
static char *query_text(const char *question)
{
    struct strbuf query = {0};
    size_t words = 0, length = strlen(question);
    for (int functions = 0; functions < 2 && words == 0; functions++) {
        struct text_word word;
        for (size_t at = 0;
             words < QUERY_WORDS_MAX && text_word_next(question, length, &at, &word);)
            if (!word.function || functions == 1)
                strbuf_printf(&query, "%s\"%s\"", words++ > 0 ? " OR " : "", word.folded);
    }
    return strbuf_detach(&query);
}

struct ranked {
    size_t item;
    double score;
};

/* The matching paragraphs, best first. */
static int rank(struct passages *passages, const char *question, struct ranked **out, size_t *count,
                struct error *error)
{
    static const char sql[] = "SELECT rowid, bm25(paragraph) AS score FROM paragraph"
                              " WHERE paragraph MATCH ? ORDER BY score, rowid LIMIT ?";
    sqlite3_stmt *statement = NULL;
    char *query = query_text(question);
    size_t capacity = 0;
    int step = SQLITE_DONE;
    if (query[0] != '\0') {
        if (sqlite3_prepare_v2(passages->index, sql, -1, &statement, NULL) == SQLITE_OK) {
            sqlite3_bind_text(statement, 1, query, -1, SQLITE_STATIC);
            sqlite3_bind_int(statement, 2, RANKED_MAX);
        }
        while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
            if (*count == capacity) {
                capacity = capacity ? 2 * capacity : 64;
                *out = xreallocarray(*out, capacity, sizeof **out);
            }
            (*out)[(*count)++] = (struct ranked){(size_t)sqlite3_column_int64(statement, 0) - 1,
                                                 -sqlite3_column_double(statement, 1)};
        }
    }
    int result = step == SQLITE_DONE ? 0 : failed(passages, error);
    sqlite3_finalize(statement);
    free(query);
    return result;
}

/* --- choosing --------------------------------------------------------------------------------- */

struct picker {
    struct passages *passages;
    passages_count count;
    void *user;
    size_t budget, used;
    size_t *overhead; /* of each document: its block without text, 0 until it is chosen */
    double *scores;   /* of each paragraph, below 0: not chosen */
    size_t chosen;
};

static size_t count_text(const struct picker *picker, size_t document, const char *text)
{
    struct document block = picker->passages->documents->items[document];
    block.text = (char *)(uintptr_t)text;
    block.length = strlen(text);
    return picker->count(picker->user, &block);
}

/* Chooses a paragraph if it fits, counted as if there were a gap after it. */
static bool choose(struct picker *picker, size_t item, double score)
{
    const struct paragraph *paragraph = &picker->passages->items[item];
    const struct document *document = &picker->passages->documents->items[paragraph->document];
    size_t empty = picker->overhead[paragraph->document];
    bool fresh = empty == 0;
    if (picker->scores[item] >= 0)
        return true;
    if (fresh) /* with a gap before its first passage */
        empty = count_text(picker, paragraph->document, PASSAGES_GAP "\n\n");
    char *text = xasprintf("%.*s\n\n" PASSAGES_GAP "\n\n",
                           (int)(paragraph->range.end - paragraph->range.begin),
                           document->text + paragraph->range.begin);
    size_t both = count_text(picker, paragraph->document, text);
    size_t bare = count_text(picker, paragraph->document, "");
    size_t cost = (both > bare ? both - bare : 0) + (fresh ? empty : 0);
    free(text);
    if (picker->used + cost > picker->budget)
        return false;
    picker->used += cost;
    picker->overhead[paragraph->document] = empty > 0 ? empty : 1;
    picker->scores[item] = score > 0 ? score : 0;
    picker->chosen++;
    return true;
}

static void choose_ranked(struct picker *picker, const struct ranked *ranked, size_t count)
{
    size_t misses = 0;
    for (size_t i = 0; i < count && misses < MISSES_MAX; i++)
        misses += !choose(picker, ranked[i].item, ranked[i].score);
}

/* One paragraph of each document after the other, as far as they go. */
static void choose_beginnings(struct picker *picker)
{
    const struct passages *passages = picker->passages;
    size_t documents = passages->documents->count, going = documents;
    size_t *next = xcalloc(documents + 1, sizeof *next);
    size_t *end = xcalloc(documents + 1, sizeof *end);
    for (size_t i = passages->count; i-- > 0;)
        next[passages->items[i].document] = i;
    for (size_t i = 0; i < documents; i++)
        end[i] = next[i] + passages->counts[i];
    while (going > 0) {
        going = 0;
        for (size_t i = 0; i < documents; i++) {
            if (next[i] == end[i])
                continue;
            next[i] = choose(picker, next[i], 0) ? next[i] + 1 : end[i];
            going++;
        }
    }
    free(next);
    free(end);
}

/* --- what was chosen -------------------------------------------------------------------------- */

static void report_range(struct strbuf *line, size_t first, size_t last, bool begun)
{
    strbuf_printf(line, "%s%zu", begun ? ", " : "", first);
    if (last > first)
        strbuf_printf(line, "-%zu", last);
}

/* "notes.txt: paragraphs 3-4, 17 of 40" for passages [begin, end) of one document. */
static char *report_line(const struct passages *passages, const struct passage *items, size_t begin,
                         size_t end)
{
    struct strbuf line = {0};
    size_t document = items[begin].document;
    strbuf_printf(&line, "%s: paragraph%s ", passages->documents->items[document].name,
                  end - begin > 1 ? "s" : "");
    for (size_t i = begin, last; i < end; i = last + 1) {
        for (last = i; last + 1 < end && items[last + 1].number == items[last].number + 1;)
            last++;
        report_range(&line, items[i].number, items[last].number, i > begin);
    }
    strbuf_printf(&line, " of %zu", passages->counts[document]);
    return strbuf_detach(&line);
}

/* The text of the passages, with their places in it. */
static void join_passages(const struct passages *passages, struct passage *items, size_t begin,
                          size_t end, struct strbuf *out)
{
    const struct document *document = &passages->documents->items[items[begin].document];
    if (items[begin].number > 1)
        strbuf_puts(out, PASSAGES_GAP "\n\n");
    for (size_t i = begin; i < end; i++) {
        if (i > begin && items[i].number == items[i - 1].number + 1)
            strbuf_add(out, document->text + items[i - 1].range.end,
                       items[i].range.begin - items[i - 1].range.end);
        else if (i > begin)
            strbuf_puts(out, "\n\n" PASSAGES_GAP "\n\n");
        items[i].chosen_begin = out->length;
        strbuf_add(out, document->text + items[i].range.begin,
                   items[i].range.end - items[i].range.begin);
    }
    if (items[end - 1].number < passages->counts[items[begin].document])
        strbuf_puts(out, "\n\n" PASSAGES_GAP);
}

static void make_document(const struct passages *passages, struct passages_choice *choice,
                          size_t begin, size_t end)
{
    struct strbuf text = {0};
    size_t number = choice->documents.count;
    join_passages(passages, choice->items, begin, end, &text);
    for (size_t i = begin; i < end; i++)
        choice->items[i].chosen_document = number;
    document_add_copy(&choice->documents,
                      &passages->documents->items[choice->items[begin].document],
                      strbuf_text(&text), text.length);
    choice->report =
        xreallocarray(choice->report, choice->report_count + 1, sizeof *choice->report);
    choice->report[choice->report_count++] = report_line(passages, choice->items, begin, end);
    strbuf_free(&text);
}

static void make_choice(const struct picker *picker, struct passages_choice *choice)
{
    const struct passages *passages = picker->passages;
    choice->items = xcalloc(picker->chosen, sizeof *choice->items);
    for (size_t i = 0; i < passages->count; i++) {
        const struct paragraph *from = &passages->items[i];
        if (picker->scores[i] >= 0)
            choice->items[choice->count++] = (struct passage){
                from->document, from->number, from->range, 0, 0, picker->scores[i]};
    }
    for (size_t begin = 0, end; begin < choice->count; begin = end) {
        for (end = begin + 1;
             end < choice->count && choice->items[end].document == choice->items[begin].document;)
            end++;
        make_document(passages, choice, begin, end);
    }
    choice->tokens = picker->used;
}

int passages_pick(struct passages *passages, const char *question, size_t budget_tokens,
                  passages_count count, void *user, struct passages_choice *choice,
                  struct error *error)
{
    struct picker picker = {passages, count, user, budget_tokens, 0, NULL, NULL, 0};
    struct ranked *ranked = NULL;
    size_t ranked_count = 0;
    *choice = (struct passages_choice){0};
    int result = rank(passages, question, &ranked, &ranked_count, error);
    picker.overhead = xcalloc(passages->documents->count + 1, sizeof *picker.overhead);
    picker.scores = xcalloc(passages->count + 1, sizeof *picker.scores);
    for (size_t i = 0; i < passages->count; i++)
        picker.scores[i] = -1;
    if (result == 0 && ranked_count > 0)
        choose_ranked(&picker, ranked, ranked_count);
    else if (result == 0)
        choose_beginnings(&picker);
    if (result == 0 && picker.chosen == 0)
        result = error_set(error, ERROR_INPUT,
                           "passages: %zu tokens are too few for one paragraph of the documents",
                           budget_tokens);
    if (result == 0) {
        choice->matched = ranked_count > 0;
        make_choice(&picker, choice);
    }
    free(picker.overhead);
    free(picker.scores);
    free(ranked);
    return result;
}

void passages_choice_free(struct passages_choice *choice)
{
    for (size_t i = 0; i < choice->report_count; i++)
        free(choice->report[i]);
    free(choice->report);
    free(choice->items);
    document_list_free(&choice->documents);
    *choice = (struct passages_choice){0};
}

bool passages_origin(const struct passages_choice *choice, size_t chosen_document, size_t byte,
                     size_t *document, size_t *origin)
{
    for (size_t i = 0; i < choice->count; i++) {
        const struct passage *passage = &choice->items[i];
        if (passage->chosen_document != chosen_document || byte < passage->chosen_begin ||
            byte - passage->chosen_begin >= passage->range.end - passage->range.begin)
            continue;
        *document = passage->document;
        *origin = passage->range.begin + (byte - passage->chosen_begin);
        return true;
    }
    return false;
}
