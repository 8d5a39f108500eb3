#include "engine/model/gptq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/model/tensor_expect.h"

#define QWEIGHT ".qweight"

static const struct tensor_view *find_part(const struct safetensors *set, const char *prefix,
                                           const char *part)
{
    char *name = xasprintf("%s%s", prefix, part);
    const struct tensor_view *view = safetensors_find(set, name);
    free(name);
    return view;
}

/* [rows, cols] of one of the allowed types, or NULL and an error. */
static const void *need_part(const struct safetensors *set, const char *prefix, const char *part,
                             uint32_t allowed, uint32_t rows, uint32_t cols, struct error *error)
{
    char *name = xasprintf("%s%s", prefix, part);
    const struct tensor_view *view = tensor_need(set, name, error);
    free(name);
    if (view == NULL || tensor_expect_dtype(view, allowed, error) != 0 ||
        tensor_expect_matrix(view, rows, cols, error) != 0)
        return NULL;
    return view->data;
}

bool gptq_present(const struct safetensors *set, const char *prefix)
{
    return find_part(set, prefix, QWEIGHT) != NULL;
}

int gptq_find(struct backend_linear *linear, const struct safetensors *set, const char *prefix,
              uint32_t in, uint32_t out, const struct quant_config *quant, struct error *error)
{
    if (in % 8 != 0 || out % 8 != 0)
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s: tensor %s.qweight: %u rows by %u columns; both must be multiples "
                         "of 8",
                         safetensors_source(set), prefix, in, out);
    uint32_t group_size = quant->group_size == 0 || quant->group_size > in ? in : quant->group_size;
    uint32_t groups = (in + group_size - 1) / group_size;
    *linear = (struct backend_linear){.in = in, .out = out, .groups = groups};
    linear->group_size = group_size;
    linear->zero_offset = quant->zero_offset;
    linear->qweight = need_part(set, prefix, QWEIGHT, DTYPES_INT32, in / 8, out, error);
    if (linear->qweight == NULL)
        return -1;
    linear->qzeros = need_part(set, prefix, ".qzeros", DTYPES_INT32, groups, out / 8, error);
    if (linear->qzeros == NULL)
        return -1;
    linear->scales = need_part(set, prefix, ".scales", DTYPE_BIT(TENSOR_F16), groups, out, error);
    if (linear->scales == NULL)
        return -1;
    const struct tensor_view *g_idx = find_part(set, prefix, ".g_idx");
    if (g_idx == NULL)
        return 0;
    if (tensor_expect_dtype(g_idx, DTYPE_BIT(TENSOR_I32), error) != 0 ||
        tensor_expect_vector(g_idx, in, error) != 0)
        return -1;
    linear->g_idx = g_idx->data;
    return 0;
}

/* Each group must have its group_size rows, the last what is left. */
static int check_order(const struct tensor_view *view, const int32_t *order,
                       const struct backend_linear *linear, struct error *error)
{
    int result = 0;
    uint32_t *counts = xcalloc(linear->groups, sizeof *counts);
    char problem[96];
    for (uint32_t row = 0; row < linear->in && result == 0; row++) {
        if ((uint32_t)order[row] < linear->groups) { /* a negative one is huge */
            counts[order[row]]++;
            continue;
        }
        snprintf(problem, sizeof problem, "row %u is in group %d; there are %u groups", row,
                 order[row], linear->groups);
        result = tensor_error(view, problem, error);
    }
    for (uint32_t group = 0; group < linear->groups && result == 0; group++) {
        uint32_t left = linear->in - group * linear->group_size;
        uint32_t wanted = left < linear->group_size ? left : linear->group_size;
        if (counts[group] == wanted)
            continue;
        snprintf(problem, sizeof problem, "group %u has %u rows; must have %u", group,
                 counts[group], wanted);
        result = tensor_error(view, problem, error);
    }
    free(counts);
    return result;
}

/* All zero is how older writers say "in order"; so does row / group_size spelled out. */
static bool rows_in_order(const int32_t *order, const struct backend_linear *linear)
{
    bool zero = true, counted = true;
    for (uint32_t row = 0; row < linear->in; row++) {
        zero = zero && order[row] == 0;
        counted = counted && order[row] == (int32_t)(row / linear->group_size);
    }
    return zero || counted;
}

int gptq_read_order(struct backend_linear *linear, const struct safetensors *set,
                    const char *prefix, int32_t **order, struct error *error)
{
    *order = NULL;
    if (tensor_expect_finite(find_part(set, prefix, ".scales"), error) != 0)
        return -1;
    const struct tensor_view *view = find_part(set, prefix, ".g_idx");
    linear->g_idx = NULL;
    if (view == NULL)
        return 0;
    /* A copy: what was checked is what is used, even if the file changes under the mapping. */
    int32_t *copy = xmalloc(view->bytes);
    memcpy(copy, view->data, view->bytes);
    bool plain = rows_in_order(copy, linear);
    if (plain || check_order(view, copy, linear, error) != 0) {
        free(copy);
        return plain ? 0 : -1;
    }
    linear->g_idx = *order = copy;
    return 0;
}

static bool is_qweight(const struct tensor_view *view, size_t *prefix_length)
{
    size_t length = strlen(view->name), tail = strlen(QWEIGHT);
    *prefix_length = length > tail ? length - tail : 0;
    return length > tail && strcmp(view->name + length - tail, QWEIGHT) == 0;
}

/* in = 8 * rows of qweight, so group_size = in / rows of scales. */
static int infer_from(struct quant_config *quant, const struct tensor_view *qweight,
                      const struct tensor_view *scales, struct error *error)
{
    if (scales == NULL || scales->rank != 2 || qweight->rank != 2)
        return tensor_error(qweight, "no scales [groups, out] beside it", error);
    uint64_t in = qweight->shape[0] < UINT32_MAX / 8 ? qweight->shape[0] * 8 : 0;
    uint64_t groups = scales->shape[0];
    if (groups == 0 || in == 0 || in % groups != 0 || in / groups % 8 != 0)
        return tensor_error(scales,
                            "its shape implies no group_size; quantize_config.json is "
                            "missing",
                            error);
    *quant = (struct quant_config){.kind = QUANT_GPTQ, .bits = 4, .zero_offset = 1};
    quant->group_size = groups == 1 ? 0 : (uint32_t)(in / groups);
    return 0;
}

int gptq_infer(struct quant_config *quant, const struct safetensors *set, struct error *error)
{
    if (quant->kind != QUANT_NONE)
        return 0;
    for (size_t i = 0; i < safetensors_count(set); i++) {
        const struct tensor_view *view = safetensors_at(set, i);
        size_t length;
        if (!is_qweight(view, &length))
            continue;
        char *prefix = xstrndup(view->name, length);
        int result = infer_from(quant, view, find_part(set, prefix, ".scales"), error);
        quant->desc_act = find_part(set, prefix, ".g_idx") != NULL;
        free(prefix);
        return result;
    }
    return 0;
}
