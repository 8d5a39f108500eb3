/* Tests of what comes from the terminal: keys, text, the mouse, pastes, answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/input.h"

/* The token as text: <Name>, characters, [paste], {2026=2}, (press 1 at 4,9). */
static void describe(const struct input_token *token, struct strbuf *out)
{
    static const char *const kinds[] = {"press", "release", "drag", "up", "down"};
    switch (token->kind) {
    case INPUT_KEY:
        strbuf_printf(out, "<%s>", token->name);
        break;
    case INPUT_TEXT:
        strbuf_add(out, token->bytes, token->length);
        break;
    case INPUT_PASTE:
        strbuf_puts(out, "[");
        strbuf_add(out, token->bytes, token->length);
        strbuf_puts(out, "]");
        break;
    case INPUT_REPORT:
        strbuf_printf(out, "{%d=%d}", token->mode, token->value);
        break;
    case INPUT_MOUSE:
        strbuf_printf(out, "(%s %d at %d,%d%s)", kinds[token->mouse.kind], token->mouse.button,
                      token->mouse.row, token->mouse.column,
                      token->mouse.modifiers & KEY_CTRL ? " Ctrl" : "");
        break;
    }
}

/* The tokens of the bytes given in pieces of `step`, 0: of random sizes; time passes at the end. */
static void tokens(const char *bytes, size_t length, size_t step, bool rxvt, struct strbuf *out)
{
    struct input input = {.rxvt = rxvt};
    struct input_token token;
    unsigned seed = 1;
    strbuf_clear(out);
    for (size_t at = 0; at < length;) {
        size_t piece = step > 0 ? step : 1 + (size_t)rand_r(&seed) % 9;
        piece = at + piece > length ? length - at : piece;
        input_feed(&input, bytes + at, piece, 1000);
        at += piece;
        while (input_next(&input, 1000, &token))
            describe(&token, out);
    }
    while (input_next(&input, 5000, &token))
        describe(&token, out);
    assert_int_equal(input_timeout(&input, 5000), -1);
    input_free(&input);
}

static void expect(const char *bytes, const char *expected, bool rxvt)
{
    struct strbuf out = {0};
    for (size_t step = 1; step < 9; step++) {
        tokens(bytes, strlen(bytes), step, rxvt, &out);
        assert_string_equal(strbuf_text(&out), expected);
    }
    strbuf_free(&out);
}

static void keys_are_named_however_they_are_cut(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *tokens;
    } cases[] = {
        {"hello", "hello"},
        {"\003\022\x7F\t", "<Ctrl-C><Ctrl-R><Backspace><Tab>"},
        {"a\rb", "a<Enter>b"},
        {"\033", "<Esc>"},
        {"\033\033", "<Esc><Esc>"},
        {"\026\033]0;x\026\026\033", "<Ctrl-V>\033]0;x<Ctrl-V><Ctrl-V><Esc>"}, /* quoted */
        {"海豚", "海豚"},
        {"\033f\033F\0337\033é", "<Alt-f><Alt-F><Alt-7><Alt-é>"},
        {"\033\001\033\x7F\033\r\033\n", "<Ctrl-Alt-A><Alt-Backspace><Alt-Enter><Ctrl-Alt-J>"},
        {"\033[A\033OB\033[1;2C\033[1;6D\033[H\033OF", "<Up><Down><Shift-Right><Ctrl-Shift-Left>"
                                                       "<Home><End>"},
        {"\033[1~\033[2;5~\033[3~\033[4~\033[5;3~\033[6~\033[7~\033[8~",
         "<Home><Ctrl-Insert><Delete><End><Alt-PageUp><PageDown><Home><End>"},
        {"\033[Z\033[1;5Hx", "<Shift-Tab><Ctrl-Home>x"},
        {"\033OP\033[11~\033[[B\033OR\033[14~\033[[E", "<F1><F1><F2><F3><F4><F5>"},
        {"\033[15~\033[17;2~\033[21;5~\033[23~\033[24;3~",
         "<F5><Shift-F6><Ctrl-F10><F11><Alt-F12>"},
        {"\033[1;2P\033[1;5S\033O2Q", "<Shift-F1><Ctrl-F4><Shift-F2>"},
        {"\033[25~\033[34~", "<Shift-F1><Shift-F8>"},
        /* rxvt */
        {"\033[a\033Od\033\033[A\033[5$\033[6^\033[3@",
         "<Shift-Up><Ctrl-Left><Alt-Up><Shift-PageUp><Ctrl-PageDown><Ctrl-Shift-Delete>"},
        /* the keypad in application mode */
        {"\033OM\033Oq\033Ok", "<Enter>1+"},
        /* CSI u and modifyOtherKeys */
        {"\033[13;2u\033[13;3u\033[27;5;13~", "<Shift-Enter><Alt-Enter><Ctrl-Enter>"},
        {"\033[98;3u\033[27;3;98~\033[99;5u\033[105;5u", "<Alt-b><Alt-b><Ctrl-C><Ctrl-I>"},
        {"\033[97:65;2u\033[97u\033[27;2;65~\033[46:58;2u", "AaA:"},
        {"\033[27u\033[91;5u\033[9;2u\033[32;5u", "<Esc><Esc><Shift-Tab><Ctrl-Space>"},
        {"\033[97;1:3u\033[97;9u\033[1;1:3A\033[57441u", ""}, /* released; Super; a modifier */
        {"\033[57419u\033[57400u\033[57376;1u", "<Up>1<F13>"},
        /* what is nobody's */
        {"\033[99~", "\033[99~"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(cases[i].bytes, cases[i].tokens, false);
    expect("\033[25~\033[34~", "<Shift-F3><Shift-F10>", true);
}

static void the_mouse_is_read(void **state)
{
    (void)state;
    expect("\033[<0;10;5M\033[<0;10;5m\033[<34;1;2M",
           "(press 1 at 4,9)(release 1 at 4,9)"
           "(drag 3 at 1,0)",
           false);
    expect("\033[<64;10;5M\033[<81;1;1M", "(up 0 at 4,9)(down 0 at 0,0 Ctrl)", false);
    expect("\033[<35;1;1M\033[<66;1;1M\033[<128;1;1M", "", false);
    expect("\033[<0;99999999999;0M", "(press 1 at 0,9999)", false);
    expect("\033[M !\"\033[M#!!x", "(press 1 at 1,0)(release 4 at 0,0)x", false);
}

static void answers_are_never_typed(void **state)
{
    (void)state;
    struct strbuf answer = {0}, out = {0};
    static const char *const cases[] = {"\033]11;rgb:1111/2222/3333\033\\",
                                        "\033]52;c;aGVsbG8=\a",
                                        "\033P>|term 1.0\033\\",
                                        "\033P1$r0m\033\\",
                                        "\033_Gi=1;OK\033\\",
                                        "\033[?62;4c",
                                        "\033[>1;10;0c",
                                        "\033[8;24;80t",
                                        "\033[I",
                                        "\033[O",
                                        "\033[0n",
                                        "\033[?1u",
                                        "\033]l title \xC3\xA9 \r\n\033\\",
                                        "\033[4;2$y"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        strbuf_clear(&answer);
        strbuf_printf(&answer, "a%sb", cases[i]);
        expect(strbuf_text(&answer), "ab", false);
    }
    strbuf_clear(&answer);
    strbuf_puts(&answer, "a\033]52;c;");
    for (int i = 0; i < 100000; i++)
        strbuf_puts(&answer, "QUJD");
    strbuf_puts(&answer, "\033\\b\033[");
    for (int i = 0; i < 1000; i++)
        strbuf_puts(&answer, "1;");
    strbuf_puts(&answer, "Hc");
    for (size_t step = 1; step < 5000; step = step * 7 + 1) {
        tokens(strbuf_text(&answer), answer.length, step, false, &out);
        assert_string_equal(strbuf_text(&out), "abc");
    }
    strbuf_free(&answer);
    strbuf_free(&out);
}

static void modes_and_pastes_are_told(void **state)
{
    (void)state;
    expect("\033[?2026;2$y", "{2026=2}", false);
    expect("\033[200~a\rb\003\033[201~c", "[a\rb\003]c", false);
    expect("\033[200~\033[201\033[201~", "[\033[201]", false);
    expect("\033[201~x", "x", false);
}

/* The line editor gets what it knows. */
static void bytes_are_handed_on(void **state)
{
    (void)state;
    static const struct {
        const char *sent, *given;
    } cases[] = {{"\033b", "\033b"},          {"\033[98;3u", "\033b"},   {"\033[A", "\033[A"},
                 {"\033[27;5;114~", "\022"},  {"\033[49;5u", ""},        {"\033[13;2u", "\r"},
                 {"\033[127;3u", "\033\x7F"}, {"\033[1;5C", "\033[1;5C"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct input input = {0};
        struct input_token token;
        input_feed(&input, cases[i].sent, strlen(cases[i].sent), 0);
        assert_true(input_next(&input, 0, &token));
        assert_int_equal(token.kind, INPUT_KEY);
        assert_int_equal(token.length, strlen(cases[i].given));
        assert_memory_equal(token.bytes, cases[i].given, token.length);
        input_free(&input);
    }
}

static void a_text_is_split_into_keys(void **state)
{
    (void)state;
    static const char *const parts[] = {"j", "e\xCC\x81", " ", "海", "\xFF"};
    const char *text = "je\xCC\x81 海\xFF";
    struct input_token token = {.kind = INPUT_TEXT, .bytes = text, .length = strlen(text)}, part;
    size_t at = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        assert_true(input_split(&token, &at, &part));
        assert_int_equal(part.length, strlen(parts[i]));
        assert_memory_equal(part.bytes, parts[i], part.length);
        assert_int_equal(part.name != NULL, parts[i][0] == ' ');
    }
    assert_false(input_split(&token, &at, &part));
    token = (struct input_token){.kind = INPUT_KEY, .name = "Up", .bytes = "\033[A", .length = 3};
    at = 0;
    assert_true(input_split(&token, &at, &part));
    assert_string_equal(part.name, "Up");
    assert_false(input_split(&token, &at, &part));
}

static void a_bare_escape_is_held(void **state)
{
    (void)state;
    struct input input = {0};
    struct input_token token;
    input_feed(&input, "\033", 1, 1000);
    assert_false(input_next(&input, 1000, &token));
    assert_int_equal(input_timeout(&input, 1000), INPUT_ESCAPE_MS);
    assert_false(input_next(&input, 1000 + INPUT_ESCAPE_MS - 1, &token));
    assert_true(input_next(&input, 1000 + INPUT_ESCAPE_MS, &token));
    assert_string_equal(token.name, "Esc");
    assert_int_equal(input_timeout(&input, 1000), -1);
    input_feed(&input, "\033[", 2, 2000);
    assert_false(input_next(&input, 2000, &token));
    assert_true(input_next(&input, 2000 + INPUT_ESCAPE_MS, &token));
    assert_string_equal(token.name, "Alt-[");
    input_free(&input);
}

/* A terminal that loses the end of a paste or of an answer must not lock the keyboard. */
static void what_has_no_end_is_given_up(void **state)
{
    (void)state;
    struct input input = {0};
    struct input_token token;
    input_feed(&input, "\033[200~a\rb\033[20", 13, 1000);
    assert_false(input_next(&input, 1000, &token));
    assert_int_equal(input_timeout(&input, 1000), INPUT_PASTE_MS);
    input_feed(&input, "c", 1, 1500); /* more keeps it open */
    assert_false(input_next(&input, 1500 + INPUT_PASTE_MS - 1, &token));
    assert_true(input_next(&input, 1500 + INPUT_PASTE_MS, &token));
    assert_int_equal(token.kind, INPUT_PASTE);
    assert_int_equal(token.length, 8);
    assert_memory_equal(token.bytes, "a\rb\033[20c", 8);
    assert_false(input_next(&input, 9000, &token));
    input_feed(&input, "\033]11;rgb", 8, 9000);
    assert_false(input_next(&input, 9000, &token));
    assert_int_equal(input_timeout(&input, 9000), INPUT_STRING_MS);
    assert_false(input_next(&input, 9000 + INPUT_STRING_MS, &token));
    input_feed(&input, "\r", 1, 20000);
    assert_true(input_next(&input, 20000, &token));
    assert_string_equal(token.name, "Enter");
    input_free(&input);
}

/* Whatever comes, in whatever pieces: the same tokens, and nothing is kept. */
static void random_input_ends(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\033",     "[",
                                         "200~",     "\033[201~",
                                         "<64;1;2M", "M",
                                         "O",        "x",
                                         "\xE6",     "\xB5\xB7",
                                         "\r",       "?26;",
                                         "$y",       "1;5",
                                         "]",        "P",
                                         "\033\\",   "\a",
                                         "$",        "~",
                                         "u",        "27;",
                                         "\003",     "\xC3",
                                         ":3",       "11111111111111111111111111111111"};
    unsigned seed = 3;
    struct strbuf bytes = {0}, whole = {0}, cut = {0};
    for (int round = 0; round < 4000; round++) {
        strbuf_clear(&bytes);
        for (int i = 0; i < 24; i++) {
            unsigned choice = (unsigned)rand_r(&seed) % 34;
            if (choice < sizeof pieces / sizeof pieces[0])
                strbuf_puts(&bytes, pieces[choice]);
            else
                strbuf_putc(&bytes, (char)rand_r(&seed));
        }
        tokens(bytes.data, bytes.length, bytes.length, false, &whole);
        for (size_t step = 0; step < 4; step++) {
            tokens(bytes.data, bytes.length, step, false, &cut);
            assert_int_equal(whole.length, cut.length);
            assert_memory_equal(strbuf_text(&whole), strbuf_text(&cut), cut.length);
        }
    }
    strbuf_free(&bytes);
    strbuf_free(&whole);
    strbuf_free(&cut);
}

static void key_names_have_one_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *typed, *name;
    } cases[] = {{"ctrl-x", "Ctrl-X"},
                 {"Alt-x", "Alt-x"},
                 {"Shift-Alt-x", "Alt-X"},
                 {"alt-ctrl-pgup", "Ctrl-Alt-PageUp"},
                 {"Return", "Enter"},
                 {"shift-f12", "Shift-F12"},
                 {"j", "j"},
                 {"Shift-j", "J"},
                 {"?", "?"},
                 {"space", "Space"},
                 {"-", "-"},
                 {"Ctrl--", "Ctrl--"},
                 {"Ctrl-Backslash", "Ctrl-\\"},
                 {"é", "é"},
                 {"e\xCC\x81", "e\xCC\x81"},
                 {"F20", "F20"}};
    static const char *const wrong[] = {"",    "Ctrl-", "Hyper-x", "F21", "F0",
                                        "F01", "jj",    "Pageup2", "\001"};
    char out[KEY_NAME_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(key_name_parse(cases[i].typed, strlen(cases[i].typed), out));
        assert_string_equal(out, cases[i].name);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(key_name_parse(wrong[i], strlen(wrong[i]), out));
    assert_string_equal(key_name_nearest("PageUpp"), "PageUp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_named_however_they_are_cut),
        cmocka_unit_test(the_mouse_is_read),
        cmocka_unit_test(answers_are_never_typed),
        cmocka_unit_test(modes_and_pastes_are_told),
        cmocka_unit_test(bytes_are_handed_on),
        cmocka_unit_test(a_text_is_split_into_keys),
        cmocka_unit_test(a_bare_escape_is_held),
        cmocka_unit_test(what_has_no_end_is_given_up),
        cmocka_unit_test(random_input_ends),
        cmocka_unit_test(key_names_have_one_spelling),
    };
    return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
