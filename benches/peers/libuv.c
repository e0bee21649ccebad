/* SPDX-License-Identifier: MIT
 *
 * libuv's uv_queue_work(). Its threads are the process's own, made once. Work may be submitted by the thread of an event
 * loop only, which is also told when it is done: so each producer has a loop of its own and lets it turn now and then.
 */
#include <uv.h>

#include "../measure.h"

const struct peer_traits peer_traits = {.queues = true};

enum { TURN_EVERY = 256 };

struct request {
    uv_work_t work;
    struct job *job;
};

static _Thread_local uv_loop_t loop;
static _Thread_local unsigned submitted;

const char *peer_version(void) {
    return uv_version_string();
}

struct peer *peer_create(unsigned workers, unsigned capacity, unsigned producers) {
    (void)capacity;
    (void)producers;
    char number[16];
    snprintf(number, sizeof number, "%u", workers);
    setenv("UV_THREADPOOL_SIZE", number, 1);
    static char the_pool;
    return (struct peer *)&the_pool;
}

void peer_as_producer(struct peer *peer, void (*body)(struct peer *peer, void *arg), void *arg) {
    REQUIRE(uv_loop_init(&loop) == 0);
    body(peer, arg);
    REQUIRE(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    REQUIRE(uv_loop_close(&loop) == 0);
}

static void run(uv_work_t *work) {
    struct job *job = ((struct request *)work)->job;
    job->run(job);
}

static void done(uv_work_t *work, int status) {
    (void)status;
    free(work);
}

void peer_submit(struct peer *peer, struct job *job) {
    (void)peer;
    struct request *request = malloc(sizeof *request);
    REQUIRE(request != NULL);
    request->job = job;
    REQUIRE(uv_queue_work(&loop, &request->work, run, done) == 0);
    if (++submitted % TURN_EVERY == 0) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

void peer_destroy(struct peer *peer) {
    (void)peer;
}
