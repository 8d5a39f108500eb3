/*
 * added_tokens.h - tokens that the JSON files beside tokenizer.model add to a vocabulary, or mark
 * as special: added_tokens.json (spelling -> id) and added_tokens_decoder in tokenizer_config.json
 * (id -> content, special).
 *
 * A special token can no longer be spelled in text, also where tokenizer.model lists it as user
 * defined. Added tokens are never produced by encoding; templates ask for them by name.
 */
#ifndef AIRO_MODEL_ADDED_TOKENS_H
#define AIRO_MODEL_ADDED_TOKENS_H

#include "engine/base/error.h"
#include "engine/model/vocab.h"

/* Call between vocab_read and vocab_finish. Both files may be missing. Tokens without a row among
 * the `rows` embeddings are left out: the model cannot be given them. */
int added_tokens_read(struct vocab *vocab, const char *directory, uint32_t rows,
                      struct error *error);

#endif
