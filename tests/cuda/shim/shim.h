/*
 * shim.h - what tests ask the shim beyond the CUDA interface. The environment variables that make
 * it fail are in runtime.h.
 */
#ifndef AIRO_SHIM_H
#define AIRO_SHIM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The line that a kernel's last fault printed; "" before the first. */
const char *shim_last_report(void);
/* No such lines on stderr, for tests of the faults themselves. */
void shim_quiet(int quiet);
/* Bytes and number of device allocations that live. */
size_t shim_device_bytes(int device);
size_t shim_device_allocations(int device);
/* Grids that ran, also those of graphs; graphs and single launches that were put into streams. */
size_t shim_grids(void);
size_t shim_launches(void);

#ifdef __cplusplus
}
#endif

#endif
