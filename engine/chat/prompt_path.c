#include "engine/chat/prompt_path.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/chat/prompt.h"

const struct message *prompt_path_message(const struct prompt_path *path, size_t i)
{
    return path->conversation->items[path->ids[i]];
}

static bool begins_turn(const struct prompt_path *path, size_t i)
{
    return i == 0 || prompt_path_message(path, i)->role == ROLE_USER;
}

void prompt_path_open(struct prompt_path *path, const struct conversation *conversation,
                      size_t skip_turns, bool draft)
{
    size_t turn = 0;
    *path = (struct prompt_path){.conversation = conversation};
    path->ids = xcalloc(conversation != NULL ? conversation->count : 0, sizeof *path->ids);
    path->count = conversation != NULL && conversation->count > 0
                      ? conversation_path(conversation, path->ids)
                      : 0;
    for (size_t i = 0; i < path->count; i++)
        path->turns += begins_turn(path, i);
    size_t most = draft || path->turns == 0 ? path->turns : path->turns - 1;
    path->skipped_turns = skip_turns < most ? skip_turns : most;
    path->last_user = path->count;
    for (size_t i = 0; i < path->count; i++) {
        turn += begins_turn(path, i);
        path->first += turn <= path->skipped_turns;
        if (!draft && prompt_path_message(path, i)->role == ROLE_USER)
            path->last_user = i;
    }
}

void prompt_path_close(struct prompt_path *path)
{
    free(path->ids);
    *path = (struct prompt_path){0};
}

size_t prompt_turns(const struct conversation *conversation)
{
    struct prompt_path path;
    prompt_path_open(&path, conversation, 0, false);
    size_t turns = path.turns;
    prompt_path_close(&path);
    return turns;
}

static bool has_document(const struct document_list *list, const struct document *document)
{
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const struct document *other = &list->items[i];
        if (other->enabled && other->length == document->length &&
            strcmp(other->name, document->name) == 0 &&
            memcmp(other->text, document->text, document->length) == 0)
            return true;
    }
    return false;
}

bool prompt_path_has(const struct prompt_path *path, size_t from,
                     const struct document_list *documents, const struct document *document)
{
    for (size_t i = from; i < path->count; i++)
        if (has_document(&prompt_path_message(path, i)->documents, document))
            return true;
    return has_document(documents, document);
}
