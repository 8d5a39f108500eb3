/*
 * models.h - opening models for gpu_check: on the device that is checked or with the CPU's plain
 * kernels; and models of random weights, made once and removed at the end.
 */
#ifndef AIRO_TESTS_GPU_MODELS_H
#define AIRO_TESTS_GPU_MODELS_H

#include "engine/base/error.h"
#include "engine/model/model.h"
#include "tests/gpu/check.h"

struct setup {
    const char *directory;
    const char *device;  /* as airo's --device; "cpu" */
    const char *kernels; /* of the CPU: NULL, "reference" */
    enum kv_type kv_type;
    uint32_t context, chunk; /* 0: what suits the backend */
};

int setup_open(struct model **out, const struct setup *setup, struct error *error);

/* `count` ids of the text in tests/golden, again and again (vaquita), or arbitrary ordinary ones.
 */
void setup_tokens(const struct model *model, bool text, size_t count, int32_t *out);

/* What a made model looks like: the 13B's shape, with fewer layers or out of order. */
struct made_model {
    const char *name;
    uint32_t layers;
    bool act_order;
};
/* DIRECTORY/airo-check-NAME, made where it is missing; to be freed. NULL, and a row that says why,
 * where there is no room or no program to make it. */
char *made_model_path(struct check *check, const struct made_model *made);
void made_model_remove(const char *path);

#endif
