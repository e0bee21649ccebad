/* SPDX-License-Identifier: MIT
 *
 * The promise: a task that names results has a place there before it is accepted, and brings one record when it has ended,
 * whatever its fate. So no worker, shutdown or cancel ever waits for a reader; a submit is refused. Waits, the end and the
 * descriptor: results_ends.c; under load: results_stress.c.
 */
#include "results.h"

/* ---- bad input ---- */

static int create_results(const wp_results_options *options) {
    wp_results *const untouched = (wp_results *)(uintptr_t)&sentinel_byte, *results = untouched;
    int code = wp_results_create(options, &results);
    if (code == WP_OK) {
        CHECK(results != untouched && results != NULL);
        CHECK_EQ(WP_OK, wp_results_release(results));
    } else {
        CHECK(results == untouched);
    }
    return code;
}

static int footprint_of(const wp_results_options *options) {
    uint64_t bytes = 12345;
    int code = wp_results_footprint(options, &bytes);
    CHECK(code == WP_OK ? bytes != 12345 && bytes != 0 : bytes == 12345);
    return code;
}

#define BOTH_SAY(expected, options)            \
    do {                                       \
        ROW(expected, footprint_of(options));  \
        ROW(expected, create_results(options)); \
    } while (0)
#define AND(field, value) (options = small, options.field = (value), &options)

static void bad_options_are_refused(void) {
    wp_results_options small = WP_RESULTS_OPTIONS_INIT, options;
    small.capacity = 2;
    ROW(WP_EINVAL, wp_results_create(NULL, NULL));
    ROW(WP_EINVAL, wp_results_create(&small, NULL));
    ROW(WP_EINVAL, wp_results_footprint(&small, NULL));
    BOTH_SAY(WP_OK, NULL);
    BOTH_SAY(WP_OK, &small);
    BOTH_SAY(WP_OK, AND(capacity, 0));
    BOTH_SAY(WP_OK, AND(capacity, 1));
    ROW(WP_OK, footprint_of(AND(capacity, WP_CAPACITY_MAX)));
    BOTH_SAY(WP_EINVAL, AND(capacity, WP_CAPACITY_MAX + 1));
    BOTH_SAY(WP_EINVAL, AND(capacity, UINT32_MAX));
    BOTH_SAY(WP_OK, AND(flags, WP_RESULTS_WAIT));
    BOTH_SAY(WP_OK, AND(flags, WP_RESULTS_ORDERED));
    BOTH_SAY(WP_OK, AND(flags, WP_RESULTS_ORDERED | WP_RESULTS_WAIT));
    BOTH_SAY(WP_ENOTSUP, AND(flags, 4));
    BOTH_SAY(WP_ENOTSUP, AND(flags, 4 | WP_RESULTS_ORDERED));
    BOTH_SAY(WP_ENOTSUP, AND(flags, UINT32_MAX));
    BOTH_SAY(WP_ENOTSUP, AND(reserved_pointer, &options));
    for (size_t i = 0; i < BAD_SIZES; i++) {
        BOTH_SAY(WP_EINVAL, AND(struct_size, bad_sizes[i]));
    }
    BOTH_SAY(WP_OK, AND(struct_size, 8));

    wp_results_options made;
    wp_record record = WP_RECORD_INIT, record_made;
    ROW(WP_OK, wp_results_options_init(&made, sizeof made));
    options = (wp_results_options)WP_RESULTS_OPTIONS_INIT;
    ROW(0, memcmp(&made, &options, sizeof made));
    ROW(WP_OK, wp_record_init(&record_made, sizeof record_made));
    ROW(0, memcmp(&record, &record_made, sizeof record));
    ROW(WP_EINVAL, wp_results_options_init(NULL, sizeof made));
    ROW(WP_EINVAL, wp_results_options_init(&made, 4));
    ROW(WP_EINVAL, wp_record_init(NULL, sizeof record));
    ROW(WP_EINVAL, wp_record_init(&record, 0));
}

static void bad_arguments_are_refused(void) {
    wp_results *results = check_results(2, 0);
    wp_record record = WP_RECORD_INIT;
    size_t got = 12345;
    ROW(WP_EINVAL, wp_results_retain(NULL));
    ROW(WP_OK, wp_results_release(NULL));
    ROW(WP_EINVAL, wp_results_close(NULL));
    ROW(WP_EINVAL, wp_results_fd(NULL));
    ROW(WP_EINVAL, wp_results_next(NULL, &record, 0));
    ROW(WP_EINVAL, wp_results_next(results, NULL, WP_FOREVER));
    ROW(WP_EINVAL, wp_results_drain(NULL, &record, 1, sizeof record, 0, &got));
    ROW(0, got);
    ROW(WP_EINVAL, wp_results_drain(results, &record, 1, sizeof record, WP_FOREVER, NULL));
    ROW(WP_EINVAL, wp_results_drain(results, NULL, 1, sizeof record, WP_FOREVER, &got));
    ROW(WP_EINVAL, wp_results_drain(results, &record, SIZE_MAX / 8, sizeof record, WP_FOREVER, &got));
    ROW(WP_OK, wp_results_drain(results, NULL, 0, sizeof record, WP_FOREVER, &got));
    ROW(0, got);
    for (size_t i = 0; i < BAD_SIZES; i++) {
        record.struct_size = bad_sizes[i];
        ROW(WP_EINVAL, wp_results_next(results, &record, WP_FOREVER));
        got = 12345;
        ROW(WP_EINVAL, wp_results_drain(results, &record, 1, bad_sizes[i], WP_FOREVER, &got));
        ROW(0, got);
    }
    ROW(WP_ETIMEDOUT, next_code(results, 0));
    ROW(WP_ETIMEDOUT, next_code(results, NS_PER_MS));
    record.struct_size = sizeof record;
    got = 12345;
    ROW(WP_ETIMEDOUT, wp_results_drain(results, &record, 1, sizeof record, 0, &got));
    ROW(0, got);
    ROW(WP_OK, wp_results_close(results));
    ROW(WP_OK, wp_results_close(results));
    got = 12345;
    ROW(WP_ECLOSED, wp_results_drain(results, &record, 1, sizeof record, WP_FOREVER, &got));
    ROW(0, got);
    ROW(WP_ECLOSED, next_code(results, 0));
    ROW(WP_OK, wp_results_release(results));
}

/* ---- one record for each accepted task ---- */

static void note_end(const wp_outcome *outcome, void *arg) {
    (void)outcome;
    (void)arg;
}

static void a_record_says_what_became_of_its_task(void) {
    for (uint32_t mode = WP_SHUTDOWN_DRAIN; mode <= WP_SHUTDOWN_CANCEL; mode++) {
        wp_pool *pool = check_pool(1, 8);
        wp_results *results = check_results(4, 0);
        struct gate gate;
        gate_init(&gate);
        gate_shut(&gate, pool, 1);
        uint64_t began = check_now();
        for (int i = 0; i < 4; i++) {
            wp_task task = recorded(results, UINT64_MAX - (unsigned)i);
            task.arg = (void *)(intptr_t)i;
            task.end = i % 2 ? note_end : NULL;
            task.label = i / 2 ? "a label" : NULL;
            CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
        }
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, mode, 0, NULL));
        check_post(&gate.open);
        CHECK_EQ(WP_OK, wp_shutdown_for(pool, mode, WP_FOREVER, NULL));
        uint64_t took = check_now() - began;
        for (int i = 0; i < 4; i++) {
            bool ran = mode == WP_SHUTDOWN_DRAIN;
            wp_record record = check_next(results, 0); /* There already: a shutdown said WP_OK. */
            ROW(sizeof record, record.struct_size);
            ROW(true, record.arg == (void *)(intptr_t)i);
            ROW(true, record.user_data == UINT64_MAX - (unsigned)i);
            ROW(ran ? WP_FATE_RAN : WP_FATE_DISCARDED, record.fate);
            ROW(ran ? i : 0, record.status);
            ROW(ran ? 0 : WP_NO_WORKER, record.worker);
            ROW(0, record.reserved);
            ROW(true, record.queued_ns > 0 && record.queued_ns + record.running_ns <= took);
            ROW(true, ran || record.running_ns == 0);
        }
        ROW(WP_ETIMEDOUT, next_code(results, 0));
        ROW(WP_OK, wp_destroy(pool));
        ROW(WP_OK, wp_results_close(results));
        ROW(WP_ECLOSED, next_code(results, WP_FOREVER));
        ROW(WP_OK, wp_results_release(results));
    }
}

/* The worker is inside `end`, for a known while: that is not the task's time, and there is no record yet. */
struct held_end {
    sem_t begun, open;
};

static void hold_end(const wp_outcome *outcome, void *arg) {
    struct held_end *held = arg;
    (void)outcome;
    check_post(&held->begun);
    check_wait(&held->open);
}

static int no_task(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return 0;
}

static void a_record_comes_after_its_end_has_returned(void) {
    wp_pool *pool = check_pool(1, 8);
    wp_results *results = check_results(1, 0);
    struct held_end held;
    wp_task task = recorded(results, 1);
    CHECK_EQ(0, sem_init(&held.begun, 0, 0));
    CHECK_EQ(0, sem_init(&held.open, 0, 0));
    task.run = no_task;
    task.end = hold_end;
    task.arg = &held;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    check_wait(&held.begun);
    uint64_t inside = check_now();
    ROW(WP_ETIMEDOUT, next_code(results, 5 * NS_PER_MS));
    ROW(WP_ERESULTS, submit_refused(pool, results, WP_FOREVER)); /* Its place is taken until it is read. */
    uint64_t held_for = check_now() - inside;
    check_post(&held.open);
    wp_record record = check_next(results, WP_FOREVER);
    ROW(WP_FATE_RAN, record.fate);
    ROW(true, record.running_ns < held_for);
    ROW(WP_OK, wp_destroy(pool));
    ROW(WP_OK, wp_results_release(results));
}

static void drain_takes_what_is_there(void) {
    enum { COUNT = 10, LARGE = sizeof(wp_record) + 24 };
    static const size_t sizes[] = {8, 16, sizeof(wp_record) - 8, sizeof(wp_record), LARGE};
    wp_pool *pool = check_pool(1, 16);
    wp_results *results = check_results(COUNT, 0);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t size = sizes[s], got = 12345;
        for (uint64_t i = 0; i < COUNT; i++) {
            wp_task task = recorded(results, i);
            CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
        }
        CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        unsigned char *bytes = malloc(COUNT * LARGE);
        CHECK(bytes != NULL);
        memset(bytes, CANARY, COUNT * LARGE);
        for (unsigned first = 0; first < COUNT; first += (unsigned)got) {
            size_t most = first == 0 ? 3 : COUNT;
            ROW(WP_OK, wp_results_drain(results, (wp_record *)(void *)(bytes + first * size), most, size, WP_FOREVER, &got));
            ROW(first == 0 ? 3 : COUNT - 3, got);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            union { wp_record record; unsigned char bytes[LARGE]; } element;
            memset(&element, CANARY, sizeof element);
            memcpy(&element, bytes + i * size, size);
            ROW(size, element.record.struct_size);
            if (size >= offsetof(wp_record, user_data) + 8) {
                ROW(i, element.record.user_data);
            }
            size_t known = size < sizeof(wp_record) ? size : sizeof(wp_record);
            ROW(true, is_all(element.bytes + known, sizeof element - known, CANARY));
        }
        ROW(true, is_all(bytes + COUNT * size, COUNT * LARGE - COUNT * size, CANARY));
        free(bytes);
    }
    ROW(WP_OK, wp_destroy(pool));
    ROW(WP_OK, wp_results_release(results));
}

/* ---- full results ---- */

static void full_results_refuse_every_submit(void) {
    static const uint64_t timeouts[] = {0, 1, NS_PER_S, WP_FOREVER};
    for (uint32_t capacity = 1; capacity <= 3; capacity++) {
        wp_pool *pool = check_pool(1, 8);
        wp_results *results = check_results(capacity, 0);
        struct gate gate;
        gate_init(&gate);
        gate_shut(&gate, pool, 1);
        ROW(capacity, free_places(pool, results));
        wp_stats before = check_stats(pool);
        for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
            ROW(WP_ERESULTS, submit_refused(pool, results, timeouts[i]));
            ROW(WP_ERESULTS, submit_refused_pair(pool, results, timeouts[i]));
        }
        wp_stats after = check_stats(pool);
        ROW(before.accepted, after.accepted);
        ROW(before.refused + 8, after.refused);
        ROW(before.waits, after.waits);
        ROW(WP_OK, wp_try_submit(pool, check_nothing, NULL)); /* The pool has room for others. */
        check_post(&gate.open);
        ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        ROW(WP_ERESULTS, submit_refused(pool, results, WP_FOREVER)); /* Ended, but not read. */
        (void)check_next(results, 0);
        gate_shut(&gate, pool, 1);
        ROW(1, free_places(pool, results));
        check_post(&gate.open);
        ROW(WP_OK, wp_shutdown(pool)); /* With full results: it waits for no reader. */
        for (uint32_t i = 0; i < capacity; i++) {
            (void)check_next(results, 0);
        }
        ROW(WP_ETIMEDOUT, next_code(results, 0));
        ROW(WP_ECLOSED, submit_refused(pool, results, 0));
        ROW(WP_OK, wp_destroy(pool));
        ROW(WP_OK, wp_results_release(results));
    }
}

static void a_refusal_gives_the_place_back(void) {
    static const uint64_t timeouts[] = {0, NS_PER_MS};
    for (uint32_t flags = 0; flags <= WP_RESULTS_WAIT; flags++) {
        wp_pool *pool = check_pool(1, 4), *other = check_pool(1, 4);
        wp_results *results = check_results(3, flags);
        struct gate gate;
        gate_init(&gate);
        gate_shut(&gate, pool, 1);
        check_fill(pool, 4);
        for (size_t i = 0; i < 2; i++) {
            int refusal = i == 0 ? WP_EFULL : WP_ETIMEDOUT;
            for (int many = 0; many < 4; many++) {
                ROW(refusal, submit_refused(pool, results, timeouts[i]));
                ROW(refusal, submit_refused_pair(pool, results, timeouts[i]));
            }
        }
        check_post(&gate.open);
        ROW(WP_OK, wp_shutdown(pool));
        for (int many = 0; many < 4; many++) {
            ROW(WP_ECLOSED, submit_refused(pool, results, WP_FOREVER));
            ROW(WP_ECLOSED, submit_refused_pair(pool, results, WP_FOREVER));
        }
        gate_shut(&gate, other, 1);
        ROW(3, free_places(other, results)); /* None was lost. */
        check_post(&gate.open);
        ROW(WP_OK, wp_destroy(other));
        ROW(WP_OK, wp_destroy(pool));
        ROW(WP_OK, wp_results_release(results));
    }
}

static void a_batch_accepts_as_many_as_have_places(void) {
    wp_pool *pool = check_pool(1, 16);
    wp_results *few = check_results(2, 0), *many = check_results(8, 0);
    wp_task batch[7];
    size_t accepted = 12345;
    for (unsigned i = 0; i < 7; i++) { /* few, many, none, few, many, none, few: the last has no place */
        batch[i] = recorded(i % 3 == 0 ? few : i % 3 == 1 ? many : NULL, i);
    }
    batch[6].end = must_not_end;
    ROW(WP_ERESULTS, wp_submit_batch(pool, batch, 7, sizeof *batch, WP_FOREVER, &accepted));
    ROW(6, accepted);
    ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    ROW(0, check_next(few, 0).user_data);
    ROW(3, check_next(few, 0).user_data);
    ROW(1, check_next(many, 0).user_data);
    ROW(4, check_next(many, 0).user_data);
    ROW(WP_ETIMEDOUT, next_code(few, 0));
    ROW(WP_ETIMEDOUT, next_code(many, 0));
    /* The pool's queue is what ends the prefix: the places behind it come back. */
    struct gate gate;
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    for (int i = 0; i < 12; i++) {
        CHECK_EQ(WP_OK, wp_try_submit(pool, check_nothing, NULL));
    }
    for (unsigned i = 0; i < 7; i++) {
        batch[i] = recorded(many, i);
    }
    ROW(WP_ETIMEDOUT, wp_submit_batch(pool, batch, 7, sizeof *batch, NS_PER_MS, &accepted));
    ROW(4, accepted);
    check_post(&gate.open);
    ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    gate_shut(&gate, pool, 1);
    ROW(4, free_places(pool, many)); /* 8 less the 4 records. */
    check_post(&gate.open);
    ROW(WP_OK, wp_results_close(few));
    ROW(WP_ECLOSED, submit_refused_pair(pool, few, 0));
    ROW(WP_OK, wp_destroy(pool));
    ROW(WP_OK, wp_results_release(few));
    ROW(WP_OK, wp_results_release(many));
}

int main(void) {
    check_begin("results");
    CASE(bad_options_are_refused);
    CASE(bad_arguments_are_refused);
    CASE(a_record_says_what_became_of_its_task);
    CASE(a_record_comes_after_its_end_has_returned);
    CASE(drain_takes_what_is_there);
    CASE(full_results_refuse_every_submit);
    CASE(a_refusal_gives_the_place_back);
    CASE(a_batch_accepts_as_many_as_have_places);
    return check_end();
}
