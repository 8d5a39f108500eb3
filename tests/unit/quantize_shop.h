/*
 * quantize_shop.h - a tiny model in floating point, a calibration text and a place for what comes
 * out, for tests of quantisation. The caller opens and closes a shop; all else is its own.
 */
#ifndef AIRO_TESTS_UNIT_QUANTIZE_SHOP_H
#define AIRO_TESTS_UNIT_QUANTIZE_SHOP_H

#include "engine/quant/quantize.h"
#include "tests/faults/tiny_model.h"

#define LINEARS 14 /* of the tiny model's two layers */

struct workshop {
    struct tiny_model model;
    char scratch[64];
    char *text, *out;
    struct quantize_options options;
    double error[LINEARS], rounding[LINEARS];
    char names[LINEARS][96];
    int results;
    int calls, stop_after; /* progress calls; 0: never stops */
};

uint32_t shop_number(uint32_t *seed);
/* `dtype` "F16", "BF16" or "F32"; the model is not written yet. */
void shop_open(struct workshop *shop, const char *dtype);
void shop_close(struct workshop *shop);
void shop_remove_tree(const char *path);
void shop_write_text(const char *path, size_t words);
/* Quantises; fails the test where that fails. */
struct quantize_report shop_run(struct workshop *shop);
/* Nothing stands in the scratch directory but the text. */
void shop_expect_nothing_left(const struct workshop *shop);
/* The tensors of both directories are equal. */
void shop_expect_equal_sets(const char *one, const char *other);

#endif
