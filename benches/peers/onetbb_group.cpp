/* SPDX-License-Identifier: MIT
 *
 * oneTBB's task_group, the way of fork-join. Whoever submits joins the arena first, where a slot is kept for it; no more
 * slots, since each makes the search for tasks longer. The workers are limited as in onetbb_arena.cpp. Nobody calls wait()
 * before the end: a submitter that waits would work too, and this would have one thread more than the others.
 */
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

#include "../peer.h"

extern "C" const struct peer_traits peer_traits = {false, true, true, true, true};

struct peer {
    tbb::global_control threads;
    tbb::task_arena arena;
    tbb::task_group group;

    peer(unsigned workers, unsigned producers)
        : threads(tbb::global_control::max_allowed_parallelism, workers + 1),
          arena(static_cast<int>(workers + producers), producers) {}
};

const char *peer_version() {
    return TBB_runtime_version();
}

peer *peer_create(unsigned workers, unsigned, unsigned producers) {
    return new peer(workers, producers);
}

void peer_as_producer(peer *peer, void (*body)(struct peer *, void *), void *arg) {
    peer->arena.execute([=] { body(peer, arg); });
}

void peer_submit(peer *peer, job *job) {
    peer->group.run([job] { job->run(job); });
}

void peer_destroy(peer *peer) {
    peer->arena.execute([peer] { peer->group.wait(); });
    delete peer;
}
