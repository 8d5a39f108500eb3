/*
 * template.h - chat templates: files under prompts/templates that a user can edit and add to.
 *
 * The file format is described in prompts/templates/README.md. Text between special tokens is
 * template text; {system}, {instruction}, {reply} are the slots that content goes into.
 */
#ifndef AIRO_CHAT_TEMPLATE_H
#define AIRO_CHAT_TEMPLATE_H

#include "engine/base/error.h"
#include "engine/chat/segment.h"

struct chat_template;

/* `name` is "airoboros", "vicuna-1.1", "alpaca", "llama-2-chat", "chatml", "plain", a file of the
 * user's ($XDG_CONFIG_HOME/airo/templates/NAME.ini) or a path. */
int chat_template_open(struct chat_template **out, const char *name, struct error *error);
void chat_template_close(struct chat_template *template);
const char *chat_template_name(const struct chat_template *template);
/* The system line that the template has when the user sets none. */
const char *chat_template_system(const struct chat_template *template);
/* Strings that end a reply (role markers); NULL-terminated. */
const char *const *chat_template_stops(const struct chat_template *template);
/* Strings that must not stand alone at the start of a line of content: role markers and the
 * block delimiters; NULL-terminated. */
const char *const *chat_template_markers(const struct chat_template *template);

#endif
