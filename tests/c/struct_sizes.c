/* SPDX-License-Identifier: MIT
 *
 * The promise (law L9): `struct_size` tells which version of a struct the caller knows. A shorter one is extended with zeros,
 * a longer one may ask for nothing unknown, an impossible one is refused, and no byte beyond it is read or written.
 */
#include "refused.h"

enum { ROOM_BYTES = 8192 };

/* Heap bytes of exactly this size, so that a checker sees one byte read or written too far. */
static void *exactly(size_t size, const void *from) {
    unsigned char *bytes = malloc(size);
    CHECK(bytes != NULL);
    memcpy(bytes, from, size);
    return bytes;
}

/* A struct with room behind it, for sizes that later versions may have. */
union roomy {
    size_t struct_size;
    wp_options options;
    wp_task task;
    wp_stats stats;
    wp_shutdown_report report;
    unsigned char bytes[ROOM_BYTES];
};

/* ---- the init functions ---- */

static int init_options(void *at, size_t size) { return wp_options_init(at, size); }
static int init_task(void *at, size_t size) { return wp_task_init(at, size); }
static int init_stats(void *at, size_t size) { return wp_stats_init(at, size); }
static int init_waiter(void *at, size_t size) { return wp_waiter_init(at, size); }
static int init_report(void *at, size_t size) { return wp_shutdown_report_init(at, size); }

static void init_functions_check_their_size_and_write_no_further(void) {
    static int (*const inits[])(void *, size_t) = {init_options, init_task, init_stats, init_report, init_waiter};
    static const size_t good[] = {8, 16, 24, sizeof(wp_options), 1024, 4096};
    for (size_t f = 0; f < sizeof inits / sizeof inits[0]; f++) {
        static union roomy place;
        ROW(WP_EINVAL, inits[f](NULL, 64));
        ROW(WP_EINVAL, inits[f](NULL, 0));
        for (size_t i = 0; i < BAD_SIZES; i++) {
            memset(&place, CANARY, sizeof place);
            ROW(WP_EINVAL, inits[f](&place, bad_sizes[i]));
            ROW(true, is_all(place.bytes, sizeof place, CANARY));
        }
        for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
            memset(&place, CANARY, sizeof place);
            ROW(WP_OK, inits[f](&place, good[i]));
            ROW(good[i], place.struct_size);
            ROW(true, is_all(place.bytes + sizeof(size_t), good[i] - sizeof(size_t), 0));
            ROW(true, is_all(place.bytes + good[i], sizeof place - good[i], CANARY));
        }
    }
}

static void init_functions_do_what_the_macros_do(void) {
    wp_options options = WP_OPTIONS_INIT, options_made;
    wp_task task = WP_TASK_INIT, task_made;
    wp_stats stats = WP_STATS_INIT, stats_made;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT, report_made;
    ROW(WP_OK, wp_options_init(&options_made, sizeof options_made));
    ROW(0, memcmp(&options, &options_made, sizeof options));
    ROW(WP_OK, wp_task_init(&task_made, sizeof task_made));
    ROW(0, memcmp(&task, &task_made, sizeof task));
    ROW(WP_OK, wp_stats_init(&stats_made, sizeof stats_made));
    ROW(0, memcmp(&stats, &stats_made, sizeof stats));
    ROW(WP_OK, wp_shutdown_report_init(&report_made, sizeof report_made));
    ROW(0, memcmp(&report, &report_made, sizeof report));
}

/* ---- what is read ---- */

static void the_size_of_options_tells_their_version(void) {
    wp_options full = WP_OPTIONS_INIT;
    static union roomy large;
    full.workers = 2;
    full.capacity = 3;

    for (size_t i = 0; i < BAD_SIZES; i++) {
        full.struct_size = bad_sizes[i];
        BOTH(WP_EINVAL, &full);
    }

    /* Shorter: what lies beyond is not looked at (the heap block ends there), and means the default. */
    for (size_t size = 8; size < sizeof full; size += 8) {
        wp_options source = full;
        wp_pool *pool = NULL;
        source.struct_size = size;
        wp_options *shorter = exactly(size, &source);
        BOTH(WP_OK, shorter);
        ROW(WP_OK, wp_create(shorter, &pool));
        bool is_told = size >= offsetof(wp_options, capacity) + sizeof full.capacity;
        ROW(is_told ? 3 : WP_CAPACITY_DEFAULT, check_stats(pool).capacity);
        if (is_told) {
            ROW(2, check_stats(pool).workers);
        }
        ROW(WP_OK, wp_destroy(pool));
        free(shorter);
    }
    {
        wp_options source = full;
        source.struct_size = offsetof(wp_options, mode);
        source.mode = UINT32_MAX;
        source.timers = 2;
        source.stack_size = 1;
        source.reserved_pointer = &source;
        BOTH(WP_OK, &source);
    }

    /* Longer: zeros are the defaults of fields to come, anything else asks for what this library lacks. */
    static const size_t longer[] = {sizeof(wp_options) + 8, sizeof(wp_options) + 64, 4096};
    for (size_t i = 0; i < sizeof longer / sizeof longer[0]; i++) {
        memset(&large, 0, sizeof large);
        large.options = full;
        large.options.struct_size = longer[i];
        wp_options *exact = exactly(longer[i], &large);
        BOTH(WP_OK, exact);
        free(exact);
        large.bytes[longer[i]] = 1; /* Beyond it: not part of it. */
        BOTH(WP_OK, &large.options);
        large.bytes[longer[i] - 1] = 1;
        BOTH(WP_ENOTSUP, &large.options);
        large.bytes[longer[i] - 1] = 0;
        large.bytes[sizeof(wp_options)] = 1;
        BOTH(WP_ENOTSUP, &large.options);
    }
}

static void the_size_of_a_task_tells_its_version(void) {
    wp_pool *pool = check_pool(1, 64);
    atomic_uint runs = 0;
    static union roomy large;
    wp_task full = WP_TASK_INIT;
    unsigned expected = 0;
    full.run = must_not_run_task;
    full.end = must_not_end;

    for (size_t i = 0; i < BAD_SIZES; i++) {
        full.struct_size = bad_sizes[i];
        ROW(WP_EINVAL, wp_submit_task(pool, &full, 0));
    }
    full.struct_size = sizeof full;

    /* Shorter: without its `run` it is no task; from there on, what lies beyond is not looked at. */
    full.struct_size = offsetof(wp_task, run);
    wp_task *none = exactly(full.struct_size, &full);
    ROW(WP_EINVAL, wp_submit_task(pool, none, 0));
    free(none);
    full.run = ok_task;
    full.arg = &runs;
    for (size_t size = offsetof(wp_task, arg); size < sizeof full; size += sizeof(void *)) {
        if (size % 8 != 0) {
            continue;
        }
        wp_task source = full;
        source.struct_size = size;
        if (size > offsetof(wp_task, end)) {
            source.end = NULL;
        } /* else its `end` must not be seen, or must_not_end tells */
        wp_task *shorter = exactly(size, &source);
        ROW(WP_OK, wp_submit_task(pool, shorter, 0));
        expected += size > offsetof(wp_task, arg);
        free(shorter);
    }

    full.end = NULL;
    static const size_t longer[] = {sizeof(wp_task) + 8, sizeof(wp_task) + 80, 4096};
    for (size_t i = 0; i < sizeof longer / sizeof longer[0]; i++) {
        memset(&large, 0, sizeof large);
        large.task = full;
        large.task.struct_size = longer[i];
        large.bytes[longer[i]] = 1;
        ROW(WP_OK, wp_submit_task(pool, &large.task, 0));
        expected++;
        large.bytes[longer[i] - 1] = 1;
        ROW(WP_ENOTSUP, wp_submit_task(pool, &large.task, 0));
        large.bytes[longer[i] - 1] = 0;
        large.bytes[sizeof(wp_task)] = 1;
        ROW(WP_ENOTSUP, wp_submit_task(pool, &large.task, 0));
    }
    ROW(WP_OK, wp_shutdown(pool));
    ROW(expected, atomic_load(&runs));
    ROW(WP_OK, wp_destroy(pool));
}

/* ---- what is written ---- */

/* An output struct is written as far as its size says and no further, and never beyond what the library knows. */
static void output_structs_are_written_only_as_far_as_they_reach(void) {
    wp_pool *pool = check_pool(3, 17);
    static union roomy place, whole;
    for (size_t size = 8; size <= sizeof(wp_stats) + 256; size += 8) {
        memset(&whole, CANARY, sizeof whole);
        whole.stats = check_stats(pool);
        memset(&place, CANARY, sizeof place);
        place.struct_size = size;
        size_t reach = size < sizeof(wp_stats) ? size : sizeof(wp_stats);
        ROW(WP_OK, wp_stats_get(pool, &place.stats));
        ROW(size, place.struct_size);
        ROW(0, memcmp(place.bytes + sizeof(size_t), whole.bytes + sizeof(size_t), reach - sizeof(size_t)));
        ROW(true, is_all(place.bytes + reach, sizeof place - reach, CANARY));
    }
    memset(&place, CANARY, sizeof place);
    place.struct_size = 4096;
    ROW(WP_OK, wp_stats_get(pool, &place.stats));
    ROW(true, is_all(place.bytes + sizeof(wp_stats), sizeof place - sizeof(wp_stats), CANARY));

    for (size_t size = 8; size <= sizeof(wp_shutdown_report) + 128; size += 8) {
        memset(&place, CANARY, sizeof place);
        place.struct_size = size;
        size_t reach = size < sizeof(wp_shutdown_report) ? size : sizeof(wp_shutdown_report);
        ROW(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, WP_FOREVER, &place.report));
        ROW(size, place.struct_size);
        ROW(true, is_all(place.bytes + sizeof(size_t), reach - sizeof(size_t), 0));
        ROW(true, is_all(place.bytes + reach, sizeof place - reach, CANARY));
    }
    ROW(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("struct_sizes");
    CASE(init_functions_check_their_size_and_write_no_further);
    CASE(init_functions_do_what_the_macros_do);
    CASE(the_size_of_options_tells_their_version);
    CASE(the_size_of_a_task_tells_its_version);
    CASE(output_structs_are_written_only_as_far_as_they_reach);
    return check_end();
}
