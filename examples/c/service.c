/* SPDX-License-Identifier: MIT
 *
 * service: a service in small. Producers bring requests at a set rate, workers take a set time for each, and the pool
 * between them holds the producers back when the workers can't keep up.
 *
 *     service [--producers 2] [--rate 100] [--cost-us 1000] [--workers 2] [--capacity 64]
 *             [--patience-ms N] [--deadline-ms 10000] [--seconds 0]
 *
 * --rate is per second and producer. --patience-ms: how long a producer waits for room before it drops a request;
 * without it, for ever. --seconds: stop by itself after so long; 0, never.
 *
 * It prints "ready", then a line of figures a second. SIGTERM or SIGINT ends it: nothing new is accepted, everything
 * accepted is finished, and the account is closed. A second signal, or --deadline-ms after the first, discards what is
 * queued. Exit status 0 if the account closed, 1 if not (or if our output could not be written), 2 for wrong usage.
 *
 * It may run as process 1 of a container: there signals do nothing by default, so the two that matter are blocked from
 * the start and taken by sigtimedwait() in the main thread. It has no children, so there is nothing to reap.
 */
#define _GNU_SOURCE /* getopt_long */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "workerpool.h"

#define MILLISECOND UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum { PRODUCERS_MAX = 1000 };

/* Before a second signal or the deadline is noticed while we wait for the pool. */
static const uint64_t TICK = 50 * MILLISECOND;

typedef struct request {
    uint64_t number;
} request;

/* Written by the producer's thread, read after it was joined. */
typedef struct producer {
    pthread_t thread;
    uint64_t accepted, dropped, closed; /* what its submits said: WP_OK, WP_ETIMEDOUT, WP_ECLOSED */
} producer;

static uint32_t producer_count = 2, rate = 100, cost_us = 1000, deadline_ms = 10000, seconds;
static uint64_t patience = WP_FOREVER;

static wp_pool *pool;

/* Our own ledger, to be held against the pool's. */
static atomic_uint_fast64_t requests_made, requests_freed, finished, discarded;

/* Wakes the producers that wait for their next request; those that wait for room are woken by the pool. */
static pthread_mutex_t stop_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stop_event;
static bool stopping;

/* Workers may still run, so no exit(): nothing is cleaned up under their feet. */
static void fatal(const char *what, const char *why)
{
    fprintf(stderr, "service: %s: %s\n", what, why);
    _exit(1);
}

static void check(const char *call, int code)
{
    if (code != WP_OK) fatal(call, wp_strerror(code));
}

static void check_system(const char *call, int error)
{
    if (error != 0) fatal(call, strerror(error));
}

static struct timespec time_from(uint64_t ns)
{
    struct timespec time;
    time.tv_sec = (time_t)(ns / SECOND);
    time.tv_nsec = (long)(ns % SECOND);
    return time;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) fatal("clock_gettime", strerror(errno));
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* ---------------------------------------------------------------------------------------------------- requests -- */

static int serve(wp_context *context, void *arg)
{
    /* Stands for waiting on a data base or a disk: the worker is taken, the CPU is not. */
    struct timespec cost = time_from(cost_us * UINT64_C(1000));
    (void)context, (void)arg;
    check_system("clock_nanosleep", clock_nanosleep(CLOCK_MONOTONIC, 0, &cost, NULL));
    return 0;
}

static void request_ended(const wp_outcome *outcome, void *arg)
{
    atomic_fetch_add(outcome->fate == WP_FATE_RAN ? &finished : &discarded, 1);
    free(arg); /* here and nowhere else: each accepted request comes by exactly once */
    atomic_fetch_add(&requests_freed, 1);
}

/* Sleeps until the next request is due; false: we stop. */
static bool wait_until(uint64_t due)
{
    struct timespec time = time_from(due);
    int error = 0;
    bool go;

    check_system("pthread_mutex_lock", pthread_mutex_lock(&stop_lock));
    while (!stopping && error == 0) error = pthread_cond_timedwait(&stop_event, &stop_lock, &time);
    go = !stopping;
    check_system("pthread_mutex_unlock", pthread_mutex_unlock(&stop_lock));
    if (error != ETIMEDOUT) check_system("pthread_cond_timedwait", error);
    return go;
}

static void *produce(void *arg)
{
    producer *self = arg;
    uint64_t period = SECOND / rate, due = now_ns();
    int code = WP_OK;

    while (code != WP_ECLOSED && wait_until(due)) {
        wp_task task = WP_TASK_INIT;
        request *work = malloc(sizeof *work);
        if (work == NULL) fatal("malloc", strerror(errno));
        work->number = atomic_fetch_add(&requests_made, 1);
        task.run = serve;
        task.end = request_ended;
        task.arg = work;
        task.label = "request";

        code = wp_submit_task(pool, &task, patience);
        if (code == WP_OK) self->accepted++;
        else if (code == WP_ETIMEDOUT || code == WP_EFULL) self->dropped++;
        else if (code == WP_ECLOSED) self->closed++;
        else check("wp_submit_task", code);
        if (code != WP_OK) { /* not accepted: still ours */
            free(work);
            atomic_fetch_add(&requests_freed, 1);
        }
        due += period;
        if (due < now_ns()) due = now_ns(); /* held back: what was missed is not made up for */
    }
    return NULL;
}

/* ----------------------------------------------------------------------------------------------------- figures -- */

static wp_stats snapshot(void)
{
    wp_stats stats = WP_STATS_INIT;
    check("wp_stats_get", wp_stats_get(pool, &stats));
    return stats;
}

/* Saturation: how full the pool is, running and queued together. At 100 % the next submit has to wait. */
static void print_figures(void)
{
    wp_stats stats = snapshot();
    uint64_t room = (uint64_t)stats.workers + stats.capacity, taken = stats.running + stats.queued;
    if (taken > room) taken = room; /* a snapshot under traffic may be off by what happened meanwhile */
    printf("accepted %" PRIu64 "  ran %" PRIu64 "  queued %" PRIu64 "  running %" PRIu64 "  refused %" PRIu64
           "  waiting %" PRIu64 "  saturation %" PRIu64 "%%\n",
           stats.accepted, stats.ran, stats.queued, stats.running, stats.refused, stats.waiting, 100 * taken / room);
}

/* One second after the other, without drift. */
static void print_figures_if_due(uint64_t *due)
{
    uint64_t now = now_ns();
    if (now < *due) return;
    print_figures();
    while (*due <= now) *due += SECOND;
}

/* --------------------------------------------------------------------------------------------- start and finish -- */

/* The number of a signal that came within `timeout` nanoseconds, or 0. */
static int wait_for_signal(const sigset_t *signals, uint64_t timeout)
{
    struct timespec limit = time_from(timeout);
    int number = sigtimedwait(signals, NULL, &limit);
    if (number < 0 && errno != EAGAIN && errno != EINTR) fatal("sigtimedwait", strerror(errno));
    return number < 0 ? 0 : number;
}

static void serve_until_told(const sigset_t *signals)
{
    uint64_t start = now_ns(), figures_due = start + SECOND;
    uint64_t end = seconds == 0 ? UINT64_MAX : start + seconds * SECOND;
    int number = 0;

    while (number == 0) {
        uint64_t now = now_ns(), due = figures_due < end ? figures_due : end;
        if (now >= end) {
            puts("time is up");
            return;
        }
        number = wait_for_signal(signals, due > now ? due - now : 0);
        print_figures_if_due(&figures_due);
    }
    printf("%s: no new work, finishing what was accepted\n", strsignal(number));
}

static void join_producers(producer *producers)
{
    check_system("pthread_mutex_lock", pthread_mutex_lock(&stop_lock));
    stopping = true;
    check_system("pthread_cond_broadcast", pthread_cond_broadcast(&stop_event));
    check_system("pthread_mutex_unlock", pthread_mutex_unlock(&stop_lock));
    for (uint32_t i = 0; i < producer_count; i++)
        check_system("pthread_join", pthread_join(producers[i].thread, NULL));
}

static void finish(const sigset_t *signals, producer *producers)
{
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    uint64_t start = now_ns(), figures_due = start + SECOND, waiting = snapshot().waiting, closed = 0;
    uint64_t deadline = start + deadline_ms * MILLISECOND;
    uint32_t mode = WP_SHUTDOWN_DRAIN;

    /* Close first: it wakes every producer that waits for room, so that all of them can be joined at once. */
    int code = wp_shutdown_for(pool, mode, 0, &report);
    if (code != WP_ETIMEDOUT) check("wp_shutdown_for", code);
    join_producers(producers);
    for (uint32_t i = 0; i < producer_count; i++) closed += producers[i].closed;
    printf("producers: %" PRIu64 " waited for room, %" PRIu64 " were told WP_ECLOSED\n", waiting, closed);

    /* No end of the pool goes unnoticed for longer than it takes to wake up, no signal for longer than a TICK. */
    while ((code = wp_shutdown_for(pool, mode, TICK, &report)) == WP_ETIMEDOUT) {
        print_figures_if_due(&figures_due);
        if (mode == WP_SHUTDOWN_CANCEL) continue;
        if (wait_for_signal(signals, 0) != 0) puts("second signal: discarding what is queued");
        else if (now_ns() >= deadline) puts("deadline: discarding what is queued");
        else continue;
        mode = WP_SHUTDOWN_CANCEL;
    }
    check("wp_shutdown_for", code);
    printf("discarded %" PRIu64 "\n", report.discarded);
}

/* The pool's account against itself, and against what producers and requests have seen. */
static bool account_closed(const producer *producers)
{
    wp_stats stats = snapshot();
    uint64_t accepted = 0;

    for (uint32_t i = 0; i < producer_count; i++) accepted += producers[i].accepted;
    printf("accepted %" PRIu64 " = ran %" PRIu64 " + cancelled %" PRIu64 " + expired %" PRIu64 " + discarded %" PRIu64
           " + queued %" PRIu64 " + running %" PRIu64 "\n",
           stats.accepted, stats.ran, stats.cancelled, stats.expired, stats.discarded, stats.queued, stats.running);
    return stats.accepted ==
               stats.ran + stats.cancelled + stats.expired + stats.discarded + stats.queued + stats.running &&
           stats.queued == 0 && stats.running == 0 && stats.accepted == accepted && stats.ran == finished &&
           stats.discarded == discarded && requests_made == requests_freed;
}

static void usage(void)
{
    fputs("usage: service [--producers N] [--rate N] [--cost-us N] [--workers N] [--capacity N]\n"
          "               [--patience-ms N] [--deadline-ms N] [--seconds N]\n",
          stderr);
    exit(2);
}

static uint32_t number(const char *text, uint32_t least, uint32_t most)
{
    char *end;
    unsigned long value;
    errno = 0;
    value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < least || value > most) {
        fprintf(stderr, "service: %s: not a number from %" PRIu32 " to %" PRIu32 "\n", text, least, most);
        usage();
    }
    return (uint32_t)value;
}

static void read_options(int argc, char **argv, wp_options *options)
{
    static const struct option LONG[] = {
        { "producers", required_argument, NULL, 'p' },   { "rate", required_argument, NULL, 'r' },
        { "cost-us", required_argument, NULL, 'c' },     { "workers", required_argument, NULL, 'w' },
        { "capacity", required_argument, NULL, 'q' },    { "patience-ms", required_argument, NULL, 't' },
        { "deadline-ms", required_argument, NULL, 'd' }, { "seconds", required_argument, NULL, 's' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    options->name = "service";
    options->workers = 2;
    options->capacity = 64;
    while ((option = getopt_long(argc, argv, "", LONG, NULL)) != -1) {
        switch (option) {
        case 'p': producer_count = number(optarg, 1, PRODUCERS_MAX); break;
        case 'r': rate = number(optarg, 1, 1000000); break;
        case 'c': cost_us = number(optarg, 0, UINT32_MAX); break;
        case 'w': options->workers = number(optarg, 1, WP_WORKERS_MAX); break;
        case 'q': options->capacity = number(optarg, 1, WP_CAPACITY_MAX); break;
        case 't': patience = number(optarg, 0, UINT32_MAX) * MILLISECOND; break;
        case 'd': deadline_ms = number(optarg, 0, UINT32_MAX); break;
        case 's': seconds = number(optarg, 0, UINT32_MAX); break;
        default: usage();
        }
    }
    if (optind != argc) usage();
}

int main(int argc, char **argv)
{
    wp_options options = WP_OPTIONS_INIT;
    pthread_condattr_t monotonic;
    producer *producers;
    sigset_t signals;
    bool closed;

    read_options(argc, argv, &options);
    if (setvbuf(stdout, NULL, _IOLBF, BUFSIZ) != 0) fatal("setvbuf", "failed"); /* a log: each line at once */

    /* Before any thread exists, so that all inherit it. A blocked signal waits for us, also in process 1. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    check_system("pthread_sigmask", pthread_sigmask(SIG_BLOCK, &signals, NULL));
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) fatal("signal", strerror(errno)); /* a lost log must not lose work */

    check_system("pthread_condattr_init", pthread_condattr_init(&monotonic));
    check_system("pthread_condattr_setclock", pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC));
    check_system("pthread_cond_init", pthread_cond_init(&stop_event, &monotonic));

    check("wp_create", wp_create(&options, &pool));
    producers = calloc(producer_count, sizeof *producers);
    if (producers == NULL) fatal("calloc", strerror(errno));
    for (uint32_t i = 0; i < producer_count; i++)
        check_system("pthread_create", pthread_create(&producers[i].thread, NULL, produce, &producers[i]));

    puts("ready");
    serve_until_told(&signals);
    finish(&signals, producers);
    closed = account_closed(producers);
    puts(closed ? "account closed" : "account NOT closed");

    check("wp_destroy", wp_destroy(pool));
    free(producers);
    check_system("pthread_cond_destroy", pthread_cond_destroy(&stop_event));
    check_system("pthread_condattr_destroy", pthread_condattr_destroy(&monotonic));
    if (ferror(stdout) || fclose(stdout) != 0) {
        fputs("service: standard output could not be written\n", stderr);
        return 1;
    }
    return closed ? 0 : 1;
}
