/* command_perplexity.c - `airo perplexity`: a table of perplexity by context length, a row for each
 * RoPE rule that is asked for. */
#include "tui/command_perplexity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/eval/perplexity.h"
#include "engine/model/rope.h"
#include "tui/command.h"
#include "tui/eval_run.h"
#include "tui/json_events.h"

#define FILE_BYTES_MAX (256u << 20)
#define RULES_MAX      16

static const uint32_t default_lengths[] = {512, 1024, 2048, 4096, 8192, 16384};

struct table {
    const struct eval_options *options;
    const char *path;
    struct model_session session;
    struct scorer *scorer;
    struct progress progress;
    struct token_list tokens;
    size_t count; /* of the tokens, measured at every length */
    uint32_t lengths[EVAL_LENGTHS_MAX];
    size_t length_count;
    struct rope_rule rules[RULES_MAX];
    size_t rule_count;
    struct perplexity values[RULES_MAX][EVAL_LENGTHS_MAX];
    uint64_t done, total;
    char what[64];
};

/* --- what is measured ------------------------------------------------------------------------- */

static int read_rules(struct table *table, struct error *error)
{
    const char *at = table->options->rules != NULL ? table->options->rules : "as-is";
    while (table->rule_count < RULES_MAX) {
        size_t length = strcspn(at, ",");
        if (rope_rule_read(&table->rules[table->rule_count++], at, length,
                           &table->session.model->config, error) != 0)
            return -1;
        if (at[length] == '\0')
            return 0;
        at += length + 1;
    }
    return error_set(error, ERROR_INPUT, "--rules: at most %d at a time", RULES_MAX);
}

static bool fits(const struct table *table, uint32_t length)
{
    return length <= table->session.model->context && length <= table->tokens.count;
}

static int refuse_length(const struct table *table, uint32_t length, struct error *error)
{
    uint32_t context = table->session.model->context;
    if (length > context)
        return error_set(error, ERROR_INPUT, "--lengths: %u tokens do not fit in a context of %u",
                         length, context);
    return error_set(error, ERROR_INPUT, "%s: %zu tokens are too few for a length of %u",
                     table->path, table->tokens.count, length);
}

/* The same tokens for every length: whole windows of the longest. */
static int choose_lengths(struct table *table, struct error *error)
{
    const struct eval_options *options = table->options;
    bool given = options->length_count > 0;
    const uint32_t *lengths = given ? options->lengths : default_lengths;
    size_t count = given ? options->length_count : sizeof default_lengths / sizeof *default_lengths;
    uint32_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        if (!fits(table, lengths[i]) && given)
            return refuse_length(table, lengths[i], error);
        if (!fits(table, lengths[i]))
            continue;
        table->lengths[table->length_count++] = lengths[i];
        longest = lengths[i] > longest ? lengths[i] : longest;
    }
    if (longest == 0)
        return refuse_length(table, lengths[0], error);
    table->count = table->tokens.count / longest * longest;
    return 0;
}

static int read_text(struct table *table, struct strbuf *text, struct error *error)
{
    size_t most = table->options->tokens;
    tokenizer_encode(table->session.model->tokenizer, strbuf_text(text), text->length, true,
                     &table->tokens);
    if (most > 0 && most < table->tokens.count)
        table->tokens.count = most;
    if (choose_lengths(table, error) != 0)
        return -1;
    return read_rules(table, error);
}

/* --- measuring -------------------------------------------------------------------------------- */

static bool show_progress(void *user)
{
    struct table *table = user;
    table->done++;
    progress_show(&table->progress, table->what, table->done, table->total, NULL);
    return model_session_interrupted(&table->session);
}

static int measure(struct table *table, struct error *error)
{
    int result = 0;
    table->total = (uint64_t)table->rule_count * table->length_count * table->count;
    table->progress = progress_begin();
    for (size_t rule = 0; rule < table->rule_count && result == 0; rule++)
        for (size_t i = 0; i < table->length_count && result == 0; i++) {
            uint32_t length = table->lengths[i];
            snprintf(table->what, sizeof table->what, "perplexity, %.24s, %u tokens",
                     table->rules[rule].name, length);
            result = perplexity_measure(&table->values[rule][i], table->session.model,
                                        table->scorer, &table->rules[rule], table->tokens.ids,
                                        table->count / length, length, show_progress, table, error);
        }
    progress_clear(&table->progress);
    return result;
}

/* --- showing ---------------------------------------------------------------------------------- */

static void print_value(const struct perplexity *value, size_t windows)
{
    char text[32] = "";
    if (value->tokens > 0)
        snprintf(text, sizeof text, "%s%.*f", value->windows < windows ? "~" : "",
                 value->value < 1000 ? 3 : 0, value->value);
    printf(" %10.12s", text);
}

static void print_text(const struct table *table)
{
    char rule[96];
    char *model = model_describe(table->session.directory, &table->session.model->config);
    struct strbuf head = {0};
    strbuf_printf(&head, "%s\n%s: %zu tokens, windows that do not overlap\n\n", model, table->path,
                  table->count);
    command_print(strbuf_text(&head), head.length);
    printf("%-16s", "RoPE \\ tokens");
    for (size_t i = 0; i < table->length_count; i++)
        printf(" %10u", table->lengths[i]);
    for (size_t r = 0; r < table->rule_count; r++) {
        printf("\n%-16s", table->rules[r].name);
        for (size_t i = 0; i < table->length_count; i++)
            print_value(&table->values[r][i], table->count / table->lengths[i]);
    }
    puts("\n");
    for (size_t r = 0; r < table->rule_count; r++)
        printf("%-16s %s\n", table->rules[r].name,
               rope_describe(&table->rules[r].rope, table->session.model->context, rule));
    free(model);
    strbuf_free(&head);
}

static json_t *row_json(const struct table *table, size_t row)
{
    json_t *values = json_array();
    char rule[96];
    for (size_t i = 0; i < table->length_count; i++) {
        const struct perplexity *value = &table->values[row][i];
        bool known = value->tokens > 0 && isfinite(value->value);
        json_array_append_new(values, json_pack("{s:I, s:o, s:I, s:I}", "length",
                                                (json_int_t)table->lengths[i], "perplexity",
                                                known ? json_real(value->value) : json_null(),
                                                "windows", (json_int_t)value->windows, "tokens",
                                                (json_int_t)value->tokens));
    }
    rope_describe(&table->rules[row].rope, table->session.model->context, rule);
    return json_pack("{s:s, s:s, s:o}", "rule", table->rules[row].name, "rope", rule, "values",
                     values);
}

static void print_json(const struct table *table, bool complete)
{
    json_t *rows = json_array();
    for (size_t row = 0; row < table->rule_count; row++)
        json_array_append_new(rows, row_json(table, row));
    json_line_print(json_pack("{s:s, s:s, s:s, s:I, s:s, s:b, s:o}", "eval", "perplexity", "model",
                              path_base(table->session.directory), "file", table->path, "tokens",
                              (json_int_t)table->count, "windows", "not overlapping", "complete",
                              complete, "rows", rows));
}

/* --- the command ------------------------------------------------------------------------------ */

/* The session is open. */
static int run_table(struct table *table, struct strbuf *text, struct error *error)
{
    int result = read_text(table, text, error);
    if (result == 0)
        result = scorer_open(&table->scorer, table->session.model, error);
    if (result != 0)
        return result;
    result = measure(table, error);
    scorer_close(table->scorer);
    if (table->values[0][0].tokens > 0) {
        if (table->options->json)
            print_json(table, result == 0);
        else
            print_text(table);
    }
    return result;
}

int perplexity_run(struct eval_options *options, int argc, char **argv)
{
    struct table table = {.options = options};
    struct strbuf text = {0};
    struct error error = {0};
    if (argc < 1 || argc > 2)
        return command_usage("perplexity", "expected MODEL FILE, or FILE for the model of -m");
    const char *name = argc == 2 ? argv[0] : NULL;
    table.path = argv[argc - 1];
    /* A pipe may be waited for: before the session, which keeps Ctrl-C to itself. */
    int result = file_read(table.path, FILE_BYTES_MAX, &text, &error);
    if (result == 0)
        result = model_session_open(&table.session, options->settings, name, &error);
    if (result == 0) {
        result = run_table(&table, &text, &error);
        model_session_close(&table.session);
    }
    strbuf_free(&text);
    token_list_free(&table.tokens);
    return eval_run_end(result, &error);
}

static int run(struct settings *settings, int argc, char **argv)
{
    struct eval_options options;
    int status = eval_options_read(&options, settings, argc, argv);
    if (status != EXIT_OK)
        return status;
    return perplexity_run(&options, argc - options.operand, argv + options.operand);
}

const struct command command_perplexity = {
    "perplexity",
    "perplexity [MODEL] FILE",
    "perplexity of a text by context length and RoPE rule",
    run,
};
