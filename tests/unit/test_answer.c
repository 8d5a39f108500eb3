/* Tests of tui/answer: sources are checked while the reply streams, and declining is recognised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "tui/answer.h"

static const char *const markers[] = {"USER:", "ENDINPUT", NULL};

static struct document_list two_documents(void)
{
    struct document_list list = {0};
    document_add_text(&list, "one.txt", "x", 1);
    document_set_pair(&list.items[0], "date", "2021-01-01", NULL);
    document_set_pair(&list.items[0], "url", "https://web.site/123", NULL);
    document_add_text(&list, "two.txt", "x", 1);
    document_set_pair(&list.items[1], "title", "On ENDINPUT", NULL);
    return list;
}

struct seen {
    int count, last;
};

static void count_source(void *user, const char *line, int document)
{
    struct seen *seen = user;
    assert_true(line[0] != '\0');
    seen->count++;
    seen->last = document;
}

/* The reply in pieces of every size gives the same text. */
static void shows(const char *reply, const char *expected, int sources)
{
    struct document_list documents = two_documents();
    size_t length = strlen(reply);
    for (size_t size = 1; size <= length; size++) {
        struct seen seen = {0};
        struct strbuf out = {0};
        struct answer answer = {
            .documents = &documents, .markers = markers, .on_source = count_source, .user = &seen};
        for (size_t at = 0; at < length; at += size)
            answer_push(&answer, reply + at, at + size < length ? size : length - at, &out);
        answer_finish(&answer, &out);
        assert_string_equal(strbuf_text(&out), expected);
        assert_int_equal(seen.count, sources);
        answer_free(&answer);
        strbuf_free(&out);
    }
    document_list_free(&documents);
}

static void sources_are_checked(void **state)
{
    (void)state;
    shows("Green.\nSource:\ndate: 2021-01-01\nurl: https://web.site/123",
          "Green.\nSource:\ndate: 2021-01-01\nurl: https://web.site/123", 2);
    shows("Green.\nSource:\ndate: 2021-01-02\nurl: https://web.site/123\n",
          "Green.\nSource:\ndate: 2021-01-02 (not among the documents)\n"
          "url: https://web.site/123\n",
          2);
    shows("Green.\nSource: https://web.site/123", "Green.\nSource: https://web.site/123", 1);
    shows("Green.\nSource: Wikipedia\nMore.",
          "Green.\nSource: Wikipedia (not among the documents)\nMore.", 1);
    shows("Source:\nWikipedia", "Source:\nWikipedia (not among the documents)", 1);
}

static void text_is_left_alone(void **state)
{
    (void)state;
    shows("The Source: of it all.\nSour cream.\n", "The Source: of it all.\nSour cream.\n", 0);
    shows("A\n\nnote: this is text\n", "A\n\nnote: this is text\n", 0);
    shows("Green.\nSource:\ndate: 2021-01-01\n\nnote: after a blank line",
          "Green.\nSource:\ndate: 2021-01-01\n\nnote: after a blank line", 1);
    shows("Green.\nSource:\ndate: 2021-01-01\nAnd so on.\nkey: no",
          "Green.\nSource:\ndate: 2021-01-01\nAnd so on.\nkey: no", 1);
}

/* The model repeats what it was given, with the dot. */
static void defused_metadata_is_recognised(void **state)
{
    (void)state;
    shows("Source:\ntitle: On E\u00B7NDINPUT", "Source:\ntitle: On E\u00B7NDINPUT", 1);
}

static void text_is_not_held_back(void **state)
{
    (void)state;
    struct document_list documents = two_documents();
    struct answer answer = {.documents = &documents};
    struct strbuf out = {0};
    answer_push(&answer, "Gre", 3, &out);
    assert_string_equal(strbuf_text(&out), "Gre");
    answer_push(&answer, "en.\nSou", 7, &out);
    assert_string_equal(strbuf_text(&out), "Green.\n");
    answer_push(&answer, "th", 2, &out);
    assert_string_equal(strbuf_text(&out), "Green.\nSouth");
    answer_free(&answer);
    strbuf_free(&out);
    document_list_free(&documents);
}

static void declining_is_recognised(void **state)
{
    (void)state;
    static const char *const declines[] = {
        "I don't know. The documents do not say.",
        "I don\u2019t know.",
        "i do not know the answer",
        "The documents do not say.",
        "The context doesn't mention who the mayor is.",
        "The mayor is not mentioned in the text.",
        "The color of the sky is not specified in the provided context.",
        "Unfortunately, the provided text does not contain that information.",
        "There is no information about that.",
        "The provided context\ndoes not say.\nSource:\ndate: 2021",
    };
    static const char *const answers[] = {
        "Blueberries are now green.\nSource:\ndate: 2021-01-01",
        "The witness said: I don't know.",
        "He was not in the house.",
        "The document says that it does not rain.",
        "It does not contain nuts.",
        "The text was written in 1999.",
        "",
        "Green.\nSource:\nnote: the documents do not say",
    };
    for (size_t i = 0; i < sizeof declines / sizeof declines[0]; i++)
        if (!answer_declines(declines[i]))
            fail_msg("should decline: %s", declines[i]);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (answer_declines(answers[i]))
            fail_msg("should not decline: %s", answers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_are_checked),
        cmocka_unit_test(text_is_left_alone),
        cmocka_unit_test(defused_metadata_is_recognised),
        cmocka_unit_test(text_is_not_held_back),
        cmocka_unit_test(declining_is_recognised),
    };
    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
