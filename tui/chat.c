#include "tui/chat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "tui/home_path.h"

int chat_open(struct chat **out, struct settings *settings, struct generator *generator,
              struct error *error)
{
    struct chat_template *template;
    const char *name = settings->template != NULL ? settings->template : "airoboros";
    if (chat_template_open(&template, name, error) != 0)
        return -1;
    struct chat *chat = xcalloc(1, sizeof *chat);
    chat->settings = settings;
    chat->generator = generator;
    chat->template = template;
    chat->conversation = conversation_create();
    chat->gauge.model = generator->ops->model_name(generator);
    chat->gauge.backend = generator->ops->backend_name(generator);
    chat->gauge.context = generator->ops->context(generator);
    *out = chat;
    return 0;
}

void chat_free(struct chat *chat)
{
    if (chat == NULL)
        return;
    chat_cancel(chat);
    conversation_free(chat->conversation);
    chat_template_close(chat->template);
    document_list_free(&chat->attached);
    free(chat);
}

void chat_reset(struct chat *chat)
{
    conversation_free(chat->conversation);
    chat->conversation = conversation_create();
    document_list_free(&chat->attached);
    chat->attached = (struct document_list){0};
    chat->unanswered = NULL;
    chat->gauge.usage = (struct usage){0};
}

struct message *chat_tip(const struct chat *chat)
{
    const struct conversation *conversation = chat->conversation;
    return conversation->tip >= 0 ? conversation->items[conversation->tip] : NULL;
}

bool chat_is_replying(const struct chat *chat)
{
    return chat->reply != NULL;
}

/* --- prompts --------------------------------------------------------------------------------- */

static struct prompt_style prompt_style(const struct chat *chat)
{
    const struct settings *settings = chat->settings;
    return (struct prompt_style){.system = settings->system,
                                 .ask_source = settings->ask_source,
                                 .no_making_up = settings->no_making_up,
                                 .plain_format = settings->plain_format};
}

static int build(const struct chat *chat, const char *draft, struct segment_list *out,
                 struct prompt_notes *notes, struct error *error)
{
    struct prompt_style style = prompt_style(chat);
    return prompt_build(out, chat->template, chat->generator->ops->tokenizer(chat->generator),
                        chat->conversation, draft, draft != NULL ? &chat->attached : NULL, &style,
                        notes, error);
}

/* Starts the generator on the prompt. */
static int start(struct chat *chat, const struct segment_list *segments, struct error *error)
{
    struct generation_request request = {.segments = *segments,
                                         .sampling = chat->settings->sampling,
                                         .max_tokens = chat->settings->max_tokens,
                                         .stops = chat_template_stops(chat->template)};
    while (request.stops != NULL && request.stops[request.stop_count] != NULL)
        request.stop_count++;
    return chat->generator->ops->start(chat->generator, &request, &chat->generation, error);
}

/* A reply to the tip. */
static int reply_to_tip(struct chat *chat, struct prompt_notes *notes, struct error *error)
{
    struct segment_list segments = {0};
    int result = build(chat, NULL, &segments, notes, error);
    if (result == 0)
        result = start(chat, &segments, error);
    segment_list_free(&segments);
    if (result != 0)
        return -1;
    chat->reply =
        conversation_add(chat->conversation, chat->conversation->tip, ROLE_ASSISTANT, "", 0);
    chat->reply->partial = true;
    chat->gauge.state = GAUGE_READING;
    chat->unanswered = NULL;
    return 0;
}

int chat_send(struct chat *chat, const char *text, struct prompt_notes *notes, struct error *error)
{
    int tip = chat->conversation->tip;
    struct message *message =
        conversation_add(chat->conversation, tip, ROLE_USER, text, strlen(text));
    document_list_copy(&message->documents, &chat->attached);
    if (reply_to_tip(chat, notes, error) != 0) {
        chat->conversation->tip = tip;
        return -1;
    }
    document_list_free(&chat->attached);
    chat->attached = (struct document_list){0};
    return 0;
}

int chat_retry(struct chat *chat, struct prompt_notes *notes, struct error *error)
{
    struct message *tip = chat->unanswered != NULL ? chat->unanswered : chat_tip(chat);
    if (tip == NULL)
        return error_set(error, ERROR_INPUT, "there is nothing to answer again yet");
    int kept = chat->conversation->tip;
    chat->conversation->tip = tip->role == ROLE_ASSISTANT ? tip->parent : tip->id;
    if (reply_to_tip(chat, notes, error) == 0)
        return 0;
    chat->conversation->tip = kept;
    return -1;
}

int chat_continue(struct chat *chat, struct error *error)
{
    struct message *reply = chat_tip(chat);
    if (reply == NULL || reply->role != ROLE_ASSISTANT)
        return error_set(error, ERROR_INPUT, "there is no reply to continue yet");
    struct segment_list segments = {0};
    int result = build(chat, NULL, &segments, NULL, error);
    if (result == 0)
        result = start(chat, &segments, error);
    segment_list_free(&segments);
    if (result != 0)
        return -1;
    reply->partial = true;
    chat->reply = reply;
    chat->gauge.state = GAUGE_READING;
    return 0;
}

void chat_cancel(struct chat *chat)
{
    if (chat->reply != NULL)
        chat->generator->ops->cancel(chat->generator, chat->generation);
}

/* --- events ---------------------------------------------------------------------------------- */

static void take_usage(struct chat *chat, const struct usage *usage)
{
    size_t draft = chat->gauge.parts[PART_DRAFT];
    chat->gauge.usage = *usage;
    memcpy(chat->gauge.parts, usage->parts, sizeof chat->gauge.parts);
    /* The message that is being answered is history now; the draft is what is being typed. */
    chat->gauge.parts[PART_HISTORY] += usage->reply + usage->parts[PART_DRAFT];
    chat->gauge.parts[PART_DRAFT] = draft;
    chat->gauge.reserve = usage->reserve;
    if (usage->context > 0)
        chat->gauge.context = usage->context;
}

static void end_reply(struct chat *chat, bool complete)
{
    struct message *reply = chat->reply;
    reply->partial = !complete;
    chat->reply = NULL;
    chat->gauge.state = GAUGE_IDLE;
    chat->gauge.reserve = 0;
    if (reply->text.length > 0 || complete)
        return;
    /* Not a word came: the question stands unanswered and is no part of the next prompt. */
    chat->unanswered = chat->conversation->items[reply->parent];
    chat->conversation->tip = chat->unanswered->parent;
}

enum chat_change chat_event(struct chat *chat, const struct event *event, struct message **message)
{
    if (chat->reply == NULL || event->generation != chat->generation)
        return CHAT_SAME;
    *message = chat->reply;
    switch (event->kind) {
    case EVENT_PROGRESS:
    case EVENT_USAGE:
        take_usage(chat, &event->usage);
        return CHAT_PROGRESSED;
    case EVENT_TEXT:
        chat->gauge.state = GAUGE_WRITING;
        message_append(chat->reply, event->text, event->length, &event->tokens);
        return CHAT_GREW;
    case EVENT_DONE:
        take_usage(chat, &event->usage);
        end_reply(chat, event->reason == STOP_EOS || event->reason == STOP_STRING);
        return CHAT_ENDED;
    case EVENT_ERROR:
        end_reply(chat, false);
        return CHAT_FAILED;
    case EVENT_CHOICES:
    case EVENT_COUNT:
        break;
    }
    return CHAT_SAME;
}

/* --- counting -------------------------------------------------------------------------------- */

int chat_count_prompt(const struct chat *chat, const char *draft, size_t *parts, size_t *total,
                      struct error *error)
{
    struct segment_list segments = {0};
    struct generator *generator = chat->generator;
    int result = build(chat, draft, &segments, NULL, error);
    if (result == 0)
        result = generator->ops->count(generator, &segments, parts, total, error);
    segment_list_free(&segments);
    return result;
}

int chat_count(struct chat *chat, const char *draft, struct error *error)
{
    size_t parts[PARTS] = {0}, total = 0;
    if (chat_count_prompt(chat, draft, parts, &total, error) != 0)
        return -1;
    if (draft[0] == '\0') /* what any message costs is no draft */
        parts[PART_DRAFT] = 0;
    if (chat->reply != NULL) {
        chat->gauge.parts[PART_DRAFT] = parts[PART_DRAFT];
        return 0;
    }
    memcpy(chat->gauge.parts, parts, sizeof parts);
    size_t room = chat->gauge.context > total ? chat->gauge.context - total : 0;
    uint32_t most = chat->settings->max_tokens; /* 0: no limit but the context's */
    chat->gauge.reserve = most > 0 && most < room ? most : room;
    return 0;
}

const char *chat_system(struct chat *chat, const char *text)
{
    struct settings *settings = chat->settings;
    if (text[0] != '\0') {
        free(settings->system);
        settings->system = strcmp(text, "default") == 0 ? NULL : xstrdup(text);
    }
    return settings->system != NULL ? settings->system : chat_template_system(chat->template);
}

/* --- saving ---------------------------------------------------------------------------------- */

static void put_path(const struct chat *chat, struct strbuf *out)
{
    const struct conversation *conversation = chat->conversation;
    int *ids = xcalloc(conversation->count + 1, sizeof *ids);
    size_t count = conversation_path(conversation, ids);
    for (size_t i = 0; i < count; i++) {
        const struct message *message = conversation->items[ids[i]];
        strbuf_puts(out, message->role == ROLE_USER ? "## You\n\n" : "## Reply\n\n");
        for (size_t j = 0; j < message->documents.count; j++)
            strbuf_printf(out, "(with %s)\n\n", message->documents.items[j].name);
        strbuf_add(out, strbuf_text(&message->text), message->text.length);
        strbuf_puts(out, "\n\n");
    }
    free(ids);
}

static int write_all(int fd, const struct strbuf *text)
{
    for (size_t at = 0; at < text->length;) {
        ssize_t written = write(fd, text->data + at, text->length - at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return -1;
        at += (size_t)written;
    }
    return fsync(fd);
}

int chat_save(const struct chat *chat, const char *path, struct error *error)
{
    char *file = home_path(path);
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        error_set_errno(error, "%s", path);
    free(file);
    if (fd < 0)
        return -1;
    struct strbuf text = {0};
    put_path(chat, &text);
    int result = write_all(fd, &text) == 0 ? 0 : error_set_errno(error, "%s: not saved", path);
    strbuf_free(&text);
    if (close(fd) != 0 && result == 0)
        result = error_set_errno(error, "%s: not saved", path);
    return result;
}
