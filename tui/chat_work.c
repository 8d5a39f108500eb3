#include "tui/chat_work.h"

#include "tui/answer_check.h"
#include "tui/documents.h"
#include "tui/fit_picker.h"

#define WORK_MS 20

int chat_work_wait(const struct pane_chat *pane, uint64_t now_ms)
{
    if (!documents_are_coming(pane) && !answer_check_runs(pane) && !fit_picker_runs(pane))
        return -1;
    return pane->work_due_ms > now_ms ? (int)(pane->work_due_ms - now_ms) : 0;
}

void chat_work_tick(struct pane_chat *pane, uint64_t now_ms)
{
    if (chat_work_wait(pane, now_ms) != 0)
        return;
    pane->work_due_ms = now_ms + WORK_MS;
    documents_tick(pane);
    answer_check_tick(pane);
    fit_picker_tick(pane);
}

void chat_work_free(struct pane_chat *pane)
{
    documents_free(pane->documents);
    answer_check_free(pane->check);
    fit_passages_free(pane->passages);
}

bool chat_work_holds(struct pane_chat *pane, const char *text)
{
    if (!documents_are_coming(pane))
        return false;
    pane_chat_say(pane, TRANSCRIPT_NOTICE, "documents are still being added; send it after that");
    pane_chat_give_back(pane, text);
    return true;
}
