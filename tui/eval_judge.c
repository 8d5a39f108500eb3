#include "tui/eval_judge.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/chat/support_source.h"
#include "tui/answer.h"
#include "tui/model_session.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
}

/* Whether the two characters outside a match, the nearer first, go on with a word or number. */
static bool goes_on(char inside, char near, char far)
{
    if (is_word(inside) && is_word(near))
        return true;
    return is_digit(inside) && (near == ',' || near == '.') && is_digit(far);
}

/* Whether `text` holds `wanted` as whole words, whatever the case of letters. */
static bool holds(const char *text, const char *wanted)
{
    size_t length = strlen(wanted);
    for (const char *at = text; length > 0 && (at = strcasestr(at, wanted)) != NULL; at++) {
        const char *end = at + length;
        char before = at > text ? at[-1] : ' ', earlier = at > text + 1 ? at[-2] : ' ';
        char later = end[0] != '\0' ? end[1] : ' ';
        if (!goes_on(wanted[0], before, earlier) && !goes_on(wanted[length - 1], end[0], later))
            return true;
    }
    return false;
}

static bool is_pair(const struct document *document, const char *line)
{
    for (size_t i = 0; i < document->pair_count; i++) {
        char *pair = xasprintf("%s: %s", document->pairs[i].key, document->pairs[i].value);
        bool same = strcmp(pair, line) == 0;
        free(pair);
        if (same)
            return true;
    }
    return false;
}

/* Every line is a pair of the document, each a different one, and none is left out. */
static bool source_right(const struct source_list *list, const struct document *document)
{
    if (list->line_count != document->pair_count)
        return false;
    for (size_t i = 0; i < list->line_count; i++) {
        if (!is_pair(document, list->lines[i].text))
            return false;
        for (size_t k = 0; k < i; k++)
            if (strcmp(list->lines[i].text, list->lines[k].text) == 0)
                return false;
    }
    return true;
}

struct eval_verdict eval_judge(const struct eval_case *test, const char *reply,
                               const char *const *markers)
{
    struct source_list list;
    struct eval_verdict verdict = {.declined = answer_declines(reply)};
    source_list_read(&list, reply, strlen(reply), test->documents, markers);
    char *said = xstrndup(reply, list.answer_bytes);
    if (test->kind == EVAL_ABSENT)
        verdict.right = verdict.declined;
    else
        verdict.right = !verdict.declined && holds(said, test->answer) &&
                        (test->known == NULL || !holds(said, test->known));
    verdict.source = test->block >= 0 && source_right(&list, &test->documents->items[test->block]);
    source_list_free(&list);
    free(said);
    return verdict;
}

void eval_judge_note(const struct settings *settings, const struct eval_case *test,
                     const char *reply, const struct eval_verdict *verdict)
{
    if (!settings->verbose)
        return;
    command_note("%s, %s%s", eval_kind_name(test->kind), verdict->right ? "right" : "WRONG",
                 verdict->source ? ", source right" : "");
    command_note("  question: %s", test->question);
    command_note("  expected: %s", test->answer);
    command_note("  reply: %s", reply);
}
