/*
 * plugin.h - a backend in a shared object, opened at run time.
 *
 * It offers one symbol, `const struct backend_ops *airo_backend(void)`, and is built from the same
 * source as the program: its `abi` must be BACKEND_ABI. It stays open until the program ends.
 */
#ifndef AIRO_KERNELS_PLUGIN_H
#define AIRO_KERNELS_PLUGIN_H

#include "kernels/backend.h"

/* NULL and one line that names the file: it is not there, cannot be loaded (a library it needs is
 * missing), is no backend, or was built for another interface. */
const struct backend_ops *plugin_open(const char *path, struct backend_error *error);

#endif
