/*
 * composer_keys.h - what our keys do in readline: movement and deletion by grapheme cluster, and
 * by line in a text of several lines. Part of the readline bridge.
 */
#ifndef AIRO_TUI_COMPOSER_KEYS_H
#define AIRO_TUI_COMPOSER_KEYS_H

/* Puts them wherever the user's keymaps have readline's own, once, after rl_initialize. */
void composer_bind_keys(void);

#endif
