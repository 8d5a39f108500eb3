#include "engine/quant/calibration.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/json.h"

#define TEXT_BYTES_MAX (256u << 20)
#define WHITE          " \t\r\n"

static void add_text(struct token_list *tokens, const struct tokenizer *tokenizer, const char *text,
                     size_t length)
{
    if (length == 0)
        return;
    if (tokenizer_bos(tokenizer) >= 0)
        token_list_add(tokens, tokenizer_bos(tokenizer));
    tokenizer_encode(tokenizer, text, length, true, tokens);
}

/* The "text" of a line, to be freed with *object; NULL and an error when there is none. */
static const char *line_text(const char *line, size_t length, const char *source, json_t **object,
                             size_t *text_length, struct error *error)
{
    *object = json_parse(line, length, source, error);
    if (*object == NULL)
        return NULL;
    const json_t *text = json_object_get(*object, "text");
    *text_length = json_string_length(text);
    if (!json_is_string(text))
        error_set(error, ERROR_INPUT, "%s: not an object with a string \"text\"", source);
    return json_string_value(text);
}

static int add_line(struct token_list *tokens, const struct tokenizer *tokenizer, const char *line,
                    size_t length, const char *source, struct error *error)
{
    json_t *object;
    size_t text_length;
    const char *text = line_text(line, length, source, &object, &text_length, error);
    if (text != NULL)
        add_text(tokens, tokenizer, text, text_length);
    json_decref(object);
    return text != NULL ? 0 : -1;
}

static int add_lines(struct token_list *tokens, const struct tokenizer *tokenizer,
                     const struct strbuf *bytes, const char *path, struct error *error)
{
    const char *at = strbuf_text(bytes), *end = at + bytes->length;
    int result = 0;
    for (unsigned number = 1; at < end && result == 0; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop != NULL ? stop : end) - at);
        if (strspn(at, WHITE) < length) {
            char *source = xasprintf("%s: line %u", path, number);
            result = add_line(tokens, tokenizer, at, length, source, error);
            free(source);
        }
        at += length + 1;
    }
    return result;
}

static bool is_json_lines(const struct strbuf *bytes, const char *path)
{
    size_t length = strlen(path), first;
    const char *text = strbuf_text(bytes);
    if (length > 6 && strcmp(path + length - 6, ".jsonl") == 0)
        return true;
    text += strspn(text, WHITE);
    if (*text != '{')
        return false;
    json_t *object;
    const char *found = line_text(text, strcspn(text, "\n"), path, &object, &first, NULL);
    json_decref(object);
    return found != NULL;
}

static int take_samples(struct calibration *calibration, const struct token_list *tokens,
                        uint32_t samples, const char *path, struct error *error)
{
    size_t length = calibration->length, pieces = tokens->count / length;
    calibration->tokens = tokens->count;
    if (pieces == 0)
        return error_set(error, ERROR_INPUT,
                         "%s: %zu tokens are less than one sample of %zu; give more text or a "
                         "smaller --length",
                         path, tokens->count, length);
    calibration->samples = pieces < samples ? (uint32_t)pieces : samples;
    calibration->ids = xcalloc(calibration->samples * length, sizeof *calibration->ids);
    for (size_t i = 0; i < calibration->samples; i++) {
        size_t piece = i * pieces / calibration->samples;
        memcpy(calibration->ids + i * length, tokens->ids + piece * length,
               length * sizeof *tokens->ids);
    }
    return 0;
}

int calibration_read(struct calibration *calibration, const char *path,
                     const struct tokenizer *tokenizer, uint32_t samples, uint32_t length,
                     struct error *error)
{
    struct strbuf bytes = {0};
    struct token_list tokens = {0};
    *calibration = (struct calibration){.length = length};
    /* Ctrl-C is heeded between steps only: no waiting for a pipe */
    int result = file_read_regular(path, TEXT_BYTES_MAX, &bytes, error);
    if (result == 0 && is_json_lines(&bytes, path))
        result = add_lines(&tokens, tokenizer, &bytes, path, error);
    else if (result == 0)
        add_text(&tokens, tokenizer, strbuf_text(&bytes), bytes.length);
    strbuf_free(&bytes);
    if (result == 0)
        result = take_samples(calibration, &tokens, samples, path, error);
    token_list_free(&tokens);
    return result;
}

void calibration_free(struct calibration *calibration)
{
    free(calibration->ids);
    calibration->ids = NULL;
}
