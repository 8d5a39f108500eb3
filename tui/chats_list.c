#include "tui/chats_list.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/app.h"

#define POLL_MS    2000
#define COST_SHARE 8 /* reading takes at most one eighth of the time */
#define HITS_MAX   200

void chats_list_open(struct chats_list *list, struct library *library)
{
    *list = (struct chats_list){.library = library, .stale = true};
    if (library->store != NULL)
        list->data_version = store_data_version(library->store);
}

static void forget(struct chats_list *list)
{
    store_list_free(&list->entries);
    store_hits_free(&list->hits);
}

void chats_list_free(struct chats_list *list)
{
    forget(list);
    free(list->query);
}

static bool is_due(const struct chats_list *list)
{
    return list->library->store != NULL && (list->stale || list->version != list->library->version);
}

bool chats_list_refresh(struct chats_list *list, uint64_t now_ms)
{
    struct store *store = list->library->store;
    struct store_list entries = {0};
    struct store_hits hits = {0};
    struct error problem = {0};
    if (!is_due(list) || now_ms < list->next_ms)
        return false;
    list->version = list->library->version;
    list->stale = false;
    int result = list->kind == CHATS_FOUND
                     ? store_search(store, list->query, HITS_MAX, &hits, &problem)
                     : store_list(store, list->kind == CHATS_DELETED, &entries, &problem);
    list->problem = problem;
    if (result == 0) {
        forget(list);
        list->entries = entries;
        list->hits = hits;
        list->problem.code = ERROR_NONE;
    }
    uint64_t ended = app_now_ms();
    list->next_ms = ended + (ended - now_ms) * COST_SHARE;
    return true;
}

void chats_list_show(struct chats_list *list, enum chats_kind kind, const char *query,
                     uint64_t now_ms, uint64_t pause_ms)
{
    char *copy = xstrdup(query != NULL ? query : "");
    free(list->query);
    if (kind != list->kind)
        forget(list); /* nothing is taken for what it is not */
    list->query = copy;
    list->kind = kind;
    list->stale = true;
    list->next_ms = now_ms + pause_ms;
    chats_list_refresh(list, now_ms);
}

int chats_list_timeout(const struct chats_list *list, uint64_t now_ms)
{
    if (list->library->store == NULL)
        return -1;
    uint64_t at = is_due(list) && list->next_ms < list->poll_ms ? list->next_ms : list->poll_ms;
    return at > now_ms ? (int)(at - now_ms) : 0;
}

void chats_list_poll(struct chats_list *list, uint64_t now_ms)
{
    if (list->library->store == NULL || now_ms < list->poll_ms)
        return;
    int64_t version = store_data_version(list->library->store);
    list->stale = list->stale || version != list->data_version;
    list->data_version = version;
    list->poll_ms = now_ms + POLL_MS;
}

size_t chats_list_count(const struct chats_list *list)
{
    return list->kind == CHATS_FOUND ? list->hits.count : list->entries.count;
}

int64_t chats_list_row(const struct chats_list *list, size_t index)
{
    if (index >= chats_list_count(list))
        return 0;
    return list->kind == CHATS_FOUND ? list->hits.items[index].chat : list->entries.items[index].id;
}

const char *chats_list_title(const struct chats_list *list, size_t index)
{
    const char *title = NULL;
    if (index < chats_list_count(list))
        title = list->kind == CHATS_FOUND ? list->hits.items[index].title
                                          : list->entries.items[index].title;
    return title != NULL ? title : "";
}

void chats_list_remove(struct chats_list *list, size_t index)
{
    struct store_list *entries = &list->entries;
    if (list->kind == CHATS_FOUND || index >= entries->count)
        return;
    free(entries->items[index].title);
    free(entries->items[index].model);
    memmove(&entries->items[index], &entries->items[index + 1],
            (entries->count - index - 1) * sizeof *entries->items);
    entries->count--;
}
