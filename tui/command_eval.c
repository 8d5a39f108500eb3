/* command_eval.c - `airo eval`: what a model can do with documents and scenes, measured on cases
 * that are generated from a seed. */
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/command.h"
#include "tui/command_perplexity.h"
#include "tui/eval_obedience.h"
#include "tui/eval_options.h"
#include "tui/eval_recall.h"
#include "tui/eval_scene.h"
#include "tui/model_session.h"
#include "tui/suggest.h"

#define WHAT "recall, obedience, scene or perplexity"

static const struct evaluation {
    const char *name;
    int (*run)(const struct eval_options *options);
    int (*print)(const struct eval_options *options);
} evaluations[] = {
    {"recall", eval_recall, eval_recall_print},
    {"obedience", eval_obedience, eval_obedience_print},
    {"scene", eval_scene, eval_scene_print},
};
#define EVALUATIONS (sizeof evaluations / sizeof *evaluations)

static int unknown(const char *name)
{
    struct suggestion best = suggest_begin(name);
    suggest_offer(&best, "perplexity");
    for (size_t i = 0; i < EVALUATIONS; i++)
        suggest_offer(&best, evaluations[i].name);
    if (best.found != NULL)
        return command_usage("eval", "unknown evaluation %.64s; did you mean %s?", name,
                             best.found);
    return command_usage("eval", "unknown evaluation %.64s: " WHAT, name);
}

static int run(struct settings *settings, int argc, char **argv)
{
    struct eval_options options;
    int status = eval_options_read(&options, settings, argc, argv);
    if (status != EXIT_OK)
        return status;
    int operands = argc - options.operand;
    if (operands == 0)
        return command_usage("eval", "what shall be measured? " WHAT);
    const char *name = argv[options.operand];
    if (strcmp(name, "perplexity") == 0)
        return perplexity_run(&options, operands - 1, argv + options.operand + 1);
    for (size_t i = 0; i < EVALUATIONS; i++) {
        if (strcmp(evaluations[i].name, name) != 0)
            continue;
        if (operands > 2)
            return command_usage("eval", "one MODEL at a time");
        if (options.svg != NULL && evaluations[i].run != eval_recall)
            return command_usage("eval", "--svg draws recall only");
        options.model = operands == 2 ? argv[options.operand + 1] : NULL;
        return (options.print_cases ? evaluations[i].print : evaluations[i].run)(&options);
    }
    return unknown(name);
}

const struct command command_eval = {
    "eval",
    "eval recall|obedience|scene|perplexity [MODEL] [FILE]",
    "measure a model on cases generated from a seed",
    run,
};
