/*
 * model.h - disk -> one loaded model: configuration, tokenizer, RoPE table, and a backend that
 * holds the weights. Immutable after load but for the backend, which one thread (the engine's)
 * drives.
 */
#ifndef AIRO_MODEL_MODEL_H
#define AIRO_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/config.h"
#include "engine/model/tokenizer.h"
#include "kernels/backend.h"

#define KV_PAGE_TOKENS 32
#define KV_AUTO        KV_TYPES /* as a wish: what suits the backend */

typedef bool model_progress_fn(void *user, uint64_t done, uint64_t total);

struct model_options {
    uint32_t context; /* tokens; 0 = all that the model supports */
    enum kv_type kv_type;
    uint32_t chunk;      /* largest batch in tokens; 0 = what suits the backend */
    const char *device;  /* see backend_choice.h; NULL = "auto" */
    unsigned threads;    /* 0 = one per physical core */
    const char *kernels; /* NULL = the best the CPU has */
    struct rope_override rope;
    /* Called while weights are read, with bytes done and in all; may be NULL. Returns false to
     * stop the load (ERROR_CANCELLED). */
    model_progress_fn *progress;
    void *user;
};

struct model {
    char *directory;
    char *device, *kernels; /* as in the options, for model_reopen */
    unsigned threads;       /* likewise */
    char *notice;           /* why a GPU that is there is not used, or NULL */
    struct model_config config;
    struct tokenizer *tokenizer;
    const struct backend_ops *ops;
    struct backend *backend;
    struct backend_shape shape;
    uint32_t context; /* positions in use, <= config.context */
    uint32_t chunk;
    enum kv_type kv_type;
    float rope_scale;
};

/* What a model needs, in bytes, before anything is allocated. */
struct model_plan {
    uint64_t weight_bytes, kv_bytes, scratch_bytes, total_bytes;
    uint64_t available_bytes;
};

/* Loads everything; refuses with numbers before allocating what does not fit. The key/value pool
 * is planned for but created by kv_cache.h. With the device "auto" a GPU that cannot take the model
 * leaves it to the CPU, and `notice` says why. */
int model_open(struct model **out, const char *directory, const struct model_options *options,
               struct error *error);
void model_close(struct model *model);

/* Opens the backend again and loads the weights anew, after its device was lost; where that fails,
 * the CPU's. Sizes and key/value type stay, all pages and buffers are gone. On error, as when
 * `progress` stops it, the model has no backend. */
int model_reopen(struct model *model, model_progress_fn *progress, void *user, struct error *error);

/* For `airo info`: plans from headers only, for any context and key/value type. */
struct model_planner;
int model_planner_open(struct model_planner **out, const char *directory,
                       const struct model_config *config, const char *device, uint32_t chunk,
                       struct error *error);
void model_planner_close(struct model_planner *planner);
/* -1: the backend does not offer this type. context 0: all that the model supports. */
int model_planner_plan(const struct model_planner *planner, uint32_t context, enum kv_type kv_type,
                       struct model_plan *plan);
const char *model_planner_device(const struct model_planner *planner);
/* Why a GPU that is there is not used, or "". */
const char *model_planner_notice(const struct model_planner *planner);

/* Key/value pages that the engine makes for a model: one context of shape->max_positions and a few
 * to copy tails into; several contexts (at most four) while that stays small. Counted in the plan.
 */
uint32_t model_pool_pages(const struct backend_ops *ops, const struct backend_shape *shape,
                          enum kv_type type);

/* One line: "Vaquita: 4 layers, 256 hidden, GPTQ 4-bit g32 act-order, NTK-by-parts x4 (4096 ->
 * 16384)". To be freed. */
char *model_describe(const char *directory, const struct model_config *config);

/* MODEL as a user gives it -> a directory with a config.json: a path, or a name under the model
 * directories (models/ beside the program, PREFIX/share/airo/models, the XDG data directory's
 * models/, the hub cache). NULL names the default, vaquita. To be freed; NULL and an error that
 * lists where it looked. */
char *model_find(const char *name, struct error *error);

const char *kv_type_name(enum kv_type type);             /* "f32", "f16", "q8", "q4" */
int kv_type_parse(const char *name, enum kv_type *type); /* those or "auto"; 0 or -1 */

#endif
