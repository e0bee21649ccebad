/* SPDX-License-Identifier: MIT
 *
 * The promise: of a group with `max_running` at most so many tasks run at once, of one with 1 in the order of their submits; the
 * others hold places in the queue but no worker, nobody waits behind them, and each such group gets its turn.
 *
 * WP_ROUNDS: rounds of the races with a shutdown, 300 in the short form; thousands of tasks in the long queue, 100 in any case.
 */
#include "groups.h"

static uint64_t seed;

/* ---- turns, counted by hand ---- */

enum { GROUPS = 1000, EACH = 4 };

static unsigned done[GROUPS];

static void count_done(void *arg) {
    ++*(unsigned *)arg;
}

static int count_one(wp_context *context, void *arg) {
    (void)context;
    count_done(arg);
    return 0;
}

static void submit_counting(wp_pool *pool, wp_group *group, unsigned *count) {
    wp_task task = WP_TASK_INIT;
    task.run = count_one;
    task.arg = count;
    task.group = group;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
}

/* `order[i]` is the group of the i-th submit. */
static void nobody_is_more_than_one_task_ahead(const unsigned *order) {
    wp_pool *pool = manual_pool(GROUPS * EACH, 0);
    static wp_group *groups[GROUPS];
    static unsigned with[EACH + 1]; /* How many groups have so many tasks done. */
    memset(done, 0, sizeof done);
    memset(with, 0, sizeof with);
    with[0] = GROUPS;
    for (unsigned i = 0; i < GROUPS; i++) {
        groups[i] = group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 1);
    }
    for (unsigned i = 0; i < GROUPS * EACH; i++) {
        submit_counting(pool, groups[order[i]], &done[order[i]]);
    }
    CHECK_EQ(WP_EFULL, wp_try_submit(pool, must_not_run, NULL)); /* Those that wait hold places. */
    for (unsigned n = 0; n < GROUPS * EACH; n++) {
        CHECK_EQ(1, step(pool, 1));
        /* n / GROUPS rounds are complete, and of the next so many groups have had their turn. */
        unsigned round = (n + 1) / GROUPS, ahead = (n + 1) % GROUPS, least = GROUPS, most = 0;
        if (n % 97 == 0 || ahead <= 1) {
            memset(with, 0, sizeof with);
            for (unsigned i = 0; i < GROUPS; i++) {
                with[done[i]]++;
                least = done[i] < least ? done[i] : least;
                most = done[i] > most ? done[i] : most;
            }
            CHECK_AT_MOST(1, most - least);
            CHECK_EQ(round, least);
            CHECK_EQ(ahead, most == round ? 0 : with[round + 1]);
        }
    }
    CHECK_EQ(0, step(pool, 1));
    for (unsigned i = 0; i < GROUPS; i++) {
        CHECK_EQ(EACH, done[i]);
        release(groups[i]);
    }
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void serial_groups_advance_together_whatever_the_order(void) {
    static unsigned order[GROUPS * EACH];
    for (unsigned i = 0; i < GROUPS * EACH; i++) {
        order[i] = i % GROUPS;
    }
    nobody_is_more_than_one_task_ahead(order);
    for (unsigned i = 0; i < GROUPS * EACH; i++) {
        order[i] = i / EACH;
    }
    nobody_is_more_than_one_task_ahead(order);
    for (unsigned i = GROUPS * EACH - 1; i > 0; i--) {
        unsigned other = (unsigned)(check_random(&seed) % (i + 1)), swapped = order[i];
        order[i] = order[other];
        order[other] = swapped;
    }
    nobody_is_more_than_one_task_ahead(order);
}

static void limited_groups_and_the_rest_take_turns(void) {
    enum { PLAIN = 90 };
    wp_pool *pool = manual_pool(4 * PLAIN, 0);
    wp_group *serial = group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 1), *three = group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 3);
    wp_group *unlimited = group_in(pool, NULL);
    unsigned in_serial = 0, in_three = 0, plain = 0;
    for (unsigned i = 0; i < PLAIN; i++) {
        submit_counting(pool, serial, &in_serial);
        submit_counting(pool, three, &in_three);
    }
    for (unsigned i = 0; i < PLAIN; i++) { /* All behind the others. */
        if (i % 2) {
            submit_counting(pool, unlimited, &plain);
        } else {
            CHECK_EQ(WP_OK, wp_try_submit(pool, count_done, &plain));
        }
    }
    for (unsigned n = 1; n <= 3 * PLAIN; n++) {
        CHECK_EQ(1, step(pool, 1));
        if (plain < PLAIN) {
            CHECK_AT_MOST(1, n > 2 * plain ? n - 2 * plain : 2 * plain - n); /* Every other one is not of a limited group. */
        }
        CHECK_AT_MOST(1, in_serial > in_three ? in_serial - in_three : in_three - in_serial);
    }
    CHECK(plain == PLAIN && in_serial == PLAIN && in_three == PLAIN);
    release(serial);
    release(three);
    release(unlimited);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* Below a limit of one: the lane that has just had its turn stands behind those that wait for theirs, though it is of a group of its own. */
static void groups_in_a_limited_group_take_turns(void) {
    enum { LANES = 3, TURNS = 5 };
    for (uint32_t limit = 1; limit <= LANES; limit++) {
        wp_pool *pool = manual_pool(LANES * TURNS, 0);
        wp_group *above = group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, limit), *groups[LANES];
        memset(done, 0, sizeof done);
        for (unsigned i = 0; i < LANES; i++) { /* The last has no limit of its own: its lane is that of the one above. */
            groups[i] = group_with(pool, above, 0, WP_ON_ERROR_GO_ON, i + 1 < LANES);
        }
        for (unsigned i = 0; i < LANES * TURNS; i++) {
            submit_counting(pool, groups[i / TURNS], &done[i / TURNS]);
        }
        for (unsigned n = 1; n <= LANES * TURNS; n++) {
            CHECK_EQ(1, step(pool, 1));
            for (unsigned i = 0; i < LANES; i++) {
                ROW(true, done[i] == n / LANES || done[i] == n / LANES + 1);
            }
        }
        for (unsigned i = 0; i < LANES; i++) {
            release(groups[i]);
        }
        release(above);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

static void waiting_tasks_hold_places_and_a_cancel_frees_them_at_once(void) {
    wp_pool *pool = manual_pool(6, 0);
    wp_group *serial = group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 1), *below = group_in(pool, serial);
    struct mark marks[9];
    memset(marks, 0, sizeof marks);
    for (int i = 0; i < 4; i++) {
        submit_marked(pool, i % 2 ? below : serial, &marks[i]);
    }
    submit_marked(pool, NULL, &marks[4]);
    submit_marked(pool, NULL, &marks[5]);
    wp_stats stats = check_sum(pool);
    CHECK(stats.queued == 6 && stats.passed_over == 0 && stats.exact);
    CHECK_EQ(WP_EFULL, wp_try_submit(pool, must_not_run, NULL));
    CHECK_EQ(WP_EFULL, submit_refused_to(pool, serial, 0));
    CHECK_EQ(WP_OK, wp_group_cancel(below));
    check_mark(&marks[1], WP_FATE_CANCELLED);
    check_mark(&marks[3], WP_FATE_CANCELLED);
    stats = check_sum(pool);
    CHECK(stats.queued == 4 && stats.passed_over == 0 && stats.exact);
    submit_marked(pool, NULL, &marks[6]);
    submit_marked(pool, serial, &marks[7]);
    CHECK_EQ(WP_EFULL, wp_try_submit(pool, must_not_run, NULL));
    CHECK_EQ(WP_OK, wp_group_cancel(serial));
    CHECK_EQ(3, check_sum(pool).queued);
    CHECK_EQ(3, step(pool, UINT64_MAX));
    for (int i = 0; i < 8; i++) {
        check_mark(&marks[i], i < 4 || i == 7 ? WP_FATE_CANCELLED : WP_FATE_RAN);
    }
    release(below);
    release(serial);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- on threads ---- */

struct ordered {
    unsigned long next;
    atomic_uint at_once;
};

static struct ordered ordered;

static int in_order(wp_context *context, void *arg) {
    (void)context;
    CHECK_EQ(0, atomic_fetch_add(&ordered.at_once, 1));
    CHECK_EQ(ordered.next, (unsigned long)(uintptr_t)arg); /* No lock: they run one after the other. */
    ordered.next++;
    atomic_fetch_sub(&ordered.at_once, 1);
    return 0;
}

static void a_serial_group_keeps_the_order_of_its_submits(void) {
    unsigned long rounds = check_rounds(100), count = (check_on_valgrind() ? 5 : rounds < 100 ? 100 : rounds) * 1000;
    wp_pool *pool = check_pool(4, 64);
    wp_group *group = group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 1);
    wp_task task = WP_TASK_INIT;
    atomic_uint others = 0;
    memset(&ordered, 0, sizeof ordered);
    task.run = in_order;
    task.group = group;
    for (unsigned long i = 0; i < count; i++) {
        task.arg = (void *)(uintptr_t)i;
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, WP_FOREVER));
        if (i % 8 == 0) {
            CHECK_EQ(WP_OK, wp_submit(pool, check_count, &others));
        }
    }
    CHECK_EQ(WP_OK, wp_group_wait(group, WP_FOREVER));
    CHECK_EQ(count, ordered.next);
    CHECK_EQ(count, status_of(group).ran);
    release(group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ((count + 7) / 8, atomic_load(&others));
}

/* How many run at once, and the most that ever did. */
struct height {
    atomic_uint now, most;
};

static void height_up(struct height *height) {
    unsigned now = atomic_fetch_add(&height->now, 1) + 1, most = atomic_load(&height->most);
    while (now > most && !atomic_compare_exchange_weak(&height->most, &most, now)) {
    }
}

struct climber {
    struct height *own, *above;
    pthread_barrier_t *meets;
};

static int climb(wp_context *context, void *arg) {
    struct climber *climber = arg;
    (void)context;
    height_up(climber->own);
    if (climber->above != NULL) {
        height_up(climber->above);
    }
    if (climber->meets != NULL) {
        pthread_barrier_wait(climber->meets); /* So many surely run at once, or this hangs. */
    }
    sched_yield();
    if (climber->above != NULL) {
        atomic_fetch_sub(&climber->above->now, 1);
    }
    atomic_fetch_sub(&climber->own->now, 1);
    return 0;
}

static void submit_climber(wp_pool *pool, wp_group *group, struct climber *climber) {
    wp_task task = WP_TASK_INIT;
    task.run = climb;
    task.arg = climber;
    task.group = group;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, WP_FOREVER));
}

static void a_limit_is_reached_and_never_passed(void) {
    unsigned count = check_on_valgrind() ? 201 : 3000; /* They meet by threes. */
    wp_pool *pool = check_pool(6, 32);
    pthread_barrier_t meets;
    struct height height;
    struct climber meeting = {&height, NULL, &meets}, passing = {&height, NULL, NULL};
    memset(&height, 0, sizeof height);
    CHECK_EQ(0, pthread_barrier_init(&meets, NULL, 3));
    wp_group *group = group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 3);
    for (unsigned i = 0; i < count; i++) {
        submit_climber(pool, group, &meeting);
    }
    for (unsigned i = 0; i < count; i++) {
        submit_climber(pool, group, &passing);
    }
    CHECK_EQ(WP_OK, wp_group_wait(group, WP_FOREVER));
    CHECK_EQ(3, atomic_load(&height.most));
    CHECK_EQ(0, atomic_load(&height.now));
    release(group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(0, pthread_barrier_destroy(&meets));
}

static void limits_hold_on_each_level(void) {
    unsigned count = check_on_valgrind() ? 100 : 2000;
    wp_pool *pool = check_pool(6, 32);
    struct height above, serial[2], open;
    pthread_barrier_t meets;
    memset(&above, 0, sizeof above);
    memset(serial, 0, sizeof serial);
    memset(&open, 0, sizeof open);
    CHECK_EQ(0, pthread_barrier_init(&meets, NULL, 2));
    wp_group *two = group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 2), *children[3];
    children[0] = group_with(pool, two, 0, WP_ON_ERROR_GO_ON, 1);
    children[1] = group_with(pool, two, 0, WP_ON_ERROR_GO_ON, 1);
    children[2] = group_in(pool, two);
    struct climber climbers[3] = {{&serial[0], &above, NULL}, {&serial[1], &above, NULL}, {&open, &above, NULL}};
    struct climber meeting = {&open, &above, &meets};
    for (unsigned i = 0; i < count; i++) {
        submit_climber(pool, children[i % 3], &climbers[i % 3]);
    }
    CHECK_EQ(WP_OK, wp_group_wait(two, WP_FOREVER));
    for (unsigned i = 0; i < 2 * count / 2; i++) { /* An even number: they meet in pairs. */
        submit_climber(pool, children[2], &meeting);
    }
    CHECK_EQ(WP_OK, wp_group_wait(two, WP_FOREVER));
    CHECK_EQ(2, atomic_load(&above.most));
    CHECK_EQ(2, atomic_load(&open.most));
    CHECK_AT_MOST(1, atomic_load(&serial[0].most));
    CHECK_AT_MOST(1, atomic_load(&serial[1].most));
    for (unsigned i = 0; i < 3; i++) {
        release(children[i]);
    }
    release(two);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(0, pthread_barrier_destroy(&meets));
}

/* One task at a time, of a lane and of the queue in turn, each submitted when the worker is about to find nothing more. */
static void nothing_is_left_behind_a_task_of_a_lane(void) {
    unsigned long rounds = check_rounds(300) * (check_slowness > 1 ? 10 : 200);
    wp_pool *pool = check_pool(1, 2);
    wp_group *group = group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 1);
    wp_task task = WP_TASK_INIT;
    atomic_uint runs = 0;
    unsigned expected = 0;
    task.run = ok_task;
    task.arg = &runs;
    task.group = group;
    for (unsigned long round = 0; round < rounds; round++) {
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, WP_FOREVER));
        expected++;
        AWAIT(atomic_load(&runs) == expected);
        if (round % 3 == 0) {
            CHECK_EQ(WP_OK, wp_group_wait(group, WP_FOREVER));
        }
        CHECK_EQ(WP_OK, wp_submit(pool, check_count, &runs));
        expected++;
        AWAIT(atomic_load(&runs) == expected);
    }
    release(group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- the end ---- */

static void a_drain_runs_what_waits_in_many_lanes(void) {
    enum { LANES = 50, TASKS = 20 };
    struct gate gate;
    gate_init(&gate);
    wp_pool *pool = check_pool(3, LANES * TASKS);
    static struct mark marks[LANES][TASKS];
    wp_group *top = group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 2);
    memset(marks, 0, sizeof marks);
    gate_shut(&gate, pool, 3);
    for (unsigned lane = 0; lane < LANES; lane++) {
        wp_group *group = group_with(pool, lane % 2 ? top : NULL, 0, WP_ON_ERROR_GO_ON, 1 + lane % 3);
        for (unsigned i = 0; i < TASKS; i++) {
            submit_marked(pool, group, &marks[lane][i]);
        }
        release(group);
    }
    release(top);
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, NULL));
    check_post_times(&gate.open, 3);
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    for (unsigned lane = 0; lane < LANES; lane++) {
        for (unsigned i = 0; i < TASKS; i++) {
            check_mark(&marks[lane][i], WP_FATE_RAN);
        }
    }
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* A submit to a limited group, at the very moment at which the pool is closed: it is refused, or its task meets a fate. */
struct racer {
    wp_pool *pool;
    wp_group *group;
    pthread_barrier_t *line;
    struct mark *marks;
    unsigned accepted;
};

enum { RACES = 64 };

static void *submit_until_closed(void *arg) {
    struct racer *me = arg;
    pthread_barrier_wait(me->line);
    while (me->accepted < RACES) {
        wp_task task = marked(me->group, &me->marks[me->accepted]);
        int code = wp_submit_task(me->pool, &task, 0);
        if (code == WP_ECLOSED) {
            break;
        }
        CHECK(code == WP_OK || code == WP_EFULL);
        me->accepted += code == WP_OK;
    }
    return NULL;
}

static void a_lane_is_closed_like_the_rest_of_the_queue(void) {
    unsigned long rounds = check_rounds(300) * (check_on_valgrind() ? 1 : 5);
    pthread_barrier_t line;
    static struct mark marks[RACES];
    CHECK_EQ(0, pthread_barrier_init(&line, NULL, 2));
    for (unsigned long round = 0; round < rounds; round++) {
        wp_pool *pool = check_pool(1, RACES);
        struct racer racer = {pool, group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 1 + (uint32_t)(round % 2)), &line, marks, 0};
        memset(marks, 0, sizeof marks);
        pthread_t thread = check_thread(submit_until_closed, &racer);
        pthread_barrier_wait(&line);
        for (unsigned spins = (unsigned)(check_random(&seed) % 200); spins > 0; spins--) {
            (void)wp_version_number();
        }
        CHECK_EQ(WP_OK, wp_shutdown_for(pool, (uint32_t)(round / 2 % 2), WP_FOREVER, NULL));
        check_join(thread);
        wp_stats stats = check_sum(pool);
        CHECK(stats.queued == 0 && stats.running == 0 && stats.accepted == racer.accepted);
        for (unsigned i = 0; i < RACES; i++) {
            CHECK_EQ(i < racer.accepted, atomic_load(&marks[i].ends));
        }
        CHECK_EQ(WP_OK, wp_group_wait(racer.group, 0));
        release(racer.group);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
    CHECK_EQ(0, pthread_barrier_destroy(&line));
}

int main(void) {
    check_begin("max_running");
    seed = check_seed();
    CASE(serial_groups_advance_together_whatever_the_order);
    CASE(limited_groups_and_the_rest_take_turns);
    CASE(groups_in_a_limited_group_take_turns);
    CASE(waiting_tasks_hold_places_and_a_cancel_frees_them_at_once);
    CASE(a_serial_group_keeps_the_order_of_its_submits);
    CASE(a_limit_is_reached_and_never_passed);
    CASE(limits_hold_on_each_level);
    CASE(nothing_is_left_behind_a_task_of_a_lane);
    CASE(a_drain_runs_what_waits_in_many_lanes);
    CASE(a_lane_is_closed_like_the_rest_of_the_queue);
    return check_end();
}
