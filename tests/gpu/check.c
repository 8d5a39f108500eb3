/*
 * check.c - the program, its table and its clock.
 *
 *     gpu_check [--device cuda] [--vaquita models/vaquita] [--directory DIR] [--make-model PROGRAM]
 *               [--output FILE] [--minutes 9] [--tiny] [TEST PROGRAM ...]
 *
 * Exit status: 0 all right; 1 a wrong result; 2 no GPU.
 */
#include "check.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/alloc.h"

struct check {
    struct check_options options;
    char device[256], date[32];
    double started;
    struct check_row *rows;
    size_t count;
};

static const char *const verdict_names[] = {"", "ok", "below", "WRONG", "not run"};

const struct check_options *check_options(const struct check *check)
{
    return &check->options;
}

double check_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double check_seconds_left(const struct check *check)
{
    return check->started + 60 * check->options.minutes - check_seconds();
}

/* --- the table -------------------------------------------------------------------------------- */

static void print_row(FILE *file, const struct check_row *row)
{
    char value[32] = "", beside[32] = "";
    if (row->verdict != VERDICT_NOT_RUN)
        snprintf(value, sizeof value, "%.4g", row->value);
    if (!isnan(row->beside))
        snprintf(beside, sizeof beside, "%.4g", row->beside);
    fprintf(file, "%-46s %-26s %10s %-10s %9s  %-7s %s\n", row->what, row->shape, value, row->unit,
            beside, verdict_names[row->verdict], row->note);
    fflush(file);
}

static void print_head(FILE *file, const struct check *check)
{
    fprintf(file, "%s\n%s\n\n%-46s %-26s %10s %-10s %9s\n", check->device, check->date, "what",
            "shape", "measured", "", "limit");
}

static void add(struct check *check, const struct check_row *row)
{
    check->rows = xreallocarray(check->rows, check->count + 1, sizeof *check->rows);
    check->rows[check->count++] = *row;
    print_row(stdout, row);
}

static struct check_row row_of(const char *what, const char *shape, double value, const char *unit)
{
    struct check_row row = {.value = value, .beside = NAN};
    snprintf(row.what, sizeof row.what, "%s", what);
    snprintf(row.shape, sizeof row.shape, "%s", shape);
    snprintf(row.unit, sizeof row.unit, "%s", unit);
    return row;
}

void check_limit(struct check *check, const char *what, const char *shape, double value,
                 const char *unit, double most)
{
    struct check_row row = row_of(what, shape, value, unit);
    row.beside = most;
    row.verdict = value <= most ? VERDICT_OK : VERDICT_WRONG;
    add(check, &row);
}

void check_target(struct check *check, const char *what, const char *shape, double value,
                  const char *unit, double least)
{
    struct check_row row = row_of(what, shape, value, unit);
    row.beside = least;
    row.verdict = value >= least ? VERDICT_OK : VERDICT_BELOW;
    add(check, &row);
}

void check_figure(struct check *check, const char *what, const char *shape, double value,
                  const char *unit)
{
    struct check_row row = row_of(what, shape, value, unit);
    add(check, &row);
}

void check_truth(struct check *check, const char *what, const char *shape, bool right,
                 const char *note)
{
    struct check_row row = row_of(what, shape, right ? 1 : 0, "");
    snprintf(row.note, sizeof row.note, "%s", note);
    row.verdict = right ? VERDICT_OK : VERDICT_WRONG;
    add(check, &row);
}

void check_not_run(struct check *check, const char *what, const char *format, ...)
{
    struct check_row row = row_of(what, "", 0, "");
    va_list list;
    va_start(list, format);
    vsnprintf(row.note, sizeof row.note, format, list);
    va_end(list);
    row.verdict = VERDICT_NOT_RUN;
    add(check, &row);
}

void check_error(struct check *check, const char *what, const char *shape,
                 const struct error *error)
{
    if (error->code == ERROR_MEMORY || error->code == ERROR_UNSUPPORTED)
        check_not_run(check, what, "%s: %s", shape, error->message);
    else
        check_truth(check, what, shape, false, error->message);
}

bool check_has_time(struct check *check, const char *what, double seconds)
{
    double left = check_seconds_left(check);
    if (check->options.tiny || left >= seconds)
        return true;
    check_not_run(check, what, "takes about %.0f s, and %.0f s are left", seconds,
                  left > 0 ? left : 0);
    return false;
}

/* --- the end ---------------------------------------------------------------------------------- */

static size_t count_verdict(const struct check *check, enum verdict verdict)
{
    size_t count = 0;
    for (size_t i = 0; i < check->count; i++)
        count += check->rows[i].verdict == verdict;
    return count;
}

static void print_end(FILE *file, const struct check *check)
{
    fprintf(file, "\n%zu right, %zu wrong, %zu below their target, %zu not run; %.0f s\n",
            count_verdict(check, VERDICT_OK), count_verdict(check, VERDICT_WRONG),
            count_verdict(check, VERDICT_BELOW), count_verdict(check, VERDICT_NOT_RUN),
            check_seconds() - check->started);
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *table_json(const struct check *check)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < check->count; i++) {
        const struct check_row *row = &check->rows[i];
        json_array_append_new(rows,
                              json_pack("{s:s, s:s, s:o, s:s, s:o, s:s, s:s}", "what", row->what,
                                        "shape", row->shape, "measured", number(row->value), "unit",
                                        row->unit, "limit", number(row->beside), "verdict",
                                        verdict_names[row->verdict], "note", row->note));
    }
    return json_pack("{s:s, s:s, s:f, s:o}", "device", check->device, "date", check->date,
                     "seconds", check_seconds() - check->started, "rows", rows);
}

static void write_files(const struct check *check)
{
    if (check->options.output == NULL)
        return;
    char *text = xasprintf("%s.txt", check->options.output);
    char *path = xasprintf("%s.json", check->options.output);
    json_t *json = table_json(check);
    FILE *file = fopen(text, "w");
    if (file == NULL || json_dump_file(json, path, JSON_INDENT(1)) != 0)
        fprintf(stderr, "gpu_check: %s could not be written\n", file == NULL ? text : path);
    if (file != NULL) {
        print_head(file, check);
        for (size_t i = 0; i < check->count; i++)
            print_row(file, &check->rows[i]);
        print_end(file, check);
        fclose(file);
    }
    json_decref(json);
    free(text);
    free(path);
}

/* --- the command line ------------------------------------------------------------------------- */

static int parse(struct check_options *options, int argc, char **argv)
{
    const char *minutes = "9";
    const struct {
        const char *name;
        const char **value;
    } words[] = {{"--device", &options->device},         {"--vaquita", &options->vaquita},
                 {"--directory", &options->directory},   {"--output", &options->output},
                 {"--make-model", &options->make_model}, {"--minutes", &minutes}};
    size_t count = sizeof words / sizeof words[0];
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        size_t found = 0;
        while (found < count && strcmp(argv[i], words[found].name) != 0)
            found++;
        if (strcmp(argv[i], "--tiny") == 0)
            options->tiny = true;
        else if (found < count && i + 1 < argc)
            *words[found].value = argv[++i];
        else {
            fprintf(stderr, "gpu_check: %s: unknown, or its value is missing\n", argv[i]);
            return -1;
        }
    }
    options->minutes = strtod(minutes, NULL);
    options->tests = argv + i;
    options->test_count = (size_t)(argc - i);
    return 0;
}

static void run_parts(struct check *check)
{
    struct machine machine = {0};
    machine_measure(check, &machine);
    compare_kernels(check);
    compare_vaquita(check);
    compare_13b(check);
    speed_13b(check, &machine);
}

int main(int argc, char **argv)
{
    struct check check = {.options = {.device = "cuda",
                                      .vaquita = "models/vaquita",
                                      .directory = "/tmp",
                                      .make_model = "build/tests/bench/make_model"}};
    if (parse(&check.options, argc, argv) != 0)
        return 1;
    if (!machine_describe(check.device, sizeof check.device)) {
        printf("No GPU: %s. Nothing was run.\n", check.device);
        return 2;
    }
    check.started = check_seconds();
    time_t now = time(NULL);
    strftime(check.date, sizeof check.date, "%Y-%m-%d %H:%M UTC", gmtime(&now));
    print_head(stdout, &check);
    run_parts(&check);
    print_end(stdout, &check);
    write_files(&check);
    bool wrong = count_verdict(&check, VERDICT_WRONG) > 0;
    free(check.rows);
    return wrong ? 1 : 0;
}
