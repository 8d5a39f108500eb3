#include "engine/chat/prompt_report.h"

#include <stdlib.h>

#include "engine/base/alloc.h"

void prompt_note_line(struct prompt_notes *notes, char *line)
{
    if (notes->count == notes->capacity) {
        notes->capacity = notes->capacity ? 2 * notes->capacity : 8;
        notes->lines = xreallocarray(notes->lines, notes->capacity, sizeof *notes->lines);
    }
    notes->lines[notes->count++] = line;
}

void prompt_note_left_out(struct prompt_notes *notes, char *line)
{
    struct prompt_report *report = &notes->report;
    report->left_out =
        xreallocarray(report->left_out, report->left_out_count + 1, sizeof *report->left_out);
    report->left_out[report->left_out_count++] = line;
}

void prompt_note_lore(struct prompt_notes *notes, const struct prompt_lore *lore)
{
    struct prompt_report *report = &notes->report;
    report->lore = xreallocarray(report->lore, report->lore_count + 1, sizeof *report->lore);
    report->lore[report->lore_count++] = *lore;
}

static void report_free(struct prompt_report *report)
{
    for (size_t i = 0; i < report->lore_count; i++) {
        free(report->lore[i].character);
        free(report->lore[i].name);
        free(report->lore[i].key);
        free(report->lore[i].parent);
    }
    for (size_t i = 0; i < report->left_out_count; i++)
        free(report->left_out[i]);
    free(report->lore);
    free(report->left_out);
}

void prompt_notes_free(struct prompt_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        free(notes->lines[i]);
    free(notes->lines);
    report_free(&notes->report);
    *notes = (struct prompt_notes){0};
}
