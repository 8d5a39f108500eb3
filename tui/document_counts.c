#include "tui/document_counts.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/chat/prompt.h"

#define SAMPLES      16
#define SAMPLE_BYTES 64
#define KEPT_MAX     4096 /* then all are forgotten */

struct count {
    const char *text; /* compared, never read */
    size_t length;
    uint64_t hash; /* of samples of the text, and of the metadata */
    size_t tokens;
};

struct document_counts {
    uint32_t slot;
    struct count *items;
    size_t count;
    struct count asked; /* tokens: none yet */
    uint64_t ticket;    /* 0: nothing is asked for */
};

struct document_counts *document_counts_create(uint32_t slot)
{
    struct document_counts *counts = xcalloc(1, sizeof *counts);
    counts->slot = slot;
    return counts;
}

void document_counts_free(struct document_counts *counts)
{
    if (counts == NULL)
        return;
    free(counts->items);
    free(counts);
}

static uint64_t mix(uint64_t hash, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001B3u;
    return (hash ^ length) * 0x100000001B3u;
}

static struct count key_of(const struct document *document)
{
    size_t length = document->length, step = length / SAMPLES;
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < SAMPLES && length > 0; i++) {
        size_t at = i * step, size = length - at < SAMPLE_BYTES ? length - at : SAMPLE_BYTES;
        hash = mix(hash, document->text + at, size);
    }
    for (size_t i = 0; i < document->pair_count; i++) {
        hash = mix(hash, document->pairs[i].key, strlen(document->pairs[i].key));
        hash = mix(hash, document->pairs[i].value, strlen(document->pairs[i].value));
    }
    return (struct count){.text = document->text, .length = length, .hash = hash};
}

static bool is_same(const struct count *a, const struct count *b)
{
    return a->text == b->text && a->length == b->length && a->hash == b->hash;
}

bool document_counts_find(const struct document_counts *counts, const struct document *document,
                          size_t *tokens)
{
    struct count key = key_of(document);
    for (size_t i = counts->count; i-- > 0;) {
        if (!is_same(&counts->items[i], &key))
            continue;
        *tokens = counts->items[i].tokens;
        return true;
    }
    return false;
}

bool document_counts_busy(const struct document_counts *counts)
{
    return counts->ticket != 0;
}

static void keep(struct document_counts *counts, const struct count *count)
{
    if (counts->count == KEPT_MAX)
        counts->count = 0;
    counts->items = xreallocarray(counts->items, counts->count + 1, sizeof *counts->items);
    counts->items[counts->count++] = *count;
}

/* A prompt of this document alone: its block is what the prompt has of documents. */
void document_counts_ask(struct document_counts *counts, const struct chat *chat,
                         const struct document *document)
{
    struct generator *generator = chat->generator;
    struct segment_list segments = {0};
    const struct prompt_style style = {0};
    struct document one = *document;
    const struct document_list list = {&one, 1, 1};
    one.enabled = true;
    counts->asked = key_of(document);
    if (prompt_build(&segments, chat->template, generator->ops->tokenizer(generator), NULL, "",
                     &list, &style, NULL, NULL) == 0)
        generator->ops->count_later(generator, &segments, counts->slot, &counts->ticket);
    else
        keep(counts, &counts->asked); /* a prompt that cannot be is told of when it is sent */
    segment_list_free(&segments);
}

bool document_counts_event(struct document_counts *counts, const struct event *event)
{
    if (event->kind != EVENT_COUNT || counts->ticket == 0 || event->generation != counts->ticket)
        return false;
    counts->ticket = 0;
    counts->asked.tokens = event->usage.parts[PART_DOCUMENT];
    keep(counts, &counts->asked);
    return true;
}
