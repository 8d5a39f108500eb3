#include "tui/starters.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"

const struct starter starters_table[STARTERS] = {
    {"Chat", "What can you do?", NULL, NULL},
    {"Ask a document", "What color are blueberries?", "blueberries.txt", NULL},
    {"Play a scene", "Old Bram and Pip, in a small harbour inn", NULL, "harbour-inn"},
};

char *starter_path(const char *name)
{
    static const char *const beside[] = {"../prompts/samples", "../share/airo/prompts/samples"};
    char *program = name != NULL ? program_directory() : NULL, *found = NULL;
    for (size_t i = 0; name != NULL && found == NULL && i < 3; i++) {
        if (i < 2 && program == NULL)
            continue;
        char *path = i < 2 ? xasprintf("%s/%s/%s", program, beside[i], name)
                           : xasprintf(AIRO_PREFIX "/share/airo/prompts/samples/%s", name);
        if (file_exists(path))
            found = path;
        else
            free(path);
    }
    free(program);
    return found;
}
