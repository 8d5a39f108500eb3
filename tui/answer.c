#include "tui/answer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "engine/chat/support_source.h"

/* --- sources ---------------------------------------------------------------------------------- */

/* Checks one source line and says whether the sources go on. */
static void check_source(struct answer *answer, const char *text, struct strbuf *out)
{
    char *line = source_plain_line(text, strlen(text), answer->markers);
    int document = source_document(answer->documents, line);
    bool source =
        source_goes_on(line, document) || (line[0] != '\0' && answer->state == ANSWER_FIRST_SOURCE);
    if (source && document < 0)
        strbuf_puts(out, " (" ANSWER_NOT_GIVEN ")");
    if (source && answer->on_source != NULL)
        answer->on_source(answer->user, line, document);
    answer->state = source ? ANSWER_SOURCES : ANSWER_TEXT;
    free(line);
}

/* A whole line that was held back. */
static void release_line(struct answer *answer, struct strbuf *out)
{
    const char *line = strbuf_text(&answer->line);
    strbuf_add(out, line, answer->line.length);
    const char *rest = source_after_header(line);
    if (rest != NULL && !answer->mid_line) {
        answer->state = ANSWER_FIRST_SOURCE;
        if (rest[strspn(rest, " \t")] != '\0')
            check_source(answer, rest, out);
    } else if (answer->state != ANSWER_TEXT) {
        check_source(answer, line, out);
    }
    strbuf_clear(&answer->line);
    answer->mid_line = false;
}

static void push_byte(struct answer *answer, char byte, struct strbuf *out)
{
    if (byte == '\n') {
        release_line(answer, out);
        strbuf_putc(out, '\n');
        return;
    }
    strbuf_putc(&answer->line, byte);
    if (answer->state == ANSWER_TEXT &&
        (answer->mid_line ||
         !source_may_be_header(strbuf_text(&answer->line), answer->line.length))) {
        strbuf_add(out, strbuf_text(&answer->line), answer->line.length);
        strbuf_clear(&answer->line);
        answer->mid_line = true;
    }
}

void answer_push(struct answer *answer, const char *text, size_t length, struct strbuf *out)
{
    for (size_t i = 0; i < length; i++)
        push_byte(answer, text[i], out);
}

void answer_finish(struct answer *answer, struct strbuf *out)
{
    if (answer->line.length > 0)
        release_line(answer, out);
}

void answer_free(struct answer *answer)
{
    strbuf_free(&answer->line);
}

/* --- declining -------------------------------------------------------------------------------- */

/* Only the first sentences count, and only these forms: a document may well quote someone who does
 * not know. A reply begins with an opening, or says of the documents that they do not say. */
static const char *const openings[] = {
    "i don't know",
    "i do not know",
    "i'm not sure",
    "i am not sure",
    "i cannot answer",
    "i can't answer",
    "i'm sorry, but i don't know",
    "i'm sorry, but i do not",
    "i'm sorry, but the",
    "i am sorry, but the",
    "sorry, i don't know",
    "unknown.",
    "there is no information",
    "there is no mention",
    "no information",
    "not in the documents",
    "not mentioned in",
    "the answer is not in the",
    "the answer is not mentioned in",
    "the answer is not provided in",
};
static const char *const subjects[] = {
    "the documents",
    "the document",
    "the context",
    "the text",
    "the texts",
    "the passage",
    "the input",
    "the source",
    "the sources",
    "the article",
    "the provided context",
    "the provided text",
    "the given context",
    "the given text",
    "the provided documents",
    "this document",
    "these documents",
    "the information provided",
    "the provided information",
};
static const char *const negations[] = {" do not ",  " does not ", " don't ",
                                        " doesn't ", " did not ",  " didn't "};
static const char *const verbs[] = {"say",     "mention", "specify",  "state",
                                    "contain", "provide", "include",  "give",
                                    "tell",    "answer",  "indicate", "reveal"};
static const char *const participles[] = {
    "not mentioned in ", "not specified in ", "not stated in ",    "not provided in ",
    "not given in ",     "not found in ",     "not contained in ", "not included in ",
    "not in ",           "not mentioned by ", "not answered in ",
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* The text after the longest entry that `text` begins with, or NULL. */
static const char *past(const char *text, const char *const *table, size_t count)
{
    size_t best = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(table[i]);
        if (length > best && strncmp(text, table[i], length) == 0)
            best = length;
    }
    return best > 0 ? text + best : NULL;
}

/* "the context does not mention" or "not mentioned in the context" at `text`. */
static bool declines_here(const char *text)
{
    const char *after = past(text, subjects, COUNT(subjects));
    if (after != NULL && (after = past(after, negations, COUNT(negations))) != NULL)
        return past(after, verbs, COUNT(verbs)) != NULL;
    after = past(text, participles, COUNT(participles));
    return after != NULL && past(after, subjects, COUNT(subjects)) != NULL;
}

/* Lower case, U+2019 as an apostrophe, line breaks as spaces, up to the sources. To be freed. */
static char *normalised(const char *reply)
{
    struct strbuf out = {0};
    reply += strspn(reply, " \t\n");
    while (*reply != '\0') {
        if (reply[0] == '\n' && source_after_header(reply + 1) != NULL)
            break;
        if (strncmp(reply, "\u2019", strlen("\u2019")) == 0) {
            strbuf_putc(&out, '\'');
            reply += strlen("\u2019");
            continue;
        }
        char byte = *reply++;
        strbuf_putc(&out, byte == '\n' ? ' ' : (char)tolower((unsigned char)byte));
    }
    return strbuf_detach(&out);
}

bool answer_declines(const char *reply)
{
    char *text = normalised(reply);
    bool declines = past(text, openings, COUNT(openings)) != NULL;
    bool word = true; /* text + i begins a word */
    for (size_t i = 0; text[i] != '\0' && !declines; i++) {
        declines = word && declines_here(text + i);
        word = text[i] == ' ';
    }
    free(text);
    return declines;
}
