/*
 * age.h - how long ago something was, in at most six columns: "now", "5 min", "2 h", "Mon",
 * "12 Nov", "2019".
 */
#ifndef AIRO_TUI_AGE_H
#define AIRO_TUI_AGE_H

#include <stdint.h>

#define AGE_COLUMNS 6
#define AGE_BYTES   16

/* Seconds since 1970; days and months are the local ones. What is to come is "now". */
const char *age_text(char out[AGE_BYTES], int64_t then_s, int64_t now_s);

#endif
