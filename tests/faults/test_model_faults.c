/*
 * Broken model directories: each row makes one thing wrong in a good model, and loading it must
 * give a one-line error that names the file and the field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/strbuf.h"
#include "engine/model/model.h"
#include "tests/faults/tiny_model.h"

enum edit {
    EDIT_CONFIG,   /* config.json: key `what` = JSON `value`, NULL deletes it */
    EDIT_QUANTIZE, /* quantize_config.json: the same */
    EDIT_HEADER,   /* the weights' header: text `what` becomes `value` */
    EDIT_SHAPE,    /* tensor `what`: shape `value`, data to match */
    EDIT_DTYPE,    /* tensor `what`: dtype `value`, data to match */
    EDIT_DROP,     /* tensor `what` is left out */
    EDIT_INT,      /* tensor `what`, first element = int32 `value` */
    EDIT_HALF,     /* tensor `what`, second element = f16 bits `value` */
    EDIT_LENGTH,   /* the header's length word = `value` */
    EDIT_TAIL,     /* `value` after the last tensor */
    EDIT_PIECE,    /* tokenizer piece number `what` is spelled `value` */
    EDIT_CHARSMAP, /* the normaliser's charsmap = `value` */
    EDIT_FILE,     /* file `what` = `value`; NULL removes it */
    EDIT_CUT,      /* file `what` cut to `value` bytes, or by that many where negative */
    EDIT_SHARDS,   /* sharded; then file `what` = `value`, or the index with it replaced */
    EDIT_CALL,     /* `call` does it */
};

struct fault {
    const char *name;
    enum edit edit;
    const char *what, *value;
    const char *expect[3];
    void (*call)(struct tiny_model *model);
};

/* clang-format off */
#define ROW(name, edit, what, value, ...) {name, edit, what, value, {__VA_ARGS__}, NULL}
#define CALL(name, call, ...) {name, EDIT_CALL, NULL, NULL, {__VA_ARGS__}, call}
#define CONFIG(name, key, value, ...) \
    ROW(name, EDIT_CONFIG, key, value, "config.json", __VA_ARGS__)
#define QUANTIZE(name, key, value, ...) \
    ROW(name, EDIT_QUANTIZE, key, value, "quantize_config.json", __VA_ARGS__)
#define WEIGHTS(name, edit, what, value, ...) \
    ROW(name, edit, what, value, "model.safetensors", __VA_ARGS__)
#define TOKENIZER(name, edit, what, value, ...) \
    ROW(name, edit, what, value, "tokenizer.model", __VA_ARGS__)
/* clang-format on */
#define INDEX "model.safetensors.index.json"
#define Q0    "model.layers.0.self_attn.q_proj"
#define DOWN1 "model.layers.1.mlp.down_proj"

static void set_tokenizer(struct tiny_model *model, const void *bytes, size_t length)
{
    tiny_model_write(model);
    tiny_file_write(model, "tokenizer.model", bytes, length);
}

static void varint_of_eleven(struct tiny_model *model)
{
    set_tokenizer(model, "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 12);
}

static void piece_beyond_file(struct tiny_model *model)
{
    set_tokenizer(model, "\x0A\xFF\xFF\xFF\xFF\x0F<unk>", 11);
}

static void piece_of_huge_length(struct tiny_model *model)
{
    set_tokenizer(model, "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01<unk>", 16);
}

static void unknown_wire_type(struct tiny_model *model)
{
    set_tokenizer(model, "\x0F\x01\x02", 3);
}

static void score_nan(struct tiny_model *model)
{
    model->pieces[270].score = (float)strtod("nan", NULL);
}

static void score_infinite(struct tiny_model *model)
{
    model->pieces[270].score = (float)strtod("inf", NULL);
}

static void byte_piece_missing(struct tiny_model *model)
{
    model->pieces[3 + 0x41] = (struct tiny_piece){.text = "qq", .score = -90, .type = 1};
}

static void more_pieces_than_rows(struct tiny_model *model)
{
    for (int i = 0; i < 16; i++) {
        struct tiny_piece *piece = &model->pieces[model->piece_count++];
        *piece = (struct tiny_piece){.score = -50, .type = 1};
        snprintf(piece->text, sizeof piece->text, "zz%c", 'a' + i);
    }
}

static void no_pieces(struct tiny_model *model)
{
    model->piece_count = 0;
}

static void unknown_piece_type(struct tiny_model *model)
{
    model->pieces[270].type = 77;
}

static void g_idx_uneven(struct tiny_model *model)
{
    struct tiny_tensor *order = tiny_tensor_find(model, Q0 ".g_idx");
    int32_t group = 1;
    for (int row = 0; row < 40; row++)
        memcpy(order->data + 4 * row, &group, 4);
}

static void three_layers_in_file(struct tiny_model *model)
{
    tiny_tensor_add(model, "model.layers.2.input_layernorm.weight", "F16", 64, 0);
}

static void bias_promised(struct tiny_model *model)
{
    json_object_set_new(model->config, "mlp_bias", json_true());
    tiny_tensor_drop(model, DOWN1 ".bias");
}

static void dense_beside_packed(struct tiny_model *model)
{
    tiny_tensor_add(model, Q0 ".weight", "F16", 64, 64);
}

static void dense_wrong_shape(struct tiny_model *model)
{
    tiny_make_dense(model, DOWN1, "F16");
    tiny_tensor_reshape(tiny_tensor_find(model, DOWN1 ".weight"), "[96, 64]");
}

static void dense_wrong_dtype(struct tiny_model *model)
{
    tiny_make_dense(model, DOWN1, "F64");
}

static void no_settings_no_group(struct tiny_model *model)
{
    json_decref(model->quantize);
    model->quantize = NULL;
    tiny_tensor_reshape(tiny_tensor_find(model, "model.layers.0.mlp.down_proj.scales"), "[7, 64]");
}

static void two_weight_files(struct tiny_model *model)
{
    snprintf(model->weights_name, sizeof model->weights_name, "a.safetensors");
    tiny_model_write(model);
    tiny_file_write(model, "b.safetensors", "x", 1);
}

/* The file is sparse: it takes no room. */
static void huge_header(struct tiny_model *model)
{
    model->header_length = 100000001;
    tiny_model_write(model);
    char *path = tiny_file_path(model, "model.safetensors");
    assert_int_equal(truncate(path, 200000000), 0);
    free(path);
}

static void no_settings_no_scales(struct tiny_model *model)
{
    json_decref(model->quantize);
    model->quantize = NULL;
    tiny_tensor_drop(model, "model.layers.0.mlp.down_proj.scales");
}

static void other_class(struct tiny_model *model)
{
    json_object_del(model->config, "model_type");
    json_object_set_new(model->config, "architectures", json_pack("[s]", "GPT2LMHeadModel"));
}

static void no_tensors(struct tiny_model *model)
{
    tiny_model_write(model);
    tiny_file_write(model, "model.safetensors", "\x02\0\0\0\0\0\0\0{}", 10);
}

/* One empty tensor in each of 513 files. */
static void many_shards(struct tiny_model *model)
{
    json_t *map = json_object();
    tiny_model_write(model);
    tiny_file_remove(model, "model.safetensors");
    for (int i = 0; i < 513; i++) {
        char name[32], text[128] = "";
        snprintf(name, sizeof name, "s%d.safetensors", i);
        int length =
            snprintf(text + 8, sizeof text - 8,
                     "{\"t%03d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", i);
        text[0] = (char)length;
        tiny_file_write(model, name, text, (size_t)length + 8);
        snprintf(text, sizeof text, "t%03d", i);
        json_object_set_new(map, text, json_string(name));
    }
    json_t *index = json_pack("{s:o}", "weight_map", map);
    char *dumped = json_dumps(index, 0);
    tiny_file_write(model, INDEX, dumped, strlen(dumped));
    free(dumped);
    json_decref(index);
}

static void make_pipe(struct tiny_model *model, const char *name)
{
    char *path = tiny_file_path(model, name);
    tiny_file_remove(model, name);
    assert_int_equal(mkfifo(path, 0600), 0);
    free(path);
}

static void config_is_pipe(struct tiny_model *model)
{
    tiny_model_write(model);
    make_pipe(model, "config.json");
}

static void weights_are_pipe(struct tiny_model *model)
{
    tiny_model_write(model);
    make_pipe(model, "model.safetensors");
    make_pipe(model, "odd.safetensors.index.json");
}

static void only_a_bin(struct tiny_model *model)
{
    tiny_model_write(model);
    tiny_file_remove(model, "model.safetensors");
    tiny_file_write(model, "pytorch_model.bin", "x", 1);
}

static void deep_header(struct tiny_model *model)
{
    struct strbuf text = {0};
    tiny_model_write(model);
    strbuf_add(&text, "\x90\x01\0\0\0\0\0\0{\"a\":", 13);
    for (int i = 0; i < 395; i++)
        strbuf_putc(&text, '[');
    tiny_file_write(model, "model.safetensors", text.data, text.length);
    strbuf_free(&text);
}

static void index_name_hidden(struct tiny_model *model)
{
    static const char hidden[] = "{\"weight_map\":{\"a\":\"..safetensors\"}}";
    tiny_model_write(model);
    tiny_file_remove(model, "model.safetensors");
    tiny_file_write(model, INDEX, hidden, strlen(hidden));
}

static const struct fault faults[] = {
    /* config.json */
    ROW("config missing", EDIT_FILE, "config.json", NULL, "config.json", "no such file"),
    CALL("config a pipe", config_is_pipe, "config.json", "regular"),
    CALL("weights a pipe", weights_are_pipe, "no *.safetensors"),
    ROW("config empty", EDIT_FILE, "config.json", "", "config.json", "line"),
    ROW("config not JSON", EDIT_FILE, "config.json", "{\"a\":", "config.json", "line"),
    ROW("config a list", EDIT_FILE, "config.json", "[1]", "config.json", "object"),
    ROW("config duplicate key", EDIT_FILE, "config.json", "{\"hidden_size\":1,\"hidden_size\":2}",
        "config.json", "duplicate", "hidden_size"),
    ROW("config NaN", EDIT_FILE, "config.json", "{\"rope_theta\": NaN}", "config.json", "NaN"),
    ROW("config infinite", EDIT_FILE, "config.json", "{\"rope_theta\": 1e999}", "config.json",
        "overflow"),
    ROW("config not UTF-8", EDIT_FILE, "config.json", "{\"a\":\"\xFF\"}", "config.json"),
    CONFIG("other architecture", "model_type", "\"gpt2\"", "model_type", "gpt2"),
    CONFIG("model_type a number", "model_type", "7", "model_type", "string"),
    CONFIG("model_type with newline", "model_type", "\"a\\nb\"", "model_type"),
    CALL("other architecture by class", other_class, "config.json", "architectures"),
    CONFIG("other activation", "hidden_act", "\"gelu\"", "hidden_act", "gelu"),
    CONFIG("partial rotary", "partial_rotary_factor", "0.5", "partial_rotary_factor"),
    CONFIG("layers missing", "num_hidden_layers", NULL, "num_hidden_layers", "missing"),
    CONFIG("layers null", "num_hidden_layers", "null", "num_hidden_layers", "missing"),
    CONFIG("layers 0", "num_hidden_layers", "0", "num_hidden_layers is 0"),
    CONFIG("layers -1", "num_hidden_layers", "-1", "num_hidden_layers is -1"),
    CONFIG("layers 513", "num_hidden_layers", "513", "num_hidden_layers is 513", "512"),
    CONFIG("layers a string", "num_hidden_layers", "\"2\"", "num_hidden_layers is \"2\""),
    CONFIG("layers a fraction", "num_hidden_layers", "2.0", "num_hidden_layers is 2.0"),
    CONFIG("layers true", "num_hidden_layers", "true", "num_hidden_layers is true"),
    CONFIG("layers 1 of 2", "num_hidden_layers", "1", "num_hidden_layers", "model.layers.1"),
    CONFIG("hidden missing", "hidden_size", NULL, "hidden_size is missing"),
    CONFIG("hidden 0", "hidden_size", "0", "hidden_size is 0"),
    CONFIG("hidden 2^32 + 64", "hidden_size", "4294967360", "hidden_size is 4294967360"),
    CONFIG("hidden huge", "hidden_size", "1000000000", "hidden_size is 1000000000"),
    CONFIG("heads missing", "num_attention_heads", NULL, "num_attention_heads is missing"),
    CONFIG("heads 0", "num_attention_heads", "0", "num_attention_heads is 0"),
    CONFIG("heads do not divide", "num_attention_heads", "3", "num_attention_heads 3", "64"),
    CONFIG("heads leave an odd head", "num_attention_heads", "64", "head_dim"),
    CONFIG("key heads 0", "num_key_value_heads", "0", "num_key_value_heads is 0"),
    CONFIG("key heads do not divide", "num_key_value_heads", "3", "num_key_value_heads 3"),
    CONFIG("head_dim odd", "head_dim", "33", "head_dim", "33"),
    CONFIG("head_dim negative", "head_dim", "-32", "head_dim is -32"),
    ROW("ffn not of 8", EDIT_CONFIG, "intermediate_size", "100", "gate_proj.qweight",
        "multiples of 8"),
    CONFIG("ffn huge", "intermediate_size", "99999999", "intermediate_size is 99999999"),
    CONFIG("vocab 0", "vocab_size", "0", "vocab_size is 0"),
    CONFIG("vocab huge", "vocab_size", "2000000000", "vocab_size is 2000000000"),
    CONFIG("positions 0", "max_position_embeddings", "0", "max_position_embeddings is 0"),
    CONFIG("positions below original", "max_position_embeddings", "16",
           "max_position_embeddings is 16", "original_max_position_embeddings 32"),
    CONFIG("original negative", "original_max_position_embeddings", "-1",
           "original_max_position_embeddings is -1"),
    CONFIG("eps 0", "rms_norm_eps", "0", "rms_norm_eps is 0"),
    CONFIG("eps negative", "rms_norm_eps", "-1e-5", "rms_norm_eps is -1"),
    CONFIG("eps a string", "rms_norm_eps", "\"nan\"", "rms_norm_eps is \"nan\""),
    CONFIG("theta 0", "rope_theta", "0", "rope_theta is 0"),
    CONFIG("theta huge", "rope_theta", "1e300", "rope_theta is 1"),
    CONFIG("tied a number", "tie_word_embeddings", "1", "tie_word_embeddings is 1"),
    CONFIG("bos beyond vocab", "bos_token_id", "288", "bos_token_id is 288"),
    CONFIG("eos list of strings", "eos_token_id", "[\"2\"]", "eos_token_id"),
    CONFIG("scaling a string", "rope_scaling", "\"linear\"", "rope_scaling is \"linear\""),
    CONFIG("scaling without type", "rope_scaling", "{\"factor\":2}", "rope_scaling", "type"),
    CONFIG("scaling unknown", "rope_scaling", "{\"type\":\"longrope\",\"factor\":2}", "longrope"),
    CONFIG("scaling without factor", "rope_scaling", "{\"type\":\"linear\"}", "factor is missing"),
    CONFIG("scaling factor 0", "rope_scaling", "{\"type\":\"linear\",\"factor\":0}", "factor is 0"),
    CONFIG("scaling factor negative", "rope_scaling", "{\"type\":\"yarn\",\"factor\":-4}",
           "factor is -4"),
    CONFIG("scaling factor huge", "rope_scaling", "{\"type\":\"dynamic\",\"factor\":1e30}",
           "factor is 1"),
    CONFIG("yarn truncate a string", "rope_scaling",
           "{\"type\":\"yarn\",\"factor\":4,\"truncate\":\"no\"}", "truncate is \"no\""),
    CONFIG("yarn not truncated", "rope_scaling",
           "{\"type\":\"yarn\",\"factor\":4,\"truncate\":false}", "truncate is false"),
    CONFIG("yarn with mscale", "rope_scaling", "{\"type\":\"yarn\",\"factor\":4,\"mscale\":1}",
           "mscale"),
    CONFIG("yarn betas reversed", "rope_scaling",
           "{\"type\":\"yarn\",\"factor\":4,\"beta_fast\":1,\"beta_slow\":32}", "beta_fast"),
    CONFIG("llama3 factors reversed", "rope_scaling",
           "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4}",
           "high_freq_factor"),
    /* quantize_config.json */
    ROW("quantize not JSON", EDIT_FILE, "quantize_config.json", "bits: 4", "quantize_config.json",
        "line 1"),
    QUANTIZE("bits 3", "bits", "3", "bits is 3"),
    QUANTIZE("bits 8", "bits", "8", "bits is 8"),
    QUANTIZE("bits missing", "bits", NULL, "bits is missing"),
    QUANTIZE("bits a string", "bits", "\"4\"", "bits is \"4\""),
    QUANTIZE("group 0", "group_size", "0", "group_size is 0"),
    QUANTIZE("group -2", "group_size", "-2", "group_size is -2"),
    QUANTIZE("group odd", "group_size", "33", "group_size is 33"),
    QUANTIZE("group huge", "group_size", "8589934592", "group_size is 8589934592"),
    QUANTIZE("group missing", "group_size", NULL, "group_size is missing"),
    QUANTIZE("desc_act a string", "desc_act", "\"yes\"", "desc_act is \"yes\""),
    QUANTIZE("other method", "quant_method", "\"awq\"", "quant_method is \"awq\""),
    QUANTIZE("other format", "checkpoint_format", "\"marlin\"", "checkpoint_format"),
    QUANTIZE("marlin", "is_marlin_format", "true", "is_marlin_format"),
    ROW("group does not match", EDIT_QUANTIZE, "group_size", "64", "model.safetensors", "qzeros",
        "[2, 8]"),
    ROW("group of the whole column", EDIT_QUANTIZE, "group_size", "-1", "model.safetensors",
        "qzeros", "[1, 8]"),
    CONFIG("two settings disagree", "quantization_config", "{\"bits\":4,\"group_size\":64}",
           "group_size is 32", "64"),
    CONFIG("embedded settings wrong", "quantization_config", "{\"bits\":2,\"group_size\":64}",
           "quantization_config: bits is 2"),
    CONFIG("embedded settings a string", "quantization_config", "\"gptq\"",
           "quantization_config is \"gptq\""),
    CALL("no settings, no group", no_settings_no_group, "model.safetensors", "scales",
         "group_size"),
    /* the safetensors file */
    ROW("weights missing", EDIT_FILE, "model.safetensors", NULL, "no *.safetensors"),
    CALL("two weight files", two_weight_files, "2 *.safetensors", INDEX),
    CALL("only a .bin", only_a_bin, "no *.safetensors", ".bin"),
    CALL("no settings, no scales", no_settings_no_scales, "qweight", "no scales"),
    CALL("no tensors", no_tensors, "model.safetensors", "names no tensors"),
    CALL("too many shards", many_shards, INDEX, "more than 512 files"),
    WEIGHTS("empty file", EDIT_FILE, "model.safetensors", "", "too short"),
    WEIGHTS("file of 7 bytes", EDIT_FILE, "model.safetensors", "1234567", "too short"),
    WEIGHTS("a text file", EDIT_FILE, "model.safetensors", "this is not a model", "header length"),
    WEIGHTS("header length 0", EDIT_LENGTH, NULL, "0", "'{'"),
    WEIGHTS("header length 1", EDIT_LENGTH, NULL, "1", "'{'"),
    WEIGHTS("header length short", EDIT_LENGTH, NULL, "100", "header", "line 1"),
    WEIGHTS("header length long", EDIT_LENGTH, NULL, "90000", "header", "line 1"),
    WEIGHTS("header length beyond file", EDIT_LENGTH, NULL, "99999999", "header length 99999999"),
    WEIGHTS("header length beyond limit", EDIT_LENGTH, NULL, "100000001", "100000001"),
    CALL("header length beyond limit, file too", huge_header, "model.safetensors", "the limit"),
    WEIGHTS("header length 2^64 - 1", EDIT_LENGTH, NULL, "18446744073709551615", "header length"),
    WEIGHTS("header length 2^63", EDIT_LENGTH, NULL, "9223372036854775808", "header length"),
    WEIGHTS("header begins with space", EDIT_HEADER, "{", " {", "'{'"),
    CALL("header nested deep", deep_header, "model.safetensors", "header", "64 levels"),
    WEIGHTS("header duplicate tensor", EDIT_HEADER, "\"lm_head.weight\"",
            "\"model.embed_tokens.weight\"", "duplicate"),
    WEIGHTS("metadata a list", EDIT_HEADER, "{\"format\":\"pt\"}", "[\"format\"]", "__metadata__"),
    WEIGHTS("metadata a number", EDIT_HEADER, "\"pt\"", "1", "__metadata__", "format"),
    WEIGHTS("entry a string", EDIT_HEADER, "\"lm_head.weight\":{",
            "\"x\":\"y\",\"lm_head.weight\":{", "tensor x", "object"),
    WEIGHTS("entry without dtype", EDIT_HEADER, "\"dtype\":\"F16\",", "", "dtype"),
    WEIGHTS("dtype unknown", EDIT_HEADER, "\"F16\"", "\"Q4_0\"", "dtype Q4_0"),
    WEIGHTS("dtype a number", EDIT_HEADER, "\"F16\"", "16", "dtype"),
    WEIGHTS("shape a number", EDIT_HEADER, "[288,64]", "18432", "shape is missing or not a list"),
    WEIGHTS("shape negative", EDIT_HEADER, "[288,64]", "[-288,-64]", "shape has a dimension"),
    WEIGHTS("shape of a fraction", EDIT_HEADER, "[288,64]", "[288.0,64]", "shape"),
    WEIGHTS("shape of 9 dimensions", EDIT_HEADER, "[288,64]", "[288,64,1,1,1,1,1,1,1]", "shape"),
    WEIGHTS("shape too small", EDIT_HEADER, "[288,64]", "[288,63]", "shape", "data_offsets"),
    WEIGHTS("shape wraps to the size", EDIT_HEADER, "[288,64]", "[9223372036854775807,2,288,64]",
            "shape overflows"),
    WEIGHTS("shape 0 hides an overflow", EDIT_HEADER, "[288,64]",
            "[0,9223372036854775807,9223372036854775807]", "shape overflows"),
    WEIGHTS("shape beyond 64 bits", EDIT_HEADER, "[288,64]", "[99999999999999999999,64]",
            "too big integer"),
    WEIGHTS("offsets missing", EDIT_HEADER, ",\"data_offsets\":[0,36864]", "", "data_offsets"),
    WEIGHTS("offsets of three", EDIT_HEADER, "[0,36864]", "[0,36864,1]", "data_offsets"),
    WEIGHTS("offsets of strings", EDIT_HEADER, "[0,36864]", "[\"0\",36864]", "data_offsets"),
    WEIGHTS("offsets reversed", EDIT_HEADER, "[0,36864]", "[36864,0]", "data_offsets", "reversed"),
    WEIGHTS("offsets negative", EDIT_HEADER, "[0,36864]", "[-36864,0]", "data_offsets", "negative"),
    WEIGHTS("offsets beyond the file", EDIT_HEADER, "[0,36864]", "[0,9223372036854775807]",
            "data_offsets", "beyond"),
    WEIGHTS("offsets overlap", EDIT_HEADER, "[36864,73728]", "[0,36864]", "overlap"),
    WEIGHTS("offsets overlap by a bit", EDIT_HEADER, "[36864,73728]", "[36862,73726]", "overlap"),
    WEIGHTS("offsets leave a hole", EDIT_HEADER, "[0,36864]", "[36864,73728]", "hole"),
    WEIGHTS("first not at 0", EDIT_HEADER, "\"__metadata__\":{\"format\":\"pt\"}",
            "\"__metadata__\":{\"format\":\"pt\"},\"z\":{\"dtype\":\"F16\",\"shape\":[2],"
            "\"data_offsets\":[2,6]}",
            "overlap"),
    WEIGHTS("bytes after the last", EDIT_TAIL, NULL, "12345", "5 bytes follow"),
    WEIGHTS("one byte short", EDIT_CUT, "model.safetensors", "-1", "data_offsets", "beyond"),
    WEIGHTS("payload cut", EDIT_CUT, "model.safetensors", "9000", "data_offsets", "beyond"),
    WEIGHTS("cut in the header", EDIT_CUT, "model.safetensors", "200", "header length"),
    /* shards */
    ROW("index not JSON", EDIT_SHARDS, INDEX, "{", INDEX, "line"),
    ROW("index without map", EDIT_SHARDS, INDEX, "{\"a\":1}", INDEX, "weight_map"),
    ROW("index map empty", EDIT_SHARDS, INDEX, "{\"weight_map\":{}}", INDEX, "empty"),
    ROW("index name a number", EDIT_SHARDS, INDEX, "{\"weight_map\":{\"a\":1}}", INDEX, "a:"),
    ROW("index name up", EDIT_SHARDS, INDEX, "{\"weight_map\":{\"a\":\"../x.safetensors\"}}", INDEX,
        "weight_map: a", "../x"),
    ROW("index name absolute", EDIT_SHARDS, INDEX,
        "{\"weight_map\":{\"a\":\"/etc/x.safetensors\"}}", INDEX, "weight_map: a"),
    ROW("index name with backslash", EDIT_SHARDS, INDEX,
        "{\"weight_map\":{\"a\":\"..\\\\x.safetensors\"}}", INDEX, "weight_map: a"),
    ROW("index name not safetensors", EDIT_SHARDS, INDEX,
        "{\"weight_map\":{\"a\":\"config.json\"}}", INDEX, "weight_map: a", "config.json"),
    CALL("index name hidden", index_name_hidden, INDEX, "weight_map: a"),
    ROW("index of a tensor elsewhere", EDIT_SHARDS, INDEX,
        "{\"weight_map\":{\"nothing\":\"model-00001-of-00002.safetensors\"}}", INDEX,
        "nothing is not in"),
    ROW("shard missing", EDIT_SHARDS, "model-00002-of-00002.safetensors", NULL,
        "model-00002-of-00002.safetensors", "No such file"),
    ROW("shard empty", EDIT_SHARDS, "model-00001-of-00002.safetensors", "",
        "model-00001-of-00002.safetensors", "too short"),
    ROW("shards, half the map", EDIT_SHARDS, INDEX,
        "{\"weight_map\":{\"lm_head.weight\":\"model-00001-of-00002.safetensors\"}}", INDEX,
        "tensor model.", "missing"),
    /* tensors against the configuration */
    WEIGHTS("vocab is not the embedding's", EDIT_SHAPE, "model.embed_tokens.weight", "[287, 64]",
            "model.embed_tokens.weight", "[288, 64]"),
    WEIGHTS("vocab is not the head's", EDIT_SHAPE, "lm_head.weight", "[320, 64]", "lm_head.weight",
            "[320, 64]"),
    WEIGHTS("embedding of integers", EDIT_DTYPE, "model.embed_tokens.weight", "I16",
            "dtype is I16"),
    WEIGHTS("embedding missing", EDIT_DROP, "model.embed_tokens.weight", NULL,
            "model.embed_tokens.weight is missing"),
    WEIGHTS("head missing", EDIT_DROP, "lm_head.weight", NULL, "lm_head.weight",
            "tie_word_embeddings"),
    WEIGHTS("final norm missing", EDIT_DROP, "model.norm.weight", NULL, "model.norm.weight"),
    WEIGHTS("final norm long", EDIT_SHAPE, "model.norm.weight", "[128]", "model.norm.weight",
            "[64]"),
    WEIGHTS("norm a matrix", EDIT_SHAPE, "model.layers.1.input_layernorm.weight", "[1, 64]",
            "input_layernorm", "[64]"),
    WEIGHTS("norm a column", EDIT_SHAPE, "model.norm.weight", "[64, 1]", "model.norm.weight",
            "shape is [64, 1]"),
    WEIGHTS("norm rank 0", EDIT_SHAPE, "model.norm.weight", "[]", "model.norm.weight", "[]"),
    WEIGHTS("norm missing", EDIT_DROP, "model.layers.1.post_attention_layernorm.weight", NULL,
            "post_attention_layernorm.weight is missing"),
    WEIGHTS("norm of doubles", EDIT_DTYPE, "model.norm.weight", "F64", "dtype is F64"),
    WEIGHTS("norm infinite", EDIT_HALF, "model.norm.weight", "31744", "model.norm.weight",
            "infinity"),
    WEIGHTS("layer missing", EDIT_DROP, DOWN1 ".qweight", NULL, DOWN1, "missing"),
    WEIGHTS("qweight short", EDIT_SHAPE, Q0 ".qweight", "[7, 64]", Q0 ".qweight", "[8, 64]"),
    WEIGHTS("qweight turned", EDIT_SHAPE, Q0 ".qweight", "[64, 8]", Q0 ".qweight", "[64, 8]"),
    WEIGHTS("qweight of floats", EDIT_DTYPE, Q0 ".qweight", "F32", Q0 ".qweight", "dtype is F32"),
    WEIGHTS("qweight rank 1", EDIT_SHAPE, Q0 ".qweight", "[512]", Q0 ".qweight", "[512]"),
    WEIGHTS("qzeros missing", EDIT_DROP, Q0 ".qzeros", NULL, Q0 ".qzeros is missing"),
    WEIGHTS("qzeros narrow", EDIT_SHAPE, Q0 ".qzeros", "[2, 7]", Q0 ".qzeros", "[2, 8]"),
    WEIGHTS("qzeros of 64 bits", EDIT_DTYPE, Q0 ".qzeros", "I64", Q0 ".qzeros", "I64"),
    WEIGHTS("scales missing", EDIT_DROP, Q0 ".scales", NULL, Q0 ".scales is missing"),
    WEIGHTS("scales of one group", EDIT_SHAPE, Q0 ".scales", "[1, 64]", Q0 ".scales", "[2, 64]"),
    WEIGHTS("scales bf16", EDIT_DTYPE, Q0 ".scales", "BF16", Q0 ".scales", "dtype is BF16"),
    WEIGHTS("scales NaN", EDIT_HALF, Q0 ".scales", "32256", Q0 ".scales", "NaN"),
    WEIGHTS("g_idx short", EDIT_SHAPE, Q0 ".g_idx", "[63]", Q0 ".g_idx", "[64]"),
    WEIGHTS("g_idx empty", EDIT_SHAPE, Q0 ".g_idx", "[0]", Q0 ".g_idx", "[0]"),
    WEIGHTS("g_idx of 64 bits", EDIT_DTYPE, Q0 ".g_idx", "I64", Q0 ".g_idx", "dtype is I64"),
    WEIGHTS("g_idx beyond", EDIT_INT, Q0 ".g_idx", "2", Q0 ".g_idx", "group 2"),
    WEIGHTS("g_idx negative", EDIT_INT, Q0 ".g_idx", "-1", Q0 ".g_idx", "group -1"),
    WEIGHTS("g_idx lowest", EDIT_INT, DOWN1 ".g_idx", "-2147483648", DOWN1 ".g_idx", "group"),
    CALL("g_idx uneven", g_idx_uneven, "model.safetensors", "g_idx", "rows"),
    WEIGHTS("bias long", EDIT_SHAPE, Q0 ".bias", "[65]", Q0 ".bias", "[64]"),
    WEIGHTS("bias NaN", EDIT_HALF, Q0 ".bias", "32256", Q0 ".bias", "NaN"),
    CONFIG("mlp_bias a number", "mlp_bias", "7", "mlp_bias is 7"),
    CALL("bias promised", bias_promised, DOWN1 ".bias is missing"),
    CALL("more layers than said", three_layers_in_file, "model.safetensors", "model.layers.2",
         "num_hidden_layers"),
    CALL("dense beside packed", dense_beside_packed, Q0 ".weight", "qweight"),
    CALL("dense shape", dense_wrong_shape, DOWN1 ".weight", "[64, 96]"),
    CALL("dense dtype", dense_wrong_dtype, DOWN1 ".weight", "dtype is F64"),
    /* tokenizer.model */
    TOKENIZER("tokenizer missing", EDIT_FILE, "tokenizer.model", NULL, "not found"),
    TOKENIZER("tokenizer empty", EDIT_FILE, "tokenizer.model", "", "pieces"),
    TOKENIZER("tokenizer text", EDIT_FILE, "tokenizer.model", "{\"version\": \"1.0\"}", "field"),
    TOKENIZER("tokenizer cut", EDIT_CUT, "tokenizer.model", "-9", "field"),
    TOKENIZER("tokenizer cut in a piece", EDIT_CUT, "tokenizer.model", "100", "field 1"),
    TOKENIZER("tokenizer cut to a byte", EDIT_CUT, "tokenizer.model", "1", "field 1"),
    CALL("varint of 11 bytes", varint_of_eleven, "tokenizer.model", "field 1"),
    CALL("piece beyond the file", piece_beyond_file, "tokenizer.model", "field 1"),
    CALL("piece length 2^64 - 1", piece_of_huge_length, "tokenizer.model", "field 1"),
    CALL("wire type 7", unknown_wire_type, "tokenizer.model", "field 1"),
    CALL("score NaN", score_nan, "tokenizer.model", "piece 270: score"),
    CALL("score infinite", score_infinite, "tokenizer.model", "piece 270: score"),
    CALL("byte piece missing", byte_piece_missing, "tokenizer.model", "<0x41>"),
    TOKENIZER("byte piece negative", EDIT_PIECE, "68", "<0x-1>", "piece 68"),
    TOKENIZER("byte piece lower case x", EDIT_PIECE, "68", "<0X41>", "piece 68"),
    TOKENIZER("byte piece of three digits", EDIT_PIECE, "68", "<0x041>", "piece 68"),
    TOKENIZER("byte piece twice", EDIT_PIECE, "68", "<0x42>", "68 and 69"),
    TOKENIZER("charsmap", EDIT_CHARSMAP, NULL, "nmt_nfkc", "charsmap"),
    CALL("more pieces than rows", more_pieces_than_rows, "tokenizer.model"),
    CALL("no pieces", no_pieces, "tokenizer.model", "pieces"),
    CALL("piece type 77", unknown_piece_type, "tokenizer.model", "piece 270: "),
};

#define FAULTS (sizeof faults / sizeof faults[0])

static void set_field(json_t *object, const struct fault *fault)
{
    if (fault->value == NULL)
        json_object_del(object, fault->what);
    else
        json_object_set_new(object, fault->what, json_loads(fault->value, JSON_DECODE_ANY, NULL));
}

/* Edits before the files are written. */
static void break_model(struct tiny_model *model, const struct fault *fault)
{
    int32_t word = fault->value ? (int32_t)strtol(fault->value, NULL, 10) : 0;
    uint16_t half = (uint16_t)word;
    switch (fault->edit) {
    case EDIT_CONFIG:
        set_field(model->config, fault);
        break;
    case EDIT_QUANTIZE:
        set_field(model->quantize, fault);
        break;
    case EDIT_HEADER:
        model->header_from = fault->what;
        model->header_to = fault->value;
        break;
    case EDIT_SHAPE:
        tiny_tensor_reshape(tiny_tensor_find(model, fault->what), fault->value);
        break;
    case EDIT_DTYPE:
        tiny_tensor_retype(tiny_tensor_find(model, fault->what), fault->value);
        break;
    case EDIT_DROP:
        tiny_tensor_drop(model, fault->what);
        break;
    case EDIT_INT:
        memcpy(tiny_tensor_find(model, fault->what)->data, &word, 4);
        break;
    case EDIT_HALF:
        memcpy(tiny_tensor_find(model, fault->what)->data + 2, &half, 2);
        break;
    case EDIT_TAIL:
        model->payload_tail = fault->value;
        break;
    case EDIT_PIECE:
        snprintf(model->pieces[atoi(fault->what)].text, sizeof model->pieces[0].text, "%s",
                 fault->value);
        break;
    case EDIT_CHARSMAP:
        model->charsmap = fault->value;
        break;
    default:
        break;
    }
}

static void set_length_word(const struct tiny_model *model, const char *value)
{
    char *path = tiny_file_path(model, "model.safetensors");
    FILE *file = fopen(path, "r+b");
    uint64_t length = strtoull(value, NULL, 10);
    unsigned char word[8];
    for (int i = 0; i < 8; i++)
        word[i] = (unsigned char)(length >> (8 * i));
    assert_non_null(file);
    assert_int_equal(fwrite(word, 1, 8, file), 8);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void cut_file(const struct tiny_model *model, const struct fault *fault)
{
    char *path = tiny_file_path(model, fault->what);
    struct strbuf text = {0};
    long size = strtol(fault->value, NULL, 10);
    assert_int_equal(file_read(path, 1u << 24, &text, NULL), 0);
    if (size < 0)
        size += (long)text.length;
    assert_int_equal(truncate(path, size), 0);
    strbuf_free(&text);
    free(path);
}

static void set_file(const struct tiny_model *model, const struct fault *fault)
{
    if (fault->value == NULL)
        tiny_file_remove(model, fault->what);
    else
        tiny_file_write(model, fault->what, fault->value, strlen(fault->value));
}

/* Writes the model, then makes the edits that are to files. */
static void write_broken(struct tiny_model *model, const struct fault *fault)
{
    if (fault->edit == EDIT_SHARDS)
        tiny_model_write_shards(model);
    else
        tiny_model_write(model);
    if (fault->edit == EDIT_LENGTH)
        set_length_word(model, fault->value);
    if (fault->edit == EDIT_CUT)
        cut_file(model, fault);
    if (fault->edit == EDIT_FILE || fault->edit == EDIT_SHARDS)
        set_file(model, fault);
}

static bool count_call(void *user, uint64_t done, uint64_t total)
{
    ++*(unsigned *)user;
    return done <= total;
}

/* What headers can tell is refused before the first byte of weights is taken. */
static bool told_by_headers(const struct fault *fault)
{
    return fault->edit == EDIT_SHAPE || fault->edit == EDIT_DTYPE || fault->edit == EDIT_DROP;
}

static void expect_refusal(const char *directory, const struct fault *fault)
{
    struct error error = {0};
    struct model *loaded = NULL;
    struct model_options options = {.kv_type = KV_F16, .threads = 1, .kernels = "reference"};
    unsigned progress_calls = 0;
    options.progress = count_call;
    options.user = &progress_calls;
    int result = model_open(&loaded, directory, &options, &error);
    if (result == 0)
        model_close(loaded);
    assert_int_equal(result, -1);
    assert_int_not_equal(error.code, ERROR_NONE);
    if (told_by_headers(fault))
        assert_int_equal(progress_calls, 0);
    for (const char *at = error.message; *at != '\0'; at++)
        assert_true(*at != '\n' && *at != '\r' && *at != '\033');
    for (size_t i = 0; i < 3 && fault->expect[i] != NULL; i++) {
        if (strstr(error.message, fault->expect[i]) == NULL)
            fail_msg("'%s' is not in: %s", fault->expect[i], error.message);
    }
}

static void is_refused(void **state)
{
    const struct fault *fault = *state;
    struct tiny_model model;
    tiny_model_init(&model);
    break_model(&model, fault);
    if (fault->edit == EDIT_CALL && fault->call != NULL)
        fault->call(&model);
    /* A call may have written the files itself. */
    char *tokenizer = tiny_file_path(&model, "tokenizer.model");
    if (!file_exists(tokenizer))
        write_broken(&model, fault);
    free(tokenizer);
    expect_refusal(model.directory, fault);
    tiny_model_free(&model);
}

static void loads(const struct tiny_model *model)
{
    struct error error = {0};
    struct model *loaded = NULL;
    struct model_options options = {.kv_type = KV_F16, .threads = 1, .kernels = "reference"};
    if (model_open(&loaded, model->directory, &options, &error) != 0)
        fail_msg("%s", error.message);
    assert_int_equal(loaded->context, 128);
    model_close(loaded);
}

static void good_model_loads(void **state)
{
    (void)state;
    struct tiny_model model;
    tiny_model_init(&model);
    tiny_model_write(&model);
    loads(&model);
    tiny_model_free(&model);
}

static void good_shards_load(void **state)
{
    (void)state;
    struct tiny_model model;
    tiny_model_init(&model);
    tiny_model_write_shards(&model);
    loads(&model);
    tiny_model_free(&model);
}

int main(void)
{
    struct CMUnitTest tests[FAULTS + 2] = {cmocka_unit_test(good_model_loads),
                                           cmocka_unit_test(good_shards_load)};
    for (size_t i = 0; i < FAULTS; i++)
        tests[i + 2] = (struct CMUnitTest){.name = faults[i].name,
                                           .test_func = is_refused,
                                           .initial_state = (void *)(uintptr_t)&faults[i]};
    return cmocka_run_group_tests_name("broken models", tests, NULL, NULL);
}
