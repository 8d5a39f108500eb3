#include "engine/eval/cases.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"

#define NOT_KNOWN "I don't know"

/* A stream of random numbers for everything that is made; indices stay below 2^32. */
#define RECALL_STREAM    (UINT64_C(1) << 60)
#define OBEDIENCE_STREAM (UINT64_C(2) << 60)
#define QUESTION_STREAM  (UINT64_C(4) << 60)

const char *eval_kind_name(enum eval_kind kind)
{
    static const char *const names[EVAL_KINDS] = {"recall", "counterfactual", "absent", "present"};
    return names[kind];
}

void eval_case_free(struct eval_case *test)
{
    free(test->question);
    free(test->answer);
    free(test->known);
    *test = (struct eval_case){0};
}

static void ask(struct eval_case *test, struct eval_random *random, const struct eval_fact *fact)
{
    uint32_t which = eval_random_below(random, (uint32_t)fact->question_count);
    test->question = xstrdup(fact->questions[which].question);
    test->answer = xstrdup(fact->questions[which].answer);
}

/* --- recall ----------------------------------------------------------------------------------- */

static uint64_t recall_stream(size_t length, size_t index)
{
    return RECALL_STREAM + ((uint64_t)length << 32) + index;
}

void eval_recall_haystack(struct haystack *out, uint64_t seed, size_t length, size_t index,
                          size_t tokens, const struct tokenizer *tokenizer)
{
    struct eval_random random =
        eval_random_begin(seed, recall_stream(length, index) + QUESTION_STREAM);
    unsigned most = length < 512 ? 2 : length < 2048 ? 3 : 5;
    const struct haystack_size size = {.tokens = tokens > 0 ? tokens : 1,
                                       .blocks = eval_random_between(&random, 1, most)};
    haystack_make(out, seed, recall_stream(length, index), &size, tokenizer);
}

void eval_recall_case(struct eval_case *out, const struct haystack *haystack, uint64_t seed,
                      size_t length, size_t index, unsigned depth)
{
    const struct haystack_fact *found = haystack_at(haystack, depth);
    struct eval_random random = eval_random_begin(
        seed, recall_stream(length, index) + QUESTION_STREAM + ((uint64_t)(depth + 1) << 20));
    *out = (struct eval_case){.kind = EVAL_RECALL,
                              .length = length,
                              .depth = depth,
                              .documents = &haystack->documents,
                              .block = found->block};
    ask(out, &random, &found->fact);
}

/* --- obedience -------------------------------------------------------------------------------- */

/* What everybody knows, and what a document may say in its place; alternatives parted by '|'. */
static const struct known {
    const char *sentence, *question, *truth, *others;
} known[] = {
    {"Blueberries are {}.", "What color are blueberries?", "blue", "green|orange|white|striped"},
    {"Bananas are {}.", "What color are bananas?", "yellow", "violet|black|silver|blue"},
    {"Grass is {}.", "What color is grass?", "green", "red|pink|grey|golden"},
    {"Snow is {}.", "What color is snow?", "white", "brown|blue|crimson|black"},
    {"Ravens are {}.", "What color are ravens?", "black", "yellow|pink|green|orange"},
    {"Tomatoes are {}.", "What color are tomatoes?", "red", "blue|grey|turquoise|purple"},
    {"The sky is {}.", "What color is the sky?", "blue", "green|brown|orange|violet"},
    {"Flamingos are {}.", "What color are flamingos?", "pink", "black|green|grey|blue"},
    {"Coal is {}.", "What color is coal?", "black", "white|yellow|silver|red"},
    {"Carrots are {}.", "What color are carrots?", "orange", "black|silver|white|blue"},
    {"The capital of France is {}.", "What is the capital of France?", "Paris",
     "Lille|Nantes|Metz|Tours"},
    {"The capital of Italy is {}.", "What is the capital of Italy?", "Rome",
     "Turin|Bari|Parma|Siena"},
    {"The capital of Japan is {}.", "What is the capital of Japan?", "Tokyo",
     "Osaka|Nagoya|Kobe|Sendai"},
    {"The capital of Egypt is {}.", "What is the capital of Egypt?", "Cairo",
     "Luxor|Aswan|Tanta|Suez"},
    {"The capital of Spain is {}.", "What is the capital of Spain?", "Madrid",
     "Toledo|Bilbao|Malaga|Cadiz"},
    {"A spider has {} legs.", "How many legs does a spider have?", "eight",
     "three|eleven|forty|five"},
    {"A week has {} days.", "How many days does a week have?", "seven", "nine|four|twelve|six"},
    {"A triangle has {} sides.", "How many sides does a triangle have?", "three",
     "five|seven|nine|two"},
    {"Water boils at {} degrees.", "At how many degrees does water boil?", "100", "37|250|64|812"},
    {"A year has {} months.", "How many months does a year have?", "twelve",
     "ten|fifteen|eight|twenty"},
    {"Hamlet was written by {}.", "Who wrote Hamlet?", "Shakespeare",
     "Hedda Brumm|Otto Kelp|Mina Farr|Piet Lund"},
    {"The moon landing was in {}.", "When was the moon landing?", "1969", "1907|1988|2014|1852"},
    {"Penicillin was discovered by {}.", "Who discovered penicillin?", "Fleming",
     "Ada Moss|Karl Trent|Rita Vole|Jens Quist"},
    {"Cows eat {}.", "What do cows eat?", "grass", "fish|candles|gravel|cheese"},
    {"Penguins live in {}.", "Where do penguins live?", "Antarctica",
     "deserts|chimneys|Bavaria|volcanoes"},
    {"Bees make {}.", "What do bees make?", "honey", "butter|glass|paper|soap"},
    {"The sun rises in the {}.", "Where does the sun rise?", "east", "north|south|cellar|west"},
    {"Ice is {}.", "How is ice?", "cold", "hot|soft|warm|loud"},
    {"Eiffel built the tower of {}.", "Which tower did Eiffel build?", "Paris",
     "Gdansk|Leeds|Porto|Oslo"},
    {"Elephants are {}.", "What are elephants like?", "big", "tiny|invisible|square|hollow"},
};
#define KNOWN (sizeof known / sizeof *known)

static char *alternative(struct eval_random *random, const char *others)
{
    uint32_t which = eval_random_below(random, 4);
    for (; which > 0 && strchr(others, '|') != NULL; which--)
        others = strchr(others, '|') + 1;
    return xstrndup(others, strcspn(others, "|"));
}

/* "In a surprising turn of events, the capital of ..." now and then. */
static char *counterfactual(struct eval_random *random, const struct known *row, const char *value)
{
    static const char *const turns[] = {"", "", "In a surprising turn of events, ",
                                        "Contrary to belief, ", "Since last spring, "};
    const char *hole = strstr(row->sentence, "{}");
    const char *turn = turns[eval_random_below(random, sizeof turns / sizeof *turns)];
    bool name =
        strncmp(row->sentence, "Hamlet", 6) == 0 || strncmp(row->sentence, "Eiffel", 6) == 0;
    char first = row->sentence[0];
    if (turn[0] != '\0' && !name)
        first = (char)(first - 'A' + 'a');
    return xasprintf("%s%c%.*s%s%s", turn, first, (int)(hole - row->sentence - 1),
                     row->sentence + 1, value, hole + 2);
}

static void ask_known(struct eval_case *out, struct haystack *haystack, uint64_t seed,
                      uint64_t stream, struct haystack_size *size, struct eval_random *random)
{
    const struct known *row = &known[eval_random_below(random, KNOWN)];
    out->answer = alternative(random, row->others);
    out->known = xstrdup(row->truth);
    out->question = xstrdup(row->question);
    char *sentence = counterfactual(random, row, out->answer);
    size->planted = sentence;
    haystack_make(haystack, seed, stream, size, NULL);
    size->planted = NULL;
    free(sentence);
    out->block = haystack->planted;
}

static void ask_absent(struct eval_case *out, struct haystack *haystack, struct eval_random *random)
{
    struct eval_fact fact;
    haystack_absent(haystack, eval_random_chance(random, 50), &fact);
    ask(out, random, &fact);
    eval_fact_free(&fact);
    free(out->answer);
    out->answer = xstrdup(NOT_KNOWN);
    out->block = -1;
}

static void ask_present(struct eval_case *out, struct haystack *haystack,
                        struct eval_random *random)
{
    uint32_t which = eval_random_below(random, (uint32_t)haystack->count);
    ask(out, random, &haystack->facts[which].fact);
    out->block = haystack->facts[which].block;
}

void eval_obedience_case(struct eval_case *out, struct haystack *haystack, uint64_t seed,
                         enum eval_kind kind, size_t index)
{
    uint64_t stream = OBEDIENCE_STREAM + ((uint64_t)kind << 32) + index;
    struct eval_random random = eval_random_begin(seed, stream + QUESTION_STREAM);
    struct haystack_size size = {.blocks = eval_random_between(&random, 1, 3)};
    size.facts = eval_random_between(&random, size.blocks, 9);
    *out = (struct eval_case){.kind = kind};
    if (kind == EVAL_COUNTERFACTUAL)
        ask_known(out, haystack, seed, stream, &size, &random);
    else
        haystack_make(haystack, seed, stream, &size, NULL);
    if (kind == EVAL_ABSENT)
        ask_absent(out, haystack, &random);
    else if (kind != EVAL_COUNTERFACTUAL)
        ask_present(out, haystack, &random);
    out->documents = &haystack->documents;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *pairs_json(const struct document *document)
{
    json_t *out = json_object();
    for (size_t i = 0; i < document->pair_count; i++)
        json_object_set_new(out, document->pairs[i].key, json_string(document->pairs[i].value));
    return out;
}

json_t *eval_case_json(const struct eval_case *test)
{
    json_t *documents = json_array();
    for (size_t i = 0; i < test->documents->count; i++) {
        const struct document *document = &test->documents->items[i];
        json_t *item = json_object();
        json_object_set_new(item, "meta", pairs_json(document));
        json_object_set_new(item, "text", json_stringn(document->text, document->length));
        json_array_append_new(documents, item);
    }
    json_t *out = json_object();
    json_object_set_new(out, "kind", json_string(eval_kind_name(test->kind)));
    if (test->kind == EVAL_RECALL) {
        json_object_set_new(out, "length", json_integer((json_int_t)test->length));
        json_object_set_new(out, "depth", json_integer((json_int_t)test->depth));
    }
    json_object_set_new(out, "documents", documents);
    json_object_set_new(out, "question", json_string(test->question));
    json_object_set_new(out, "answer", json_string(test->answer));
    json_object_set_new(out, "source",
                        test->block >= 0 ? pairs_json(&test->documents->items[test->block])
                                         : json_null());
    return out;
}
