#include "tui/chat_starters.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/chat_documents.h"
#include "tui/composer.h"
#include "tui/scene_talk.h"
#include "tui/starters.h"

static void attach_sample(struct pane_chat *pane, const char *name)
{
    struct error error;
    struct document_list *attached = &pane->chat->attached;
    char *path = starter_path(name);
    if (path == NULL)
        return;
    if (document_add_regular(attached, path, &error) != 0) {
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
    } else { /* the user need not know where it lies */
        free(attached->items[attached->count - 1].name);
        attached->items[attached->count - 1].name = xstrdup(name);
    }
    free(path);
}

static void set_sample_scene(struct pane_chat *pane, const char *name)
{
    struct error error;
    struct scene *scene = scene_talk_open(name, &error);
    if (scene != NULL)
        chat_set_scene(pane->chat, scene);
    else
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
}

static void take_sample_back(struct pane_chat *pane)
{
    const struct starter *starter =
        pane->starter >= 0 ? &starters_table[pane->starter] : &(const struct starter){0};
    if (starter->document != NULL)
        chat_detach(pane->chat, starter->document);
    if (starter->scene != NULL)
        chat_set_scene(pane->chat, NULL);
}

/* What the offer types; to be freed. */
static char *starter_text(const struct pane_chat *pane)
{
    const struct starter *starter = &starters_table[pane->starter];
    struct strbuf text = {0};
    if (starter->scene != NULL && pane->chat->scene != NULL)
        chat_opening(pane->chat, &text);
    else
        strbuf_puts(&text, starter->line);
    return strbuf_detach(&text);
}

/* What is typed is the offer that was typed last, unchanged. */
static bool starter_is_typed(const struct pane_chat *pane)
{
    struct strbuf typed = {0};
    if (pane->starter < 0)
        return false;
    char *text = starter_text(pane);
    composer_text(&typed);
    bool same = strcmp(strbuf_text(&typed), text) == 0;
    strbuf_free(&typed);
    free(text);
    return same;
}

bool chat_starters_next(struct pane_chat *pane)
{
    if (!transcript_is_empty(pane->transcript) || (!composer_is_empty() && !starter_is_typed(pane)))
        return false;
    take_sample_back(pane);
    pane->starter = (pane->starter + 1) % STARTERS;
    const struct starter *starter = &starters_table[pane->starter];
    if (starter->document != NULL)
        attach_sample(pane, starter->document);
    if (starter->scene != NULL)
        set_sample_scene(pane, starter->scene);
    char *text = starter_text(pane);
    composer_set_text(text);
    free(text);
    pane_chat_recount(pane);
    return true;
}
