/* command_bench.c - `airo bench`: prefill and decode speed at given depths, with the bandwidth that
 * the backend measures in the same run beside them.
 *
 * A decoded token reads every weight once and all keys and values before it, so bytes a token times
 * tokens a second, over the measured bandwidth, says how near to the memory's limit decoding is. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/arguments.h"
#include "tui/command.h"
#include "tui/json_events.h"
#include "tui/model_session.h"

#define DEPTHS_MAX     16
#define FIRST_ORDINARY 3 /* the ids below are special in every Llama vocabulary */

struct bench {
    struct model_session session;
    const struct model *model; /* the generator's once it runs */
    uint32_t depths[DEPTHS_MAX];
    size_t depth_count;
    uint32_t prefill, decode;
    bool json;
    double bandwidth;      /* bytes a second, measured last */
    uint64_t weight_bytes; /* that one decode step reads */
    uint64_t kv_token_bytes;
    uint32_t vocab, context;
    json_t *rows;
};

struct speeds {
    uint32_t depth;
    double prefill, decode; /* tokens a second */
    double token_bytes, bandwidth, share;
};

/* --- arguments -------------------------------------------------------------------------------- */

/* "0,1024,4096" */
static int read_depths(struct bench *bench, const char *text)
{
    bench->depth_count = 0;
    while (bench->depth_count < DEPTHS_MAX) {
        char *end;
        if (*text < '0' || *text > '9')
            return -1;
        unsigned long depth = strtoul(text, &end, 10);
        if (depth > UINT32_MAX / 2 || (*end != ',' && *end != '\0'))
            return -1;
        bench->depths[bench->depth_count++] = (uint32_t)depth;
        if (*end == '\0')
            return 0;
        text = end + 1;
    }
    return -1;
}

static int read_options(struct bench *bench, int argc, char **argv, int *at)
{
    const struct option *option;
    const char *value;
    while ((option = arguments_next(argc, argv, at, &value)) != NULL) {
        if (strcmp(option->name, "depths") == 0 && read_depths(bench, value) != 0)
            return command_usage("bench", "--depths: expected at most %d numbers as in 0,1024",
                                 DEPTHS_MAX);
        if (strcmp(option->name, "prefill") == 0)
            bench->prefill = (uint32_t)strtoul(value, NULL, 10);
        if (strcmp(option->name, "decode") == 0)
            bench->decode = (uint32_t)strtoul(value, NULL, 10);
        bench->json |= strcmp(option->name, "json") == 0;
    }
    if (argc - *at > 1)
        return command_usage("bench", "one MODEL at a time");
    return EXIT_OK;
}

/* --- measuring -------------------------------------------------------------------------------- */

static void measure_machine(struct bench *bench)
{
    struct model *model = bench->session.model;
    struct backend_memory memory;
    model->ops->memory(model->backend, &memory);
    bench->model = model;
    bench->bandwidth = model->ops->measure_bandwidth(model->backend);
    bench->weight_bytes = memory.step_bytes;
    bench->kv_token_bytes =
        model->ops->kv_page_bytes(&model->shape, model->kv_type) / KV_PAGE_TOKENS;
    bench->vocab = model->config.vocab;
    bench->context = model->context;
}

/* The same arbitrary ordinary ids every time (a multiplicative walk). */
static void make_prompt(struct segment_list *out, uint32_t count, uint32_t vocab)
{
    struct token_list tokens = {0};
    uint64_t state = 88172645463325252u;
    for (uint32_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        token_list_add(&tokens,
                       (int32_t)(FIRST_ORDINARY + (state >> 33) % (vocab - FIRST_ORDINARY)));
    }
    segment_add_tokens(out, PART_DRAFT, -1, tokens.ids, tokens.count);
    token_list_free(&tokens);
}

static int run_prompt(struct bench *bench, uint32_t prompt, uint32_t reply, struct reply_end *end,
                      struct error *error)
{
    struct generation_request request = {
        .sampling = sampling_defaults(),
        .max_tokens = reply,
        .ignore_eos = true,
        .draft = DRAFT_OFF}; /* each token reads all weights: see the head of this file */
    request.sampling.temperature = 0;
    make_prompt(&request.segments, prompt, bench->vocab);
    int result = model_session_reply(&bench->session, &request, NULL, NULL, end, error);
    segment_list_free(&request.segments);
    if (result == 0 && bench->session.interrupted)
        result = error_set(error, ERROR_CANCELLED, "stopped");
    return result;
}

static int check_depths(const struct bench *bench, struct error *error)
{
    if (bench->vocab <= FIRST_ORDINARY)
        return error_set(error, ERROR_INPUT, "a vocabulary of %u leaves nothing to read",
                         bench->vocab);
    for (size_t i = 0; i < bench->depth_count; i++) {
        uint64_t need = (uint64_t)bench->depths[i] + bench->prefill + bench->decode;
        if (need > bench->context)
            return error_set(error, ERROR_INPUT,
                             "depth %u with %u + %u tokens needs a context of %llu; it holds %u",
                             bench->depths[i], bench->prefill, bench->decode,
                             (unsigned long long)need, bench->context);
    }
    return 0;
}

/* Beside the better of the bandwidths before and after: memory shared with other machines is not
 * equally fast all the time. The engine is idle here, its thread asleep. */
static void measure_share(struct bench *bench, struct speeds *speeds)
{
    double before = bench->bandwidth;
    bench->bandwidth = bench->model->ops->measure_bandwidth(bench->model->backend);
    speeds->bandwidth = before > bench->bandwidth ? before : bench->bandwidth;
    if (speeds->bandwidth > 0)
        speeds->share = speeds->decode * speeds->token_bytes / speeds->bandwidth;
}

/* First the depth alone, which stays in the cache; then depth + prefill tokens and a reply, of
 * which only what is new is evaluated and timed. */
static int measure_depth(struct bench *bench, uint32_t depth, struct speeds *out,
                         struct error *error)
{
    struct reply_end end;
    if (depth > 0 && run_prompt(bench, depth, 1, &end, error) != 0)
        return -1;
    if (run_prompt(bench, depth + bench->prefill, bench->decode, &end, error) != 0)
        return -1;
    const struct usage *usage = &end.usage;
    double middle = (double)usage->prompt + (double)usage->reply / 2;
    *out = (struct speeds){.depth = depth};
    if (usage->prefill_seconds > 0)
        out->prefill = (double)(usage->prompt - usage->prompt_reused) / usage->prefill_seconds;
    if (usage->decode_seconds > 0 && usage->reply > 1)
        out->decode = (double)(usage->reply - 1) / usage->decode_seconds;
    out->token_bytes = (double)bench->weight_bytes + (double)bench->kv_token_bytes * middle;
    measure_share(bench, out);
    return 0;
}

/* --- printing --------------------------------------------------------------------------------- */

static void print_row(struct bench *bench, const struct speeds *speeds)
{
    char bytes[32];
    if (bench->json) {
        json_array_append_new(bench->rows,
                              json_pack("{s:I, s:f, s:f, s:f, s:f, s:f}", "depth",
                                        (json_int_t)speeds->depth, "prefill_tokens_per_second",
                                        speeds->prefill, "decode_tokens_per_second", speeds->decode,
                                        "bytes_per_token", speeds->token_bytes,
                                        "bandwidth_bytes_per_second", speeds->bandwidth,
                                        "bandwidth_share", speeds->share));
        return;
    }
    printf("%8u  %11.1f  %11.2f  %12s  %9.1f  %6.1f%%\n", speeds->depth, speeds->prefill,
           speeds->decode, format_bytes((uint64_t)speeds->token_bytes, bytes),
           speeds->bandwidth / 1e9, 100 * speeds->share);
    fflush(stdout);
}

static void print_head(struct bench *bench)
{
    struct generator *generator = bench->session.generator;
    if (bench->json)
        return;
    printf("%s, %s\n\n", generator->ops->model_name(generator),
           generator->ops->backend_name(generator));
    printf("%8s  %11s  %11s  %12s  %9s  %7s\n", "depth", "prefill t/s", "decode t/s", "bytes/token",
           "read GB/s", "reached");
}

static void print_json(struct bench *bench)
{
    struct generator *generator = bench->session.generator;
    json_line_print(json_pack(
        "{s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:O}", "model", generator->ops->model_name(generator),
        "backend", generator->ops->backend_name(generator), "bandwidth_bytes_per_second",
        bench->bandwidth, "weight_bytes", (json_int_t)bench->weight_bytes, "kv_bytes_per_token",
        (json_int_t)bench->kv_token_bytes, "prefill_tokens", (json_int_t)bench->prefill,
        "decode_tokens", (json_int_t)bench->decode, "depths", bench->rows));
}

/* The session is open. */
static int measure(struct bench *bench, struct error *error)
{
    measure_machine(bench);
    if (check_depths(bench, error) != 0 || model_session_start(&bench->session, false, error) != 0)
        return -1;
    print_head(bench);
    for (size_t i = 0; i < bench->depth_count; i++) {
        struct speeds speeds = {0};
        if (measure_depth(bench, bench->depths[i], &speeds, error) != 0)
            return -1;
        print_row(bench, &speeds);
    }
    if (bench->json)
        print_json(bench);
    return 0;
}

static int run(struct settings *settings, int argc, char **argv)
{
    struct bench bench = {.depths = {0, 1024}, .depth_count = 2, .prefill = 128, .decode = 32};
    struct error error = {0};
    int at = 1;
    int status = read_options(&bench, argc, argv, &at);
    if (status != EXIT_OK)
        return status;
    if (model_session_open(&bench.session, settings, at < argc ? argv[at] : NULL, &error) != 0)
        return command_failed(&error);
    bench.rows = json_array();
    int result = measure(&bench, &error);
    json_decref(bench.rows);
    model_session_close(&bench.session);
    return result == 0 ? EXIT_OK : command_failed(&error);
}

const struct command command_bench = {
    "bench",
    "bench [--depths N,N,...] [--prefill N] [--decode N] [--json] [MODEL]",
    "prefill and decode speed at given depths, and the share of the memory's bandwidth",
    run,
};
