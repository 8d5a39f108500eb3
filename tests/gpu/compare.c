/*
 * compare.c - is it right? The programs that test each kernel, then whole models against the CPU's
 * plain kernels with f32 keys and values.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "engine/base/alloc.h"
#include "engine/infer/score.h"
#include "tests/gpu/check.h"
#include "tests/gpu/models.h"

/* --- kernels ---------------------------------------------------------------------------------- */

static void run_tests(struct check *check, const char *program)
{
    char *command = xasprintf("CMOCKA_MESSAGE_OUTPUT=TAP timeout 120 '%s' 2>&1", program);
    const char *name = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;
    char line[512], failed[192] = "", shape[48];
    unsigned passed = 0, wrong = 0;
    FILE *pipe = popen(command, "r");
    while (pipe != NULL && fgets(line, sizeof line, pipe) != NULL) {
        passed += strncmp(line, "ok ", 3) == 0;
        if (strncmp(line, "not ok ", 7) == 0 && wrong++ == 0)
            snprintf(failed, sizeof failed, "%.*s", (int)strcspn(line, "\n"), line);
    }
    int status = pipe != NULL ? pclose(pipe) : -1;
    bool right = status == 0 && wrong == 0 && passed > 0;
    if (!right && failed[0] == '\0')
        snprintf(failed, sizeof failed, "ended with status %d",
                 WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    snprintf(shape, sizeof shape, "%u of %u tests", passed, passed + wrong);
    check_truth(check, name, shape, right, failed);
    free(command);
}

void compare_kernels(struct check *check)
{
    const struct check_options *options = check_options(check);
    if (options->test_count == 0)
        check_not_run(check, "tests of the kernels", "no test programs were given");
    for (size_t i = 0; i < options->test_count; i++)
        if (check_has_time(check, options->tests[i], 10))
            run_tests(check, options->tests[i]);
}

/* --- distributions ---------------------------------------------------------------------------- */

/* Log probabilities of every position. */
struct table {
    float *rows; /* [count][vocab] */
    size_t count;
    uint32_t vocab;
};

static int keep_row(void *user, size_t position, const float *logits, uint32_t vocab)
{
    struct table *table = user;
    if (table->rows == NULL)
        table->rows = xreallocarray(NULL, table->count * vocab, sizeof *table->rows);
    table->vocab = vocab;
    double total = logits[0] - log_softmax_at(logits, vocab, 0);
    for (uint32_t i = 0; i < vocab; i++)
        table->rows[position * vocab + i] = (float)(logits[i] - total);
    return 0;
}

/* KL(reference || other), and where two log probabilities that matter differ most. */
struct difference {
    const struct table *reference;
    double sum, worst;
    size_t count;
};

static int add_row(void *user, size_t position, const float *logits, uint32_t vocab)
{
    struct difference *difference = user;
    const float *expected = difference->reference->rows + position * vocab;
    double total = logits[0] - log_softmax_at(logits, vocab, 0), kl = 0;
    for (uint32_t i = 0; i < vocab; i++) {
        double apart = expected[i] - (logits[i] - total);
        kl += exp(expected[i]) * apart;
        if (expected[i] > -12 && !(fabs(apart) <= difference->worst))
            difference->worst = fabs(apart);
    }
    difference->sum += kl;
    difference->count++;
    return 0;
}

static int score(const struct setup *setup, bool text, size_t count, score_row row, void *user,
                 struct error *error)
{
    struct model *model;
    struct setup own = *setup;
    if (own.context == 0)
        own.context = (uint32_t)count;
    if (setup_open(&model, &own, error) != 0)
        return -1;
    int32_t *tokens = xcalloc(count, sizeof *tokens);
    setup_tokens(model, text, count, tokens);
    int result = score_tokens(model, tokens, count, row, user, error);
    free(tokens);
    model_close(model);
    return result;
}

static const struct {
    enum kv_type type;
    double limit; /* of the mean KL */
} kinds[] = {{KV_F16, 1e-3}, {KV_Q8, 5e-3}, {KV_Q4, 2e-2}};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* One run on the device against the first `count` rows of the table. */
static void compare(struct check *check, const char *what, const struct setup *setup, bool text,
                    size_t count, const struct table *reference, double limit)
{
    struct difference difference = {.reference = reference};
    struct error error = {0};
    char shape[48];
    snprintf(shape, sizeof shape, "%zu tokens, %s", count, kv_type_name(setup->kv_type));
    if (setup->chunk > 0)
        snprintf(shape, sizeof shape, "%zu tokens by %u, %s", count, setup->chunk,
                 kv_type_name(setup->kv_type));
    if (score(setup, text, count, add_row, &difference, &error) != 0) {
        check_error(check, what, shape, &error);
        return;
    }
    char name[64];
    snprintf(name, sizeof name, "%s, mean KL", what);
    check_limit(check, name, shape, difference.sum / (double)difference.count, "nats", limit);
    snprintf(name, sizeof name, "%s, worst log probability", what);
    check_figure(check, name, shape, difference.worst, "nats");
}

/* --- the same bits ---------------------------------------------------------------------------- */

struct bits {
    float *rows;
    size_t count, different;
};

static int keep_bits(void *user, size_t position, const float *logits, uint32_t vocab)
{
    struct bits *bits = user;
    if (bits->rows == NULL)
        bits->rows = xreallocarray(NULL, bits->count * vocab, sizeof *bits->rows);
    memcpy(bits->rows + position * vocab, logits, vocab * sizeof *logits);
    return 0;
}

static int compare_bits(void *user, size_t position, const float *logits, uint32_t vocab)
{
    struct bits *bits = user;
    bits->different += memcmp(bits->rows + position * vocab, logits, vocab * sizeof *logits) != 0;
    return 0;
}

/* A token evaluated alone and as one of eight. */
static void check_bits(struct check *check, struct setup setup, size_t count)
{
    struct bits bits = {.count = count};
    struct error error = {0};
    char shape[48], note[64];
    snprintf(shape, sizeof shape, "%zu tokens, %s", count, kv_type_name(setup.kv_type));
    setup.chunk = 1;
    int result = score(&setup, true, count, keep_bits, &bits, &error);
    setup.chunk = 8;
    if (result == 0)
        result = score(&setup, true, count, compare_bits, &bits, &error);
    snprintf(note, sizeof note, "%zu rows differ", bits.different);
    if (result != 0)
        check_error(check, "one row and eight give the same bits", shape, &error);
    else
        check_truth(check, "one row and eight give the same bits", shape, bits.different == 0,
                    bits.different ? note : "");
    free(bits.rows);
}

/* --- models ----------------------------------------------------------------------------------- */

static const size_t lengths[] = {1, 500, 5000, 16000}, tiny_lengths[] = {1, 20, 70, 90};
#define LENGTHS      4
#define PLAIN_LENGTH 2 /* up to here always against the plain kernels */

/* All rows of the first `count` tokens; `kernels` as setup's. */
static int reference_of(struct check *check, const char *kernels, struct table *table,
                        double *seconds)
{
    struct setup setup = {
        .directory = check_options(check)->vaquita, .device = "cpu", .kernels = kernels};
    struct error error = {0};
    char shape[48];
    double started = check_seconds();
    snprintf(shape, sizeof shape, "%zu tokens, %s kernels", table->count,
             kernels ? "plain" : "fast");
    if (score(&setup, true, table->count, keep_row, table, &error) != 0) {
        check_error(check, "Vaquita on the CPU", shape, &error);
        return -1;
    }
    *seconds = check_seconds() - started;
    check_figure(check, "Vaquita on the CPU", shape, *seconds, "s");
    return 0;
}

static void compare_kind(struct check *check, size_t kind, const size_t *length,
                         const struct table *plain, const struct table *longest)
{
    const struct check_options *options = check_options(check);
    struct setup setup = {
        .directory = options->vaquita, .device = options->device, .kv_type = kinds[kind].type};
    for (size_t i = 0; i < LENGTHS; i++)
        compare(check, "Vaquita", &setup, true, length[i], i <= PLAIN_LENGTH ? plain : longest,
                kinds[kind].limit);
    setup.chunk = 1;
    compare(check, "Vaquita, decoded", &setup, true, length[1], plain, kinds[kind].limit);
    check_bits(check, setup, options->tiny ? 17 : 500);
}

/* The longest is compared with the CPU's fast kernels (f32 keys and values, activations of 8 bits)
 * where the plain ones would take minutes. */
void compare_vaquita(struct check *check)
{
    const size_t *length = check_options(check)->tiny ? tiny_lengths : lengths;
    struct table plain = {.count = length[PLAIN_LENGTH]};
    struct table longest = {.count = length[LENGTHS - 1]};
    double seconds;
    if (check_has_time(check, "Vaquita", 120) &&
        reference_of(check, "reference", &plain, &seconds) == 0 &&
        reference_of(check, seconds < 10 ? "reference" : NULL, &longest, &seconds) == 0)
        for (size_t k = 0; k < KINDS; k++)
            compare_kind(check, k, length, &plain, &longest);
    free(plain.rows);
    free(longest.rows);
}

/* Four layers of the 13B's shape: a few rows for the decoding kernels, more for prefill. The second
 * is compared with the CPU's fast kernels, whose rounding of activations to 8 bits is in the
 * figure. */
void compare_13b(struct check *check)
{
    const struct check_options *options = check_options(check);
    struct made_model made = {"13B-4-layers", options->tiny ? 1 : 4, true};
    if (!check_has_time(check, "13B shapes against the CPU", 60))
        return;
    char *path = made_model_path(check, &made);
    if (path == NULL)
        return;
    for (int fast = 0; fast <= 1; fast++) {
        struct setup setup = {
            .directory = path, .device = "cpu", .kernels = fast ? NULL : "reference"};
        struct table reference = {.count = fast ? options->tiny ? 80 : 300 : 8};
        struct error error = {0};
        if (score(&setup, false, reference.count, keep_row, &reference, &error) != 0) {
            check_error(check, "13B shapes", "the CPU's kernels", &error);
        } else {
            setup.device = options->device;
            setup.kernels = NULL;
            for (size_t k = 0; k < KINDS; k++) {
                setup.kv_type = kinds[k].type;
                compare(check, fast ? "13B, 4 layers, prefill" : "13B, 4 layers", &setup, false,
                        reference.count, &reference, 2 * kinds[k].limit);
            }
        }
        free(reference.rows);
    }
    made_model_remove(path);
    free(path);
}
