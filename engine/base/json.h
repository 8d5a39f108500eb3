/*
 * json.h - reading JSON with jansson, within bounds.
 *
 * Every document is UTF-8, at most 64 levels deep and without duplicate keys; errors name the
 * source and the line. The caller owns the returned value (json_decref).
 */
#ifndef AIRO_BASE_JSON_H
#define AIRO_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define JSON_DEPTH_MAX 64

/* Parses `length` bytes; `source` is named in errors. NULL on error. */
json_t *json_parse(const char *text, size_t length, const char *source, struct error *error);

/* Reads and parses a file of at most `max_bytes`. NULL on error. */
json_t *json_read(const char *path, size_t max_bytes, struct error *error);

#endif
