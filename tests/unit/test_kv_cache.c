/* Tests of engine/infer/kv_cache on the toy backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/infer/kv_cache.h"
#include "tests/unit/toy_backend.h"

struct pool {
    struct model *model;
    struct kv_cache *cache;
};

static struct pool pool_open(uint32_t pages)
{
    struct pool pool = {.model = toy_model(&(struct toy_options){0})};
    assert_int_equal(kv_cache_open(&pool.cache, pool.model, pages, NULL), 0);
    return pool;
}

static void pool_close(struct pool *pool)
{
    kv_cache_close(pool->cache);
    toy_model_free(pool->model);
}

static const int32_t *ids(int seed)
{
    static int32_t out[KV_PAGE_TOKENS];
    for (int i = 0; i < KV_PAGE_TOKENS; i++)
        out[i] = seed * 100 + i;
    return out;
}

/* A full page with ids(seed), held once. */
static uint32_t full_page(struct pool *pool, uint32_t parent, int seed)
{
    uint32_t page = kv_cache_take(pool->cache);
    assert_int_not_equal(page, KV_NO_PAGE);
    return kv_cache_publish(pool->cache, page, parent, ids(seed), KV_PAGE_TOKENS);
}

static void takes_every_page_once(void **state)
{
    (void)state;
    struct pool pool = pool_open(5);
    bool seen[5] = {false};
    uint32_t page = KV_NO_PAGE;
    for (int i = 0; i < 5; i++) {
        page = kv_cache_take(pool.cache);
        assert_true(page < 5 && !seen[page]);
        seen[page] = true;
        assert_true(kv_cache_writable(pool.cache, page));
    }
    assert_int_equal(kv_cache_take(pool.cache), KV_NO_PAGE);
    kv_cache_release(pool.cache, page);
    assert_int_equal(kv_cache_take(pool.cache), page);
    pool_close(&pool);
}

static void finds_only_the_same_ids_after_the_same_parent(void **state)
{
    (void)state;
    struct pool pool = pool_open(8);
    uint32_t a = full_page(&pool, KV_NO_PAGE, 1);
    uint32_t b = full_page(&pool, a, 2);
    uint32_t c = full_page(&pool, KV_NO_PAGE, 3);
    assert_int_equal(kv_cache_find(pool.cache, KV_NO_PAGE, ids(1)), a);
    assert_int_equal(kv_cache_references(pool.cache, a), 2);
    assert_int_equal(kv_cache_find(pool.cache, a, ids(2)), b);
    assert_int_equal(kv_cache_find(pool.cache, c, ids(2)), KV_NO_PAGE);
    assert_int_equal(kv_cache_find(pool.cache, KV_NO_PAGE, ids(2)), KV_NO_PAGE);
    int32_t nearly[KV_PAGE_TOKENS];
    memcpy(nearly, ids(1), sizeof nearly);
    nearly[31]++;
    assert_int_equal(kv_cache_find(pool.cache, KV_NO_PAGE, nearly), KV_NO_PAGE);
    assert_false(kv_cache_writable(pool.cache, b));
    pool_close(&pool);
}

struct attempt {
    uint32_t high, id;
};

static int by_high(const void *a, const void *b)
{
    const struct attempt *x = a, *y = b;
    return (x->high > y->high) - (x->high < y->high);
}

/* The cache's hash before the last two ids: FNV-1a over ids. Two last-but-one ids that agree in the
 * upper half of the hash are found by birthday; the last ids make up for the lower half. */
static void collide(int32_t *one, int32_t *other)
{
    enum { TRIES = 1 << 19 };
    uint64_t hash = 0xCBF29CE484222325u, prime = 0x100000001B3u;
    for (int i = 0; i < KV_PAGE_TOKENS - 2; i++)
        hash = (hash ^ (uint32_t)one[i]) * prime;
    struct attempt *attempts = malloc(TRIES * sizeof *attempts);
    for (uint32_t i = 0; i < TRIES; i++) {
        uint64_t mixed = (i + 1) * 0x9E3779B97F4A7C15u;
        uint32_t id = (uint32_t)((mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9u >> 32);
        attempts[i] = (struct attempt){(uint32_t)((hash ^ id) * prime >> 32), id};
    }
    qsort(attempts, TRIES, sizeof *attempts, by_high);
    uint32_t at = 1;
    while (at < TRIES - 1 &&
           (attempts[at].high != attempts[at - 1].high || attempts[at].id == attempts[at - 1].id))
        at++;
    one[KV_PAGE_TOKENS - 2] = (int32_t)attempts[at - 1].id;
    other[KV_PAGE_TOKENS - 2] = (int32_t)attempts[at].id;
    uint64_t a = (hash ^ attempts[at - 1].id) * prime, b = (hash ^ attempts[at].id) * prime;
    assert_int_equal(a >> 32, b >> 32);
    other[KV_PAGE_TOKENS - 1] = (int32_t)((uint32_t)one[KV_PAGE_TOKENS - 1] ^ (uint32_t)(a ^ b));
    free(attempts);
}

static void equal_hashes_are_not_equal_pages(void **state)
{
    (void)state;
    struct pool pool = pool_open(8);
    int32_t one[KV_PAGE_TOKENS], other[KV_PAGE_TOKENS];
    memcpy(one, ids(1), sizeof one);
    memcpy(other, one, sizeof other);
    collide(one, other);
    uint32_t a = kv_cache_take(pool.cache), b = kv_cache_take(pool.cache);
    assert_int_equal(kv_cache_publish(pool.cache, a, KV_NO_PAGE, one, KV_PAGE_TOKENS), a);
    assert_int_equal(kv_cache_find(pool.cache, KV_NO_PAGE, other), KV_NO_PAGE);
    assert_int_equal(kv_cache_publish(pool.cache, b, KV_NO_PAGE, other, KV_PAGE_TOKENS), b);
    uint32_t child = full_page(&pool, a, 5);
    assert_int_equal(kv_cache_find(pool.cache, b, ids(5)), KV_NO_PAGE);
    assert_int_equal(kv_cache_find(pool.cache, a, ids(5)), child);
    pool_close(&pool);
}

static void equal_pages_become_one(void **state)
{
    (void)state;
    struct pool pool = pool_open(4);
    uint32_t a = full_page(&pool, KV_NO_PAGE, 1), again = full_page(&pool, KV_NO_PAGE, 1);
    assert_int_equal(a, again);
    assert_int_equal(kv_cache_references(pool.cache, a), 2);
    struct kv_usage usage;
    kv_cache_usage(pool.cache, &usage);
    assert_int_equal(usage.pages, 4);
    assert_int_equal(usage.held, 1);
    pool_close(&pool);
}

static void evicts_the_oldest_and_children_first(void **state)
{
    (void)state;
    struct pool pool = pool_open(4);
    uint32_t a = full_page(&pool, KV_NO_PAGE, 1), b = full_page(&pool, a, 2);
    uint32_t c = full_page(&pool, KV_NO_PAGE, 3), d = full_page(&pool, c, 4);
    kv_cache_release(pool.cache, a);
    kv_cache_release(pool.cache, b);
    kv_cache_release(pool.cache, c); /* a parent's last use lies before its child's */
    kv_cache_release(pool.cache, d);
    assert_int_equal(kv_cache_find(pool.cache, KV_NO_PAGE, ids(1)), a);
    assert_int_equal(kv_cache_find(pool.cache, a, ids(2)), b);
    kv_cache_release(pool.cache, a);
    kv_cache_release(pool.cache, b);
    assert_int_equal(kv_cache_take(pool.cache), d);
    assert_int_equal(kv_cache_take(pool.cache), c);
    assert_int_equal(kv_cache_take(pool.cache), b);
    assert_int_equal(kv_cache_find(pool.cache, a, ids(2)), KV_NO_PAGE);
    assert_int_equal(kv_cache_find(pool.cache, KV_NO_PAGE, ids(1)), a);
    assert_int_equal(kv_cache_take(pool.cache), KV_NO_PAGE);
    pool_close(&pool);
}

static void tails_are_found_by_their_beginning(void **state)
{
    (void)state;
    struct pool pool = pool_open(6);
    uint32_t matched;
    uint32_t a = full_page(&pool, KV_NO_PAGE, 1);
    uint32_t tail = kv_cache_take(pool.cache);
    kv_cache_publish(pool.cache, tail, a, ids(2), 20);
    kv_cache_release(pool.cache, tail);
    assert_int_equal(kv_cache_find(pool.cache, a, ids(2)), KV_NO_PAGE);
    assert_int_equal(kv_cache_find_partial(pool.cache, a, ids(2), 12, &matched), tail);
    assert_int_equal(matched, 12);
    kv_cache_release(pool.cache, tail);
    assert_int_equal(kv_cache_find_partial(pool.cache, a, ids(2), 32, &matched), tail);
    assert_int_equal(matched, 20);
    kv_cache_release(pool.cache, tail);
    assert_int_equal(kv_cache_find_partial(pool.cache, a, ids(3), 32, &matched), KV_NO_PAGE);
    assert_int_equal(kv_cache_find_partial(pool.cache, KV_NO_PAGE, ids(1), 9, &matched), a);
    assert_int_equal(matched, 9);
    pool_close(&pool);
}

static void longer_page_replaces_its_shorter_tail(void **state)
{
    (void)state;
    struct pool pool = pool_open(3);
    struct kv_usage usage;
    uint32_t tail = kv_cache_take(pool.cache);
    kv_cache_publish(pool.cache, tail, KV_NO_PAGE, ids(1), 20);
    kv_cache_release(pool.cache, tail);
    uint32_t a = full_page(&pool, KV_NO_PAGE, 1);
    kv_cache_release(pool.cache, a);
    kv_cache_usage(pool.cache, &usage);
    assert_int_equal(usage.cached, 1);
    /* And a tail that says less than what is there is not kept. */
    tail = kv_cache_take(pool.cache);
    kv_cache_publish(pool.cache, tail, KV_NO_PAGE, ids(1), 10);
    kv_cache_release(pool.cache, tail);
    kv_cache_usage(pool.cache, &usage);
    assert_int_equal(usage.cached, 1);
    assert_int_equal(usage.held, 0);
    pool_close(&pool);
}

static void pool_size_follows_the_context(void **state)
{
    (void)state;
    struct model *small = toy_model(&(struct toy_options){.context = 1000});
    assert_int_equal(model_pool_pages(small->ops, &small->shape, KV_F16), 4 * 32 + 4);
    toy_model_free(small);
    struct model *large = toy_model(&(struct toy_options){.context = 1000, .page_bytes = 64 << 20});
    assert_int_equal(model_pool_pages(large->ops, &large->shape, KV_F16), 32 + 4);
    toy_model_free(large);
    assert_int_equal(kv_pages_for(0), 0);
    assert_int_equal(kv_pages_for(32), 1);
    assert_int_equal(kv_pages_for(33), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_page_once),
        cmocka_unit_test(finds_only_the_same_ids_after_the_same_parent),
        cmocka_unit_test(equal_hashes_are_not_equal_pages),
        cmocka_unit_test(equal_pages_become_one),
        cmocka_unit_test(evicts_the_oldest_and_children_first),
        cmocka_unit_test(tails_are_found_by_their_beginning),
        cmocka_unit_test(longer_page_replaces_its_shorter_tail),
        cmocka_unit_test(pool_size_follows_the_context),
    };
    return cmocka_run_group_tests_name("kv_cache", tests, NULL, NULL);
}
