/*
 * memory.c - large allocations that may fail, and what the machine has.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/cpu/cpu.h"

#define HUGE_PAGE     ((size_t)2 << 20)
#define CHECKED_BYTES ((size_t)64 << 20) /* from here on ask first what is free */

int cpu_error(struct backend_error *error, enum backend_code code, const char *format, ...)
{
    if (error == NULL)
        return -1;
    error->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return -1;
}

/* Zeroed, 64-byte aligned, for free(). What spans a huge page asks for huge pages: with 4 KiB
 * pages a decode step misses the TLB once every 4 KiB of weights. The system promises more memory
 * than it has and kills whoever touches it, so large blocks are checked against what is free. */
void *cpu_alloc(size_t bytes, const char *what, struct backend_error *error)
{
    size_t align = bytes >= HUGE_PAGE ? HUGE_PAGE : 64;
    void *memory = NULL;
    if (bytes > SIZE_MAX - align || (bytes >= CHECKED_BYTES && bytes > cpu_memory_available()) ||
        posix_memalign(&memory, align, bytes ? bytes : 64) != 0) {
        cpu_error(error, BACKEND_NO_MEMORY, "cannot allocate %.1f MiB for %s, %.1f MiB available",
                  (double)bytes / 1048576.0, what, (double)cpu_memory_available() / 1048576.0);
        return NULL;
    }
    if (align == HUGE_PAGE)
        madvise(memory, bytes, MADV_HUGEPAGE);
    memset(memory, 0, bytes ? bytes : 64);
    return memory;
}

uint64_t cpu_memory_total(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

/* The number after `key` at the start of a line of a file of the system's; 0: none. `key` "" reads
 * the first line. "max" (no limit) is no number. */
static uint64_t system_number(const char *path, const char *key)
{
    FILE *file = fopen(path, "re");
    char line[128];
    unsigned long long value = 0;
    size_t length = strlen(key);
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, length) == 0 && sscanf(line + length, "%llu", &value) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return value;
}

/* What a container's limit leaves (cgroup v2, as it is mounted inside one); file pages that can be
 * dropped count as free. UINT64_MAX: no limit. */
static uint64_t container_available(void)
{
    uint64_t limit = system_number("/sys/fs/cgroup/memory.max", "");
    uint64_t used = system_number("/sys/fs/cgroup/memory.current", "");
    uint64_t cache = system_number("/sys/fs/cgroup/memory.stat", "inactive_file ");
    if (limit == 0)
        return UINT64_MAX;
    used = used > cache ? used - cache : 0;
    return limit > used ? limit - used : 0;
}

uint64_t cpu_memory_available(void)
{
    uint64_t bytes = system_number("/proc/meminfo", "MemAvailable:") * 1024;
    uint64_t container = container_available();
    if (bytes == 0)
        bytes = cpu_memory_total();
    return bytes < container ? bytes : container;
}
