#include "tests/faults/tiny_model.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/strbuf.h"

#define HIDDEN 64
#define FFN    96
#define KEY    32
#define VOCAB  288
#define GROUP  32

static const char config_text[] =
    "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"num_hidden_layers\":2,"
    "\"hidden_size\":64,\"num_attention_heads\":2,\"num_key_value_heads\":1,"
    "\"intermediate_size\":96,\"vocab_size\":288,\"max_position_embeddings\":128,"
    "\"original_max_position_embeddings\":32,\"rms_norm_eps\":1e-5,\"rope_theta\":10000.0,"
    "\"hidden_act\":\"silu\",\"tie_word_embeddings\":false,\"bos_token_id\":1,"
    "\"eos_token_id\":2}";

static const char quantize_text[] =
    "{\"bits\":4,\"group_size\":32,\"desc_act\":true,\"sym\":false,\"damp_percent\":0.01}";

static size_t dtype_bytes(const char *dtype)
{
    return strcmp(dtype, "F16") == 0 || strcmp(dtype, "BF16") == 0 || strcmp(dtype, "I16") == 0 ? 2
           : strcmp(dtype, "I64") == 0 || strcmp(dtype, "F64") == 0                             ? 8
                                                                                                : 4;
}

static void allocate(struct tiny_tensor *tensor)
{
    tensor->bytes = dtype_bytes(tensor->dtype);
    for (int i = 0; i < tensor->rank; i++)
        tensor->bytes *= (size_t)tensor->shape[i];
    free(tensor->data);
    tensor->data = xcalloc(1, tensor->bytes);
}

struct tiny_tensor *tiny_tensor_find(struct tiny_model *model, const char *name)
{
    for (size_t i = 0; i < model->tensor_count; i++) {
        if (strcmp(model->tensors[i].name, name) == 0)
            return &model->tensors[i];
    }
    fprintf(stderr, "the tiny model has no tensor %s\n", name);
    abort();
}

/* cols 0: a vector. */
struct tiny_tensor *tiny_tensor_add(struct tiny_model *model, const char *name, const char *dtype,
                                    int64_t rows, int64_t cols)
{
    struct tiny_tensor *tensor = &model->tensors[model->tensor_count++];
    *tensor = (struct tiny_tensor){.shape = {rows, cols}, .rank = cols ? 2 : 1};
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    snprintf(tensor->dtype, sizeof tensor->dtype, "%s", dtype);
    allocate(tensor);
    return tensor;
}

void tiny_tensor_drop(struct tiny_model *model, const char *name)
{
    struct tiny_tensor *tensor = tiny_tensor_find(model, name);
    free(tensor->data);
    *tensor = model->tensors[--model->tensor_count];
}

void tiny_tensor_reshape(struct tiny_tensor *tensor, const char *shape)
{
    json_t *list = json_loads(shape, 0, NULL);
    tensor->rank = (int)json_array_size(list);
    for (int i = 0; i < tensor->rank; i++)
        tensor->shape[i] = json_integer_value(json_array_get(list, (size_t)i));
    json_decref(list);
    allocate(tensor);
}

void tiny_tensor_retype(struct tiny_tensor *tensor, const char *dtype)
{
    snprintf(tensor->dtype, sizeof tensor->dtype, "%s", dtype);
    allocate(tensor);
}

/* Small f16 values: sign and mantissa at random around 1/64. */
static void fill_f16(struct tiny_tensor *tensor, uint32_t seed)
{
    for (size_t i = 0; i + 1 < tensor->bytes; i += 2) {
        seed = seed * 1664525u + 1013904223u;
        uint16_t half = (uint16_t)(0x2400u | (seed >> 16 & 0x83FFu));
        memcpy(tensor->data + i, &half, 2);
    }
}

static void fill_words(struct tiny_tensor *tensor, uint32_t seed)
{
    for (size_t i = 0; i + 3 < tensor->bytes; i += 4) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t word = seed ^ seed >> 15;
        memcpy(tensor->data + i, &word, 4);
    }
}

static void fill_constant(struct tiny_tensor *tensor, uint16_t half)
{
    for (size_t i = 0; i + 1 < tensor->bytes; i += 2)
        memcpy(tensor->data + i, &half, 2);
}

/* 7 has no factor in common with the sizes, so each group gets its 32 rows. */
static void fill_order(struct tiny_tensor *tensor)
{
    int32_t rows = (int32_t)tensor->shape[0];
    for (int32_t row = 0; row < rows; row++) {
        int32_t group = row * 7 % rows / GROUP;
        memcpy(tensor->data + 4 * row, &group, 4);
    }
}

static void add_linear(struct tiny_model *model, int layer, const char *part, int in, int out)
{
    char name[96];
    uint32_t seed = (uint32_t)(layer * 1000 + in * 7 + out + part[0]);
    int used = snprintf(name, sizeof name, "model.layers.%d.%s", layer, part);
    snprintf(name + used, sizeof name - (size_t)used, ".qweight");
    fill_words(tiny_tensor_add(model, name, "I32", in / 8, out), seed);
    snprintf(name + used, sizeof name - (size_t)used, ".qzeros");
    fill_words(tiny_tensor_add(model, name, "I32", in / GROUP, out / 8), seed + 1);
    snprintf(name + used, sizeof name - (size_t)used, ".scales");
    fill_constant(tiny_tensor_add(model, name, "F16", in / GROUP, out), 0x1C00);
    snprintf(name + used, sizeof name - (size_t)used, ".g_idx");
    fill_order(tiny_tensor_add(model, name, "I32", in, 0));
    snprintf(name + used, sizeof name - (size_t)used, ".bias");
    tiny_tensor_add(model, name, "F16", out, 0); /* zeros, as AutoGPTQ writes them */
}

static void add_layer(struct tiny_model *model, int layer)
{
    char name[96];
    add_linear(model, layer, "self_attn.q_proj", HIDDEN, HIDDEN);
    add_linear(model, layer, "self_attn.k_proj", HIDDEN, KEY);
    add_linear(model, layer, "self_attn.v_proj", HIDDEN, KEY);
    add_linear(model, layer, "self_attn.o_proj", HIDDEN, HIDDEN);
    add_linear(model, layer, "mlp.gate_proj", HIDDEN, FFN);
    add_linear(model, layer, "mlp.up_proj", HIDDEN, FFN);
    add_linear(model, layer, "mlp.down_proj", FFN, HIDDEN);
    snprintf(name, sizeof name, "model.layers.%d.input_layernorm.weight", layer);
    fill_constant(tiny_tensor_add(model, name, "F16", HIDDEN, 0), 0x3C00);
    snprintf(name, sizeof name, "model.layers.%d.post_attention_layernorm.weight", layer);
    fill_constant(tiny_tensor_add(model, name, "F16", HIDDEN, 0), 0x3C00);
}

static void add_piece(struct tiny_model *model, const char *text, float score, int type)
{
    struct tiny_piece *piece = &model->pieces[model->piece_count++];
    *piece = (struct tiny_piece){.score = score, .type = type};
    snprintf(piece->text, sizeof piece->text, "%s", text);
}

/* Control pieces, 256 bytes, merges and letters: 288 in all. */
static void add_pieces(struct tiny_model *model)
{
    char text[16];
    add_piece(model, "<unk>", 0, 2);
    add_piece(model, "<s>", 0, 3);
    add_piece(model, "</s>", 0, 3);
    for (int byte = 0; byte < 256; byte++) {
        snprintf(text, sizeof text, "<0x%02X>", byte);
        add_piece(model, text, 0, 6);
    }
    add_piece(model, "th", -1, 1);
    add_piece(model, "the", -2, 1);
    add_piece(model, "\xE2\x96\x81", -3, 1);
    for (int letter = 'a'; letter <= 'z'; letter++) {
        snprintf(text, sizeof text, "%c", letter);
        add_piece(model, text, (float)('a' - letter - 4), 1);
    }
}

void tiny_model_init(struct tiny_model *model)
{
    *model = (struct tiny_model){.weights_name = "model.safetensors"};
    snprintf(model->directory, sizeof model->directory, "/tmp/airo-test-XXXXXX");
    if (mkdtemp(model->directory) == NULL)
        abort();
    model->config = json_loads(config_text, 0, NULL);
    model->quantize = json_loads(quantize_text, 0, NULL);
    fill_f16(tiny_tensor_add(model, "model.embed_tokens.weight", "F16", VOCAB, HIDDEN), 1);
    fill_f16(tiny_tensor_add(model, "lm_head.weight", "F16", VOCAB, HIDDEN), 2);
    fill_constant(tiny_tensor_add(model, "model.norm.weight", "F16", HIDDEN, 0), 0x3C00);
    add_layer(model, 0);
    add_layer(model, 1);
    add_pieces(model);
}

void tiny_make_dense(struct tiny_model *model, const char *prefix, const char *dtype)
{
    static const char *const parts[] = {"qweight", "qzeros", "scales", "g_idx", "bias"};
    char name[96];
    snprintf(name, sizeof name, "%s.qweight", prefix);
    struct tiny_tensor *packed = tiny_tensor_find(model, name);
    int64_t in = packed->shape[0] * 8, out = packed->shape[1];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(name, sizeof name, "%s.%s", prefix, parts[i]);
        tiny_tensor_drop(model, name);
    }
    snprintf(name, sizeof name, "%s.weight", prefix);
    tiny_tensor_add(model, name, dtype, out, in);
}

char *tiny_file_path(const struct tiny_model *model, const char *name)
{
    return path_join(model->directory, name);
}

void tiny_file_write(const struct tiny_model *model, const char *name, const void *bytes,
                     size_t length)
{
    char *path = tiny_file_path(model, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || (length > 0 && fwrite(bytes, 1, length, file) != length) ||
        fclose(file) != 0)
        abort();
    free(path);
}

void tiny_file_remove(const struct tiny_model *model, const char *name)
{
    char *path = tiny_file_path(model, name);
    unlink(path);
    free(path);
}

/* --- safetensors ------------------------------------------------------------------------------ */

static json_t *header_of(const struct tiny_model *model, size_t first, size_t end)
{
    json_t *header = json_object();
    json_object_set_new(header, "__metadata__", json_pack("{s:s}", "format", "pt"));
    size_t offset = 0;
    for (size_t i = first; i < end; i++) {
        const struct tiny_tensor *tensor = &model->tensors[i];
        json_t *shape = json_array();
        for (int k = 0; k < tensor->rank; k++)
            json_array_append_new(shape, json_integer(tensor->shape[k]));
        json_object_set_new(header, tensor->name,
                            json_pack("{s:s,s:o,s:[I,I]}", "dtype", tensor->dtype, "shape", shape,
                                      "data_offsets", (json_int_t)offset,
                                      (json_int_t)(offset + tensor->bytes)));
        offset += tensor->bytes;
    }
    return header;
}

/* Replaces the first `from`, which must be there. */
static void replace(struct strbuf *text, const char *from, const char *to)
{
    char *at = strstr(text->data, from);
    if (at == NULL) {
        fprintf(stderr, "the header does not contain %s\n", from);
        abort();
    }
    struct strbuf changed = {0};
    strbuf_add(&changed, text->data, (size_t)(at - text->data));
    strbuf_puts(&changed, to);
    strbuf_puts(&changed, at + strlen(from));
    strbuf_free(text);
    *text = changed;
}

static void write_weights(const struct tiny_model *model, const char *name, size_t first,
                          size_t end)
{
    json_t *header = header_of(model, first, end);
    char *dumped = json_dumps(header, JSON_COMPACT);
    struct strbuf text = {0}, file = {0};
    strbuf_puts(&text, dumped);
    if (model->header_from != NULL)
        replace(&text, model->header_from, model->header_to);
    uint64_t length = model->header_length ? model->header_length : text.length;
    for (int i = 0; i < 8; i++)
        strbuf_putc(&file, (char)(length >> (8 * i) & 0xFF));
    strbuf_add(&file, text.data, text.length);
    for (size_t i = first; i < end; i++)
        strbuf_add(&file, model->tensors[i].data, model->tensors[i].bytes);
    if (model->payload_tail != NULL)
        strbuf_puts(&file, model->payload_tail);
    tiny_file_write(model, name, file.data, file.length);
    strbuf_free(&text);
    strbuf_free(&file);
    free(dumped);
    json_decref(header);
}

/* --- tokenizer.model: protobuf, by hand --------------------------------------------------------
 */

static void put_varint(struct strbuf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        strbuf_putc(out, (char)(value | 0x80));
    strbuf_putc(out, (char)value);
}

static void put_bytes(struct strbuf *out, int field, const void *bytes, size_t length)
{
    put_varint(out, (uint64_t)(field << 3 | 2));
    put_varint(out, length);
    strbuf_add(out, bytes, length);
}

static void put_number(struct strbuf *out, int field, uint64_t value)
{
    put_varint(out, (uint64_t)(field << 3));
    put_varint(out, value);
}

static void put_piece(struct strbuf *out, const struct tiny_piece *piece)
{
    struct strbuf inner = {0};
    put_bytes(&inner, 1, piece->text, strlen(piece->text));
    put_varint(&inner, 2 << 3 | 5);
    strbuf_add(&inner, &piece->score, 4);
    put_number(&inner, 3, (uint64_t)piece->type);
    put_bytes(out, 1, inner.data, inner.length);
    strbuf_free(&inner);
}

static void write_tokenizer(const struct tiny_model *model)
{
    struct strbuf file = {0}, trainer = {0}, normalizer = {0};
    for (size_t i = 0; i < model->piece_count; i++)
        put_piece(&file, &model->pieces[i]);
    put_number(&trainer, 3, 2);  /* BPE */
    put_number(&trainer, 35, 1); /* byte_fallback */
    put_bytes(&file, 2, trainer.data, trainer.length);
    put_bytes(&normalizer, 1, "identity", 8);
    if (model->charsmap != NULL)
        put_bytes(&normalizer, 2, model->charsmap, strlen(model->charsmap));
    put_number(&normalizer, 3, 1);
    put_number(&normalizer, 4, 0);
    put_number(&normalizer, 5, 1);
    put_bytes(&file, 3, normalizer.data, normalizer.length);
    tiny_file_write(model, "tokenizer.model", file.data, file.length);
    strbuf_free(&file);
    strbuf_free(&trainer);
    strbuf_free(&normalizer);
}

/* --- the directory -----------------------------------------------------------------------------
 */

static void write_json(const struct tiny_model *model, const char *name, const json_t *value)
{
    if (value == NULL)
        return;
    char *text = json_dumps(value, JSON_INDENT(2));
    tiny_file_write(model, name, text, strlen(text));
    free(text);
}

static void write_rest(const struct tiny_model *model)
{
    write_json(model, "config.json", model->config);
    write_json(model, "quantize_config.json", model->quantize);
    write_tokenizer(model);
}

void tiny_model_write(const struct tiny_model *model)
{
    write_rest(model);
    write_weights(model, model->weights_name, 0, model->tensor_count);
}

void tiny_model_write_shards(const struct tiny_model *model)
{
    size_t half = model->tensor_count / 2;
    json_t *map = json_object();
    for (size_t i = 0; i < model->tensor_count; i++)
        json_object_set_new(map, model->tensors[i].name,
                            json_string(i < half ? "model-00001-of-00002.safetensors"
                                                 : "model-00002-of-00002.safetensors"));
    json_t *index = json_pack("{s:{},s:o}", "metadata", "weight_map", map);
    write_rest(model);
    write_json(model, "model.safetensors.index.json", index);
    write_weights(model, "model-00001-of-00002.safetensors", 0, half);
    write_weights(model, "model-00002-of-00002.safetensors", half, model->tensor_count);
    json_decref(index);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void tiny_model_free(struct tiny_model *model)
{
    nftw(model->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < model->tensor_count; i++)
        free(model->tensors[i].data);
    json_decref(model->config);
    json_decref(model->quantize);
}
