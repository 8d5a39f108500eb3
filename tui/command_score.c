/* command_score.c - `airo score`: log probabilities of a text's tokens as JSON lines. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/infer/score.h"
#include "tui/arguments.h"
#include "tui/command.h"
#include "tui/model_session.h"

#define FILE_BYTES_MAX (256u << 20)

struct scoring {
    struct model_session session;
    struct token_list tokens;
    struct progress progress;
};

/* The logits after position p judge the token at p + 1; the first token of all, the begin token,
 * is given and has no line. */
static int print_row(void *user, size_t position, const float *logits, uint32_t vocab)
{
    struct scoring *scoring = user;
    size_t next = position + 1;
    if (next < scoring->tokens.count) {
        int32_t id = scoring->tokens.ids[next];
        double logprob = log_softmax_at(logits, vocab, id);
        printf("{\"pos\":%zu,\"id\":%" PRId32 ",\"logprob\":", next, id);
        if (isfinite(logprob))
            printf("%.9g}\n", logprob);
        else
            puts("null}");
    }
    progress_show(&scoring->progress, "scoring", next, scoring->tokens.count, "tokens");
    return model_session_interrupted(&scoring->session);
}

static int check_length(const struct scoring *scoring, const char *path, struct error *error)
{
    size_t context = scoring->session.model->context;
    if (scoring->tokens.count <= context)
        return 0;
    return error_set(error, ERROR_INPUT, "%s: %zu tokens, and the context holds %zu", path,
                     scoring->tokens.count, context);
}

/* The session is open. */
static int score_text(struct scoring *scoring, const char *path, const struct strbuf *text,
                      struct error *error)
{
    struct model *model = scoring->session.model;
    if (tokenizer_bos(model->tokenizer) >= 0)
        token_list_add(&scoring->tokens, tokenizer_bos(model->tokenizer));
    tokenizer_encode(model->tokenizer, strbuf_text(text), text->length, true, &scoring->tokens);
    int result = check_length(scoring, path, error);
    scoring->progress = progress_begin();
    if (result == 0)
        result = score_tokens(model, scoring->tokens.ids, scoring->tokens.count, print_row, scoring,
                              error);
    progress_clear(&scoring->progress);
    return result;
}

static int run(struct settings *settings, int argc, char **argv)
{
    struct scoring scoring = {0};
    struct strbuf text = {0};
    struct error error = {0};
    const char *value;
    int at = 1;
    arguments_next(argc, argv, &at, &value); /* past a --; there are no own options */
    int operands = argc - at;
    if (operands < 1 || operands > 2)
        return command_usage("score", "expected MODEL FILE, or FILE for the model of -m");
    const char *name = operands == 2 ? argv[at] : NULL, *path = argv[argc - 1];
    /* A pipe may be waited for: before the session, which keeps Ctrl-C to itself. */
    int result = file_read(path, FILE_BYTES_MAX, &text, &error);
    if (result == 0)
        result = model_session_open(&scoring.session, settings, name, &error);
    if (result == 0) {
        result = score_text(&scoring, path, &text, &error);
        model_session_close(&scoring.session);
    }
    strbuf_free(&text);
    token_list_free(&scoring.tokens);
    return result == 0 ? EXIT_OK : command_failed(&error);
}

const struct command command_score = {
    "score",
    "score [MODEL] FILE",
    "log probability of each token of a text, as JSON lines",
    run,
};
