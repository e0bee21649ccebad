/* SPDX-License-Identifier: MIT
 *
 * The promise: code that takes a wp_executor works with a pool, a manual pool and a stand-in written in a few lines, and gets the
 * codes of wp_submit_task() from each.
 */
#include "check.h"

/* The code under test: it knows nothing of pools. */
static int hand_over(const wp_executor *executor, atomic_uint *counter, wp_task_fn run, uint64_t timeout) {
    wp_task task = WP_TASK_INIT;
    task.run = run;
    task.arg = counter;
    return executor->submit_task(executor->self, &task, timeout);
}

static int count(wp_context *context, void *arg) {
    (void)context;
    check_count(arg);
    return 0;
}

static wp_executor executor_of(wp_pool *pool) {
    wp_executor executor = WP_EXECUTOR_INIT;
    CHECK_EQ(WP_OK, wp_pool_executor(pool, &executor));
    CHECK_EQ(sizeof executor, executor.struct_size);
    CHECK(executor.reserved_pointer == NULL);
    return executor;
}

static void a_pool_is_an_executor(void) {
    wp_pool *pool = check_pool(2, 4);
    wp_executor executor = executor_of(pool), copy = executor;
    atomic_uint counter = 0;
    for (int i = 0; i < 1000; i++) {
        ROW(WP_OK, hand_over(i % 2 ? &executor : &copy, &counter, count, WP_FOREVER));
    }
    ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    ROW(1000, atomic_load(&counter));
    ROW(WP_EINVAL, hand_over(&executor, &counter, NULL, 0));
    ROW(WP_EINVAL, executor.submit_task(executor.self, NULL, 0));
    ROW(WP_OK, wp_shutdown(pool));
    ROW(WP_ECLOSED, hand_over(&executor, &counter, count, 0));
    ROW(WP_OK, wp_destroy(pool));
}

static void a_manual_pool_is_an_executor(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    atomic_uint counter = 0;
    options.mode = WP_MODE_MANUAL;
    options.capacity = 1;
    ROW(WP_OK, wp_create(&options, &pool));
    wp_executor executor = executor_of(pool);
    ROW(WP_OK, hand_over(&executor, &counter, count, 0));
    ROW(WP_EFULL, hand_over(&executor, &counter, count, 0));
    ROW(0, atomic_load(&counter));
    ROW(WP_OK, wp_run(pool, 1, NULL));
    ROW(1, atomic_load(&counter));
    ROW(WP_OK, wp_destroy(pool));
}

/* A stand-in that refuses every second task and runs the others at once. */
static int mock_submit(void *self, const wp_task *task, uint64_t timeout_ns) {
    (void)timeout_ns;
    unsigned *asked = self;
    if ((*asked)++ % 2 == 1) {
        return WP_EFULL;
    }
    task->run(NULL, task->arg);
    return WP_OK;
}

static void so_is_a_mock(void) {
    unsigned asked = 0;
    wp_executor mock = WP_EXECUTOR_INIT;
    atomic_uint counter = 0;
    mock.self = &asked;
    mock.submit_task = mock_submit;
    ROW(WP_OK, hand_over(&mock, &counter, count, 0));
    ROW(WP_EFULL, hand_over(&mock, &counter, count, 0));
    ROW(WP_OK, hand_over(&mock, &counter, count, 0));
    ROW(2, atomic_load(&counter));
}

static void bad_input_is_refused(void) {
    static const size_t bad_sizes[] = {0, 1, 7, 12, 4104, SIZE_MAX};
    wp_pool *pool = check_pool(1, 1);
    wp_executor executor = WP_EXECUTOR_INIT;
    executor.self = &executor;
    ROW(WP_EINVAL, wp_pool_executor(NULL, &executor));
    ROW(WP_EINVAL, wp_pool_executor(pool, NULL));
    ROW(WP_EINVAL, wp_pool_executor(NULL, NULL));
    ROW(WP_EINVAL, wp_executor_init(NULL, sizeof executor));
    for (size_t i = 0; i < sizeof bad_sizes / sizeof bad_sizes[0]; i++) {
        executor.struct_size = bad_sizes[i];
        ROW(WP_EINVAL, wp_pool_executor(pool, &executor));
        ROW(WP_EINVAL, wp_executor_init(&executor, bad_sizes[i]));
    }
    ROW(true, executor.self == &executor);

    /* No more is written than the caller has. */
    executor.struct_size = 16;
    executor.submit_task = mock_submit;
    ROW(WP_OK, wp_pool_executor(pool, &executor));
    ROW(true, executor.submit_task == mock_submit || sizeof(void *) < 8);
    ROW(true, executor.self == (void *)pool);
    ROW(WP_OK, wp_executor_init(&executor, sizeof executor));
    ROW(true, executor.self == NULL && executor.struct_size == sizeof executor);
    ROW(WP_OK, wp_shutdown(pool));
    ROW(WP_OK, wp_pool_executor(pool, &executor));
    ROW(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("executor");
    CASE(a_pool_is_an_executor);
    CASE(a_manual_pool_is_an_executor);
    CASE(so_is_a_mock);
    CASE(bad_input_is_refused);
    return check_end();
}
