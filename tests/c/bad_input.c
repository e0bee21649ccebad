/* SPDX-License-Identifier: MIT
 *
 * The promise: every bad input, and every call at a bad time or place, is answered with the code that the header names,
 * and a call that fails has changed nothing: no out parameter, no counter, no callback.
 */
#include "check.h"

#include <limits.h>

enum { CANARY = 0xA5, ROOM_BYTES = 8192 };

static void must_not_run(void *arg) {
    (void)arg;
    CHECK(!"a refused task ran");
}

static int must_not_run_task(wp_context *context, void *arg) {
    (void)context;
    must_not_run(arg);
    return 0;
}

static void must_not_end(const wp_outcome *outcome, void *arg) {
    (void)outcome;
    (void)arg;
    CHECK(!"the end of a refused task was called");
}

static int ok_task(wp_context *context, void *arg) {
    (void)context;
    if (arg != NULL) {
        check_count(arg);
    }
    return 0;
}

/* Heap bytes of exactly this size, so that a checker sees one byte read or written too far. */
static void *exactly(size_t size, const void *from) {
    unsigned char *bytes = malloc(size);
    CHECK(bytes != NULL);
    memcpy(bytes, from, size);
    return bytes;
}

static bool is_all(const unsigned char *bytes, size_t size, unsigned char value) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
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

/* ---- wp_strerror ---- */

static void every_code_has_its_own_text(void) {
    static const int codes[] = {WP_OK,        WP_EINVAL,  WP_ENOMEM,  WP_ETHREAD, WP_EFULL,  WP_ETIMEDOUT,
                                WP_ECLOSED,   WP_EDEADLK, WP_EFORKED, WP_EPANIC,  WP_ENOTSUP};
    static const int unknown[] = {1, 2, -11, -12, -4096, INT_MAX, INT_MIN};
    enum { CODES = sizeof codes / sizeof codes[0], UNKNOWN = sizeof unknown / sizeof unknown[0] };
    for (size_t i = 0; i < CODES; i++) {
        const char *text = wp_strerror(codes[i]);
        CHECK(text != NULL && strlen(text) > 3);
        CHECK(strchr(text, '\n') == NULL);
        CHECK_EQ(-(long long)i, codes[i]);
        for (size_t j = 0; j < i; j++) {
            CHECK(strcmp(text, wp_strerror(codes[j])) != 0);
        }
        for (size_t j = 0; j < UNKNOWN; j++) {
            const char *other = wp_strerror(unknown[j]);
            CHECK(other != NULL && strlen(other) > 3 && strchr(other, '\n') == NULL);
            CHECK(strcmp(text, other) != 0);
        }
    }
}

static void the_version_is_the_headers(void) {
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", WP_VERSION_MAJOR, WP_VERSION_MINOR, WP_VERSION_PATCH);
    ROW(WP_VERSION_NUMBER, wp_version_number());
    ROW(0, strcmp(text, wp_version_string()));
}

/* ---- the init functions ---- */

static const size_t bad_sizes[] = {0, 1, 7, 9, 12, 15, 4097, 4104, 65536, SIZE_MAX - 7, SIZE_MAX / 2 + 1, SIZE_MAX};
enum { BAD_SIZES = sizeof bad_sizes / sizeof bad_sizes[0] };

static int init_options(void *at, size_t size) { return wp_options_init(at, size); }
static int init_task(void *at, size_t size) { return wp_task_init(at, size); }
static int init_stats(void *at, size_t size) { return wp_stats_init(at, size); }
static int init_report(void *at, size_t size) { return wp_shutdown_report_init(at, size); }

static void init_functions_check_their_size_and_write_no_further(void) {
    static int (*const inits[])(void *, size_t) = {init_options, init_task, init_stats, init_report};
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

/* ---- wp_create and wp_footprint ---- */

static const char sentinel_byte;
#define SENTINEL ((wp_pool *)(uintptr_t)&sentinel_byte)

/* What wp_create says; a pool that was made is destroyed again. A refusal must leave the out parameter alone. */
static int create(const wp_options *options) {
    wp_pool *pool = SENTINEL;
    int code = wp_create(options, &pool);
    if (code == WP_OK) {
        CHECK(pool != SENTINEL && pool != NULL);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    } else {
        CHECK(pool == SENTINEL);
    }
    return code;
}

static int footprint(const wp_options *options) {
    uint64_t bytes = 12345;
    int code = wp_footprint(options, &bytes);
    CHECK(code == WP_OK ? bytes != 12345 && bytes != 0 : bytes == 12345);
    return code;
}

/* One field of otherwise small options. */
#define WITH(field, value) (options = small, options.field = (value), &options)

static void hook(uint32_t worker, void *arg) {
    (void)worker;
    (void)arg;
}

static void bad_options_are_refused(void) {
    wp_options small = WP_OPTIONS_INIT, options;
    uint64_t bytes = 0;
    small.workers = 1;
    small.capacity = 4;

    ROW(WP_EINVAL, wp_create(NULL, NULL));
    ROW(WP_EINVAL, wp_create(&small, NULL));
    ROW(WP_EINVAL, wp_footprint(NULL, NULL));
    ROW(WP_EINVAL, wp_footprint(&small, NULL));
    ROW(WP_OK, wp_footprint(NULL, &bytes));
    ROW(WP_OK, create(NULL));

#define BOTH(expected, options)         \
    do {                                \
        ROW(expected, footprint(options)); \
        ROW(expected, create(options));    \
    } while (0)

    BOTH(WP_OK, WITH(name, NULL));
    BOTH(WP_OK, WITH(name, ""));
    BOTH(WP_OK, WITH(name, "\xff\xfe not UTF-8, and far longer than any thread's name may be"));
    BOTH(WP_OK, WITH(workers, 0));
    BOTH(WP_EINVAL, WITH(workers, WP_WORKERS_MAX + 1));
    BOTH(WP_EINVAL, WITH(workers, INT32_MAX));
    BOTH(WP_EINVAL, WITH(workers, UINT32_MAX));
    BOTH(WP_OK, WITH(capacity, 0));
    BOTH(WP_OK, WITH(capacity, 1));
    BOTH(WP_EINVAL, WITH(capacity, WP_CAPACITY_MAX + 1));
    BOTH(WP_EINVAL, WITH(capacity, INT32_MAX));
    BOTH(WP_EINVAL, WITH(capacity, UINT32_MAX));
    BOTH(WP_OK, WITH(mode, WP_MODE_THREADS));
    BOTH(WP_ENOTSUP, WITH(mode, WP_MODE_MANUAL));
    BOTH(WP_EINVAL, WITH(mode, 2));
    BOTH(WP_EINVAL, WITH(mode, UINT32_MAX));
    BOTH(WP_ENOTSUP, WITH(reserved, 1));
    BOTH(WP_ENOTSUP, WITH(reserved, UINT32_MAX));
    BOTH(WP_ENOTSUP, WITH(reserved_pointer, &options));
    BOTH(WP_OK, WITH(stack_size, 0));
    BOTH(WP_EINVAL, WITH(stack_size, 1));
    BOTH(WP_EINVAL, WITH(stack_size, WP_STACK_MIN - 1));
    BOTH(WP_OK, WITH(stack_size, WP_STACK_MIN));
    BOTH(WP_OK, WITH(stack_size, WP_STACK_MIN + 1));
    BOTH(WP_OK, WITH(on_thread_start, hook));
    BOTH(WP_OK, WITH(on_thread_stop, hook));
    BOTH(WP_OK, WITH(thread_arg, &options));

    /* The limits themselves are allowed. */
    ROW(WP_OK, footprint(WITH(workers, WP_WORKERS_MAX)));
    ROW(WP_OK, footprint(WITH(capacity, WP_CAPACITY_MAX)));
}

/* A number of bytes that no system has. The header: a thread could not be started; or the number itself is refused. */
static void a_stack_that_no_system_has_is_refused(void) {
    static const uint64_t sizes[] = {UINT64_C(1) << 60, UINT64_C(1) << 62, (UINT64_C(1) << 63) + 4096, UINT64_MAX - 4096,
                                     UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        wp_options options = WP_OPTIONS_INIT;
        options.workers = 2;
        options.stack_size = sizes[i];
        int code = create(&options);
        ROW(true, code == WP_ETHREAD || code == WP_EINVAL);
        AWAIT(check_threads() == 1);
    }
}

static void the_largest_numbers_work_or_are_refused_for_want_of_means(void) {
    wp_options options = WP_OPTIONS_INIT;
    if (CHECK_SANITIZED || check_on_valgrind()) {
        return; /* Checkers have limits of their own on threads and memory. */
    }
    options.workers = 1;
    options.capacity = WP_CAPACITY_MAX;
    int code = create(&options);
    ROW(true, code == WP_OK || code == WP_ENOMEM);
    options.workers = WP_WORKERS_MAX;
    options.capacity = 1;
    options.stack_size = WP_STACK_MIN;
    code = create(&options);
    ROW(true, code == WP_OK || code == WP_ENOMEM || code == WP_ETHREAD);
    AWAIT(check_threads() == 1);
}

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
        source.reserved = 1;
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

/* ---- calls on a pool ---- */

static int submit_full_task(wp_pool *pool, uint64_t timeout_ns) {
    wp_task task = WP_TASK_INIT;
    task.run = must_not_run_task;
    task.end = must_not_end;
    return wp_submit_task(pool, &task, timeout_ns);
}

static void null_and_unknown_arguments_are_refused(void) {
    wp_pool *pool = check_pool(1, 4);
    wp_task task = WP_TASK_INIT;
    wp_stats stats = WP_STATS_INIT;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT, report_before;
    wp_stats before = check_stats(pool);
    memset((unsigned char *)&report + 8, CANARY, sizeof report - 8);
    report_before = report;

    ROW(WP_EINVAL, wp_submit(NULL, must_not_run, NULL));
    ROW(WP_EINVAL, wp_submit(pool, NULL, NULL));
    ROW(WP_EINVAL, wp_submit(NULL, NULL, NULL));
    ROW(WP_EINVAL, wp_try_submit(NULL, must_not_run, NULL));
    ROW(WP_EINVAL, wp_try_submit(pool, NULL, NULL));
    ROW(WP_EINVAL, wp_submit_for(NULL, must_not_run, NULL, 0));
    ROW(WP_EINVAL, wp_submit_for(NULL, must_not_run, NULL, WP_FOREVER));
    ROW(WP_EINVAL, wp_submit_for(pool, NULL, NULL, 0));
    ROW(WP_EINVAL, wp_submit_for(pool, NULL, NULL, WP_FOREVER));
    ROW(WP_EINVAL, wp_submit_task(pool, NULL, 0));
    ROW(WP_EINVAL, wp_submit_task(NULL, NULL, WP_FOREVER));
    ROW(WP_EINVAL, wp_submit_task(pool, &task, 0)); /* run is NULL */
    task.end = must_not_end;
    ROW(WP_EINVAL, wp_submit_task(pool, &task, WP_FOREVER));
    ROW(WP_EINVAL, submit_full_task(NULL, 0));
    ROW(WP_EINVAL, submit_full_task(NULL, WP_FOREVER));
    ROW(WP_EINVAL, wp_wait_idle(NULL, 0));
    ROW(WP_EINVAL, wp_wait_idle(NULL, WP_FOREVER));
    ROW(WP_EINVAL, wp_shutdown(NULL));
    ROW(WP_EINVAL, wp_shutdown_for(NULL, WP_SHUTDOWN_DRAIN, 0, NULL));
    ROW(WP_EINVAL, wp_shutdown_for(NULL, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    ROW(WP_EINVAL, wp_shutdown_for(pool, 2, 0, &report));
    ROW(WP_EINVAL, wp_shutdown_for(pool, UINT32_MAX, WP_FOREVER, &report));
    ROW(0, memcmp(&report, &report_before, sizeof report));
    for (size_t i = 0; i < BAD_SIZES; i++) {
        report.struct_size = bad_sizes[i];
        ROW(WP_EINVAL, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, &report));
        ROW(WP_EINVAL, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    }
    ROW(WP_EINVAL, wp_stats_get(NULL, &stats));
    ROW(WP_EINVAL, wp_stats_get(pool, NULL));
    ROW(WP_EINVAL, wp_stats_get(NULL, NULL));
    for (size_t i = 0; i < BAD_SIZES; i++) {
        wp_stats bad;
        memset(&bad, CANARY, sizeof bad);
        bad.struct_size = bad_sizes[i];
        ROW(WP_EINVAL, wp_stats_get(pool, &bad));
        ROW(true, is_all((unsigned char *)&bad + 8, sizeof bad - 8, CANARY));
    }
    ROW(0, wp_now(NULL));
    ROW(true, wp_now(pool) > 0);
    ROW(WP_NO_WORKER, wp_worker_index(NULL));
    ROW(true, wp_label(NULL) == NULL);
    ROW(WP_OK, wp_destroy(NULL));
    ROW(WP_OK, wp_destroy(NULL));

    /* Nothing of all this did anything. */
    wp_stats after = check_stats(pool);
    ROW(0, memcmp(&before, &after, sizeof before));
    ROW(0, after.closed);
    ROW(0, after.accepted);
    ROW(0, after.refused);
    ROW(WP_OK, wp_destroy(pool));
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
    full.reserved_pointer = &full;
    ROW(WP_ENOTSUP, wp_submit_task(pool, &full, 0));
    full.reserved_pointer = NULL;

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

static void every_timeout_is_a_number(void) {
    static const uint64_t timeouts[] = {0, 1, NS_PER_S, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        wp_pool *pool = check_pool(1, 4);
        wp_task task = WP_TASK_INIT;
        task.run = ok_task;
        ROW(WP_OK, wp_submit_for(pool, check_nothing, NULL, timeouts[i]));
        ROW(WP_OK, wp_submit_task(pool, &task, timeouts[i]));
        ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        ROW(WP_OK, wp_wait_idle(pool, timeouts[i]));
        int code = wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, timeouts[i], NULL);
        ROW(true, code == WP_OK || (code == WP_ETIMEDOUT && timeouts[i] <= NS_PER_S));
        ROW(WP_OK, wp_destroy(pool));
    }
}

/* A timeout near the clock's end is not mistaken for one that is over: the waits below end by their event. */
static void *open_when_waiting(void *arg) {
    struct { wp_pool *pool; struct gate *gate; } *both = arg;
    AWAIT(check_stats(both->pool).waiting == 1);
    check_post(&both->gate->open);
    return NULL;
}

static void a_huge_timeout_waits(void) {
    static const uint64_t timeouts[] = {INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        wp_pool *pool = check_pool(1, 1);
        struct gate gate;
        gate_init(&gate);
        struct { wp_pool *pool; struct gate *gate; } both = {pool, &gate};
        gate_shut(&gate, pool, 1);
        check_fill(pool, 1);
        pthread_t opener = check_thread(open_when_waiting, &both);
        ROW(WP_OK, wp_submit_for(pool, gate_task, &gate, timeouts[i]));
        check_join(opener);
        check_wait(&gate.begun);
        ROW(WP_ETIMEDOUT, wp_wait_idle(pool, 0));
        ROW(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, NULL));
        check_post(&gate.open);
        ROW(WP_OK, wp_wait_idle(pool, timeouts[i]));
        ROW(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, timeouts[i], NULL));
        ROW(WP_OK, wp_destroy(pool));
    }
}

/* ---- at a bad time: after a shutdown ---- */

/* Every submit on a closed pool. */
static void submits_are_closed(wp_pool *pool) {
    ROW(WP_ECLOSED, wp_submit(pool, must_not_run, NULL));
    ROW(WP_ECLOSED, wp_try_submit(pool, must_not_run, NULL));
    ROW(WP_ECLOSED, wp_submit_for(pool, must_not_run, NULL, 0));
    ROW(WP_ECLOSED, wp_submit_for(pool, must_not_run, NULL, NS_PER_S));
    ROW(WP_ECLOSED, wp_submit_for(pool, must_not_run, NULL, WP_FOREVER));
    ROW(WP_ECLOSED, submit_full_task(pool, 0));
    ROW(WP_ECLOSED, submit_full_task(pool, WP_FOREVER));
}

static void calls_after_a_shutdown(void) {
    for (uint32_t mode = WP_SHUTDOWN_DRAIN; mode <= WP_SHUTDOWN_CANCEL; mode++) {
        wp_pool *pool = check_pool(2, 4);
        wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
        ROW(WP_OK, wp_submit(pool, check_nothing, NULL));
        ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        ROW(WP_OK, wp_shutdown_for(pool, mode, WP_FOREVER, &report));
        for (int twice = 0; twice < 2; twice++) {
            submits_are_closed(pool);
            ROW(WP_EINVAL, wp_submit(pool, NULL, NULL));
            ROW(WP_OK, wp_wait_idle(pool, 0));
            ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
            ROW(WP_OK, wp_shutdown(pool));
            ROW(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, &report));
            ROW(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
            ROW(WP_EINVAL, wp_shutdown_for(pool, 2, 0, NULL));
            ROW(true, report.queued == 0 && report.running == 0 && report.discarded == 0);
            ROW(true, wp_now(pool) > 0);
            wp_stats stats = check_stats(pool);
            ROW(true, stats.closed == 1 && stats.accepted == 1 && stats.ran == 1 && stats.exact == 1);
            ROW(0, stats.refused); /* WP_ECLOSED is no want of room. */
            ROW(2, stats.workers);
        }
        ROW(WP_OK, wp_destroy(pool));
    }
}

/* ---- at a bad place: inside a callback ---- */

struct inside {
    wp_pool *pool;
    sem_t ready; /* The pool is known to the callbacks. */
    sem_t done;
    atomic_uint calls;
    atomic_uint runs;
    struct gate gate;
};

static void inside_init(struct inside *inside) {
    memset(inside, 0, sizeof *inside);
    CHECK_EQ(0, sem_init(&inside->ready, 0, 0));
    CHECK_EQ(0, sem_init(&inside->done, 0, 0));
    gate_init(&inside->gate);
}

/* What must never wait for itself. */
static void waits_would_deadlock(wp_pool *pool) {
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    memset((unsigned char *)&report + 8, CANARY, sizeof report - 8);
    uint32_t closed = check_stats(pool).closed;
    ROW(WP_EDEADLK, wp_wait_idle(pool, 0));
    ROW(WP_EDEADLK, wp_wait_idle(pool, NS_PER_S));
    ROW(WP_EDEADLK, wp_wait_idle(pool, WP_FOREVER));
    ROW(WP_EDEADLK, wp_shutdown(pool));
    ROW(WP_EDEADLK, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, &report));
    ROW(WP_EDEADLK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, &report));
    ROW(WP_EDEADLK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    ROW(WP_EINVAL, wp_shutdown_for(pool, 2, 0, &report));
    ROW(true, is_all((unsigned char *)&report + 8, sizeof report - 8, CANARY));
    ROW(WP_EDEADLK, wp_destroy(pool));
    ROW(closed, check_stats(pool).closed);
    ROW(true, wp_now(pool) > 0);
}

/* Inside a callback of an open pool with room for five. */
static void calls_inside_with_room(struct inside *inside) {
    wp_task task = WP_TASK_INIT;
    task.run = ok_task;
    task.arg = &inside->runs;
    waits_would_deadlock(inside->pool);
    ROW(WP_OK, wp_try_submit(inside->pool, check_count, &inside->runs));
    ROW(WP_OK, wp_submit(inside->pool, check_count, &inside->runs));
    ROW(WP_OK, wp_submit_for(inside->pool, check_count, &inside->runs, 0));
    ROW(WP_OK, wp_submit_for(inside->pool, check_count, &inside->runs, WP_FOREVER));
    ROW(WP_OK, wp_submit_task(inside->pool, &task, WP_FOREVER));
    ROW(WP_OK, create(NULL));
}

/* Inside a callback of an open pool whose queue is full. */
static void submits_inside_when_full(wp_pool *pool) {
    wp_stats before = check_stats(pool);
    ROW(WP_EFULL, wp_try_submit(pool, must_not_run, NULL));
    ROW(WP_ETIMEDOUT, wp_submit_for(pool, must_not_run, NULL, 0));
    ROW(WP_ETIMEDOUT, submit_full_task(pool, 0));
    ROW(WP_EDEADLK, wp_submit(pool, must_not_run, NULL));
    ROW(WP_EDEADLK, wp_submit_for(pool, must_not_run, NULL, 1));
    ROW(WP_EDEADLK, wp_submit_for(pool, must_not_run, NULL, NS_PER_S));
    ROW(WP_EDEADLK, wp_submit_for(pool, must_not_run, NULL, WP_FOREVER));
    ROW(WP_EDEADLK, submit_full_task(pool, NS_PER_S));
    ROW(WP_EDEADLK, submit_full_task(pool, WP_FOREVER));
    wp_stats after = check_stats(pool);
    ROW(before.accepted, after.accepted);
    ROW(before.refused + 9, after.refused);
    ROW(before.waits, after.waits);
}

static void fill_from_inside(struct inside *inside) {
    while (wp_try_submit(inside->pool, check_count, &inside->runs) == WP_OK) {
    }
}

static int inside_task(wp_context *context, void *arg) {
    struct inside *inside = arg;
    (void)context;
    calls_inside_with_room(inside);
    fill_from_inside(inside);
    submits_inside_when_full(inside->pool);
    atomic_fetch_add(&inside->calls, 1);
    return 0;
}

static void inside_plain_task(void *arg) {
    inside_task(NULL, arg);
}

static void inside_end(const wp_outcome *outcome, void *arg) {
    ROW(WP_FATE_RAN, outcome->fate);
    inside_task(NULL, arg);
    check_post(&((struct inside *)arg)->done);
}

static void calls_inside_a_task(void) {
    for (int is_full = 0; is_full < 2; is_full++) {
        struct inside inside;
        wp_task task = WP_TASK_INIT;
        inside_init(&inside);
        inside.pool = check_pool(1, 8);
        task.run = inside_task;
        task.arg = &inside;
        if (is_full) {
            ROW(WP_OK, wp_submit_task(inside.pool, &task, 0));
        } else {
            ROW(WP_OK, wp_submit(inside.pool, inside_plain_task, &inside));
        }
        AWAIT(atomic_load(&inside.calls) == 1); /* before it is closed */
        ROW(WP_OK, wp_shutdown(inside.pool));
        ROW(8, atomic_load(&inside.runs));
        ROW(WP_OK, wp_destroy(inside.pool));
    }
}

static int do_nothing_task(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return 0;
}

static void calls_inside_an_end(void) {
    struct inside inside;
    wp_task task = WP_TASK_INIT;
    inside_init(&inside);
    inside.pool = check_pool(1, 8);
    task.run = do_nothing_task;
    task.arg = &inside;
    task.end = inside_end;
    ROW(WP_OK, wp_submit_task(inside.pool, &task, 0));
    check_wait(&inside.done);
    ROW(WP_OK, wp_shutdown(inside.pool));
    ROW(1, atomic_load(&inside.calls));
    ROW(8, atomic_load(&inside.runs));
    ROW(WP_OK, wp_destroy(inside.pool));
}

/* With another worker idle it is the same: the answer does not depend on luck. */
static void calls_inside_a_task_while_another_worker_is_held(void) {
    struct inside inside;
    inside_init(&inside);
    inside.pool = check_pool(2, 8);
    gate_shut(&inside.gate, inside.pool, 1);
    ROW(WP_OK, wp_submit(inside.pool, inside_plain_task, &inside));
    AWAIT(atomic_load(&inside.calls) == 1);
    check_post(&inside.gate.open);
    ROW(WP_OK, wp_shutdown(inside.pool));
    ROW(8, atomic_load(&inside.runs));
    ROW(WP_OK, wp_destroy(inside.pool));
}

static void inside_start(uint32_t worker, void *arg) {
    struct inside *inside = arg;
    ROW(0, worker);
    check_wait(&inside->ready);
    inside_task(NULL, inside);
}

static void inside_stop(uint32_t worker, void *arg) {
    struct inside *inside = arg;
    ROW(0, worker);
    submits_are_closed(inside->pool);
    waits_would_deadlock(inside->pool);
    atomic_fetch_add(&inside->calls, 1);
}

static void calls_inside_the_thread_hooks(void) {
    struct inside inside;
    wp_options options = WP_OPTIONS_INIT;
    inside_init(&inside);
    options.workers = 1;
    options.capacity = 8;
    options.on_thread_start = inside_start;
    options.on_thread_stop = inside_stop;
    options.thread_arg = &inside;
    ROW(WP_OK, wp_create(&options, &inside.pool));
    check_post(&inside.ready);
    AWAIT(atomic_load(&inside.calls) == 1);
    ROW(WP_OK, wp_shutdown(inside.pool));
    ROW(2, atomic_load(&inside.calls));
    ROW(8, atomic_load(&inside.runs));
    ROW(WP_OK, wp_destroy(inside.pool));
}

/* An `end` that a cancelling shutdown calls runs on that shutdown's thread: inside a callback all the same. */
static pthread_t canceller;

static void inside_discarded_end(const wp_outcome *outcome, void *arg) {
    struct inside *inside = arg;
    ROW(true, pthread_equal(pthread_self(), canceller) != 0);
    ROW(WP_FATE_DISCARDED, outcome->fate);
    ROW(0, outcome->status);
    ROW(WP_NO_WORKER, outcome->worker);
    ROW(sizeof *outcome, outcome->struct_size);
    submits_are_closed(inside->pool);
    waits_would_deadlock(inside->pool);
    ROW(WP_OK, create(NULL));
    atomic_fetch_add(&inside->calls, 1);
    check_post(&inside->done);
}

static void calls_inside_an_end_of_a_cancelling_shutdown(void) {
    struct inside inside;
    wp_task task = WP_TASK_INIT;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    inside_init(&inside);
    inside.pool = check_pool(1, 8);
    gate_shut(&inside.gate, inside.pool, 1);
    task.run = must_not_run_task;
    task.end = inside_discarded_end;
    task.arg = &inside;
    canceller = pthread_self();
    ROW(WP_OK, wp_submit_task(inside.pool, &task, 0));
    ROW(WP_OK, wp_submit_task(inside.pool, &task, 0));
    ROW(WP_OK, wp_submit(inside.pool, must_not_run, NULL));
    ROW(WP_ETIMEDOUT, wp_shutdown_for(inside.pool, WP_SHUTDOWN_CANCEL, 0, &report));
    ROW(2, atomic_load(&inside.calls));
    ROW(true, report.queued == 0 && report.running == 1 && report.discarded == 3);
    /* Outside again: this thread waits as any other. */
    ROW(WP_ETIMEDOUT, wp_wait_idle(inside.pool, 0));
    check_post(&inside.gate.open);
    ROW(WP_OK, wp_wait_idle(inside.pool, WP_FOREVER));
    ROW(WP_OK, wp_shutdown_for(inside.pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    ROW(3, report.discarded);
    ROW(WP_OK, wp_destroy(inside.pool));
}

/* A worker of one pool that shuts another one down is inside both while that one's `end` runs, and afterwards only in its own. */
struct both {
    wp_pool *outer;
    struct inside inner;
};

static void end_inside_both(const wp_outcome *outcome, void *arg) {
    struct both *both = arg;
    ROW(WP_FATE_DISCARDED, outcome->fate);
    waits_would_deadlock(both->outer);
    waits_would_deadlock(both->inner.pool);
    submits_are_closed(both->inner.pool);
    ROW(WP_OK, wp_submit(both->outer, check_count, &both->inner.runs));
    atomic_fetch_add(&both->inner.calls, 1);
}

static void shut_the_inner_pool(void *arg) {
    struct both *both = arg;
    wp_task task = WP_TASK_INIT;
    task.run = must_not_run_task;
    task.end = end_inside_both;
    task.arg = both;
    gate_shut(&both->inner.gate, both->inner.pool, 1);
    ROW(WP_OK, wp_submit_task(both->inner.pool, &task, 0));
    ROW(WP_ETIMEDOUT, wp_shutdown_for(both->inner.pool, WP_SHUTDOWN_CANCEL, 0, NULL));
    check_post(&both->inner.gate.open);
    waits_would_deadlock(both->outer);
    ROW(WP_OK, wp_wait_idle(both->inner.pool, WP_FOREVER));
    ROW(WP_OK, wp_shutdown(both->inner.pool));
    ROW(WP_OK, wp_destroy(both->inner.pool));
}

static void a_shutdown_inside_another_pools_task(void) {
    struct both both;
    inside_init(&both.inner);
    both.outer = check_pool(1, 4);
    both.inner.pool = check_pool(1, 4);
    ROW(WP_OK, wp_submit(both.outer, shut_the_inner_pool, &both));
    ROW(WP_OK, wp_wait_idle(both.outer, WP_FOREVER));
    ROW(WP_OK, wp_shutdown(both.outer));
    ROW(1, atomic_load(&both.inner.calls));
    ROW(1, atomic_load(&both.inner.runs));
    ROW(WP_OK, wp_destroy(both.outer));
}

/* Outside, a full queue refuses those that do not wait, and counts them. */
static void submits_to_a_full_queue(void) {
    wp_pool *pool = check_pool(1, 2);
    struct gate gate;
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    check_fill(pool, 2);
    ROW(1, check_stats(pool).refused);
    ROW(WP_EFULL, wp_try_submit(pool, must_not_run, NULL));
    ROW(WP_ETIMEDOUT, wp_submit_for(pool, must_not_run, NULL, 0));
    ROW(WP_ETIMEDOUT, wp_submit_for(pool, must_not_run, NULL, NS_PER_MS));
    ROW(WP_ETIMEDOUT, submit_full_task(pool, 0));
    ROW(WP_ETIMEDOUT, submit_full_task(pool, NS_PER_MS));
    ROW(6, check_stats(pool).refused);
    ROW(2, check_stats(pool).waits);
    ROW(3, check_stats(pool).accepted);
    ROW(WP_EINVAL, wp_submit(pool, NULL, NULL));
    ROW(6, check_stats(pool).refused);
    check_post(&gate.open);
    ROW(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("bad_input");
    CASE(every_code_has_its_own_text);
    CASE(the_version_is_the_headers);
    CASE(init_functions_check_their_size_and_write_no_further);
    CASE(init_functions_do_what_the_macros_do);
    CASE(bad_options_are_refused);
    CASE(a_stack_that_no_system_has_is_refused);
    CASE(the_largest_numbers_work_or_are_refused_for_want_of_means);
    CASE(the_size_of_options_tells_their_version);
    CASE(null_and_unknown_arguments_are_refused);
    CASE(the_size_of_a_task_tells_its_version);
    CASE(output_structs_are_written_only_as_far_as_they_reach);
    CASE(every_timeout_is_a_number);
    CASE(a_huge_timeout_waits);
    CASE(calls_after_a_shutdown);
    CASE(submits_to_a_full_queue);
    CASE(calls_inside_a_task);
    CASE(calls_inside_an_end);
    CASE(calls_inside_a_task_while_another_worker_is_held);
    CASE(calls_inside_the_thread_hooks);
    CASE(calls_inside_an_end_of_a_cancelling_shutdown);
    CASE(a_shutdown_inside_another_pools_task);
    return check_end();
}
