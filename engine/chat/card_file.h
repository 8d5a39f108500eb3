/*
 * card_file.h - character cards on disk: JSON and PNG, told apart by their first bytes.
 */
#ifndef AIRO_CHAT_CARD_FILE_H
#define AIRO_CHAT_CARD_FILE_H

#include "engine/chat/card.h"

/* Reads a card of at most CARD_BYTES_MAX; errors name the file. NULL on error. */
struct card *card_open(const char *path, struct error *error);

/* Writes V2 JSON (V3 for a card that is V3) into a new file; refuses one that exists. */
int card_export_json(const struct card *card, const char *path, struct error *error);
/* Writes a PNG with both forms into a new file: `picture` is the PNG to put it into, NULL for a
 * plain one. */
int card_export_png(const struct card *card, const char *picture, const char *path,
                    struct error *error);

/* Writes a file of mode 0600 whole or not at all. `replace` false: an existing one is an error. */
int card_write_file(const char *path, const struct strbuf *bytes, bool replace,
                    struct error *error);

#endif
