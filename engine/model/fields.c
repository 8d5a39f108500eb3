#include "engine/model/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *printable(const char *text, char *out)
{
    size_t length = strlen(text);
    size_t kept = length < PRINTABLE_BYTES ? length : PRINTABLE_BYTES - 4;
    for (size_t i = 0; i < kept; i++)
        out[i] = text[i];
    for (size_t i = 0; i < kept; i++) {
        if (out[i] < ' ' || out[i] > '~')
            out[i] = '?';
    }
    memcpy(out + kept, kept < length ? "..." : "", kept < length ? 4 : 1);
    return out;
}

bool field_present(const struct fields *fields, const char *name)
{
    const json_t *value = json_object_get(fields->object, name);
    return value != NULL && !json_is_null(value);
}

int field_required(const struct fields *fields, const char *name, struct error *error)
{
    if (field_present(fields, name))
        return 0;
    return error_set(error, ERROR_INPUT, "%s: %s is missing", fields->source, name);
}

int field_wrong(const struct fields *fields, const char *name, const char *what,
                struct error *error)
{
    char shown[PRINTABLE_BYTES];
    const json_t *value = json_object_get(fields->object, name);
    char *text = value != NULL ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    printable(text != NULL ? text : "absent", shown);
    free(text);
    return error_set(error, ERROR_INPUT, "%s: %s is %s; must be %s", fields->source, name, shown,
                     what);
}

int field_uint(const struct fields *fields, const char *name, uint32_t min, uint32_t max,
               uint32_t *out, struct error *error)
{
    if (!field_present(fields, name))
        return 0;
    const json_t *value = json_object_get(fields->object, name);
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < (json_int_t)min || number > (json_int_t)max) {
        char what[64];
        snprintf(what, sizeof what, "a whole number from %u to %u", min, max);
        return field_wrong(fields, name, what, error);
    }
    *out = (uint32_t)number;
    return 0;
}

int field_number(const struct fields *fields, const char *name, double min, double max, double *out,
                 struct error *error)
{
    if (!field_present(fields, name))
        return 0;
    const json_t *value = json_object_get(fields->object, name);
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= min && number <= max)) {
        char what[64];
        snprintf(what, sizeof what, "a number from %g to %g", min, max);
        return field_wrong(fields, name, what, error);
    }
    *out = number;
    return 0;
}

int field_bool(const struct fields *fields, const char *name, bool *out, struct error *error)
{
    if (!field_present(fields, name))
        return 0;
    const json_t *value = json_object_get(fields->object, name);
    if (!json_is_boolean(value))
        return field_wrong(fields, name, "true or false", error);
    *out = json_is_true(value);
    return 0;
}

int field_string(const struct fields *fields, const char *name, const char **out,
                 struct error *error)
{
    if (!field_present(fields, name))
        return 0;
    const json_t *value = json_object_get(fields->object, name);
    if (!json_is_string(value))
        return field_wrong(fields, name, "a string", error);
    *out = json_string_value(value);
    return 0;
}
