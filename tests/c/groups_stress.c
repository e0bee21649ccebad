/* SPDX-License-Identifier: MIT
 *
 * The promise (laws L2 to L5) under everything at once: groups up to three deep that are made and released all the time, cancels from
 * outside, from tasks and from their `end`s, deadlines, limits, first failures, results with a slow reader, waits inside tasks, batches,
 * small queues, and shutdowns in either mode at a random moment from several threads. Every accepted task meets one fate, and brings one
 * `end` and one record; a refused one brings nothing; and as soon as a wait or a shutdown says WP_OK the memory of the tasks that
 * it covers is overwritten and freed, so that the address sanitizer or valgrind sees who comes later.
 *
 * WP_ROUNDS: pools; 200 in the short form (8 under valgrind).
 */
#include "groups.h"
#include "results.h"

enum { ACTORS = 3, SCOPES = 30, MOST = 6000, SLOTS = 6, DEEP = 3, BATCH = 5, HELP_DEEP = 3 };
enum { ALIVE = 0x600d, FAILURE = 7 };

/* What is known of a task; it stays. */
struct entry {
    atomic_uint runs, ends, records, fate;
    enum { NEVER, ACCEPTED, REFUSED } verdict;
    bool is_recorded;
};

/* All tasks of one group and of those inside it, the ones that these tasks made included. */
struct scope {
    struct payload *_Atomic first;
    struct scope *next;
};

/* What a task uses. It is gone as soon as it may be. */
struct payload {
    unsigned alive, touched;
    unsigned entry;
    uint64_t random;
    struct scope *scope;
    wp_group *group; /* There while the task is open. */
    struct payload *next;
};

static struct entry entries[MOST];
static atomic_uint entries_used, attempts, actors_done;
static wp_pool *pool;
static wp_results *results;
static atomic_ulong total[5], helped, helped_in_vain;

/* Groups that anybody may cancel or wait for, each with a reference. */
static wp_group *slots[SLOTS];
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;

static void slot_put(unsigned slot, wp_group *group) {
    if (group != NULL) {
        CHECK_EQ(WP_OK, wp_group_retain(group));
    }
    pthread_mutex_lock(&slots_lock);
    wp_group *old = slots[slot];
    slots[slot] = group;
    pthread_mutex_unlock(&slots_lock);
    release(old);
}

static wp_group *slot_get(unsigned slot) {
    pthread_mutex_lock(&slots_lock);
    wp_group *group = slots[slot];
    if (group != NULL) {
        CHECK_EQ(WP_OK, wp_group_retain(group));
    }
    pthread_mutex_unlock(&slots_lock);
    return group;
}

static void cancel_somebody(uint64_t dice) {
    wp_group *group = slot_get((unsigned)(dice % SLOTS));
    if (group != NULL) {
        CHECK_EQ(WP_OK, wp_group_cancel(group));
        release(group);
    }
}

/* ---- tasks ---- */

static int run(wp_context *context, void *arg);
static void end(const wp_outcome *outcome, void *arg);

static void scope_add(struct scope *scope, struct payload *payload) {
    struct payload *first = atomic_load(&scope->first);
    do {
        payload->next = first;
    } while (!atomic_compare_exchange_weak(&scope->first, &first, payload));
}

static void payload_free(struct payload *payload) {
    memset(payload, 0xDD, sizeof *payload);
    free(payload);
}

/* Everything in this scope is over. */
static void scope_free(struct scope *scope) {
    struct payload *next = atomic_load(&scope->first);
    while (next != NULL) {
        struct payload *payload = next;
        next = payload->next;
        CHECK_EQ(ALIVE, payload->alive);
        CHECK_EQ(1, atomic_load(&entries[payload->entry].ends));
        payload_free(payload);
    }
    memset(scope, 0xDD, sizeof *scope);
    free(scope);
}

static bool is_refusal(int code) {
    return code == WP_EFULL || code == WP_ETIMEDOUT || code == WP_EDEADLK || code == WP_ERESULTS || code == WP_ECANCELLED || code == WP_ECLOSED;
}

/* Submits up to `count` tasks to a group, and says what the submit did. */
static int submit_some(struct scope *scope, wp_group *group, size_t count, uint64_t timeout, uint64_t *random) {
    wp_task tasks[BATCH];
    struct payload *payloads[BATCH];
    size_t accepted = 0;
    unsigned first = atomic_fetch_add(&entries_used, (unsigned)count);
    if (first + count > MOST) {
        return WP_OK; /* Enough for this round. */
    }
    atomic_fetch_add(&attempts, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        uint64_t dice = check_random(random);
        struct payload *payload = payloads[i] = malloc(sizeof *payload);
        CHECK(payload != NULL);
        *payload = (struct payload){ALIVE, 0, first + (unsigned)i, dice, scope, group, NULL};
        tasks[i] = (wp_task)WP_TASK_INIT;
        tasks[i].run = run;
        tasks[i].end = end;
        tasks[i].arg = payload;
        tasks[i].group = group;
        tasks[i].label = dice >> 8 & 1 ? "stress" : NULL;
        tasks[i].results = dice >> 9 & 1 ? results : NULL;
        tasks[i].user_data = payload->entry;
        tasks[i].deadline = dice >> 10 & 3 ? 0 : wp_now(pool) + dice % NS_PER_MS;
        entries[payload->entry].is_recorded = tasks[i].results != NULL;
        scope_add(scope, payload);
    }
    int code;
    if (count == 1) {
        code = wp_submit_task(pool, &tasks[0], timeout);
        accepted = code == WP_OK;
    } else {
        code = wp_submit_batch(pool, tasks, count, sizeof *tasks, timeout, &accepted);
    }
    CHECK(code == WP_OK ? accepted == count : accepted < count && is_refusal(code));
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = &entries[first + i];
        entry->verdict = i < accepted ? ACCEPTED : REFUSED;
        if (i >= accepted) {
            CHECK_EQ(0, atomic_load(&entry->ends));
            atomic_store(&entry->ends, 1); /* Its scope counts it as over; an `end` would notice. */
            CHECK_EQ(0, payloads[i]->touched);
        }
    }
    return code;
}

/* Tasks in a group of their own inside this one, waited for inside a callback: it never sleeps. */
static _Thread_local unsigned helping;

static void help(wp_group *above, uint64_t *random) {
    wp_group *group = NULL;
    wp_group_options options = WP_GROUP_OPTIONS_INIT;
    struct scope *scope = calloc(1, sizeof *scope);
    CHECK(scope != NULL);
    options.parent = above;
    options.max_running = check_random(random) % 4 == 0;
    CHECK_EQ(WP_OK, wp_group_create(pool, &options, &group));
    helping++;
    for (unsigned i = check_random(random) % 3; i <= 3; i++) {
        (void)submit_some(scope, group, 1, check_random(random) % 2 ? WP_FOREVER : 0, random);
    }
    int code = wp_group_wait(group, WP_FOREVER);
    if (code == WP_EDEADLK) {
        /* Some run elsewhere. They end without this task: a look tells when. */
        atomic_fetch_add(&helped_in_vain, 1);
        while (wp_group_wait(group, 0) == WP_ETIMEDOUT && (code = wp_group_wait(group, WP_FOREVER)) != WP_OK) {
            CHECK_EQ(WP_EDEADLK, code);
            if (options.max_running != 0 || above != NULL) {
                CHECK_EQ(WP_OK, wp_group_cancel(group)); /* It may be held back by a limit that this very task takes. */
            }
            sched_yield();
        }
    } else {
        CHECK_EQ(WP_OK, code);
    }
    atomic_fetch_add(&helped, 1);
    helping--;
    scope_free(scope);
    release(group);
}

static int run(wp_context *context, void *arg) {
    struct payload *payload = arg;
    struct entry *entry = &entries[payload->entry];
    CHECK_EQ(ALIVE, payload->alive);
    CHECK_EQ(0, atomic_fetch_add(&entry->runs, 1));
    CHECK(wp_context_group(context) == payload->group);
    payload->touched++;
    uint64_t dice = check_random(&payload->random);
    switch (dice % 32) {
    case 0: CHECK_EQ(WP_OK, payload->group != NULL ? wp_group_cancel(payload->group) : WP_OK); break;
    case 1: cancel_somebody(dice >> 8); break;
    case 2:
    case 3:
    case 4:
    case 5: (void)submit_some(payload->scope, payload->group, 1 + dice / 32 % BATCH, dice >> 20 & 1 ? WP_FOREVER : 0, &payload->random); break;
    case 6:
    case 7:
        if (helping < HELP_DEEP) {
            help(payload->group, &payload->random);
        }
        break;
    case 8: {
        wp_group *group = helping < HELP_DEEP ? slot_get((unsigned)(dice >> 8) % SLOTS) : NULL;
        if (group != NULL) {
            helping++;
            int code = wp_group_wait(group, dice >> 30 & 1 ? WP_FOREVER : 1000);
            helping--;
            CHECK(code == WP_OK || code == WP_EDEADLK || code == WP_ETIMEDOUT);
            release(group);
        }
        break;
    }
    case 9:
        for (int i = 0; i < 20 && !wp_should_stop(context); i++) {
            sched_yield();
        }
        break;
    default:
        if (dice >> 40 & 1) {
            sched_yield();
        }
    }
    payload->touched++;
    return dice >> 50 & 15 ? 0 : FAILURE;
}

static void end(const wp_outcome *outcome, void *arg) {
    struct payload *payload = arg;
    struct entry *entry = &entries[payload->entry];
    CHECK_EQ(ALIVE, payload->alive);
    CHECK_EQ(outcome->fate == WP_FATE_RAN, atomic_load(&entry->runs));
    CHECK(outcome->fate == WP_FATE_RAN || (outcome->worker == WP_NO_WORKER && outcome->status == 0));
    CHECK(payload->group != NULL || outcome->fate != WP_FATE_CANCELLED);
    payload->touched++;
    uint64_t dice = check_random(&payload->random);
    switch (dice % 24) {
    case 0: cancel_somebody(dice >> 8); break;
    case 1: (void)submit_some(payload->scope, payload->group, 1, dice >> 20 & 1 ? WP_FOREVER : 0, &payload->random); break;
    case 2: sched_yield(); break;
    default: break;
    }
    atomic_store(&entry->fate, outcome->fate);
    atomic_fetch_add(&total[outcome->fate], 1);
    payload->touched++;
    CHECK_EQ(0, atomic_fetch_add(&entry->ends, 1));
}

/* ---- those outside ---- */

struct actor {
    uint64_t random;
    struct scope *left; /* What only a shutdown covers. */
    bool is_closed;
};

static uint64_t some_timeout(uint64_t dice) {
    return dice % 4 == 0 ? 0 : dice % 4 == 1 ? WP_FOREVER : dice / 4 % (NS_PER_MS / 2);
}

/* A few groups inside each other, tasks in them, and one of the ways to be sure that they are over. */
static void one_scope(struct actor *me) {
    uint64_t *random = &me->random, dice = check_random(random);
    unsigned depth = 1 + (unsigned)(dice % DEEP);
    wp_group *groups[DEEP];
    struct scope *scope = calloc(1, sizeof *scope);
    CHECK(scope != NULL);
    bool is_plain = dice >> 60 == 0;
    for (unsigned i = 0; i < depth; i++) {
        uint64_t how = check_random(random);
        groups[i] = group_with(pool, i > 0 ? groups[i - 1] : NULL, how % 8 == 0 ? wp_now(pool) + how / 8 % (2 * NS_PER_MS) : 0,
                               how >> 40 & 7 ? WP_ON_ERROR_GO_ON : WP_ON_ERROR_CANCEL, how >> 44 & 3 ? 0 : 1 + (uint32_t)(how >> 48 & 1));
    }
    if (dice >> 8 & 1) {
        slot_put((unsigned)(dice >> 16) % SLOTS, groups[dice >> 12 & 1 ? depth - 1 : 0]);
    }
    for (unsigned i = (unsigned)(dice >> 20 & 15); i > 0 && !me->is_closed; i--) {
        uint64_t what = check_random(random);
        wp_group *group = is_plain ? NULL : groups[what % depth];
        me->is_closed = submit_some(scope, group, what >> 8 & 3 ? 1 : 1 + (what >> 16) % BATCH, some_timeout(what >> 24), random) == WP_ECLOSED;
        if ((what >> 60 & 15) == 0) {
            CHECK_EQ(WP_OK, wp_group_cancel(groups[(what >> 10) % depth]));
        }
    }
    for (unsigned i = 1; i < depth; i++) {
        release(groups[i]);
    }
    int code = WP_ETIMEDOUT;
    if (!is_plain && dice >> 32 & 3) {
        do {
            code = wp_group_wait(groups[0], dice >> 34 & 1 ? WP_FOREVER : check_random(random) % (NS_PER_MS / 4));
        } while (code == WP_ETIMEDOUT);
        CHECK_EQ(WP_OK, code);
    } else if (dice >> 36 & 1) {
        code = wp_wait_idle(pool, NS_PER_MS);
        CHECK(code == WP_OK || code == WP_ETIMEDOUT);
    }
    if (code == WP_OK) {
        scope_free(scope);
    } else {
        scope->next = me->left;
        me->left = scope;
    }
    release(groups[0]);
}

static void close_pool(uint64_t *random) {
    int code;
    do {
        uint64_t dice = check_random(random);
        code = wp_shutdown_for(pool, (uint32_t)(dice & 1), dice >> 1 & 1 ? WP_FOREVER : dice % (NS_PER_MS / 2), NULL);
        CHECK(code == WP_OK || code == WP_ETIMEDOUT);
    } while (code != WP_OK);
}

static void *act(void *arg) {
    struct actor *me = arg;
    for (unsigned i = 0; i < SCOPES && !me->is_closed; i++) {
        one_scope(me);
    }
    atomic_fetch_add(&actors_done, 1);
    close_pool(&me->random);
    while (me->left != NULL) {
        struct scope *scope = me->left;
        me->left = scope->next;
        scope_free(scope);
    }
    return NULL;
}

static void *close_at_a_random_time(void *arg) {
    uint64_t *random = arg;
    unsigned when = (unsigned)(check_random(random) % 2000);
    AWAIT(atomic_load(&attempts) >= when || atomic_load(&actors_done) > 0);
    close_pool(random);
    return NULL;
}

static void *read_slowly(void *arg) {
    uint64_t *random = arg;
    for (;;) {
        wp_record records[5];
        size_t got = 0, most = 1 + check_random(random) % 5;
        int code = wp_results_drain(results, records, most, sizeof *records, WP_FOREVER, &got);
        if (code == WP_ECLOSED) {
            return NULL;
        }
        CHECK_EQ(WP_OK, code);
        for (size_t i = 0; i < got; i++) {
            struct entry *entry = &entries[records[i].user_data];
            CHECK_EQ(1, atomic_load(&entry->ends)); /* after its `end` */
            CHECK_EQ(atomic_load(&entry->fate), records[i].fate);
            CHECK_EQ(0, atomic_fetch_add(&entry->records, 1));
        }
        for (unsigned slow = check_random(random) % 8; slow > 0; slow--) {
            sched_yield();
        }
    }
}

static atomic_bool is_watched;
static volatile wp_stats watched; /* For a debugger. */

static void *watch(void *arg) {
    (void)arg;
    while (atomic_load(&is_watched)) {
        watched = check_sum(pool);
        sched_yield();
    }
    return NULL;
}

/* ---- the reckoning ---- */

static void each_task_has_met_its_fate(const wp_stats *last) {
    uint64_t accepted = 0, fates[5] = {0};
    unsigned used = atomic_load(&entries_used);
    for (unsigned i = 0; i < used && i < MOST; i++) {
        struct entry *entry = &entries[i];
        unsigned fate = atomic_load(&entry->fate), runs = atomic_load(&entry->runs);
        if (entry->verdict == ACCEPTED) {
            accepted++;
            fates[fate]++;
            CHECK_EQ(1, atomic_load(&entry->ends));
            CHECK_EQ(fate == WP_FATE_RAN, runs);
            CHECK_EQ(entry->is_recorded, atomic_load(&entry->records));
        } else {
            CHECK_EQ(0, runs + fate + atomic_load(&entry->records));
        }
    }
    CHECK_EQ(accepted, last->accepted);
    CHECK_EQ(fates[WP_FATE_RAN], last->ran);
    CHECK_EQ(fates[WP_FATE_CANCELLED], last->cancelled);
    CHECK_EQ(fates[WP_FATE_EXPIRED], last->expired);
    CHECK_EQ(fates[WP_FATE_DISCARDED], last->discarded);
    CHECK(last->exact && last->queued == 0 && last->running == 0 && last->waiting == 0 && last->passed_over == 0);
}

static void one_round(uint64_t *random) {
    uint64_t dice = check_random(random), seeds[3];
    struct actor actors[ACTORS];
    pthread_t threads[ACTORS], closers[2], reader, watcher;
    wp_options options = WP_OPTIONS_INIT;
    memset(entries, 0, sizeof entries);
    atomic_store(&entries_used, 0);
    atomic_store(&attempts, 0);
    atomic_store(&actors_done, 0);
    options.workers = 1 + (uint32_t)(dice % 4);
    options.capacity = 1 + (uint32_t)(dice >> 8 & 15);
    options.timers = dice >> 12 & 1;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    results = check_results(1 + (uint32_t)(dice >> 16 & 63), dice >> 24 & 1 ? WP_RESULTS_WAIT : 0);
    atomic_store(&is_watched, true);
    for (unsigned i = 0; i < 3; i++) {
        seeds[i] = check_random(random);
    }
    reader = check_thread(read_slowly, &seeds[2]);
    watcher = check_thread(watch, NULL);
    for (unsigned i = 0; i < ACTORS; i++) {
        actors[i] = (struct actor){check_random(random), NULL, false};
        threads[i] = check_thread(act, &actors[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        closers[i] = check_thread(close_at_a_random_time, &seeds[i]);
    }
    for (unsigned i = 0; i < ACTORS; i++) {
        check_join(threads[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        check_join(closers[i]);
    }
    atomic_store(&is_watched, false);
    check_join(watcher);
    wp_stats last = check_sum(pool);
    CHECK_EQ(WP_OK, wp_results_close(results));
    check_join(reader);
    each_task_has_met_its_fate(&last);
    CHECK_EQ(WP_OK, wp_results_release(results));
    if (dice >> 32 & 1) {
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        if (slots[i] != NULL) {
            CHECK_EQ(WP_OK, wp_group_wait(slots[i], WP_FOREVER));
            wp_group_status status = status_of(slots[i]);
            CHECK_EQ(0, status.queued + status.running);
        }
        slot_put(i, NULL); /* Maybe after the pool. */
    }
    if (!(dice >> 32 & 1)) {
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

int main(void) {
    check_begin("groups_stress");
    uint64_t seed = check_seed();
    unsigned long rounds = check_rounds(check_on_valgrind() ? 8 : 200);
    alarm((unsigned)(60 + rounds) * (unsigned)check_slowness);
    check_case = "rounds";
    for (unsigned long round = 0; round < rounds; round++) {
        one_round(&seed);
        atomic_fetch_add(&check_passed, 1);
    }
    printf("groups_stress: %lu ran, %lu cancelled, %lu expired, %lu discarded; %lu waits inside tasks, %lu of them had to be repeated\n",
           atomic_load(&total[WP_FATE_RAN]), atomic_load(&total[WP_FATE_CANCELLED]), atomic_load(&total[WP_FATE_EXPIRED]),
           atomic_load(&total[WP_FATE_DISCARDED]), atomic_load(&helped), atomic_load(&helped_in_vain));
    for (unsigned fate = WP_FATE_RAN; fate <= WP_FATE_DISCARDED; fate++) {
        CHECK_AT_LEAST(1, atomic_load(&total[fate]));
    }
    return check_end();
}
