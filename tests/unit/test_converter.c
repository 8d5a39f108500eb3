/* Tests of engine/chat/converter and converter_table, with shell scripts as converters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/converter.h"

static char directory[] = "/tmp/airo-convert-XXXXXX";

static char *put(const char *name, const char *text, size_t length, mode_t mode)
{
    char *path = path_join(directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
    chmod(path, mode);
    return path;
}

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
    (void)state;
    char *command = xasprintf("rm -rf %s", directory);
    int result = system(command);
    free(command);
    return result;
}

struct run {
    int result;
    struct strbuf out;
    struct error error;
    double seconds;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Converts a file called x.pdf with a shell script. */
static struct run convert(const char *script, const struct converter_limits *limits)
{
    struct run run = {0};
    struct converter_table table = {0};
    char *document = put("x.pdf", "%PDF-1.4", 8, 0600);
    char *program = put("tool", script, strlen(script), 0700);
    char *command = xasprintf("%s --in %%s", program);
    double start = now();
    assert_int_equal(converter_table_set(&table, "pdf", command, &run.error), 0);
    run.result = converter_run(&table, "pdf", document, limits, NULL, NULL, &run.out, &run.error);
    run.seconds = now() - start;
    converter_table_free(&table);
    free(command);
    free(program);
    free(document);
    return run;
}

static void fails_with(const char *script, const struct converter_limits *limits,
                       const char *wanted)
{
    struct run run = convert(script, limits);
    assert_int_equal(run.result, -1);
    assert_int_equal(run.out.length, 0);
    if (strstr(run.error.message, wanted) == NULL || strstr(run.error.message, "x.pdf") == NULL)
        fail_msg("expected \"%s\" in: %s", wanted, run.error.message);
    assert_true(run.seconds < 20);
    strbuf_free(&run.out);
}

static void text_comes_out(void **state)
{
    (void)state;
    struct run run = convert("#!/bin/sh\necho \"$1|${2##*/}\"\necho oops >&2\n", NULL);
    assert_int_equal(run.result, 0);
    assert_string_equal(strbuf_text(&run.out), "--in|x.pdf\n");
    strbuf_free(&run.out);
    /* The path is whole, standard input is empty, nothing is open but the three. */
    run = convert("#!/bin/sh\ncase $2 in /*) echo whole;; esac\ncat\nls /proc/self/fd | wc -l\n",
                  NULL);
    assert_string_equal(strbuf_text(&run.out), "whole\n4\n"); /* ls has the directory open too */
    strbuf_free(&run.out);
    run = convert("#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x\n", NULL);
    assert_int_equal(run.out.length, 3000000);
    strbuf_free(&run.out);
}

static void failures_are_told(void **state)
{
    (void)state;
    const struct converter_limits small = {.output_bytes = 100000};
    const struct converter_limits quick = {.time_ms = 200};
    fails_with("#!/bin/sh\necho text\necho 'it is broken' >&2\nexit 7\n", NULL,
               "tool failed with status 7: it is broken");
    fails_with("#!/bin/sh\nkill -SEGV $$\n", NULL, "tool was ended by signal 11");
    fails_with("#!/bin/sh\necho\n", NULL, "tool found no text in it");
    fails_with("#!/bin/sh\nwhile :; do echo endless; done\n", &small,
               "tool gave more than 97.7 KiB");
    fails_with("#!/bin/sh\nsleep 100\n", &quick, "tool took more than 0.2 s");
    /* It is deaf, closes its outputs, fills standard error, or leaves others behind. */
    fails_with("#!/bin/sh\ntrap '' TERM INT HUP\nwhile :; do sleep 1; done\n", &quick,
               "took more than");
    fails_with("#!/bin/sh\nexec >&- 2>&-\nsleep 100\n", &quick, "took more than");
    fails_with("#!/bin/sh\nwhile :; do echo noise >&2; done\n", &quick, "took more than");
    fails_with("#!/bin/sh\nsleep 100 &\nexit 3\n", NULL, "failed with status 3");
    fails_with("#!/no/such/interpreter\n", NULL, "cannot run");
}

/* What a converter started is gone with it. */
static void nothing_is_left_running(void **state)
{
    (void)state;
    const struct converter_limits quick = {.time_ms = 300};
    char *pid_file = path_join(directory, "pid");
    char *script = xasprintf("#!/bin/sh\nsleep 1000 &\necho $! >%s\nwait\n", pid_file);
    struct strbuf pid = {0};
    fails_with(script, &quick, "took more than");
    assert_int_equal(file_read(pid_file, 100, &pid, NULL), 0);
    bool gone = false;
    for (int i = 0; i < 500 && !gone; i++) { /* init may be slow to reap it */
        char *stat_path = xasprintf("/proc/%d/stat", atoi(strbuf_text(&pid)));
        struct strbuf stat_text = {0};
        gone = file_read(stat_path, 4096, &stat_text, NULL) != 0 ||
               strstr(strbuf_text(&stat_text), ") Z ") != NULL;
        strbuf_free(&stat_text);
        free(stat_path);
        usleep(10000);
    }
    assert_true(gone);
    strbuf_free(&pid);
    free(script);
    free(pid_file);
}

static void jobs_are_polled_and_cancelled(void **state)
{
    (void)state;
    struct converter_table table = {0};
    struct error error = {0};
    struct strbuf out = {0};
    const char *slow = "#!/bin/sh\necho one\nsleep 0.2\necho two\n";
    char *document = put("-odd name\n.pdf", "%PDF-1.4", 8, 0600);
    char *program = put("slow tool", slow, strlen(slow), 0700);
    char *command = xasprintf("'%s' \"%%s\"", program);
    assert_int_equal(converter_table_set(&table, "pdf", command, &error), 0);
    struct converter_job *job = converter_start(&table, "pdf", document, NULL, &error);
    assert_non_null(job);
    bool ended = false;
    for (int i = 0; i < 1000 && !ended; i++) {
        struct pollfd wait = {converter_fd(job), POLLIN, 0};
        assert_int_equal(poll(&wait, 1, 20000), 1);
        ended = converter_step(job);
    }
    assert_true(ended && converter_step(job));
    assert_int_equal(converter_finish(job, &out, &error), 0);
    assert_string_equal(strbuf_text(&out), "one\ntwo\n");
    job = converter_start(&table, "pdf", document, NULL, &error);
    converter_cancel(job);
    converter_cancel(NULL);
    strbuf_free(&out);
    converter_table_free(&table);
    free(command);
    free(program);
    free(document);
}

static bool always(void *user)
{
    ++*(int *)user;
    return true;
}

static void runs_can_be_stopped(void **state)
{
    (void)state;
    struct converter_table table = {0};
    struct error error = {0};
    struct strbuf out = {0};
    int asked = 0;
    const char *script = "#!/bin/sh\nsleep 100\n";
    char *document = put("x.pdf", "%PDF-1.4", 8, 0600);
    char *program = put("tool", script, strlen(script), 0700);
    char *command = xasprintf("%s %%s", program);
    converter_table_set(&table, "pdf", command, NULL);
    assert_int_equal(converter_run(&table, "pdf", document, NULL, always, &asked, &out, &error),
                     -1);
    assert_int_equal(error.code, ERROR_CANCELLED);
    assert_int_equal(asked, 1);
    converter_table_free(&table);
    free(command);
    free(program);
    free(document);
}

static void missing_programs_are_named(void **state)
{
    (void)state;
    struct converter_table table = {0};
    struct error error = {0};
    char *document = put("report.pdf", "%PDF-1.4", 8, 0600);
    char *path = xstrdup(getenv("PATH"));
    setenv("PATH", directory, 1);
    assert_null(converter_start(NULL, "pdf", document, NULL, &error));
    assert_non_null(strstr(error.message, "report.pdf: to read PDF install pdftotext (Debian: "
                                          "poppler-utils), or set converters:pdf in airo.ini"));
    assert_null(converter_start(NULL, "xyz", document, NULL, &error));
    assert_non_null(strstr(error.message, "to read XYZ set converters:xyz"));
    converter_table_set(&table, "pdf", "no-such-tool %s", NULL);
    assert_null(converter_start(&table, "pdf", document, NULL, &error));
    assert_non_null(strstr(error.message, "converters:pdf: there is no program no-such-tool"));
    /* The second of the built-in ones is found when the first is not there. */
    const char *script = "#!/bin/sh\necho mutool \"$@\"\n";
    char *tool = put("mutool", script, strlen(script), 0700);
    char **words = converter_words(NULL, "pdf", "/a b", &error);
    assert_string_equal(words[0], "mutool");
    assert_string_equal(words[6], "/a b");
    assert_null(words[7]);
    converter_words_free(words);
    setenv("PATH", path, 1);
    assert_null(converter_start(NULL, "pdf", "/no/such/file", NULL, &error));
    assert_non_null(strstr(error.message, "/no/such/file: No such file"));
    unlink(tool);
    free(tool);
    converter_table_free(&table);
    free(path);
    free(document);
}

static void commands_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *command, *wanted;
    } wrong[] = {{"tool", "needs %s"},
                 {"tool '%s", "a quote that does not end"},
                 {"'' %s", "names no program"},
                 {"tool %%s", "needs %s"}};
    struct converter_table table = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct error error = {0};
        assert_int_equal(converter_table_set(&table, "pdf", wrong[i].command, &error), -1);
        assert_non_null(strstr(error.message, wrong[i].wanted));
        assert_non_null(strstr(error.message, "converters:pdf"));
    }
    struct strbuf many = {0};
    for (int i = 0; i < 100; i++)
        strbuf_puts(&many, "%s ");
    assert_int_equal(converter_table_set(&table, "pdf", strbuf_text(&many), NULL), -1);
    strbuf_free(&many);
    assert_int_equal(table.count, 0);
    assert_int_equal(converter_table_set(&table, "pdf", "/bin/sh -c 'a; b' --x=\"%s\"%% %s", NULL),
                     0);
    char **words = converter_words(&table, "pdf", "/p $(q)", NULL);
    assert_string_equal(words[2], "a; b");
    assert_string_equal(words[3], "--x=/p $(q)%");
    assert_string_equal(words[4], "/p $(q)");
    assert_null(words[5]);
    converter_words_free(words);
    converter_table_free(&table);
}

static void kinds_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *path, *head;
        size_t length;
        const char *kind;
    } cases[] = {
        {"a.txt", "%PDF-1.7", 8, "pdf"},
        {"a.pdf", "only text", 9, NULL},
        {"a.md", "text", 4, NULL},
        {"a", "<!DOCTYPE html><p>", 18, "html"},
        {"a.htm", "text", 4, "html"},
        {"a.HTML", "", 0, "html"},
        {"a.DOCX", "PK\x03\x04\0\0", 6, "docx"},
        {"a", "PK\x03\x04....word/document.xml", 25, "docx"},
        {"a.bin", "PK\x03\x04\0mimetypeapplication/epub+zip", 33, "epub"},
        {"a.xlsx", "PK\x03\x04\0\0", 6, NULL},
        {"a.rtf", "{\\rtf1", 6, "rtf"},
        {"a.tex", "text", 4, "tex"},
        {"a.raw", "%PDF-1", 6, NULL},
        {"x.y/pdf", "text", 4, NULL},
    };
    struct converter_table table = {0};
    converter_table_set(&table, "tex", "detex %s", NULL);
    converter_table_set(&table, "raw", "", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *kind = converter_kind(&table, cases[i].path, cases[i].head, cases[i].length);
        if ((kind == NULL) != (cases[i].kind == NULL) ||
            (kind != NULL && strcmp(kind, cases[i].kind) != 0))
            fail_msg("%s: %s", cases[i].path, kind != NULL ? kind : "text");
    }
    assert_null(converter_kind_of_file(&table, "/no/such/file"));
    assert_null(converter_kind_of_file(&table, "/dev/zero"));
    converter_table_set(&table, "html", "", NULL);
    assert_null(converter_kind(&table, "a.htm", "<html>", 6));
    converter_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_out),          cmocka_unit_test(failures_are_told),
        cmocka_unit_test(nothing_is_left_running), cmocka_unit_test(jobs_are_polled_and_cancelled),
        cmocka_unit_test(runs_can_be_stopped),     cmocka_unit_test(missing_programs_are_named),
        cmocka_unit_test(commands_are_checked),    cmocka_unit_test(kinds_are_told),
    };
    return cmocka_run_group_tests_name("converter", tests, make_directory, remove_directory);
}
