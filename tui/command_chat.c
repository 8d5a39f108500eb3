/* airo chat: the terminal interface. */
#include "tui/command_chat.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/document_path.h"
#include "engine/chat/store.h"
#include "engine/infer/generator.h"
#include "engine/model/model.h"
#include "engine/model/rope.h"
#include "tui/app.h"
#include "tui/arguments.h"
#include "tui/chat_plain.h"
#include "tui/model_session.h"

/* Passes the load's progress on to the loader. */
struct relay {
    loader_progress_fn *progress;
    void *loader;
};

static bool relay_progress(void *user, uint64_t done, uint64_t total)
{
    const struct relay *relay = user;
    return relay->progress(relay->loader, done, total);
}

static int model_options_from(const struct settings *settings, struct relay *relay,
                              struct model_options *options, struct error *error)
{
    *options = (struct model_options){.context = settings->context,
                                      .kv_type = KV_AUTO,
                                      .chunk = settings->chunk,
                                      .threads = settings->threads,
                                      .kernels = settings->kernels,
                                      .device = settings->device,
                                      .rope = settings_rope(settings),
                                      .progress = relay_progress,
                                      .user = relay};
    if (settings->kv_type != NULL && kv_type_parse(settings->kv_type, &options->kv_type) != 0)
        return error_set(error, ERROR_INPUT, "no such key/value type: %s", settings->kv_type);
    return 0;
}

/* "vaquita · NTK-by-parts x4 (4096 -> 16384) · CPU AVX-512 VNNI, 2 threads", and why no GPU. */
static char *describe(struct generator *generator, const struct model_config *config,
                      uint32_t context, const char *notice)
{
    char rope[96];
    return xasprintf("%s · %s · %s%s%s", generator->ops->model_name(generator),
                     rope_describe(&config->rope, context, rope),
                     generator->ops->backend_name(generator), notice != NULL ? " · " : "",
                     notice != NULL ? notice : "");
}

static int load(void *user, loader_progress_fn *progress, void *loader,
                struct generator **generator, char **about, struct error *error)
{
    const struct settings *settings = user;
    struct relay relay = {progress, loader};
    struct model_options options;
    struct model *model = NULL;
    if (model_options_from(settings, &relay, &options, error) != 0)
        return -1;
    char *directory = model_find(settings->model, error);
    if (directory == NULL)
        return -1;
    int result = model_open(&model, directory, &options, error);
    free(directory);
    if (result != 0)
        return -1;
    struct model_config config = model->config;
    uint32_t context = model->context;
    char *kept = kv_disk_directory();
    const struct kv_disk_options disk = {.directory = kept,
                                         .cap_bytes = settings_kv_disk(settings)};
    result = generator_local_open(generator, model, &disk, error);
    free(kept);
    if (result != 0) {
        model_close(model);
        return -1;
    }
    *about = describe(*generator, &config, context, model->notice);
    return 0;
}

static char *config_path(void)
{
    char *directory = xdg_directory("config");
    char *path = path_join(directory, "airo.ini");
    free(directory);
    return path;
}

int chat_screen_run(struct settings *settings, struct document_list *attached, const char *scene)
{
    struct error error = {0};
    char *state = xdg_directory("state");
    char *history = path_join(state, "history");
    char *chats = store_default_path(), *config = config_path();
    struct app_options options = {.settings = settings,
                                  .attached = attached,
                                  .history_path = history,
                                  .chats_path = chats,
                                  .config_path = config,
                                  .scene = scene};
    int result = loader_start(&options.loader, load, settings, &error);
    if (result == 0)
        result = app_run(&options, &error);
    free(chats);
    free(config);
    free(history);
    free(state);
    return result < 0 ? command_failed(&error) : result > 0 ? EXIT_SIGNAL + result : EXIT_OK;
}

/* --- documents on the command line ----------------------------------------------------------- */

struct named {
    const struct settings *settings;
    struct document_list documents;
    size_t last; /* the first document of the last -d */
};

static int add_documents(struct named *named, const char *spec, struct error *error)
{
    const struct document_options options = {.converters = &named->settings->converters};
    struct document_report report = {0};
    named->last = named->documents.count;
    int result = document_add_path(&named->documents, spec, &options, &report, error);
    for (size_t i = 0; result == 0 && i < report.count; i++)
        if (!report.lines[i].added)
            command_note("%s", report.lines[i].text);
    document_report_free(&report);
    return result;
}

static int add_pair(struct named *named, const char *text, struct error *error)
{
    const char *equals = strchr(text, '=');
    int result = 0;
    if (named->documents.count == 0)
        return error_set(error, ERROR_INPUT, "-k %.64s: there is no -d before it", text);
    if (equals == NULL)
        return error_set(error, ERROR_INPUT, "-k %.64s: expected key=value", text);
    char *key = xstrndup(text, (size_t)(equals - text));
    for (size_t i = named->last; i < named->documents.count && result == 0; i++)
        result = document_set_pair(&named->documents.items[i], key, equals + 1, error);
    free(key);
    return result;
}

static int start(struct settings *settings, bool plain, bool last, struct document_list *attached)
{
    struct error error = {0};
    if (last) {
        free(settings->start);
        settings->start = xstrdup("last");
    }
    if (settings_take_model(settings, &error) != 0)
        return command_failed(&error);
    return plain ? chat_plain_run(settings, attached, NULL)
                 : chat_screen_run(settings, attached, NULL);
}

static int run(struct settings *settings, int argc, char **argv)
{
    struct named named = {.settings = settings};
    struct error error = {0};
    bool plain = false, last = false;
    const struct option *option;
    const char *value;
    int at = 1, status = EXIT_OK;
    while (status == EXIT_OK && (option = arguments_next(argc, argv, &at, &value)) != NULL) {
        if (strcmp(option->name, "document") == 0 && add_documents(&named, value, &error) != 0)
            status = command_failed(&error);
        if (strcmp(option->name, "key") == 0 && add_pair(&named, value, &error) != 0)
            status = command_usage("chat", "%s", error.message);
        plain |= strcmp(option->name, "plain") == 0;
        last |= strcmp(option->name, "last") == 0;
    }
    if (status == EXIT_OK && at < argc)
        status = command_usage("chat", "unexpected argument: %s", argv[at]);
    if (status == EXIT_OK)
        status = start(settings, plain, last, &named.documents);
    document_list_free(&named.documents);
    return status;
}

const struct command command_chat = {
    .name = "chat",
    .synopsis = "chat [-m MODEL] [-d FILE ...] [--plain] [--last]",
    .summary = "the terminal interface",
    .run = run,
};
