#include "tests/screens/monkey_input.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/utf8.h"
#include "tui/actions.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

unsigned monkey_random(struct monkey *monkey, unsigned below)
{
    unsigned high = (unsigned)rand_r(&monkey->seed) >> 8;
    unsigned low = (unsigned)rand_r(&monkey->seed) >> 8;
    return ((high << 15) ^ low) % below;
}

/* --- text ------------------------------------------------------------------------------------ */

static void put_word(struct monkey *monkey, struct strbuf *out)
{
    static const char *const words[] = {
        "the",
        "vaquita",
        "**bold**",
        "`code`",
        "# head",
        "- item",
        "> quote",
        "```c\n",
        "海豚",
        "👨‍👩‍👧",
        "e\xCC\x81",
        "🇩🇪",
        "क्षि",
        "각",
        "\xE2\x80\xAE",
        "<<SYS>>",
        "[INST]",
        "</s>",
        "| a | b |",
        "{{user}}",
        "~/x",
        "\xC2\xA0",
        "a\tb",
        "<|im_end|>",
        "[Instance A]",
        "ö",
        "1.",
        "\\",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
    char character[4];
    if (monkey_random(monkey, 6) > 0)
        strbuf_puts(out, words[monkey_random(monkey, COUNT(words))]);
    else
        strbuf_add(out, character, utf8_encode(32 + monkey_random(monkey, 0x1FFFF), character));
    strbuf_putc(out, ' ');
}

static void put_words(struct monkey *monkey, struct strbuf *out, unsigned most)
{
    for (unsigned i = monkey_random(monkey, most + 1); i > 0; i--)
        put_word(monkey, out);
}

/* --- keys ------------------------------------------------------------------------------------ */

static void put_modified(struct monkey *monkey, struct strbuf *out)
{
    static const char letters[] = "ABCDHFPQRS";
    static const int tildes[] = {1,  2,  3,  4,  5,  6,  11, 12, 13, 14, 15,
                                 17, 18, 19, 20, 21, 23, 24, 25, 26, 28};
    unsigned modifier = 2 + monkey_random(monkey, 7);
    if (monkey_random(monkey, 2) == 0)
        strbuf_printf(out, "\033[1;%u%c", modifier,
                      letters[monkey_random(monkey, sizeof letters - 1)]);
    else if (monkey_random(monkey, 3) > 0)
        strbuf_printf(out, "\033[%d;%u~", tildes[monkey_random(monkey, COUNT(tildes))], modifier);
    else
        strbuf_printf(out, "\033[%u;%uu", 9 + monkey_random(monkey, 118), modifier);
}

static void put_plain(struct monkey *monkey, struct strbuf *out)
{
    static const char *const keys[] = {
        "\r",       "\t",       "\033",     "\x7F",     "\033[A",   "\033[B",   "\033[C",
        "\033[D",   "\033[H",   "\033[F",   "\033[5~",  "\033[6~",  "\033[2~",  "\033[3~",
        "\033OA",   "\033OB",   "\033OP",   "\033OQ",   "\033OR",   "\033OS",   "\033[15~",
        "\033[17~", "\033[18~", "\033[19~", "\033[20~", "\033[21~", "\033[23~", "\033[24~",
        "\033[Z",   "\033\r",   "\033x",    "\033e"};
    strbuf_puts(out, keys[monkey_random(monkey, COUNT(keys))]);
}

static void do_key(struct monkey *monkey, struct strbuf *out)
{
    unsigned choice = monkey_random(monkey, 10);
    if (choice < 5)
        put_plain(monkey, out);
    else if (choice < 7)
        put_modified(monkey, out);
    else if (choice < 9)
        strbuf_putc(out, (char)(1 + monkey_random(monkey, 31)));
    else
        strbuf_printf(out, "\033%c", ' ' + monkey_random(monkey, 95));
}

/* A run of letters that are keys outside of the line. */
static void do_letters(struct monkey *monkey, struct strbuf *out)
{
    for (unsigned i = 1 + monkey_random(monkey, 6); i > 0; i--)
        strbuf_putc(out, (char)(' ' + monkey_random(monkey, 95)));
}

static void do_text(struct monkey *monkey, struct strbuf *out)
{
    put_words(monkey, out, 8);
}

static void do_mouse(struct monkey *monkey, struct strbuf *out)
{
    static const unsigned buttons[] = {0, 1, 2, 32, 34, 35, 64, 65, 16, 4, 128};
    unsigned button = buttons[monkey_random(monkey, COUNT(buttons))];
    unsigned far = monkey_random(monkey, 8) == 0 ? 9999 : 120;
    for (unsigned i = 1 + monkey_random(monkey, 3); i > 0; i--)
        strbuf_printf(out, "\033[<%u;%u;%u%c", button, monkey_random(monkey, far),
                      monkey_random(monkey, far / 2), "MMm"[monkey_random(monkey, 3)]);
}

static void do_paste(struct monkey *monkey, struct strbuf *out)
{
    unsigned choice = monkey_random(monkey, 60);
    size_t most = choice == 0 ? 1u << 20 : choice < 6 ? 20000 : 200;
    size_t length = monkey_random(monkey, (unsigned)most);
    strbuf_puts(out, "\033[200~");
    while (out->length < length) {
        put_words(monkey, out, 12);
        strbuf_puts(out, monkey_random(monkey, 5) == 0 ? "\r\n" : "\n");
        if (monkey_random(monkey, 50) == 0)
            strbuf_puts(out, "\033[31m\033]0;x\a");
    }
    if (monkey_random(monkey, 40) > 0)
        strbuf_puts(out, "\033[201~");
}

/* Bytes that no key sends. */
static void do_garbage(struct monkey *monkey, struct strbuf *out)
{
    static const char *const begins[] = {"\033[",  "\033]52;c;",  "\033P",  "\033O", "\xE2\x80",
                                         "\033[M", "\033[?2026;", "\033[<", "",      "\033\033"};
    strbuf_puts(out, begins[monkey_random(monkey, COUNT(begins))]);
    for (unsigned i = monkey_random(monkey, 12); i > 0; i--)
        strbuf_putc(out, (char)monkey_random(monkey, 256));
}

/* --- lines ----------------------------------------------------------------------------------- */

/* Where the line is, or should be. */
static void go_to_line(struct monkey *monkey, struct strbuf *out)
{
    if (monkey_random(monkey, 3) == 0)
        strbuf_puts(out, "i\001\013"); /* out of the transcript, and an empty line */
    else if (monkey_random(monkey, 2) == 0)
        strbuf_puts(out, "\001\013");
}

static void do_send(struct monkey *monkey, struct strbuf *out)
{
    go_to_line(monkey, out);
    strbuf_printf(out, MONKEY_MARKER " ", monkey->markers++);
    for (unsigned i = monkey_random(monkey, 6); i > 0; i--)
        strbuf_printf(out, "w%u ", monkey_random(monkey, 1000));
    strbuf_putc(out, '\r');
}

static const struct action *random_command(struct monkey *monkey)
{
    size_t count = 0;
    const struct action *found = NULL;
    for (int i = 0; i < CONTEXTS; i++) {
        for (const struct action *row = action_tables[i].rows; row != NULL && row->help; row++) {
            bool leaves = row->command != NULL && strcmp(row->command, "/quit") == 0;
            if (row->command != NULL && !leaves && monkey_random(monkey, (unsigned)++count) == 0)
                found = row;
        }
    }
    return found;
}

static void put_argument(struct monkey *monkey, struct strbuf *out)
{
    static const char *const words[] = {
        "temperature 0.5",  "seed 7",  "max-tokens 3", "top-p",
        "temperature nan",  "nothing", "default",      "below",
        "themes/paper.ini", "1",       "-1",           "99999999999",
        "harbour-inn",      "x=y",     "vaquita-dark", "no such",
        "max-tokens 200",   "on",      "off",          "max-tokens 0"};
    size_t paths = 0;
    while (monkey->paths[paths] != NULL)
        paths++;
    unsigned choice = monkey_random(monkey, 5);
    if (choice < 2)
        strbuf_puts(out, words[monkey_random(monkey, COUNT(words))]);
    else if (choice < 4)
        strbuf_puts(out, monkey->paths[monkey_random(monkey, (unsigned)paths)]);
    else
        put_words(monkey, out, 3);
}

static void do_command(struct monkey *monkey, struct strbuf *out)
{
    const struct action *action = random_command(monkey);
    go_to_line(monkey, out);
    strbuf_puts(out, action->command);
    if (monkey_random(monkey, 4) == 0)
        strbuf_putc(out, '\t');
    if (action->argument != NULL || monkey_random(monkey, 4) == 0) {
        strbuf_putc(out, ' ');
        put_argument(monkey, out);
    }
    strbuf_putc(out, monkey_random(monkey, 10) == 0 ? '\t' : '\r');
}

/* Into the transcript, to one of its messages, and something done with it. */
static void do_read(struct monkey *monkey, struct strbuf *out)
{
    static const char keys[] = "jkJKgGvyYserchlbdum/nNi?\r\033";
    strbuf_puts(out, "\033");
    for (unsigned i = 1 + monkey_random(monkey, 8); i > 0; i--)
        strbuf_putc(out, keys[monkey_random(monkey, sizeof keys - 1)]);
}

static void do_stop(struct monkey *monkey, struct strbuf *out)
{
    strbuf_puts(out, monkey_random(monkey, 3) == 0 ? "\033" : "\003");
}

static void do_leave(struct monkey *monkey, struct strbuf *out)
{
    static const char *const ways[] = {"\003\003", "\004", "\001\013/quit\r", "\032"};
    strbuf_puts(out, ways[monkey_random(monkey, COUNT(ways))]);
}

/* --- steps ----------------------------------------------------------------------------------- */

static void resize(struct monkey *monkey, struct monkey_step *step)
{
    static const int sizes[][2] = {{24, 80}, {36, 120}, {10, 40}, {1, 1},   {200, 300},
                                   {5, 20},  {2, 300},  {200, 2}, {50, 160}};
    unsigned choice = monkey_random(monkey, 14);
    step->rows = 1 + (int)monkey_random(monkey, choice == 13 ? 200 : 60);
    step->columns = 1 + (int)monkey_random(monkey, choice == 13 ? 300 : 140);
    if (choice < COUNT(sizes)) {
        step->rows = sizes[choice][0];
        step->columns = sizes[choice][1];
    }
}

void monkey_step(struct monkey *monkey, struct monkey_step *step)
{
    static const struct {
        const char *kind;
        int weight;
        void (*put)(struct monkey *, struct strbuf *);
    } kinds[] = {{"key", 30, do_key},        {"letters", 10, do_letters}, {"text", 8, do_text},
                 {"mouse", 8, do_mouse},     {"paste", 3, do_paste},      {"send", 12, do_send},
                 {"command", 8, do_command}, {"read", 8, do_read},        {"stop", 5, do_stop},
                 {"garbage", 2, do_garbage}, {"leave", 1, do_leave},      {"resize", 5, NULL}};
    int total = 0;
    size_t at = 0;
    for (size_t i = 0; i < COUNT(kinds); i++)
        total += kinds[i].weight;
    int choice = (int)monkey_random(monkey, (unsigned)total);
    while (choice >= kinds[at].weight)
        choice -= kinds[at++].weight;
    strbuf_clear(&step->bytes);
    step->kind = kinds[at].kind;
    if (kinds[at].put == NULL)
        resize(monkey, step);
    else
        kinds[at].put(monkey, &step->bytes);
}
