/*
 * command_ask.h - what `airo ask` and its --cases share: one closed-context question.
 */
#ifndef AIRO_TUI_COMMAND_ASK_H
#define AIRO_TUI_COMMAND_ASK_H

#include "engine/base/error.h"
#include "engine/chat/document.h"
#include "engine/chat/prompt.h"
#include "tui/model_session.h"

/* The prompt of a question on documents. */
int ask_prompt(struct segment_list *out, const struct chat_template *template,
               const struct tokenizer *tokenizer, const struct settings *settings,
               const char *question, const struct document_list *documents,
               struct prompt_notes *notes, struct error *error);

/* Greedy, unless a temperature was asked for: an answer from documents is no place for chance. */
struct sampling ask_sampling(const struct settings *settings);

/* Runs the cases of a file of JSON lines and prints the score; returns the exit status. */
int ask_cases(const struct settings *settings, const char *path);

#endif
