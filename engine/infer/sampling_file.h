/*
 * sampling_file.h - the sampling that a model's makers recommend: generation_config.json.
 */
#ifndef AIRO_INFER_SAMPLING_FILE_H
#define AIRO_INFER_SAMPLING_FILE_H

#include "engine/base/error.h"
#include "engine/infer/sampler.h"

/* Sets what DIRECTORY/generation_config.json gives (temperature, top_k, top_p, min_p, typical_p,
 * repetition_penalty; do_sample false means temperature 0) and leaves the rest as it was. No file
 * is no error; a wrong value is one that names file and field. */
int sampling_read(struct sampling *sampling, const char *directory, struct error *error);

#endif
