/* SPDX-License-Identifier: MIT
 *
 * The kinds of work that the driver knows. run.py has the table of the workloads: which kind, with which numbers.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include "measure.h"

/* The numbers of a workload, each given as name=value on the command line. */
struct options {
    unsigned producers;
    unsigned workers;
    unsigned capacity;
    uint64_t ms;       /* how long to measure, about */
    uint64_t unit_ns;  /* busy work of a task; 0: empty tasks */
    uint64_t every;    /* each so many tasks one is long; 0: none */
    uint64_t long_ns;  /* its busy work */
    uint64_t batch;    /* submit so many at once; 0: singly */
    uint64_t bound;    /* 1: at most `capacity` tasks may wait, whatever the peer does by itself */
    uint64_t end;      /* 1: each task tells its end */
    uint64_t gap_ns;   /* idle time before each round trip or burst */
    uint64_t tasks;    /* of a burst, a life, a fill */
    uint64_t depth;    /* of the fork-join tree */
};

/* Each measures once and adds its figures to the record; NULL, or why the peer can't. */
const char *measure_throughput(const struct options *options);
const char *measure_burst(const struct options *options);
const char *measure_forkjoin(const struct options *options);
const char *measure_roundtrip(const struct options *options);
const char *measure_life(const struct options *options);
const char *measure_memory(const struct options *options);
const char *measure_idle(const struct options *options);

/* All submits but those of tasks happen in such a body. */
void as_producer(struct peer *peer, void (*body)(struct peer *peer, void *arg), void *arg);

#endif
