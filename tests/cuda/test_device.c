/*
 * Tests of device.cuh: matrices, lanes, numbers and copies against plain loops. On a GPU they test
 * the instructions, on the host their twins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "device_kernels.h"
#include "device_memory.h"
#include "kernels/cpu/half.h"

static uint32_t next_word(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

/* Multiples of 1/16 up to 4: products and their sums are exact whatever the order. */
static void random_halves(uint16_t *out, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        out[i] = f16_of_f32((float)((int)(next_word(&seed) % 129) - 64) / 16);
}

typedef cudaError_t (*run_product)(float *, const uint16_t *, const uint16_t *, cudaStream_t);

static void check_product(run_product run)
{
    uint16_t a[256], b[128];
    float c[128], got[128];
    random_halves(a, 256, 1);
    random_halves(b, 128, 2);
    for (int i = 0; i < 128; i++)
        c[i] = (float)i - 60;
    void *da = device_copy(a, sizeof a), *db = device_copy(b, sizeof b),
         *dc = device_copy(c, sizeof c);
    cuda_ok(run(dc, da, db, 0));
    device_read(got, dc, sizeof got);
    for (int m = 0; m < 16; m++)
        for (int n = 0; n < 8; n++) {
            float sum = c[m * 8 + n];
            for (int k = 0; k < 16; k++)
                sum += f32_of_f16(a[m * 16 + k]) * f32_of_f16(b[k * 8 + n]);
            assert_float_equal(got[m * 8 + n], sum, 0);
        }
    device_free(da);
    device_free(db);
    device_free(dc);
}

static void mma_is_a_product(void **state)
{
    (void)state;
    check_product(run_mma);
}

static void ldmatrix_loads_the_fragments(void **state)
{
    (void)state;
    check_product(run_mma_ldmatrix);
}

static void lanes_exchange(void **state)
{
    (void)state;
    uint32_t in[32], out[192], ballot = 0;
    uint64_t seed = 3;
    float sum = 0, max = 0;
    for (uint32_t i = 0; i < 32; i++) {
        in[i] = next_word(&seed) % 1000;
        sum += (float)in[i];
        max = fmaxf(max, (float)in[i]);
        ballot |= (in[i] & 1) << i;
    }
    void *din = device_copy(in, sizeof in), *dout = device_copy(NULL, sizeof out);
    cuda_ok(run_lanes(dout, din, 0));
    device_read(out, dout, sizeof out);
    for (uint32_t l = 0; l < 32; l++) {
        assert_int_equal(out[l], in[(3 * l + 1) % 32]);
        assert_int_equal(out[32 + l], in[l ^ 5]);
        assert_int_equal(out[64 + l], in[l + 7 < 32 ? l + 7 : l]);
        assert_float_equal(float_of_bits(out[96 + l]), sum, 0);
        assert_float_equal(float_of_bits(out[128 + l]), max, 0);
        assert_int_equal(out[160 + l], ballot);
    }
    device_free(din);
    device_free(dout);
}

/* --- numbers ---------------------------------------------------------------------------------- */

enum { PAIRS = 4000 };

/* A half that says the same as `exact` or, where rounding decides, one of the two beside it. */
static void expect_half(uint32_t got, double exact, const char *what, uint32_t i)
{
    float value = f32_of_f16((uint16_t)got);
    if (isnan(exact)) {
        if (!isnan(value))
            fail_msg("%s %u: %g, and NaN was expected", what, i, (double)value);
        return;
    }
    uint16_t wanted = f16_of_f32((float)exact);
    if (fabs(exact) < 65520 && fabs(exact) > 0) { /* the nearest half, by trying both neighbours */
        double best = fabs((double)f32_of_f16(wanted) - exact);
        for (int step = -1; step <= 1; step += 2) {
            uint16_t other = (uint16_t)(wanted + step);
            double distance = fabs((double)f32_of_f16(other) - exact);
            if (distance < best || (distance == best && other % 2 == 0 && wanted % 2 == 1))
                best = distance, wanted = other;
        }
    }
    if ((double)value != (double)f32_of_f16(wanted))
        fail_msg("%s %u: %a, and %a was expected", what, i, (double)value,
                 (double)f32_of_f16(wanted));
}

static void check_pair(const uint32_t *got, uint32_t a, uint32_t b, uint32_t c, uint32_t i)
{
    for (uint32_t shift = 0; shift <= 16; shift += 16) {
        double x = (double)f32_of_f16((uint16_t)(a >> shift));
        double y = (double)f32_of_f16((uint16_t)(b >> shift));
        double z = (double)f32_of_f16((uint16_t)(c >> shift));
        expect_half(got[0] >> shift & 0xFFFF, x + y, "half2_add", i);
        expect_half(got[1] >> shift & 0xFFFF, x - y, "half2_sub", i);
        expect_half(got[2] >> shift & 0xFFFF, x * y, "half2_mul", i);
        expect_half(got[3] >> shift & 0xFFFF, fma(x, y, z), "half2_fma", i);
    }
    assert_int_equal(got[4], (a & b) | c);
    uint8_t bytes[8], permuted[4];
    memcpy(bytes, &a, 4);
    memcpy(bytes + 4, &b, 4);
    memcpy(permuted, &got[5], 4);
    static const int selected[4] = {5, 1, 7, 2};
    for (int k = 0; k < 4; k++)
        assert_int_equal(permuted[k], bytes[selected[k]]);
    expect_half(got[6] & 0xFFFF, (double)float_of_bits(a), "half2_pack low", i);
    expect_half(got[6] >> 16, (double)float_of_bits(b), "half2_pack high", i);
    expect_half(got[7], (double)float_of_bits(a), "half_from_float", i);
}

/* Zeros, subnormals, what rounds up to infinity, infinity, NaN. */
static const uint16_t edges[16] = {0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C00, 0x3C01, 0x4C00,
                                   0x4BFF, 0x7BFF, 0xFBFF, 0x7BFE, 0x7C00, 0xFC00, 0x7E00, 0x1400};

/* Pairs of every size; every fourth a float of about 1; then all pairs of edges. */
static void numbers_are_rounded_once(void **state)
{
    (void)state;
    static uint32_t a[PAIRS], b[PAIRS], c[PAIRS], got[PAIRS * 8];
    uint64_t seed = 4;
    for (uint32_t i = 0; i < PAIRS; i++) {
        a[i] = i % 4 ? next_word(&seed) : bits_of_float((float)next_word(&seed) * 0x1p-31f);
        b[i] = i % 4 ? next_word(&seed) : bits_of_float((float)next_word(&seed) * -0x1p-46f);
        c[i] = next_word(&seed);
    }
    for (uint32_t i = 0; i < 256; i++) {
        a[i] = (uint32_t)edges[i / 16] << 16 | edges[i % 16];
        b[i] = (uint32_t)edges[i % 16] << 16 | edges[i / 16];
        c[i] = (uint32_t)edges[i * 7 % 16] << 16 | edges[i * 3 % 16];
    }
    void *da = device_copy(a, sizeof a), *db = device_copy(b, sizeof b);
    void *dc = device_copy(c, sizeof c), *dout = device_copy(NULL, sizeof got);
    cuda_ok(run_pairs(dout, da, db, dc, PAIRS, 0));
    device_read(got, dout, sizeof got);
    for (uint32_t i = 0; i < PAIRS; i++)
        check_pair(got + 8 * i, a[i], b[i], c[i], i);
    device_free(da);
    device_free(db);
    device_free(dc);
    device_free(dout);
}

/* --- copies ----------------------------------------------------------------------------------- */

static void copies_and_tickets_add_up(void **state)
{
    (void)state;
    enum { BLOCKS = 5, WORDS = BLOCKS * 1024 };
    static uint32_t in[WORDS], out[BLOCKS + 1];
    uint64_t seed = 5;
    for (uint32_t i = 0; i < WORDS; i++)
        in[i] = next_word(&seed);
    void *din = device_copy(in, sizeof in), *dout = device_copy(NULL, sizeof out);
    void *ticket = device_copy(NULL, 4);
    static const uint32_t valid[] = {WORDS, WORDS - 4, 3000, 1024, 0};
    for (size_t v = 0; v < sizeof valid / sizeof valid[0]; v++) {
        cuda_ok(run_sums(dout, din, BLOCKS, valid[v], ticket, 0));
        device_read(out, dout, sizeof out);
        uint32_t total = 0;
        for (uint32_t block = 0; block < BLOCKS; block++) {
            uint32_t sum = 0;
            for (uint32_t i = block * 1024; i < block * 1024 + 1024; i++)
                sum += i < valid[v] ? in[i] : 0;
            assert_int_equal(out[block], sum);
            total += sum;
        }
        assert_int_equal(out[BLOCKS], total);
    }
    device_free(din);
    device_free(dout);
    device_free(ticket);
}

/* A chain of dependent launches, directly and as a captured graph. */
static void dependent_launches_follow_each_other(void **state)
{
    (void)state;
    enum { N = 70, STEPS = 5 };
    uint32_t values[N], wanted[N];
    for (uint32_t i = 0; i < N; i++)
        values[i] = wanted[i] = i;
    void *device = device_copy(values, sizeof values);
    cudaStream_t stream;
    cuda_ok(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    cuda_ok(cudaDeviceSynchronize());
    cuda_ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    for (int s = 0; s < STEPS; s++)
        cuda_ok(run_step(device, N, 0, stream));
    cuda_ok(cudaStreamEndCapture(stream, &graph));
    cuda_ok(cudaGraphInstantiateWithFlags(&exec, graph, 0));
    cuda_ok(cudaGraphLaunch(exec, stream));
    for (int s = 0; s < STEPS; s++)
        cuda_ok(run_step(device, N, 0, stream));
    cuda_ok(cudaGraphLaunch(exec, stream));
    cuda_ok(cudaStreamSynchronize(stream));
    for (uint32_t i = 0; i < N; i++)
        for (int s = 0; s < 3 * STEPS; s++)
            wanted[i] = 3 * wanted[i] + 1;
    device_read(values, device, sizeof values);
    assert_memory_equal(values, wanted, sizeof values);
    cuda_ok(cudaGraphExecDestroy(exec));
    cuda_ok(cudaGraphDestroy(graph));
    cuda_ok(cudaStreamDestroy(stream));
    device_free(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mma_is_a_product),
        cmocka_unit_test(ldmatrix_loads_the_fragments),
        cmocka_unit_test(lanes_exchange),
        cmocka_unit_test(numbers_are_rounded_once),
        cmocka_unit_test(copies_and_tickets_add_up),
        cmocka_unit_test(dependent_launches_follow_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
