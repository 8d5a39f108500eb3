#include "tui/token_reply.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/sanitize.h"
#include "tui/token_probes.h"
#include "tui/token_text.h"

void token_reply_free(struct token_reply *reply)
{
    strbuf_free(&reply->shown);
    free(reply->tokens);
    segment_list_free(&reply->prompt);
    *reply = (struct token_reply){0};
}

/* --- texts ----------------------------------------------------------------------------------- */

static bool begins_word(const char *text, bool after_break)
{
    return after_break || text[0] == ' ' || text[0] == '\n';
}

static void add_tokens(struct token_reply *reply, const struct message *message,
                       const struct tokenizer *tokenizer)
{
    const struct token_list *ids = &message->tokens;
    struct token_decoder decoder = {.strip_leading_space =
                                        message->text.length > 0 && message->text.data[0] != ' '};
    bool after_break = true;
    reply->tokens = xcalloc(ids->count + 1, sizeof *reply->tokens);
    reply->count = ids->count;
    for (size_t i = 0; i < ids->count; i++) {
        struct reply_token *token = &reply->tokens[i];
        struct strbuf text = {0};
        token_decoder_push(&decoder, tokenizer, ids->ids[i], &text);
        token->id = ids->ids[i];
        token->begin = reply->shown.length;
        token->breaks = text.length > 0 && text.data[text.length - 1] == '\n';
        token->word = begins_word(strbuf_text(&text), after_break);
        if (text.length > 0)
            token_text_put(strbuf_text(&text), text.length, false, &reply->shown);
        else
            token_text_put_piece(tokenizer_piece(tokenizer, token->id), &reply->shown);
        token->length = reply->shown.length - token->begin;
        token->columns = text_columns(reply->shown.data + token->begin, token->length);
        after_break = token->breaks;
        strbuf_free(&text);
    }
}

/* "B", "B)", "B. Paris": the answer to a multiple choice. */
static void find_letter(struct token_reply *reply, const struct message *message)
{
    const char *text = strbuf_text(&message->text);
    size_t space = strspn(text, " \n");
    char letter = text[space], after = letter != '\0' ? text[space + 1] : '\0';
    reply->letter = reply->count;
    if (letter < 'A' || letter > 'E' || (after != '\0' && strchr(").,:;\n]", after) == NULL))
        return;
    for (size_t i = 0; i < reply->count; i++) {
        const char *shown = reply->shown.data + reply->tokens[i].begin;
        size_t length = reply->tokens[i].length;
        if (length > 0 &&
            (shown[0] == letter || (length > 1 && shown[0] == ' ' && shown[1] == letter))) {
            reply->letter = i;
            return;
        }
    }
}

/* --- the prompt ------------------------------------------------------------------------------ */

static int add_prompt(struct token_reply *reply, struct chat *chat, const struct message *message,
                      struct error *error)
{
    struct conversation *conversation = chat->conversation;
    int tip = conversation->tip;
    conversation->tip = message->parent;
    int result = chat_prompt(chat, NULL, &reply->prompt, NULL, error);
    conversation->tip = tip;
    if (result != 0)
        return -1;
    uint64_t key = token_key_prompt(&reply->prompt);
    for (size_t i = 0; i < reply->count; i++) {
        reply->tokens[i].key = key;
        key = token_key_next(key, reply->tokens[i].id);
    }
    return 0;
}

int token_reply_build(struct token_reply *reply, struct chat *chat, const struct message *message,
                      bool with_prompt, struct error *error)
{
    const struct tokenizer *tokenizer = chat->generator->ops->tokenizer(chat->generator);
    token_reply_free(reply);
    if (tokenizer == NULL)
        return 0;
    add_tokens(reply, message, tokenizer);
    find_letter(reply, message);
    return with_prompt && reply->count > 0 ? add_prompt(reply, chat, message, error) : 0;
}

/* --- rows ------------------------------------------------------------------------------------ */

/* The columns of the tokens from `index` on that belong to one word. */
static int word_columns(const struct token_reply *reply, size_t index)
{
    int columns = 0;
    do {
        columns += reply->tokens[index].columns;
    } while (++index < reply->count && !reply->tokens[index].word);
    return columns;
}

void token_reply_layout(struct token_reply *reply, int columns)
{
    int row = 0, column = 0;
    if (columns == reply->columns)
        return;
    reply->columns = columns;
    for (size_t i = 0; i < reply->count; i++) {
        struct reply_token *token = &reply->tokens[i];
        int wanted = token->word ? word_columns(reply, i) : token->columns;
        if (wanted > columns)
            wanted = token->columns;
        if (column > 0 && column + wanted > columns) {
            row++;
            column = 0;
        }
        token->row = row;
        token->column = column;
        token->hangs = column == 0 && token->columns > 1 && reply->shown.data[token->begin] == ' ';
        column += token->columns - token->hangs;
        if (token->breaks) {
            row++;
            column = 0;
        }
    }
    reply->rows = reply->count > 0 ? reply->tokens[reply->count - 1].row + 1 : 0;
}

size_t token_reply_at(const struct token_reply *reply, int row, int column)
{
    size_t best = 0;
    for (size_t i = 0; i < reply->count && reply->tokens[i].row <= row; i++)
        if (reply->tokens[i].row < row || reply->tokens[i].column <= column ||
            reply->tokens[best].row < row)
            best = i;
    return best;
}
