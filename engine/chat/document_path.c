#include "engine/chat/document_path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/document_walk.h"

#define FILES_MAX 200
#define DEPTH_MAX 16
#define LINES_MAX 500 /* of a report */

/* --- report ----------------------------------------------------------------------------------- */

static void say(struct document_report *report, const char *path, bool added, char *text)
{
    if (report != NULL)
        report->added += added;
    if (report == NULL || report->count == LINES_MAX) {
        free(text);
        return;
    }
    if (report->count == report->capacity) {
        report->capacity = report->capacity ? 2 * report->capacity : 8;
        report->lines = xreallocarray(report->lines, report->capacity, sizeof *report->lines);
    }
    report->lines[report->count++] = (struct document_report_line){xstrdup(path), added, text};
}

void document_report_free(struct document_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->lines[i].path);
        free(report->lines[i].text);
    }
    free(report->lines);
    *report = (struct document_report){0};
}

/* --- plan ------------------------------------------------------------------------------------- */

struct planner {
    struct document_plan *plan;
    const struct document_options *options;
    struct document_report *report;
    bool stopped;
};

static void plan_add(struct document_plan *plan, const char *path)
{
    if (plan->count == plan->capacity) {
        plan->capacity = plan->capacity ? 2 * plan->capacity : 8;
        plan->paths = xreallocarray(plan->paths, plan->capacity, sizeof *plan->paths);
    }
    plan->paths[plan->count++] = xstrdup(path);
}

static bool stopped(const struct document_options *options)
{
    return options->stop != NULL && options->stop(options->user);
}

static bool skip(void *user, const char *path, const char *why)
{
    const struct planner *planner = user;
    say(planner->report, path, false, xasprintf("%s: skipped, %s", path, why));
    return true;
}

/* Whether the beginning of a file is anything but text. */
static bool looks_binary(const char *path)
{
    char head[4096];
    size_t controls = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false; /* reading it will say why */
    ssize_t length = read(fd, head, sizeof head);
    close(fd);
    for (ssize_t i = 0; i < length; i++) {
        if (head[i] == '\0')
            return true;
        controls += (unsigned char)head[i] < 0x20 && strchr("\t\n\r\f\v\b\033", head[i]) == NULL;
    }
    return length > 0 && controls * 10 > (size_t)length;
}

static bool plan_file(void *user, const char *path, const struct stat *status)
{
    struct planner *planner = user;
    const struct document_options *options = planner->options;
    size_t files = options->files_max > 0 ? options->files_max : FILES_MAX;
    size_t bytes = options->bytes_max > 0 ? options->bytes_max : DOCUMENT_BYTES_MAX;
    size_t size = status->st_size > 0 ? (size_t)status->st_size : 0;
    char limit[32];
    if (stopped(options)) {
        planner->stopped = true;
        return false;
    }
    if (planner->plan->count == files) {
        say(planner->report, path, false,
            xasprintf("%s and what comes after it: skipped, more than %zu files", path, files));
        return false;
    }
    if (size == 0)
        return skip(user, path, "empty");
    if (size > bytes || planner->plan->bytes > bytes - size) {
        say(planner->report, path, false,
            xasprintf("%s: skipped, more than %s together", path, format_bytes(bytes, limit)));
        return true;
    }
    if (document_kind(path, options) == NULL && looks_binary(path))
        return skip(user, path, "not text");
    plan_add(planner->plan, path);
    planner->plan->bytes += size;
    return true;
}

int document_plan(struct document_plan *plan, const char *spec,
                  const struct document_options *options, struct document_report *report,
                  struct error *error)
{
    struct planner planner = {plan, options, report, false};
    struct walk_handler handler = {plan_file, skip, &planner,
                                   options->depth_max > 0 ? options->depth_max : DEPTH_MAX, 0};
    bool standard_input = options->standard_input && strcmp(spec, "-") == 0;
    *plan = (struct document_plan){0};
    if (spec[0] == '\0')
        return error_set(error, ERROR_INPUT, "a document needs a file name");
    if (!standard_input && directory_exists(spec)) {
        plan->many = true;
        walk_directory(&handler, spec);
    } else if (!standard_input && walk_is_pattern(spec) && access(spec, F_OK) != 0) {
        plan->many = true;
        walk_pattern(&handler, spec);
    } else {
        plan_add(plan, spec);
    }
    if (planner.stopped)
        return error_set(error, ERROR_CANCELLED, "%s: stopped", spec);
    return 0;
}

void document_plan_free(struct document_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->paths[i]);
    free(plan->paths);
    *plan = (struct document_plan){0};
}

/* --- adding ----------------------------------------------------------------------------------- */

const char *document_kind(const char *path, const struct document_options *options)
{
    return converter_kind_of_file(options->converters, path);
}

int document_check_new(const struct document_list *list, const char *path, struct error *error)
{
    char *origin = document_origin(path);
    int result = 0;
    for (size_t i = 0; origin != NULL && i < list->count && result == 0; i++) {
        const struct document *other = &list->items[i];
        const char *known = other->origin != NULL ? other->origin : other->name;
        if (strcmp(known, other->origin != NULL ? origin : path) != 0)
            continue;
        if (strcmp(other->name, path) == 0)
            result = error_set(error, ERROR_INPUT, "%s: is among the documents already", path);
        else
            result = error_set(error, ERROR_INPUT, "%s: is among the documents already, as %.200s",
                               path, other->name);
    }
    free(origin);
    return result;
}

static bool is_blank(const char *text, size_t length)
{
    size_t blank = 0;
    while (blank < length && strchr(" \t\r\n\f", text[blank]) != NULL && text[blank] != '\0')
        blank++;
    return blank == length;
}

static int add_planned(struct document_list *list, const char *path,
                       const struct document_options *options, struct error *error)
{
    bool standard_input = options->standard_input && strcmp(path, "-") == 0;
    const char *kind = standard_input ? NULL : document_kind(path, options);
    struct strbuf text = {0};
    if (document_check_new(list, path, error) != 0)
        return -1;
    if (kind == NULL)
        return options->standard_input ? document_add_file(list, path, error)
                                       : document_add_regular(list, path, error);
    int result = converter_run(options->converters, kind, path, options->limits, options->stop,
                               options->user, &text, error);
    if (result == 0)
        document_add_converted(list, path, strbuf_text(&text), text.length);
    strbuf_free(&text);
    return result;
}

int document_add_planned(struct document_list *list, const char *path,
                         const struct document_options *options, struct error *error)
{
    if (add_planned(list, path, options, error) != 0)
        return -1;
    const struct document *added = &list->items[list->count - 1];
    if (!is_blank(added->text, added->length))
        return 0;
    document_remove(list, list->count - 1);
    bool standard_input = options->standard_input && strcmp(path, "-") == 0;
    return error_set(error, ERROR_INPUT, "%s: there is no text in it",
                     standard_input ? "standard input" : path);
}

/* Form feeds part pages, NUL bytes have no place in a text. */
void document_add_converted(struct document_list *list, const char *path, const char *text,
                            size_t length)
{
    struct strbuf clean = {0};
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\f')
            strbuf_putc(&clean, '\n');
        else if (text[i] != '\0')
            strbuf_putc(&clean, text[i]);
    document_add_from(list, path, strbuf_text(&clean), clean.length);
    strbuf_free(&clean);
}

int document_add_pasted(struct document_list *list, const char *name, const char *text,
                        size_t length, struct error *error)
{
    if (is_blank(text, length))
        return error_set(error, ERROR_INPUT, "%s: there is no text to add",
                         name[0] != '\0' ? name : "pasted text");
    if (memchr(text, '\0', length) != NULL)
        return error_set(error, ERROR_INPUT, "%s: not text (it has NUL bytes)",
                         name[0] != '\0' ? name : "pasted text");
    const char *base = name[0] != '\0' ? name : "pasted text";
    char *unique = xstrdup(base);
    for (size_t number = 2; document_find(list, unique) >= 0; number++) {
        free(unique);
        unique = xasprintf("%s %zu", base, number);
    }
    document_add_text(list, unique, text, length);
    free(unique);
    return 0;
}

/* The plan's file `index`, unless the documents are more than enough already. */
static int add_one(struct document_list *list, const struct document_plan *plan, size_t index,
                   size_t bytes, const struct document_options *options, struct error *error)
{
    const char *path = plan->paths[index];
    size_t most = options->bytes_max > 0 ? options->bytes_max : DOCUMENT_BYTES_MAX;
    char limit[32];
    if (plan->many && stopped(options))
        return error_set(error, ERROR_CANCELLED, "%s: stopped", path);
    if (bytes > most) /* converters make more of a file than it has */
        return error_set(error, ERROR_INPUT, "%s: skipped, more than %s together", path,
                         format_bytes(most, limit));
    return document_add_planned(list, path, options, error);
}

/* Adds the plan's files; the reasons go to the report, the first one also to `error`. */
static int add_plan(struct document_list *list, const struct document_plan *plan,
                    const struct document_options *options, struct document_report *report,
                    struct error *error)
{
    struct error first = {0};
    size_t added = 0, bytes = 0;
    char size[32];
    for (size_t i = 0; i < plan->count && first.code != ERROR_CANCELLED; i++) {
        struct error failure = {0};
        if (add_one(list, plan, i, bytes, options, &failure) == 0) {
            size_t length = list->items[list->count - 1].length;
            added++;
            bytes += length;
            say(report, plan->paths[i], true,
                xasprintf("%s: added, %s", plan->paths[i], format_bytes(length, size)));
            continue;
        }
        say(report, plan->paths[i], false, xstrdup(failure.message));
        if (first.code == ERROR_NONE || failure.code == ERROR_CANCELLED)
            first = failure;
    }
    if (added > 0 && first.code != ERROR_CANCELLED)
        return 0;
    if (error != NULL)
        *error = first;
    return -1;
}

int document_add_path(struct document_list *list, const char *spec,
                      const struct document_options *options, struct document_report *report,
                      struct error *error)
{
    struct document_report own = {0};
    struct document_report *to = report != NULL ? report : &own;
    struct document_plan plan = {0};
    size_t before = to->count;
    int result = document_plan(&plan, spec, options, to, error);
    if (result == 0 && plan.count > 0)
        result = add_plan(list, &plan, options, to, error);
    else if (result == 0)
        result = error_set(error, ERROR_INPUT, "%s: %s", spec,
                           to->count > before       ? "nothing in it can be added"
                           : directory_exists(spec) ? "a directory without files to add"
                                                    : "no file matches");
    document_plan_free(&plan);
    document_report_free(&own);
    return result;
}
