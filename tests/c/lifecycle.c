/* SPDX-License-Identifier: MIT
 *
 * The promise: a pool's life from create to destroy is as the header says: its threads, their names, stacks, signals and
 * hooks; how it ends, in either mode, in steps, from several threads; what a fork leaves of it; what idle means.
 *
 * WP_ROUNDS: rounds of create and destroy, and of the racing shutdowns / 10; 1000 also in the short form (50 under
 * valgrind).
 */
#include "check.h"

#include <sys/resource.h>
#include <sys/wait.h>

static unsigned long rounds;

/* ---- shutdown ---- */

struct fates {
    atomic_uint ran, discarded, hooked;
};

static int full(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return 0;
}

static void count_fate(const wp_outcome *outcome, void *arg) {
    struct fates *fates = arg;
    if (outcome->fate == WP_FATE_RAN) {
        atomic_fetch_add(&fates->ran, 1);
    } else {
        CHECK_EQ(WP_FATE_DISCARDED, outcome->fate);
        atomic_fetch_add(&fates->discarded, 1);
    }
}

/* A pool with all workers held and some tasks queued. */
static wp_pool *busy_pool(struct gate *gate, uint32_t workers, unsigned queued, struct fates *fates) {
    wp_pool *pool = check_pool(workers, queued + 1);
    wp_task task = WP_TASK_INIT;
    task.run = full;
    task.arg = fates;
    task.end = count_fate;
    memset(fates, 0, sizeof *fates);
    gate_init(gate);
    gate_shut(gate, pool, workers);
    for (unsigned i = 0; i < queued; i++) {
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    }
    return pool;
}

static void a_drain_runs_everything(void) {
    struct gate gate;
    struct fates fates;
    wp_pool *pool = busy_pool(&gate, 2, 10, &fates);
    check_post_times(&gate.open, 2);
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    CHECK_EQ(10, atomic_load(&fates.ran));
    CHECK_EQ(0, atomic_load(&fates.discarded));
    wp_stats stats = check_stats(pool);
    CHECK(stats.ran == 12 && stats.discarded == 0 && stats.queued == 0 && stats.running == 0 && stats.closed == 1);
    AWAIT(check_threads() == 1);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void a_cancel_discards_what_is_queued_at_once_and_waits_for_what_runs(void) {
    struct gate gate;
    struct fates fates;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    wp_pool *pool = busy_pool(&gate, 2, 10, &fates);
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, &report));
    CHECK_EQ(10, atomic_load(&fates.discarded)); /* On this thread, so before it returned, whatever the timeout. */
    CHECK(report.queued == 0 && report.running == 2 && report.discarded == 10);
    check_post_times(&gate.open, 2);
    CHECK_EQ(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    CHECK(report.queued == 0 && report.running == 0 && report.discarded == 10);
    CHECK_EQ(0, atomic_load(&fates.ran));
    wp_stats stats = check_stats(pool);
    CHECK(stats.ran == 2 && stats.discarded == 10 && stats.accepted == 12);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void a_shutdown_whose_time_is_up_reports_and_can_be_repeated(void) {
    static const uint64_t timeouts[] = {0, 1, NS_PER_MS, 30 * NS_PER_MS};
    struct gate gate;
    struct fates fates;
    wp_pool *pool = busy_pool(&gate, 2, 3, &fates);
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
        uint64_t began = check_now();
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, timeouts[i], &report));
        CHECK_AT_LEAST(timeouts[i], check_now() - began);
        CHECK(report.queued == 3 && report.running == 2 && report.discarded == 0);
        CHECK_EQ(WP_ECLOSED, wp_submit(pool, check_nothing, NULL));
        CHECK_EQ(1, check_stats(pool).closed);
        CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, timeouts[i]));
    }
    check_post(&gate.open);
    AWAIT(atomic_load(&fates.ran) == 3); /* By the worker that is free; the other one still runs. */
    AWAIT(check_stats(pool).running == 1);
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, &report));
    CHECK(report.queued == 0 && report.running == 1 && report.discarded == 0);
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 1000 * NS_PER_S, &report));
    CHECK(report.queued == 0 && report.running == 0 && report.discarded == 0);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void a_second_shutdown_hardens_the_first_and_never_softens_it(void) {
    struct gate gate;
    struct fates fates;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    wp_pool *pool = busy_pool(&gate, 1, 5, &fates);
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, &report));
    CHECK(report.queued == 5 && atomic_load(&fates.discarded) == 0);
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, &report));
    CHECK(report.queued == 0 && report.discarded == 5 && atomic_load(&fates.discarded) == 5);
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, &report));
    CHECK(report.queued == 0 && report.discarded == 5);
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    CHECK_EQ(0, atomic_load(&fates.ran));
    CHECK_EQ(5, atomic_load(&fates.discarded));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void gated_end(const wp_outcome *outcome, void *arg) {
    (void)outcome;
    gate_task(arg);
}

static void *cancel(void *arg) {
    CHECK_EQ(WP_OK, wp_shutdown_for(arg, WP_SHUTDOWN_CANCEL, WP_FOREVER, NULL));
    return NULL;
}

/* All workers are gone, and another shutdown is inside the `end` of a task that it discards: that is not over. */
static void a_shutdown_waits_for_what_another_one_discards(void) {
    wp_pool *pool = check_pool(1, 4);
    wp_task task = WP_TASK_INIT;
    struct gate gate, end_gate;
    gate_init(&gate);
    gate_init(&end_gate);
    gate_shut(&gate, pool, 1);
    task.run = full;
    task.arg = &end_gate;
    task.end = gated_end;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    pthread_t canceller = check_thread(cancel, pool);
    check_wait(&end_gate.begun);
    check_post(&gate.open);
    AWAIT(check_threads() == 2); /* main and the canceller */
    for (uint32_t mode = WP_SHUTDOWN_DRAIN; mode <= WP_SHUTDOWN_CANCEL; mode++) {
        wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, mode, 0, &report));
        CHECK(report.queued == 0 && report.running == 1 && report.discarded == 0);
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, mode, 20 * NS_PER_MS, NULL));
        CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, NS_PER_MS));
    }
    check_post(&end_gate.open);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    check_join(canceller);
    CHECK_EQ(1, check_stats(pool).discarded);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- shutdowns that race ---- */

enum { RACERS = 8 };

struct race {
    wp_pool *pool;
    pthread_barrier_t line;
    struct fates *fates;
    unsigned long round;
    atomic_bool is_last_over; /* The last task's end has returned. */
    atomic_uint returned;
};

static void last_end(const wp_outcome *outcome, void *arg) {
    struct race *race = arg;
    (void)outcome;
    for (int i = 0; i < 50; i++) {
        sched_yield();
    }
    atomic_store(&race->is_last_over, true);
}

static void *race_to_shut(void *arg) {
    struct race *race = arg;
    int place = pthread_barrier_wait(&race->line);
    uint32_t mode = race->round % 3 == 0 ? WP_SHUTDOWN_DRAIN : race->round % 3 == 1 ? WP_SHUTDOWN_CANCEL : place != 0;
    CHECK_EQ(WP_OK, wp_shutdown_for(race->pool, mode, race->round % 2 ? WP_FOREVER : 1000 * NS_PER_S, NULL));
    CHECK(atomic_load(&race->is_last_over)); /* Not before the end, whoever does the work. */
    CHECK_EQ(4, atomic_load(&race->fates->hooked));
    atomic_fetch_add(&race->returned, 1);
    return NULL;
}

static void count_hook(uint32_t worker, void *arg) {
    (void)worker;
    sched_yield();
    atomic_fetch_add(&((struct fates *)arg)->hooked, 1);
}

static void racing_shutdowns_all_return_at_the_end_only(void) {
    for (unsigned long round = 0; round < 1 + rounds / 10; round++) {
        pthread_t threads[RACERS];
        struct fates fates;
        struct race race;
        struct gate gate;
        wp_options options = WP_OPTIONS_INIT;
        wp_task task = WP_TASK_INIT;
        memset(&fates, 0, sizeof fates);
        memset(&race, 0, sizeof race);
        options.workers = 4;
        options.capacity = 64;
        options.on_thread_stop = count_hook;
        options.thread_arg = &fates;
        race.fates = &fates;
        race.round = round;
        CHECK_EQ(WP_OK, wp_create(&options, &race.pool));
        CHECK_EQ(0, pthread_barrier_init(&race.line, NULL, RACERS));
        gate_init(&gate);
        gate_shut(&gate, race.pool, 1);
        task.run = full;
        task.arg = &fates;
        task.end = count_fate;
        for (int i = 0; i < 40; i++) {
            CHECK_EQ(WP_OK, wp_submit_task(race.pool, &task, 0));
        }
        task.arg = &race;
        task.end = last_end;
        CHECK_EQ(WP_OK, wp_submit_task(race.pool, &task, 0));
        for (int i = 0; i < RACERS; i++) {
            threads[i] = check_thread(race_to_shut, &race);
        }
        AWAIT(check_stats(race.pool).closed == 1);
        CHECK_EQ(0, atomic_load(&race.returned)); /* A task still runs. */
        check_post(&gate.open);
        for (int i = 0; i < RACERS; i++) {
            check_join(threads[i]);
        }
        CHECK_EQ(40, atomic_load(&fates.ran) + atomic_load(&fates.discarded));
        wp_stats stats = check_stats(race.pool);
        CHECK(stats.ran + stats.discarded == 42 && stats.queued == 0 && stats.running == 0);
        CHECK_EQ(WP_OK, wp_destroy(race.pool));
        CHECK_EQ(0, pthread_barrier_destroy(&race.line));
    }
}

/* ---- destroy ---- */

static void a_destroy_without_a_shutdown_drains(void) {
    struct gate gate;
    struct fates fates;
    wp_pool *pool = busy_pool(&gate, 2, 20, &fates);
    check_post_times(&gate.open, 2);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(20, atomic_load(&fates.ran));
    CHECK_EQ(0, atomic_load(&fates.discarded));
    AWAIT(check_threads() == 1);
}

static void a_destroy_after_an_unfinished_shutdown_finishes_it(void) {
    struct gate gate;
    struct fates fates;
    for (uint32_t mode = WP_SHUTDOWN_DRAIN; mode <= WP_SHUTDOWN_CANCEL; mode++) {
        wp_pool *pool = busy_pool(&gate, 2, 20, &fates);
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, mode, 0, NULL));
        check_post_times(&gate.open, 2);
        CHECK_EQ(WP_OK, wp_destroy(pool));
        CHECK_EQ(mode == WP_SHUTDOWN_DRAIN ? 20 : 0, atomic_load(&fates.ran));
        CHECK_EQ(mode == WP_SHUTDOWN_DRAIN ? 0 : 20, atomic_load(&fates.discarded));
    }
    CHECK_EQ(WP_OK, wp_destroy(NULL));
}

static void create_and_destroy_over_and_over(void) {
    for (unsigned long round = 0; round < rounds; round++) {
        atomic_uint runs = 0;
        unsigned tasks = (unsigned)(round % 5);
        wp_pool *pool = check_pool((uint32_t)(round % 4) + 1, (uint32_t)(round % 7) + 1);
        for (unsigned i = 0; i < tasks; i++) {
            CHECK_EQ(WP_OK, wp_submit(pool, check_count, &runs));
        }
        if (round % 3 == 0) {
            CHECK_EQ(WP_OK, wp_shutdown(pool));
            CHECK_EQ(tasks, atomic_load(&runs));
        }
        CHECK_EQ(WP_OK, wp_destroy(pool));
        CHECK_EQ(tasks, atomic_load(&runs));
    }
    AWAIT(check_threads() == 1);
}

/* ---- hooks ---- */

enum { HOOKED = 5 };

struct hooked {
    pthread_t thread[HOOKED];
    atomic_uint started[HOOKED], stopped[HOOKED], ran[HOOKED];
    atomic_uint tasks;
};

static void hook_start(uint32_t worker, void *arg) {
    struct hooked *hooked = arg;
    CHECK(worker < HOOKED);
    hooked->thread[worker] = pthread_self();
    CHECK_EQ(0, atomic_load(&hooked->ran[worker]) + atomic_load(&hooked->stopped[worker]));
    atomic_fetch_add(&hooked->started[worker], 1);
}

static int hooked_task(wp_context *context, void *arg) {
    struct hooked *hooked = arg;
    uint32_t worker = wp_worker_index(context);
    CHECK(worker < HOOKED);
    CHECK_EQ(1, atomic_load(&hooked->started[worker]));
    CHECK_EQ(0, atomic_load(&hooked->stopped[worker]));
    CHECK(pthread_equal(hooked->thread[worker], pthread_self()));
    atomic_fetch_add(&hooked->ran[worker], 1);
    atomic_fetch_add(&hooked->tasks, 1);
    return 0;
}

static void hook_stop(uint32_t worker, void *arg) {
    struct hooked *hooked = arg;
    CHECK(worker < HOOKED);
    CHECK(pthread_equal(hooked->thread[worker], pthread_self()));
    for (int i = 0; i < 20; i++) {
        sched_yield(); /* A shutdown that does not wait for this would be caught. */
    }
    atomic_fetch_add(&hooked->stopped[worker], 1);
}

static void hooks_are_called_once_on_each_worker(void) {
    for (int with_tasks = 0; with_tasks < 2; with_tasks++) {
        for (uint32_t mode = WP_SHUTDOWN_DRAIN; mode <= WP_SHUTDOWN_CANCEL; mode++) {
            struct hooked hooked;
            wp_options options = WP_OPTIONS_INIT;
            wp_task task = WP_TASK_INIT;
            wp_pool *pool;
            memset(&hooked, 0, sizeof hooked);
            options.workers = HOOKED;
            options.on_thread_start = hook_start;
            options.on_thread_stop = hook_stop;
            options.thread_arg = &hooked;
            CHECK_EQ(WP_OK, wp_create(&options, &pool));
            memset(&options, 0xA5, sizeof options); /* Copied. */
            task.run = hooked_task;
            task.arg = &hooked;
            for (int i = 0; i < 500 * with_tasks; i++) {
                CHECK_EQ(WP_OK, wp_submit_task(pool, &task, WP_FOREVER));
            }
            if (with_tasks) {
                CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
            }
            CHECK_EQ(WP_OK, wp_shutdown_for(pool, mode, WP_FOREVER, NULL));
            for (unsigned i = 0; i < HOOKED; i++) {
                CHECK_EQ(1, atomic_load(&hooked.started[i]));
                CHECK_EQ(1, atomic_load(&hooked.stopped[i]));
            }
            CHECK_EQ(500 * with_tasks, atomic_load(&hooked.tasks));
            CHECK_EQ(WP_OK, wp_destroy(pool));
        }
    }
}

static pthread_key_t key;

static void clean_up(void *value) {
    for (int i = 0; i < 200; i++) {
        sched_yield(); /* A shutdown that does not wait for this would be caught. */
    }
    atomic_fetch_add((atomic_uint *)value, 1);
}

static void gate_with_clean_up(void *arg) {
    struct { struct gate gate; atomic_uint cleaned; } *both = arg;
    CHECK_EQ(0, pthread_setspecific(key, &both->cleaned));
    gate_task(&both->gate);
}

/* The threads themselves are gone, not just done with their tasks: so a library that holds the tasks' code may be unloaded. */
static void the_threads_clean_up_before_a_shutdown_returns(void) {
    enum { THREADS = 3 };
    CHECK_EQ(0, pthread_key_create(&key, clean_up));
    for (int round = 0; round < 20; round++) {
        struct { struct gate gate; atomic_uint cleaned; } both;
        wp_pool *pool = check_pool(THREADS, 4);
        gate_init(&both.gate);
        atomic_init(&both.cleaned, 0);
        for (int i = 0; i < THREADS; i++) {
            CHECK_EQ(WP_OK, wp_submit(pool, gate_with_clean_up, &both));
        }
        check_wait_times(&both.gate.begun, THREADS);
        check_post_times(&both.gate.open, THREADS);
        if (round % 2) {
            CHECK_EQ(WP_OK, wp_shutdown(pool));
            CHECK_EQ(THREADS, atomic_load(&both.cleaned));
        }
        CHECK_EQ(WP_OK, wp_destroy(pool));
        CHECK_EQ(THREADS, atomic_load(&both.cleaned));
    }
    CHECK_EQ(0, pthread_key_delete(key));
}

/* ---- the threads ---- */

static bool has_thread_named(const char *name) {
    DIR *tasks = opendir("/proc/self/task");
    bool found = false;
    CHECK(tasks != NULL);
    for (struct dirent *entry; !found && (entry = readdir(tasks)) != NULL;) {
        char path[300], text[64] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (file != NULL) {
            if (fgets(text, sizeof text, file) != NULL) {
                text[strcspn(text, "\n")] = 0;
                found = strcmp(text, name) == 0;
            }
            fclose(file);
        }
    }
    closedir(tasks);
    return found;
}

static void threads_have_their_names(void) {
    static const struct { const char *name, *first, *last; } names[] = {
        {NULL, "wp-0", "wp-11"},
        {"decoder", "decoder-0", "decoder-11"},
        {"exactly13byte", "exactly13byte-0", "exactly13byt-11"},
        {"a-name-that-is-far-too-long-for-linux", "a-name-that-i-0", "a-name-that--11"},
        {"", "-0", "-11"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        wp_options options = WP_OPTIONS_INIT;
        wp_pool *pool;
        char name[64] = "";
        if (names[i].name != NULL) {
            snprintf(name, sizeof name, "%s", names[i].name);
            options.name = name;
        }
        options.workers = 12;
        CHECK_EQ(WP_OK, wp_create(&options, &pool));
        memset(name, 'x', sizeof name - 1); /* Copied. */
        AWAIT(has_thread_named(names[i].first) && has_thread_named(names[i].last));
        CHECK_EQ(WP_OK, wp_shutdown(pool));
        AWAIT(check_threads() == 1);
        CHECK(!has_thread_named(names[i].first));
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

static void there_are_exactly_as_many_threads_as_workers(void) {
    for (uint32_t workers = 1; workers <= 9; workers += 4) {
        wp_pool *pool = check_pool(workers, 4);
        AWAIT(check_threads() == workers + 1);
        CHECK_EQ(workers, check_stats(pool).workers);
        CHECK_EQ(WP_OK, wp_destroy(pool));
        AWAIT(check_threads() == 1);
    }
    /* The default: as many as may run at once, and never none. */
    wp_pool *pool;
    cpu_set_t cpus;
    CHECK_EQ(WP_OK, wp_create(NULL, &pool));
    uint32_t workers = check_stats(pool).workers;
    CHECK_EQ(0, sched_getaffinity(0, sizeof cpus, &cpus));
    CHECK_AT_LEAST(1, workers);
    CHECK_AT_MOST(CPU_COUNT(&cpus), workers);
    CHECK_EQ(WP_CAPACITY_DEFAULT, check_stats(pool).capacity);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void *create_with_one_cpu(void *arg) {
    cpu_set_t cpus, one;
    (void)arg;
    wp_pool *pool;
    CHECK_EQ(0, sched_getaffinity(0, sizeof cpus, &cpus));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &cpus)) {
            CPU_SET(i, &one);
            break;
        }
    }
    CHECK_EQ(0, sched_setaffinity(0, sizeof one, &one));
    CHECK_EQ(WP_OK, wp_create(NULL, &pool));
    CHECK_EQ(1, check_stats(pool).workers);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    return NULL;
}

static void the_default_number_of_workers_respects_the_affinity(void) {
    check_join(check_thread(create_with_one_cpu, NULL));
}

static void note_stack_size(void *arg) {
    pthread_attr_t attributes;
    void *address;
    size_t size = 0;
    CHECK_EQ(0, pthread_getattr_np(pthread_self(), &attributes));
    CHECK_EQ(0, pthread_attr_getstack(&attributes, &address, &size));
    CHECK_EQ(0, pthread_attr_destroy(&attributes));
    *(size_t *)arg = size;
}

/* Uses most of a stack of this size: it would crash on a smaller one. */
static void use_stack(void *arg) {
    size_t size = *(size_t *)arg * 3 / 4;
    volatile unsigned char bytes[size];
    for (size_t i = 0; i < size; i += 512) {
        bytes[i] = (unsigned char)i;
    }
    CHECK_EQ((unsigned char)512, bytes[512]);
}

/* The first case, and in rising order: glibc gives a new thread an old one's stack if that is large enough. */
static void the_stack_size_is_honoured(void) {
    static const uint64_t sizes[] = {WP_STACK_MIN, WP_STACK_MIN + 1, 100000, 1 << 20, 0, 8 << 20, 64 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        wp_options options = WP_OPTIONS_INIT;
        wp_pool *pool;
        size_t size = 0, page = (size_t)sysconf(_SC_PAGESIZE);
        options.workers = 1;
        options.stack_size = sizes[i];
        CHECK_EQ(WP_OK, wp_create(&options, &pool));
        CHECK_EQ(WP_OK, wp_submit(pool, note_stack_size, &size));
        CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        size_t asked = sizes[i] == 0 ? WP_STACK_DEFAULT : (size_t)sizes[i];
        CHECK_EQ((asked + page - 1) / page * page, size);
        if (!CHECK_SANITIZED && !check_on_valgrind() && asked >= 100000) {
            CHECK_EQ(WP_OK, wp_submit(pool, use_stack, &asked));
        }
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

/* ---- signals ---- */

static atomic_uint taken_on_main;
static pthread_t main_thread;

static void take_signal(int signal_number) {
    (void)signal_number;
    if (pthread_equal(pthread_self(), main_thread)) {
        atomic_fetch_add(&taken_on_main, 1);
    } else {
        static const char text[] = "lifecycle: a worker took a signal\n";
        (void)!write(STDOUT_FILENO, text, sizeof text - 1);
        _exit(1);
    }
}

static void note_mask(void *arg) {
    CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, NULL, arg));
}

static void workers_block_every_asynchronous_signal_but_sigprof(void) {
    static const int asynchronous[] = {SIGHUP,  SIGINT,    SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD,
                                       SIGCONT, SIGTSTP,   SIGTTIN, SIGTTOU, SIGURG,  SIGXCPU, SIGXFSZ, SIGVTALRM,
                                       SIGWINCH, SIGIO,    SIGPWR};
    static const int open_signals[] = {SIGPROF, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigset_t mask, before, after;
    struct gate gate;
    gate_init(&gate);
    CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, NULL, &before));
    wp_pool *pool = check_pool(1, 4);
    CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, NULL, &after));
    for (int i = 1; i < 32; i++) { /* The caller's own mask is as it was. */
        CHECK_EQ(sigismember(&before, i), sigismember(&after, i));
    }
    sigemptyset(&mask);
    CHECK_EQ(WP_OK, wp_submit(pool, note_mask, &mask));
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    for (size_t i = 0; i < sizeof asynchronous / sizeof asynchronous[0]; i++) {
        CHECK_EQ(asynchronous[i], sigismember(&mask, asynchronous[i]) ? asynchronous[i] : 0);
    }
    for (int i = SIGRTMIN; i <= SIGRTMAX; i++) {
        CHECK_EQ(i, sigismember(&mask, i) ? i : 0);
    }
    for (size_t i = 0; i < sizeof open_signals / sizeof open_signals[0]; i++) {
        CHECK_EQ(0, sigismember(&mask, open_signals[i]) ? open_signals[i] : 0);
    }

    /* Sent to the process while main blocks it: no worker takes it; as soon as main does not, main does. */
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    main_thread = pthread_self();
    CHECK(signal(SIGUSR1, take_signal) != SIG_ERR);
    CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, &usr1, NULL));
    CHECK_EQ(0, kill(getpid(), SIGUSR1));
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(WP_OK, wp_submit(pool, check_nothing, NULL));
        CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    }
    CHECK_EQ(0, atomic_load(&taken_on_main));
    CHECK_EQ(0, pthread_sigmask(SIG_UNBLOCK, &usr1, NULL));
    CHECK_EQ(1, atomic_load(&taken_on_main));
    for (unsigned i = 2; i <= 200; i++) {
        CHECK_EQ(0, kill(getpid(), SIGUSR1));
        CHECK_EQ(WP_OK, wp_submit(pool, check_nothing, NULL));
        AWAIT(atomic_load(&taken_on_main) == i);
    }
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- a thread that does not start ---- */

struct started {
    atomic_uint starts, stops;
};

static void count_start(uint32_t worker, void *arg) {
    (void)worker;
    atomic_fetch_add(&((struct started *)arg)->starts, 1);
}

static void count_stop(uint32_t worker, void *arg) {
    (void)worker;
    atomic_fetch_add(&((struct started *)arg)->stops, 1);
}

/* With a limit on address space some threads start and then one does not: all are undone, with their callbacks. */
static void a_create_that_fails_half_way_undoes_what_was_begun(void) {
    if (CHECK_SANITIZED || check_on_valgrind()) {
        return; /* They need the address space themselves. */
    }
    pid_t child = check_fork();
    if (child == 0) {
        struct rlimit limit = {UINT64_C(4) << 30, UINT64_C(4) << 30};
        struct started started = {0, 0};
        wp_options options = WP_OPTIONS_INIT;
        wp_pool *pool = NULL;
        CHECK_EQ(0, setrlimit(RLIMIT_AS, &limit));
        options.workers = 16;
        options.stack_size = UINT64_C(1) << 30;
        options.on_thread_start = count_start;
        options.on_thread_stop = count_stop;
        options.thread_arg = &started;
        CHECK_EQ(WP_ETHREAD, wp_create(&options, &pool));
        CHECK(pool == NULL);
        CHECK_AT_LEAST(1, atomic_load(&started.starts));
        CHECK_EQ(atomic_load(&started.starts), atomic_load(&started.stops));
        AWAIT(check_threads() == 1);
        options.stack_size = 0;
        CHECK_EQ(WP_OK, wp_create(&options, &pool)); /* Nothing was left that would stand in the way. */
        CHECK_EQ(WP_OK, wp_destroy(pool));
        options.workers = 1;
        options.capacity = WP_CAPACITY_MAX;
        limit.rlim_cur = UINT64_C(256) << 20;
        CHECK_EQ(0, setrlimit(RLIMIT_AS, &limit));
        pool = NULL;
        CHECK_EQ(WP_ENOMEM, wp_create(&options, &pool));
        CHECK(pool == NULL);
        _Exit(0);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
}

/* ---- fork ---- */

static void must_not_run(void *arg) {
    (void)arg;
    CHECK(!"ran in the child of a fork");
}

static void the_child_of_a_fork(wp_pool *pool, const struct fates *fates) {
    wp_task task = WP_TASK_INIT;
    wp_stats stats = WP_STATS_INIT, untouched = WP_STATS_INIT;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    unsigned ran = atomic_load(&fates->ran), hooked = atomic_load(&fates->hooked);
    task.run = full;
    task.end = count_fate;
    task.arg = (void *)(uintptr_t)fates;
    CHECK_EQ(WP_EFORKED, wp_submit(pool, must_not_run, NULL));
    CHECK_EQ(WP_EFORKED, wp_try_submit(pool, must_not_run, NULL));
    CHECK_EQ(WP_EFORKED, wp_submit_for(pool, must_not_run, NULL, 0));
    CHECK_EQ(WP_EFORKED, wp_submit_for(pool, must_not_run, NULL, WP_FOREVER));
    CHECK_EQ(WP_EFORKED, wp_submit_task(pool, &task, WP_FOREVER));
    CHECK_EQ(WP_EFORKED, wp_wait_idle(pool, 0));
    CHECK_EQ(WP_EFORKED, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(WP_EFORKED, wp_shutdown(pool));
    CHECK_EQ(WP_EFORKED, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    CHECK_EQ(WP_EFORKED, wp_stats_get(pool, &stats));
    CHECK_EQ(0, memcmp(&stats, &untouched, sizeof stats));
    CHECK_EQ(1, check_threads());

    /* A pool of the child's own works, while the old one is still there and after it is gone. */
    for (int twice = 0; twice < 2; twice++) {
        atomic_uint runs = 0;
        wp_pool *own = check_pool(2, 4);
        for (int i = 0; i < 100; i++) {
            CHECK_EQ(WP_OK, wp_submit(own, check_count, &runs));
        }
        if (twice == 0) {
            CHECK_EQ(WP_EFORKED, wp_submit(pool, must_not_run, NULL)); /* also now that this process has a pool */
            CHECK_EQ(WP_EFORKED, wp_shutdown(pool));
            CHECK_EQ(WP_OK, wp_destroy(pool));
        }
        CHECK_EQ(WP_OK, wp_shutdown(own));
        CHECK_EQ(100, atomic_load(&runs));
        if (twice == 1) {
            pid_t grandchild = check_fork();
            if (grandchild == 0) {
                CHECK_EQ(WP_EFORKED, wp_submit(own, must_not_run, NULL));
                wp_pool *third = check_pool(1, 1);
                CHECK_EQ(WP_EFORKED, wp_submit(own, must_not_run, NULL));
                CHECK_EQ(WP_OK, wp_destroy(third));
                CHECK_EQ(WP_OK, wp_destroy(own));
                _Exit(0);
            }
            int status = -1;
            CHECK_EQ(grandchild, waitpid(grandchild, &status, 0));
            CHECK_EQ(0, status);
        }
        CHECK_EQ(WP_OK, wp_destroy(own));
    }
    CHECK_EQ(ran, atomic_load(&fates->ran));
    CHECK_EQ(0, atomic_load(&fates->discarded));
    CHECK_EQ(hooked, atomic_load(&fates->hooked));
}

/* In each state that a pool can be in when the process forks: idle; busy, with a full queue and a blocked submitter; shut. */
static void *submit_one(void *arg) {
    CHECK_EQ(WP_OK, wp_submit(arg, check_nothing, NULL));
    return NULL;
}

static void fork_and_check(wp_pool *pool, const struct fates *fates) {
    pid_t child = check_fork();
    if (child == 0) {
        the_child_of_a_fork(pool, fates);
        fflush(stdout);
        _Exit(0);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
}

static void a_forked_child_is_told_at_once_and_the_parent_goes_on(void) {
    struct gate gate;
    struct fates fates;
    wp_pool *pool = busy_pool(&gate, 2, 10, &fates);
    CHECK_EQ(WP_OK, wp_try_submit(pool, check_nothing, NULL)); /* 11 of 11: full */
    pthread_t submitter = check_thread(submit_one, pool);
    AWAIT(check_stats(pool).waiting == 1);
    fork_and_check(pool, &fates);
    check_post_times(&gate.open, 2);
    check_join(submitter);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(10, atomic_load(&fates.ran));
    fork_and_check(pool, &fates); /* idle */
    CHECK_EQ(WP_OK, wp_submit(pool, check_nothing, NULL));
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    CHECK_EQ(15, check_stats(pool).ran);
    fork_and_check(pool, &fates); /* shut down */
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void fork_and_exit(void *arg) {
    pid_t child = check_fork();
    if (child == 0) {
        _Exit(7);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(7, WEXITSTATUS(status));
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static void a_task_may_fork_and_exit(void) {
    atomic_uint forks = 0;
    wp_pool *pool = check_pool(2, 4);
    fflush(stdout);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(WP_OK, wp_submit(pool, fork_and_exit, &forks));
    }
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    CHECK_EQ(4, atomic_load(&forks));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- idle ---- */

static void idle_means_nothing_queued_running_or_ending(void) {
    wp_pool *pool = check_pool(2, 8);
    wp_task task = WP_TASK_INIT;
    struct gate gate;
    gate_init(&gate);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, 0)); /* A new pool is idle. */

    CHECK_EQ(WP_OK, wp_submit(pool, gate_task, &gate));
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, 0)); /* Queued or running already. */
    check_wait(&gate.begun);
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, 0));
    uint64_t began = check_now();
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, 20 * NS_PER_MS));
    CHECK_AT_LEAST(20 * NS_PER_MS, check_now() - began);
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(1, check_stats(pool).ran);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, 0));

    task.run = full; /* Over at once; its end is not. */
    task.arg = &gate;
    task.end = gated_end;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    check_wait(&gate.begun);
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, NS_PER_MS));
    CHECK_EQ(1, check_stats(pool).running);
    CHECK_EQ(1, check_stats(pool).ran);
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, 1000 * NS_PER_S));
    CHECK_EQ(2, check_stats(pool).ran);

    gate_shut(&gate, pool, 2); /* One of two still runs. */
    check_post(&gate.open);
    AWAIT(check_stats(pool).running == 1);
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, NS_PER_MS));
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

struct idler {
    wp_pool *pool;
    atomic_uint *over;
    sem_t is_near;
    int code;
};

static void *wait_idle(void *arg) {
    struct idler *me = arg;
    check_post(&me->is_near);
    me->code = wp_wait_idle(me->pool, WP_FOREVER);
    CHECK_EQ(1, atomic_load(me->over));
    return NULL;
}

static void late_end(const wp_outcome *outcome, void *arg) {
    (void)outcome;
    for (int i = 0; i < 100; i++) {
        sched_yield();
    }
    atomic_store((atomic_uint *)arg, 1);
}

static struct gate idle_gate;

static int pass_gate(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    gate_task(&idle_gate);
    return 0;
}

/* Several wait at once; all are told, by an idle moment or by the end of a shutdown. */
static void all_that_wait_for_idleness_are_told(void) {
    enum { IDLERS = 6 };
    for (unsigned round = 0; round < 12; round++) {
        struct idler idlers[IDLERS];
        pthread_t threads[IDLERS];
        atomic_uint over = 0;
        wp_pool *pool = check_pool(2, 8);
        wp_task task = WP_TASK_INIT;
        gate_init(&idle_gate);
        task.run = pass_gate;
        task.arg = &over;
        task.end = late_end;
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
        check_wait(&idle_gate.begun);
        for (int i = 0; i < IDLERS; i++) {
            idlers[i].pool = pool;
            idlers[i].over = &over;
            idlers[i].code = 12345;
            CHECK_EQ(0, sem_init(&idlers[i].is_near, 0, 0));
            threads[i] = check_thread(wait_idle, &idlers[i]);
            check_wait(&idlers[i].is_near);
        }
        if (round % 3 != 0) {
            CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, round % 3 == 1 ? WP_SHUTDOWN_DRAIN : WP_SHUTDOWN_CANCEL, 0, NULL));
        }
        check_post(&idle_gate.open);
        for (int i = 0; i < IDLERS; i++) {
            check_join(threads[i]);
            CHECK_EQ(WP_OK, idlers[i].code);
        }
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

/* ---- the context ---- */

struct asked {
    uint32_t worker;
    const char *label;
    wp_outcome outcome;
};

static int ask(wp_context *context, void *arg) {
    struct asked *asked = arg;
    asked->worker = wp_worker_index(context);
    asked->label = wp_label(context);
    return -77;
}

static void note_outcome(const wp_outcome *outcome, void *arg) {
    ((struct asked *)arg)->outcome = *outcome;
}

static void a_task_can_ask_its_worker_and_its_label(void) {
    enum { TASKS = 200 };
    static struct asked asked[TASKS];
    static const char label[] = "asks";
    wp_pool *pool = check_pool(3, 16);
    for (int i = 0; i < TASKS; i++) {
        wp_task task = WP_TASK_INIT;
        memset(&asked[i], 0xA5, sizeof asked[i]);
        task.run = ask;
        task.arg = &asked[i];
        task.end = note_outcome;
        task.label = i % 2 ? label : NULL;
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, WP_FOREVER));
        memset(&task, 0xA5, sizeof task); /* Copied. */
    }
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    for (int i = 0; i < TASKS; i++) {
        CHECK(asked[i].worker < 3);
        CHECK(asked[i].label == (i % 2 ? label : NULL));
        CHECK(asked[i].outcome.label == asked[i].label);
        CHECK_EQ(WP_FATE_RAN, asked[i].outcome.fate);
        CHECK_EQ(-77, asked[i].outcome.status);
        CHECK_EQ(asked[i].worker, asked[i].outcome.worker);
        CHECK_EQ(0, asked[i].outcome.reserved);
        CHECK_EQ(sizeof(wp_outcome), asked[i].outcome.struct_size);
    }
    CHECK_EQ(TASKS, check_stats(pool).failed);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void the_clock_goes_on(void) {
    wp_pool *pool = check_pool(1, 1);
    uint64_t last = wp_now(pool), begin = check_now(), first = last;
    for (int i = 0; i < 10000; i++) {
        uint64_t now = wp_now(pool);
        CHECK_AT_LEAST(last, now);
        last = now;
    }
    CHECK_AT_MOST(check_now() - begin + NS_PER_MS, last - first);
    CHECK_EQ(WP_ETIMEDOUT, (gate_init(&idle_gate), gate_shut(&idle_gate, pool, 1), wp_wait_idle(pool, 5 * NS_PER_MS)));
    CHECK_AT_LEAST(last + 5 * NS_PER_MS, wp_now(pool)); /* In nanoseconds. */
    check_post(&idle_gate.open);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- two pools ---- */

struct two {
    wp_pool *a, *b;
    struct gate gate;
    atomic_uint runs;
};

/* On a worker of a: blocks on b, which is none of its own. */
static void submit_to_the_other(void *arg) {
    struct two *two = arg;
    CHECK_EQ(WP_OK, wp_submit(two->b, check_count, &two->runs));
    CHECK_EQ(WP_OK, wp_wait_idle(two->b, WP_FOREVER));
    atomic_fetch_add(&two->runs, 1);
}

static void a_task_of_one_pool_may_wait_for_another(void) {
    struct two two;
    atomic_init(&two.runs, 0);
    two.a = check_pool(2, 4);
    two.b = check_pool(1, 1);
    gate_init(&two.gate);
    gate_shut(&two.gate, two.b, 1);
    check_fill(two.b, 1);
    CHECK_EQ(WP_OK, wp_submit(two.a, submit_to_the_other, &two));
    CHECK_EQ(WP_OK, wp_submit(two.a, submit_to_the_other, &two));
    AWAIT(check_stats(two.b).waiting == 2);
    CHECK_EQ(2, check_stats(two.a).running);
    check_post(&two.gate.open);
    CHECK_EQ(WP_OK, wp_wait_idle(two.a, WP_FOREVER));
    CHECK_EQ(4, atomic_load(&two.runs));
    CHECK_EQ(WP_OK, wp_destroy(two.b));
    /* One is gone, the other goes on. */
    CHECK_EQ(WP_OK, wp_submit(two.a, check_count, &two.runs));
    CHECK_EQ(WP_OK, wp_destroy(two.a));
    CHECK_EQ(5, atomic_load(&two.runs));
}

static void a_held_pool_does_not_hold_another(void) {
    struct gate gate;
    struct fates fates;
    atomic_uint runs = 0;
    wp_pool *held = busy_pool(&gate, 2, 3, &fates);
    wp_pool *other = check_pool(2, 2);
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(held, WP_SHUTDOWN_DRAIN, 0, NULL));
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(WP_OK, wp_submit(other, check_count, &runs));
    }
    CHECK_EQ(WP_OK, wp_wait_idle(other, WP_FOREVER));
    CHECK_EQ(1000, atomic_load(&runs));
    CHECK_EQ(0, check_stats(other).closed);
    CHECK_EQ(WP_OK, wp_destroy(other));
    check_post_times(&gate.open, 2);
    CHECK_EQ(WP_OK, wp_destroy(held));
    CHECK_EQ(3, atomic_load(&fates.ran));
}

int main(void) {
    check_begin("lifecycle");
    rounds = check_rounds(check_on_valgrind() ? 50 : 1000);
    CASE(the_stack_size_is_honoured);
    CASE(a_drain_runs_everything);
    CASE(a_cancel_discards_what_is_queued_at_once_and_waits_for_what_runs);
    CASE(a_shutdown_whose_time_is_up_reports_and_can_be_repeated);
    CASE(a_second_shutdown_hardens_the_first_and_never_softens_it);
    CASE(a_shutdown_waits_for_what_another_one_discards);
    CASE(racing_shutdowns_all_return_at_the_end_only);
    CASE(a_destroy_without_a_shutdown_drains);
    CASE(a_destroy_after_an_unfinished_shutdown_finishes_it);
    CASE(create_and_destroy_over_and_over);
    CASE(hooks_are_called_once_on_each_worker);
    CASE(the_threads_clean_up_before_a_shutdown_returns);
    CASE(threads_have_their_names);
    CASE(there_are_exactly_as_many_threads_as_workers);
    CASE(the_default_number_of_workers_respects_the_affinity);
    CASE(workers_block_every_asynchronous_signal_but_sigprof);
    CASE(a_create_that_fails_half_way_undoes_what_was_begun);
    CASE(a_forked_child_is_told_at_once_and_the_parent_goes_on);
    CASE(a_task_may_fork_and_exit);
    CASE(idle_means_nothing_queued_running_or_ending);
    CASE(all_that_wait_for_idleness_are_told);
    CASE(a_task_can_ask_its_worker_and_its_label);
    CASE(the_clock_goes_on);
    CASE(a_task_of_one_pool_may_wait_for_another);
    CASE(a_held_pool_does_not_hold_another);
    return check_end();
}
