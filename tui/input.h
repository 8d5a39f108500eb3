/*
 * input.h - bytes from the terminal -> keys, text, the mouse, pastes and answers.
 *
 * Keys have one name however a terminal sends them (key_name.h), and their bytes go with them for
 * the line editor: newer forms that it does not know are handed on in the older one, a sequence
 * without a name as it came. A paste is one token, however long; one whose end never comes ends
 * when no more does. A bare escape is held for a moment, because it may be the first byte of a key.
 * Answers that nobody asked for are dropped, of whatever length.
 */
#ifndef AIRO_TUI_INPUT_H
#define AIRO_TUI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/strbuf.h"
#include "tui/key_name.h"

#define INPUT_ESCAPE_MS       25
#define INPUT_PASTE_MS        1000        /* a paste without a byte for so long has lost its end */
#define INPUT_STRING_MS       1000        /* the same for an answer */
#define INPUT_PASTE_BYTES_MAX (64u << 20) /* of a longer paste the rest is dropped */

enum input_kind {
    INPUT_KEY,    /* `name` is set: "Ctrl-C", "PageUp" */
    INPUT_TEXT,   /* characters, or a sequence without a name */
    INPUT_PASTE,  /* `bytes` as they came */
    INPUT_REPORT, /* the terminal about a mode: `mode`, `value` */
    INPUT_MOUSE,  /* `mouse`; `name` is "WheelUp", "WheelDown" or "Mouse" */
};

enum mouse_kind { MOUSE_PRESS, MOUSE_RELEASE, MOUSE_DRAG, MOUSE_WHEEL_UP, MOUSE_WHEEL_DOWN };

struct input_mouse {
    enum mouse_kind kind;
    int button;         /* 1 left, 2 middle, 3 right; 0: unknown, or the wheel */
    int row, column;    /* from 0 */
    unsigned modifiers; /* bits of enum key_modifier */
};

struct input_token {
    enum input_kind kind;
    const char *name;  /* NULL: none; like `bytes` valid until the next input_feed or input_next */
    const char *bytes; /* for the line editor; none where it could not know the key */
    size_t length;
    int mode, value;
    bool cut; /* a paste that was too long */
    struct input_mouse mouse;
};

enum input_skip { SKIP_NOTHING, SKIP_STRING, SKIP_SEQUENCE };

/* Zero-initialise; input_free. */
struct input {
    bool rxvt; /* may be set: the terminal is an rxvt, whose F-keys with Shift are its own */
    struct strbuf bytes;
    size_t taken; /* of them, by the token given out last */
    struct strbuf paste;
    bool pasting, paste_cut;
    enum input_skip skip;      /* inside something that is dropped as it comes */
    bool quoting;              /* Ctrl-V came: an escape now is a character for the line editor */
    char name[KEY_NAME_BYTES]; /* of the token given out last */
    char legacy[8];
    uint64_t fed_ms;
};

void input_feed(struct input *input, const char *bytes, size_t length, uint64_t now_ms);
bool input_next(struct input *input, uint64_t now_ms, struct input_token *token);
/* For modes where each character is a key: the token's next part from *at on, 0 at first; one
 * cluster of a text, anything else whole. `part->name` of a space is "Space", of other characters
 * NULL: keymap_find_token takes either. False past the last. */
bool input_split(const struct input_token *token, size_t *at, struct input_token *part);
/* Milliseconds until a held escape is due, or a paste or an answer is given up; -1: neither. */
int input_timeout(const struct input *input, uint64_t now_ms);
void input_free(struct input *input);

#endif
