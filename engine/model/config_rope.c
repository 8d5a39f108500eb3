#include "engine/model/config_rope.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"

#define FACTOR_MAX   1024.0
#define THETA_MIN    2.0
#define THETA_MAX    1e12
#define ORIGINAL_KEY "original_max_position_embeddings"

/* The shortest context that any Llama was trained on; see resolve_linear. */
#define SHORTEST_TRAINED 2048

/* Indexed by enum rope_kind: our name and the one in rope_scaling. */
static const struct {
    const char *name, *type;
} kinds[] = {
    [ROPE_NONE] = {"none", "default"},
    [ROPE_LINEAR] = {"linear", "linear"},
    [ROPE_NTK_BY_PARTS] = {"ntk-by-parts", "ntk-by-parts"},
    [ROPE_DYNAMIC] = {"dynamic", "dynamic"},
    [ROPE_YARN] = {"yarn", "yarn"},
    [ROPE_LLAMA3] = {"llama3", "llama3"},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

const char *rope_kind_name(enum rope_kind kind)
{
    return kinds[kind].name;
}

static int read_kind(struct rope_config *rope, const struct fields *scaling, struct error *error)
{
    const char *key = field_present(scaling, "rope_type") ? "rope_type" : "type";
    const char *type = NULL;
    if (field_required(scaling, key, error) != 0 || field_string(scaling, key, &type, error) != 0)
        return -1;
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(type, kinds[i].type) == 0) {
            rope->kind = (enum rope_kind)i;
            return 0;
        }
    }
    return field_wrong(scaling, key, "default, linear, dynamic, yarn or llama3", error);
}

/* Fields of published rules that would change the table and that we do not compute. */
static int refuse_unsupported(const struct fields *scaling, struct error *error)
{
    static const char *const names[] = {"mscale", "mscale_all_dim", "alpha", "short_factor",
                                        "long_factor"};
    bool truncate = true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (field_present(scaling, names[i]))
            return error_set(error, ERROR_UNSUPPORTED, "%s: %s is not supported", scaling->source,
                             names[i]);
    }
    if (field_bool(scaling, "truncate", &truncate, error) != 0)
        return -1;
    return truncate ? 0 : field_wrong(scaling, "truncate", "true", error);
}

static int read_scaling(struct rope_config *rope, const struct fields *scaling, struct error *error)
{
    if (read_kind(rope, scaling, error) != 0 || refuse_unsupported(scaling, error) != 0)
        return -1;
    const struct {
        const char *name;
        double min, max, *out;
    } rules[] = {
        {"rope_theta", THETA_MIN, THETA_MAX, &rope->theta},
        {"factor", 1.0, FACTOR_MAX, &rope->factor},
        {"beta_fast", 1e-3, 1e6, &rope->beta_fast},
        {"beta_slow", 1e-3, 1e6, &rope->beta_slow},
        {"attention_factor", 1e-3, 1e3, &rope->attention_factor},
        {"low_freq_factor", 1e-3, 1e6, &rope->low_freq_factor},
        {"high_freq_factor", 1e-3, 1e6, &rope->high_freq_factor},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (field_number(scaling, rules[i].name, rules[i].min, rules[i].max, rules[i].out, error) !=
            0)
            return -1;
    }
    return field_uint(scaling, ORIGINAL_KEY, 1, POSITIONS_MAX, &rope->original_context, error);
}

/* The trigger of NTK-by-parts: the original length at the top level and no rule by name. */
static int read_by_parts(struct rope_config *rope, const struct fields *file, uint32_t original,
                         uint32_t max_positions, struct error *error)
{
    if (max_positions < original)
        return error_set(error, ERROR_INPUT,
                         "%s: max_position_embeddings is %u, less than " ORIGINAL_KEY " %u",
                         file->source, max_positions, original);
    rope->kind = ROPE_NTK_BY_PARTS;
    rope->original_context = original;
    rope->factor = (double)(max_positions / original); /* the author's patch divides integers */
    return 0;
}

int rope_config_read(struct rope_config *rope, const struct fields *file, uint32_t max_positions,
                     struct error *error)
{
    *rope = (struct rope_config){.theta = 10000.0};
    uint32_t original = 0;
    if (field_number(file, "rope_theta", THETA_MIN, THETA_MAX, &rope->theta, error) != 0 ||
        field_uint(file, ORIGINAL_KEY, 1, POSITIONS_MAX, &original, error) != 0)
        return -1;
    const char *key = field_present(file, "rope_parameters") ? "rope_parameters" : "rope_scaling";
    if (field_present(file, key)) {
        struct fields scaling = {json_object_get(file->object, key), NULL};
        if (!json_is_object(scaling.object))
            return field_wrong(file, key, "an object", error);
        char *source = xasprintf("%s: %s", file->source, key);
        scaling.source = source;
        int result = read_scaling(rope, &scaling, error);
        free(source);
        if (result != 0)
            return -1;
    }
    if (rope->kind == ROPE_NONE && original > 0)
        return read_by_parts(rope, file, original, max_positions, error);
    if (rope->original_context == 0)
        rope->original_context = original;
    return 0;
}

static int override_kind(struct rope_config *rope, const char *name, const char *source,
                         struct error *error)
{
    size_t kind = 0;
    while (kind < KINDS && strcmp(name, kinds[kind].name) != 0)
        kind++;
    if (kind == KINDS)
        return error_set(
            error, ERROR_INPUT,
            "rope = %.40s: must be none, linear, ntk-by-parts, dynamic, yarn or llama3", name);
    if (rope->kind != ROPE_NONE && rope->kind != (enum rope_kind)kind)
        return error_set(error, ERROR_INPUT, "rope = %s contradicts %s, which says %s", name,
                         source, rope_kind_name(rope->kind));
    rope->kind = (enum rope_kind)kind;
    return 0;
}

static int override_values(struct rope_config *rope, const struct rope_override *override,
                           const char *source, struct error *error)
{
    double factor = override->factor;
    if (factor != 0) {
        if (!(factor >= 1.0 && factor <= FACTOR_MAX))
            return error_set(error, ERROR_INPUT, "rope_factor = %g: must be from 1 to %g", factor,
                             FACTOR_MAX);
        if (rope->factor != 0 && rope->factor != factor)
            return error_set(error, ERROR_INPUT, "rope_factor = %g contradicts %s, which says %g",
                             factor, source, rope->factor);
        rope->factor = factor;
    }
    uint32_t original = override->original_context;
    if (original != 0) {
        if (original > POSITIONS_MAX)
            return error_set(error, ERROR_INPUT, "rope_original = %u: must be at most %u", original,
                             POSITIONS_MAX);
        if (rope->original_context != 0 && rope->original_context != original)
            return error_set(error, ERROR_INPUT, "rope_original = %u contradicts %s, which says %u",
                             original, source, rope->original_context);
        rope->original_context = original;
    }
    return 0;
}

int rope_config_override(struct rope_config *rope, const struct rope_override *override,
                         const char *source, struct error *error)
{
    if (override == NULL)
        return 0;
    if (override->kind != NULL && override_kind(rope, override->kind, source, error) != 0)
        return -1;
    if (rope->kind == ROPE_NONE && (override->factor != 0 || override->original_context != 0))
        return error_set(error, ERROR_INPUT,
                         "rope_factor and rope_original need a rule: %s has none, and rope is not "
                         "set (rope = linear, say)",
                         source);
    return override_values(rope, override, source, error);
}

/* Positions that a stretch of `original` by the factor covers. */
static uint32_t stretched(const struct rope_config *rope)
{
    double positions = floor((double)rope->original_context * rope->factor);
    return positions < POSITIONS_MAX ? (uint32_t)positions : POSITIONS_MAX;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t resolve_none(struct rope_config *rope, uint32_t max_positions)
{
    rope->factor = 1.0;
    rope->original_context = max_positions;
    return max_positions;
}

/*
 * Files disagree on whether max_position_embeddings counts the interpolation: the library's
 * documentation says to leave it at the trained length, many published checkpoints set it to the
 * scaled one. Without a stated original we take it as scaled where that leaves a plausible trained
 * length (nothing was trained on less than 2048), since the wrong guess the other way would run
 * the model far beyond what it knows. rope_original settles a doubtful case.
 */
static uint32_t resolve_linear(struct rope_config *rope, uint32_t max_positions)
{
    if (rope->original_context != 0)
        return larger(max_positions, stretched(rope));
    uint32_t unscaled = (uint32_t)((double)max_positions / rope->factor);
    rope->original_context = unscaled >= SHORTEST_TRAINED ? unscaled : max_positions;
    return unscaled >= SHORTEST_TRAINED ? max_positions : stretched(rope);
}

static uint32_t resolve_by_parts(struct rope_config *rope, uint32_t max_positions)
{
    if (rope->original_context == 0)
        rope->original_context = max_positions;
    return stretched(rope);
}

static uint32_t resolve_yarn(struct rope_config *rope, uint32_t max_positions)
{
    if (rope->original_context == 0)
        rope->original_context = max_positions;
    if (rope->beta_fast == 0)
        rope->beta_fast = 32.0;
    if (rope->beta_slow == 0)
        rope->beta_slow = 1.0;
    return larger(max_positions, stretched(rope));
}

static uint32_t resolve_llama3(struct rope_config *rope, uint32_t max_positions)
{
    if (rope->low_freq_factor == 0)
        rope->low_freq_factor = 1.0;
    if (rope->high_freq_factor == 0)
        rope->high_freq_factor = 4.0;
    return larger(max_positions, stretched(rope));
}

/* Indexed by enum rope_kind: each fills the defaults and returns the positions supported. */
static uint32_t (*const resolvers[])(struct rope_config *, uint32_t) = {
    [ROPE_NONE] = resolve_none,
    [ROPE_LINEAR] = resolve_linear,
    [ROPE_NTK_BY_PARTS] = resolve_by_parts,
    [ROPE_DYNAMIC] = resolve_by_parts, /* the same: the original is what the file was trained on */
    [ROPE_YARN] = resolve_yarn,
    [ROPE_LLAMA3] = resolve_llama3,
};

int rope_config_resolve(struct rope_config *rope, uint32_t max_positions, uint32_t *context,
                        const char *source, struct error *error)
{
    const char *name = rope_kind_name(rope->kind);
    /* YaRN files may leave the factor to be worked out from the two lengths. */
    if (rope->kind == ROPE_YARN && rope->factor == 0 && rope->original_context > 0 &&
        max_positions >= rope->original_context)
        rope->factor = (double)max_positions / (double)rope->original_context;
    if (rope->kind != ROPE_NONE && rope->factor == 0)
        return error_set(error, ERROR_INPUT, "%s: factor is missing, which rope %s needs", source,
                         name);
    if (rope->kind == ROPE_LLAMA3 && rope->original_context == 0)
        return error_set(error, ERROR_INPUT, "%s: " ORIGINAL_KEY " is missing, which rope %s needs",
                         source, name);
    *context = resolvers[rope->kind](rope, max_positions);
    if (rope->kind == ROPE_YARN && rope->beta_fast < rope->beta_slow)
        return error_set(error, ERROR_INPUT, "%s: beta_fast %g is less than beta_slow %g", source,
                         rope->beta_fast, rope->beta_slow);
    if (rope->kind == ROPE_LLAMA3 && rope->high_freq_factor <= rope->low_freq_factor)
        return error_set(error, ERROR_INPUT,
                         "%s: high_freq_factor %g is not more than low_freq_factor %g", source,
                         rope->high_freq_factor, rope->low_freq_factor);
    return 0;
}
