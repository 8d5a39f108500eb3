/*
 * calibration.h - a text -> samples of equal length, on which a model's layers are watched.
 */
#ifndef AIRO_QUANT_CALIBRATION_H
#define AIRO_QUANT_CALIBRATION_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/tokenizer.h"

struct calibration {
    int32_t *ids; /* [samples][length]; owned */
    uint32_t samples, length;
    size_t tokens; /* that the text has */
};

/* Plain text, or JSON lines whose objects have a string "text" (a name that ends in .jsonl, or a
 * first line that is such an object); each text begins with the begin token. The tokens are cut
 * into pieces of `length`, and of these at most `samples`, evenly spread, are taken. ERROR_INPUT
 * when the text is shorter than one. */
int calibration_read(struct calibration *calibration, const char *path,
                     const struct tokenizer *tokenizer, uint32_t samples, uint32_t length,
                     struct error *error);
void calibration_free(struct calibration *calibration);

#endif
