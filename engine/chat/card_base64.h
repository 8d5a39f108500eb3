/*
 * card_base64.h - base64 (RFC 4648) as character cards carry it in PNG files.
 */
#ifndef AIRO_CHAT_CARD_BASE64_H
#define AIRO_CHAT_CARD_BASE64_H

#include "engine/base/strbuf.h"

/* Appends the bytes. Line breaks and spaces are skipped and the padding may be missing; -1 for any
 * other character outside of the alphabet or an impossible length. */
int base64_decode(struct strbuf *out, const char *text, size_t length);
void base64_encode(struct strbuf *out, const char *bytes, size_t length);

#endif
