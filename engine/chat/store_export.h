/*
 * store_export.h - a chat as text to take away, and back again.
 *
 * Markdown is the current path, for reading. JSON is everything (the whole tree, deleted messages,
 * token ids, documents), and importing it gives the same chat again, with rows of its own:
 *
 *   {"airo_chat": 1, "title": ..., "template": ..., "system": ..., "scene": ..., "model": ...,
 *    "draft": ..., "created": N, "updated": N, "tip": INDEX or absent,
 *    "contents": [TEXT, ...],                        the documents' texts, each once
 *    "documents": [DOCUMENT, ...],                   not sent yet
 *    "messages": [{"parent": INDEX or absent, "role": "user" or "assistant", "text": TEXT,
 *                  "tokens": [ID, ...], "partial": BOOL, "made_with": ..., "created": N,
 *                  "deleted": BOOL, "chosen": INDEX, "documents": [DOCUMENT, ...]}, ...]}
 *   DOCUMENT: {"name": ..., "content": INDEX, "enabled": BOOL,
 *              "pairs": [{"key": ..., "value": ..., "guessed": BOOL}, ...]}
 *   TEXT: a string, or {"hex": "..."} for bytes that no JSON string can hold
 */
#ifndef AIRO_CHAT_STORE_EXPORT_H
#define AIRO_CHAT_STORE_EXPORT_H

#include "engine/base/strbuf.h"
#include "engine/chat/store.h"

#define IMPORT_BYTES_MAX     (256u << 20) /* also: all documents, unfolded */
#define IMPORT_VALUES_MAX    16777216u    /* numbers, strings, ... in the file */
#define IMPORT_MESSAGES_MAX  1000000u
#define IMPORT_TOKENS_MAX    4194304u /* in one message */
#define IMPORT_DOCUMENTS_MAX 10000u   /* in one list; and contents */

enum export_format { EXPORT_MARKDOWN, EXPORT_JSON };

/* Appends the chat to `out`. */
int store_export(struct store *store, int64_t chat, enum export_format format, struct strbuf *out,
                 struct error *error);
/* Into a new file (0600; one that is there is not touched), on the disk when this returns. */
int store_export_file(struct store *store, int64_t chat, enum export_format format,
                      const char *path, struct error *error);

/* Reads JSON that store_export wrote; errors name `source` and the field. Nothing is stored. */
int chat_from_json(struct store_chat *out, const char *text, size_t length, const char *source,
                   struct error *error);
/* Reads a file and stores it as a new chat. All of it, or nothing. */
int store_import_file(struct store *store, const char *path, int64_t *chat, struct error *error);

#endif
