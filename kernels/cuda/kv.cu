/*
 * kv.cu - the copy of a page's first positions. Keeping a page elsewhere needs no kernel: a layer's
 * page is page_bytes contiguous bytes.
 */
#include "kernels/cuda/kv.cuh"

#include "kernels/cuda/launch.cuh"

struct copy_part {
    size_t offset, bytes; /* from the first byte of a head */
};

/* Rows of keys and values are multiples of 16 bytes, a row's scales of 4. */
DEVICE void copy_part_of_head(uint8_t *to, const uint8_t *from, const struct copy_part &part)
{
    const size_t wide = part.bytes / 16 * 16;
    for (size_t at = threadIdx.x * 16; at < wide; at += (size_t)blockDim.x * 16)
        *(uint4 *)(to + part.offset + at) = *(const uint4 *)(from + part.offset + at);
    for (size_t at = wide + threadIdx.x * 4; at < part.bytes; at += (size_t)blockDim.x * 4)
        *(uint32_t *)(to + part.offset + at) = *(const uint32_t *)(from + part.offset + at);
}

/* Blocks: the four parts of a head, heads. */
__global__ void __launch_bounds__(128)
    copy_page(struct gpu_kv kv, uint8_t *data, uint32_t from, uint32_t to, uint32_t tokens)
{
    const size_t scale_bytes = kv.head_bytes / (2 * kv.page_tokens) - kv.row_bytes; /* of a row */
    const size_t head = blockIdx.y * kv.head_bytes, rows = kv.page_tokens * kv.row_bytes;
    struct copy_part part;
    if (blockIdx.x < 2) {
        part.offset = blockIdx.x * rows;
        part.bytes = tokens * kv.row_bytes;
    } else {
        part.offset = 2 * rows + (blockIdx.x - 2) * kv.page_tokens * scale_bytes;
        part.bytes = tokens * scale_bytes;
    }
    copy_part_of_head(data + to * kv.page_bytes + head, data + from * kv.page_bytes + head, part);
}

extern "C" cudaError_t gpu_kv_copy(const struct gpu_kv *kv, void *data, uint32_t from, uint32_t to,
                                   uint32_t tokens, cudaStream_t stream)
{
    if (from >= kv->pages || to >= kv->pages || tokens > kv->page_tokens)
        return cudaErrorInvalidValue;
    if (from == to || tokens == 0)
        return cudaSuccess;
    return launch(copy_page, dim3(4, kv->kv_heads), dim3(128), 0, stream, false, *kv,
                  (uint8_t *)data, from, to, tokens);
}
