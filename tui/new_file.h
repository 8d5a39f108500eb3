/*
 * new_file.h - text into a file that was not there before and that only the user can read.
 */
#ifndef AIRO_TUI_NEW_FILE_H
#define AIRO_TUI_NEW_FILE_H

#include <stddef.h>

#include "engine/base/error.h"

/* A path that begins with "~/" is in the home directory. Refuses a file that exists, and links. The
 * bytes are on the disk when it returns 0. */
int new_file_write(const char *path, const char *text, size_t length, struct error *error);

#endif
