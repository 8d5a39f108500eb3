#include "engine/model/tensor_expect.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "engine/model/fields.h"

#define SHAPE_TEXT_BYTES 96

int tensor_error(const struct tensor_view *view, const char *problem, struct error *error)
{
    char shown[PRINTABLE_BYTES];
    return error_set(error, ERROR_INPUT, "%s: tensor %s: %s", view->file,
                     printable(view->name, shown), problem);
}

const struct tensor_view *tensor_need(const struct safetensors *set, const char *name,
                                      struct error *error)
{
    const struct tensor_view *view = safetensors_find(set, name);
    if (view == NULL)
        error_set(error, ERROR_INPUT, "%s: tensor %s is missing", safetensors_source(set), name);
    return view;
}

int tensor_expect_dtype(const struct tensor_view *view, uint32_t allowed, struct error *error)
{
    if (allowed & DTYPE_BIT(view->dtype))
        return 0;
    char problem[128], names[64] = "";
    for (unsigned i = 0; i <= TENSOR_F8_E4M3; i++) {
        if (!(allowed & DTYPE_BIT(i)))
            continue;
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", used ? " or " : "",
                 tensor_dtype_name((enum tensor_dtype)i));
    }
    snprintf(problem, sizeof problem, "dtype is %s; must be %s", tensor_dtype_name(view->dtype),
             names);
    return tensor_error(view, problem, error);
}

static void shape_text(const uint64_t *shape, uint32_t rank, char *out)
{
    size_t used = (size_t)snprintf(out, SHAPE_TEXT_BYTES, "[");
    for (uint32_t i = 0; i < rank && used < SHAPE_TEXT_BYTES - 32; i++)
        used += (size_t)snprintf(out + used, SHAPE_TEXT_BYTES - used, "%s%llu", i ? ", " : "",
                                 (unsigned long long)shape[i]);
    snprintf(out + used, SHAPE_TEXT_BYTES - used, "]");
}

static int expect_shape(const struct tensor_view *view, const uint64_t *wanted, uint32_t rank,
                        struct error *error)
{
    if (view->rank == rank && memcmp(view->shape, wanted, rank * sizeof *wanted) == 0)
        return 0;
    char have[SHAPE_TEXT_BYTES], need[SHAPE_TEXT_BYTES];
    char problem[2 * SHAPE_TEXT_BYTES + 32];
    shape_text(view->shape, view->rank, have);
    shape_text(wanted, rank, need);
    snprintf(problem, sizeof problem, "shape is %s; must be %s", have, need);
    return tensor_error(view, problem, error);
}

int tensor_expect_vector(const struct tensor_view *view, uint64_t length, struct error *error)
{
    return expect_shape(view, &length, 1, error);
}

int tensor_expect_matrix(const struct tensor_view *view, uint64_t rows, uint64_t cols,
                         struct error *error)
{
    const uint64_t wanted[2] = {rows, cols};
    return expect_shape(view, wanted, 2, error);
}

/* All exponent bits set means NaN or infinity. The data may be unaligned. */
static bool finite_16(const unsigned char *data, uint64_t count, uint16_t exponent)
{
    unsigned bad = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, data + 2 * i, sizeof bits);
        bad |= (bits & exponent) == exponent;
    }
    return !bad;
}

static bool finite_32(const unsigned char *data, uint64_t count)
{
    unsigned bad = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, data + 4 * i, sizeof bits);
        bad |= (bits & 0x7F800000u) == 0x7F800000u;
    }
    return !bad;
}

int tensor_expect_finite(const struct tensor_view *view, struct error *error)
{
    bool finite =
        view->dtype == TENSOR_F32
            ? finite_32(view->data, view->bytes / 4)
            : finite_16(view->data, view->bytes / 2, view->dtype == TENSOR_BF16 ? 0x7F80 : 0x7C00);
    return finite ? 0 : tensor_error(view, "holds a NaN or an infinity", error);
}
