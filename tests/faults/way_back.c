/* SPDX-License-Identifier: MIT
 *
 * The promise: a pool may be shut down and destroyed as soon as its last task has ended, though the submit that brought the task has
 * not returned yet. So a shutdown waits for such a submit, on another thread, and for a wait for room whose waiter was told.
 *
 * Linked with a library that holds a call on its way back for as long as a test likes: what a busy machine does to one in a million.
 */
#include "../c/check.h"

#include "faults.h"

static wp_pool *pool;
static wp_group *group;
static wp_waiter waiter;
static struct gate gate;
static sem_t ended;

static void post_ended(void *arg) {
    (void)arg;
    check_post(&ended);
}

static int nothing(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return 0;
}

static void end(const wp_outcome *outcome, void *arg) {
    CHECK_EQ(WP_FATE_RAN, outcome->fate);
    post_ended(arg);
}

static wp_task full_task(void) {
    wp_task task = WP_TASK_INIT;
    task.run = nothing;
    task.end = end;
    return task;
}

static int submit(void) {
    return wp_submit(pool, post_ended, NULL);
}

static int submit_with_deadline(void) {
    wp_task task = full_task();
    task.deadline = wp_deadline_after(pool, 3600 * NS_PER_S);
    return wp_submit_task(pool, &task, WP_FOREVER);
}

static int submit_to_group(void) {
    wp_task task = full_task();
    task.group = group;
    return wp_submit_task(pool, &task, WP_FOREVER);
}

static int submit_batch(void) {
    wp_task task = full_task();
    return wp_submit_batch(pool, &task, 1, sizeof task, WP_FOREVER, NULL);
}

static int wait_for_room(void) {
    return wp_when_room(pool, &waiter);
}

struct call {
    pthread_t thread;
    int (*make)(void);
    int code;
    atomic_bool is_over;
};

static void *make(void *arg) {
    struct call *call = arg;
    call->code = call->make();
    atomic_store(&call->is_over, true);
    return NULL;
}

static void begin(struct call *call, int (*make_it)(void)) {
    call->make = make_it;
    call->code = 12345;
    atomic_init(&call->is_over, false);
    call->thread = check_thread(make, call);
}

/* What the call was for is over, and the call is not: no shutdown succeeds before it has left. */
static void the_pool_waits_for(struct call *call) {
    check_wait(&ended);
    CHECK_EQ(1, wp_fault_is_held());
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 200 * NS_PER_MS, NULL));
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, NULL));
    wp_fault_hold(0);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    check_join(call->thread);
    CHECK_EQ(WP_OK, call->code);
}

static void make_pool(uint32_t workers, uint32_t capacity, uint32_t timers) {
    wp_options options = WP_OPTIONS_INIT;
    options.workers = workers;
    options.capacity = capacity;
    options.timers = timers;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    gate_init(&gate);
}

/* One worker is inside a task, and runs this one later; another may sleep, and have to be woken. */
static void a_submit_is_held(int (*submit_it)(void)) {
    struct call call;
    gate_shut(&gate, pool, 1);
    wp_fault_hold(1);
    for (;;) {
        begin(&call, submit_it);
        /* As long as a worker looks for a task before it sleeps, it takes this one, and there is nothing to hold. */
        AWAIT(wp_fault_is_held() == 1 || atomic_load(&call.is_over));
        if (wp_fault_is_held() == 1) {
            break;
        }
        check_join(call.thread);
        check_wait(&ended);
    }
    check_post(&gate.open);
    the_pool_waits_for(&call);
}

static void behind_a_submit_that_wakes(void) {
    make_pool(2, 4, 0);
    a_submit_is_held(submit);
}

static void behind_a_batch_that_wakes(void) {
    make_pool(2, 4, 0);
    a_submit_is_held(submit_batch);
}

/* Here nobody has to be woken. */
static void behind_a_submit_with_a_deadline(void) {
    make_pool(1, 4, 1);
    a_submit_is_held(submit_with_deadline);
}

/* The group runs one task at a time. */
static void behind_a_submit_to_a_serial_group(void) {
    wp_group_options options = WP_GROUP_OPTIONS_INIT;
    make_pool(2, 4, 0);
    options.max_running = 1;
    CHECK_EQ(WP_OK, wp_group_create(pool, &options, &group));
    a_submit_is_held(submit_to_group);
    CHECK_EQ(WP_OK, wp_group_release(group));
}

/* The full queue has room again, and the task is accepted before its submitter has left the line. */
static void behind_a_submit_that_waited(void) {
    struct call call;
    make_pool(2, 1, 0);
    gate_shut(&gate, pool, 2);
    CHECK_EQ(WP_OK, wp_submit(pool, gate_task, &gate));
    wp_fault_hold(1);
    begin(&call, submit);
    AWAIT(check_stats(pool).waiting == 1);
    check_post(&gate.open);
    AWAIT(wp_fault_is_held() == 1); /* Both workers are inside tasks again, so nobody has to be woken. */
    check_post_times(&gate.open, 2);
    the_pool_waits_for(&call);
}

/* There is room: the call itself tells its waiter. */
static void behind_a_wait_for_room(void) {
    struct call call;
    make_pool(1, 1, 0);
    CHECK_EQ(WP_OK, wp_waiter_init(&waiter, sizeof waiter));
    waiter.notify = post_ended;
    wp_fault_hold(1);
    begin(&call, wait_for_room);
    AWAIT(wp_fault_is_held() == 1);
    the_pool_waits_for(&call);
}

int main(void) {
    check_begin("way_back");
    CHECK_EQ(0, sem_init(&ended, 0, 0));
    CASE(behind_a_submit_that_wakes);
    CASE(behind_a_batch_that_wakes);
    CASE(behind_a_submit_that_waited);
    CASE(behind_a_submit_with_a_deadline);
    CASE(behind_a_submit_to_a_serial_group);
    CASE(behind_a_wait_for_room);
    return check_end();
}
