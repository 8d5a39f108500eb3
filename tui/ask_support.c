#include "tui/ask_support.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "engine/base/utf8.h"
#include "tui/json_events.h"
#include "tui/model_session.h"

#define PASSAGES_SHOWN 3

void ask_support_note(const struct support *support, const struct document_list *documents)
{
    char *summary = support_summary(support, documents);
    if (summary != NULL)
        command_note("%s", summary);
    free(summary);
}

static const char *verdict_name(enum support_verdict verdict)
{
    static const char *const names[] = {
        [SUPPORT_NOTHING] = "nothing",     [SUPPORT_CITED] = "cited",
        [SUPPORT_ELSEWHERE] = "elsewhere", [SUPPORT_UNCITED] = "uncited",
        [SUPPORT_UNSURE] = "unsure",       [SUPPORT_NOWHERE] = "nowhere",
    };
    return names[verdict];
}

/* Whatever the bytes are, JSON gets UTF-8. */
static json_t *text_value(const char *text, size_t length)
{
    struct strbuf out = {0};
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

static json_t *name_value(const struct document_list *documents, int document)
{
    if (document < 0)
        return json_null();
    const char *name = documents->items[document].name;
    return text_value(name, strlen(name));
}

static json_t *range_value(const char *text, struct text_range range)
{
    return text_value(text + range.begin, range.end - range.begin);
}

static json_t *passage_value(const struct support_passage *passage,
                             const struct document_list *documents)
{
    return json_pack("{s:o, s:f, s:f, s:I, s:I, s:o}", "document",
                     name_value(documents, passage->document), "score", passage->score, "coverage",
                     passage->coverage, "begin", (json_int_t)passage->range.begin, "end",
                     (json_int_t)passage->range.end, "text",
                     range_value(documents->items[passage->document].text, passage->range));
}

static json_t *sentence_value(const struct support_sentence *sentence, const char *reply,
                              const struct document_list *documents)
{
    json_t *passages = json_array();
    for (size_t i = 0; i < sentence->passage_count && i < PASSAGES_SHOWN; i++)
        json_array_append_new(passages, passage_value(&sentence->passages[i], documents));
    return json_pack("{s:o, s:o}", "text", range_value(reply, sentence->range), "passages",
                     passages);
}

void ask_support_json(const struct support *support, const char *reply,
                      const struct document_list *documents)
{
    json_t *sentences = json_array(), *unknown = json_array();
    char *summary = support_summary(support, documents);
    for (size_t i = 0; i < support->sentence_count; i++)
        json_array_append_new(sentences, sentence_value(&support->sentences[i], reply, documents));
    for (size_t i = 0; i < support->unknown_count; i++)
        json_array_append_new(unknown, range_value(reply, support->unknown[i].range));
    json_line_print(json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "event", "support", "verdict",
                              verdict_name(support->verdict), "cited",
                              name_value(documents, support->cited), "document",
                              name_value(documents, support->document), "note",
                              summary != NULL ? text_value(summary, strlen(summary)) : json_null(),
                              "sentences", sentences, "unknown", unknown));
    free(summary);
}
