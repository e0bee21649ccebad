/* SPDX-License-Identifier: MIT
 *
 * Programs of calls on a pool with threads, by up to three threads of their own and by the callbacks. What happens when is not
 * predicted; what must hold whenever it happens is checked, in the run and after it:
 *
 *   one fate      each accepted task ended once, ran at most once, as its `end` and its record say; of one that was refused nothing was touched
 *   the account   the figures add up in every snapshot, never go back, keep to the bounds when exact, and at the end are what was counted here
 *   waits         after one that said WP_OK what it covers is poisoned and freed: who touches it later is found out
 *   limits        no more tasks of a limited group run at once than it says; one whose deadline had passed at its submit never runs
 *   room          each waiter that was taken on is told once, or forgotten
 *   answers       only those that the header has for that call, there and then; inside callbacks the table at its top
 *
 * A program is a string of bytes: the pool's options, then an equal part for each thread. A task takes eight bytes of its submitter's
 * part along: they say what its callbacks do. Whoever hangs is ended by the engine, which tells where each thread was.
 */
#include "threads_tasks.h"

/* ---- outside ---- */

static unsigned next_byte(struct actor *me) {
    return me->at < me->size ? me->bytes[me->at++] : 0;
}

static void check_own_are_over(struct actor *me) {
    for (unsigned i = 0; i < me->owned; i++) {
        struct entry *entry = &entries[me->own[i]];
        if (entry->verdict == ACCEPTED) {
            CHECK(!entry->has_end || atomic_load(&entry->ends) == 1);
            CHECK(!entry->is_plain || atomic_load(&has_closed) || atomic_load(&entry->runs) == 1);
        }
    }
}

static void open_scope(struct actor *me, unsigned how) {
    wp_group_options group = WP_GROUP_OPTIONS_INIT;
    struct scope *scope = calloc(1, sizeof *scope);
    CHECK(scope != NULL);
    scope->above = how & 1 ? &shared[how >> 1 & 3] : NULL;
    scope->limit = how & 8 ? 1 + (how >> 4 & 1) : 0;
    group.parent = scope->above != NULL ? scope->above->group : NULL;
    group.max_running = scope->limit;
    group.on_error = how & 32 ? WP_ON_ERROR_CANCEL : WP_ON_ERROR_GO_ON;
    group.deadline = (how & 192) == 192 ? wp_now(pool) + how * 500 : 0;
    here("group create");
    CHECK_EQ(WP_OK, wp_group_create(pool, &group, &scope->group));
    me->scope = scope;
    me->is_cancelled = false;
}

/* When the wait says that it is over, nothing of it may be touched again. */
static void close_scope(struct actor *me, bool is_for_good) {
    struct scope *scope = me->scope;
    int code;
    do {
        unsigned how = next_byte(me);
        here("group wait");
        code = wp_group_wait(scope->group, how & 1 || is_for_good ? WP_FOREVER : how * 1000);
        ANSWER(code, WP_OK, WP_ETIMEDOUT);
    } while (code != WP_OK && is_for_good);
    if (code != WP_OK) {
        return;
    }
    wp_group_status status = WP_GROUP_STATUS_INIT;
    CHECK_EQ(WP_OK, wp_group_status_get(scope->group, &status));
    CHECK_EQ(0, status.queued + status.running);
    free_payloads(&scope->payloads);
    if (is_for_good) {
        here("group release");
        CHECK_EQ(WP_OK, wp_group_release(scope->group));
        free(scope);
        me->scope = NULL;
    }
}

static void room_calls(struct actor *me, unsigned how) {
    bool is_armed = me->armed > me->forgotten + atomic_load(&me->told);
    if (!is_armed && how & 1) {
        /* Its last notice has returned, or the memory would not be this thread's yet. */
        here("forget before");
        ANSWER(wp_forget_room(pool, &me->waiter, WP_FOREVER), WP_ETOOLATE);
        here("when room");
        int code = wp_when_room(pool, &me->waiter);
        ANSWER(code, WP_OK, WP_ECLOSED);
        me->armed += code == WP_OK;
    } else if (is_armed) {
        here("forget room");
        int code = wp_forget_room(pool, &me->waiter, how & 2 ? WP_FOREVER : 0);
        ANSWER(code, WP_OK, WP_ETOOLATE, WP_ETIMEDOUT);
        me->forgotten += code == WP_OK;
    }
}

static void shut_down(unsigned how) {
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    atomic_store(&has_closed, true);
    here("shutdown");
    int code = wp_shutdown_for(pool, how & 1, how & 2 ? WP_FOREVER : (how & 12) * 10000, &report);
    ANSWER(code, WP_OK, WP_ETIMEDOUT);
    CHECK(code != WP_OK || report.queued + report.running == 0);
}

static void one_call(struct actor *me) {
    unsigned what = next_byte(me), how = next_byte(me);
    uint8_t script[SCRIPT];
    switch (what % 20) {
    case 1:
    case 2:
    case 3:
        for (unsigned i = 0; i < SCRIPT; i++) {
            script[i] = (uint8_t)next_byte(me);
        }
        submit_plain(me, how, script);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        for (unsigned i = 0; i < SCRIPT; i++) {
            script[i] = (uint8_t)next_byte(me);
        }
        /* Those of its own scope are over when a wait for it says so: then nobody asks for them again. */
        (void)submit_tasks(me, what & 32 ? NULL : what & 64 ? &shared[what >> 7] : me->scope, what & 16 ? 1 : 1 + how % BATCH, how, script,
                           !(what & 32) && !(what & 64) && me->is_cancelled);
        break;
    case 8: close_scope(me, false); break;
    case 9:
        close_scope(me, true);
        open_scope(me, how);
        break;
    case 10:
        here("cancel");
        CHECK_EQ(WP_OK, wp_group_cancel(me->scope->group));
        me->is_cancelled = true;
        break;
    case 11:
        if (how % 8 == 0) {
            here("cancel shared");
            CHECK_EQ(WP_OK, wp_group_cancel(shared[how / 8 % GROUPS].group));
        }
        break;
    case 12: {
        here("wait idle");
        int code = wp_wait_idle(pool, how & 1 ? WP_FOREVER : how * 1000);
        ANSWER(code, WP_OK, WP_ETIMEDOUT);
        CHECK(code == WP_OK || !(how & 1));
        if (code == WP_OK) {
            check_own_are_over(me);
        }
        break;
    }
    case 13:
    case 14: read_some(results[how % RESULTS], how % 5, how & 32 ? how * 1000 : 0); break;
    case 15: see_stats(&me->last); break;
    case 16: room_calls(me, how); break;
    case 17:
        here("room fd");
        CHECK(wp_room_fd(pool) >= 0);
        here("results fd");
        CHECK(wp_results_fd(results[how % RESULTS]) >= 0);
        CHECK_EQ(WP_OK, wp_group_retain(shared[how % GROUPS].group));
        CHECK_EQ(WP_OK, wp_group_release(shared[how % GROUPS].group));
        break;
    case 18:
        if (how % 16 == 0) {
            shut_down(next_byte(me));
        }
        break;
    case 19:
        here("group wait shared");
        ANSWER(wp_group_wait(shared[how % GROUPS].group, how * 200), WP_OK, WP_ETIMEDOUT);
        break;
    default: break;
    }
}

static void *act(void *arg) {
    struct actor *me = arg;
    place = me->index;
    open_scope(me, next_byte(me));
    while (me->at < me->size) {
        one_call(me);
    }
    close_scope(me, true);
    here("done");
    return NULL;
}

/* ---- a run ---- */

static void begin_run(const uint8_t *bytes, size_t size) {
    wp_options fresh = WP_OPTIONS_INIT;
    unsigned first = size > 0 ? bytes[0] : 0, second = size > 1 ? bytes[1] : 0;
    options = fresh;
    options.capacity = 1 + first % 16;
    options.timers = first >> 4 & 1;
    options.workers = 1 + second % 4;
    actor_count = 1 + (second >> 2) % THREADS;
    atomic_store(&has_closed, false);
    memset(entries, 0, sizeof entries);
    memset(actors, 0, sizeof actors);
    memset(shared, 0, sizeof shared);
    atomic_store(&entries_used, 0);
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    for (unsigned i = 0; i < GROUPS; i++) {
        wp_group_options group = WP_GROUP_OPTIONS_INIT;
        shared[i].limit = group.max_running = i == 1 ? 1 : i == 3 ? 2 : 0;
        shared[i].above = i >= 2 ? &shared[i - 2] : NULL;
        group.parent = i >= 2 ? shared[i - 2].group : NULL;
        CHECK_EQ(WP_OK, wp_group_create(pool, &group, &shared[i].group));
    }
    for (unsigned i = 0; i < RESULTS; i++) {
        wp_results_options result = WP_RESULTS_OPTIONS_INIT;
        result.capacity = i == 0 ? 1 + (first >> 5) : 16;
        results_wait[i] = i == 0 && second & 64;
        result.flags = results_wait[i] ? WP_RESULTS_WAIT : 0;
        CHECK_EQ(WP_OK, wp_results_create(&result, &results[i]));
    }
    size_t part = size > 2 ? (size - 2) / actor_count : 0;
    for (unsigned i = 0; i < actor_count; i++) {
        actors[i].index = i + 1;
        actors[i].bytes = bytes + 2 + i * part;
        actors[i].size = part;
        actors[i].waiter = (wp_waiter)WP_WAITER_INIT;
        actors[i].waiter.notify = notify;
        actors[i].waiter.arg = &actors[i];
    }
}

static void check_room(void) {
    for (unsigned i = 0; i < actor_count; i++) {
        CHECK_EQ(actors[i].armed, actors[i].forgotten + atomic_load(&actors[i].told));
    }
}

/* The pool is over, and all records are read. */
static void check_account(const wp_stats *last) {
    uint64_t accepted = 0, fates[5] = {0};
    unsigned used = atomic_load(&entries_used);
    for (unsigned i = 0; i < used && i < MOST; i++) {
        struct entry *entry = &entries[i];
        unsigned runs = atomic_load(&entry->runs), ends = atomic_load(&entry->ends);
        CHECK(entry->verdict != UNSEEN);
        if (entry->verdict == REFUSED) {
            CHECK_EQ(0, runs + ends + atomic_load(&entry->records));
            continue;
        }
        accepted++;
        CHECK_AT_MOST(1, runs);
        CHECK_EQ(entry->has_end, ends);
        CHECK_EQ(entry->is_recorded, atomic_load(&entry->records));
        fates[atomic_load(&entry->fate)] += entry->has_end;
        fates[WP_FATE_RAN] += !entry->has_end && runs;
        CHECK(!(entry->is_plain && !atomic_load(&has_closed)) || runs == 1);
    }
    CHECK_EQ(accepted, last->accepted);
    CHECK_EQ(0, last->queued + last->running + last->waiting);
    CHECK_EQ(fates[WP_FATE_RAN], last->ran);
    CHECK(fates[WP_FATE_CANCELLED] <= last->cancelled && fates[WP_FATE_EXPIRED] <= last->expired &&
          fates[WP_FATE_DISCARDED] <= last->discarded);
}

static void fuzz_one(const uint8_t *bytes, size_t size) {
    pthread_t threads[THREADS];
    begin_run(bytes, size);
    place = 0;
    for (unsigned i = 0; i < actor_count; i++) {
        threads[i] = check_thread(act, &actors[i]);
    }
    for (unsigned i = 0; i < actor_count; i++) {
        check_join(threads[i]);
    }
    unsigned how = size > 1 ? bytes[1] >> 6 : 0;
    here("last shutdown");
    CHECK_EQ(WP_OK, wp_shutdown_for(pool, how & 1, WP_FOREVER, NULL));
    if (how & 1) {
        atomic_store(&has_closed, true);
    }
    check_room();
    free_payloads(&loose);
    for (unsigned i = 0; i < GROUPS; i++) {
        wp_group_status status = WP_GROUP_STATUS_INIT;
        CHECK_EQ(WP_OK, wp_group_status_get(shared[i].group, &status));
        CHECK_EQ(0, status.queued + status.running);
        free_payloads(&shared[i].payloads);
    }
    for (unsigned i = 0; i < RESULTS; i++) {
        CHECK_EQ(WP_OK, wp_results_close(results[i]));
        wp_record record = WP_RECORD_INIT;
        for (int code = WP_OK; code == WP_OK;) {
            code = wp_results_next(results[i], &record, 0);
            ANSWER(code, WP_OK, WP_ECLOSED);
            if (code == WP_OK) {
                CHECK_EQ(0, atomic_fetch_add(&entries[record.user_data].records, 1));
            }
        }
    }
    wp_stats last = check_stats(pool);
    check_account(&last);
    here("destroy");
    CHECK_EQ(WP_OK, wp_destroy(pool));
    for (unsigned i = 0; i < GROUPS; i++) {
        CHECK_EQ(WP_OK, wp_group_release(shared[i].group));
    }
    for (unsigned i = 0; i < RESULTS; i++) {
        CHECK_EQ(WP_OK, wp_results_release(results[i]));
    }
}

int main(int count, char **arguments) {
    return fuzz_main("fuzz_threads", count, arguments);
}
