#include "tui/composer_keys.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <readline/readline.h>

#include "engine/base/width.h"

static int grapheme_before(int point)
{
    return (int)grapheme_previous(rl_line_buffer, (size_t)rl_end, (size_t)point);
}

static int grapheme_after(int point)
{
    return point + (int)grapheme_next(rl_line_buffer + point, (size_t)(rl_end - point));
}

static int line_start(int point)
{
    while (point > 0 && rl_line_buffer[point - 1] != '\n')
        point--;
    return point;
}

static int line_end(int point)
{
    while (point < rl_end && rl_line_buffer[point] != '\n')
        point++;
    return point;
}

/* --- by cluster ------------------------------------------------------------------------------ */

static int forward_grapheme(int count, int key);

static int backward_grapheme(int count, int key)
{
    if (count < 0)
        return forward_grapheme(-count, key);
    while (count-- > 0)
        rl_point = grapheme_before(rl_point);
    return 0;
}

static int forward_grapheme(int count, int key)
{
    if (count < 0)
        return backward_grapheme(-count, key);
    while (count-- > 0)
        rl_point = grapheme_after(rl_point);
    return 0;
}

static int delete_grapheme(int count, int key)
{
    (void)key;
    int end = rl_point;
    while (count-- > 0)
        end = grapheme_after(end);
    rl_delete_text(rl_point, end);
    return 0;
}

static int rubout_grapheme(int count, int key)
{
    (void)key;
    int start = rl_point;
    while (count-- > 0)
        start = grapheme_before(start);
    rl_delete_text(start, rl_point);
    rl_point = start;
    return 0;
}

/* --- by line --------------------------------------------------------------------------------- */

static int beginning_of_line(int count, int key)
{
    (void)count;
    (void)key;
    rl_point = line_start(rl_point);
    return 0;
}

static int end_of_line(int count, int key)
{
    (void)count;
    (void)key;
    rl_point = line_end(rl_point);
    return 0;
}

static int kill_to_end_of_line(int count, int key)
{
    int end = line_end(rl_point);
    if (end == rl_end)
        return rl_kill_line(count, key);
    rl_kill_text(rl_point, end > rl_point ? end : end + 1);
    return 0;
}

/* The same column in the line that begins at `start`. */
static void go_to_column(int start, int columns)
{
    int end = line_end(start);
    rl_point = start + (int)text_fit(rl_line_buffer + start, (size_t)(end - start), columns);
}

static int column(void)
{
    int start = line_start(rl_point);
    return text_columns(rl_line_buffer + start, (size_t)(rl_point - start));
}

static int up_or_history(int count, int key)
{
    int start = line_start(rl_point);
    if (start == 0)
        return rl_get_previous_history(count, key);
    go_to_column(line_start(start - 1), column());
    return 0;
}

static int down_or_history(int count, int key)
{
    int end = line_end(rl_point);
    if (end == rl_end)
        return rl_get_next_history(count, key);
    go_to_column(end + 1, column());
    return 0;
}

/* --- vi ----------------------------------------------------------------------------------------
 */

/* From a bracket at or after the point to its mate. Readline's own looks for the bracket by steps
 * that end before the last character in vi mode, and then never ends. */
static int go_to_mate(int count, int key)
{
    static const char brackets[] = "()[]{}";
    (void)count;
    (void)key;
    int at = rl_point, depth = 0;
    while (at < rl_end && strchr(brackets, rl_line_buffer[at]) == NULL)
        at++;
    if (at >= rl_end)
        return rl_ding();
    size_t which = (size_t)(strchr(brackets, rl_line_buffer[at]) - brackets);
    char own = brackets[which], mate = brackets[which ^ 1];
    for (int step = which % 2 == 0 ? 1 : -1; at >= 0 && at < rl_end; at += step) {
        depth += (rl_line_buffer[at] == own) - (rl_line_buffer[at] == mate);
        if (depth > 0)
            continue;
        rl_point = at;
        return 0;
    }
    return rl_ding();
}

/* --- binding --------------------------------------------------------------------------------- */

static const struct {
    rl_command_func_t *theirs, *ours;
    const char *name; /* for bind in an inputrc that is read later */
} replaced[] = {
    {rl_forward_char, forward_grapheme, "airo-forward"},
    {rl_backward_char, backward_grapheme, "airo-backward"},
    {rl_delete, delete_grapheme, "airo-delete"},
    {rl_rubout, rubout_grapheme, "airo-rubout"},
    {rl_beg_of_line, beginning_of_line, "airo-beginning-of-line"},
    {rl_end_of_line, end_of_line, "airo-end-of-line"},
    {rl_kill_line, kill_to_end_of_line, "airo-kill-line"},
    {rl_get_previous_history, up_or_history, "airo-up"},
    {rl_get_next_history, down_or_history, "airo-down"},
    {rl_vi_match, go_to_mate, "airo-match"},
};
#define REPLACED_COUNT (sizeof replaced / sizeof replaced[0])

static void replace_in(Keymap map, int depth)
{
    for (int i = 0; i < KEYMAP_SIZE; i++) {
        if (map[i].type == ISKMAP && depth > 0)
            replace_in((Keymap)map[i].function, depth - 1);
        for (size_t j = 0; map[i].type == ISFUNC && j < REPLACED_COUNT; j++)
            if (map[i].function == replaced[j].theirs)
                map[i].function = replaced[j].ours;
    }
}

/* Multi-line text from Alt-Enter; readline has no name of its own for it. */
static int insert_newline(int count, int key)
{
    (void)key;
    while (count-- > 0)
        rl_insert_text("\n");
    return 0;
}

void composer_bind_keys(void)
{
    for (size_t i = 0; i < REPLACED_COUNT; i++)
        rl_add_defun(replaced[i].name, replaced[i].ours, -1);
    rl_add_defun("airo-newline", insert_newline, -1);
    replace_in(emacs_standard_keymap, 4);
    replace_in(vi_insertion_keymap, 4);
    if (vi_movement_keymap['%'].function == rl_vi_match)
        rl_bind_key_in_map('%', go_to_mate, vi_movement_keymap);
    rl_bind_keyseq_if_unbound("\033\r", insert_newline);
    rl_bind_keyseq_if_unbound("\033\n", insert_newline);
}
