#include "tui/json_events.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/utf8.h"

void json_line_print(json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    putchar('\n');
    fflush(stdout);
    json_decref(value);
}

/* Names and messages may hold bytes that are not UTF-8; JSON cannot. */
static json_t *text_value(const char *text)
{
    struct strbuf out = {0};
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        uint32_t code;
        char bytes[4];
        at += utf8_decode(text + at, length - at, &code);
        strbuf_add(&out, bytes, utf8_encode(code, bytes));
    }
    json_t *value = json_stringn(strbuf_text(&out), out.length);
    strbuf_free(&out);
    return value;
}

static void print_progress(const struct event *event)
{
    json_line_print(json_pack("{s:s, s:I, s:I, s:I}", "event", "progress", "done",
                              (json_int_t)event->usage.prompt_done, "total",
                              (json_int_t)event->usage.prompt, "reused",
                              (json_int_t)event->usage.prompt_reused));
}

static void print_text(const struct event *event)
{
    json_t *ids = json_array();
    for (size_t i = 0; i < event->tokens.count; i++)
        json_array_append_new(ids, json_integer(event->tokens.ids[i]));
    json_line_print(json_pack("{s:s, s:s%, s:o}", "event", "text", "text", event->text,
                              event->length, "ids", ids));
}

void json_event_print(const struct event *event)
{
    if (event->kind == EVENT_PROGRESS)
        print_progress(event);
    else if (event->kind == EVENT_TEXT)
        print_text(event);
}

void json_event_note(const char *text)
{
    json_line_print(json_pack("{s:s, s:o}", "event", "note", "text", text_value(text)));
}

void json_event_source(const char *line, const char *document)
{
    json_line_print(json_pack("{s:s, s:o, s:o}", "event", "source", "line", text_value(line),
                              "document", document != NULL ? text_value(document) : json_null()));
}

const char *stop_reason_name(enum stop_reason reason)
{
    static const char *const names[] = {
        [STOP_EOS] = "eos",         [STOP_STRING] = "stop string",  [STOP_LENGTH] = "length",
        [STOP_CONTEXT] = "context", [STOP_CANCELLED] = "cancelled",
    };
    return names[reason];
}

static json_t *usage_value(const struct usage *usage)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:I}", "prompt",
                     (json_int_t)usage->prompt, "reused", (json_int_t)usage->prompt_reused, "reply",
                     (json_int_t)usage->reply, "context", (json_int_t)usage->context,
                     "prefill_seconds", usage->prefill_seconds, "decode_seconds",
                     usage->decode_seconds, "steps", (json_int_t)usage->steps, "drafted",
                     (json_int_t)usage->drafted, "accepted", (json_int_t)usage->accepted);
}

void json_event_done(const struct reply_end *end, const char *reply, bool answered)
{
    json_line_print(json_pack("{s:s, s:s, s:b, s:o, s:o}", "event", "done", "reason",
                              stop_reason_name(end->reason), "answered", (int)answered, "reply",
                              text_value(reply), "usage", usage_value(&end->usage)));
}

void json_event_error(const struct error *error)
{
    json_line_print(
        json_pack("{s:s, s:o}", "event", "error", "message", text_value(error->message)));
}
