#include "engine/chat/prompt_fit.h"

struct fit {
    const struct prompt_source *source;
    struct prompt_style *style;
    size_t budget;
    prompt_count count;
    void *user;
    struct error *error;
    size_t tokens; /* of the last prompt that was counted */
};

static int measure(struct fit *fit)
{
    const struct prompt_source *source = fit->source;
    struct segment_list segments = {0};
    int result = prompt_build(&segments, source->template, source->tokenizer, source->conversation,
                              source->draft, source->documents, fit->style, NULL, fit->error);
    if (result == 0)
        result = fit->count(fit->user, &segments, &fit->tokens, fit->error);
    segment_list_free(&segments);
    return result;
}

/* 1: fits; 0: does not; -1: an error. */
static int fits_with(struct fit *fit, size_t *what, size_t value)
{
    *what = value;
    if (measure(fit) != 0)
        return -1;
    return fit->tokens <= fit->budget;
}

/* The least *what in (low, high] that fits, low being known not to fit and high to fit. */
static int search(struct fit *fit, size_t *what, size_t low, size_t high)
{
    size_t tokens = fit->tokens;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        int fits = fits_with(fit, what, middle);
        if (fits < 0)
            return -1;
        if (fits > 0) {
            high = middle;
            tokens = fit->tokens;
        } else {
            low = middle;
        }
    }
    *what = high;
    fit->tokens = tokens;
    return 0;
}

/* 1: fits with some of 0..most left out, the least of which is set; 0: not even with `most`. */
static int leave_out(struct fit *fit, size_t *what, size_t most)
{
    int fits = most > 0 ? fits_with(fit, what, most) : 0;
    if (fits <= 0)
        return fits;
    return search(fit, what, 0, most) == 0 ? 1 : -1;
}

static size_t most_turns(const struct prompt_source *source)
{
    size_t turns = source->conversation != NULL ? prompt_turns(source->conversation) : 0;
    return source->draft == NULL && turns > 0 ? turns - 1 : turns;
}

int prompt_fit(const struct prompt_source *source, struct prompt_style *style, size_t budget,
               prompt_count count, void *user, size_t *tokens, struct error *error)
{
    struct fit fit = {source, style, budget, count, user, error, 0};
    style->skip_examples = 0;
    int fits = fits_with(&fit, &style->skip_turns, 0);
    if (fits == 0)
        fits = leave_out(&fit, &style->skip_examples,
                         style->scene != NULL ? scene_example_count(style->scene) : 0);
    if (fits == 0)
        fits = leave_out(&fit, &style->skip_turns, most_turns(source));
    if (fits < 0)
        return -1;
    if (tokens != NULL)
        *tokens = fit.tokens;
    if (fits > 0)
        return 0;
    return error_set(error, ERROR_INPUT,
                     "the prompt needs %zu tokens even with only its last turn; there is room for "
                     "%zu",
                     fit.tokens, budget);
}
