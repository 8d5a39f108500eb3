#include "race.h"

char race_done, race_running;

#ifdef SHIM_RACES
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

extern "C" {
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_acquire(void *address);
void __tsan_release(void *address);
void __tsan_read_range(void *address, unsigned long bytes);
void __tsan_write_range(void *address, unsigned long bytes);
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
}

#define ALONE 1 /* the switch orders nothing */

void race_release(void *mark)
{
    __tsan_release(mark);
}

void race_acquire(void *mark)
{
    __tsan_acquire(mark);
}

/* By a context made for it by one that knows nothing. */
void race_pass(void *from, void *to)
{
    static void *blank;
    void *self = __tsan_get_current_fiber();
    if (!blank)
        blank = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(blank, ALONE);
    void *porter = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(porter, ALONE);
    __tsan_acquire(from);
    __tsan_release(to);
    __tsan_switch_to_fiber(blank, ALONE);
    __tsan_destroy_fiber(porter);
    __tsan_switch_to_fiber(self, ALONE);
}

void race_read(const void *at, size_t bytes)
{
    __tsan_read_range(const_cast<void *>(at), bytes);
}

void race_write(void *at, size_t bytes)
{
    __tsan_write_range(at, bytes);
}

void race_look_away(bool away)
{
    (away ? AnnotateIgnoreReadsBegin : AnnotateIgnoreReadsEnd)(__FILE__, __LINE__);
    (away ? AnnotateIgnoreWritesBegin : AnnotateIgnoreWritesEnd)(__FILE__, __LINE__);
}

void race_forget(char *begin, size_t bytes)
{
    void *map = mmap(begin, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (map == MAP_FAILED) {
        perror("shim: mmap");
        abort();
    }
}
#endif
