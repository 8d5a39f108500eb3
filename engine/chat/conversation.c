#include "engine/chat/conversation.h"

#include <stdlib.h>

#include "engine/base/alloc.h"

struct conversation *conversation_create(void)
{
    struct conversation *conversation = xcalloc(1, sizeof *conversation);
    conversation->tip = -1;
    return conversation;
}

static void message_free(struct message *message)
{
    strbuf_free(&message->text);
    token_list_free(&message->tokens);
    document_list_free(&message->documents);
    free(message);
}

void conversation_free(struct conversation *conversation)
{
    if (conversation == NULL)
        return;
    for (size_t i = 0; i < conversation->count; i++)
        message_free(conversation->items[i]);
    free(conversation->items);
    free(conversation);
}

struct message *conversation_add(struct conversation *conversation, int parent, enum role role,
                                 const char *text, size_t length)
{
    if (conversation->count == conversation->capacity) {
        conversation->capacity = conversation->capacity ? 2 * conversation->capacity : 16;
        conversation->items =
            xreallocarray(conversation->items, conversation->capacity, sizeof(struct message *));
    }
    struct message *message = xcalloc(1, sizeof *message);
    message->id = (int)conversation->count;
    message->parent = parent >= 0 && parent < message->id ? parent : -1;
    message->role = role;
    strbuf_add(&message->text, text, length);
    conversation->items[conversation->count++] = message;
    conversation->tip = message->id;
    return message;
}

void message_append(struct message *message, const char *text, size_t length,
                    const struct token_list *tokens)
{
    strbuf_add(&message->text, text, length);
    if (tokens != NULL)
        token_list_append(&message->tokens, tokens->ids, tokens->count);
}

size_t conversation_path(const struct conversation *conversation, int *ids)
{
    size_t count = 0;
    for (int id = conversation->tip; id >= 0; id = conversation->items[id]->parent)
        ids[count++] = id;
    for (size_t i = 0; i < count / 2; i++) {
        int swapped = ids[i];
        ids[i] = ids[count - 1 - i];
        ids[count - 1 - i] = swapped;
    }
    return count;
}
