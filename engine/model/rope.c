#include "engine/model/rope.h"

#include <math.h>
#include <stdio.h>

#define PI_F 3.14159265358979323846f

/* What every rule starts from. */
struct table {
    const struct rope_config *rope;
    uint32_t dim;     /* head_dim; the table has dim / 2 entries */
    uint32_t context; /* positions in use */
    float *out;
};

static float clamp01(float value)
{
    return value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
}

/* base^(-2i/d): Su et al., RoFormer, arXiv:2104.09864. */
static void plain(const struct table *table, float base)
{
    for (uint32_t i = 0; i < table->dim / 2; i++)
        table->out[i] = 1.0f / powf(base, (float)(2 * i) / (float)table->dim);
}

/* The index whose wave makes `rotations` full turns over the original context. */
static float index_of(const struct table *table, float rotations)
{
    float base = (float)table->rope->theta;
    float length = (float)table->rope->original_context;
    return (float)table->dim * logf(length / (rotations * 2.0f * PI_F)) / (2.0f * logf(base));
}

struct ramp {
    float low, high;
};

/* From the index that makes `fast` turns to the one that makes `slow`, widened to whole indices. */
static struct ramp ramp_between(const struct table *table, float fast, float slow)
{
    struct ramp ramp = {fmaxf(floorf(index_of(table, fast)), 0.0f),
                        fminf(ceilf(index_of(table, slow)), (float)table->dim - 1.0f)};
    if (ramp.low == ramp.high)
        ramp.high += 0.001f;
    return ramp;
}

static float ramp_at(const struct ramp *ramp, uint32_t index)
{
    return clamp01(((float)index - ramp->low) / (ramp->high - ramp->low));
}

static float rule_none(const struct table *table)
{
    plain(table, (float)table->rope->theta);
    return 1.0f;
}

/* Position interpolation: Chen et al., arXiv:2306.15595. Dividing positions and dividing
 * frequencies is the same. */
static float rule_linear(const struct table *table)
{
    rule_none(table);
    for (uint32_t i = 0; i < table->dim / 2; i++)
        table->out[i] /= (float)table->rope->factor;
    return 1.0f;
}

/* The base under which the slowest wave is stretched by `factor`. */
static float ntk_base(const struct table *table, float factor)
{
    float dim = (float)table->dim;
    return (float)table->rope->theta * powf(factor, dim / (dim - 2.0f));
}

/*
 * NTK-by-parts as Airophin was trained with it (the author's patch to ExLlama and Transformers):
 * two ramps, from linear interpolation over NTK to the plain frequencies. Unlike YaRN's later form
 * it has an NTK part and no attention factor.
 */
static float rule_ntk_by_parts(const struct table *table)
{
    float factor = (float)table->rope->factor;
    float base = (float)table->rope->theta;
    float stretched = ntk_base(table, factor);
    struct ramp to_linear = ramp_between(table, 1.25f, 0.75f);
    struct ramp from_plain = ramp_between(table, 16.0f, 2.0f);
    for (uint32_t i = 0; i < table->dim / 2; i++) {
        float exponent = (float)(2 * i) / (float)table->dim;
        float unscaled = 1.0f / powf(base, exponent);
        float linear = unscaled / factor;
        float ntk = 1.0f / powf(stretched, exponent);
        float m1 = 1.0f - ramp_at(&to_linear, i);
        float m2 = 1.0f - ramp_at(&from_plain, i);
        float mixed = linear * (1.0f - m1) + ntk * m1;
        table->out[i] = mixed * (1.0f - m2) + unscaled * m2;
    }
    return 1.0f;
}

/*
 * Dynamic NTK (Transformers, _compute_dynamic_ntk_parameters), with the length taken as the
 * context chosen at load: the keys in the cache are rotated already, so a base that grew with the
 * conversation would disagree with them. Within the original context nothing is scaled.
 */
static float rule_dynamic(const struct table *table)
{
    float factor = (float)table->rope->factor;
    float original = (float)table->rope->original_context;
    float length = fmaxf((float)table->context, original);
    plain(table, ntk_base(table, factor * length / original - (factor - 1.0f)));
    return 1.0f;
}

/* YaRN: Peng et al., arXiv:2309.00071; Transformers, _compute_yarn_parameters. */
static float rule_yarn(const struct table *table)
{
    const struct rope_config *rope = table->rope;
    struct ramp ramp = ramp_between(table, (float)rope->beta_fast, (float)rope->beta_slow);
    rule_none(table);
    for (uint32_t i = 0; i < table->dim / 2; i++) {
        float keep = 1.0f - ramp_at(&ramp, i);
        float linear = table->out[i] / (float)rope->factor;
        table->out[i] = linear * (1.0f - keep) + table->out[i] * keep;
    }
    if (rope->attention_factor > 0)
        return (float)rope->attention_factor;
    return rope->factor > 1.0 ? 0.1f * logf((float)rope->factor) + 1.0f : 1.0f;
}

/* Llama 3.1: Transformers, _compute_llama3_parameters. Waves longer than original / low are
 * divided by the factor, those shorter than original / high are kept, between them it is mixed. */
static float rule_llama3(const struct table *table)
{
    const struct rope_config *rope = table->rope;
    float low = (float)rope->low_freq_factor, high = (float)rope->high_freq_factor;
    float original = (float)rope->original_context;
    rule_none(table);
    for (uint32_t i = 0; i < table->dim / 2; i++) {
        float turns = original * table->out[i] / (2.0f * PI_F);
        float keep = clamp01((turns - low) / (high - low));
        table->out[i] = (1.0f - keep) * table->out[i] / (float)rope->factor + keep * table->out[i];
    }
    return 1.0f;
}

/* Indexed by enum rope_kind. Each fills the table and returns what cos and sin are scaled by. */
static const struct {
    float (*fill)(const struct table *table);
    const char *title;
} rules[] = {
    [ROPE_NONE] = {rule_none, "unscaled RoPE"},
    [ROPE_LINEAR] = {rule_linear, "linear RoPE"},
    [ROPE_NTK_BY_PARTS] = {rule_ntk_by_parts, "NTK-by-parts"},
    [ROPE_DYNAMIC] = {rule_dynamic, "dynamic NTK"},
    [ROPE_YARN] = {rule_yarn, "YaRN"},
    [ROPE_LLAMA3] = {rule_llama3, "Llama 3 RoPE"},
};

void rope_inv_freq(const struct rope_config *rope, uint32_t head_dim, uint32_t context,
                   float *inv_freq, float *scale)
{
    struct table table = {rope, head_dim, context, inv_freq};
    *scale = rules[rope->kind].fill(&table);
}

char *rope_describe(const struct rope_config *rope, uint32_t context, char *out)
{
    const char *title = rules[rope->kind].title;
    if (rope->kind == ROPE_NONE)
        snprintf(out, 96, "%s (%u)", title, context);
    else
        snprintf(out, 96, "%s x%g (%u -> %u)", title, rope->factor, rope->original_context,
                 context);
    return out;
}
