/*
 * gauge.h - the one line that is always true: model, backend, the context by part, the KV cache,
 * progress and speed. Every number comes from the engine; parts of the line are dropped by
 * priority when the terminal is narrow.
 */
#ifndef AIRO_TUI_GAUGE_H
#define AIRO_TUI_GAUGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/infer/event.h"
#include "tui/terminal.h"

enum gauge_state { GAUGE_IDLE, GAUGE_READING, GAUGE_WRITING };

struct gauge {
    const char *model, *backend; /* borrowed */
    enum gauge_state state;
    size_t parts[PARTS]; /* tokens by part; the reply so far counts as history */
    size_t reserve, context;
    bool counted;       /* false: the draft has changed since; the numbers are drawn dim */
    struct usage usage; /* of the reply that runs or ran last */
};

/* Draws into the first row of `area`. */
void gauge_draw(const struct gauge *gauge, struct terminal *terminal, const struct rect *area);

#endif
