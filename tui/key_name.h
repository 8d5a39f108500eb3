/*
 * key_name.h - a key and its modifiers <-> the one way to write it: "Ctrl-X", "Alt-Shift-F5", "j".
 *
 * Modifiers stand in the order Ctrl, Alt, Shift. A letter with Ctrl is a capital; without, Shift is
 * in the letter itself ("Alt-X"). Owns nothing.
 */
#ifndef AIRO_TUI_KEY_NAME_H
#define AIRO_TUI_KEY_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_NAME_BYTES 48 /* holds every name and its NUL */

/* As terminals number them, less one. */
enum key_modifier { KEY_SHIFT = 1, KEY_ALT = 2, KEY_CTRL = 4 };

/* Keys that are no character have codes above Unicode's. */
enum key_code {
    KEY_CODE_NAMED = 0x110000,
    KEY_CODE_ENTER = KEY_CODE_NAMED,
    KEY_CODE_TAB,
    KEY_CODE_ESC,
    KEY_CODE_BACKSPACE,
    KEY_CODE_UP,
    KEY_CODE_DOWN,
    KEY_CODE_LEFT,
    KEY_CODE_RIGHT,
    KEY_CODE_HOME,
    KEY_CODE_END,
    KEY_CODE_PAGE_UP,
    KEY_CODE_PAGE_DOWN,
    KEY_CODE_INSERT,
    KEY_CODE_DELETE,
    KEY_CODE_WHEEL_UP,
    KEY_CODE_WHEEL_DOWN,
    KEY_CODE_F1, /* F2 to F20 follow */
};
#define KEY_CODE_LAST (KEY_CODE_F1 + 19)

struct key {
    uint32_t code;      /* a character or an enum key_code */
    unsigned modifiers; /* bits of enum key_modifier */
};

/* Writes the name, at most KEY_NAME_BYTES; returns `out`. */
char *key_name_write(struct key key, char *out);

/* Writes the one spelling of a name as a person may type it ("ctrl-pgup", "Return", "Shift-a") to
 * `out`; false when it names no key. A cluster of several characters is a key of its own. */
bool key_name_parse(const char *text, size_t length, char *out);

/* The nearest name of a key to what was typed, NULL when none is near. Static. */
const char *key_name_nearest(const char *typed);

#endif
