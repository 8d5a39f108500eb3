#include "engine/eval/haystack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"

#define TRIES_MAX 200 /* for a fact that asks nothing which is asked already */

/* What stands around a block's metadata and text, for counting. */
#define DELIMITERS "BEGININPUT\nBEGINCONTEXT\nENDCONTEXT\n\nENDINPUT\n"

struct building {
    struct haystack *haystack;
    const struct haystack_size *size;
    const struct tokenizer *tokenizer;
    struct strbuf text; /* of the block at hand */
    const char *separator;
};

static size_t cost(const struct tokenizer *tokenizer, const char *text)
{
    struct token_list tokens = {0};
    if (tokenizer == NULL)
        return 1;
    tokenizer_encode(tokenizer, text, strlen(text), false, &tokens);
    size_t count = tokens.count;
    token_list_free(&tokens);
    return count;
}

/* --- metadata --------------------------------------------------------------------------------- */

static void put_site(struct eval_world *world, struct strbuf *out)
{
    static const char *const ends[] = {".com", ".org", ".net", ".example", ".info"};
    eval_world_word(world, out);
    strbuf_puts(out, ends[eval_random_below(&world->random, 5)]);
}

static void make_date(struct eval_world *world, struct strbuf *out)
{
    uint32_t year = eval_random_between(&world->random, 1960, 2029);
    uint32_t month = eval_random_between(&world->random, 1, 12);
    strbuf_printf(out, "%u-%02u-%02u", year, month, eval_random_between(&world->random, 1, 28));
}

static void make_url(struct eval_world *world, struct strbuf *out)
{
    strbuf_puts(out, "https://");
    put_site(world, out);
    strbuf_putc(out, '/');
    if (eval_random_chance(&world->random, 50))
        eval_world_word(world, out);
    else
        strbuf_printf(out, "%u", eval_random_between(&world->random, 1, 9999));
}

static void make_file(struct eval_world *world, struct strbuf *out)
{
    static const char *const ends[] = {".txt", ".txt", ".md", ".html", ".log"};
    eval_world_word(world, out);
    strbuf_puts(out, ends[eval_random_below(&world->random, 5)]);
}

static void make_title(struct eval_world *world, struct strbuf *out)
{
    strbuf_puts(out, eval_random_chance(&world->random, 50) ? "Notes on " : "The history of ");
    eval_world_value(world, 'W', out);
}

static void make_author(struct eval_world *world, struct strbuf *out)
{
    eval_world_value(world, 'p', out);
}

static void make_page(struct eval_world *world, struct strbuf *out)
{
    strbuf_printf(out, "%u", eval_random_between(&world->random, 1, 400));
}

static void make_id(struct eval_world *world, struct strbuf *out)
{
    eval_world_value(world, 'k', out);
}

static const struct {
    const char *key;
    void (*make)(struct eval_world *world, struct strbuf *out);
} pairs[] = {{"date", make_date},   {"url", make_url},       {"file", make_file},
             {"title", make_title}, {"author", make_author}, {"page", make_page},
             {"id", make_id}};
#define PAIRS (sizeof pairs / sizeof *pairs)
/* The sets of keys, as bits of `pairs`; date and url most often, as in the card. */
static const unsigned key_sets[] = {3, 3, 3, 3, 4, 4, 5, 9, 12, 17, 25, 36, 64, 65, 82, 10, 127};

/* Sets the pairs; returns their tokens and those of the delimiters. */
static size_t add_metadata(struct building *building, struct document *document)
{
    struct eval_world *world = &building->haystack->world;
    unsigned keys = key_sets[eval_random_below(&world->random, sizeof key_sets / sizeof *key_sets)];
    struct strbuf lines = {0};
    strbuf_puts(&lines, DELIMITERS);
    for (size_t i = 0; i < PAIRS; i++) {
        struct strbuf value = {0};
        if ((keys >> i & 1) == 0)
            continue;
        pairs[i].make(world, &value);
        document_set_pair(document, pairs[i].key, strbuf_text(&value), NULL);
        strbuf_printf(&lines, "%s: %s\n", pairs[i].key, strbuf_text(&value));
        strbuf_free(&value);
    }
    size_t tokens = cost(building->tokenizer, strbuf_text(&lines));
    strbuf_free(&lines);
    return tokens;
}

/* --- facts ------------------------------------------------------------------------------------ */

static bool is_new(const struct haystack *haystack, const struct eval_fact *fact)
{
    for (size_t i = 0; i < fact->question_count; i++)
        if (seen_has(&haystack->questions, fact->questions[i].question))
            return false;
    return fact->question_count > 0;
}

static bool make_new(struct haystack *haystack, int kind, struct eval_fact *out)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        eval_fact_make(out, &haystack->world, kind);
        if (is_new(haystack, out))
            return true;
        eval_fact_free(out);
    }
    return false;
}

static void keep(struct haystack *haystack, const struct eval_fact *fact, int block)
{
    if (haystack->count == haystack->capacity) {
        haystack->capacity = haystack->capacity > 0 ? 2 * haystack->capacity : 16;
        haystack->facts =
            xreallocarray(haystack->facts, haystack->capacity, sizeof *haystack->facts);
    }
    for (size_t i = 0; i < fact->question_count; i++)
        seen_add(&haystack->questions, fact->questions[i].question);
    haystack->facts[haystack->count++] = (struct haystack_fact){*fact, block, haystack->tokens};
}

/* A sentence as it would stand after what the block has. */
static char *joined(const struct building *building, const char *sentence)
{
    return xasprintf("%s%s", building->text.length > 0 ? building->separator : "", sentence);
}

static void put_sentence(struct building *building, const char *sentence)
{
    char *text = joined(building, sentence);
    strbuf_puts(&building->text, text);
    free(text);
}

/* False when there is no room for it. The first fact of a block always has room. */
static bool add_fact(struct building *building, int block, bool first)
{
    struct haystack *haystack = building->haystack;
    size_t most = building->size->tokens;
    struct eval_fact fact;
    if (!make_new(haystack, -1, &fact))
        return false;
    char *text = joined(building, fact.sentence);
    size_t tokens = cost(building->tokenizer, text);
    free(text);
    if (!first && most > 0 && haystack->tokens + tokens > most) {
        eval_fact_free(&fact);
        return false;
    }
    put_sentence(building, fact.sentence);
    keep(haystack, &fact, block);
    haystack->tokens += tokens;
    return true;
}

/* What this block may reach: an equal share of the whole for each. */
static bool block_is_full(const struct building *building, unsigned block)
{
    const struct haystack_size *size = building->size;
    const struct haystack *haystack = building->haystack;
    bool last = block + 1 == size->blocks;
    if (size->facts > 0 && haystack->count >= size->facts * (block + 1) / size->blocks)
        return true;
    return !last && size->tokens > 0 &&
           haystack->tokens >= size->tokens * (block + 1) / size->blocks;
}

static void make_block(struct building *building, unsigned block)
{
    static const char *const separators[] = {" ", " ", " ", " ", "\n", "\n\n"};
    struct haystack *haystack = building->haystack;
    struct eval_random *random = &haystack->world.random;
    char name[24];
    building->separator = separators[eval_random_below(random, 6)];
    document_add_text(&haystack->documents, "", "", 0);
    struct document *document = &haystack->documents.items[haystack->documents.count - 1];
    snprintf(name, sizeof name, "block %u", block + 1);
    free(document->name);
    document->name = xstrdup(name);
    haystack->tokens += add_metadata(building, document);
    bool first = true, planting = haystack->planted == (int)block;
    size_t before = eval_random_below(random, 4); /* facts before the planted sentence */
    do {
        if (planting && before-- == 0) {
            put_sentence(building, building->size->planted);
            planting = false;
        }
        if (!add_fact(building, (int)block, first))
            break;
        first = false;
    } while (!block_is_full(building, block));
    if (planting)
        put_sentence(building, building->size->planted);
    free(document->text);
    document->length = building->text.length;
    document->text = strbuf_detach(&building->text);
}

void haystack_make(struct haystack *haystack, uint64_t seed, uint64_t stream,
                   const struct haystack_size *size, const struct tokenizer *tokenizer)
{
    *haystack = (struct haystack){.world = eval_world_begin(seed, stream), .planted = -1};
    struct building building = {haystack, size, tokenizer, {0}, " "};
    if (size->planted != NULL)
        haystack->planted = (int)eval_random_below(&haystack->world.random, size->blocks);
    for (unsigned block = 0; block < size->blocks; block++)
        make_block(&building, block);
    strbuf_free(&building.text);
}

void haystack_free(struct haystack *haystack)
{
    for (size_t i = 0; i < haystack->count; i++)
        eval_fact_free(&haystack->facts[i].fact);
    free(haystack->facts);
    document_list_free(&haystack->documents);
    seen_free(&haystack->questions);
    eval_world_free(&haystack->world);
    *haystack = (struct haystack){0};
}

/* --- asking ----------------------------------------------------------------------------------- */

const struct haystack_fact *haystack_at(const struct haystack *haystack, unsigned percent)
{
    size_t last = haystack->facts[haystack->count - 1].position;
    size_t first = haystack->facts[0].position;
    size_t wanted = first + (last - first) * percent / 100, best = 0;
    for (size_t i = 0; i < haystack->count; i++) {
        size_t at = haystack->facts[i].position, was = haystack->facts[best].position;
        size_t off = at > wanted ? at - wanted : wanted - at;
        if (off < (was > wanted ? was - wanted : wanted - was))
            best = i;
    }
    return &haystack->facts[best];
}

void haystack_absent(struct haystack *haystack, bool same_kind, struct eval_fact *out)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        int kind = -1;
        if (same_kind) {
            uint32_t which = eval_random_below(&haystack->world.random, (uint32_t)haystack->count);
            kind = (int)haystack->facts[which].fact.kind;
        }
        if (make_new(haystack, kind, out))
            return;
    }
    eval_fact_make(out, &haystack->world, 0); /* of invented names alone: always new */
}
