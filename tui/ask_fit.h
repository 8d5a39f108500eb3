/*
 * ask_fit.h - documents that fit: all of them, or the passages that match the question.
 */
#ifndef AIRO_TUI_ASK_FIT_H
#define AIRO_TUI_ASK_FIT_H

#include "engine/chat/passages.h"
#include "tui/command_ask.h"

struct ask_fit {
    struct model_session *session; /* started */
    const struct chat_template *template;
    const struct settings *settings;
    const char *question;
    bool passages_if_needed, passages_always;
    size_t passage_tokens; /* at most; 0: what there is room for */
};

/* Finds what goes into the prompt: *chosen is false and `choice` empty when all of `documents` fit
 * and are to be given; else `choice` holds the passages. What does not fit otherwise is refused
 * with the numbers and the ways out. */
int ask_fit_documents(const struct ask_fit *fit, const struct document_list *documents,
                      struct passages_choice *choice, bool *chosen, struct error *error);

#endif
