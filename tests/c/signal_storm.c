/* SPDX-License-Identifier: MIT
 *
 * The promise (law L7): no call returns early because of a signal, and none sleeps on because of one. Every call that can wait
 * waits here under a storm of SIGALRM, once with handlers that restart system calls and once without; and while its process is
 * stopped and continued.
 *
 * Named after log4cplus's #385, OpenBLAS's #4054 and openpbs's #2376: workers that took the program's signals. (signals.c has the
 * workers' mask.)
 *
 * WP_ROUNDS: how often each wait is ended under the storm.
 */
#include "check.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

/* A pool whose only worker is held, whose queue is full, and whose results are as the call needs them. */
struct scene {
    wp_pool *pool;
    wp_results *results;
    struct gate gate;
    const struct call *call;
    uint64_t timeout;
    uint64_t took;
    int code;
    atomic_bool is_done;
};

static int gate_in_full(wp_context *context, void *arg) {
    (void)context;
    gate_task(arg);
    return 0;
}

static int nothing_in_full(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return 0;
}

static wp_task full_task(wp_results *results) {
    wp_task task = WP_TASK_INIT;
    task.run = nothing_in_full;
    task.results = results;
    return task;
}

static int submit(struct scene *scene) {
    return wp_submit(scene->pool, check_nothing, NULL);
}

static int submit_for(struct scene *scene) {
    return wp_submit_for(scene->pool, check_nothing, NULL, scene->timeout);
}

static int submit_task(struct scene *scene) {
    wp_task task = full_task(NULL);
    return wp_submit_task(scene->pool, &task, scene->timeout);
}

static int submit_batch(struct scene *scene) {
    wp_task task = full_task(NULL), batch[] = {task, task, task};
    size_t accepted = 0;
    int code = wp_submit_batch(scene->pool, batch, 3, sizeof task, scene->timeout, &accepted);
    CHECK_EQ(code == WP_OK ? 3 : 0, accepted);
    return code;
}

static int submit_recorded(struct scene *scene) {
    wp_task task = full_task(scene->results);
    return wp_submit_task(scene->pool, &task, scene->timeout);
}

static int wait_idle(struct scene *scene) {
    return wp_wait_idle(scene->pool, scene->timeout);
}

static int shut_down(struct scene *scene) {
    return wp_shutdown(scene->pool);
}

static int shut_down_for(struct scene *scene) {
    return wp_shutdown_for(scene->pool, WP_SHUTDOWN_DRAIN, scene->timeout, NULL);
}

static int destroy(struct scene *scene) {
    return wp_destroy(scene->pool);
}

static int next_record(struct scene *scene) {
    wp_record record = WP_RECORD_INIT;
    return wp_results_next(scene->results, &record, scene->timeout);
}

static int drain_records(struct scene *scene) {
    wp_record records[4];
    size_t got = 0;
    int code = wp_results_drain(scene->results, records, 4, sizeof *records, scene->timeout, &got);
    CHECK_EQ(code == WP_OK, got);
    return code;
}

enum { HAS_TIMEOUT = 1, PLACE_TAKEN = 2, RECORD_TO_COME = 4, ENDS_POOL = 8 };

static const struct call {
    const char *name;
    int (*make)(struct scene *);
    int flags;
} calls[] = {
    {"wp_submit", submit, 0},
    {"wp_submit_for", submit_for, HAS_TIMEOUT},
    {"wp_submit_task", submit_task, HAS_TIMEOUT},
    {"wp_submit_task for a place in results", submit_recorded, HAS_TIMEOUT | PLACE_TAKEN},
    {"wp_submit_batch", submit_batch, HAS_TIMEOUT},
    {"wp_wait_idle", wait_idle, HAS_TIMEOUT},
    {"wp_shutdown", shut_down, 0},
    {"wp_shutdown_for", shut_down_for, HAS_TIMEOUT},
    {"wp_destroy", destroy, ENDS_POOL},
    {"wp_results_next", next_record, HAS_TIMEOUT | RECORD_TO_COME},
    {"wp_results_drain", drain_records, HAS_TIMEOUT | RECORD_TO_COME},
};
enum { CALLS = sizeof calls / sizeof *calls };

static void set_scene(struct scene *scene, const struct call *call, uint64_t timeout) {
    wp_results_options options = WP_RESULTS_OPTIONS_INIT;
    memset(scene, 0, sizeof *scene);
    options.capacity = 1;
    options.flags = WP_RESULTS_WAIT;
    scene->call = call;
    scene->timeout = timeout;
    scene->pool = check_pool(1, 1);
    CHECK_EQ(WP_OK, wp_results_create(&options, &scene->results));
    gate_init(&scene->gate);
    if (call->flags & PLACE_TAKEN) {
        wp_task task = full_task(scene->results);
        CHECK_EQ(WP_OK, wp_submit_task(scene->pool, &task, WP_FOREVER));
        CHECK_EQ(WP_OK, wp_wait_idle(scene->pool, WP_FOREVER));
    }
    if (call->flags & RECORD_TO_COME) {
        wp_task task = full_task(scene->results);
        task.run = gate_in_full;
        task.arg = &scene->gate;
        CHECK_EQ(WP_OK, wp_submit_task(scene->pool, &task, WP_FOREVER));
        check_wait(&scene->gate.begun);
    } else {
        gate_shut(&scene->gate, scene->pool, 1);
    }
    check_fill(scene->pool, 1);
}

static void strike_scene(struct scene *scene) {
    if ((scene->call->flags & ENDS_POOL) == 0) {
        CHECK_EQ(WP_OK, wp_destroy(scene->pool));
    }
    CHECK_EQ(WP_OK, wp_results_release(scene->results));
}

/* Lets the call have what it waits for. */
static void fulfil(struct scene *scene) {
    if (scene->call->flags & PLACE_TAKEN) {
        wp_record record = WP_RECORD_INIT;
        CHECK_EQ(WP_OK, wp_results_next(scene->results, &record, 0));
    }
    check_post(&scene->gate.open);
}

/* ---- the storm ---- */

static _Thread_local bool is_waiter;
static atomic_uint handled;

static void handle(int signal_number) {
    (void)signal_number;
    if (!is_waiter) {
        static const char text[] = "signal_storm: another thread took the signal\n";
        (void)!write(STDOUT_FILENO, text, sizeof text - 1);
        _exit(1);
    }
    atomic_fetch_add(&handled, 1);
}

static void *wait_under_signals(void *arg) {
    struct scene *scene = arg;
    sigset_t alarms;
    is_waiter = true;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    CHECK_EQ(0, pthread_sigmask(SIG_UNBLOCK, &alarms, NULL));
    uint64_t began = check_now();
    scene->code = scene->call->make(scene);
    scene->took = check_now() - began;
    CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, &alarms, NULL));
    atomic_store(&scene->is_done, true);
    return NULL;
}

static void storm(bool is_on) {
    struct itimerval every = {{0, is_on ? 150 : 0}, {0, is_on ? 150 : 0}};
    CHECK_EQ(0, setitimer(ITIMER_REAL, &every, NULL));
}

/* Only the waiting thread takes SIGALRM; the program's own alarm is off meanwhile, and a hang is the test runner's to end. */
static void under_a_storm(int flags) {
    enum { SIGNALS = 50 };
    unsigned long rounds = check_rounds(3);
    struct sigaction action, before;
    sigset_t alarms, mask;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    action.sa_flags = flags;
    alarm(0);
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, &alarms, &mask));
    CHECK_EQ(0, sigaction(SIGALRM, &action, &before));
    storm(true);
    for (size_t i = 0; i < CALLS; i++) {
        for (unsigned long round = 0; round < rounds; round++) {
            struct scene scene;
            set_scene(&scene, &calls[i], WP_FOREVER);
            unsigned count = atomic_load(&handled);
            pthread_t thread = check_thread(wait_under_signals, &scene);
            AWAIT(atomic_load(&handled) >= count + SIGNALS);
            CHECK(!atomic_load(&scene.is_done));
            fulfil(&scene);
            check_join(thread);
            CHECK_EQ(WP_OK, scene.code);
            strike_scene(&scene);
        }
        atomic_fetch_add(&check_passed, 1);
        if (calls[i].flags & HAS_TIMEOUT) {
            struct scene scene;
            set_scene(&scene, &calls[i], 30 * NS_PER_MS);
            unsigned count = atomic_load(&handled);
            check_join(check_thread(wait_under_signals, &scene));
            CHECK_AT_LEAST(count + 1, atomic_load(&handled));
            CHECK_EQ(WP_ETIMEDOUT, scene.code);
            CHECK_AT_LEAST(30 * NS_PER_MS, scene.took);
            fulfil(&scene);
            strike_scene(&scene);
            atomic_fetch_add(&check_passed, 1);
        }
    }
    storm(false);
    CHECK(signal(SIGALRM, SIG_IGN) != SIG_ERR); /* The last one may be pending. */
    CHECK_EQ(0, sigaction(SIGALRM, &before, NULL));
    CHECK_EQ(0, pthread_sigmask(SIG_SETMASK, &mask, NULL));
    alarm(60 * (unsigned)check_slowness);
}

static void a_storm_of_signals_that_interrupt(void) {
    under_a_storm(0);
}

static void a_storm_of_signals_that_restart(void) {
    under_a_storm(SA_RESTART);
}

/* ---- stopped and continued ---- */

static void *wait_undisturbed(void *arg) {
    struct scene *scene = arg;
    uint64_t began = check_now();
    scene->code = scene->call->make(scene);
    scene->took = check_now() - began;
    atomic_store(&scene->is_done, true);
    return NULL;
}

/* One thread in each call without a limit, and one in each that has a timeout. Told by the pipe, then lets them all go. */
static void wait_in_every_call(int told) {
    static struct scene forever[CALLS], timed[CALLS];
    pthread_t threads[2 * CALLS];
    char byte;
    for (size_t i = 0; i < CALLS; i++) {
        set_scene(&forever[i], &calls[i], WP_FOREVER);
        threads[i] = check_thread(wait_undisturbed, &forever[i]);
        if (calls[i].flags & HAS_TIMEOUT) {
            set_scene(&timed[i], &calls[i], 100 * NS_PER_MS);
            threads[CALLS + i] = check_thread(wait_undisturbed, &timed[i]);
        }
    }
    CHECK_EQ(1, write(told, "", 1)); /* All are there, or about to be. */
    CHECK_EQ(1, read(told, &byte, 1));
    for (size_t i = 0; i < CALLS; i++) {
        CHECK(!atomic_load(&forever[i].is_done));
        fulfil(&forever[i]);
        check_join(threads[i]);
        CHECK_EQ(WP_OK, forever[i].code);
        strike_scene(&forever[i]);
        if (calls[i].flags & HAS_TIMEOUT) {
            check_join(threads[CALLS + i]);
            CHECK_EQ(WP_ETIMEDOUT, timed[i].code);
            CHECK_AT_LEAST(100 * NS_PER_MS, timed[i].took);
            fulfil(&timed[i]);
            strike_scene(&timed[i]);
        }
    }
    _Exit(0);
}

static void a_process_that_is_stopped_and_continued(void) {
    int pipes[2], status = -1;
    char byte;
    CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pipes));
    pid_t child = check_fork();
    if (child == 0) {
        wait_in_every_call(pipes[1]);
    }
    CHECK_EQ(1, read(pipes[0], &byte, 1));
    for (int round = 0; round < 100; round++) {
        CHECK_EQ(0, kill(child, SIGSTOP));
        CHECK_EQ(child, waitpid(child, &status, WUNTRACED));
        CHECK(WIFSTOPPED(status));
        CHECK_EQ(0, kill(child, SIGCONT));
        CHECK_EQ(child, waitpid(child, &status, WCONTINUED));
        CHECK(WIFCONTINUED(status));
    }
    CHECK_EQ(1, write(pipes[0], "", 1));
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void) {
    check_begin("signal_storm");
    CASE(a_process_that_is_stopped_and_continued); /* before this process has threads */
    CASE(a_storm_of_signals_that_interrupt);
    CASE(a_storm_of_signals_that_restart);
    return check_end();
}
