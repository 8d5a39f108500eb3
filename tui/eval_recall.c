#include "tui/eval_recall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tui/command.h"
#include "tui/eval_judge.h"
#include "tui/eval_run.h"
#include "tui/heatmap.h"
#include "tui/json_events.h"
#include "tui/new_file.h"
#include "tui/options.h"
#include "tui/palette.h"

#define CASES_DEFAULT 4

static const uint32_t default_lengths[] = {1024, 4096, 8192, 15000};
static const uint32_t default_depths[] = {0, 25, 50, 75, 100};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What is asked: lists with their defaults filled in. */
struct plan {
    uint32_t lengths[EVAL_LENGTHS_MAX], depths[EVAL_DEPTHS_MAX];
    size_t length_count, depth_count, cases;
};

struct cell {
    size_t cases, right, sources;
};

struct recall {
    struct eval_run run;
    struct plan plan;
    size_t reserve;        /* tokens of a prompt beside its documents */
    struct cell *cells;    /* [length_count * depth_count] */
    size_t *prompt_tokens; /* of each length: all prompts together */
    char what[64];
};

static void take_list(const uint32_t *given, size_t given_count, const uint32_t *usual,
                      size_t usual_count, uint32_t *out, size_t *count)
{
    *count = given_count > 0 ? given_count : usual_count;
    memcpy(out, given_count > 0 ? given : usual, *count * sizeof *out);
}

static void make_plan(struct plan *plan, const struct eval_options *options)
{
    take_list(options->lengths, options->length_count, default_lengths, COUNT(default_lengths),
              plan->lengths, &plan->length_count);
    take_list(options->depths, options->depth_count, default_depths, COUNT(default_depths),
              plan->depths, &plan->depth_count);
    plan->cases = options->cases > 0 ? options->cases : CASES_DEFAULT;
}

/* What the documents may take of a length. */
static size_t room(size_t length, size_t reserve)
{
    return length > reserve ? length - reserve : 0;
}

/* Lengths that were not asked for by name and do not fit are left out; the others are refused. */
static int check_lengths(struct recall *recall, struct error *error)
{
    const struct eval_options *options = recall->run.options;
    struct plan *plan = &recall->plan;
    struct generator *generator = recall->run.session.generator;
    uint32_t context = generator->ops->context(generator);
    uint32_t reply = eval_reply_tokens(options->settings);
    size_t kept = 0;
    for (size_t i = 0; i < plan->length_count; i++) {
        uint64_t need = (uint64_t)plan->lengths[i] + reply;
        if (need > context && options->length_count > 0)
            return error_set(error, ERROR_INPUT,
                             "--lengths: %u tokens and a reply of %u do not fit in a context of %u",
                             plan->lengths[i], reply, context);
        if (need <= context)
            plan->lengths[kept++] = plan->lengths[i];
    }
    plan->length_count = kept;
    if (kept == 0)
        return error_set(error, ERROR_INPUT, "a context of %u is shorter than every length",
                         context);
    return 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

static int ask(struct recall *recall, const struct haystack *haystack, size_t row, size_t column,
               size_t index, struct error *error)
{
    const struct plan *plan = &recall->plan;
    struct cell *cell = &recall->cells[row * plan->depth_count + column];
    struct eval_case test;
    struct eval_reply reply = {0};
    uint64_t work = EVAL_QUESTION_WORK + (column == 0 ? plan->lengths[row] : 0);
    eval_recall_case(&test, haystack, recall->run.options->seed, plan->lengths[row], index,
                     plan->depths[column]);
    snprintf(recall->what, sizeof recall->what, "recall, %u tokens, depth %u%%", plan->lengths[row],
             plan->depths[column]);
    int result = eval_run_case(&recall->run, &test, work, &reply, error);
    if (result == 0) {
        struct eval_verdict verdict = eval_judge(&test, strbuf_text(&reply.text),
                                                 chat_template_markers(recall->run.template));
        eval_judge_note(recall->run.options->settings, &test, strbuf_text(&reply.text), &verdict);
        cell->cases++;
        cell->right += verdict.right;
        cell->sources += verdict.source;
        recall->prompt_tokens[row] += reply.prompt;
    }
    eval_reply_free(&reply);
    eval_case_free(&test);
    return result;
}

/* All depths of one haystack one after the other: the documents are read once. */
static int ask_depths(struct recall *recall, size_t row, size_t index, struct error *error)
{
    struct generator *generator = recall->run.session.generator;
    size_t length = recall->plan.lengths[row];
    struct haystack haystack = {0};
    int result = 0;
    eval_recall_haystack(&haystack, recall->run.options->seed, length, index,
                         room(length, recall->reserve), generator->ops->tokenizer(generator));
    for (size_t column = 0; column < recall->plan.depth_count && result == 0; column++)
        result = ask(recall, &haystack, row, column, index, error);
    haystack_free(&haystack);
    return result;
}

static int ask_all(struct recall *recall, struct error *error)
{
    const struct plan *plan = &recall->plan;
    int result = 0;
    for (size_t row = 0; row < plan->length_count; row++)
        recall->run.total +=
            plan->cases * (plan->lengths[row] + plan->depth_count * EVAL_QUESTION_WORK);
    for (size_t row = 0; row < plan->length_count && result == 0; row++)
        for (size_t index = 0; index < plan->cases && result == 0; index++)
            result = ask_depths(recall, row, index, error);
    progress_clear(&recall->run.progress);
    return result;
}

/* --- showing ---------------------------------------------------------------------------------- */

struct maps {
    size_t *right, *sources, *whole;
    struct heatmap items[2];
};

static void make_maps(const struct recall *recall, struct maps *maps)
{
    const struct plan *plan = &recall->plan;
    size_t cells = plan->length_count * plan->depth_count;
    *maps = (struct maps){xcalloc(cells, sizeof(size_t)),
                          xcalloc(cells, sizeof(size_t)),
                          xcalloc(cells, sizeof(size_t)),
                          {{0}}};
    for (size_t i = 0; i < cells; i++) {
        maps->right[i] = recall->cells[i].right;
        maps->sources[i] = recall->cells[i].sources;
        maps->whole[i] = recall->cells[i].cases;
    }
    maps->items[0] = (struct heatmap){"answers right",    "depth of the fact", "tokens of context",
                                      plan->depths,       plan->lengths,       plan->depth_count,
                                      plan->length_count, maps->right,         maps->whole};
    maps->items[1] = maps->items[0];
    maps->items[1].title = "sources right";
    maps->items[1].part = maps->sources;
}

static void free_maps(struct maps *maps)
{
    free(maps->right);
    free(maps->sources);
    free(maps->whole);
}

/* Sources count only when they are asked for. */
static size_t map_count(const struct recall *recall)
{
    return recall->run.options->settings->ask_source ? 2 : 1;
}

static char *caption(const struct recall *recall)
{
    return xasprintf("%s: recall, seed %llu, %zu cases a cell", eval_run_model(&recall->run),
                     (unsigned long long)recall->run.options->seed, recall->plan.cases);
}

static bool wants_colour(const struct settings *settings)
{
    const char *term = getenv("TERM");
    bool able = palette_depth(settings->colour) >= COLOUR_256;
    bool asked = option_given(settings, "colour") && strcmp(settings->colour, "auto") != 0;
    bool terminal = isatty(STDOUT_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
    return able && (asked || terminal);
}

static void print_text(const struct recall *recall, const struct maps *maps)
{
    struct strbuf out = {0};
    char *head = caption(recall);
    command_print(head, strlen(head));
    puts("\n");
    for (size_t i = 0; i < map_count(recall); i++) {
        heatmap_text(&maps->items[i], wants_colour(recall->run.options->settings), &out);
        strbuf_puts(&out, i + 1 < map_count(recall) ? "\n" : "");
    }
    fwrite(strbuf_text(&out), 1, out.length, stdout);
    free(head);
    strbuf_free(&out);
}

static json_t *cell_json(const struct recall *recall, size_t row, size_t column)
{
    const struct plan *plan = &recall->plan;
    const struct cell *cell = &recall->cells[row * plan->depth_count + column];
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "length", (json_int_t)plan->lengths[row], "depth",
                     (json_int_t)plan->depths[column], "cases", (json_int_t)cell->cases, "right",
                     (json_int_t)cell->right, "sources", (json_int_t)cell->sources);
}

/* The mean length of the prompts that were really asked. */
static json_t *length_json(const struct recall *recall, size_t row)
{
    size_t cases = 0;
    for (size_t column = 0; column < recall->plan.depth_count; column++)
        cases += recall->cells[row * recall->plan.depth_count + column].cases;
    return json_pack("{s:I, s:I}", "length", (json_int_t)recall->plan.lengths[row], "prompt_tokens",
                     (json_int_t)(cases > 0 ? recall->prompt_tokens[row] / cases : 0));
}

static void print_json(const struct recall *recall, bool complete)
{
    json_t *cells = json_array(), *lengths = json_array();
    for (size_t row = 0; row < recall->plan.length_count; row++) {
        json_array_append_new(lengths, length_json(recall, row));
        for (size_t column = 0; column < recall->plan.depth_count; column++)
            json_array_append_new(cells, cell_json(recall, row, column));
    }
    json_line_print(json_pack(
        "{s:s, s:s, s:I, s:b, s:b, s:o, s:o}", "eval", "recall", "model",
        eval_run_model(&recall->run), "seed", (json_int_t)recall->run.options->seed, "complete",
        complete, "sources_asked", map_count(recall) == 2, "lengths", lengths, "cells", cells));
}

static int write_svg(const struct recall *recall, const struct maps *maps, struct error *error)
{
    struct strbuf out = {0};
    char *head = caption(recall);
    heatmap_svg(maps->items, map_count(recall), head, &out);
    int result = new_file_write(recall->run.options->svg, strbuf_text(&out), out.length, error);
    free(head);
    strbuf_free(&out);
    return result;
}

static int show(const struct recall *recall, bool complete, struct error *error)
{
    const struct eval_options *options = recall->run.options;
    struct maps maps;
    int result = 0;
    make_maps(recall, &maps);
    if (options->json)
        print_json(recall, complete);
    else
        print_text(recall, &maps);
    if (options->svg != NULL)
        result = write_svg(recall, &maps, error);
    free_maps(&maps);
    return result;
}

/* --- the command ------------------------------------------------------------------------------ */

/* The run is open. */
static int run_open(struct recall *recall, struct error *error)
{
    struct generator *generator = recall->run.session.generator;
    const struct settings *settings = recall->run.options->settings;
    struct error failed = {0};
    if (check_lengths(recall, error) != 0)
        return -1;
    recall->run.what = recall->what;
    recall->reserve =
        eval_prompt_reserve(generator->ops->tokenizer(generator), recall->run.template, settings);
    recall->cells =
        xcalloc(recall->plan.length_count * recall->plan.depth_count, sizeof *recall->cells);
    recall->prompt_tokens = xcalloc(recall->plan.length_count, sizeof *recall->prompt_tokens);
    int result = ask_all(recall, error);
    bool some = recall->cells[0].cases > 0;
    if (some && show(recall, result == 0, &failed) != 0 && result == 0) {
        *error = failed;
        result = -1;
    }
    free(recall->cells);
    free(recall->prompt_tokens);
    return result;
}

int eval_recall(const struct eval_options *options)
{
    struct recall recall = {0};
    struct error error = {0};
    if (options->svg != NULL && file_exists(options->svg))
        return command_usage("eval", "--svg: %s is there already", options->svg);
    make_plan(&recall.plan, options);
    if (eval_run_open(&recall.run, options, &error) != 0)
        return command_failed(&error);
    int result = run_open(&recall, &error);
    eval_run_close(&recall.run);
    return eval_run_end(result, &error);
}

/* --- only the cases --------------------------------------------------------------------------- */

static void print_haystack(const struct eval_options *options, const struct plan *plan, size_t row,
                           size_t index, size_t reserve, const struct tokenizer *tokenizer)
{
    struct haystack haystack = {0};
    size_t length = plan->lengths[row];
    eval_recall_haystack(&haystack, options->seed, length, index, room(length, reserve), tokenizer);
    for (size_t column = 0; column < plan->depth_count; column++) {
        struct eval_case test;
        eval_recall_case(&test, &haystack, options->seed, length, index, plan->depths[column]);
        json_line_print(eval_case_json(&test));
        eval_case_free(&test);
    }
    haystack_free(&haystack);
}

static int open_tokenizer(const struct eval_options *options, struct tokenizer **out,
                          struct error *error)
{
    struct model_config config;
    struct rope_override rope = settings_rope(options->settings);
    const char *name = options->model != NULL ? options->model : options->settings->model;
    char *directory = model_find(name, error);
    int result = -1;
    if (directory != NULL && model_config_read(&config, directory, &rope, error) == 0)
        result = tokenizer_open(out, directory, config.vocab, error);
    free(directory);
    return result;
}

int eval_recall_print(const struct eval_options *options)
{
    struct plan plan;
    struct error error = {0};
    struct tokenizer *tokenizer = NULL;
    struct chat_template *template = NULL;
    make_plan(&plan, options);
    int result = open_tokenizer(options, &tokenizer, &error);
    if (result == 0)
        result = chat_template_open(&template, options->settings->template, &error);
    size_t reserve = result == 0 ? eval_prompt_reserve(tokenizer, template, options->settings) : 0;
    for (size_t row = 0; row < plan.length_count && result == 0; row++)
        for (size_t index = 0; index < plan.cases; index++)
            print_haystack(options, &plan, row, index, reserve, tokenizer);
    chat_template_close(template);
    tokenizer_close(tokenizer);
    return result == 0 ? EXIT_OK : command_failed(&error);
}
