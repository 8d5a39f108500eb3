/*
 * card.h - character cards: JSON of V1 (flat fields), V2 and V3, read, edited and written.
 *
 * The card keeps the whole JSON it came from, so that extensions and fields unknown here survive a
 * round trip. The card owns its texts, its lorebook and the JSON. Files: card_file.h.
 */
#ifndef AIRO_CHAT_CARD_H
#define AIRO_CHAT_CARD_H

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/strbuf.h"
#include "engine/chat/lorebook.h"

#define CARD_BYTES_MAX     (16u << 20) /* of a file, and of the JSON in it */
#define CARD_TEXT_MAX      (1u << 20)  /* of one field */
#define CARD_GREETINGS_MAX 256
#define CARD_DEPTH_MAX     (JSON_DEPTH_MAX - 8) /* so that a scene with the card in it can be read */

enum card_field {
    CARD_NAME,
    CARD_DESCRIPTION,
    CARD_PERSONALITY,
    CARD_SCENARIO,
    CARD_FIRST_MES,
    CARD_MES_EXAMPLE,
    CARD_SYSTEM_PROMPT,
    CARD_POST_HISTORY,
    CARD_CREATOR_NOTES,
    CARD_CREATOR,
    CARD_VERSION,
    CARD_FIELDS,
};

struct card {
    int version;               /* 1, 2 or 3: the form it was read from */
    char *fields[CARD_FIELDS]; /* never NULL */
    char **greetings;          /* alternate_greetings */
    size_t greeting_count;
    struct lorebook *book; /* NULL: none */
    json_t *root;          /* as it was read */
};

/* A card with a name (not empty) and nothing else. */
struct card *card_create(const char *name);
/* Parses `length` bytes of JSON; `source` is named in errors. NULL on error. */
struct card *card_parse(const char *text, size_t length, const char *source, struct error *error);
/* The same from parsed JSON, whose reference it takes over, on errors too. */
struct card *card_from_json(json_t *root, const char *source, struct error *error);
struct card *card_copy(const struct card *card);
void card_free(struct card *card);

/* The name a field has in files: "first_mes". */
const char *card_field_name(enum card_field field);
/* An empty name changes nothing. */
void card_set(struct card *card, enum card_field field, const char *text);

/* The card as JSON of `version` 2 or 3, or 0 for its own (V1 becomes V2). The caller owns it. */
json_t *card_json(const struct card *card, int version);
/* The same as text, indented. */
void card_write(const struct card *card, int version, struct strbuf *out);

#endif
