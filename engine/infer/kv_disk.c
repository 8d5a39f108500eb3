#include "engine/infer/kv_disk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/alloc.h"
#include "engine/infer/kv_store.h"
#include "engine/infer/thread.h"

#define JOBS_MAX      16
#define READ_BYTES_S  300e6 /* assumed of a disk until it has been measured */
#define GAIN          2.0   /* evaluating must take this many times as long as reading */
#define MEASURE_SHARE 0.3   /* of the newest measurement */

/* One sequence to be saved. */
struct job {
    int32_t *tokens;
    uint32_t pages, at; /* at: the first page that is not dealt with, a multiple of a block */
    uint64_t used_ns;
    struct job *next;
};

struct kv_disk {
    struct kv_store *store;
    struct kv_cache *cache;
    uint64_t page_bytes;
    uint32_t block_pages;
    double read_bytes_s;
    void (*wake)(void *user);
    void *user;

    /* The engine thread's. */
    struct job *jobs; /* in order of arrival */
    uint32_t filled;  /* pages of the first job's block that are in the buffer */

    /* The buffer and `block` are the engine thread's while `writing` is false, else the writer's.
     */
    unsigned char *buffer; /* [block_pages * page_bytes] */
    struct kv_block block; /* owns its tokens */
    atomic_bool writing;
    pthread_mutex_t lock; /* for waiting on `writing` and `closing` */
    pthread_cond_t handed;
    atomic_bool closing;
    pthread_t thread;

    atomic_uint jobs_waiting;
    atomic_bool no_room; /* the last block found none: its job ends */
    atomic_bool stopped;
    atomic_uint_fast64_t unsaved_bytes;
};

static uint64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* --- the writing thread ----------------------------------------------------------------------- */

static void write_block(struct kv_disk *disk)
{
    struct error error = {0};
    enum kv_written result = kv_store_write(disk->store, &disk->block, &disk->closing, &error);
    if (result == KV_NO_ROOM)
        atomic_store(&disk->no_room, true);
    if (result == KV_FAILED)
        atomic_store(&disk->stopped, true);
    atomic_fetch_sub(&disk->unsaved_bytes, disk->block.pages * disk->page_bytes);
}

static void *run_writer(void *argument)
{
    struct kv_disk *disk = argument;
    kv_store_trim(disk->store, &disk->closing);
    for (;;) {
        pthread_mutex_lock(&disk->lock);
        while (!atomic_load(&disk->writing) && !atomic_load(&disk->closing))
            pthread_cond_wait(&disk->handed, &disk->lock);
        pthread_mutex_unlock(&disk->lock);
        if (atomic_load(&disk->closing))
            return NULL;
        write_block(disk);
        atomic_store(&disk->writing, false);
        disk->wake(disk->user);
    }
}

static void tell_writer(struct kv_disk *disk, atomic_bool *flag)
{
    pthread_mutex_lock(&disk->lock);
    atomic_store(flag, true);
    pthread_cond_signal(&disk->handed);
    pthread_mutex_unlock(&disk->lock);
}

/* --- open and close --------------------------------------------------------------------------- */

static void free_disk(struct kv_disk *disk)
{
    while (disk->jobs != NULL) {
        struct job *job = disk->jobs;
        disk->jobs = job->next;
        free(job->tokens);
        free(job);
    }
    free((void *)(uintptr_t)disk->block.tokens);
    free(disk->buffer);
    kv_store_close(disk->store);
    pthread_cond_destroy(&disk->handed);
    pthread_mutex_destroy(&disk->lock);
    free(disk);
}

int kv_disk_open(struct kv_disk **out, const struct kv_disk_options *options,
                 const struct model *model, struct kv_cache *cache, void (*wake)(void *user),
                 void *user, struct error *error)
{
    struct kv_fingerprint fingerprint;
    if (kv_fingerprint_of(&fingerprint, model, error) != 0)
        return -1;
    struct kv_disk *disk = xcalloc(1, sizeof *disk);
    pthread_mutex_init(&disk->lock, NULL);
    pthread_cond_init(&disk->handed, NULL);
    disk->cache = cache;
    disk->wake = wake;
    disk->user = user;
    disk->page_bytes = kv_cache_page_bytes(cache);
    disk->read_bytes_s = options->read_bytes_s > 0 ? options->read_bytes_s : READ_BYTES_S;
    if (kv_store_open(&disk->store, options->directory, options->cap_bytes, disk->page_bytes,
                      &fingerprint, error) != 0 ||
        (disk->buffer = alloc_large(kv_store_block_pages(disk->store) * disk->page_bytes,
                                    "key/value pages to be saved", error)) == NULL ||
        thread_start(&disk->thread, run_writer, disk, "saving", error) != 0) {
        free_disk(disk);
        return -1;
    }
    disk->block_pages = kv_store_block_pages(disk->store);
    *out = disk;
    return 0;
}

void kv_disk_close(struct kv_disk *disk)
{
    if (disk == NULL)
        return;
    tell_writer(disk, &disk->closing);
    pthread_join(disk->thread, NULL);
    free_disk(disk);
}

/* --- saving ----------------------------------------------------------------------------------- */

static void count_off(struct kv_disk *disk, uint32_t pages)
{
    atomic_fetch_sub(&disk->unsaved_bytes, pages * disk->page_bytes);
}

/* Removes *link from the list; what it had left is not saved. */
static void drop_job(struct kv_disk *disk, struct job **link)
{
    struct job *job = *link;
    if (job == disk->jobs)
        disk->filled = 0;
    *link = job->next;
    count_off(disk, job->pages - job->at);
    atomic_fetch_sub(&disk->jobs_waiting, 1);
    free(job->tokens);
    free(job);
}

static bool pays(const struct kv_disk *disk, size_t count, double token_seconds)
{
    double page_seconds = token_seconds * KV_PAGE_TOKENS;
    double read_seconds = (double)disk->page_bytes / disk->read_bytes_s;
    return count >= KV_DISK_TOKENS_MIN &&
           (token_seconds <= 0 || page_seconds > GAIN * read_seconds);
}

/* A job that says the beginning of what the new one says is done with it; so is the oldest of too
 * many. */
static void drop_covered(struct kv_disk *disk, const struct job *new)
{
    size_t count = 0;
    for (struct job **link = &disk->jobs; *link != NULL;) {
        const struct job *job = *link;
        size_t bytes = (size_t)job->pages * KV_PAGE_TOKENS * sizeof *job->tokens;
        if (job->pages <= new->pages && memcmp(job->tokens, new->tokens, bytes) == 0) {
            drop_job(disk, link);
            continue;
        }
        count++;
        link = &(*link)->next;
    }
    if (count >= JOBS_MAX)
        drop_job(disk, &disk->jobs);
}

void kv_disk_remember(struct kv_disk *disk, const int32_t *tokens, size_t count,
                      double token_seconds)
{
    if (kv_disk_stopped(disk) || !pays(disk, count, token_seconds))
        return;
    struct job *job = xcalloc(1, sizeof *job), **link = &disk->jobs;
    job->pages = (uint32_t)(count / KV_PAGE_TOKENS);
    job->used_ns = wall_ns();
    size_t bytes = (size_t)job->pages * KV_PAGE_TOKENS * sizeof *tokens;
    job->tokens = xmalloc(bytes);
    memcpy(job->tokens, tokens, bytes);
    drop_covered(disk, job);
    while (*link != NULL)
        link = &(*link)->next;
    *link = job;
    atomic_fetch_add(&disk->unsaved_bytes, job->pages * disk->page_bytes);
    atomic_fetch_add(&disk->jobs_waiting, 1);
}

bool kv_disk_ready(const struct kv_disk *disk)
{
    return atomic_load(&disk->jobs_waiting) > 0 && !atomic_load(&disk->writing);
}

uint64_t kv_disk_unsaved_bytes(const struct kv_disk *disk)
{
    return atomic_load(&disk->unsaved_bytes);
}

bool kv_disk_stopped(const struct kv_disk *disk)
{
    return atomic_load(&disk->stopped);
}

/* The page with index `index` of the job, not retained; KV_NO_PAGE when it or one before has gone.
 */
static uint32_t find_page(struct kv_disk *disk, const struct job *job, uint32_t index)
{
    uint32_t page = KV_NO_PAGE;
    for (uint32_t i = 0; i <= index; i++) {
        page = kv_cache_find(disk->cache, page, job->tokens + (size_t)i * KV_PAGE_TOKENS);
        if (page == KV_NO_PAGE)
            return page;
        kv_cache_release(disk->cache, page);
    }
    return page;
}

/* The store has the job's next block already: it is used again, and the job goes on after it. */
static bool is_saved(struct kv_disk *disk, struct job *job, uint32_t pages)
{
    struct kv_file file;
    if (!kv_store_find(disk->store, job->tokens, job->at, job->at + pages, &file))
        return false;
    bool saved = file.end == job->at + pages;
    if (saved)
        kv_store_touch(disk->store, &file, job->used_ns);
    kv_file_close(&file);
    return saved;
}

static void hand_over(struct kv_disk *disk, struct job *job)
{
    size_t bytes = (size_t)(job->at + disk->filled) * KV_PAGE_TOKENS * sizeof(int32_t);
    int32_t *tokens = xmalloc(bytes);
    memcpy(tokens, job->tokens, bytes);
    free((void *)(uintptr_t)disk->block.tokens);
    disk->block = (struct kv_block){tokens, job->at, disk->filled, disk->buffer, job->used_ns};
    job->at += disk->filled;
    disk->filled = 0;
    tell_writer(disk, &disk->writing);
}

/* Copies the next page of the first job; false when the cache has lost it. */
static bool copy_next(struct kv_disk *disk, const struct job *job)
{
    uint32_t page = find_page(disk, job, job->at + disk->filled);
    if (page == KV_NO_PAGE ||
        kv_cache_export(disk->cache, page, disk->buffer + disk->filled * disk->page_bytes, NULL) !=
            0)
        return false;
    disk->filled++;
    return true;
}

void kv_disk_work(struct kv_disk *disk)
{
    struct job *job = disk->jobs;
    if (job == NULL || atomic_load(&disk->writing))
        return;
    bool no_room = atomic_exchange(&disk->no_room, false);
    if (no_room || kv_disk_stopped(disk) || job->at >= job->pages) {
        drop_job(disk, &disk->jobs);
        return;
    }
    uint32_t left = job->pages - job->at;
    uint32_t pages = left < disk->block_pages ? left : disk->block_pages;
    if (disk->filled == 0 && is_saved(disk, job, pages)) {
        job->at += pages;
        count_off(disk, pages);
        return;
    }
    if (!copy_next(disk, job)) {
        count_off(disk, left - disk->filled);
        job->pages = job->at + disk->filled;
        pages = disk->filled;
    }
    if (pages > 0 && disk->filled == pages)
        hand_over(disk, job);
}

/* --- bringing back ---------------------------------------------------------------------------- */

struct kv_restore {
    struct kv_disk *disk;
    const int32_t *tokens; /* [limit * KV_PAGE_TOKENS] */
    uint32_t limit;        /* whole pages of the prompt */
    uint32_t *pages;       /* [limit] held */
    uint32_t count, read;  /* of `pages`; of them, from disk */
    struct kv_file file;
    unsigned char *bytes; /* [page_bytes] */
    uint64_t used_ns;
};

static void hold_cached(struct kv_restore *restore)
{
    uint32_t page = KV_NO_PAGE;
    while (restore->count < restore->limit) {
        page = kv_cache_find(restore->disk->cache, page,
                             restore->tokens + (size_t)restore->count * KV_PAGE_TOKENS);
        if (page == KV_NO_PAGE)
            return;
        restore->pages[restore->count++] = page;
    }
}

/* The file that goes on from here; the one before was used. */
static bool next_file(struct kv_restore *restore)
{
    const struct kv_store *store = restore->disk->store;
    if (restore->file.fd >= 0)
        kv_store_touch(store, &restore->file, restore->used_ns);
    kv_file_close(&restore->file);
    return kv_store_find(store, restore->tokens, restore->count, restore->limit, &restore->file);
}

struct kv_restore *kv_disk_restore(struct kv_disk *disk, const int32_t *tokens, size_t count)
{
    if (count < KV_PAGE_TOKENS)
        return NULL;
    struct kv_restore *restore = xcalloc(1, sizeof *restore);
    restore->disk = disk;
    restore->tokens = tokens;
    restore->limit = (uint32_t)(count / KV_PAGE_TOKENS);
    restore->pages = xcalloc(restore->limit, sizeof *restore->pages);
    restore->file.fd = -1;
    restore->used_ns = wall_ns();
    hold_cached(restore);
    if (restore->count < restore->limit && next_file(restore) &&
        (restore->bytes = alloc_large(disk->page_bytes, "a key/value page", NULL)) != NULL)
        return restore;
    kv_restore_free(restore);
    return NULL;
}

/* Makes what was read a page of the pool; false when there is none to be had. */
static bool take_page(struct kv_restore *restore)
{
    struct kv_cache *cache = restore->disk->cache;
    uint32_t page = kv_cache_take(cache);
    if (page == KV_NO_PAGE)
        return false;
    if (kv_cache_import(cache, page, restore->bytes, NULL) != 0) {
        kv_cache_release(cache, page);
        return false;
    }
    uint32_t parent = restore->count > 0 ? restore->pages[restore->count - 1] : KV_NO_PAGE;
    const int32_t *ids = restore->tokens + (size_t)restore->count * KV_PAGE_TOKENS;
    restore->pages[restore->count++] = kv_cache_publish(cache, page, parent, ids, KV_PAGE_TOKENS);
    restore->read++;
    return true;
}

static void measure(struct kv_disk *disk, double seconds)
{
    if (seconds > 0)
        disk->read_bytes_s = (1 - MEASURE_SHARE) * disk->read_bytes_s +
                             MEASURE_SHARE * (double)disk->page_bytes / seconds;
}

bool kv_restore_step(struct kv_restore *restore, const atomic_bool *stop)
{
    struct kv_disk *disk = restore->disk;
    if (restore->count >= restore->limit ||
        (restore->count >= restore->file.end && !next_file(restore)))
        return false;
    double began = now_seconds();
    int result = kv_store_read(disk->store, &restore->file, restore->count, restore->bytes, stop);
    if (result != 0)
        return result > 0;
    measure(disk, now_seconds() - began);
    return take_page(restore) && restore->count < restore->limit;
}

size_t kv_restore_done(const struct kv_restore *restore)
{
    return (size_t)restore->count * KV_PAGE_TOKENS;
}

size_t kv_restore_read(const struct kv_restore *restore)
{
    return (size_t)restore->read * KV_PAGE_TOKENS;
}

void kv_restore_free(struct kv_restore *restore)
{
    if (restore == NULL)
        return;
    if (restore->file.fd >= 0)
        kv_store_touch(restore->disk->store, &restore->file, restore->used_ns);
    kv_file_close(&restore->file);
    while (restore->count > 0)
        kv_cache_release(restore->disk->cache, restore->pages[--restore->count]);
    free(restore->pages);
    free(restore->bytes);
    free(restore);
}
