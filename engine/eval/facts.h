/*
 * facts.h - one generated sentence and the questions that it answers.
 *
 * The kinds are a table (fact_kinds.c) of sentence forms and question forms with slots; a question
 * names everything that tells its fact apart, so in a text without two facts of the same question
 * there is one right answer. A fact owns its texts: eval_fact_free.
 */
#ifndef AIRO_EVAL_FACTS_H
#define AIRO_EVAL_FACTS_H

#include "engine/eval/words.h"

#define EVAL_QUESTIONS_MAX 6

struct eval_fact {
    size_t kind;
    char
        *sentence; /* with its full stop, as it stands in a text: after "Records show that ", say */
    struct {
        char *question, *answer;
    } questions[EVAL_QUESTIONS_MAX];
    size_t question_count; /* 1 or more */
};

/* The forms of a kind, parted by '|'; a question form begins with the slot that it asks for and a
 * colon ('.' asks for the whole sentence). */
struct fact_kind {
    const char *sentences, *questions;
};

extern const struct fact_kind fact_kinds[];
size_t fact_kind_count(void);

/* `kind` below fact_kind_count, or -1: any. */
void eval_fact_make(struct eval_fact *fact, struct eval_world *world, int kind);
/* Puts an opening or an end around a plain sentence, now and then. */
void eval_sentence_dress(struct eval_world *world, const char *plain, struct strbuf *out);
void eval_fact_free(struct eval_fact *fact);

#endif
