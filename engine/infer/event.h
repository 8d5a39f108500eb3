/*
 * event.h - what a generator tells the interface. Events carry meaning, never colours or escape
 * sequences. The receiver owns an event's memory: event_free.
 */
#ifndef AIRO_INFER_EVENT_H
#define AIRO_INFER_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/chat/segment.h"

enum event_kind {
    EVENT_PROGRESS, /* the prompt is being read */
    EVENT_TEXT,     /* whole characters of the reply, and the ids they came from */
    EVENT_USAGE,    /* exact counters, at most some tens a second */
    EVENT_CHOICES,  /* what a probe found; DONE follows */
    EVENT_COUNT,    /* what count_later found: `generation` is its ticket; nothing follows */
    EVENT_BACKEND,  /* the device failed: the model is being loaded again (`text` is ""), or has
                     * been, on `text`; of no generation */
    EVENT_DONE,     /* the reply is complete; always the last event of a generation but ERROR */
    EVENT_ERROR,    /* the generation failed; what came before is kept */
};

enum stop_reason { STOP_EOS, STOP_STRING, STOP_LENGTH, STOP_CONTEXT, STOP_CANCELLED };

/* All in tokens unless the name says otherwise. Every number is the engine's own count. A forced
 * beginning counts as part of the reply, not of the prompt. */
struct usage {
    size_t parts[PARTS];        /* of the prompt, by part */
    size_t prompt;              /* all of the prompt */
    size_t prompt_reused;       /* of it, found in the cache or on disk */
    size_t prompt_restored;     /* of those reused, read from disk just now */
    size_t prompt_done;         /* of it, evaluated or reused so far */
    size_t reply;               /* generated so far */
    size_t reserve;             /* kept free for the rest of the reply */
    size_t context;             /* the most there can be */
    uint64_t steps;             /* that the reply has taken after its first token */
    uint64_t drafted, accepted; /* tokens of drafts evaluated, and those kept */
    double draft_gain;          /* its speed over plain decoding's; 0: no drafts */
    bool kv_disk_stopped;       /* the disk is full or failed: nothing is kept there */
    uint64_t kv_used_bytes;     /* pages of this generation */
    uint64_t kv_shared_bytes;   /* of them, held by other generations too */
    uint64_t kv_free_bytes;     /* of the pool, held by none */
    uint64_t evaluated; /* tokens run through the model since it was loaded, and not taken back */
    double prefill_seconds, decode_seconds; /* of this generation, so far */
};

/* One of the most likely next tokens. */
struct token_choice {
    int32_t id;
    float log_probability; /* natural logarithm, of the softmax at temperature 1, no sampler */
    bool special;          /* ends the reply or is never sampled; `text` is its spelling */
    char *text;            /* what it would add to the text in that place, NUL-terminated; a part of
                            * a character that does not complete it reads as U+FFFD */
};

struct event {
    enum event_kind kind;
    uint64_t generation; /* the id that start() gave, or count_later's ticket */
    uint32_t slot;       /* COUNT: as given to count_later */
    char *text;          /* TEXT, BACKEND, NUL-terminated UTF-8 */
    size_t length;
    struct token_list tokens;     /* TEXT: ids, never special ones */
    struct usage usage;           /* PROGRESS, USAGE, DONE, ERROR; COUNT: `parts` and `prompt` */
    struct token_choice *choices; /* CHOICES: likeliest first */
    size_t choice_count;
    enum stop_reason reason; /* DONE */
    struct error error;      /* ERROR */
};

void event_free(struct event *event);

#endif
