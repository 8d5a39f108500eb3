#include "tui/chat_keep.h"

#include <stdlib.h>
#include <time.h>

#include "engine/base/alloc.h"
#include "engine/chat/scene_json.h"
#include "tui/new_file.h"

#define GROWING_MS 300

static struct writer *writer_of(const struct chat *chat)
{
    return chat->library != NULL ? chat->library->writer : NULL;
}

static void create(struct chat *chat)
{
    struct strbuf scene = {0}, title = {0};
    if (chat->scene != NULL)
        scene_write(chat->scene, &scene);
    chat_title(chat, &title);
    struct store_chat stored = {
        .fields = {[STORE_TITLE] = title.length > 0 ? title.data : NULL,
                   [STORE_TEMPLATE] = (char *)(uintptr_t)chat_template_name(chat->template),
                   [STORE_SYSTEM] = chat->system,
                   [STORE_SCENE] = scene.length > 0 ? scene.data : NULL,
                   [STORE_MODEL] = (char *)(uintptr_t)chat->gauge.model}};
    chat->change = writer_create_chat(writer_of(chat), &stored);
    chat->row = stored.id;
    strbuf_free(&scene);
    strbuf_free(&title);
}

void chat_keep_tip(struct chat *chat)
{
    if (writer_of(chat) != NULL && chat->row != 0)
        chat->change = writer_set_tip(writer_of(chat), chat->row, chat->conversation);
}

/* Of a chat that was only a draft when it came into the library. */
static void keep_first_title(struct chat *chat)
{
    struct strbuf title = {0};
    chat_title(chat, &title);
    if (title.length > 0)
        writer_set(writer_of(chat), chat->row, STORE_TITLE, title.data);
    strbuf_free(&title);
}

void chat_keep_message(struct chat *chat, struct message *message)
{
    bool fresh = message->stored == 0;
    if (writer_of(chat) == NULL)
        return;
    if (chat->row == 0)
        create(chat);
    else if (chat->title == NULL && message->stored == 0 && message->parent < 0)
        keep_first_title(chat);
    chat->change = writer_save_message(writer_of(chat), chat->row, chat->conversation, message);
    if (fresh || message != chat->reply)
        chat_keep_tip(chat);
}

void chat_keep_growing(struct chat *chat)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    if (ms - chat->kept_ms < GROWING_MS)
        return;
    chat->kept_ms = ms;
    chat_keep_message(chat, chat->reply);
}

void chat_keep_field(struct chat *chat, enum store_field field, const char *value)
{
    if (writer_of(chat) != NULL && chat->row != 0)
        chat->change = writer_set(writer_of(chat), chat->row, field, value);
}

void chat_keep_documents(struct chat *chat)
{
    if (writer_of(chat) != NULL && chat->row != 0)
        chat->change = writer_set_documents(writer_of(chat), chat->row, &chat->attached);
}

void chat_keep_sent_documents(struct chat *chat, const struct message *message)
{
    if (writer_of(chat) != NULL && chat->row != 0 && message->stored != 0)
        chat->change = writer_set_sent_documents(writer_of(chat), chat->row, message);
}

void chat_keep_draft(struct chat *chat, const char *draft)
{
    if (writer_of(chat) != NULL && chat->row != 0)
        writer_set(writer_of(chat), chat->row, STORE_DRAFT, draft[0] != '\0' ? draft : NULL);
}

void chat_keep_new_draft(struct chat *chat, const char *draft)
{
    if (writer_of(chat) == NULL || chat->row != 0)
        return;
    create(chat);
    chat_keep_documents(chat);
    chat_keep_draft(chat, draft);
}

void chat_drop_empty(struct chat *chat)
{
    if (writer_of(chat) != NULL && chat->row != 0 && chat->conversation->count == 0 &&
        chat->attached.count == 0 && chat->scene == NULL)
        writer_set_deleted(writer_of(chat), chat->row, true);
}

bool chat_is_saved(const struct chat *chat)
{
    return writer_of(chat) != NULL && chat->row != 0 &&
           chat->library->status.committed >= chat->change;
}

/* --- into a file
 * ---------------------------------------------------------------------------------- */

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

int chat_save(const struct chat *chat, const char *path, struct error *error)
{
    struct strbuf text = {0};
    put_path(chat, &text);
    int result = new_file_write(path, strbuf_text(&text), text.length, error);
    strbuf_free(&text);
    return result;
}
