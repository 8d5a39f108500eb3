#include "engine/chat/conversation.h"

#include <stdlib.h>
#include <time.h>

#include "engine/base/alloc.h"

struct conversation *conversation_create(void)
{
    struct conversation *conversation = xcalloc(1, sizeof *conversation);
    conversation->tip = conversation->first_root = conversation->last_root = -1;
    return conversation;
}

static void message_free(struct message *message)
{
    strbuf_free(&message->text);
    token_list_free(&message->tokens);
    document_list_free(&message->documents);
    free(message->made_with);
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

/* Puts the message last among its parent's children, or the roots, and chooses it there. */
static void link_message(struct conversation *conversation, struct message *message)
{
    struct message *parent = message->parent >= 0 ? conversation->items[message->parent] : NULL;
    int *first = parent != NULL ? &parent->link.first : &conversation->first_root;
    int *last = parent != NULL ? &parent->link.last : &conversation->last_root;
    message->chosen = message->link.first = message->link.last = message->link.next = -1;
    message->link.previous = *last;
    if (*last >= 0)
        conversation->items[*last]->link.next = message->id;
    else
        *first = message->id;
    *last = message->id;
    if (parent != NULL)
        parent->chosen = message->id;
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
    message->created = (int64_t)time(NULL);
    strbuf_add(&message->text, text, length);
    conversation->items[conversation->count++] = message;
    link_message(conversation, message);
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

static const struct message *message_at(const struct conversation *conversation, int id)
{
    return id >= 0 && (size_t)id < conversation->count ? conversation->items[id] : NULL;
}

size_t conversation_path(const struct conversation *conversation, int *ids)
{
    size_t count = 0;
    for (int id = conversation->tip; id >= 0; id = conversation->items[id]->parent) {
        ids[count++] = id;
        if (conversation->items[id]->deleted)
            count = 0; /* it and all that was put down below it */
    }
    for (size_t i = 0; i < count / 2; i++) {
        int swapped = ids[i];
        ids[i] = ids[count - 1 - i];
        ids[count - 1 - i] = swapped;
    }
    return count;
}

static int first_child(const struct conversation *conversation, int id)
{
    const struct message *message = message_at(conversation, id);
    return message != NULL ? message->link.first : id == -1 ? conversation->first_root : -1;
}

size_t conversation_children(const struct conversation *conversation, int id, int *ids)
{
    size_t count = 0;
    for (int at = first_child(conversation, id); at >= 0; at = conversation->items[at]->link.next) {
        if (conversation->items[at]->deleted)
            continue;
        if (ids != NULL)
            ids[count] = at;
        count++;
    }
    return count;
}

size_t conversation_siblings(const struct conversation *conversation, int id, int *ids)
{
    const struct message *message = message_at(conversation, id);
    size_t count = 0;
    if (message == NULL)
        return 0;
    for (int at = first_child(conversation, message->parent); at >= 0;
         at = conversation->items[at]->link.next) {
        const struct message *other = conversation->items[at];
        if (other->deleted || other->role != message->role)
            continue;
        if (ids != NULL)
            ids[count] = at;
        count++;
    }
    return count;
}

bool conversation_hidden(const struct conversation *conversation, int id)
{
    for (; id >= 0; id = conversation->items[id]->parent)
        if (conversation->items[id]->deleted)
            return true;
    return false;
}

/* Every message from `id` up becomes its parent's chosen child. */
static void remember_path(const struct conversation *conversation, int id)
{
    for (; id >= 0 && conversation->items[id]->parent >= 0; id = conversation->items[id]->parent)
        conversation->items[conversation->items[id]->parent]->chosen = id;
}

/* The child to show below a message, -1: it is the last. */
static int shown_child(const struct conversation *conversation, const struct message *message)
{
    const struct message *chosen = message_at(conversation, message->chosen);
    if (chosen != NULL && !chosen->deleted)
        return chosen->id;
    int at = message->link.last;
    while (at >= 0 && conversation->items[at]->deleted)
        at = conversation->items[at]->link.previous;
    return at;
}

bool conversation_select(struct conversation *conversation, int id)
{
    if (message_at(conversation, id) == NULL || conversation_hidden(conversation, id))
        return false;
    remember_path(conversation, conversation->tip);
    remember_path(conversation, id);
    int below;
    while ((below = shown_child(conversation, conversation->items[id])) >= 0)
        id = below;
    remember_path(conversation, id);
    conversation->tip = id;
    return true;
}

/* The nearest alternative that is not deleted, older ones first; -1: none. */
static int nearest_sibling(const struct conversation *conversation, const struct message *message)
{
    for (int older = 1; older >= 0; older--) {
        const struct message *at = message;
        int next;
        while ((next = older ? at->link.previous : at->link.next) >= 0) {
            at = conversation->items[next];
            if (!at->deleted && at->role == message->role)
                return at->id;
        }
    }
    return -1;
}

static bool is_above(const struct conversation *conversation, int above, int id)
{
    while (id > above) /* a parent is always older than its children */
        id = conversation->items[id]->parent;
    return id == above;
}

void conversation_delete(struct conversation *conversation, int id)
{
    const struct message *found = message_at(conversation, id);
    if (found == NULL)
        return;
    struct message *message = conversation->items[id];
    message->deleted = true;
    if (!is_above(conversation, id, conversation->tip))
        return;
    remember_path(conversation, conversation->tip);
    int sibling = nearest_sibling(conversation, message);
    conversation->tip = message->parent;
    if (sibling >= 0)
        conversation_select(conversation, sibling);
}

void conversation_undelete(struct conversation *conversation, int id)
{
    if (message_at(conversation, id) == NULL)
        return;
    conversation->items[id]->deleted = false;
    conversation_select(conversation, id);
}
