#include "engine/chat/template.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/ini.h"

#ifndef AIRO_PREFIX
#define AIRO_PREFIX "/usr/local"
#endif

#define LIST_MAX  16 /* stops, and markers, of one file */
#define NAME_MAX_ 64

/* The closed-context delimiters are structure under every template. */
static const char *const delimiters[] = {
    "BEGININPUT", "ENDINPUT", "BEGINCONTEXT", "ENDCONTEXT", "BEGININSTRUCTION", "ENDINSTRUCTION",
};
#define DELIMITERS (sizeof delimiters / sizeof delimiters[0])

struct turn_form {
    struct template_piece *pieces;
    size_t count;
};

struct chat_template {
    char *name, *path, *system;
    struct turn_form turns[TURN_FORMS];
    bool reply_fresh;
    char *stops[LIST_MAX + 1];
    char *markers[LIST_MAX + DELIMITERS + 1];
};

/* --- template text -> pieces ------------------------------------------------------------------ */

static void form_add(struct turn_form *form, enum piece_kind kind, const char *text, size_t length)
{
    struct template_piece *last = form->count > 0 ? &form->pieces[form->count - 1] : NULL;
    if (kind == PIECE_TEXT && last != NULL && last->kind == PIECE_TEXT) {
        last->text = xrealloc(last->text, last->length + length + 1);
        memcpy(last->text + last->length, text, length);
        last->length += length;
        last->text[last->length] = '\0';
        return;
    }
    form->pieces = xreallocarray(form->pieces, form->count + 1, sizeof *form->pieces);
    form->pieces[form->count++] = (struct template_piece){kind, xstrndup(text, length), length};
}

static const struct word {
    const char *name;
    enum piece_kind kind;
    const char *text;
} words[] = {
    {"bos", PIECE_BOS, ""},          {"eos", PIECE_EOS, ""},
    {"system", PIECE_SYSTEM, ""},    {"instruction", PIECE_INSTRUCTION, ""},
    {"reply", PIECE_REPLY, ""},      {"newline", PIECE_TEXT, "\n"},
    {"tab", PIECE_TEXT, "\t"},       {"quote", PIECE_TEXT, "\""},
    {"backslash", PIECE_TEXT, "\\"}, {"open", PIECE_TEXT, "{"},
    {"close", PIECE_TEXT, "}"},
};

/* One {word}; `length` is that of the word. */
static int form_add_word(struct turn_form *form, const char *word, size_t length)
{
    static const char special[] = "special:";
    size_t prefix = sizeof special - 1;
    if (length > prefix && strncmp(word, special, prefix) == 0) {
        form_add(form, PIECE_SPECIAL, word + prefix, length - prefix);
        return 0;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].name) != length || memcmp(words[i].name, word, length) != 0)
            continue;
        form_add(form, words[i].kind, words[i].text, strlen(words[i].text));
        return 0;
    }
    return -1;
}

static int form_parse(struct turn_form *form, const struct ini_entry *entry, const char *path,
                      struct error *error)
{
    const char *at = entry->value;
    while (*at != '\0') {
        size_t plain = strcspn(at, "{}");
        if (plain > 0)
            form_add(form, PIECE_TEXT, at, plain);
        at += plain;
        if (*at == '\0')
            break;
        const char *close = *at == '{' ? strchr(at, '}') : NULL;
        if (close == NULL || form_add_word(form, at + 1, (size_t)(close - at - 1)) != 0)
            return error_set(error, ERROR_INPUT, "%s: line %d: %s:%s: unknown word at \"%.24s\"",
                             path, entry->line, entry->section, entry->key, at);
        at = close + 1;
    }
    return 0;
}

static size_t form_slots(const struct turn_form *form, enum piece_kind kind)
{
    size_t found = 0;
    for (size_t i = 0; i < form->count; i++)
        found += form->pieces[i].kind == kind;
    return found;
}

static int form_check(const struct turn_form *form, enum template_turn turn,
                      const struct ini_entry *entry, const char *path, struct error *error)
{
    const char *wrong = NULL;
    if (form_slots(form, PIECE_INSTRUCTION) != 1)
        wrong = "needs {instruction} once";
    else if (form_slots(form, PIECE_REPLY) != 1 ||
             form->pieces[form->count - 1].kind != PIECE_REPLY)
        wrong = "must end in {reply}";
    else if (form_slots(form, PIECE_SYSTEM) != (turn == TURN_FIRST))
        wrong = turn == TURN_FIRST ? "needs {system} once" : "cannot hold {system}";
    if (wrong == NULL)
        return 0;
    return error_set(error, ERROR_INPUT, "%s: line %d: %s:%s %s", path, entry->line, entry->section,
                     entry->key, wrong);
}

/* --- file -> template ------------------------------------------------------------------------- */

static int read_turns(struct chat_template *template, const struct ini_file *file,
                      struct error *error)
{
    static const char *const keys[TURN_FORMS] = {"first", "first_bare", "next"};
    for (int turn = 0; turn < TURN_FORMS; turn++) {
        const struct ini_entry *entry = ini_find(file, "turns", keys[turn]);
        if (entry == NULL)
            return error_set(error, ERROR_INPUT, "%s: turns:%s is missing", file->path, keys[turn]);
        struct turn_form *form = &template->turns[turn];
        if (form_parse(form, entry, file->path, error) != 0 ||
            form_check(form, (enum template_turn)turn, entry, file->path, error) != 0)
            return -1;
    }
    return 0;
}

/* All values of one section, whatever their keys. A marker of a single character would defuse
 * half the text, and one with the defusing dot in it could be made by defusing. */
static int read_list(char **list, const struct ini_file *file, const char *section,
                     struct error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct ini_entry *entry = &file->entries[i];
        if (strcmp(entry->section, section) != 0)
            continue;
        if (strlen(entry->value) < 3 || strstr(entry->value, "\u00B7") != NULL)
            return error_set(error, ERROR_INPUT,
                             "%s: line %d: %s:%s needs three bytes or more and no middle dot",
                             file->path, entry->line, section, entry->key);
        if (count == LIST_MAX)
            return error_set(error, ERROR_INPUT, "%s: line %d: more than %d %s", file->path,
                             entry->line, LIST_MAX, section);
        list[count++] = xstrdup(entry->value);
    }
    return 0;
}

static int read_head(struct chat_template *template, const struct ini_file *file,
                     struct error *error)
{
    const struct ini_entry *system = ini_find(file, "template", "system");
    const struct ini_entry *run = ini_find(file, "template", "reply_run");
    template->system = xstrdup(system != NULL ? system->value : "");
    template->reply_fresh = run == NULL || strcmp(run->value, "fresh") == 0;
    if (run == NULL || template->reply_fresh || strcmp(run->value, "joined") == 0)
        return 0;
    return error_set(error, ERROR_INPUT, "%s: line %d: template:reply_run is fresh or joined",
                     file->path, run->line);
}

static int check_known(const struct ini_file *file, struct error *error)
{
    static const char *const known[][2] = {
        {"template", "description"},
        {"template", "system"},
        {"template", "reply_run"},
        {"turns", "first"},
        {"turns", "first_bare"},
        {"turns", "next"},
        {"stops", NULL},
        {"markers", NULL},
    };
    for (size_t i = 0; i < file->count; i++) {
        const struct ini_entry *entry = &file->entries[i];
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof known[0] && !found; k++)
            found = strcmp(known[k][0], entry->section) == 0 &&
                    (known[k][1] == NULL || strcmp(known[k][1], entry->key) == 0);
        if (!found)
            return error_set(error, ERROR_INPUT, "%s: line %d: unknown key %s:%s", file->path,
                             entry->line, entry->section, entry->key);
    }
    return 0;
}

static int template_read(struct chat_template *template, const char *path, struct error *error)
{
    struct ini_file file;
    if (ini_read(&file, path, error) != 0)
        return -1;
    int result = -1;
    if (check_known(&file, error) == 0 && read_head(template, &file, error) == 0 &&
        read_turns(template, &file, error) == 0 &&
        read_list(template->stops, &file, "stops", error) == 0 &&
        read_list(template->markers, &file, "markers", error) == 0)
        result = 0;
    size_t count = 0;
    while (template->markers[count] != NULL)
        count++;
    for (size_t i = 0; i < DELIMITERS; i++)
        template->markers[count + i] = xstrdup(delimiters[i]);
    ini_free(&file);
    return result;
}

/* --- name -> file ----------------------------------------------------------------------------- */

/* Takes `directory` over. The first file found wins; all directories are noted in `looked`. */
static void look_in(char *directory, const char *below, const char *name, char **found,
                    struct strbuf *looked)
{
    if (directory != NULL && *found == NULL) {
        char *path = xasprintf("%s/%s/%s.ini", directory, below, name);
        strbuf_printf(looked, "%s%s/%s", looked->length > 0 ? ", " : "", directory, below);
        if (file_exists(path))
            *found = path;
        else
            free(path);
    }
    free(directory);
}

static char *find_file(const char *name, struct error *error)
{
    char *found = NULL;
    struct strbuf looked = {0};
    char *program = program_directory();
    look_in(xdg_directory("config"), "templates", name, &found, &looked);
    if (program != NULL) {
        look_in(xstrdup(program), "../prompts/templates", name, &found, &looked);
        look_in(xstrdup(program), "../share/airo/prompts/templates", name, &found, &looked);
    }
    look_in(xstrdup(AIRO_PREFIX "/share/airo"), "prompts/templates", name, &found, &looked);
    look_in(xstrdup("."), "prompts/templates", name, &found, &looked);
    if (found == NULL)
        error_set(error, ERROR_INPUT, "template %s: no %s.ini in %s", name, name,
                  strbuf_text(&looked));
    free(program);
    strbuf_free(&looked);
    return found;
}

static char *find_template(const char *name, struct error *error)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    if (strchr(name, '/') != NULL)
        return xstrdup(name);
    size_t length = strlen(name);
    if (length == 0 || length > NAME_MAX_ || name[0] == '-' || name[0] == '.' ||
        strspn(name, allowed) != length) {
        error_set(error, ERROR_INPUT,
                  "template: a name is letters, digits, '.', '_' and '-'; a path has a '/'");
        return NULL;
    }
    return find_file(name, error);
}

int chat_template_open(struct chat_template **out, const char *name, struct error *error)
{
    *out = NULL;
    char *path = find_template(name, error);
    if (path == NULL)
        return -1;
    struct chat_template *template = xcalloc(1, sizeof *template);
    template->path = path;
    template->name = xstrdup(name);
    if (template_read(template, path, error) != 0) {
        chat_template_close(template);
        return -1;
    }
    *out = template;
    return 0;
}

void chat_template_close(struct chat_template *template)
{
    if (template == NULL)
        return;
    for (int turn = 0; turn < TURN_FORMS; turn++) {
        for (size_t i = 0; i < template->turns[turn].count; i++)
            free(template->turns[turn].pieces[i].text);
        free(template->turns[turn].pieces);
    }
    for (char **stop = template->stops; *stop != NULL; stop++)
        free(*stop);
    for (char **marker = template->markers; *marker != NULL; marker++)
        free(*marker);
    free(template->name);
    free(template->path);
    free(template->system);
    free(template);
}

const char *chat_template_name(const struct chat_template *template)
{
    return template->name;
}

const char *chat_template_system(const struct chat_template *template)
{
    return template->system;
}

const char *const *chat_template_stops(const struct chat_template *template)
{
    return (const char *const *)template->stops;
}

const char *const *chat_template_markers(const struct chat_template *template)
{
    return (const char *const *)template->markers;
}

const struct template_piece *chat_template_pieces(const struct chat_template *template,
                                                  enum template_turn turn, size_t *count)
{
    *count = template->turns[turn].count;
    return template->turns[turn].pieces;
}

bool chat_template_reply_fresh(const struct chat_template *template)
{
    return template->reply_fresh;
}
