/* SPDX-License-Identifier: MIT
 *
 * A planted mistake: a task's memory is freed before it runs. scripts/asan and scripts/valgrind prove with it that they would see such
 * a thing.
 */
#include <stdlib.h>
#include <workerpool.h>

static volatile long seen;

static void look(void *arg) {
    seen = *(volatile long *)arg;
}

int main(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    options.workers = 1;
    long *memory = calloc(1, sizeof *memory);
    if (memory == NULL || wp_create(&options, &pool) != WP_OK) {
        return 1;
    }
    free(memory);
    return wp_submit(pool, look, memory) != WP_OK || wp_shutdown(pool) != WP_OK || wp_destroy(pool) != WP_OK;
}
