/*
 * prompt_job.h - a prompt made ready for its pane by a thread of its own: a long one takes longer
 * than a frame.
 */
#ifndef AIRO_TUI_PROMPT_JOB_H
#define AIRO_TUI_PROMPT_JOB_H

#include "engine/base/error.h"
#include "tui/prompt_view.h"

struct prompt_job;

/* Takes the segments over; they are empty afterwards. `tokenizer` (may be NULL) must outlive the
 * job. NULL, with an error, when there is no thread to be had. */
struct prompt_job *prompt_job_start(struct segment_list *segments,
                                    const struct tokenizer *tokenizer, struct error *error);
bool prompt_job_is_done(struct prompt_job *job);
/* Waits for it; the view is the caller's. NULL for no job. */
struct prompt_view *prompt_job_finish(struct prompt_job *job);

#endif
