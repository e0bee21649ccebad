/* SPDX-License-Identifier: MIT
 *
 * The promise: a pool's threads are as its options say. Exactly so many, with their names and stacks; the hooks are called
 * once on each; when one does not start, those that did are undone; and when a shutdown returns, the threads themselves
 * are gone.
 */
#include "check.h"

#include <sys/resource.h>
#include <sys/wait.h>

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
        if (CHECK_THREAD_SANITIZED) { /* Small stacks are made larger by the sanitizer. */
            CHECK_AT_LEAST(asked, size);
        } else {
            CHECK_EQ((asked + page - 1) / page * page, size);
        }
        if (!CHECK_SANITIZED && !check_on_valgrind() && asked >= 100000) {
            CHECK_EQ(WP_OK, wp_submit(pool, use_stack, &asked));
        }
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
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

int main(void) {
    check_begin("threads");
    CASE(the_stack_size_is_honoured);
    CASE(hooks_are_called_once_on_each_worker);
    CASE(the_threads_clean_up_before_a_shutdown_returns);
    CASE(threads_have_their_names);
    CASE(there_are_exactly_as_many_threads_as_workers);
    CASE(the_default_number_of_workers_respects_the_affinity);
    CASE(a_create_that_fails_half_way_undoes_what_was_begun);
    return check_end();
}
