#include "engine/infer/kv_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/infer/kv_directory.h"

#define BLOCK_BYTES   (32u << 20) /* a block is at most this large, or one page */
#define BLOCK_PAGES   8
#define PIECE_BYTES   (4u << 20) /* read or written between two looks at the stop flag */
#define DATA_ALIGN    4096
#define CANDIDATES    4096                    /* files that are looked into for one search */
#define LAST_NS(page) ((uint64_t)(page)*1000) /* ends of chains look older than beginnings */

static const char magic[8] = "airo-kv\n";

struct head {
    char magic[8];
    uint32_t version, page_tokens;
    uint64_t fingerprint[2];
    uint64_t page_bytes;
    uint32_t first, pages;
    uint32_t checksum; /* of head (this field 0), ids and the pages' checksums */
    uint32_t zero;
};
_Static_assert(sizeof(struct head) == 56, "the head has no padding");

struct kv_store {
    struct kv_fingerprint fingerprint;
    struct kv_directory directory;
    uint64_t page_bytes;
    uint32_t block_pages;
};

int kv_store_open(struct kv_store **out, const char *directory, uint64_t cap_bytes,
                  uint64_t page_bytes, const struct kv_fingerprint *fingerprint,
                  struct error *error)
{
    struct kv_store *store = xcalloc(1, sizeof *store);
    if (kv_directory_open(&store->directory, directory, cap_bytes, error) != 0) {
        free(store);
        return -1;
    }
    store->fingerprint = *fingerprint;
    store->page_bytes = page_bytes;
    store->block_pages = BLOCK_PAGES;
    while (store->block_pages > 1 && store->block_pages * page_bytes > BLOCK_BYTES)
        store->block_pages /= 2;
    *out = store;
    return 0;
}

void kv_store_close(struct kv_store *store)
{
    if (store == NULL)
        return;
    kv_directory_close(&store->directory);
    free(store);
}

uint32_t kv_store_block_pages(const struct kv_store *store)
{
    return store->block_pages;
}

/* --- names ------------------------------------------------------------------------------------ */

static uint64_t hash_ids(const int32_t *ids, size_t count)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ (uint32_t)ids[i]) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    return hash;
}

/* "FINGERPRINT-PARENT-": what the names of all blocks that may follow these ids begin with. */
static void name_begin(const struct kv_store *store, const int32_t *tokens, uint32_t first,
                       char name[64])
{
    snprintf(name, 64, "%016llx-%016llx-", (unsigned long long)store->fingerprint.word[0],
             (unsigned long long)hash_ids(tokens, (size_t)first * KV_PAGE_TOKENS));
}

static void name_of(const struct kv_store *store, const int32_t *tokens, uint32_t first,
                    uint32_t pages, char name[64])
{
    name_begin(store, tokens, first, name);
    size_t length = strlen(name), count = (size_t)(first + pages) * KV_PAGE_TOKENS;
    snprintf(name + length, 64 - length, "%016llx" KV_SUFFIX,
             (unsigned long long)hash_ids(tokens, count));
}

/* --- reading ---------------------------------------------------------------------------------- */

static uint64_t ids_bytes(const struct head *head)
{
    return (uint64_t)(head->first + head->pages) * KV_PAGE_TOKENS * sizeof(int32_t);
}

static uint64_t data_offset(const struct head *head)
{
    uint64_t end = sizeof *head + ids_bytes(head) + head->pages * sizeof(uint32_t);
    return (end + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
}

static bool read_all(int fd, void *bytes, size_t length, uint64_t offset)
{
    for (size_t done = 0; done < length;) {
        ssize_t got = pread(fd, (char *)bytes + done, length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static bool head_is_right(const struct kv_store *store, const struct head *head, uint32_t first,
                          int fd)
{
    struct stat status;
    return memcmp(head->magic, magic, sizeof magic) == 0 && head->version == KV_FILE_VERSION &&
           head->page_tokens == KV_PAGE_TOKENS &&
           memcmp(head->fingerprint, store->fingerprint.word, sizeof head->fingerprint) == 0 &&
           head->page_bytes == store->page_bytes && head->first == first && head->pages > 0 &&
           head->pages <= store->block_pages && head->zero == 0 && fstat(fd, &status) == 0 &&
           S_ISREG(status.st_mode) &&
           (uint64_t)status.st_size == data_offset(head) + head->pages * store->page_bytes;
}

static uint32_t head_checksum(struct head head, const int32_t *ids, const uint32_t *checksums)
{
    head.checksum = 0;
    uLong sum = crc32_z(0, (const void *)&head, sizeof head);
    sum = crc32_z(sum, (const void *)ids, ids_bytes(&head));
    return (uint32_t)crc32_z(sum, (const void *)checksums, head.pages * sizeof *checksums);
}

/* Opens a block that begins at page `first` and checks all but its pages. *ids: to be freed; false:
 * gone, or damaged and therefore deleted. */
static bool open_block(const struct kv_store *store, const char *name, uint32_t first,
                       struct kv_file *file, int32_t **ids)
{
    struct head head;
    int fd = openat(store->directory.fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    *file = (struct kv_file){.fd = fd, .first = first};
    *ids = NULL;
    snprintf(file->name, sizeof file->name, "%s", name);
    bool right = read_all(fd, &head, sizeof head, 0) && head_is_right(store, &head, first, fd);
    if (right) {
        file->pages = head.pages;
        file->data_offset = data_offset(&head);
        file->checksums = xcalloc(head.pages, sizeof *file->checksums);
        *ids = xmalloc(ids_bytes(&head));
        right = read_all(fd, *ids, ids_bytes(&head), sizeof head) &&
                read_all(fd, file->checksums, head.pages * sizeof(uint32_t),
                         sizeof head + ids_bytes(&head)) &&
                head_checksum(head, *ids, file->checksums) == head.checksum;
    }
    if (right)
        return true;
    unlinkat(store->directory.fd, name, 0);
    kv_file_close(file);
    free(*ids);
    return false;
}

/* Up to which page the file's ids agree with the wanted ones; `first` when not even before it. */
static uint32_t agreement(const struct kv_file *file, const int32_t *ids, const int32_t *tokens,
                          uint32_t pages)
{
    uint32_t most = file->first + file->pages, page = 0;
    most = most < pages ? most : pages;
    while (page < most &&
           memcmp(ids + (size_t)page * KV_PAGE_TOKENS, tokens + (size_t)page * KV_PAGE_TOKENS,
                  KV_PAGE_TOKENS * sizeof *ids) == 0)
        page++;
    return page > file->first ? page : file->first;
}

/* Takes the block in place of *best when it agrees for longer. */
static void consider(const struct kv_store *store, const char *name, uint32_t first,
                     const int32_t *tokens, uint32_t pages, struct kv_file *best)
{
    struct kv_file file;
    int32_t *ids;
    if (!open_block(store, name, first, &file, &ids))
        return;
    file.end = agreement(&file, ids, tokens, pages);
    free(ids);
    if (file.end > best->end) {
        struct kv_file old = *best;
        *best = file;
        file = old;
    }
    kv_file_close(&file);
}

bool kv_store_find(const struct kv_store *store, const int32_t *tokens, uint32_t from,
                   uint32_t pages, struct kv_file *file)
{
    uint32_t first = from / store->block_pages * store->block_pages;
    char name[64];
    *file = (struct kv_file){.fd = -1, .end = from};
    if (from >= pages)
        return false;
    if (pages - first >= store->block_pages) {
        name_of(store, tokens, first, store->block_pages, name);
        consider(store, name, first, tokens, pages, file);
        if (file->fd >= 0)
            return true;
    }
    name_begin(store, tokens, first, name);
    struct kv_names names = {0};
    kv_directory_list(&store->directory, name, &names);
    for (size_t i = 0; i < names.count && i < CANDIDATES; i++)
        consider(store, names.items[i].name, first, tokens, pages, file);
    kv_names_free(&names);
    return file->fd >= 0;
}

void kv_file_close(struct kv_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->checksums);
    *file = (struct kv_file){.fd = -1};
}

int kv_store_read(const struct kv_store *store, const struct kv_file *file, uint32_t page,
                  void *bytes, const atomic_bool *stop)
{
    uint64_t begin = file->data_offset + (page - file->first) * store->page_bytes;
    uLong sum = page;
    for (uint64_t done = 0; done < store->page_bytes;) {
        uint64_t left = store->page_bytes - done;
        size_t some = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        if (stop != NULL && atomic_load(stop))
            return 1;
        if (!read_all(file->fd, (char *)bytes + done, some, begin + done))
            break;
        sum = crc32_z(sum, (const void *)((char *)bytes + done), some);
        done += some;
        if (done == store->page_bytes && sum == file->checksums[page - file->first])
            return 0;
    }
    unlinkat(store->directory.fd, file->name, 0);
    return -1;
}

void kv_store_touch(const struct kv_store *store, const struct kv_file *file, uint64_t used_ns)
{
    kv_directory_touch(&store->directory, file->name, used_ns - LAST_NS(file->first));
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool write_all(int fd, const void *bytes, uint64_t length, uint64_t offset,
                      const atomic_bool *stop)
{
    for (uint64_t done = 0; done < length;) {
        uint64_t left = length - done;
        size_t some = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        if (stop != NULL && atomic_load(stop)) {
            errno = ECANCELED;
            return false;
        }
        ssize_t wrote = pwrite(fd, (const char *)bytes + done, some, (off_t)(offset + done));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        done += (uint64_t)wrote;
    }
    return true;
}

static bool write_block(const struct kv_store *store, const struct kv_block *block,
                        struct head *head, int fd, const atomic_bool *stop)
{
    uint32_t *checksums = xcalloc(block->pages, sizeof *checksums);
    for (uint32_t i = 0; i < block->pages; i++)
        checksums[i] = (uint32_t)crc32_z(
            block->first + i, (const void *)((const char *)block->bytes + i * store->page_bytes),
            store->page_bytes);
    head->checksum = head_checksum(*head, block->tokens, checksums);
    bool done =
        write_all(fd, head, sizeof *head, 0, stop) &&
        write_all(fd, block->tokens, ids_bytes(head), sizeof *head, stop) &&
        write_all(fd, checksums, block->pages * sizeof *checksums, sizeof *head + ids_bytes(head),
                  stop) &&
        write_all(fd, block->bytes, block->pages * store->page_bytes, data_offset(head), stop) &&
        fsync(fd) == 0;
    free(checksums);
    return done;
}

/* Blocks that say the beginning of what the new one says. */
static void remove_shorter(const struct kv_store *store, const struct kv_block *block,
                           const char *written)
{
    char name[64];
    struct kv_names names = {0};
    name_begin(store, block->tokens, block->first, name);
    kv_directory_list(&store->directory, name, &names);
    for (size_t i = 0; i < names.count && i < CANDIDATES; i++) {
        struct kv_file file;
        int32_t *ids;
        if (strcmp(names.items[i].name, written) == 0 ||
            !open_block(store, names.items[i].name, block->first, &file, &ids))
            continue;
        uint32_t end = file.first + file.pages;
        if (file.pages < block->pages &&
            agreement(&file, ids, block->tokens, block->first + block->pages) == end)
            unlinkat(store->directory.fd, file.name, 0);
        kv_file_close(&file);
        free(ids);
    }
    kv_names_free(&names);
}

enum kv_written kv_store_write(const struct kv_store *store, const struct kv_block *block,
                               const atomic_bool *stop, struct error *error)
{
    struct head head = {.version = KV_FILE_VERSION,
                        .page_tokens = KV_PAGE_TOKENS,
                        .fingerprint = {store->fingerprint.word[0], store->fingerprint.word[1]},
                        .page_bytes = store->page_bytes,
                        .first = block->first,
                        .pages = block->pages};
    memcpy(head.magic, magic, sizeof magic);
    struct kv_new_file file;
    uint64_t used_ns = block->used_ns - LAST_NS(block->first);
    uint64_t bytes = data_offset(&head) + block->pages * store->page_bytes;
    enum kv_room room = kv_directory_create(&store->directory, bytes, used_ns, stop, &file, error);
    if (room != KV_ROOM)
        return room == KV_ROOM_NONE ? KV_NO_ROOM : room == KV_ROOM_STOPPED ? KV_STOPPED : KV_FAILED;
    char name[64];
    name_of(store, block->tokens, block->first, block->pages, name);
    if (write_block(store, block, &head, file.fd, stop) &&
        kv_directory_finish(&store->directory, &file, name, used_ns) == 0) {
        remove_shorter(store, block, name);
        return KV_WRITTEN;
    }
    bool stopped = errno == ECANCELED;
    error_set_errno(error, "%s: cannot keep keys and values", store->directory.path);
    kv_directory_discard(&store->directory, &file);
    return stopped ? KV_STOPPED : KV_FAILED;
}

void kv_store_trim(const struct kv_store *store, const atomic_bool *stop)
{
    kv_directory_trim(&store->directory, stop);
}
