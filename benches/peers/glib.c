/* SPDX-License-Identifier: MIT
 *
 * GLib's GThreadPool, exclusive: with threads of its own.
 */
#include <glib.h>

#include "../measure.h"

const struct peer_traits peer_traits = {.queues = true, .submits_in_task = true, .can_end = true, .drains = true};

const char *peer_version(void) {
    static char version[32];
    snprintf(version, sizeof version, "%u.%u.%u", glib_major_version, glib_minor_version, glib_micro_version);
    return version;
}

static void run(gpointer data, gpointer user_data) {
    (void)user_data;
    struct job *job = data;
    job->run(job);
}

struct peer *peer_create(unsigned workers, unsigned capacity, unsigned producers) {
    (void)capacity;
    (void)producers;
    GThreadPool *pool = g_thread_pool_new(run, NULL, (gint)workers, TRUE, NULL);
    REQUIRE(pool != NULL);
    return (struct peer *)pool;
}

void peer_submit(struct peer *peer, struct job *job) {
    REQUIRE(g_thread_pool_push((GThreadPool *)peer, job, NULL));
}

void peer_destroy(struct peer *peer) {
    g_thread_pool_free((GThreadPool *)peer, FALSE, TRUE);
}
