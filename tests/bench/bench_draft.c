/*
 * bench_draft.c - what drafts cost and what they bring, in one run:
 *
 *     bench_draft MODEL [CONTEXT [THREADS [CASES.jsonl [COUNT]]]]
 *
 * First the time of a step of 1 to 8 rows of one sequence after CONTEXT tokens, beside that of one
 * row. Then, with cases as `airo ask --cases` reads them, the first COUNT of them answered greedily
 * with drafts off and on: steps, tokens and time. Whatever is compared is measured by turns, and
 * the best time of ROUNDS counts, so that other work on the machine disturbs little.
 */
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/infer/draft.h"
#include "engine/infer/forward.h"
#include "engine/infer/kv_cache.h"
#include "tui/command_ask.h"

#define ROUNDS   7
#define ROWS_MAX 8

static int failed(const struct error *error)
{
    fprintf(stderr, "bench_draft: %s\n", error->message);
    return -1;
}

/* --- the cost of rows ------------------------------------------------------------------------- */

struct rows_bench {
    struct model *model;
    struct forward *forward;
    uint32_t context;
    unsigned threads;
    uint32_t *pages;
};

/* With one thread its processor time, which other work on the machine disturbs least. */
static double step_clock(const struct rows_bench *bench)
{
    struct timespec now;
    clock_gettime(bench->threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* One step of n rows after the context; its time, or -1. */
static double step(const struct rows_bench *bench, uint32_t first, uint32_t n, bool head)
{
    int32_t tokens[256];
    uint32_t positions[256], sequences[256] = {0}, rows[ROWS_MAX];
    const uint32_t *pages = bench->pages;
    const float *logits;
    for (uint32_t i = 0; i < n; i++) {
        tokens[i] = (int32_t)(3 + (first + i) * 7 % (bench->model->shape.vocab - 3));
        positions[i] = first + i;
    }
    for (uint32_t i = 0; i < ROWS_MAX; i++)
        rows[i] = i;
    struct backend_batch batch = {n, tokens, positions, sequences, &pages, 1};
    double began = step_clock(bench);
    if (forward_layers(bench->forward, &batch, NULL, NULL) != 0 ||
        (head && forward_head(bench->forward, rows, n, &logits, NULL) != 0))
        return -1;
    return step_clock(bench) - began;
}

static void time_rows(const struct rows_bench *bench)
{
    double best[ROWS_MAX + 1];
    for (uint32_t at = 0, some; at < bench->context; at += some) {
        some =
            bench->context - at < bench->model->chunk ? bench->context - at : bench->model->chunk;
        step(bench, at, some < 256 ? some : 256, false);
    }
    for (int round = 0; round < ROUNDS; round++)
        for (uint32_t n = 1; n <= ROWS_MAX; n++) {
            double took = step(bench, bench->context, n, true);
            best[n] = round == 0 || took < best[n] ? took : best[n];
        }
    printf("a step after %u tokens, in times of one row (%.2f ms):", bench->context, best[1] * 1e3);
    for (uint32_t n = 2; n <= ROWS_MAX; n++)
        printf(" %u: %.2f", n, best[n] / best[1]);
    printf("\n");
}

static int bench_rows(struct model *model, uint32_t context, unsigned threads)
{
    struct rows_bench bench = {.model = model, .context = context, .threads = threads};
    struct error error = {0};
    struct kv_cache *cache;
    uint32_t count = kv_pages_for(context + ROWS_MAX);
    if (forward_open(&bench.forward, model, &error) != 0 ||
        kv_cache_open(&cache, model, count, &error) != 0)
        return failed(&error);
    bench.pages = xcalloc(count, sizeof *bench.pages);
    for (uint32_t i = 0; i < count; i++)
        bench.pages[i] = i;
    time_rows(&bench);
    kv_cache_close(cache);
    forward_close(bench.forward);
    free(bench.pages);
    return 0;
}

/* --- answers ---------------------------------------------------------------------------------- */

static const struct mode {
    const char *name;
    int draft;
} modes[] = {{"off", DRAFT_OFF}, {"auto", DRAFT_AUTO}, {"3", 3}, {"7", DRAFT_MAX}};
#define MODES (sizeof modes / sizeof modes[0])

struct sums {
    uint64_t tokens, steps, drafted, accepted;
    double seconds;
};

struct answers {
    struct generator *generator;
    struct settings settings;
    struct chat_template *template;
    struct sums sums[MODES];
};

/* Runs one reply to its end and returns its usage. */
static int reply(struct answers *answers, const struct segment_list *prompt, int draft,
                 struct usage *usage, struct strbuf *text)
{
    struct generator *generator = answers->generator;
    struct generation_request request = {.segments = *prompt,
                                         .sampling = ask_sampling(&answers->settings),
                                         .max_tokens = 400,
                                         .stops = chat_template_stops(answers->template),
                                         .draft = draft};
    struct pollfd wait = {.fd = generator->ops->wake_fd(generator), .events = POLLIN};
    struct error error = {0};
    uint64_t id;
    while (request.stops[request.stop_count] != NULL)
        request.stop_count++;
    if (generator->ops->start(generator, &request, &id, &error) != 0)
        return failed(&error);
    for (int over = 0; !over;) {
        struct event event;
        poll(&wait, 1, -1);
        while (generator->ops->next(generator, &event) == 1) {
            if (event.kind == EVENT_TEXT)
                strbuf_add(text, event.text, event.length);
            over |= event.kind == EVENT_DONE || event.kind == EVENT_ERROR;
            *usage = event.usage;
            event_free(&event);
        }
    }
    return 0;
}

/* One prompt in all modes; the best time of each counts. */
static int answer(struct answers *answers, const struct segment_list *prompt)
{
    struct strbuf plain = {0};
    int result = 0;
    double best[MODES];
    for (int round = 0; round < ROUNDS && result == 0; round++) {
        for (size_t i = 0; i < MODES && result == 0; i++) {
            struct usage usage = {0};
            struct strbuf text = {0};
            struct sums *sums = &answers->sums[i];
            result = reply(answers, prompt, modes[i].draft, &usage, &text);
            if (round == 0 && i == 0)
                strbuf_add(&plain, text.data, text.length);
            if (strcmp(strbuf_text(&plain), strbuf_text(&text)) != 0)
                printf("drafts %s: ANOTHER REPLY\n", modes[i].name);
            strbuf_free(&text);
            if (round == 0 || usage.decode_seconds < best[i])
                best[i] = usage.decode_seconds;
            if (round < ROUNDS - 1)
                continue;
            sums->seconds += best[i];
            sums->tokens += usage.reply;
            sums->steps += usage.steps;
            sums->drafted += usage.drafted;
            sums->accepted += usage.accepted;
        }
    }
    strbuf_free(&plain);
    return result;
}

static int answer_case(struct answers *answers, json_t *test)
{
    struct document_list documents = {0};
    struct segment_list prompt = {0};
    struct error error = {0};
    size_t index;
    json_t *item, *value;
    const char *key;
    json_array_foreach(json_object_get(test, "documents"), index, item)
    {
        const char *text = json_string_value(json_object_get(item, "text"));
        document_add_text(&documents, "case", text, strlen(text));
        json_object_foreach(json_object_get(item, "meta"), key, value)
            document_set_pair(&documents.items[index], key, json_string_value(value), &error);
    }
    int result =
        ask_prompt(&prompt, answers->template,
                   answers->generator->ops->tokenizer(answers->generator), &answers->settings,
                   json_string_value(json_object_get(test, "question")), &documents, NULL, &error);
    result = result == 0 ? answer(answers, &prompt) : failed(&error);
    segment_list_free(&prompt);
    document_list_free(&documents);
    return result;
}

static void print_sums(const struct answers *answers, size_t cases)
{
    const struct sums *plain = &answers->sums[0];
    printf("%zu answers, %llu tokens\n", cases, (unsigned long long)plain->tokens);
    printf("%8s  %7s  %11s  %8s  %8s  %9s  %5s\n", "drafts", "steps", "tokens/step", "drafted",
           "accepted", "tokens/s", "times");
    for (size_t i = 0; i < MODES; i++) {
        const struct sums *s = &answers->sums[i];
        printf("%8s  %7llu  %11.2f  %8llu  %8llu  %9.1f  %5.2f\n", modes[i].name,
               (unsigned long long)s->steps, (double)s->tokens / (double)s->steps,
               (unsigned long long)s->drafted, (unsigned long long)s->accepted,
               (double)s->tokens / s->seconds, plain->seconds / s->seconds);
    }
}

/* Takes the model over. */
static int bench_answers(struct model *model, const char *path, size_t count)
{
    struct answers answers = {0};
    struct strbuf text = {0};
    struct error error = {0};
    size_t done = 0;
    settings_defaults(&answers.settings);
    if (file_read(path, 64u << 20, &text, &error) != 0 ||
        chat_template_open(&answers.template, answers.settings.template, &error) != 0 ||
        generator_local_open(&answers.generator, model, NULL, &error) != 0)
        return failed(&error);
    int result = 0;
    for (char *at = text.data, *end; result == 0 && done < count && *at != '\0'; at = end) {
        end = at + strcspn(at, "\n");
        json_t *test = json_loadb(at, (size_t)(end - at), 0, NULL);
        result = test != NULL ? answer_case(&answers, test) : -1;
        json_decref(test);
        end += *end == '\n';
        done++;
    }
    if (result == 0)
        print_sums(&answers, done);
    answers.generator->ops->free(answers.generator);
    chat_template_close(answers.template);
    settings_free(&answers.settings);
    strbuf_free(&text);
    return result;
}

int main(int argc, char **argv)
{
    struct model *model;
    struct error error = {0};
    uint32_t context = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 512;
    struct model_options options = {.context = context + 4096, .kv_type = KV_F16};
    options.threads = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    if (argc < 2) {
        fprintf(stderr, "usage: bench_draft MODEL [CONTEXT [THREADS [CASES [COUNT]]]]\n");
        return 2;
    }
    if (model_open(&model, argv[1], &options, &error) != 0) {
        failed(&error);
        return 1;
    }
    printf("%s, %s\n", argv[1], model->ops->describe(model->backend));
    int result = bench_rows(model, context, options.threads);
    if (result == 0 && argc > 4)
        result = bench_answers(model, argv[4], argc > 5 ? strtoul(argv[5], NULL, 10) : 100);
    else
        model_close(model);
    return result == 0 ? 0 : 1;
}
