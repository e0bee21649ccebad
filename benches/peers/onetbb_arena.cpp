/* SPDX-License-Identifier: MIT
 *
 * oneTBB's task_arena::enqueue(). An arena of workers + 1 slots, one of them kept for a thread that joins it, and a limit
 * of workers + 1 threads: both count the submitter, so that this is what gives `workers` threads of its own.
 */
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/version.h>

#include "../peer.h"

extern "C" const struct peer_traits peer_traits = {false, true, true, true, false};

struct peer {
    tbb::global_control threads;
    tbb::task_arena arena;
};

const char *peer_version() {
    return TBB_runtime_version();
}

peer *peer_create(unsigned workers, unsigned, unsigned) {
    return new peer{tbb::global_control(tbb::global_control::max_allowed_parallelism, workers + 1),
                    tbb::task_arena(static_cast<int>(workers) + 1, 1)};
}

void peer_submit(peer *peer, job *job) {
    peer->arena.enqueue([job] { job->run(job); });
}

void peer_destroy(peer *peer) {
    delete peer;
}
