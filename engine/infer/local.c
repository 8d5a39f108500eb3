/* The local generator: generator.h on top of the engine thread (worker.h). */
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/infer/counter.h"
#include "engine/infer/generation.h"
#include "engine/infer/generator.h"
#include "engine/infer/worker.h"

struct local {
    struct generator base;
    struct model
        *model; /* the tokenizer and the sizes are immutable, the backend is the worker's */
    struct worker *worker;
    struct counter *counter;
    uint64_t last_id;
    char *model_name, *backend_name;
};

static struct local *local_of(struct generator *generator)
{
    return (struct local *)generator;
}

static int local_count(struct generator *generator, const struct segment_list *segments,
                       size_t *parts, size_t *total, struct error *error)
{
    struct token_list tokens = {0};
    (void)error;
    segment_tokenize(segments, local_of(generator)->model->tokenizer, &tokens, parts);
    *total = tokens.count;
    token_list_free(&tokens);
    return 0;
}

static void local_count_later(struct generator *generator, struct segment_list *segments,
                              uint32_t slot, uint64_t *ticket)
{
    struct local *local = local_of(generator);
    *ticket = ++local->last_id;
    counter_add(local->counter, segments, slot, *ticket);
}

static int local_start(struct generator *generator, const struct generation_request *request,
                       uint64_t *id, struct error *error)
{
    struct local *local = local_of(generator);
    struct generation *generation;
    if (generation_create(&generation, local->model, request, error) != 0)
        return -1;
    generation->id = *id = ++local->last_id;
    worker_start(local->worker, generation);
    return 0;
}

static int local_next(struct generator *generator, struct event *event)
{
    struct local *local = local_of(generator);
    int result = event_queue_pop(worker_events(local->worker), event);
    if (result == 1 && event->kind == EVENT_BACKEND) {
        free(local->backend_name);
        local->backend_name = xstrdup(event->length > 0 ? event->text : "loading again");
    }
    return result;
}

static void local_cancel(struct generator *generator, uint64_t id)
{
    worker_cancel(local_of(generator)->worker, id);
}

static int local_wake_fd(struct generator *generator)
{
    return event_queue_fd(worker_events(local_of(generator)->worker));
}

static const struct tokenizer *local_tokenizer(struct generator *generator)
{
    return local_of(generator)->model->tokenizer;
}

static uint32_t local_context(struct generator *generator)
{
    return local_of(generator)->model->context;
}

static const char *local_model_name(struct generator *generator)
{
    return local_of(generator)->model_name;
}

static const char *local_backend_name(struct generator *generator)
{
    return local_of(generator)->backend_name;
}

static uint64_t local_unsaved_bytes(struct generator *generator)
{
    return worker_unsaved_bytes(local_of(generator)->worker);
}

static void local_free(struct generator *generator)
{
    struct local *local = local_of(generator);
    counter_close(local->counter);
    worker_close(local->worker);
    model_close(local->model);
    free(local->model_name);
    free(local->backend_name);
    free(local);
}

static const struct generator_ops local_ops = {
    .count = local_count,
    .count_later = local_count_later,
    .start = local_start,
    .next = local_next,
    .cancel = local_cancel,
    .wake_fd = local_wake_fd,
    .tokenizer = local_tokenizer,
    .context = local_context,
    .model_name = local_model_name,
    .backend_name = local_backend_name,
    .unsaved_bytes = local_unsaved_bytes,
    .free = local_free,
};

/* "models/vaquita/" -> "vaquita". */
static char *name_of(const char *directory)
{
    size_t end = strlen(directory);
    while (end > 1 && directory[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && directory[begin - 1] != '/')
        begin--;
    return xstrndup(directory + begin, end - begin);
}

int generator_local_open(struct generator **out, struct model *model,
                         const struct kv_disk_options *disk, struct error *error)
{
    struct local *local = xcalloc(1, sizeof *local);
    local->base.ops = &local_ops;
    local->model = model;
    local->model_name = name_of(model->directory != NULL ? model->directory : "");
    local->backend_name = xstrdup(model->ops->describe(model->backend));
    if (worker_open(&local->worker, model, disk, error) != 0 ||
        counter_open(&local->counter, model->tokenizer, worker_events(local->worker), error) != 0) {
        worker_close(local->worker);
        free(local->model_name);
        free(local->backend_name);
        free(local);
        return -1;
    }
    *out = &local->base;
    return 0;
}
