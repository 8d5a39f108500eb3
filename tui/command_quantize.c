/* command_quantize.c - `airo quantize`: a checkpoint in 16 or 32 bits -> GPTQ 4-bit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/quant/quantize.h"
#include "tui/arguments.h"
#include "tui/command.h"
#include "tui/model_session.h"

#define SHARD_BYTES ((uint64_t)4 << 30)

static bool show_progress(void *user, const struct quantize_progress *progress)
{
    struct model_session *session = user;
    progress_show(&session->progress, progress->what, progress->done, progress->total, NULL);
    return !model_session_interrupted(session);
}

/* With --verbose, or where somebody watches, a line for each linear layer. */
static void show_result(void *user, const struct quantize_result *result)
{
    struct model_session *session = user;
    if (!session->settings->verbose)
        return;
    uint64_t begun = session->progress.begun_ms;
    progress_clear(&session->progress);
    session->progress.begun_ms = begun;
    command_note("%s: error %.2f%%, by rounding alone %.2f%%", result->name, 100 * result->error,
                 100 * result->rounding);
}

static void show_notice(void *user, const char *line)
{
    struct model_session *session = user;
    uint64_t begun = session->progress.begun_ms;
    progress_clear(&session->progress);
    session->progress.begun_ms = begun;
    command_note("%s", line);
}

static void take_option(struct quantize_options *options, const char *name, const char *value)
{
    const struct {
        const char *name;
        uint32_t *number;
    } numbers[] = {{"group-size", &options->gptq.group_size},
                   {"samples", &options->samples},
                   {"length", &options->length}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(name, numbers[i].name) == 0)
            *numbers[i].number = (uint32_t)strtoul(value, NULL, 10);
    if (strcmp(name, "calibration") == 0)
        options->calibration = value;
    if (strcmp(name, "damp") == 0)
        options->gptq.damp = strtod(value, NULL);
    if (strcmp(name, "shard-size") == 0)
        size_parse(value, &options->shard_bytes);
    if (strcmp(name, "no-search") == 0)
        options->gptq.rule = GROUP_MIN_MAX;
    options->gptq.act_order &= strcmp(name, "no-act-order") != 0;
    options->gptq.static_groups |= strcmp(name, "static-groups") == 0;
    options->gptq.symmetric |= strcmp(name, "sym") == 0;
}

static int read_options(struct quantize_options *options, int argc, char **argv)
{
    const struct option *option;
    const char *value;
    int at = 1;
    while ((option = arguments_next(argc, argv, &at, &value)) != NULL)
        take_option(options, option->name, value);
    if (argc - at != 2)
        return command_usage("quantize", "expected CHECKPOINT and OUT");
    if (options->calibration == NULL)
        return command_usage("quantize", "--calibration FILE is needed: text of the kind that the "
                                         "model will be used on");
    if (options->gptq.group_size % 8 != 0)
        return command_usage("quantize", "--group-size %u: must be a multiple of 8, or 0",
                             options->gptq.group_size);
    options->out = argv[at + 1];
    return EXIT_OK;
}

static void print_report(const struct quantize_options *options,
                         const struct quantize_report *report)
{
    char before[32], after[32];
    struct strbuf line = {0};
    strbuf_printf(&line,
                  "%s: %u layers, %s -> %s, on %u samples of %u tokens; error of a layer's output "
                  "%.2f%%, by rounding alone %.2f%%; linear algebra: %s\n",
                  options->out, report->layers, format_bytes(report->bytes_before, before),
                  format_bytes(report->bytes_after, after), report->samples, report->length,
                  100 * report->error, 100 * report->rounding, report->algebra);
    command_print(line.data, line.length);
    strbuf_free(&line);
}

static int run(struct settings *settings, int argc, char **argv)
{
    struct model_session session;
    struct quantize_report report;
    struct error error = {0};
    struct quantize_options options = {
        .gptq = {.group_size = 32, .act_order = true, .rule = GROUP_SEARCH, .damp = 0.01},
        .samples = 128,
        .shard_bytes = SHARD_BYTES,
        .threads = settings->threads,
        .kernels = settings->kernels,
        .device = settings->device,
        .rope = settings_rope(settings),
        .progress = show_progress,
        .result = show_result,
        .notice = show_notice,
        .user = &session,
    };
    int status = read_options(&options, argc, argv);
    if (status != EXIT_OK)
        return status;
    char *checkpoint = model_find(argv[argc - 2], &error);
    if (checkpoint == NULL)
        return command_failed(&error);
    options.checkpoint = checkpoint;
    model_session_begin(&session, settings);
    int result = quantize(&options, &report, &error);
    progress_clear(&session.progress);
    model_session_close(&session);
    if (result == 0)
        print_report(&options, &report);
    free(checkpoint);
    return result == 0 ? EXIT_OK : command_failed(&error);
}

const struct command command_quantize = {
    "quantize",
    "quantize CHECKPOINT OUT --calibration FILE",
    "a checkpoint in fp16, bf16 or fp32 -> 4 bits by GPTQ, calibrated on a text",
    run,
};
