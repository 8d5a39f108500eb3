/*
 * scene_speech.h - who speaks in the lines of a reply, and the end of a reply that begins to speak
 * for somebody else.
 *
 * Strings that are known beforehand (the user's name and colon at the start of a line) are stop
 * strings of the generator. A speaker that nobody knows is found by scene_watch, which is given the
 * reply as it comes. The rules of the watch, for the start of a line:
 *
 *   - the line begins with one to three words and a colon; each word begins with an upper-case
 *     letter and holds letters, digits, apostrophes, hyphens and full stops; "(softly)" may stand
 *     before the colon, "**" around the name;
 *   - after the colon comes a space, a quote, an asterisk, or the end of the line;
 *   - the name is not that of a character, in full, short, or in part ("Mara" of "Captain Mara
 *     Voss"), whatever the case;
 *   - it is not a word that labels text ("Note:", "Chapter Two:", "Warning:"; a fixed list);
 *   - no quote or action is open from the line before, unless a quote or an asterisk follows the
 *     colon, as it does in speech. An empty line closes what is open.
 *
 * The user's name, USER and ASSISTANT end a reply wherever a line begins with them.
 */
#ifndef AIRO_CHAT_SCENE_SPEECH_H
#define AIRO_CHAT_SCENE_SPEECH_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/strbuf.h"
#include "engine/chat/scene.h"

/* --- stop strings ----------------------------------------------------------------------------- */

/* NULL-terminated; scene_stops_free. `for_user`: of a reply that is the user's next line, which
 * ends where a character begins. */
char **scene_stops(const struct scene *scene, bool for_user, size_t *count);
void scene_stops_free(char **stops);

/* --- a reply as it comes ---------------------------------------------------------------------- */

/* Zero-initialise with the scene; scene_watch_free. */
struct scene_watch {
    const struct scene *scene; /* borrowed */
    bool for_user;             /* the reply is the user's own line: his name is no stop */
    struct strbuf line;        /* the line that is coming */
    size_t line_begin;         /* its offset in the reply */
    bool quote, action;        /* open at its beginning */
    bool decided;              /* its beginning has been judged */
};

/* More of the reply. True when a line begins with a foreign speaker: *offset is where that line
 * begins, counted from the first byte pushed; what is before it is the reply. */
bool scene_watch_push(struct scene_watch *watch, const char *text, size_t length, size_t *offset);
/* At the end of the reply: "Jon:" may be all of its last line. */
bool scene_watch_finish(struct scene_watch *watch, size_t *offset);
void scene_watch_free(struct scene_watch *watch);

/* --- a line for display ----------------------------------------------------------------------- */

#define SCENE_NARRATION (-1) /* no speaker */
#define SCENE_USER      (-2)
#define SCENE_STRANGER  (-3) /* looks like a speaker, is nobody of the scene */

struct scene_line {
    int speaker;        /* index of a character, or one of the above */
    size_t name_length; /* bytes before the colon, 0 without a speaker */
    size_t text_begin;  /* behind the colon and the spaces after it */
};

/* One line, without its line break. */
void scene_parse_line(const struct scene *scene, const char *line, size_t length,
                      struct scene_line *out);

/* The quotes that speech may stand in. */
struct scene_quote {
    const char *open, *close;
};
#define SCENE_QUOTES 4
extern const struct scene_quote scene_quotes[SCENE_QUOTES];

enum scene_span_kind { SPAN_PLAIN, SPAN_SPEECH, SPAN_ACTION };

struct scene_span {
    enum scene_span_kind kind;
    size_t begin, end; /* bytes; quotes and asterisks belong to their span */
};

/* The span of the line at span->end (zero-initialise, or set `end` to text_begin); false at the
 * end. An asterisk without its partner is plain; a quote without one runs to the end. */
bool scene_next_span(const char *line, size_t length, struct scene_span *span);

#endif
