/*
 * svg_screen.h - a screen of the terminal as an SVG picture.
 */
#ifndef AIRO_TESTS_SVG_SCREEN_H
#define AIRO_TESTS_SVG_SCREEN_H

#include "engine/base/strbuf.h"
#include "tests/screens/pty_screen.h"

/* Appends the picture. Every run of text has its exact width, whatever font the viewer has. */
void svg_screen(struct pty_screen *screen, int rows, int columns, const char *title,
                struct strbuf *out);

#endif
