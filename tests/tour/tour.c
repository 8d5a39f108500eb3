/*
 * tour - plays a script of keys at the real program and writes pictures of its screen.
 *
 *     tour PROGRAM SCRIPT OUTPUT-DIRECTORY
 *
 * Lines of a script: "size COLUMNSxROWS" begins a run with a home of its own; "arguments WORDS"
 * before it; "type TEXT"; "key NAME" (Enter, Esc, Tab, F1 ... F12, Up, Down, Space); "wait TEXT"
 * until the screen shows it; "gone TEXT" until it does not; "picture NAME" writes NAME.svg; "#"
 * begins a comment.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tests/screens/pty_screen.h"
#include "tests/tour/svg_screen.h"

struct tour {
    const char *program, *output;
    char *arguments;
    char home[64];
    struct pty_screen *screen;
    int rows, columns;
};

static const struct {
    const char *name, *bytes;
} keys[] = {
    {"Enter", "\r"},         {"Esc", "\033"},     {"Tab", "\t"},       {"Space", " "},
    {"Up", "\033[A"},        {"Down", "\033[B"},  {"Right", "\033[C"}, {"Left", "\033[D"},
    {"F1", "\033OP"},        {"F2", "\033OQ"},    {"F3", "\033OR"},    {"F4", "\033OS"},
    {"F5", "\033[15~"},      {"F6", "\033[17~"},  {"F7", "\033[18~"},  {"F8", "\033[19~"},
    {"F9", "\033[20~"},      {"F12", "\033[24~"}, {"Ctrl-C", "\003"},  {"Ctrl-D", "\004"},
    {"Alt-Enter", "\033\r"},
};

static int run_program(void *user)
{
    const struct tour *tour = user;
    char *words[32] = {(char *)(uintptr_t)tour->program};
    int count = 1;
    for (char *word = strtok(tour->arguments, " "); word != NULL && count < 31;
         word = strtok(NULL, " "))
        words[count++] = word;
    execv(tour->program, words);
    return 127;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void end_run(struct tour *tour)
{
    if (tour->screen == NULL)
        return;
    pty_screen_free(tour->screen);
    tour->screen = NULL;
    nftw(tour->home, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static int begin_run(struct tour *tour, const char *size)
{
    end_run(tour);
    if (sscanf(size, "%dx%d", &tour->columns, &tour->rows) != 2)
        return -1;
    snprintf(tour->home, sizeof tour->home, "/tmp/airo-tour-XXXXXX");
    if (mkdtemp(tour->home) == NULL)
        return -1;
    const struct pty_variable variables[] = {{"HOME", tour->home},      {"COLORTERM", "truecolor"},
                                             {"XDG_CONFIG_HOME", NULL}, {"XDG_DATA_HOME", NULL},
                                             {"XDG_STATE_HOME", NULL},  {"XDG_CACHE_HOME", NULL},
                                             {"NO_COLOR", NULL},        {NULL, NULL}};
    tour->screen = pty_screen_start(tour->rows, tour->columns, variables, run_program, tour);
    return 0;
}

/* Nothing has come for a while: the frame is whole. */
static void settle(struct tour *tour)
{
    size_t seen;
    do {
        seen = pty_screen_output(tour->screen)->length;
        pty_screen_pump(tour->screen, 400);
    } while (pty_screen_output(tour->screen)->length > seen);
}

static int press(struct tour *tour, const char *name)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(keys[i].name, name) == 0) {
            pty_screen_type(tour->screen, keys[i].bytes);
            settle(tour); /* an escape and a letter at once would be another key */
            return 0;
        }
    return -1;
}

static int picture(struct tour *tour, const char *name)
{
    struct strbuf svg = {0};
    settle(tour);
    const char *title = pty_screen_state(tour->screen)->title;
    svg_screen(tour->screen, tour->rows, tour->columns, title[0] != '\0' ? title : "airo", &svg);
    char *path = xasprintf("%s/%s.svg", tour->output, name);
    FILE *file = fopen(path, "w");
    int result = file != NULL && fwrite(svg.data, 1, svg.length, file) == svg.length ? 0 : -1;
    if (file != NULL && fclose(file) != 0)
        result = -1;
    printf("%s\n", path);
    free(path);
    strbuf_free(&svg);
    return result;
}

static int step(struct tour *tour, char *line)
{
    char *argument = line + strcspn(line, " ");
    if (*argument != '\0')
        *argument++ = '\0';
    if (line[0] == '\0' || line[0] == '#')
        return 0;
    if (strcmp(line, "arguments") == 0) {
        free(tour->arguments);
        tour->arguments = xstrdup(argument);
        return 0;
    }
    if (strcmp(line, "size") == 0)
        return begin_run(tour, argument);
    if (tour->screen == NULL)
        return -1;
    if (strcmp(line, "key") == 0)
        return press(tour, argument);
    if (strcmp(line, "wait") == 0)
        return pty_screen_wait_text(tour->screen, argument) ? 0 : -1;
    if (strcmp(line, "gone") == 0)
        return pty_screen_wait_no_text(tour->screen, argument) ? 0 : -1;
    if (strcmp(line, "picture") == 0)
        return picture(tour, argument);
    if (strcmp(line, "type") != 0)
        return -1;
    pty_screen_type(tour->screen, argument);
    return 0;
}

static int play(struct tour *tour, char *script, const char *path)
{
    int number = 0;
    for (char *line = script, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        number++;
        char *words = xstrdup(line);
        int result = step(tour, words);
        free(words);
        if (result == 0)
            continue;
        fprintf(stderr, "%s: line %d: %s\n", path, number, line);
        if (tour->screen != NULL) {
            char *shown = pty_screen_text(tour->screen);
            fputs(shown, stderr);
            free(shown);
        }
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct strbuf script = {0};
    struct error error;
    if (argc != 4) {
        fprintf(stderr, "usage: tour PROGRAM SCRIPT OUTPUT-DIRECTORY\n");
        return 2;
    }
    if (file_read(argv[2], 1u << 20, &script, &error) != 0) {
        fprintf(stderr, "tour: %s\n", error.message);
        return 1;
    }
    struct tour tour = {.program = argv[1], .output = argv[3], .arguments = xstrdup("")};
    int result = play(&tour, script.data, argv[2]);
    end_run(&tour);
    free(tour.arguments);
    strbuf_free(&script);
    return result;
}
