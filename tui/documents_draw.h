/*
 * documents_draw.h - how the documents' pane looks: list, foot, metadata. Text is text_view.c's.
 */
#ifndef AIRO_TUI_DOCUMENTS_DRAW_H
#define AIRO_TUI_DOCUMENTS_DRAW_H

#include "tui/pane_documents.h"

void documents_draw(struct pane_documents *pane, struct terminal *terminal, const struct rect *area,
                    bool focused);
/* The document in this row of the list as last drawn; false: none. */
bool documents_draw_at(const struct pane_documents *pane, int row, size_t *index);

#endif
