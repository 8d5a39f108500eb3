/* INTERIM (from the lead, so that others can run): the tokenizer engineer overwrites or deletes tokenizer.c, tokenizer_{encode,decode,model,private}.[ch]; keep whichever is better, not both. */
/*
 * tokenizer_model.h - tokenizer.model, SentencePiece's protobuf, read and checked.
 *
 * The reader is iterative and bounded: varints of at most 10 bytes, at most a million pieces,
 * finite scores, byte pieces spelled <0xHH> and complete. The result owns its memory.
 */
#ifndef AIRO_MODEL_TOKENIZER_MODEL_H
#define AIRO_MODEL_TOKENIZER_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/strbuf.h"

#define TOKENIZER_PIECES_MAX 1000000u

/* The numbers of the file format. */
enum piece_type {
    PIECE_NORMAL = 1,
    PIECE_UNKNOWN,
    PIECE_CONTROL,
    PIECE_USER_DEFINED,
    PIECE_UNUSED,
    PIECE_BYTE,
};

struct piece {
    uint32_t text; /* offset into texts, NUL-terminated there */
    uint32_t length;
    float score;
    uint8_t type;
    uint8_t byte; /* PIECE_BYTE: its value */
};

struct tokenizer_model {
    struct strbuf texts;
    struct piece *pieces;
    uint32_t count, capacity;
    bool byte_fallback, add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
    int32_t unknown_id;     /* always there */
    int32_t byte_ids[256];  /* -1 without byte_fallback */
    char *unknown_surface;  /* what an unknown piece decodes to */
    char *bos_piece, *eos_piece;
};

int tokenizer_model_read(struct tokenizer_model *model, const char *path, struct error *error);
void tokenizer_model_free(struct tokenizer_model *model);

static inline const char *piece_text(const struct tokenizer_model *model, uint32_t id)
{
    return strbuf_text(&model->texts) + model->pieces[id].text;
}

#endif
