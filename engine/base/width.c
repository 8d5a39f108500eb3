#include "engine/base/width.h"

#include <unictype.h>
#include <unigbrk.h>
#include <unilbrk.h>
#include <uniwidth.h>

#include "engine/base/utf8.h"

#define ZERO_WIDTH_JOINER 0x200Du
#define EMOJI_SELECTOR    0xFE0Fu

/* How far back grapheme_previous looks for a sure boundary. */
#define LOOK_BACK_BYTES 1024

static bool is_regional(uint32_t code)
{
    return code >= 0x1F1E6 && code <= 0x1F1FF;
}

static bool is_ascii(char byte)
{
    return (unsigned char)byte >= 0x20 && (unsigned char)byte < 0x7F;
}

/* What the rules of UAX #29 need to know of the cluster so far; the library's own test looks at
 * two neighbours only, which is not enough for flags and joined emoji. */
struct cluster_state {
    uint32_t last;
    bool pictograph; /* begins with a pictograph, extended by nothing but marks */
    bool flag_half;  /* an odd number of regional indicators so far */
};

static void cluster_push(struct cluster_state *state, uint32_t code)
{
    if (uc_is_property_extended_pictographic(code))
        state->pictograph = true;
    else if (code != ZERO_WIDTH_JOINER && uc_graphemeclusterbreak_property(code) != GBP_EXTEND)
        state->pictograph = false;
    state->flag_half = is_regional(code) && !state->flag_half;
    state->last = code;
}

static bool cluster_joins(const struct cluster_state *state, uint32_t code)
{
    if (is_regional(code) && is_regional(state->last))
        return state->flag_half;
    if (state->last == ZERO_WIDTH_JOINER && uc_is_property_extended_pictographic(code))
        return state->pictograph;
    return !uc_is_grapheme_break(state->last, code);
}

size_t grapheme_next(const char *text, size_t length)
{
    if (length == 0)
        return 0;
    if (is_ascii(text[0]) && (length == 1 || is_ascii(text[1])))
        return 1;
    uint32_t code;
    size_t used = utf8_decode(text, length, &code);
    struct cluster_state state = {0};
    cluster_push(&state, code);
    while (used < length) {
        size_t bytes = utf8_decode(text + used, length - used, &code);
        if (!cluster_joins(&state, code))
            break;
        cluster_push(&state, code);
        used += bytes;
    }
    return used;
}

size_t grapheme_previous(const char *text, size_t length, size_t offset)
{
    if (offset > length)
        offset = length;
    if (offset == 0)
        return 0;
    size_t start = offset - 1;
    /* Between two ASCII characters there is a border; before one alone there may be none. */
    while (start > 0 && offset - start < LOOK_BACK_BYTES &&
           !(is_ascii(text[start]) && is_ascii(text[start - 1])))
        start--;
    while (start > 0 && ((unsigned char)text[start] & 0xC0) == 0x80)
        start--;
    for (;;) {
        size_t bytes = grapheme_next(text + start, length - start);
        if (bytes == 0 || start + bytes >= offset)
            return start;
        start += bytes;
    }
}

bool grapheme_is_emoji(const char *text, size_t bytes)
{
    if (bytes < 4 || is_ascii(text[bytes - 1]))
        return false;
    uint32_t first, code;
    size_t at = utf8_decode(text, bytes, &first);
    if (at == bytes)
        return false;
    for (; at < bytes; at += utf8_decode(text + at, bytes - at, &code)) {
        utf8_decode(text + at, bytes - at, &code);
        if (code == EMOJI_SELECTOR && uc_is_property_emoji(first))
            return true;
        if (is_regional(code) || uc_is_property_emoji_modifier(code))
            return true;
        if (code == ZERO_WIDTH_JOINER && uc_is_property_extended_pictographic(first))
            return true;
    }
    return false;
}

static int code_columns(uint32_t code)
{
    if (code < 0x20 || (code >= 0x7F && code < 0xA0))
        return 0;
    /* Emoji newer than the library's tables. */
    if (uc_is_property_emoji_presentation(code) || (code >= 0x1F900 && code <= 0x1FAFF))
        return is_regional(code) ? 1 : 2;
    int columns = uc_width(code, "UTF-8");
    return columns < 0 ? 0 : columns;
}

static bool is_mark(uint32_t code)
{
    return uc_is_general_category_withtable(code, UC_CATEGORY_MASK_M);
}

int grapheme_columns(const char *text, size_t bytes)
{
    if (bytes == 1 && is_ascii(text[0]))
        return 1;
    if (grapheme_is_emoji(text, bytes))
        return 2;
    int columns = 0;
    uint32_t first = 0, code = 0;
    for (size_t at = 0; at < bytes;) {
        at += utf8_decode(text + at, bytes - at, &code);
        first = first != 0 ? first : code;
        columns += code_columns(code);
    }
    /* A mark without a base is drawn over a space. */
    return columns == 0 && is_mark(first) ? 1 : columns;
}

int text_columns(const char *text, size_t length)
{
    int columns = 0;
    for (size_t at = 0; at < length;) {
        size_t bytes = grapheme_next(text + at, length - at);
        columns += grapheme_columns(text + at, bytes);
        at += bytes;
    }
    return columns;
}

size_t text_fit(const char *text, size_t length, int columns)
{
    size_t at = 0;
    while (at < length) {
        size_t bytes = grapheme_next(text + at, length - at);
        columns -= grapheme_columns(text + at, bytes);
        if (columns < 0)
            break;
        at += bytes;
    }
    return at;
}

void text_line_breaks(const char *text, size_t length, char *breaks)
{
    u8_possible_linebreaks((const uint8_t *)text, length, "UTF-8", breaks);
    for (size_t i = 0; i < length; i++)
        breaks[i] = breaks[i] == UC_BREAK_POSSIBLE || breaks[i] == UC_BREAK_MANDATORY;
}
