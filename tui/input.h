/*
 * input.h - bytes from the terminal -> keys, text, pastes and answers.
 *
 * A key that the table knows gets its name; every other sequence is handed on whole, for readline.
 * A paste is one token, however long; one whose end never comes ends when no more does. A bare
 * escape is held for a moment, because it may be the first byte of a key.
 */
#ifndef AIRO_TUI_INPUT_H
#define AIRO_TUI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/strbuf.h"

#define INPUT_ESCAPE_MS       25
#define INPUT_PASTE_MS        1000        /* a paste without a byte for so long has lost its end */
#define INPUT_PASTE_BYTES_MAX (64u << 20) /* of a longer paste the rest is dropped */

enum input_kind {
    INPUT_KEY,    /* `name` is set: "Ctrl-C", "PageUp"; `bytes` are what was typed */
    INPUT_TEXT,   /* characters, or a sequence without a name */
    INPUT_PASTE,  /* `bytes` as they came */
    INPUT_REPORT, /* the terminal about a mode: `mode`, `value` */
};

struct input_token {
    enum input_kind kind;
    const char *name;
    const char *bytes; /* valid until the next call of input_feed or input_next */
    size_t length;
    int mode, value;
    bool cut; /* a paste that was too long */
};

/* Zero-initialise; input_free. */
struct input {
    struct strbuf bytes;
    size_t taken; /* of them, by the token given out last */
    struct strbuf paste;
    bool pasting, paste_cut;
    uint64_t fed_ms;
};

void input_feed(struct input *input, const char *bytes, size_t length, uint64_t now_ms);
bool input_next(struct input *input, uint64_t now_ms, struct input_token *token);
/* Milliseconds until a held escape is due, or a paste is given up; -1: neither. */
int input_timeout(const struct input *input, uint64_t now_ms);
void input_free(struct input *input);

#endif
