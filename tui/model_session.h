/*
 * model_session.h - what every command that runs a model shares: settings -> a loaded model with
 * progress on stderr, a generator, one reply run to its end, and Ctrl-C.
 *
 * While a session is open SIGINT and SIGTERM do not end the program: they stop the load or the
 * reply, `interrupted` is set, and what came is kept.
 */
#ifndef AIRO_TUI_MODEL_SESSION_H
#define AIRO_TUI_MODEL_SESSION_H

#include <signal.h>
#include <stdbool.h>

#include "engine/chat/prompt.h"
#include "engine/infer/generator.h"
#include "engine/model/model.h"
#include "tui/progress.h"
#include "tui/settings.h"

#define EXIT_INTERRUPTED 130

struct model_session {
    const struct settings *settings;
    char *directory;
    struct model *model;         /* the generator's, once there is one */
    struct generator *generator; /* NULL before model_session_start */
    struct progress progress;
    sigset_t signals_before;
    int signal_fd;
    bool interrupted;
};

/* How a reply ended. */
struct reply_end {
    enum stop_reason reason;
    struct usage usage;
};

/* Sees every event of a reply; they stay the session's. */
typedef void (*reply_handler)(void *user, const struct event *event);

/* Ctrl-C only, for a command that opens no model; model_session_close ends it. */
void model_session_begin(struct model_session *session, const struct settings *settings);
/* `name` NULL: the settings' model. On error there is nothing to close. */
int model_session_open(struct model_session *session, const struct settings *settings,
                       const char *name, struct error *error);
/* Makes the generator, which takes the model over. `use_kv_disk`: prompts are kept on disk as the
 * settings say; not for measurements. */
int model_session_start(struct model_session *session, bool use_kv_disk, struct error *error);
void model_session_close(struct model_session *session);

/* Starts a reply and runs it to its end. What cannot fit is refused with the numbers. */
int model_session_reply(struct model_session *session, const struct generation_request *request,
                        reply_handler handler, void *user, struct reply_end *end,
                        struct error *error);

/* The same for a reply that was started on the session's generator. */
int model_session_follow(struct model_session *session, uint64_t generation, reply_handler handler,
                         void *user, struct reply_end *end, struct error *error);

/* True when Ctrl-C came since the last call or before. For loops that have no reply. */
bool model_session_interrupted(struct model_session *session);

/* --- small things that the commands share ----------------------------------------------------- */

struct prompt_style settings_style(const struct settings *settings);
/* Where keys and values are kept; to be freed. And at most how many bytes. */
char *kv_disk_directory(void);
uint64_t settings_kv_disk(const struct settings *settings);
struct rope_override settings_rope(const struct settings *settings);

/* "airo: ..." on stderr, sanitised; returns the exit status that fits the error. */
int command_failed(const struct error *error);
/* The same with "Try 'airo COMMAND --help'."; returns EXIT_USAGE. */
int command_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A note or a warning. */
void command_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Untrusted text to stdout through the sanitiser, at once. */
void command_print(const char *text, size_t length);
/* The exact bytes to a pipe or file; to a terminal sanitised, with a line break. */
void command_print_exact(const struct strbuf *text);
/* Says why a reply ended, where that is not its natural end. */
void command_note_end(const struct settings *settings, const struct reply_end *end);

/* The words of argv joined by spaces, or, for none or a single "-", all of stdin. */
int command_text(int argc, char **argv, struct strbuf *out, struct error *error);

#endif
