#include "tui/suggest.h"

#include <string.h>

#define LENGTH_MAX 63

/* Levenshtein's distance, one row at a time; long names are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t row[LENGTH_MAX + 1], m = strlen(a), n = strlen(b);
    if (m > LENGTH_MAX || n > LENGTH_MAX)
        return (size_t)-1;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[n];
}

struct suggestion suggest_begin(const char *typed)
{
    return (struct suggestion){typed, NULL, strlen(typed) / 4 + 2};
}

void suggest_offer(struct suggestion *suggestion, const char *name)
{
    size_t far = distance(suggestion->typed, name);
    if (far < suggestion->distance && far < strlen(name)) {
        suggestion->distance = far;
        suggestion->found = name;
    }
}
