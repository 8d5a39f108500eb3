/* command_ask.c - `airo ask`: one closed-context answer on stdout, its sources checked. */
#include "tui/command_ask.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/chat/document_path.h"
#include "engine/chat/source_grammar.h"
#include "tui/answer.h"
#include "tui/arguments.h"
#include "tui/ask_fit.h"
#include "tui/ask_support.h"
#include "tui/command.h"
#include "tui/json_events.h"

struct ask {
    const struct settings *settings;
    struct document_list documents;
    size_t last; /* the first document of the last -d */
    struct passages_choice choice;
    const struct document_list
        *given; /* what the model gets: `documents`, or those of the choice */
    struct strbuf question;
    bool json, show_prompt, passages, fit_passages;
    size_t passage_tokens; /* 0: as many as fit */
    const char *cases;
    struct chat_template *template;
    struct answer answer;
    struct strbuf reply;
};

/* --- prompt ----------------------------------------------------------------------------------- */

int ask_prompt(struct segment_list *out, const struct chat_template *template,
               const struct tokenizer *tokenizer, const struct settings *settings,
               const char *question, const struct document_list *documents,
               struct prompt_notes *notes, struct error *error)
{
    struct prompt_style style = settings_style(settings);
    return prompt_build(out, template, tokenizer, NULL, question, documents, &style, notes, error);
}

struct sampling ask_sampling(const struct settings *settings)
{
    struct sampling sampling = settings->sampling;
    if (!option_given(settings, "temperature"))
        sampling.temperature = 0;
    return sampling;
}

static void say_notes(const struct ask *ask, struct prompt_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++) {
        if (ask->json)
            json_event_note(notes->lines[i]);
        command_note("%s (given to the model with a dot in it, as text)", notes->lines[i]);
    }
    prompt_notes_free(notes);
}

static void say_passages(const struct ask *ask)
{
    if (!ask->choice.matched)
        command_note("no word of the question is in the documents: their beginnings are given");
    for (size_t i = 0; i < ask->choice.report_count; i++) {
        if (ask->json)
            json_event_note(ask->choice.report[i]);
        command_note("%s", ask->choice.report[i]);
    }
}

/* --- arguments -------------------------------------------------------------------------------- */

/* key=value for the documents of the last -d. */
static int add_pair(struct ask *ask, const char *text, struct error *error)
{
    const char *equals = strchr(text, '=');
    int result = 0;
    if (ask->documents.count == 0)
        return error_set(error, ERROR_INPUT, "-k %.64s: there is no -d before it", text);
    if (equals == NULL)
        return error_set(error, ERROR_INPUT, "-k %.64s: expected key=value", text);
    char *key = xstrndup(text, (size_t)(equals - text));
    for (size_t i = ask->last; i < ask->documents.count && result == 0; i++)
        result = document_set_pair(&ask->documents.items[i], key, equals + 1, error);
    free(key);
    return result;
}

#define SKIPPED_SHOWN 20

/* What was not added, and with --verbose what was. */
static void say_report(const struct ask *ask, const char *spec,
                       const struct document_report *report)
{
    size_t skipped = 0;
    for (size_t i = 0; i < report->count; i++) {
        bool added = report->lines[i].added;
        skipped += !added;
        if (ask->settings->verbose || (!added && skipped <= SKIPPED_SHOWN))
            command_note("%s", report->lines[i].text);
    }
    if (skipped > SKIPPED_SHOWN && !ask->settings->verbose)
        command_note("%s: %zu more skipped (--verbose names them)", spec, skipped - SKIPPED_SHOWN);
}

static int add_documents(struct ask *ask, const char *spec, struct error *error)
{
    const struct document_options options = {.converters = &ask->settings->converters,
                                             .standard_input = true};
    struct document_report report = {0};
    ask->last = ask->documents.count;
    int result = document_add_path(&ask->documents, spec, &options, &report, error);
    if (result == 0)
        say_report(ask, spec, &report);
    document_report_free(&report);
    return result;
}

/* Returns EXIT_OK or the status to leave with. */
static int read_options(struct ask *ask, int argc, char **argv, int *at)
{
    const struct option *option;
    const char *value;
    struct error error = {0};
    while ((option = arguments_next(argc, argv, at, &value)) != NULL) {
        if (strcmp(option->name, "document") == 0 && add_documents(ask, value, &error) != 0)
            return command_failed(&error);
        if (strcmp(option->name, "key") == 0 && add_pair(ask, value, &error) != 0)
            return command_usage("ask", "%s", error.message);
        ask->json |= strcmp(option->name, "json") == 0;
        ask->show_prompt |= strcmp(option->name, "show-prompt") == 0;
        ask->passages |= strcmp(option->name, "passages") == 0;
        if (strcmp(option->name, "passage-tokens") == 0)
            ask->passage_tokens = strtoul(value, NULL, 10);
        if (strcmp(option->name, "fit") == 0)
            ask->fit_passages = strcmp(value, "passages") == 0;
        if (strcmp(option->name, "cases") == 0)
            ask->cases = value;
    }
    return EXIT_OK;
}

static bool reads_stdin(const struct document_list *documents)
{
    for (size_t i = 0; i < documents->count; i++)
        if (strcmp(documents->items[i].name, "-") == 0)
            return true;
    return false;
}

static int read_question(struct ask *ask, int argc, char **argv)
{
    struct error error = {0};
    bool from_stdin = argc == 0 || (argc == 1 && strcmp(argv[0], "-") == 0);
    if (from_stdin && reads_stdin(&ask->documents))
        return command_usage("ask", "standard input is a document already: give the question "
                                    "as an argument");
    if (argc == 0 && isatty(STDIN_FILENO) == 1)
        return command_usage("ask", "there is no question");
    if (command_text(argc, argv, &ask->question, &error) != 0)
        return command_failed(&error);
    size_t length = ask->question.length;
    while (length > 0 && strchr(" \t\r\n", ask->question.data[length - 1]) != NULL)
        length--;
    strbuf_remove(&ask->question, length, ask->question.length);
    if (length == 0)
        return command_usage("ask", "the question is empty");
    return EXIT_OK;
}

/* Documents on standard input need no -d - when the question is an argument. */
static int need_documents(struct ask *ask, int operands)
{
    struct error error = {0};
    if (ask->documents.count > 0)
        return EXIT_OK;
    if (operands > 0 && isatty(STDIN_FILENO) == 0) {
        if (document_add_file(&ask->documents, "-", &error) != 0)
            return command_failed(&error);
        if (ask->documents.items[0].length > 0)
            return EXIT_OK;
    }
    return command_usage("ask", "there is no document: -d FILE, or text on standard input");
}

/* --- the reply -------------------------------------------------------------------------------- */

static void print_source(void *user, const char *line, int document)
{
    const struct ask *ask = user;
    if (ask->json)
        json_event_source(line, document >= 0 ? ask->given->items[document].name : NULL);
}

static void take_event(void *user, const struct event *event)
{
    struct ask *ask = user;
    if (ask->json)
        json_event_print(event);
    if (event->kind != EVENT_TEXT)
        return;
    struct strbuf shown = {0};
    strbuf_add(&ask->reply, event->text, event->length);
    answer_push(&ask->answer, event->text, event->length, &shown);
    if (!ask->json)
        command_print(strbuf_text(&shown), shown.length);
    strbuf_free(&shown);
}

static void finish_reply(struct ask *ask)
{
    struct strbuf shown = {0};
    answer_finish(&ask->answer, &shown);
    bool ended = ask->reply.length > 0 && ask->reply.data[ask->reply.length - 1] == '\n';
    if (!ended)
        strbuf_putc(&shown, '\n');
    if (!ask->json)
        command_print(strbuf_text(&shown), shown.length);
    strbuf_free(&shown);
}

/* Neither an answer nor a "the documents do not say". */
static int empty_reply(const struct ask *ask)
{
    struct error error;
    error_set(&error, ERROR_INPUT, "the reply is empty");
    if (ask->json)
        json_event_error(&error);
    return command_failed(&error);
}

/* Where the answer stands; stdout has nothing of it but with --json. */
static void say_support(const struct ask *ask)
{
    struct support support;
    if (!ask->settings->check_answers)
        return;
    support_check(&support, strbuf_text(&ask->question), strbuf_text(&ask->reply),
                  ask->reply.length, ask->given, chat_template_markers(ask->template));
    if (ask->json)
        ask_support_json(&support, strbuf_text(&ask->reply), ask->given);
    else
        ask_support_note(&support, ask->given);
    support_free(&support);
}

/* Finds what is given to the model, and the prompt. */
static int make_prompt(struct ask *ask, struct model_session *session,
                       struct segment_list *segments, struct error *error)
{
    const struct ask_fit fit = {
        session,           ask->template, ask->settings,      strbuf_text(&ask->question),
        ask->fit_passages, ask->passages, ask->passage_tokens};
    struct prompt_notes notes = {0};
    bool chosen;
    int result = model_session_start(session, true, error);
    if (result == 0)
        result = ask_fit_documents(&fit, &ask->documents, &ask->choice, &chosen, error);
    if (result != 0)
        return result;
    ask->given = chosen ? &ask->choice.documents : &ask->documents;
    ask->answer.documents = ask->given;
    if (chosen)
        say_passages(ask);
    result =
        ask_prompt(segments, ask->template, session->generator->ops->tokenizer(session->generator),
                   ask->settings, strbuf_text(&ask->question), ask->given, &notes, error);
    say_notes(ask, &notes);
    return result;
}

/* The reply is there. */
static int end_reply(struct ask *ask, const struct model_session *session,
                     const struct reply_end *end)
{
    bool declined = answer_declines(strbuf_text(&ask->reply));
    if (ask->reply.length == 0 && !session->interrupted)
        return empty_reply(ask);
    if (!declined && !session->interrupted)
        say_support(ask);
    if (ask->json)
        json_event_done(end, strbuf_text(&ask->reply), !declined);
    command_note_end(ask->settings, end);
    return session->interrupted ? EXIT_INTERRUPTED : declined ? EXIT_NOT_IN_DOCUMENTS : EXIT_OK;
}

static void print_segments(const struct segment_list *segments)
{
    struct strbuf text = {0};
    segment_text(segments, NULL, &text);
    command_print_exact(&text);
    strbuf_free(&text);
}

static int held_reply(struct ask *ask, struct model_session *session,
                      struct generation_request *request, struct reply_end *end,
                      struct error *error)
{
    struct grammar *grammar =
        ask->settings->grammar ? source_grammar_create(&request->segments) : NULL;
    request->grammar = grammar;
    int result = model_session_reply(session, request, take_event, ask, end, error);
    grammar_free(grammar);
    return result;
}

/* The session is open. */
static int run_reply(struct ask *ask, struct model_session *session)
{
    struct generation_request request = {
        .sampling = ask_sampling(ask->settings),
        .draft = settings_draft(ask->settings),
        .max_tokens = ask->settings->max_tokens,
        .stops = chat_template_stops(ask->template),
    };
    struct reply_end end;
    struct error error = {0};
    while (request.stops[request.stop_count] != NULL)
        request.stop_count++;
    int result = make_prompt(ask, session, &request.segments, &error);
    if (result == 0 && ask->show_prompt)
        print_segments(&request.segments);
    else if (result == 0)
        result = held_reply(ask, session, &request, &end, &error);
    segment_list_free(&request.segments);
    if (ask->reply.length > 0)
        finish_reply(ask);
    if (result != 0 && ask->json)
        json_event_error(&error);
    if (result != 0)
        return command_failed(&error);
    return ask->show_prompt ? EXIT_OK : end_reply(ask, session, &end);
}

static int answer_question(struct ask *ask)
{
    struct model_session session;
    struct error error = {0};
    if (model_session_open(&session, ask->settings, NULL, &error) != 0) {
        if (ask->json)
            json_event_error(&error);
        return command_failed(&error);
    }
    ask->answer = (struct answer){
        .markers = chat_template_markers(ask->template), .on_source = print_source, .user = ask};
    int status = run_reply(ask, &session);
    answer_free(&ask->answer);
    model_session_close(&session);
    return status;
}

/* The prompt needs no weights: special tokens are shown as the template spells them. */
static int print_prompt(struct ask *ask)
{
    struct segment_list segments = {0};
    struct prompt_notes notes = {0};
    struct error error = {0};
    int status = EXIT_OK;
    if (ask_prompt(&segments, ask->template, NULL, ask->settings, strbuf_text(&ask->question),
                   &ask->documents, &notes, &error) != 0)
        status = command_failed(&error);
    print_segments(&segments);
    say_notes(ask, &notes);
    segment_list_free(&segments);
    return status;
}

static int run_question(struct ask *ask, int argc, char **argv)
{
    struct error error = {0};
    int status = need_documents(ask, argc);
    if (status == EXIT_OK)
        status = read_question(ask, argc, argv);
    if (status != EXIT_OK)
        return status;
    if (chat_template_open(&ask->template, ask->settings->template, &error) != 0)
        return command_failed(&error);
    bool counts = ask->passages || ask->fit_passages; /* needs the model's tokenizer */
    return ask->show_prompt && !counts ? print_prompt(ask) : answer_question(ask);
}

static int run(struct settings *settings, int argc, char **argv)
{
    struct ask ask = {.settings = settings};
    int at = 1;
    int status = read_options(&ask, argc, argv, &at);
    if (status == EXIT_OK)
        status = ask.cases != NULL ? ask_cases(settings, ask.cases)
                                   : run_question(&ask, argc - at, argv + at);
    chat_template_close(ask.template);
    passages_choice_free(&ask.choice);
    document_list_free(&ask.documents);
    strbuf_free(&ask.question);
    strbuf_free(&ask.reply);
    return status;
}

const struct command command_ask = {
    "ask",
    "ask -d FILE [-k key=value ...] [-d FILE ...] [QUESTION]",
    "answer a question from documents, with the source",
    run,
};
