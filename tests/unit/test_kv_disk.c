/*
 * Tests of keys and values kept on disk: what comes back is right or does not come back, and the
 * directory never holds more than it may.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tests/unit/worker_harness.h"

#define GENEROUS (1u << 30)

/* --- a directory ------------------------------------------------------------------------------ */

static char *make_directory(void)
{
    char path[] = "/tmp/airo-kv-XXXXXX";
    assert_non_null(mkdtemp(path));
    return xasprintf("%s/kv", path);
}

/* Calls visit (may be NULL) for each file; returns the bytes of all, and how many in *count. */
static uint64_t each_file(const char *directory, void (*visit)(const char *path), size_t *count)
{
    uint64_t bytes = 0;
    size_t files = 0;
    DIR *stream = opendir(directory);
    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        struct stat status;
        char *path = path_join(directory, entry->d_name);
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lock") != 0 &&
            lstat(path, &status) == 0) {
            bytes += (uint64_t)status.st_size;
            files++;
            if (visit != NULL)
                visit(path);
        }
        free(path);
    }
    if (stream != NULL)
        closedir(stream);
    if (count != NULL)
        *count = files;
    return bytes;
}

static void remove_file(const char *path)
{
    unlink(path);
}

static void remove_directory(char *directory)
{
    each_file(directory, remove_file, NULL);
    char *lock = path_join(directory, "lock");
    unlink(lock);
    free(lock);
    rmdir(directory);
    *strrchr(directory, '/') = '\0';
    assert_int_equal(rmdir(directory), 0);
    free(directory);
}

/* --- one life of a program -------------------------------------------------------------------- */

static struct session open_with(struct toy_options options, const char *directory, uint64_t cap)
{
    const struct kv_disk_options disk = {.directory = directory, .cap_bytes = cap};
    options.tokenizer = VAQUITA;
    options.logit_first = 300;
    struct model *model = toy_model(&options);
    free(model->directory);
    model->directory = xstrdup(VAQUITA); /* a weight file to tell the model by */
    return session_of_disk(model, &disk);
}

static struct session open_toy(const char *directory)
{
    return open_with((struct toy_options){0}, directory, GENEROUS);
}

static void wait_saved(struct session *session)
{
    double began = now_ms();
    while (session->generator->ops->unsaved_bytes(session->generator) > 0) {
        assert_true(now_ms() - began < WAIT_MS);
        poll(NULL, 0, 1);
    }
}

/* A reply of 12 tokens after `count` ids, then `more` of another kind; checked. */
static struct usage ask(struct session *session, size_t count, int seed, size_t more)
{
    struct generation_request request = greedy(12);
    struct token_list ids = {0};
    add_ids(&request, count, seed);
    if (more > 0)
        add_ids(&request, more, 77);
    segment_tokenize(&request.segments, session->model->tokenizer, &ids, NULL);
    struct result *result = start(session, &request);
    finish(session, result);
    assert_false(result->failed);
    assert_int_equal(result->tokens.count, 12);
    assert_toy_reply(session, ids.ids, ids.count, &result->tokens);
    token_list_free(&ids);
    struct usage usage = result->usage;
    assert_int_equal(usage.prompt_done, usage.prompt);
    forget_results(session);
    return usage;
}

/* A program that asks once, saves and ends. */
static struct usage ask_once(const char *directory, size_t count, int seed, size_t more)
{
    struct session session = open_toy(directory);
    struct usage usage = ask(&session, count, seed, more);
    wait_saved(&session);
    session_close(&session);
    return usage;
}

/* --- what comes back -------------------------------------------------------------------------- */

static void the_next_program_answers_at_once(void **state)
{
    (void)state;
    char *directory = make_directory();
    struct usage first = ask_once(directory, 400, 1, 0);
    assert_int_equal(first.prompt_restored, 0);
    assert_int_equal(first.evaluated, 411);
    struct usage second = ask_once(directory, 400, 1, 0);
    assert_int_equal(second.prompt_restored, 384);
    assert_int_equal(second.prompt_reused, 384);
    assert_int_equal(second.evaluated, 16 + 11);
    struct usage exact = ask_once(directory, 384, 1, 0); /* the last token is always evaluated */
    assert_int_equal(exact.prompt_restored, 383);
    assert_int_equal(exact.evaluated, 1 + 11);
    remove_directory(directory);
}

/* Other chats on the same documents get what they share, to the page. */
static void what_chats_share_comes_back(void **state)
{
    (void)state;
    char *directory = make_directory();
    ask_once(directory, 330, 1, 100);
    for (size_t shared = 30; shared <= 330; shared += 50) {
        struct usage usage = ask_once(directory, shared, 1, 0);
        size_t whole = shared / KV_PAGE_TOKENS * KV_PAGE_TOKENS;
        assert_int_equal(usage.prompt_restored, whole < shared ? whole : shared - 1);
    }
    assert_int_equal(ask_once(directory, 330, 2, 0).prompt_restored, 0);
    assert_int_equal(ask_once(directory, 330, 1, 40).prompt_restored, 352);
    remove_directory(directory);
}

static void memory_comes_before_disk(void **state)
{
    (void)state;
    char *directory = make_directory();
    ask_once(directory, 450, 1, 0);
    struct session session = open_toy(directory);
    ask(&session, 200, 1, 0);
    unsigned before = atomic_load(&toy_control(session.model)->imports);
    struct usage usage = ask(&session, 450, 1, 0);
    assert_int_equal(usage.prompt_restored, 448 - 192);
    assert_int_equal(atomic_load(&toy_control(session.model)->imports) - before, 8);
    usage = ask(&session, 450, 1, 0);
    assert_int_equal(usage.prompt_restored, 0);
    session_close(&session);
    remove_directory(directory);
}

static void short_ones_are_not_kept(void **state)
{
    (void)state;
    char *directory = make_directory();
    size_t files;
    ask_once(directory, 240, 1, 0);
    each_file(directory, NULL, &files);
    assert_int_equal(files, 0);
    remove_directory(directory);
}

/* A chat that grows writes what is new, and replaces its own shorter end. */
static void a_longer_one_replaces_its_beginning(void **state)
{
    (void)state;
    char *directory = make_directory();
    size_t files;
    uint64_t bytes = 0;
    struct session session = open_toy(directory);
    for (size_t count = 300; count <= 490; count += 38) {
        ask(&session, count, 1, 0);
        wait_saved(&session);
        bytes = each_file(directory, NULL, &files);
    }
    /* 490 tokens and 11 of a reply: 15 pages, in blocks of 8; each reply left an end of its own. */
    assert_in_range(files, 2, 8);
    assert_in_range(bytes, 15 * 1024, 60 * 1024);
    ask_once(directory, 490, 1, 0);
    session_close(&session);
    session = open_toy(directory);
    assert_int_equal(ask(&session, 490, 1, 0).prompt_restored, 480);
    session_close(&session);
    remove_directory(directory);

    directory = make_directory(); /* nothing but growth: no end is left over */
    session = open_toy(directory);
    struct generation_request request;
    for (size_t count = 288; count <= 480; count += 32) {
        request = greedy(1);
        add_ids(&request, count, 1);
        finish(&session, start(&session, &request));
        forget_results(&session);
        wait_saved(&session);
    }
    each_file(directory, NULL, &files);
    assert_int_equal(files, 2);
    session_close(&session);
    remove_directory(directory);
}

static void a_cancelled_prompt_is_kept_as_far_as_it_came(void **state)
{
    (void)state;
    char *directory = make_directory();
    struct session session = open_toy(directory);
    struct generation_request request = greedy(12);
    add_ids(&request, 490, 1);
    atomic_store(&toy_control(session.model)->step_ms, 5);
    struct result *result = start(&session, &request);
    while (!result->over && result->usage.prompt_done < 300)
        assert_true(pump(&session, WAIT_MS));
    session.generator->ops->cancel(session.generator, result->id);
    finish(&session, result);
    assert_int_equal(result->reason, STOP_CANCELLED);
    size_t done = result->usage.prompt_done / KV_PAGE_TOKENS * KV_PAGE_TOKENS;
    forget_results(&session);
    wait_saved(&session);
    session_close(&session);
    struct usage usage = ask_once(directory, 490, 1, 0);
    assert_int_equal(usage.prompt_restored, done);
    assert_in_range(usage.prompt_restored, 288, 480);
    remove_directory(directory);
}

static struct usage ask_model(const char *directory, void (*change)(struct model *model))
{
    const struct kv_disk_options disk = {.directory = directory, .cap_bytes = GENEROUS};
    struct toy_options options = {.tokenizer = VAQUITA, .logit_first = 300};
    struct model *model = toy_model(&options);
    free(model->directory);
    model->directory = xstrdup(VAQUITA);
    change(model);
    struct session session = session_of_disk(model, &disk);
    struct usage usage = ask(&session, 400, 1, 0);
    wait_saved(&session);
    session_close(&session);
    return usage;
}

static void no_change(struct model *model)
{
    (void)model;
}
static void other_kv_type(struct model *model)
{
    model->kv_type = KV_Q8;
}
static void other_rope(struct model *model)
{
    model->config.rope = (struct rope_config){ROPE_LINEAR, .theta = 10000, .factor = 2};
}
static void other_norm(struct model *model)
{
    model->shape.norm_eps = 0.5f;
}
static void no_weights(struct model *model)
{
    free(model->directory);
    model->directory = xstrdup("themes");
}

static void another_model_finds_nothing(void **state)
{
    (void)state;
    char *directory = make_directory();
    assert_int_equal(ask_model(directory, no_change).prompt_restored, 0);
    assert_int_equal(ask_model(directory, other_kv_type).prompt_restored, 0);
    assert_int_equal(ask_model(directory, other_rope).prompt_restored, 0);
    assert_int_equal(ask_model(directory, other_norm).prompt_restored, 0);
    assert_int_equal(ask_model(directory, no_weights).prompt_restored, 0);
    assert_int_equal(ask_model(directory, no_change).prompt_restored, 384);
    assert_int_equal(ask_model(directory, other_kv_type).prompt_restored, 384);
    remove_directory(directory);
}

/* --- damage ----------------------------------------------------------------------------------- */

static long damage_at; /* < 0: cut there from the end; else the byte to turn */

static void damage(const char *path)
{
    struct stat status;
    unsigned char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    if (damage_at < 0) {
        assert_int_equal(ftruncate(fd, damage_at == -1 ? 0 : status.st_size + damage_at), 0);
    } else {
        off_t at = damage_at % status.st_size;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x40;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
}

/* Whatever is wrong with the files, the reply is right (ask checks it against the toy), and they
 * are replaced by good ones. */
static void damage_is_found_and_recomputed(void **state)
{
    (void)state;
    static const long places[] = {-1,   -2,   -700, -5000, 0,    5,    9,    13,   17,
                                  33,   41,   45,   49,    53,   60,   500,  1000, 1079,
                                  1083, 1100, 4096, 4100,  5200, 9000, 12000};
    char *directory = make_directory();
    ask_once(directory, 400, 1, 0);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        damage_at = places[i];
        each_file(directory, damage, NULL);
        struct usage usage = ask_once(directory, 400, 1, 0);
        /* Padding after the checksums says nothing and is not checked. */
        if (damage_at < 1080 || damage_at > 4095)
            assert_true(usage.prompt_restored < 384);
        /* Behind a damaged page another one may still be to be found. */
        for (int again = 0; again < 3 && usage.prompt_restored < 384; again++)
            usage = ask_once(directory, 400, 1, 0);
        assert_int_equal(usage.prompt_restored, 384);
    }
    remove_directory(directory);
}

/* A name that leads elsewhere is not followed, in either direction. */
static char link_target[64];

static void make_link(const char *path)
{
    unlink(path);
    assert_int_equal(symlink(link_target, path), 0);
}

static void links_are_not_followed(void **state)
{
    (void)state;
    char *directory = make_directory();
    snprintf(link_target, sizeof link_target, "%.*s.victim", (int)strlen(directory), directory);
    ask_once(directory, 400, 1, 0);
    each_file(directory, make_link, NULL);
    struct usage usage = ask_once(directory, 400, 1, 0);
    assert_int_equal(usage.prompt_restored, 0);
    assert_false(file_exists(link_target));
    remove_directory(directory);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void check_mode(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static void only_the_user_may_read_it(void **state)
{
    (void)state;
    char *directory = make_directory();
    struct stat status;
    mode_t mask = umask(0);
    ask_once(directory, 400, 1, 0);
    umask(mask);
    each_file(directory, check_mode, NULL);
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    remove_directory(directory);
}

/* Looks all the time while much more than the cap is saved, by two programs at once. */
static void the_cap_is_never_exceeded(void **state)
{
    (void)state;
    char *directory = make_directory();
    uint64_t cap = 64 * 1024, most = 0;
    struct session a = open_with((struct toy_options){0}, directory, cap);
    struct session b = open_with((struct toy_options){0}, directory, cap);
    for (int seed = 0; seed < 12; seed++) {
        ask(seed % 2 ? &a : &b, 300 + (size_t)seed * 10, seed, 0);
        while (a.generator->ops->unsaved_bytes(a.generator) > 0 ||
               b.generator->ops->unsaved_bytes(b.generator) > 0) {
            uint64_t bytes = each_file(directory, NULL, NULL);
            most = bytes > most ? bytes : most;
        }
    }
    uint64_t bytes = each_file(directory, NULL, NULL);
    most = bytes > most ? bytes : most;
    assert_in_range(most, cap / 2, cap);
    session_close(&a);
    session_close(&b);
    a = open_with((struct toy_options){0}, directory, 20 * 1024); /* lowered: trimmed at once */
    ask(&a, 10, 1, 0);
    for (double began = now_ms(); each_file(directory, NULL, NULL) > 20 * 1024;)
        assert_true(now_ms() - began < WAIT_MS);
    session_close(&a);
    remove_directory(directory);
}

/* Three chats of 14 pages, room for two and a half: the one used longest ago goes. */
static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    char *directory = make_directory();
    uint64_t cap = 50 * 1024; /* a chat takes 20 KiB and more with its heads */
    struct session session = open_with((struct toy_options){0}, directory, cap);
    static const int order[] = {1, 2, 1, 3};
    for (size_t i = 0; i < 4; i++) {
        ask(&session, 440, order[i], 0);
        wait_saved(&session);
    }
    session_close(&session);
    size_t restored[4];
    static const int seeds[] = {1, 3, 2}; /* the missing one last: it may be saved again */
    for (size_t i = 0; i < 3; i++) {
        int seed = seeds[i];
        session = open_with((struct toy_options){0}, directory, cap);
        struct generation_request request = greedy(1);
        add_ids(&request, 440, seed);
        struct result *result = start(&session, &request);
        finish(&session, result);
        restored[seed] = result->usage.prompt_restored;
        wait_saved(&session);
        session_close(&session);
    }
    assert_int_equal(restored[3], 416);
    assert_int_equal(restored[1], 416);
    assert_true(restored[2] < 416);
    remove_directory(directory);
}

/* The system refuses to make a file longer than this: as a full disk does. */
static void a_full_disk_stops_saving_and_nothing_else(void **state)
{
    (void)state;
    char *directory = make_directory();
    struct rlimit before, small;
    size_t files;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct session session = open_toy(directory);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct usage usage = ask(&session, 400, 1, 0);
    assert_false(usage.kv_disk_stopped);
    wait_saved(&session);
    usage = ask(&session, 400, 2, 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_true(usage.kv_disk_stopped);
    wait_saved(&session);
    each_file(directory, NULL, &files);
    assert_int_equal(files, 0);
    session_close(&session);
    remove_directory(directory);
}

static void a_directory_that_cannot_be_is_no_error(void **state)
{
    (void)state;
    static const char *const paths[] = {"/proc/none/kv", "/dev/null/kv", "/dev/null"};
    for (size_t i = 0; i < 3; i++) {
        struct usage usage = ask_once(paths[i], 400, 1, 0);
        assert_int_equal(usage.prompt_restored, 0);
    }
}

/* What a process that died was writing is removed; what a living one writes is not. */
static void abandoned_files_are_removed(void **state)
{
    (void)state;
    char *directory = make_directory();
    ask_once(directory, 400, 1, 0);
    char *path = path_join(directory, "0123456789abcdef.tmp");
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, 100000), 0);
    close(fd);
    ask_once(directory, 400, 2, 0);
    assert_false(file_exists(path));
    free(path);
    remove_directory(directory);
}

/* --- time ------------------------------------------------------------------------------------- */

/* Pages that take longer to evaluate than to read. */
static struct session open_large(const char *directory)
{
    struct session session =
        open_with((struct toy_options){.layers = 1, .page_bytes = 2 << 20}, directory, GENEROUS);
    atomic_store(&toy_control(session.model)->step_ms, 5);
    return session;
}

/* Megabytes to be saved: a new request begins at once, and so does the end. */
static void saving_delays_nothing(void **state)
{
    (void)state;
    double first = 1e9, closing = 1e9;
    for (int try = 0; try < 5 && (first > 50 || closing > 200); try++) {
        char *directory = make_directory();
        struct session session = open_large(directory);
        ask(&session, 500, try, 0);
        atomic_store(&toy_control(session.model)->step_ms, 0);
        assert_true(session.generator->ops->unsaved_bytes(session.generator) > 0);
        struct generation_request request = greedy(2);
        add_ids(&request, 20, try);
        double began = now_ms();
        struct result *result = start(&session, &request);
        while (result->progress == 0)
            assert_true(pump(&session, WAIT_MS));
        first = now_ms() - began;
        finish(&session, result);
        began = now_ms();
        session_close(&session);
        closing = now_ms() - began;
        remove_directory(directory);
    }
    assert_true(first <= 50);
    assert_true(closing <= 200);
}

/* Reading back can be stopped, tells how far it is, and what was read is not lost. */
static void reading_back_can_be_cancelled(void **state)
{
    (void)state;
    char *directory = make_directory();
    struct session session = open_large(directory);
    ask(&session, 500, 1, 0);
    wait_saved(&session);
    session_close(&session);
    session = open_large(directory);
    atomic_store(&toy_control(session.model)->step_ms, 20);
    struct generation_request request = greedy(12);
    add_ids(&request, 500, 1);
    struct result *result = start(&session, &request);
    while (result->progress == 0)
        assert_true(pump(&session, WAIT_MS));
    session.generator->ops->cancel(session.generator, result->id);
    finish(&session, result);
    size_t before = result->usage.prompt_restored;
    forget_results(&session);
    atomic_store(&toy_control(session.model)->step_ms, 0);
    struct usage usage = ask(&session, 500, 1, 0);
    assert_int_equal(usage.prompt_reused, 480);
    assert_int_equal(before + usage.prompt_restored, 480);
    session_close(&session);
    remove_directory(directory);
}

/* --- on Vaquita ------------------------------------------------------------------------------- */

static void add_story(struct generation_request *request)
{
    struct strbuf text = {0};
    segment_add_special(&request->segments, PART_SYSTEM, "<s>", 1);
    for (int i = 0; i < 30; i++)
        strbuf_printf(&text, "On day %d the small porpoise swam %d miles. ", i, i * 7 % 13);
    segment_add_text(&request->segments, SEGMENT_TEMPLATE, PART_DRAFT, -1, false,
                     strbuf_text(&text), text.length);
    strbuf_free(&text);
}

static void vaquita_says_the_same_after_a_restart(void **state)
{
    (void)state;
    for (int type = 0; type < KV_TYPES; type++) {
        char *directory = make_directory();
        struct token_list first = {0};
        for (int life = 0; life < 2; life++) {
            /* A disk so fast that keeping pays, however fast this machine reads the prompt. */
            const struct kv_disk_options disk = {directory, GENEROUS, 1e15};
            struct model_options options = {
                .context = 1024, .kv_type = (enum kv_type)type, .threads = 2};
            struct model *model;
            struct error error = {0};
            if (model_open(&model, VAQUITA, &options, &error) != 0)
                fail_msg("%s", error.message);
            struct session session = session_of_disk(model, &disk);
            struct generation_request request = greedy(40);
            add_story(&request);
            struct result *result = start(&session, &request);
            finish(&session, result);
            assert_int_equal(result->tokens.count, 40);
            if (life == 0)
                token_list_append(&first, result->tokens.ids, 40);
            else
                assert_true(result->usage.prompt_restored >= 256);
            assert_memory_equal(result->tokens.ids, first.ids, 40 * sizeof(int32_t));
            wait_saved(&session);
            session_close(&session);
        }
        token_list_free(&first);
        remove_directory(directory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_program_answers_at_once),
        cmocka_unit_test(what_chats_share_comes_back),
        cmocka_unit_test(memory_comes_before_disk),
        cmocka_unit_test(short_ones_are_not_kept),
        cmocka_unit_test(a_longer_one_replaces_its_beginning),
        cmocka_unit_test(a_cancelled_prompt_is_kept_as_far_as_it_came),
        cmocka_unit_test(another_model_finds_nothing),
        cmocka_unit_test(damage_is_found_and_recomputed),
        cmocka_unit_test(links_are_not_followed),
        cmocka_unit_test(only_the_user_may_read_it),
        cmocka_unit_test(the_cap_is_never_exceeded),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(a_full_disk_stops_saving_and_nothing_else),
        cmocka_unit_test(a_directory_that_cannot_be_is_no_error),
        cmocka_unit_test(abandoned_files_are_removed),
        cmocka_unit_test(saving_delays_nothing),
        cmocka_unit_test(reading_back_can_be_cancelled),
        cmocka_unit_test(vaquita_says_the_same_after_a_restart),
    };
    return cmocka_run_group_tests_name("kv_disk", tests, NULL, NULL);
}
