#include "engine/chat/scene_ini.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/ini.h"
#include "engine/base/strbuf.h"
#include "engine/base/utf8.h"

struct reader {
    struct scene *scene;
    const struct ini_file *file;
    scene_find_character find;
    struct error *error;
};

bool scene_file_name_ok(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    size_t length = strlen(name);
    return length > 0 && length <= 96 && name[0] != '.' && name[0] != '-' &&
           strspn(name, allowed) == length;
}

static int complain(const struct reader *reader, const struct ini_entry *entry, const char *what)
{
    return error_set(reader->error, ERROR_INPUT, "%s: line %d: %s:%s %s", reader->file->path,
                     entry->line, entry->section, entry->key, what);
}

/* --- what a file may hold --------------------------------------------------------------------- */

struct known {
    const char *section,
        *key; /* key NULL: any; a section that ends in ' ' is followed by a number */
};

static const struct known scene_known[] = {
    {"scene", "title"},     {"scene", "description"},
    {"user", "name"},       {"user", "persona"},
    {"character ", "name"}, {"character ", "short"},
    {"character ", "file"}, {"character ", "description"},
    {"rules", NULL},        {"setting", "text"},
    {"setting", "file"},    {"opening", "text"},
    {"opening", "file"},    {"first", "text"},
    {"first", "file"},      {"greeting ", "text"},
    {"greeting ", "file"},  {NULL, NULL},
};

static const struct known character_known[] = {
    {"character", "name"},   {"character", "short"}, {"character", "description"},
    {"details", "text"},     {"details", "file"},    {"personality", "text"},
    {"personality", "file"}, {"example", "text"},    {"example", "file"},
    {"first", "text"},       {"first", "file"},      {NULL, NULL},
};

static bool section_matches(const char *known, const char *section)
{
    size_t length = strlen(known);
    if (known[length - 1] != ' ')
        return strcmp(known, section) == 0;
    size_t digits =
        strspn(section + (strncmp(known, section, length) == 0 ? length : 0), "0123456789");
    return strncmp(known, section, length) == 0 && digits > 0 && digits <= 4 &&
           section[length + digits] == '\0';
}

static int check_known(const struct reader *reader, const struct known *known)
{
    for (size_t i = 0; i < reader->file->count; i++) {
        const struct ini_entry *entry = &reader->file->entries[i];
        size_t k = 0;
        while (known[k].section != NULL &&
               !(section_matches(known[k].section, entry->section) &&
                 (known[k].key == NULL || strcmp(known[k].key, entry->key) == 0)))
            k++;
        if (known[k].section == NULL)
            return complain(reader, entry, "is not known here");
        size_t length = strlen(entry->value);
        if (utf8_whole(entry->value, length) != length)
            return complain(reader, entry, "is not UTF-8");
    }
    return 0;
}

static const char *value_or(const struct ini_file *file, const char *section, const char *key,
                            const char *otherwise)
{
    const struct ini_entry *entry = ini_find(file, section, key);
    return entry != NULL ? entry->value : otherwise;
}

/* --- long text -------------------------------------------------------------------------------- */

static bool is_text(const struct strbuf *text)
{
    uint32_t code;
    for (size_t at = 0; at < text->length;) {
        size_t bytes = utf8_decode(text->data + at, text->length - at, &code);
        if (code == 0 || (code == UTF8_REPLACEMENT && bytes == 1))
            return false;
        at += bytes;
    }
    return true;
}

static int read_beside(const struct reader *reader, const struct ini_entry *entry,
                       struct strbuf *out)
{
    if (!scene_file_name_ok(entry->value))
        return complain(reader, entry, "names a file beside this one, by letters, digits, . _ -");
    const char *slash = strrchr(reader->file->path, '/');
    char *directory = slash != NULL
                          ? xstrndup(reader->file->path, (size_t)(slash - reader->file->path))
                          : xstrdup(".");
    char *path = path_join(directory, entry->value);
    int result = file_read_regular(path, SCENE_TEXT_MAX, out, reader->error);
    if (result != 0)
        error_prefix(reader->error, "%s: line %d", reader->file->path, entry->line);
    else if (!is_text(out))
        result = error_set(reader->error, ERROR_INPUT, "%s: not UTF-8 text", path);
    free(path);
    free(directory);
    return result;
}

/* A section's text, or the text of its file. */
static int read_long(const struct reader *reader, const char *section, struct strbuf *out)
{
    const struct ini_entry *text = ini_find(reader->file, section, "text");
    const struct ini_entry *file = ini_find(reader->file, section, "file");
    if (text != NULL && file != NULL)
        return complain(reader, file, "stands beside a text; only one of them can be");
    if (file != NULL && read_beside(reader, file, out) != 0)
        return -1;
    if (text != NULL)
        strbuf_puts(out, text->value);
    while (out->length > 0 && strchr("\r\n ", out->data[out->length - 1]) != NULL)
        strbuf_remove(out, out->length - 1, 1);
    return 0;
}

static int read_into(const struct reader *reader, const char *section, char **field)
{
    struct strbuf text = {0};
    int result = read_long(reader, section, &text);
    if (result == 0)
        scene_put(field, strbuf_text(&text));
    strbuf_free(&text);
    return result;
}

/* --- scenes ----------------------------------------------------------------------------------- */

/* Sections come in the order in which the file has them, each once. */
static bool is_first_of_section(const struct ini_file *file, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(file->entries[i].section, file->entries[index].section) == 0)
            return false;
    return true;
}

static int read_character(struct reader *reader, const struct ini_entry *first)
{
    const struct ini_file *file = reader->file;
    const char *section = first->section;
    const struct ini_entry *from = ini_find(file, section, "file");
    const char *name = value_or(file, section, "name", "");
    int result;
    if (from != NULL)
        result = reader->find(reader->scene, from->value, file->path, reader->error);
    else
        result =
            scene_add_character(reader->scene, name, value_or(file, section, "short", ""),
                                value_or(file, section, "description", ""), NULL, reader->error);
    if (result != 0)
        return error_prefix(reader->error, "%s: line %d: %s", file->path, first->line, section);
    return 0;
}

static int read_entry(struct reader *reader, size_t index)
{
    const struct ini_entry *entry = &reader->file->entries[index];
    struct strbuf text = {0};
    int result = 0;
    if (strcmp(entry->section, "rules") == 0)
        return scene_add_rule(reader->scene, entry->value, reader->error) == 0
                   ? 0
                   : error_prefix(reader->error, "%s: line %d", reader->file->path, entry->line);
    if (!is_first_of_section(reader->file, index))
        return 0;
    if (section_matches("character ", entry->section))
        return read_character(reader, entry);
    if (section_matches("greeting ", entry->section)) {
        result = read_long(reader, entry->section, &text);
        if (result == 0)
            result = scene_add_greeting(reader->scene, strbuf_text(&text), reader->error);
        strbuf_free(&text);
    }
    return result;
}

static int read_scene(struct reader *reader)
{
    const struct ini_file *file = reader->file;
    struct scene *scene = reader->scene;
    if (check_known(reader, scene_known) != 0)
        return -1;
    scene_put(&scene->title, value_or(file, "scene", "title", ""));
    scene_put(&scene->description, value_or(file, "scene", "description", ""));
    scene_put(&scene->user_persona, value_or(file, "user", "persona", ""));
    for (size_t i = 0; i < file->count; i++)
        if (read_entry(reader, i) != 0)
            return -1;
    if (scene_set_user(scene, value_or(file, "user", "name", ""), reader->error) != 0)
        return error_prefix(reader->error, "%s: user", file->path);
    if (scene->character_count == 0)
        return error_set(reader->error, ERROR_INPUT, "%s: there is no [character 1]", file->path);
    if (read_into(reader, "setting", &scene->setting) != 0 ||
        read_into(reader, "opening", &scene->opening) != 0)
        return -1;
    return read_into(reader, "first", &scene->first_message);
}

int scene_read_ini(struct scene *scene, const char *path, scene_find_character find,
                   struct error *error)
{
    struct ini_file file;
    struct reader reader = {scene, &file, find, error};
    if (ini_read(&file, path, error) != 0)
        return -1;
    int result = read_scene(&reader);
    ini_free(&file);
    return result;
}

/* --- characters ------------------------------------------------------------------------------- */

static int read_details(struct reader *reader, struct card *card)
{
    static const struct {
        const char *section;
        enum card_field field;
    } sections[] = {{"details", CARD_DESCRIPTION},
                    {"personality", CARD_PERSONALITY},
                    {"example", CARD_MES_EXAMPLE},
                    {"first", CARD_FIRST_MES}};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if (read_into(reader, sections[i].section, &card->fields[sections[i].field]) != 0)
            return -1;
    return 0;
}

static bool has_details(const struct card *card)
{
    for (int i = CARD_DESCRIPTION; i < CARD_FIELDS; i++)
        if (card->fields[i][0] != '\0')
            return true;
    return false;
}

static int read_character_file(struct reader *reader)
{
    const struct ini_file *file = reader->file;
    const char *name = value_or(file, "character", "name", "");
    if (check_known(reader, character_known) != 0)
        return -1;
    if (scene_check_name(name, reader->error) != 0)
        return error_prefix(reader->error, "%s: character", file->path);
    struct card *card = card_create(name);
    if (read_details(reader, card) != 0) {
        card_free(card);
        return -1;
    }
    if (!has_details(card)) {
        card_free(card);
        card = NULL;
    }
    if (scene_add_character(reader->scene, name, value_or(file, "character", "short", ""),
                            value_or(file, "character", "description", ""), card,
                            reader->error) != 0)
        return error_prefix(reader->error, "%s: character", file->path);
    return 0;
}

int scene_read_character_ini(struct scene *scene, const char *path, struct error *error)
{
    struct ini_file file;
    struct reader reader = {scene, &file, NULL, error};
    if (ini_read(&file, path, error) != 0)
        return -1;
    int result = read_character_file(&reader);
    ini_free(&file);
    return result;
}

char *scene_ini_title(const char *path)
{
    struct ini_file file;
    if (ini_read(&file, path, NULL) != 0)
        return NULL;
    const char *title = value_or(&file, "scene", "title", value_or(&file, "character", "name", ""));
    char *copy = title[0] != '\0' ? xstrdup(title) : NULL;
    ini_free(&file);
    return copy;
}
