/*
 * transcript_search.h - finding text in all messages of a transcript.
 *
 * The messages' own bytes are searched, so nothing is laid out for it. Case is heeded when the
 * pattern has a capital; otherwise characters are compared by their simple lower case.
 */
#ifndef AIRO_TUI_TRANSCRIPT_SEARCH_H
#define AIRO_TUI_TRANSCRIPT_SEARCH_H

#include "tui/transcript.h"

/* Marks every match; returns how many. An empty pattern ends the search. */
size_t transcript_search(struct transcript *transcript, const char *pattern);
/* Moves the cursor to the next match after it, or (`backwards`) before it, and round the end; false
 * when there is none. */
bool transcript_search_next(struct transcript *transcript, bool backwards);
/* "3 of 17": the match that the cursor was moved to, from 1 (0: none), and how many there are. */
size_t transcript_search_position(const struct transcript *transcript, size_t *count);
/* More text has come: what is new is searched too. */
void transcript_search_grew(struct transcript *transcript);

#endif
