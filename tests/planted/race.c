/* SPDX-License-Identifier: MIT
 *
 * A planted mistake: two workers write one number without any order between them. scripts/tsan proves with it that the thread
 * sanitizer would see such a thing.
 */
#include <workerpool.h>

static long total;

static void add(void *arg) {
    (void)arg;
    total++;
}

int main(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    options.workers = 2;
    if (wp_create(&options, &pool) != WP_OK) {
        return 1;
    }
    for (int i = 0; i < 10000; i++) {
        if (wp_submit(pool, add, NULL) != WP_OK) {
            return 1;
        }
    }
    return wp_shutdown(pool) != WP_OK || wp_destroy(pool) != WP_OK;
}
