#include "tui/transcript_model.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/transcript_cursor.h"

#define FOLDED_BYTES   (32u << 10) /* of a longer message of the user's only the start is shown */
#define SPEAKER_STYLES 6

/* No empty row before it after one of its kind. */
static const bool tight[TRANSCRIPT_KINDS] = {[TRANSCRIPT_NOTICE] = true,
                                             [TRANSCRIPT_TABLE] = true,
                                             [TRANSCRIPT_ERROR] = true,
                                             [TRANSCRIPT_QUEUED] = true};
static const enum style styles[TRANSCRIPT_KINDS] = {
    [TRANSCRIPT_USER] = STYLE_USER,     [TRANSCRIPT_REPLY] = STYLE_REPLY,
    [TRANSCRIPT_NOTICE] = STYLE_NOTICE, [TRANSCRIPT_TABLE] = STYLE_NOTICE,
    [TRANSCRIPT_ERROR] = STYLE_ERROR,   [TRANSCRIPT_QUEUED] = STYLE_DIM,
};

/* --- items ----------------------------------------------------------------------------------- */

struct transcript *transcript_create(void)
{
    struct transcript *transcript = xcalloc(1, sizeof *transcript);
    transcript->follow = true;
    transcript->rows = 1;
    transcript->columns = 76;
    transcript->current_match.row = -1;
    return transcript;
}

static void item_free(struct transcript_item *item)
{
    free(item->text);
    free(item->note);
    free(item->marks);
    free(item->matches);
    message_rows_free(&item->rows);
}

void transcript_clear(struct transcript *transcript)
{
    for (size_t i = 0; i < transcript->count; i++)
        item_free(&transcript->items[i]);
    transcript->count = 0;
    transcript->follow = true;
    transcript->unseen = false;
    transcript->match_total = 0;
    transcript->current_match.row = -1;
    transcript->selecting = false;
    transcript->cursor = transcript->mark = transcript->top = (struct transcript_place){0};
}

void transcript_free(struct transcript *transcript)
{
    transcript_clear(transcript);
    transcript_set_speakers(transcript, NULL, 0, NULL);
    free(transcript->pattern);
    free(transcript->items);
    free(transcript);
}

bool transcript_is_empty(const struct transcript *transcript)
{
    return transcript->count == 0;
}

static struct transcript_item *add_item(struct transcript *transcript, enum transcript_kind kind)
{
    if (transcript->count == transcript->capacity) {
        transcript->capacity = transcript->capacity ? transcript->capacity * 2 : 16;
        transcript->items =
            xreallocarray(transcript->items, transcript->capacity, sizeof *transcript->items);
    }
    struct transcript_item *item = &transcript->items[transcript->count++];
    *item = (struct transcript_item){.kind = kind};
    item->rows.form = kind == TRANSCRIPT_REPLY   ? MESSAGE_MARKDOWN
                      : kind == TRANSCRIPT_TABLE ? MESSAGE_TABLE
                                                 : MESSAGE_PLAIN;
    item->rows.style = styles[kind];
    item->rows.name_columns = TRANSCRIPT_NAME_COLUMNS;
    return item;
}

char *transcript_attachments(const struct document_list *documents)
{
    struct strbuf note = {0};
    for (size_t i = 0; i < documents->count; i++)
        if (documents->items[i].enabled)
            strbuf_printf(&note, "%s%s", note.length == 0 ? "with " : ", ",
                          documents->items[i].name);
    return note.length > 0 ? strbuf_detach(&note) : NULL;
}

void transcript_add_message(struct transcript *transcript, const struct message *message)
{
    bool user = message->role == ROLE_USER;
    struct transcript_item *item = add_item(transcript, user ? TRANSCRIPT_USER : TRANSCRIPT_REPLY);
    item->message = message;
    if (user)
        item->note = transcript_attachments(&message->documents);
    transcript_grew(transcript);
}

void transcript_add_text(struct transcript *transcript, enum transcript_kind kind, const char *text)
{
    add_item(transcript, kind)->text = xstrdup(text);
    transcript_grew(transcript);
}

void transcript_set_note(struct transcript *transcript, const struct message *message,
                         const char *note)
{
    for (size_t i = 0; i < transcript->count; i++) {
        struct transcript_item *item = &transcript->items[i];
        if (item->message != message)
            continue;
        free(item->note);
        item->note = note != NULL && note[0] != '\0' ? xstrdup(note) : NULL;
    }
}

void transcript_set_alternatives(struct transcript *transcript, const struct message *message,
                                 unsigned index, unsigned count)
{
    for (size_t i = 0; i < transcript->count; i++) {
        if (transcript->items[i].message != message)
            continue;
        transcript->items[i].alternative = index;
        transcript->items[i].alternatives = count;
    }
}

void transcript_set_marks(struct transcript *transcript, const struct message *message,
                          const struct transcript_mark *marks, size_t count)
{
    for (size_t i = 0; i < transcript->count; i++) {
        struct transcript_item *item = &transcript->items[i];
        if (item->message != message)
            continue;
        free(item->marks);
        item->marks = count > 0 ? xreallocarray(NULL, count, sizeof *marks) : NULL;
        item->mark_count = count;
        for (size_t j = 0; j < count; j++)
            item->marks[j] = marks[j];
    }
}

void transcript_set_speakers(struct transcript *transcript, const char *const *names, size_t count,
                             const char *user_name)
{
    size_t total = count + (user_name != NULL);
    for (size_t i = 0; i < transcript->speaker_count; i++)
        free(transcript->names[i]);
    free(transcript->names);
    free(transcript->speakers);
    transcript->names = total > 0 ? xcalloc(total, sizeof *transcript->names) : NULL;
    transcript->speakers = total > 0 ? xcalloc(total, sizeof *transcript->speakers) : NULL;
    transcript->speaker_count = total;
    for (size_t i = 0; i < total; i++) {
        bool own = names == NULL || i >= count;
        transcript->names[i] = xstrdup(own ? user_name : names[i]);
        enum style style = (enum style)(STYLE_SPEAKER_1 + (int)(i % SPEAKER_STYLES));
        transcript->speakers[i].name = transcript->names[i];
        transcript->speakers[i].style = own ? STYLE_USER_MARK : style;
    }
    for (size_t i = 0; i < transcript->count; i++)
        message_rows_reset(&transcript->items[i].rows);
}

static void remove_item(struct transcript *transcript, size_t index)
{
    transcript->match_total -= transcript->items[index].match_count;
    item_free(&transcript->items[index]);
    memmove(&transcript->items[index], &transcript->items[index + 1],
            (transcript->count - index - 1) * sizeof *transcript->items);
    transcript->count--;
    transcript_item_removed(transcript, index);
}

void transcript_remove_kind(struct transcript *transcript, enum transcript_kind kind)
{
    for (size_t i = transcript->count; i-- > 0;)
        if (transcript->items[i].kind == kind)
            remove_item(transcript, i);
}

void transcript_remove_message(struct transcript *transcript, const struct message *message)
{
    for (size_t i = transcript->count; i-- > 0;)
        if (transcript->items[i].message == message)
            remove_item(transcript, i);
}

void transcript_grew(struct transcript *transcript)
{
    transcript->unseen = !transcript->follow;
    transcript_search_grew(transcript);
}

/* --- rows ------------------------------------------------------------------------------------ */

const char *item_text(const struct transcript_item *item, size_t *length)
{
    if (item->message == NULL) {
        *length = strlen(item->text);
        return item->text;
    }
    *length = item->message->text.length;
    return strbuf_text(&item->message->text);
}

bool item_is_folded(const struct transcript_item *item)
{
    return item->message != NULL && item->kind != TRANSCRIPT_REPLY &&
           item->message->text.length > FOLDED_BYTES;
}

void item_lay_out(struct transcript *transcript, size_t index)
{
    struct transcript_item *item = &transcript->items[index];
    size_t length;
    const char *text = item_text(item, &length);
    bool unfinished = item->message != NULL && item->message->partial;
    item->rows.flow.speakers = transcript->speakers;
    item->rows.flow.speaker_count = item->message != NULL ? transcript->speaker_count : 0;
    if (item_is_folded(item))
        for (length = FOLDED_BYTES; length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80;)
            length--;
    if (message_rows_update(&item->rows, text, length, transcript->columns, unfinished))
        transcript->layouts++;
}

unsigned long transcript_layouts(const struct transcript *transcript)
{
    return transcript->layouts;
}

int item_gap(const struct transcript *transcript, size_t index)
{
    if (index == 0)
        return 0;
    enum transcript_kind kind = transcript->items[index].kind;
    return tight[kind] && transcript->items[index - 1].kind == kind ? 0 : 1;
}

int item_lines(struct transcript *transcript, size_t index)
{
    item_lay_out(transcript, index);
    size_t lines = transcript->items[index].rows.flow.line_count;
    return lines > 0 ? (int)lines : 1;
}

int item_rows(struct transcript *transcript, size_t index)
{
    const struct transcript_item *item = &transcript->items[index];
    int lines = item_lines(transcript, index);
    return item_gap(transcript, index) + lines + item_is_folded(item) +
           (item->note != NULL || item->alternatives > 1);
}

int place_move_up(struct transcript *transcript, struct transcript_place *place, int rows)
{
    while (rows > place->row && place->item > 0) {
        rows -= place->row;
        place->item--;
        place->row = item_rows(transcript, place->item);
    }
    int step = rows < place->row ? rows : place->row;
    place->row -= step;
    return rows - step;
}

struct transcript_place place_bottom(struct transcript *transcript)
{
    struct transcript_place place = {0};
    if (transcript->count == 0)
        return place;
    place.item = transcript->count - 1;
    place.row = item_rows(transcript, place.item);
    place_move_up(transcript, &place, transcript->rows);
    return place;
}

bool place_is_before(struct transcript_place a, struct transcript_place b)
{
    return a.item < b.item || (a.item == b.item && a.row < b.row);
}

struct transcript_place place_top(struct transcript *transcript)
{
    return transcript->follow ? place_bottom(transcript) : transcript->top;
}

void transcript_scroll(struct transcript *transcript, int rows)
{
    struct transcript_place last = place_bottom(transcript);
    if (transcript->follow)
        transcript->top = last;
    struct transcript_place *top = &transcript->top;
    if (rows < 0)
        place_move_up(transcript, top, -rows);
    for (; rows > 0 && place_is_before(*top, last); rows--) {
        if (++top->row >= item_rows(transcript, top->item)) {
            top->item++;
            top->row = 0;
        }
    }
    transcript->follow = !place_is_before(*top, last);
    transcript->unseen = transcript->unseen && !transcript->follow;
    transcript_cursor_follow(transcript);
}

void transcript_reveal(struct transcript *transcript, struct transcript_place place)
{
    struct transcript_place top = place_top(transcript), first = place;
    if (place_is_before(place, top)) {
        transcript->top = place;
        transcript->follow = !place_is_before(place, place_bottom(transcript));
        return;
    }
    place_move_up(transcript, &first, transcript->rows - 1);
    if (!place_is_before(top, first))
        return;
    transcript->top = first;
    transcript->follow = !place_is_before(first, place_bottom(transcript));
    transcript->unseen = transcript->unseen && !transcript->follow;
}

void transcript_scroll_pages(struct transcript *transcript, int pages)
{
    int rows = transcript->rows > 3 ? transcript->rows - 2 : 1;
    transcript_scroll(transcript, pages * rows);
}

void transcript_scroll_end(struct transcript *transcript, bool bottom)
{
    transcript->follow = bottom;
    transcript->top = (struct transcript_place){0};
    if (bottom)
        transcript->unseen = false;
    else
        transcript_scroll(transcript, 0);
    transcript_cursor_follow(transcript);
}

void transcript_show_last(struct transcript *transcript)
{
    transcript_scroll_end(transcript, true);
    transcript->show_last = true; /* when the height is known: as it is drawn */
}

bool transcript_at_bottom(const struct transcript *transcript)
{
    return transcript->follow;
}
