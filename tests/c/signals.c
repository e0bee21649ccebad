/* SPDX-License-Identifier: MIT
 *
 * The promise (law L7): signals are the program's. The workers block every asynchronous one but SIGPROF and SIGABRT, so that none
 * is taken there, the caller's own mask stays as it is, at every moment, and no wait ends early because a signal came.
 */
#include "check.h"

/* ---- no worker takes one ---- */

static atomic_uint taken_on_main;
static pthread_t main_thread;

static void take_signal(int signal_number) {
    (void)signal_number;
    if (pthread_equal(pthread_self(), main_thread)) {
        atomic_fetch_add(&taken_on_main, 1);
    } else {
        static const char text[] = "signals: a worker took a signal\n";
        (void)!write(STDOUT_FILENO, text, sizeof text - 1);
        _exit(1);
    }
}

static void note_mask(void *arg) {
    CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, NULL, arg));
}

static void workers_block_every_asynchronous_signal_but_two(void) {
    static const int asynchronous[] = {SIGHUP,  SIGINT,    SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD,
                                       SIGCONT, SIGTSTP,   SIGTTIN, SIGTTOU, SIGURG,  SIGXCPU, SIGXFSZ, SIGVTALRM,
                                       SIGWINCH, SIGIO,    SIGPWR};
    static const int open_signals[] = {SIGPROF, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
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

/* ---- nor does a create, for its caller ---- */

static void *create_with_signals_pending(void *arg) {
    sigset_t all, pending;
    (void)arg;
    sigfillset(&all);
    CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, &all, NULL));
    main_thread = pthread_self();
    atomic_store(&taken_on_main, 0);
    CHECK_EQ(0, pthread_kill(pthread_self(), SIGPROF));
    CHECK_EQ(0, pthread_kill(pthread_self(), SIGABRT));
    CHECK_EQ(WP_OK, wp_destroy(check_pool(2, 4)));
    CHECK_EQ(0, atomic_load(&taken_on_main));
    CHECK_EQ(0, sigpending(&pending));
    CHECK(sigismember(&pending, SIGPROF) && sigismember(&pending, SIGABRT));
    CHECK(signal(SIGPROF, SIG_IGN) != SIG_ERR && signal(SIGABRT, SIG_IGN) != SIG_ERR); /* Or they would come with the thread's end. */
    return NULL;
}

static void a_create_takes_none_that_its_caller_blocks(void) {
    CHECK(signal(SIGPROF, take_signal) != SIG_ERR && signal(SIGABRT, take_signal) != SIG_ERR);
    check_join(check_thread(create_with_signals_pending, NULL));
    CHECK(signal(SIGPROF, SIG_DFL) != SIG_ERR && signal(SIGABRT, SIG_DFL) != SIG_ERR);
}

/* ---- no wait ends early ---- */

static atomic_uint handled;

static void handle(int signal_number) {
    (void)signal_number;
    atomic_fetch_add(&handled, 1);
}

struct waiter {
    wp_pool *pool;
    int call;
    int code;
    uint64_t took;
    atomic_bool is_done;
};

static void *wait_for_something(void *arg) {
    struct waiter *me = arg;
    uint64_t began = check_now();
    switch (me->call) {
    case 0: me->code = wp_submit_for(me->pool, must_not_run, NULL, 50 * NS_PER_MS); break;
    case 1: me->code = wp_wait_idle(me->pool, 50 * NS_PER_MS); break;
    default: me->code = wp_shutdown_for(me->pool, WP_SHUTDOWN_DRAIN, 50 * NS_PER_MS, NULL); break;
    }
    me->took = check_now() - began;
    atomic_store(&me->is_done, true);
    return NULL;
}

static void a_signal_ends_no_wait(void) {
    wp_pool *pool = check_pool(1, 1);
    struct gate gate;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle; /* Without SA_RESTART. */
    CHECK_EQ(0, sigaction(SIGUSR1, &action, NULL));
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    check_fill(pool, 1);
    for (int call = 0; call < 3; call++) {
        struct waiter waiter = {pool, call, 12345, 0, false};
        unsigned before = atomic_load(&handled);
        pthread_t thread = check_thread(wait_for_something, &waiter);
        while (!atomic_load(&waiter.is_done)) {
            pthread_kill(thread, SIGUSR1);
            sched_yield();
        }
        check_join(thread);
        CHECK_EQ(WP_ETIMEDOUT, waiter.code);
        CHECK_AT_LEAST(50 * NS_PER_MS, waiter.took);
        CHECK_AT_LEAST(before + 1, atomic_load(&handled));
    }
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("signals");
    CASE(workers_block_every_asynchronous_signal_but_two);
    CASE(a_create_takes_none_that_its_caller_blocks);
    CASE(a_signal_ends_no_wait);
    return check_end();
}
