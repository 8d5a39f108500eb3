#include "tui/token_text.h"

#include <string.h>

#include "tui/sanitize.h"

#define LINE_END_MARK "↵"
#define SPACE_MARK    "␣"
#define TAB_MARK      "→"

static void put_mark(char byte, bool space, struct strbuf *out)
{
    if (byte == '\n')
        strbuf_puts(out, LINE_END_MARK);
    else if (byte == '\t')
        strbuf_puts(out, TAB_MARK);
    else
        strbuf_puts(out, space ? SPACE_MARK : " ");
}

void token_text_put(const char *text, size_t length, bool spaces, struct strbuf *out)
{
    size_t first = 0, last = length;
    while (first < length && text[first] == ' ')
        first++;
    while (last > first && text[last - 1] == ' ')
        last--;
    for (size_t i = 0; i < length;) {
        if (text[i] == ' ' || text[i] == '\n' || text[i] == '\t') {
            put_mark(text[i], spaces && (i < first || i >= last), out);
            i++;
            continue;
        }
        size_t from = i;
        while (i < length && text[i] != ' ' && text[i] != '\n' && text[i] != '\t')
            i++;
        sanitize_text(out, text + from, i - from, 0);
    }
}

void token_text_put_piece(const char *piece, struct strbuf *out)
{
    size_t length = strlen(piece);
    strbuf_puts(out, "‹");
    if (length == 6 && strncmp(piece, "<0x", 3) == 0)
        strbuf_add(out, piece + 3, 2);
    else
        sanitize_text(out, piece, length, 0);
    strbuf_puts(out, "›");
}
