/*
 * document_path.h - documents from what a user names: a file, a pattern, a directory, "-".
 *
 * document_plan finds the files and reads none of them; document_add_planned adds one. An
 * interface that must not wait plans, asks document_kind which files need a converter, and runs
 * those itself (converter.h, document_add_converted). document_add_path does all of it at once.
 * Patterns are matched here, * ? [...] within a name and ** for any directories between; hidden
 * names are matched by a pattern that begins with a point only.
 */
#ifndef AIRO_CHAT_DOCUMENT_PATH_H
#define AIRO_CHAT_DOCUMENT_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/chat/converter.h"
#include "engine/chat/document.h"

/* Zeros stand for the defaults. */
struct document_options {
    const struct converter_table *converters; /* NULL: the built-in ones alone */
    const struct converter_limits *limits;    /* of a converter; NULL: the defaults */
    bool standard_input;      /* "-" is standard input, and pipes may be waited for */
    size_t files_max;         /* of a directory or pattern; 200 */
    size_t depth_max;         /* directories below the named one; 16 */
    size_t bytes_max;         /* together; DOCUMENT_BYTES_MAX */
    bool (*stop)(void *user); /* asked now and then; true gives up */
    void *user;
};

struct document_report_line {
    char *path;
    bool added;
    char *text; /* "notes.txt: added, 1.2 KiB"; "a.png: skipped, not text" */
};

/* Owned by the caller: document_report_free. */
struct document_report {
    struct document_report_line *lines;
    size_t count, capacity, added;
};

/* The files that a spec names, in order. Owned by the caller: document_plan_free. */
struct document_plan {
    char **paths;
    size_t count, capacity;
    size_t bytes;
    bool many; /* a directory or a pattern: what cannot be read is skipped, not an error */
};

int document_plan(struct document_plan *plan, const char *spec,
                  const struct document_options *options, struct document_report *report,
                  struct error *error);
void document_plan_free(struct document_plan *plan);

/* The converter that a file needs, or NULL for text. */
const char *document_kind(const char *path, const struct document_options *options);
/* Refuses a file that the list has already, by whatever name; a document whose origin is not known
 * (a stored chat's) goes by its name. */
int document_check_new(const struct document_list *list, const char *path, struct error *error);
/* Adds a file, through its converter where it needs one. */
int document_add_planned(struct document_list *list, const char *path,
                         const struct document_options *options, struct error *error);
/* Adds what a converter made of a file, with guessed pairs as for any file. */
void document_add_converted(struct document_list *list, const char *path, const char *text,
                            size_t length);
/* Adds pasted text under a name; an empty name, or one that is there already, gets a number:
 * "pasted text 2". Refuses blank text. */
int document_add_pasted(struct document_list *list, const char *name, const char *text,
                        size_t length, struct error *error);

/* Adds everything that `spec` names. Fails when nothing of it could be added, with the reason, and
 * when it is stopped; what was added by then stays. `report` may be NULL. */
int document_add_path(struct document_list *list, const char *spec,
                      const struct document_options *options, struct document_report *report,
                      struct error *error);
void document_report_free(struct document_report *report);

#endif
