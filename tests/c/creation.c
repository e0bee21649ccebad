/* SPDX-License-Identifier: MIT
 *
 * The promise (law L7): a create makes all or nothing. Whatever the system refuses meanwhile (a thread, a piece of
 * memory, the notice of a fork) is an error code; what was begun is undone, nothing is left behind, and the next create works.
 *
 * Named after curl's CURL_DBG_THRDPOOL_FAIL_STARTS, GLib's #3712, folly's #1428, tokio's #8406: pools that did not survive a
 * thread that would not start.
 *
 * This program takes the place of malloc and its kin (allocator.h), of pthread_create() and of what tells a library of a fork,
 * each of which can be made to fail.
 */
#include "check.h"

#if !defined(__GLIBC__) || CHECK_SANITIZED

int main(void) {
    check_begin("creation");
    check_skip("needs glibc's allocator and threads, without a sanitizer's in front of them");
}

#else

#include "allocator.h"

#include <dlfcn.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- what can be made to fail ---- */

typedef int create_thread(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static create_thread *real_pthread_create;
static atomic_long threads_until_failure = -1;
static int thread_error;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *arg) {
    if (atomic_load(&threads_until_failure) >= 0 && atomic_fetch_sub(&threads_until_failure, 1) == 0) {
        return thread_error;
    }
    return real_pthread_create(thread, attributes, body, arg);
}

static atomic_bool no_wipe, no_handlers, is_held;
static atomic_uint wipes;
static sem_t held, let_go;

int madvise(void *address, size_t length, int advice) {
    if (advice == MADV_WIPEONFORK) {
        atomic_fetch_add(&wipes, 1);
        if (atomic_exchange(&is_held, false)) {
            check_post(&held);
            check_wait(&let_go);
        }
        if (atomic_load(&no_wipe)) {
            errno = EINVAL; /* a kernel before 4.14 */
            return -1;
        }
    }
    return (int)syscall(SYS_madvise, address, length, advice);
}

/* What pthread_atfork() comes down to in glibc. */
static int (*real_register_atfork)(void (*)(void), void (*)(void), void (*)(void), void *);

int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *handle) {
    return atomic_load(&no_handlers) ? ENOMEM : real_register_atfork(prepare, parent, child, handle);
}

static void *symbol(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    CHECK(found != NULL);
    return found;
}

/* Runs the case in a process of its own, with nothing kept from earlier threads, and none of the library's own state. */
static void in_a_child(void (*body)(void)) {
    pid_t child = check_fork();
    if (child == 0) {
        body();
        fflush(stdout);
        _Exit(0);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
}

/* ---- threads ---- */

static atomic_uint starts, stops;

static void count_start(uint32_t worker, void *arg) {
    (void)worker;
    (void)arg;
    atomic_fetch_add(&starts, 1);
}

static void count_stop(uint32_t worker, void *arg) {
    (void)worker;
    (void)arg;
    atomic_fetch_add(&stops, 1);
}

static wp_options hooked_options(uint32_t workers) {
    wp_options options = WP_OPTIONS_INIT;
    options.workers = workers;
    options.capacity = 16;
    options.stack_size = WP_STACK_MIN; /* So that glibc keeps all stacks for the next threads. */
    options.on_thread_start = count_start;
    options.on_thread_stop = count_stop;
    atomic_store(&starts, 0);
    atomic_store(&stops, 0);
    return options;
}

static void a_whole_pool_works(const wp_options *options) {
    wp_pool *pool = NULL;
    atomic_uint runs = 0;
    CHECK_EQ(WP_OK, wp_create(options, &pool));
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(WP_OK, wp_submit(pool, check_count, &runs));
    }
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(100, atomic_load(&runs));
}

/* The k-th thread does not start, for every k and every reason that pthread_create() has. */
static void a_thread_that_does_not_start_undoes_those_that_did(void) {
    static const uint32_t sizes[] = {1, 2, 3, 8, 17};
    static const int errors[] = {EAGAIN, ENOMEM, EPERM, EINVAL};
    wp_options options = hooked_options(17);
    a_whole_pool_works(&options); /* From now on glibc has its records of so many threads. */
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (uint32_t k = 0; k < sizes[s]; k++) {
            wp_pool *pool = (wp_pool *)&pool;
            options = hooked_options(sizes[s]);
            long before = atomic_load(&live);
            thread_error = errors[k % 4];
            atomic_store(&threads_until_failure, k);
            CHECK_EQ(WP_ETHREAD, wp_create(&options, &pool));
            CHECK(pool == (wp_pool *)&pool);
            CHECK_EQ(-1, atomic_load(&threads_until_failure)); /* It was asked for no more. */
            CHECK_EQ(k, atomic_load(&starts));
            CHECK_EQ(k, atomic_load(&stops));
            CHECK_EQ(before, atomic_load(&live));
            AWAIT(check_threads() == 1);
            a_whole_pool_works(&options);
            CHECK_EQ(before, atomic_load(&live));
            atomic_fetch_add(&check_passed, 1);
        }
    }
}

/* The system's own limit, for a user to whom it applies. */
static void the_limit_on_processes(void) {
    enum { ALLOWED = 4, WANTED = 16 };
    struct rlimit limit = {ALLOWED, ALLOWED};
    wp_pool *pool = NULL;
    if (geteuid() == 0) {
        CHECK_EQ(0, setgroups(0, NULL));
        CHECK_EQ(0, setresgid(65534, 65534, 65534));
        CHECK_EQ(0, setresuid(65534, 65534, 65534)); /* nobody */
    }
    CHECK_EQ(0, setrlimit(RLIMIT_NPROC, &limit));
    wp_options options = hooked_options(WANTED);
    long before = atomic_load(&live);
    CHECK_EQ(WP_ETHREAD, wp_create(&options, &pool));
    CHECK(pool == NULL);
    CHECK_EQ(atomic_load(&starts), atomic_load(&stops));
    CHECK_AT_MOST(ALLOWED - 1, atomic_load(&starts));
    AWAIT(check_threads() == 1);
    /* glibc may keep the stacks of those that ran, and a record of each. */
    CHECK_AT_MOST(before + atomic_load(&starts), atomic_load(&live));
    printf("creation: with %d processes allowed, %u of %d workers began and were undone\n", ALLOWED, atomic_load(&starts), WANTED);
}

static bool may_become_nobody(void) {
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        _Exit(geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0));
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    return status == 0;
}

static void the_limit_on_processes_is_an_error_code(void) {
    if (may_become_nobody()) {
        in_a_child(the_limit_on_processes);
    } else {
        printf("skipped: RLIMIT_NPROC does not bind root, who may not become another user here\n");
    }
}

/* ---- memory ---- */

/* Each allocation of a create fails once. What the C library needs for a thread fails as a thread does. */
static unsigned long each_allocation_of_a_pool(uint32_t workers, bool is_cold) {
    unsigned long failures = 0, threads = 0;
    wp_options options = hooked_options(workers);
    if (!is_cold) {
        a_whole_pool_works(&options);
    }
    for (long n = 0;; n++) {
        wp_pool *pool = NULL;
        options = hooked_options(workers);
        long before = atomic_load(&live);
        atomic_store(&until_failure, n);
        int code = wp_create(&options, &pool);
        bool has_failed = atomic_exchange(&until_failure, -1) < 0;
        if (!has_failed) { /* It asked for no more than n. */
            CHECK_EQ(WP_OK, code);
            CHECK_EQ(WP_OK, wp_destroy(pool));
            break;
        }
        failures++;
        CHECK(code == WP_ENOMEM || code == WP_ETHREAD);
        threads += code == WP_ETHREAD;
        CHECK(pool == NULL);
        CHECK_EQ(atomic_load(&starts), atomic_load(&stops));
        /* glibc keeps the records of the threads that began, to use them again. */
        CHECK_AT_MOST(before + (is_cold ? atomic_load(&starts) : 0), atomic_load(&live));
        AWAIT(check_threads() == 1);
    }
    CHECK(is_cold || threads == 0);
    CHECK_AT_LEAST(5, failures);
    a_whole_pool_works(&options);
    printf("creation: %u workers, %s: each of %lu allocations failed once, %lu of them the C library's\n", workers,
           is_cold ? "new threads" : "kept stacks", failures, threads);
    return threads;
}

static void with_new_threads(void) {
    CHECK_AT_LEAST(1, each_allocation_of_a_pool(4, true));
}

static void with_kept_stacks(void) {
    each_allocation_of_a_pool(4, false);
}

static void a_manual_pool(void) {
    for (long n = 0;; n++) {
        wp_options options = WP_OPTIONS_INIT;
        wp_pool *pool = NULL;
        options.mode = WP_MODE_MANUAL;
        long before = atomic_load(&live);
        atomic_store(&until_failure, n);
        int code = wp_create(&options, &pool);
        if (atomic_exchange(&until_failure, -1) >= 0) {
            CHECK_EQ(WP_OK, code);
            CHECK_EQ(WP_OK, wp_destroy(pool));
            CHECK_EQ(before, atomic_load(&live));
            CHECK_AT_LEAST(4, n);
            break;
        }
        CHECK_EQ(WP_ENOMEM, code);
        CHECK(pool == NULL);
        CHECK_EQ(before, atomic_load(&live));
    }
}

static void each_allocation_of_a_create_fails_once(void) {
    in_a_child(with_new_threads);
    in_a_child(with_kept_stacks);
    in_a_child(a_manual_pool);
}

static void each_allocation_of_results_fails_once(void) {
    for (long n = 0;; n++) {
        wp_results_options options = WP_RESULTS_OPTIONS_INIT;
        wp_results *results = NULL;
        options.capacity = 100;
        long before = atomic_load(&live);
        atomic_store(&until_failure, n);
        int code = wp_results_create(&options, &results);
        if (atomic_exchange(&until_failure, -1) >= 0) {
            CHECK_EQ(WP_OK, code);
            CHECK_EQ(WP_OK, wp_results_release(results));
            CHECK_EQ(before, atomic_load(&live));
            CHECK_EQ(2, n);
            break;
        }
        CHECK_EQ(WP_ENOMEM, code);
        CHECK(results == NULL);
        CHECK_EQ(before, atomic_load(&live));
    }
}

/* ---- the notice of a fork ---- */

static void the_child_knows(void) {
    wp_pool *pool = check_pool(1, 1), *own = NULL;
    pid_t child = check_fork();
    if (child == 0) {
        CHECK_EQ(WP_EFORKED, wp_try_submit(pool, must_not_run, NULL));
        CHECK_EQ(WP_OK, wp_create(NULL, &own));
        CHECK_EQ(WP_EFORKED, wp_try_submit(pool, must_not_run, NULL));
        CHECK_EQ(WP_OK, wp_destroy(pool));
        CHECK_EQ(WP_OK, wp_destroy(own));
        _Exit(0);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void with_a_kernel_that_wipes_nothing(void) {
    wp_pool *pool = NULL;
    atomic_store(&no_wipe, true);
    atomic_store(&no_handlers, true);
    CHECK_EQ(WP_ENOMEM, wp_create(NULL, &pool));
    CHECK(pool == NULL);
    wp_results *results = NULL;
    CHECK_EQ(WP_ENOMEM, wp_results_create(NULL, &results));
    CHECK(results == NULL);
    CHECK_EQ(2, atomic_load(&wipes));
    atomic_store(&no_handlers, false);
    the_child_knows();
    CHECK_EQ(3, atomic_load(&wipes));
}

static void with_a_kernel_that_wipes(void) {
    atomic_store(&no_handlers, true); /* not needed */
    the_child_knows();
    CHECK_EQ(1, atomic_load(&wipes));
}

/* A fork while another thread is in the middle of the process's first create. */
static void *create_and_destroy(void *arg) {
    (void)arg;
    CHECK_EQ(WP_OK, wp_destroy(check_pool(1, 1)));
    return NULL;
}

static void while_another_thread_arranges_it(void) {
    CHECK_EQ(0, sem_init(&held, 0, 0));
    CHECK_EQ(0, sem_init(&let_go, 0, 0));
    atomic_store(&is_held, true);
    pthread_t thread = check_thread(create_and_destroy, NULL);
    check_wait(&held);
    pid_t child = check_fork();
    if (child == 0) {
        alarm(5);
        CHECK_EQ(WP_OK, wp_destroy(check_pool(2, 2)));
        _Exit(0);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
    the_child_knows(); /* A second thread waits for nobody either, and the first one's page is the same. */
    check_post(&let_go);
    check_join(thread);
    the_child_knows();
}

/* What a child frees is all that the parent made, but the C library's records of the parent's threads. */
static void a_child_frees_it_all(void) {
    enum { WORKERS = 3 };
    wp_results *results = NULL;
    long before = atomic_load(&live);
    wp_pool *pool = check_pool(WORKERS, 10);
    CHECK_EQ(WP_OK, wp_results_create(NULL, &results));
    CHECK_EQ(before + 7 + 2 + WORKERS, atomic_load(&live));
    pid_t child = check_fork();
    if (child == 0) {
        CHECK_EQ(WP_OK, wp_destroy(pool));
        CHECK_EQ(WP_OK, wp_results_release(results));
        CHECK_EQ(before + WORKERS, atomic_load(&live));
        _Exit(0);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(WP_OK, wp_results_release(results));
}

/* In children: the library arranges this once in a process. */
static void either_way_to_notice_a_fork_works(void) {
    CHECK_EQ(0, atomic_load(&wipes));
    in_a_child(with_a_kernel_that_wipes);
    in_a_child(with_a_kernel_that_wipes_nothing);
    in_a_child(while_another_thread_arranges_it);
    in_a_child(a_child_frees_it_all);
}

int main(void) {
    check_begin("creation");
    if (check_on_valgrind()) {
        check_skip("valgrind's allocator stands in front of glibc's");
    }
    real_pthread_create = (create_thread *)(uintptr_t)symbol("pthread_create");
    real_register_atfork = (int (*)(void (*)(void), void (*)(void), void (*)(void), void *))(uintptr_t)symbol("__register_atfork");
    CASE(either_way_to_notice_a_fork_works); /* before this process has made anything */
    CASE(each_allocation_of_a_create_fails_once); /* before it has threads */
    CASE(a_thread_that_does_not_start_undoes_those_that_did);
    CASE(the_limit_on_processes_is_an_error_code);
    CASE(each_allocation_of_results_fails_once);
    return check_end();
}

#endif
