#include "tui/prompt_job.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "engine/base/alloc.h"
#include "engine/infer/thread.h"

struct prompt_job {
    pthread_t thread;
    struct segment_list segments;
    const struct tokenizer *tokenizer;
    struct prompt_view *view;
    atomic_bool done;
};

static void *work(void *user)
{
    struct prompt_job *job = user;
    job->view = prompt_view_create(&job->segments, job->tokenizer);
    atomic_store(&job->done, true);
    return NULL;
}

struct prompt_job *prompt_job_start(struct segment_list *segments,
                                    const struct tokenizer *tokenizer, struct error *error)
{
    struct prompt_job *job = xcalloc(1, sizeof *job);
    job->segments = *segments;
    job->tokenizer = tokenizer;
    *segments = (struct segment_list){0};
    atomic_init(&job->done, false);
    if (thread_start(&job->thread, work, job, "prompt", error) == 0)
        return job;
    segment_list_free(&job->segments);
    free(job);
    return NULL;
}

bool prompt_job_is_done(struct prompt_job *job)
{
    return atomic_load(&job->done);
}

struct prompt_view *prompt_job_finish(struct prompt_job *job)
{
    if (job == NULL)
        return NULL;
    pthread_join(job->thread, NULL);
    struct prompt_view *view = job->view;
    segment_list_free(&job->segments);
    free(job);
    return view;
}
