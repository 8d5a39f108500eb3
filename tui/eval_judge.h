/*
 * eval_judge.h - whether a reply to a generated case is right, and its source.
 */
#ifndef AIRO_TUI_EVAL_JUDGE_H
#define AIRO_TUI_EVAL_JUDGE_H

#include <stdbool.h>

#include "engine/eval/cases.h"
#include "tui/settings.h"

struct eval_verdict {
    bool right;    /* holds the answer (and not what is known instead); absent: declines */
    bool source;   /* names the whole metadata of the right block, and no more */
    bool declined; /* says that the documents do not say */
};

/* `markers` of the template, for what the prompt defused; may be NULL. */
struct eval_verdict eval_judge(const struct eval_case *test, const char *reply,
                               const char *const *markers);

/* With --verbose: the question, what was expected and the reply, on stderr. */
void eval_judge_note(const struct settings *settings, const struct eval_case *test,
                     const char *reply, const struct eval_verdict *verdict);

#endif
