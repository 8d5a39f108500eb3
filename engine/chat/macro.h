/*
 * macro.h - the macros of character cards: {{char}}, {{user}}, {{original}}, {{random:a,b}},
 * {{roll:d6}}, {{time}}, {{date}}, and the older <USER>, <BOT>, <CHAR>.
 *
 * Chance and time are the caller's: the same seed, text and clock give the same expansion, so a
 * prompt that is built again has the same bytes. Names are expanded once, never their own content.
 */
#ifndef AIRO_CHAT_MACRO_H
#define AIRO_CHAT_MACRO_H

#include <stdint.h>

#include "engine/base/strbuf.h"

/* One expansion gives no more than this; what would go beyond is left out. */
#define MACRO_BYTES_MAX (4u << 20)

struct macro_context {
    const char *character, *user; /* NULL: the macro stays as it is written */
    const char *original;         /* what a card's text replaces; NULL: "" */
    uint64_t seed;
    int64_t now_s;        /* seconds since 1970, UTC */
    int32_t utc_offset_s; /* of the user's clock */
};

/* Appends `text` with its macros expanded. Names of macros are read without regard to case;
 * {{//...}} is a comment and goes; what is no macro stays as it is. {{random:...}} takes commas or,
 * where there is one, "::" as separators; {{roll:d6}}, {{roll:6}} and {{roll:2d6}} give a number.
 */
void macro_expand(struct strbuf *out, const char *text, const struct macro_context *context);

#endif
