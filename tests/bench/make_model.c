/*
 * make_model.c - writes a Llama-shaped GPTQ model with random weights, for speed tests of whole
 * programs on the shapes of models that are not at hand.
 *
 *     make_model OUT [--layers 4] [--hidden 5120] [--ffn 13824] [--heads 40] [--kv-heads HEADS]
 *                [--vocab 32000] [--group 32] [--sym] [--no-act-order]
 *                [--tokenizer models/vaquita/tokenizer.model]
 *
 * Scales are such that a layer keeps the size of its input, so that activations stay finite. The
 * tensors are walked twice: once for the header, once for the data.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"

struct maker {
    uint32_t layers, hidden, ffn, heads, kv_heads, vocab, group;
    bool symmetric, act_order;
    const char *directory, *tokenizer;
    struct strbuf header;
    uint64_t offset, state;
    FILE *file; /* NULL while the header is made */
};

/* How a tensor's bytes are made. */
enum fill { FILL_RANDOM, FILL_ZEROS, FILL_ORDER, FILL_POSITIVE, FILL_SIGNED, FILL_ONES };

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "make_model: %s: %s\n", what, why);
    exit(1);
}

static uint64_t next_random(struct maker *maker)
{
    maker->state ^= maker->state << 13;
    maker->state ^= maker->state >> 7;
    maker->state ^= maker->state << 17;
    return maker->state;
}

/* f16 bits of a random value between 2^e and 2^(e + 1), 2^e being the power below `size`. */
static uint16_t random_half(struct maker *maker, double size, bool sign)
{
    uint64_t bits = next_random(maker);
    int exponent = (int)floor(log2(size)) + 15;
    exponent = exponent < 1 ? 1 : exponent > 30 ? 30 : exponent;
    return (uint16_t)((unsigned)exponent << 10 | (bits & 1023) | (sign ? bits >> 20 & 0x8000 : 0));
}

static void order_words(struct maker *maker, uint32_t *words, uint32_t in)
{
    for (uint32_t i = 0; i < in; i++)
        words[i] = i / maker->group;
    for (uint32_t i = in - 1; i > 0 && maker->act_order; i--) {
        uint32_t j = (uint32_t)(next_random(maker) % (i + 1)), kept = words[i];
        words[i] = words[j];
        words[j] = kept;
    }
}

static void fill_bytes(struct maker *maker, void *data, size_t bytes, enum fill fill, double size)
{
    uint16_t *halves = data;
    uint32_t *words = data;
    if (fill == FILL_ORDER)
        order_words(maker, words, (uint32_t)(bytes / 4));
    else if (fill == FILL_RANDOM || fill == FILL_ZEROS)
        for (size_t i = 0; i < bytes / 4; i++)
            words[i] = fill == FILL_ZEROS && maker->symmetric
                           ? 0x77777777u
                           : (uint32_t)(next_random(maker) >> 32);
    else
        for (size_t i = 0; i < bytes / 2; i++)
            halves[i] = fill == FILL_ONES ? 0x3C00 : random_half(maker, size, fill == FILL_SIGNED);
}

/* One tensor [rows, cols], or [cols] with rows 0: its line in the header or its data. */
static void tensor(struct maker *maker, const char *name, enum fill fill, uint32_t rows,
                   uint32_t cols, double size)
{
    bool words = fill == FILL_RANDOM || fill == FILL_ZEROS || fill == FILL_ORDER;
    size_t bytes = (size_t)(rows ? rows : 1) * cols * (words ? 4 : 2);
    if (maker->file != NULL) {
        void *data = xmalloc(bytes);
        fill_bytes(maker, data, bytes, fill, size);
        if (fwrite(data, 1, bytes, maker->file) != bytes)
            fail("model.safetensors", strerror(errno));
        free(data);
        return;
    }
    strbuf_printf(&maker->header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                  maker->offset > 0 ? "," : "", name, words ? "I32" : "F16");
    if (rows > 0)
        strbuf_printf(&maker->header, "%u,", rows);
    strbuf_printf(&maker->header, "%u],\"data_offsets\":[%llu,%llu]}", cols,
                  (unsigned long long)maker->offset, (unsigned long long)(maker->offset + bytes));
    maker->offset += bytes;
}

/* g_idx is drawn from the state it is given, so that q, k, v and gate, up can share one. */
static void gptq(struct maker *maker, uint32_t layer, const char *module, uint32_t in, uint32_t out,
                 uint64_t order)
{
    char name[128];
    uint32_t groups = (in + maker->group - 1) / maker->group;
    /* q - zero has a standard deviation of 6.5, or 4.6 when the zero is fixed; a scale is 1.5 times
     * its power of two on average. Half of 1 / sqrt(in) keeps the residual stream from growing. */
    double size = 0.5 / (6.5 * sqrt(in));
    snprintf(name, sizeof name, "model.layers.%u.%s.qweight", layer, module);
    tensor(maker, name, FILL_RANDOM, in / 8, out, 0);
    snprintf(name, sizeof name, "model.layers.%u.%s.qzeros", layer, module);
    tensor(maker, name, FILL_ZEROS, groups, out / 8, 0);
    snprintf(name, sizeof name, "model.layers.%u.%s.scales", layer, module);
    tensor(maker, name, FILL_POSITIVE, groups, out, size);
    uint64_t kept = maker->state;
    maker->state = order * 0x9E3779B97F4A7C15u + 1;
    snprintf(name, sizeof name, "model.layers.%u.%s.g_idx", layer, module);
    tensor(maker, name, FILL_ORDER, 0, in, 0);
    maker->state = kept;
}

static void all_tensors(struct maker *maker)
{
    char name[128];
    uint32_t kv = maker->hidden / maker->heads * maker->kv_heads;
    tensor(maker, "model.embed_tokens.weight", FILL_SIGNED, maker->vocab, maker->hidden, 0.02);
    for (uint32_t layer = 0; layer < maker->layers; layer++) {
        uint64_t order = 4 * (uint64_t)layer + 1;
        snprintf(name, sizeof name, "model.layers.%u.input_layernorm.weight", layer);
        tensor(maker, name, FILL_ONES, 0, maker->hidden, 1);
        gptq(maker, layer, "self_attn.q_proj", maker->hidden, maker->hidden, order);
        gptq(maker, layer, "self_attn.k_proj", maker->hidden, kv, order);
        gptq(maker, layer, "self_attn.v_proj", maker->hidden, kv, order);
        gptq(maker, layer, "self_attn.o_proj", maker->hidden, maker->hidden, order + 1);
        snprintf(name, sizeof name, "model.layers.%u.post_attention_layernorm.weight", layer);
        tensor(maker, name, FILL_ONES, 0, maker->hidden, 1);
        gptq(maker, layer, "mlp.gate_proj", maker->hidden, maker->ffn, order + 2);
        gptq(maker, layer, "mlp.up_proj", maker->hidden, maker->ffn, order + 2);
        gptq(maker, layer, "mlp.down_proj", maker->ffn, maker->hidden, order + 3);
    }
    tensor(maker, "model.norm.weight", FILL_ONES, 0, maker->hidden, 1);
    tensor(maker, "lm_head.weight", FILL_SIGNED, maker->vocab, maker->hidden, 0.02);
}

static FILE *create(const struct maker *maker, const char *name)
{
    char *path = xasprintf("%s/%s", maker->directory, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        fail(path, strerror(errno));
    free(path);
    return file;
}

static void finish(FILE *file, const char *name)
{
    if (fclose(file) != 0)
        fail(name, strerror(errno));
}

static void write_weights(struct maker *maker)
{
    strbuf_printf(&maker->header, "{");
    all_tensors(maker);
    strbuf_printf(&maker->header, "}");
    while (maker->header.length % 8 != 0)
        strbuf_printf(&maker->header, " ");
    maker->file = create(maker, "model.safetensors");
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(maker->header.length >> 8 * i);
    fwrite(length, 1, sizeof length, maker->file);
    fwrite(maker->header.data, 1, maker->header.length, maker->file);
    all_tensors(maker);
    finish(maker->file, "model.safetensors");
    strbuf_free(&maker->header);
}

static void write_config(const struct maker *maker)
{
    FILE *file = create(maker, "config.json");
    fprintf(file,
            "{\n  \"architectures\": [\"LlamaForCausalLM\"],\n  \"model_type\": \"llama\",\n"
            "  \"hidden_size\": %u,\n  \"intermediate_size\": %u,\n  \"num_hidden_layers\": %u,\n"
            "  \"num_attention_heads\": %u,\n  \"num_key_value_heads\": %u,\n"
            "  \"vocab_size\": %u,\n  \"hidden_act\": \"silu\",\n  \"rms_norm_eps\": 1e-05,\n"
            "  \"max_position_embeddings\": 16384,\n"
            "  \"original_max_position_embeddings\": 4096,\n  \"rope_theta\": 10000.0,\n"
            "  \"bos_token_id\": 1,\n  \"eos_token_id\": 2,\n  \"tie_word_embeddings\": false,\n"
            "  \"torch_dtype\": \"float16\"\n}\n",
            maker->hidden, maker->ffn, maker->layers, maker->heads, maker->kv_heads, maker->vocab);
    finish(file, "config.json");
    file = create(maker, "quantize_config.json");
    fprintf(file,
            "{\n  \"bits\": 4,\n  \"group_size\": %u,\n  \"desc_act\": %s,\n  \"sym\": %s\n}\n",
            maker->group, maker->act_order ? "true" : "false", maker->symmetric ? "true" : "false");
    finish(file, "quantize_config.json");
}

static void copy_tokenizer(const struct maker *maker)
{
    char chunk[65536];
    size_t got;
    FILE *from = fopen(maker->tokenizer, "rb");
    if (from == NULL)
        fail(maker->tokenizer, strerror(errno));
    FILE *to = create(maker, "tokenizer.model");
    while ((got = fread(chunk, 1, sizeof chunk, from)) > 0)
        if (fwrite(chunk, 1, got, to) != got)
            fail("tokenizer.model", strerror(errno));
    fclose(from);
    finish(to, "tokenizer.model");
}

static void parse(struct maker *maker, int argc, char **argv)
{
    const struct {
        const char *name;
        uint32_t *value;
    } numbers[] = {{"--layers", &maker->layers},     {"--hidden", &maker->hidden},
                   {"--ffn", &maker->ffn},           {"--heads", &maker->heads},
                   {"--kv-heads", &maker->kv_heads}, {"--vocab", &maker->vocab},
                   {"--group", &maker->group}};
    for (int i = 1; i < argc; i++) {
        size_t found = 0, count = sizeof numbers / sizeof numbers[0];
        while (found < count && strcmp(argv[i], numbers[found].name) != 0)
            found++;
        if (strcmp(argv[i], "--sym") == 0)
            maker->symmetric = true;
        else if (strcmp(argv[i], "--no-act-order") == 0)
            maker->act_order = false;
        else if (strcmp(argv[i], "--tokenizer") == 0 && i + 1 < argc)
            maker->tokenizer = argv[++i];
        else if (found < count && i + 1 < argc)
            *numbers[found].value = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (argv[i][0] != '-' && maker->directory == NULL)
            maker->directory = argv[i];
        else
            fail(argv[i], "unknown option, or its value is missing");
    }
}

int main(int argc, char **argv)
{
    struct maker maker = {.layers = 4,
                          .hidden = 5120,
                          .ffn = 13824,
                          .heads = 40,
                          .vocab = 32000,
                          .group = 32,
                          .act_order = true,
                          .tokenizer = "models/vaquita/tokenizer.model",
                          .state = 0x853C49E6748FEA9Bu};
    parse(&maker, argc, argv);
    if (maker.kv_heads == 0)
        maker.kv_heads = maker.heads;
    if (maker.directory == NULL)
        fail("OUT", "no directory given");
    if (maker.layers == 0 || maker.group == 0 || maker.heads == 0 || maker.vocab == 0 ||
        maker.hidden % maker.heads != 0 || maker.hidden % 8 != 0 || maker.ffn == 0 ||
        maker.ffn % 8 != 0 || maker.heads % maker.kv_heads != 0 ||
        maker.hidden / maker.heads * maker.kv_heads % 8 != 0)
        fail("sizes", "heads must divide hidden, hidden and ffn must be multiples of 8");
    if (mkdir(maker.directory, 0755) != 0 && errno != EEXIST)
        fail(maker.directory, strerror(errno));
    copy_tokenizer(&maker);
    write_config(&maker);
    write_weights(&maker);
    return 0;
}
