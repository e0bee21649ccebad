/* SPDX-License-Identifier: MIT
 *
 * A user's program: it runs a hundred tasks, with the library that belongs to the header.
 */
#include <stdatomic.h>
#include <stdio.h>

#include <workerpool.h>

static void count(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

int main(void)
{
    atomic_int done = 0;
    wp_pool *pool;
    if (wp_create(NULL, &pool) != WP_OK) return 1;
    for (int i = 0; i < 100; i++) {
        if (wp_submit(pool, count, &done) != WP_OK) return 1;
    }
    if (wp_shutdown(pool) != WP_OK || wp_destroy(pool) != WP_OK) return 1;
    printf("%s: %d tasks ran\n", wp_version_string(), atomic_load(&done));
    return wp_version_number() == WP_VERSION_NUMBER && atomic_load(&done) == 100 ? 0 : 1;
}
