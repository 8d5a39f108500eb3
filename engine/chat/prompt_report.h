/*
 * prompt_report.h - what happened while a prompt was built, for the user.
 */
#ifndef AIRO_CHAT_PROMPT_REPORT_H
#define AIRO_CHAT_PROMPT_REPORT_H

#include <stddef.h>

#include "engine/chat/lorebook_scan.h"

#define PROMPT_NOTES_MAX 100

/* An entry of a lorebook that fired, or would have. */
struct prompt_lore {
    char *character; /* whose card has it */
    char *name;      /* of the entry */
    char *key;       /* that matched; "" for entries that always fire */
    int message;     /* where: its id, -1 the draft, LORE_CONSTANT, LORE_RECURSION */
    char *parent;    /* the entry that fired it, for LORE_RECURSION; "" otherwise */
    enum lore_state state;
    size_t tokens;
};

struct prompt_report {
    size_t turns;            /* on the path, without the draft */
    size_t skipped_turns;    /* of them, left out */
    size_t pinned_documents; /* of turns left out, that stayed */
    size_t examples;         /* blocks that the cards have */
    size_t skipped_examples; /* of them, left out */
    struct prompt_lore *lore;
    size_t lore_count;
    char **left_out; /* a line for each thing that was left out, with the reason */
    size_t left_out_count;
};

/* The defused lines, for the user: "notes.txt line 12: ENDINPUT". No more than PROMPT_NOTES_MAX;
 * the last then ends in ", and more". */
struct prompt_notes {
    char **lines;
    size_t count, capacity;
    struct prompt_report report;
};

void prompt_notes_free(struct prompt_notes *notes);

/* For the functions that build prompts; they take the text over. */
void prompt_note_line(struct prompt_notes *notes, char *line);
void prompt_note_left_out(struct prompt_notes *notes, char *line);
void prompt_note_lore(struct prompt_notes *notes, const struct prompt_lore *lore);

#endif
