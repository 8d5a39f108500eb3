#include "tui/ask_fit.h"

#include "tui/progress.h"

#define TRIES 6

/* --- counting --------------------------------------------------------------------------------- */

/* The whole prompt, and what of it is documents (may be NULL). */
static int count_prompt(const struct ask_fit *fit, const struct document_list *documents,
                        size_t *total, size_t *of_documents, struct error *error)
{
    struct generator *generator = fit->session->generator;
    struct segment_list segments = {0};
    size_t parts[PARTS] = {0};
    int result = ask_prompt(&segments, fit->template, generator->ops->tokenizer(generator),
                            fit->settings, fit->question, documents, NULL, error);
    if (result == 0)
        result = generator->ops->count(generator, &segments, parts, total, error);
    if (of_documents != NULL)
        *of_documents = parts[PART_DOCUMENT];
    segment_list_free(&segments);
    return result;
}

struct counter {
    const struct ask_fit *fit;
    struct error error; /* the first */
};

static size_t count_block(void *user, const struct document *document)
{
    struct counter *counter = user;
    struct document one = *document;
    const struct document_list list = {&one, 1, 1};
    struct error error = {0};
    size_t total = 0, tokens = 0;
    if (count_prompt(counter->fit, &list, &total, &tokens, &error) != 0)
        counter->error = error;
    return tokens;
}

/* --- choosing --------------------------------------------------------------------------------- */

struct indexing {
    struct model_session *session;
    struct progress progress;
};

static bool show_progress(void *user, size_t done, size_t total)
{
    struct indexing *indexing = user;
    progress_show(&indexing->progress, "passages", done, total, NULL);
    return !model_session_interrupted(indexing->session);
}

/* Chooses within a budget; what the estimate of single blocks misses is taken off it and the choice
 * made again. */
static int choose(const struct ask_fit *fit, struct passages *passages, size_t budget, size_t room,
                  struct passages_choice *choice, struct error *error)
{
    for (int i = 0; i < TRIES; i++) {
        struct counter counter = {.fit = fit};
        size_t total = 0;
        if (passages_pick(passages, fit->question, budget, count_block, &counter, choice, error) !=
            0)
            return -1;
        if (counter.error.code != ERROR_NONE && error != NULL)
            *error = counter.error;
        if (counter.error.code != ERROR_NONE ||
            count_prompt(fit, &choice->documents, &total, NULL, error) != 0)
            break;
        if (total <= room)
            return 0;
        size_t over = total - room + 8;
        budget = budget > over ? budget - over : 0;
        passages_choice_free(choice);
        error_set(error, ERROR_INPUT, "the passages do not fit into %zu tokens", room);
    }
    passages_choice_free(choice);
    return -1;
}

static int find_passages(const struct ask_fit *fit, const struct document_list *documents,
                         size_t room, struct passages_choice *choice, struct error *error)
{
    const struct document_list none = {0};
    struct indexing indexing = {fit->session, progress_begin()};
    size_t frame = 0;
    struct passages *passages = passages_open(documents, show_progress, &indexing, error);
    progress_clear(&indexing.progress);
    if (passages == NULL)
        return -1;
    int result = count_prompt(fit, &none, &frame, NULL, error);
    size_t budget = room > frame ? room - frame : 0;
    if (fit->passage_tokens > 0 && fit->passage_tokens < budget)
        budget = fit->passage_tokens;
    if (result == 0)
        result = choose(fit, passages, budget, room, choice, error);
    passages_close(passages);
    return result;
}

/* --- fitting ---------------------------------------------------------------------------------- */

/* What the prompt may take: a quarter of the context at most is kept for the reply. */
static size_t room_for_prompt(const struct ask_fit *fit, size_t context)
{
    size_t reply = fit->settings->max_tokens;
    if (reply == 0 || reply > context / 4)
        reply = context / 4;
    return context - reply;
}

int ask_fit_documents(const struct ask_fit *fit, const struct document_list *documents,
                      struct passages_choice *choice, bool *chosen, struct error *error)
{
    struct generator *generator = fit->session->generator;
    size_t context = generator->ops->context(generator), total = 0, of_documents = 0;
    *choice = (struct passages_choice){0};
    *chosen = fit->passages_always;
    if (!fit->passages_always) {
        if (count_prompt(fit, documents, &total, &of_documents, error) != 0)
            return -1;
        if (total < context)
            return 0;
        if (!fit->passages_if_needed)
            return error_set(error, ERROR_INPUT,
                             "the prompt takes %zu tokens (%zu of them documents) and the context "
                             "holds %zu: give fewer documents, --fit passages for only what "
                             "matches the question, or a larger --context where the model has one",
                             total, of_documents, context);
        *chosen = true;
    }
    return find_passages(fit, documents, room_for_prompt(fit, context), choice, error);
}
