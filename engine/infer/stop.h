/*
 * stop.h - strings that end a reply, found across the borders of tokens.
 *
 * Text goes in as it is decoded and comes out as soon as it cannot be the beginning of a stop
 * string. Only whole characters come out if only whole characters went in.
 */
#ifndef AIRO_INFER_STOP_H
#define AIRO_INFER_STOP_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/strbuf.h"

struct stop;

/* Copies the strings; empty ones are ignored. */
struct stop *stop_create(const char *const *strings, size_t count);
void stop_free(struct stop *stop);

/* Takes text and appends to `out` what is sure to belong to the reply. True when a stop string is
 * complete: everything before it has come out, the rest is dropped. */
bool stop_push(struct stop *stop, const char *text, size_t length, struct strbuf *out);
/* At the end of a reply: what was held back is part of it after all. */
void stop_flush(struct stop *stop, struct strbuf *out);

#endif
