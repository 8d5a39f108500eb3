/*
 * options.h - the one table of options: flag, letter, ini key, type, range, default and help.
 *
 * The command line parser, --help, the settings and the commented default airo.ini are all made
 * from it. A row with an ini key is a setting, good for every command; a row with a command is that
 * command's own.
 */
#ifndef AIRO_TUI_OPTIONS_H
#define AIRO_TUI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"
#include "engine/base/strbuf.h"
#include "tui/settings.h"

enum option_type {
    OPTION_FLAG,   /* a boolean: --name, --no-name; in the ini file yes or no */
    OPTION_STRING, /* owned char * */
    OPTION_CHOICE, /* owned char *, one of `choices` */
    OPTION_SIZE,   /* owned char *, bytes as size_parse reads them */
    OPTION_DEVICE, /* owned char *, as backend_choice_check takes it */
    OPTION_U32,
    OPTION_U64,
    OPTION_FLOAT,
    OPTION_DOUBLE,
};

struct option {
    const char *name;    /* --name */
    char letter;         /* -x, or 0 */
    const char *command; /* NULL: a setting; "": every command; else only that command */
    const char *ini;     /* "section:key", settings only */
    enum option_type type;
    const char *argument; /* how help calls the value; NULL for flags */
    double low, high;     /* numbers: the allowed range, both ends included */
    const char *choices;  /* OPTION_CHOICE: words parted by spaces */
    size_t offset;        /* settings: where in struct settings */
    const char *initial;  /* default as text; NULL: unset, or set elsewhere (sampling) */
    const char *help;
};

/* A section of the ini file whose keys are the user's own. */
struct option_section {
    const char *name;
    int (*set)(struct settings *settings, const char *key, const char *value, struct error *error);
    const char *help;    /* for the commented airo.ini: one paragraph */
    const char *example; /* its commented lines */
};

/* Ended by a row without a name. */
extern const struct option_section options_sections[];
const struct option_section *options_find_section(const char *name);

/* The table, ended by a row without a name. */
extern const struct option options_table[];

/* The row that a command admits under this flag name (without dashes) or letter, or NULL.
 * `command` may be NULL: settings only. */
const struct option *options_find(const char *command, const char *name, size_t length);
const struct option *options_find_letter(const char *command, char letter);
/* The row of an ini key, or NULL. */
const struct option *options_find_ini(const char *section, const char *key);

/* Whether its setting is an owned char *. */
bool option_is_text(const struct option *option);

/* Checks `text` against type and range and, for settings, stores it. `where` begins the error:
 * "--kv-type", or "airo.ini: line 7: model:kv_type". */
int option_set(const struct option *option, struct settings *settings, const char *where,
               const char *text, struct error *error);

/* "500M", "4G" (powers of 1024), "0", or plain bytes; 0 or -1. */
int size_parse(const char *text, uint64_t *bytes);

/* Whether a file or a flag has set this option since settings_defaults. */
bool option_given(const struct settings *settings, const char *name);

/* The value that the settings hold, as an ini file spells it; false when it is unset. */
bool option_text(const struct option *option, const struct settings *settings, struct strbuf *out);

/* The lines of --help for what a command admits: its own options, or all settings. */
void options_help(struct strbuf *out, const char *command);
void options_help_settings(struct strbuf *out);
/* The commented default airo.ini. */
void options_config(struct strbuf *out);

#endif
