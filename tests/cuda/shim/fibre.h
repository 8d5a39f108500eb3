/*
 * fibre.h - stacks that take turns on one OS thread.
 *
 * Whoever calls fibre_create owns the fibre and ends it with fibre_destroy, from another stack. The
 * OS thread's own stack is a struct fibre of zeros that needs neither.
 */
#ifndef AIRO_SHIM_FIBRE_H
#define AIRO_SHIM_FIBRE_H

#include <stddef.h>

struct fibre {
    void *saved; /* where it goes on: its stack pointer, or a ucontext_t */
    char *stack; /* lowest address, above a page that nobody may touch; NULL: the thread's */
    size_t stack_bytes;
    const void *bounds; /* of the stack as the address sanitiser knows it */
    size_t bounds_bytes;
    void *sanitizer; /* the address sanitiser's fake stack, or the thread sanitiser's fibre */
    void (*entry)(void *);
    void *argument;
};

/* `entry` never returns: it switches away for ever. */
void fibre_create(struct fibre *fibre, size_t stack_bytes, void (*entry)(void *), void *argument);
void fibre_restart(struct fibre *fibre); /* at `entry` again, forgetting where it was */
void fibre_destroy(struct fibre *fibre);
void fibre_switch(struct fibre *from, struct fibre *to);

#endif
