/*
 * defuse.h - content that cannot be mistaken for structure.
 *
 * Wherever a marker stands in content, a middle dot is put after its first character: ENDINPUT
 * becomes E·NDINPUT. A marker that already carries such dots gets one more, so that taking one away
 * from each gives back exactly what was written. Nothing is removed, so nothing can recombine, and
 * no marker has a dot in it, so defusing cannot make one. Markers are looked for at every byte:
 * neither the kind of line break nor the place in the line matters.
 */
#ifndef AIRO_CHAT_DEFUSE_H
#define AIRO_CHAT_DEFUSE_H

#include <stddef.h>

#include "engine/base/strbuf.h"

/* Told of each marker that stood there as it is; `line` counts from 1. */
typedef void (*defuse_note)(void *user, size_t line, const char *marker);

/* Appends text[0..length) to `out`. `markers` is NULL-terminated; `note` may be NULL. */
void defuse_text(struct strbuf *out, const char *text, size_t length, const char *const *markers,
                 defuse_note note, void *user);

/* The inverse, for display. */
void defuse_undo(struct strbuf *out, const char *text, size_t length, const char *const *markers);

#endif
