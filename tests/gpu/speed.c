/*
 * speed.c - how fast is it? A 13B of random weights: decoding, prefill, several rows, several
 * chats, pages restored, and the start, each beside what this machine's memory and cuBLAS can do.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "tests/gpu/check.h"
#include "tests/gpu/drive.h"
#include "tests/gpu/models.h"

struct bench {
    struct check *check;
    const struct machine *machine;
    bool tiny;
    double least; /* seconds of decoding for one figure */
    struct drive drive;
    char shape[48];
    double decode_alone; /* tokens a second at depth 0 */
};

static void fail_row(struct bench *bench, const char *what, const struct error *error)
{
    check_error(bench->check, what, bench->shape, error);
}

/* --- decoding --------------------------------------------------------------------------------- */

/* Tokens a second, and the share of the copy bandwidth that its bytes are. */
static void decode_at(struct bench *bench, uint32_t depth, double target)
{
    struct drive_step step = {.rows = 1, .depth = depth};
    struct error error = {0};
    double seconds;
    snprintf(bench->shape, sizeof bench->shape, "context %u, %s", depth,
             kv_type_name(bench->drive.model->kv_type));
    if (drive_decode(&bench->drive, &step, bench->least, &seconds, &error) != 0) {
        fail_row(bench, "decode", &error);
        return;
    }
    if (depth == 0)
        bench->decode_alone = 1 / seconds;
    check_figure(bench->check, "decode", bench->shape, 1 / seconds, "tokens/s");
    double limit = bench->machine->copy_bytes / drive_step_bytes(&bench->drive, depth);
    if (limit <= 0)
        return;
    if (target > 0 && !bench->tiny)
        check_target(bench->check, "  of what the memory allows", bench->shape,
                     100 / seconds / limit, "%", target);
    else
        check_figure(bench->check, "  of what the memory allows", bench->shape,
                     100 / seconds / limit, "%");
}

/* What several rows cost beside one, in one sequence (drafts) or each in its own (chats). */
static void decode_rows(struct bench *bench, uint32_t depth)
{
    double alone = 0;
    for (uint32_t rows = 1; rows <= 8; rows *= 2) {
        struct drive_step step = {.rows = rows, .depth = depth};
        struct error error = {0};
        double seconds;
        snprintf(bench->shape, sizeof bench->shape, "%u rows, context %u", rows, depth);
        if (drive_decode(&bench->drive, &step, bench->least, &seconds, &error) != 0) {
            fail_row(bench, "several rows", &error);
            return;
        }
        if (rows == 1)
            alone = seconds;
        check_figure(bench->check, "a step beside one of a single row", bench->shape,
                     seconds / alone, "times");
    }
}

static void decode_chats(struct bench *bench, uint32_t depth)
{
    struct drive_step one = {.rows = 1, .depth = depth};
    struct drive_step four = {.rows = DRIVE_SEQUENCES, .depth = depth, .apart = true};
    struct error error = {0};
    double alone, together;
    snprintf(bench->shape, sizeof bench->shape, "%d chats, context %u", DRIVE_SEQUENCES, depth);
    if (drive_decode(&bench->drive, &one, bench->least, &alone, &error) != 0 ||
        drive_decode(&bench->drive, &four, bench->least, &together, &error) != 0) {
        fail_row(bench, "several chats", &error);
        return;
    }
    double gain = DRIVE_SEQUENCES * alone / together;
    if (bench->tiny)
        check_figure(bench->check, "chats at once, tokens in all", bench->shape, gain, "times");
    else
        check_target(bench->check, "chats at once, tokens in all", bench->shape, gain, "times", 3);
}

/* --- prefill ---------------------------------------------------------------------------------- */

static bool prefill_of(struct bench *bench, uint32_t count, int runs, double target,
                       double *seconds)
{
    struct error error = {0};
    snprintf(bench->shape, sizeof bench->shape, "%u tokens", count);
    if (drive_prefill(&bench->drive, count, runs, seconds, &error) != 0) {
        fail_row(bench, "prefill", &error);
        return false;
    }
    check_figure(bench->check, "prefill", bench->shape, count / *seconds, "tokens/s");
    double flops = drive_prefill_flops(&bench->drive, count) / *seconds;
    if (bench->machine->matrix_flops <= 0)
        return true;
    double share = 100 * flops / bench->machine->matrix_flops;
    if (target > 0 && !bench->tiny)
        check_target(bench->check, "  of what cuBLAS reaches", bench->shape, share, "%", target);
    else
        check_figure(bench->check, "  of what cuBLAS reaches", bench->shape, share, "%");
    return true;
}

static void restore_pages(struct bench *bench, uint32_t count)
{
    struct error error = {0};
    double prefill, restore;
    snprintf(bench->shape, sizeof bench->shape, "%u tokens, %s", count,
             kv_type_name(bench->drive.model->kv_type));
    if (drive_prefill(&bench->drive, count, 1, &prefill, &error) != 0 ||
        drive_restore(&bench->drive, count, &restore, &error) != 0) {
        fail_row(bench, "restore", &error);
        return;
    }
    check_figure(bench->check, "pages restored from host memory", bench->shape, restore, "s");
    check_figure(bench->check, "  prefill of the same, beside it", bench->shape, prefill / restore,
                 "times");
}

/* --- the start -------------------------------------------------------------------------------- */

static double read_seconds(const char *directory)
{
    char *path = xasprintf("%s/model.safetensors", directory);
    size_t piece = (size_t)16 << 20;
    char *bytes = xmalloc(piece);
    double started = check_seconds();
    int file = open(path, O_RDONLY);
    while (file >= 0 && read(file, bytes, piece) > 0)
        ;
    if (file >= 0)
        close(file);
    free(bytes);
    free(path);
    return check_seconds() - started;
}

static void start_of(struct bench *bench, const char *directory)
{
    double reading = read_seconds(directory);
    snprintf(bench->shape, sizeof bench->shape, "second run, %s",
             kv_type_name(bench->drive.model->kv_type));
    check_figure(bench->check, "start, until the model is ready", bench->shape,
                 bench->drive.open_seconds, "s");
    check_figure(bench->check, "  of reading its file alone", bench->shape,
                 bench->drive.open_seconds / reading, "times");
}

/* --- all of it -------------------------------------------------------------------------------- */

struct depths {
    uint32_t context, some, more, prompt;
    uint32_t chat; /* of each of the chats: a quarter of the context at most, less what is new */
};

/* Prefill fills the pages that decoding then reads. */
static void bench_model(struct bench *bench, const struct depths *d, bool first)
{
    double seconds;
    if (first)
        prefill_of(bench, d->prompt, 3, 0, &seconds);
    if (first)
        prefill_of(bench, d->some, 2, 65, &seconds);
    if (!prefill_of(bench, d->more, first ? 2 : 1, first ? 65 : 0, &seconds))
        return;
    enum kv_type type = bench->drive.model->kv_type;
    decode_at(bench, 0, 75);
    decode_at(bench, d->some, 0);
    decode_at(bench, d->more, type == KV_Q8 ? 65 : 0);
    if (!first)
        return;
    decode_rows(bench, 0);
    decode_rows(bench, d->some);
    decode_chats(bench, 0);
    decode_chats(bench, d->chat);
    restore_pages(bench, d->more / 4 * 3);
}

static void bench_types(struct bench *bench, const char *directory, const struct depths *d)
{
    static const enum kv_type types[] = {KV_Q8, KV_F16, KV_Q4};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct setup setup = {.directory = directory,
                              .device = check_options(bench->check)->device,
                              .kv_type = types[i],
                              .context = d->context};
        struct error error = {0};
        snprintf(bench->shape, sizeof bench->shape, "%s", kv_type_name(types[i]));
        if (!check_has_time(bench->check, "13B", 30))
            continue;
        if (drive_open(&bench->drive, &setup, &error) != 0) {
            fail_row(bench, "13B", &error);
            continue;
        }
        if (i > 0) /* its file has been read before */
            start_of(bench, directory);
        bench_model(bench, d, i == 0);
        drive_close(&bench->drive);
    }
}

/* Decoding at depth 0 of two models that differ in the order of their inputs only. */
static void bench_order(struct bench *bench)
{
    double speeds[2] = {0};
    for (int act = 0; act <= 1; act++) {
        struct made_model made = {act ? "13B-8-act" : "13B-8-plain", bench->tiny ? 1 : 8, act};
        char *path = made_model_path(bench->check, &made);
        if (path == NULL)
            return;
        struct setup setup = {.directory = path,
                              .device = check_options(bench->check)->device,
                              .kv_type = KV_Q8,
                              .context = 256};
        struct drive_step step = {.rows = 1};
        struct error error = {0};
        double seconds = 0;
        snprintf(bench->shape, sizeof bench->shape, "8 layers");
        if (drive_open(&bench->drive, &setup, &error) != 0 ||
            drive_decode(&bench->drive, &step, bench->least, &seconds, &error) != 0)
            fail_row(bench, "act-order", &error);
        drive_close(&bench->drive);
        made_model_remove(path);
        free(path);
        if (seconds <= 0)
            return;
        speeds[act] = 1 / seconds;
    }
    double share = 100 * speeds[1] / speeds[0];
    if (bench->tiny)
        check_figure(bench->check, "decode with act-order, of plain order", bench->shape, share,
                     "%");
    else
        check_target(bench->check, "decode with act-order, of plain order", bench->shape, share,
                     "%", 98);
}

void speed_13b(struct check *check, const struct machine *machine)
{
    static const struct depths full = {16384, 4096, 16320, 512, 4000};
    static const struct depths tiny = {192, 40, 128, 66, 20};
    bool small = check_options(check)->tiny;
    struct bench bench = {
        .check = check, .machine = machine, .tiny = small, .least = small ? 0 : 0.7};
    struct made_model made = {"13B", small ? 1 : 40, true};
    if (!check_has_time(check, "13B", 120))
        return;
    double started = check_seconds();
    char *path = made_model_path(check, &made);
    if (path != NULL) {
        snprintf(bench.shape, sizeof bench.shape, "%u layers, act-order", made.layers);
        check_figure(check, "a 13B of random weights, made", bench.shape, check_seconds() - started,
                     "s");
        bench_types(&bench, path, small ? &tiny : &full);
        made_model_remove(path);
        free(path);
    }
    if (check_has_time(check, "act-order beside plain order", 30))
        bench_order(&bench);
    check_not_run(check, "prompt lookup on real answers",
                  "needs a real model: airo bench, with and without drafts");
}
