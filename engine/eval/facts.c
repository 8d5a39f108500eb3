#include "engine/eval/facts.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const openings[] = {
    "Records show that ",       "As reported earlier, ", "For the record, ",
    "It turned out that ",      "By all accounts, ",     "Also, ",
    "To everyone's surprise, ", "In the meantime, ",     "The archive notes that ",
    "It should be said that ",  "As agreed, ",           "According to a letter, "};
static const char *const endings[] = {", and that has not changed", ", as two witnesses confirmed",
                                      ", at least so far", ", which surprised nobody"};

/* The values of the slots of one fact, by letter; NULL: not made yet. */
struct slots {
    char *values[128];
};

/* "a owl" -> "an owl". */
static void put_value(struct strbuf *out, const char *value)
{
    size_t n = out->length;
    bool article = n >= 2 && out->data[n - 1] == ' ' &&
                   (out->data[n - 2] == 'a' || out->data[n - 2] == 'A') &&
                   (n == 2 || out->data[n - 3] == ' ');
    if (article && strchr("aeiou", value[0]) != NULL) {
        out->data[n - 1] = 'n';
        strbuf_putc(out, ' ');
    }
    strbuf_puts(out, value);
}

/* The form with its slots filled; what is missing is made when `world` is given. False when it
 * needs a slot that is missing. */
static bool fill(struct strbuf *out, const char *form, size_t length, struct slots *slots,
                 struct eval_world *world)
{
    for (size_t i = 0; i < length; i++) {
        if (form[i] != '{' || i + 2 >= length || form[i + 2] != '}') {
            strbuf_putc(out, form[i]);
            continue;
        }
        char **value = &slots->values[(unsigned char)form[i + 1] & 127];
        if (*value == NULL && world != NULL) {
            struct strbuf made = {0};
            eval_world_value(world, form[i + 1], &made);
            *value = strbuf_detach(&made);
        }
        if (*value == NULL)
            return false;
        put_value(out, *value);
        i += 2;
    }
    return true;
}

static size_t form_count(const char *forms)
{
    size_t count = 1;
    for (; *forms != '\0'; forms++)
        count += *forms == '|';
    return count;
}

static const char *form_at(const char *forms, size_t index, size_t *length)
{
    for (; index > 0; index--)
        forms = strchr(forms, '|') + 1;
    *length = strcspn(forms, "|");
    return forms;
}

/* Sentences that may follow "Records show that" with their first letter in lower case. */
static bool begins_with_word(const char *text)
{
    static const char *const words[] = {"The ", "A ",    "An ", "In ", "On ",
                                        "For ", "From ", "By ", "At ", "Everybody "};
    for (size_t i = 0; i < COUNT(words); i++)
        if (strncmp(text, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

void eval_sentence_dress(struct eval_world *world, const char *plain, struct strbuf *out)
{
    size_t begin = 0, length = strlen(plain);
    if (eval_random_chance(&world->random, 18)) {
        strbuf_puts(out, openings[eval_random_below(&world->random, (uint32_t)COUNT(openings))]);
        if (begins_with_word(plain)) {
            strbuf_putc(out, (char)(plain[0] - 'A' + 'a'));
            begin = 1;
        }
    }
    bool stop = length > 0 && plain[length - 1] == '.';
    strbuf_add(out, plain + begin, length - begin - stop);
    if (eval_random_chance(&world->random, 5))
        strbuf_puts(out, endings[eval_random_below(&world->random, (uint32_t)COUNT(endings))]);
    strbuf_puts(out, stop ? "." : "");
}

/* `plain` is the sentence without what dresses it. */
static void add_questions(struct eval_fact *fact, const char *forms, struct slots *slots,
                          const char *plain)
{
    size_t count = form_count(forms), length;
    for (size_t i = 0; i < count && fact->question_count < EVAL_QUESTIONS_MAX; i++) {
        const char *form = form_at(forms, i, &length);
        struct strbuf question = {0};
        const char *answer = form[0] == '.' ? plain : slots->values[(unsigned char)form[0] & 127];
        if (answer == NULL || !fill(&question, form + 2, length - 2, slots, NULL)) {
            strbuf_free(&question);
            continue;
        }
        struct strbuf value = {0};
        size_t used = strlen(answer);
        strbuf_add(&value, answer, used - (form[0] == '.')); /* without the full stop */
        fact->questions[fact->question_count].question = strbuf_detach(&question);
        fact->questions[fact->question_count++].answer = strbuf_detach(&value);
    }
}

void eval_fact_make(struct eval_fact *fact, struct eval_world *world, int kind)
{
    struct slots slots = {{NULL}};
    struct strbuf filled = {0}, plain = {0}, sentence = {0};
    size_t length;
    *fact = (struct eval_fact){0};
    fact->kind =
        kind >= 0 ? (size_t)kind : eval_random_below(&world->random, (uint32_t)fact_kind_count());
    const struct fact_kind *row = &fact_kinds[fact->kind];
    uint32_t forms = (uint32_t)form_count(row->sentences);
    const char *form = form_at(row->sentences, eval_random_below(&world->random, forms), &length);
    fill(&filled, form, length, &slots, world);
    strbuf_capitalised(&plain, strbuf_text(&filled));
    add_questions(fact, row->questions, &slots, strbuf_text(&plain));
    eval_sentence_dress(world, strbuf_text(&plain), &sentence);
    fact->sentence = strbuf_detach(&sentence);
    strbuf_free(&filled);
    strbuf_free(&plain);
    for (size_t i = 0; i < COUNT(slots.values); i++)
        free(slots.values[i]);
}

void eval_fact_free(struct eval_fact *fact)
{
    for (size_t i = 0; i < fact->question_count; i++) {
        free(fact->questions[i].question);
        free(fact->questions[i].answer);
    }
    free(fact->sentence);
    *fact = (struct eval_fact){0};
}
