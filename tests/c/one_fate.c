/* SPDX-License-Identifier: MIT
 *
 * The promise (laws L2 to L5): whatever the traffic and whenever the shutdown, a task meets exactly one fate if its submit
 * said WP_OK, and none otherwise; the snapshots and the producers agree about it; and after a shutdown that said
 * WP_OK nothing of the pool touches what the tasks used.
 *
 * A round: 16 producers against 4 workers, with capacity 1, 2, 64 and 1,024 in turn; try, timed and blocking submits of
 * plain and full tasks; one or two threads that shut the pool down at a random point, in either mode, sometimes in steps of
 * a timeout; a watcher that takes snapshots all along. What the tasks write to becomes inaccessible as soon as the
 * first shutdown returns WP_OK.
 *
 * WP_ROUNDS: rounds; 40 in the short form (20 under valgrind).
 */
#include "check.h"

#include <sys/mman.h>

enum { PRODUCERS = 16, WORKERS = 4, MOST = 300, RECORDS = PRODUCERS * MOST };

/* What a task writes. Nobody else does, and it is gone when the shutdown has returned. */
struct record {
    atomic_uint runs;
    atomic_uint ends;
    uint32_t fate;
    int32_t status;
    uint32_t worker;
    uint32_t worker_that_ran;
};

static struct record *records;   /* Shared with the tasks: mapped, so that it can be taken away. */
static struct record *seen;      /* A copy, made when all was over. */
static size_t records_bytes;

enum verdict { NEVER_TRIED = 0, ACCEPTED, REFUSED };

/* What a producer knows. */
struct producer {
    uint64_t random;
    unsigned tasks;
    unsigned char verdict[MOST];
    bool is_full[MOST];
    uint64_t accepted, refused_for_room, closed;
};

static struct producer producers[PRODUCERS];
static wp_pool *pool;
static uint32_t capacity;
static atomic_uint attempts;       /* Submits that were begun: the shutdown's clock. */
static atomic_uint sealed;         /* The records are out of the tasks' reach. */
static atomic_uint stop_watching;
static pthread_barrier_t start_line;
static unsigned long current_round;
static uint64_t snapshots, exact_snapshots;

/* A record's place says what its task returns, so that the expectation needs no memory of its own. */
static int status_of(const struct record *record) {
    return (int)((record - records) % 7) - 3;
}

/* Different lengths of tasks without sleeping: in half of the rounds others are let run first now and then. */
static void dawdle(const struct record *record) {
    unsigned place = (unsigned)(record - records);
    if (current_round % 8 < 4) {
        return;
    }
    if (place % 5 == 0) {
        sched_yield();
    }
    if (place % 41 == 0) {
        for (int i = 0; i < 20; i++) {
            sched_yield();
        }
    }
}

static void plain(void *arg) {
    struct record *record = arg;
    dawdle(record);
    atomic_fetch_add(&record->runs, 1);
}

static int full(wp_context *context, void *arg) {
    struct record *record = arg;
    atomic_fetch_add(&record->runs, 1);
    dawdle(record);
    record->worker_that_ran = wp_worker_index(context);
    CHECK(wp_label(context) == (const char *)record);
    return status_of(record);
}

static void end(const wp_outcome *outcome, void *arg) {
    struct record *record = arg;
    atomic_fetch_add(&record->ends, 1);
    CHECK(outcome->label == (const char *)record);
    CHECK_EQ(sizeof *outcome, outcome->struct_size);
    record->fate = outcome->fate;
    record->status = outcome->status;
    dawdle(record);
    record->worker = outcome->worker;
}

static void *produce(void *arg) {
    struct producer *me = arg;
    unsigned first = (unsigned)(me - producers) * MOST;
    pthread_barrier_wait(&start_line);
    for (unsigned i = 0; i < me->tasks; i++) {
        uint64_t dice = check_random(&me->random);
        struct record *record = &records[first + i];
        uint64_t timeout = dice % 3 == 0 ? 0 : dice % 3 == 1 ? dice / 8 % (2 * NS_PER_MS) : WP_FOREVER;
        int code;
        atomic_fetch_add(&attempts, 1);
        me->is_full[i] = dice >> 60 & 1;
        if (me->is_full[i]) {
            wp_task task = WP_TASK_INIT;
            task.run = full;
            task.arg = record;
            task.end = end;
            task.label = (const char *)record;
            code = wp_submit_task(pool, &task, timeout);
        } else if (timeout == WP_FOREVER) {
            code = wp_submit(pool, plain, record);
        } else if (timeout == 0 && dice >> 59 & 1) {
            code = wp_try_submit(pool, plain, record);
        } else {
            code = wp_submit_for(pool, plain, record, timeout);
        }
        me->verdict[i] = code == WP_OK ? ACCEPTED : REFUSED;
        switch (code) {
        case WP_OK: me->accepted++; break;
        case WP_EFULL:
            CHECK_EQ(0, timeout);
            me->refused_for_room++;
            break;
        case WP_ETIMEDOUT:
            CHECK(timeout != 0 && timeout != WP_FOREVER);
            me->refused_for_room++;
            break;
        default: CHECK_EQ(WP_ECLOSED, code); me->closed++;
        }
        CHECK(code == WP_ECLOSED || me->closed == 0); /* A closed pool never opens again. */
        if (dice >> 55 & 1) {
            sched_yield();
        }
    }
    return NULL;
}

struct closer {
    uint64_t random;
    unsigned at; /* Begins at so many attempts. */
    uint32_t mode;
    bool is_timed;
};

static void *close_pool(void *arg) {
    struct closer *me = arg;
    int code;
    pthread_barrier_wait(&start_line);
    AWAIT(atomic_load(&attempts) >= me->at);
    if (me->is_timed) {
        unsigned tries = 0;
        do {
            wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
            uint64_t timeout = check_random(&me->random) % (200 * 1000);
            code = wp_shutdown_for(pool, me->mode, timeout, &report);
            if (code == WP_OK) {
                CHECK(report.queued == 0 && report.running == 0);
            } else {
                CHECK_EQ(WP_ETIMEDOUT, code);
                /* Nothing stays queued that nobody will take: the discarder has ended it, or the workers will. */
                CHECK(me->mode == WP_SHUTDOWN_DRAIN || report.queued <= capacity);
            }
            CHECK_EQ(WP_ECLOSED, wp_try_submit(pool, plain, NULL));
            if (++tries % 8 == 0) {
                me->mode = (uint32_t)(check_random(&me->random) % 2); /* Hardens, or is ignored. */
            }
        } while (code != WP_OK);
    } else if (me->mode == WP_SHUTDOWN_DRAIN) {
        CHECK_EQ(WP_OK, wp_shutdown(pool));
    } else {
        CHECK_EQ(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, NULL));
    }
    /* Over (L5). Whoever is told so first takes the records away at once. */
    if (atomic_exchange(&sealed, 1) == 0) {
        memcpy(seen, records, records_bytes);
        CHECK_EQ(0, mprotect(records, records_bytes, PROT_NONE));
    }
    return NULL;
}

static void check_snapshot(const wp_stats *before, const wp_stats *now) {
    CHECK_EQ(now->accepted, now->ran + now->cancelled + now->expired + now->discarded + now->queued + now->running);
    CHECK_AT_LEAST(before->accepted, now->accepted);
    CHECK_AT_LEAST(before->ran, now->ran);
    CHECK_AT_LEAST(before->failed, now->failed);
    CHECK_AT_LEAST(before->discarded, now->discarded);
    CHECK_AT_LEAST(before->refused, now->refused);
    CHECK_AT_LEAST(before->waits, now->waits);
    CHECK_AT_LEAST(before->wait_ns, now->wait_ns);
    CHECK_AT_LEAST(before->closed, now->closed);
    CHECK_AT_MOST(now->ran, now->failed);
    CHECK_AT_MOST(PRODUCERS, now->waiting);
    CHECK_EQ(0, now->cancelled + now->expired);
    CHECK_EQ(capacity, now->capacity);
    CHECK_EQ(WORKERS, now->workers);
    CHECK(now->exact <= 1 && now->closed <= 1);
    if (now->exact) {
        CHECK_AT_MOST(capacity, now->queued);
        CHECK_AT_MOST(WORKERS + 1, now->running); /* + 1: a task that a shutdown is discarding. */
        exact_snapshots++;
    }
    snapshots++;
}

static void *watch(void *arg) {
    wp_stats before = WP_STATS_INIT, now = WP_STATS_INIT;
    (void)arg;
    pthread_barrier_wait(&start_line);
    while (!atomic_load(&stop_watching)) {
        CHECK_EQ(WP_OK, wp_stats_get(pool, &now));
        check_snapshot(&before, &now);
        before = now;
        if (current_round % 16 != 5) { /* now and then as fast as it can */
            sched_yield();
        }
    }
    return NULL;
}

static void each_task_has_met_its_fate(const wp_stats *last) {
    uint64_t accepted = 0, refused = 0, ran = 0, failed = 0, discarded = 0;
    for (unsigned p = 0; p < PRODUCERS; p++) {
        const struct producer *producer = &producers[p];
        accepted += producer->accepted;
        refused += producer->refused_for_room;
        for (unsigned i = 0; i < producer->tasks; i++) {
            struct record *record = &seen[p * MOST + i];
            unsigned runs = atomic_load(&record->runs), ends = atomic_load(&record->ends);
            int status = (int)((p * MOST + i) % 7) - 3;
            CHECK(producer->verdict[i] != NEVER_TRIED);
            if (producer->verdict[i] == REFUSED) {
                CHECK_EQ(0, runs);
                CHECK_EQ(0, ends);
                continue;
            }
            CHECK_AT_MOST(1, runs);
            CHECK_EQ(producer->is_full[i], ends);
            ran += runs;
            discarded += 1 - runs;
            if (producer->is_full[i]) {
                CHECK_EQ(runs ? WP_FATE_RAN : WP_FATE_DISCARDED, record->fate);
                CHECK_EQ(runs ? status : 0, record->status);
                CHECK_EQ(runs ? record->worker_that_ran : WP_NO_WORKER, record->worker);
                CHECK(!runs || record->worker < WORKERS);
                failed += runs && status != 0;
            }
        }
    }
    CHECK_EQ(accepted, last->accepted);
    CHECK_EQ(ran, last->ran);
    CHECK_EQ(failed, last->failed);
    CHECK_EQ(discarded, last->discarded);
    CHECK_EQ(refused, last->refused);
    CHECK(last->queued == 0 && last->running == 0 && last->waiting == 0);
    CHECK(last->closed == 1 && last->exact == 1);
}

static void one_round(uint64_t *random) {
    static const uint32_t capacities[] = {1, 2, 64, 1024};
    pthread_t threads[PRODUCERS], closing[2], watcher;
    struct closer closers[2];
    unsigned total = 0, closer_count = 1 + (unsigned)(check_random(random) % 2);
    bool may_discard = false;

    capacity = capacities[current_round % 4];
    memset(records, 0, records_bytes);
    memset(producers, 0, sizeof producers);
    atomic_store(&attempts, 0);
    atomic_store(&sealed, 0);
    atomic_store(&stop_watching, 0);
    for (unsigned p = 0; p < PRODUCERS; p++) {
        producers[p].random = check_random(random);
        producers[p].tasks = (unsigned)(check_random(random) % MOST) + 1;
        total += producers[p].tasks;
    }
    CHECK_EQ(0, pthread_barrier_init(&start_line, NULL, PRODUCERS + closer_count + 1));
    pool = check_pool(WORKERS, capacity);
    for (unsigned c = 0; c < closer_count; c++) {
        closers[c].random = check_random(random);
        closers[c].at = (unsigned)(check_random(random) % (total + 1));
        closers[c].mode = check_random(random) % 2 ? WP_SHUTDOWN_CANCEL : WP_SHUTDOWN_DRAIN;
        closers[c].is_timed = check_random(random) % 2;
        may_discard |= closers[c].mode == WP_SHUTDOWN_CANCEL || closers[c].is_timed;
        if (c > 0 && check_random(random) % 2) {
            closers[c].at = closers[0].at;
        }
        closing[c] = check_thread(close_pool, &closers[c]);
    }
    watcher = check_thread(watch, NULL);
    for (unsigned p = 0; p < PRODUCERS; p++) {
        threads[p] = check_thread(produce, &producers[p]);
    }
    for (unsigned c = 0; c < closer_count; c++) {
        check_join(closing[c]);
    }
    for (unsigned p = 0; p < PRODUCERS; p++) {
        check_join(threads[p]);
    }
    atomic_store(&stop_watching, 1);
    check_join(watcher);
    AWAIT(check_threads() == 1); /* No worker is left, nor any other thread of the library. */
    wp_stats last = check_stats(pool);
    each_task_has_met_its_fate(&last);
    CHECK(may_discard || last.discarded == 0);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(0, pthread_barrier_destroy(&start_line));
    CHECK_EQ(0, mprotect(records, records_bytes, PROT_READ | PROT_WRITE));
}

/* A worker that touches the records after the shutdown said that all is over. */
static void touched(int signal_number, siginfo_t *info, void *context) {
    (void)context;
    (void)signal_number;
    char *at = info->si_addr;
    bool is_ours = at >= (char *)records && at < (char *)records + records_bytes;
    check_report(__FILE__, __LINE__, is_ours ? "a task ran after a shutdown had returned WP_OK (L5)" : "crashed", 0,
                 (long long)(uintptr_t)at);
    check_abandon();
}

int main(void) {
    check_begin("one_fate");
    uint64_t seed = check_seed();
    unsigned long rounds = check_rounds(check_on_valgrind() ? 20 : 40);
    alarm((unsigned)(120 + rounds) * (unsigned)check_slowness);
    check_case = "rounds";
    records_bytes = (RECORDS * sizeof *records + 65535) / 65536 * 65536;
    records = mmap(NULL, records_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(records != MAP_FAILED);
    seen = malloc(records_bytes);
    CHECK(seen != NULL);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = touched;
    action.sa_flags = SA_SIGINFO;
    CHECK_EQ(0, sigaction(SIGSEGV, &action, NULL));
    for (current_round = 0; current_round < rounds; current_round++) {
        one_round(&seed);
        atomic_fetch_add(&check_passed, 1);
    }
    printf("one_fate: %llu snapshots, %llu of them exact\n", (unsigned long long)snapshots,
           (unsigned long long)exact_snapshots);
    CHECK(exact_snapshots > 0);
    free(seen);
    CHECK_EQ(0, munmap(records, records_bytes));
    return check_end();
}
