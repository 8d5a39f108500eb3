#include "engine/infer/event.h"

#include <stdlib.h>

void event_free(struct event *event)
{
    free(event->text);
    token_list_free(&event->tokens);
    for (size_t i = 0; i < event->choice_count; i++)
        free(event->choices[i].text);
    free(event->choices);
    event->choices = NULL;
    event->choice_count = 0;
    event->text = NULL;
    event->length = 0;
}
