#include "tui/key_name.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "engine/base/utf8.h"
#include "engine/base/width.h"
#include "tui/suggest.h"

static const struct {
    const char *name;
    uint32_t code;
} names[] = {
    {"Enter", KEY_CODE_ENTER},
    {"Tab", KEY_CODE_TAB},
    {"Esc", KEY_CODE_ESC},
    {"Backspace", KEY_CODE_BACKSPACE},
    {"Up", KEY_CODE_UP},
    {"Down", KEY_CODE_DOWN},
    {"Left", KEY_CODE_LEFT},
    {"Right", KEY_CODE_RIGHT},
    {"Home", KEY_CODE_HOME},
    {"End", KEY_CODE_END},
    {"PageUp", KEY_CODE_PAGE_UP},
    {"PageDown", KEY_CODE_PAGE_DOWN},
    {"Insert", KEY_CODE_INSERT},
    {"Delete", KEY_CODE_DELETE},
    {"WheelUp", KEY_CODE_WHEEL_UP},
    {"WheelDown", KEY_CODE_WHEEL_DOWN},
    {"Space", ' '},
    /* Other spellings; an ini file cannot hold the last two as they are. */
    {"Return", KEY_CODE_ENTER},
    {"Escape", KEY_CODE_ESC},
    {"PgUp", KEY_CODE_PAGE_UP},
    {"PgDn", KEY_CODE_PAGE_DOWN},
    {"Ins", KEY_CODE_INSERT},
    {"Del", KEY_CODE_DELETE},
    {"Backslash", '\\'},
    {"Quote", '"'},
};
#define NAMES (sizeof names / sizeof names[0])

static const struct {
    const char *name;
    unsigned bit;
} modifiers[] = {{"Ctrl-", KEY_CTRL},    {"Alt-", KEY_ALT},  {"Shift-", KEY_SHIFT},
                 {"Control-", KEY_CTRL}, {"Meta-", KEY_ALT}, {NULL, 0}};
#define WRITTEN 3

static uint32_t to_upper(uint32_t code)
{
    return code >= 'a' && code <= 'z' ? code - 'a' + 'A' : code;
}

/* Shift goes into the letter, Ctrl makes it a capital. */
static struct key normal(struct key key)
{
    bool letter = to_upper(key.code) >= 'A' && to_upper(key.code) <= 'Z';
    if (letter && (key.modifiers & (KEY_CTRL | KEY_SHIFT)))
        key.code = to_upper(key.code);
    if (letter && !(key.modifiers & KEY_CTRL))
        key.modifiers &= ~(unsigned)KEY_SHIFT;
    return key;
}

char *key_name_write(struct key key, char *out)
{
    size_t used = 0;
    char character[8] = "";
    const char *base = character;
    key = normal(key);
    out[0] = '\0';
    for (size_t i = 0; i < WRITTEN; i++)
        if (key.modifiers & modifiers[i].bit)
            used += (size_t)snprintf(out + used, KEY_NAME_BYTES - used, "%s", modifiers[i].name);
    if (key.code >= KEY_CODE_F1 && key.code <= KEY_CODE_LAST)
        snprintf(character, sizeof character, "F%u", key.code - KEY_CODE_F1 + 1);
    else if (key.code < KEY_CODE_NAMED)
        character[utf8_encode(key.code, character)] = '\0';
    for (size_t i = NAMES; i-- > 0;)
        if (names[i].code == key.code && key.code != '\\' && key.code != '"')
            base = names[i].name;
    snprintf(out + used, KEY_NAME_BYTES - used, "%s", base);
    return out;
}

/* --- reading --------------------------------------------------------------------------------- */

/* "F1" to "F20". */
static bool parse_function(const char *text, size_t length, uint32_t *code)
{
    if (length < 2 || length > 3 || (text[0] != 'F' && text[0] != 'f'))
        return false;
    unsigned number = 0;
    for (size_t i = 1; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (unsigned)(text[i] - '0');
    }
    *code = KEY_CODE_F1 + number - 1;
    return number >= 1 && *code <= KEY_CODE_LAST && text[1] != '0';
}

static bool parse_named(const char *text, size_t length, uint32_t *code)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (strlen(names[i].name) != length || strncasecmp(names[i].name, text, length) != 0)
            continue;
        *code = names[i].code;
        return true;
    }
    return parse_function(text, length, code);
}

static size_t parse_modifiers(const char *text, size_t length, unsigned *bits)
{
    size_t at = 0;
    for (size_t i = 0; modifiers[i].name != NULL; i++) {
        size_t word = strlen(modifiers[i].name);
        if (length - at <= word || strncasecmp(text + at, modifiers[i].name, word) != 0)
            continue;
        *bits |= modifiers[i].bit;
        at += word;
        i = (size_t)-1;
    }
    return at;
}

bool key_name_parse(const char *text, size_t length, char *out)
{
    struct key key = {0};
    size_t at = parse_modifiers(text, length, &key.modifiers);
    text += at;
    length -= at;
    if (length == 0)
        return false;
    if (parse_named(text, length, &key.code)) {
        key_name_write(key, out);
        return true;
    }
    if (grapheme_next(text, length) != length || (unsigned char)text[0] < 0x20 || text[0] == 0x7F)
        return false;
    size_t bytes = utf8_decode(text, length, &key.code);
    if (bytes == length) {
        key_name_write(key, out);
        return true;
    }
    if (key.modifiers != 0 || length >= KEY_NAME_BYTES)
        return false;
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

const char *key_name_nearest(const char *typed)
{
    static const char *const common[] = {"Ctrl-A",      "Alt-a",    "Shift-Tab",   "Alt-Enter",
                                         "Shift-Enter", "Ctrl-Up",  "Ctrl-Down",   "Ctrl-Left",
                                         "Ctrl-Right",  "Shift-Up", "Shift-Down",  "Ctrl-Home",
                                         "Ctrl-End",    "F1",       "Ctrl-PageUp", "Ctrl-PageDown"};
    struct suggestion best = suggest_begin(typed);
    for (size_t i = 0; i < NAMES; i++)
        suggest_offer(&best, names[i].name);
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        suggest_offer(&best, common[i]);
    return best.found;
}
