/*
 * race.h - tells the thread sanitiser what orders a kernel's accesses, so that it finds those that
 * nothing orders: every lane is a thread of its own to it, in shared and in device memory alike.
 *
 * With SANITIZE=thread the shim itself is compiled without the sanitiser and with SHIM_RACES; else
 * all of this is nothing. What orders accesses, as CUDA and PTX say:
 *   warp_sync, block_sync         lanes and threads that meet there
 *   fence, atomic_add             by PTX's patterns: a fence, an addition that sees another, a
 * fence copy_wait                     copies are accesses when they are asked for and when waited
 * for grid_wait                     all grids before; a dependent grid's threads know nothing of
 * them earlier; a grid that is not dependent knows all from the start A shuffle, an mma and a
 * ballot order nothing.
 *
 * A mark is an address that stands for all that was known to those who released it.
 */
#ifndef AIRO_SHIM_RACE_H
#define AIRO_SHIM_RACE_H

#include <stddef.h>

#ifdef SHIM_RACES
void race_release(void *mark); /* the mark knows what the running context knows */
void race_acquire(void *mark); /* and the other way round */
void race_pass(void *from, void *to);
void race_read(const void *at, size_t bytes);
void race_write(void *at, size_t bytes);
void race_forget(char *begin, size_t bytes); /* whole pages; their contents are lost too */
void race_look_away(bool away);              /* what the running context does is the shim's own */
#else
static inline void race_look_away(bool)
{
}
static inline void race_release(void *)
{
}
static inline void race_acquire(void *)
{
}
static inline void race_pass(void *, void *)
{
}
static inline void race_read(const void *, size_t)
{
}
static inline void race_write(void *, size_t)
{
}
static inline void race_forget(char *, size_t)
{
}
#endif

struct race_own_affairs {
    race_own_affairs()
    {
        race_look_away(true);
    }
    ~race_own_affairs()
    {
        race_look_away(false);
    }
};

/* Marks of the device: grids that are over, and what the grid that runs now has done. */
extern char race_done, race_running;

#endif
