#include "engine/quant/checkpoint_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/strbuf.h"

#define ALIGNMENT 8 /* of the payload in the file */

struct planned {
    char *name;
    enum tensor_dtype dtype;
    uint64_t rows, cols, bytes;
    uint32_t shard;
};

struct checkpoint_writer {
    char *directory;
    struct planned *tensors;
    size_t count, capacity;
    uint32_t shards;
    size_t at;       /* the tensor whose turn it is */
    uint64_t filled; /* bytes of it that are written */
    char *path;      /* of the open file */
    FILE *file;
};

/* --- files ------------------------------------------------------------------------------------ */

static FILE *create(const char *path, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (file == NULL) {
        error_set_errno(error, "%s: cannot create", path);
        if (fd >= 0)
            close(fd);
    }
    return file;
}

static int write_bytes(FILE *file, const char *path, const void *bytes, size_t length,
                       struct error *error)
{
    if (length == 0 || fwrite(bytes, 1, length, file) == length)
        return 0;
    return error_set_errno(error, "%s: cannot write", path);
}

static int close_file(FILE *file, const char *path, struct error *error)
{
    bool kept = fflush(file) == 0 && fsync(fileno(file)) == 0;
    int reason = errno;
    bool closed = fclose(file) == 0;
    if (kept && closed)
        return 0;
    errno = kept ? errno : reason;
    return error_set_errno(error, "%s: cannot write", path);
}

int file_write_new(const char *directory, const char *name, const void *bytes, size_t length,
                   struct error *error)
{
    char *path = path_join(directory, name);
    FILE *file = create(path, error);
    int result = file != NULL ? write_bytes(file, path, bytes, length, error) : -1;
    if (file != NULL && result == 0)
        result = close_file(file, path, error);
    else if (file != NULL)
        fclose(file);
    free(path);
    return result;
}

/* --- the plan --------------------------------------------------------------------------------- */

struct checkpoint_writer *checkpoint_writer_create(const char *directory)
{
    struct checkpoint_writer *writer = xcalloc(1, sizeof *writer);
    writer->directory = xstrdup(directory);
    return writer;
}

void checkpoint_writer_free(struct checkpoint_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->file != NULL)
        fclose(writer->file);
    for (size_t i = 0; i < writer->count; i++)
        free(writer->tensors[i].name);
    free(writer->tensors);
    free(writer->path);
    free(writer->directory);
    free(writer);
}

void checkpoint_writer_plan(struct checkpoint_writer *writer, const char *name,
                            enum tensor_dtype dtype, uint64_t rows, uint64_t cols)
{
    if (writer->count == writer->capacity) {
        writer->capacity = writer->capacity ? 2 * writer->capacity : 64;
        writer->tensors = xreallocarray(writer->tensors, writer->capacity, sizeof *writer->tensors);
    }
    uint64_t element = dtype == TENSOR_F16 ? 2 : 4;
    writer->tensors[writer->count++] =
        (struct planned){xstrdup(name), dtype, rows, cols, element * rows * (cols ? cols : 1), 0};
}

uint64_t checkpoint_writer_bytes(const struct checkpoint_writer *writer)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < writer->count; i++)
        bytes += writer->tensors[i].bytes;
    return bytes;
}

/* --- the shards ------------------------------------------------------------------------------- */

static void shard_name(const struct checkpoint_writer *writer, uint32_t shard, char *out,
                       size_t size)
{
    if (writer->shards == 1)
        snprintf(out, size, "model.safetensors");
    else
        snprintf(out, size, "model-%05u-of-%05u.safetensors", shard + 1, writer->shards);
}

static void add_entry(struct strbuf *header, const struct planned *tensor, uint64_t begin)
{
    strbuf_printf(header, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%llu", tensor->name,
                  tensor_dtype_name(tensor->dtype), (unsigned long long)tensor->rows);
    if (tensor->cols > 0)
        strbuf_printf(header, ",%llu", (unsigned long long)tensor->cols);
    strbuf_printf(header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)begin,
                  (unsigned long long)(begin + tensor->bytes));
}

/* u64 little-endian length, then JSON padded with spaces so that the payload is aligned. */
static void make_header(const struct checkpoint_writer *writer, uint32_t shard, struct strbuf *out)
{
    struct strbuf json = {0};
    uint64_t begin = 0;
    strbuf_puts(&json, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < writer->count; i++) {
        if (writer->tensors[i].shard != shard)
            continue;
        add_entry(&json, &writer->tensors[i], begin);
        begin += writer->tensors[i].bytes;
    }
    strbuf_putc(&json, '}');
    while (json.length % ALIGNMENT != 0)
        strbuf_putc(&json, ' ');
    for (int i = 0; i < 8; i++)
        strbuf_putc(out, (char)((uint64_t)json.length >> 8 * i & 0xFF));
    strbuf_add(out, json.data, json.length);
    strbuf_free(&json);
}

static int open_shard(struct checkpoint_writer *writer, uint32_t shard, struct error *error)
{
    char name[64];
    struct strbuf header = {0};
    shard_name(writer, shard, name, sizeof name);
    free(writer->path);
    writer->path = path_join(writer->directory, name);
    writer->file = create(writer->path, error);
    if (writer->file == NULL)
        return -1;
    make_header(writer, shard, &header);
    int result = write_bytes(writer->file, writer->path, header.data, header.length, error);
    strbuf_free(&header);
    return result;
}

static int close_shard(struct checkpoint_writer *writer, struct error *error)
{
    FILE *file = writer->file;
    writer->file = NULL;
    return close_file(file, writer->path, error);
}

int checkpoint_writer_begin(struct checkpoint_writer *writer, uint64_t shard_bytes,
                            struct error *error)
{
    uint64_t used = 0;
    for (size_t i = 0; i < writer->count; i++) {
        struct planned *tensor = &writer->tensors[i];
        if (used > 0 && used + tensor->bytes > shard_bytes) {
            writer->shards++;
            used = 0;
        }
        tensor->shard = writer->shards;
        used += tensor->bytes;
    }
    writer->shards++;
    return open_shard(writer, 0, error);
}

/* On to the next tensor, in the next file where that is its place. */
static int advance(struct checkpoint_writer *writer, struct error *error)
{
    uint32_t shard = writer->tensors[writer->at].shard;
    writer->filled = 0;
    if (++writer->at == writer->count || writer->tensors[writer->at].shard == shard)
        return 0;
    if (close_shard(writer, error) != 0)
        return -1;
    return open_shard(writer, shard + 1, error);
}

int checkpoint_writer_put(struct checkpoint_writer *writer, const char *name, const void *bytes,
                          uint64_t length, struct error *error)
{
    const struct planned *tensor = writer->at < writer->count ? &writer->tensors[writer->at] : NULL;
    if (tensor == NULL || strcmp(tensor->name, name) != 0 ||
        length > tensor->bytes - writer->filled)
        return error_set(error, ERROR_SYSTEM, "%s: tensor %s comes out of turn", writer->path,
                         name);
    if (write_bytes(writer->file, writer->path, bytes, length, error) != 0)
        return -1;
    writer->filled += length;
    return writer->filled == tensor->bytes ? advance(writer, error) : 0;
}

static int write_index(const struct checkpoint_writer *writer, struct error *error)
{
    struct strbuf text = {0};
    strbuf_printf(&text,
                  "{\n  \"metadata\": {\n    \"total_size\": %llu\n  },\n  \"weight_map\": {",
                  (unsigned long long)checkpoint_writer_bytes(writer));
    for (size_t i = 0; i < writer->count; i++) {
        char file[64];
        shard_name(writer, writer->tensors[i].shard, file, sizeof file);
        strbuf_printf(&text, "%s\n    \"%s\": \"%s\"", i > 0 ? "," : "", writer->tensors[i].name,
                      file);
    }
    strbuf_puts(&text, "\n  }\n}\n");
    int result = file_write_new(writer->directory, "model.safetensors.index.json", text.data,
                                text.length, error);
    strbuf_free(&text);
    return result;
}

int checkpoint_writer_end(struct checkpoint_writer *writer, struct error *error)
{
    if (writer->at < writer->count)
        return error_set(error, ERROR_SYSTEM, "%s: tensor %s was not written", writer->path,
                         writer->tensors[writer->at].name);
    if (close_shard(writer, error) != 0)
        return -1;
    return writer->shards > 1 ? write_index(writer, error) : 0;
}
