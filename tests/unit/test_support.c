/* Tests of engine/chat/support, support_source, support_scan and support_text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "engine/base/utf8.h"
#include "engine/chat/support.h"

static void add(struct document_list *list, const char *name, const char *date, const char *url,
                const char *text)
{
    document_add_text(list, name, text, strlen(text));
    struct document *document = &list->items[list->count - 1];
    if (date != NULL)
        assert_int_equal(document_set_pair(document, "date", date, NULL), 0);
    if (url != NULL)
        assert_int_equal(document_set_pair(document, "url", url, NULL), 0);
}

static struct document_list three_documents(void)
{
    struct document_list list = {0};
    add(&list, "notes.txt", "2021-01-01", "https://web.site/1",
        "The meeting is on Monday. Alice brings the cake. The room has 12 chairs.");
    add(&list, "report.txt", "2021-02-02", "https://web.site/2",
        "Revenue rose to 1,200 crowns in March.\nBlueberries are now green. Bob signed the "
        "report on Tuesday, in the presence of Dr. Smith.");
    add(&list, "letter.txt", "2021-03-03", "https://web.site/3",
        "Dear Carol, the cities were quiet. Bob did not write.");
    return list;
}

/* --- words and sentences ---------------------------------------------------------------------- */

/* The folded words joined by '|', function words in brackets, numbers with '#'. */
static void folds_to(const char *text, const char *expected)
{
    struct strbuf out = {0};
    struct text_word word;
    size_t last = 0;
    for (size_t at = 0; text_word_next(text, strlen(text), &at, &word);) {
        assert_true(word.range.begin >= last && word.range.end > word.range.begin);
        assert_int_equal(at, word.range.end);
        assert_int_equal(word.length, strlen(word.folded));
        last = word.range.end;
        strbuf_printf(&out, "%s%s%s%s", out.length > 0 ? "|" : "", word.number ? "#" : "",
                      word.function ? "~" : "", word.folded);
    }
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_free(&out);
}

static void words_are_folded(void **state)
{
    (void)state;
    folds_to("The Cities, boxes and GLASS of Bob's!", "~the|city|box|~and|glass|~of|bob");
    folds_to("1,200 1200 01200 1200.0 1200.50", "#1200|#1200|#1200|#1200|#1200.5");
    folds_to("1,20 and 12,345,678", "#1|#20|~and|#12345678");
    folds_to("three Seven 0 00 0.0 000.5", "#3|#7|#0|#0|#0|#0.5");
    folds_to("2nd x47 47b 2021-01-05", "2nd|x47|47b|#2021|#1|#5");
    folds_to("don\u2019t O'Brien buses", "~dont|obrien|buse");
    folds_to("\u00C9t\u00E9 \u6771\u4EAC caf\u00E9s", "\u00E9t\u00E9|\u6771|\u4EAC|caf\u00E9");
    folds_to("this was his has does yes is us", "~this|~was|~his|~has|~does|~yes|~is|~us");
    folds_to(" ... \xFF\xFE --- ", "");
    folds_to("$5.99, 50%", "#5.99|#50");
}

static void sentences_are(const char *text, const char *expected)
{
    struct strbuf out = {0};
    struct text_sentence sentence;
    for (size_t at = 0; text_sentence_next(text, strlen(text), &at, &sentence);)
        strbuf_printf(&out, "%s%.*s", out.length > 0 ? "|" : "",
                      (int)(sentence.range.end - sentence.range.begin),
                      text + sentence.range.begin);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_free(&out);
}

static void sentences_end_where_they_do(void **state)
{
    (void)state;
    sentences_are("One. Two! \"Three?\" Four", "One.|Two!|\"Three?\"|Four");
    sentences_are("Dr. J. Smith came. It cost 3.5 dollars.",
                  "Dr. J. Smith came.|It cost 3.5 dollars.");
    sentences_are("Name: Bob\nAge: 12\n\nText", "Name: Bob|Age: 12|Text");
    sentences_are("A line that was wrapped by an editor at a column of sixty or so\ngoes on here.",
                  "A line that was wrapped by an editor at a column of sixty or so\ngoes on here.");
    sentences_are("\u6771\u4EAC\u3002\u4EAC\u3002", "\u6771\u4EAC\u3002|\u4EAC\u3002");
    sentences_are(" \n\t ", "");
}

/* --- sources ---------------------------------------------------------------------------------- */

static void sources_are_matched_with_blocks(void **state)
{
    (void)state;
    struct document_list documents = three_documents();
    struct source_list list;
    const char *reply = "Green.\nSource:\ndate: 2021-02-02\nurl: https://web.site/2\n"
                        "date: 2021-03-03\nurl: https://web.site/9\nMore text.";
    source_list_read(&list, reply, strlen(reply), &documents, NULL);
    assert_int_equal(list.answer_bytes, strlen("Green.\n"));
    assert_int_equal(list.count, 2);
    assert_int_equal(list.sources[0].document, 1);
    assert_true(list.sources[0].exact);
    assert_int_equal(list.sources[1].document, 2);
    assert_false(list.sources[1].exact);
    assert_memory_equal(reply + list.lines[3].range.begin, "url: https://web.site/9", 23);
    assert_null(source_difference(&list, 0, &documents));
    char *difference = source_difference(&list, 1, &documents);
    assert_string_equal(difference, "the source says url: https://web.site/9, letter.txt has "
                                    "url: https://web.site/3");
    free(difference);
    source_list_free(&list);
    reply = "Source: Wikipedia";
    source_list_read(&list, reply, strlen(reply), &documents, NULL);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.sources[0].document, -1);
    assert_int_equal(list.answer_bytes, 0);
    source_list_free(&list);
    /* Half of the pairs of one block, all but one of another. */
    reply = "x\nSources:\nhttps://web.site/1\ndate: 2021-01-01\ntitle: none";
    source_list_read(&list, reply, strlen(reply), &documents, NULL);
    assert_int_equal(list.sources[0].document, 0);
    assert_false(list.sources[0].exact);
    difference = source_difference(&list, 0, &documents);
    assert_string_equal(difference, "the source says title: none, notes.txt has no such line");
    free(difference);
    source_list_free(&list);
    document_list_free(&documents);
}

static void defusing_is_undone(void **state)
{
    (void)state;
    static const char *const markers[] = {"ENDINPUT", NULL};
    struct document_list documents = {0};
    struct source_list list;
    const char *reply = "x\nSource:\ntitle: On E\u00B7NDINPUT";
    add(&documents, "a", NULL, NULL, "text");
    document_set_pair(&documents.items[0], "title", "On ENDINPUT", NULL);
    source_list_read(&list, reply, strlen(reply), &documents, markers);
    assert_int_equal(list.sources[0].document, 0);
    assert_true(list.sources[0].exact);
    source_list_free(&list);
    document_list_free(&documents);
}

/* --- verdicts --------------------------------------------------------------------------------- */

static void judged(const char *question, const char *reply, enum support_verdict verdict,
                   int document, const char *summary)
{
    struct document_list documents = three_documents();
    struct support support;
    support_check(&support, question, reply, strlen(reply), &documents, NULL);
    char *text = support_summary(&support, &documents);
    if (support.verdict != verdict || (document >= 0 && support.document != document))
        fail_msg("%s: verdict %d, document %d: %s", reply, (int)support.verdict, support.document,
                 text != NULL ? text : "");
    if (summary == NULL)
        assert_null(text);
    else
        assert_string_equal(text, summary);
    free(text);
    support_free(&support);
    document_list_free(&documents);
}

static void wrong_citations_are_corrected(void **state)
{
    (void)state;
    judged("What color are blueberries?",
           "green\nSource:\ndate: 2021-01-01\nurl: https://web.site/1", SUPPORT_ELSEWHERE, 1,
           "the answer stands in report.txt, not in the cited notes.txt");
    judged("How high was the revenue?", "1200\nSource:\ndate: 2021-03-03\nurl: https://web.site/3",
           SUPPORT_ELSEWHERE, 1, "the answer stands in report.txt, not in the cited letter.txt");
    judged("Who brings the cake?", "Alice\nSource:\ndate: 2021-02-02\nurl: https://web.site/2",
           SUPPORT_ELSEWHERE, 0, "the answer stands in notes.txt, not in the cited report.txt");
}

static void right_citations_are_left_alone(void **state)
{
    (void)state;
    judged("What color are blueberries?",
           "Blueberries are green.\nSource:\ndate: 2021-02-02\nurl: https://web.site/2",
           SUPPORT_CITED, 1, NULL);
    judged("How many chairs?", "Twelve.\nSource:\ndate: 2021-01-01\nurl: https://web.site/1",
           SUPPORT_CITED, 0, NULL);
    /* One of two cited ones is right. */
    judged("Who brings the cake?",
           "Alice\nSource:\ndate: 2021-02-02\nurl: https://web.site/2\ndate: 2021-01-01\nurl: "
           "https://web.site/1",
           SUPPORT_CITED, 0, NULL);
    /* The right block with a wrong line. */
    judged("Who brings the cake?", "Alice\nSource:\ndate: 2021-01-01\nurl: https://web.site/7",
           SUPPORT_CITED, 0,
           "the source says url: https://web.site/7, notes.txt has url: https://web.site/1");
}

static void other_verdicts(void **state)
{
    (void)state;
    judged("Who brings the cake?", "Alice", SUPPORT_UNCITED, 0, "the answer stands in notes.txt");
    judged("Who brings the cake?", "Alice\nSource:\nurl: https://no.where", SUPPORT_UNCITED, 0,
           "the source names no document; the answer stands in notes.txt");
    judged("Who brings the cake?", "Zebedee Quux\nSource:\ndate: 2021-01-01", SUPPORT_NOWHERE, -1,
           "no document has the answer's words in one place: check it");
    judged("Is it so?", "Yes.", SUPPORT_NOTHING, -1, NULL);
    judged(NULL, "", SUPPORT_NOTHING, -1, NULL);
    judged("Was it Alice or Bob who brings the cake?",
           "Alice\nSource:\ndate: 2021-01-01\nurl: https://web.site/1", SUPPORT_CITED, 0, NULL);
}

/* The answer's words alone are in both; the question's tell which sentence is meant. */
static void the_question_decides_between_equals(void **state)
{
    (void)state;
    struct document_list documents = {0};
    struct support support;
    const char *reply = "12\nSource:\nurl: a";
    add(&documents, "one", NULL, "a", "The hall has 12 windows. Pears are cheap.");
    add(&documents, "two", NULL, "b", "The garden has many trees. The tower has 12 bells.");
    support_check(&support, "How many bells does the tower have?", reply, strlen(reply), &documents,
                  NULL);
    assert_int_equal(support.verdict, SUPPORT_ELSEWHERE);
    assert_int_equal(support.document, 1);
    support_free(&support);
    support_check(&support, "How many windows does the hall have?", reply, strlen(reply),
                  &documents, NULL);
    assert_int_equal(support.verdict, SUPPORT_CITED);
    support_free(&support);
    support_check(&support, "How many?", reply, strlen(reply), &documents, NULL);
    assert_int_equal(support.verdict, SUPPORT_CITED);
    support_free(&support);
    documents.items[1].enabled = false; /* not in the context */
    support_check(&support, "How many bells does the tower have?", reply, strlen(reply), &documents,
                  NULL);
    assert_int_equal(support.verdict, SUPPORT_CITED);
    support_free(&support);
    document_list_free(&documents);
}

static void equals_are_not_told_apart(void **state)
{
    (void)state;
    struct document_list documents = {0};
    struct support support;
    const char *reply = "Alice\nSource:\nurl: c";
    add(&documents, "one", NULL, "a", "Alice brings the cake.");
    add(&documents, "two", NULL, "b", "Alice brings the cake.");
    add(&documents, "three", NULL, "c", "Nothing of the kind.");
    support_check(&support, "Who brings the cake?", reply, strlen(reply), &documents, NULL);
    assert_int_equal(support.verdict, SUPPORT_UNSURE);
    support_free(&support);
    document_list_free(&documents);
}

static void is_text(const struct document *document, struct text_range range, const char *expected)
{
    assert_int_equal(range.end - range.begin, strlen(expected));
    assert_memory_equal(document->text + range.begin, expected, strlen(expected));
}

static void passages_are_found_with_their_words(void **state)
{
    (void)state;
    struct document_list documents = three_documents();
    struct support support;
    const char *reply = "Bob signed the report. Alice brings a pie for 1,300 crowns. Tuesday.";
    support_check(&support, "Who signed the report?", reply, strlen(reply), &documents, NULL);
    assert_int_equal(support.sentence_count, 3);
    const struct support_passage *passage = &support.sentences[0].passages[0];
    assert_int_equal(passage->document, 1);
    is_text(&documents.items[1], passage->range,
            "Bob signed the report on Tuesday, in the presence of Dr. Smith.");
    assert_int_equal(passage->word_count, 3);
    is_text(&documents.items[1], passage->words[0], "Bob");
    is_text(&documents.items[1], passage->words[1], "signed");
    is_text(&documents.items[1], passage->words[2], "report");
    assert_int_equal(support.sentences[1].passages[0].document, 0);
    is_text(&documents.items[0], support.sentences[1].passages[0].range, "Alice brings the cake.");
    assert_int_equal(support.unknown_count, 2);
    assert_memory_equal(reply + support.unknown[0].range.begin, "pie", 3);
    assert_memory_equal(reply + support.unknown[1].range.begin, "1,300", 5);
    assert_true(support.unknown[1].number);
    assert_int_equal(support_best(&support, 0)->document, 0);
    assert_null(support_best(&support, 7));
    assert_ptr_equal(support_best(&support, -1), &support.sentences[2].passages[0]);
    support_free(&support);
    document_list_free(&documents);
}

/* --- any input -------------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static char *random_text(uint32_t *state, size_t pieces)
{
    static const char *const parts[] = {
        "Alice ", "bob",  ". ",  "\n",      "\n\n",   "Source:",  "Source:\n",  "date: 1",
        "1,200",  "12.0", " ",   "the ",    "\u00E9", "\u6771",   "\U0001F600", "\xFF",
        "\xC3",   ",",    "'s ", "\u2019s", "* ",     "url: x\n", "\u0301",     "Dr. ",
        "9",      ".5",   "-",   "x",       "ies ",   "\u3002",   "\xE6\x9D",   "?\""};
    struct strbuf out = {0};
    for (size_t i = 0; i < pieces; i++)
        strbuf_puts(&out, parts[next_random(state) % (sizeof parts / sizeof parts[0])]);
    strbuf_puts(&out, "");
    return out.data != NULL ? strbuf_detach(&out) : xstrdup("");
}

static bool on_border(const char *text, size_t length, size_t at)
{
    return at == length || ((unsigned char)text[at] & 0xC0) != 0x80;
}

static void range_is_sound(const char *text, size_t length, struct text_range range)
{
    assert_true(range.begin < range.end && range.end <= length);
    assert_true(on_border(text, length, range.begin) && on_border(text, length, range.end));
}

static void support_is_sound(const struct support *support, const struct document_list *documents,
                             const char *reply)
{
    for (size_t i = 0; i < support->sentence_count; i++) {
        const struct support_sentence *sentence = &support->sentences[i];
        assert_true(sentence->range.end <= support->sources.answer_bytes);
        for (size_t k = 0; k < sentence->passage_count; k++) {
            const struct support_passage *passage = &sentence->passages[k];
            const struct document *document = &documents->items[passage->document];
            range_is_sound(document->text, document->length, passage->range);
            assert_true(passage->score > 0 && passage->score <= 1.000001);
            assert_true(passage->coverage >= 0 && passage->coverage <= 1.000001);
            assert_true(k == 0 || passage->score <= sentence->passages[k - 1].score);
            for (size_t w = 0; w < passage->word_count; w++) {
                range_is_sound(document->text, document->length, passage->words[w]);
                assert_true(passage->words[w].begin >= passage->range.begin &&
                            passage->words[w].end <= passage->range.end);
            }
        }
    }
    for (size_t i = 0; i < support->unknown_count; i++)
        assert_true(support->unknown[i].range.end <= strlen(reply));
}

static void ranges_stay_inside(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int i = 0; i < 1500; i++) {
        struct document_list documents = {0};
        struct support support;
        for (uint32_t k = next_random(&seed) % 4; k > 0; k--) {
            char *text = random_text(&seed, next_random(&seed) % 120);
            add(&documents, "d", next_random(&seed) % 2 ? "1" : NULL, "x", text);
            documents.items[documents.count - 1].enabled = next_random(&seed) % 8 != 0;
            free(text);
        }
        char *question = random_text(&seed, next_random(&seed) % 10);
        char *reply = random_text(&seed, next_random(&seed) % 60);
        support_check(&support, question, reply, strlen(reply), &documents, NULL);
        support_is_sound(&support, &documents, reply);
        free(support_summary(&support, &documents));
        support_free(&support);
        document_list_free(&documents);
        free(question);
        free(reply);
    }
}

/* Nothing takes more than linear time or memory. */
static void large_inputs_are_read(void **state)
{
    (void)state;
    struct document_list documents = {0};
    struct strbuf text = {0}, reply = {0};
    struct support support;
    for (size_t i = 0; i < 200000; i++)
        strbuf_printf(&text, "%zuword ", i % 5000);
    for (size_t i = 0; i < 20000; i++)
        strbuf_puts(&text, "....'''\"\"\"");
    add(&documents, "large", NULL, NULL, strbuf_text(&text));
    strbuf_clear(&text);
    for (size_t i = 0; i < 500000; i++)
        strbuf_putc(&text, 'a');
    add(&documents, "one word", NULL, NULL, strbuf_text(&text));
    for (size_t i = 0; i < 20000; i++)
        strbuf_printf(&reply, "%zuword. ", i);
    strbuf_puts(&reply, "\nSource:\n");
    for (size_t i = 0; i < 2000; i++)
        strbuf_printf(&reply, "key%zu: value\n", i);
    support_check(&support, "0word", strbuf_text(&reply), reply.length, &documents, NULL);
    support_is_sound(&support, &documents, strbuf_text(&reply));
    assert_int_equal(support.sources.line_count, 2000);
    support_free(&support);
    strbuf_free(&text);
    strbuf_free(&reply);
    document_list_free(&documents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_folded),
        cmocka_unit_test(sentences_end_where_they_do),
        cmocka_unit_test(sources_are_matched_with_blocks),
        cmocka_unit_test(defusing_is_undone),
        cmocka_unit_test(wrong_citations_are_corrected),
        cmocka_unit_test(right_citations_are_left_alone),
        cmocka_unit_test(other_verdicts),
        cmocka_unit_test(the_question_decides_between_equals),
        cmocka_unit_test(equals_are_not_told_apart),
        cmocka_unit_test(passages_are_found_with_their_words),
        cmocka_unit_test(ranges_stay_inside),
        cmocka_unit_test(large_inputs_are_read),
    };
    return cmocka_run_group_tests_name("support", tests, NULL, NULL);
}
