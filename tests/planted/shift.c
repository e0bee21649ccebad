/* SPDX-License-Identifier: MIT
 *
 * A planted mistake: a task shifts by the width of the type. scripts/asan proves with it that undefined behaviour would be seen.
 */
#include <workerpool.h>

static volatile unsigned result, width = 32;

static void shift(void *arg) {
    (void)arg;
    result = 1u << width;
}

int main(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    options.workers = 1;
    if (wp_create(&options, &pool) != WP_OK) {
        return 1;
    }
    return wp_submit(pool, shift, NULL) != WP_OK || wp_shutdown(pool) != WP_OK || wp_destroy(pool) != WP_OK;
}
