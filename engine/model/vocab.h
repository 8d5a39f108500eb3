/*
 * vocab.h - the pieces of a SentencePiece vocabulary and the ways to look them up.
 *
 * Filled by vocab_read.h and added_tokens.h, then finished once (vocab_finish) and immutable. A
 * piece is found by its text only when encoding may produce it: NORMAL, USER_DEFINED and UNUSED.
 * Control, unknown, byte and added pieces are found by name (vocab_special) and never by text.
 */
#ifndef AIRO_MODEL_VOCAB_H
#define AIRO_MODEL_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/strbuf.h"

#define VOCAB_PIECES_MAX (1u << 20)
#define PIECE_BYTES_MAX  1024
#define PIECE_NONE       UINT32_MAX

/* The values are those of the file format; PIECE_ADDED and PIECE_ABSENT are ours. */
enum piece_type {
    PIECE_NORMAL = 1,
    PIECE_UNKNOWN = 2,
    PIECE_CONTROL = 3,
    PIECE_USER_DEFINED = 4,
    PIECE_UNUSED = 5,
    PIECE_BYTE = 6,
    PIECE_ADDED = 7,  /* from the JSON files, shown as text */
    PIECE_ABSENT = 8, /* a gap between ids */
};

struct piece {
    uint32_t text; /* offset into vocab.texts; NUL-terminated there */
    uint16_t length;
    uint8_t type;
    uint8_t byte; /* of a byte piece */
    float score;
    uint32_t rank; /* 0 is the best score; equal scores share one */
};

/* Another name of a special piece. */
struct alias {
    char *name;
    uint32_t id;
};

struct vocab {
    struct piece *pieces;
    uint32_t count, capacity;
    uint32_t ranks; /* how many different ranks */
    struct strbuf texts;
    struct alias *aliases;
    size_t alias_count;

    /* From the trainer's and the normaliser's settings. */
    bool byte_fallback, dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
    char *bos_name, *eos_name, *unknown_text;

    uint32_t bytes[256]; /* ids of the byte pieces, when byte_fallback */
    uint32_t unknown;
    uint32_t longest; /* bytes of the longest piece that text can become */
    bool has_unused;

    uint64_t seed;   /* of the hash, so that a file cannot choose its collisions */
    uint32_t *slots; /* [slot_mask + 1] ids, PIECE_NONE where empty */
    uint32_t slot_mask;
    uint32_t *user_defined; /* ids, ordered by text */
    uint32_t user_defined_count;
};

void vocab_init(struct vocab *vocab);
void vocab_free(struct vocab *vocab);

/* Appends a piece; `what` names the file and the piece in errors. Text must be valid UTF-8 without
 * NUL, 1 to PIECE_BYTES_MAX bytes. */
int vocab_add(struct vocab *vocab, const char *text, size_t length, float score,
              enum piece_type type, const char *what, struct error *error);
void vocab_add_alias(struct vocab *vocab, const char *name, uint32_t id);

/* Checks what concerns all pieces together and builds the tables. `source` is the file's path. */
int vocab_finish(struct vocab *vocab, const char *source, struct error *error);

/* The piece that this text becomes, or PIECE_NONE. */
uint32_t vocab_find(const struct vocab *vocab, const char *text, size_t length);
/* Bytes of the longest user-defined piece that text[0..length) begins with; 0: none. */
size_t vocab_match_user_defined(const struct vocab *vocab, const char *text, size_t length);
/* The id of a control, unknown or added piece by name, or PIECE_NONE. */
uint32_t vocab_special(const struct vocab *vocab, const char *name);

const char *vocab_text(const struct vocab *vocab, uint32_t id);

#endif
