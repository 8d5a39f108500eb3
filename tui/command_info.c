/* command_info.c - `airo info`: what a model is and what it needs, from its headers alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/model/model.h"
#include "engine/model/rope.h"
#include "tui/arguments.h"
#include "tui/command.h"
#include "tui/model_session.h"

#define CONTEXTS_MAX 16

/* How far each key/value type moves the distribution over the next token: mean KL divergence from
 * f32 and the reference kernels, on Vaquita over 4,000 tokens (tests/golden/test_kl). */
static const char *const kv_divergence[KV_TYPES] = {
    [KV_F32] = "3.5e-4", [KV_F16] = "3.1e-4", [KV_Q8] = "6.0e-4", [KV_Q4] = "3.2e-2"};

struct info {
    char *directory;
    struct model_config config;
    struct model_planner *planner;
};

static void print_field(const char *name, const char *value)
{
    printf("%-14s ", name);
    command_print(value, strlen(value));
    putchar('\n');
}

static void print_quantisation(const struct quant_config *quant)
{
    if (quant->kind == QUANT_NONE) {
        print_field("quantisation", "none");
        return;
    }
    char *group = quant->group_size > 0 ? xasprintf("group %u", quant->group_size)
                                        : xstrdup("one group a column");
    char *text = xasprintf(
        "GPTQ %u-bit, %s%s%s%s", quant->bits, group, quant->desc_act ? ", act-order" : "",
        quant->symmetric ? ", symmetric" : "", quant->zero_offset == 0 ? ", format gptq_v2" : "");
    print_field("quantisation", text);
    free(group);
    free(text);
}

static void print_config(const struct info *info)
{
    const struct model_config *config = &info->config;
    char rope[128];
    char *line = model_describe(info->directory, config);
    print_field("model", line);
    print_field("directory", info->directory);
    free(line);
    printf("%-14s %u layers, hidden %u, %u heads of %u, %u key/value heads, ffn %u\n", "shape",
           config->layers, config->hidden, config->heads, config->head_dim, config->kv_heads,
           config->ffn);
    printf("%-14s %u pieces, begin %d, end %d%s\n", "vocabulary", config->vocab, config->bos_id,
           config->eos_id, config->tied_embeddings ? ", embeddings tied" : "");
    printf("%-14s %u tokens\n", "context", config->context);
    print_field("rope", rope_describe(&config->rope, config->context, rope));
    printf("%-14s %.10g\n", "rope base", config->rope.theta);
    printf("%-14s %.10g\n", "rope factor", config->rope.factor);
    print_quantisation(&config->quant);
}

/* Powers of two up to the model's context, and that itself. */
static size_t contexts(uint32_t most, uint32_t *out)
{
    size_t count = 0;
    uint32_t context = 512;
    while (context < most / 16)
        context *= 2;
    for (; context < most && count < CONTEXTS_MAX - 1; context *= 2)
        out[count++] = context;
    out[count++] = most;
    return count;
}

/* One cell: "13.4 GiB *". */
static void print_cell(const struct info *info, uint32_t context, enum kv_type type)
{
    struct model_plan plan;
    char size[32];
    if (model_planner_plan(info->planner, context, type, &plan) == 0)
        printf("  %10s %c", format_bytes(plan.total_bytes, size),
               plan.total_bytes <= plan.available_bytes ? '*' : ' ');
}

static void print_row(const struct info *info, uint32_t context)
{
    printf("%9u", context);
    for (int type = 0; type < KV_TYPES; type++)
        print_cell(info, context, (enum kv_type)type);
    putchar('\n');
}

static bool offered(const struct info *info, enum kv_type type)
{
    struct model_plan plan;
    return model_planner_plan(info->planner, 0, type, &plan) == 0;
}

/* The longest context of this type that fits, in steps of a page. */
static uint32_t longest_context(const struct info *info, enum kv_type type)
{
    uint32_t low = 0, high = info->config.context / KV_PAGE_TOKENS;
    struct model_plan plan;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (model_planner_plan(info->planner, middle * KV_PAGE_TOKENS, type, &plan) == 0 &&
            plan.total_bytes <= plan.available_bytes)
            low = middle;
        else
            high = middle - 1;
    }
    return low * KV_PAGE_TOKENS;
}

static void print_device(const struct info *info)
{
    print_field("device", model_planner_device(info->planner));
    if (model_planner_notice(info->planner)[0] != '\0')
        print_field("", model_planner_notice(info->planner));
}

static int print_memory(const struct info *info)
{
    uint32_t list[CONTEXTS_MAX];
    char weights[32], scratch[32], available[32];
    struct model_plan plan;
    size_t count = contexts(info->config.context, list);
    if (model_planner_plan(info->planner, list[0], KV_AUTO, &plan) != 0)
        return -1;
    printf("%-14s %s, and %s to work in\n", "weights", format_bytes(plan.weight_bytes, weights),
           format_bytes(plan.scratch_bytes, scratch));
    printf("\nMemory in all, by context and key/value type; * fits in the %s available now\n\n",
           format_bytes(plan.available_bytes, available));
    printf("%9s", "context");
    for (int type = 0; type < KV_TYPES; type++)
        if (offered(info, (enum kv_type)type))
            printf("  %10s  ", kv_type_name((enum kv_type)type));
    putchar('\n');
    for (size_t i = 0; i < count; i++)
        print_row(info, list[i]);
    printf("%9s", "fits here");
    for (int type = 0; type < KV_TYPES; type++)
        if (offered(info, (enum kv_type)type))
            printf("  %10u  ", longest_context(info, (enum kv_type)type));
    printf("\n%9s", "mean KL");
    for (int type = 0; type < KV_TYPES; type++)
        if (offered(info, (enum kv_type)type))
            printf("  %10s  ", kv_divergence[type]);
    printf("\n\nMean KL: how far replies move from exact arithmetic, measured on Vaquita, 4000 "
           "tokens;\nmore on text unlike what it was trained on\n");
    return 0;
}

static int run(struct settings *settings, int argc, char **argv)
{
    struct info info = {0};
    struct rope_override override = settings_rope(settings);
    struct error error = {0};
    const char *value;
    int at = 1;
    arguments_next(argc, argv, &at, &value);
    if (argc - at > 1)
        return command_usage("info", "one MODEL at a time");
    info.directory = model_find(at < argc ? argv[at] : settings->model, &error);
    if (info.directory == NULL)
        return command_failed(&error);
    int result = model_config_read(&info.config, info.directory, &override, &error);
    if (result == 0) {
        print_config(&info);
        result = model_planner_open(&info.planner, info.directory, &info.config, settings->device,
                                    settings->chunk, &error);
    }
    if (result == 0) {
        print_device(&info);
        result = print_memory(&info);
    }
    model_planner_close(info.planner);
    free(info.directory);
    return result == 0 ? EXIT_OK : command_failed(&error);
}

const struct command command_info = {
    "info",
    "info [MODEL]",
    "configuration, RoPE rule and factor, quantisation, and the memory it needs",
    run,
};
