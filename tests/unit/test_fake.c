/* Tests of the scripted fake generator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/infer/generator.h"

static struct generation_request request_of(const char *text)
{
    struct generation_request request = {.sampling = sampling_defaults()};
    segment_add_special(&request.segments, PART_SYSTEM, "<s>", -1);
    segment_add_text(&request.segments, SEGMENT_CONTENT, PART_DRAFT, -1, false, text, strlen(text));
    return request;
}

static uint64_t start(struct generator *generator, struct generation_request *request)
{
    uint64_t id = 0;
    struct error error = {0};
    if (generator->ops->start(generator, request, &id, &error) != 0)
        fail_msg("%s", error.message);
    segment_list_free(&request->segments);
    return id;
}

static bool readable(struct generator *generator, int timeout_ms)
{
    struct pollfd fd = {.fd = generator->ops->wake_fd(generator), .events = POLLIN};
    return poll(&fd, 1, timeout_ms) == 1;
}

/* Polls until the generation is over; the last event is in *last, its text the whole reply. */
static void collect(struct generator *generator, uint64_t id, struct strbuf *text,
                    struct event *last, int *kinds)
{
    struct event event;
    for (;;) {
        assert_true(readable(generator, 5000));
        assert_int_equal(generator->ops->next(generator, &event), 1);
        if (event.generation != id) {
            event_free(&event);
            continue;
        }
        kinds[event.kind]++;
        strbuf_add(text, event.text, event.length);
        *last = event;
        event_free(&event);
        if (event.kind == EVENT_DONE || event.kind == EVENT_ERROR)
            return;
    }
}

static void replies_in_order_and_again(void **state)
{
    (void)state;
    struct generator *generator =
        generator_fake_open("Hello there.\n---\n\xC3\xA4\xC3\xB6\xC3\xBC", 0, 4096);
    static const char *const expected[] = {"Hello there.", "\xC3\xA4\xC3\xB6\xC3\xBC",
                                           "Hello there."};
    for (int i = 0; i < 3; i++) {
        struct generation_request request = request_of("12345678");
        struct strbuf text = {0};
        struct event last;
        int kinds[EVENT_ERROR + 1] = {0};
        assert_false(readable(generator, 0));
        uint64_t id = start(generator, &request);
        collect(generator, id, &text, &last, kinds);
        assert_string_equal(strbuf_text(&text), expected[i]);
        assert_int_equal(last.kind, EVENT_DONE);
        assert_int_equal(last.reason, STOP_EOS);
        assert_int_equal(last.usage.prompt, 3);
        assert_int_equal(last.usage.prompt_done, 3);
        assert_int_equal(last.usage.reply, i == 1 ? 2 : 3);
        assert_int_equal(last.usage.reserve + last.usage.reply + last.usage.prompt, 4096);
        assert_int_equal(kinds[EVENT_PROGRESS], 3);
        assert_int_equal(kinds[EVENT_TEXT], i == 1 ? 1 : 4);
        assert_int_equal(kinds[EVENT_USAGE], kinds[EVENT_TEXT] - 1);
        strbuf_free(&text);
    }
    struct event event;
    assert_int_equal(generator->ops->next(generator, &event), 0);
    generator->ops->free(generator);
}

static void pieces_take_their_time(void **state)
{
    (void)state;
    struct generator *generator = generator_fake_open("abcdefghi", 20, 100);
    struct generation_request request = request_of("x");
    struct timespec before, after;
    struct strbuf text = {0};
    struct event last;
    int kinds[EVENT_ERROR + 1] = {0};
    clock_gettime(CLOCK_MONOTONIC, &before);
    collect(generator, start(generator, &request), &text, &last, kinds);
    clock_gettime(CLOCK_MONOTONIC, &after);
    double ms = (double)(after.tv_sec - before.tv_sec) * 1e3 +
                (double)(after.tv_nsec - before.tv_nsec) * 1e-6;
    assert_true(ms >= 6 * 20); /* three of progress, three of text */
    assert_string_equal(strbuf_text(&text), "abcdefghi");
    strbuf_free(&text);
    generator->ops->free(generator);
}

static void cancel_comes_at_once(void **state)
{
    (void)state;
    struct generator *generator = generator_fake_open("never seen", 3600000, 100);
    struct generation_request request = request_of("x");
    struct strbuf text = {0};
    struct event last;
    int kinds[EVENT_ERROR + 1] = {0};
    uint64_t id = start(generator, &request);
    assert_int_equal(generator->ops->next(generator, &last), 1);
    assert_false(readable(generator, 20));
    generator->ops->cancel(generator, id);
    collect(generator, id, &text, &last, kinds);
    assert_int_equal(last.kind, EVENT_DONE);
    assert_int_equal(last.reason, STOP_CANCELLED);
    assert_false(readable(generator, 20));
    generator->ops->cancel(generator, id);
    assert_false(readable(generator, 20));
    strbuf_free(&text);
    generator->ops->free(generator);
}

static void errors_stops_and_limits(void **state)
{
    (void)state;
    struct generator *generator =
        generator_fake_open("!error out of luck\n---\nabcUSER: x\n---\nabcdefghijklmnop", 0, 100);
    static const char *const stops[] = {"USER:"};
    static const char *const expected[] = {"", "abc", "abcdef"};
    for (int i = 0; i < 3; i++) {
        struct generation_request request = request_of("x");
        request.stops = stops;
        request.stop_count = 1;
        request.max_tokens = i == 2 ? 2 : 0;
        struct strbuf text = {0};
        struct event last;
        int kinds[EVENT_ERROR + 1] = {0};
        collect(generator, start(generator, &request), &text, &last, kinds);
        assert_string_equal(strbuf_text(&text), expected[i]);
        assert_int_equal(last.kind, i == 0 ? EVENT_ERROR : EVENT_DONE);
        if (i == 0)
            assert_string_equal(last.error.message, "out of luck");
        if (i > 0)
            assert_int_equal(last.reason, i == 1 ? STOP_STRING : STOP_LENGTH);
        strbuf_free(&text);
    }
    generator->ops->free(generator);
}

static void two_at_once_take_turns(void **state)
{
    (void)state;
    struct generator *generator = generator_fake_open("first reply\n---\nsecond", 1, 100);
    struct generation_request one = request_of("x"), two = request_of("y");
    uint64_t a = start(generator, &one), b = start(generator, &two);
    struct strbuf texts[2] = {{0}};
    int over = 0, switches = 0;
    uint64_t previous = 0;
    while (over < 2) {
        struct event event;
        assert_true(readable(generator, 5000));
        assert_int_equal(generator->ops->next(generator, &event), 1);
        strbuf_add(&texts[event.generation == b], event.text, event.length);
        over += event.kind == EVENT_DONE;
        switches += event.generation != previous;
        previous = event.generation;
        event_free(&event);
    }
    assert_int_not_equal(a, b);
    assert_true(switches > 4);
    assert_string_equal(strbuf_text(&texts[0]), "first reply");
    assert_string_equal(strbuf_text(&texts[1]), "second");
    strbuf_free(&texts[0]);
    strbuf_free(&texts[1]);
    generator->ops->free(generator);
}

static void prompt_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct generator *generator = generator_fake_open("x", 0, 8);
    struct generation_request request = request_of("12345678901234567890123456789");
    struct error error = {0};
    uint64_t id;
    size_t parts[PARTS], total;
    assert_int_equal(generator->ops->count(generator, &request.segments, parts, &total, &error), 0);
    assert_int_equal(total, 9);
    assert_int_equal(parts[PART_DRAFT], 8);
    assert_int_equal(generator->ops->start(generator, &request, &id, &error), -1);
    assert_int_equal(error.code, ERROR_INPUT);
    assert_non_null(strstr(error.message, "9 tokens"));
    assert_false(readable(generator, 0));
    segment_list_free(&request.segments);
    generator->ops->free(generator);
}

static void probes_take_no_reply(void **state)
{
    (void)state;
    static const char *const scripts[] = {"one\n---\n!choices  the| a|one\n---\ntwo",
                                          "one\n---\ntwo"};
    for (int i = 0; i < 2; i++) {
        struct generator *generator = generator_fake_open(scripts[i], 0, 100);
        static const char *const texts[] = {"one", "two", "one", "two"};
        for (int round = 0; round < 4; round++) {
            struct generation_request request = request_of("x"), probe = request_of("x");
            struct strbuf text = {0};
            struct event event = {0}, last;
            int kinds[EVENT_ERROR + 1] = {0};
            probe.probe = 3;
            uint64_t id = start(generator, &probe);
            while (event.kind != EVENT_CHOICES) {
                assert_true(readable(generator, 5000));
                assert_int_equal(generator->ops->next(generator, &event), 1);
            }
            assert_int_equal(event.generation, id);
            assert_int_equal(event.choice_count, 3);
            assert_string_equal(event.choices[0].text, " the");
            assert_string_equal(event.choices[2].text, i == 0 ? "one" : " and");
            assert_true(event.choices[1].log_probability < event.choices[0].log_probability);
            event_free(&event);
            collect(generator, id, &text, &last, kinds);
            assert_int_equal(last.kind, EVENT_DONE);
            assert_int_equal(last.usage.reply, 0);
            assert_int_equal(text.length, 0);
            collect(generator, start(generator, &request), &text, &last, kinds);
            assert_string_equal(strbuf_text(&text), texts[round]);
            strbuf_free(&text);
        }
        generator->ops->free(generator);
    }
}

static void a_script_of_choices_has_an_empty_reply(void **state)
{
    (void)state;
    struct generator *generator = generator_fake_open("!choices a|b\n---\n!choices c", 0, 100);
    for (int round = 0; round < 3; round++) {
        struct generation_request request = request_of("x");
        struct strbuf text = {0};
        struct event last;
        int kinds[EVENT_ERROR + 1] = {0};
        collect(generator, start(generator, &request), &text, &last, kinds);
        assert_int_equal(text.length, 0);
        assert_int_equal(last.kind, EVENT_DONE);
        strbuf_free(&text);
    }
    generator->ops->free(generator);
}

static void beginnings_come_first(void **state)
{
    (void)state;
    struct generator *generator = generator_fake_open("hello", 0, 100);
    static const int32_t ids[] = {7, 8};
    for (int i = 0; i < 2; i++) {
        struct generation_request request = request_of("x");
        struct strbuf text = {0};
        struct event last;
        int kinds[EVENT_ERROR + 1] = {0};
        request.begin = "Anna: ";
        request.begin_tokens = ids;
        request.begin_count = i == 0 ? 0 : 2;
        collect(generator, start(generator, &request), &text, &last, kinds);
        assert_string_equal(strbuf_text(&text), i == 0 ? "Anna: hello" : "<7><8>hello");
        assert_int_equal(last.usage.reply, 4);
        assert_int_equal(last.usage.reply + last.usage.reserve + last.usage.prompt, 100);
        strbuf_free(&text);
    }
    generator->ops->free(generator);
}

static void counts_come_later(void **state)
{
    (void)state;
    struct generator *generator = generator_fake_open("hello", 3600000, 100);
    struct event event;
    uint64_t tickets[3];
    for (uint32_t i = 0; i < 3; i++) { /* the third takes the place of the first */
        struct generation_request request = request_of(i == 2 ? "12345678" : "1234");
        generator->ops->count_later(generator, &request.segments, i % 2, &tickets[i]);
        assert_int_equal(request.segments.count, 0);
    }
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(readable(generator, 5000));
        assert_int_equal(generator->ops->next(generator, &event), 1);
        assert_int_equal(event.kind, EVENT_COUNT);
        assert_int_equal(event.slot, i);
        assert_int_equal(event.generation, i == 0 ? tickets[2] : tickets[1]);
        assert_int_equal(event.usage.prompt, i == 0 ? 3 : 2);
        assert_int_equal(event.usage.parts[PART_DRAFT], i == 0 ? 2 : 1);
        event_free(&event);
    }
    assert_false(readable(generator, 20));
    generator->ops->free(generator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_in_order_and_again),
        cmocka_unit_test(pieces_take_their_time),
        cmocka_unit_test(cancel_comes_at_once),
        cmocka_unit_test(errors_stops_and_limits),
        cmocka_unit_test(two_at_once_take_turns),
        cmocka_unit_test(prompt_that_does_not_fit_is_refused),
        cmocka_unit_test(probes_take_no_reply),
        cmocka_unit_test(a_script_of_choices_has_an_empty_reply),
        cmocka_unit_test(beginnings_come_first),
        cmocka_unit_test(counts_come_later),
    };
    return cmocka_run_group_tests_name("fake", tests, NULL, NULL);
}
