#include "tui/eval_run.h"

#include <poll.h>

#include "engine/chat/source_grammar.h"
#include "tui/command.h"
#include "tui/command_ask.h"
#include "tui/options.h"

double eval_percent(size_t part, size_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

int eval_run_open(struct eval_run *run, const struct eval_options *options, struct error *error)
{
    *run = (struct eval_run){.options = options, .what = "evaluating"};
    if (chat_template_open(&run->template, options->settings->template, error) != 0)
        return -1;
    if (model_session_open(&run->session, options->settings, options->model, error) != 0) {
        chat_template_close(run->template);
        return -1;
    }
    if (model_session_start(&run->session, false, error) != 0) {
        eval_run_close(run);
        return -1;
    }
    run->progress = progress_begin();
    return 0;
}

void eval_run_close(struct eval_run *run)
{
    progress_clear(&run->progress);
    model_session_close(&run->session);
    chat_template_close(run->template);
}

const char *eval_run_model(const struct eval_run *run)
{
    struct generator *generator = run->session.generator;
    return generator->ops->model_name(generator);
}

uint32_t eval_reply_tokens(const struct settings *settings)
{
    bool given = option_given(settings, "max-tokens") && settings->max_tokens > 0;
    return given ? settings->max_tokens : EVAL_REPLY_TOKENS;
}

/* --- one reply -------------------------------------------------------------------------------- */

static void show(struct eval_run *run, uint64_t work, const struct usage *usage)
{
    uint64_t part = 0;
    if (usage != NULL && usage->prompt > 0)
        part = work * usage->prompt_done / (usage->prompt + 1);
    progress_show(&run->progress, run->what, run->done + part, run->total, NULL);
}

/* 1 while the reply goes on, 0 at its end, -1 when it failed. */
static int take_event(struct eval_run *run, struct event *event, uint64_t work,
                      struct eval_reply *reply, struct error *error)
{
    if (event->kind == EVENT_TEXT) {
        strbuf_add(&reply->text, event->text, event->length);
        token_list_append(&reply->tokens, event->tokens.ids, event->tokens.count);
    }
    if (event->kind == EVENT_PROGRESS)
        show(run, work, &event->usage);
    if (event->kind == EVENT_ERROR) {
        *error = event->error;
        return -1;
    }
    if (event->kind != EVENT_DONE)
        return 1;
    reply->reason = event->reason;
    reply->prompt = event->usage.prompt;
    return 0;
}

static int follow(struct eval_run *run, uint64_t generation, uint64_t work,
                  struct eval_reply *reply, struct error *error)
{
    struct generator *generator = run->session.generator;
    struct pollfd wait[] = {{.fd = generator->ops->wake_fd(generator), .events = POLLIN},
                            {.fd = run->session.signal_fd, .events = POLLIN}};
    bool cancelled = false;
    int state = 1;
    while (state == 1) {
        struct event event;
        if (!cancelled && model_session_interrupted(&run->session)) {
            generator->ops->cancel(generator, generation);
            cancelled = true;
        }
        if (generator->ops->next(generator, &event) == 0) {
            poll(wait, 2, -1);
            continue;
        }
        state = take_event(run, &event, work, reply, error);
        event_free(&event);
    }
    if (state == 0 && run->session.interrupted)
        return error_set(error, ERROR_CANCELLED, "stopped");
    return state;
}

int eval_run_reply(struct eval_run *run, const struct segment_list *prompt,
                   const struct sampling *sampling, const struct grammar *grammar, uint64_t work,
                   struct eval_reply *reply, struct error *error)
{
    struct generator *generator = run->session.generator;
    struct generation_request request = {
        .segments = *prompt, /* borrowed */
        .sampling = *sampling,
        .draft = settings_draft(run->options->settings),
        .max_tokens = eval_reply_tokens(run->options->settings),
        .stops = chat_template_stops(run->template),
        .grammar = grammar,
    };
    uint64_t generation;
    while (request.stops[request.stop_count] != NULL)
        request.stop_count++;
    show(run, work, NULL);
    if (generator->ops->start(generator, &request, &generation, error) != 0 ||
        follow(run, generation, work, reply, error) != 0)
        return -1;
    run->done += work;
    return 0;
}

int eval_run_case(struct eval_run *run, const struct eval_case *test, uint64_t work,
                  struct eval_reply *reply, struct error *error)
{
    struct generator *generator = run->session.generator;
    const struct settings *settings = run->options->settings;
    struct sampling sampling = ask_sampling(settings);
    struct segment_list segments = {0};
    int result = ask_prompt(&segments, run->template, generator->ops->tokenizer(generator),
                            settings, test->question, test->documents, NULL, error);
    struct grammar *grammar = NULL;
    if (result == 0 && settings->grammar)
        grammar = source_grammar_create(&segments);
    if (result == 0)
        result = eval_run_reply(run, &segments, &sampling, grammar, work, reply, error);
    grammar_free(grammar);
    segment_list_free(&segments);
    return result;
}

void eval_reply_free(struct eval_reply *reply)
{
    strbuf_free(&reply->text);
    token_list_free(&reply->tokens);
}

size_t eval_prompt_reserve(const struct tokenizer *tokenizer, const struct chat_template *template,
                           const struct settings *settings)
{
    static const char question[] = "What does the text say about the lighthouse of Northaven?";
    struct segment_list segments = {0};
    struct document_list documents = {0};
    struct token_list tokens = {0};
    struct error error;
    document_add_text(&documents, "", "", 0);
    if (ask_prompt(&segments, template, tokenizer, settings, question, &documents, NULL, &error) ==
        0)
        segment_tokenize(&segments, tokenizer, &tokens, NULL);
    size_t reserve = tokens.count;
    token_list_free(&tokens);
    document_list_free(&documents);
    segment_list_free(&segments);
    return reserve;
}

int eval_run_end(int result, const struct error *error)
{
    if (result == 0)
        return EXIT_OK;
    if (error->code == ERROR_CANCELLED)
        command_note("stopped: this is what was measured so far");
    return command_failed(error);
}
