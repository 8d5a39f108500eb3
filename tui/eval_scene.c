#include "tui/eval_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/chat/scene_file.h"
#include "engine/chat/scene_grammar.h"
#include "engine/chat/scene_text.h"
#include "engine/eval/scene_cases.h"
#include "engine/eval/scene_rules.h"
#include "tui/command.h"
#include "tui/eval_run.h"
#include "tui/json_events.h"

#define REPLIES_DEFAULT 40
#define TURNS           2 /* replies in one talk */

struct scenes {
    struct eval_run run;
    size_t replies;
    struct scene_list files;
    size_t asked, kept, cut;          /* cut: at the longest reply */
    size_t generated, generated_kept; /* of them, in generated scenes */
    size_t broken[SCENE_RULES];
};

static size_t reply_count(const struct eval_options *options)
{
    return options->cases > 0 ? options->cases : REPLIES_DEFAULT;
}

/* Scenes of files and generated ones take turns. */
static bool is_file(const struct scene_list *files, size_t talk)
{
    return talk % 2 == 0 && files->count > 0;
}

/* NULL: a file that cannot be read. */
static struct scene *scene_of(const struct scene_list *files, uint64_t seed, size_t talk,
                              struct error *error)
{
    if (is_file(files, talk))
        return scene_open(files->items[talk / 2 % files->count].name, error);
    return eval_scene_make(seed, talk);
}

/* --- a talk ----------------------------------------------------------------------------------- */

struct talk {
    struct scene *scene;
    struct grammar *grammar; /* NULL: none */
    struct conversation *conversation;
    struct macro_context clock;
    size_t number;
};

static void talk_open(struct talk *talk, struct scene *scene, uint64_t seed, size_t number)
{
    *talk = (struct talk){.scene = scene,
                          .conversation = conversation_create(),
                          .clock = {.seed = seed + number},
                          .number = number};
    if (scene->opening[0] != '\0' || scene_greeting_count(scene) == 0)
        return;
    struct strbuf greeting = {0};
    scene_greeting(scene, number / 2 % scene_greeting_count(scene), &talk->clock, &greeting);
    conversation_add(talk->conversation, -1, ROLE_ASSISTANT, strbuf_text(&greeting),
                     greeting.length);
    strbuf_free(&greeting);
}

static void talk_close(struct talk *talk)
{
    grammar_free(talk->grammar);
    conversation_free(talk->conversation);
    scene_free(talk->scene);
}

/* What the user says: the opening, when the scene has one, then a line about this or that. */
static void talk_line(const struct talk *talk, uint64_t seed, size_t turn, struct strbuf *out)
{
    if (turn == 0 && talk->scene->opening[0] != '\0') {
        scene_opening(talk->scene, &talk->clock, out);
        return;
    }
    char *line = eval_scene_line(seed, talk->number, turn);
    strbuf_puts(out, line);
    free(line);
}

static void count_reply(struct scenes *scenes, const struct talk *talk,
                        const struct eval_reply *reply)
{
    unsigned broken =
        scene_rules_broken(talk->scene, strbuf_text(&reply->text), reply->text.length);
    scenes->asked++;
    scenes->kept += broken == 0;
    if (!is_file(&scenes->files, talk->number)) {
        scenes->generated++;
        scenes->generated_kept += broken == 0;
    }
    scenes->cut += reply->reason == STOP_LENGTH;
    for (int rule = 0; rule < SCENE_RULES; rule++)
        scenes->broken[rule] += broken >> rule & 1;
    if (broken != 0 && scenes->run.options->settings->verbose) {
        command_note("%s: broken%s%s%s%s%s", talk->scene->name,
                     broken >> SCENE_RULE_WORDS & 1 ? " empty" : "",
                     broken >> SCENE_RULE_NAMES & 1 ? " names" : "",
                     broken >> SCENE_RULE_STRANGERS & 1 ? " strangers" : "",
                     broken >> SCENE_RULE_USER & 1 ? " user" : "",
                     broken >> SCENE_RULE_QUOTES & 1 ? " quotes" : "");
        command_note("%s", strbuf_text(&reply->text));
    }
}

static struct sampling sampling_of(const struct scenes *scenes)
{
    const struct eval_options *options = scenes->run.options;
    struct sampling sampling = options->settings->sampling;
    sampling.seed = options->seed * 1000003 + scenes->asked + 1;
    return sampling;
}

static int ask_turn(struct scenes *scenes, struct talk *talk, size_t turn, struct error *error)
{
    const struct eval_options *options = scenes->run.options;
    struct generator *generator = scenes->run.session.generator;
    struct prompt_style style = settings_style(options->settings);
    struct sampling sampling = sampling_of(scenes);
    struct segment_list segments = {0};
    struct eval_reply reply = {0};
    struct strbuf line = {0};
    style.scene = talk->scene;
    style.clock = talk->clock;
    talk_line(talk, options->seed, turn, &line);
    struct conversation *conversation = talk->conversation;
    conversation_add(conversation, conversation->tip, ROLE_USER, strbuf_text(&line), line.length);
    int result = prompt_build(&segments, scenes->run.template, generator->ops->tokenizer(generator),
                              conversation, NULL, NULL, &style, NULL, error);
    if (result == 0)
        result = eval_run_reply(&scenes->run, &segments, &sampling, talk->grammar,
                                EVAL_QUESTION_WORK, &reply, error);
    if (result == 0) {
        count_reply(scenes, talk, &reply);
        struct message *message =
            conversation_add(conversation, conversation->tip, ROLE_ASSISTANT, "", 0);
        message_append(message, strbuf_text(&reply.text), reply.text.length, &reply.tokens);
    }
    segment_list_free(&segments);
    eval_reply_free(&reply);
    strbuf_free(&line);
    return result;
}

static int ask_talk(struct scenes *scenes, size_t number, struct error *error)
{
    uint64_t seed = scenes->run.options->seed;
    struct scene *scene = scene_of(&scenes->files, seed, number, error);
    struct talk talk;
    int result = 0;
    if (scene == NULL)
        return -1;
    talk_open(&talk, scene, seed, number);
    if (scenes->run.options->settings->grammar)
        talk.grammar = scene_grammar_create(scene);
    for (size_t turn = 0; turn < TURNS && scenes->asked < scenes->replies && result == 0; turn++)
        result = ask_turn(scenes, &talk, turn, error);
    talk_close(&talk);
    return result;
}

/* --- showing ---------------------------------------------------------------------------------- */

static void print_share(const char *label, size_t part, size_t whole)
{
    printf("%-30s %5zu of %-5zu %5.1f%%\n", label, part, whole, eval_percent(part, whole));
}

static void print_text(const struct scenes *scenes)
{
    const char *model = eval_run_model(&scenes->run);
    command_print(model, strlen(model));
    printf(": scenes, seed %llu, %zu replies, %s\n\n",
           (unsigned long long)scenes->run.options->seed, scenes->asked,
           scenes->run.options->settings->grammar ? "held to their form" : "without the grammar");
    size_t files = scenes->asked - scenes->generated;
    print_share("  all rules kept", scenes->kept, scenes->asked);
    print_share("    in scenes of files", scenes->kept - scenes->generated_kept, files);
    print_share("    in generated scenes", scenes->generated_kept, scenes->generated);
    for (int rule = 0; rule < SCENE_RULES; rule++) {
        char label[40];
        snprintf(label, sizeof label, "  %s", scene_rule_name((enum scene_rule)rule));
        print_share(label, scenes->asked - scenes->broken[rule], scenes->asked);
    }
    if (scenes->cut > 0)
        printf("  %zu were cut at %u tokens\n", scenes->cut,
               eval_reply_tokens(scenes->run.options->settings));
}

static void print_json(const struct scenes *scenes, bool complete)
{
    json_t *rules = json_object();
    for (int rule = 0; rule < SCENE_RULES; rule++)
        json_object_set_new(rules, scene_rule_name((enum scene_rule)rule),
                            json_integer((json_int_t)(scenes->asked - scenes->broken[rule])));
    json_line_print(json_pack(
        "{s:s, s:s, s:I, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:o}", "eval", "scene", "model",
        eval_run_model(&scenes->run), "seed", (json_int_t)scenes->run.options->seed, "complete",
        complete, "grammar", scenes->run.options->settings->grammar, "replies",
        (json_int_t)scenes->asked, "kept", (json_int_t)scenes->kept, "generated",
        (json_int_t)scenes->generated, "generated_kept", (json_int_t)scenes->generated_kept, "cut",
        (json_int_t)scenes->cut, "rules_kept", rules));
}

int eval_scene(const struct eval_options *options)
{
    struct scenes scenes = {.replies = reply_count(options)};
    struct error error = {0};
    int result = settings_take_model(options->settings, &error);
    if (result != 0 || eval_run_open(&scenes.run, options, &error) != 0)
        return command_failed(&error);
    scene_list(SCENE_SCENES, &scenes.files);
    scenes.run.what = "scenes";
    scenes.run.total = scenes.replies * EVAL_QUESTION_WORK;
    for (size_t talk = 0; scenes.asked < scenes.replies && result == 0; talk++)
        result = ask_talk(&scenes, talk, &error);
    progress_clear(&scenes.run.progress);
    if (options->json && scenes.asked > 0)
        print_json(&scenes, result == 0);
    else if (scenes.asked > 0)
        print_text(&scenes);
    scene_list_free(&scenes.files);
    eval_run_close(&scenes.run);
    return eval_run_end(result, &error);
}

/* --- only the cases --------------------------------------------------------------------------- */

static void print_turn(const struct talk *talk, uint64_t seed, size_t turn)
{
    struct strbuf text = {0}, line = {0};
    struct scene_form form = {.clock = talk->clock};
    scene_text(talk->scene, &form, &text);
    talk_line(talk, seed, turn, &line);
    json_line_print(json_pack("{s:s, s:s, s:I, s:s, s:s}", "kind", "scene", "name",
                              talk->scene->name, "turn", (json_int_t)turn, "scene",
                              strbuf_text(&text), "user", strbuf_text(&line)));
    strbuf_free(&text);
    strbuf_free(&line);
}

int eval_scene_print(const struct eval_options *options)
{
    struct scene_list files = {0};
    struct error error = {0};
    size_t replies = reply_count(options);
    int status = EXIT_OK;
    scene_list(SCENE_SCENES, &files);
    for (size_t done = 0; done < replies && status == EXIT_OK; done += TURNS) {
        struct scene *scene = scene_of(&files, options->seed, done / TURNS, &error);
        struct talk talk;
        if (scene == NULL) {
            status = command_failed(&error);
            break;
        }
        talk_open(&talk, scene, options->seed, done / TURNS);
        for (size_t turn = 0; turn < TURNS && done + turn < replies; turn++)
            print_turn(&talk, options->seed, turn);
        talk_close(&talk);
    }
    scene_list_free(&files);
    return status;
}
