/* SPDX-License-Identifier: MIT
 *
 * A planted mistake: two workers write one number without any order between them. scripts/tsan proves with it that the thread
 * sanitizer would see such a thing.
 */
#include <stdatomic.h>
#include <workerpool.h>

static long total;
static atomic_int step;

/* What tells the tasks that it is their turn, being relaxed, puts nothing in order. */
static void tell(int next) {
    atomic_store_explicit(&step, next, memory_order_relaxed);
}

static void await(int now) {
    while (atomic_load_explicit(&step, memory_order_relaxed) != now) {
    }
}

static void first(void *arg) {
    (void)arg;
    await(1);
    total++;
    tell(2);
    await(3); /* the end of a task would put in order what follows it elsewhere */
}

static void second(void *arg) {
    (void)arg;
    tell(1);
    await(2);
    total++;
    tell(3);
}

int main(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    options.workers = 2;
    if (wp_create(&options, &pool) != WP_OK || wp_submit(pool, first, NULL) != WP_OK || wp_submit(pool, second, NULL) != WP_OK) {
        return 1;
    }
    return wp_shutdown(pool) != WP_OK || wp_destroy(pool) != WP_OK;
}
