/* command_tokenize.c - `airo tokenize`: the ids of standard input as a JSON array, or back. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/model/config.h"
#include "engine/model/tokenizer.h"
#include "tui/arguments.h"
#include "tui/command.h"
#include "tui/model_session.h"

#define INPUT_BYTES_MAX (256u << 20)

static int open_tokenizer(struct tokenizer **out, const struct settings *settings, const char *name,
                          struct error *error)
{
    struct model_config config;
    struct rope_override override = settings_rope(settings);
    char *directory = model_find(name != NULL ? name : settings->model, error);
    if (directory == NULL)
        return -1;
    int result = model_config_read(&config, directory, &override, error);
    if (result == 0)
        result = tokenizer_open(out, directory, config.vocab, error);
    free(directory);
    return result;
}

static void print_ids(const struct tokenizer *tokenizer, const struct strbuf *text)
{
    struct token_list tokens = {0};
    tokenizer_encode(tokenizer, strbuf_text(text), text->length, true, &tokens);
    putchar('[');
    for (size_t i = 0; i < tokens.count; i++)
        printf("%s%d", i > 0 ? ", " : "", (int)tokens.ids[i]);
    puts("]");
    token_list_free(&tokens);
}

static int read_ids(struct token_list *tokens, const struct strbuf *text, uint32_t vocab,
                    struct error *error)
{
    json_t *array = json_parse(strbuf_text(text), text->length, "standard input", error);
    if (array == NULL)
        return -1;
    int result = json_is_array(array) ? 0 : -1;
    for (size_t i = 0; i < json_array_size(array) && result == 0; i++) {
        json_t *value = json_array_get(array, i);
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id >= (json_int_t)vocab)
            result = error_set(error, ERROR_INPUT,
                               "standard input: element %zu is no id from 0 to %u", i, vocab - 1);
        else
            token_list_add(tokens, (int32_t)id);
    }
    if (!json_is_array(array))
        error_set(error, ERROR_INPUT, "standard input: expected a JSON array of ids");
    json_decref(array);
    return result;
}

static int print_text(const struct tokenizer *tokenizer, const struct strbuf *text,
                      struct error *error)
{
    struct token_list tokens = {0};
    struct strbuf out = {0};
    int result = read_ids(&tokens, text, tokenizer_size(tokenizer), error);
    if (result == 0)
        tokenizer_decode(tokenizer, tokens.ids, tokens.count, &out);
    command_print_exact(&out);
    token_list_free(&tokens);
    strbuf_free(&out);
    return result;
}

static int run(struct settings *settings, int argc, char **argv)
{
    const struct option *option;
    const char *value;
    struct tokenizer *tokenizer = NULL;
    struct strbuf text = {0};
    struct error error = {0};
    bool decode = false;
    int at = 1;
    while ((option = arguments_next(argc, argv, &at, &value)) != NULL)
        decode |= strcmp(option->name, "decode") == 0;
    if (argc - at > 1)
        return command_usage("tokenize", "one MODEL is enough; the text is standard input");
    int result = open_tokenizer(&tokenizer, settings, at < argc ? argv[at] : NULL, &error);
    if (result == 0)
        result = file_read("-", INPUT_BYTES_MAX, &text, &error);
    if (result == 0 && decode)
        result = print_text(tokenizer, &text, &error);
    else if (result == 0)
        print_ids(tokenizer, &text);
    if (tokenizer != NULL)
        tokenizer_close(tokenizer);
    strbuf_free(&text);
    return result == 0 ? EXIT_OK : command_failed(&error);
}

const struct command command_tokenize = {
    "tokenize",
    "tokenize [--decode] [MODEL]",
    "the ids of standard input as one JSON array, or the text of such an array",
    run,
};
