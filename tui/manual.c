#include "tui/manual.h"

#include <string.h>

#include "tui/options.h"

#ifndef AIRO_VERSION
#define AIRO_VERSION "unknown"
#endif

/* Text as text: no byte of it is a request or an escape of roff. */
static void put_text(struct strbuf *out, const char *text)
{
    if (text[0] == '.' || text[0] == '\'')
        strbuf_puts(out, "\\&");
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            strbuf_puts(out, "\\e");
        else if (*text == '-')
            strbuf_puts(out, "\\-");
        else
            strbuf_putc(out, *text);
    }
}

static void put_line(struct strbuf *out, const char *text)
{
    put_text(out, text);
    strbuf_putc(out, '\n');
}

/* ".TP" and a bold term; the text under it is the caller's. */
static void put_term(struct strbuf *out, const char *term)
{
    strbuf_puts(out, ".TP\n\\fB");
    put_text(out, term);
    strbuf_puts(out, "\\fR\n");
}

static void put_option(struct strbuf *out, const struct option *option)
{
    strbuf_puts(out, ".TP\n");
    if (option->letter != '\0')
        strbuf_printf(out, "\\fB\\-%c\\fR, ", option->letter);
    strbuf_puts(out, "\\fB\\-\\-");
    put_text(out, option->name);
    strbuf_puts(out, "\\fR");
    if (option->argument != NULL) {
        strbuf_puts(out, " \\fI");
        put_text(out, option->argument);
        strbuf_puts(out, "\\fR");
    }
    strbuf_putc(out, '\n');
    put_line(out, option->help);
    if (option->choices != NULL) {
        strbuf_puts(out, "One of: ");
        put_text(out, option->choices);
        strbuf_puts(out, ".\n");
    }
    if (option->initial != NULL) {
        strbuf_puts(out, "Default: ");
        put_text(out, option->initial);
        strbuf_puts(out, ".\n");
    }
}

/* `command` NULL: the settings. */
static void put_options(struct strbuf *out, const char *command)
{
    for (const struct option *option = options_table; option->name != NULL; option++) {
        bool wanted = command == NULL
                          ? option->command == NULL
                          : option->command != NULL && strcmp(option->command, command) == 0;
        if (wanted)
            put_option(out, option);
    }
}

static void put_commands(struct strbuf *out, const struct command *const *commands, size_t count)
{
    strbuf_puts(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < count; i++) {
        strbuf_puts(out, ".SS airo ");
        put_line(out, commands[i]->synopsis);
        put_line(out, commands[i]->summary);
        put_options(out, commands[i]->name);
    }
}

/* Which key of airo.ini each setting has. */
static void put_ini(struct strbuf *out)
{
    strbuf_puts(out, ".SH AIRO.INI\n"
                     "The file ~/.config/airo/airo.ini changes defaults; options on the command "
                     "line come before it.\n"
                     "A line is key = value, under a [section]; # begins a comment.\n"
                     "airo \\-\\-print\\-config prints a commented file with every key.\n");
    for (const struct option *option = options_table; option->name != NULL; option++) {
        if (option->ini == NULL)
            continue;
        size_t section = strcspn(option->ini, ":");
        strbuf_printf(out, ".TP\n\\fB[%.*s] %s\\fR\n", (int)section, option->ini,
                      option->ini + section + 1);
        strbuf_puts(out, "as ");
        put_text(out, "--");
        put_line(out, option->name);
    }
    put_term(out, "[keys] ACTION");
    put_line(out, "the keys of an action, parted by spaces; empty: none");
}

static void put_files(struct strbuf *out)
{
    static const struct {
        const char *path, *text;
    } files[] = {{"~/.config/airo/airo.ini", "settings"},
                 {"~/.config/airo/themes/NAME.ini", "colour themes of your own"},
                 {"~/.local/share/airo/models/NAME", "models"},
                 {"~/.inputrc", "keys and modes of the line that one types on"}};
    strbuf_puts(out, ".SH FILES\n");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        put_term(out, files[i].path);
        put_line(out, files[i].text);
    }
}

static void put_environment(struct strbuf *out)
{
    static const struct {
        const char *name, *text;
    } variables[] = {
        {"NO_COLOR", "when not empty, no colours unless --colour asks for them"},
        {"COLORTERM", "truecolor or 24bit: the terminal has all colours"},
        {"TERM", "the terminal's kind"},
        {"XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME", "where the files above are, if set"}};
    strbuf_puts(out, ".SH ENVIRONMENT\n");
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        put_term(out, variables[i].name);
        put_line(out, variables[i].text);
    }
}

void manual_write(const struct command *const *commands, size_t command_count,
                  const struct manual_row *rows, size_t row_count, struct strbuf *out)
{
    strbuf_puts(out, ".TH AIRO 1 \"\" \"airo " AIRO_VERSION "\" \"User Commands\"\n"
                     ".SH NAME\nairo \\- a terminal chat for long\\-context local models\n"
                     ".SH SYNOPSIS\n\\fBairo\\fR [\\fIOPTIONS\\fR] [\\fICOMMAND\\fR] "
                     "[\\fIARGUMENTS\\fR]\n"
                     ".SH DESCRIPTION\nWithout a command airo opens the chat.\n"
                     "Options stand before or after the command and its arguments; \\-\\- ends "
                     "them; \\-\\-no\\-NAME switches a flag off.\n.SH OPTIONS\n");
    put_options(out, "");
    put_commands(out, commands, command_count);
    strbuf_puts(out, ".SH SETTINGS\nFor every command.\n");
    put_options(out, NULL);
    strbuf_puts(out, ".SH KEYS AND COMMANDS IN THE CHAT\n");
    for (size_t i = 0; i < row_count; i++) {
        put_term(out, rows[i].trigger);
        put_line(out, rows[i].help);
    }
    put_ini(out);
    put_files(out);
    put_environment(out);
    strbuf_puts(out, ".SH EXIT STATUS\n0 done, 1 error, 2 wrong usage, 3 the documents do not say "
                     "(ask), 130 stopped with Ctrl\\-C.\n");
}
