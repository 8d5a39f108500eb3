#include "tui/input.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/utf8.h"

#define PASTE_BEGIN "\033[200~"
#define PASTE_END   "\033[201~"
#define CSI_MAX     64 /* a longer sequence is not one */

/* What terminals send. The wheel is matched by its beginning, the place follows. */
static const struct {
    const char *bytes, *name;
} keys[] = {
    {"\003", "Ctrl-C"},
    {"\004", "Ctrl-D"},
    {"\014", "Ctrl-L"},
    {"\032", "Ctrl-Z"},
    {"\r", "Enter"},
    {"\t", "Tab"},
    {"\033\r", "Alt-Enter"},
    {"\033\n", "Alt-Enter"},
    {"\033[13;2u", "Alt-Enter"}, /* Shift-Enter, where the terminal tells it apart */
    {"\033[13;3u", "Alt-Enter"},
    {"\033[27;2;13~", "Alt-Enter"},
    {"\033[27;3;13~", "Alt-Enter"},
    {"\033[5~", "PageUp"},
    {"\033[6~", "PageDown"},
    {"\033[5;2~", "PageUp"},
    {"\033[6;2~", "PageDown"},
    {"\033[1;2A", "Shift-Up"},
    {"\033[1;2B", "Shift-Down"},
    {"\033[a", "Shift-Up"},
    {"\033[b", "Shift-Down"},
    {"\033[1;5A", "Ctrl-Up"},
    {"\033[1;5B", "Ctrl-Down"},
    {"\033Oa", "Ctrl-Up"},
    {"\033Ob", "Ctrl-Down"},
    {"\033[1;5H", "Ctrl-Home"},
    {"\033[1;5F", "Ctrl-End"},
    {"\033OP", "F1"},
    {"\033[11~", "F1"},
    {"\033[[A", "F1"},
    {"\033OQ", "F2"},
    {"\033[12~", "F2"},
    {"\033[[B", "F2"},
    {"\033OR", "F3"},
    {"\033[13~", "F3"},
    {"\033[[C", "F3"},
    {"\033OS", "F4"},
    {"\033[14~", "F4"},
    {"\033[[D", "F4"},
};

void input_feed(struct input *input, const char *bytes, size_t length, uint64_t now_ms)
{
    strbuf_remove(&input->bytes, 0, input->taken);
    input->taken = 0;
    strbuf_add(&input->bytes, bytes, length);
    input->fed_ms = now_ms;
}

void input_free(struct input *input)
{
    strbuf_free(&input->bytes);
    strbuf_free(&input->paste);
}

/* --- sequences ------------------------------------------------------------------------------- */

/* Bytes of the escape sequence at the start, 0 when its end has not come. */
static size_t sequence_length(const char *bytes, size_t length)
{
    if (length < 2)
        return 0;
    if (bytes[1] == 'O')
        return length < 3 ? 0 : 3;
    if (bytes[1] != '[') { /* Alt and a character */
        size_t whole = utf8_whole(bytes + 1, length - 1);
        uint32_t code;
        return whole == 0 ? 0 : 1 + utf8_decode(bytes + 1, length - 1, &code);
    }
    if (length > 2 && bytes[2] == '[') /* the Linux console's function keys */
        return length < 4 ? 0 : 4;
    for (size_t i = 2; i < length && i < CSI_MAX; i++)
        if ((unsigned char)bytes[i] >= 0x40 && (unsigned char)bytes[i] <= 0x7E)
            return i + 1;
    return length < CSI_MAX ? 0 : CSI_MAX;
}

static const char *key_name(const char *bytes, size_t length)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strlen(keys[i].bytes) == length && memcmp(keys[i].bytes, bytes, length) == 0)
            return keys[i].name;
    return NULL;
}

/* ESC [ < button ; column ; row M: the wheel is a key, clicks are nothing (yet). */
static const char *mouse_name(const char *bytes)
{
    unsigned button;
    if (sscanf(bytes, "\033[<%3u;", &button) != 1)
        return "Mouse";
    return button == 64 ? "WheelUp" : button == 65 ? "WheelDown" : "Mouse";
}

static void name_sequence(struct input_token *token)
{
    char text[CSI_MAX + 1];
    snprintf(text, sizeof text, "%.*s", (int)token->length, token->bytes);
    token->name = key_name(token->bytes, token->length);
    if (strncmp(text, "\033[<", 3) == 0)
        token->name = mouse_name(text);
    token->kind = token->name != NULL ? INPUT_KEY : INPUT_TEXT;
    int used = 0;
    if (sscanf(text, "\033[?%5d;%5d$y%n", &token->mode, &token->value, &used) == 2 && used > 0)
        token->kind = INPUT_REPORT;
}

/* --- pastes ---------------------------------------------------------------------------------- */

static void keep_pasted(struct input *input, size_t length)
{
    size_t room = INPUT_PASTE_BYTES_MAX - input->paste.length;
    if (length > room)
        input->paste_cut = true;
    strbuf_add(&input->paste, input->bytes.data, length < room ? length : room);
    strbuf_remove(&input->bytes, 0, length);
}

/* The end may come in two reads: as many bytes as it could have begun with stay, unless nothing has
 * come for so long that it is lost. */
static bool next_pasted(struct input *input, uint64_t now_ms, struct input_token *token)
{
    size_t length = input->bytes.length, end_length = strlen(PASTE_END);
    char *end = length > 0 ? memmem(input->bytes.data, length, PASTE_END, end_length) : NULL;
    bool lost = end == NULL && now_ms >= input->fed_ms + INPUT_PASTE_MS;
    if (end == NULL && !lost) {
        if (length >= end_length)
            keep_pasted(input, length - end_length + 1);
        return false;
    }
    keep_pasted(input, lost ? length : (size_t)(end - input->bytes.data));
    input->taken = lost ? 0 : end_length;
    input->pasting = false;
    *token = (struct input_token){.kind = INPUT_PASTE,
                                  .bytes = strbuf_text(&input->paste),
                                  .length = input->paste.length,
                                  .cut = input->paste_cut};
    return true;
}

static void begin_paste(struct input *input)
{
    strbuf_remove(&input->bytes, 0, strlen(PASTE_BEGIN));
    input->taken = 0;
    input->pasting = true;
    input->paste_cut = false;
    strbuf_free(&input->paste);
}

/* --- tokens ---------------------------------------------------------------------------------- */

/* Characters up to the next key, whole ones only. */
static size_t text_length(const char *bytes, size_t length)
{
    size_t run = 0;
    while (run < length && bytes[run] != '\033' && key_name(bytes + run, 1) == NULL)
        run++;
    return run < length ? run : utf8_whole(bytes, run);
}

static bool is_held(const struct input *input, uint64_t now_ms)
{
    return now_ms < input->fed_ms + INPUT_ESCAPE_MS;
}

static bool next_token(struct input *input, uint64_t now_ms, struct input_token *token)
{
    const char *bytes = input->bytes.data;
    size_t length = input->bytes.length;
    *token = (struct input_token){.kind = INPUT_TEXT, .bytes = bytes};
    if (length == 0)
        return false;
    if (bytes[0] == '\033') {
        token->length = sequence_length(bytes, length);
        if (token->length == 0 && is_held(input, now_ms))
            return false;
        if (token->length == 0 && length == 1) {
            token->kind = INPUT_KEY;
            token->name = "Esc";
        }
        token->length = token->length == 0 ? length : token->length;
        if (length > 1)
            name_sequence(token);
        return true;
    }
    token->name = key_name(bytes, 1);
    token->kind = token->name != NULL ? INPUT_KEY : INPUT_TEXT;
    token->length = token->name != NULL ? 1 : text_length(bytes, length);
    if (token->length == 0 && is_held(input, now_ms))
        return false;
    token->length = token->length == 0 ? length : token->length;
    return true;
}

bool input_next(struct input *input, uint64_t now_ms, struct input_token *token)
{
    for (;;) {
        strbuf_remove(&input->bytes, 0, input->taken);
        input->taken = 0;
        if (input->pasting)
            return next_pasted(input, now_ms, token);
        if (!next_token(input, now_ms, token))
            return false;
        if (token->length != strlen(PASTE_BEGIN) ||
            memcmp(token->bytes, PASTE_BEGIN, token->length) != 0)
            break;
        begin_paste(input);
    }
    input->taken = token->length;
    return true;
}

int input_timeout(const struct input *input, uint64_t now_ms)
{
    if (!input->pasting && input->bytes.length <= input->taken)
        return -1;
    uint64_t due = input->fed_ms + (input->pasting ? INPUT_PASTE_MS : INPUT_ESCAPE_MS);
    return due > now_ms ? (int)(due - now_ms) : 0;
}
