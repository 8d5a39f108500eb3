#include "tui/starters.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"

#define SAMPLE_BYTES_MAX 65536

const struct starter starters_table[STARTERS] = {
    {"F2", "Chat", "What can you do?", NULL, NULL},
    {"F3", "Ask a document", "What color are blueberries?", "blueberries.txt", NULL},
    {"F4", "Play a scene", "Old Bram and Pip, in a small harbour inn", NULL, "harbour-inn.txt"},
};

char *starter_path(const char *name)
{
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

char *starter_text(unsigned index)
{
    struct strbuf text = {0};
    char *path = starter_path(starters_table[index].file);
    if (path == NULL || file_read(path, SAMPLE_BYTES_MAX, &text, NULL) != 0) {
        strbuf_clear(&text);
        strbuf_puts(&text, starters_table[index].line);
    }
    free(path);
    while (text.length > 0 && text.data[text.length - 1] == '\n')
        strbuf_remove(&text, text.length - 1, 1);
    return strbuf_detach(&text);
}
