#include "engine/infer/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/alloc.h"
#include "engine/infer/forward.h"
#include "engine/infer/kv_disk.h"
#include "engine/infer/scheduler.h"
#include "engine/infer/thread.h"

#define TEXT_INTERVAL_S  0.016
#define USAGE_INTERVAL_S 0.050
#define RESTORE_SLICE_S  0.020 /* of reading pages beside replies */

enum command_kind { COMMAND_START, COMMAND_CANCEL, COMMAND_QUIT };

struct command {
    enum command_kind kind;
    struct generation *generation; /* START: owned */
    uint64_t id;                   /* CANCEL */
    struct command *next;
};

struct worker {
    /* Shared. */
    pthread_mutex_t lock; /* guards commands */
    pthread_cond_t wake;
    struct command *commands, **last_command;
    atomic_bool interrupt; /* set with a cancel or quit, looked at by forward */
    struct event_queue *events;

    /* The engine thread's. */
    pthread_t thread;
    struct model *model;
    struct forward *forward; /* NULL: the backend is gone, and `lost` says why */
    struct kv_cache *cache;
    struct kv_disk *disk; /* NULL: nothing is kept; changed under the lock */
    struct kv_disk_options disk_options;
    char *disk_directory;
    struct error lost;
    struct scheduler *scheduler;
    struct generation *running; /* in order of arrival */
    uint64_t evaluated;
};

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* --- events up -------------------------------------------------------------------------------- */

static void fill_kv(const struct worker *worker, const struct generation *generation,
                    struct usage *usage)
{
    struct kv_usage kv;
    size_t count = 0, shared = 0;
    if (worker->cache == NULL)
        return;
    kv_cache_usage(worker->cache, &kv);
    if (generation->sequence != NULL) {
        const uint32_t *pages = sequence_pages(generation->sequence, &count);
        for (size_t i = 0; i < count; i++)
            shared += kv_cache_references(worker->cache, pages[i]) > 1;
    }
    usage->kv_used_bytes = count * kv.page_bytes;
    usage->kv_shared_bytes = shared * kv.page_bytes;
    usage->kv_free_bytes = (kv.pages - kv.held) * kv.page_bytes;
    usage->evaluated = worker->evaluated;
    usage->kv_disk_stopped = worker->disk != NULL && kv_disk_stopped(worker->disk);
}

static void send_usage(struct worker *worker, struct generation *generation, enum event_kind kind)
{
    struct event event = {.kind = kind, .generation = generation->id, .usage = generation->usage};
    fill_kv(worker, generation, &event.usage);
    event.reason = generation->reason;
    event.error = generation->error;
    event_queue_push(worker->events, &event);
}

/* What the reply has released since the last time. */
static void send_text(struct worker *worker, struct generation *generation)
{
    const struct strbuf *text = reply_text(generation->reply);
    const struct token_list *tokens = reply_tokens(generation->reply);
    if (text->length == 0 && tokens->count == 0)
        return;
    struct event event = {.kind = EVENT_TEXT, .generation = generation->id};
    struct strbuf copy = {0};
    strbuf_add(&copy, text->data, text->length);
    event.length = copy.length;
    event.text = strbuf_detach(&copy);
    token_list_append(&event.tokens, tokens->ids, tokens->count);
    event_queue_push(worker->events, &event);
    reply_clear(generation->reply);
}

static void send_due(struct worker *worker, struct generation *generation, double now)
{
    if (now - generation->text_sent >= TEXT_INTERVAL_S) {
        send_text(worker, generation);
        generation->text_sent = now;
    }
    if (now - generation->usage_sent >= USAGE_INTERVAL_S) {
        send_usage(worker, generation, EVENT_USAGE);
        generation->usage_sent = now;
    }
}

static void send_choices(struct worker *worker, struct generation *generation)
{
    struct event event = {.kind = EVENT_CHOICES,
                          .generation = generation->id,
                          .choices = generation->choices,
                          .choice_count = generation->choice_count};
    generation->choices = NULL;
    generation->choice_count = 0;
    event_queue_push(worker->events, &event);
}

static void send_end(struct worker *worker, struct generation *generation)
{
    send_text(worker, generation);
    if (generation->choice_count > 0)
        send_choices(worker, generation);
    send_usage(worker, generation, generation->error.code != ERROR_NONE ? EVENT_ERROR : EVENT_DONE);
}

/* --- commands down ---------------------------------------------------------------------------- */

static void send_command(struct worker *worker, enum command_kind kind,
                         struct generation *generation, uint64_t id)
{
    struct command *command = xcalloc(1, sizeof *command);
    *command = (struct command){kind, generation, id, NULL};
    pthread_mutex_lock(&worker->lock);
    *worker->last_command = command;
    worker->last_command = &command->next;
    if (kind != COMMAND_START)
        atomic_store(&worker->interrupt, true);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

static bool idle(const struct worker *worker)
{
    return worker->running == NULL && (worker->disk == NULL || !kv_disk_ready(worker->disk));
}

/* From the thread that writes to disk: it can take more. */
static void wake_up(void *user)
{
    struct worker *worker = user;
    pthread_mutex_lock(&worker->lock);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

/* All commands there are; waits for one when there is nothing else to do. */
static struct command *take_commands(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (worker->commands == NULL && idle(worker))
        pthread_cond_wait(&worker->wake, &worker->lock);
    struct command *commands = worker->commands;
    worker->commands = NULL;
    worker->last_command = &worker->commands;
    atomic_store(&worker->interrupt, false);
    pthread_mutex_unlock(&worker->lock);
    return commands;
}

static void add_running(struct worker *worker, struct generation *generation)
{
    struct generation **link = &worker->running;
    while (*link != NULL)
        link = &(*link)->next;
    *link = generation;
}

static void cancel_running(struct worker *worker, uint64_t id)
{
    for (struct generation *g = worker->running; g != NULL; g = g->next)
        if (g->id == id && g->state != GENERATION_OVER)
            generation_finish(g, STOP_CANCELLED);
}

/* False: quit. */
static bool obey(struct worker *worker, struct command *commands)
{
    bool going_on = true;
    while (commands != NULL) {
        struct command *command = commands;
        commands = command->next;
        if (command->kind == COMMAND_START)
            add_running(worker, command->generation);
        else if (command->kind == COMMAND_CANCEL)
            cancel_running(worker, command->id);
        else
            going_on = false;
        free(command);
    }
    return going_on;
}

/* --- one turn --------------------------------------------------------------------------------- */

static bool any_in(const struct worker *worker, enum generation_state state)
{
    for (const struct generation *g = worker->running; g != NULL; g = g->next)
        if (g->state == state)
            return true;
    return false;
}

/* Begins the prompt that has waited longest, when none is being read. One that finds no pages waits
 * on while other replies hold some. */
static void admit(struct worker *worker)
{
    if (any_in(worker, GENERATION_PREFILL) || any_in(worker, GENERATION_RESTORE))
        return;
    for (struct generation *g = worker->running; g != NULL; g = g->next) {
        if (g->state != GENERATION_WAITING)
            continue;
        send_text(worker, g); /* its forced beginning */
        if (generation_is_complete(g)) {
            generation_finish(g, STOP_LENGTH);
            continue;
        }
        if (generation_restore(g, worker->disk)) {
            send_usage(worker, g, EVENT_PROGRESS);
            return;
        }
        struct error error = {0};
        if (generation_begin(g, worker->cache, now_seconds(), &error) == 0) {
            send_usage(worker, g, EVENT_PROGRESS);
            return;
        }
        if (error.code == ERROR_MEMORY && any_in(worker, GENERATION_DECODE))
            return;
        generation_fail(g, &error);
    }
}

/* Some pages from disk for the prompt that waits for them; all there are when nothing else runs,
 * but never for long. */
static void restore_some(struct worker *worker)
{
    double began = now_seconds();
    struct generation *g = worker->running;
    while (g != NULL && g->state != GENERATION_RESTORE)
        g = g->next;
    if (g == NULL)
        return;
    bool more = true;
    while (more && !atomic_load(&worker->interrupt) && now_seconds() - began < RESTORE_SLICE_S)
        more = kv_restore_step(g->restore, &worker->interrupt);
    generation_restored(g);
    send_usage(worker, g, EVENT_PROGRESS);
    if (!more)
        g->state = GENERATION_WAITING;
}

/* What the head found, for rows that are taken one generation after the other. */
struct head_result {
    const float *logits; /* or NULL: */
    const struct backend_candidate *best;
    const uint32_t *counts;
    uint32_t limit, row; /* the next one to take */
};

static struct step_result step_of(const struct worker *worker, const struct schedule *schedule,
                                  const struct schedule_entry *entry, struct head_result *head)
{
    struct step_result step = {.evaluated = entry->count,
                               .rows = entry->heads,
                               .limit = head->limit,
                               .now = now_seconds(),
                               .cost = schedule->cost,
                               .plain_cost = schedule->plain_cost};
    if (head->logits != NULL) {
        step.logits = head->logits + (size_t)head->row * worker->model->shape.vocab;
    } else {
        step.best = head->best + (size_t)head->row * head->limit;
        step.counts = head->counts + head->row;
    }
    head->row += entry->heads;
    return step;
}

/* The batch has been evaluated: its tokens count, and those with logits get their next one. */
static void settle_batch(struct worker *worker, const struct schedule *schedule,
                         struct head_result *head)
{
    for (uint32_t i = 0; i < schedule->entry_count; i++) {
        const struct schedule_entry *entry = &schedule->entries[i];
        struct generation *g = entry->generation;
        struct step_result step = step_of(worker, schedule, entry, head);
        size_t before = sequence_done(g->sequence);
        bool reading = g->state == GENERATION_PREFILL;
        if (entry->heads == 0)
            sequence_advance(g->sequence, entry->count);
        if (reading) {
            generation_read(g, entry->count, step.now);
            send_usage(worker, g, EVENT_PROGRESS);
        }
        if (entry->heads > 0)
            generation_sample(g, &step);
        worker->evaluated += sequence_done(g->sequence) - before;
        if (entry->heads > 0 && g->state != GENERATION_OVER)
            send_due(worker, g, step.now);
    }
}

/* How many candidates of each row are enough for all; 0: whole rows are needed, or all there is. */
static uint32_t candidates_needed(const struct worker *worker, const struct schedule *schedule)
{
    uint32_t most = 0;
    if (!forward_has_best(worker->forward))
        return 0;
    for (uint32_t i = 0; i < schedule->entry_count; i++) {
        const struct schedule_entry *entry = &schedule->entries[i];
        uint32_t needed =
            entry->heads > 0 ? generation_candidates(entry->generation, entry->heads) : 1;
        if (needed == 0)
            return 0;
        most = needed > most ? needed : most;
    }
    return most;
}

static int run_head(struct worker *worker, const struct schedule *schedule,
                    struct head_result *head, struct error *error)
{
    *head = (struct head_result){0};
    if (schedule->row_count == 0)
        return 0;
    head->limit = candidates_needed(worker, schedule);
    if (head->limit == 0)
        return forward_head(worker->forward, schedule->rows, schedule->row_count, &head->logits,
                            error);
    return forward_head_best(worker->forward, schedule->rows, schedule->row_count, head->limit,
                             &head->best, &head->counts, error);
}

static void run_batch(struct worker *worker)
{
    if (worker->forward == NULL)
        return;
    const struct schedule *schedule = scheduler_next(worker->scheduler, worker->running);
    if (schedule->batch.n == 0)
        return;
    struct error error = {0};
    struct head_result head;
    double began = now_seconds();
    if (forward_layers(worker->forward, &schedule->batch, &worker->interrupt, &error) == 0 &&
        run_head(worker, schedule, &head, &error) == 0) {
        scheduler_measure(worker->scheduler, now_seconds() - began);
        settle_batch(worker, schedule, &head);
        return;
    }
    scheduler_abandon(worker->scheduler);
    for (uint32_t i = 0; error.code != ERROR_CANCELLED && i < schedule->entry_count; i++)
        generation_fail(schedule->entries[i].generation, &error);
}

static bool backend_lost(const struct worker *worker)
{
    const struct model *model = worker->model;
    return worker->forward != NULL && model->ops->lost != NULL && model->ops->lost(model->backend);
}

/* What it has evaluated is worth keeping, unless the backend failed. */
static void remember(struct worker *worker, const struct generation *generation)
{
    if (worker->disk == NULL || generation->sequence == NULL ||
        generation->error.code != ERROR_NONE)
        return;
    kv_disk_remember(worker->disk, sequence_tokens(generation->sequence, NULL),
                     sequence_done(generation->sequence),
                     scheduler_token_seconds(worker->scheduler));
}

/* Sends the last events of those that are over and frees them; their pages stay in the cache. */
static void collect(struct worker *worker)
{
    struct generation **link = &worker->running;
    while (*link != NULL) {
        struct generation *g = *link;
        if (g->state != GENERATION_OVER) {
            link = &g->next;
            continue;
        }
        remember(worker, g);
        send_end(worker, g);
        *link = g->next;
        generation_free(g);
    }
}

/* --- a lost device ---------------------------------------------------------------------------- */

static void set_disk(struct worker *worker, struct kv_disk *disk)
{
    pthread_mutex_lock(&worker->lock);
    struct kv_disk *before = worker->disk;
    worker->disk = disk;
    pthread_mutex_unlock(&worker->lock);
    kv_disk_close(before); /* its thread may be waiting for the lock */
}

static void open_disk(struct worker *worker)
{
    struct kv_disk *disk = NULL;
    if (worker->disk_options.cap_bytes > 0 &&
        kv_disk_open(&disk, &worker->disk_options, worker->model, worker->cache, wake_up, worker,
                     NULL) == 0)
        set_disk(worker, disk);
}

/* All that lies on the backend: buffers and pages. */
static int open_backend_things(struct worker *worker, struct error *error)
{
    const struct model *model = worker->model;
    if (forward_open(&worker->forward, model, error) != 0)
        return -1;
    return kv_cache_open(&worker->cache, model,
                         model_pool_pages(model->ops, &model->shape, model->kv_type), error);
}

static void close_backend_things(struct worker *worker)
{
    set_disk(worker, NULL);
    kv_cache_close(worker->cache);
    forward_close(worker->forward);
    worker->cache = NULL;
    worker->forward = NULL;
}

/* "": it is being loaded again. */
static void send_backend(struct worker *worker, const char *description)
{
    struct event event = {.kind = EVENT_BACKEND, .text = xstrdup(description)};
    event.length = strlen(event.text);
    event_queue_push(worker->events, &event);
}

/* Loading ends early when the program does. */
static bool goes_on(void *user, uint64_t done, uint64_t total)
{
    struct worker *worker = user;
    bool quitting = false;
    (void)done;
    (void)total;
    pthread_mutex_lock(&worker->lock);
    for (const struct command *command = worker->commands; command != NULL; command = command->next)
        quitting = quitting || command->kind == COMMAND_QUIT;
    pthread_mutex_unlock(&worker->lock);
    return !quitting;
}

/* Replies that hold pages end where they are; those that wait go on with the new backend. */
static void rebuild(struct worker *worker)
{
    struct model *model = worker->model;
    struct error error = {0};
    error_set(&error, ERROR_DEVICE, "%s backend: %s", model->ops->name,
              model->ops->last_error(model->backend));
    for (struct generation *g = worker->running; g != NULL; g = g->next)
        if (g->state != GENERATION_OVER && (g->state != GENERATION_WAITING || g->restore != NULL))
            generation_fail(g, &error);
    collect(worker);
    close_backend_things(worker);
    send_backend(worker, "");
    if (model_reopen(model, goes_on, worker, &error) == 0 &&
        open_backend_things(worker, &error) == 0) {
        open_disk(worker);
        send_backend(worker, model->ops->describe(model->backend));
        return;
    }
    close_backend_things(worker);
    error_set(&worker->lost, ERROR_DEVICE,
              "the backend is lost and does not come back (%.300s): start again, with --device cpu "
              "to do without a GPU",
              error.message);
}

/* Without a backend every reply ends as it begins. */
static void refuse_all(struct worker *worker)
{
    for (struct generation *g = worker->running; g != NULL; g = g->next)
        if (g->state != GENERATION_OVER)
            generation_fail(g, &worker->lost);
}

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    while (obey(worker, take_commands(worker))) {
        if (worker->forward == NULL)
            refuse_all(worker);
        collect(worker);
        restore_some(worker);
        admit(worker);
        run_batch(worker);
        collect(worker);
        if (worker->running == NULL && worker->disk != NULL)
            kv_disk_work(worker->disk);
        if (backend_lost(worker))
            rebuild(worker); /* at once: the next message finds it there */
    }
    return NULL;
}

/* --- open and close --------------------------------------------------------------------------- */

static void free_worker(struct worker *worker)
{
    for (struct generation *g = worker->running, *next; g != NULL; g = next) {
        next = g->next;
        generation_free(g);
    }
    for (struct command *c = worker->commands, *next; c != NULL; c = next) {
        next = c->next;
        generation_free(c->generation);
        free(c);
    }
    close_backend_things(worker);
    scheduler_free(worker->scheduler);
    free(worker->disk_directory);
    event_queue_close(worker->events);
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

int worker_open(struct worker **out, struct model *model, const struct kv_disk_options *disk,
                struct error *error)
{
    struct worker *worker = xcalloc(1, sizeof *worker);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    worker->last_command = &worker->commands;
    worker->model = model;
    worker->scheduler = scheduler_create(model);
    if (event_queue_open(&worker->events, error) != 0 || open_backend_things(worker, error) != 0) {
        free_worker(worker);
        return -1;
    }
    if (disk != NULL && disk->cap_bytes > 0) {
        worker->disk_options = *disk;
        worker->disk_options.directory = worker->disk_directory = xstrdup(disk->directory);
        open_disk(worker);
    }
    if (thread_start(&worker->thread, worker_run, worker, "engine", error) != 0) {
        free_worker(worker);
        return -1;
    }
    *out = worker;
    return 0;
}

void worker_close(struct worker *worker)
{
    if (worker == NULL)
        return;
    send_command(worker, COMMAND_QUIT, NULL, 0);
    pthread_join(worker->thread, NULL);
    free_worker(worker);
}

void worker_start(struct worker *worker, struct generation *generation)
{
    send_command(worker, COMMAND_START, generation, 0);
}

void worker_cancel(struct worker *worker, uint64_t id)
{
    send_command(worker, COMMAND_CANCEL, NULL, id);
}

uint64_t worker_unsaved_bytes(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    uint64_t bytes = worker->disk != NULL ? kv_disk_unsaved_bytes(worker->disk) : 0;
    pthread_mutex_unlock(&worker->lock);
    return bytes;
}

struct event_queue *worker_events(struct worker *worker)
{
    return worker->events;
}
