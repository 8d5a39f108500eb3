#include "tui/chat_plain.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/chat/conversation.h"
#include "engine/chat/prompt.h"
#include "tui/command.h"
#include "tui/model_session.h"

struct plain {
    const struct settings *settings;
    struct model_session session;
    struct chat_template *template;
    struct conversation *conversation;
    struct document_list attached;
    struct strbuf input; /* read, not yet used */
    struct message *reply;
    bool ended;
};

/* --- commands -------------------------------------------------------------------------------- */

static void do_doc(struct plain *plain, const char *argument)
{
    struct error error;
    if (document_add_file(&plain->attached, argument, &error) != 0)
        command_failed(&error);
    else
        command_note("%s goes with the next message", argument);
}

static void do_new(struct plain *plain, const char *argument)
{
    (void)argument;
    conversation_free(plain->conversation);
    plain->conversation = conversation_create();
    document_list_free(&plain->attached);
    plain->attached = (struct document_list){0};
}

static void do_quit(struct plain *plain, const char *argument)
{
    (void)argument;
    plain->ended = true;
}

static const struct {
    const char *name;
    void (*run)(struct plain *plain, const char *argument);
} commands[] = {{"/doc", do_doc}, {"/new", do_new}, {"/quit", do_quit}};

static bool run_command(struct plain *plain, const char *line)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        size_t length = strlen(commands[i].name);
        if (strncmp(line, commands[i].name, length) != 0 ||
            (line[length] != '\0' && line[length] != ' '))
            continue;
        commands[i].run(plain, line + length + strspn(line + length, " "));
        return true;
    }
    return false;
}

/* --- replies --------------------------------------------------------------------------------- */

static void take_event(void *user, const struct event *event)
{
    struct plain *plain = user;
    if (event->kind != EVENT_TEXT)
        return;
    command_print(event->text, event->length);
    message_append(plain->reply, event->text, event->length, &event->tokens);
}

static int run_reply(struct plain *plain, struct error *error)
{
    struct generator *generator = plain->session.generator;
    struct prompt_style style = settings_style(plain->settings);
    struct prompt_notes notes = {0};
    struct reply_end end;
    struct generation_request request = {.sampling = plain->settings->sampling,
                                         .max_tokens = plain->settings->max_tokens,
                                         .stops = chat_template_stops(plain->template)};
    while (request.stops[request.stop_count] != NULL)
        request.stop_count++;
    int result =
        prompt_build(&request.segments, plain->template, generator->ops->tokenizer(generator),
                     plain->conversation, NULL, NULL, &style, &notes, error);
    for (size_t i = 0; i < notes.count; i++)
        command_note("made harmless: %s", notes.lines[i]);
    prompt_notes_free(&notes);
    plain->reply =
        conversation_add(plain->conversation, plain->conversation->tip, ROLE_ASSISTANT, "", 0);
    if (result == 0)
        result = model_session_reply(&plain->session, &request, take_event, plain, &end, error);
    segment_list_free(&request.segments);
    command_print("\n", 1);
    if (result == 0)
        command_note_end(plain->settings, &end);
    plain->session.interrupted = false; /* it stopped the reply, not the chat */
    return result;
}

static void send_message(struct plain *plain, const char *text)
{
    struct error error = {0};
    int tip = plain->conversation->tip;
    struct message *message =
        conversation_add(plain->conversation, tip, ROLE_USER, text, strlen(text));
    document_list_copy(&message->documents, &plain->attached);
    if (run_reply(plain, &error) != 0) {
        command_failed(&error);
        plain->conversation->tip = tip;
        return;
    }
    document_list_free(&plain->attached);
    plain->attached = (struct document_list){0};
}

/* --- lines ----------------------------------------------------------------------------------- */

/* More input: false at its end or on Ctrl-C. */
static bool read_more(struct plain *plain)
{
    struct pollfd wait[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = plain->session.signal_fd, .events = POLLIN}};
    char chunk[4096];
    poll(wait, 2, -1);
    if (model_session_interrupted(&plain->session))
        return false;
    ssize_t got = wait[0].revents != 0 ? read(STDIN_FILENO, chunk, sizeof chunk) : 0;
    if (got > 0)
        strbuf_add(&plain->input, chunk, (size_t)got);
    return got > 0 || wait[0].revents == 0;
}

/* The next line without its newline; false at the end. */
static bool next_line(struct plain *plain, struct strbuf *line)
{
    const char *newline;
    if (isatty(STDIN_FILENO) == 1)
        command_print("> ", 2);
    while ((newline = strchr(strbuf_text(&plain->input), '\n')) == NULL && read_more(plain))
        ;
    if (plain->session.interrupted || (newline == NULL && plain->input.length == 0))
        return false;
    size_t length = newline != NULL ? (size_t)(newline - plain->input.data) : plain->input.length;
    strbuf_clear(line);
    strbuf_add(line, plain->input.data, length);
    strbuf_remove(&plain->input, 0, length + 1);
    return true;
}

static void chat_lines(struct plain *plain)
{
    struct strbuf line = {0};
    while (!plain->ended && next_line(plain, &line)) {
        const char *text = strbuf_text(&line);
        if (text[strspn(text, " \t\r")] != '\0' && !run_command(plain, text))
            send_message(plain, text);
    }
    strbuf_free(&line);
}

int chat_plain_run(const struct settings *settings)
{
    struct plain plain = {.settings = settings};
    struct error error = {0};
    if (chat_template_open(&plain.template, settings->template, &error) != 0)
        return command_failed(&error);
    int result = model_session_open(&plain.session, settings, NULL, &error);
    if (result == 0 && (result = model_session_start(&plain.session, &error)) == 0) {
        plain.conversation = conversation_create();
        chat_lines(&plain);
        conversation_free(plain.conversation);
    }
    int status = result != 0                 ? command_failed(&error)
                 : plain.session.interrupted ? EXIT_INTERRUPTED
                                             : EXIT_OK;
    model_session_close(&plain.session);
    document_list_free(&plain.attached);
    strbuf_free(&plain.input);
    chat_template_close(plain.template);
    return status;
}
