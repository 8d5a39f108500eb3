/* Tests of the transcript's cursor, selection, search and laziness, and of the clipboard. */
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
#include "engine/base/file.h"
#include "tui/clipboard.h"
#include "tui/transcript_cursor.h"
#include "tui/transcript_model.h"
#include "tui/transcript_search.h"

/* A chat whose messages are `texts` by turns, as if drawn at 40 columns and `rows` rows. */
struct chat {
    struct transcript *transcript;
    struct conversation *conversation;
};

static void add(struct chat *chat, enum role role, const char *text)
{
    struct message *message =
        conversation_add(chat->conversation, chat->conversation->tip, role, text, strlen(text));
    transcript_add_message(chat->transcript, message);
}

static struct chat open_chat(const char *const *texts, size_t count, int rows)
{
    struct chat chat = {transcript_create(), conversation_create()};
    chat.transcript->rows = rows;
    chat.transcript->columns = 40;
    for (size_t i = 0; i < count; i++)
        add(&chat, i % 2 == 0 ? ROLE_USER : ROLE_ASSISTANT, texts[i]);
    return chat;
}

static void close_chat(struct chat *chat)
{
    transcript_free(chat->transcript);
    conversation_free(chat->conversation);
}

static void expect_selected(struct chat *chat, const char *wanted)
{
    struct strbuf text = {0};
    assert_true(transcript_selection_text(chat->transcript, &text));
    assert_string_equal(strbuf_text(&text), wanted);
    strbuf_free(&text);
}

static const char *const talk[] = {
    "What?",
    "# Title\n\nA **bold** word and so many more words that the line is wrapped here.\n\n"
    "```c\nint x;\n```\nSource: a\n",
    "Thanks\nagain",
};

static void rows_are_selected_as_they_were_written(void **state)
{
    (void)state;
    struct chat chat = open_chat(talk, 3, 30);
    struct transcript *transcript = chat.transcript;
    transcript_cursor_show(transcript, true);
    expect_selected(&chat, talk[2]);
    assert_ptr_equal(transcript_cursor_on(transcript), chat.conversation->items[2]);
    transcript_cursor_end(transcript, false);
    assert_ptr_equal(transcript_cursor_on(transcript), chat.conversation->items[0]);
    transcript_select(transcript);
    transcript_cursor_end(transcript, true);
    char *all = xasprintf("%s\n\n%s\n\n%s", talk[0], talk[1], talk[2]);
    expect_selected(&chat, all);
    free(all);
    transcript_select(transcript);
    transcript_cursor_message(transcript, -2); /* to its beginning first */
    transcript_cursor_move(transcript, 3);     /* title, its line, the empty row */
    transcript_select(transcript);
    transcript_cursor_move(transcript, 1);
    expect_selected(&chat, "A **bold** word and so many more words that the line is wrapped here.");
    close_chat(&chat);
}

static void code_and_lines_are_found_at_the_cursor(void **state)
{
    (void)state;
    struct chat chat = open_chat(talk, 3, 30);
    struct strbuf code = {0}, language = {0};
    size_t start, end;
    transcript_cursor_show(chat.transcript, true);
    assert_false(transcript_code_at_cursor(chat.transcript, &code, &language));
    transcript_cursor_move(chat.transcript, -2); /* the reply's last row */
    assert_true(transcript_line_at_cursor(chat.transcript, &start, &end));
    assert_memory_equal(talk[1] + start, "Source: a", 9);
    transcript_cursor_move(chat.transcript, -2);
    while (!transcript_code_at_cursor(chat.transcript, &code, &language))
        transcript_cursor_move(chat.transcript, -1);
    assert_string_equal(strbuf_text(&code), "int x;\n");
    assert_string_equal(strbuf_text(&language), "c");
    strbuf_free(&code);
    strbuf_free(&language);
    close_chat(&chat);
}

static void words_are_found_and_counted(void **state)
{
    (void)state;
    static const char *const texts[] = {"ÄPFEL and pears", "äpfel **Pears**", "no", "pears pears"};
    struct chat chat = open_chat(texts, 4, 30);
    size_t count;
    assert_int_equal(transcript_search(chat.transcript, "pears"), 4);
    assert_int_equal(transcript_search(chat.transcript, "Pears"), 1);
    assert_int_equal(transcript_search(chat.transcript, "äpfel"), 2);
    assert_int_equal(transcript_search(chat.transcript, "pears"), 4);
    transcript_cursor_show(chat.transcript, true);
    transcript_cursor_end(chat.transcript, false);
    for (size_t i = 0; i < 9; i++) {
        assert_true(transcript_search_next(chat.transcript, false));
        assert_int_equal(transcript_search_position(chat.transcript, &count), i % 4 + 1);
        assert_int_equal(count, 4);
    }
    assert_true(transcript_search_next(chat.transcript, true));
    assert_int_equal(transcript_search_position(chat.transcript, &count), 4);
    assert_ptr_equal(transcript_cursor_on(chat.transcript), chat.conversation->items[3]);
    message_append(chat.conversation->items[3], " pe", 3, NULL);
    transcript_grew(chat.transcript);
    message_append(chat.conversation->items[3], "ars", 3, NULL);
    transcript_grew(chat.transcript);
    transcript_search_position(chat.transcript, &count);
    assert_int_equal(count, 5);
    assert_int_equal(transcript_search(chat.transcript, ""), 0);
    assert_false(transcript_search_next(chat.transcript, false));
    close_chat(&chat);
}

/* Nothing is laid out that was not in view. */
/* What is queued goes when its reply is stopped, also from under a view that begins there. */
static void a_view_survives_what_it_began_with(void **state)
{
    (void)state;
    struct chat chat = open_chat(talk, 3, 2);
    struct transcript *transcript = chat.transcript;
    transcript_add_text(transcript, TRANSCRIPT_QUEUED, "one\ntwo\nthree\nfour");
    transcript_scroll_end(transcript, true);
    transcript_scroll(transcript, -1);
    assert_false(transcript->follow);
    assert_int_equal(transcript->top.item, 3);
    transcript_remove_kind(transcript, TRANSCRIPT_QUEUED);
    assert_int_equal(transcript->count, 3);
    assert_in_range(transcript->top.item, 0, 2);
    close_chat(&chat);
}

static void long_chats_are_laid_out_where_they_are_seen(void **state)
{
    (void)state;
    struct chat chat = open_chat(NULL, 0, 24);
    for (int i = 0; i < 10000; i++)
        add(&chat, i % 2 == 0 ? ROLE_USER : ROLE_ASSISTANT,
            i == 5001 ? "a needle" : "Some *text*\n\nof two paragraphs.");
    assert_int_equal(transcript_layouts(chat.transcript), 0);
    transcript_cursor_show(chat.transcript, true);
    transcript_scroll(chat.transcript, -100);
    assert_in_range(transcript_layouts(chat.transcript), 1, 60);
    transcript_scroll_end(chat.transcript, false);
    assert_int_equal(transcript_search(chat.transcript, "needle"), 1);
    assert_true(transcript_search_next(chat.transcript, false));
    assert_ptr_equal(transcript_cursor_on(chat.transcript), chat.conversation->items[5001]);
    assert_in_range(transcript_layouts(chat.transcript), 1, 120);
    close_chat(&chat);
}

/* --- the clipboard --------------------------------------------------------------------------- */

static void text_becomes_base64(void **state)
{
    (void)state;
    struct strbuf out = {0};
    assert_int_equal(clipboard_encode(&out, "a\033]b", 4), 4);
    assert_string_equal(strbuf_text(&out), "YRtdYg==");
    strbuf_clear(&out);
    struct strbuf text = {0};
    while (text.length < 200000)
        strbuf_puts(&text, "海豚");
    size_t taken = clipboard_encode(&out, text.data, text.length);
    assert_int_equal(taken % 3, 0); /* whole characters */
    assert_in_range(taken, 70000, 75000);
    assert_in_range(out.length, 90000, CLIPBOARD_BASE64_BYTES);
    strbuf_free(&out);
    strbuf_free(&text);
}

static void the_file_is_private(void **state)
{
    (void)state;
    char directory[] = "/tmp/airo-clipboard-XXXXXX";
    struct error error;
    struct stat status;
    struct strbuf read = {0};
    char *path = NULL;
    assert_non_null(mkdtemp(directory));
    setenv("XDG_STATE_HOME", directory, 1);
    assert_int_equal(clipboard_save("old", 3, &path, &error), 0);
    free(path);
    assert_int_equal(clipboard_save("a\0b", 3, &path, &error), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(file_read(path, 100, &read, &error), 0);
    assert_int_equal(read.length, 3);
    assert_memory_equal(read.data, "a\0b", 3);
    unlink(path);
    strbuf_free(&read);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    rmdir(directory);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_selected_as_they_were_written),
        cmocka_unit_test(code_and_lines_are_found_at_the_cursor),
        cmocka_unit_test(words_are_found_and_counted),
        cmocka_unit_test(a_view_survives_what_it_began_with),
        cmocka_unit_test(long_chats_are_laid_out_where_they_are_seen),
        cmocka_unit_test(text_becomes_base64),
        cmocka_unit_test(the_file_is_private),
    };
    return cmocka_run_group_tests_name("transcript", tests, NULL, NULL);
}
