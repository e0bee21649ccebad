/* SPDX-License-Identifier: MIT
 *
 * Programs of calls on a manual pool, run twice: first on the model (model.h), then on the library. Whatever the program can see
 * (each answer, each callback and what it is told, the figures, the clock, the descriptors) must be the same both times, in the same
 * order; so every fate is predicted, and when it is met. Besides, each accepted task's `end` is called once, and its memory freed there.
 *
 * A program is a string of bytes, read from front to back: the pool's options, then calls. A callback reads its own calls from the
 * same string when it is called, which is at the same place both times, or the difference shows. Behind its end a program is zeros: that
 * is "return", and for the rest of the file "come to an end".
 */
#include "calls.h"

enum { GROUPS = 6, RESULTS = 3, WAITERS = 4, TRACE = 1 << 16, DEEP = 5, MOST_TASKS = 2000, BATCH = 6, FIGURES = 13 };

struct event {
    const char *what;
    int64_t value;
};

struct room_waiter {
    wp_waiter waiter;
    unsigned index;
};

/* A task's argument; freed by its `end`, or with the program if it has none. */
struct payload {
    struct payload *next;
    wp_group *group;
    unsigned number, ends, runs;
    bool is_accepted, has_end;
};

static struct event trace[TRACE];
static size_t traced, compared;
static bool is_library;
static const struct calls *api;
static const uint8_t *program;
static size_t program_size, program_at;
static wp_pool *pool;
static wp_group *groups[GROUPS];
static wp_results *results[RESULTS];
static struct room_waiter waiters[WAITERS];
static struct payload *payloads;
static unsigned tasks_made, depth, groups_left, results_left;
static uint64_t open_tasks;
static int64_t figures_seen[FIGURES];

static unsigned next_byte(void) {
    return program_at < program_size ? program[program_at++] : 0;
}

static const char *const LABELS[] = {NULL, "short", "a label that is longer than thirty-one bytes"};

/* The model's run says what happens; the library's must say the same. */
static void see(const char *what, int64_t value) {
    static uint64_t last;
    if (!is_library) {
        CHECK(traced < TRACE);
        trace[traced++] = (struct event){what, value};
        uint64_t now = (uint64_t)(uintptr_t)what + (uint64_t)(value > 8 ? 8 : value) * 31 + depth * 1031;
        fuzz_feature(last * 65537 ^ now);
        last = now;
        return;
    }
    bool is_same = compared < traced && trace[compared].what == what && trace[compared].value == value;
    if (!is_same) {
        size_t from = compared > 30 ? compared - 30 : 0;
        for (size_t i = from; i < compared; i++) {
            printf("  %s %lld\n", trace[i].what, (long long)trace[i].value);
        }
        if (compared < traced) {
            printf("the model:   %s %lld\n", trace[compared].what, (long long)trace[compared].value);
        } else {
            printf("the model:   the end\n");
        }
        printf("the library: %s %lld\n", what, (long long)value);
        check_case = what;
        CHECK(!"the library does what the model does");
    }
    compared++;
    atomic_store_explicit(&fuzz_shared->at[0].call, what, memory_order_relaxed);
}

static void some_calls(wp_context *context);

/* ---- callbacks ---- */

static void free_payload(struct payload *payload) {
    for (struct payload **each = &payloads; *each != NULL; each = &(*each)->next) {
        if (*each == payload) {
            *each = payload->next;
            break;
        }
    }
    free(payload);
}

static int run_task(wp_context *context, void *arg) {
    struct payload *payload = arg;
    see("run", payload->number);
    CHECK_EQ(0, payload->runs++);
    see("group is its own", api->context_group(context) == payload->group);
    see("worker", api->worker_index(context));
    see("label", api->label(context) != NULL);
    see("time left", (int64_t)api->time_left(context));
    see("stop", api->stop_reason(context));
    some_calls(context);
    unsigned status = next_byte();
    return status % 4 == 3 ? (int)status : 0;
}

static void run_plain(void *arg) {
    struct payload *payload = arg;
    see("run plain", payload->number);
    CHECK_EQ(0, payload->runs++);
    some_calls(NULL);
}

static void end_task(const wp_outcome *outcome, void *arg) {
    struct payload *payload = arg;
    see("end", payload->number);
    see("fate", outcome->fate);
    see("status", outcome->status);
    see("outcome's worker", outcome->worker);
    see("outcome's label", outcome->label != NULL);
    CHECK_EQ(0, payload->ends++);
    CHECK_EQ(outcome->fate == WP_FATE_RAN, payload->runs);
    some_calls(NULL);
    free_payload(payload);
    open_tasks--;
}

static void notify(void *arg) {
    struct room_waiter *waiter = arg;
    see("notify", waiter->index);
    some_calls(NULL);
}

/* ---- calls ---- */

static uint64_t some_timeout(void) {
    static const uint64_t timeouts[] = {0, 1, NS_PER_S, WP_FOREVER};
    return timeouts[next_byte() % 4];
}

static uint64_t some_deadline(void) {
    unsigned byte = next_byte();
    return byte % 4 != 1 ? 0 : api->now(pool) + (uint64_t)(byte / 4) - 4;
}

static struct payload *new_payload(void) {
    struct payload *payload = calloc(1, sizeof *payload);
    CHECK(payload != NULL);
    payload->number = tasks_made++;
    payload->next = payloads;
    payloads = payload;
    return payload;
}

/* It was refused: the library has not touched it. */
static void note_verdict(struct payload *payload, bool is_accepted) {
    if (!is_accepted) {
        CHECK_EQ(0, payload->ends + payload->runs);
        free_payload(payload);
    }
}

static void submit_plain(void) {
    struct payload *payload = new_payload();
    unsigned how = next_byte() % 3, number = payload->number;
    int code = how == 0   ? api->try_submit(pool, run_plain, payload)
               : how == 1 ? api->submit(pool, run_plain, payload)
                          : api->submit_for(pool, run_plain, payload, some_timeout());
    see("submit plain", code);
    see("of", number);
    if (code != WP_OK) {
        note_verdict(payload, false);
    }
}

static wp_task some_task(void) {
    struct payload *payload = new_payload();
    wp_task task = WP_TASK_INIT;
    unsigned how = next_byte();
    payload->has_end = how & 1;
    task.run = run_task;
    task.arg = payload;
    task.end = payload->has_end ? end_task : NULL;
    task.label = LABELS[how / 2 % 3];
    task.results = how & 8 ? results[how / 64 % RESULTS] : NULL;
    task.group = how & 16 ? groups[next_byte() % GROUPS] : NULL;
    task.deadline = how & 32 ? some_deadline() : 0;
    task.user_data = payload->number;
    payload->group = task.group;
    if (task.group != NULL) {
        CHECK_EQ(WP_OK, api->group_retain(task.group));
    }
    if (task.results != NULL) {
        CHECK_EQ(WP_OK, api->results_retain(task.results));
    }
    return task;
}

/* The submit is over. Meanwhile a callback may have put another group in the place of the task's. */
static void let_go(const wp_task *task) {
    CHECK_EQ(WP_OK, api->group_release(task->group));
    CHECK_EQ(WP_OK, api->results_release(task->results));
}

static void submit_task(void) {
    wp_task task = some_task();
    struct payload *payload = task.arg;
    unsigned number = payload->number;
    open_tasks += payload->has_end;
    bool has_end = payload->has_end;
    int code = api->submit_task(pool, &task, some_timeout());
    let_go(&task);
    see("submit task", code);
    see("of", number);
    if (code != WP_OK) {
        open_tasks -= has_end;
        note_verdict(payload, false);
    }
}

static void submit_batch(void) {
    wp_task tasks[BATCH] = {WP_TASK_INIT};
    size_t count = next_byte() % (BATCH + 1), accepted = 99;
    bool has_end[BATCH];
    for (size_t i = 0; i < count; i++) {
        tasks[i] = some_task();
        has_end[i] = ((struct payload *)tasks[i].arg)->has_end;
        open_tasks += has_end[i];
    }
    see("submit batch", api->submit_batch(pool, tasks, count, sizeof tasks[0], some_timeout(), &accepted));
    see("accepted", (int64_t)accepted);
    for (size_t i = 0; i < count; i++) {
        let_go(&tasks[i]);
    }
    for (size_t i = accepted; i < count; i++) {
        open_tasks -= has_end[i];
        note_verdict(tasks[i].arg, false);
    }
}

/* Those that have changed. */
static void see_stats(void) {
    wp_stats stats = WP_STATS_INIT;
    CHECK_EQ(WP_OK, api->stats_get(pool, &stats));
    const struct event figures[FIGURES] = {
        {"exact", stats.exact},
        {"closed", stats.closed},
        {"accepted so far", (int64_t)stats.accepted},
        {"ran", (int64_t)stats.ran},
        {"failed", (int64_t)stats.failed},
        {"cancelled", (int64_t)stats.cancelled},
        {"expired", (int64_t)stats.expired},
        {"discarded", (int64_t)stats.discarded},
        {"queued", (int64_t)stats.queued},
        {"running", (int64_t)stats.running},
        {"passed over", (int64_t)stats.passed_over},
        {"refused", (int64_t)stats.refused},
        {"waits", (int64_t)stats.waits},
    };
    for (unsigned i = 0; i < FIGURES; i++) {
        if (figures[i].value != figures_seen[i]) {
            see(figures[i].what, figures_seen[i] = figures[i].value);
        }
    }
    CHECK_EQ(stats.accepted, stats.ran + stats.cancelled + stats.expired + stats.discarded + stats.queued + stats.running);
    CHECK_AT_MOST(stats.capacity, stats.queued + stats.passed_over);
}

static void see_group(wp_group *group) {
    wp_group_status status = WP_GROUP_STATUS_INIT;
    see("group status", api->group_status_get(group, &status));
    see("its queued", (int64_t)status.queued);
    see("its running", (int64_t)status.running);
    see("its ran", (int64_t)status.ran);
    see("its failed", (int64_t)status.failed);
    see("its cancelled", (int64_t)status.cancelled);
    see("its expired", (int64_t)status.expired);
    see("its discarded", (int64_t)status.discarded);
    see("its stop", status.stop);
    see("its first status", status.first_status);
    see("its first label", (int64_t)strlen(status.first_label));
}

static void new_group(unsigned slot) {
    wp_group_options options = WP_GROUP_OPTIONS_INIT;
    unsigned how = next_byte();
    wp_group *made = NULL;
    if (groups_left == 0) {
        return;
    }
    groups_left--;
    options.parent = how & 1 ? groups[how / 32 % GROUPS] : NULL;
    options.on_error = how & 2 ? WP_ON_ERROR_CANCEL : WP_ON_ERROR_GO_ON;
    options.max_running = how & 4 ? 1 + (how >> 3 & 1) : 0;
    options.deadline = how & 16 ? some_deadline() : 0;
    see("group create", api->group_create(pool, &options, &made));
    if (groups[slot] != NULL) {
        see("group release", api->group_release(groups[slot]));
    }
    groups[slot] = made;
}

static void new_results(unsigned slot) {
    wp_results_options options = WP_RESULTS_OPTIONS_INIT;
    unsigned how = next_byte();
    wp_results *made = NULL;
    if (results_left == 0) {
        return;
    }
    results_left--;
    options.capacity = 1 + how % MODEL_RECORDS;
    options.flags = how & 64 ? WP_RESULTS_WAIT : 0;
    see("results create", api->results_create(&options, &made));
    if (results[slot] != NULL) {
        see("results release", api->results_release(results[slot]));
    }
    results[slot] = made;
}

static void see_record(const wp_record *record) {
    see("record", (int64_t)record->user_data);
    see("record's fate", record->fate);
    see("record's status", record->status);
    see("record's worker", record->worker);
}

static void read_results(wp_results *from, unsigned how) {
    wp_record records[4], record = WP_RECORD_INIT;
    size_t got = 99;
    if (how % 8 == 0) {
        int code = api->results_next(from, &record, 0);
        see("results next", code);
        if (code == WP_OK) {
            see_record(&record);
        }
        return;
    }
    see("results drain", api->results_drain(from, records, how % 5, sizeof records[0], 0, &got));
    see("got", (int64_t)got);
    for (size_t i = 0; i < got; i++) {
        see_record(&records[i]);
    }
}

static void cancel_group(wp_group *group) {
    CHECK_EQ(WP_OK, api->group_retain(group));
    see("group cancel", api->group_cancel(group));
    CHECK_EQ(WP_OK, api->group_release(group));
}

static void wait_for_group(wp_group *group) {
    uint64_t timeout = some_timeout();
    CHECK_EQ(WP_OK, api->group_retain(group));
    see("group wait", api->group_wait(group, timeout));
    CHECK_EQ(WP_OK, api->group_release(group));
}

static void end_pool(void) {
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    unsigned how = next_byte();
    report.queued = report.running = report.discarded = 0;
    int code = api->shutdown_for(pool, how & 1, how & 2 ? WP_FOREVER : how & 4 ? 1 : 0, how & 8 ? &report : NULL);
    see("shutdown", code);
    see("left queued", (int64_t)report.queued);
    see("left running", (int64_t)report.running);
    see("discarded so far", (int64_t)report.discarded);
}

/* Calls that the header refuses; their answers are in the header, so the model is not asked. */
static void call_badly(unsigned how) {
    wp_task task = WP_TASK_INIT;
    wp_stats stats = WP_STATS_INIT;
    wp_waiter waiter = WP_WAITER_INIT;
    wp_group *group = NULL;
    wp_record record = WP_RECORD_INIT;
    size_t count = 99;
    uint64_t ran = 99;
    if (!is_library) {
        return;
    }
    switch (how % 20) {
    case 0: CHECK_EQ(WP_EINVAL, wp_submit(NULL, run_plain, NULL)); break;
    case 1: CHECK_EQ(WP_EINVAL, wp_try_submit(pool, NULL, NULL)); break;
    case 2: CHECK_EQ(WP_EINVAL, wp_submit_task(pool, NULL, 0)); break;
    case 3: CHECK_EQ(WP_EINVAL, wp_submit_task(pool, &task, 0)); break;
    case 4: task.struct_size = sizeof task - 1; CHECK_EQ(WP_EINVAL, wp_submit_task(pool, &task, 0)); break;
    case 5: task.run = run_task; task.reserved_pointer = &task; CHECK_EQ(WP_ENOTSUP, wp_submit_task(pool, &task, 0)); break;
    case 6: CHECK_EQ(WP_EINVAL, wp_submit_batch(pool, NULL, 3, sizeof task, 0, &count)); CHECK_EQ(0, count); break;
    case 7: CHECK_EQ(WP_EINVAL, wp_submit_batch(pool, &task, 1, sizeof task + 1, 0, &count)); CHECK_EQ(0, count); break;
    case 8: stats.struct_size = 1; CHECK_EQ(WP_EINVAL, wp_stats_get(pool, &stats)); break;
    case 9: CHECK_EQ(WP_EINVAL, wp_when_room(pool, &waiter)); break;
    case 10: CHECK_EQ(WP_ETOOLATE, wp_forget_room(pool, &waiter, 0)); break;
    case 11: CHECK_EQ(WP_EINVAL, wp_group_create(pool, NULL, NULL)); break;
    case 12: CHECK_EQ(WP_EINVAL, wp_group_wait(NULL, 0)); break;
    case 13: CHECK_EQ(WP_EINVAL, wp_run(NULL, 1, &ran)); CHECK_EQ(0, ran); break;
    case 14: CHECK_EQ(WP_EINVAL, wp_results_next(NULL, &record, 0)); break;
    case 15: CHECK_EQ(WP_EINVAL, wp_shutdown_for(pool, 2, 0, NULL)); break;
    case 16: CHECK_EQ(WP_OK, wp_group_release(NULL)); break;
    case 17: CHECK_EQ(WP_EINVAL, wp_group_cancel(NULL)); break;
    case 18: CHECK_EQ(WP_EINVAL, wp_group_create(NULL, NULL, &group)); break;
    default: CHECK_EQ(WP_EINVAL, wp_clock_advance(NULL, 1)); break;
    }
}

static void one_call(unsigned what, wp_context *context) {
    unsigned how = next_byte(), slot = how % GROUPS;
    uint64_t ran = 99;
    fuzz_shared->calls += is_library;
    switch (what) {
    case 1:
    case 2: submit_plain(); break;
    case 3:
    case 4:
    case 5:
    case 6:
    case 7: submit_task(); break;
    case 8:
    case 9: submit_batch(); break;
    case 10:
    case 11:
        see("run some", api->run(pool, how & 1 ? UINT64_MAX : how / 2 % 4, &ran));
        see("which were", (int64_t)ran);
        break;
    case 12: see("advance", api->clock_advance(pool, how)); see("now", (int64_t)api->now(pool)); break;
    case 13: see("wait idle", api->wait_idle(pool, some_timeout())); break;
    case 14: see_stats(); break;
    case 15: see_group(groups[slot]); break;
    case 16:
    case 17: new_group(slot); break;
    case 18:
    case 19: cancel_group(groups[slot]); break;
    case 20:
    case 21:
    case 22: wait_for_group(groups[slot]); break;
    case 23: new_results(how % RESULTS); break;
    case 24:
    case 25: read_results(results[how % RESULTS], how / RESULTS); break;
    case 26: see("readable", api->results_are_readable(results[how % RESULTS])); break;
    case 27: if (how % 4 == 0) { see("results close", api->results_close(results[how / 4 % RESULTS])); } break;
    case 28: see("when room", api->when_room(pool, &waiters[how % WAITERS].waiter)); break;
    case 29: see("forget", api->forget_room(pool, &waiters[how % WAITERS].waiter, 0)); break;
    case 30: see("room", api->room_is_readable(pool)); break;
    case 31: call_badly(how); break;
    case 32: if (how % 8 == 0) { end_pool(); } break;
    case 33:
        see("retain", api->group_retain(groups[slot]));
        see("release", api->group_release(groups[slot]));
        break;
    case 34: if (context != NULL) { see("should stop", api->should_stop(context)); } break;
    default: break;
    }
    see_stats();
}

/* Inside callbacks a few, less the deeper. */
static void some_calls(wp_context *context) {
    unsigned count = next_byte() % 4;
    see("inside now", (int64_t)api->now(pool));
    if (depth >= DEEP || tasks_made > MOST_TASKS) {
        return;
    }
    depth++;
    while (count-- > 0) {
        one_call(next_byte() % 36, context);
    }
    depth--;
}

static void end_program(void) {
    see("destroy", api->destroy(pool));
    for (unsigned i = 0; i < GROUPS; i++) {
        see("last release", api->group_release(groups[i]));
    }
    for (unsigned i = 0; i < RESULTS; i++) {
        see("last records", api->results_close(results[i]));
        for (int code = WP_OK; code == WP_OK;) {
            wp_record record = WP_RECORD_INIT;
            see("last next", code = api->results_next(results[i], &record, 0));
            if (code == WP_OK) {
                see_record(&record);
            }
            CHECK(code == WP_OK || code == WP_ECLOSED);
        }
        see("last release", api->results_release(results[i]));
    }
    CHECK_EQ(0, open_tasks);
    while (payloads != NULL) {
        CHECK(!payloads->has_end);
        free_payload(payloads);
    }
}

static void run_program(const struct calls *calls) {
    wp_options options = WP_OPTIONS_INIT;
    api = calls;
    is_library = calls == &of_the_library;
    program_at = 0;
    tasks_made = depth = 0;
    groups_left = MODEL_GROUPS - GROUPS;
    results_left = MODEL_RESULTS - RESULTS;
    open_tasks = 0;
    memset(figures_seen, 0, sizeof figures_seen);
    unsigned how = next_byte();
    options.mode = WP_MODE_MANUAL;
    options.capacity = 1 + how % MODEL_CAPACITY;
    options.timers = how >> 4 & 1;
    CHECK_EQ(WP_OK, api->create(&options, &pool));
    for (unsigned i = 0; i < GROUPS; i++) {
        wp_group_options group = WP_GROUP_OPTIONS_INIT;
        group.max_running = i == 1;
        group.parent = i == 2 ? groups[1] : i == 3 ? groups[0] : NULL;
        CHECK_EQ(WP_OK, api->group_create(pool, &group, &groups[i]));
    }
    for (unsigned i = 0; i < RESULTS; i++) {
        wp_results_options result = WP_RESULTS_OPTIONS_INIT;
        result.capacity = i == 0 ? MODEL_RECORDS : i;
        CHECK_EQ(WP_OK, api->results_create(&result, &results[i]));
    }
    for (unsigned i = 0; i < WAITERS; i++) {
        waiters[i] = (struct room_waiter){WP_WAITER_INIT, i};
        waiters[i].waiter.notify = notify;
        waiters[i].waiter.arg = &waiters[i];
    }
    while (program_at < program_size && tasks_made <= MOST_TASKS) {
        one_call(next_byte() % 36, NULL);
    }
    end_program();
}

static void fuzz_one(const uint8_t *bytes, size_t size) {
    program = bytes;
    program_size = size;
    traced = compared = 0;
    run_program(&of_the_model);
    run_program(&of_the_library);
    CHECK_EQ(traced, compared);
}

int main(int count, char **arguments) {
    return fuzz_main("fuzz_manual", count, arguments);
}
