#include "engine/chat/lorebook_scan.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"

/* --- one text, as it is and folded ------------------------------------------------------------ */

struct folded {
    char *exact, *folded;
    size_t exact_length, folded_length;
    int message;
    size_t parent;
};

/* Without regard to case; text that is not UTF-8 has its ASCII letters folded. */
static char *fold(const char *text, size_t length, size_t *folded_length)
{
    size_t size = 0;
    uint8_t *folded = u8_casefold((const uint8_t *)text, length, NULL, NULL, NULL, &size);
    if (folded != NULL) {
        char *copy = xmalloc(size + 1);
        memcpy(copy, folded, size);
        copy[size] = '\0';
        free(folded);
        *folded_length = size;
        return copy;
    }
    char *copy = xmalloc(length + 1);
    for (size_t i = 0; i < length; i++)
        copy[i] = (char)tolower((unsigned char)text[i]);
    copy[length] = '\0';
    *folded_length = length;
    return copy;
}

static struct folded text_fold(const char *text, size_t length, int message, size_t parent)
{
    struct folded out = {.message = message, .parent = parent, .exact_length = length};
    out.exact = xmalloc(length + 1);
    if (length > 0)
        memcpy(out.exact, text, length);
    out.exact[length] = '\0';
    out.folded = fold(out.exact, length, &out.folded_length);
    return out;
}

static void texts_free(struct folded *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(texts[i].exact);
        free(texts[i].folded);
    }
    free(texts);
}

/* --- a key in a text -------------------------------------------------------------------------- */

/* Letters of scripts that part words by spaces; the others (from U+2E80 on) have no such ends. */
static bool is_word(uint32_t code)
{
    return code < 0x2E80 && (uc_is_alnum(code) || code == '_');
}

static uint32_t code_before(const char *text, size_t at)
{
    uint32_t code;
    size_t begin = at - 1;
    while (begin > 0 && at - begin < 4 && ((unsigned char)text[begin] & 0xC0) == 0x80)
        begin--;
    utf8_decode(text + begin, at - begin, &code);
    return code;
}

static uint32_t code_at(const char *text, size_t length)
{
    uint32_t code;
    utf8_decode(text, length, &code);
    return code;
}

static bool key_stands(const char *text, size_t length, const char *key, size_t key_length)
{
    bool word_begin = is_word(code_at(key, key_length));
    bool word_end = is_word(code_before(key, key_length));
    for (size_t at = 0; key_length <= length - at;) {
        const char *found = memmem(text + at, length - at, key, key_length);
        if (found == NULL)
            return false;
        size_t begin = (size_t)(found - text), end = begin + key_length;
        if ((!word_begin || begin == 0 || !is_word(code_before(text, begin))) &&
            (!word_end || end == length || !is_word(code_at(text + end, length - end))))
            return true;
        at = begin + 1;
    }
    return false;
}

/* The first key of the list in the text, SIZE_MAX if none. Adds to *work. */
static size_t find_key(const struct lore_entry *entry, char *const *keys, size_t count,
                       const struct folded *text, size_t *work)
{
    for (size_t i = 0; i < count && *work < LORE_WORK_MAX; i++) {
        bool stands;
        *work += text->exact_length;
        if (entry->case_sensitive) {
            stands = key_stands(text->exact, text->exact_length, keys[i], strlen(keys[i]));
        } else {
            size_t length;
            char *key = fold(keys[i], strlen(keys[i]), &length);
            stands = length > 0 && key_stands(text->folded, text->folded_length, key, length);
            free(key);
        }
        if (stands)
            return i;
    }
    return SIZE_MAX;
}

/* --- scanning --------------------------------------------------------------------------------- */

struct scan {
    const struct lorebook *book;
    struct folded *texts; /* of this round */
    size_t text_count;
    bool *fired; /* by entry */
    size_t work; /* bytes looked through so far */
    struct lore_hits *out;
    lore_count_tokens count_tokens;
    void *user;
};

static void add_hit(struct scan *scan, size_t entry, const char *key, int message, size_t parent)
{
    struct lore_hits *out = scan->out;
    const char *content = lore_content(&scan->book->entries[entry]);
    scan->fired[entry] = true;
    out->items[out->count++] = (struct lore_hit){
        entry,  key,        message,
        parent, LORE_FIRED, scan->count_tokens(scan->user, content, strlen(content))};
}

static bool any_secondary(struct scan *scan, const struct lore_entry *entry)
{
    for (size_t i = 0; i < scan->text_count; i++)
        if (find_key(entry, entry->secondary_keys, entry->secondary_count, &scan->texts[i],
                     &scan->work) != SIZE_MAX)
            return true;
    return false;
}

static void try_entry(struct scan *scan, size_t index)
{
    const struct lore_entry *entry = &scan->book->entries[index];
    for (size_t i = 0; i < scan->text_count; i++) {
        size_t key = find_key(entry, entry->keys, entry->key_count, &scan->texts[i], &scan->work);
        if (key == SIZE_MAX)
            continue;
        if (!entry->selective || entry->secondary_count == 0 || any_secondary(scan, entry))
            add_hit(scan, index, entry->keys[key], scan->texts[i].message, scan->texts[i].parent);
        return;
    }
}

static void first_round(struct scan *scan, const struct lore_text *texts, size_t count)
{
    size_t depth = count < scan->book->scan_depth ? count : scan->book->scan_depth;
    size_t left = LORE_SCAN_BYTES;
    scan->texts = xcalloc(depth, sizeof *scan->texts);
    for (size_t i = 0; i < depth && left > 0; i++) {
        const struct lore_text *text = &texts[count - 1 - i];
        size_t length = text->length < left ? text->length : left;
        scan->texts[scan->text_count++] =
            text_fold(text->text + (text->length - length), length, text->message, 0);
        left -= length;
    }
    for (size_t i = 0; i < scan->book->count; i++) {
        const struct lore_entry *entry = &scan->book->entries[i];
        if (entry->enabled && entry->constant)
            add_hit(scan, i, NULL, LORE_CONSTANT, 0);
        else if (entry->enabled && !entry->use_regex)
            try_entry(scan, i);
    }
}

/* Scans what fired since hit `from`. */
static void next_round(struct scan *scan, size_t from)
{
    size_t count = scan->out->count - from, left = LORE_SCAN_BYTES;
    texts_free(scan->texts, scan->text_count);
    scan->texts = xcalloc(count, sizeof *scan->texts);
    scan->text_count = 0;
    for (size_t i = 0; i < count && left > 0; i++) {
        size_t entry = scan->out->items[from + i].entry;
        const char *content = lore_content(&scan->book->entries[entry]);
        size_t length = strnlen(content, left);
        scan->texts[scan->text_count++] = text_fold(content, length, LORE_RECURSION, entry);
        left -= length;
    }
    for (size_t i = 0; i < scan->book->count; i++) {
        const struct lore_entry *entry = &scan->book->entries[i];
        if (entry->enabled && !entry->use_regex && !scan->fired[i])
            try_entry(scan, i);
    }
}

/* --- the budget ------------------------------------------------------------------------------- */

static int by_importance(const void *a, const void *b, void *user)
{
    const struct lorebook *book = user;
    const struct lore_hit *x = a, *y = b;
    const struct lore_entry *left = &book->entries[x->entry], *right = &book->entries[y->entry];
    if (left->priority != right->priority)
        return left->priority < right->priority ? 1 : -1;
    if (left->insertion_order != right->insertion_order)
        return left->insertion_order < right->insertion_order ? -1 : 1;
    return x->entry < y->entry ? -1 : 1;
}

static int by_insertion(const void *a, const void *b, void *user)
{
    const struct lorebook *book = user;
    const struct lore_hit *x = a, *y = b;
    long left = book->entries[x->entry].insertion_order;
    long right = book->entries[y->entry].insertion_order;
    if (left != right)
        return left < right ? -1 : 1;
    return x->entry < y->entry ? -1 : 1;
}

static enum lore_state state_of(const struct lore_hits *hits, size_t entry)
{
    for (size_t i = 0; i < hits->count; i++)
        if (hits->items[i].entry == entry)
            return hits->items[i].state;
    return LORE_OVER_BUDGET;
}

/* A budget of 0 is none. */
static void keep_budget(struct scan *scan)
{
    struct lore_hits *out = scan->out;
    size_t budget = scan->book->token_budget > 0 ? scan->book->token_budget : SIZE_MAX, used = 0;
    qsort_r(out->items, out->count, sizeof *out->items, by_importance,
            (void *)(uintptr_t)scan->book);
    for (size_t i = 0; i < out->count; i++) {
        struct lore_hit *hit = &out->items[i];
        if (hit->tokens > budget - used)
            hit->state = LORE_OVER_BUDGET;
        else
            used += hit->tokens;
    }
    for (int round = 0; round < LORE_RECURSION_MAX; round++)
        for (size_t i = 0; i < out->count; i++) {
            struct lore_hit *hit = &out->items[i];
            if (hit->state == LORE_FIRED && hit->message == LORE_RECURSION &&
                state_of(out, hit->parent) != LORE_FIRED)
                hit->state = LORE_LOST_PARENT;
        }
}

/* Tells of the entries that might have fired but were not looked for. */
static void note_unscanned(struct scan *scan)
{
    for (size_t i = 0; i < scan->book->count; i++) {
        const struct lore_entry *entry = &scan->book->entries[i];
        bool over = scan->work >= LORE_WORK_MAX && entry->key_count > 0;
        if (!entry->enabled || scan->fired[i] || !(entry->use_regex || over))
            continue;
        add_hit(scan, i, NULL, LORE_CONSTANT, 0);
        scan->out->items[scan->out->count - 1].state =
            entry->use_regex ? LORE_UNREADABLE : LORE_UNSCANNED;
    }
}

void lorebook_scan(const struct lorebook *book, const struct lore_text *texts, size_t count,
                   lore_count_tokens count_tokens, void *user, struct lore_hits *out)
{
    struct scan scan = {.book = book, .out = out, .count_tokens = count_tokens, .user = user};
    *out = (struct lore_hits){.items = xcalloc(book->count, sizeof *out->items)};
    scan.fired = xcalloc(book->count, sizeof *scan.fired);
    first_round(&scan, texts, count);
    for (size_t round = 0, from = 0;
         book->recursive && round < LORE_RECURSION_MAX && from < out->count; round++) {
        size_t before = out->count;
        next_round(&scan, from);
        from = before;
    }
    keep_budget(&scan);
    note_unscanned(&scan);
    qsort_r(out->items, out->count, sizeof *out->items, by_insertion, (void *)(uintptr_t)book);
    for (size_t i = 0; i < out->count; i++)
        out->tokens += out->items[i].state == LORE_FIRED ? out->items[i].tokens : 0;
    texts_free(scan.texts, scan.text_count);
    free(scan.fired);
}

void lore_hits_free(struct lore_hits *hits)
{
    free(hits->items);
    *hits = (struct lore_hits){0};
}
