#include "engine/model/model_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/model/backend_choice.h"
#include "engine/model/gptq.h"
#include "engine/model/rope.h"
#include "engine/model/weights.h"

/* A pool of several contexts is made only while it stays below this. */
#define POOL_BYTES_SMALL ((uint64_t)128 << 20)
#define POOL_CONTEXTS    4
#define POOL_SPARE_PAGES 4

/* Indexed by enum kv_type. */
static const char *const kv_names[KV_TYPES] = {
    [KV_F32] = "f32", [KV_F16] = "f16", [KV_Q8] = "q8", [KV_Q4] = "q4"};

const char *kv_type_name(enum kv_type type)
{
    return kv_names[type];
}

int kv_type_parse(const char *name, enum kv_type *type)
{
    *type = KV_AUTO;
    for (int i = 0; i < KV_TYPES; i++) {
        if (strcmp(name, kv_names[i]) == 0) {
            *type = (enum kv_type)i;
            return 0;
        }
    }
    return strcmp(name, "auto") == 0 ? 0 : -1;
}

int backend_error_set(const struct backend_error *from, const char *directory, struct error *error)
{
    static const enum error_code codes[] = {
        [BACKEND_OK] = ERROR_DEVICE,
        [BACKEND_NO_MEMORY] = ERROR_MEMORY,
        [BACKEND_UNSUPPORTED] = ERROR_UNSUPPORTED,
        [BACKEND_FAILED] = ERROR_DEVICE,
    };
    return error_set(error, codes[from->code], "%s%s%s", directory != NULL ? directory : "",
                     directory != NULL ? ": " : "", from->message);
}

void model_shape(struct backend_shape *shape, const struct model_config *config, uint32_t context,
                 uint32_t chunk)
{
    *shape = (struct backend_shape){
        .layers = config->layers,
        .hidden = config->hidden,
        .heads = config->heads,
        .kv_heads = config->kv_heads,
        .head_dim = config->head_dim,
        .ffn = config->ffn,
        .vocab = config->vocab,
        .norm_eps = config->norm_eps,
        .max_tokens = chunk,
        .max_head_rows = HEAD_ROWS,
        .max_positions = context,
        .page_tokens = KV_PAGE_TOKENS,
    };
}

static int layer_bytes(const struct plan_input *input, uint32_t layer, uint64_t *bytes,
                       struct error *error)
{
    struct weight_place place = {input->set, input->config, layer};
    for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
        struct backend_linear linear;
        if (weights_linear(&linear, &place, (enum linear_slot)slot, NULL, error) != 0)
            return -1;
        linear.g_idx = NULL; /* unread as yet; any order takes the same room */
        *bytes += input->ops->linear_bytes(input->backend, &linear);
    }
    *bytes += 2ull * input->config->hidden * sizeof(float);
    return 0;
}

static int weight_bytes(const struct plan_input *input, uint64_t *bytes, struct error *error)
{
    struct weight_place place = {input->set, input->config, 0};
    struct backend_tensor embed, head;
    if (weights_table(&embed, &place, TABLE_EMBED, error) != 0 ||
        weights_table(&head, &place, TABLE_HEAD, error) != 0)
        return -1;
    bool tied = head.data == embed.data;
    *bytes = input->ops->table_bytes(input->backend, TABLE_EMBED, &embed, false) +
             input->ops->table_bytes(input->backend, TABLE_HEAD, &head, tied);
    for (uint32_t layer = 0; layer < input->config->layers; layer++) {
        if (layer_bytes(input, layer, bytes, error) != 0)
            return -1;
    }
    return 0;
}

uint32_t model_pool_pages(const struct backend_ops *ops, const struct backend_shape *shape,
                          enum kv_type type)
{
    uint64_t context = ((uint64_t)shape->max_positions + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS;
    uint64_t bytes = context * ops->kv_page_bytes(shape, type);
    uint64_t contexts = bytes > 0 ? POOL_BYTES_SMALL / bytes : 1;
    contexts = contexts < 1 ? 1 : contexts > POOL_CONTEXTS ? POOL_CONTEXTS : contexts;
    return (uint32_t)(context * contexts + POOL_SPARE_PAGES);
}

uint64_t plan_kv_bytes(const struct plan_input *input, enum kv_type type, uint32_t context)
{
    struct backend_shape shape = input->shape;
    shape.max_positions = context;
    return model_pool_pages(input->ops, &shape, type) * input->ops->kv_page_bytes(&shape, type);
}

/* Activations, their quantised twins, and logits; the backend's own are of the same order, unless
 * it says them itself. */
static uint64_t scratch_bytes(const struct plan_input *input)
{
    const struct backend_shape *shape = &input->shape;
    if (input->ops->scratch_bytes != NULL)
        return input->ops->scratch_bytes(input->backend);
    uint64_t attention = (uint64_t)shape->head_dim * (2ull * shape->heads + 2ull * shape->kv_heads);
    uint64_t row = 3ull * shape->hidden + attention + 2ull * shape->ffn;
    uint64_t logits = (uint64_t)shape->max_head_rows * shape->vocab;
    return sizeof(float) * (shape->max_tokens * row + logits);
}

int plan_open_backend(struct plan_input *input, const struct backend_options *options,
                      struct error *error)
{
    struct backend_error reason = {0};
    if (input->ops->kv_page_bytes(&input->shape, input->kv_type) == 0)
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s keys and values are not offered on %s: choose another --kv-type, or "
                         "--device cpu",
                         kv_names[input->kv_type], input->ops->name);
    if (input->ops->open(&input->backend, &input->shape, options, &reason) == 0)
        return 0;
    input->backend = NULL;
    if (input->ops == backend_cpu())
        return backend_error_set(&reason, input->directory, error);
    if (backend_choice_is_auto(options->device))
        return backend_error_set(&reason, NULL, error);
    char named[96];
    snprintf(named, sizeof named, "device = %.80s", options->device);
    return backend_error_set(&reason, named, error);
}

int plan_measure(struct model_plan *plan, const struct plan_input *input, struct error *error)
{
    struct backend_memory memory = {0};
    struct model_plan found = {0};
    struct backend_error reason = {0};
    if (weight_bytes(input, &found.weight_bytes, error) != 0)
        return -1;
    found.kv_bytes = plan_kv_bytes(input, input->kv_type, input->shape.max_positions);
    found.total_bytes = found.weight_bytes + found.kv_bytes + scratch_bytes(input);
    if (input->ops->expect != NULL &&
        input->ops->expect(input->backend, found.total_bytes, &reason) != 0)
        return backend_error_set(&reason, input->directory, error);
    found.scratch_bytes = scratch_bytes(input); /* of all the devices there are now */
    found.total_bytes = found.weight_bytes + found.kv_bytes + found.scratch_bytes;
    input->ops->memory(input->backend, &memory);
    found.available_bytes = memory.free_bytes;
    *plan = found;
    return 0;
}

/* What to do about it: a smaller kind of cache, or else the largest round context. */
static void suggest(const struct model_plan *plan, const struct plan_input *input, char *out,
                    size_t size)
{
    uint64_t fixed = plan->weight_bytes + plan->scratch_bytes;
    uint64_t room = plan->available_bytes > fixed ? plan->available_bytes - fixed : 0;
    uint32_t context = input->shape.max_positions;
    for (int type = (int)input->kv_type + 1; type < KV_TYPES; type++) {
        if (plan_kv_bytes(input, (enum kv_type)type, context) > room)
            continue;
        snprintf(out, size, "fits with --kv-type %s", kv_names[type]);
        return;
    }
    enum kv_type smallest = KV_Q4;
    uint64_t page = input->ops->kv_page_bytes(&input->shape, smallest);
    uint64_t pages = page > 0 ? room / page : 0;
    uint64_t tokens = pages > POOL_SPARE_PAGES ? (pages - POOL_SPARE_PAGES) * KV_PAGE_TOKENS : 0;
    if (tokens >= 512)
        snprintf(out, size, "fits with --kv-type %s --context %llu", kv_names[smallest],
                 (unsigned long long)(tokens / 256 * 256));
    else
        snprintf(out, size,
                 "the weights alone do not leave room for a "
                 "conversation");
}

int plan_check(const struct model_plan *plan, const struct plan_input *input, struct error *error)
{
    if (plan->total_bytes <= plan->available_bytes)
        return 0;
    char total[32], weights[32], kv[32], work[32], available[32], advice[96];
    suggest(plan, input, advice, sizeof advice);
    return error_set(error, ERROR_MEMORY,
                     "%s: needs %s (%s of weights, %s for %u tokens of %s keys and values, %s to "
                     "work in), %s free; %s",
                     input->directory, format_bytes(plan->total_bytes, total),
                     format_bytes(plan->weight_bytes, weights), format_bytes(plan->kv_bytes, kv),
                     input->shape.max_positions, kv_names[input->kv_type],
                     format_bytes(plan->scratch_bytes, work),
                     format_bytes(plan->available_bytes, available), advice);
}

/* The directory's name is the model's; in the hub's cache it is three levels up. */
static char *display_name(const char *directory)
{
    const char *hub = strstr(directory, "/models--");
    char *copy = xstrdup(hub != NULL ? hub + strlen("/models--") : directory);
    size_t length = strcspn(copy, hub != NULL ? "/" : "");
    while (hub == NULL && length > 1 && copy[length - 1] == '/')
        length--;
    copy[length] = '\0';
    char *dashes = hub != NULL ? strstr(copy, "--") : NULL;
    char *name = xstrdup(dashes != NULL ? dashes + 2 : path_base(copy));
    free(copy);
    return name;
}

/* Files without settings are known by their tensors. */
static struct quant_config quant_of(const char *directory, const struct model_config *config)
{
    struct quant_config quant = config->quant;
    struct safetensors *set = NULL;
    if (quant.kind == QUANT_NONE && safetensors_open(&set, directory, NULL) == 0)
        gptq_infer(&quant, set, NULL);
    safetensors_close(set);
    return quant;
}

char *model_describe(const char *directory, const struct model_config *config)
{
    char rope[96], group[24] = "", quant[64] = "dense";
    const struct quant_config q = quant_of(directory, config);
    if (q.kind == QUANT_GPTQ) {
        if (q.group_size != 0)
            snprintf(group, sizeof group, " g%u", q.group_size);
        snprintf(quant, sizeof quant, "GPTQ %u-bit%s%s", q.bits, group,
                 q.desc_act ? " act-order" : "");
    }
    char *name = display_name(directory);
    char *line = xasprintf("%s: %u layers, %u hidden, %s, %s", name, config->layers, config->hidden,
                           quant, rope_describe(&config->rope, config->context, rope));
    free(name);
    return line;
}
