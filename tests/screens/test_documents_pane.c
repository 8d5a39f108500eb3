/* Tests of the documents' pane, and of what happens to documents in a chat, as a person sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "tests/screens/screen_steps.h"

#define F3 "\033OR"

/* A directory with some files, removed at the end. */
struct files {
    char root[40];
    char *path[8];
    size_t count;
};

static const char harbour[] =
    "The harbour of Kvitvik was built in 1887 by Ragna Solheim.\n\n"
    "In the winter of 1931 the northern pier was damaged by ice.\n\n"
    "The lighthouse stands on the southern pier. Its lamp was electric from 1952 on.\n";

static void files_begin(struct files *files)
{
    *files = (struct files){.root = "/tmp/airo-docs-XXXXXX"};
    assert_non_null(mkdtemp(files->root));
}

static const char *files_add(struct files *files, const char *name, const char *text, size_t length)
{
    char *path = files->path[files->count++] = xasprintf("%s/%s", files->root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
    return path;
}

static void files_end(struct files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        unlink(files->path[i]);
        free(files->path[i]);
    }
    rmdir(files->root);
}

/* Opens the pane, or goes there. */
static void go(struct pty_screen *screen)
{
    pty_screen_type(screen, F3);
    assert_true(pty_screen_wait_text(screen, "ask for the source"));
}

/* The pane is there with the focus: a text under a name. */
static void paste(struct pty_screen *screen, const char *name, const char *text)
{
    pty_screen_type(screen, "p");
    assert_true(pty_screen_wait_text(screen, "Name of the pasted text"));
    pty_screen_type(screen, name);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "Its text"));
    pty_screen_type(screen, "\033[200~");
    pty_screen_type(screen, text);
    pty_screen_type(screen, "\033[201~\r");
    assert_true(pty_screen_wait_no_text(screen, "Its text"));
}

static void leave(struct pty_screen *screen)
{
    pty_screen_type(screen, "q"); /* to the chat, where nothing is typed */
    assert_true(pty_screen_wait_text(screen, "F1 help"));
    steps_leave(screen);
}

/* Its row ends with this: a switch of the foot. */
struct row {
    const char *begin, *end;
};

static bool row_is(struct pty_screen *screen, void *user)
{
    const struct row *row = user;
    char *text = pty_screen_text(screen), *at = strstr(text, row->begin);
    char *newline = at != NULL ? strchr(at, '\n') : NULL;
    if (newline != NULL)
        *newline = '\0';
    size_t length = at != NULL ? strlen(at) : 0, size = strlen(row->end);
    bool is = length >= size && strcmp(at + length - size, row->end) == 0;
    free(text);
    return is;
}

static bool wait_row(struct pty_screen *screen, const char *begin, const char *end)
{
    struct row row = {begin, end};
    return pty_screen_wait(screen, row_is, &row);
}

/* --- looks ----------------------------------------------------------------------------------- */

static void an_empty_pane_says_what_to_do(void **state)
{
    (void)state;
    struct files files;
    files_begin(&files);
    const char *library = files_add(&files, "chats.db", "", 0);
    struct chat_child child = {.script = steps_script, .chats_path = library};
    struct pty_screen *screen = steps_start(36, 120, &child);
    assert_true(pty_screen_wait_text(screen, "No documents yet.")); /* there from the start */
    assert_true(screen_matches(screen, "documents-empty-120x36"));
    pty_screen_resize(screen, 24, 80);
    assert_true(pty_screen_wait_no_text(screen, "No documents yet."));
    go(screen);
    assert_true(screen_matches(screen, "documents-empty-80x24"));
    pty_screen_resize(screen, 10, 40);
    assert_true(screen_matches(screen, "documents-empty-40x10"));
    pty_screen_resize(screen, 24, 80);
    leave(screen);
    files_add(&files, "chats.db-wal", "", 0);
    files_add(&files, "chats.db-shm", "", 0);
    files_add(&files, "chats.db.lock", "", 0);
    files_end(&files);
}

static void documents_are_listed_with_their_tokens(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    paste(screen, "Kvitvik", harbour);
    paste(screen, "海豚 and 👨‍👩‍👧 notes", "Dolphins.");
    paste(screen, "a name that is much too long for the column it stands in", "Long.");
    pty_screen_type(screen, "g ");
    assert_true(pty_screen_wait_text(screen, "2 of 3 on"));
    assert_true(pty_screen_wait_no_text(screen, "removed"));
    pty_screen_type(screen, "j");
    assert_true(screen_matches(screen, "documents-list-120x36"));
    pty_screen_resize(screen, 24, 80);
    assert_true(screen_matches(screen, "documents-list-80x24"));
    pty_screen_resize(screen, 10, 40);
    assert_true(screen_matches(screen, "documents-list-40x10"));
    pty_screen_resize(screen, 24, 80);
    leave(screen);
}

static void hostile_text_stays_text(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    int mouse = pty_screen_state(screen)->mouse;
    char before[128];
    snprintf(before, sizeof before, "%s", pty_screen_state(screen)->title);
    struct files files;
    files_begin(&files);
    static const char text[] = "\033]0;owned\007\033[2J red \xE2\x80\xAE bidi \x9B"
                               "31m end\n\033[?25l\033[?1000h done";
    const char *path = files_add(&files, "\033]0;x\007\xE2\x80\xAE.txt", text, sizeof text - 1);
    pty_screen_type(screen, "a");
    assert_true(pty_screen_wait_text(screen, "Add documents"));
    pty_screen_type(screen, "\033[200~");
    pty_screen_type(screen, files.root);
    pty_screen_type(screen, "\033[201~\r");
    assert_true(pty_screen_wait_text(screen, "1 of 1 on"));
    assert_true(pty_screen_shows(screen, "␛]0;x"));
    pty_screen_type(screen, "e");
    assert_true(pty_screen_wait_text(screen, "url: ")); /* the name is in the metadata, too */
    pty_screen_type(screen, "q\r");
    assert_true(pty_screen_wait_text(screen, "␛]0;owned␇␛[2J red"));
    pty_screen_type(screen, "/");
    assert_true(pty_screen_wait_text(screen, "Search"));
    pty_screen_type(screen, "done\r");
    assert_true(pty_screen_wait_text(screen, "h done"));
    const struct pty_state *now = pty_screen_state(screen);
    assert_string_equal(now->title, before);
    assert_int_equal(now->mouse, mouse);
    assert_int_equal(now->bells, 0);
    assert_non_null(path);
    pty_screen_type(screen, "q");
    leave(screen);
    files_end(&files);
}

/* --- the list -------------------------------------------------------------------------------- */

static void space_turns_a_document_off_and_on(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    paste(screen, "one", harbour);
    assert_true(pty_screen_wait_text(screen, "● one"));
    pty_screen_type(screen, "g"); /* any key: the gauge is there again */
    assert_true(pty_screen_wait_text(screen, "documents "));
    pty_screen_type(screen, " ");
    assert_true(pty_screen_wait_text(screen, "○ one"));
    assert_true(pty_screen_wait_text(screen, "0 of 1 on"));
    assert_true(pty_screen_wait_no_text(screen, "documents ")); /* the gauge: not in the prompt */
    pty_screen_type(screen, " ");
    assert_true(pty_screen_wait_text(screen, "● one"));
    assert_true(pty_screen_wait_text(screen, "documents "));
    leave(screen);
}

static void what_was_removed_comes_back_where_it_was(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    paste(screen, "first", "One.");
    paste(screen, "second", "Two.");
    paste(screen, "third", "Three.");
    pty_screen_type(screen, "gjd");
    assert_true(pty_screen_wait_text(screen, "removed; u brings it back"));
    assert_true(pty_screen_wait_no_text(screen, "● second"));
    pty_screen_type(screen, "d");
    assert_true(pty_screen_wait_no_text(screen, "● third"));
    pty_screen_type(screen, "uu");
    assert_true(pty_screen_wait_text(screen, "● third"));
    assert_true(pty_screen_wait_text(screen, "● second"));
    assert_true(pty_screen_row_of(screen, "● first") < pty_screen_row_of(screen, "● second"));
    assert_true(pty_screen_row_of(screen, "● second") < pty_screen_row_of(screen, "● third"));
    pty_screen_type(screen, "u");
    assert_true(pty_screen_wait_text(screen, "nothing was removed"));
    leave(screen);
}

static bool third_is_first(struct pty_screen *screen, void *user)
{
    (void)user;
    int first = pty_screen_row_of(screen, "● first"), third = pty_screen_row_of(screen, "● third");
    return third >= 0 && third < first;
}

static void documents_change_places(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    paste(screen, "first", "One.");
    paste(screen, "third", "Three.");
    pty_screen_type(screen, "GK");
    assert_true(pty_screen_wait(screen, third_is_first, NULL));
    pty_screen_type(screen, "K d"); /* the selection went along: it is the one that goes */
    assert_true(pty_screen_wait_no_text(screen, "third"));
    assert_true(pty_screen_shows(screen, "● first"));
    leave(screen);
}

static void switches_are_turned(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    assert_true(wait_row(screen, "s ask for the source", " on"));
    pty_screen_type(screen, "s");
    assert_true(wait_row(screen, "s ask for the source", " off"));
    pty_screen_type(screen, "!");
    assert_true(wait_row(screen, "! don't make up answers", " off"));
    pty_screen_type(screen, "!s");
    assert_true(wait_row(screen, "s ask for the source", " on"));
    assert_true(wait_row(screen, "! don't make up answers", " on"));
    leave(screen);
}

/* --- adding ---------------------------------------------------------------------------------- */

static void add(struct pty_screen *screen, const char *spec)
{
    pty_screen_type(screen, "a");
    assert_true(pty_screen_wait_text(screen, "Add documents"));
    pty_screen_type(screen, spec);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_no_text(screen, "Add documents"));
}

static void files_directories_and_patterns_are_added(void **state)
{
    (void)state;
    struct files files;
    files_begin(&files);
    const char *first = files_add(&files, "a.txt", "Alpha.", 6);
    files_add(&files, "b.txt", "Beta.", 5);
    files_add(&files, "c.bin", "\0\1\2\0", 4);
    files_add(&files, "d.md", "Delta.", 6);
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    add(screen, first);
    assert_true(pty_screen_wait_text(screen, "1 of 1 on"));
    assert_true(pty_screen_shows(screen, "goes with the next message"));
    char *line = xasprintf("%s/*.txt", files.root);
    add(screen, line); /* one of the two is there already */
    assert_true(pty_screen_wait_text(screen, "2 of 2 on"));
    assert_true(pty_screen_shows(screen, "1 document added, 1 skipped: "));
    add(screen, files.root);
    assert_true(pty_screen_wait_text(screen, "3 of 3 on"));
    assert_true(pty_screen_shows(screen, "c.bin: skipped, not text, and 2 more"));
    free(line);
    line = xasprintf("%s/nosuch.txt", files.root);
    add(screen, line);
    assert_true(pty_screen_wait_text(screen, "nosuch.txt: No such file"));
    free(line);
    leave(screen);
    files_end(&files);
}

static void a_home_directory_and_completion(void **state)
{
    (void)state;
    struct files files;
    files_begin(&files);
    files_add(&files, "notes-here.txt", "Notes.", 6);
    const struct pty_variable variables[] = {{"HOME", files.root}, {NULL, NULL}};
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = chat_child_start(36, 120, variables, &child);
    go(screen);
    pty_screen_type(screen, "a");
    assert_true(pty_screen_wait_text(screen, "Add documents"));
    pty_screen_type(screen, "~/notes-h\t");
    assert_true(pty_screen_wait_text(screen, "~/notes-here.txt"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "1 of 1 on"));
    leave(screen);
    files_end(&files);
}

static void a_slow_converter_is_waited_for_by_nobody(void **state)
{
    (void)state;
    struct files files;
    files_begin(&files);
    const char *slow = files_add(&files, "paper.slow", "x", 1);
    struct chat_child child = {.script = steps_script, .converter = "sh -c 'sleep 600' %s"};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    add(screen, slow);
    assert_true(pty_screen_wait_text(screen, "Esc stops"));
    pty_screen_type(screen, "s"); /* keys are heard meanwhile */
    assert_true(wait_row(screen, "s ask for the source", " off"));
    pty_screen_type(screen, "\033OR\033OR"); /* closed, and opened again: it goes on */
    assert_true(pty_screen_wait_text(screen, "Esc stops"));
    pty_screen_type(screen, "\033[17~"); /* a message waits for it */
    pty_screen_type(screen, "\033[17~");
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "stopped"));
    assert_true(pty_screen_wait_text(screen, "No documents yet."));
    leave(screen);
    files_end(&files);
}

static void a_message_waits_for_its_documents(void **state)
{
    (void)state;
    struct files files;
    files_begin(&files);
    const char *slow = files_add(&files, "paper.slow", "x", 1);
    struct chat_child child = {.script = steps_script, .converter = "sh -c 'sleep 600' %s"};
    struct pty_screen *screen = steps_start(36, 120, &child);
    char *line = xasprintf("/doc %s", slow);
    steps_ask(screen, line);
    free(line);
    assert_true(pty_screen_wait_text(screen, "adding "));
    steps_ask(screen, "What is in it?");
    assert_true(pty_screen_wait_text(screen, "documents are still being added"));
    assert_true(pty_screen_wait_text(screen, "› What is in it?")); /* the text is not lost */
    pty_screen_type(screen, CTRL_C);
    pty_screen_type(screen, F3);
    pty_screen_type(screen, "\033");
    assert_true(pty_screen_wait_text(screen, "stopped"));
    leave(screen);
    files_end(&files);
}

static void a_converter_makes_text(void **state)
{
    (void)state;
    struct files files;
    files_begin(&files);
    const char *slow = files_add(&files, "paper.slow", "Converted words.", 16);
    struct chat_child child = {.script = steps_script, .converter = "cat %s"};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    add(screen, slow);
    assert_true(pty_screen_wait_text(screen, "1 of 1 on"));
    pty_screen_type(screen, "v");
    assert_true(pty_screen_wait_text(screen, "Converted words."));
    pty_screen_type(screen, "q");
    leave(screen);
    files_end(&files);
}

static void a_paste_into_the_pane_is_a_document(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    pty_screen_type(screen, "\033[200~Some words.\033[201~");
    assert_true(pty_screen_wait_text(screen, "● pasted text"));
    pty_screen_type(screen, "\033[200~Other words.\033[201~");
    assert_true(pty_screen_wait_text(screen, "● pasted text 2"));
    pty_screen_type(screen, "\033[200~  \n \033[201~");
    assert_true(pty_screen_wait_text(screen, "there is no text to add"));
    leave(screen);
}

/* --- reading --------------------------------------------------------------------------------- */

static void a_text_is_read_and_searched(void **state)
{
    (void)state;
    char *text = steps_numbered(200);
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    paste(screen, "numbers", text);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "│  line 1."));
    pty_screen_type(screen, "G");
    assert_true(pty_screen_wait_text(screen, "│  line 200."));
    assert_false(pty_screen_shows(screen, "line 150."));
    pty_screen_type(screen, "gjj");
    assert_true(pty_screen_wait_text(screen, "│  line 3."));
    assert_false(pty_screen_shows(screen, "line 2."));
    pty_screen_type(screen, "/");
    assert_true(pty_screen_wait_text(screen, "Search"));
    pty_screen_type(screen, "LINE 12\r"); /* 12, then 120, 121 ... */
    assert_true(pty_screen_wait_text(screen, "│  line 12."));
    pty_screen_type(screen, "nn");
    assert_true(pty_screen_wait_text(screen, "│  line 121."));
    pty_screen_type(screen, "NNN"); /* round the beginning */
    assert_true(pty_screen_wait_text(screen, "│  line 129."));
    pty_screen_type(screen, "/");
    assert_true(pty_screen_wait_text(screen, "Search"));
    pty_screen_type(screen, "nonesuch\r");
    assert_true(pty_screen_wait_text(screen, "not found"));
    pty_screen_type(screen, "q");
    leave(screen);
    free(text);
}

static void a_text_is_drawn_at_every_size(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    paste(screen, "Kvitvik", harbour);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "The harbour of"));
    assert_true(screen_matches(screen, "documents-text-120x36"));
    pty_screen_resize(screen, 24, 80);
    assert_true(screen_matches(screen, "documents-text-80x24"));
    pty_screen_resize(screen, 10, 40);
    assert_true(screen_matches(screen, "documents-text-40x10"));
    pty_screen_resize(screen, 24, 80);
    pty_screen_type(screen, "q");
    leave(screen);
}

/* --- metadata -------------------------------------------------------------------------------- */

static void metadata_is_edited_in_place(void **state)
{
    (void)state;
    struct files files;
    files_begin(&files);
    const char *path = files_add(&files, "a.txt", "Alpha.", 6);
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    add(screen, path);
    assert_true(pty_screen_wait_text(screen, "1 of 1 on"));
    pty_screen_type(screen, "e");
    assert_true(wait_row(screen, "url: a.txt", " guessed"));
    pty_screen_type(screen, "G\r");
    assert_true(pty_screen_wait_text(screen, "guessed from the file"));
    pty_screen_type(screen, "\025notes\r");
    assert_true(pty_screen_wait_text(screen, "url: notes"));
    assert_true(pty_screen_wait_no_text(screen, "guessed"));
    pty_screen_type(screen, "n");
    assert_true(pty_screen_wait_text(screen, "New pair"));
    pty_screen_type(screen, "title: Greek\r");
    assert_true(pty_screen_wait_text(screen, "title: Greek"));
    pty_screen_type(screen, "n");
    assert_true(pty_screen_wait_text(screen, "New pair"));
    pty_screen_type(screen, ": no key\r");
    assert_true(pty_screen_wait_text(screen, "a key is one line without ':'"));
    pty_screen_type(screen, "n");
    assert_true(pty_screen_wait_text(screen, "New pair"));
    pty_screen_type(screen, "no colon\r");
    assert_true(pty_screen_wait_text(screen, "a pair is \"key: value\""));
    pty_screen_type(screen, "gd");
    assert_true(pty_screen_wait_no_text(screen, "url: notes"));
    assert_true(pty_screen_shows(screen, "title: Greek"));
    pty_screen_type(screen, "q");
    leave(screen);
    files_end(&files);
}

/* --- in the chat ----------------------------------------------------------------------------- */

static void sent_documents_stay_in_the_list(void **state)
{
    (void)state;
    struct chat_child child = {.script = "The harbour was built in 1887 by Ragna Solheim."};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    paste(screen, "Kvitvik", harbour);
    pty_screen_type(screen, "q");
    steps_ask(screen, "Who built it?");
    assert_true(pty_screen_wait_text(screen, "Ragna Solheim."));
    assert_true(pty_screen_wait_text(screen, "sent in this chat"));
    steps_idle(screen);
    go(screen);
    pty_screen_type(screen, "d");
    assert_true(pty_screen_wait_text(screen, "it was sent with a message"));
    pty_screen_type(screen, "e");
    assert_true(pty_screen_wait_text(screen, "its metadata stays"));
    pty_screen_type(screen, "g");
    assert_true(pty_screen_wait_text(screen, "documents "));
    pty_screen_type(screen, " ");
    assert_true(pty_screen_wait_text(screen, "○ Kvitvik"));
    assert_true(pty_screen_wait_no_text(screen, "documents ")); /* left out of the next prompt */
    paste(screen, "another", "More.");
    assert_true(pty_screen_wait_text(screen, "with the next message"));
    assert_true(screen_matches(screen, "documents-sent-120x36"));
    leave(screen);
}

static void a_reply_is_checked_against_its_documents(void **state)
{
    (void)state;
    struct chat_child child = {
        .script = "The harbour was built in 1887 by Ragna Solheim.\nSource:\ntitle: harbour\n"
                  "\n---\n"
                  "The harbour was built in 1887 by Ragna Solheim.\nSource:\ntitle: dolphins\n"
                  "\n---\n"
                  "The harbour was built in 1887 by Ragna Solheim.\nSource:\ntitle: made up\n"
                  "\n---\n"
                  "I don't know. The documents do not say."};
    struct pty_screen *screen = steps_start(36, 120, &child);
    go(screen);
    static const char *const names[] = {"harbour", "dolphins"};
    static const char *const texts[] = {harbour, "Dolphins live in the sea near Kvitvik."};
    for (size_t i = 0; i < 2; i++) {
        char *pair = xasprintf("title: %s\r", names[i]);
        paste(screen, names[i], texts[i]);
        pty_screen_type(screen, "Ge");
        assert_true(pty_screen_wait_text(screen, "no metadata"));
        pty_screen_type(screen, "n");
        assert_true(pty_screen_wait_text(screen, "New pair"));
        pty_screen_type(screen, pair);
        pty_screen_type(screen, "q");
        free(pair);
    }
    pty_screen_type(screen, "q");
    steps_ask(screen, "Who built the harbour?");
    assert_true(pty_screen_wait_text(screen, "stands in harbour, as its source says"));
    steps_ask(screen, "Again?");
    assert_true(pty_screen_wait_text(screen, "stands in harbour, not in the"));
    steps_ask(screen, "And again?");
    assert_true(pty_screen_wait_text(screen, "not among the documents: title: made up"));
    steps_ask(screen, "And the name of the ship?");
    assert_true(pty_screen_wait_text(screen, "The documents do not say."));
    steps_idle(screen);
    pty_screen_type(screen, "\033"); /* the line of the first source, by the cursor */
    assert_true(pty_screen_wait_text(screen, "i writes"));
    pty_screen_type(screen, "gJ");
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "▎ The harbour of Kvitvik"));
    assert_true(screen_matches(screen, "documents-source-120x36"));
    pty_screen_type(screen, "q");
    pty_screen_type(screen, "qi"); /* back to the transcript, and to the line */
    steps_idle(screen);
    steps_leave(screen);
}

/* --- what does not fit ----------------------------------------------------------------------- */

static char *long_text(void)
{
    struct strbuf text = {0};
    for (int i = 1; i <= 60; i++)
        strbuf_printf(&text, "Paragraph %d says that the number of boats was %d in all.\n\n", i,
                      i * 7);
    strbuf_puts(&text, "The lighthouse keeper was called Ingolf Brandt.\n\n");
    return strbuf_detach(&text);
}

static struct pty_screen *start_too_much(struct chat_child *child, const char *text)
{
    struct pty_screen *screen = steps_start(36, 120, child);
    go(screen);
    paste(screen, "boats", text);
    pty_screen_type(screen, "g");
    assert_true(pty_screen_wait_text(screen, "does not fit: "));
    pty_screen_type(screen, "q");
    pty_screen_type(screen, "Who was the lighthouse keeper?");
    assert_true(pty_screen_wait_text(screen, "does not fit ")); /* the gauge */
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "tokens do not fit into 600"));
    return screen;
}

static void what_does_not_fit_is_asked_about(void **state)
{
    (void)state;
    char *text = long_text();
    struct chat_child child = {.script = "Ingolf Brandt.", .context = 600};
    struct pty_screen *screen = start_too_much(&child, text);
    assert_true(pty_screen_shows(screen, "Send only the passages that fit the question"));
    assert_true(pty_screen_shows(screen, "of 917 tokens"));
    assert_true(pty_screen_shows(screen, "A larger context"));
    pty_screen_type(screen, "\033"); /* nothing is sent, nothing is lost */
    assert_true(pty_screen_wait_no_text(screen, "tokens do not fit into"));
    assert_true(pty_screen_shows(screen, "› Who was the lighthouse keeper?"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "tokens do not fit into 600"));
    pty_screen_type(screen, "Turn documents\r");
    assert_true(pty_screen_wait_text(screen, "Space on/off")); /* in the pane */
    pty_screen_type(screen, " ");
    assert_true(pty_screen_wait_text(screen, "0 of 1 on"));
    pty_screen_type(screen, "q\r");
    assert_true(pty_screen_wait_text(screen, "◆ Ingolf Brandt."));
    steps_idle(screen);
    steps_leave(screen);
    free(text);
}

static void passages_that_fit_are_sent(void **state)
{
    (void)state;
    char *text = long_text();
    struct chat_child child = {.script = "Ingolf Brandt.", .context = 600};
    struct pty_screen *screen = start_too_much(&child, text);
    pty_screen_type(screen, "passages\r");
    assert_true(pty_screen_wait_text(screen, "only passages were sent: boats: paragraph"));
    assert_true(pty_screen_wait_text(screen, "◆ Ingolf Brandt."));
    assert_true(pty_screen_wait_text(screen, "1 of 2 on")); /* the whole is there, off */
    assert_true(pty_screen_wait_no_text(screen, "› Who was"));
    steps_idle(screen);
    go(screen);
    pty_screen_type(screen, "G\r/");
    assert_true(pty_screen_wait_text(screen, "Search"));
    pty_screen_type(screen, "Ingolf\r"); /* the passage that answers is in what was sent */
    assert_true(pty_screen_wait_text(screen, "The lighthouse keeper was"));
    pty_screen_type(screen, "q");
    leave(screen);
    free(text);
}

static void the_oldest_turns_are_left_out_on_request(void **state)
{
    (void)state;
    char *text = steps_numbered(150);
    struct strbuf script = {0};
    strbuf_printf(&script, "%s\n---\nShort.", text);
    struct chat_child child = {.script = strbuf_text(&script), .context = 530};
    struct pty_screen *screen = steps_start(36, 120, &child);
    steps_ask(screen, "Count.");
    assert_true(pty_screen_wait_text(screen, "line 150."));
    steps_idle(screen);
    pty_screen_type(screen, "\033[200~");
    for (int i = 0; i < 12; i++)
        pty_screen_type(screen, "What more is there to say about all these numbers? ");
    pty_screen_type(screen, "\033[201~\r");
    assert_true(pty_screen_wait_text(screen, "do not fit into 530"));
    assert_true(pty_screen_shows(screen, "1 turns, "));
    pty_screen_type(screen, "oldest\r");
    assert_true(pty_screen_wait_text(screen, "the oldest 1 turn is left out"));
    assert_true(pty_screen_wait_text(screen, "◆ Short."));
    steps_idle(screen);
    steps_leave(screen);
    strbuf_free(&script);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_pane_says_what_to_do),
        cmocka_unit_test(documents_are_listed_with_their_tokens),
        cmocka_unit_test(hostile_text_stays_text),
        cmocka_unit_test(space_turns_a_document_off_and_on),
        cmocka_unit_test(what_was_removed_comes_back_where_it_was),
        cmocka_unit_test(documents_change_places),
        cmocka_unit_test(switches_are_turned),
        cmocka_unit_test(files_directories_and_patterns_are_added),
        cmocka_unit_test(a_home_directory_and_completion),
        cmocka_unit_test(a_slow_converter_is_waited_for_by_nobody),
        cmocka_unit_test(a_message_waits_for_its_documents),
        cmocka_unit_test(a_converter_makes_text),
        cmocka_unit_test(a_paste_into_the_pane_is_a_document),
        cmocka_unit_test(a_text_is_read_and_searched),
        cmocka_unit_test(a_text_is_drawn_at_every_size),
        cmocka_unit_test(metadata_is_edited_in_place),
        cmocka_unit_test(sent_documents_stay_in_the_list),
        cmocka_unit_test(a_reply_is_checked_against_its_documents),
        cmocka_unit_test(what_does_not_fit_is_asked_about),
        cmocka_unit_test(passages_that_fit_are_sent),
        cmocka_unit_test(the_oldest_turns_are_left_out_on_request),
    };
    return cmocka_run_group_tests_name("screens: documents", tests, NULL, NULL);
}
