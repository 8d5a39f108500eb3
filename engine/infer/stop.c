#include "engine/infer/stop.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"

struct stop {
    char **strings;
    size_t count;
    struct strbuf held; /* may be the beginning of a stop string */
};

struct stop *stop_create(const char *const *strings, size_t count)
{
    struct stop *stop = xcalloc(1, sizeof *stop);
    stop->strings = xcalloc(count, sizeof *stop->strings);
    for (size_t i = 0; i < count; i++)
        if (strings[i] != NULL && strings[i][0] != '\0')
            stop->strings[stop->count++] = xstrdup(strings[i]);
    return stop;
}

void stop_free(struct stop *stop)
{
    if (stop == NULL)
        return;
    for (size_t i = 0; i < stop->count; i++)
        free(stop->strings[i]);
    free(stop->strings);
    strbuf_free(&stop->held);
    free(stop);
}

/* Where the first stop string begins, or the length. */
static size_t find_first(const struct stop *stop)
{
    size_t first = stop->held.length;
    for (size_t i = 0; i < stop->count; i++) {
        const char *at =
            memmem(stop->held.data, stop->held.length, stop->strings[i], strlen(stop->strings[i]));
        if (at != NULL && (size_t)(at - stop->held.data) < first)
            first = (size_t)(at - stop->held.data);
    }
    return first;
}

/* The length of the longest end of the held text that begins some stop string. */
static size_t possible_beginning(const struct stop *stop)
{
    size_t longest = 0;
    for (size_t i = 0; i < stop->count; i++) {
        size_t length = strlen(stop->strings[i]) - 1;
        if (length > stop->held.length)
            length = stop->held.length;
        for (; length > longest; length--)
            if (memcmp(stop->held.data + stop->held.length - length, stop->strings[i], length) == 0)
                longest = length;
    }
    return longest;
}

bool stop_push(struct stop *stop, const char *text, size_t length, struct strbuf *out)
{
    if (length == 0)
        return false;
    strbuf_add(&stop->held, text, length);
    size_t at = find_first(stop);
    bool found = at < stop->held.length;
    size_t sure = found ? at : stop->held.length - possible_beginning(stop);
    strbuf_add(out, stop->held.data, sure);
    strbuf_remove(&stop->held, 0, found ? stop->held.length : sure);
    return found;
}

void stop_flush(struct stop *stop, struct strbuf *out)
{
    strbuf_add(out, stop->held.data, stop->held.length);
    strbuf_clear(&stop->held);
}
