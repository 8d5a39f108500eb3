/* main.c - finds the command, reads the settings, runs it. The only file that ends the program. */
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/strbuf.h"
#include "tui/actions.h"
#include "tui/arguments.h"
#include "tui/bindings.h"
#include "tui/command.h"
#include "tui/completion_script.h"
#include "tui/manual.h"
#include "tui/options.h"
#include "tui/sanitize.h"
#include "tui/suggest.h"

#ifndef AIRO_VERSION
#define AIRO_VERSION "unknown"
#endif

static const struct command *const commands[] = {
    &command_chat, &command_play,     &command_ask,      &command_run,
    &command_info, &command_tokenize, &command_score,    &command_perplexity,
    &command_eval, &command_bench,    &command_quantize,
};
#define COMMANDS    (sizeof commands / sizeof commands[0])
#define ACTIONS_MAX 256

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* `help` is a command to the parser; it is answered here. */
static bool is_command(const char *name)
{
    return strcmp(name, "help") == 0 || find_command(name) != NULL;
}

static void complain(const char *text)
{
    struct strbuf safe = {0};
    sanitize_text(&safe, text, strlen(text), 0);
    fprintf(stderr, "airo: %s\n", strbuf_text(&safe));
    strbuf_free(&safe);
}

static int usage_error(const char *text)
{
    complain(text);
    fputs("Try 'airo --help'.\n", stderr);
    return EXIT_USAGE;
}

static int unknown_command(const char *name)
{
    struct suggestion best = suggest_begin(name);
    struct strbuf text = {0};
    for (size_t i = 0; i < COMMANDS; i++)
        suggest_offer(&best, commands[i]->name);
    strbuf_printf(&text, "unknown command %.64s", name);
    if (best.found != NULL)
        strbuf_printf(&text, "; did you mean %s?", best.found);
    usage_error(strbuf_text(&text));
    strbuf_free(&text);
    return EXIT_USAGE;
}

static int print_out(struct strbuf *text)
{
    fwrite(strbuf_text(text), 1, text->length, stdout);
    strbuf_free(text);
    return EXIT_OK;
}

static int help_all(void)
{
    struct strbuf out = {0};
    strbuf_puts(&out, "airo - a terminal chat for long-context local models\n\n"
                      "Usage: airo [OPTIONS] [COMMAND] [ARGUMENTS]\n\nCommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        strbuf_printf(&out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    strbuf_puts(&out, "  help       show this, or the help of a command\n\n"
                      "Without a command: chat. Options stand before or after the command and its\n"
                      "arguments; -- ends them; --no-NAME switches a flag off.\n\nOptions:\n");
    options_help(&out, "");
    strbuf_puts(&out, "\nSettings, for every command; the defaults are in brackets and "
                      "~/.config/airo/airo.ini\ncan change them (airo --print-config):\n");
    options_help_settings(&out);
    strbuf_puts(&out, "\nExit status: 0 done, 1 error, 2 wrong usage, 3 the documents do not say "
                      "(ask),\n130 stopped with Ctrl-C.\n");
    return print_out(&out);
}

static int help_command(const struct command *command)
{
    struct strbuf out = {0}, own = {0};
    strbuf_printf(&out, "Usage: airo %s\n\n%s\n", command->synopsis, command->summary);
    options_help(&own, command->name);
    if (own.length > 0)
        strbuf_printf(&out, "\nOptions:\n%s", strbuf_text(&own));
    strbuf_puts(&out, "\nAll settings are options too: airo --help\n");
    strbuf_free(&own);
    return print_out(&out);
}

static int help(const struct arguments *arguments)
{
    const char *topic = arguments->command;
    if (topic != NULL && strcmp(topic, "help") == 0)
        topic = arguments->argc > 1 ? arguments->argv[1] : NULL;
    if (topic == NULL || strcmp(topic, "help") == 0)
        return help_all();
    const struct command *command = find_command(topic);
    return command != NULL ? help_command(command) : unknown_command(topic);
}

static void describe_action(const struct action *action, struct manual_row *row)
{
    const char *keys = action->keys != NULL ? action->keys : "";
    const char *name = action->command != NULL ? action->command : "";
    const char *argument = action->argument != NULL ? action->argument : "";
    snprintf(row->trigger, sizeof row->trigger, "%s%s%s%s%s", name, *argument ? " " : "", argument,
             *name && *keys ? ", " : "", keys);
    row->help = action->help;
}

/* What is typed or pressed in the chat, for the manual. */
static size_t describe_actions(struct manual_row *rows, size_t room)
{
    size_t count = 0;
    for (int i = 0; i < CONTEXTS; i++)
        for (const struct action *action = action_tables[i].rows;
             action != NULL && action->help != NULL && count < room; action++)
            if (action->keys != NULL || action->command != NULL)
                describe_action(action, &rows[count++]);
    return count;
}

static int print_man(void)
{
    struct manual_row rows[ACTIONS_MAX];
    struct strbuf out = {0};
    size_t count = describe_actions(rows, ACTIONS_MAX);
    manual_write(commands, COMMANDS, rows, count, &out);
    return print_out(&out);
}

static int print_asked(const struct arguments *arguments)
{
    struct strbuf out = {0};
    if (arguments->print_man)
        return print_man();
    if (arguments->print_config) {
        options_config(&out);
        bindings_config(&out);
    } else if (arguments->list != NULL)
        completion_list(arguments->list, &out);
    else
        completion_script(arguments->print_completion, commands, COMMANDS, &out);
    return print_out(&out);
}

static int run(const struct arguments *arguments)
{
    struct settings settings;
    struct error error = {0};
    int status = EXIT_ERROR;
    if (settings_load(&settings, &error) != 0 || arguments_apply(arguments, &settings, &error) != 0)
        complain(error.message);
    else
        status = find_command(arguments->argv[0])->run(&settings, arguments->argc, arguments->argv);
    settings_free(&settings);
    return status;
}

static int dispatch(const struct arguments *arguments)
{
    if (arguments->version) {
        puts("airo " AIRO_VERSION);
        return EXIT_OK;
    }
    if (arguments->print_config || arguments->print_man || arguments->print_completion != NULL ||
        arguments->list != NULL)
        return print_asked(arguments);
    if (arguments->help || (arguments->command != NULL && strcmp(arguments->command, "help") == 0))
        return help(arguments);
    return run(arguments);
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct error error = {0};
    const char *unknown;
    setlocale(LC_CTYPE, "");
    if (arguments_parse(&arguments, argc, argv, is_command, &unknown, &error) != 0)
        return unknown != NULL ? unknown_command(unknown) : usage_error(error.message);
    int status = dispatch(&arguments);
    arguments_free(&arguments);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("airo: cannot write to standard output\n", stderr);
        return EXIT_ERROR;
    }
    return status;
}
