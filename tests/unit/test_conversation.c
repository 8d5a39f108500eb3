/* Tests of engine/chat/conversation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/chat/conversation.h"
#include "engine/chat/prompt.h"

static void paths_follow_branches(void **state)
{
    (void)state;
    struct conversation *chat = conversation_create();
    int path[8];
    assert_int_equal(conversation_path(chat, path), 0);
    struct message *question = conversation_add(chat, -1, ROLE_USER, "q", 1);
    conversation_add(chat, question->id, ROLE_ASSISTANT, "a1", 2);
    struct message *second = conversation_add(chat, question->id, ROLE_ASSISTANT, "a2", 2);
    struct message *edited = conversation_add(chat, -1, ROLE_USER, "q2", 2);
    assert_int_equal(chat->tip, edited->id);
    assert_int_equal(conversation_path(chat, path), 1);
    chat->tip = second->id;
    assert_int_equal(conversation_path(chat, path), 2);
    assert_int_equal(path[0], 0);
    assert_int_equal(path[1], 2);
    assert_string_equal(strbuf_text(&chat->items[1]->text), "a1");
    conversation_free(chat);
}

static void messages_stay_where_they_are(void **state)
{
    (void)state;
    struct conversation *chat = conversation_create();
    struct message *first = conversation_add(chat, -1, ROLE_USER, "first", 5);
    for (int i = 0; i < 1000; i++)
        conversation_add(chat, chat->tip, i % 2 ? ROLE_USER : ROLE_ASSISTANT, "x", 1);
    assert_ptr_equal(first, chat->items[0]);
    assert_string_equal(strbuf_text(&first->text), "first");
    int path[1001];
    assert_int_equal(conversation_path(chat, path), 1001);
    for (int i = 0; i < 1001; i++)
        assert_int_equal(path[i], i);
    conversation_free(chat);
}

static void replies_grow_with_their_tokens(void **state)
{
    (void)state;
    struct conversation *chat = conversation_create();
    struct message *reply = conversation_add(chat, -1, ROLE_ASSISTANT, "", 0);
    struct token_list tokens = {0};
    token_list_add(&tokens, 7);
    token_list_add(&tokens, 9);
    message_append(reply, "Hello", 5, &tokens);
    message_append(reply, ", you", 5, &tokens);
    message_append(reply, "!", 1, NULL);
    assert_string_equal(strbuf_text(&reply->text), "Hello, you!");
    assert_int_equal(reply->tokens.count, 4);
    assert_int_equal(reply->tokens.ids[3], 9);
    token_list_free(&tokens);
    conversation_free(chat);
}

static void a_parent_that_is_not_there_makes_a_root(void **state)
{
    (void)state;
    struct conversation *chat = conversation_create();
    assert_int_equal(conversation_add(chat, 5, ROLE_USER, "x", 1)->parent, -1);
    assert_int_equal(conversation_add(chat, 1, ROLE_USER, "x", 1)->parent, -1);
    assert_int_equal(conversation_add(chat, 1, ROLE_USER, "x", 1)->parent, 1);
    conversation_free(chat);
}

/* q0 -> a1, a2 -> q3 -> a4; a2 -> q5; a second root q6 -> a7. */
static struct conversation *make_tree(void)
{
    struct conversation *chat = conversation_create();
    conversation_add(chat, -1, ROLE_USER, "q0", 2);
    conversation_add(chat, 0, ROLE_ASSISTANT, "a1", 2);
    conversation_add(chat, 0, ROLE_ASSISTANT, "a2", 2);
    conversation_add(chat, 2, ROLE_USER, "q3", 2);
    conversation_add(chat, 3, ROLE_ASSISTANT, "a4", 2);
    conversation_add(chat, 2, ROLE_USER, "q5", 2);
    conversation_add(chat, -1, ROLE_USER, "q6", 2);
    conversation_add(chat, 6, ROLE_ASSISTANT, "a7", 2);
    return chat;
}

static void expect_ids(const int *ids, size_t count, const char *expect)
{
    char text[64] = "";
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), i ? " %d" : "%d", ids[i]);
    assert_string_equal(text, expect);
}

static void expect_path(const struct conversation *chat, const char *expect)
{
    int ids[16];
    expect_ids(ids, conversation_path(chat, ids), expect);
}

static void expect_siblings(const struct conversation *chat, int id, const char *expect)
{
    int ids[16];
    expect_ids(ids, conversation_siblings(chat, id, ids), expect);
}

static void alternatives_have_the_same_parent_and_role(void **state)
{
    (void)state;
    struct conversation *chat = make_tree();
    int ids[16];
    expect_siblings(chat, 1, "1 2");
    expect_siblings(chat, 2, "1 2");
    expect_siblings(chat, 5, "3 5");
    expect_siblings(chat, 0, "0 6");
    expect_siblings(chat, 4, "4");
    expect_siblings(chat, 8, "");
    expect_siblings(chat, -1, "");
    conversation_add(chat, 2, ROLE_ASSISTANT, "a8", 2);
    expect_siblings(chat, 5, "3 5");
    expect_siblings(chat, 8, "8");
    expect_ids(ids, conversation_children(chat, 2, ids), "3 5 8");
    expect_ids(ids, conversation_children(chat, -1, ids), "0 6");
    assert_int_equal(conversation_children(chat, 4, NULL), 0);
    assert_int_equal(conversation_siblings(chat, 3, NULL), 2);
    conversation_delete(chat, 3);
    expect_siblings(chat, 5, "5");
    expect_siblings(chat, 3, "5");
    expect_ids(ids, conversation_children(chat, 2, ids), "5 8");
    conversation_free(chat);
}

static void a_choice_is_remembered_below(void **state)
{
    (void)state;
    struct conversation *chat = make_tree();
    expect_path(chat, "6 7");
    assert_true(conversation_select(chat, 0));
    expect_path(chat, "0 2 5");
    assert_true(conversation_select(chat, 3));
    expect_path(chat, "0 2 3 4");
    assert_true(conversation_select(chat, 1));
    expect_path(chat, "0 1");
    assert_true(conversation_select(chat, 2));
    expect_path(chat, "0 2 3 4");
    assert_true(conversation_select(chat, 6));
    assert_true(conversation_select(chat, 0));
    expect_path(chat, "0 2 3 4");
    assert_int_equal(chat->items[2]->chosen, 3);
    assert_false(conversation_select(chat, 99));
    assert_false(conversation_select(chat, -1));
    expect_path(chat, "0 2 3 4");
    /* A tip set by hand is remembered too. */
    chat->tip = 5;
    conversation_select(chat, 6);
    conversation_select(chat, 0);
    expect_path(chat, "0 2 5");
    conversation_free(chat);
}

static void what_is_deleted_is_hidden_and_comes_back(void **state)
{
    (void)state;
    struct conversation *chat = make_tree();
    conversation_select(chat, 4);
    conversation_delete(chat, 2); /* to the alternative before */
    expect_path(chat, "0 1");
    assert_true(conversation_hidden(chat, 4));
    assert_false(conversation_hidden(chat, 1));
    assert_false(conversation_select(chat, 4));
    conversation_delete(chat, 1); /* none is left: to the parent */
    expect_path(chat, "0");
    conversation_undelete(chat, 2);
    expect_path(chat, "0 2 3 4");
    conversation_delete(chat, 0); /* to the other root, after it */
    expect_path(chat, "6 7");
    conversation_undelete(chat, 1); /* its parent is still hidden */
    expect_path(chat, "6 7");
    conversation_delete(chat, 6);
    expect_path(chat, "");
    assert_int_equal(chat->tip, -1);
    conversation_undelete(chat, 0);
    expect_path(chat, "0 2 3 4");
    conversation_delete(chat, 1); /* not on the path: the tip stays */
    expect_path(chat, "0 2 3 4");
    conversation_delete(chat, 99);
    conversation_undelete(chat, -1);
    assert_int_equal(chat->count, 8);
    assert_string_equal(strbuf_text(&chat->items[6]->text), "q6");
    conversation_free(chat);
}

/* However the tip got there. */
static void a_prompt_has_nothing_deleted(void **state)
{
    (void)state;
    struct conversation *chat = make_tree();
    struct chat_template *template = NULL;
    struct segment_list segments = {0};
    struct prompt_style style = {0};
    struct error error;
    assert_int_equal(chat_template_open(&template, "airoboros", &error), 0);
    conversation_delete(chat, 2);
    chat->tip = 4;
    expect_path(chat, "0");
    chat->items[4]->deleted = true;
    expect_path(chat, "0");
    assert_int_equal(
        prompt_build(&segments, template, NULL, chat, NULL, NULL, &style, NULL, &error), 0);
    struct strbuf text = {0};
    segment_text(&segments, NULL, &text);
    assert_non_null(strstr(strbuf_text(&text), "q0"));
    assert_null(strstr(strbuf_text(&text), "a2"));
    assert_null(strstr(strbuf_text(&text), "q3"));
    assert_null(strstr(strbuf_text(&text), "a4"));
    strbuf_free(&text);
    segment_list_free(&segments);
    chat_template_close(template);
    conversation_free(chat);
}

static void many_messages_are_no_burden(void **state)
{
    (void)state;
    enum { DEEP = 200000, WIDE = 200000 };
    struct conversation *chat = conversation_create();
    for (int i = 0; i < DEEP; i++)
        conversation_add(chat, chat->tip, i % 2 ? ROLE_ASSISTANT : ROLE_USER, "x", 1);
    for (int i = 0; i < WIDE; i++)
        conversation_add(chat, 0, ROLE_ASSISTANT, "y", 1);
    int *ids = calloc(DEEP + WIDE, sizeof *ids);
    assert_non_null(ids);
    assert_int_equal(conversation_siblings(chat, DEEP, ids), WIDE + 1);
    assert_true(conversation_select(chat, 1));
    assert_int_equal(conversation_path(chat, ids), DEEP);
    conversation_delete(chat, DEEP / 2);
    assert_int_equal(conversation_path(chat, ids), DEEP / 2);
    conversation_undelete(chat, DEEP / 2);
    assert_int_equal(conversation_path(chat, ids), DEEP);
    free(ids);
    conversation_free(chat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_follow_branches),
        cmocka_unit_test(messages_stay_where_they_are),
        cmocka_unit_test(replies_grow_with_their_tokens),
        cmocka_unit_test(a_parent_that_is_not_there_makes_a_root),
        cmocka_unit_test(alternatives_have_the_same_parent_and_role),
        cmocka_unit_test(a_choice_is_remembered_below),
        cmocka_unit_test(what_is_deleted_is_hidden_and_comes_back),
        cmocka_unit_test(a_prompt_has_nothing_deleted),
        cmocka_unit_test(many_messages_are_no_burden),
    };
    return cmocka_run_group_tests_name("conversation", tests, NULL, NULL);
}
