#include "tui/pane_chat_draw.h"

#include <string.h>

#include "engine/base/width.h"
#include "tui/composer.h"
#include "tui/scene_talk.h"
#include "tui/start_page.h"
#include "tui/transcript_cursor.h"
#include "tui/workspace.h"

#define COMPOSER_ROWS_MAX 12
#define PROMPT_COLUMNS    2
#define TEXT_COLUMNS_MAX  110 /* longer lines are hard to read */

static bool is_armed(const struct pane_chat *pane)
{
    return pane->armed > 0 && pane->armed == workspace_keys(app_workspace(pane->app));
}

/* Where the regions stand; rows of 0 are left out. */
struct regions {
    struct rect body, rule, composer; /* all in one column */
};

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

static struct regions divide(const struct pane_chat *pane, const struct rect *area)
{
    struct regions regions;
    int margin = area->columns > TEXT_COLUMNS_MAX ? (area->columns - TEXT_COLUMNS_MAX) / 2 : 0;
    struct rect column = {area->row, area->column + margin, 0, area->columns - 2 * margin};
    int typed_rows = pane->focused ? composer_rows(column.columns - PROMPT_COLUMNS - 1) : 1;
    int above = area->rows >= 8 ? 1 : 0, rule = area->rows >= 6 ? 1 : 0;
    int space = area->rows >= 18 ? 1 : 0;
    int most = clamp(area->rows / 3, 1, COMPOSER_ROWS_MAX);
    int typed = clamp(typed_rows, 1, most);
    int body = area->rows - above - rule - typed - 2 * space;
    regions.body = column;
    regions.body.row += above;
    regions.body.rows = body > 0 ? body : 0;
    regions.rule = column;
    regions.rule.row = regions.body.row + regions.body.rows + space;
    regions.rule.rows = rule;
    regions.composer = column;
    regions.composer.row = regions.rule.row + rule;
    regions.composer.rows = typed;
    return regions;
}

/* What the keys do now: the longest words that fit the rule, of several. */
static const char *const *hints(const struct pane_chat *pane)
{
    static const char *const armed[] = {"Ctrl-C again leaves", NULL};
    static const char *const stops[] = {"Ctrl-C stops", NULL};
    static const char *const queued[] = {"Ctrl-C stops · queued", "Ctrl-C stops", NULL};
    static const char *const follows[] = {"Ctrl-C stops · i writes", "Ctrl-C stops", NULL};
    static const char *const selecting[] = {"selecting · y copies · Space ends",
                                            "selecting · y copies", "y copies", NULL};
    static const char *const reading[] = {
        "y copy · e edit · r again · / search · i writes · ? help",
        "y copy · e edit · r again · i writes · ? help",
        "y copy · e edit · i writes · ? help",
        "i writes · ? help",
        "? help",
        NULL};
    static const char *const editing[] = {"editing · Enter keeps both · Esc leaves it",
                                          "editing · Esc leaves it", "editing", NULL};
    static const char *const typing[] = {"Enter sends · Alt-Enter new line", "Enter sends", NULL};
    static const char *const scene[] = {"Enter: it goes on · F4 cast", "Enter: it goes on", NULL};
    static const char *const empty[] = {"F1 help · F9 all actions", "F1 help", NULL};
    static const char *const none[] = {NULL};
    if (is_armed(pane))
        return armed;
    if (pane->reading && transcript_is_selecting(pane->transcript))
        return selecting;
    if (chat_is_replying(pane->chat))
        return pane->reading ? follows : pane->queue != NULL ? queued : stops;
    if (pane->reading)
        return pane->focused ? reading : none;
    if (pane->editing >= 0)
        return editing;
    if (!pane->focused)
        return none;
    if (!composer_is_empty())
        return typing;
    return pane->chat->scene != NULL ? scene : empty;
}

static void draw_rule(const struct pane_chat *pane, struct terminal *terminal,
                      const struct rect *area)
{
    if (area->rows == 0)
        return;
    const char *const *words = hints(pane);
    while (*words != NULL && text_columns(*words, strlen(*words)) + 6 > area->columns)
        words++;
    int columns = *words != NULL ? text_columns(*words, strlen(*words)) : -1;
    int line = columns >= 0 ? area->columns - columns - 3 : area->columns;
    terminal_repeat(terminal, area, 0, 1, STYLE_RULE, "─", line - (columns >= 0 ? 1 : 2));
    if (columns >= 0)
        terminal_puts(terminal, area, 0, line + 1, is_armed(pane) ? STYLE_ACCENT : STYLE_DIM,
                      *words);
}

static void draw_composer(const struct pane_chat *pane, struct terminal *terminal,
                          const struct rect *area)
{
    struct rect text = *area;
    text.column += PROMPT_COLUMNS + 1;
    text.columns -= PROMPT_COLUMNS + 1;
    bool typing = pane->focused && !pane->reading;
    terminal_puts(terminal, area, 0, 1, typing ? STYLE_USER_MARK : STYLE_DIM, "›");
    if (pane->focused)
        composer_draw(terminal, &text, typing, typing ? "Type a message" : "");
    else
        composer_draw_draft(&pane->draft, terminal, &text, "");
}

void pane_chat_draw(struct pane_chat *pane, struct terminal *terminal, const struct rect *area)
{
    struct regions regions = divide(pane, area);
    pane->body = regions.body;
    pane->body.row -= area->row;
    pane->body.column -= area->column;
    scene_talk_speakers(pane);
    if (transcript_is_empty(pane->transcript) && pane->chat->scene != NULL && pane->starter < 0)
        scene_talk_draw_page(pane->chat, terminal, &regions.body);
    else if (transcript_is_empty(pane->transcript))
        start_page_draw(terminal, &regions.body, pane->starter);
    else
        transcript_draw(pane->transcript, terminal, &regions.body);
    draw_rule(pane, terminal, &regions.rule);
    draw_composer(pane, terminal, &regions.composer);
}
