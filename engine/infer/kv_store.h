/*
 * kv_store.h - key/value pages in a directory: blocks of a few pages, found again by token ids.
 *
 * A block file holds up to kv_store_block_pages() pages that follow each other and all token ids
 * from position 0 to its end; it begins at a multiple of that many pages. So chats that begin alike
 * share the files of what they have in common, a chat that grows adds files, and nothing is written
 * twice. A block that is the beginning of a longer one is replaced by it.
 *
 *     FINGERPRINT-PARENT-OWN.kv     hashes of the model, of the ids before it, of those to its end
 *     head | ids [(first + pages) * page_tokens] | crc32 [pages] | to 4096 | pages
 *
 * Names only find candidates: fingerprint, sizes, checksums and every id are compared. A file that
 * is damaged is deleted. Files appear whole (temporary name, fsync, rename) and are 0600 in a 0700
 * directory; all of them together never exceed the cap, even when several processes write: room is
 * reserved under a lock. The least recently used go first, ends of chains before their beginnings.
 *
 * After kv_store_open nothing in the struct changes: one thread may read while another writes.
 */
#ifndef AIRO_INFER_KV_STORE_H
#define AIRO_INFER_KV_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/infer/kv_fingerprint.h"

struct kv_store;

/* The directory is made; ERROR_SYSTEM when it cannot be, or is somebody else's. */
int kv_store_open(struct kv_store **out, const char *directory, uint64_t cap_bytes,
                  uint64_t page_bytes, const struct kv_fingerprint *fingerprint,
                  struct error *error);
void kv_store_close(struct kv_store *store);
uint32_t kv_store_block_pages(const struct kv_store *store);

/* --- reading ---------------------------------------------------------------------------------- */

struct kv_file {
    int fd;
    uint32_t first, pages; /* what it holds: pages first .. first + pages - 1 of the prompt */
    uint32_t end;          /* its pages agree with the wanted ids up to here */
    uint64_t data_offset;
    uint32_t *checksums; /* [pages] */
    char name[64];
};

/* The file that agrees with tokens [pages * page_tokens] for the most pages beyond page `from`
 * (end > from); false: there is none. */
bool kv_store_find(const struct kv_store *store, const int32_t *tokens, uint32_t from,
                   uint32_t pages, struct kv_file *file);
void kv_file_close(struct kv_file *file);
/* Reads one page [page_bytes] of those below `end`, in pieces: 0; 1 when `stop` (may be NULL) was
 * set; -1 when it is damaged: the file is deleted. */
int kv_store_read(const struct kv_store *store, const struct kv_file *file, uint32_t page,
                  void *bytes, const atomic_bool *stop);
/* The file has been used at this time (nanoseconds since 1970). */
void kv_store_touch(const struct kv_store *store, const struct kv_file *file, uint64_t used_ns);

/* --- writing ---------------------------------------------------------------------------------- */

struct kv_block {
    const int32_t *tokens; /* [(first + pages) * page_tokens] */
    uint32_t first, pages; /* first is a multiple of the pages of a block */
    const void *bytes;     /* [pages * page_bytes] */
    uint64_t used_ns;
};

enum kv_written {
    KV_WRITTEN,
    KV_NO_ROOM, /* the cap leaves none without dropping what is newer */
    KV_STOPPED,
    KV_FAILED, /* the disk is full, or the system refused: `error` says */
};

/* May take as long as the disk does; `stop` (may be NULL) is looked at between pieces. */
enum kv_written kv_store_write(const struct kv_store *store, const struct kv_block *block,
                               const atomic_bool *stop, struct error *error);
/* Brings the directory under the cap and removes what dead writers left. */
void kv_store_trim(const struct kv_store *store, const atomic_bool *stop);

#endif
