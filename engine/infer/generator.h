/*
 * generator.h - the reply seam: segments in, events out. The interface knows nothing below it.
 *
 * Implementations: local (local.c: a thread with a model), fake (fake.c: a script, for tests);
 * remote servers come later. All calls but generator_free are made by one thread, the interface's;
 * none of them blocks for longer than a lock is held.
 */
#ifndef AIRO_INFER_GENERATOR_H
#define AIRO_INFER_GENERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/grammar.h"
#include "engine/chat/segment.h"
#include "engine/infer/event.h"
#include "engine/infer/sampler.h"
#include "engine/model/model.h"

enum { DRAFT_AUTO = 0, DRAFT_OFF = -1 };

struct generation_request {
    /* The whole prompt, always; borrowed during start(). When it ends with content or a reply's own
     * tokens, the reply continues them; otherwise its first word loses its leading space. */
    struct segment_list segments;
    struct sampling sampling;
    uint32_t max_tokens;      /* of the reply; 0 = what the context leaves */
    const char *const *stops; /* strings that end the reply and are not part of it; one that
                               * spells a special token stands for that token */
    size_t stop_count;
    bool ignore_eos; /* for benchmarks and `run --raw` on request */
    /* The reply's forced beginning, or NULL: text ("Anna:"; best without a space at its end),
     * tokenised as the first words of a reply. It comes as the first EVENT_TEXT, with its ids, and
     * the reply goes on after it; it counts towards max_tokens; stops do not apply to it. */
    const char *begin;
    /* The same as exact ids, in place of `begin`; borrowed during start(). No special ones. */
    const int32_t *begin_tokens;
    size_t begin_count; /* 0: none */
    /* What the reply's text may be, its forced beginning included; NULL: any. Borrowed during
     * start(). */
    const struct grammar *grammar;
    /* 1 .. PROBE_MAX: no reply. What would follow the prompt (and its forced beginning) is
     * evaluated, EVENT_CHOICES brings that many of the likeliest next tokens, and DONE follows
     * (STOP_LENGTH). Evaluates one token when the rest is cached. */
    uint32_t probe;
    /* Prompt lookup, which changes the speed of a reply and nothing else: DRAFT_AUTO as many tokens
     * at once as promise to pay, DRAFT_OFF none, 1 .. DRAFT_MAX (draft.h) always that many. */
    int draft;
};

#define PROBE_MAX 64

struct generator;

struct generator_ops {
    /* Exact token counts by part (parts [PARTS]) and in all. */
    int (*count)(struct generator *generator, const struct segment_list *segments, size_t *parts,
                 size_t *total, struct error *error);
    /* The same without waiting: another thread counts, and EVENT_COUNT brings `parts` and `prompt`
     * under this ticket (never equal to a generation's id). Takes the segments over; they are empty
     * afterwards. One request of each slot waits at most: a newer one replaces it, and no event
     * comes for the replaced one. Give each chat its own slot. */
    void (*count_later)(struct generator *generator, struct segment_list *segments, uint32_t slot,
                        uint64_t *ticket);
    /* Begins a reply; several may run at once. ERROR_INPUT when the prompt does not fit. */
    int (*start)(struct generator *generator, const struct generation_request *request,
                 uint64_t *generation, struct error *error);
    /* 1: *event filled; 0: nothing now. Never blocks. */
    int (*next)(struct generator *generator, struct event *event);
    /* Stops one generation; DONE with STOP_CANCELLED follows within 200 ms. */
    void (*cancel)(struct generator *generator, uint64_t generation);
    /* A file descriptor that polls readable while next() has something. */
    int (*wake_fd)(struct generator *generator);
    /* NULL for generators without one (remote, fake without vocabulary). */
    const struct tokenizer *(*tokenizer)(struct generator *generator);
    uint32_t (*context)(struct generator *generator);
    /* Bytes of keys and values that are still to be written to disk; free() does not wait for them.
     * A program that answers once and ends waits until this is 0. */
    uint64_t (*unsaved_bytes)(struct generator *generator);
    /* "vaquita", "CPU AVX-512 VNNI, 2 threads": for the gauge. Owned by the generator; an
     * EVENT_BACKEND changes the latter. */
    const char *(*model_name)(struct generator *generator);
    const char *(*backend_name)(struct generator *generator);
    void (*free)(struct generator *generator);
};

/* Implementations begin with this. */
struct generator {
    const struct generator_ops *ops;
};

/* Where the keys and values of prompts and replies are kept between runs, so that a long prompt
 * which was read once is there at once. */
struct kv_disk_options {
    const char *directory; /* made with mode 0700; other processes may use it too */
    uint64_t cap_bytes;    /* of all files in it; the least recently used go first */
    double read_bytes_s;   /* the disk's speed until it has been measured; 0: 300 MB/s */
};

/* The local generator: takes the model over (closes it in free) and starts the engine thread. On
 * error the model is still the caller's. `disk` NULL or with a cap of 0: nothing is kept on disk. A
 * directory that cannot be used is no error: nothing is kept then either. */
int generator_local_open(struct generator **out, struct model *model,
                         const struct kv_disk_options *disk, struct error *error);

/* The scripted fake. Replies are taken from `script` in order, again from the first when used up;
 * "\n---\n" parts replies. Text comes out in pieces of a few characters, one piece each
 * `piece_ms` (0: as fast as next() is called); tokens are counted as one per 4 bytes. A reply
 * that begins with "!error " fails with the rest as its message. A probe takes no reply; its
 * choices are those of the part that begins with "!choices " (texts parted by '|', each half as
 * likely as the one before), or else a fixed few; such a part is no reply. */
struct generator *generator_fake_open(const char *script, unsigned piece_ms, uint32_t context);

#endif
