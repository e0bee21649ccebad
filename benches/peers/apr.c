/* SPDX-License-Identifier: MIT
 *
 * The thread pool of the Apache Portable Runtime's utilities.
 */
#include <apr_general.h>
#include <apr_thread_pool.h>
#include <apu_version.h>

#include "../measure.h"

/* apr_thread_pool_destroy() drops what is queued. */
const struct peer_traits peer_traits = {.queues = true, .submits_in_task = true, .can_end = true};

struct peer {
    apr_pool_t *memory;
    apr_thread_pool_t *threads;
};

const char *peer_version(void) {
    return apu_version_string();
}

struct peer *peer_create(unsigned workers, unsigned capacity, unsigned producers) {
    (void)capacity;
    (void)producers;
    static bool is_initialized;
    if (!is_initialized) {
        REQUIRE(apr_initialize() == APR_SUCCESS);
        is_initialized = true;
    }
    struct peer *peer = malloc(sizeof *peer);
    REQUIRE(peer != NULL);
    REQUIRE(apr_pool_create(&peer->memory, NULL) == APR_SUCCESS);
    REQUIRE(apr_thread_pool_create(&peer->threads, workers, workers, peer->memory) == APR_SUCCESS);
    return peer;
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *arg) {
    (void)thread;
    struct job *job = arg;
    job->run(job);
    return NULL;
}

void peer_submit(struct peer *peer, struct job *job) {
    REQUIRE(apr_thread_pool_push(peer->threads, run, job, APR_THREAD_TASK_PRIORITY_NORMAL, NULL) == APR_SUCCESS);
}

void peer_destroy(struct peer *peer) {
    REQUIRE(apr_thread_pool_destroy(peer->threads) == APR_SUCCESS);
    apr_pool_destroy(peer->memory);
    free(peer);
}
