#include "tui/chat_documents.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/answer.h"
#include "tui/home_path.h"

/* --- attaching ------------------------------------------------------------------------------- */

/* The last attached document has been added to a prompt with `before` tokens of documents. */
static int note_attached(struct chat *chat, size_t before, const char *path, char **note,
                         struct error *error)
{
    size_t parts[PARTS] = {0}, total = 0, context = chat->gauge.context;
    if (chat_count_prompt(chat, "", parts, &total, error) != 0)
        return -1;
    size_t tokens = parts[PART_DOCUMENT] - before;
    if (tokens >= context)
        return error_set(error, ERROR_INPUT,
                         "%s takes %zu tokens and the context holds %zu: not attached", path,
                         tokens, context);
    struct strbuf text = {0};
    strbuf_printf(&text, "%s goes with the next message, %zu tokens", path, tokens);
    if (total >= context)
        strbuf_printf(&text,
                      "; with it the prompt takes %zu and the context holds %zu: /undoc or /new "
                      "makes room",
                      total, context);
    *note = strbuf_detach(&text);
    return 0;
}

int chat_attach(struct chat *chat, const char *path, char **note, struct error *error)
{
    size_t before[PARTS] = {0}, total = 0;
    if (path[0] == '\0')
        return error_set(error, ERROR_INPUT, "/doc needs a file name");
    char *file = home_path(path);
    int result = chat_count_prompt(chat, "", before, &total, error);
    if (result == 0)
        result = document_add_regular(&chat->attached, file, error);
    if (result == 0 && note_attached(chat, before[PART_DOCUMENT], path, note, error) != 0) {
        document_remove(&chat->attached, chat->attached.count - 1);
        result = -1;
    }
    free(file);
    return result;
}

void chat_detach(struct chat *chat, const char *path)
{
    struct document_list *list = &chat->attached;
    char *file = home_path(path);
    for (size_t i = list->count; i-- > 0;)
        if (path[0] == '\0' || strcmp(list->items[i].name, file) == 0)
            document_remove(list, i);
    free(file);
}

/* --- sources --------------------------------------------------------------------------------- */

static void take_source(void *user, const char *line, int document)
{
    struct strbuf *unknown = user;
    if (document < 0)
        strbuf_printf(unknown, "%s%s", unknown->length > 0 ? ", " : ANSWER_NOT_GIVEN ": ", line);
}

/* The documents of the path, borrowed: only the array is to be freed. */
static struct document_list path_documents(const struct chat *chat)
{
    struct document_list list = {0};
    for (int id = chat->conversation->tip; id >= 0; id = chat->conversation->items[id]->parent) {
        const struct document_list *sent = &chat->conversation->items[id]->documents;
        if (sent->count == 0)
            continue;
        list.items = xreallocarray(list.items, list.count + sent->count, sizeof *list.items);
        memcpy(list.items + list.count, sent->items, sent->count * sizeof *list.items);
        list.count += sent->count;
    }
    return list;
}

char *chat_unknown_sources(const struct chat *chat)
{
    const struct message *reply = chat_tip(chat);
    struct document_list documents = path_documents(chat);
    struct strbuf unknown = {0}, ignored = {0};
    struct answer answer = {.documents = &documents,
                            .markers = chat_template_markers(chat->template),
                            .on_source = take_source,
                            .user = &unknown};
    if (reply != NULL && reply->role == ROLE_ASSISTANT && documents.count > 0) {
        answer_push(&answer, strbuf_text(&reply->text), reply->text.length, &ignored);
        answer_finish(&answer, &ignored);
    }
    answer_free(&answer);
    strbuf_free(&ignored);
    free(documents.items);
    return unknown.length > 0 ? strbuf_detach(&unknown) : NULL;
}
