/*
 * theme.h - what each role of style.h looks like: one ini file per theme.
 *
 *     [theme]
 *     name = "Vaquita dark"
 *     [styles]
 *     user = "#e8c07d bold | yellow bold"
 *
 * A value is FOREGROUND [on BACKGROUND] [bold] [dim] [italic] [underline] [reverse]; colours are
 * #rrggbb, a name (red, bright-red, ...) or default. What follows "|" is used by terminals of 16
 * colours; its attributes alone where there are none. A role that the file leaves out keeps a plain
 * built-in look. Unknown roles and malformed values are errors that name the file and the role.
 */
#ifndef AIRO_TUI_THEME_H
#define AIRO_TUI_THEME_H

#include <stdint.h>

#include "engine/base/error.h"
#include "tui/style.h"

#define THEME_COLOUR_DEFAULT (-1)
#define THEME_COLOUR_RGB     0x1000000 /* with 0xrrggbb; otherwise 0 to 15, a named colour */

enum theme_attribute {
    THEME_BOLD = 1,
    THEME_DIM = 2,
    THEME_ITALIC = 4,
    THEME_UNDERLINE = 8,
    THEME_REVERSE = 16,
};

struct theme_look {
    int32_t foreground, background;
    unsigned attributes;
};

struct theme_style {
    struct theme_look full, basic; /* for many colours; for 16 */
};

struct theme {
    char name[64];
    struct theme_style styles[STYLES];
};

/* The built-in plain look, which uses named colours only. */
void theme_plain(struct theme *theme);

/* `name` is a path (with a slash) or a theme's name: NAME.ini in the user's configuration, beside
 * the program, or in the installed themes. */
int theme_open(struct theme *theme, const char *name, struct error *error);

/* The index-th theme's name, for completion; to be freed. NULL past the last. */
char *theme_list(unsigned index);

#endif
