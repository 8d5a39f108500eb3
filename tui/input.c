#include "tui/input.h"

#include <string.h>

#include "engine/base/utf8.h"
#include "engine/base/width.h"
#include "tui/key_sequence.h"

#define PASTE_END "\033[201~"
#define CTRL_V    '\026'

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
    input->pasting = true;
    input->paste_cut = false;
    strbuf_free(&input->paste);
}

/* --- what is dropped -------------------------------------------------------------------------- */

static bool is_over(const struct input *input, uint64_t now_ms, unsigned wait_ms)
{
    return now_ms >= input->fed_ms + wait_ms;
}

/* Of a string up to BEL or ESC \, of a sequence that is too long up to its final byte. A last
 * escape waits for what follows it. */
static void skip_some(struct input *input, uint64_t now_ms)
{
    const char *bytes = input->bytes.data;
    size_t length = input->bytes.length, at = 0;
    bool ended = false;
    for (; at < length && !ended; at++) {
        unsigned char byte = (unsigned char)bytes[at];
        if (input->skip == SKIP_SEQUENCE)
            ended = (byte >= 0x40 && byte <= 0x7E) || byte == '\033' || byte == '\003';
        else
            ended = byte == '\a' || (byte == '\033' && at + 1 < length);
        if (byte == '\033' && at + 1 == length && !ended)
            break;
    }
    if (ended && bytes[at - 1] == '\033') /* another sequence begins, unless it is ESC \ */
        at = input->skip == SKIP_STRING && bytes[at] == '\\' ? at + 1 : at - 1;
    else if (ended && bytes[at - 1] == '\003')
        at--;
    strbuf_remove(&input->bytes, 0, at);
    if (ended || is_over(input, now_ms, INPUT_STRING_MS))
        input->skip = SKIP_NOTHING;
}

/* --- tokens ---------------------------------------------------------------------------------- */

static bool is_control(char byte)
{
    return (unsigned char)byte < 0x20 || byte == 0x7F;
}

/* Characters up to the next key, whole ones only. */
static size_t text_length(const char *bytes, size_t length)
{
    size_t run = 0;
    while (run < length && !is_control(bytes[run]))
        run++;
    return run < length ? run : utf8_whole(bytes, run);
}

static void name_key(struct input *input, const struct sequence *sequence,
                     struct input_token *token)
{
    if (sequence->translate) {
        token->length = sequence_legacy(sequence->key, input->legacy);
        token->bytes = input->legacy;
    }
    bool plain = (sequence->key.modifiers & ~(unsigned)KEY_SHIFT) == 0;
    if (plain && sequence->key.code < KEY_CODE_NAMED)
        return; /* a character, however it came */
    token->kind = INPUT_KEY;
    token->name = key_name_write(sequence->key, input->name);
}

/* What the sequence of `used` bytes at the start is; false: nothing. */
static bool name_sequence(struct input *input, size_t used, struct input_token *token)
{
    static const char *const mouse_names[] = {[MOUSE_PRESS] = "Mouse",
                                              [MOUSE_RELEASE] = "Mouse",
                                              [MOUSE_DRAG] = "Mouse",
                                              [MOUSE_WHEEL_UP] = "WheelUp",
                                              [MOUSE_WHEEL_DOWN] = "WheelDown"};
    struct sequence sequence = sequence_parse(token->bytes, used, input->rxvt);
    token->length = used;
    input->taken = used;
    switch (sequence.kind) {
    case SEQUENCE_UNKNOWN:
        return true;
    case SEQUENCE_KEY:
        name_key(input, &sequence, token);
        return true;
    case SEQUENCE_MOUSE:
        token->kind = INPUT_MOUSE;
        token->mouse = sequence.mouse;
        token->name = mouse_names[sequence.mouse.kind];
        token->length = 0;
        return true;
    case SEQUENCE_REPORT:
        token->kind = INPUT_REPORT;
        token->mode = sequence.mode;
        token->value = sequence.value;
        return true;
    case SEQUENCE_PASTE:
        begin_paste(input);
        return false;
    case SEQUENCE_NOTHING:
        return false;
    }
    return false;
}

/* The end of what begins with an escape never came: the escape key, or Alt and a character. */
static bool name_unended(struct input *input, struct input_token *token)
{
    size_t length = input->bytes.length;
    if (length == 2 && input->bytes.data[1] != '\033')
        return name_sequence(input, 2, token);
    if (length > 2 && input->bytes.data[1] != '\033') {
        input->taken = length; /* half a key: whoever sent it has stopped */
        return false;
    }
    return name_sequence(input, 1, token);
}

static bool take_quoted(struct input *input, struct input_token *token)
{
    token->length = input->taken = 1;
    return true;
}

static bool next_escape(struct input *input, uint64_t now_ms, struct input_token *token,
                        bool *waiting)
{
    size_t used;
    switch (sequence_extent(input->bytes.data, input->bytes.length, &used)) {
    case SEQUENCE_WHOLE:
        return name_sequence(input, used, token);
    case SEQUENCE_ESCAPE:
        return name_sequence(input, 1, token);
    case SEQUENCE_OPEN:
        *waiting = !is_over(input, now_ms, INPUT_ESCAPE_MS);
        return !*waiting && name_unended(input, token);
    case SEQUENCE_STRING:
        input->skip = SKIP_STRING;
        break;
    case SEQUENCE_LONG:
        input->skip = SKIP_SEQUENCE;
        break;
    case SEQUENCE_BROKEN:
        break;
    }
    input->taken = used;
    return false;
}

static bool next_plain(struct input *input, uint64_t now_ms, struct input_token *token,
                       bool *waiting)
{
    const char *bytes = input->bytes.data;
    size_t length = input->bytes.length;
    if (is_control(bytes[0]))
        return name_sequence(input, 1, token);
    token->length = text_length(bytes, length);
    *waiting = token->length == 0 && !is_over(input, now_ms, INPUT_ESCAPE_MS);
    token->length = token->length == 0 ? length : token->length;
    input->taken = *waiting ? 0 : token->length;
    return !*waiting;
}

bool input_next(struct input *input, uint64_t now_ms, struct input_token *token)
{
    for (;;) {
        bool waiting = false;
        strbuf_remove(&input->bytes, 0, input->taken);
        input->taken = 0;
        if (input->pasting)
            return next_pasted(input, now_ms, token);
        if (input->skip != SKIP_NOTHING)
            skip_some(input, now_ms);
        if (input->bytes.length == 0 || input->skip != SKIP_NOTHING)
            return false;
        *token = (struct input_token){.kind = INPUT_TEXT, .bytes = input->bytes.data};
        bool escape = token->bytes[0] == '\033', quoted = escape && input->quoting;
        input->quoting = token->bytes[0] == CTRL_V && !input->quoting;
        if (quoted)
            return take_quoted(input, token);
        if (escape ? next_escape(input, now_ms, token, &waiting)
                   : next_plain(input, now_ms, token, &waiting))
            return true;
        if (waiting)
            return false;
    }
}

bool input_split(const struct input_token *token, size_t *at, struct input_token *part)
{
    *part = *token;
    bool text = token->kind == INPUT_TEXT && token->length > 0 && token->bytes[0] != '\033';
    if (!text) {
        bool first = *at == 0;
        *at = 1;
        return first;
    }
    if (*at >= token->length)
        return false;
    part->bytes = token->bytes + *at;
    part->length = grapheme_next(part->bytes, token->length - *at);
    part->name = part->length == 1 && part->bytes[0] == ' ' ? "Space" : NULL;
    *at += part->length;
    return true;
}

int input_timeout(const struct input *input, uint64_t now_ms)
{
    bool skipping = input->skip != SKIP_NOTHING;
    if (!input->pasting && !skipping && input->bytes.length <= input->taken)
        return -1;
    unsigned wait_ms = input->pasting ? INPUT_PASTE_MS
                       : skipping     ? INPUT_STRING_MS
                                      : INPUT_ESCAPE_MS;
    uint64_t due = input->fed_ms + wait_ms;
    return due > now_ms ? (int)(due - now_ms) : 0;
}
