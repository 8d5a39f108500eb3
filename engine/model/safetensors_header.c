#include "engine/model/safetensors_header.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/json.h"
#include "engine/model/fields.h"

#define LENGTH_BYTES     8
#define HEADER_BYTES_MAX 100000000u

/* Indexed by enum tensor_dtype. */
static const struct {
    const char *name;
    uint32_t bytes;
} dtypes[] = {
    [TENSOR_F64] = {"F64", 8},         [TENSOR_F32] = {"F32", 4},
    [TENSOR_F16] = {"F16", 2},         [TENSOR_BF16] = {"BF16", 2},
    [TENSOR_I64] = {"I64", 8},         [TENSOR_I32] = {"I32", 4},
    [TENSOR_I16] = {"I16", 2},         [TENSOR_I8] = {"I8", 1},
    [TENSOR_U64] = {"U64", 8},         [TENSOR_U32] = {"U32", 4},
    [TENSOR_U16] = {"U16", 2},         [TENSOR_U8] = {"U8", 1},
    [TENSOR_BOOL] = {"BOOL", 1},       [TENSOR_F8_E5M2] = {"F8_E5M2", 1},
    [TENSOR_F8_E4M3] = {"F8_E4M3", 1},
};

/* One tensor's entry while it is read. */
struct entry {
    const char *path, *name;
    const json_t *object;
    struct error *error;
};

/* The payload: all that follows the header. */
struct payload {
    const unsigned char *data;
    uint64_t bytes;
};

const char *tensor_dtype_name(enum tensor_dtype dtype)
{
    return dtypes[dtype].name;
}

static int entry_error(const struct entry *entry, const char *problem)
{
    char shown[PRINTABLE_BYTES];
    return error_set(entry->error, ERROR_INPUT, "%s: tensor %s: %s", entry->path,
                     printable(entry->name, shown), problem);
}

static int read_dtype(const struct entry *entry, struct tensor_view *view)
{
    const char *name = json_string_value(json_object_get(entry->object, "dtype"));
    if (name == NULL)
        return entry_error(entry, "dtype is missing or not a string");
    for (unsigned i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            view->dtype = (enum tensor_dtype)i;
            return 0;
        }
    }
    char shown[PRINTABLE_BYTES];
    char problem[PRINTABLE_BYTES + 32];
    snprintf(problem, sizeof problem, "dtype %s is unknown", printable(name, shown));
    return entry_error(entry, problem);
}

static int read_shape(const struct entry *entry, struct tensor_view *view)
{
    const json_t *shape = json_object_get(entry->object, "shape");
    if (!json_is_array(shape))
        return entry_error(entry, "shape is missing or not a list");
    if (json_array_size(shape) > SAFETENSORS_RANK_MAX)
        return entry_error(entry, "shape has more than 8 dimensions");
    view->rank = (uint32_t)json_array_size(shape);
    for (uint32_t i = 0; i < view->rank; i++) {
        const json_t *size = json_array_get(shape, i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return entry_error(entry, "shape has a dimension that is not a whole number");
        view->shape[i] = (uint64_t)json_integer_value(size);
    }
    return 0;
}

/* The size that dtype and shape ask for. A zero among the dimensions must not hide an overflow in
 * the others, so they are multiplied as if it were one. */
static bool shape_bytes(const struct tensor_view *view, uint64_t *bytes)
{
    size_t total = dtypes[view->dtype].bytes;
    bool empty = false;
    for (uint32_t i = 0; i < view->rank; i++) {
        empty = empty || view->shape[i] == 0;
        if (!checked_mul(total, view->shape[i] ? view->shape[i] : 1, &total))
            return false;
    }
    *bytes = empty ? 0 : total;
    return true;
}

static int read_offsets(const struct entry *entry, const struct payload *payload,
                        struct tensor_view *view)
{
    const json_t *offsets = json_object_get(entry->object, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return entry_error(entry, "data_offsets is not a pair of whole numbers");
    json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (begin < 0 || end < begin)
        return entry_error(entry, "data_offsets are negative or reversed");
    if ((uint64_t)end > payload->bytes)
        return entry_error(entry, "data_offsets reach beyond the end of the file");
    uint64_t wanted = 0;
    if (!shape_bytes(view, &wanted))
        return entry_error(entry, "shape overflows");
    view->data = payload->data + begin;
    view->bytes = (uint64_t)(end - begin);
    if (view->bytes != wanted)
        return entry_error(entry, "shape and dtype do not agree with data_offsets");
    return 0;
}

static int read_entry(const struct entry *entry, const struct payload *payload,
                      struct tensor_list *list)
{
    struct tensor_view view = {.file = entry->path};
    if (!json_is_object(entry->object))
        return entry_error(entry, "its entry is not an object");
    if (read_dtype(entry, &view) != 0 || read_shape(entry, &view) != 0 ||
        read_offsets(entry, payload, &view) != 0)
        return -1;
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 256;
        list->views = xreallocarray(list->views, list->capacity, sizeof *list->views);
    }
    view.name = xstrdup(entry->name);
    list->views[list->count++] = view;
    return 0;
}

static int check_metadata(const struct entry *entry)
{
    const char *key;
    json_t *value;
    if (!json_is_object(entry->object))
        return error_set(entry->error, ERROR_INPUT, "%s: __metadata__ is not an object",
                         entry->path);
    json_object_foreach((json_t *)(uintptr_t)entry->object, key, value)
    {
        char shown[PRINTABLE_BYTES];
        if (!json_is_string(value))
            return error_set(entry->error, ERROR_INPUT, "%s: __metadata__: %s is not a string",
                             entry->path, printable(key, shown));
    }
    return 0;
}

static int by_offset(const void *left, const void *right)
{
    const struct tensor_view *a = left, *b = right;
    if (a->data != b->data)
        return a->data < b->data ? -1 : 1;
    return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

/* In order of offset each tensor must begin where the one before it ends, and the last must end
 * with the file. Sorts the views. */
static int check_cover(const char *path, struct tensor_view *views, size_t count,
                       const struct payload *payload, struct error *error)
{
    char shown[PRINTABLE_BYTES];
    const unsigned char *at = payload->data;
    if (count > 1)
        qsort(views, count, sizeof *views, by_offset);
    for (size_t i = 0; i < count; i++) {
        if (views[i].data != at)
            return error_set(error, ERROR_INPUT, "%s: tensor %s: data_offsets %s", path,
                             printable(views[i].name, shown),
                             views[i].data < at ? "overlap another tensor's"
                                                : "leave a hole before it");
        at += views[i].bytes;
    }
    uint64_t covered = count ? (uint64_t)(at - payload->data) : 0;
    if (covered != payload->bytes)
        return error_set(error, ERROR_INPUT, "%s: %llu bytes follow the last tensor", path,
                         (unsigned long long)(payload->bytes - covered));
    return 0;
}

static int read_entries(const json_t *header, const char *path, const struct payload *payload,
                        struct tensor_list *list, struct error *error)
{
    size_t first = list->count;
    const char *name;
    json_t *object;
    json_object_foreach((json_t *)(uintptr_t)header, name, object)
    {
        struct entry entry = {path, name, object, error};
        bool metadata = strcmp(name, "__metadata__") == 0;
        if ((metadata ? check_metadata(&entry) : read_entry(&entry, payload, list)) != 0)
            return -1;
    }
    if (list->count == first)
        return error_set(error, ERROR_INPUT, "%s: the header names no tensors", path);
    return check_cover(path, list->views + first, list->count - first, payload, error);
}

/* Checks the length word against the file, and that the header begins like one. */
static int header_length(const struct mapped_file *file, const char *path, uint64_t *length,
                         struct error *error)
{
    if (file->size <= LENGTH_BYTES)
        return error_set(error, ERROR_INPUT, "%s: too short for a safetensors header (%zu bytes)",
                         path, file->size);
    uint64_t value = 0;
    for (int i = 0; i < LENGTH_BYTES; i++)
        value |= (uint64_t)file->data[i] << (8 * i);
    if (value > HEADER_BYTES_MAX || value > file->size - LENGTH_BYTES)
        return error_set(error, ERROR_INPUT,
                         "%s: header length %llu is beyond the file (%zu bytes) or the limit (%u)",
                         path, (unsigned long long)value, file->size, HEADER_BYTES_MAX);
    if (value < 2 || file->data[LENGTH_BYTES] != '{')
        return error_set(error, ERROR_INPUT, "%s: header does not begin with '{'", path);
    *length = value;
    return 0;
}

int safetensors_read_header(const struct mapped_file *file, const char *path,
                            struct tensor_list *list, struct error *error)
{
    uint64_t length = 0;
    if (header_length(file, path, &length, error) != 0)
        return -1;
    char *source = xasprintf("%s: header", path);
    json_t *header =
        json_parse((const char *)file->data + LENGTH_BYTES, (size_t)length, source, error);
    free(source);
    if (header == NULL)
        return -1;
    struct payload payload = {file->data + LENGTH_BYTES + length,
                              file->size - LENGTH_BYTES - length};
    int result = read_entries(header, path, &payload, list, error);
    json_decref(header);
    return result;
}

void tensor_list_release(struct tensor_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free((char *)(uintptr_t)list->views[i].name);
    free(list->views);
    *list = (struct tensor_list){0};
}
