#include "engine/chat/defuse.h"

#include <stdbool.h>
#include <string.h>

#include "engine/base/utf8.h"

static const char dot[] = "\u00B7";
#define DOT_BYTES (sizeof dot - 1)

/* Whether `marker`, with any number of dots after its first character, stands at text[0]. */
static bool stands_here(const char *text, size_t length, const char *marker, size_t *dots)
{
    uint32_t code;
    size_t whole = strlen(marker);
    size_t head = utf8_decode(marker, whole, &code);
    if (length < whole || memcmp(text, marker, head) != 0)
        return false;
    size_t at = head;
    *dots = 0;
    while (length - at >= DOT_BYTES && memcmp(text + at, dot, DOT_BYTES) == 0) {
        at += DOT_BYTES;
        (*dots)++;
    }
    return length - at >= whole - head && memcmp(text + at, marker + head, whole - head) == 0;
}

/* The marker at text[0], or NULL; the first of the list when several are. */
static const char *marker_here(const char *text, size_t length, const char *const *markers,
                               size_t *dots)
{
    for (; *markers != NULL; markers++)
        if (stands_here(text, length, *markers, dots))
            return *markers;
    return NULL;
}

/* Which bytes can begin a marker: most of a text is passed by this alone. */
static void first_bytes(const char *const *markers, bool *first)
{
    memset(first, 0, 256 * sizeof *first);
    for (; *markers != NULL; markers++)
        first[(unsigned char)**markers] = true;
}

static size_t first_character(const char *marker)
{
    uint32_t code;
    return utf8_decode(marker, strlen(marker), &code);
}

void defuse_text(struct strbuf *out, const char *text, size_t length, const char *const *markers,
                 defuse_note note, void *user)
{
    bool first[256];
    size_t line = 1;
    first_bytes(markers, first);
    for (size_t at = 0; at < length;) {
        size_t dots = 0;
        const char *marker = first[(unsigned char)text[at]]
                                 ? marker_here(text + at, length - at, markers, &dots)
                                 : NULL;
        size_t taken = marker != NULL ? first_character(marker) : 1;
        line += text[at] == '\n';
        strbuf_add(out, text + at, taken);
        if (marker != NULL)
            strbuf_add(out, dot, DOT_BYTES);
        if (marker != NULL && dots == 0 && note != NULL)
            note(user, line, marker);
        at += taken;
    }
}

void defuse_undo(struct strbuf *out, const char *text, size_t length, const char *const *markers)
{
    for (size_t at = 0; at < length;) {
        size_t dots = 0;
        const char *marker = marker_here(text + at, length - at, markers, &dots);
        size_t taken = marker != NULL ? first_character(marker) : 1;
        strbuf_add(out, text + at, taken);
        at += taken;
        if (marker != NULL && dots > 0)
            at += DOT_BYTES;
    }
}
