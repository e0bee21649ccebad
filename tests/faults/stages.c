/* SPDX-License-Identifier: MIT
 *
 * The promise (law L7): a fault of the library's own is told by WP_EPANIC and nothing else. Not a byte is printed; that pool answers
 * WP_EPANIC from then on, whatever it is asked; everybody who waits is woken; tasks that run are left in peace, and nothing under them
 * is freed; whoever waits for a task's record gets one; and other pools notice nothing.
 *
 * Linked with a library that has planted faults, one at each stage of a task's and a pool's life. Each runs in a process of its own.
 */
#include "../c/check.h"

#include "faults.h"

#include <dlfcn.h>
#include <sys/wait.h>

/* ---- a pool with everything going on ---- */

enum { WORKERS = 2, CAPACITY = 4 };

struct scene {
    wp_pool *pool, *other;
    wp_results *results;
    struct gate gate;
    atomic_uint held_ended, ends, runs;
    bool has_plan;
    enum stage plan;
};
static struct scene scene;

/* Runs throughout the fault, on memory that must stay. */
static void held_task(void *arg) {
    struct scene *me = arg;
    gate_task(&me->gate);
    atomic_fetch_add(&me->held_ended, 1);
}

static void plant(enum stage stage, int64_t after) {
    CHECK_EQ(1, wp_fault_plant((uint32_t)stage, after));
}

static int run_task(wp_context *context, void *arg) {
    struct scene *me = arg;
    (void)context;
    if (me->has_plan) { /* What comes next on this worker is the fault. */
        me->has_plan = false;
        plant(me->plan, 0);
    }
    atomic_fetch_add(&me->runs, 1);
    return 0;
}

static void count_end(const wp_outcome *outcome, void *arg) {
    (void)outcome;
    atomic_fetch_add(&((struct scene *)arg)->ends, 1);
}

static wp_task recorded(uint64_t user_data) {
    wp_task task = WP_TASK_INIT;
    task.run = run_task;
    task.arg = &scene;
    task.end = count_end;
    task.results = scene.results;
    task.user_data = user_data;
    return task;
}

static void submit_recorded(uint64_t user_data) {
    wp_task task = recorded(user_data);
    CHECK_EQ(WP_OK, wp_submit_task(scene.pool, &task, 0));
}

/* So many workers are inside a task that ends when the gate is opened. */
static void set_scene(unsigned held) {
    wp_results_options options = WP_RESULTS_OPTIONS_INIT;
    memset(&scene, 0, sizeof scene);
    gate_init(&scene.gate);
    scene.other = check_pool(WORKERS, CAPACITY);
    scene.pool = check_pool(WORKERS, CAPACITY);
    options.capacity = 8;
    options.flags = WP_RESULTS_WAIT;
    CHECK_EQ(WP_OK, wp_results_create(&options, &scene.results));
    for (unsigned i = 0; i < held; i++) {
        CHECK_EQ(WP_OK, wp_submit(scene.pool, held_task, &scene));
        check_wait(&scene.gate.begun);
    }
}

/* ---- those who wait ---- */

struct waiter {
    pthread_t thread;
    int (*wait)(void);
    int code;
};

static void *waiting(void *arg) {
    struct waiter *me = arg;
    me->code = me->wait();
    return NULL;
}

static void begin(struct waiter *waiter, int (*wait)(void)) {
    waiter->wait = wait;
    waiter->code = 12345;
    waiter->thread = check_thread(waiting, waiter);
}

static void ends_with(int code, struct waiter *waiter) {
    check_join(waiter->thread);
    CHECK_EQ(code, waiter->code);
}

static int wait_for_idle(void) {
    return wp_wait_idle(scene.pool, WP_FOREVER);
}

static int wait_for_room(void) {
    return wp_submit(scene.pool, must_not_run, NULL);
}

static int wait_for_the_end(void) {
    return wp_shutdown(scene.pool);
}

static int wait_for_a_record(void) {
    wp_record record = WP_RECORD_INIT;
    return wp_results_next(scene.results, &record, WP_FOREVER);
}

static wp_record next_record(void) {
    wp_record record = WP_RECORD_INIT;
    CHECK_EQ(WP_OK, wp_results_next(scene.results, &record, WP_FOREVER));
    CHECK(record.arg == &scene);
    return record;
}

/* ---- afterwards ---- */

static void every_call_says_so(wp_pool *pool) {
    wp_task task = WP_TASK_INIT;
    wp_stats stats = WP_STATS_INIT;
    wp_executor executor = WP_EXECUTOR_INIT;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    size_t accepted = 12345;
    uint64_t ran = 12345;
    task.run = must_not_run_task;
    CHECK_EQ(WP_EPANIC, wp_submit(pool, must_not_run, NULL));
    CHECK_EQ(WP_EPANIC, wp_try_submit(pool, must_not_run, NULL));
    CHECK_EQ(WP_EPANIC, wp_submit_for(pool, must_not_run, NULL, 0));
    CHECK_EQ(WP_EPANIC, wp_submit_task(pool, &task, WP_FOREVER));
    task.results = scene.results;
    CHECK_EQ(WP_EPANIC, wp_submit_task(pool, &task, WP_FOREVER));
    CHECK_EQ(WP_EPANIC, wp_submit_batch(pool, &task, 1, sizeof task, WP_FOREVER, &accepted));
    CHECK_EQ(0, accepted);
    CHECK_EQ(WP_EPANIC, wp_wait_idle(pool, 0));
    CHECK_EQ(WP_EPANIC, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(WP_EPANIC, wp_shutdown(pool));
    CHECK_EQ(WP_EPANIC, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    CHECK_EQ(WP_EPANIC, wp_stats_get(pool, &stats));
    CHECK_EQ(WP_EPANIC, wp_pool_executor(pool, &executor));
    CHECK_EQ(WP_EPANIC, wp_run(pool, 1, &ran));
    CHECK_EQ(0, ran);
    CHECK_EQ(WP_EPANIC, wp_clock_advance(pool, 1));
    CHECK(wp_now(pool) > 0);
}

static void the_other_pool_works(void) {
    atomic_uint runs = 0;
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(WP_OK, wp_submit(scene.other, check_count, &runs));
    }
    CHECK_EQ(WP_OK, wp_wait_idle(scene.other, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_destroy(scene.other));
    CHECK_EQ(100, atomic_load(&runs));
}

/* The pool is lost; the tasks that ran meanwhile still run, on memory that is still there. */
static void the_pool_is_lost(unsigned held) {
    every_call_says_so(scene.pool);
    CHECK_EQ(0, atomic_load(&scene.held_ended));
    CHECK_EQ(WP_EPANIC, wp_destroy(scene.pool));
    every_call_says_so(scene.pool); /* It was not freed. */
    check_post_times(&scene.gate.open, held);
    AWAIT(atomic_load(&scene.held_ended) == held);
    every_call_says_so(scene.pool);
    the_other_pool_works();
    wp_pool *next = check_pool(WORKERS, CAPACITY);
    CHECK_EQ(WP_OK, wp_submit(next, check_nothing, NULL));
    CHECK_EQ(WP_OK, wp_destroy(next));
}

/* ---- the stages ---- */

static void start_held(uint32_t worker, void *arg) {
    struct scene *me = arg;
    (void)worker;
    gate_task(&me->gate);
    atomic_fetch_add(&me->runs, 1);
}

/* The workers that were started find their pool still there. */
static void in_a_create(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    set_scene(0);
    options.workers = 3;
    options.on_thread_start = start_held;
    options.thread_arg = &scene;
    for (int64_t after = 0; after < 3; after++) {
        plant(START, after);
        CHECK_EQ(WP_EPANIC, wp_create(&options, &pool));
        CHECK(pool == NULL);
        check_wait_times(&scene.gate.begun, (unsigned)after + 1);
    }
    check_post_times(&scene.gate.open, 1 + 2 + 3);
    AWAIT(atomic_load(&scene.runs) == 1 + 2 + 3);
    the_other_pool_works();
    CHECK_EQ(WP_OK, wp_destroy(scene.pool));
}

/* ---- a create that lacks a thread, too ---- */

typedef int create_thread(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static atomic_int threads_until_failure = -1;
static sem_t has_left;
static pthread_key_t leaving;

/* The one that fails does so when the one before has ended. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *arg) {
    create_thread *real;
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    if (atomic_load(&threads_until_failure) >= 0 && atomic_fetch_sub(&threads_until_failure, 1) == 0) {
        check_wait(&has_left);
        return EAGAIN;
    }
    return real(thread, attributes, body, arg);
}

static void note_leaving(void *arg) {
    (void)arg;
    check_post(&has_left);
}

static void leave_noted(uint32_t worker, void *arg) {
    (void)worker;
    CHECK_EQ(0, pthread_setspecific(leaving, arg));
}

/* What was begun can't be undone: who meets a fault may be anywhere. */
static void in_a_create_that_lacks_a_thread(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    CHECK_EQ(0, sem_init(&has_left, 0, 0));
    CHECK_EQ(0, pthread_key_create(&leaving, note_leaving));
    options.workers = 2;
    options.on_thread_start = leave_noted;
    options.thread_arg = &scene;
    plant(SLEEP, 0);
    atomic_store(&threads_until_failure, 1);
    CHECK_EQ(WP_EPANIC, wp_create(&options, &pool));
    CHECK(pool == NULL);
    scene.other = check_pool(WORKERS, CAPACITY);
    the_other_pool_works();
}

/* Both workers held, the queue full, one waits for room, one for idle, one for the record of a queued task. */
static void with_a_full_queue(enum stage stage, int (*fall)(void)) {
    struct waiter room, idle, reader, victim;
    set_scene(WORKERS);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        submit_recorded(i);
    }
    begin(&room, wait_for_room);
    begin(&idle, wait_for_idle);
    begin(&reader, wait_for_a_record);
    AWAIT(check_stats(scene.pool).waiting == 1);
    plant(stage, 0);
    begin(&victim, fall);
    ends_with(WP_EPANIC, &victim);
    check_join(room.thread); /* A close is part of every fault, and may be seen before it. */
    CHECK(room.code == WP_EPANIC || room.code == WP_ECLOSED);
    ends_with(WP_EPANIC, &idle);
    the_pool_is_lost(WORKERS);
    ends_with(WP_OK, &reader);
    for (int i = 1; i < CAPACITY; i++) { /* What was accepted is still run by the workers that are left. */
        CHECK_EQ(WP_FATE_RAN, next_record().fate);
    }
    CHECK_EQ(CAPACITY, atomic_load(&scene.ends));
}

static int try_to_submit(void) {
    return wp_try_submit(scene.pool, must_not_run, NULL);
}

static int submit_a_batch(void) {
    wp_task task = recorded(99), batch[] = {task, task, task};
    size_t accepted = 12345;
    int code = wp_submit_batch(scene.pool, batch, 3, sizeof task, WP_FOREVER, &accepted);
    CHECK_EQ(0, accepted);
    return code;
}

static int submit_with_a_record(void) {
    wp_task task = recorded(99);
    return wp_submit_task(scene.pool, &task, WP_FOREVER);
}

static void in_a_submit(void) {
    with_a_full_queue(SUBMIT, try_to_submit);
}

/* The places that were reserved are given back, or the last reader would never be told that nothing more will come. */
static void nothing_is_owed(void) {
    wp_record record = WP_RECORD_INIT;
    CHECK_EQ(WP_OK, wp_results_close(scene.results));
    CHECK_EQ(WP_ECLOSED, wp_results_next(scene.results, &record, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_results_release(scene.results));
}

static void in_a_submit_with_a_record(void) {
    with_a_full_queue(SUBMIT, submit_with_a_record);
    nothing_is_owed();
}

static void in_a_batch(void) {
    with_a_full_queue(SUBMIT, submit_a_batch);
    nothing_is_owed();
}

static void in_line(void) {
    with_a_full_queue(IN_LINE, wait_for_room);
}

static void where_a_place_is_reserved(void) {
    with_a_full_queue(RESERVE, submit_with_a_record);
    nothing_is_owed();
}

static void where_one_waits_for_idle(void) {
    with_a_full_queue(WAIT_IDLE, wait_for_idle);
}

static void in_a_close(void) {
    with_a_full_queue(CLOSE, wait_for_the_end);
}

/* One worker is held, the other meets the fault with a task that has a record. */
static void on_a_worker(enum stage stage, uint32_t fate, unsigned runs, unsigned ends) {
    struct waiter idle;
    set_scene(1);
    begin(&idle, wait_for_idle);
    if (stage == TAKE) {
        plant(stage, 0);
    } else {
        scene.has_plan = true;
        scene.plan = stage;
    }
    submit_recorded(7);
    wp_record record = next_record();
    CHECK_EQ(7, record.user_data);
    CHECK_EQ(fate, record.fate);
    CHECK_EQ(runs, atomic_load(&scene.runs));
    CHECK_EQ(ends, atomic_load(&scene.ends));
    ends_with(WP_EPANIC, &idle);
    the_pool_is_lost(1);
    nothing_is_owed();
}

static void after_a_take(void) {
    on_a_worker(TAKE, WP_FATE_LOST, 0, 0);
}

static void before_an_end(void) {
    on_a_worker(RAN, WP_FATE_LOST, 1, 0);
}

static void where_a_record_is_put(void) {
    on_a_worker(PUT, WP_FATE_LOST, 1, 1);
}

static void where_it_is_counted(void) {
    on_a_worker(COUNT, WP_FATE_RAN, 1, 1);
}

static void where_a_worker_falls_asleep(void) {
    on_a_worker(SLEEP, WP_FATE_RAN, 1, 1);
}

static int held_recorded(wp_context *context, void *arg) {
    (void)context, (void)arg;
    gate_task(&scene.gate);
    return 0;
}

/* A lost task's record waits for its turn like others, and comes. */
static void in_the_midst_of_ordered_records(void) {
    wp_results_options options = WP_RESULTS_OPTIONS_INIT;
    wp_record record = WP_RECORD_INIT;
    struct waiter idle;
    set_scene(0);
    CHECK_EQ(WP_OK, wp_results_release(scene.results));
    options.capacity = 2;
    options.flags = WP_RESULTS_ORDERED;
    CHECK_EQ(WP_OK, wp_results_create(&options, &scene.results));
    wp_task held = recorded(1);
    held.run = held_recorded;
    CHECK_EQ(WP_OK, wp_submit_task(scene.pool, &held, 0));
    check_wait(&scene.gate.begun);
    begin(&idle, wait_for_idle);
    plant(TAKE, 0);
    submit_recorded(2);
    ends_with(WP_EPANIC, &idle);
    CHECK_EQ(WP_ETIMEDOUT, wp_results_next(scene.results, &record, 0));
    check_post(&scene.gate.open);
    CHECK_EQ(1, next_record().user_data);
    record = next_record();
    CHECK_EQ(2, record.user_data);
    CHECK_EQ(WP_FATE_LOST, record.fate);
    the_pool_is_lost(0);
    nothing_is_owed();
}

/* The only worker is gone: nobody will run what is queued, and whoever waits for that is told too. */
static void on_the_last_worker(void) {
    struct waiter idle;
    set_scene(0);
    CHECK_EQ(WP_OK, wp_destroy(scene.pool));
    scene.pool = check_pool(1, CAPACITY);
    gate_shut(&scene.gate, scene.pool, 1);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        submit_recorded(i);
    }
    begin(&idle, wait_for_idle);
    plant(COUNT, 0);
    check_post(&scene.gate.open);
    ends_with(WP_EPANIC, &idle);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        wp_record record = next_record();
        CHECK_EQ(i, record.user_data);
        CHECK_EQ(WP_FATE_LOST, record.fate);
    }
    CHECK_EQ(0, atomic_load(&scene.runs) + atomic_load(&scene.ends));
    the_pool_is_lost(0);
    nothing_is_owed();
}

/* A full queue of recorded tasks, of which only one may run at once. */
static wp_group *fill_a_serial_group(void) {
    wp_group_options options = WP_GROUP_OPTIONS_INIT;
    wp_group *group = NULL;
    options.max_running = 1;
    CHECK_EQ(WP_OK, wp_group_create(scene.pool, &options, &group));
    for (uint64_t i = 0; i < CAPACITY; i++) {
        wp_task task = recorded(i);
        task.group = group;
        CHECK_EQ(WP_OK, wp_submit_task(scene.pool, &task, 0));
    }
    return group;
}

/* The same, with tasks that wait for their turn in a limited group. */
static void on_the_last_worker_of_a_limited_group(void) {
    struct waiter idle;
    set_scene(0);
    CHECK_EQ(WP_OK, wp_destroy(scene.pool));
    scene.pool = check_pool(1, CAPACITY);
    gate_shut(&scene.gate, scene.pool, 1);
    wp_group *group = fill_a_serial_group();
    begin(&idle, wait_for_idle);
    plant(COUNT, 0);
    check_post(&scene.gate.open);
    ends_with(WP_EPANIC, &idle);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        CHECK_EQ(WP_FATE_LOST, next_record().fate);
    }
    CHECK_EQ(WP_EPANIC, wp_group_wait(group, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_group_release(group));
    CHECK_EQ(0, atomic_load(&scene.runs) + atomic_load(&scene.ends));
    the_pool_is_lost(0);
    nothing_is_owed();
}

/* The same on one of two workers: the other leaves in good order, with nothing that it may run. */
static void beside_a_worker_that_leaves(void) {
    struct waiter idle;
    set_scene(0);
    gate_shut(&scene.gate, scene.pool, WORKERS);
    wp_group *group = fill_a_serial_group();
    begin(&idle, wait_for_idle);
    scene.has_plan = true;
    scene.plan = RAN;
    check_post(&scene.gate.open);
    ends_with(WP_EPANIC, &idle);
    AWAIT(check_threads() == 1 + WORKERS + WORKERS - 1);
    check_post(&scene.gate.open);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        CHECK_EQ(WP_FATE_LOST, next_record().fate);
    }
    CHECK_EQ(WP_OK, wp_group_release(group));
    CHECK_EQ(1, atomic_load(&scene.runs));
    CHECK_EQ(0, atomic_load(&scene.ends));
    the_pool_is_lost(0);
    nothing_is_owed();
}

static int wait_inside(wp_context *context, void *arg) {
    wp_group *group = arg;
    (void)context;
    plant(RAN, 0);
    CHECK_EQ(WP_EPANIC, wp_group_wait(group, WP_FOREVER));
    return 0;
}

/* A task waits for a group, and so runs that group's task itself, which is lost; the waiting one goes on. */
static void in_a_wait_that_runs_tasks(void) {
    wp_group *group = NULL;
    set_scene(0);
    CHECK_EQ(WP_OK, wp_destroy(scene.pool));
    scene.pool = check_pool(1, CAPACITY);
    gate_shut(&scene.gate, scene.pool, 1);
    CHECK_EQ(WP_OK, wp_group_create(scene.pool, NULL, &group));
    wp_task inner = recorded(1), outer = recorded(2);
    outer.run = wait_inside;
    outer.arg = group;
    outer.end = NULL;
    CHECK_EQ(WP_OK, wp_submit_task(scene.pool, &outer, 0));
    inner.group = group;
    CHECK_EQ(WP_OK, wp_submit_task(scene.pool, &inner, 0));
    check_post(&scene.gate.open);
    wp_record record = next_record();
    CHECK_EQ(1, record.user_data);
    CHECK_EQ(WP_FATE_LOST, record.fate);
    record = (wp_record)WP_RECORD_INIT;
    CHECK_EQ(WP_OK, wp_results_next(scene.results, &record, WP_FOREVER));
    CHECK_EQ(2, record.user_data);
    CHECK_EQ(WP_FATE_RAN, record.fate);
    CHECK_EQ(1, atomic_load(&scene.runs));
    CHECK_EQ(0, atomic_load(&scene.ends));
    CHECK_EQ(WP_OK, wp_group_release(group));
    the_pool_is_lost(0);
    nothing_is_owed();
}

static void where_tasks_are_discarded(void) {
    struct waiter idle;
    set_scene(WORKERS);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        submit_recorded(i);
    }
    begin(&idle, wait_for_idle);
    plant(DISCARD, 1);
    CHECK_EQ(WP_EPANIC, wp_shutdown_for(scene.pool, WP_SHUTDOWN_CANCEL, 0, NULL));
    ends_with(WP_EPANIC, &idle);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        wp_record record = next_record();
        CHECK_EQ(i, record.user_data);
        CHECK_EQ(i == 0 ? WP_FATE_DISCARDED : WP_FATE_LOST, record.fate);
    }
    CHECK_EQ(1, atomic_load(&scene.ends));
    the_pool_is_lost(WORKERS);
    nothing_is_owed();
}

static void in_a_join(void) {
    set_scene(0);
    submit_recorded(1);
    plant(JOIN, 0);
    CHECK_EQ(WP_EPANIC, wp_shutdown(scene.pool));
    CHECK_EQ(WP_FATE_RAN, next_record().fate);
    the_pool_is_lost(0);
    nothing_is_owed();
}

static void in_a_destroy(void) {
    set_scene(0);
    plant(JOIN, 0);
    CHECK_EQ(WP_EPANIC, wp_destroy(scene.pool));
    the_pool_is_lost(0);
}

/* Results are lost as a pool is, and the pools whose tasks name them are not. */
static void where_a_record_is_read(void) {
    struct waiter reader;
    wp_record record = WP_RECORD_INIT;
    size_t got = 12345;
    set_scene(1);
    begin(&reader, wait_for_a_record);
    submit_recorded(1);
    ends_with(WP_OK, &reader);
    wp_task held = recorded(3);
    held.run = held_recorded;
    CHECK_EQ(WP_OK, wp_submit_task(scene.pool, &held, WP_FOREVER));
    check_wait(&scene.gate.begun);
    plant(READ, 1);
    begin(&reader, wait_for_a_record); /* It looks, and sleeps. */
    CHECK(wp_results_fd(scene.results) >= 0);
    int code = wp_results_next(scene.results, &record, 0);
    CHECK(code == WP_EPANIC || code == WP_ETIMEDOUT); /* The second of the two to look. */
    ends_with(WP_EPANIC, &reader);
    CHECK_EQ(WP_EPANIC, wp_results_next(scene.results, &record, WP_FOREVER));
    CHECK_EQ(WP_EPANIC, wp_results_drain(scene.results, &record, 1, sizeof record, WP_FOREVER, &got));
    CHECK_EQ(WP_EPANIC, wp_results_fd(scene.results));
    CHECK_EQ(WP_EPANIC, wp_results_close(scene.results));
    wp_task task = recorded(2);
    CHECK_EQ(WP_EPANIC, wp_submit_task(scene.pool, &task, WP_FOREVER));
    check_post(&scene.gate.open);
    check_post(&scene.gate.open);
    CHECK_EQ(WP_OK, wp_submit(scene.pool, check_nothing, NULL));
    CHECK_EQ(WP_OK, wp_destroy(scene.pool));
    CHECK_EQ(2, atomic_load(&scene.ends)); /* Also of the task whose record nobody can read any more. */
    CHECK_EQ(WP_OK, wp_results_release(scene.results));
    the_other_pool_works();
}

/* Who lacks its timer still has its workers. */
static void on_the_timer(void) {
    wp_executor executor = WP_EXECUTOR_INIT;
    wp_options options = WP_OPTIONS_INIT;
    set_scene(0);
    CHECK_EQ(WP_OK, wp_destroy(scene.pool));
    options.workers = 1;
    options.capacity = CAPACITY;
    options.timers = 1;
    CHECK_EQ(WP_OK, wp_create(&options, &scene.pool));
    CHECK_EQ(WP_OK, wp_submit(scene.pool, held_task, &scene));
    check_wait(&scene.gate.begun);
    submit_recorded(1);
    wp_task late = recorded(2);
    late.deadline = wp_deadline_after(scene.pool, 0);
    plant(PUT, 0);
    CHECK_EQ(WP_OK, wp_submit_task(scene.pool, &late, 0));
    wp_record record = next_record();
    CHECK_EQ(2, record.user_data);
    CHECK_EQ(WP_FATE_LOST, record.fate);
    AWAIT(wp_pool_executor(scene.pool, &executor) == WP_EPANIC);
    the_pool_is_lost(1);
    record = next_record();
    CHECK_EQ(1, record.user_data);
    CHECK_EQ(WP_FATE_RAN, record.fate);
}

static void notice_at_the_gate(void *arg) {
    gate_task(arg);
}

/* A waiter is not its owner's again before nobody can tell it any more. */
static void where_a_waiter_is_taken_back(void) {
    struct waiter victim;
    struct gate gate;
    wp_waiter told = WP_WAITER_INIT, idle = WP_WAITER_INIT;
    set_scene(WORKERS);
    gate_init(&gate);
    told.notify = idle.notify = notice_at_the_gate;
    told.arg = &gate;
    for (uint64_t i = 0; i < CAPACITY; i++) {
        submit_recorded(i);
    }
    CHECK_EQ(WP_OK, wp_when_room(scene.pool, &told));
    plant(SUBMIT, 0);
    begin(&victim, try_to_submit); /* It tells all who wait. */
    check_wait(&gate.begun);
    CHECK_EQ(WP_ETIMEDOUT, wp_forget_room(scene.pool, &told, 0));
    CHECK_EQ(WP_EPANIC, wp_forget_room(scene.pool, &idle, 0));
    CHECK_EQ(WP_EPANIC, wp_when_room(scene.pool, &idle));
    check_post(&gate.open);
    CHECK_EQ(WP_EPANIC, wp_forget_room(scene.pool, &told, WP_FOREVER));
    ends_with(WP_EPANIC, &victim);
    the_pool_is_lost(WORKERS);
}

static void in_a_manual_pool(void) {
    wp_options options = WP_OPTIONS_INIT;
    uint64_t ran = 0;
    set_scene(0);
    CHECK_EQ(WP_OK, wp_destroy(scene.pool));
    options.mode = WP_MODE_MANUAL;
    CHECK_EQ(WP_OK, wp_create(&options, &scene.pool));
    for (uint64_t i = 0; i < CAPACITY; i++) {
        submit_recorded(i);
    }
    plant(RAN, 1);
    CHECK_EQ(WP_EPANIC, wp_run(scene.pool, UINT64_MAX, &ran));
    CHECK_EQ(1, ran);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        CHECK_EQ(i == 0 ? WP_FATE_RAN : WP_FATE_LOST, next_record().fate);
    }
    the_pool_is_lost(0);
    nothing_is_owed();
}

/* ---- each in a process of its own, which prints nothing ---- */

static void no_stage_but_those(void) {
    for (uint32_t stage = 0; stage < STAGES; stage++) {
        ROW(1, wp_fault_plant(stage, -1));
    }
    ROW(0, wp_fault_plant(STAGES, -1));
}

static void quietly(const char *name, void (*body)(void)) {
    int errors[2], status = -1;
    char text[512];
    CHECK_EQ(0, pipe(errors));
    pid_t child = check_fork();
    if (child == 0) {
        check_case = name;
        CHECK(dup2(errors[1], STDERR_FILENO) >= 0);
        close(errors[0]);
        close(errors[1]);
        body();
        _Exit(0);
    }
    close(errors[1]);
    ssize_t length = read(errors[0], text, sizeof text - 1);
    close(errors[0]);
    CHECK_EQ(child, waitpid(child, &status, 0));
    if (length != 0 || status != 0) {
        printf("stages: %s wrote \"%.*s\", and its status is %d\n", name, length > 0 ? (int)length : 0, text, status);
    }
    check_case = name;
    ROW(true, length == 0 && status == 0);
}

int main(void) {
    check_begin("stages");
    CASE(no_stage_but_those);
#define QUIETLY(body) quietly(#body, body)
    QUIETLY(in_a_create);
    QUIETLY(in_a_create_that_lacks_a_thread);
    QUIETLY(in_a_submit);
    QUIETLY(in_a_submit_with_a_record);
    QUIETLY(in_a_batch);
    QUIETLY(in_line);
    QUIETLY(where_a_place_is_reserved);
    QUIETLY(where_one_waits_for_idle);
    QUIETLY(in_a_close);
    QUIETLY(after_a_take);
    QUIETLY(before_an_end);
    QUIETLY(where_a_record_is_put);
    QUIETLY(where_it_is_counted);
    QUIETLY(where_a_worker_falls_asleep);
    QUIETLY(in_the_midst_of_ordered_records);
    QUIETLY(on_the_last_worker);
    QUIETLY(on_the_last_worker_of_a_limited_group);
    QUIETLY(beside_a_worker_that_leaves);
    QUIETLY(in_a_wait_that_runs_tasks);
    QUIETLY(where_tasks_are_discarded);
    QUIETLY(in_a_join);
    QUIETLY(in_a_destroy);
    QUIETLY(where_a_record_is_read);
    QUIETLY(on_the_timer);
    QUIETLY(where_a_waiter_is_taken_back);
    QUIETLY(in_a_manual_pool);
    return check_end();
}
