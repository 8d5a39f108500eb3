/* cases.c - `airo ask --cases FILE`: closed-context test cases, one JSON object a line:
 *
 *   {"documents":[{"meta":{"date":"2021-01-01"},"text":"..."}],"question":"...","answer":"...",
 *    "source":{"date":"2021-01-01"}}
 *
 * A reply is right when it contains the answer, which is not blank, whatever the case of letters.
 * `source` is null where the documents do not say; elsewhere its pairs must be the reply's source
 * lines. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/chat/source_grammar.h"
#include "engine/chat/support.h"
#include "tui/command.h"
#include "tui/command_ask.h"

#define CASES_BYTES_MAX (256u << 20)

/* Of the cases with a source: which document the reply's sources name, and which one the check of
 * the answer's words names in its place or confirms. */
struct score {
    size_t cases, right, sources, sources_right;
    size_t cited_right, checked_right, corrected, corrected_right, spoilt;
};

struct runner {
    const struct settings *settings;
    struct chat_template *template;
    struct model_session session;
    const char *path;
    size_t line;
    struct score score;
};

/* One line of the file; everything borrowed from `root`. */
struct test_case {
    json_t *root;
    struct document_list documents;
    const char *question, *answer;
    json_t *source; /* NULL: the documents do not say */
};

static int malformed(const struct runner *runner, const char *what, struct error *error)
{
    return error_set(error, ERROR_INPUT, "%s: line %zu: %s", runner->path, runner->line, what);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_document(struct test_case *test, json_t *from, struct error *error)
{
    json_t *text = json_object_get(from, "text"), *meta = json_object_get(from, "meta"), *value;
    const char *key;
    if (!json_is_string(text) || !json_is_object(meta))
        return -1;
    document_add_text(&test->documents, "case", json_string_value(text), json_string_length(text));
    struct document *document = &test->documents.items[test->documents.count - 1];
    json_object_foreach(meta, key, value)
    {
        if (!json_is_string(value) ||
            document_set_pair(document, key, json_string_value(value), error) != 0)
            return -1;
    }
    return 0;
}

static int read_case(const struct runner *runner, struct test_case *test, const char *text,
                     size_t length, struct error *error)
{
    size_t index;
    json_t *item;
    test->root = json_parse(text, length, runner->path, error);
    if (test->root == NULL)
        return malformed(runner, "not JSON", error);
    test->question = json_string_value(json_object_get(test->root, "question"));
    test->answer = json_string_value(json_object_get(test->root, "answer"));
    test->source = json_object_get(test->root, "source");
    if (!json_is_object(test->source))
        test->source = NULL;
    if (test->question == NULL || test->answer == NULL)
        return malformed(runner, "needs \"question\" and \"answer\"", error);
    if (test->answer[strspn(test->answer, " \t\n")] == '\0') /* every reply contains it */
        return malformed(runner, "\"answer\" is empty", error);
    json_array_foreach(json_object_get(test->root, "documents"), index, item)
    {
        if (read_document(test, item, error) != 0)
            return malformed(runner, "documents: needs \"text\" and one-line \"meta\"", error);
    }
    if (test->documents.count == 0)
        return malformed(runner, "needs \"documents\"", error);
    return 0;
}

/* --- judging ---------------------------------------------------------------------------------- */

/* The pairs as the lines that a reply should end in. */
static bool source_right(const struct test_case *test, const char *reply)
{
    struct strbuf wanted = {0};
    const char *key;
    json_t *value;
    strbuf_puts(&wanted, "Source:");
    json_object_foreach(test->source, key, value)
    {
        strbuf_printf(&wanted, "\n%s: %s", key, json_string_value(value));
    }
    const char *at = strstr(reply, strbuf_text(&wanted));
    bool right = at != NULL && strspn(at + wanted.length, " \n") == strlen(at + wanted.length);
    strbuf_free(&wanted);
    return right;
}

/* The number of the document that has the source's pairs, no more and no fewer; -1: none. */
static int expected_document(const struct test_case *test)
{
    for (size_t i = 0; i < test->documents.count; i++) {
        const struct document *document = &test->documents.items[i];
        size_t same = 0;
        for (size_t k = 0; k < document->pair_count; k++) {
            const char *value =
                json_string_value(json_object_get(test->source, document->pairs[k].key));
            same += value != NULL && strcmp(value, document->pairs[k].value) == 0;
        }
        if (same == document->pair_count && same == json_object_size(test->source))
            return (int)i;
    }
    return -1;
}

/* Compares the model's own citation with what the check makes of it. */
static void judge_check(struct runner *runner, const struct test_case *test, const char *reply)
{
    struct support support;
    struct score *score = &runner->score;
    int expected = expected_document(test);
    support_check(&support, test->question, reply, strlen(reply), &test->documents,
                  chat_template_markers(runner->template));
    bool replaces = support.verdict == SUPPORT_ELSEWHERE || support.verdict == SUPPORT_UNCITED;
    int checked = replaces ? support.document : support.cited;
    bool cited_right = expected >= 0 && support.cited == expected;
    bool checked_right = expected >= 0 && checked == expected;
    score->cited_right += cited_right;
    score->checked_right += checked_right;
    score->corrected += replaces;
    score->corrected_right += replaces && checked_right;
    score->spoilt += cited_right && !checked_right;
    if (runner->settings->verbose)
        printf("  document: expected %d, cited %d, after the check %d\n", expected + 1,
               support.cited + 1, checked + 1);
    support_free(&support);
}

static void print_case(const struct runner *runner, const struct test_case *test, const char *reply,
                       bool right)
{
    struct strbuf line = {0};
    strbuf_printf(&line, "%zu %s\n  question: %s\n  expected: %s\n  reply: %s\n", runner->line,
                  right ? "right" : "WRONG", test->question, test->answer, reply);
    command_print(strbuf_text(&line), line.length);
    strbuf_free(&line);
}

static void judge(struct runner *runner, const struct test_case *test, const char *reply)
{
    bool right = strcasestr(reply, test->answer) != NULL;
    runner->score.cases++;
    runner->score.right += right;
    if (runner->settings->verbose)
        print_case(runner, test, reply, right);
    if (test->source == NULL)
        return;
    runner->score.sources++;
    runner->score.sources_right += source_right(test, reply);
    judge_check(runner, test, reply);
}

/* --- running ---------------------------------------------------------------------------------- */

static void collect(void *user, const struct event *event)
{
    if (event->kind == EVENT_TEXT)
        strbuf_add(user, event->text, event->length);
}

static int run_case(struct runner *runner, const struct test_case *test, struct error *error)
{
    struct generator *generator = runner->session.generator;
    struct generation_request request = {
        .sampling = ask_sampling(runner->settings),
        .draft = settings_draft(runner->settings),
        .max_tokens = runner->settings->max_tokens,
        .stops = chat_template_stops(runner->template),
    };
    struct strbuf reply = {0};
    struct reply_end end;
    while (request.stops[request.stop_count] != NULL)
        request.stop_count++;
    int result =
        ask_prompt(&request.segments, runner->template, generator->ops->tokenizer(generator),
                   runner->settings, test->question, &test->documents, NULL, error);
    struct grammar *grammar = NULL;
    if (result == 0 && runner->settings->grammar)
        grammar = source_grammar_create(&request.segments);
    request.grammar = grammar;
    if (result == 0)
        result = model_session_reply(&runner->session, &request, collect, &reply, &end, error);
    grammar_free(grammar);
    if (result == 0 && runner->session.interrupted)
        result = error_set(error, ERROR_CANCELLED, "stopped");
    if (result == 0)
        judge(runner, test, strbuf_text(&reply));
    segment_list_free(&request.segments);
    strbuf_free(&reply);
    return result;
}

static int run_line(struct runner *runner, const char *text, size_t length, struct error *error)
{
    struct test_case test = {0};
    int result = read_case(runner, &test, text, length, error);
    if (result == 0)
        result = run_case(runner, &test, error);
    document_list_free(&test.documents);
    json_decref(test.root);
    return result;
}

static size_t count_lines(const struct strbuf *text)
{
    size_t lines = 0;
    for (size_t i = 0; i < text->length; i++)
        lines += text->data[i] == '\n';
    return lines + (text->length > 0 && text->data[text->length - 1] != '\n');
}

static int run_lines(struct runner *runner, const struct strbuf *text, struct error *error)
{
    const char *at = strbuf_text(text), *end = at + text->length;
    size_t lines = count_lines(text);
    struct progress progress = progress_begin();
    int result = 0;
    while (at < end && result == 0) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline != NULL ? newline : end;
        runner->line++;
        progress_show(&progress, "cases", runner->line, lines, NULL);
        if (stop > at)
            result = run_line(runner, at, (size_t)(stop - at), error);
        at = stop + 1;
    }
    progress_clear(&progress);
    return result;
}

static void print_score(const struct score *score)
{
    printf("%zu of %zu right, %zu of %zu sources right, accuracy %.1f%%\n", score->right,
           score->cases, score->sources_right, score->sources,
           score->cases > 0 ? 100.0 * (double)score->right / (double)score->cases : 0.0);
    printf(
        "the document: %zu of %zu cited rightly, %zu after the check, which corrected %zu, %zu of "
        "them rightly, and spoilt %zu\n",
        score->cited_right, score->sources, score->checked_right, score->corrected,
        score->corrected_right, score->spoilt);
}

int ask_cases(const struct settings *settings, const char *path)
{
    struct runner runner = {.settings = settings, .path = path};
    struct strbuf text = {0};
    struct error error = {0};
    int result = file_read(path, CASES_BYTES_MAX, &text, &error);
    if (result == 0)
        result = chat_template_open(&runner.template, settings->template, &error);
    if (result == 0)
        result = model_session_open(&runner.session, settings, NULL, &error);
    if (result == 0) {
        result = model_session_start(&runner.session, false, &error);
        if (result == 0)
            result = run_lines(&runner, &text, &error);
        if (runner.score.cases > 0)
            print_score(&runner.score);
        model_session_close(&runner.session);
    }
    chat_template_close(runner.template);
    strbuf_free(&text);
    return result == 0 ? EXIT_OK : command_failed(&error);
}
