/*
 * json_events.h - events as JSON lines on stdout, plain ASCII, flushed line by line:
 *
 *   {"event":"note","text":...}         a line of content that was defused, passages that were
 * chosen
 *   {"event":"progress","done":n,"total":n,"reused":n}
 *   {"event":"text","text":...,"ids":[...]}
 *   {"event":"source","line":...,"document":name or null}
 *   {"event":"support",...}             where the answer stands: ask_support.h
 *   {"event":"done","reason":"eos","answered":bool,"reply":...,"usage":{...}}
 *   {"event":"error","message":...}
 */
#ifndef AIRO_TUI_JSON_EVENTS_H
#define AIRO_TUI_JSON_EVENTS_H

#include <jansson.h>
#include <stdbool.h>

#include "engine/infer/event.h"
#include "tui/model_session.h"

/* PROGRESS and TEXT; the other kinds have their own functions below and print nothing here. */
void json_event_print(const struct event *event);
void json_event_note(const char *text);
void json_event_source(const char *line, const char *document);
void json_event_done(const struct reply_end *end, const char *reply, bool answered);
void json_event_error(const struct error *error);

/* One value and a line break; takes the value over. */
void json_line_print(json_t *value);

const char *stop_reason_name(enum stop_reason reason);

#endif
