#include "tui/eval_obedience.h"

#include <stdio.h>
#include <string.h>

#include "tui/command.h"
#include "tui/eval_judge.h"
#include "tui/eval_run.h"
#include "tui/json_events.h"

#define CASES_DEFAULT 40

/* In the order in which they are asked and shown. */
static const struct {
    enum eval_kind kind;
    const char *label;
} rows[] = {{EVAL_COUNTERFACTUAL, "counterfactual obeyed"},
            {EVAL_ABSENT, "absent answer refused"},
            {EVAL_PRESENT, "present answer right"}};
#define ROWS (sizeof rows / sizeof *rows)

struct counts {
    size_t cases, right, refused, sources;
};

struct obedience {
    struct eval_run run;
    size_t cases;
    struct counts counts[ROWS];
};

static size_t case_count(const struct eval_options *options)
{
    return options->cases > 0 ? options->cases : CASES_DEFAULT;
}

/* Short documents: the question is most of the work. */
static int ask(struct obedience *obedience, size_t row, size_t index, struct error *error)
{
    struct counts *counts = &obedience->counts[row];
    struct haystack haystack;
    struct eval_case test;
    struct eval_reply reply = {0};
    eval_obedience_case(&test, &haystack, obedience->run.options->seed, rows[row].kind, index);
    obedience->run.what = rows[row].label;
    int result = eval_run_case(&obedience->run, &test, EVAL_QUESTION_WORK, &reply, error);
    if (result == 0) {
        struct eval_verdict verdict = eval_judge(&test, strbuf_text(&reply.text),
                                                 chat_template_markers(obedience->run.template));
        eval_judge_note(obedience->run.options->settings, &test, strbuf_text(&reply.text),
                        &verdict);
        counts->cases++;
        counts->right += verdict.right;
        counts->refused += verdict.declined;
        counts->sources += verdict.source;
    }
    eval_reply_free(&reply);
    eval_case_free(&test);
    haystack_free(&haystack);
    return result;
}

/* The kinds take turns, so that a run that is stopped has something of each. */
static int ask_all(struct obedience *obedience, struct error *error)
{
    int result = 0;
    obedience->run.total = obedience->cases * ROWS * EVAL_QUESTION_WORK;
    for (size_t index = 0; index < obedience->cases && result == 0; index++)
        for (size_t row = 0; row < ROWS && result == 0; row++)
            result = ask(obedience, row, index, error);
    progress_clear(&obedience->run.progress);
    return result;
}

/* --- showing ---------------------------------------------------------------------------------- */

static void print_share(const char *label, size_t part, size_t whole)
{
    printf("  %-28s %5zu of %-5zu %5.1f%%\n", label, part, whole, eval_percent(part, whole));
}

/* Refusals of answers that the documents hold, and sources of those cases. */
static void false_refusals(const struct obedience *obedience, struct counts *out)
{
    *out = (struct counts){0};
    for (size_t row = 0; row < ROWS; row++) {
        if (rows[row].kind == EVAL_ABSENT)
            continue;
        out->cases += obedience->counts[row].cases;
        out->refused += obedience->counts[row].refused;
        out->sources += obedience->counts[row].sources;
    }
}

static void print_text(const struct obedience *obedience)
{
    const struct eval_options *options = obedience->run.options;
    const char *model = eval_run_model(&obedience->run);
    struct counts present;
    command_print(model, strlen(model));
    printf(": obedience, seed %llu, %zu cases of each kind\n\n", (unsigned long long)options->seed,
           obedience->cases);
    for (size_t row = 0; row < ROWS; row++)
        print_share(rows[row].label, obedience->counts[row].right, obedience->counts[row].cases);
    false_refusals(obedience, &present);
    print_share("answer there, yet refused", present.refused, present.cases);
    if (options->settings->ask_source)
        print_share("sources right", present.sources, present.cases);
}

static void print_json(const struct obedience *obedience, bool complete)
{
    json_t *kinds = json_object();
    for (size_t row = 0; row < ROWS; row++) {
        const struct counts *counts = &obedience->counts[row];
        json_object_set_new(kinds, eval_kind_name(rows[row].kind),
                            json_pack("{s:I, s:I, s:I, s:I}", "cases", (json_int_t)counts->cases,
                                      "right", (json_int_t)counts->right, "refused",
                                      (json_int_t)counts->refused, "sources",
                                      (json_int_t)counts->sources));
    }
    json_line_print(json_pack(
        "{s:s, s:s, s:I, s:b, s:o}", "eval", "obedience", "model", eval_run_model(&obedience->run),
        "seed", (json_int_t)obedience->run.options->seed, "complete", complete, "kinds", kinds));
}

int eval_obedience(const struct eval_options *options)
{
    struct obedience obedience = {.cases = case_count(options)};
    struct error error = {0};
    if (eval_run_open(&obedience.run, options, &error) != 0)
        return command_failed(&error);
    int result = ask_all(&obedience, &error);
    if (options->json && obedience.counts[0].cases > 0)
        print_json(&obedience, result == 0);
    else if (obedience.counts[0].cases > 0)
        print_text(&obedience);
    eval_run_close(&obedience.run);
    return eval_run_end(result, &error);
}

int eval_obedience_print(const struct eval_options *options)
{
    for (size_t index = 0; index < case_count(options); index++)
        for (size_t row = 0; row < ROWS; row++) {
            struct haystack haystack;
            struct eval_case test;
            eval_obedience_case(&test, &haystack, options->seed, rows[row].kind, index);
            json_line_print(eval_case_json(&test));
            eval_case_free(&test);
            haystack_free(&haystack);
        }
    return EXIT_OK;
}
