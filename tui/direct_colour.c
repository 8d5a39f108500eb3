#include "tui/direct_colour.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"

/*
 * The compiled form of term(5): a header of six numbers, the names, booleans, numbers (32 bits),
 * string offsets, the strings; then the same once more for extended capabilities, of which there is
 * one, RGB.
 */
#define MAGIC_32_BIT 01036
#define COLOURS      0x1000000
#define PAIRS        0x10000

#define COLOUR_STRING(kind)                                                                        \
    "\033[%?%p1%{8}%<%t" kind "%p1%d%e" kind "8;2;%p1%{65536}%/%d;%p1%{256}%/%{255}%&%d;"          \
    "%p1%{255}%&%d%;m"

static const struct {
    const char *name, *value; /* NULL: taken away */
} changed_strings[] = {
    {"setaf", COLOUR_STRING("3")},
    {"setab", COLOUR_STRING("4")},
    {"initc", NULL},
    {"initp", NULL},
    {"oc", NULL},
};

static void put16(struct strbuf *out, int value)
{
    strbuf_putc(out, (char)((unsigned)value & 0xFF));
    strbuf_putc(out, (char)((unsigned)value >> 8 & 0xFF));
}

static int count_names(NCURSES_CONST char *const *names)
{
    int count = 0;
    while (names[count] != NULL)
        count++;
    return count;
}

static const char *string_value(const char *name)
{
    for (size_t i = 0; i < sizeof changed_strings / sizeof changed_strings[0]; i++)
        if (strcmp(name, changed_strings[i].name) == 0)
            return changed_strings[i].value;
    const char *value = tigetstr((NCURSES_CONST char *)name);
    return value == (const char *)-1 ? NULL : value;
}

static int number_value(const char *name)
{
    if (strcmp(name, "colors") == 0)
        return COLOURS;
    return strcmp(name, "pairs") == 0 ? PAIRS : tigetnum((NCURSES_CONST char *)name);
}

static void pad_even(struct strbuf *out)
{
    if (out->length % 2 != 0)
        strbuf_putc(out, '\0');
}

static void put_description(struct strbuf *out)
{
    static const char names[] = DIRECT_COLOUR_TERM "|made in memory";
    struct strbuf strings = {0}, offsets = {0};
    int booleans = count_names(boolnames), numbers = count_names(numnames);
    int string_count = count_names(strnames);
    for (int i = 0; i < string_count; i++) {
        const char *value = string_value(strnames[i]);
        put16(&offsets, value != NULL ? (int)strings.length : -1);
        if (value != NULL)
            strbuf_add(&strings, value, strlen(value) + 1);
    }
    int header[] = {MAGIC_32_BIT, (int)sizeof names, booleans,
                    numbers,      string_count,      (int)strings.length};
    for (size_t i = 0; i < sizeof header / sizeof header[0]; i++)
        put16(out, header[i]);
    strbuf_add(out, names, sizeof names);
    for (int i = 0; i < booleans; i++)
        strbuf_putc(out, strcmp(boolnames[i], "ccc") != 0 && tigetflag(boolnames[i]) > 0);
    pad_even(out);
    for (int i = 0; i < numbers; i++) {
        int value = number_value(numnames[i]);
        put16(out, value);
        put16(out, (int)((unsigned)value >> 16));
    }
    strbuf_add(out, offsets.data, offsets.length);
    strbuf_add(out, strings.data, strings.length);
    pad_even(out);
    strbuf_free(&strings);
    strbuf_free(&offsets);
}

static void put_extension(struct strbuf *out)
{
    static const int header[] = {1, 0, 0, 1,
                                 4}; /* booleans, numbers, strings, table items, bytes */
    for (size_t i = 0; i < sizeof header / sizeof header[0]; i++)
        put16(out, header[i]);
    put16(out, 1); /* RGB: true, and padding */
    put16(out, 0); /* where its name stands */
    strbuf_add(out, "RGB", 4);
}

char *direct_colour_description(void)
{
    int status;
    if (setupterm(NULL, 1, &status) != OK)
        return NULL;
    struct strbuf bytes = {0}, text = {0};
    put_description(&bytes);
    put_extension(&bytes);
    del_curterm(cur_term);
    strbuf_puts(&text, "hex:");
    for (size_t i = 0; i < bytes.length; i++)
        strbuf_printf(&text, "%02X", (unsigned char)bytes.data[i]);
    strbuf_free(&bytes);
    return strbuf_detach(&text);
}
