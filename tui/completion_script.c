#include "tui/completion_script.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tui/options.h"
#include "tui/theme.h"

/* What may follow an option. */
enum value_kind { VALUE_NONE, VALUE_WORDS, VALUE_THEMES, VALUE_MODELS, VALUE_FILES, VALUE_ANY };

static enum value_kind value_kind(const struct option *option)
{
    if (option->type == OPTION_FLAG)
        return VALUE_NONE;
    if (option->choices != NULL)
        return VALUE_WORDS;
    if (strcmp(option->name, "theme") == 0)
        return VALUE_THEMES;
    if (strcmp(option->name, "model") == 0)
        return VALUE_MODELS;
    bool file = option->argument != NULL && strcmp(option->argument, "FILE") == 0;
    return file || strcmp(option->name, "template") == 0 ? VALUE_FILES : VALUE_ANY;
}

/* A setting or an option of every command is common to all. */
static bool is_common(const struct option *option)
{
    return option->command == NULL || option->command[0] == '\0';
}

static void put_commands(struct strbuf *out, const struct command *const *commands, size_t count,
                         const char *separator)
{
    for (size_t i = 0; i < count; i++)
        strbuf_printf(out, "%s%s", i > 0 ? separator : "", commands[i]->name);
    strbuf_printf(out, "%shelp", separator);
}

/* The options of a command, or those common to all, each after a space. */
static void put_options(struct strbuf *out, const char *command)
{
    for (const struct option *option = options_table; option->name != NULL; option++) {
        bool wanted = command != NULL
                          ? option->command != NULL && strcmp(option->command, command) == 0
                          : is_common(option);
        if (!wanted)
            continue;
        strbuf_printf(out, " --%s", option->name);
        if (option->ini != NULL && option->type == OPTION_FLAG)
            strbuf_printf(out, " --no-%s", option->name);
    }
}

/* --- bash and zsh ---------------------------------------------------------------------------- */

/* How a shell says the same things. */
struct dialect {
    const char *head, *words, *list, *files, *common, *own, *tail;
};

static const struct dialect bash = {
    .head = "# Completion of airo for bash; made by airo --print-completion bash.\n"
            "_airo() {\n"
            "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= i\n"
            "    local words=\n"
            "    COMPREPLY=()\n"
            "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
            "        case ${COMP_WORDS[i]} in\n"
            "        %s) command=${COMP_WORDS[i]}; break ;;\n"
            "        esac\n"
            "    done\n",
    .words = "COMPREPLY=($(compgen -W '%s' -- \"$cur\"))",
    .list =
        "COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" --list %s 2>/dev/null)\" -- \"$cur\"))",
    .files = "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\"))",
    .common = "    if [[ $cur == -* ]]; then\n        words='%s'\n",
    .own = "words+='%s'",
    .tail = "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
            "    elif [[ -z $command || $command == help ]]; then\n"
            "        COMPREPLY=($(compgen -W '%s' -- \"$cur\"))\n"
            "    else\n"
            "        compopt -o filenames 2>/dev/null\n"
            "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
            "    fi\n"
            "}\n"
            "complete -F _airo airo\n"};

static const struct dialect zsh = {
    .head = "#compdef airo\n"
            "# Completion of airo for zsh; made by airo --print-completion zsh.\n"
            "_airo() {\n"
            "    local cur=${words[CURRENT]} prev=${words[CURRENT-1]} command= word\n"
            "    for word in ${words[2,CURRENT-1]}; do\n"
            "        case $word in\n"
            "        %s) command=$word; break ;;\n"
            "        esac\n"
            "    done\n",
    .words = "compadd -- %s",
    .list = "compadd -- ${(f)\"$(${words[1]} --list %s 2>/dev/null)\"}",
    .files = "_files",
    .common = "    if [[ $cur == -* ]]; then\n        compadd -- %s\n",
    .own = "compadd -- %s",
    .tail = "    elif [[ -z $command || $command == help ]]; then\n"
            "        compadd -- %s\n"
            "    else\n"
            "        _files\n"
            "    fi\n"
            "}\n"
            "compdef _airo airo\n"};

/* `format` with its one %s replaced. */
static void put_filled(struct strbuf *out, const char *format, const char *value)
{
    const char *hole = strstr(format, "%s");
    if (hole == NULL) {
        strbuf_puts(out, format);
        return;
    }
    strbuf_add(out, format, (size_t)(hole - format));
    strbuf_puts(out, value);
    strbuf_puts(out, hole + 2);
}

static void put_value(struct strbuf *out, const struct dialect *dialect,
                      const struct option *option)
{
    switch (value_kind(option)) {
    case VALUE_WORDS:
        put_filled(out, dialect->words, option->choices);
        break;
    case VALUE_THEMES:
        put_filled(out, dialect->list, "themes");
        break;
    case VALUE_MODELS:
        put_filled(out, dialect->list, "models");
        break;
    case VALUE_FILES:
        strbuf_puts(out, dialect->files);
        break;
    default:
        strbuf_puts(out, ":");
        break;
    }
}

/* One case for each option that takes a value. An option that another command has as a flag, or
 * with other values, is told apart by the command. */
static void put_value_cases(struct strbuf *out, const struct dialect *dialect)
{
    strbuf_puts(out, "    case $command:$prev in\n");
    for (const struct option *option = options_table; option->name != NULL; option++) {
        const char *command = is_common(option) ? "*" : option->command;
        if (value_kind(option) == VALUE_NONE)
            continue;
        strbuf_printf(out, "    %s:--%s", command, option->name);
        if (option->letter != '\0')
            strbuf_printf(out, "|%s:-%c", command, option->letter);
        strbuf_puts(out, ") ");
        put_value(out, dialect, option);
        strbuf_puts(out, "; return ;;\n");
    }
    strbuf_puts(out, "    esac\n");
}

static void put_dialect(struct strbuf *out, const struct dialect *dialect,
                        const struct command *const *commands, size_t count)
{
    struct strbuf names = {0}, words = {0};
    put_commands(&names, commands, count, "|");
    put_filled(out, dialect->head, strbuf_text(&names));
    put_value_cases(out, dialect);
    put_options(&words, NULL);
    put_filled(out, dialect->common, strbuf_text(&words));
    strbuf_puts(out, "        case $command in\n");
    for (size_t i = 0; i < count; i++) {
        strbuf_clear(&words);
        put_options(&words, commands[i]->name);
        if (words.length == 0)
            continue;
        bool chat = strcmp(commands[i]->name, "chat") == 0;
        strbuf_printf(out, "        %s%s) ", chat ? "''|" : "", commands[i]->name);
        put_filled(out, dialect->own, strbuf_text(&words));
        strbuf_puts(out, " ;;\n");
    }
    strbuf_puts(out, "        esac\n");
    strbuf_clear(&names);
    put_commands(&names, commands, count, " ");
    put_filled(out, dialect->tail, strbuf_text(&names));
    strbuf_free(&names);
    strbuf_free(&words);
}

/* --- fish ------------------------------------------------------------------------------------ */

/* In single quotes. */
static void put_quoted(struct strbuf *out, const char *text)
{
    strbuf_putc(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            strbuf_putc(out, '\\');
        strbuf_putc(out, *text);
    }
    strbuf_putc(out, '\'');
}

static void put_fish_option(struct strbuf *out, const struct option *option)
{
    static const char *const values[] = {[VALUE_NONE] = "",
                                         [VALUE_WORDS] = " -x -a ",
                                         [VALUE_THEMES] = " -x -a '(airo --list themes)'",
                                         [VALUE_MODELS] = " -r -a '(airo --list models)'",
                                         [VALUE_FILES] = " -r -F",
                                         [VALUE_ANY] = " -x"};
    strbuf_puts(out, "complete -c airo");
    if (!is_common(option))
        strbuf_printf(out, " -n '__fish_seen_subcommand_from %s'", option->command);
    if (option->letter != '\0')
        strbuf_printf(out, " -s %c", option->letter);
    strbuf_printf(out, " -l %s%s", option->name, values[value_kind(option)]);
    if (value_kind(option) == VALUE_WORDS)
        put_quoted(out, option->choices);
    strbuf_puts(out, " -d ");
    put_quoted(out, option->help);
    strbuf_putc(out, '\n');
}

static void put_fish(struct strbuf *out, const struct command *const *commands, size_t count)
{
    strbuf_puts(out, "# Completion of airo for fish; made by airo --print-completion fish.\n");
    for (size_t i = 0; i < count; i++) {
        strbuf_printf(out, "complete -c airo -n __fish_use_subcommand -f -a %s -d ",
                      commands[i]->name);
        put_quoted(out, commands[i]->summary);
        strbuf_putc(out, '\n');
    }
    for (const struct option *option = options_table; option->name != NULL; option++)
        put_fish_option(out, option);
}

void completion_script(const char *shell, const struct command *const *commands, size_t count,
                       struct strbuf *out)
{
    if (strcmp(shell, "fish") == 0)
        put_fish(out, commands, count);
    else
        put_dialect(out, strcmp(shell, "zsh") == 0 ? &zsh : &bash, commands, count);
}

/* --- names ----------------------------------------------------------------------------------- */

/* The embedded model and those in the user's directory. */
static void list_models(struct strbuf *out)
{
    char *data = xdg_directory("data"), *models = path_join(data, "models");
    DIR *stream = opendir(models);
    strbuf_puts(out, "vaquita\n");
    for (struct dirent *at = stream ? readdir(stream) : NULL; at != NULL; at = readdir(stream)) {
        char *config = xasprintf("%s/%s/config.json", models, at->d_name);
        bool plain = at->d_name[0] != '.' && strpbrk(at->d_name, "\n\r\033 ") == NULL;
        if (plain && strcmp(at->d_name, "vaquita") != 0 && file_exists(config))
            strbuf_printf(out, "%s\n", at->d_name);
        free(config);
    }
    if (stream != NULL)
        closedir(stream);
    free(models);
    free(data);
}

void completion_list(const char *kind, struct strbuf *out)
{
    char *name;
    if (strcmp(kind, "models") == 0) {
        list_models(out);
        return;
    }
    for (unsigned i = 0; (name = theme_list(i)) != NULL; i++) {
        if (strpbrk(name, "\n\r\033 ") == NULL)
            strbuf_printf(out, "%s\n", name);
        free(name);
    }
}
