#include "tui/document_adder.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/chat/document_path.h"
#include "tui/background.h"
#include "tui/home_path.h"

struct document_adder {
    struct background *background;
    struct background *own; /* the same, as the thread has it */
    struct document_options options;
    char *spec;
    struct document_added added; /* the thread's, until it has been joined */
};

static void skip(struct document_added *added, const char *line)
{
    added->skipped =
        xreallocarray(added->skipped, added->skipped_count + 1, sizeof *added->skipped);
    added->skipped[added->skipped_count++] = xstrdup(line);
}

/* --- on the thread --------------------------------------------------------------------------- */

static bool is_stopped(void *user)
{
    const struct document_adder *adder = user;
    return background_is_stopped(adder->own);
}

static void add_planned(struct background *background, struct document_adder *adder,
                        const struct document_plan *plan)
{
    struct document_added *added = &adder->added;
    size_t bytes = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct error error = {0};
        background_progress(background, i, plan->count);
        if (background_is_stopped(background))
            return;
        if (bytes > DOCUMENT_BYTES_MAX) {
            skip(added, "the rest: skipped, too much together");
            return;
        }
        if (document_add_planned(&added->documents, plan->paths[i], &adder->options, &error) != 0)
            skip(added, error.message);
        else
            bytes += added->documents.items[added->documents.count - 1].length;
    }
}

static void add(struct background *background, void *user)
{
    struct document_adder *adder = user;
    struct document_added *added = &adder->added;
    struct document_report report = {0};
    struct document_plan plan = {0};
    struct error error = {0};
    char *path = home_path(adder->spec);
    adder->own = background;
    if (document_plan(&plan, path, &adder->options, &report, &error) != 0)
        skip(added, error.message);
    for (size_t i = 0; i < report.count; i++)
        skip(added, report.lines[i].text);
    add_planned(background, adder, &plan);
    added->stopped = background_is_stopped(background);
    if (plan.count == 0 && added->skipped_count == 0) {
        char *line = xasprintf("%s: no file matches", adder->spec);
        skip(added, line);
        free(line);
    }
    document_plan_free(&plan);
    document_report_free(&report);
    free(path);
}

/* --- the interface's side -------------------------------------------------------------------- */

struct document_adder *document_adder_start(const char *spec,
                                            const struct converter_table *converters)
{
    struct document_adder *adder = xcalloc(1, sizeof *adder);
    adder->spec = xstrdup(spec);
    adder->options =
        (struct document_options){.converters = converters, .stop = is_stopped, .user = adder};
    adder->background = background_start(add, adder);
    return adder;
}

bool document_adder_ended(const struct document_adder *adder)
{
    return background_ended(adder->background);
}

void document_adder_stop(struct document_adder *adder)
{
    background_stop(adder->background);
}

const char *document_adder_spec(const struct document_adder *adder)
{
    return adder->spec;
}

void document_adder_say(const struct document_adder *adder, struct strbuf *out)
{
    size_t done, total;
    background_look(adder->background, &done, &total);
    strbuf_printf(out, "adding %s", adder->spec);
    if (total > 1)
        strbuf_printf(out, ", %zu of %zu", done, total);
}

void document_added_free(struct document_added *added)
{
    for (size_t i = 0; i < added->skipped_count; i++)
        free(added->skipped[i]);
    free(added->skipped);
    document_list_free(&added->documents);
    *added = (struct document_added){0};
}

void document_adder_take(struct document_adder *adder, struct document_added *added)
{
    if (adder == NULL)
        return;
    if (added == NULL)
        background_stop(adder->background);
    background_join(adder->background);
    if (added != NULL)
        *added = adder->added;
    else
        document_added_free(&adder->added);
    free(adder->spec);
    free(adder);
}

/* A document changes its list without being copied: an empty one is added, and they are swapped. */
static void move_document(struct document_list *to, struct document *document)
{
    document_add_exact(to, document->name, "", 0);
    struct document empty = to->items[to->count - 1];
    to->items[to->count - 1] = *document;
    *document = empty;
}

size_t document_added_merge(struct document_added *added, struct document_list *list)
{
    size_t count = 0;
    for (size_t i = 0; i < added->documents.count; i++) {
        struct document *document = &added->documents.items[i];
        struct error error = {0};
        if (document_check_new(list, document->name, &error) != 0) {
            skip(added, error.message);
            continue;
        }
        move_document(list, document);
        count++;
    }
    return count;
}

void document_added_say(const struct document_added *added, size_t count, struct strbuf *out)
{
    if (count > 0 || added->skipped_count == 0)
        strbuf_printf(out, "%zu document%s added", count, count == 1 ? "" : "s");
    if (added->stopped)
        strbuf_printf(out, "%sstopped", out->length > 0 ? ", " : "");
    if (added->skipped_count == 0)
        return;
    if (out->length > 0)
        strbuf_printf(out, ", %zu skipped: ", added->skipped_count);
    strbuf_puts(out, added->skipped[0]);
    if (added->skipped_count > 1)
        strbuf_printf(out, ", and %zu more", added->skipped_count - 1);
}
