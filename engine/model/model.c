#include "engine/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/model/backend_choice.h"
#include "engine/model/gptq.h"
#include "engine/model/model_plan.h"
#include "engine/model/rope.h"
#include "engine/model/safetensors.h"
#include "engine/model/weights.h"

/* One load: config -> plan -> backend -> upload. */
struct loading {
    struct model *model;
    const struct model_options *options;
    struct safetensors *set;
    uint64_t done, total; /* bytes of the file */
    struct error *error;
};

static int backend_failed(const struct loading *loading, const struct backend_error *reason)
{
    return backend_error_set(reason, loading->model->directory, loading->error);
}

static int advance(struct loading *loading, uint64_t bytes)
{
    const struct model_options *options = loading->options;
    loading->done += bytes;
    if (options->progress == NULL ||
        options->progress(options->user, loading->done, loading->total))
        return 0;
    return error_set(loading->error, ERROR_CANCELLED, "%s: loading was stopped",
                     loading->model->directory);
}

static struct weight_place place_of(const struct loading *loading, uint32_t layer)
{
    return (struct weight_place){loading->set, &loading->model->config, layer};
}

static int load_linear(struct loading *loading, uint32_t layer, enum linear_slot slot)
{
    struct model *model = loading->model;
    struct weight_place place = place_of(loading, layer);
    struct backend_linear linear;
    struct backend_error reason = {0};
    uint64_t bytes = 0;
    int32_t *order = NULL;
    if (weights_linear(&linear, &place, slot, &bytes, loading->error) != 0 ||
        weights_linear_contents(&linear, &place, slot, &order, loading->error) != 0)
        return -1;
    int result = model->ops->load_linear(model->backend, layer, slot, &linear, &reason);
    free(order);
    return result == 0 ? advance(loading, bytes) : backend_failed(loading, &reason);
}

static int load_norm(struct loading *loading, uint32_t layer, enum norm_slot slot)
{
    struct model *model = loading->model;
    struct weight_place place = place_of(loading, layer);
    struct backend_tensor weight;
    struct backend_error reason = {0};
    if (weights_norm(&weight, &place, slot, loading->error) != 0)
        return -1;
    if (model->ops->load_norm(model->backend, layer, slot, &weight, &reason) != 0)
        return backend_failed(loading, &reason);
    return advance(loading, backend_tensor_bytes(&weight));
}

static int load_table(struct loading *loading, enum table_slot slot)
{
    struct model *model = loading->model;
    struct weight_place place = place_of(loading, 0);
    struct backend_tensor weight;
    struct backend_error reason = {0};
    if (weights_table(&weight, &place, slot, loading->error) != 0)
        return -1;
    if (model->ops->load_table(model->backend, slot, &weight, &reason) != 0)
        return backend_failed(loading, &reason);
    bool shared = slot == TABLE_HEAD && model->config.tied_embeddings;
    return advance(loading, shared ? 0 : backend_tensor_bytes(&weight));
}

static int load_rope(struct loading *loading)
{
    struct model *model = loading->model;
    struct backend_error reason = {0};
    float *inv_freq = xcalloc(model->config.head_dim / 2, sizeof *inv_freq);
    rope_inv_freq(&model->config.rope, model->config.head_dim, model->context, inv_freq,
                  &model->rope_scale);
    int result = model->ops->load_rope(model->backend, inv_freq, model->rope_scale, &reason);
    free(inv_freq);
    return result == 0 ? 0 : backend_failed(loading, &reason);
}

static int load_layer(struct loading *loading, uint32_t layer)
{
    for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
        if (load_linear(loading, layer, (enum linear_slot)slot) != 0)
            return -1;
    }
    if (load_norm(loading, layer, NORM_ATTENTION) != 0)
        return -1;
    return load_norm(loading, layer, NORM_MLP);
}

static int load_weights(struct loading *loading)
{
    struct model *model = loading->model;
    struct backend_error reason = {0};
    loading->total = safetensors_bytes(loading->set);
    if (load_rope(loading) != 0 || load_table(loading, TABLE_EMBED) != 0)
        return -1;
    for (uint32_t layer = 0; layer < model->config.layers; layer++) {
        if (load_layer(loading, layer) != 0)
            return -1;
        /* A file cut short reads as zeros: no use in going on to its end. */
        if (safetensors_check(loading->set, loading->error) != 0)
            return -1;
        safetensors_drop(loading->set);
    }
    if (load_norm(loading, 0, NORM_FINAL) != 0 || load_table(loading, TABLE_HEAD) != 0 ||
        safetensors_check(loading->set, loading->error) != 0)
        return -1;
    if (model->ops->load_done(model->backend, &reason) != 0)
        return backend_failed(loading, &reason);
    return advance(loading, loading->total - loading->done); /* tensors that nobody needs */
}

/* The context in use: what was asked for, within what the model supports. */
static int choose_context(struct loading *loading)
{
    struct model *model = loading->model;
    const struct model_options *options = loading->options;
    const struct model_config *config = &model->config;
    char rule[96];
    model->context = options->context ? options->context : config->context;
    if (model->context > config->context)
        return error_set(loading->error, ERROR_INPUT,
                         "context = %u: the model supports %u tokens at most, by %s in %s/"
                         "config.json",
                         model->context, config->context,
                         rope_describe(&config->rope, config->context, rule), model->directory);
    if (options->chunk > CHUNK_MAX)
        return error_set(loading->error, ERROR_INPUT, "chunk = %u: must be at most %u",
                         options->chunk, CHUNK_MAX);
    if ((unsigned)options->kv_type > KV_AUTO)
        return error_set(loading->error, ERROR_INPUT, "kv_type = %u: must be f32, f16, q8 or q4",
                         (unsigned)options->kv_type);
    return 0;
}

/* Batch and key/value type in use: what was asked for, or what suits the backend. */
static void choose_sizes(struct model *model, const struct model_options *options)
{
    model->chunk = options->chunk ? options->chunk : model->ops->chunk;
    model->kv_type = options->kv_type == KV_AUTO ? model->ops->kv_type : options->kv_type;
    model_shape(&model->shape, &model->config, model->context, model->chunk);
}

static int open_tokenizer(struct loading *loading)
{
    struct model *model = loading->model;
    struct model_config *config = &model->config;
    if (tokenizer_open(&model->tokenizer, model->directory, config->vocab, loading->error) != 0)
        return -1;
    if (config->bos_id < 0)
        config->bos_id = tokenizer_bos(model->tokenizer);
    if (config->eos_id < 0)
        config->eos_id = tokenizer_eos(model->tokenizer);
    return 0;
}

/* Opens the backend, which allocates little before the weights come, and asks it whether they and
 * the cache will fit. */
static int open_backend(struct loading *loading)
{
    struct model *model = loading->model;
    const struct backend_options options = {loading->options->threads, loading->options->kernels,
                                            loading->options->device};
    struct plan_input input = {model->directory, loading->set,  &model->config, model->ops, NULL,
                               model->shape,     model->kv_type};
    struct model_plan plan;
    int result = plan_open_backend(&input, &options, loading->error);
    model->backend = input.backend;
    if (result != 0 || plan_measure(&plan, &input, loading->error) != 0)
        return -1;
    return plan_check(&plan, &input, loading->error);
}

static void close_backend(struct model *model)
{
    if (model->backend != NULL)
        model->ops->close(model->backend);
    model->backend = NULL;
}

/* The backend and all weights; with the device "auto" what the GPU cannot do the CPU may. */
static int load_backend(struct loading *loading)
{
    struct model *model = loading->model;
    char notice[NOTICE_BYTES];
    if (backend_choose(&model->ops, loading->options->device, notice, loading->error) != 0)
        return -1;
    if (notice[0] != '\0')
        model->notice = xstrdup(notice);
    choose_sizes(model, loading->options);
    if (open_backend(loading) == 0 && load_weights(loading) == 0)
        return 0;
    enum error_code code = loading->error->code;
    if (model->ops == backend_cpu() || !backend_choice_is_auto(loading->options->device) ||
        (code != ERROR_UNSUPPORTED && code != ERROR_MEMORY && code != ERROR_DEVICE))
        return -1;
    close_backend(model);
    free(model->notice);
    model->notice = xasprintf("the GPU is not used: %s", loading->error->message);
    model->ops = backend_cpu();
    choose_sizes(model, loading->options);
    loading->done = 0;
    return open_backend(loading) != 0 ? -1 : load_weights(loading);
}

static int load(struct loading *loading)
{
    struct model *model = loading->model;
    struct error *error = loading->error;
    if (backend_choice_check(loading->options->device, error) != 0 ||
        model_config_read(&model->config, model->directory, &loading->options->rope, error) != 0 ||
        choose_context(loading) != 0 ||
        safetensors_open(&loading->set, model->directory, error) != 0 ||
        gptq_infer(&model->config.quant, loading->set, error) != 0 ||
        weights_check(loading->set, &model->config, error) != 0 || open_tokenizer(loading) != 0)
        return -1;
    return load_backend(loading);
}

int model_open(struct model **out, const char *directory, const struct model_options *options,
               struct error *error)
{
    static const struct model_options defaults = {.kv_type = KV_AUTO};
    struct model *model = xcalloc(1, sizeof *model);
    struct error local = {0}; /* read here, too */
    model->directory = xstrdup(directory);
    options = options != NULL ? options : &defaults;
    model->device = options->device != NULL ? xstrdup(options->device) : NULL;
    model->kernels = options->kernels != NULL ? xstrdup(options->kernels) : NULL;
    model->threads = options->threads;
    struct loading loading = {model, options, NULL, 0, 0, &local};
    int result = load(&loading);
    safetensors_close(loading.set);
    if (result != 0) {
        model_close(model);
        if (error != NULL)
            *error = local;
        return -1;
    }
    *out = model;
    return 0;
}

/* On one backend, with the sizes that the model has. */
static int reload(struct model *model, const struct backend_ops *ops, model_progress_fn *progress,
                  void *user, struct error *error)
{
    const struct model_options options = {.device = model->device,
                                          .threads = model->threads,
                                          .kernels = model->kernels,
                                          .progress = progress,
                                          .user = user};
    struct loading loading = {model, &options, NULL, 0, 0, error};
    close_backend(model);
    model->ops = ops;
    int result = safetensors_open(&loading.set, model->directory, error);
    if (result == 0 && open_backend(&loading) == 0)
        result = load_weights(&loading);
    else
        result = -1;
    safetensors_close(loading.set);
    if (result != 0)
        close_backend(model);
    return result;
}

int model_reopen(struct model *model, model_progress_fn *progress, void *user, struct error *error)
{
    struct error first = {0};
    if (reload(model, model->ops, progress, user, &first) == 0)
        return 0;
    if (model->ops != backend_cpu() && first.code != ERROR_CANCELLED &&
        reload(model, backend_cpu(), progress, user, error) == 0)
        return 0;
    return error_set(error, first.code, "%s", first.message);
}

void model_close(struct model *model)
{
    if (model == NULL)
        return;
    close_backend(model);
    tokenizer_close(model->tokenizer);
    free(model->notice);
    free(model->device);
    free(model->kernels);
    free(model->directory);
    free(model);
}
