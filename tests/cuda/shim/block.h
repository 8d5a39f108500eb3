/*
 * block.h - runs a grid's blocks one after the other, each block's threads as fibres.
 *
 * The first fault of a block (lanes that do not meet, a misaligned access, ...) ends its grid: one
 * line says which kernel, block and thread. Shared memory and the targets of asynchronous copies
 * hold NaN patterns before they are written. A dependent grid's first block may be run up to its
 * grid_wait before the grid in front of it, so that what it reads too early is old.
 *
 * Not for several OS threads at once: the callers hold the shim's lock.
 */
#ifndef AIRO_SHIM_BLOCK_H
#define AIRO_SHIM_BLOCK_H

#include <shim_kernel.h>
#include <string>

struct block; /* the fibres and shared memory of one block */

/* cudaErrorInvalidConfiguration or cudaErrorInvalidValue where a device would refuse the launch. */
cudaError_t block_check_launch(const struct shim_grid *grid);

/* Runs the first block up to its grid_wait and keeps it for block_run_grid. */
struct block *block_start_early(const struct shim_grid *grid);
void block_abandon(struct block *early);

/* Runs the whole grid; `early` as returned by block_start_early, or NULL. On a fault `report` says
 * what happened. */
cudaError_t block_run_grid(const struct shim_grid *grid, struct block *early, std::string *report);

std::string block_kernel_name(const struct shim_grid *grid);

#endif
