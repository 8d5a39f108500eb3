/* model_planner.c - a model's plans from its headers, for any context and key/value type. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/model/backend_choice.h"
#include "engine/model/gptq.h"
#include "engine/model/model_plan.h"
#include "engine/model/weights.h"

struct model_planner {
    char *directory;
    struct model_config config;
    struct plan_input input;
    struct model_plan plan; /* for input.shape and input.kv_type */
    char notice[NOTICE_BYTES];
};

static int measure(struct model_planner *planner, const char *device, uint32_t chunk,
                   struct error *error)
{
    struct plan_input *input = &planner->input;
    const struct backend_options options = {.device = device};
    input->kv_type = input->ops->kv_type;
    model_shape(&input->shape, input->config, input->config->context,
                chunk ? chunk : input->ops->chunk);
    if (plan_open_backend(input, &options, error) != 0)
        return -1;
    return plan_measure(&planner->plan, input, error);
}

static int open_on(struct model_planner *planner, const char *device, uint32_t chunk,
                   struct error *error)
{
    struct plan_input *input = &planner->input;
    if (backend_choose(&input->ops, device, planner->notice, error) != 0)
        return -1;
    if (measure(planner, device, chunk, error) == 0) {
        if (input->ops == backend_cpu() && backend_choice_is_auto(device) &&
            planner->notice[0] == '\0' && backend_choice_has_plugin())
            snprintf(planner->notice, sizeof planner->notice,
                     "CUDA is not used: there is no NVIDIA GPU, or no driver for it");
        return 0;
    }
    if (input->backend != NULL)
        input->ops->close(input->backend);
    input->backend = NULL;
    if (input->ops == backend_cpu() || !backend_choice_is_auto(device))
        return -1;
    snprintf(planner->notice, sizeof planner->notice, "the GPU is not used: %.480s",
             error->message);
    input->ops = backend_cpu();
    return measure(planner, device, chunk, error);
}

int model_planner_open(struct model_planner **out, const char *directory,
                       const struct model_config *config, const char *device, uint32_t chunk,
                       struct error *error)
{
    struct model_planner *planner = xcalloc(1, sizeof *planner);
    struct safetensors *set = NULL;
    struct error local = {0};
    planner->directory = xstrdup(directory);
    planner->config = *config;
    planner->input.directory = planner->directory;
    planner->input.config = &planner->config;
    int result = safetensors_open(&set, directory, &local);
    planner->input.set = set;
    if (result == 0 && (gptq_infer(&planner->config.quant, set, &local) != 0 ||
                        weights_check(set, &planner->config, &local) != 0 ||
                        open_on(planner, device, chunk, &local) != 0))
        result = -1;
    safetensors_close(set);
    planner->input.set = NULL;
    if (result == 0) {
        *out = planner;
        return 0;
    }
    model_planner_close(planner);
    if (error != NULL)
        *error = local;
    return -1;
}

void model_planner_close(struct model_planner *planner)
{
    if (planner == NULL)
        return;
    if (planner->input.backend != NULL)
        planner->input.ops->close(planner->input.backend);
    free(planner->directory);
    free(planner);
}

int model_planner_plan(const struct model_planner *planner, uint32_t context, enum kv_type kv_type,
                       struct model_plan *plan)
{
    const struct plan_input *input = &planner->input;
    enum kv_type type = kv_type == KV_AUTO ? input->ops->kv_type : kv_type;
    if (input->ops->kv_page_bytes(&input->shape, type) == 0)
        return -1;
    *plan = planner->plan;
    plan->kv_bytes = plan_kv_bytes(input, type, context ? context : input->shape.max_positions);
    plan->total_bytes = plan->weight_bytes + plan->kv_bytes + plan->scratch_bytes;
    return 0;
}

const char *model_planner_device(const struct model_planner *planner)
{
    return planner->input.ops->describe(planner->input.backend);
}

const char *model_planner_notice(const struct model_planner *planner)
{
    return planner->notice;
}
