#include "tui/chat_plain.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "tui/actions.h"
#include "tui/age.h"
#include "tui/chat.h"
#include "tui/chat_documents.h"
#include "tui/command.h"
#include "tui/commands.h"
#include "tui/library.h"
#include "tui/model_session.h"
#include "tui/scene_talk.h"
#include "tui/suggest.h"

struct plain {
    struct settings *settings;
    struct model_session session;
    struct chat *chat;
    struct library library;
    struct store_list listed; /* what the numbers of /open mean */
    bool told;                /* that chats are not saved */
    struct strbuf input;      /* read, not yet used */
    size_t searched;          /* of it, without a newline */
    bool ended;
    size_t printed; /* bytes of the reply */
};

static void complain(const struct error *error)
{
    command_note("%s", error->message);
}

/* A line of several, each as a note of its own. */
static void note_lines(char *text)
{
    char *rest;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        command_note("%s", line);
}

/* --- replies --------------------------------------------------------------------------------- */

/* What of the reply has not been printed; in a scene only whole lines, because the last one may
 * turn out to be a stranger's, and then it goes. */
static void print_new(struct plain *plain, const struct message *message, bool ended)
{
    const struct strbuf *text = &message->text;
    size_t end = text->length;
    while (!ended && plain->chat->scene != NULL && end > plain->printed &&
           text->data[end - 1] != '\n')
        end--;
    if (end > plain->printed)
        command_print(text->data + plain->printed, end - plain->printed);
    plain->printed = end;
}

static void take_event(void *user, const struct event *event)
{
    struct plain *plain = user;
    struct message *message = NULL;
    enum chat_change change = chat_event(plain->chat, event, &message);
    if (change != CHAT_SAME && change != CHAT_PROGRESSED)
        print_new(plain, message, change != CHAT_GREW);
}

/* Says once that what was written is not on the disk, and why; and when it is, after all. */
static void check_saving(struct plain *plain)
{
    const struct error *problem = &plain->library.status.problem;
    if (plain->library.writer == NULL)
        return;
    library_poll(&plain->library);
    bool wrong = problem->code != ERROR_NONE;
    if (wrong && !plain->told)
        command_note("not saved yet: %s", problem->message);
    else if (!wrong && plain->told)
        command_note("everything is saved");
    plain->told = wrong;
}

/* The reply that has been started, to its end. */
static void run_reply(struct plain *plain, struct prompt_notes *notes)
{
    struct reply_end end;
    struct error error;
    for (size_t i = 0; i < notes->count; i++)
        command_note("made harmless: %s", notes->lines[i]);
    plain->printed = plain->chat->reply->text.length; /* before it: what /continue goes on from */
    int result = model_session_follow(&plain->session, plain->chat->generation, take_event, plain,
                                      &end, &error);
    if (plain->printed > 0 || plain->chat->scene == NULL)
        command_print("\n", 1);
    if (result != 0) {
        complain(&error);
    } else {
        char *unknown = chat_unknown_sources(plain->chat);
        if (unknown != NULL)
            command_note("%s", unknown);
        free(unknown);
        command_note_end(plain->settings, &end);
    }
    if (plain->chat->unanswered != NULL)
        command_note("not answered; /retry sends it again");
    check_saving(plain);
    plain->session.interrupted = false; /* it stopped the reply, not the chat */
}

static void send_message(struct plain *plain, const char *text)
{
    struct error error;
    struct prompt_notes notes = {0};
    if (chat_send(plain->chat, text, &notes, &error) == 0)
        run_reply(plain, &notes);
    else
        complain(&error);
    prompt_notes_free(&notes);
}

/* --- commands -------------------------------------------------------------------------------- */

static void do_doc(struct plain *plain, const char *argument)
{
    struct error error;
    char *note;
    if (chat_attach(plain->chat, argument, &note, &error) != 0) {
        complain(&error);
        return;
    }
    command_note("%s", note);
    free(note);
}

static void do_docs(struct plain *plain, const char *argument)
{
    (void)argument;
    const struct document_list *list = &plain->chat->attached;
    if (list->count == 0)
        command_note("no documents attached; /doc FILE attaches one");
    for (size_t i = 0; i < list->count; i++)
        command_note("%s", list->items[i].name);
}

static void do_undoc(struct plain *plain, const char *argument)
{
    chat_detach(plain->chat, argument);
    do_docs(plain, "");
}

static void do_retry(struct plain *plain, const char *argument)
{
    (void)argument;
    struct error error;
    struct prompt_notes notes = {0};
    if (chat_retry(plain->chat, &notes, &error) == 0)
        run_reply(plain, &notes);
    else
        complain(&error);
    prompt_notes_free(&notes);
}

static void do_continue(struct plain *plain, const char *argument)
{
    (void)argument;
    struct error error;
    struct prompt_notes notes = {0};
    if (chat_continue(plain->chat, &error) == 0)
        run_reply(plain, &notes);
    else
        complain(&error);
}

static void do_new(struct plain *plain, const char *argument)
{
    (void)argument;
    chat_reset(plain->chat);
}

/* --- the library ----------------------------------------------------------------------------- */

#define LISTED_MAX 20
#define SETTLE_MS  2000

static bool is_kept(const struct plain *plain)
{
    const struct error *problem = &plain->library.problem;
    if (plain->library.store == NULL)
        command_note("chats are not kept: %s", problem->message);
    return plain->library.store != NULL;
}

/* Waits for the disk, so that a list shows what has just been written. */
static void settle(struct plain *plain)
{
    struct pollfd wait = {.fd = library_fd(&plain->library), .events = POLLIN};
    library_poll(&plain->library);
    while (plain->chat->row != 0 && !chat_is_saved(plain->chat) &&
           plain->library.status.problem.code == ERROR_NONE && poll(&wait, 1, SETTLE_MS) > 0)
        library_poll(&plain->library);
}

static bool read_list(struct plain *plain)
{
    struct error error;
    struct store_list list;
    if (!is_kept(plain))
        return false;
    settle(plain);
    if (store_list(plain->library.store, false, &list, &error) != 0) {
        complain(&error);
        return false;
    }
    store_list_free(&plain->listed);
    plain->listed = list;
    return true;
}

static void do_chats(struct plain *plain, const char *argument)
{
    bool all = strcmp(argument, "all") == 0;
    if (!read_list(plain))
        return;
    size_t count = plain->listed.count;
    if (count == 0)
        command_note("no chats yet");
    for (size_t i = 0; i < count && (all || i < LISTED_MAX); i++) {
        const struct store_entry *entry = &plain->listed.items[i];
        char age[AGE_BYTES];
        command_note("%3zu  %-*s  %s (%zu)%s", i + 1, AGE_COLUMNS,
                     age_text(age, entry->updated, (int64_t)time(NULL)),
                     entry->title != NULL ? entry->title : "Untitled", entry->messages,
                     entry->id == plain->chat->row ? ", open" : "");
    }
    if (!all && count > LISTED_MAX)
        command_note("and %zu older ones: /chats all", count - LISTED_MAX);
}

/* The last messages of the chat, so that one knows where one is. */
static void print_tail(const struct plain *plain)
{
    const struct conversation *conversation = plain->chat->conversation;
    int *ids = xcalloc(conversation->count + 1, sizeof *ids);
    size_t count = conversation_path(conversation, ids);
    for (size_t i = count > 2 ? count - 2 : 0; i < count; i++) {
        const struct message *message = conversation->items[ids[i]];
        command_print(message->role == ROLE_USER ? "> " : "", message->role == ROLE_USER ? 2 : 0);
        command_print(strbuf_text(&message->text), message->text.length);
        command_print("\n", 1);
    }
    free(ids);
}

static void open_row(struct plain *plain, int64_t row)
{
    struct error error;
    struct strbuf title = {0};
    char *draft;
    if (chat_load(plain->chat, row, &draft, &error) != 0) {
        complain(&error);
        return;
    }
    chat_title(plain->chat, &title);
    command_note("open: %s", title.length > 0 ? title.data : "Untitled");
    print_tail(plain);
    if (draft != NULL)
        command_note("typed there, not sent: %s", draft);
    free(draft);
    strbuf_free(&title);
}

static void do_open(struct plain *plain, const char *argument)
{
    char *end;
    if (!is_kept(plain) || (plain->listed.count == 0 && !read_list(plain)))
        return;
    unsigned long number = strtoul(argument, &end, 10);
    if (end == argument || *end != '\0' || number < 1 || number > plain->listed.count)
        command_note("/open needs a number of /chats");
    else
        open_row(plain, plain->listed.items[number - 1].id);
}

static void open_last(struct plain *plain)
{
    if (plain->library.store != NULL && read_list(plain) && plain->listed.count > 0)
        open_row(plain, plain->listed.items[0].id);
}

static void do_save(struct plain *plain, const char *argument)
{
    struct error error;
    if (argument[0] == '\0')
        command_note("/save needs a file name");
    else if (chat_save(plain->chat, argument, &error) != 0)
        complain(&error);
    else
        command_note("saved as %s", argument);
}

static void do_set(struct plain *plain, const char *argument)
{
    struct error error;
    struct strbuf table = {0};
    if (commands_change_setting(plain->settings, argument, &table, &error) != 0)
        complain(&error);
    else
        note_lines(table.data);
    strbuf_free(&table);
}

static void do_system(struct plain *plain, const char *argument)
{
    command_note("system: %s", chat_system(plain->chat, argument));
}

/* --- scenes ---------------------------------------------------------------------------------- */

/* What stands there already, or the reply to the scene's opening. */
static void begin_scene(struct plain *plain)
{
    const struct message *tip = chat_tip(plain->chat);
    struct strbuf opening = {0};
    if (tip != NULL) {
        command_print(strbuf_text(&tip->text), tip->text.length);
        command_print("\n", 1);
        return;
    }
    chat_opening(plain->chat, &opening);
    if (opening.length > 0)
        send_message(plain, strbuf_text(&opening));
    strbuf_free(&opening);
}

static int play(struct plain *plain, const char *name, struct error *error)
{
    struct scene *scene = scene_talk_open(name, error);
    if (scene == NULL)
        return -1;
    bool fresh = chat_tip(plain->chat) == NULL || chat_greets(plain->chat);
    chat_set_scene(plain->chat, scene);
    command_note("%s: an empty line lets the scene go on", scene->title);
    if (fresh)
        begin_scene(plain);
    return 0;
}

static void do_scene(struct plain *plain, const char *argument)
{
    struct error error;
    if (argument[0] == '\0')
        command_note("/scene needs a name; airo play lists them");
    else if (play(plain, argument, &error) != 0)
        complain(&error);
}

/* False when not a word came. */
static bool reply_again(struct plain *plain)
{
    struct error error;
    struct prompt_notes notes = {0};
    struct conversation *conversation = plain->chat->conversation;
    size_t before = conversation->count;
    if (chat_next_line(plain->chat, &notes, &error) == 0)
        run_reply(plain, &notes);
    else
        complain(&error);
    prompt_notes_free(&notes);
    if (conversation->count == before || conversation->items[before]->text.length > 0)
        return true;
    if (!conversation->items[before]->deleted)
        chat_take_back(plain->chat, conversation->items[before]->id);
    return false;
}

static void go_on(struct plain *plain)
{
    if (reply_again(plain) || plain->chat->scene->character_count == 0)
        return;
    plain->chat->speaker = chat_turn(plain->chat); /* it takes a name to begin with */
    reply_again(plain);
    plain->chat->speaker = CHAT_ANYONE;
}

static void do_quit(struct plain *plain, const char *argument)
{
    (void)argument;
    plain->ended = true;
}

static void do_help(struct plain *plain, const char *argument);

/* Those of the screen's tables that need none, and some that are otherwise here. */
static const struct {
    const char *name;
    void (*run)(struct plain *plain, const char *argument);
    const char *argument, *help; /* help NULL: as in the table */
} commands[] = {
    {"/help", do_help, NULL, "show this help"},
    {"/doc", do_doc, NULL, NULL},
    {"/docs", do_docs, NULL, "list what is attached"},
    {"/undoc", do_undoc, NULL, NULL},
    {"/retry", do_retry, NULL, NULL},
    {"/continue", do_continue, NULL, NULL},
    {"/new", do_new, NULL, NULL},
    {"/chats", do_chats, "[all]", "list the chats that are kept, with numbers"},
    {"/open", do_open, "N", "open the chat of this number, and go on with it"},
    {"/save", do_save, NULL, NULL},
    {"/set", do_set, NULL, NULL},
    {"/system", do_system, NULL, NULL},
    {"/scene", do_scene, NULL, NULL},
    {"/quit", do_quit, NULL, NULL},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void do_help(struct plain *plain, const char *argument)
{
    (void)plain;
    (void)argument;
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct action *action = actions_find_command(commands[i].name);
        char trigger[64];
        bool own = commands[i].help != NULL;
        if (!own && action == NULL)
            continue;
        const char *takes = own ? commands[i].argument : action->argument;
        snprintf(trigger, sizeof trigger, "%s %s", commands[i].name, takes != NULL ? takes : "");
        command_note("%-*s%s", TRANSCRIPT_NAME_COLUMNS, trigger,
                     own ? commands[i].help : action->help);
    }
    command_note("Chats are kept as they are in the full screen: --last opens the last one.");
}

static void run_command(struct plain *plain, const char *name, const char *argument)
{
    struct suggestion best = suggest_begin(name);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            commands[i].run(plain, argument);
            return;
        }
        suggest_offer(&best, commands[i].name);
    }
    if (best.found != NULL)
        command_note("no command %s; did you mean %s?", name, best.found);
    else
        command_note("no command %s; /help lists them", name);
}

static void accept_line(struct plain *plain, const char *text)
{
    char *name, *argument;
    if (text[strspn(text, " \t\r")] == '\0') {
        if (plain->chat->scene != NULL && chat_tip(plain->chat) != NULL)
            go_on(plain);
        return;
    }
    if (!actions_parse_line(text, &name, &argument)) {
        send_message(plain, text);
        return;
    }
    run_command(plain, name, argument);
    free(name);
    free(argument);
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

/* Where the first newline is, NULL: not yet there. */
static const char *find_newline(struct plain *plain)
{
    const struct strbuf *input = &plain->input;
    const char *from = strbuf_text(input) + plain->searched;
    const char *newline = memchr(from, '\n', input->length - plain->searched);
    plain->searched = newline != NULL ? 0 : input->length;
    return newline;
}

/* The next line without its newline; false at the end. */
static bool next_line(struct plain *plain, struct strbuf *line)
{
    const char *newline;
    if (isatty(STDIN_FILENO) == 1)
        command_print("> ", 2);
    while ((newline = find_newline(plain)) == NULL && read_more(plain))
        ;
    plain->searched = 0;
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
    while (!plain->ended && next_line(plain, &line))
        accept_line(plain, strbuf_text(&line));
    strbuf_free(&line);
}

static void open_library(struct plain *plain)
{
    char *path = store_default_path();
    library_open(&plain->library, path);
    if (plain->library.problem.code != ERROR_NONE)
        command_note("chats are not kept: %s", plain->library.problem.message);
    free(path);
}

int chat_plain_run(struct settings *settings, struct document_list *attached, const char *scene)
{
    struct plain plain = {.settings = settings};
    struct error error = {0};
    int result = model_session_open(&plain.session, settings, NULL, &error);
    if (result == 0)
        result = model_session_start(&plain.session, true, &error);
    if (result == 0)
        open_library(&plain);
    if (result == 0)
        result =
            chat_open(&plain.chat, settings, plain.session.generator, &plain.library, 0, &error);
    if (result == 0 && scene == NULL && strcmp(settings->start, "last") == 0)
        open_last(&plain);
    if (result == 0 && attached != NULL && attached->count > 0) {
        document_list_free(&plain.chat->attached);
        plain.chat->attached = *attached;
        *attached = (struct document_list){0};
    }
    if (result == 0 && scene != NULL)
        result = play(&plain, scene, &error);
    if (result == 0)
        chat_lines(&plain);
    int status = result != 0                 ? command_failed(&error)
                 : plain.session.interrupted ? EXIT_INTERRUPTED
                                             : EXIT_OK;
    chat_free(plain.chat);
    if (library_close(&plain.library, &error) != 0)
        status = command_failed(&error);
    store_list_free(&plain.listed);
    model_session_close(&plain.session);
    strbuf_free(&plain.input);
    return status;
}
