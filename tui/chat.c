#include "tui/chat.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "engine/chat/prompt_fit.h"
#include "engine/chat/scene_grammar.h"
#include "engine/chat/scene_json.h"
#include "engine/chat/scene_text.h"
#include "engine/chat/source_grammar.h"
#include "tui/chat_keep.h"

#define TITLE_COLUMNS 48

int chat_open(struct chat **out, struct settings *settings, struct generator *generator,
              struct library *library, uint32_t slot, struct error *error)
{
    struct chat_template *template;
    const char *name = settings->template != NULL ? settings->template : "airoboros";
    if (chat_template_open(&template, name, error) != 0)
        return -1;
    struct chat *chat = xcalloc(1, sizeof *chat);
    chat->settings = settings;
    chat->generator = generator;
    chat->library = library;
    chat->slot = slot;
    chat->template = template;
    chat->speaker = CHAT_ANYONE;
    chat->conversation = conversation_create();
    chat->gauge.model = generator->ops->model_name(generator);
    chat->gauge.context = generator->ops->context(generator);
    *out = chat;
    return 0;
}

static void clear(struct chat *chat)
{
    conversation_free(chat->conversation);
    document_list_free(&chat->attached);
    scene_free(chat->scene);
    scene_watch_free(&chat->watch);
    free(chat->system);
    free(chat->title);
    chat->conversation = NULL;
    chat->attached = (struct document_list){0};
    chat->scene = NULL;
    chat->watch = (struct scene_watch){0};
    chat->system = chat->title = NULL;
}

void chat_free(struct chat *chat)
{
    if (chat == NULL)
        return;
    chat_cancel(chat);
    if (chat->reply != NULL && chat->reply->text.length > 0)
        chat_keep_message(chat, chat->reply); /* what came by now */
    clear(chat);
    chat_template_close(chat->template);
    free(chat);
}

void chat_reset(struct chat *chat)
{
    struct conversation *fresh = conversation_create();
    clear(chat);
    chat->conversation = fresh;
    chat->number++;
    chat->unanswered = NULL;
    chat->speaker = CHAT_ANYONE;
    chat->scene_version++;
    chat->greeting = 0;
    chat->skip_turns = chat->skip_examples = 0;
    chat->row = 0;
    chat->change = 0;
    chat->gauge.usage = (struct usage){0};
}

static char *take(char **field)
{
    char *text = *field;
    *field = NULL;
    return text;
}

/* A last message of the user's that never got a reply, not even a deleted one: its reply was
 * stopped before its first word. It waits for a retry, as it did then. */
static void leave_out_unanswered(struct chat *chat)
{
    struct message *tip = chat_tip(chat);
    if (tip == NULL || tip->role != ROLE_USER || tip->link.first >= 0)
        return;
    chat->unanswered = tip;
    chat->conversation->tip = tip->parent;
}

int chat_load(struct chat *chat, int64_t row, char **draft, struct error *error)
{
    struct store_chat stored = {0};
    struct scene *scene = NULL;
    *draft = NULL;
    if (chat->library == NULL || chat->library->store == NULL)
        return error_set(error, ERROR_INPUT, "no chats are kept");
    if (store_load(chat->library->store, row, &stored, error) != 0)
        return -1;
    const char *text = stored.fields[STORE_SCENE];
    if (text != NULL &&
        (scene = scene_parse(text, strlen(text), "the chat's scene", error)) == NULL) {
        store_chat_free(&stored);
        return -1;
    }
    chat_reset(chat);
    conversation_free(chat->conversation);
    chat->conversation = stored.conversation;
    chat->attached = stored.documents;
    chat->scene = scene;
    chat->title = take(&stored.fields[STORE_TITLE]);
    chat->system = take(&stored.fields[STORE_SYSTEM]);
    *draft = take(&stored.fields[STORE_DRAFT]);
    chat->row = row;
    leave_out_unanswered(chat);
    stored.conversation = NULL;
    stored.documents = (struct document_list){0};
    store_chat_free(&stored);
    return 0;
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

static struct macro_context clock_of(const struct chat *chat)
{
    /* The day, not the second: the prompt must not change with every count. */
    time_t now = time(NULL), day = now - now % 3600;
    struct tm local;
    long offset = localtime_r(&now, &local) != NULL ? local.tm_gmtoff : 0;
    return (struct macro_context){
        .seed = (uint64_t)chat->row, .now_s = day, .utc_offset_s = (int32_t)offset};
}

static const char *system_of(const struct chat *chat)
{
    return chat->system != NULL ? chat->system : chat->settings->system;
}

static struct prompt_style style_of(const struct chat *chat)
{
    const struct settings *settings = chat->settings;
    return (struct prompt_style){.system = system_of(chat),
                                 .ask_source = settings->ask_source,
                                 .no_making_up = settings->no_making_up,
                                 .plain_format = settings->plain_format,
                                 .scene = chat->scene,
                                 .own_system = system_of(chat) != NULL,
                                 .skip_turns = chat->skip_turns,
                                 .skip_examples = chat->skip_examples,
                                 .clock = clock_of(chat)};
}

static int build_prompt(const struct chat *chat, const char *draft, const char *prefix,
                        struct segment_list *out, struct prompt_notes *notes, struct error *error)
{
    struct prompt_style style = style_of(chat);
    style.prefix = prefix;
    return prompt_build(out, chat->template, chat->generator->ops->tokenizer(chat->generator),
                        chat->conversation, draft, draft != NULL ? &chat->attached : NULL, &style,
                        notes, error);
}

int chat_prompt(const struct chat *chat, const char *draft, struct segment_list *out,
                struct prompt_notes *notes, struct error *error)
{
    return build_prompt(chat, draft, NULL, out, notes, error);
}

/* --- starting replies ------------------------------------------------------------------------ */

/* What a reply begins with; NULL: the model's choice. To be freed. */
static char *forced_beginning(const struct chat *chat)
{
    if (chat->scene == NULL || chat->speaker == CHAT_ANYONE)
        return NULL;
    if (chat->speaker == CHAT_USER)
        return scene_user_prefix(chat->scene);
    return (size_t)chat->speaker < chat->scene->character_count
               ? scene_prefix(chat->scene, (size_t)chat->speaker)
               : NULL;
}

static const struct message *first_message(const struct conversation *conversation)
{
    int id = conversation->tip;
    while (id >= 0 && conversation->items[id]->parent >= 0)
        id = conversation->items[id]->parent;
    return id >= 0 ? conversation->items[id] : NULL;
}

/* A talk whose first message, as a card brought it, has another form goes on as it began. */
static struct grammar *grammar_of_scene(const struct chat *chat)
{
    struct grammar *grammar = scene_grammar_create(chat->scene);
    const struct message *first = first_message(chat->conversation);
    if (grammar == NULL || first == NULL || first->role != ROLE_ASSISTANT ||
        first->made_with != NULL ||
        scene_grammar_fits(grammar, strbuf_text(&first->text), first->text.length))
        return grammar;
    grammar_free(grammar);
    return NULL;
}

/* What a reply's form is held to, the scene's or that of sources, after the text of `reply`, which
 * goes on (NULL: a new one begins); NULL: any. */
static struct grammar *reply_grammar(const struct chat *chat, const struct segment_list *segments,
                                     const struct message *reply)
{
    if (!chat->settings->grammar || chat->speaker == CHAT_USER)
        return NULL;
    struct grammar *grammar =
        chat->scene != NULL ? grammar_of_scene(chat) : source_grammar_create(segments);
    if (grammar != NULL && reply != NULL)
        grammar->ops->accept(grammar, strbuf_text(&reply->text), reply->text.length);
    return grammar;
}

/* The template's stops and, in a scene, the names that nobody else may speak under. */
static int start_with_stops(struct chat *chat, struct generation_request *request,
                            struct error *error)
{
    const char *const *own = chat_template_stops(chat->template);
    size_t count = 0, scene_count = 0;
    bool for_user = chat->speaker == CHAT_USER;
    char **scene = chat->scene != NULL ? scene_stops(chat->scene, for_user, &scene_count) : NULL;
    while (own != NULL && own[count] != NULL)
        count++;
    const char **stops = xcalloc(count + scene_count + 1, sizeof *stops);
    for (size_t i = 0; i < count; i++)
        stops[i] = own[i];
    for (size_t i = 0; i < scene_count; i++)
        stops[count + i] = scene[i];
    request->stops = stops;
    request->stop_count = count + scene_count;
    int result = chat->generator->ops->start(chat->generator, request, &chat->generation, error);
    free(stops);
    if (scene != NULL)
        scene_stops_free(scene);
    return result;
}

/* Goes on with `reply`, or (NULL) begins a new one, with `begin` or `begin_text` if not NULL. */
static int start(struct chat *chat, const struct segment_list *segments,
                 const struct message *reply, const struct token_list *begin,
                 const char *begin_text, struct error *error)
{
    struct grammar *grammar = reply_grammar(chat, segments, reply);
    struct generation_request request = {.segments = *segments,
                                         .sampling = chat->settings->sampling,
                                         .draft = settings_draft(chat->settings),
                                         .max_tokens = chat->settings->max_tokens,
                                         .begin = begin_text,
                                         .grammar = grammar};
    if (begin != NULL) {
        request.begin_tokens = begin->ids;
        request.begin_count = begin->count;
    }
    int result = start_with_stops(chat, &request, error);
    grammar_free(grammar);
    return result;
}

/* "vaquita · temperature 0.7 · top-p 0.9 · seed 3" */
static char *made_with(const struct chat *chat)
{
    const struct sampling *sampling = &chat->settings->sampling;
    struct strbuf line = {0};
    strbuf_puts(&line, chat->generator->ops->model_name(chat->generator));
    if (sampling->temperature <= 0)
        strbuf_puts(&line, " · greedy");
    else
        strbuf_printf(&line, " · temperature %g · top-p %g · seed %llu",
                      (double)sampling->temperature, (double)sampling->top_p,
                      (unsigned long long)sampling->seed);
    strbuf_printf(&line, " · %s", chat_template_name(chat->template));
    return strbuf_detach(&line);
}

static void watch_reply(struct chat *chat)
{
    scene_watch_free(&chat->watch);
    chat->watch =
        (struct scene_watch){.scene = chat->scene, .for_user = chat->speaker == CHAT_USER};
    chat->watch_begin = chat->reply->text.length;
    chat->cut = false;
}

static void begin_reply(struct chat *chat, struct message *reply)
{
    chat->reply = reply;
    reply->partial = true;
    free(reply->made_with);
    reply->made_with = made_with(chat);
    chat->gauge.state = GAUGE_READING;
    chat->unanswered = NULL;
    watch_reply(chat);
}

/* A reply to the tip; with `begin`, one that begins with these ids. */
static int reply_to_tip(struct chat *chat, const struct token_list *begin,
                        struct prompt_notes *notes, struct error *error)
{
    struct segment_list segments = {0};
    char *forced = begin == NULL ? forced_beginning(chat) : NULL;
    const struct message *tip = chat_tip(chat);
    bool after_reply = tip != NULL && tip->role == ROLE_ASSISTANT;
    int result = build_prompt(chat, NULL, after_reply ? "" : NULL, &segments, notes, error);
    if (result == 0)
        result = start(chat, &segments, NULL, begin, forced, error);
    segment_list_free(&segments);
    free(forced);
    if (result != 0)
        return -1;
    begin_reply(
        chat, conversation_add(chat->conversation, chat->conversation->tip, ROLE_ASSISTANT, "", 0));
    return 0;
}

/* The same with the path ending at `tip` while the reply is asked for. */
static int reply_at(struct chat *chat, int tip, const struct token_list *begin,
                    struct prompt_notes *notes, struct error *error)
{
    int kept = chat->conversation->tip;
    chat->conversation->tip = tip;
    if (reply_to_tip(chat, begin, notes, error) == 0)
        return 0;
    chat->conversation->tip = kept;
    return -1;
}

int chat_send(struct chat *chat, const char *text, struct prompt_notes *notes, struct error *error)
{
    int tip = chat->conversation->tip;
    struct message *message =
        conversation_add(chat->conversation, tip, ROLE_USER, text, strlen(text));
    document_list_copy(&message->documents, &chat->attached);
    if (reply_to_tip(chat, NULL, notes, error) != 0) {
        message->deleted = true;
        chat->conversation->tip = tip;
        return -1;
    }
    document_list_free(&chat->attached);
    chat->attached = (struct document_list){0};
    chat_keep_message(chat, message);
    chat_keep_documents(chat);
    return 0;
}

int chat_retry(struct chat *chat, struct prompt_notes *notes, struct error *error)
{
    struct message *tip = chat->unanswered != NULL ? chat->unanswered : chat_tip(chat);
    if (tip == NULL)
        return error_set(error, ERROR_INPUT, "there is nothing to answer again yet");
    return reply_at(chat, tip->role == ROLE_ASSISTANT ? tip->parent : tip->id, NULL, notes, error);
}

int chat_regenerate(struct chat *chat, const struct message *reply, struct prompt_notes *notes,
                    struct error *error)
{
    return reply_at(chat, reply->role == ROLE_ASSISTANT ? reply->parent : reply->id, NULL, notes,
                    error);
}

int chat_next_line(struct chat *chat, struct prompt_notes *notes, struct error *error)
{
    return reply_to_tip(chat, NULL, notes, error);
}

int chat_branch_at(struct chat *chat, const struct message *reply, size_t kept, int32_t id,
                   struct error *error)
{
    struct token_list begin = {0};
    if (reply->role != ROLE_ASSISTANT || kept > reply->tokens.count)
        return error_set(error, ERROR_INPUT, "this message was not generated here");
    token_list_append(&begin, reply->tokens.ids, kept);
    token_list_append(&begin, &id, 1);
    int result = reply_at(chat, reply->parent, &begin, NULL, error);
    token_list_free(&begin);
    return result;
}

int chat_continue(struct chat *chat, struct error *error)
{
    struct message *reply = chat_tip(chat);
    if (reply == NULL || reply->role != ROLE_ASSISTANT)
        return error_set(error, ERROR_INPUT, "there is no reply to continue yet");
    struct segment_list segments = {0};
    int result = chat_prompt(chat, NULL, &segments, NULL, error);
    if (result == 0)
        result = start(chat, &segments, reply, NULL, NULL, error);
    segment_list_free(&segments);
    if (result == 0)
        begin_reply(chat, reply);
    return result;
}

int chat_edit(struct chat *chat, const struct message *message, const char *text,
              struct prompt_notes *notes, struct error *error)
{
    int kept = chat->conversation->tip;
    struct message *edited =
        conversation_add(chat->conversation, message->parent, message->role, text, strlen(text));
    document_list_copy(&edited->documents, &message->documents);
    if (message->role == ROLE_USER && reply_to_tip(chat, NULL, notes, error) != 0) {
        edited->deleted = true;
        chat->conversation->tip = kept;
        return -1;
    }
    chat_keep_message(chat, edited);
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
    reply->partial = !complete && !chat->cut;
    chat->reply = NULL;
    chat->gauge.state = GAUGE_IDLE;
    chat->gauge.reserve = 0;
    if (chat->speaker == CHAT_USER)
        chat->speaker = CHAT_ANYONE;
    if (reply->text.length > 0 || complete) {
        chat_keep_message(chat, reply);
        return;
    }
    /* Not a word came: the question stands unanswered and is no part of the next prompt. */
    reply->deleted = true;
    if (reply->parent >= 0 && chat->conversation->items[reply->parent]->role == ROLE_USER) {
        chat->unanswered = chat->conversation->items[reply->parent];
        chat->conversation->tip = chat->unanswered->parent;
    } else {
        chat->conversation->tip = reply->parent;
    }
}

/* A foreign speaker's line begins at `offset` of what was watched: the reply ends before it. Its
 * ids no longer say what the text does, so they go. */
static void cut_reply(struct chat *chat, size_t offset)
{
    struct strbuf *text = &chat->reply->text;
    size_t end = chat->watch_begin + offset;
    while (end > 0 && (text->data[end - 1] == '\n' || text->data[end - 1] == ' '))
        end--;
    strbuf_remove(text, end, text->length - end);
    token_list_free(&chat->reply->tokens);
    chat->reply->tokens = (struct token_list){0};
    chat->cut = true;
    chat_cancel(chat);
}

static void grow(struct chat *chat, const struct event *event)
{
    size_t offset;
    if (chat->cut)
        return;
    chat->gauge.state = GAUGE_WRITING;
    message_append(chat->reply, event->text, event->length, &event->tokens);
    if (chat->scene != NULL && scene_watch_push(&chat->watch, event->text, event->length, &offset))
        cut_reply(chat, offset);
    chat_keep_growing(chat);
}

static void finish_watch(struct chat *chat)
{
    size_t offset;
    if (chat->scene != NULL && !chat->cut && scene_watch_finish(&chat->watch, &offset))
        cut_reply(chat, offset);
}

static void take_count(struct chat *chat, const struct usage *usage)
{
    struct gauge *gauge = &chat->gauge;
    /* What any message costs is no draft. */
    size_t draft = chat->count_empty ? 0 : usage->parts[PART_DRAFT];
    gauge->counted = true;
    if (chat->reply == NULL)
        memcpy(gauge->parts, usage->parts, sizeof gauge->parts);
    gauge->parts[PART_DRAFT] = draft;
    if (chat->reply != NULL)
        return;
    size_t room = gauge->context > usage->prompt ? gauge->context - usage->prompt : 0;
    uint32_t most = chat->settings->max_tokens; /* 0: no limit but the context's */
    gauge->reserve = most > 0 && most < room ? most : room;
}

enum chat_change chat_event(struct chat *chat, const struct event *event, struct message **message)
{
    if (event->kind == EVENT_COUNT && event->generation == chat->count_ticket) {
        take_count(chat, &event->usage);
        return CHAT_PROGRESSED;
    }
    if (chat->reply == NULL || event->kind == EVENT_COUNT || event->generation != chat->generation)
        return CHAT_SAME;
    *message = chat->reply;
    switch (event->kind) {
    case EVENT_TEXT:
        grow(chat, event);
        return CHAT_GREW;
    case EVENT_DONE:
        finish_watch(chat);
        take_usage(chat, &event->usage);
        end_reply(chat, event->reason == STOP_EOS || event->reason == STOP_STRING);
        return CHAT_ENDED;
    case EVENT_ERROR:
        end_reply(chat, false);
        return CHAT_FAILED;
    default:
        take_usage(chat, &event->usage);
        return CHAT_PROGRESSED;
    }
}

/* --- counting -------------------------------------------------------------------------------- */

int chat_count_prompt(const struct chat *chat, const char *draft, size_t *parts, size_t *total,
                      struct error *error)
{
    struct segment_list segments = {0};
    struct generator *generator = chat->generator;
    int result = chat_prompt(chat, draft, &segments, NULL, error);
    if (result == 0)
        result = generator->ops->count(generator, &segments, parts, total, error);
    segment_list_free(&segments);
    return result;
}

int chat_count(struct chat *chat, const char *draft, struct error *error)
{
    struct segment_list segments = {0};
    int result = chat_prompt(chat, draft, &segments, NULL, error);
    chat->count_empty = draft[0] == '\0';
    if (result == 0)
        chat->generator->ops->count_later(chat->generator, &segments, chat->slot,
                                          &chat->count_ticket);
    segment_list_free(&segments);
    return result;
}

static int count_tokens(void *user, const struct segment_list *segments, size_t *tokens,
                        struct error *error)
{
    struct generator *generator = user;
    size_t parts[PARTS];
    return generator->ops->count(generator, segments, parts, tokens, error);
}

int chat_fit(struct chat *chat, const char *draft, size_t reserve, struct error *error)
{
    struct prompt_style style = style_of(chat);
    size_t context = chat->gauge.context;
    const struct prompt_source source = {chat->template,
                                         chat->generator->ops->tokenizer(chat->generator),
                                         chat->conversation, draft, &chat->attached};
    int result = prompt_fit(&source, &style, context > reserve ? context - reserve : 1,
                            count_tokens, chat->generator, NULL, error);
    chat->skip_turns = style.skip_turns;
    chat->skip_examples = style.skip_examples;
    return result;
}

/* --- the tree -------------------------------------------------------------------------------- */

void chat_select(struct chat *chat, int id)
{
    chat->unanswered = NULL;
    if (conversation_select(chat->conversation, id))
        chat_keep_tip(chat);
}

void chat_delete(struct chat *chat, int id)
{
    chat->unanswered = NULL;
    conversation_delete(chat->conversation, id);
    chat_keep_message(chat, chat->conversation->items[id]);
}

void chat_undelete(struct chat *chat, int id)
{
    conversation_undelete(chat->conversation, id);
    chat_keep_message(chat, chat->conversation->items[id]);
}

/* --- scenes, system line, title -------------------------------------------------------------- */

void chat_scene_changed(struct chat *chat)
{
    struct strbuf text = {0};
    if (chat->scene != NULL)
        scene_write(chat->scene, &text);
    chat->scene_version++;
    chat_keep_field(chat, STORE_SCENE, chat->scene != NULL ? strbuf_text(&text) : NULL);
    strbuf_free(&text);
}

void chat_set_scene(struct chat *chat, struct scene *scene)
{
    bool greets = chat_greets(chat);
    scene_free(chat->scene);
    chat->scene = scene;
    chat->speaker = CHAT_ANYONE;
    chat_scene_changed(chat);
    if (greets)
        chat_take_back(chat, chat->conversation->tip);
    if (scene != NULL && chat->conversation->tip < 0 && scene_greeting_count(scene) > 0)
        chat_greet(chat, 0);
}

bool chat_greets(const struct chat *chat)
{
    const struct message *tip = chat_tip(chat);
    return chat->scene != NULL && tip != NULL && tip->parent < 0 && tip->role == ROLE_ASSISTANT &&
           tip->made_with == NULL && chat->reply == NULL;
}

static bool is_text(const struct message *message, const struct strbuf *text)
{
    return message->text.length == text->length &&
           memcmp(strbuf_text(&message->text), strbuf_text(text), text->length) == 0;
}

void chat_greet(struct chat *chat, size_t index)
{
    struct conversation *conversation = chat->conversation;
    struct strbuf text = {0};
    struct macro_context clock = clock_of(chat);
    scene_greeting(chat->scene, index, &clock, &text);
    int id = conversation->first_root;
    while (id >= 0 &&
           (conversation->items[id]->deleted || !is_text(conversation->items[id], &text)))
        id = conversation->items[id]->link.next;
    if (id >= 0)
        chat_select(chat, id);
    else
        conversation_add(conversation, -1, ROLE_ASSISTANT, strbuf_text(&text), text.length);
    chat->greeting = index;
    strbuf_free(&text);
}

void chat_opening(const struct chat *chat, struct strbuf *out)
{
    struct macro_context clock = clock_of(chat);
    scene_opening(chat->scene, &clock, out);
}

int chat_turn(const struct chat *chat)
{
    const struct message *tip = chat_tip(chat);
    int last = -1;
    const char *at = tip != NULL ? strbuf_text(&tip->text) : "";
    while (*at != '\0') {
        struct scene_line line;
        size_t length = strcspn(at, "\n");
        scene_parse_line(chat->scene, at, length, &line);
        if (line.speaker >= 0)
            last = line.speaker;
        at += length + (at[length] == '\n');
    }
    return (last + 1) % (int)chat->scene->character_count;
}

void chat_take_back(struct chat *chat, int id)
{
    struct message *message = chat->conversation->items[id];
    message->deleted = true;
    chat->conversation->tip = message->parent;
    if (message->stored != 0)
        chat_keep_message(chat, message);
}

const char *chat_system(struct chat *chat, const char *text)
{
    if (text[0] != '\0') {
        free(chat->system);
        bool own = strcmp(text, "default") != 0;
        chat->system = own ? xstrdup(text) : NULL;
        chat_keep_field(chat, STORE_SYSTEM, chat->system);
    }
    return system_of(chat) != NULL ? system_of(chat) : chat_template_system(chat->template);
}

/* The first message that says something, in one line. */
static void put_beginning(const struct chat *chat, struct strbuf *out)
{
    const struct conversation *conversation = chat->conversation;
    int id = conversation->tip;
    while (id >= 0 && conversation->items[id]->parent >= 0)
        id = conversation->items[id]->parent;
    if (id < 0)
        return;
    const struct strbuf *text = &conversation->items[id]->text;
    size_t length = strcspn(strbuf_text(text), "\n");
    size_t fits = text_fit(strbuf_text(text), length, TITLE_COLUMNS);
    strbuf_add(out, strbuf_text(text), fits);
    if (fits < length)
        strbuf_puts(out, "…");
}

void chat_title(const struct chat *chat, struct strbuf *out)
{
    if (chat->title != NULL)
        strbuf_puts(out, chat->title);
    else if (chat->scene != NULL && chat->scene->title[0] != '\0')
        strbuf_puts(out, chat->scene->title);
    else
        put_beginning(chat, out);
}

void chat_rename(struct chat *chat, const char *title)
{
    free(chat->title);
    chat->title = title[0] != '\0' ? xstrdup(title) : NULL;
    chat_keep_field(chat, STORE_TITLE, chat->title);
}
