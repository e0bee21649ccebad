/* SPDX-License-Identifier: MIT
 *
 * The round trip of one task: submitted by a thread that then looks for its answer without a pause.
 */
#include "driver.h"

#include <string.h>

struct question {
    struct job job;
    _Alignas(128) _Atomic bool answered;
};

static void answer(struct job *job) {
    atomic_store_explicit(&((struct question *)job)->answered, true, memory_order_release);
}

static uint64_t ask(struct peer *peer, struct question *question) {
    uint64_t begin = now_ns();
    peer_submit(peer, &question->job);
    while (!atomic_load_explicit(&question->answered, memory_order_acquire)) {
        relax();
    }
    uint64_t took = now_ns() - begin;
    atomic_store_explicit(&question->answered, false, memory_order_relaxed);
    return took;
}

static int ascending(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* These shares of the round trips, in per mille, make the curve; run.py names four of them. */
static const unsigned shares[] = {1,   10,  50,  100, 200, 300, 400, 500, 600, 700, 800,
                                  850, 900, 930, 950, 970, 980, 990, 995, 998, 999, 1000};
enum { SHARES = sizeof shares / sizeof *shares };

struct samples {
    const struct options *options;
    uint64_t *ns;
    size_t count;
};
enum { WARM = 100, SAMPLES_MAX = 200000 };

static void take_samples(struct peer *peer, void *arg) {
    struct samples *samples = arg;
    const struct options *options = samples->options;
    struct question question = {.job = {answer}};
    for (int i = 0; i < WARM; i++) {
        ask(peer, &question);
    }
    uint64_t end = now_ns() + options->ms * 1000000;
    while (samples->count < SAMPLES_MAX && now_ns() < end) {
        if (options->gap_ns != 0) {
            sleep_ns(options->gap_ns);
        }
        samples->ns[samples->count++] = ask(peer, &question);
    }
}

const char *measure_roundtrip(const struct options *options) {
    struct peer *peer = peer_create(options->workers, options->capacity, options->producers);
    struct samples samples = {.options = options, .ns = calloc(SAMPLES_MAX, sizeof *samples.ns)};
    REQUIRE(samples.ns != NULL);
    as_producer(peer, take_samples, &samples);
    peer_destroy(peer);

    qsort(samples.ns, samples.count, sizeof *samples.ns, ascending);
    double values[SHARES], wanted[SHARES];
    for (size_t i = 0; i < SHARES; i++) {
        size_t rank = samples.count * shares[i] / 1000;
        values[i] = (double)samples.ns[rank < samples.count ? rank : samples.count - 1];
        wanted[i] = shares[i];
    }
    free(samples.ns);
    record_number("samples", (double)samples.count);
    record_numbers("shares", wanted, SHARES);
    record_numbers("curve", values, SHARES);
    return NULL;
}
