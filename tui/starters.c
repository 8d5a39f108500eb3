#include "tui/starters.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"

const struct starter starters_table[STARTERS] = {
    {"F2", "Chat", "What can you do?", NULL},
    {"F3", "Ask a document", "What color are blueberries?", "blueberries.txt"},
    {"F4", "Play a scene", "Tell me a story about a porpoise and a lighthouse.", NULL},
};

char *starter_document(unsigned index)
{
    const char *name = starters_table[index].document;
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (name == NULL || length <= 0)
        return NULL;
    program[length] = '\0';
    program[path_base(program) - program] = '\0';
    char *places[] = {xasprintf("%s../prompts/samples/%s", program, name),
                      xasprintf("%s../share/airo/prompts/samples/%s", program, name),
                      xasprintf(AIRO_PREFIX "/share/airo/prompts/samples/%s", name)};
    char *found = NULL;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (found == NULL && file_exists(places[i]))
            found = places[i];
        else
            free(places[i]);
    }
    return found;
}
