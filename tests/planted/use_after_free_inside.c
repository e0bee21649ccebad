/* SPDX-License-Identifier: MIT
 *
 * A planted mistake: the library is given memory that was freed. scripts/asan proves with it that the library is
 * instrumented too, since nothing else touches the memory; scripts/valgrind, that it looks into the library.
 */
#include <stdlib.h>
#include <workerpool.h>

int main(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_stats *stats = malloc(sizeof *stats);
    wp_pool *pool;
    options.workers = 1;
    if (stats == NULL || wp_create(&options, &pool) != WP_OK) {
        return 1;
    }
    *stats = (wp_stats)WP_STATS_INIT;
    free(stats);
    return wp_stats_get(pool, stats) != WP_OK || wp_shutdown(pool) != WP_OK || wp_destroy(pool) != WP_OK;
}
