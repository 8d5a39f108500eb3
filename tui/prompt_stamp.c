#include "tui/prompt_stamp.h"

#include <string.h>
#include <stdlib.h>
#include <time.h>

#include "tui/actions.h"
#include "tui/composer.h"

#define SECONDS_AN_HOUR 3600 /* what a scene's macros know of the time */

/* FNV-1a. */
static uint64_t mix(uint64_t stamp, uint64_t value)
{
    for (int i = 0; i < 8; i++, value >>= 8)
        stamp = (stamp ^ (value & 0xFF)) * 0x100000001B3u;
    return stamp;
}

static uint64_t mix_pointer(uint64_t stamp, const void *pointer)
{
    return mix(stamp, (uint64_t)(uintptr_t)pointer);
}

static uint64_t mix_text(uint64_t stamp, const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        stamp = (stamp ^ (unsigned char)*text) * 0x100000001B3u;
    return mix(stamp, text != NULL);
}

static uint64_t mix_documents(uint64_t stamp, const struct document_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct document *document = &list->items[i];
        stamp = mix_pointer(stamp, document->text);
        stamp = mix(stamp, document->length * 2 + document->enabled);
        for (size_t pair = 0; pair < document->pair_count; pair++) {
            stamp = mix_text(stamp, document->pairs[pair].key);
            stamp = mix_text(stamp, document->pairs[pair].value);
        }
    }
    return mix(stamp, list->count);
}

static uint64_t mix_settings(uint64_t stamp, const struct settings *settings)
{
    stamp = mix(stamp, (uint64_t)settings->ask_source * 4 + settings->no_making_up * 2 +
                           settings->plain_format);
    stamp = mix_text(stamp, settings->system);
    return mix_text(stamp, settings->template);
}

/* While a reply runs its words change nothing of what it was asked for with. */
static uint64_t mix_conversation(uint64_t stamp, const struct chat *chat)
{
    const struct conversation *conversation = chat->conversation;
    const struct message *tip = chat_tip(chat);
    stamp = mix_pointer(stamp, conversation);
    stamp = mix(stamp, conversation->count);
    stamp = mix(stamp, (uint64_t)conversation->tip);
    stamp = mix_pointer(stamp, chat->reply);
    return mix(stamp, tip != NULL ? tip->text.length : 0);
}

uint64_t prompt_stamp(const struct pane_chat *pane)
{
    const struct chat *chat = pane->chat;
    uint64_t stamp = 0xCBF29CE484222325u;
    stamp = mix(stamp, chat->slot);
    stamp = mix(stamp, pane->changes);
    stamp = mix(stamp, composer_version());
    stamp = mix_pointer(stamp, pane->draft.text);
    stamp = mix(stamp, (uint64_t)pane->editing);
    stamp = mix_conversation(stamp, chat);
    stamp = mix_documents(stamp, &chat->attached);
    stamp = mix_settings(stamp, chat->settings);
    stamp = mix_text(stamp, chat->system);
    stamp = mix_pointer(stamp, chat->scene);
    stamp = mix(stamp, chat->skip_turns);
    stamp = mix(stamp, chat->skip_examples);
    return chat->scene != NULL ? mix(stamp, (uint64_t)time(NULL) / SECONDS_AN_HOUR) : stamp;
}

static bool is_command(const char *draft)
{
    char *name, *argument;
    if (!actions_parse_line(draft, &name, &argument))
        return false;
    free(name);
    free(argument);
    return true;
}

/* The prompt of a reply that runs ends before it. */
static int build_running(struct chat *chat, struct segment_list *out, struct prompt_notes *notes,
                         struct error *error)
{
    int tip = chat->conversation->tip;
    chat->conversation->tip = chat->reply->parent;
    int result = chat_prompt(chat, NULL, out, notes, error);
    chat->conversation->tip = tip;
    return result;
}

/* A message that is being edited would stand in the place of the one there is. */
static int build_edited(struct chat *chat, const struct message *edited, const char *draft,
                        struct segment_list *out, struct prompt_notes *notes, struct error *error)
{
    struct document_list attached = chat->attached;
    int tip = chat->conversation->tip;
    chat->attached = edited->documents;
    chat->conversation->tip = edited->parent;
    int result = chat_prompt(chat, draft, out, notes, error);
    chat->conversation->tip = tip;
    chat->attached = attached;
    return result;
}

static enum prompt_for what_for(const struct chat *chat)
{
    const struct message *tip = chat_tip(chat);
    if (tip == NULL)
        return PROMPT_FOR_NOTHING;
    if (chat->reply != NULL)
        return PROMPT_RUNS;
    return tip->role == ROLE_USER ? PROMPT_FOR_REPLY : PROMPT_FOR_MORE;
}

int prompt_stamp_build(const struct pane_chat *pane, const char *draft, struct segment_list *out,
                       struct prompt_notes *notes, enum prompt_for *what, struct error *error)
{
    struct chat *chat = pane->chat;
    const struct message *edited =
        pane->editing >= 0 ? chat->conversation->items[pane->editing] : NULL;
    *what = PROMPT_FOR_DRAFT;
    if (is_command(draft) || (edited != NULL && edited->role == ROLE_ASSISTANT))
        draft = "";
    if (draft[0] != '\0' && edited != NULL)
        return build_edited(chat, edited, draft, out, notes, error);
    if (draft[0] != '\0' || (chat->attached.count > 0 && chat->reply == NULL))
        return chat_prompt(chat, draft, out, notes, error);
    *what = what_for(chat);
    return *what == PROMPT_RUNS ? build_running(chat, out, notes, error)
                                : chat_prompt(chat, NULL, out, notes, error);
}

const char *prompt_stamp_name(enum prompt_for what)
{
    static const char *const names[] = {
        [PROMPT_FOR_DRAFT] = "for the draft",
        [PROMPT_FOR_REPLY] = "for a reply to the last message",
        [PROMPT_FOR_MORE] = "for more of the last reply",
        [PROMPT_RUNS] = "of the reply that runs",
        [PROMPT_FOR_NOTHING] = "nothing is typed yet",
    };
    return names[what];
}
