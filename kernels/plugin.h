/*
 * plugin.h - a backend in a shared object, opened at run time.
 *
 * It offers `const struct backend_ops *airo_backend(void)` and, if it can, `const struct dense_ops
 * *airo_dense(void)`, and is built from the same source as the program: their `abi` must be
 * BACKEND_ABI and DENSE_ABI. It stays open until the program ends.
 */
#ifndef AIRO_KERNELS_PLUGIN_H
#define AIRO_KERNELS_PLUGIN_H

#include "kernels/backend.h"
#include "kernels/dense_ops.h"

/* NULL and one line that names the file: it is not there, cannot be loaded (a library it needs is
 * missing), is no backend, or was built for another interface. */
const struct backend_ops *plugin_open(const char *path, struct backend_error *error);
/* The same for its linear algebra. */
const struct dense_ops *plugin_open_dense(const char *path, struct backend_error *error);

#endif
