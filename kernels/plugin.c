#include "kernels/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYMBOL "airo_backend"

typedef const struct backend_ops *backend_entry(void);

static const struct backend_ops *refuse(struct backend_error *error, const char *path,
                                        const char *reason)
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

const struct backend_ops *plugin_open(const char *path, struct backend_error *error)
{
    char reason[80];
    if (access(path, R_OK) != 0)
        return refuse(error, path, strerror(errno));
    /* A name without a slash would be looked for elsewhere. */
    if (strchr(path, '/') == NULL)
        return refuse(error, path, "a path with a / is needed");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return refuse(error, path, load_reason(path));
    backend_entry *entry;
    void *symbol = dlsym(library, SYMBOL);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function */
    const struct backend_ops *ops = symbol != NULL ? entry() : NULL;
    if (ops != NULL && ops->abi == BACKEND_ABI)
        return ops;
    if (ops == NULL)
        refuse(error, path, "is no backend of airo");
    else {
        snprintf(reason, sizeof reason,
                 "was built for interface %u, this airo has %u: build both together", ops->abi,
                 (unsigned)BACKEND_ABI);
        refuse(error, path, reason);
    }
    dlclose(library);
    return NULL;
}
