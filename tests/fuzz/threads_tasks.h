/* SPDX-License-Identifier: MIT
 *
 * Tasks of a program on a pool with threads: how they are submitted, and what their callbacks check and call.
 */
#ifndef FUZZ_THREADS_TASKS_H
#define FUZZ_THREADS_TASKS_H

#include "threads.h"

/* ---- callbacks ---- */

static void call_inside(wp_context *context, struct payload *payload, const uint8_t *script);

static void enter(struct scope *scope) {
    for (; scope != NULL; scope = scope->above) {
        unsigned now = 1 + atomic_fetch_add(&scope->running, 1);
        CHECK(scope->limit == 0 || now <= scope->limit);
    }
}

static void leave(struct scope *scope) {
    for (; scope != NULL; scope = scope->above) {
        atomic_fetch_sub(&scope->running, 1);
    }
}

static void run_any(wp_context *context, struct payload *payload) {
    CHECK_EQ(ALIVE, payload->alive);
    CHECK_EQ(0, atomic_fetch_add(&payload->entry->runs, 1));
    CHECK(!payload->entry->was_late);
    unsigned back = place;
    place = THREADS + 1 + (context != NULL ? wp_worker_index(context) : 0);
    enter(payload->scope);
    inside++;
    payload->touched++;
    call_inside(context, payload, payload->script);
    payload->touched++;
    inside--;
    leave(payload->scope);
    place = back;
    CHECK_EQ(ALIVE, payload->alive);
}

static void run_plain(void *arg) {
    run_any(NULL, arg);
}

static int run_task(wp_context *context, void *arg) {
    struct payload *payload = arg;
    CHECK(wp_context_group(context) == (payload->scope != NULL ? payload->scope->group : NULL));
    CHECK(wp_worker_index(context) < options.workers);
    run_any(context, payload);
    return payload->entry->status;
}

static void end_task(const wp_outcome *outcome, void *arg) {
    struct payload *payload = arg;
    struct entry *entry = payload->entry;
    CHECK_EQ(ALIVE, payload->alive);
    CHECK_EQ(outcome->fate == WP_FATE_RAN, atomic_load(&entry->runs));
    CHECK_EQ(outcome->fate == WP_FATE_RAN ? entry->status : 0, outcome->status);
    CHECK((outcome->fate == WP_FATE_RAN) == (outcome->worker != WP_NO_WORKER));
    CHECK(outcome->fate >= WP_FATE_RAN && outcome->fate <= WP_FATE_DISCARDED);
    CHECK(outcome->fate != WP_FATE_CANCELLED || payload->scope != NULL);
    fuzz_feature(1000000 + outcome->fate * 16 + (payload->scope != NULL) * 2 + (outcome->status != 0));
    atomic_store(&entry->fate, outcome->fate);
    inside++;
    call_inside(NULL, payload, payload->script + SCRIPT / 2);
    inside--;
    payload->touched++;
    CHECK_EQ(0, atomic_fetch_add(&entry->ends, 1));
}

static void notify(void *arg) {
    struct actor *actor = arg;
    atomic_fetch_add(&actor->told, 1);
}

/* ---- submits ---- */

static struct payload *new_payload(struct scope *scope, const uint8_t *script) {
    unsigned index = atomic_fetch_add(&entries_used, 1);
    if (index >= MOST) {
        return NULL;
    }
    struct payload *payload = calloc(1, sizeof *payload);
    CHECK(payload != NULL);
    payload->alive = ALIVE;
    payload->entry = &entries[index];
    payload->scope = scope;
    memcpy(payload->script, script, SCRIPT);
    push_payload(scope != NULL ? &scope->payloads : &loose, payload);
    return payload;
}

static void judge(struct entry *entry, bool is_accepted) {
    entry->verdict = is_accepted ? ACCEPTED : REFUSED;
    CHECK(is_accepted || atomic_load(&entry->ends) + atomic_load(&entry->runs) == 0);
}

static void own(struct actor *actor, struct entry *entry) {
    if (actor != NULL) {
        actor->own[actor->owned++] = (unsigned)(entry - entries);
    }
}

static void submit_plain(struct actor *actor, unsigned how, const uint8_t *script) {
    struct payload *payload = new_payload(NULL, script);
    if (payload == NULL) {
        return;
    }
    struct entry *entry = payload->entry;
    entry->is_plain = true;
    int code;
    here("submit");
    switch (how % 4) {
    case 0:
        code = wp_try_submit(pool, run_plain, payload);
        ANSWER(code, WP_OK, WP_EFULL, WP_ECLOSED);
        break;
    case 1:
        code = wp_submit_for(pool, run_plain, payload, 0);
        ANSWER(code, WP_OK, WP_EFULL, WP_ECLOSED);
        break;
    case 2:
        code = wp_submit_for(pool, run_plain, payload, 1 + how * 1000);
        if (inside != 0) {
            ANSWER(code, WP_OK, WP_EDEADLK, WP_ECLOSED);
        } else {
            ANSWER(code, WP_OK, WP_ETIMEDOUT, WP_ECLOSED);
        }
        break;
    default:
        code = wp_submit(pool, run_plain, payload);
        if (inside != 0) {
            ANSWER(code, WP_OK, WP_EDEADLK, WP_ECLOSED);
        } else {
            ANSWER(code, WP_OK, WP_ECLOSED);
        }
    }
    judge(entry, code == WP_OK);
    own(actor, entry);
}

/* Fills tasks; how many. Their arguments are the scope's before the submit, so that a refusal leaves nothing to do. */
static size_t make_tasks(wp_task *tasks, size_t count, struct scope *scope, unsigned how, const uint8_t *script) {
    size_t made = 0;
    for (; made < count; made++) {
        struct payload *payload = new_payload(scope, script);
        if (payload == NULL) {
            break;
        }
        struct entry *entry = payload->entry;
        unsigned mix = how ^ script[made % SCRIPT];
        tasks[made] = (wp_task)WP_TASK_INIT;
        tasks[made].run = run_task;
        tasks[made].arg = payload;
        tasks[made].end = mix & 1 ? end_task : NULL;
        tasks[made].group = scope != NULL ? scope->group : NULL;
        tasks[made].results = (mix & 6) == 6 ? results[mix >> 3 & 1] : NULL;
        tasks[made].user_data = (uint64_t)(entry - entries);
        tasks[made].label = mix & 16 ? "task" : NULL;
        uint64_t now = wp_now(pool);
        switch (mix >> 5) {
        case 5: tasks[made].deadline = now; break;
        case 6: tasks[made].deadline = now + 20000; break;
        case 7: tasks[made].deadline = now + NS_PER_S; break;
        default: break;
        }
        entry->was_late = mix >> 5 == 5;
        entry->is_joined = scope != NULL || tasks[made].deadline != 0;
        entry->has_end = tasks[made].end != NULL;
        entry->is_recorded = tasks[made].results != NULL;
        entry->status = (mix & 24) == 24 ? (int32_t)mix : 0;
    }
    return made;
}

static int submit_tasks(struct actor *actor, struct scope *scope, size_t count, unsigned how, const uint8_t *script, bool is_cancelled) {
    wp_task tasks[BATCH] = {WP_TASK_INIT};
    struct entry *made_entries[BATCH];
    size_t made = make_tasks(tasks, count, scope, how, script), accepted = 99;
    /* Who waits for a place in results relies on somebody who reads: not for ever. */
    uint64_t timeout = how & 64 ? 0 : how & 128 ? (how & 1 ? 1 : 50000) : WP_FOREVER;
    for (size_t i = 0; i < made; i++) {
        made_entries[i] = ((struct payload *)tasks[i].arg)->entry;
        bool may_wait = tasks[i].results != NULL && results_wait[tasks[i].results == results[1]];
        timeout = may_wait && timeout == WP_FOREVER ? 50000 : timeout;
    }
    int code;
    here(made == 1 ? "submit task" : "submit batch");
    if (made == 0) {
        return WP_OK;
    }
    if (made == 1) {
        code = wp_submit_task(pool, &tasks[0], timeout);
        accepted = code == WP_OK;
    } else {
        code = wp_submit_batch(pool, tasks, made, sizeof tasks[0], timeout, &accepted);
    }
    ANSWER(code, WP_OK, WP_ECLOSED, WP_ECANCELLED, WP_ERESULTS, WP_EFULL, WP_ETIMEDOUT, WP_EDEADLK);
    CHECK(code == WP_OK ? accepted == made : accepted < made);
    CHECK(code != WP_EDEADLK || (inside != 0 && timeout != 0));
    CHECK(code != WP_EFULL || timeout == 0);
    CHECK(code != WP_ETIMEDOUT || (timeout != 0 && timeout != WP_FOREVER && inside == 0));
    CHECK(code != WP_ECANCELLED || scope != NULL);
    CHECK(!is_cancelled || code != WP_OK);
    for (size_t i = 0; i < made; i++) {
        judge(made_entries[i], i < accepted);
        own(actor, made_entries[i]);
    }
    return code;
}

/* ---- inside callbacks ---- */

static void read_some(wp_results *from, size_t most, uint64_t timeout) {
    wp_record records[4];
    size_t got = 99;
    here("results drain");
    ANSWER(wp_results_drain(from, records, most, sizeof records[0], timeout, &got), WP_OK, WP_ETIMEDOUT, WP_ECLOSED);
    CHECK_AT_MOST(most, got);
    for (size_t i = 0; i < got; i++) {
        struct entry *entry = &entries[records[i].user_data];
        CHECK(entry->is_recorded);
        CHECK_EQ(0, atomic_fetch_add(&entry->records, 1));
        CHECK_EQ(records[i].fate == WP_FATE_RAN, atomic_load(&entry->runs));
        CHECK_EQ(entry->has_end, atomic_load(&entry->ends)); /* The record comes after `end`. */
        CHECK(!entry->has_end || records[i].fate == atomic_load(&entry->fate));
        CHECK_EQ(records[i].fate == WP_FATE_RAN ? entry->status : 0, records[i].status);
    }
}

static void see_stats(wp_stats *last) {
    wp_stats stats = WP_STATS_INIT;
    here("stats");
    CHECK_EQ(WP_OK, wp_stats_get(pool, &stats));
    CHECK_EQ(stats.accepted, stats.ran + stats.cancelled + stats.expired + stats.discarded + stats.queued + stats.running);
    if (stats.exact) {
        CHECK_AT_MOST(options.capacity, stats.queued + stats.passed_over);
    }
    CHECK(stats.failed <= stats.ran);
    if (last != NULL) {
        CHECK(stats.accepted >= last->accepted && stats.ran >= last->ran && stats.cancelled >= last->cancelled &&
              stats.expired >= last->expired && stats.discarded >= last->discarded && stats.refused >= last->refused &&
              stats.waits >= last->waits && stats.closed >= last->closed);
        *last = stats;
    }
}

static void call_inside(wp_context *context, struct payload *payload, const uint8_t *script) {
    unsigned how = script[1];
    if (inside > 4) {
        return;
    }
    switch (script[0] % 16) {
    case 1: submit_plain(NULL, how, payload->script); break;
    case 2:
    case 3: (void)submit_tasks(NULL, payload->scope, 1 + how % 3, how, payload->script, false); break;
    case 4: (void)submit_tasks(NULL, &shared[how % GROUPS], 1, script[2], payload->script, false); break;
    case 5:
        if (payload->scope != NULL) {
            here("cancel inside");
            CHECK_EQ(WP_OK, wp_group_cancel(payload->scope->group));
        }
        break;
    case 6:
        here("group wait inside");
        ANSWER(wp_group_wait(shared[how % GROUPS].group, how & 16 ? WP_FOREVER : how * 100), WP_OK, WP_EDEADLK, WP_ETIMEDOUT);
        break;
    case 7:
        if (payload->scope != NULL) {
            here("own group wait inside");
            CHECK_EQ(WP_EDEADLK, wp_group_wait(payload->scope->group, how & 1 ? WP_FOREVER : 0));
        }
        break;
    case 8: here("wait idle inside"); CHECK_EQ(WP_EDEADLK, wp_wait_idle(pool, how)); break;
    case 9: here("shutdown inside"); CHECK_EQ(WP_EDEADLK, wp_shutdown_for(pool, how & 1, how, NULL)); break;
    case 10: read_some(results[how % RESULTS], how % 5, 0); break;
    case 11: see_stats(NULL); break;
    case 12: here("destroy inside"); CHECK_EQ(WP_EDEADLK, wp_destroy(pool)); break;
    case 13: here("run inside"); CHECK_EQ(WP_EINVAL, wp_run(pool, 1, NULL)); break;
    case 14:
        for (unsigned i = 0; context != NULL && i < how % 16 && !wp_should_stop(context); i++) {
            sched_yield();
        }
        break;
    default: break;
    }
}

#endif
