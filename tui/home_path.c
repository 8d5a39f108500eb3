#include "tui/home_path.h"

#include <stdlib.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"

char *home_path(const char *path)
{
    const char *home = getenv("HOME");
    if (path[0] != '~' || (path[1] != '/' && path[1] != '\0') || home == NULL || home[0] == '\0')
        return xstrdup(path);
    return path[1] == '\0' ? xstrdup(home) : path_join(home, path + 2);
}
