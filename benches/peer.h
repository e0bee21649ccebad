/* SPDX-License-Identifier: MIT
 *
 * What a pool must offer to be measured. Each file in peers/ says it for one pool, and is linked with the driver into a
 * program of its own: no peer can disturb another, and all do the same work, compiled in the same way.
 */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A task. The driver's own structs begin with it, so a pool that has one function for all its tasks needs no allocation
 * to know which one to call: that is to the peers' advantage. */
struct job {
    void (*run)(struct job *job);
};

struct peer;

/* The library's version, for the record. */
const char *peer_version(void);

/* What the peer can do; the driver skips what it can't, and says so. */
struct peer_traits {
    bool is_bounded;      /* submit waits while `capacity` tasks are queued */
    bool queues;          /* has a queue at all: `capacity` tasks can wait without blocking the submitter */
    bool submits_in_task; /* a task may submit */
    bool can_end;         /* destroy ends the pool, and another can be made */
    bool drains;          /* destroy runs what is queued; if not, the driver waits before it calls destroy */
};
extern const struct peer_traits peer_traits;

/* `workers` threads; room for `capacity` tasks if the pool has a bound; `producers` threads will submit. Never NULL: what
 * fails ends the program. */
struct peer *peer_create(unsigned workers, unsigned capacity, unsigned producers);

/* From any thread within peer_as_producer(), and from tasks if submits_in_task. */
void peer_submit(struct peer *peer, struct job *job);

void peer_destroy(struct peer *peer);

/* The rest is weak: a peer that lacks one does not define it. */
#define PEER_OPTIONAL __attribute__((weak))

/* Submits all `count` jobs in one call. */
PEER_OPTIONAL void peer_submit_batch(struct peer *peer, struct job *const *jobs, size_t count);

/* Like peer_submit(), with a callback that is told that the task has ended: `job->run` is called by that callback, the
 * task itself does nothing. */
PEER_OPTIONAL void peer_submit_with_end(struct peer *peer, struct job *job);

/* Calls body(peer, arg) on this thread, which submits in there: for a peer that has to prepare a thread for that. */
PEER_OPTIONAL void peer_as_producer(struct peer *peer, void (*body)(struct peer *peer, void *arg), void *arg);

#ifdef __cplusplus
}
#endif
#endif
