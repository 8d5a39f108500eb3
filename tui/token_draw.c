#include "tui/token_draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/width.h"
#include "tui/key_hints.h"
#include "tui/theme.h"
#include "tui/token_text.h"
#include "tui/wrap.h"

#define MARGIN          1
#define DETAIL_ROWS_MAX 20
#define PERCENT_COLUMNS 8
#define BAR_COLUMNS_MAX 20
#define LETTERS         "ABCDE"

/* --- the flow -------------------------------------------------------------------------------- */

/* From what the model expected to what surprised it. */
static enum style probability_style(double probability)
{
    static const struct {
        double least;
        enum style style;
    } steps[] = {{0.5, STYLE_GOOD}, {0.1, STYLE_TEXT}, {0.01, STYLE_WARN}, {0, STYLE_ERROR}};
    int step = 0;
    while (probability < steps[step].least)
        step++;
    return steps[step].style;
}

static enum style token_style(const struct token_picture *picture, size_t index)
{
    const struct reply_token *token = &picture->reply->tokens[index];
    const struct token_probe *probe = token_probes_find(picture->probes, token->key);
    bool exact;
    if (token->key == 0 || probe == NULL)
        return index % 2 ? STYLE_TOKEN_B : STYLE_TOKEN_A;
    return probability_style(token_probe_probability(probe, token->id, &exact));
}

static void keep_cursor_in_view(struct token_picture *picture, int rows)
{
    int row = picture->reply->tokens[picture->cursor].row;
    if (row < picture->top)
        picture->top = row;
    if (row >= picture->top + rows)
        picture->top = row - rows + 1;
    if (picture->top > 0 && picture->top + rows > picture->reply->rows)
        picture->top = picture->reply->rows > rows ? picture->reply->rows - rows : 0;
}

static void draw_flow(struct token_picture *picture, struct terminal *terminal,
                      const struct rect *area)
{
    struct token_reply *reply = picture->reply;
    picture->flow_rows = area->rows;
    keep_cursor_in_view(picture, area->rows);
    for (size_t i = token_reply_at(reply, picture->top, 0); i < reply->count; i++) {
        const struct reply_token *token = &reply->tokens[i];
        const char *text = reply->shown.data + token->begin + token->hangs;
        int row = token->row - picture->top;
        if (row >= area->rows)
            break;
        if (row < 0)
            continue;
        bool here = i == picture->cursor;
        unsigned marks = here && picture->choosing ? THEME_UNDERLINE : here ? THEME_REVERSE : 0;
        terminal_put_with(terminal, area, row, token->column, token_style(picture, i), marks, text,
                          token->length - token->hangs);
    }
}

/* --- what is known --------------------------------------------------------------------------- */

static const char *format_percent(double probability, bool exact, char *out)
{
    double percent = 100 * probability;
    if (!exact)
        snprintf(out, 32, "below %.*f %%", percent < 0.1 ? 3 : 1, percent);
    else
        snprintf(out, 32, "%.*f %%", percent < 0.1 ? 3 : 1, percent);
    return out;
}

static double bits(double probability)
{
    return probability > 0 ? -log2(probability) : 0;
}

static void draw_token(const struct token_picture *picture, struct terminal *terminal,
                       const struct rect *area)
{
    const struct token_reply *reply = picture->reply;
    const struct reply_token *token = &reply->tokens[picture->cursor];
    int column = MARGIN;
    column += terminal_put(terminal, area, 0, column, STYLE_STRONG,
                           reply->shown.data + token->begin, token->length);
    terminal_printf(terminal, area, 0, column + 2, STYLE_DIM, "token %zu of %zu · id %d",
                    picture->cursor + 1, reply->count, token->id);
}

static void draw_numbers(const struct token_picture *picture, const struct token_probe *probe,
                         struct terminal *terminal, const struct rect *area)
{
    const struct reply_token *token = &picture->reply->tokens[picture->cursor];
    bool exact, whole;
    char percent[32];
    double probability = token_probe_probability(probe, token->id, &exact);
    double entropy = token_probe_entropy(probe, &whole);
    size_t rank = token_probe_rank(probe, token->id);
    int column = MARGIN;
    column += terminal_puts(terminal, area, 1, column, probability_style(probability),
                            format_percent(probability, exact, percent));
    column += exact
                  ? terminal_printf(terminal, area, 1, column, STYLE_TEXT, " · rank %zu", rank + 1)
                  : terminal_printf(terminal, area, 1, column, STYLE_TEXT, " · rank over %zu",
                                    probe->count);
    terminal_printf(terminal, area, 2, MARGIN, STYLE_DIM, "surprise %s%.2f bits · entropy %s%.2f",
                    exact ? "" : "> ", bits(probability), whole ? "" : "> ", entropy);
}

static void draw_letters(const struct token_probe *probe, struct terminal *terminal,
                         const struct rect *area, int row)
{
    int column = MARGIN;
    char percent[32];
    column += terminal_puts(terminal, area, row, column, STYLE_HEADING,
                            area->columns >= 56 ? "choice probabilities" : "choices");
    for (const char *letter = LETTERS; *letter != '\0'; letter++) {
        double probability = token_probe_letter(probe, *letter);
        snprintf(percent, sizeof percent, "%.0f%%", 100 * probability);
        column += terminal_printf(terminal, area, row, column + 1, STYLE_KEY, "%c ", *letter) + 1;
        column +=
            terminal_puts(terminal, area, row, column, probability_style(probability), percent);
    }
}

/* "▉▉▎": eighths of a column. */
static void draw_bar(struct terminal *terminal, const struct rect *area, int row, int column,
                     int columns, double share, enum style style)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int filled = (int)(share * columns * 8 + 0.5);
    terminal_repeat(terminal, area, row, column, style, "█", filled / 8);
    terminal_puts(terminal, area, row, column + filled / 8, style, eighths[filled % 8]);
}

static void draw_choice(const struct token_picture *picture, const struct token_probe *probe,
                        size_t index, struct terminal *terminal, const struct rect *area, int row)
{
    const struct token_choice *choice = &probe->choices[index];
    bool taken = choice->id == picture->reply->tokens[picture->cursor].id;
    bool here = picture->choosing && index == picture->choice;
    double probability = exp((double)choice->log_probability);
    int bar = area->columns / 3 < BAR_COLUMNS_MAX ? area->columns / 3 : BAR_COLUMNS_MAX;
    char percent[32];
    struct strbuf text = {0};
    enum style style = here ? STYLE_LIST_SELECTED : taken ? STYLE_STRONG : STYLE_TEXT;
    if (here)
        terminal_repeat(terminal, area, row, 0, STYLE_LIST_SELECTED, " ", area->columns);
    format_percent(probability, true, percent);
    terminal_puts(terminal, area, row, 0, taken ? STYLE_ACCENT : style, taken ? "●" : " ");
    terminal_puts(terminal, area, row, 1 + PERCENT_COLUMNS - (int)strlen(percent), style, percent);
    draw_bar(terminal, area, row, 2 + PERCENT_COLUMNS, bar, probability,
             probability_style(probability));
    token_text_put(choice->text, strlen(choice->text), true, &text);
    if (choice->special)
        strbuf_puts(&text, "  the end");
    terminal_put(terminal, area, row, 3 + PERCENT_COLUMNS + bar,
                 choice->special ? STYLE_DIM : style, strbuf_text(&text), text.length);
    strbuf_free(&text);
}

static void draw_choices(const struct token_picture *picture, const struct token_probe *probe,
                         struct terminal *terminal, const struct rect *area, int row)
{
    size_t rank = token_probe_rank(probe, picture->reply->tokens[picture->cursor].id);
    size_t rows = area->rows > row ? (size_t)(area->rows - row) : 0, first = 0;
    if (picture->choosing && picture->choice >= rows)
        first = picture->choice - rows + 1;
    for (size_t i = 0; i < rows && first + i < probe->count; i++) {
        /* The one that was taken is always in view. */
        bool last = i + 1 == rows && !picture->choosing && rank < probe->count && rank >= rows;
        draw_choice(picture, probe, last ? rank : first + i, terminal, area, row + (int)i);
    }
}

static void draw_words(struct terminal *terminal, const struct rect *area, int row,
                       enum style style, const char *words)
{
    struct wrap wrap = {0};
    wrap_update(&wrap, words, strlen(words), area->columns > 10 ? area->columns - 2 : 8);
    for (size_t i = 0; i < wrap.count; i++, row++)
        terminal_put(terminal, area, row, MARGIN, style, wrap.shown.data + wrap.lines[i].start,
                     wrap.lines[i].end - wrap.lines[i].start);
    wrap_free(&wrap);
}

static void draw_detail(const struct token_picture *picture, struct terminal *terminal,
                        const struct rect *area)
{
    const struct token_reply *reply = picture->reply;
    const struct reply_token *token = &reply->tokens[picture->cursor];
    const struct token_probe *probe =
        token->key != 0 ? token_probes_find(picture->probes, token->key) : NULL;
    const struct token_probe *letter =
        reply->letter < reply->count && reply->tokens[reply->letter].key != 0
            ? token_probes_find(picture->probes, reply->tokens[reply->letter].key)
            : NULL;
    int row = 3;
    terminal_repeat(terminal, area, 0, 0, STYLE_RULE, "─", area->columns);
    struct rect below = *area;
    below.row++;
    below.rows--;
    draw_token(picture, terminal, &below);
    if (probe == NULL) {
        draw_words(terminal, &below, 1, STYLE_DIM,
                   picture->notice != NULL ? picture->notice : "asking the model …");
        return;
    }
    draw_numbers(picture, probe, terminal, &below);
    if (letter != NULL && below.rows > row + 1)
        draw_letters(letter, terminal, &below, row++);
    draw_choices(picture, probe, terminal, &below, row);
}

/* --- the whole ------------------------------------------------------------------------------- */

static void draw_foot(const struct token_picture *picture, struct terminal *terminal,
                      const struct rect *area)
{
    static const struct key_hint flow[] = {{"h j k l", "move"}, {"Enter", "alternatives"},
                                           {"a", "all"},        {"w b", "words"},
                                           {"q", "close"},      {0}};
    static const struct key_hint choices[] = {
        {"j k", "choose"}, {"Enter", "go on from it"}, {"Esc", "back"}, {0}};
    if (picture->all_wanted > 0)
        terminal_printf(terminal, area, area->rows - 1, MARGIN, STYLE_ACCENT,
                        "%zu of %zu tokens · Esc stops", picture->all_done, picture->all_wanted);
    else
        key_hints_draw(picture->choosing ? choices : flow, terminal, area, area->rows - 1,
                       picture->focused);
}

void token_draw(struct token_picture *picture, struct terminal *terminal, const struct rect *area)
{
    if (picture->reply->count == 0) {
        draw_words(terminal, area, 0, STYLE_DIM, picture->notice != NULL ? picture->notice : "");
        return;
    }
    int foot = area->rows >= 6, rows = area->rows - foot;
    int detail = rows * 3 / 5 < DETAIL_ROWS_MAX ? rows * 3 / 5 : DETAIL_ROWS_MAX;
    struct rect flow = *area, below = *area;
    flow.column += MARGIN;
    flow.columns -= 2 * MARGIN;
    token_reply_layout(picture->reply, flow.columns > 1 ? flow.columns : 1);
    flow.rows = rows - detail;
    int needed = picture->reply->rows + (rows >= 14); /* what is known follows a short reply */
    if (flow.rows > needed)
        flow.rows = needed;
    below.row += flow.rows;
    below.rows = rows - flow.rows;
    if (flow.rows > 0)
        draw_flow(picture, terminal, &flow);
    if (below.rows > 1)
        draw_detail(picture, terminal, &below);
    if (foot)
        draw_foot(picture, terminal, area);
}
