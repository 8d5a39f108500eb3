/*
 * check.h - gpu_check: compares a backend with the CPU's plain kernels, measures it beside the
 * machine's own limits, and prints one table.
 *
 * A part adds rows to the table as it goes. What cannot be run here (no room, no time, a file that
 * is missing) becomes a row that says why. check.c owns the table and the clock.
 */
#ifndef AIRO_TESTS_GPU_CHECK_H
#define AIRO_TESTS_GPU_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

enum verdict {
    VERDICT_NONE,   /* a figure without a limit */
    VERDICT_OK,     /* right, or at the target */
    VERDICT_BELOW,  /* right, and short of the target of speed */
    VERDICT_WRONG,  /* a wrong result: the whole check fails */
    VERDICT_NOT_RUN /* `note` says why */
};

struct check_row {
    char what[64], shape[48], unit[16], note[192];
    double value;
    double beside; /* the limit or target; NAN: none */
    enum verdict verdict;
};

struct check;

/* What was asked for on the command line. */
struct check_options {
    const char *device;     /* as airo's --device */
    const char *vaquita;    /* a model directory */
    const char *directory;  /* for the models made here */
    const char *make_model; /* the program that makes them */
    const char *output;     /* files OUTPUT.txt and OUTPUT.json; NULL: none */
    double minutes;
    bool tiny;    /* shapes that a simulated device can do */
    char **tests; /* programs with tests of kernels */
    size_t test_count;
};

const struct check_options *check_options(const struct check *check);
double check_seconds(void); /* of a clock that only goes forward */
double check_seconds_left(const struct check *check);
/* False, and a row that says so, when less than `seconds` are left. */
bool check_has_time(struct check *check, const char *what, double seconds);

/* A figure with `beside` as the most (or, where `at_least`, the least) that is right. */
void check_limit(struct check *check, const char *what, const char *shape, double value,
                 const char *unit, double most);
void check_target(struct check *check, const char *what, const char *shape, double value,
                  const char *unit, double least);
void check_figure(struct check *check, const char *what, const char *shape, double value,
                  const char *unit);
void check_truth(struct check *check, const char *what, const char *shape, bool right,
                 const char *note);
void check_not_run(struct check *check, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What does not fit or is not supported was not run; any other error is a wrong result. */
void check_error(struct check *check, const char *what, const char *shape,
                 const struct error *error);

/* The machine's own limits, measured: bytes a second of a copy on the device (read and written),
 * operations a second of cuBLAS at 13B shapes. 0 where they could not be measured. */
struct machine {
    double copy_bytes, matrix_flops;
};

/* One line about the device; false when there is none, with the reason in it. */
bool machine_describe(char *line, size_t bytes);
void machine_measure(struct check *check, struct machine *machine);

void compare_kernels(struct check *check);
void compare_vaquita(struct check *check);
void compare_13b(struct check *check);
void speed_13b(struct check *check, const struct machine *machine);

#endif
