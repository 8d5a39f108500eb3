#include "engine/infer/reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/infer/stop.h"

#define UNFINISHED SIZE_MAX /* the id's last character is not complete yet */

/* Offsets are bytes of the whole reply: settled <= released <= decoded. */
struct reply {
    const struct tokenizer *tokenizer;
    struct token_decoder decoder;
    struct stop *stop;
    struct strbuf text;       /* released, not yet taken */
    struct token_list tokens; /* likewise */
    struct token_list held;   /* ids whose text is not released in full */
    size_t *ends;             /* [held.capacity] where the text of each ends, or UNFINISHED */
    struct strbuf held_text;  /* from `settled` to `decoded` */
    struct strbuf scratch;
    size_t settled;  /* where the text of the last released id ends */
    size_t released; /* the text that has come out */
    size_t decoded;
    bool stripped; /* the first id, still to come out, loses its space */
};

struct reply *reply_create(const struct tokenizer *tokenizer, const char *const *stops,
                           size_t stop_count, bool strip_leading_space)
{
    struct reply *reply = xcalloc(1, sizeof *reply);
    reply->tokenizer = tokenizer;
    reply->decoder.strip_leading_space = strip_leading_space;
    reply->stripped = strip_leading_space;
    reply->stop = stop_create(stops, stop_count);
    return reply;
}

void reply_free(struct reply *reply)
{
    if (reply == NULL)
        return;
    stop_free(reply->stop);
    strbuf_free(&reply->text);
    strbuf_free(&reply->held_text);
    strbuf_free(&reply->scratch);
    token_list_free(&reply->tokens);
    token_list_free(&reply->held);
    free(reply->ends);
    free(reply);
}

static void hold(struct reply *reply, int32_t id)
{
    size_t capacity = reply->held.capacity;
    token_list_add(&reply->held, id);
    if (reply->held.capacity != capacity)
        reply->ends = xreallocarray(reply->ends, reply->held.capacity, sizeof *reply->ends);
    reply->ends[reply->held.count - 1] = UNFINISHED;
}

/* The scratch text has been decoded; when no character is pending, every held id is complete. */
static void decoded(struct reply *reply, bool complete)
{
    strbuf_add(&reply->held_text, reply->scratch.data, reply->scratch.length);
    reply->decoded += reply->scratch.length;
    for (size_t i = reply->held.count; complete && i-- > 0 && reply->ends[i] == UNFINISHED;)
        reply->ends[i] = reply->decoded;
}

/* Releases the ids whose text has come out in full. */
static void settle(struct reply *reply)
{
    size_t count = 0, settled = reply->settled;
    while (count < reply->held.count && reply->ends[count] <= reply->released)
        settled = reply->ends[count++];
    if (count == 0)
        return;
    reply->stripped = false;
    token_list_append(&reply->tokens, reply->held.ids, count);
    reply->held.count -= count;
    memmove(reply->held.ids, reply->held.ids + count, reply->held.count * sizeof(int32_t));
    memmove(reply->ends, reply->ends + count, reply->held.count * sizeof *reply->ends);
    strbuf_remove(&reply->held_text, 0, settled - reply->settled);
    reply->settled = settled;
}

/* A token that is cut in two: its kept part gets ids of its own, unless it is only blank. */
void reply_cut(struct reply *reply)
{
    size_t length = reply->released - reply->settled;
    if (strspn(strbuf_text(&reply->held_text), " \n\t") < length)
        tokenizer_encode(reply->tokenizer, reply->held_text.data, length, reply->stripped,
                         &reply->tokens);
    reply->held.count = 0;
    reply->settled = reply->released;
}

void reply_begin(struct reply *reply, const int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        hold(reply, ids[i]);
        strbuf_clear(&reply->scratch);
        token_decoder_push(&reply->decoder, reply->tokenizer, ids[i], &reply->scratch);
        decoded(reply, reply->decoder.pending_length == 0);
        strbuf_add(&reply->text, reply->scratch.data, reply->scratch.length);
        reply->released += reply->scratch.length;
        settle(reply);
    }
}

bool reply_push(struct reply *reply, int32_t id)
{
    size_t before = reply->text.length;
    hold(reply, id);
    strbuf_clear(&reply->scratch);
    token_decoder_push(&reply->decoder, reply->tokenizer, id, &reply->scratch);
    decoded(reply, reply->decoder.pending_length == 0);
    bool found = stop_push(reply->stop, reply->scratch.data, reply->scratch.length, &reply->text);
    reply->released += reply->text.length - before;
    settle(reply);
    return found;
}

void reply_finish(struct reply *reply)
{
    size_t before = reply->text.length;
    strbuf_clear(&reply->scratch);
    token_decoder_flush(&reply->decoder, &reply->scratch);
    decoded(reply, true);
    stop_flush(reply->stop, &reply->text);
    strbuf_add(&reply->text, reply->scratch.data, reply->scratch.length);
    reply->released += reply->text.length - before;
    settle(reply);
}

const struct strbuf *reply_text(const struct reply *reply)
{
    return &reply->text;
}

const struct token_list *reply_tokens(const struct reply *reply)
{
    return &reply->tokens;
}

void reply_clear(struct reply *reply)
{
    strbuf_clear(&reply->text);
    reply->tokens.count = 0;
}
