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
#include "engine.h"

enum { THREADS = 3, GROUPS = 4, RESULTS = 2, MOST = 600, BATCH = 5, ALIVE = 0x11223344, SCRIPT = 8 };

enum verdict { UNSEEN, ACCEPTED, REFUSED };

/* What became of a task; it outlives the task's argument. */
struct entry {
    _Atomic unsigned runs, ends, records, fate;
    enum verdict verdict;
    bool has_end, is_recorded, was_late, is_joined, is_plain;
    int32_t status;
};

/* A group, how many of its tasks run, and the arguments that a wait for it covers. */
struct scope {
    wp_group *group;
    struct scope *above;
    unsigned limit;
    _Atomic unsigned running;
    struct payload *_Atomic payloads;
};

struct payload {
    uint32_t alive;
    uint32_t touched;
    struct entry *entry;
    struct scope *scope; /* NULL: only the pool's end covers it. */
    struct payload *next;
    uint8_t script[SCRIPT];
};

struct actor {
    unsigned index;
    const uint8_t *bytes;
    size_t size, at;
    struct scope *scope; /* Its own: nobody else submits to it but the tasks in it. */
    bool is_cancelled;
    wp_stats last;
    wp_waiter waiter;
    _Atomic unsigned told;
    unsigned armed, forgotten;
    unsigned own[MOST], owned;
};

static wp_pool *pool;
static wp_options options;
static struct scope shared[GROUPS];
static wp_results *results[RESULTS];
static bool results_wait[RESULTS];
static struct entry entries[MOST];
static atomic_uint entries_used;
static struct payload *_Atomic loose;
static struct actor actors[THREADS];
static unsigned actor_count;
static atomic_bool has_closed;
static _Thread_local unsigned inside;
static _Thread_local unsigned place;

static void here(const char *call) {
    fuzz_at(place, call);
}

/* One of these answers, which are the header's. */
#define ANSWER(call, ...)                                                                                    \
    do {                                                                                                     \
        static const int answers[] = {__VA_ARGS__};                                                          \
        check_answer(__LINE__, #call, call, answers, sizeof answers / sizeof answers[0]);                    \
    } while (0)

static int check_answer(int line, const char *what, int code, const int *answers, size_t count) {
    static _Thread_local uint64_t last;
    uint64_t now = (uint64_t)line * 64 + (uint64_t)(-code) * 2 + (inside != 0);
    fuzz_feature(last * 65537 ^ now);
    last = now;
    for (size_t i = 0; i < count; i++) {
        if (answers[i] == code) {
            return code;
        }
    }
    printf("threads.c:%d: %s: %d (%s)%s, which the header does not have\n", line, what, code, wp_strerror(code),
           inside != 0 ? " inside a callback" : "");
    check_abandon();
}

static void push_payload(struct payload *_Atomic *list, struct payload *payload) {
    payload->next = atomic_load(list);
    while (!atomic_compare_exchange_weak(list, &payload->next, payload)) {
    }
}

static void free_payloads(struct payload *_Atomic *list) {
    struct payload *payload = atomic_exchange(list, NULL);
    while (payload != NULL) {
        struct payload *next = payload->next;
        CHECK_EQ(ALIVE, payload->alive);
        memset(payload, 0xdd, sizeof *payload);
        free(payload);
        payload = next;
    }
}

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
        ANSWER(code, WP_OK, WP_ETIMEDOUT, WP_ECLOSED);
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
    ANSWER(code, WP_OK, WP_ECLOSED, WP_ECANCELLED, WP_ERESULTS, WP_ETIMEDOUT, WP_EDEADLK);
    CHECK(code == WP_OK ? accepted == made : accepted < made);
    CHECK(code != WP_EDEADLK || (inside != 0 && timeout != 0));
    CHECK(code != WP_ETIMEDOUT || (timeout != WP_FOREVER && (inside == 0 || timeout == 0)));
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
