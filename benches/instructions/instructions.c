/* SPDX-License-Identifier: MIT
 *
 * instructions COUNT: the same path through the pool COUNT times, and no other; scripts/instructions counts what it takes.
 *
 * Which path a task takes depends on who sleeps, and how long anyone spins on what the others do. Here neither varies: the one
 * worker is held by its first task while all the others are submitted, into room enough; then it is let go, and runs them one
 * after the other while this thread sleeps. What happens once cancels out between two counts.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <workerpool.h>

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s is not so\n", #condition);                                                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static sem_t held, gate, over;

static void hold(void *arg) {
    (void)arg;
    sem_post(&held);
    sem_wait(&gate);
}

static void nothing(void *arg) {
    (void)arg;
}

static void tell(void *arg) {
    (void)arg;
    sem_post(&over);
}

/* Named by scripts/instructions, which counts what happens in here. */
__attribute__((noinline)) void submit_all(wp_pool *pool, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        REQUIRE(wp_submit(pool, nothing, NULL) == WP_OK);
    }
}

int main(int argc, char **argv) {
    REQUIRE(argc == 2);
    wp_options options = WP_OPTIONS_INIT;
    options.workers = 1;
    options.capacity = 65536;
    wp_pool *pool;
    REQUIRE(wp_create(&options, &pool) == WP_OK);
    sem_init(&held, 0, 0);
    sem_init(&gate, 0, 0);
    sem_init(&over, 0, 0);
    REQUIRE(wp_submit(pool, hold, NULL) == WP_OK);
    sem_wait(&held);
    submit_all(pool, (unsigned)atoi(argv[1]));
    REQUIRE(wp_submit(pool, tell, NULL) == WP_OK);
    sem_post(&gate);
    sem_wait(&over);
    REQUIRE(wp_shutdown(pool) == WP_OK);
    REQUIRE(wp_destroy(pool) == WP_OK);
    return 0;
}
