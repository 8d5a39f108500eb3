#include "tui/eval_options.h"

#include <stdlib.h>
#include <string.h>

#include "tui/arguments.h"
#include "tui/command.h"
#include "tui/model_session.h"

#define LENGTH_MIN 64
#define LENGTH_MAX (1u << 24)

/* "0,25,100": numbers from low to high, at most `room`. Returns how many, 0 when it is no list. */
static size_t read_list(const char *text, uint32_t low, uint32_t high, uint32_t *out, size_t room)
{
    size_t count = 0;
    while (count < room) {
        char *end;
        if (*text < '0' || *text > '9')
            return 0;
        unsigned long value = strtoul(text, &end, 10);
        if (value < low || value > high || (*end != ',' && *end != '\0'))
            return 0;
        out[count++] = (uint32_t)value;
        if (*end == '\0')
            return count;
        text = end + 1;
    }
    return 0;
}

static int take_lists(struct eval_options *options, const char *name, const char *value)
{
    if (strcmp(name, "lengths") == 0) {
        options->length_count =
            read_list(value, LENGTH_MIN, LENGTH_MAX, options->lengths, EVAL_LENGTHS_MAX);
        if (options->length_count == 0)
            return command_usage(options->command,
                                 "--lengths: expected at most %d numbers of tokens from %d on, as "
                                 "in 512,1024",
                                 EVAL_LENGTHS_MAX, LENGTH_MIN);
    }
    if (strcmp(name, "depths") == 0) {
        options->depth_count = read_list(value, 0, 100, options->depths, EVAL_DEPTHS_MAX);
        if (options->depth_count == 0)
            return command_usage(options->command,
                                 "--depths: expected at most %d percentages, as in 0,50,100",
                                 EVAL_DEPTHS_MAX);
    }
    return EXIT_OK;
}

int eval_options_read(struct eval_options *options, struct settings *settings, int argc,
                      char **argv)
{
    const struct option *option;
    const char *value;
    int at = 1, status = EXIT_OK;
    *options = (struct eval_options){.settings = settings, .command = argv[0]};
    options->seed = settings->sampling.seed != 0 ? settings->sampling.seed : 1;
    while (status == EXIT_OK && (option = arguments_next(argc, argv, &at, &value)) != NULL) {
        status = take_lists(options, option->name, value);
        if (strcmp(option->name, "cases") == 0)
            options->cases = (uint32_t)strtoul(value, NULL, 10);
        if (strcmp(option->name, "tokens") == 0)
            options->tokens = (uint32_t)strtoul(value, NULL, 10);
        if (strcmp(option->name, "rules") == 0)
            options->rules = value;
        if (strcmp(option->name, "svg") == 0)
            options->svg = value;
        options->json |= strcmp(option->name, "json") == 0;
        options->print_cases |= strcmp(option->name, "print-cases") == 0;
    }
    options->operand = at;
    return status;
}
