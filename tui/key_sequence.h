/*
 * key_sequence.h - an escape sequence as terminals send it -> what it means.
 *
 * Knows xterm, the VT series, rxvt, the Linux console, tmux, kitty's CSI u and modifyOtherKeys.
 * Owns nothing; the buffering is input.c's.
 */
#ifndef AIRO_TUI_KEY_SEQUENCE_H
#define AIRO_TUI_KEY_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/input.h"
#include "tui/key_name.h"

#define SEQUENCE_BYTES_MAX 64 /* what is longer is no key */

enum sequence_kind {
    SEQUENCE_UNKNOWN, /* well-formed, for somebody else */
    SEQUENCE_NOTHING, /* an answer or a report that nobody waits for */
    SEQUENCE_KEY,     /* `key` */
    SEQUENCE_MOUSE,   /* `mouse` */
    SEQUENCE_REPORT,  /* `mode`, `value` */
    SEQUENCE_PASTE,   /* one begins */
};

struct sequence {
    enum sequence_kind kind;
    struct key key;
    bool translate; /* in a newer form, which a line editor does not know */
    struct input_mouse mouse;
    int mode, value;
};

/* How far the sequence at the start, which begins with an escape, goes. */
enum sequence_extent {
    SEQUENCE_WHOLE,  /* *bytes long */
    SEQUENCE_OPEN,   /* its end has not come */
    SEQUENCE_STRING, /* OSC, DCS and the like: of any length, ended by ST or BEL; *bytes of lead */
    SEQUENCE_LONG,   /* over SEQUENCE_BYTES_MAX: to be dropped up to its final byte */
    SEQUENCE_BROKEN, /* the first *bytes belong to nothing */
    SEQUENCE_ESCAPE, /* the escape key; the next byte begins something else */
};
enum sequence_extent sequence_extent(const char *bytes, size_t length, size_t *used);

/* What a whole sequence means. `rxvt`: its F-keys with Shift have other terminals' numbers. */
struct sequence sequence_parse(const char *bytes, size_t length, bool rxvt);

/* What terminals of old send for the key, at most 8 bytes; 0 when they cannot tell it. */
size_t sequence_legacy(struct key key, char *out);

#endif
