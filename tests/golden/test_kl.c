/*
 * How far fast kernels and smaller key/value types move the distribution over the next token from
 * that of the reference kernels with f32 keys and values: the mean of KL(reference || other) in
 * nats, over 4,000 tokens of Vaquita and over the tiny models in every weight format.
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

#define TEXT        "tests/golden/text.txt"
#define TOKENS      4000
#define TINY_TOKENS 48

/* Random weights 64 wide average less of the rounding away than a trained model does: up to 1.3e-3
 * was measured. */
#define TINY_LIMIT 5e-3

/* Log probabilities of every position: [count][vocab]. */
struct table {
    float *rows;
    uint32_t vocab;
    size_t count;
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

/* What another configuration gives, summed up row by row. */
struct divergence {
    const struct table *reference;
    double sum, worst;
};

static int add_row(void *user, size_t position, const float *logits, uint32_t vocab)
{
    struct divergence *divergence = user;
    const float *expected = divergence->reference->rows + position * vocab;
    double total = logits[0] - log_softmax_at(logits, vocab, 0), kl = 0;
    for (uint32_t i = 0; i < vocab; i++)
        kl += exp(expected[i]) * (expected[i] - (logits[i] - total));
    divergence->sum += kl;
    if (!(kl <= divergence->worst))
        divergence->worst = kl;
    return 0;
}

/* The tokens to run: of TEXT where the model is Vaquita, else any. */
static void make_tokens(const struct model *model, size_t count, bool text, struct token_list *out)
{
    struct strbuf bytes = {0};
    struct error error;
    if (text) {
        if (file_read(TEXT, 1 << 20, &bytes, &error) != 0)
            fail_msg("%s", error.message);
        token_list_add(out, tokenizer_bos(model->tokenizer));
        tokenizer_encode(model->tokenizer, bytes.data, bytes.length, true, out);
        assert_true(out->count >= count);
        out->count = count;
        strbuf_free(&bytes);
    }
    for (uint32_t i = 0; out->count < count; i++)
        token_list_add(out, (int32_t)(3 + (i * 2654435761u >> 8) % (model->shape.vocab - 3)));
}

struct setup {
    const char *directory, *kernels;
    enum kv_type kv_type;
    size_t count;
    bool text;
};

/* False when this CPU lacks the kernels. */
static bool run(const struct setup *setup, score_row row, void *user)
{
    struct model_options options = {
        .kernels = setup->kernels, .kv_type = setup->kv_type, .context = (uint32_t)setup->count};
    struct token_list tokens = {0};
    struct model *model;
    struct error error = {0};
    if (model_open(&model, setup->directory, &options, &error) != 0) {
        if (error.code == ERROR_UNSUPPORTED && strcmp(setup->kernels, "reference") != 0)
            return false;
        fail_msg("%s", error.message);
    }
    make_tokens(model, setup->count, setup->text, &tokens);
    if (score_tokens(model, tokens.ids, tokens.count, row, user, &error) != 0)
        fail_msg("%s", error.message);
    token_list_free(&tokens);
    model_close(model);
    return true;
}

/* False when it could not run here. */
static bool check(const struct table *reference, const struct setup *setup, double limit)
{
    struct divergence divergence = {.reference = reference};
    if (!run(setup, add_row, &divergence)) {
        print_message("%-40s %-9s not on this CPU\n", setup->directory, setup->kernels);
        return false;
    }
    double mean = divergence.sum / (double)setup->count;
    print_message("%-40s %-9s %-4s mean %.1e, worst %.1e\n", setup->directory, setup->kernels,
                  kv_type_name(setup->kv_type), mean, divergence.worst);
    assert_true(mean >= -1e-6);
    assert_true(mean <= limit);
    return true;
}

static const double limits[KV_TYPES] = {
    [KV_F32] = 1e-3, [KV_F16] = 1e-3, [KV_Q8] = 5e-3, [KV_Q4] = 4e-2};
static const char *const fast[] = {"avx2", "avx512"};

static void vaquita_stays_near_the_reference(void **state)
{
    (void)state;
    struct table reference = {.count = TOKENS};
    struct setup setup = {"models/vaquita", "reference", KV_F32, TOKENS, true};
    run(&setup, keep_row, &reference);
    bool any = false;
    for (size_t i = 0; i < sizeof fast / sizeof fast[0]; i++) {
        setup.kernels = fast[i];
        for (int type = 0; type < KV_TYPES; type++) {
            setup.kv_type = (enum kv_type)type;
            any |= check(&reference, &setup, limits[type]);
        }
    }
    for (int type = KV_Q8; !any && type <= KV_Q4; type++) {
        setup = (struct setup){"models/vaquita", "reference", (enum kv_type)type, TOKENS, true};
        check(&reference, &setup, limits[type]);
    }
    free(reference.rows);
}

static void every_weight_format_stays_near_the_reference(void **state)
{
    (void)state;
    static const char *const names[] = {
        "gptq-v1",         "gptq-sym",  "gptq-v2",      "gptq-group16",    "gptq-group64",
        "gptq-column",     "gptq-bias", "gptq-zero-16", "gptq-own-orders", "gptq-gqa",
        "gptq-order-zero", "bf16",      "fp32",         "gptq-head-128",   "fp16-sharded",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct table reference = {.count = TINY_TOKENS};
        char path[96];
        snprintf(path, sizeof path, "tests/golden/models/%s", names[i]);
        struct setup setup = {path, "reference", KV_F32, TINY_TOKENS, false};
        run(&setup, keep_row, &reference);
        for (size_t k = 0; k < sizeof fast / sizeof fast[0]; k++) {
            setup.kernels = fast[k];
            check(&reference, &setup, TINY_LIMIT);
        }
        free(reference.rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_weight_format_stays_near_the_reference),
        cmocka_unit_test(vaquita_stays_near_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
