/*
 * backend_choice.h - which backend a model is given to: the CPU's, which is built in, or CUDA's, a
 * plug-in that lies beside the program (airo-cuda.so), in ../lib/airo from there or in
 * PREFIX/lib/airo; $AIRO_CUDA names another file.
 */
#ifndef AIRO_MODEL_BACKEND_CHOICE_H
#define AIRO_MODEL_BACKEND_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"
#include "kernels/backend.h"
#include "kernels/dense_ops.h"

#define NOTICE_BYTES 512

/* "auto", "cpu", "cuda", "cuda:N" or "cuda:N,N..." (NULL: "auto"); ERROR_INPUT otherwise. */
int backend_choice_check(const char *device, struct error *error);

/* Whether another backend may take over when the chosen one cannot. */
bool backend_choice_is_auto(const char *device);

/* Whether there is a plug-in, usable or not. */
bool backend_choice_has_plugin(void);

/* The backend to try. With "auto" the CPU's comes when there is no NVIDIA GPU or no plug-in, and
 * `notice` (NOTICE_BYTES, may be "") says so if there is a GPU that is not used. Otherwise a
 * plug-in that cannot be used is an error. */
int backend_choose(const struct backend_ops **out, const char *device, char *notice,
                   struct error *error);

/* The same for the linear algebra of quantisation: *out is NULL where the CPU does it. */
int backend_choose_dense(const struct dense_ops **out, const char *device, char *notice,
                         struct error *error);

#endif
