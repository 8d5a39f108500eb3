#include "tui/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/suggest.h"

/* A growing list of owned strings. */
struct words {
    char **items;
    int count;
};

struct parser {
    struct arguments *out;
    int argc;
    char **argv;
    int at;
    bool (*is_command)(const char *name);
    const char *unknown; /* a first operand that is no command */
    struct words operands;
    bool ended; /* -- was seen */
    struct error *error;
};

static void words_add(struct words *words, char *word)
{
    words->items = xreallocarray(words->items, (size_t)words->count + 2, sizeof(char *));
    words->items[words->count++] = word;
    words->items[words->count] = NULL;
}

static void words_free(struct words *words)
{
    for (int i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    *words = (struct words){0};
}

/* Without a command the options of chat are meant. */
static const char *command_name(const struct parser *parser)
{
    return parser->out->command != NULL ? parser->out->command : "chat";
}

static int unknown_option(struct parser *parser, const char *name, size_t length)
{
    char *typed = xstrndup(name, length);
    struct suggestion best = suggest_begin(typed);
    const char *elsewhere = NULL;
    for (const struct option *option = options_table; option->name != NULL; option++) {
        if (options_find(command_name(parser), option->name, strlen(option->name)) != NULL)
            suggest_offer(&best, option->name);
        if (strcmp(option->name, typed) == 0)
            elsewhere = option->command;
    }
    if (elsewhere != NULL)
        error_set(parser->error, ERROR_INPUT, "--%s is an option of airo %s", typed, elsewhere);
    else
        error_set(parser->error, ERROR_INPUT, "unknown option --%.64s%s%s%s", typed,
                  best.found ? "; did you mean --" : "", best.found ? best.found : "",
                  best.found ? "?" : "");
    free(typed);
    return -1;
}

static void list_add(struct argument **list, size_t *count, const struct option *option,
                     const char *value)
{
    *list = xreallocarray(*list, *count + 1, sizeof **list);
    (*list)[(*count)++] = (struct argument){option, value};
}

/* Files an option away: a setting, for every command, or for this one. */
static int take(struct parser *parser, const struct option *option, const char *value)
{
    struct arguments *out = parser->out;
    char where[64];
    snprintf(where, sizeof where, "--%s", option->name);
    if (option_set(option, NULL, where, value, parser->error) != 0)
        return -1;
    if (option->command == NULL) {
        list_add(&out->settings, &out->setting_count, option, value);
    } else if (option->command[0] == '\0') {
        out->help |= strcmp(option->name, "help") == 0;
        out->version |= strcmp(option->name, "version") == 0;
        out->print_config |= strcmp(option->name, "print-config") == 0;
        out->print_man |= strcmp(option->name, "print-man") == 0;
        out->print_completion =
            strcmp(option->name, "print-completion") == 0 ? value : out->print_completion;
        out->list = strcmp(option->name, "list") == 0 ? value : out->list;
    } else {
        list_add(&out->own, &out->own_count, option, value);
    }
    return 0;
}

/* The value after an option: attached, or the next word. */
static int take_valued(struct parser *parser, const struct option *option, const char *attached)
{
    if (attached == NULL && parser->at + 1 >= parser->argc)
        return error_set(parser->error, ERROR_INPUT, "--%s needs a value (%s)", option->name,
                         option->argument);
    return take(parser, option, attached != NULL ? attached : parser->argv[++parser->at]);
}

static int parse_long(struct parser *parser, const char *name)
{
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    const struct option *option = options_find(command_name(parser), name, length);
    if (option != NULL && option->type != OPTION_FLAG)
        return take_valued(parser, option, value);
    if (option != NULL)
        return take(parser, option, value != NULL ? value : "yes");
    if (length > 3 && strncmp(name, "no-", 3) == 0 && value == NULL)
        option = options_find(command_name(parser), name + 3, length - 3);
    if (option != NULL && option->type == OPTION_FLAG && option->command == NULL)
        return take(parser, option, "no");
    return unknown_option(parser, name, length);
}

/* -m MODEL, -mMODEL, -vh. */
static int parse_letters(struct parser *parser, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        const struct option *option = options_find_letter(command_name(parser), *letters);
        if (option == NULL)
            return error_set(parser->error, ERROR_INPUT, "unknown option -%c", *letters);
        if (option->type != OPTION_FLAG)
            return take_valued(parser, option, letters[1] != '\0' ? letters + 1 : NULL);
        if (take(parser, option, "yes") != 0)
            return -1;
    }
    return 0;
}

static int parse_operand(struct parser *parser, const char *word)
{
    if (parser->out->command != NULL) {
        words_add(&parser->operands, xstrdup(word));
        return 0;
    }
    if (!parser->is_command(word)) {
        parser->unknown = word;
        return error_set(parser->error, ERROR_INPUT, "unknown command %.64s", word);
    }
    parser->out->command = xstrdup(word);
    return 0;
}

static int parse_word(struct parser *parser, const char *word)
{
    if (!parser->ended && strcmp(word, "--") == 0) {
        parser->ended = true;
        return 0;
    }
    if (parser->ended || word[0] != '-' || word[1] == '\0')
        return parse_operand(parser, word);
    return word[1] == '-' ? parse_long(parser, word + 2) : parse_letters(parser, word + 1);
}

/* An option that stood before the command's name may turn out to belong to another command. */
static int check_own(const struct parser *parser)
{
    for (size_t i = 0; i < parser->out->own_count; i++) {
        const struct option *option = parser->out->own[i].option;
        if (strcmp(option->command, command_name(parser)) != 0)
            return error_set(parser->error, ERROR_INPUT, "--%s is an option of airo %s",
                             option->name, option->command);
    }
    return 0;
}

/* The form that arguments.h describes. */
static void lay_out(struct parser *parser)
{
    struct words all = {0};
    struct arguments *out = parser->out;
    bool dashes = false;
    words_add(&all, xstrdup(command_name(parser)));
    for (size_t i = 0; i < out->own_count; i++) {
        words_add(&all, xasprintf("--%s", out->own[i].option->name));
        if (out->own[i].option->type != OPTION_FLAG)
            words_add(&all, xstrdup(out->own[i].value));
    }
    for (int i = 0; i < parser->operands.count; i++)
        dashes |= parser->operands.items[i][0] == '-';
    if (dashes)
        words_add(&all, xstrdup("--"));
    for (int i = 0; i < parser->operands.count; i++)
        words_add(&all, xstrdup(parser->operands.items[i]));
    out->argv = all.items;
    out->argc = all.count;
}

int arguments_parse(struct arguments *arguments, int argc, char **argv,
                    bool (*is_command)(const char *name), const char **unknown, struct error *error)
{
    *arguments = (struct arguments){0};
    struct parser parser = {.out = arguments, .argc = argc, .argv = argv, .at = 1};
    parser.is_command = is_command;
    parser.error = error;
    int result = 0;
    for (; parser.at < argc && result == 0; parser.at++)
        result = parse_word(&parser, argv[parser.at]);
    if (result == 0)
        result = check_own(&parser);
    if (result == 0)
        lay_out(&parser);
    *unknown = parser.unknown;
    words_free(&parser.operands);
    if (result != 0)
        arguments_free(arguments);
    return result;
}

void arguments_free(struct arguments *arguments)
{
    struct words argv = {arguments->argv, arguments->argc};
    words_free(&argv);
    free(arguments->settings);
    free(arguments->own);
    free(arguments->command);
    *arguments = (struct arguments){0};
}

int arguments_apply(const struct arguments *arguments, struct settings *settings,
                    struct error *error)
{
    for (size_t i = 0; i < arguments->setting_count; i++) {
        const struct argument *argument = &arguments->settings[i];
        if (option_set(argument->option, settings, argument->option->name, argument->value,
                       error) != 0)
            return -1;
    }
    return 0;
}

const struct option *arguments_next(int argc, char **argv, int *at, const char **value)
{
    *value = NULL;
    if (*at >= argc || strncmp(argv[*at], "--", 2) != 0)
        return NULL;
    const char *name = argv[(*at)++] + 2;
    const struct option *option = *name != '\0' ? options_find(argv[0], name, strlen(name)) : NULL;
    if (option != NULL && option->type != OPTION_FLAG && *at < argc)
        *value = argv[(*at)++];
    return option;
}
