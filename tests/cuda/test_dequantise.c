/*
 * Tests of dequantise.cu: every weight of a layer, and of some tiles of it, exactly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdint.h>
#include <stdlib.h>

#include "device_memory.h"
#include "kernels/cpu/half.h"
#include "plain_layer.h"

static void check_tiles(const struct plain_layer *layer, uint32_t first, uint32_t end)
{
    uint32_t k = layer->linear.k, rows = (end - first) * GPU_TILE_ROWS;
    size_t bytes = (size_t)rows * k * sizeof(uint16_t);
    uint16_t *matrix = malloc(bytes + 64);
    void *device = device_copy(NULL, bytes + 64);
    cuda_ok(gpu_dequantise(device, &layer->linear, first, end, 0));
    device_read(matrix, device, bytes + 64);
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t i = 0; i < k; i++) {
            double want = plain_weight(layer, first * GPU_TILE_ROWS + row, i);
            assert_true(f32_of_f16(matrix[(size_t)row * k + i]) == want);
        }
    for (uint32_t i = 0; i < 32; i++)
        assert_int_equal(matrix[(size_t)rows * k + i], 0);
    device_free(device);
    free(matrix);
}

static void check_layer(enum gpu_form form, bool has_zeros, uint32_t k, uint32_t out)
{
    const struct plain_options options = {
        .form = form, .in = k, .out = out, .k = k, .has_zeros = has_zeros, .seed = k + out};
    struct plain_layer layer = plain_layer_make(&options);
    check_tiles(&layer, 0, layer.linear.tiles);
    if (layer.linear.tiles > 3)
        check_tiles(&layer, 1, 3);
    plain_layer_free(&layer);
}

static void four_bits_are_widened_exactly(void **state)
{
    (void)state;
    check_layer(GPU_Q4, false, 128, 16);
    check_layer(GPU_Q4, true, 128, 16);
    check_layer(GPU_Q4, false, 384, 100);
    check_layer(GPU_Q4, true, 640, 61);
}

static void halves_are_put_in_rows(void **state)
{
    (void)state;
    check_layer(GPU_F16, false, 128, 16);
    check_layer(GPU_F16, false, 384, 100);
}

static void tiles_beyond_the_layer_are_refused(void **state)
{
    (void)state;
    const struct plain_options options = {.form = GPU_F16, .in = 128, .out = 16, .k = 128};
    struct plain_layer layer = plain_layer_make(&options);
    assert_int_equal(gpu_dequantise(NULL, &layer.linear, 0, 2, 0), cudaErrorInvalidValue);
    cuda_ok(gpu_dequantise(NULL, &layer.linear, 1, 1, 0));
    plain_layer_free(&layer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_bits_are_widened_exactly),
        cmocka_unit_test(halves_are_put_in_rows),
        cmocka_unit_test(tiles_beyond_the_layer_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
