/*
 * document.h - documents for closed-context questions: text and its metadata pairs.
 */
#ifndef AIRO_CHAT_DOCUMENT_H
#define AIRO_CHAT_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"

#define DOCUMENT_BYTES_MAX (64u << 20)
#define DOCUMENT_PAIRS_MAX 16

struct document_pair {
    char *key, *value;
    bool guessed; /* made up from the file name or its time, not given by the user */
};

struct document {
    char *name;   /* how messages name it: the path as given, "-" for standard input */
    char *origin; /* the file's full path, by which it is known again; NULL: it has none */
    char *text;
    size_t length;
    struct document_pair pairs[DOCUMENT_PAIRS_MAX];
    size_t pair_count;
    bool enabled;
};

struct document_list {
    struct document *items;
    size_t count, capacity;
};

/* Reads a file ("-": standard input) as UTF-8 text and adds it with guessed pairs (date from its
 * time, url as the file name). Refuses directories, binary files and what is too large. */
int document_add_file(struct document_list *list, const char *path, struct error *error);
/* The same for a program that must not wait, as a chat: pipes, devices and standard input are
 * refused. */
int document_add_regular(struct document_list *list, const char *path, struct error *error);
/* Adds text that was read from a file, with the pairs guessed from it. */
void document_add_from(struct document_list *list, const char *path, const char *text,
                       size_t length);
/* The full path of a regular file, by which it is known again, "-" for itself; NULL for anything
 * else. To be freed. */
char *document_origin(const char *path);
void document_add_text(struct document_list *list, const char *name, const char *text,
                       size_t length);
/* The same for text that was a document's before: not a byte is changed. */
void document_add_exact(struct document_list *list, const char *name, const char *text,
                        size_t length);
/* Sets or adds a pair; a value given by a user replaces all guesses of that document's. */
int document_set_pair(struct document *document, const char *key, const char *value,
                      struct error *error);
/* Removes a pair; a further guess of that document's stays a guess. False: there is none. */
bool document_remove_pair(struct document *document, const char *key);
/* Adds a document with another's name, pairs and state, and its own text. */
void document_add_copy(struct document_list *list, const struct document *source, const char *text,
                       size_t length);
/* The index of the first document of this name, or -1. */
int document_find(const struct document_list *list, const char *name);
/* Puts a document elsewhere in the order; indices past the end are left alone. */
void document_move(struct document_list *list, size_t from, size_t to);
void document_remove(struct document_list *list, size_t index);
void document_list_copy(struct document_list *to, const struct document_list *from);
void document_list_free(struct document_list *list);

#endif
