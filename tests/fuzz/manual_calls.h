/* SPDX-License-Identifier: MIT
 *
 * The calls that a program on the manual pool makes, each decoded from its bytes.
 */
#ifndef FUZZ_MANUAL_CALLS_H
#define FUZZ_MANUAL_CALLS_H

#include "manual.h"

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

#endif
