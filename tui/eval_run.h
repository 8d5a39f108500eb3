/*
 * eval_run.h - what the evaluations share: a model that answers, progress over all cases with the
 * time that is left, and Ctrl-C, which leaves what was measured so far.
 */
#ifndef AIRO_TUI_EVAL_RUN_H
#define AIRO_TUI_EVAL_RUN_H

#include <jansson.h>

#include "engine/eval/cases.h"
#include "tui/eval_options.h"
#include "tui/model_session.h"

struct eval_run {
    const struct eval_options *options;
    struct model_session session;
    struct chat_template *template;
    struct progress progress;
    const char *what;     /* for the progress line */
    uint64_t done, total; /* of the work, in tokens, about */
};

/* A reply and what it took. Zero-initialise; eval_reply_free. */
struct eval_reply {
    struct strbuf text;
    struct token_list tokens;
    enum stop_reason reason;
    size_t prompt; /* tokens */
};

/* Loads the model. On error there is nothing to close. */
int eval_run_open(struct eval_run *run, const struct eval_options *options, struct error *error);
void eval_run_close(struct eval_run *run);
/* What the model is called. */
const char *eval_run_model(const struct eval_run *run);

/* Tokens that one question takes beside its prompt, for `done` and `total`. */
#define EVAL_QUESTION_WORK 300

/* A reply to a prompt, of a grammar or (NULL) of any text; `work` is added to `done`.
 * ERROR_CANCELLED after Ctrl-C. */
int eval_run_reply(struct eval_run *run, const struct segment_list *prompt,
                   const struct sampling *sampling, const struct grammar *grammar, uint64_t work,
                   struct eval_reply *reply, struct error *error);
/* The greedy reply to a question on documents, by the prompt of `airo ask`. */
int eval_run_case(struct eval_run *run, const struct eval_case *test, uint64_t work,
                  struct eval_reply *reply, struct error *error);
void eval_reply_free(struct eval_reply *reply);

/* The longest reply: what --max-tokens says, or this. */
#define EVAL_REPLY_TOKENS 256
uint32_t eval_reply_tokens(const struct settings *settings);

/* Tokens of a prompt beside its documents, about. */
size_t eval_prompt_reserve(const struct tokenizer *tokenizer, const struct chat_template *template,
                           const struct settings *settings);

/* After the table: a note when Ctrl-C ended it early, an error; returns the exit status. */
int eval_run_end(int result, const struct error *error);

/* "87.5" of a hundred; 0 of 0 is 0. */
double eval_percent(size_t part, size_t whole);

#endif
