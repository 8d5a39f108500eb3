#include "engine/chat/scene_speech.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unictype.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"

#define HEAD_MAX  160 /* bytes of a line in which a speaker's colon is looked for */
#define WORDS_MAX 3

/* --- stop strings ----------------------------------------------------------------------------- */

char **scene_stops(const struct scene *scene, bool for_user, size_t *count)
{
    char **stops = xcalloc(2 * scene->character_count + 5, sizeof *stops);
    size_t used = 0;
    stops[used++] = xstrdup("USER:");
    if (!for_user)
        stops[used++] = xstrdup("\nUSER:"); /* and the line break does not come out before */
    if (!for_user && scene->user_name[0] != '\0') {
        stops[used++] = xasprintf("\n%s:", scene->user_name);
        stops[used++] = xasprintf("\nUSER/%s:", scene->user_name);
    }
    for (size_t i = 0; for_user && i < scene->character_count; i++) {
        stops[used++] = xasprintf("\n%s:", scene_speaker(scene, i));
        if (scene->characters[i].short_name[0] != '\0')
            stops[used++] = xasprintf("\n%s:", scene->characters[i].name);
    }
    *count = used;
    return stops;
}

void scene_stops_free(char **stops)
{
    for (char **stop = stops; stop != NULL && *stop != NULL; stop++)
        free(*stop);
    free(stops);
}

/* --- names ------------------------------------------------------------------------------------ */

static bool same(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && strncasecmp(name, text, length) == 0;
}

/* Whether text is a run of whole words of `name`. */
static bool part_of(const char *name, const char *text, size_t length)
{
    if (length == 0)
        return false;
    for (const char *at = name; at != NULL; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncasecmp(at, text, length) == 0 && (at[length] == '\0' || at[length] == ' '))
            return true;
    }
    return false;
}

static bool is_user(const struct scene *scene, const char *name, size_t length)
{
    if (same("USER", name, length) || same("ASSISTANT", name, length))
        return true;
    if (length > 5 && strncasecmp(name, "USER/", 5) == 0)
        return true;
    return scene->user_name[0] != '\0' && same(scene->user_name, name, length);
}

static int find_character(const struct scene *scene, const char *name, size_t length)
{
    for (size_t i = 0; i < scene->character_count; i++)
        if (same(scene_speaker(scene, i), name, length) ||
            same(scene->characters[i].name, name, length))
            return (int)i;
    for (size_t i = 0; i < scene->character_count; i++)
        if (part_of(scene->characters[i].name, name, length))
            return (int)i;
    return SCENE_NARRATION;
}

/* --- the head of a line ----------------------------------------------------------------------- */

/* What a line begins with, when it may be a speaker. */
struct head {
    size_t name_begin, name_end; /* without decoration and parentheses */
    size_t colon;
    bool capitalised; /* one to three capitalised words */
};

static bool name_character(uint32_t code)
{
    return uc_is_alnum(code) || code == '\'' || code == 0x2019 || code == '-' || code == '.' ||
           code == '/' || uc_is_general_category(code, UC_CATEGORY_Mn);
}

/* One to WORDS_MAX words, each beginning with an upper-case letter, single spaces between. */
static bool capitalised_words(const char *text, size_t length)
{
    size_t words = 0;
    bool begin = true;
    for (size_t at = 0; at < length;) {
        uint32_t code;
        at += utf8_decode(text + at, length - at, &code);
        if (code == ' ') {
            if (begin)
                return false;
            begin = true;
            continue;
        }
        if (begin && (++words > WORDS_MAX || !uc_is_upper(code)))
            return false;
        if (!name_character(code))
            return false;
        begin = false;
    }
    return words > 0 && !begin;
}

static size_t skip(const char *line, size_t length, size_t at, char c)
{
    while (at < length && line[at] == c)
        at++;
    return at;
}

/* False when there is no colon in the first HEAD_MAX bytes. */
static bool find_head(const char *line, size_t length, struct head *head)
{
    size_t limit = length < HEAD_MAX ? length : HEAD_MAX;
    size_t begin = skip(line, limit, 0, ' ');
    if (limit - begin >= 2 && memcmp(line + begin, "**", 2) == 0)
        begin += 2;
    const char *colon = memchr(line + begin, ':', limit - begin);
    if (colon == NULL)
        return false;
    size_t end = head->colon = (size_t)(colon - line);
    if (end - begin >= 2 && memcmp(line + end - 2, "**", 2) == 0)
        end -= 2;
    if (end > begin && line[end - 1] == ')') {
        const char *open = memrchr(line + begin, '(', end - begin);
        end = open != NULL ? (size_t)(open - line) : end;
    }
    while (end > begin && line[end - 1] == ' ')
        end--;
    head->name_begin = begin;
    head->name_end = end;
    head->capitalised = capitalised_words(line + begin, end - begin);
    return end > begin;
}

/* What may follow a speaker's colon; `spoken` when it can only be speech or action. */
static bool follows_well(const char *line, size_t length, size_t at, bool *spoken)
{
    static const char *const marks[] = {"\"", "*", "\u201C", "\u00AB", "\u201E"};
    if (length - at >= 2 && memcmp(line + at, "**", 2) == 0)
        at += 2;
    bool space = at == length || line[at] == ' ' || line[at] == '\t' || line[at] == '\r';
    at = skip(line, length, at, ' ');
    *spoken = false;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (length - at >= strlen(marks[i]) && memcmp(line + at, marks[i], strlen(marks[i])) == 0)
            *spoken = true;
    return space || *spoken;
}

/* Labels of text, not speakers; the first word decides. */
static bool is_label(const char *name, size_t length)
{
    static const char *const labels[] = {
        "Act",          "Also",     "Answer",     "Attention",  "Author",     "But",
        "Caution",      "Chapter",  "Characters", "Choice",     "Conclusion", "Conversation",
        "Danger",       "Date",     "Day",        "Dear",       "Definition", "End",
        "Episode",      "Example",  "Finally",    "Hint",       "Important",  "Inside",
        "Instructions", "Item",     "Later",      "List",       "Location",   "Meanwhile",
        "Message",      "Moral",    "Name",       "Note",       "Notes",      "Option",
        "Outside",      "Part",     "Place",      "Postscript", "PS",         "P.S.",
        "Question",     "Reminder", "Result",     "Rule",       "Rules",      "Scene",
        "Section",      "Setting",  "Sign",       "So",         "Solution",   "Source",
        "Sources",      "Step",     "Suddenly",   "Summary",    "The End",    "Then",
        "Time",         "Tip",      "Title",      "To",         "Total",      "Translation",
        "Warning",
    };
    const char *space = memchr(name, ' ', length);
    size_t first = space != NULL ? (size_t)(space - name) : length;
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (same(labels[i], name, first) || same(labels[i], name, length))
            return true;
    return false;
}

/* --- the watch -------------------------------------------------------------------------------- */

static bool judge(const struct scene_watch *watch)
{
    const char *line = strbuf_text(&watch->line);
    size_t length = watch->line.length;
    struct head head;
    bool spoken;
    if (!find_head(line, length, &head) || !follows_well(line, length, head.colon + 1, &spoken))
        return false;
    const char *name = line + head.name_begin;
    size_t bytes = head.name_end - head.name_begin;
    int character = find_character(watch->scene, name, bytes);
    if (watch->for_user)
        return character >= 0 || same("USER", name, bytes) || same("ASSISTANT", name, bytes);
    if (is_user(watch->scene, name, bytes))
        return true;
    if (character >= 0 || !head.capitalised || is_label(name, bytes))
        return false;
    return spoken || !(watch->quote || watch->action);
}

/* Whether more text could still change what judge() says. */
static bool undecided(const struct scene_watch *watch)
{
    const char *line = strbuf_text(&watch->line);
    size_t length = watch->line.length;
    const char *colon = memchr(line, ':', length < HEAD_MAX ? length : HEAD_MAX);
    if (colon == NULL)
        return length < HEAD_MAX;
    size_t after = (size_t)(colon - line) + 1;
    if (length - after >= 2 && memcmp(line + after, "**", 2) == 0)
        after += 2;
    after = skip(line, length, after, ' ');
    return length - after < 3 && (watch->quote || watch->action || after == length);
}

/* What is open at the end of a line. Curly quotes open and close; a plain one does either. */
static void close_line(struct scene_watch *watch)
{
    const char *line = strbuf_text(&watch->line);
    size_t length = watch->line.length, used = skip(line, length, 0, ' ');
    struct head head;
    if (used == length)
        watch->quote = watch->action = false;
    if (find_head(line, length, &head) &&
        find_character(watch->scene, line + head.name_begin, head.name_end - head.name_begin) >= 0)
        watch->quote = watch->action = false;
    for (size_t at = 0; at < length;) {
        uint32_t code;
        size_t bytes = utf8_decode(line + at, length - at, &code);
        if (code == '*' && at + 1 < length && line[at + 1] == '*')
            bytes = 2;
        else if (code == '*')
            watch->action = !watch->action;
        else if (code == '"')
            watch->quote = !watch->quote;
        else if (code == 0x201C || code == 0x201D)
            watch->quote = code == 0x201C;
        at += bytes;
    }
}

static bool decide(struct scene_watch *watch, size_t *offset)
{
    watch->decided = true;
    if (!judge(watch))
        return false;
    *offset = watch->line_begin;
    return true;
}

bool scene_watch_push(struct scene_watch *watch, const char *text, size_t length, size_t *offset)
{
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t end = newline != NULL ? (size_t)(newline - text) : length;
        strbuf_add(&watch->line, text + at, end - at);
        if (!watch->decided && (newline != NULL || !undecided(watch)) && decide(watch, offset))
            return true;
        if (newline == NULL)
            return false;
        close_line(watch);
        watch->line_begin += watch->line.length + 1;
        watch->decided = false;
        strbuf_clear(&watch->line);
        at = end + 1;
    }
    return false;
}

bool scene_watch_finish(struct scene_watch *watch, size_t *offset)
{
    return !watch->decided && decide(watch, offset);
}

void scene_watch_free(struct scene_watch *watch)
{
    strbuf_free(&watch->line);
}

/* --- a line for display ----------------------------------------------------------------------- */

void scene_parse_line(const struct scene *scene, const char *line, size_t length,
                      struct scene_line *out)
{
    struct head head;
    bool spoken;
    *out = (struct scene_line){.speaker = SCENE_NARRATION};
    if (!find_head(line, length, &head) || !follows_well(line, length, head.colon + 1, &spoken))
        return;
    const char *name = line + head.name_begin;
    size_t bytes = head.name_end - head.name_begin;
    int speaker = find_character(scene, name, bytes);
    if (speaker < 0 && (is_user(scene, name, bytes) || same(scene_user(scene), name, bytes)))
        speaker = SCENE_USER;
    else if (speaker < 0 && head.capitalised && !is_label(name, bytes))
        speaker = SCENE_STRANGER;
    if (speaker == SCENE_NARRATION)
        return;
    size_t after = head.colon + 1;
    if (length - after >= 2 && memcmp(line + after, "**", 2) == 0 &&
        memcmp(line + skip(line, length, 0, ' '), "**", 2) == 0)
        after += 2;
    *out = (struct scene_line){speaker, head.colon, skip(line, length, after, ' ')};
}

const struct scene_quote scene_quotes[SCENE_QUOTES] = {
    {"\"", "\""}, {"\u201C", "\u201D"}, {"\u00AB", "\u00BB"}, {"\u201E", "\u201C"}};

/* Where speech that begins at `at` ends, 0 when none begins there. Without a closing quote it runs
 * to the end. */
static size_t speech_end(const char *line, size_t length, size_t at)
{
    for (size_t i = 0; i < SCENE_QUOTES; i++) {
        const struct scene_quote *quote = &scene_quotes[i];
        size_t open = strlen(quote->open), close = strlen(quote->close);
        if (length - at < open || memcmp(line + at, quote->open, open) != 0)
            continue;
        const char *found = memmem(line + at + open, length - at - open, quote->close, close);
        return found != NULL ? (size_t)(found - line) + close : length;
    }
    return 0;
}

/* The end of the span that begins with a mark at `at`, 0 when nothing begins there. */
static size_t span_end(const char *line, size_t length, size_t at, enum scene_span_kind *kind)
{
    *kind = line[at] == '*' ? SPAN_ACTION : SPAN_SPEECH;
    if (*kind == SPAN_SPEECH)
        return speech_end(line, length, at);
    const char *close = memchr(line + at + 1, '*', length - at - 1);
    size_t end = close != NULL ? (size_t)(close - line) + 1 : 0;
    return end == at + 2 ? 0 : end;
}

bool scene_next_span(const char *line, size_t length, struct scene_span *span)
{
    size_t begin = span->end, at = begin;
    enum scene_span_kind kind;
    if (begin >= length)
        return false;
    size_t end = span_end(line, length, begin, &kind);
    if (end > 0) {
        *span = (struct scene_span){kind, begin, end};
        return true;
    }
    if (line[at] != '*')
        at++;
    while (at < length) {
        size_t stars = skip(line, length, at, '*') - at;
        if (stars < 2 && at > begin && span_end(line, length, at, &kind) > 0)
            break;
        at += stars > 0 ? stars : 1; /* "**" is no action */
    }
    *span = (struct scene_span){SPAN_PLAIN, begin, at};
    return true;
}
