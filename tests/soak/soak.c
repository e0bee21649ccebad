/* SPDX-License-Identifier: MIT
 *
 * Everything at once, for as long as asked (`soak SECONDS`): pools of all kinds, one after the other, each with submitters of all kinds,
 * groups, deadlines, results with a slow reader, notices of room, tasks that use their own pool, and shutdowns at random moments. Meanwhile
 * a signal comes each millisecond, the process is stopped and continued, it forks, creates meet a lack of memory and of threads, and
 * every few rounds the library itself fails at a random place, in a process of its own.
 *
 * After each round: the account is closed (law L2), every task and record was freed once, and the process has as many threads,
 * descriptors and blocks of memory as before the first. In the end: it uses no more memory than after a quarter of the time.
 */
#include "../c/check.h"

#include "../faults/faults.h"

#if !defined(__GLIBC__) || CHECK_SANITIZED

int main(void) {
    check_begin("soak");
    check_skip("needs glibc's allocator and threads, without a sanitizer's in front of them");
}

#else

#include "../c/allocator.h"

#include <dlfcn.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { ACTORS = 4, SLOTS = 4, BATCH = 6, MOST_ATTEMPTS = 4000 };
enum { ALIVE = 0x600d, FAILURE = 3 };

/* ---- threads that will not start ---- */

typedef int create_thread(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static create_thread *real_pthread_create;
static atomic_long threads_until_failure = -1;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *arg) {
    if (atomic_load(&threads_until_failure) >= 0 && atomic_fetch_sub(&threads_until_failure, 1) == 0) {
        return EAGAIN;
    }
    return real_pthread_create(thread, attributes, body, arg);
}

/* ---- one round's pool and its users ---- */

static wp_pool *pool;
static wp_results *results;
static wp_group *slots[SLOTS]; /* Groups that anybody may use, each with a reference. */
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint attempts, actors_done;
static atomic_ulong plain_accepted, plain_ran, full_accepted, full_ended, fates[5], recorded, told;
static unsigned long rounds, tasks, records, refused_creates, forks, faults, signals;

struct payload {
    unsigned alive;
    uint64_t random;
};

static wp_group *slot_get(uint64_t dice) {
    pthread_mutex_lock(&slots_lock);
    wp_group *group = slots[dice % SLOTS];
    if (group != NULL) {
        CHECK_EQ(WP_OK, wp_group_retain(group));
    }
    pthread_mutex_unlock(&slots_lock);
    return group;
}

static void slot_put(uint64_t dice, wp_group *group) {
    pthread_mutex_lock(&slots_lock);
    wp_group *old = slots[dice % SLOTS];
    slots[dice % SLOTS] = group;
    pthread_mutex_unlock(&slots_lock);
    if (old != NULL) {
        CHECK_EQ(WP_OK, wp_group_release(old));
    }
}

static void release(wp_group *group) {
    if (group != NULL) {
        CHECK_EQ(WP_OK, wp_group_release(group));
    }
}

static void run_plain(void *arg) {
    (void)arg;
    atomic_fetch_add(&plain_ran, 1);
}

static void end(const wp_outcome *outcome, void *arg) {
    struct payload *payload = arg;
    CHECK_EQ(ALIVE, payload->alive);
    CHECK(outcome->fate >= WP_FATE_RAN && outcome->fate <= WP_FATE_DISCARDED);
    CHECK(outcome->status == 0 || outcome->fate == WP_FATE_RAN);
    atomic_fetch_add(&fates[outcome->fate], 1);
    atomic_fetch_add(&full_ended, 1);
    memset(payload, 0xDD, sizeof *payload);
    free(payload);
}

static int run(wp_context *context, void *arg);

/* Up to BATCH full tasks at once. */
static void submit_full(uint64_t *random, bool is_inside) {
    wp_task batch[BATCH];
    uint64_t dice = check_random(random);
    size_t count = 1 + dice % BATCH, accepted = 0;
    wp_group *group = dice >> 8 & 3 ? slot_get(dice >> 16) : NULL;
    uint64_t timeout = is_inside || dice >> 10 & 1 ? 0 : dice >> 20 & 3 ? dice >> 24 & 0xFFFFF : WP_FOREVER;
    unsigned with_results = 0;
    for (size_t i = 0; i < count; i++) {
        struct payload *payload = malloc(sizeof *payload);
        CHECK(payload != NULL);
        payload->alive = ALIVE;
        payload->random = check_random(random);
        batch[i] = (wp_task)WP_TASK_INIT;
        batch[i].run = run;
        batch[i].end = end;
        batch[i].arg = payload;
        batch[i].group = group;
        batch[i].label = "soak";
        if (payload->random >> 8 & 1) {
            batch[i].results = results;
        }
        if ((payload->random >> 9 & 7) == 0) {
            batch[i].deadline = wp_deadline_after(pool, payload->random >> 12 & 0xFFFFF);
        }
    }
    int code = wp_submit_batch(pool, batch, count, sizeof *batch, timeout, &accepted);
    CHECK(code == WP_OK || code == (timeout == 0 ? WP_EFULL : WP_ETIMEDOUT) || code == WP_ERESULTS || code == WP_ECANCELLED ||
          code == WP_ECLOSED);
    CHECK_EQ(code == WP_OK, accepted == count);
    for (size_t i = 0; i < count; i++) {
        if (i < accepted) {
            with_results += batch[i].results != NULL;
        } else {
            free(batch[i].arg); /* Still ours. */
        }
    }
    atomic_fetch_add(&full_accepted, accepted);
    atomic_fetch_add(&recorded, with_results);
    release(group);
}

static int run(wp_context *context, void *arg) {
    struct payload *payload = arg;
    CHECK_EQ(ALIVE, payload->alive);
    uint64_t random = payload->random, dice = check_random(&random);
    switch (dice % 16) {
    case 0: submit_full(&random, true); break;
    case 1: {
        wp_group *group = slot_get(dice >> 8);
        if (group != NULL) {
            int code = wp_group_wait(group, dice >> 16 & 1 ? WP_FOREVER : 0);
            CHECK(code == WP_OK || code == WP_EDEADLK || code == WP_ETIMEDOUT);
        }
        release(group);
        break;
    }
    case 2:
        if (wp_context_group(context) != NULL && dice >> 8 & 1) {
            CHECK_EQ(WP_OK, wp_group_cancel(wp_context_group(context)));
        }
        break;
    case 3:
    case 4:
        for (int i = 0; i < 10 && !wp_should_stop(context); i++) {
            sched_yield();
        }
        break;
    case 5: CHECK_EQ(WP_EDEADLK, wp_wait_idle(pool, WP_FOREVER)); break;
    default: break;
    }
    return dice >> 40 & 3 ? 0 : FAILURE;
}

static wp_group *make_group(uint64_t dice) {
    wp_group_options options = WP_GROUP_OPTIONS_INIT;
    wp_group *group = NULL, *parent = dice & 1 ? slot_get(dice >> 8) : NULL;
    options.parent = parent;
    options.max_running = dice >> 1 & 3;
    options.on_error = dice >> 3 & 7 ? WP_ON_ERROR_GO_ON : WP_ON_ERROR_CANCEL;
    options.deadline = dice >> 6 & 3 ? 0 : wp_deadline_after(pool, dice >> 16 & 0xFFFFFF);
    int code = wp_group_create(pool, &options, &group);
    CHECK(code == WP_OK || code == WP_ENOMEM);
    refused_creates += code != WP_OK;
    release(parent);
    return group;
}

static void be_told(void *arg) {
    (void)arg;
    atomic_fetch_add(&told, 1);
    submit_full(&(uint64_t){atomic_load(&told)}, true);
}

/* The child of a fork is told so at once, by every call. */
static void fork_once(void) {
    pid_t child = check_fork();
    if (child == 0) {
        CHECK_EQ(WP_EFORKED, wp_submit(pool, run_plain, NULL));
        CHECK_EQ(WP_EFORKED, wp_wait_idle(pool, WP_FOREVER));
        CHECK_EQ(WP_EFORKED, wp_shutdown(pool));
        CHECK_EQ(WP_EFORKED, wp_results_close(results));
        _exit(atomic_load(&check_failed) != 0);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0) {
        CHECK_EQ(EINTR, errno);
    }
    CHECK_EQ(0, status);
}

struct actor {
    pthread_t thread;
    uint64_t random;
    unsigned forks;
};

static void *act(void *arg) {
    struct actor *me = arg;
    wp_waiter waiter = WP_WAITER_INIT;
    bool waits = false;
    waiter.notify = be_told;
    while (wp_stats_get(pool, &(wp_stats)WP_STATS_INIT) == WP_OK && check_stats(pool).closed == 0 &&
           atomic_fetch_add(&attempts, 1) < MOST_ATTEMPTS) {
        uint64_t dice = check_random(&me->random);
        int code = WP_OK;
        switch (dice % 16) {
        case 0:
        case 1:
        case 2:
            code = dice >> 8 & 1 ? wp_try_submit(pool, run_plain, NULL) : wp_submit_for(pool, run_plain, NULL, dice >> 16 & 0xFFFFF);
            atomic_fetch_add(&plain_accepted, code == WP_OK);
            CHECK(code == WP_OK || code == WP_EFULL || code == WP_ETIMEDOUT || code == WP_ECLOSED);
            break;
        case 3:
            code = wp_submit(pool, run_plain, NULL);
            atomic_fetch_add(&plain_accepted, code == WP_OK);
            CHECK(code == WP_OK || code == WP_ECLOSED);
            break;
        case 4:
        case 5: slot_put(dice >> 8, make_group(dice >> 16)); break;
        case 6: {
            wp_group *group = slot_get(dice >> 8);
            if (group != NULL) {
                CHECK_EQ(WP_OK, wp_group_cancel(group));
                CHECK_EQ(WP_OK, wp_group_wait(group, WP_FOREVER));
            }
            release(group);
            break;
        }
        case 7:
            if (!waits) {
                code = wp_when_room(pool, &waiter);
                waits = code == WP_OK;
                CHECK(code == WP_OK || code == WP_ECLOSED);
            } else {
                code = wp_forget_room(pool, &waiter, WP_FOREVER);
                CHECK(code == WP_OK || code == WP_ETOOLATE);
                waits = false;
            }
            break;
        case 8: code = wp_wait_idle(pool, dice >> 8 & 0xFFFFF); CHECK(code == WP_OK || code == WP_ETIMEDOUT); break;
        case 9:
            if ((dice >> 8 & 255) == 0) {
                fork_once();
                me->forks++;
            }
            break;
        default: submit_full(&me->random, false); break;
        }
    }
    if (waits) {
        int code = wp_forget_room(pool, &waiter, WP_FOREVER);
        CHECK(code == WP_OK || code == WP_ETOOLATE);
    }
    atomic_fetch_add(&actors_done, 1);
    return NULL;
}

static atomic_ulong read_records;

static void *read_slowly(void *arg) {
    uint64_t *random = arg;
    wp_record record = WP_RECORD_INIT;
    int code;
    while ((code = wp_results_next(results, &record, check_random(random) % 2 ? WP_FOREVER : 100000)) != WP_ECLOSED) {
        CHECK(code == WP_OK || code == WP_ETIMEDOUT);
        atomic_fetch_add(&read_records, code == WP_OK);
        for (uint64_t i = check_random(random) % 4; i > 0; i--) {
            sched_yield();
        }
    }
    return NULL;
}

/* Makes it, though the system may lack memory or threads: then nothing is there, and the next one works. */
static void create_all(uint64_t *random) {
    uint64_t dice = check_random(random);
    wp_options options = WP_OPTIONS_INIT;
    wp_results_options results_options = WP_RESULTS_OPTIONS_INIT;
    options.workers = 1 + (uint32_t)(dice >> 8) % 4;
    options.capacity = 1u << (dice >> 16) % 7;
    options.timers = dice >> 24 & 1;
    results_options.capacity = 1u << (dice >> 32) % 7;
    results_options.flags = (dice >> 25 & 1 ? WP_RESULTS_ORDERED : 0) | (dice >> 26 & 1 ? WP_RESULTS_WAIT : 0);
    long before = atomic_load(&live);
    pool = NULL;
    results = NULL;
    if (dice % 4 == 0) {
        atomic_store(&until_failure, (long)(dice >> 40) % 12);
    } else if (dice % 4 == 1) {
        atomic_store(&threads_until_failure, (long)(dice >> 40) % 5);
    }
    int code = wp_create(&options, &pool);
    atomic_store(&until_failure, -1);
    atomic_store(&threads_until_failure, -1);
    if (code != WP_OK) {
        CHECK(code == WP_ENOMEM || code == WP_ETHREAD);
        CHECK(pool == NULL);
        AWAIT(check_threads() == 1);
        CHECK_EQ(before, atomic_load(&live));
        refused_creates++;
        CHECK_EQ(WP_OK, wp_create(&options, &pool));
    }
    atomic_store(&until_failure, dice >> 48 & 3 ? -1 : (long)(dice >> 50) % 2);
    code = wp_results_create(&results_options, &results);
    atomic_store(&until_failure, -1);
    if (code != WP_OK) {
        CHECK_EQ(WP_ENOMEM, code);
        refused_creates++;
        CHECK_EQ(WP_OK, wp_results_create(&results_options, &results));
    }
}

static void play_round(uint64_t *random) {
    struct actor actors[ACTORS];
    create_all(random);
    atomic_store(&attempts, 0);
    atomic_store(&actors_done, 0);
    atomic_ulong *counters[] = {&plain_accepted, &plain_ran, &full_accepted, &full_ended, &recorded, &read_records, &told,
                                &fates[1],       &fates[2],  &fates[3],      &fates[4]};
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        atomic_store(counters[i], 0);
    }
    uint64_t reader_random = check_random(random), dice = check_random(random);
    unsigned when = (unsigned)(dice >> 8) % MOST_ATTEMPTS;
    pthread_t reader = check_thread(read_slowly, &reader_random);
    for (int i = 0; i < ACTORS; i++) {
        actors[i].random = check_random(random);
        actors[i].forks = 0;
        actors[i].thread = check_thread(act, &actors[i]);
    }
    AWAIT(atomic_load(&attempts) >= when || atomic_load(&actors_done) == ACTORS);
    int code;
    do {
        code = wp_shutdown_for(pool, dice & 1 ? WP_SHUTDOWN_CANCEL : WP_SHUTDOWN_DRAIN, dice >> 1 & 1 ? WP_FOREVER : NS_PER_MS, NULL);
        CHECK(code == WP_OK || code == WP_ETIMEDOUT);
    } while (code != WP_OK);
    CHECK_AT_MOST(atomic_load(&full_ended), atomic_load(&full_accepted)); /* Law L5, as far as the submitters have told by now. */
    for (int i = 0; i < ACTORS; i++) {
        check_join(actors[i].thread);
        forks += actors[i].forks;
    }
    CHECK_EQ(WP_OK, wp_results_close(results));
    check_join(reader);
    wp_stats stats = check_stats(pool);
    CHECK_EQ(atomic_load(&full_accepted), atomic_load(&full_ended));
    CHECK_EQ(atomic_load(&recorded), atomic_load(&read_records));
    CHECK_EQ(atomic_load(&full_accepted) + atomic_load(&plain_accepted), stats.accepted);
    CHECK_EQ(stats.accepted, stats.ran + stats.cancelled + stats.expired + stats.discarded);
    CHECK_EQ(atomic_load(&plain_ran) + atomic_load(&fates[WP_FATE_RAN]), stats.ran);
    CHECK_EQ(atomic_load(&fates[WP_FATE_CANCELLED]), stats.cancelled);
    CHECK_EQ(atomic_load(&fates[WP_FATE_EXPIRED]), stats.expired);
    CHECK(stats.queued == 0 && stats.running == 0 && stats.waiting == 0);
    for (unsigned i = 0; i < SLOTS; i++) {
        slot_put(i, NULL);
    }
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(WP_OK, wp_results_release(results));
    tasks += stats.accepted;
    records += atomic_load(&read_records);
    rounds++;
}

/* ---- the library fails ---- */

static atomic_ulong given;

static int run_quickly(wp_context *context, void *arg) {
    (void)context, (void)arg;
    return 0;
}

static void *submit_until_it_fails(void *arg) {
    uint64_t random = *(uint64_t *)arg;
    for (int i = 0; i < 300; i++) {
        wp_task task = WP_TASK_INIT;
        task.run = run_quickly;
        task.results = results;
        int code = wp_submit_task(pool, &task, check_random(&random) % 2 ? WP_FOREVER : 0);
        CHECK(code == WP_OK || code == WP_EFULL || code == WP_ERESULTS || code == WP_EPANIC);
        atomic_fetch_add(&given, code == WP_OK);
        if (code == WP_EPANIC) {
            break;
        }
    }
    atomic_fetch_add(&actors_done, 1);
    return NULL;
}

/* In a process of its own: whatever place it strikes, nobody hangs, and every record that was promised comes, unless its results are lost. */
static _Noreturn void fail_somewhere(uint64_t random) {
    wp_options options = WP_OPTIONS_INIT;
    wp_results_options results_options = WP_RESULTS_OPTIONS_INIT;
    wp_record record = WP_RECORD_INIT;
    pthread_t submitters[2];
    uint64_t seeds[2] = {check_random(&random), check_random(&random)};
    unsigned long got = 0;
    atomic_store(&actors_done, 0);
    options.workers = 1 + (uint32_t)check_random(&random) % 3;
    options.capacity = 4;
    results_options.capacity = 8;
    results_options.flags = WP_RESULTS_WAIT | (check_random(&random) & 1 ? WP_RESULTS_ORDERED : 0);
    CHECK_EQ(WP_OK, wp_results_create(&results_options, &results));
    CHECK_EQ(1, wp_fault_plant((uint32_t)(check_random(&random) % STAGES), (int64_t)(check_random(&random) % 200)));
    int code = wp_create(&options, &pool);
    if (code == WP_OK) {
        for (int i = 0; i < 2; i++) {
            submitters[i] = check_thread(submit_until_it_fails, &seeds[i]);
        }
        bool is_all_given = false;
        do {
            /* A record that does not come within ten seconds will never come. */
            code = wp_results_next(results, &record, is_all_given ? 10 * NS_PER_S : NS_PER_MS);
            CHECK(code == WP_OK || code == WP_EPANIC || (code == WP_ETIMEDOUT && !is_all_given));
            got += code == WP_OK;
            is_all_given = atomic_load(&actors_done) == 2;
        } while (code != WP_EPANIC && !(is_all_given && atomic_load(&given) == got));
        check_join(submitters[0]);
        check_join(submitters[1]);
        code = wp_shutdown_for(pool, check_random(&random) & 1 ? WP_SHUTDOWN_CANCEL : WP_SHUTDOWN_DRAIN, 10 * NS_PER_S, NULL);
        CHECK(code == WP_OK || code == WP_EPANIC);
    } else {
        CHECK_EQ(WP_EPANIC, code);
    }
    _exit(atomic_load(&check_failed) != 0);
}

static void let_the_library_fail(uint64_t *random) {
    uint64_t seed = check_random(random);
    pid_t child = check_fork();
    if (child == 0) {
        fail_somewhere(seed);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0) {
        CHECK_EQ(EINTR, errno);
    }
    CHECK_EQ(0, status);
    faults++;
}

/* ---- what strikes from outside ---- */

static void note_signal(int number) {
    (void)number;
    signals++;
}

static void begin_signals(void) {
    struct sigaction action;
    struct sigevent event;
    struct itimerspec each_ms = {{0, 1000000}, {0, 1000000}};
    timer_t timer;
    memset(&action, 0, sizeof action);
    memset(&event, 0, sizeof event);
    action.sa_handler = note_signal;
    CHECK_EQ(0, sigaction(SIGUSR1, &action, NULL)); /* No SA_RESTART. */
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    CHECK_EQ(0, timer_create(CLOCK_MONOTONIC, &event, &timer));
    CHECK_EQ(0, timer_settime(timer, 0, &each_ms, NULL));
}

/* Another process stops this one and lets it go on, until this one ends. */
static pid_t begin_stops(uint64_t random) {
    pid_t target = getpid(), child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            poll(NULL, 0, 50 + (int)(check_random(&random) % 500));
            kill(target, SIGSTOP);
            poll(NULL, 0, 1 + (int)(check_random(&random) % 20));
            kill(target, SIGCONT);
        }
    }
    return child;
}

/* ---- what the process uses ---- */

static long kibibytes(const char *which) {
    char line[256];
    long value = -1;
    FILE *status = fopen("/proc/self/status", "r");
    CHECK(status != NULL);
    while (fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, which, strlen(which)) == 0) {
            value = strtol(line + strlen(which), NULL, 10);
        }
    }
    fclose(status);
    return value;
}

static unsigned descriptors(void) {
    DIR *all = opendir("/proc/self/fd");
    unsigned count = 0;
    CHECK(all != NULL);
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(all);
    return count;
}

enum { AT_ONCE = 16 }; /* More threads than a round has. */
static pthread_barrier_t all_there;

static void *be_there(void *arg) {
    (void)arg;
    pthread_barrier_wait(&all_there);
    return NULL;
}

/* glibc keeps the stacks of threads that have ended, as many as fit into 40 MiB, each with a block of memory. Afterwards it has them all. */
static void fill_the_stack_cache(void) {
    pthread_t threads[AT_ONCE];
    CHECK_EQ(0, pthread_barrier_init(&all_there, NULL, AT_ONCE));
    for (int i = 0; i < AT_ONCE; i++) {
        threads[i] = check_thread(be_there, NULL);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        check_join(threads[i]);
    }
}

int main(int argc, char **argv) {
    check_begin("soak");
    alarm(0); /* Each round has an alarm of its own. */
    check_slowness = 5; /* A round of 20 ms took 19 s at the lowest share of a machine that compiled: no reason to call it hung. */
    uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 10, random = check_seed();
    *(void **)&real_pthread_create = dlsym(RTLD_NEXT, "pthread_create");
    pid_t stopper = begin_stops(check_random(&random));
    begin_signals();
    alarm(60 * (unsigned)check_slowness);
    fill_the_stack_cache();
    play_round(&random); /* What is made once: buffers, stacks that are kept. */
    long blocks = atomic_load(&live), early = 0, late = 0;
    unsigned open = descriptors();
    uint64_t began = check_now(), until = began + seconds * NS_PER_S, next = began, slowest = 0;
    for (uint64_t now; (now = check_now()) < until;) {
        alarm(60 * (unsigned)check_slowness);
        play_round(&random);
        uint64_t took = check_now() - now;
        slowest = took > slowest ? took : slowest;
        if (check_random(&random) % 8 == 0) {
            let_the_library_fail(&random);
        }
        AWAIT(check_threads() == 1);
        CHECK_EQ(blocks, atomic_load(&live));
        CHECK_EQ(open, descriptors());
        long resident = kibibytes("VmRSS:");
        if (now < began + seconds * NS_PER_S / 4) {
            early = resident > early ? resident : early;
        } else {
            late = resident > late ? resident : late;
        }
        if (now >= next) {
            printf("%6llu s: %lu rounds, %lu tasks, %lu records; %lu creates refused, %lu forks, %lu faults; %ld KiB resident, %u threads, "
                   "%u descriptors, %ld blocks; slowest round %llu ms\n",
                   (unsigned long long)((now - began) / NS_PER_S), rounds, tasks, records, refused_creates, forks, faults, resident,
                   check_threads(), open, blocks, (unsigned long long)(slowest / NS_PER_MS));
            next = now + (seconds > 120 ? 60 : 5) * NS_PER_S;
        }
        if (atomic_load(&check_failed) != 0) {
            break;
        }
    }
    kill(stopper, SIGKILL);
    kill(getpid(), SIGCONT);
    waitpid(stopper, NULL, 0);
    printf("soak: %llu s: %lu rounds, %lu tasks, %lu records; %lu creates refused, %lu forks, %lu faults of the library, %lu signals; at most %ld "
           "KiB resident in the first quarter, %ld afterwards; slowest round %llu ms\n",
           (unsigned long long)((check_now() - began) / NS_PER_S), rounds, tasks, records, refused_creates, forks, faults, signals, early, late,
           (unsigned long long)(slowest / NS_PER_MS));
    if (seconds >= 60) {
        CHECK_AT_MOST(early + 1024, late); /* Flat, but for what malloc's arenas keep. */
    }
    CHECK(rounds > 1 && tasks > 0 && records > 0);
    if (atomic_load(&check_failed) == 0) {
        atomic_fetch_add(&check_passed, 1);
    }
    return check_end();
}

#endif
