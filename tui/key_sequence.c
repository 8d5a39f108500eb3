#include "tui/key_sequence.h"

#include <string.h>

#include "engine/base/utf8.h"

#define ESCAPE         '\033'
#define PARAMETERS     4
#define PARAMETER_MAX  0x10FFFFu
#define MOUSE_PLACE    9999
#define KITTY_PRIVATE  57344u
#define KITTY_FUNCTION 57376u /* F13 */
#define KITTY_KEYPAD   57399u

/* ESC [ marker parameters intermediate final */
struct csi {
    char marker, intermediate, final;
    unsigned values[PARAMETERS], subvalues[PARAMETERS]; /* "1:3": 1 and 3 */
    size_t count;
};

/* --- extent ---------------------------------------------------------------------------------- */

static bool is_between(char byte, unsigned char low, unsigned char high)
{
    return (unsigned char)byte >= low && (unsigned char)byte <= high;
}

/* rxvt ends a key with Shift in a dollar, which is no final byte elsewhere. */
static bool is_rxvt_shift(const char *bytes, size_t dollar, size_t from)
{
    if (dollar == from)
        return false;
    for (size_t i = from; i < dollar; i++)
        if (!is_between(bytes[i], '0', '9'))
            return false;
    return true;
}

static enum sequence_extent csi_extent(const char *bytes, size_t length, size_t from, size_t *used)
{
    for (size_t i = from; i < length; i++) {
        *used = i + 1;
        if (i == from && bytes[i] == '[') { /* the Linux console's function keys */
            *used = i + 2;
            return i + 1 < length ? SEQUENCE_WHOLE : SEQUENCE_OPEN;
        }
        if (i == from && bytes[i] == 'M') { /* the old mouse: three bytes follow */
            *used = i + 4;
            return i + 3 < length ? SEQUENCE_WHOLE : SEQUENCE_OPEN;
        }
        if (bytes[i] == '$' && is_rxvt_shift(bytes, i, from))
            return SEQUENCE_WHOLE;
        if (is_between(bytes[i], 0x40, 0x7E))
            return SEQUENCE_WHOLE;
        if (!is_between(bytes[i], 0x20, 0x3F)) {
            *used = i;
            return SEQUENCE_BROKEN;
        }
        if (i + 1 >= SEQUENCE_BYTES_MAX)
            return SEQUENCE_LONG;
    }
    return SEQUENCE_OPEN;
}

/* ESC O letter, or ESC O modifier letter. */
static enum sequence_extent ss3_extent(const char *bytes, size_t length, size_t from, size_t *used)
{
    size_t digits = from < length && is_between(bytes[from], '2', '8') ? 1 : 0;
    if (from + digits >= length)
        return SEQUENCE_OPEN;
    bool good = is_between(bytes[from + digits], 0x40, 0x7E) || bytes[from] == ' ';
    *used = from + digits + good;
    return good ? SEQUENCE_WHOLE : SEQUENCE_BROKEN;
}

enum sequence_extent sequence_extent(const char *bytes, size_t length, size_t *used)
{
    size_t from = 1; /* of what follows the escapes; rxvt puts one more before a key with Alt */
    *used = 1;
    if (length < 2)
        return SEQUENCE_OPEN;
    if (bytes[1] == ESCAPE) {
        if (length < 3)
            return SEQUENCE_OPEN;
        if (bytes[2] != '[' && bytes[2] != 'O')
            return SEQUENCE_ESCAPE;
        from = 2;
    }
    if (bytes[from] == '[')
        return csi_extent(bytes, length, from + 1, used);
    if (bytes[from] == 'O')
        return ss3_extent(bytes, length, from + 1, used);
    *used = 2;
    if (strchr("]P_^X", bytes[1]) != NULL && bytes[1] != '\0')
        return length < 3 ? SEQUENCE_OPEN : SEQUENCE_STRING;
    size_t whole = utf8_whole(bytes + 1, length - 1);
    uint32_t code;
    if (whole == 0)
        return SEQUENCE_OPEN;
    *used = 1 + utf8_decode(bytes + 1, length - 1, &code);
    return SEQUENCE_WHOLE;
}

/* --- keys by letter and by number ------------------------------------------------------------ */

/* CSI 1 ; modifiers LETTER, ESC O LETTER. */
static bool letter_key(char letter, struct key *key)
{
    static const struct {
        char letter;
        uint32_t code;
    } table[] = {{'A', KEY_CODE_UP},     {'B', KEY_CODE_DOWN},   {'C', KEY_CODE_RIGHT},
                 {'D', KEY_CODE_LEFT},   {'H', KEY_CODE_HOME},   {'F', KEY_CODE_END},
                 {'P', KEY_CODE_F1},     {'Q', KEY_CODE_F1 + 1}, {'R', KEY_CODE_F1 + 2},
                 {'S', KEY_CODE_F1 + 3}, {'Z', KEY_CODE_TAB}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].letter != letter)
            continue;
        key->code = table[i].code;
        key->modifiers |= letter == 'Z' ? KEY_SHIFT : 0;
        return true;
    }
    return false;
}

/* CSI NUMBER ; modifiers ~. Above F12 the number is a key with Shift, which one differs. */
static bool number_key(unsigned number, bool rxvt, struct key *key)
{
    static const uint32_t table[] = {
        [1] = KEY_CODE_HOME,     [2] = KEY_CODE_INSERT,   [3] = KEY_CODE_DELETE,
        [4] = KEY_CODE_END,      [5] = KEY_CODE_PAGE_UP,  [6] = KEY_CODE_PAGE_DOWN,
        [7] = KEY_CODE_HOME,     [8] = KEY_CODE_END,      [11] = KEY_CODE_F1,
        [12] = KEY_CODE_F1 + 1,  [13] = KEY_CODE_F1 + 2,  [14] = KEY_CODE_F1 + 3,
        [15] = KEY_CODE_F1 + 4,  [17] = KEY_CODE_F1 + 5,  [18] = KEY_CODE_F1 + 6,
        [19] = KEY_CODE_F1 + 7,  [20] = KEY_CODE_F1 + 8,  [21] = KEY_CODE_F1 + 9,
        [23] = KEY_CODE_F1 + 10, [24] = KEY_CODE_F1 + 11, [25] = KEY_CODE_F1 + 12,
        [26] = KEY_CODE_F1 + 13, [28] = KEY_CODE_F1 + 14, [29] = KEY_CODE_F1 + 15,
        [31] = KEY_CODE_F1 + 16, [32] = KEY_CODE_F1 + 17, [33] = KEY_CODE_F1 + 18,
        [34] = KEY_CODE_F1 + 19,
    };
    if (number >= sizeof table / sizeof table[0] || table[number] == 0)
        return false;
    key->code = table[number];
    if (number >= 25) {
        key->code -= rxvt ? 10 : 12;
        key->modifiers |= KEY_SHIFT;
    }
    return true;
}

/* 1 and a bit each for Shift, Alt, Ctrl; locks do not count, Super and the like are not ours. */
static bool set_modifiers(unsigned parameter, struct key *key)
{
    unsigned bits = parameter > 0 ? parameter - 1 : 0;
    key->modifiers |= bits & (KEY_SHIFT | KEY_ALT | KEY_CTRL);
    return (bits & 0x38) == 0;
}

/* --- keys by character: CSI u, modifyOtherKeys ------------------------------------------------ */

static uint32_t kitty_code(unsigned code)
{
    static const uint32_t keypad[] = {'0',
                                      '1',
                                      '2',
                                      '3',
                                      '4',
                                      '5',
                                      '6',
                                      '7',
                                      '8',
                                      '9',
                                      '.',
                                      '/',
                                      '*',
                                      '-',
                                      '+',
                                      KEY_CODE_ENTER,
                                      '=',
                                      ',',
                                      KEY_CODE_LEFT,
                                      KEY_CODE_RIGHT,
                                      KEY_CODE_UP,
                                      KEY_CODE_DOWN,
                                      KEY_CODE_PAGE_UP,
                                      KEY_CODE_PAGE_DOWN,
                                      KEY_CODE_HOME,
                                      KEY_CODE_END,
                                      KEY_CODE_INSERT,
                                      KEY_CODE_DELETE};
    if (code >= KITTY_KEYPAD && code - KITTY_KEYPAD < sizeof keypad / sizeof keypad[0])
        return keypad[code - KITTY_KEYPAD];
    if (code >= KITTY_FUNCTION && code < KITTY_FUNCTION + 8)
        return KEY_CODE_F1 + 12 + code - KITTY_FUNCTION;
    return 0;
}

static bool character_key(unsigned code, struct key *key)
{
    static const struct {
        unsigned code;
        uint32_t key;
    } table[] = {{8, KEY_CODE_BACKSPACE},
                 {9, KEY_CODE_TAB},
                 {13, KEY_CODE_ENTER},
                 {27, KEY_CODE_ESC},
                 {127, KEY_CODE_BACKSPACE}};
    key->code = code;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].code == code)
            key->code = table[i].key;
    if (code >= KITTY_PRIVATE && code < KITTY_PRIVATE + 6400)
        key->code = kitty_code(code);
    if (key->code == '[' && key->modifiers == KEY_CTRL)
        *key = (struct key){KEY_CODE_ESC, 0};
    bool surrogate = key->code >= 0xD800 && key->code < 0xE000;
    return key->code >= 0x20 && key->code <= KEY_CODE_LAST && !surrogate;
}

/* Shift and a letter is the capital; other characters come as their own with a third value. */
static void apply_shift(const struct csi *csi, struct key *key)
{
    if (!(key->modifiers & KEY_SHIFT) || key->code >= KEY_CODE_NAMED || key->code == ' ')
        return;
    if (csi->final == 'u' && csi->subvalues[0] >= 0x20 && csi->subvalues[0] < KITTY_PRIVATE) {
        key->code = csi->subvalues[0];
        if (key->code < 'A' || key->code > 'Z')
            key->modifiers &= ~(unsigned)KEY_SHIFT;
    } else if (csi->final == '~' && !is_between((char)key->code, 'A', 'Z')) {
        key->modifiers &= ~(unsigned)KEY_SHIFT;
    }
}

static struct sequence parse_character(const struct csi *csi, unsigned code, unsigned modifiers,
                                       unsigned event)
{
    struct sequence out = {.kind = SEQUENCE_NOTHING, .translate = true};
    if (!set_modifiers(modifiers, &out.key) || !character_key(code, &out.key) || event == 3)
        return out;
    apply_shift(csi, &out.key);
    out.kind = SEQUENCE_KEY;
    return out;
}

/* --- the mouse ------------------------------------------------------------------------------- */

static int place(unsigned value)
{
    return value == 0 ? 0 : value > MOUSE_PLACE ? MOUSE_PLACE : (int)value - 1;
}

static struct sequence parse_mouse(unsigned code, unsigned column, unsigned row, bool release)
{
    struct input_mouse mouse = {.button = (int)(code & 3) + 1, .row = place(row)};
    struct sequence out = {.kind = SEQUENCE_MOUSE};
    mouse.column = place(column);
    mouse.modifiers =
        (code & 4 ? KEY_SHIFT : 0u) | (code & 8 ? KEY_ALT : 0u) | (code & 16 ? KEY_CTRL : 0u);
    if (code & 64) {
        mouse.kind = (code & 1) ? MOUSE_WHEEL_DOWN : MOUSE_WHEEL_UP;
        mouse.button = 0;
    } else {
        mouse.kind = release ? MOUSE_RELEASE : code & 32 ? MOUSE_DRAG : MOUSE_PRESS;
    }
    /* A wheel to the side, buttons beyond the third, motion without a button. */
    bool ours = code < 128 && !((code & 64) && ((code & 2) || release)) &&
                !((code & 32) && mouse.button == 4);
    out.mouse = mouse;
    out.kind = ours ? SEQUENCE_MOUSE : SEQUENCE_NOTHING;
    return out;
}

static struct sequence parse_old_mouse(const char *bytes)
{
    unsigned code = (unsigned char)bytes[0], column = (unsigned char)bytes[1];
    unsigned row = (unsigned char)bytes[2];
    if (code < 32 || column < 33 || row < 33)
        return (struct sequence){.kind = SEQUENCE_NOTHING};
    bool release = ((code - 32) & 3) == 3 && !((code - 32) & 64);
    return parse_mouse(code - 32, column - 32, row - 32, release);
}

/* --- control sequences ----------------------------------------------------------------------- */

static unsigned digit_onto(unsigned value, char digit)
{
    value = value * 10 + (unsigned)(digit - '0');
    return value > PARAMETER_MAX ? PARAMETER_MAX : value;
}

/* `bytes` after ESC [. */
static struct csi read_csi(const char *bytes, size_t length)
{
    struct csi csi = {.final = bytes[length - 1]};
    bool sub = false, later = false;
    size_t at = strchr("<=>?", bytes[0]) != NULL ? 1 : 0;
    csi.marker = at > 0 ? bytes[0] : '\0';
    csi.count = 1;
    for (; at + 1 < length; at++) {
        bool kept = csi.count <= PARAMETERS;
        unsigned *value = sub ? csi.subvalues : csi.values;
        if (is_between(bytes[at], '0', '9') && kept && !later) {
            value[csi.count - 1] = digit_onto(value[csi.count - 1], bytes[at]);
        } else if (bytes[at] == ';') {
            csi.count += kept;
            sub = later = false;
        } else if (bytes[at] == ':') {
            later = sub;
            sub = true;
        } else if (is_between(bytes[at], 0x20, 0x2F)) {
            csi.intermediate = bytes[at];
        }
    }
    return csi;
}

static struct sequence parse_marked(const struct csi *csi)
{
    struct sequence out = {.kind = SEQUENCE_NOTHING};
    if (csi->marker == '<' && (csi->final == 'M' || csi->final == 'm') && csi->count == 3)
        return parse_mouse(csi->values[0], csi->values[1], csi->values[2], csi->final == 'm');
    if (csi->marker == '?' && csi->intermediate == '$' && csi->final == 'y' && csi->count == 2) {
        out.kind = SEQUENCE_REPORT;
        out.mode = (int)csi->values[0];
        out.value = (int)csi->values[1];
    }
    return out;
}

/* rxvt: CSI 5 $ with Shift, ^ with Ctrl, @ with both; CSI a with Shift. */
static bool rxvt_key(const struct csi *csi, bool rxvt, struct key *key)
{
    static const struct {
        char final;
        unsigned modifiers;
    } ends[] = {{'$', KEY_SHIFT}, {'^', KEY_CTRL}, {'@', KEY_CTRL | KEY_SHIFT}};
    if (csi->count != 1)
        return false;
    if (is_between(csi->final, 'a', 'd') && csi->values[0] == 0) {
        key->modifiers |= KEY_SHIFT;
        return letter_key((char)(csi->final - 'a' + 'A'), key);
    }
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (ends[i].final != csi->final)
            continue;
        key->modifiers |= ends[i].modifiers;
        return number_key(csi->values[0], rxvt, key);
    }
    return false;
}

static bool is_report(const struct csi *csi)
{
    return csi->intermediate != '\0' || strchr("cntIO", csi->final) != NULL;
}

static struct sequence parse_csi(const char *bytes, size_t length, bool rxvt)
{
    struct csi csi = read_csi(bytes, length);
    struct sequence out = {.kind = SEQUENCE_NOTHING};
    if (csi.marker != '\0')
        return parse_marked(&csi);
    if (csi.final == 'u')
        return parse_character(&csi, csi.values[0], csi.values[1], csi.subvalues[1]);
    if (csi.final == '~' && csi.values[0] == 27 && csi.count == 3)
        return parse_character(&csi, csi.values[2], csi.values[1], 0);
    if (csi.final == 'M' && csi.count == 3)
        return parse_mouse(csi.values[0] - 32, csi.values[1], csi.values[2],
                           (csi.values[0] & 3) == 3);
    if (csi.final == '~' && csi.values[0] == 200)
        return (struct sequence){.kind = SEQUENCE_PASTE};
    if ((csi.final == '~' && csi.values[0] == 201) || csi.subvalues[1] == 3 || is_report(&csi))
        return out;
    bool good = set_modifiers(csi.values[1], &out.key);
    bool known = csi.final == '~' ? number_key(csi.values[0], rxvt, &out.key)
                                  : letter_key(csi.final, &out.key);
    known = known || rxvt_key(&csi, rxvt, &out.key);
    out.kind = known && good ? SEQUENCE_KEY : SEQUENCE_UNKNOWN;
    return out;
}

/* --- the other forms -------------------------------------------------------------------------- */

/* The keypad in application mode. */
static bool keypad_key(char letter, struct key *key)
{
    if (letter == 'M')
        key->code = KEY_CODE_ENTER;
    else if (is_between(letter, 'j', 'y'))
        key->code = (uint32_t)(letter - 'j' + '*');
    else if (letter == 'I')
        key->code = KEY_CODE_TAB;
    else if (letter == 'X' || letter == ' ')
        key->code = letter == 'X' ? '=' : ' ';
    else
        return false;
    return true;
}

static struct sequence parse_ss3(const char *bytes, size_t length)
{
    struct sequence out = {.kind = SEQUENCE_KEY};
    char letter = bytes[length - 1];
    if (length == 2)
        set_modifiers((unsigned)(bytes[0] - '0'), &out.key);
    if (keypad_key(letter, &out.key)) {
        out.translate = true;
    } else if (is_between(letter, 'a', 'd')) { /* rxvt */
        out.key.modifiers |= KEY_CTRL;
        letter_key((char)(letter - 'a' + 'A'), &out.key);
    } else if (!letter_key(letter, &out.key)) {
        out.kind = SEQUENCE_UNKNOWN;
    }
    return out;
}

static struct key control_key(unsigned char byte)
{
    static const char signs[] = "\\]^_";
    if (byte == '\r' || byte == '\t')
        return (struct key){byte == '\r' ? KEY_CODE_ENTER : KEY_CODE_TAB, 0};
    if (byte == 0x1B || byte == 0x7F)
        return (struct key){byte == 0x1B ? KEY_CODE_ESC : KEY_CODE_BACKSPACE, 0};
    uint32_t code = byte == 0 ? ' ' : byte < 27 ? byte - 1u + 'A' : (uint32_t)signs[byte - 0x1C];
    return (struct key){code, KEY_CTRL};
}

static struct sequence parse_character_byte(const char *bytes, size_t length)
{
    struct sequence out = {.kind = SEQUENCE_KEY};
    unsigned char byte = (unsigned char)bytes[0];
    if (byte < 0x20 || byte == 0x7F)
        out.key = control_key(byte);
    else
        utf8_decode(bytes, length, &out.key.code);
    return out;
}

struct sequence sequence_parse(const char *bytes, size_t length, bool rxvt)
{
    struct sequence out;
    if (bytes[0] != ESCAPE || length == 1)
        return parse_character_byte(bytes, length);
    bool doubled = length > 2 && bytes[1] == ESCAPE;
    const char *rest = bytes + 2 + doubled;
    size_t count = length - 2 - doubled;
    if (bytes[1 + doubled] == '[' && count > 0 && rest[0] == '[') {
        out = (struct sequence){.kind = SEQUENCE_UNKNOWN};
        if (is_between(rest[1], 'A', 'E'))
            out = (struct sequence){.kind = SEQUENCE_KEY,
                                    .key.code = KEY_CODE_F1 + (uint32_t)(rest[1] - 'A')};
    } else if (bytes[1 + doubled] == '[' && count == 4 && rest[0] == 'M') {
        return parse_old_mouse(rest + 1);
    } else if (bytes[1 + doubled] == '[' && count > 0) {
        out = parse_csi(rest, count, rxvt);
    } else if (bytes[1 + doubled] == 'O' && count > 0) {
        out = parse_ss3(rest, count);
    } else {
        out = parse_character_byte(bytes + 1, length - 1);
        doubled = true; /* Alt and a character */
    }
    if (doubled)
        out.key.modifiers |= KEY_ALT;
    return out;
}

size_t sequence_legacy(struct key key, char *out)
{
    static const struct {
        uint32_t code;
        char byte;
    } named[] = {{KEY_CODE_ENTER, '\r'},
                 {KEY_CODE_TAB, '\t'},
                 {KEY_CODE_ESC, '\033'},
                 {KEY_CODE_BACKSPACE, '\x7F'}};
    size_t used = 0;
    uint32_t code = key.code;
    if (key.modifiers & KEY_ALT)
        out[used++] = ESCAPE;
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (named[i].code != code)
            continue;
        out[used] = named[i].byte;
        return used + 1;
    }
    if (code >= KEY_CODE_NAMED)
        return 0;
    if (!(key.modifiers & KEY_CTRL)) {
        bool capital = (key.modifiers & KEY_SHIFT) && code >= 'a' && code <= 'z';
        return used + utf8_encode(capital ? code - 'a' + 'A' : code, out + used);
    }
    bool letter = code >= 'a' && code <= 'z';
    if (code != ' ' && !letter && (code < '@' || code > '_'))
        return 0;
    out[used] = (char)(code & 0x1F);
    return used + 1;
}
