#include "engine/chat/scene_grammar.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/chat/scene_speech.h"
#include "engine/chat/scene_text.h"

#define HEAD_MAX (SCENE_NAME_MAX + 1) /* a name and its colon */

enum place {
    PLACE_LINE,   /* a line begins */
    PLACE_HEAD,   /* in a name */
    PLACE_GAP,    /* after the colon, between parts, after the last of them */
    PLACE_OPEN,   /* in the bytes of an opening quote */
    PLACE_SPEECH, /* until its closing quote */
    PLACE_ACTION, /* until its asterisk */
    PLACE_ANY,    /* any text until the line's end */
};

/* What the reply so far leaves: plain data, so that judging works on a copy. */
struct position {
    enum place place;
    char head[HEAD_MAX];  /* the name so far */
    char bytes[4];        /* of an opening or closing quote so far */
    unsigned char length; /* of head */
    unsigned char count;  /* of bytes */
    unsigned char quote;  /* which kind is open */
    bool named;           /* the line begins with a name */
    bool space;           /* a space stands before what comes */
    bool part;            /* the line has a part */
    bool inside;          /* something is in what is open */
    bool spoken;          /* a whole line stands before this one */
    bool empty;           /* the line before this one is empty */
};

enum { FOREIGN_ROLE, FOREIGN_ASSISTANT, FOREIGN_USER, FOREIGNERS };

struct scene_grammar {
    struct grammar grammar;
    char **heads;   /* "Homer:", "Homer Simpson:" */
    char **foreign; /* by FOREIGN_...: "USER"; NULL-terminated */
    bool marked;    /* what is said stands in quotes, what is done between asterisks */
    struct position at;
};

static bool begins_one(char *const *texts, const char *begin, size_t length)
{
    for (; *texts != NULL; texts++)
        if (strncmp(*texts, begin, length) == 0)
            return true;
    return false;
}

static bool is_one(char *const *texts, const char *text, size_t length)
{
    for (; *texts != NULL; texts++)
        if (strlen(*texts) == length && memcmp(*texts, text, length) == 0)
            return true;
    return false;
}

/* --- byte by byte ----------------------------------------------------------------------------- */

static void begin_line(struct position *at)
{
    at->empty = at->place == PLACE_LINE;
    at->spoken |= at->part || at->place == PLACE_ANY;
    at->place = PLACE_LINE;
    at->length = at->count = 0;
    at->named = at->space = at->part = false;
}

static bool open_action(struct position *at)
{
    at->place = PLACE_ACTION;
    at->inside = at->space = false;
    return true;
}

static bool step_head(const struct scene_grammar *grammar, struct position *at, char byte)
{
    if (at->length == HEAD_MAX)
        return false;
    at->place = PLACE_HEAD;
    at->head[at->length++] = byte;
    if (is_one(grammar->heads, at->head, at->length)) {
        at->place = grammar->marked ? PLACE_GAP : PLACE_ANY;
        at->named = true;
        return true;
    }
    return begins_one(grammar->heads, at->head, at->length);
}

static bool step_line(const struct scene_grammar *grammar, struct position *at, char byte)
{
    if (byte == '\n') {
        if (!at->spoken || at->empty)
            return false;
        begin_line(at);
        return true;
    }
    return byte == '*' ? open_action(at) : step_head(grammar, at, byte);
}

/* One more byte of an opening quote; with the last of them the speech begins. */
static bool step_open(struct position *at, char byte)
{
    at->bytes[at->count++] = byte;
    for (size_t i = 0; i < SCENE_QUOTES; i++) {
        if (strncmp(scene_quotes[i].open, at->bytes, at->count) != 0)
            continue;
        at->place = PLACE_OPEN;
        if (scene_quotes[i].open[at->count] == '\0') {
            at->place = PLACE_SPEECH;
            at->quote = (unsigned char)i;
            at->inside = at->space = false;
            at->count = 0;
        }
        return true;
    }
    return false;
}

static bool step_gap(struct position *at, char byte)
{
    if (byte == '\n' && at->part) {
        begin_line(at);
        return true;
    }
    if (byte == ' ' && !at->space)
        return at->space = true;
    if (!at->space)
        return false;
    at->count = 0;
    return byte == '*' ? open_action(at) : at->named && step_open(at, byte);
}

static void close_part(struct position *at)
{
    at->place = PLACE_GAP;
    at->part = true;
    at->count = 0;
}

static bool step_speech(struct position *at, char byte)
{
    const char *close = scene_quotes[at->quote].close;
    if (byte == '\n')
        return false;
    at->count = byte == close[at->count] ? at->count + 1 : byte == close[0] ? 1 : 0;
    if (close[at->count] != '\0') {
        at->inside |= at->count == 0;
        return true;
    }
    if (!at->inside)
        return false;
    close_part(at);
    return true;
}

static bool step_action(struct position *at, char byte)
{
    if (byte == '\n' || (byte == '*' && !at->inside))
        return false;
    at->inside = true;
    if (byte == '*')
        close_part(at);
    return true;
}

static bool step(const struct scene_grammar *grammar, struct position *at, char byte)
{
    switch (at->place) {
    case PLACE_LINE:
        return step_line(grammar, at, byte);
    case PLACE_HEAD:
        return step_head(grammar, at, byte);
    case PLACE_GAP:
        return step_gap(at, byte);
    case PLACE_OPEN:
        return step_open(at, byte);
    case PLACE_SPEECH:
        return step_speech(at, byte);
    case PLACE_ACTION:
        return step_action(at, byte);
    case PLACE_ANY:
        if (byte == '\n')
            begin_line(at);
        return true;
    }
    return true;
}

/* --- the interface ---------------------------------------------------------------------------- */

/* Whether the text, from the line that begins in it on, is the beginning of somebody else's line.
 */
static bool is_foreign(const struct scene_grammar *grammar, const char *line, size_t length)
{
    for (char *const *name = grammar->foreign; *name != NULL; name++) {
        size_t whole = strlen(*name);
        if (length > 0 && strncmp(*name, line, length < whole ? length : whole) == 0)
            return true;
    }
    return false;
}

/* Whether the name that has begun as a character's goes on as the user's: the stop strings of the
 * scene have held it back. */
static bool becomes_user(const struct scene_grammar *grammar, const char *text, size_t length)
{
    const struct position *at = &grammar->at;
    const char *user = grammar->foreign[FOREIGN_USER];
    if (user == NULL || at->place != PLACE_HEAD || !at->spoken || strlen(user) <= at->length ||
        memcmp(user, at->head, at->length) != 0)
        return false;
    size_t left = strlen(user) - at->length;
    return strncmp(user + at->length, text, length < left ? length : left) == 0;
}

static enum grammar_verdict judge(const struct grammar *base, const char *text, size_t length)
{
    const struct scene_grammar *grammar = (const struct scene_grammar *)base;
    struct position at = grammar->at;
    const char *line = at.place == PLACE_LINE ? text : NULL;
    for (size_t i = 0; i < length; i++) {
        if (step(grammar, &at, text[i])) {
            line = at.place == PLACE_LINE ? text + i + 1 : line;
            continue;
        }
        bool ends = line != NULL
                        ? at.spoken && is_foreign(grammar, line, length - (size_t)(line - text))
                        : becomes_user(grammar, text, length);
        return ends ? GRAMMAR_ENDS : GRAMMAR_FORBIDS;
    }
    return GRAMMAR_ALLOWS;
}

static bool may_end(const struct grammar *base)
{
    const struct position *at = &((const struct scene_grammar *)base)->at;
    return at->place == PLACE_LINE ? at->spoken
                                   : at->place == PLACE_ANY || (at->place == PLACE_GAP && at->part);
}

/* After what does not fit, anything goes until the line ends. */
static void accept(struct grammar *base, const char *text, size_t length)
{
    struct scene_grammar *grammar = (struct scene_grammar *)base;
    for (size_t i = 0; i < length; i++)
        if (!step(grammar, &grammar->at, text[i])) {
            grammar->at.place = PLACE_ANY;
            if (text[i] == '\n')
                begin_line(&grammar->at);
        }
}

static char **copy_texts(char *const *texts)
{
    size_t count = 0;
    while (texts[count] != NULL)
        count++;
    char **copy = xcalloc(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = xstrdup(texts[i]);
    return copy;
}

static void free_texts(char **texts)
{
    for (char **text = texts; *text != NULL; text++)
        free(*text);
    free(texts);
}

static struct grammar *copy(const struct grammar *base)
{
    const struct scene_grammar *grammar = (const struct scene_grammar *)base;
    struct scene_grammar *copy = xcalloc(1, sizeof *copy);
    *copy = *grammar;
    copy->heads = copy_texts(grammar->heads);
    copy->foreign = copy_texts(grammar->foreign);
    return &copy->grammar;
}

static void free_grammar(struct grammar *base)
{
    struct scene_grammar *grammar = (struct scene_grammar *)base;
    free_texts(grammar->heads);
    free_texts(grammar->foreign);
    free(grammar);
}

static char **character_heads(const struct scene *scene)
{
    char **heads = xcalloc(2 * scene->character_count + 1, sizeof *heads);
    size_t count = 0;
    for (size_t i = 0; i < scene->character_count; i++) {
        heads[count++] = scene_prefix(scene, i);
        if (scene->characters[i].short_name[0] != '\0')
            heads[count++] = xasprintf("%s:", scene->characters[i].name);
    }
    return heads;
}

static char **foreign_heads(const struct scene *scene)
{
    char **heads = xcalloc(FOREIGNERS + 1, sizeof *heads);
    heads[FOREIGN_ROLE] = xstrdup("USER");
    heads[FOREIGN_ASSISTANT] = xstrdup("ASSISTANT:");
    if (scene->user_name[0] != '\0')
        heads[FOREIGN_USER] = scene_user_prefix(scene);
    return heads;
}

struct grammar *scene_grammar_create(const struct scene *scene)
{
    static const struct grammar_ops ops = {judge, may_end, accept, copy, free_grammar};
    if (scene->character_count == 0 || !scene_has_rule(scene, SCENE_USUAL_NAMES))
        return NULL;
    struct scene_grammar *grammar = xcalloc(1, sizeof *grammar);
    grammar->grammar.ops = &ops;
    grammar->heads = character_heads(scene);
    grammar->foreign = foreign_heads(scene);
    grammar->marked =
        scene_has_rule(scene, SCENE_USUAL_QUOTES) && scene_has_rule(scene, SCENE_USUAL_ACTIONS);
    return &grammar->grammar;
}

bool scene_grammar_fits(const struct grammar *grammar, const char *text, size_t length)
{
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        length--;
    if (judge(grammar, text, length) != GRAMMAR_ALLOWS)
        return false;
    struct grammar *after = copy(grammar);
    accept(after, text, length);
    bool fits = may_end(after);
    free_grammar(after);
    return fits;
}
