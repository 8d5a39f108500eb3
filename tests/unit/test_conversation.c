/* Tests of engine/chat/conversation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "engine/chat/conversation.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_follow_branches),
        cmocka_unit_test(messages_stay_where_they_are),
        cmocka_unit_test(replies_grow_with_their_tokens),
        cmocka_unit_test(a_parent_that_is_not_there_makes_a_root),
    };
    return cmocka_run_group_tests_name("conversation", tests, NULL, NULL);
}
