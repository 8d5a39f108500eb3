/*
 * The real program with the CUDA plug-in: the one that runs on the shim answers as the CPU does;
 * what cannot be used is named in one line; a device lost in a reply costs that reply.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"

static char directory[] = "/tmp/airo-cuda-XXXXXX";

static const char *build(void)
{
    const char *name = getenv("AIRO_BUILD");
    return name != NULL ? name : "build";
}

/* `variables` VAR=value ..., arguments and redirections as a shell reads them. */
static int airo(struct strbuf *out, const char *variables, const char *arguments)
{
    char *command = xasprintf("HOME=%s XDG_CONFIG_HOME=%s XDG_DATA_HOME=%s XDG_CACHE_HOME=%s "
                              "XDG_STATE_HOME=%s AIRO_SHIM_POISON=0 %s %s/airo %s",
                              directory, directory, directory, directory, directory, variables,
                              build(), arguments);
    FILE *pipe = popen(command, "r");
    char bytes[4096];
    size_t got;
    assert_non_null(pipe);
    strbuf_clear(out);
    while ((got = fread(bytes, 1, sizeof bytes, pipe)) > 0)
        strbuf_add(out, bytes, got);
    int status = pclose(pipe);
    free(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *shim_plugin(void)
{
    return xasprintf("AIRO_CUDA=%s/cuda-host/airo-cuda.so", build());
}

static void expect_part(const struct strbuf *out, const char *part)
{
    if (strstr(strbuf_text(out), part) == NULL)
        fail_msg("no \"%s\" in: %s", part, strbuf_text(out));
}

/* A file in the test's directory. */
static char *make_file(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void answers_are_those_of_the_cpu(void **state)
{
    (void)state;
    static const char format[] =
        " ask -m vaquita --context 512 --kv-disk 0 --kv-type f16 -n 10 --temperature 0 "
        "-d %s 'What is the boat called?' 2>/dev/null --device %s";
    struct strbuf cpu = {0}, gpu = {0};
    char *document = make_file("keeper.txt", "The lighthouse keeper is named Orla Finch.\n"
                                             "She has a boat called the Heron.\n"
                                             "It was bought in 1987 and painted green.\n");
    char *plugin = shim_plugin(), *on_cpu = xasprintf(format, document, "cpu");
    char *on_gpu = xasprintf(format, document, "cuda");
    assert_int_equal(airo(&cpu, "", on_cpu), 0);
    assert_int_equal(airo(&gpu, plugin, on_gpu), 0);
    assert_true(cpu.length > 3);
    assert_string_equal(strbuf_text(&cpu), strbuf_text(&gpu));
    unlink(document);
    free(document);
    assert_int_equal(airo(&gpu, plugin, "info vaquita --device cuda"), 0);
    expect_part(&gpu, "Host shim, CUDA");
    expect_part(&gpu, "fits here");
    free(plugin);
    free(on_cpu);
    free(on_gpu);
    strbuf_free(&cpu);
    strbuf_free(&gpu);
}

/* A shared object from one line of C. */
static char *make_library(const char *name, const char *source)
{
    char *c = make_file("library.c", source), *path = xasprintf("%s/%s", directory, name);
    char *command = xasprintf("cc -shared -fPIC -I. -o %s %s", path, c);
    assert_int_equal(system(command), 0);
    unlink(c);
    free(command);
    free(c);
    return path;
}

static void expect_refusal(const char *path, const char *part)
{
    static const char words[] = "run --raw -m vaquita -n 1 --context 64 --kv-disk 0 x --device";
    struct strbuf out = {0};
    char *variable = xasprintf("AIRO_CUDA=%s", path);
    char *cuda = xasprintf("%s cuda 2>&1", words), *any = xasprintf("%s auto -v 2>&1", words);
    assert_int_equal(airo(&out, variable, cuda), 1);
    expect_part(&out, part);
    expect_part(&out, path);
    assert_ptr_equal(strchr(strbuf_text(&out), '\n') + 1, strbuf_text(&out) + out.length);
    /* left to itself it says so and goes on with the CPU */
    assert_int_equal(airo(&out, variable, any), 0);
    expect_part(&out, "the GPU is not used");
    expect_part(&out, "CPU");
    free(variable);
    free(cuda);
    free(any);
    strbuf_free(&out);
}

static void plugins_that_cannot_be_used_are_named(void **state)
{
    (void)state;
    char *garbage = make_file("garbage.so", "no object\n");
    char *other = make_library("other.so", "int nothing;\n");
    char *old = make_library("old.so", "static const unsigned ops[64] = {1};\n"
                                       "const void *airo_backend(void) { return ops; }\n");
    char *lacking = make_library("lacking.so", "extern int not_there(void);\n"
                                               "int (*use)(void) = not_there;\n");
    expect_refusal("/no/such/airo-cuda.so", "No such file");
    expect_refusal(garbage, "garbage.so: ");
    expect_refusal(other, "is no backend of airo");
    expect_refusal(old, "was built for interface 1");
    expect_refusal(lacking, "not_there");
    char *const paths[] = {garbage, other, old, lacking};
    for (int i = 0; i < 4; i++) {
        unlink(paths[i]);
        free(paths[i]);
    }
}

/* Installed, and moved as a whole since. */
static void the_plugin_is_found_from_where_the_program_lies(void **state)
{
    (void)state;
    char *command = xasprintf(
        "mkdir -p %s/i/bin %s/i/lib/airo && "
        "cp %s/airo %s/i/bin && cp %s/cuda-host/airo-cuda.so %s/i/lib/airo && "
        "env -u AIRO_CUDA HOME=%s %s/i/bin/airo info models/vaquita "
        "--device cuda | grep -q 'Host shim'",
        directory, directory, build(), directory, build(), directory, directory, directory);
    assert_int_equal(system(command), 0);
    free(command);
}

static void devices_are_checked(void **state)
{
    (void)state;
    struct strbuf out = {0};
    char *plugin = shim_plugin();
    assert_int_equal(airo(&out, plugin, "run x --device gpu 2>&1"), 2);
    expect_part(&out, "--device: \"gpu\" is not auto, cpu, cuda or cuda: and the numbers");
    assert_int_equal(airo(&out, plugin, "run x --device cuda:3 2>&1"), 1);
    expect_part(&out, "device = cuda:3: there is no device 3");
    assert_int_equal(airo(&out, plugin, "run x --device cuda --kv-type f32 2>&1"), 1);
    expect_part(&out, "f32 keys and values are not offered on cuda");
    free(plugin);
    strbuf_free(&out);
}

/* Three turns; the device is lost in one of them, and then the model is on `after`. */
static void lose_device(const char *fault, const char *after)
{
    struct strbuf out = {0};
    char *plugin = shim_plugin(), *text = NULL;
    const char *at = NULL;
    for (unsigned n = 600; n <= 760 && at == NULL; n += 40) {
        char *variables = xasprintf("%s AIRO_SHIM_FAIL=%s:%u", plugin, fault, n);
        free(text);
        assert_int_equal(airo(&out, variables,
                              "chat --plain -m vaquita --device cuda --context 512 --kv-disk 0 "
                              "--temperature 0 -n 3 2>&1 <<'END'\nHello\nWho are you?\nAnd now?\n"
                              "END\n"),
                         0);
        text = xstrdup(strbuf_text(&out));
        at = strstr(text, "backend: Host shim");
        free(variables);
    }
    assert_non_null(at);
    assert_null(strstr(at + 1, "backend: Host shim")); /* once */
    expect_part(&out, "the reply was cut at 3 tokens");
    expect_part(&out, after);
    assert_non_null(strstr(strstr(text, after), "the reply was cut at 3 tokens"));
    free(text);
    free(plugin);
    strbuf_free(&out);
}

static void a_lost_device_costs_one_reply(void **state)
{
    (void)state;
    lose_device("lost", "the model is loaded again: Host shim");
}

static void the_cpu_takes_over_from_a_device_that_stays_lost(void **state)
{
    (void)state;
    lose_device("gone", "the model is loaded again: CPU");
}

static int begin(void **state)
{
    (void)state;
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    char *command = xasprintf("rm -rf %s", directory);
    int result = system(command);
    free(command);
    return result;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_the_cpu),
        cmocka_unit_test(plugins_that_cannot_be_used_are_named),
        cmocka_unit_test(the_plugin_is_found_from_where_the_program_lies),
        cmocka_unit_test(devices_are_checked),
        cmocka_unit_test(a_lost_device_costs_one_reply),
        cmocka_unit_test(the_cpu_takes_over_from_a_device_that_stays_lost),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
