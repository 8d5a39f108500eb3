/* command_run.c - `airo run`: one reply to one prompt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/chat/prompt.h"
#include "tui/arguments.h"
#include "tui/command.h"
#include "tui/model_session.h"

struct run {
    const struct settings *settings;
    struct strbuf prompt;
    bool raw, show_prompt;
    struct chat_template *template; /* NULL when raw */
    char last;                      /* last byte printed */
};

static void read_options(struct run *run, int argc, char **argv, int *at)
{
    const struct option *option;
    const char *value;
    while ((option = arguments_next(argc, argv, at, &value)) != NULL) {
        run->raw |= strcmp(option->name, "raw") == 0;
        run->show_prompt |= strcmp(option->name, "show-prompt") == 0;
    }
}

/* Raw: the begin token, where the model has one, and the text. */
static int raw_prompt(struct segment_list *out, const struct run *run,
                      const struct tokenizer *tokenizer)
{
    int32_t bos = tokenizer != NULL ? tokenizer_bos(tokenizer) : -1;
    if (tokenizer == NULL || bos >= 0)
        segment_add_special(out, PART_SYSTEM, "<s>", bos);
    segment_add_text(out, SEGMENT_CONTENT, PART_DRAFT, -1, false, strbuf_text(&run->prompt),
                     run->prompt.length);
    return 0;
}

static int make_prompt(struct segment_list *out, const struct run *run,
                       const struct tokenizer *tokenizer, struct prompt_notes *notes,
                       struct error *error)
{
    if (run->raw)
        return raw_prompt(out, run, tokenizer);
    struct prompt_style style = settings_style(run->settings);
    return prompt_build(out, run->template, tokenizer, NULL, strbuf_text(&run->prompt), NULL,
                        &style, notes, error);
}

static void say_notes(struct prompt_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        command_note("%s (given to the model with a dot in it, as text)", notes->lines[i]);
    prompt_notes_free(notes);
}

static void take_event(void *user, const struct event *event)
{
    struct run *run = user;
    if (event->kind != EVENT_TEXT || event->length == 0)
        return;
    command_print(event->text, event->length);
    run->last = event->text[event->length - 1];
}

static int reply(struct run *run, struct model_session *session, struct error *error)
{
    static const char *const none[] = {NULL};
    struct generation_request request = {
        .sampling = run->settings->sampling,
        .draft = settings_draft(run->settings),
        .max_tokens = run->settings->max_tokens,
        .stops = run->raw ? none : chat_template_stops(run->template),
    };
    struct prompt_notes notes = {0};
    struct reply_end end;
    while (request.stops[request.stop_count] != NULL)
        request.stop_count++;
    int result = make_prompt(&request.segments, run,
                             session->generator->ops->tokenizer(session->generator), &notes, error);
    say_notes(&notes);
    if (result == 0)
        result = model_session_reply(session, &request, take_event, run, &end, error);
    segment_list_free(&request.segments);
    if (run->last != '\0' && run->last != '\n')
        command_print("\n", 1);
    if (result == 0)
        command_note_end(run->settings, &end);
    return result;
}

static int print_reply(struct run *run)
{
    struct model_session session;
    struct error error = {0};
    if (model_session_open(&session, run->settings, NULL, &error) != 0)
        return command_failed(&error);
    int result = model_session_start(&session, true, &error);
    if (result == 0)
        result = reply(run, &session, &error);
    int status = result != 0           ? command_failed(&error)
                 : session.interrupted ? EXIT_INTERRUPTED
                                       : EXIT_OK;
    model_session_close(&session);
    return status;
}

static int print_prompt(struct run *run)
{
    struct segment_list segments = {0};
    struct prompt_notes notes = {0};
    struct strbuf text = {0};
    struct error error = {0};
    int status = EXIT_OK;
    if (make_prompt(&segments, run, NULL, &notes, &error) != 0)
        status = command_failed(&error);
    segment_text(&segments, NULL, &text);
    command_print_exact(&text);
    say_notes(&notes);
    segment_list_free(&segments);
    strbuf_free(&text);
    return status;
}

static int run_command(struct settings *settings, int argc, char **argv)
{
    struct run run = {.settings = settings};
    struct error error = {0};
    int at = 1, status = EXIT_OK;
    read_options(&run, argc, argv, &at);
    if (at == argc && isatty(STDIN_FILENO) == 1)
        return command_usage("run", "there is no prompt");
    if (command_text(argc - at, argv + at, &run.prompt, &error) != 0 ||
        (!run.raw && chat_template_open(&run.template, settings->template, &error) != 0) ||
        settings_take_model(settings, &error) != 0)
        status = command_failed(&error);
    else if (run.prompt.length == 0)
        status = command_usage("run", "the prompt is empty");
    else
        status = run.show_prompt ? print_prompt(&run) : print_reply(&run);
    chat_template_close(run.template);
    strbuf_free(&run.prompt);
    return status;
}

const struct command command_run = {
    "run",
    "run [--raw] [PROMPT]",
    "one reply to one prompt, from the arguments or standard input",
    run_command,
};
