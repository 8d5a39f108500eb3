#include "fibre.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined SHIM_RACES
#include "race.h"
#include <sanitizer/tsan_interface.h>
#endif

#ifdef SHIM_RACES
#define FORGOTTEN_BYTES ((size_t)16 * 1024) /* of a stack, more than kernels use */
#endif

/* Who switched and to whom, for the first lines of a fibre. */
static struct fibre *switch_from, *switch_to;

/* --- the switch itself ------------------------------------------------------------------------ */

#if defined __x86_64__ || defined __aarch64__
extern "C" void shim_fibre_jump(void **save, void *load) __attribute__((visibility("hidden")));
#if defined __x86_64__
/* What a called function must keep: six registers. */
asm(".text\n"
    ".globl shim_fibre_jump\n"
    ".hidden shim_fibre_jump\n"
    ".type shim_fibre_jump, @function\n"
    "shim_fibre_jump:\n"
    "    push %rbp\n    push %rbx\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
    "    mov %rsp, (%rdi)\n"
    "    mov %rsi, %rsp\n"
    "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbx\n    pop %rbp\n"
    "    ret\n"
    ".size shim_fibre_jump, . - shim_fibre_jump\n");
#define FRAME_WORDS 8 /* six registers, where to return to, and nobody's return address */
#define FRAME_ENTRY 6
#else
asm(".text\n"
    ".globl shim_fibre_jump\n"
    ".hidden shim_fibre_jump\n"
    ".type shim_fibre_jump, %function\n"
    "shim_fibre_jump:\n"
    "    sub sp, sp, #160\n"
    "    stp x19, x20, [sp]\n    stp x21, x22, [sp, #16]\n    stp x23, x24, [sp, #32]\n"
    "    stp x25, x26, [sp, #48]\n    stp x27, x28, [sp, #64]\n    stp x29, x30, [sp, #80]\n"
    "    stp d8, d9, [sp, #96]\n    stp d10, d11, [sp, #112]\n"
    "    stp d12, d13, [sp, #128]\n    stp d14, d15, [sp, #144]\n"
    "    mov x9, sp\n    str x9, [x0]\n    mov sp, x1\n"
    "    ldp x19, x20, [sp]\n    ldp x21, x22, [sp, #16]\n    ldp x23, x24, [sp, #32]\n"
    "    ldp x25, x26, [sp, #48]\n    ldp x27, x28, [sp, #64]\n    ldp x29, x30, [sp, #80]\n"
    "    ldp d8, d9, [sp, #96]\n    ldp d10, d11, [sp, #112]\n"
    "    ldp d12, d13, [sp, #128]\n    ldp d14, d15, [sp, #144]\n"
    "    add sp, sp, #160\n"
    "    ret\n"
    ".size shim_fibre_jump, . - shim_fibre_jump\n");
#define FRAME_WORDS 20
#define FRAME_ENTRY 11
#endif

static void first_lines(void);

static void prepare(struct fibre *fibre)
{
    void **top = (void **)(void *)(fibre->stack + fibre->stack_bytes);
    void **frame = top - FRAME_WORDS;
    for (int i = 0; i < FRAME_WORDS; i++)
        frame[i] = NULL;
    frame[FRAME_ENTRY] = (void *)first_lines;
    fibre->saved = frame;
}

static void jump(struct fibre *from, struct fibre *to)
{
    shim_fibre_jump(&from->saved, to->saved);
}

static void forget(struct fibre *)
{
}
#else
#include <ucontext.h>

static void first_lines(void);

static void prepare(struct fibre *fibre)
{
    if (!fibre->saved)
        fibre->saved = calloc(1, sizeof(ucontext_t));
    ucontext_t *context = (ucontext_t *)fibre->saved;
    getcontext(context);
    context->uc_stack.ss_sp = fibre->stack;
    context->uc_stack.ss_size = fibre->stack_bytes;
    context->uc_link = NULL;
    makecontext(context, first_lines, 0);
}

static void jump(struct fibre *from, struct fibre *to)
{
    if (!from->saved) /* the thread's own: kept as long as the process */
        from->saved = calloc(1, sizeof(ucontext_t));
    swapcontext((ucontext_t *)from->saved, (ucontext_t *)to->saved);
}

static void forget(struct fibre *fibre)
{
    free(fibre->saved);
}
#endif

/* --- what the sanitisers want to know --------------------------------------------------------- */

static void leaving(struct fibre *from, struct fibre *to)
{
#if defined __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&from->sanitizer, to->bounds, to->bounds_bytes);
#elif defined SHIM_RACES
    if (!from->stack)
        from->sanitizer = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->sanitizer, __tsan_switch_to_fiber_no_sync); /* race.h orders them */
#endif
    switch_from = from;
    switch_to = to;
}

static void arrived(struct fibre *fibre, bool new_stack)
{
#if defined __SANITIZE_ADDRESS__
    struct fibre *from = switch_from;
    __sanitizer_finish_switch_fiber(new_stack ? NULL : fibre->sanitizer, &from->bounds,
                                    &from->bounds_bytes);
#else
    (void)fibre, (void)new_stack;
#endif
}

static void first_lines(void)
{
    struct fibre *self = switch_to;
    arrived(self, true);
    self->entry(self->argument);
    abort();
}

/* --- fibres ----------------------------------------------------------------------------------- */

void fibre_create(struct fibre *fibre, size_t stack_bytes, void (*entry)(void *), void *argument)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *map = (char *)mmap(NULL, stack_bytes + page, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED || mprotect(map, page, PROT_NONE) != 0) {
        perror("shim: a thread's stack");
        abort();
    }
    *fibre = {};
    fibre->stack = map + page;
    fibre->stack_bytes = stack_bytes;
    fibre->bounds = fibre->stack;
    fibre->bounds_bytes = stack_bytes;
    fibre->entry = entry;
    fibre->argument = argument;
    fibre_restart(fibre);
}

void fibre_restart(struct fibre *fibre)
{
#if defined __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(fibre->stack, fibre->stack_bytes);
    fibre->sanitizer = NULL;
#elif defined SHIM_RACES
    if (fibre->sanitizer)
        __tsan_destroy_fiber(fibre->sanitizer);
    race_forget(fibre->stack + fibre->stack_bytes - FORGOTTEN_BYTES, FORGOTTEN_BYTES);
    fibre->sanitizer = __tsan_create_fiber(0); /* knows that */
#endif
    prepare(fibre);
}

void fibre_destroy(struct fibre *fibre)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
#if defined __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(fibre->stack, fibre->stack_bytes);
#elif defined SHIM_RACES
    __tsan_destroy_fiber(fibre->sanitizer);
#endif
    forget(fibre);
    munmap(fibre->stack - page, fibre->stack_bytes + page);
    *fibre = {};
}

void fibre_switch(struct fibre *from, struct fibre *to)
{
    leaving(from, to);
    jump(from, to);
    arrived(from, false);
}
