#include "tests/screens/output_checker.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/utf8.h"

static bool parameters_are(const char *sequence, size_t length, const char *allowed)
{
    for (size_t i = 2; i + 1 < length; i++)
        if (strchr(allowed, sequence[i]) == NULL)
            return false;
    return true;
}

/* Cursor and erasure as curses does them, and the modes that terminal.c sets. */
static bool csi_is_known(const char *sequence, size_t length)
{
    static const char *const whole[] = {
        "\033[?1049h",  "\033[?1049l",  "\033[?25h",   "\033[?25l",    "\033[?12l",   "\033[?12h",
        "\033[?12;25h", "\033[?2004h",  "\033[?2004l", "\033[?1002h",  "\033[?1002l", "\033[?1006h",
        "\033[?1006l",  "\033[?2026h",  "\033[?2026l", "\033[?2026$p", "\033[22;2t",  "\033[23;2t",
        "\033[22;0;0t", "\033[23;0;0t", "\033[?1h",    "\033[?1l",     "\033[4l",     "\033[6 q",
        "\033[0 q",     "\033[!p",      "\033[?3;4l",  "\033[?7h",     "\033[?7l"};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (strlen(whole[i]) == length && memcmp(whole[i], sequence, length) == 0)
            return true;
    return strchr("HABCDGdJKXPLM@rmbSTZI", sequence[length - 1]) != NULL &&
           parameters_are(sequence, length, "0123456789;:");
}

/* "\033[?1002h": remembered, for what must be off in the end. */
static void note_mode(struct output_checker *checker)
{
    static const struct {
        const char *number;
        unsigned bit;
    } modes[] = {{"1049", OUTPUT_ALTERNATE}, {"2004", OUTPUT_PASTE}, {"1002", OUTPUT_MOUSE},
                 {"2026", OUTPUT_FRAME},     {"25", OUTPUT_CURSOR},  {"12;25", OUTPUT_CURSOR}};
    const char *sequence = checker->sequence;
    size_t length = checker->length;
    if (length < 5 || sequence[2] != '?' || strchr("hl", sequence[length - 1]) == NULL)
        return;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strlen(modes[i].number) != length - 4 ||
            memcmp(sequence + 3, modes[i].number, length - 4) != 0)
            continue;
        checker->modes &= ~modes[i].bit;
        checker->modes |= sequence[length - 1] == 'h' ? modes[i].bit : 0;
    }
}

static bool sequence_is_known(const struct output_checker *checker)
{
    const char *sequence = checker->sequence;
    static const char *const plain[] = {"\033(B", "\033)0", "\033=", "\033>",
                                        "\0337",  "\0338",  "\033M"};
    if (sequence[1] == '[')
        return csi_is_known(sequence, checker->length);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strlen(plain[i]) == checker->length && memcmp(plain[i], sequence, checker->length) == 0)
            return true;
    return false;
}

static void complain(struct output_checker *checker, const char *what)
{
    size_t used = 0;
    if (checker->wrong[0] != '\0')
        return;
    used = (size_t)snprintf(checker->wrong, sizeof checker->wrong, "%s:", what);
    for (size_t i = 0; i < checker->length && used + 4 < sizeof checker->wrong; i++)
        used += (size_t)snprintf(checker->wrong + used, sizeof checker->wrong - used, " %02X",
                                 (unsigned char)checker->sequence[i]);
}

static bool csi_has_ended(const struct output_checker *checker)
{
    unsigned char last = (unsigned char)checker->sequence[checker->length - 1];
    return checker->length > 2 && last >= 0x40 && last <= 0x7E;
}

static bool has_ended(const struct output_checker *checker)
{
    if (checker->length < 2)
        return false;
    if (checker->sequence[1] == '[')
        return csi_has_ended(checker);
    return strchr("()", checker->sequence[1]) == NULL || checker->length > 2;
}

static void take_string_byte(struct output_checker *checker, unsigned char byte)
{
    /* Curses' own, when it takes the terminal again: the palette as it was. */
    static const char palette[] = "\033]104";
    bool own = byte == '\a' && checker->length == sizeof palette - 1 &&
               memcmp(checker->sequence, palette, sizeof palette - 1) == 0;
    bool ended = own || (byte == '\\' && checker->sequence[checker->length - 1] == '\033');
    bool control = ((byte < 0x20 && byte != '\033') || byte == 0x7F) && !own;
    if (checker->sequence[checker->length - 1] == '\033' && !ended && checker->string_length > 0)
        complain(checker, "an escape in a string");
    checker->string_length++;
    if (checker->length < sizeof checker->sequence - 1)
        checker->sequence[checker->length++] = (char)byte;
    else
        checker->sequence[checker->length - 1] = (char)byte;
    if (control)
        complain(checker, "a control in a string");
    if (!ended)
        return;
    if (!own && strncmp(checker->sequence, "\033]2;", 4) != 0 &&
        strncmp(checker->sequence, "\033]52;c;", 7) != 0)
        complain(checker, "an unknown string");
    checker->strings++;
    checker->length = 0;
    checker->string = false;
}

static void take_sequence_byte(struct output_checker *checker, unsigned char byte)
{
    if (checker->string) {
        take_string_byte(checker, byte);
        return;
    }
    checker->sequence[checker->length++] = (char)byte;
    checker->string = checker->length == 2 && byte == ']';
    checker->string_length = 0;
    if (byte < 0x20 || byte > 0x7E || checker->length > 40)
        complain(checker, "a broken sequence");
    if (checker->string || !has_ended(checker))
        return;
    if (!sequence_is_known(checker))
        complain(checker, "an unknown sequence");
    note_mode(checker);
    checker->sequences++;
    checker->length = 0;
}

static void check_character(struct output_checker *checker, const char *text, size_t bytes,
                            uint32_t code)
{
    bool hidden = (code >= 0x80 && code < 0xA0) || (code >= 0x200E && code <= 0x200F) ||
                  (code >= 0x2028 && code <= 0x202E) || (code >= 0x2061 && code <= 0x206F) ||
                  (code >= 0xE0000 && code <= 0xE00FF) || code == 0xFEFF;
    bool invalid = bytes == 1 && (unsigned char)text[0] >= 0x80;
    bool control = (code < 0x20 && strchr("\r\n\b", (int)code) == NULL) || code == 0x7F;
    if (!hidden && !invalid && !control && code != 0)
        return;
    checker->length = bytes;
    memcpy(checker->sequence, text, bytes);
    complain(checker, "a character");
    checker->length = 0;
}

size_t output_check(struct output_checker *checker, const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length && checker->wrong[0] == '\0') {
        uint32_t code;
        if (checker->length > 0 || bytes[at] == '\033') {
            if (checker->length == 0 && bytes[at] == '\033')
                checker->sequence[checker->length++] = bytes[at];
            else
                take_sequence_byte(checker, (unsigned char)bytes[at]);
            at++;
            continue;
        }
        if (utf8_whole(bytes + at, length - at) == 0)
            break;
        size_t used = utf8_decode(bytes + at, length - at, &code);
        check_character(checker, bytes + at, used, code);
        at += used;
    }
    return at;
}
