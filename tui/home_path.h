/*
 * home_path.h - "~/notes.txt" as a person types it, where no shell has seen it.
 */
#ifndef AIRO_TUI_HOME_PATH_H
#define AIRO_TUI_HOME_PATH_H

/* The path with a leading ~ or ~/ replaced by $HOME, anything else as it is; to be freed. */
char *home_path(const char *path);

#endif
