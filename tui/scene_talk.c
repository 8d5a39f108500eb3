#include "tui/scene_talk.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "engine/chat/scene_file.h"
#include "tui/home_path.h"
#include "tui/workspace.h"
#include "tui/wrap.h"

#define SPEAKER_STYLES 6
#define PAGE_COLUMNS   60

/* --- playing --------------------------------------------------------------------------------- */

static bool refuse_while_replying(struct pane_chat *pane)
{
    if (chat_is_replying(pane->chat))
        pane_chat_say(pane, TRANSCRIPT_ERROR, "a reply is running; Ctrl-C stops it");
    return chat_is_replying(pane->chat);
}

struct scene *scene_talk_open(const char *name, struct error *error)
{
    char *path = home_path(name);
    struct scene *scene = scene_open(path, error);
    free(path);
    return scene;
}

static void send_opening(struct pane_chat *pane)
{
    struct strbuf text = {0};
    chat_opening(pane->chat, &text);
    pane_chat_send(pane, strbuf_text(&text));
    strbuf_free(&text);
}

static bool nothing_said(const struct chat *chat)
{
    return chat->conversation->tip < 0;
}

void scene_talk_show(struct pane_chat *pane)
{
    pane_chat_refill(pane);
    scene_talk_speakers(pane);
}

bool scene_talk_play(struct pane_chat *pane, struct scene *scene)
{
    if (refuse_while_replying(pane)) {
        scene_free(scene);
        return false;
    }
    bool fresh = nothing_said(pane->chat) || chat_greets(pane->chat);
    pane->starter = -1;
    chat_set_scene(pane->chat, scene);
    pane_chat_read(pane, false);
    if (!fresh) {
        pane_chat_say(pane, TRANSCRIPT_NOTICE,
                      scene != NULL
                          ? "the scene is set for this chat; /new and /scene begin it afresh"
                          : "no scene any more");
    } else {
        scene_talk_show(pane);
        if (scene != NULL && nothing_said(pane->chat) && scene->opening[0] != '\0')
            send_opening(pane);
    }
    pane_chat_recount(pane);
    return true;
}

bool scene_talk_play_name(struct pane_chat *pane, const char *name)
{
    struct error error;
    if (refuse_while_replying(pane))
        return false;
    struct scene *scene = scene_talk_open(name, &error);
    if (scene == NULL) {
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
        return false;
    }
    return scene_talk_play(pane, scene);
}

/* --- going on -------------------------------------------------------------------------------- */

static bool next_line(struct pane_chat *pane)
{
    struct error error;
    struct prompt_notes notes = {0};
    int result = chat_next_line(pane->chat, &notes, &error);
    if (result == 0)
        pane_chat_begin_reply(pane, &notes);
    else
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
    prompt_notes_free(&notes);
    pane_chat_recount(pane);
    return result == 0;
}

bool scene_talk_go_on(struct pane_chat *pane)
{
    const struct chat *chat = pane->chat;
    if (chat->scene == NULL || chat_is_replying(chat))
        return false;
    if (!nothing_said(chat))
        return next_line(pane);
    if (chat->scene->opening[0] == '\0')
        return false;
    send_opening(pane);
    return true;
}

bool scene_talk_write_line(struct pane_chat *pane)
{
    struct chat *chat = pane->chat;
    if (chat->scene == NULL || refuse_while_replying(pane))
        return false;
    if (nothing_said(chat)) {
        pane_chat_say(pane, TRANSCRIPT_NOTICE, "nothing has been said yet that you could answer");
        return false;
    }
    int speaker = chat->speaker;
    chat->speaker = CHAT_USER;
    bool begun = next_line(pane);
    if (!begun)
        chat->speaker = speaker;
    return begun;
}

/* Behind "Sam:", without the spaces around it. */
static char *own_words(const struct scene *scene, const struct strbuf *text)
{
    const char *from = strbuf_text(text);
    char *prefix = scene_user_prefix(scene);
    from += strspn(from, " \n");
    if (strncmp(from, prefix, strlen(prefix)) == 0)
        from += strlen(prefix);
    from += strspn(from, " \n");
    free(prefix);
    size_t length = strlen(from);
    while (length > 0 && strchr(" \n", from[length - 1]) != NULL)
        length--;
    return xstrndup(from, length);
}

/* Behind what is typed already, if anything is. */
static void type_after(struct pane_chat *pane, const char *line)
{
    struct strbuf typed = {0};
    pane_chat_draft(pane, &typed);
    if (typed.length > 0)
        strbuf_putc(&typed, '\n');
    strbuf_puts(&typed, line);
    pane_chat_type(pane, strbuf_text(&typed));
    strbuf_free(&typed);
}

static void take_line(struct pane_chat *pane, const struct message *reply)
{
    struct chat *chat = pane->chat;
    char *line = own_words(chat->scene, &reply->text);
    transcript_remove_message(pane->transcript, reply);
    chat_take_back(chat, reply->id);
    if (line[0] != '\0')
        type_after(pane, line);
    else
        pane_chat_say(pane, TRANSCRIPT_NOTICE, "the model had no line for you");
    free(line);
}

/* The model ended the reply before its first word: it takes a name to begin with. */
static void speak_in_turn(struct pane_chat *pane)
{
    struct chat *chat = pane->chat;
    int speaker = chat->speaker;
    chat->speaker = chat_turn(chat);
    next_line(pane);
    chat->speaker = speaker;
}

void scene_talk_ended(struct pane_chat *pane, const struct message *reply,
                      const struct event *event)
{
    const struct chat *chat = pane->chat;
    bool said_all =
        event->kind == EVENT_DONE && (event->reason == STOP_EOS || event->reason == STOP_STRING);
    if (chat->scene == NULL || chat_is_replying(chat))
        return;
    if (chat->watch.for_user && !reply->deleted) {
        take_line(pane, reply);
    } else if (reply->text.length == 0 && chat->unanswered == NULL) {
        transcript_remove_message(pane->transcript, reply);
        if (!reply->deleted)
            chat_take_back(pane->chat, reply->id);
        if (said_all && chat->speaker == CHAT_ANYONE && chat->scene->character_count > 0)
            speak_in_turn(pane);
    }
}

bool scene_talk_greet(struct pane_chat *pane)
{
    struct chat *chat = pane->chat;
    size_t count = chat->scene != NULL ? scene_greeting_count(chat->scene) : 0;
    if (chat_is_replying(chat) || !chat_greets(chat) || count < 2)
        return false;
    chat_greet(chat, (chat->greeting + 1) % count);
    scene_talk_show(pane);
    return true;
}

/* --- speakers -------------------------------------------------------------------------------- */

enum style scene_talk_style(size_t character)
{
    return (enum style)(STYLE_SPEAKER_1 + (int)(character % SPEAKER_STYLES));
}

/* What the transcript was told last is in pane->speakers: names, a line each. */
static bool same_speakers(struct pane_chat *pane)
{
    struct strbuf names = {0};
    const struct scene *scene = pane->chat->scene;
    for (size_t i = 0; scene != NULL && i < scene->character_count; i++)
        strbuf_printf(&names, "%s\n%s\n", scene_speaker(scene, i), scene->characters[i].name);
    if (scene != NULL)
        strbuf_puts(&names, scene_user(scene));
    bool same = strcmp(pane->speakers != NULL ? pane->speakers : "", strbuf_text(&names)) == 0;
    free(pane->speakers);
    pane->speakers = xstrdup(strbuf_text(&names));
    strbuf_free(&names);
    return same;
}

/* Both names of a character have its colour, which goes by the place in the list: the long names
 * stand a multiple of all colours behind the short ones. */
void scene_talk_speakers(struct pane_chat *pane)
{
    const struct scene *scene = pane->chat->scene;
    if (same_speakers(pane))
        return;
    if (scene == NULL || scene->character_count == 0) {
        transcript_set_speakers(pane->transcript, NULL, 0,
                                scene != NULL ? scene_user(scene) : NULL);
        return;
    }
    size_t count = scene->character_count;
    size_t apart = (count + SPEAKER_STYLES - 1) / SPEAKER_STYLES * SPEAKER_STYLES;
    const char **names = xcalloc(apart + count, sizeof *names);
    for (size_t i = 0; i < apart; i++)
        names[i] = scene_speaker(scene, i < count ? i : 0);
    for (size_t i = 0; i < count; i++)
        names[apart + i] = scene->characters[i].name;
    transcript_set_speakers(pane->transcript, names, apart + count, scene_user(scene));
    free(names);
}

/* --- before anything is said ----------------------------------------------------------------- */

static int draw_text(struct terminal *terminal, const struct rect *page, int row, enum style style,
                     const char *text)
{
    struct wrap wrap = {0};
    size_t length = strlen(text);
    wrap_update(&wrap, text, length < 600 ? length : 600, page->columns);
    for (size_t i = 0; i < wrap.count && row < page->rows; i++, row++)
        terminal_put(terminal, page, row, 0, style, wrap.shown.data + wrap.lines[i].start,
                     wrap.lines[i].end - wrap.lines[i].start);
    wrap_free(&wrap);
    return row;
}

void scene_talk_draw_page(const struct chat *chat, struct terminal *terminal,
                          const struct rect *area)
{
    const struct scene *scene = chat->scene;
    struct rect page = *area;
    int wanted = (int)scene->character_count + 7;
    page.column += area->columns > PAGE_COLUMNS ? (area->columns - PAGE_COLUMNS) / 2 : 1;
    page.columns = area->columns > PAGE_COLUMNS ? PAGE_COLUMNS : area->columns - 2;
    int row = wanted < area->rows ? (area->rows - wanted) / 2 : 0;
    row = draw_text(terminal, &page, row, STYLE_TITLE, scene->title);
    row = draw_text(terminal, &page, row, STYLE_DIM, scene->description) + 1;
    for (size_t i = 0; i < scene->character_count && row < page.rows - 1; i++, row++) {
        int at = terminal_puts(terminal, &page, row, 0, scene_talk_style(i), "● ");
        terminal_puts(terminal, &page, row, at, scene_talk_style(i), scene->characters[i].name);
    }
    if (row < page.rows)
        draw_text(terminal, &page, row + (row + 1 < page.rows), STYLE_DIM,
                  scene->opening[0] != '\0' ? "Enter lets it begin; or say something yourself."
                                            : "Say something: the scene begins with you.");
}
