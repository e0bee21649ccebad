/* SPDX-License-Identifier: MIT
 *
 * A planted mistake: a task adds past the largest number. scripts/asan proves with it that undefined behaviour would be seen.
 */
#include <limits.h>
#include <workerpool.h>

static volatile int number = INT_MAX;

static void add(void *arg) {
    (void)arg;
    number = number + 1;
}

int main(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    options.workers = 1;
    if (wp_create(&options, &pool) != WP_OK) {
        return 1;
    }
    return wp_submit(pool, add, NULL) != WP_OK || wp_shutdown(pool) != WP_OK || wp_destroy(pool) != WP_OK;
}
