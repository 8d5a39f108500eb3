/*
 * fields.h - typed, bounded fields of a JSON object.
 *
 * An absent or null field leaves *out as it was, so the caller's initial value is the default. A
 * present one of the wrong type or out of bounds is an error that names source, field and value.
 */
#ifndef AIRO_MODEL_FIELDS_H
#define AIRO_MODEL_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define PRINTABLE_BYTES 96

/* `source` stands before the field's name in messages: "PATH" or "PATH: rope_scaling". */
struct fields {
    const json_t *object;
    const char *source;
};

/* Present and not null. */
bool field_present(const struct fields *fields, const char *name);
int field_required(const struct fields *fields, const char *name, struct error *error);

int field_uint(const struct fields *fields, const char *name, uint32_t min, uint32_t max,
               uint32_t *out, struct error *error);
/* Finite, min <= value <= max. */
int field_number(const struct fields *fields, const char *name, double min, double max, double *out,
                 struct error *error);
int field_bool(const struct fields *fields, const char *name, bool *out, struct error *error);
/* *out points into the object. */
int field_string(const struct fields *fields, const char *name, const char **out,
                 struct error *error);

/* "SOURCE: NAME is VALUE; must be WHAT"; returns -1. For checks of the caller's own. */
int field_wrong(const struct fields *fields, const char *name, const char *what,
                struct error *error);

/* Text from a file, made fit for a one-line message: control and non-ASCII bytes become '?', and
 * what is longer is cut. `out` holds PRINTABLE_BYTES; returned. */
const char *printable(const char *text, char *out);

#endif
