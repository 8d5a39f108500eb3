#include "tui/gauge.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"

#define BAR_COLUMNS_MIN 8
#define BAR_COLUMNS_MAX 40
#define PIECE_BYTES     96
#define SEPARATION      2 /* columns between two pieces */
#define BAR_PRIORITY    4
#define PARTS_PRIORITY  9
#define GAIN_LEAST      1.05

/* The bar's segments: the parts, then reserve. Letters stand in for colours where there are none.
 */
static const struct {
    const char *name, *letter;
    enum style style;
} segments[PARTS + 1] = {
    [PART_SYSTEM] = {"system", "s", STYLE_PART_SYSTEM},
    [PART_DOCUMENT] = {"documents", "d", STYLE_PART_DOCUMENT},
    [PART_SCENE] = {"scene", "c", STYLE_PART_SCENE},
    [PART_HISTORY] = {"history", "h", STYLE_PART_HISTORY},
    [PART_DRAFT] = {"draft", "+", STYLE_PART_DRAFT},
    [PARTS] = {"reserve", "-", STYLE_PART_RESERVE},
};

static size_t used_tokens(const struct gauge *gauge)
{
    size_t used = 0;
    for (int i = 0; i < PARTS; i++)
        used += gauge->parts[i];
    return used;
}

/* --- the pieces of text ---------------------------------------------------------------------- */

static void put_model(const struct gauge *gauge, char *out)
{
    snprintf(out, PIECE_BYTES, "%.40s", gauge->model);
}

static void put_backend(const struct gauge *gauge, char *out)
{
    snprintf(out, PIECE_BYTES, "%.60s", gauge->backend);
}

/* What is typed would not be sent as it is: a prompt has to leave room for a reply. */
static bool is_too_much(const struct gauge *gauge)
{
    return gauge->counted && gauge->state == GAUGE_IDLE && gauge->context > 0 &&
           used_tokens(gauge) >= gauge->context;
}

static void put_tokens(const struct gauge *gauge, char *out)
{
    char used[40], context[40];
    snprintf(out, PIECE_BYTES, "%s / %s%s", format_count(used_tokens(gauge), used),
             format_count(gauge->context, context), is_too_much(gauge) ? " does not fit" : "");
}

static void put_percent(const struct gauge *gauge, char *out)
{
    if (gauge->context > 0)
        snprintf(out, PIECE_BYTES, "%.1f %%",
                 100.0 * (double)used_tokens(gauge) / (double)gauge->context);
}

static void put_parts(const struct gauge *gauge, char *out)
{
    size_t at = 0;
    char count[40];
    for (int i = 0; i < PARTS; i++) {
        if (gauge->parts[i] == 0 || at + 30 > PIECE_BYTES)
            continue;
        at += (size_t)snprintf(out + at, PIECE_BYTES - at, "%s%s %s", at > 0 ? " · " : "",
                               segments[i].name, format_count(gauge->parts[i], count));
    }
}

static void put_draft(const struct gauge *gauge, char *out)
{
    char count[40];
    if (gauge->parts[PART_DRAFT] > 0)
        snprintf(out, PIECE_BYTES, "draft %s", format_count(gauge->parts[PART_DRAFT], count));
}

/* "KV 12.0 MiB / 8.0 MiB shared / 116.5 MiB free": of this chat's pages, those that other chats
 * hold too, and what none holds. */
static void put_kv(const struct gauge *gauge, char *out)
{
    const struct usage *usage = &gauge->usage;
    char used[32], shared[32], free_bytes[32];
    if (usage->kv_used_bytes + usage->kv_free_bytes == 0)
        return;
    size_t at =
        (size_t)snprintf(out, PIECE_BYTES, "KV %s", format_bytes(usage->kv_used_bytes, used));
    if (usage->kv_shared_bytes > 0)
        at += (size_t)snprintf(out + at, PIECE_BYTES - at, " / %s shared",
                               format_bytes(usage->kv_shared_bytes, shared));
    snprintf(out + at, PIECE_BYTES - at, " / %s free",
             format_bytes(usage->kv_free_bytes, free_bytes));
}

/* What of the last prompt did not have to be read again: "1,024 from disk, 77 from cache". */
static void put_reused(const struct gauge *gauge, char *out)
{
    const struct usage *usage = &gauge->usage;
    size_t disk = usage->prompt_restored;
    size_t cache = usage->prompt_reused > disk ? usage->prompt_reused - disk : 0, at = 0;
    char count[40];
    if (disk > 0)
        at = (size_t)snprintf(out, PIECE_BYTES, "%s from disk", format_count(disk, count));
    if (cache > 0)
        snprintf(out + at, PIECE_BYTES - at, "%s%s from cache", at > 0 ? ", " : "",
                 format_count(cache, count));
}

static void put_reading(const struct gauge *gauge, char *out)
{
    const struct usage *usage = &gauge->usage;
    size_t fresh =
        usage->prompt_done > usage->prompt_reused ? usage->prompt_done - usage->prompt_reused : 0;
    size_t at = (size_t)snprintf(out, PIECE_BYTES, "reading %zu %%",
                                 usage->prompt > 0 ? 100 * usage->prompt_done / usage->prompt : 0);
    if (fresh > 0 && usage->prefill_seconds > 0)
        snprintf(out + at, PIECE_BYTES - at, ", %.0f s left",
                 usage->prefill_seconds / (double)fresh *
                     (double)(usage->prompt - usage->prompt_done));
}

/* A tenth matters to slow models alone. */
static void put_speed(double tokens_per_second, char *out)
{
    char count[40];
    if (tokens_per_second < 100)
        snprintf(out, PIECE_BYTES, "%.1f tok/s", tokens_per_second);
    else
        snprintf(out, PIECE_BYTES, "%s tok/s",
                 format_count((size_t)(tokens_per_second + 0.5), count));
}

static void put_activity(const struct gauge *gauge, char *out)
{
    const struct usage *usage = &gauge->usage;
    if (gauge->state == GAUGE_READING)
        put_reading(gauge, out);
    else if (usage->reply > 1 && usage->decode_seconds > 0) /* the clock starts at the first */
        put_speed((double)(usage->reply - 1) / usage->decode_seconds, out);
    else if (gauge->state == GAUGE_WRITING)
        snprintf(out, PIECE_BYTES, "writing");
}

/* What drafts make of the speed, where they make something of it. */
static void put_gain(const struct gauge *gauge, char *out)
{
    if (gauge->usage.draft_gain >= GAIN_LEAST && gauge->state != GAUGE_READING)
        snprintf(out, PIECE_BYTES, "drafts x%.1f", gauge->usage.draft_gain);
}

/* In the order of the line. `priority`: what is dropped first has the highest number. The bar
 * stands before the first piece that is `after_bar`. */
static const struct {
    void (*put)(const struct gauge *gauge, char *out);
    int priority;
    bool after_bar;
    enum style style;
} pieces[] = {
    {put_model, 3, false, STYLE_GAUGE},     {put_backend, 7, false, STYLE_GAUGE_DIM},
    {put_tokens, 0, true, STYLE_GAUGE},     {put_percent, 2, true, STYLE_GAUGE},
    {put_draft, 6, true, STYLE_PART_DRAFT}, {put_parts, PARTS_PRIORITY, true, STYLE_GAUGE_DIM},
    {put_kv, 8, true, STYLE_GAUGE_DIM},     {put_reused, 10, true, STYLE_GAUGE_DIM},
    {put_gain, 5, true, STYLE_GAUGE_DIM},   {put_activity, 1, true, STYLE_ACCENT},
};
#define PIECES (int)(sizeof pieces / sizeof pieces[0])

/* --- the bar --------------------------------------------------------------------------------- */

/* Shares `columns` out: what has a token has a column, the largest give where that is too many. */
static void share_columns(const struct gauge *gauge, int columns, int *shares)
{
    size_t context = gauge->context > 0 ? gauge->context : 1;
    int sum = 0;
    for (int i = 0; i <= PARTS; i++) {
        size_t tokens = i < PARTS ? gauge->parts[i] : gauge->reserve;
        double exact = (double)tokens * columns / (double)context;
        shares[i] = exact > columns ? columns : (int)(exact + 0.5);
        if (tokens > 0 && shares[i] == 0)
            shares[i] = 1;
        sum += shares[i];
    }
    while (sum > columns) {
        int largest = 0;
        for (int i = 1; i <= PARTS; i++)
            if (shares[i] > shares[largest])
                largest = i;
        shares[largest]--;
        sum--;
    }
}

static void draw_bar(const struct gauge *gauge, struct terminal *terminal, const struct rect *area,
                     int column, int columns)
{
    int shares[PARTS + 1];
    bool letters = terminal_depth(terminal) == COLOUR_NONE;
    share_columns(gauge, columns, shares);
    int at = column;
    for (int i = 0; i <= PARTS; at += shares[i++])
        terminal_repeat(terminal, area, 0, at, segments[i].style,
                        letters ? segments[i].letter : "━", shares[i]);
    terminal_repeat(terminal, area, 0, at, STYLE_PART_FREE, letters ? "." : "━",
                    column + columns - at);
}

/* --- the line -------------------------------------------------------------------------------- */

static int total_columns(char text[][PIECE_BYTES], int limit)
{
    int total = limit >= BAR_PRIORITY ? BAR_COLUMNS_MIN + SEPARATION : 0;
    for (int i = 0; i < PIECES; i++)
        if (pieces[i].priority <= limit && text[i][0] != '\0')
            total += text_columns(text[i], strlen(text[i])) + SEPARATION;
    return total - SEPARATION;
}

/* Numbers that are not yet of what is typed are dim; so is the speed of a reply that is over. */
static enum style piece_style(const struct gauge *gauge, int index)
{
    if (pieces[index].put == put_tokens && is_too_much(gauge))
        return STYLE_WARN;
    bool stale = pieces[index].after_bar && !gauge->counted && gauge->state == GAUGE_IDLE;
    bool over = pieces[index].put == put_activity && gauge->state == GAUGE_IDLE;
    return stale || over ? STYLE_GAUGE_DIM : pieces[index].style;
}

void gauge_draw(const struct gauge *gauge, struct terminal *terminal, const struct rect *area)
{
    char text[sizeof pieces / sizeof pieces[0]][PIECE_BYTES] = {{0}};
    for (int i = 0; i < PIECES; i++)
        pieces[i].put(gauge, text[i]);
    int margin = area->columns >= 40 ? 1 : 0, limit = PIECES + 1;
    int room = area->columns - 2 * margin;
    while (limit > 0 && total_columns(text, limit) > room)
        limit--;
    if (limit >= PARTS_PRIORITY)
        text[4][0] = '\0'; /* all parts are named, so the draft is */
    int spare = room - total_columns(text, limit), at = margin;
    int bar =
        BAR_COLUMNS_MIN +
        (spare > BAR_COLUMNS_MAX - BAR_COLUMNS_MIN ? BAR_COLUMNS_MAX - BAR_COLUMNS_MIN : spare);
    bool bar_drawn = limit < BAR_PRIORITY;
    for (int i = 0; i < PIECES; i++) {
        if (pieces[i].after_bar && !bar_drawn) {
            draw_bar(gauge, terminal, area, at, bar);
            at += bar + SEPARATION;
            bar_drawn = true;
        }
        if (pieces[i].priority > limit || text[i][0] == '\0')
            continue;
        at += terminal_puts(terminal, area, 0, at, piece_style(gauge, i), text[i]) + SEPARATION;
    }
}
