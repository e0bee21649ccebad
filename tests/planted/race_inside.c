/* SPDX-License-Identifier: MIT
 *
 * A planted mistake: two workers have the library write into one struct without any order between them. scripts/tsan proves with it
 * that the library is instrumented too, since nothing else touches the struct.
 */
#include <stdlib.h>
#include <workerpool.h>

static wp_stats stats = WP_STATS_INIT;

static void ask(void *pool) {
    if (wp_stats_get(pool, &stats) != WP_OK) {
        abort();
    }
}

int main(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    options.workers = 2;
    if (wp_create(&options, &pool) != WP_OK) {
        return 1;
    }
    for (int i = 0; i < 10000; i++) {
        if (wp_submit(pool, ask, pool) != WP_OK) {
            return 1;
        }
    }
    return wp_shutdown(pool) != WP_OK || wp_destroy(pool) != WP_OK;
}
