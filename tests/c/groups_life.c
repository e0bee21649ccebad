/* SPDX-License-Identifier: MIT
 *
 * The promise: a group is there for as long as somebody holds it or a task of it is open, whatever becomes of its pool; a batch joins
 * groups as single tasks do; a shutdown covers what is queued in groups; and bad input is refused and changes nothing.
 */
#include "groups.h"
#include "results.h"

/* ---- references ---- */

static void a_group_lives_as_long_as_its_tasks(void) {
    wp_pool *pool = manual_pool(8, 0);
    struct mark marks[3];
    memset(marks, 0, sizeof marks);
    wp_group *top = group_in(pool, NULL), *group = group_with(pool, top, 0, WP_ON_ERROR_GO_ON, 1);
    submit_marked(pool, group, &marks[0]);
    submit_marked(pool, top, &marks[1]);
    submit_marked(pool, group, &marks[2]);
    release(top);
    CHECK_EQ(WP_OK, wp_group_retain(group));
    release(group);
    release(group);
    CHECK_EQ(3, step(pool, UINT64_MAX));
    for (int i = 0; i < 3; i++) {
        check_mark(&marks[i], WP_FATE_RAN);
    }
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void *release_it(void *group) {
    release(group);
    return NULL;
}

static void a_group_may_outlive_its_pool(void) {
    struct mark mark;
    wp_pool *pool = check_pool(2, 4);
    wp_group *top = group_in(pool, NULL), *group = group_in(pool, top);
    memset(&mark, 0, sizeof mark);
    submit_marked(pool, group, &mark);
    CHECK_EQ(WP_OK, wp_destroy(pool)); /* Drains. */
    check_mark(&mark, WP_FATE_RAN);
    CHECK_EQ(1, status_of(top).ran);
    CHECK_EQ(WP_OK, wp_group_wait(group, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_group_cancel(top));
    CHECK_EQ(WP_STOP_CANCELLED, status_of(group).stop);
    CHECK_EQ(WP_OK, wp_group_retain(group));
    release(top);
    release(group);
    check_join(check_thread(release_it, group));
    CHECK_EQ(WP_OK, wp_group_release(NULL));
}

/* What one may still ask of a group whose pool is destroyed, whichever kind that was. */
static void a_group_outlives_its_pool(void) {
    for (int is_manual = 0; is_manual < 2; is_manual++) {
        wp_pool *pool = is_manual ? manual_pool(4, 1) : check_pool(1, 4);
        wp_group *top = group_in(pool, NULL), *late = group_with(pool, top, wp_deadline_after(pool, 0), WP_ON_ERROR_CANCEL, 1);
        struct mark mark = {0};
        submit_marked(pool, top, &mark);
        CHECK_EQ(WP_OK, wp_destroy(pool));
        check_mark(&mark, WP_FATE_RAN);
        CHECK_EQ(WP_OK, wp_group_wait(top, WP_FOREVER));
        CHECK_EQ(WP_OK, wp_group_wait(late, 0));
        CHECK_EQ(1, status_of(top).ran);
        CHECK_EQ(WP_STOP_NONE, wp_group_stop_reason(top));
        CHECK_EQ(WP_STOP_DEADLINE, wp_group_stop_reason(late));
        CHECK_EQ(WP_OK, wp_group_cancel(top));
        CHECK_EQ(WP_OK, wp_group_cancel(late));
        CHECK_EQ(WP_STOP_CANCELLED, wp_group_stop_reason(top));
        CHECK_EQ(WP_STOP_CANCELLED, status_of(late).stop);
        CHECK_EQ(WP_OK, wp_group_retain(late));
        release(top);
        release(late);
        release(late);
    }
}

static void groups_are_made_after_a_shutdown_too(void) {
    wp_pool *pool = check_pool(1, 4);
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    wp_group *group = group_in(pool, NULL);
    CHECK_EQ(WP_ECLOSED, submit_refused_to(pool, group, 0));
    CHECK_EQ(WP_ECLOSED, submit_refused_to(pool, group, WP_FOREVER));
    wp_group_status status = status_of(group);
    CHECK(status.queued == 0 && status.running == 0 && status.stop == WP_STOP_NONE);
    CHECK_EQ(WP_OK, wp_group_wait(group, 0));
    release(group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* The last reference may be given back by anybody: here by the `end` of the group's last task. */
static void release_in_end(const wp_outcome *outcome, void *arg) {
    CHECK_EQ(WP_FATE_RAN, outcome->fate);
    release(arg);
}

static int do_nothing(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return 0;
}

static void the_last_task_may_give_the_last_reference_back(void) {
    wp_pool *pool = check_pool(1, 4);
    for (int i = 0; i < 100; i++) {
        wp_group *group = group_in(pool, NULL);
        wp_task task = WP_TASK_INIT;
        task.run = do_nothing;
        task.arg = group;
        task.end = release_in_end;
        task.group = group;
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, WP_FOREVER));
    }
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- batches ---- */

static void a_batch_joins_groups(void) {
    wp_pool *pool = manual_pool(8, 0);
    wp_results *results = check_results(8, 0);
    wp_group *group = group_in(pool, NULL), *serial = group_with(pool, group, 0, WP_ON_ERROR_GO_ON, 1);
    struct mark marks[6];
    wp_task batch[6];
    size_t accepted = 77;
    memset(marks, 0, sizeof marks);
    for (int i = 0; i < 6; i++) {
        batch[i] = marked(i % 3 == 0 ? NULL : i % 3 == 1 ? group : serial, &marks[i]);
        batch[i].results = i % 2 ? results : NULL;
        batch[i].user_data = (uint64_t)i;
    }
    CHECK_EQ(WP_OK, wp_submit_batch(pool, batch, 6, sizeof *batch, 0, &accepted));
    CHECK_EQ(6, accepted);
    CHECK_EQ(4, status_of(group).queued);
    CHECK_EQ(2, status_of(serial).queued);
    CHECK_EQ(WP_OK, wp_group_cancel(serial));
    CHECK_EQ(4, step(pool, UINT64_MAX));
    for (int i = 0; i < 6; i++) {
        check_mark(&marks[i], i % 3 == 2 ? WP_FATE_CANCELLED : WP_FATE_RAN);
    }
    for (int i = 0; i < 3; i++) {
        wp_record record = check_next(results, 0);
        CHECK_EQ(marks[record.user_data].fate, record.fate);
    }
    CHECK_EQ(WP_ETIMEDOUT, next_code(results, 0));

    /* The first so many are accepted, up to the one whose group is cancelled; the others are untouched. */
    memset(marks, 0, sizeof marks);
    accepted = 77;
    CHECK_EQ(WP_ECANCELLED, wp_submit_batch(pool, batch, 6, sizeof *batch, WP_FOREVER, &accepted));
    CHECK_EQ(2, accepted);
    CHECK_EQ(2, step(pool, UINT64_MAX));
    check_mark(&marks[1], WP_FATE_RAN);
    for (int i = 2; i < 6; i++) {
        check_untouched(&marks[i]);
    }
    (void)check_next(results, 0);
    CHECK_EQ(WP_ETIMEDOUT, next_code(results, 0));
    CHECK_EQ(8, free_places(pool, results));
    release(serial);
    release(group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(WP_OK, wp_results_release(results));
}

/* ---- shutdowns ---- */

static void a_shutdown_covers_what_is_queued_in_groups(void) {
    for (uint32_t mode = WP_SHUTDOWN_DRAIN; mode <= WP_SHUTDOWN_CANCEL; mode++) {
        struct gate gate;
        gate_init(&gate);
        wp_pool *pool = check_pool(1, 8);
        wp_group *group = group_in(pool, NULL), *serial = group_with(pool, group, 0, WP_ON_ERROR_GO_ON, 1), *cancelled = group_in(pool, NULL);
        struct mark marks[6];
        wp_group *of[] = {group, serial, cancelled, serial, NULL, group};
        wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
        memset(marks, 0, sizeof marks);
        gate_shut(&gate, pool, 1);
        for (int i = 0; i < 6; i++) {
            submit_marked(pool, of[i], &marks[i]);
        }
        CHECK_EQ(WP_OK, wp_group_cancel(cancelled));
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, mode, 0, &report));
        CHECK_EQ(mode == WP_SHUTDOWN_DRAIN ? 5 : 0, report.queued);
        CHECK_EQ(1, report.running);
        CHECK_EQ(mode == WP_SHUTDOWN_DRAIN ? 0 : 5, report.discarded);
        CHECK_EQ(mode == WP_SHUTDOWN_DRAIN ? WP_ETIMEDOUT : WP_OK, wp_group_wait(group, 0));
        check_post(&gate.open);
        CHECK_EQ(WP_OK, wp_shutdown(pool));
        for (int i = 0; i < 6; i++) {
            check_mark(&marks[i], i == 2 ? WP_FATE_CANCELLED : mode == WP_SHUTDOWN_DRAIN ? WP_FATE_RAN : WP_FATE_DISCARDED);
        }
        wp_stats stats = check_sum(pool);
        CHECK(stats.exact && stats.queued == 0 && stats.running == 0 && stats.passed_over == 0);
        release(serial);
        release(group);
        release(cancelled);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

/* ---- bad input ---- */

#define GROUP_SENTINEL ((wp_group *)(uintptr_t)&sentinel_byte)

static int create_group(wp_pool *pool, const wp_group_options *options) {
    wp_group *group = GROUP_SENTINEL;
    int code = wp_group_create(pool, options, &group);
    if (code == WP_OK) {
        CHECK(group != GROUP_SENTINEL && group != NULL);
        release(group);
    } else {
        CHECK(group == GROUP_SENTINEL);
    }
    return code;
}

static int group_footprint(const wp_group_options *options) {
    uint64_t bytes = 12345;
    int code = wp_group_footprint(options, &bytes);
    CHECK(code == WP_OK ? bytes != 0 : bytes == 12345);
    return code;
}

#define BOTH_GROUPS(expected, options)            \
    do {                                          \
        ROW(expected, group_footprint(options));  \
        ROW(expected, create_group(pool, options)); \
    } while (0)
#define WITH(field, value) (options = plain, options.field = (value), &options)

static void bad_options_are_refused(void) {
    wp_pool *pool = manual_pool(4, 0);
    wp_group_options plain = WP_GROUP_OPTIONS_INIT, options;
    uint64_t bytes = 0;
    BOTH_GROUPS(WP_OK, NULL);
    BOTH_GROUPS(WP_OK, &plain);
    BOTH_GROUPS(WP_OK, WITH(on_error, WP_ON_ERROR_CANCEL));
    BOTH_GROUPS(WP_EINVAL, WITH(on_error, 2));
    BOTH_GROUPS(WP_EINVAL, WITH(on_error, UINT32_MAX));
    BOTH_GROUPS(WP_OK, WITH(max_running, WP_WORKERS_MAX));
    BOTH_GROUPS(WP_EINVAL, WITH(max_running, WP_WORKERS_MAX + 1));
    BOTH_GROUPS(WP_EINVAL, WITH(max_running, UINT32_MAX));
    BOTH_GROUPS(WP_OK, WITH(deadline, 1));
    BOTH_GROUPS(WP_OK, WITH(deadline, UINT64_MAX));
    for (size_t i = 0; i < BAD_SIZES; i++) {
        BOTH_GROUPS(WP_EINVAL, WITH(struct_size, bad_sizes[i]));
    }
    for (size_t size = 8; size < sizeof plain; size += 8) { /* Shorter: what lies beyond is not looked at. */
        wp_group_options full = WP_GROUP_OPTIONS_INIT;
        full.on_error = size > offsetof(wp_group_options, on_error) ? 0 : UINT32_MAX;
        full.max_running = size > offsetof(wp_group_options, max_running) ? 0 : UINT32_MAX;
        full.struct_size = size;
        unsigned char *exact = malloc(size);
        CHECK(exact != NULL);
        memcpy(exact, &full, size);
        BOTH_GROUPS(WP_OK, (wp_group_options *)(void *)exact);
        free(exact);
    }
    union {
        wp_group_options options;
        unsigned char bytes[sizeof(wp_group_options) + 64];
    } longer;
    memset(&longer, 0, sizeof longer);
    longer.options.struct_size = sizeof longer;
    BOTH_GROUPS(WP_OK, &longer.options);
    longer.bytes[sizeof longer - 1] = 1;
    BOTH_GROUPS(WP_ENOTSUP, &longer.options);
    longer.bytes[sizeof longer - 1] = 0;
    longer.bytes[sizeof(wp_group_options)] = 1;
    BOTH_GROUPS(WP_ENOTSUP, &longer.options);

    ROW(WP_EINVAL, wp_group_footprint(NULL, NULL));
    ROW(WP_EINVAL, wp_group_create(pool, &plain, NULL));
    ROW(WP_EINVAL, create_group(NULL, &plain));
    ROW(WP_OK, wp_group_footprint(NULL, &bytes));
    wp_pool *other = manual_pool(4, 0);
    wp_group *others = group_in(other, NULL);
    ROW(WP_OK, group_footprint(WITH(parent, others)));
    ROW(WP_EINVAL, create_group(pool, WITH(parent, others)));
    ROW(WP_OK, create_group(other, WITH(parent, others)));

    /* A task names a group of its own pool. */
    ROW(WP_EINVAL, submit_refused_to(pool, others, 0));
    wp_task batch[2] = {WP_TASK_INIT, WP_TASK_INIT};
    size_t accepted = 77;
    batch[0].run = batch[1].run = must_not_run_task;
    batch[0].end = batch[1].end = must_not_end;
    batch[1].group = others;
    ROW(WP_EINVAL, wp_submit_batch(pool, batch, 2, sizeof *batch, 0, &accepted));
    ROW(0, accepted);
    wp_stats stats = check_stats(pool);
    ROW(true, stats.accepted == 0 && stats.refused == 0);
    ROW(0, status_of(others).queued);
    release(others);
    ROW(WP_OK, wp_destroy(other));
    ROW(WP_OK, wp_destroy(pool));
}

static int init_options(void *at, size_t size) { return wp_group_options_init(at, size); }
static int init_status(void *at, size_t size) { return wp_group_status_init(at, size); }

static void null_and_wrong_sizes_are_refused(void) {
    wp_pool *pool = manual_pool(4, 0);
    wp_group *group = group_in(pool, NULL);
    wp_group_status status = WP_GROUP_STATUS_INIT, status_made;
    wp_group_options options = WP_GROUP_OPTIONS_INIT, options_made;
    ROW(WP_EINVAL, wp_group_retain(NULL));
    ROW(WP_OK, wp_group_release(NULL));
    ROW(WP_EINVAL, wp_group_wait(NULL, 0));
    ROW(WP_EINVAL, wp_group_wait(NULL, WP_FOREVER));
    ROW(WP_EINVAL, wp_group_cancel(NULL));
    ROW(WP_EINVAL, wp_group_status_get(NULL, &status));
    ROW(WP_EINVAL, wp_group_status_get(group, NULL));
    for (size_t i = 0; i < BAD_SIZES; i++) {
        memset(&status, CANARY, sizeof status);
        status.struct_size = bad_sizes[i];
        ROW(WP_EINVAL, wp_group_status_get(group, &status));
        ROW(true, is_all((unsigned char *)&status + 8, sizeof status - 8, CANARY));
    }
    static union {
        wp_group_status status;
        unsigned char bytes[1024];
    } place;
    for (size_t size = 8; size <= sizeof place; size += 8) { /* Written as far as it reaches, and as the library knows. */
        size_t reach = size < sizeof(wp_group_status) ? size : sizeof(wp_group_status);
        memset(&place, CANARY, sizeof place);
        place.status.struct_size = size;
        ROW(WP_OK, wp_group_status_get(group, &place.status));
        ROW(size, place.status.struct_size);
        ROW(true, is_all(place.bytes + 8, reach - 8, 0));
        ROW(true, is_all(place.bytes + reach, sizeof place - reach, CANARY));
    }
    int (*const inits[])(void *, size_t) = {init_options, init_status};
    for (int f = 0; f < 2; f++) {
        ROW(WP_EINVAL, inits[f](NULL, 64));
        for (size_t i = 0; i < BAD_SIZES; i++) {
            memset(&place, CANARY, sizeof place);
            ROW(WP_EINVAL, inits[f](&place, bad_sizes[i]));
            ROW(true, is_all(place.bytes, sizeof place, CANARY));
        }
        memset(&place, CANARY, sizeof place);
        ROW(WP_OK, inits[f](&place, 64));
        ROW(64, place.status.struct_size);
        ROW(true, is_all(place.bytes + 8, 56, 0) && is_all(place.bytes + 64, sizeof place - 64, CANARY));
    }
    status = (wp_group_status)WP_GROUP_STATUS_INIT;
    ROW(WP_OK, wp_group_options_init(&options_made, sizeof options_made));
    ROW(0, memcmp(&options, &options_made, sizeof options));
    ROW(WP_OK, wp_group_status_init(&status_made, sizeof status_made));
    ROW(0, memcmp(&status, &status_made, sizeof status));
    release(group);
    ROW(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("groups_life");
    CASE(a_group_lives_as_long_as_its_tasks);
    CASE(a_group_may_outlive_its_pool);
    CASE(a_group_outlives_its_pool);
    CASE(groups_are_made_after_a_shutdown_too);
    CASE(the_last_task_may_give_the_last_reference_back);
    CASE(a_batch_joins_groups);
    CASE(a_shutdown_covers_what_is_queued_in_groups);
    CASE(bad_options_are_refused);
    CASE(null_and_wrong_sizes_are_refused);
    return check_end();
}
