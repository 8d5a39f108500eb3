#include "tui/composer.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tui/composer_keys.h"
#include "tui/layout.h"
#include "tui/paste.h"

#define HISTORY_ENTRIES     1000
#define HISTORY_ENTRY_BYTES (16u << 10)
#define MORE_BYTES_MS       200 /* how long an incomplete key may wait for its rest */
#define ABORT_KEY           7   /* C-g: what an incomplete key becomes */

/* The readline bridge. Readline keeps its line, point, keymaps and history in globals of its own;
 * what its callbacks need beside them is here. */
static struct {
    struct composer_options options;
    char *history_path;
    FILE *null;
    struct strbuf queue; /* bytes on their way to readline */
    size_t queue_read;
    struct paste_list pastes;
    struct strbuf accepted;
    bool has_accepted;
    unsigned long version;
    char **matches; /* completions to show, from readline's list */
    size_t match_count;
    struct layout layout; /* of version laid_out, at laid_out_columns */
    unsigned long laid_out;
    int laid_out_columns;
    bool open;
} bridge;

/* --- readline's side ------------------------------------------------------------------------- */

static int next_byte(FILE *stream)
{
    (void)stream;
    if (bridge.queue_read >= bridge.queue.length) {
        /* A key is incomplete: its rest is on the way, or never comes. */
        struct pollfd tty = {.fd = bridge.options.tty_fd, .events = POLLIN};
        char more[256];
        ssize_t got = 0;
        if (bridge.options.tty_fd >= 0 && poll(&tty, 1, MORE_BYTES_MS) > 0)
            got = read(bridge.options.tty_fd, more, sizeof more);
        if (got <= 0)
            return ABORT_KEY;
        strbuf_add(&bridge.queue, more, (size_t)got);
    }
    return (unsigned char)bridge.queue.data[bridge.queue_read++];
}

static int bytes_waiting(void)
{
    return bridge.queue_read < bridge.queue.length;
}

static void forget_matches(void)
{
    for (size_t i = 0; i < bridge.match_count; i++)
        free(bridge.matches[i]);
    free(bridge.matches);
    bridge.matches = NULL;
    bridge.match_count = 0;
}

/* Readline leaves undo lists with entries that were looked at, also after it has freed them: what
 * is undone ends with the line. */
static void forget_entries_undo(void)
{
    HIST_ENTRY **entries = history_list();
    for (int i = 0; entries != NULL && entries[i] != NULL; i++)
        entries[i]->data = NULL;
}

static void accept_line(char *line)
{
    if (line == NULL) /* end of file: the caller has looked for Ctrl-D before us */
        return;
    strbuf_clear(&bridge.accepted);
    paste_unfold(&bridge.pastes, line, strlen(line), false, &bridge.accepted);
    bridge.has_accepted = true;
    free(line);
    forget_entries_undo();
    using_history(); /* the next line begins after the last entry, whatever this one was */
}

static void redisplay(void)
{
    bridge.version++;
}

static void prepare_nothing(int meta)
{
    (void)meta;
}

static void deprepare_nothing(void)
{
}

static void show_matches(char **matches, int count, int longest)
{
    (void)longest;
    forget_matches();
    bridge.matches = xcalloc((size_t)count, sizeof *bridge.matches);
    for (int i = 1; i <= count; i++)
        bridge.matches[bridge.match_count++] = xstrdup(matches[i]);
}

static char *generate_word(const char *text, int state)
{
    static unsigned next;
    if (state == 0)
        next = 0;
    bool files = false;
    char *word;
    while ((word = bridge.options.complete(bridge.options.user, rl_line_buffer,
                                           rl_point - (int)strlen(text), next++, &files)) != NULL) {
        if (strncmp(word, text, strlen(text)) == 0)
            return word;
        free(word);
    }
    return NULL;
}

static char **complete_words(const char *text, int start, int end)
{
    (void)end;
    bool files = false;
    rl_attempted_completion_over = 1;
    if (bridge.options.complete == NULL)
        return NULL;
    free(bridge.options.complete(bridge.options.user, rl_line_buffer, start, 0, &files));
    if (files)
        return rl_completion_matches(text, rl_filename_completion_function);
    return rl_completion_matches(text, generate_word);
}

/* --- opening --------------------------------------------------------------------------------- */

static void set_hooks(void)
{
    rl_readline_name = "airo";
    rl_instream = bridge.null;
    rl_outstream = bridge.null;
    rl_getc_function = next_byte;
    rl_input_available_hook = bytes_waiting;
    rl_redisplay_function = redisplay;
    rl_prep_term_function = prepare_nothing;
    rl_deprep_term_function = deprepare_nothing;
    rl_completion_display_matches_hook = show_matches;
    rl_attempted_completion_function = complete_words;
    rl_completer_word_break_characters = " \t\n";
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_change_environment = 0;
}

/* What a user's inputrc may set but must not: these write to the terminal past us. */
static void insist(void)
{
    rl_variable_bind("bell-style", "none");
    rl_variable_bind("enable-bracketed-paste", "off");
    rl_variable_bind("show-mode-in-prompt", "off");
    rl_variable_bind("horizontal-scroll-mode", "off");
}

static int open_history(const char *path, struct error *error)
{
    using_history();
    stifle_history(HISTORY_ENTRIES);
    history_comment_char = '#';
    history_write_timestamps = 1;
    if (path == NULL)
        return 0;
    char *directory = xstrndup(path, (size_t)(path_base(path) - path));
    int result = directory_make(directory[0] != '\0' ? directory : ".", error);
    free(directory);
    int fd = result == 0 ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (result == 0 && fd < 0)
        result = error_set_errno(error, "%s", path);
    if (fd >= 0) {
        fchmod(fd, 0600);
        close(fd);
        bridge.history_path = xstrdup(path);
        read_history(path);
        using_history(); /* again: the search begins after the last entry */
    }
    return result == 0 ? 0 : error_prefix(error, "history is not kept");
}

int composer_open(const struct composer_options *options, struct error *error)
{
    memset(&bridge, 0, sizeof bridge);
    bridge.options = *options;
    bridge.null = fopen("/dev/null", "r+");
    if (bridge.null == NULL)
        return error_set_errno(error, "/dev/null");
    set_hooks();
    rl_set_screen_size(1000, 32000);
    rl_variable_bind("show-all-if-ambiguous", "on"); /* an inputrc may say otherwise */
    rl_initialize();
    insist();
    composer_bind_keys();
    rl_callback_handler_install("", accept_line);
    bridge.open = true;
    return open_history(options->history_path, error);
}

void composer_close(void)
{
    if (!bridge.open)
        return;
    rl_callback_handler_remove();
    forget_entries_undo();
    clear_history();
    if (bridge.history_path != NULL)
        history_truncate_file(bridge.history_path, HISTORY_ENTRIES);
    fclose(bridge.null);
    rl_instream = rl_outstream = NULL;
    forget_matches();
    free(bridge.history_path);
    strbuf_free(&bridge.queue);
    strbuf_free(&bridge.accepted);
    layout_free(&bridge.layout);
    paste_list_free(&bridge.pastes);
    memset(&bridge, 0, sizeof bridge);
}

/* --- editing --------------------------------------------------------------------------------- */

/* Readline's own way out of a half-typed key, a search or a count. */
static void abandon_state(void)
{
    forget_matches();
    rl_callback_sigcleanup();
    rl_free_line_state();
}

/* A sequence that nothing is bound to would be inserted in part. */
static bool is_unbound_sequence(const char *bytes, size_t length)
{
    if (length < 3 || bytes[0] != '\033')
        return false;
    int type;
    return rl_function_of_keyseq_len(bytes, length, NULL, &type) == NULL;
}

/* Ctrl-X, to which longer keys are bound: readline's search falls over it. */
static bool is_prefix_key(const char *bytes, size_t length)
{
    int type = ISFUNC;
    if (length == 0 || bytes[0] == '\033')
        return false;
    rl_function_of_keyseq_len(bytes, 1, NULL, &type);
    return type == ISKMAP;
}

void composer_feed(const char *bytes, size_t length)
{
    forget_matches();
    bridge.version++;
    if (is_unbound_sequence(bytes, length))
        return;
    if (RL_ISSTATE(RL_STATE_ISEARCH) && is_prefix_key(bytes, length))
        abandon_state(); /* keeps what was found */
    strbuf_clear(&bridge.queue);
    bridge.queue_read = 0;
    strbuf_add(&bridge.queue, bytes, length);
    while (bytes_waiting())
        rl_callback_read_char();
    insist();
}

void composer_paste(const char *text, size_t length)
{
    struct strbuf clean = {0};
    char character[8];
    forget_matches();
    paste_clean(&clean, text, length);
    bridge.version++;
    if (paste_is_large(strbuf_text(&clean), clean.length)) {
        paste_fold(&bridge.pastes, &clean, character);
        rl_insert_text(character);
    } else {
        rl_insert_text(strbuf_text(&clean));
    }
    strbuf_free(&clean);
}

void composer_set_text(const char *text)
{
    struct strbuf clean = {0};
    paste_clean(&clean, text, strlen(text));
    rl_begin_undo_group();
    rl_delete_text(0, rl_end);
    rl_point = 0;
    rl_end_undo_group();
    bridge.version++;
    composer_paste(strbuf_text(&clean), clean.length);
    strbuf_free(&clean);
}

void composer_clear(void)
{
    abandon_state();
    rl_kill_text(0, rl_end);
    rl_point = rl_mark = 0;
    bridge.version++;
}

bool composer_is_empty(void)
{
    return rl_end == 0;
}

unsigned long composer_version(void)
{
    return bridge.version;
}

void composer_text(struct strbuf *out)
{
    paste_unfold(&bridge.pastes, rl_line_buffer, (size_t)rl_end, false, out);
}

bool composer_take(struct strbuf *out)
{
    if (!bridge.has_accepted)
        return false;
    bridge.has_accepted = false;
    strbuf_add(out, strbuf_text(&bridge.accepted), bridge.accepted.length);
    strbuf_free(&bridge.accepted);
    paste_list_free(&bridge.pastes);
    return true;
}

void composer_add_history(const char *text)
{
    if (text[0] == '\0' || strlen(text) > HISTORY_ENTRY_BYTES)
        return;
    HIST_ENTRY *last = history_length > 0 ? history_get(history_base + history_length - 1) : NULL;
    if (last != NULL && strcmp(last->line, text) == 0)
        return;
    add_history(text);
    using_history();
    if (bridge.history_path != NULL)
        append_history(1, bridge.history_path);
}

/* --- drafts ---------------------------------------------------------------------------------- */

static bool holds(const UNDO_LIST *list, const UNDO_LIST *part)
{
    while (list != NULL && list != part)
        list = list->next;
    return list != NULL;
}

/* Undo lists of lines of the history belong to its entries, and that of the line which was typed
 * before a search to readline's copy of it: only a list that nobody else has may go with a draft.
 */
static void leave_history(void)
{
    if (where_history() < history_length && rl_undo_list != NULL)
        rl_revert_line(1, 0); /* as readline does when a line is sent */
    UNDO_LIST *own = rl_undo_list;
    rl_undo_list = NULL;
    rl_maybe_unsave_line(); /* rl_undo_list is the copy's now, if there was one */
    if (rl_undo_list != NULL && !holds(own, rl_undo_list))
        rl_free_undo_list();
    rl_undo_list = own;
    forget_entries_undo();
    using_history();
}

void composer_store(struct composer_draft *draft)
{
    abandon_state();
    draft->text = xstrndup(rl_line_buffer, (size_t)rl_end);
    draft->point = rl_point;
    draft->pastes = bridge.pastes;
    leave_history();
    draft->undo = rl_undo_list;
    bridge.pastes = (struct paste_list){0};
    rl_undo_list = NULL;
    rl_replace_line("", 0);
    rl_point = rl_mark = 0;
    bridge.version++;
}

void composer_load(struct composer_draft *draft)
{
    abandon_state();
    leave_history();
    rl_free_undo_list();
    rl_replace_line(draft->text != NULL ? draft->text : "", 0);
    rl_point = draft->point < rl_end ? draft->point : rl_end;
    rl_undo_list = draft->undo;
    paste_list_free(&bridge.pastes);
    bridge.pastes = draft->pastes;
    free(draft->text);
    *draft = (struct composer_draft){0};
    bridge.version++;
}

void composer_draft_free(struct composer_draft *draft)
{
    UNDO_LIST *own = rl_undo_list;
    rl_undo_list = draft->undo;
    rl_free_undo_list();
    rl_undo_list = own;
    free(draft->text);
    paste_list_free(&draft->pastes);
    *draft = (struct composer_draft){0};
}

bool composer_takes_escape(void)
{
    const unsigned long busy = RL_STATE_ISEARCH | RL_STATE_NSEARCH | RL_STATE_NUMERICARG;
    return RL_ISSTATE(busy) || (rl_editing_mode == 0 && rl_get_keymap() == vi_insertion_keymap);
}

/* --- drawing --------------------------------------------------------------------------------- */

static void lay_out(int columns)
{
    if (bridge.laid_out == bridge.version && bridge.laid_out_columns == columns)
        return;
    /* A search shows what it looks for in front of what it found. */
    const char *prefix = rl_display_prompt != NULL ? rl_display_prompt : "";
    layout_update(&bridge.layout, prefix, rl_line_buffer, (size_t)rl_end, (size_t)rl_point,
                  &bridge.pastes, columns);
    bridge.laid_out = bridge.version;
    bridge.laid_out_columns = columns;
}

int composer_rows(int columns)
{
    lay_out(columns);
    return (int)bridge.layout.count + (bridge.match_count > 0);
}

static void draw_matches(struct terminal *terminal, const struct rect *area)
{
    int column = 0;
    for (size_t i = 0; i < bridge.match_count && column < area->columns; i++)
        column +=
            2 + terminal_puts(terminal, area, area->rows - 1, column, STYLE_KEY, bridge.matches[i]);
}

void composer_draw(struct terminal *terminal, const struct rect *area, bool typing,
                   const char *placeholder)
{
    const struct layout *layout = &bridge.layout;
    lay_out(area->columns);
    bool matches = bridge.match_count > 0 && area->rows > 1;
    int rows = area->rows - matches;
    size_t top = layout->cursor_row >= (size_t)rows ? layout->cursor_row - (size_t)rows + 1 : 0;
    for (int row = 0; row < rows && top + (size_t)row < layout->count; row++) {
        const struct wrap_line *line = &layout->rows[top + (size_t)row];
        terminal_put(terminal, area, row, 0, typing ? STYLE_COMPOSER : STYLE_DIM,
                     layout->shown.data + line->start, line->end - line->start);
    }
    if (rl_end == 0 && layout->cursor_column == 0)
        terminal_puts(terminal, area, 0, 0, STYLE_DIM, placeholder);
    if (matches)
        draw_matches(terminal, area);
    if (typing)
        terminal_cursor(terminal, area, (int)(layout->cursor_row - top), layout->cursor_column);
}

void composer_draw_draft(const struct composer_draft *draft, struct terminal *terminal,
                         const struct rect *area, const char *placeholder)
{
    struct layout layout = {0};
    const char *text = draft->text != NULL ? draft->text : "";
    layout_update(&layout, "", text, strlen(text), 0, &draft->pastes, area->columns);
    for (int row = 0; row < area->rows && (size_t)row < layout.count; row++)
        terminal_put(terminal, area, row, 0, STYLE_DIM, layout.shown.data + layout.rows[row].start,
                     layout.rows[row].end - layout.rows[row].start);
    if (text[0] == '\0')
        terminal_puts(terminal, area, 0, 0, STYLE_DIM, placeholder);
    layout_free(&layout);
}
