#include "engine/base/json.h"

#include <stdbool.h>

#include "engine/base/file.h"

/* jansson has its own limit, 2048 levels; ours is checked first, outside of strings. */
static bool depth_within_limit(const char *text, size_t length)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > JSON_DEPTH_MAX)
            return false;
    }
    return true;
}

json_t *json_parse(const char *text, size_t length, const char *source, struct error *error)
{
    if (!depth_within_limit(text, length)) {
        error_set(error, ERROR_INPUT, "%s: JSON nested deeper than %d levels", source,
                  JSON_DEPTH_MAX);
        return NULL;
    }
    json_error_t reason;
    json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &reason);
    if (value == NULL)
        error_set(error, ERROR_INPUT, "%s: line %d: %s", source, reason.line, reason.text);
    return value;
}

json_t *json_read(const char *path, size_t max_bytes, struct error *error)
{
    struct strbuf text = {0};
    json_t *value = NULL;
    if (file_read(path, max_bytes, &text, error) == 0)
        value = json_parse(strbuf_text(&text), text.length, path, error);
    strbuf_free(&text);
    return value;
}
