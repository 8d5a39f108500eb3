#include "tests/screens/chat_child.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tests/screens/spelled_generator.h"
#include "tui/app.h"
#include "tui/command.h"

static int slow_load(void *user, loader_progress_fn *progress, void *loader,
                     struct generator **generator, char **about, struct error *error)
{
    const struct chat_child *child = user;
    for (unsigned i = 0; i < child->load_steps || child->load_forever; i++) {
        if (!progress(loader, i % child->load_steps, child->load_steps))
            return error_set(error, ERROR_CANCELLED, "cancelled");
        usleep(10000);
    }
    if (child->load_error != NULL)
        return error_set(error, ERROR_INPUT, "%s", child->load_error);
    *generator = generator_fake_open(child->script, child->piece_ms, 4096);
    *about = xstrdup("loaded · plain RoPE · script");
    return 0;
}

static int run(void *user)
{
    struct chat_child *child = user;
    struct settings settings;
    struct error error = {0};
    if (child->directory != NULL && chdir(child->directory) != 0)
        return 1;
    settings_defaults(&settings);
    settings.sampling.seed = 1;
    free(settings.theme);
    if (child->last) {
        free(settings.start);
        settings.start = xstrdup("last");
    }
    settings.theme = xstrdup(child->theme != NULL ? child->theme : "themes/vaquita-dark.ini");
    if (child->colour != NULL) {
        free(settings.colour);
        settings.colour = xstrdup(child->colour);
    }
    if (child->converter != NULL)
        converter_table_set(&settings.converters, "slow", child->converter, &error);
    struct app_options options = {.settings = &settings,
                                  .about = "fake · plain RoPE · script",
                                  .history_path = child->history,
                                  .chats_path = child->chats_path,
                                  .config_path = child->config,
                                  .scene = child->scene};
    if (child->load_steps > 0)
        loader_start(&options.loader, slow_load, child, &error);
    else if (child->generator != NULL)
        options.generator = child->generator();
    else
        options.generator = (child->spelled ? generator_spelled_open : generator_fake_open)(
            child->script, child->piece_ms, child->context > 0 ? child->context : 4096);
    int result = app_run(&options, &error);
    settings_free(&settings);
    if (result < 0)
        fprintf(stderr, "airo: %s\n", error.message);
    return result < 0 ? 1 : result > 0 ? EXIT_SIGNAL + result : 0;
}

static bool shows_one_of(struct pty_screen *screen, void *user)
{
    const char *const *signs = user;
    for (int i = 0; i < 3; i++)
        if (pty_screen_shows(screen, signs[i]))
            return true;
    return false;
}

struct pty_screen *chat_child_start(int rows, int columns, const struct pty_variable *variables,
                                    struct chat_child *child)
{
    struct pty_screen *screen = pty_screen_start(rows, columns, variables, run, child);
    static const char *const signs[] = {"›", "loading", "airo: "};
    pty_screen_wait(screen, shows_one_of, (void *)(uintptr_t)signs);
    return screen;
}

/* --- golden screens -------------------------------------------------------------------------- */

/* Written when nothing has moved for a while. */
static bool refresh(const char *path, struct pty_screen *screen)
{
    size_t seen;
    do {
        seen = pty_screen_output(screen)->length;
        pty_screen_pump(screen, 500);
    } while (pty_screen_output(screen)->length > seen);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    char *text = pty_screen_text(screen);
    fputs(text, file);
    free(text);
    return fclose(file) == 0;
}

static void tell_difference(struct pty_screen *screen, const char *path, const char *golden)
{
    char *shown = pty_screen_text(screen);
    fprintf(stderr, "%s:\n%s--- but the screen is:\n%s", path, golden, shown);
    free(shown);
}

static bool is_golden(struct pty_screen *screen, void *golden)
{
    char *shown = pty_screen_text(screen);
    bool same = strcmp(shown, golden) == 0;
    free(shown);
    return same;
}

bool screen_matches(struct pty_screen *screen, const char *name)
{
    char *path = xasprintf("tests/screens/golden/%s.txt", name);
    struct strbuf golden = {0};
    struct error error;
    bool matches;
    if (getenv("AIRO_REFRESH") != NULL) {
        matches = refresh(path, screen);
    } else {
        matches = file_read(path, 1u << 20, &golden, &error) == 0 &&
                  pty_screen_wait(screen, is_golden, (void *)(uintptr_t)strbuf_text(&golden));
        if (!matches)
            tell_difference(screen, path, strbuf_text(&golden));
    }
    strbuf_free(&golden);
    free(path);
    return matches;
}
