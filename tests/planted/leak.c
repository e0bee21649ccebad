/* SPDX-License-Identifier: MIT
 *
 * A planted mistake: a task forgets memory. scripts/asan and scripts/valgrind prove with it that they would see such a thing.
 */
#include <stdlib.h>
#include <workerpool.h>

static void forget(void *arg) {
    (void)arg;
    volatile char *memory = malloc(1000);
    if (memory != NULL) {
        memory[0] = 1;
    }
}

int main(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    options.workers = 1;
    if (wp_create(&options, &pool) != WP_OK) {
        return 1;
    }
    return wp_submit(pool, forget, NULL) != WP_OK || wp_shutdown(pool) != WP_OK || wp_destroy(pool) != WP_OK;
}
