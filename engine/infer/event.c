#include "engine/infer/event.h"

#include <stdlib.h>

void event_free(struct event *event)
{
    free(event->text);
    token_list_free(&event->tokens);
    event->text = NULL;
    event->length = 0;
}
