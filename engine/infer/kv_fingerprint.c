#include "engine/infer/kv_fingerprint.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/model/rope.h"

#define SAMPLES        64
#define SAMPLE_BYTES   4096
#define HEADER_MAX     (16u << 20) /* of a header so much is hashed */
#define SMALL_FILE_MAX (64u << 20)

/* Two multiplicative hashes with different constants, run side by side. */
static void add(struct kv_fingerprint *f, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    uint64_t a = f->word[0], b = f->word[1];
    for (size_t i = 0; i < length; i++) {
        a = (a ^ at[i]) * 0x100000001B3u;
        b = (b + at[i] + 1) * 0x9E3779B97F4A7C15u;
        b ^= b >> 29;
    }
    f->word[0] = a ^ length;
    f->word[1] = b + length;
}

static void add_text(struct kv_fingerprint *f, const char *text)
{
    add(f, text, strlen(text) + 1);
}

static void add_file(struct kv_fingerprint *f, const char *directory, const char *name)
{
    struct strbuf bytes = {0};
    char *path = path_join(directory, name);
    add_text(f, name);
    if (file_read_regular(path, SMALL_FILE_MAX, &bytes, NULL) == 0)
        add(f, bytes.data, bytes.length);
    strbuf_free(&bytes);
    free(path);
}

static int add_range(struct kv_fingerprint *f, int fd, uint64_t offset, uint64_t length)
{
    unsigned char bytes[SAMPLE_BYTES];
    while (length > 0) {
        size_t some = length < sizeof bytes ? (size_t)length : sizeof bytes;
        ssize_t got = pread(fd, bytes, some, (off_t)offset);
        if (got <= 0)
            return -1;
        add(f, bytes, (size_t)got);
        offset += (uint64_t)got;
        length -= (uint64_t)got;
    }
    return 0;
}

static int add_samples(struct kv_fingerprint *f, int fd, const struct stat *status)
{
    uint64_t size = (uint64_t)status->st_size, header = 0;
    const int64_t facts[] = {status->st_size, status->st_mtim.tv_sec, status->st_mtim.tv_nsec};
    add(f, facts, sizeof facts);
    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header)
        return -1;
    header = header < HEADER_MAX ? header : HEADER_MAX;
    header = header + 8 < size ? header + 8 : size;
    if (add_range(f, fd, 0, header) != 0)
        return -1;
    uint64_t step = (size - header) / SAMPLES;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        uint64_t at = header + i * step, left = size - at;
        if (add_range(f, fd, at, left < SAMPLE_BYTES ? left : SAMPLE_BYTES) != 0)
            return -1;
    }
    return 0;
}

static int add_weights(struct kv_fingerprint *f, const char *directory, const char *name,
                       struct error *error)
{
    struct stat status;
    char *path = path_join(directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = -1;
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        result = add_samples(f, fd, &status);
    add_text(f, name);
    if (result != 0)
        error_set_errno(error, "%s: cannot read", path);
    if (fd >= 0)
        close(fd);
    free(path);
    return result;
}

static int is_weights(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name), suffix = strlen(".safetensors");
    return length > suffix && strcmp(entry->d_name + length - suffix, ".safetensors") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_all_weights(struct kv_fingerprint *f, const char *directory, struct error *error)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_weights, by_name), result = 0;
    if (count < 0)
        return error_set_errno(error, "%s", directory);
    if (count == 0)
        result = error_set(error, ERROR_INPUT, "%s: no weight file", directory);
    for (int i = 0; i < count; i++) {
        if (result == 0)
            result = add_weights(f, directory, entries[i]->d_name, error);
        free(entries[i]);
    }
    free(entries);
    return result;
}

/* Field by field: a struct's padding says nothing. */
static void add_shape(struct kv_fingerprint *f, const struct model *model)
{
    const struct backend_shape *s = &model->shape;
    const struct model_config *c = &model->config;
    const uint32_t numbers[] = {KV_FILE_VERSION, KV_PAGE_TOKENS,      (uint32_t)model->kv_type,
                                s->layers,       s->hidden,           s->heads,
                                s->kv_heads,     s->head_dim,         s->ffn,
                                s->vocab,        c->quant.zero_offset};
    float scale = 0, *inv_freq = xcalloc(s->head_dim / 2 + 1, sizeof *inv_freq);
    add(f, numbers, sizeof numbers);
    add(f, &s->norm_eps, sizeof s->norm_eps);
    rope_inv_freq(&c->rope, s->head_dim, model->context, inv_freq, &scale);
    add(f, inv_freq, s->head_dim / 2 * sizeof *inv_freq);
    add(f, &scale, sizeof scale);
    free(inv_freq);
    add_text(f, model->ops->name);
    add_text(f, model->ops->kv_format(model->backend));
}

int kv_fingerprint_of(struct kv_fingerprint *out, const struct model *model, struct error *error)
{
    static const char *const files[] = {"config.json", "quantize_config.json", "tokenizer.model",
                                        "added_tokens.json", "tokenizer_config.json"};
    struct kv_fingerprint f = {{0xCBF29CE484222325u, 0x632BE59BD9B4E019u}};
    add_shape(&f, model);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        add_file(&f, model->directory, files[i]);
    if (add_all_weights(&f, model->directory, error) != 0)
        return -1;
    *out = f;
    return 0;
}
