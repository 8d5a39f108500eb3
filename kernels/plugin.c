#include "kernels/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What a plug-in may offer; each table begins with its `abi`. */
struct offer {
    const char *symbol, *what;
    uint32_t abi;
};

typedef const void *entry_function(void);

static const void *refuse(struct backend_error *error, const char *path, const char *reason)
{
    error->code = BACKEND_UNSUPPORTED;
    snprintf(error->message, sizeof error->message, "%.100s: %.140s", path, reason);
    for (char *at = error->message; *at != '\0'; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
    return NULL;
}

/* The loader's message without the path, which ours begins with. */
static const char *load_reason(const char *path)
{
    const char *reason = dlerror();
    size_t length = strlen(path);
    if (reason == NULL)
        return "cannot be loaded";
    if (strncmp(reason, path, length) == 0 && strncmp(reason + length, ": ", 2) == 0)
        return reason + length + 2;
    return reason;
}

static const void *find_table(void *library, const struct offer *offer, const char *path,
                              struct backend_error *error)
{
    char reason[96];
    uint32_t abi = 0;
    entry_function *entry;
    void *symbol = dlsym(library, offer->symbol);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function */
    const void *table = symbol != NULL ? entry() : NULL;
    if (table == NULL)
        return refuse(error, path, offer->what);
    memcpy(&abi, table, sizeof abi);
    if (abi == offer->abi)
        return table;
    snprintf(reason, sizeof reason,
             "was built for interface %u, this airo has %u: build both together", abi, offer->abi);
    return refuse(error, path, reason);
}

static const void *open_table(const char *path, const struct offer *offer,
                              struct backend_error *error)
{
    if (access(path, R_OK) != 0)
        return refuse(error, path, strerror(errno));
    /* A name without a slash would be looked for elsewhere. */
    if (strchr(path, '/') == NULL)
        return refuse(error, path, "a path with a / is needed");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return refuse(error, path, load_reason(path));
    const void *table = find_table(library, offer, path, error);
    if (table == NULL)
        dlclose(library);
    return table;
}

const struct backend_ops *plugin_open(const char *path, struct backend_error *error)
{
    static const struct offer offer = {"airo_backend", "is no backend of airo", BACKEND_ABI};
    return open_table(path, &offer, error);
}

const struct dense_ops *plugin_open_dense(const char *path, struct backend_error *error)
{
    static const struct offer offer = {"airo_dense", "offers no linear algebra", DENSE_ABI};
    _Static_assert(offsetof(struct dense_ops, abi) == 0 && offsetof(struct backend_ops, abi) == 0,
                   "tables begin with their abi");
    return open_table(path, &offer, error);
}
