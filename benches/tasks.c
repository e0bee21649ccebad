/* SPDX-License-Identifier: MIT
 *
 * Tasks that come all at once after a rest, and tasks that make tasks.
 */
#include "driver.h"

/* What is done again and again for a while: how often, and how long it took together. The first time warms up, and does
 * not count. */
struct rounds {
    const struct options *options;
    uint64_t count, total_ns;
};

static void repeat(struct rounds *rounds, struct peer *peer, uint64_t (*once)(struct peer *, const struct options *)) {
    uint64_t end = now_ns() + rounds->options->ms * 1000000;
    once(peer, rounds->options);
    do {
        rounds->total_ns += once(peer, rounds->options);
        rounds->count++;
    } while (now_ns() < end);
}

static uint64_t one_burst(struct peer *peer, const struct options *options) {
    static struct work task = {.job = {run_work}};
    sleep_ns(options->gap_ns);
    uint64_t target = tasks_ran() + options->tasks, begin = now_ns();
    for (uint64_t i = 0; i < options->tasks; i++) {
        peer_submit(peer, &task.job);
    }
    return wait_tasks_ran(target, options->tasks, begin) - begin;
}

static void bursts(struct peer *peer, void *arg) {
    repeat(arg, peer, one_burst);
}

const char *measure_burst(const struct options *options) {
    struct peer *peer = peer_create(options->workers, options->capacity, options->producers);
    struct rounds rounds = {.options = options};
    as_producer(peer, bursts, &rounds);
    peer_destroy(peer);
    record_number("us", (double)rounds.total_ns / (double)rounds.count / 1000);
    return NULL;
}

/* A node submits its two children, which lie at twice its index and one more. */
struct node {
    struct job job;
    uint64_t index;
};
static struct {
    struct peer *peer;
    struct node *nodes;
    uint64_t end;
} tree;

static void run_node(struct job *job) {
    uint64_t left = 2 * ((struct node *)job)->index;
    if (left < tree.end) {
        peer_submit(tree.peer, &tree.nodes[left].job);
        peer_submit(tree.peer, &tree.nodes[left + 1].job);
    }
    count_task();
}

static uint64_t one_tree(struct peer *peer, const struct options *options) {
    (void)options;
    uint64_t count = tree.end - 1, target = tasks_ran() + count, begin = now_ns();
    peer_submit(peer, &tree.nodes[1].job);
    return wait_tasks_ran(target, count, begin) - begin;
}

static void trees(struct peer *peer, void *arg) {
    repeat(arg, peer, one_tree);
}

const char *measure_forkjoin(const struct options *options) {
    if (!peer_traits.submits_in_task) {
        return "a task cannot submit";
    }
    tree.peer = peer_create(options->workers, options->capacity, options->producers);
    tree.end = (uint64_t)2 << options->depth;
    tree.nodes = calloc(tree.end, sizeof *tree.nodes);
    REQUIRE(tree.nodes != NULL);
    for (uint64_t i = 1; i < tree.end; i++) {
        tree.nodes[i] = (struct node){.job = {run_node}, .index = i};
    }
    struct rounds rounds = {.options = options};
    as_producer(tree.peer, trees, &rounds);
    peer_destroy(tree.peer);
    free(tree.nodes);
    record_number("ns", (double)rounds.total_ns / (double)rounds.count / (double)(tree.end - 1));
    return NULL;
}
