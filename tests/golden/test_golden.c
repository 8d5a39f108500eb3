/*
 * Log probabilities of the reference kernels against an independent implementation's (reference.py;
 * make_golden.py describes the files): tiny models in every supported form, every RoPE rule at
 * positions up to 16,383, and Vaquita.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/infer/score.h"

#define FOLDER    "tests/golden/models/"
#define TOLERANCE 1e-3

/* A golden file; the pointers are into `file`, aligned as it is. */
struct golden {
    struct strbuf file;
    uint32_t token_count, seed, position_count, row_count, vocab;
    int32_t *tokens;
    const uint32_t *positions, *row_positions;
    const float *expected, *rows;
};

static void make_tokens(struct golden *golden)
{
    uint64_t state = golden->seed;
    for (uint32_t i = 0; i < golden->token_count; i++) {
        uint64_t z = state += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        golden->tokens[i] = (int32_t)(3 + (z ^ (z >> 31)) % (golden->vocab - 3));
    }
}

static void golden_read(struct golden *golden, const char *name)
{
    char path[128];
    struct error error;
    uint32_t head[5];
    *golden = (struct golden){0};
    snprintf(path, sizeof path, FOLDER "%s.golden", name);
    if (file_read(path, 1 << 24, &golden->file, &error) != 0)
        fail_msg("%s", error.message);
    assert_memory_equal(golden->file.data, "AIROGLD1", 8);
    memcpy(head, golden->file.data + 8, sizeof head);
    golden->token_count = head[0];
    golden->seed = head[1];
    golden->position_count = head[2];
    golden->row_count = head[3];
    golden->vocab = head[4];
    golden->tokens = xcalloc(head[0], sizeof *golden->tokens);
    const char *at = golden->file.data + 8 + sizeof head;
    if (golden->seed == 0)
        memcpy(golden->tokens, at, head[0] * sizeof *golden->tokens);
    else
        make_tokens(golden);
    at += golden->seed == 0 ? head[0] * sizeof *golden->tokens : 0;
    golden->positions = (const void *)at;
    golden->expected = (const void *)(golden->positions + head[2]);
    golden->row_positions = (const void *)(golden->expected + head[2]);
    golden->rows = (const void *)(golden->row_positions + head[3]);
    assert_ptr_equal(golden->rows + (size_t)head[3] * head[4],
                     golden->file.data + golden->file.length);
}

static void golden_free(struct golden *golden)
{
    strbuf_free(&golden->file);
    free(golden->tokens);
}

/* How far the model is from the golden values. */
struct comparison {
    const struct golden *golden;
    uint32_t next_position, next_row;
    double worst;
    size_t worst_position;
};

static void note(struct comparison *comparison, double expected, double got, size_t position)
{
    double difference = fabs(expected - got);
    if (difference > comparison->worst || isnan(difference)) {
        comparison->worst = isnan(difference) ? INFINITY : difference;
        comparison->worst_position = position;
    }
}

static int compare_row(void *user, size_t position, const float *logits, uint32_t vocab)
{
    struct comparison *comparison = user;
    const struct golden *golden = comparison->golden;
    uint32_t at = comparison->next_position, row = comparison->next_row;
    assert_int_equal(vocab, golden->vocab);
    if (at < golden->position_count && golden->positions[at] == position) {
        note(comparison, golden->expected[at],
             log_softmax_at(logits, vocab, golden->tokens[position + 1]), position);
        comparison->next_position++;
    }
    if (row < golden->row_count && golden->row_positions[row] == position) {
        double total = logits[0] - log_softmax_at(logits, vocab, 0);
        for (uint32_t i = 0; i < vocab; i++)
            note(comparison, golden->rows[(size_t)row * vocab + i], logits[i] - total, position);
        comparison->next_row++;
    }
    return 0;
}

static void reference_kernels_equal_the_golden(void **state)
{
    const char *name = *state;
    struct golden golden;
    struct error error = {0};
    struct model *model;
    char path[128];
    golden_read(&golden, name);
    snprintf(path, sizeof path, strcmp(name, "vaquita") == 0 ? "models/%s" : FOLDER "%s", name);
    struct model_options options = {.kernels = "reference", .kv_type = KV_F32};
    if (model_open(&model, path, &options, &error) != 0)
        fail_msg("%s", error.message);
    struct comparison comparison = {.golden = &golden};
    if (score_tokens(model, golden.tokens, golden.token_count, compare_row, &comparison, &error) !=
        0)
        fail_msg("%s", error.message);
    assert_int_equal(comparison.next_position, golden.position_count);
    assert_int_equal(comparison.next_row, golden.row_count);
    print_message("%-16s %5u tokens, worst difference %.1e at %zu\n", name, golden.token_count,
                  comparison.worst, comparison.worst_position);
    assert_true(comparison.worst < TOLERANCE);
    model_close(model);
    golden_free(&golden);
}

#define GOLDEN(name)                                                                               \
    cmocka_unit_test_prestate(reference_kernels_equal_the_golden, (void *)(uintptr_t)(name))

int main(void)
{
    const struct CMUnitTest tests[] = {
        GOLDEN("gptq-v1"),         GOLDEN("gptq-sym"),     GOLDEN("gptq-v2"),
        GOLDEN("gptq-group16"),    GOLDEN("gptq-group64"), GOLDEN("gptq-column"),
        GOLDEN("gptq-order-zero"), GOLDEN("gptq-bias"),    GOLDEN("gptq-zero-16"),
        GOLDEN("gptq-own-orders"), GOLDEN("gptq-gqa"),     GOLDEN("gptq-head-128"),
        GOLDEN("fp16-sharded"),    GOLDEN("bf16"),         GOLDEN("fp32"),
        GOLDEN("rope-none"),       GOLDEN("rope-linear"),  GOLDEN("rope-parts"),
        GOLDEN("rope-dynamic"),    GOLDEN("rope-yarn"),    GOLDEN("rope-llama3"),
        GOLDEN("vaquita"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
