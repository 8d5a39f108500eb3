/*
 * transcript_draw.h - a transcript's rows on the screen: gutter, spans, footers. The function is
 * transcript_draw of transcript.h.
 */
#ifndef AIRO_TUI_TRANSCRIPT_DRAW_H
#define AIRO_TUI_TRANSCRIPT_DRAW_H

#include "tui/transcript_model.h"

#endif
