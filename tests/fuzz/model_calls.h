/* SPDX-License-Identifier: MIT
 *
 * The calls on the model's pool, as workerpool.h has them.
 */
#ifndef FUZZ_MODEL_CALLS_H
#define FUZZ_MODEL_CALLS_H

#include "model_groups.h"

static int m_create(const wp_options *options, wp_pool **pool) {
    memset(&model, 0, sizeof model);
    model.capacity = options->capacity;
    model.has_timer = options->timers != 0;
    model.now = NS_PER_S;
    *pool = (wp_pool *)&model;
    return WP_OK;
}

static int m_push(const struct m_task *task) {
    if (m_is_cancelled(task->group)) {
        return WP_ECANCELLED;
    }
    if (model.is_closed) {
        return WP_ECLOSED;
    }
    if (m_is_full()) {
        return WP_EFULL;
    }
    if (m_lane(task->group) != NULL) {
        m_lane_push(task);
    } else {
        model.ring[model.tail++ % model.capacity] = *task;
    }
    model.figures.accepted++;
    model.figures.queued++;
    M_LINE(task->group, each) {
        each->queued++;
    }
    return WP_OK;
}

static int m_push_waiting(const struct m_task *task, uint64_t timeout) {
    int code = m_push(task);
    if (code != WP_EFULL || timeout == 0) {
        return code;
    }
    if (m_is_inside()) {
        return WP_EDEADLK;
    }
    for (const struct m_task *hurried = NULL; code == WP_EFULL; hurried = task) {
        uint64_t ran = 0;
        m_step_for(1, &ran, hurried, &code);
        if (code == WP_EFULL) {
            code = m_push(task);
        }
    }
    return code;
}

static struct m_task m_plain(wp_run_fn run, void *arg) {
    struct m_task task = {0};
    task.plain = run;
    task.arg = arg;
    task.deadline = MODEL_NEVER;
    task.is_there = true;
    return task;
}

static int m_submit_for(wp_pool *pool, wp_run_fn run, void *arg, uint64_t timeout) {
    (void)pool;
    struct m_task task = m_plain(run, arg);
    return m_refuse(m_push_waiting(&task, timeout));
}

static int m_submit(wp_pool *pool, wp_run_fn run, void *arg) {
    return m_submit_for(pool, run, arg, WP_FOREVER);
}

static int m_try_submit(wp_pool *pool, wp_run_fn run, void *arg) {
    (void)pool;
    struct m_task task = m_plain(run, arg);
    return m_refuse(m_push(&task));
}

static struct m_task m_full(const wp_task *given) {
    struct m_group *group = (struct m_group *)given->group;
    uint64_t deadline = given->deadline == 0 ? MODEL_NEVER : given->deadline;
    uint64_t latest = group != NULL ? group->deadline : MODEL_NEVER;
    return (struct m_task){NULL, given->run, given->end, given->arg, given->label, (struct m_results *)given->results, group,
                           given->user_data, deadline < latest ? deadline : latest, true};
}

static int m_reserve(const struct m_task *task, uint64_t timeout) {
    struct m_results *results = task->results;
    if (results == NULL) {
        return WP_OK;
    }
    if (results->is_closed) {
        return WP_ECLOSED;
    }
    if (results->reserved + results->count < results->capacity) {
        results->reserved++;
        return WP_OK;
    }
    if (model.is_closed) {
        return WP_ECLOSED;
    }
    if (m_is_cancelled(task->group)) {
        return WP_ECANCELLED;
    }
    return timeout == 0 || !results->waits ? WP_ERESULTS : WP_EDEADLK;
}

static int m_submit_one(const struct m_task *task, uint64_t timeout) {
    int code = m_reserve(task, timeout);
    if (code == WP_OK && (code = m_push_waiting(task, timeout)) != WP_OK && task->results != NULL) {
        task->results->reserved--;
    }
    return m_refuse(code);
}

static int m_submit_task(wp_pool *pool, const wp_task *given, uint64_t timeout) {
    (void)pool;
    struct m_task task = m_full(given);
    return m_submit_one(&task, timeout);
}

/* Tasks without group and deadline have their places in results reserved for as many at a time as there are. */
static int m_submit_reserved(const wp_task *given, size_t count, uint64_t timeout, size_t *accepted) {
    while (*accepted < count) {
        size_t first = *accepted, end = first + 1;
        struct m_task task = m_full(&given[first]);
        int code = m_reserve(&task, timeout);
        if (code != WP_OK) {
            return m_refuse(code);
        }
        for (; end < count; end++) {
            struct m_results *results = (struct m_results *)given[end].results;
            if (results != NULL) {
                if (results->is_closed || results->reserved + results->count >= results->capacity) {
                    break;
                }
                results->reserved++;
            }
        }
        for (size_t i = first; i < end && code == WP_OK; i++) {
            task = m_full(&given[i]);
            code = m_push_waiting(&task, timeout);
            *accepted += code == WP_OK;
        }
        for (size_t i = *accepted; i < end; i++) {
            struct m_results *results = (struct m_results *)given[i].results;
            if (results != NULL) {
                results->reserved--;
            }
        }
        if (code != WP_OK) {
            return m_refuse(code);
        }
    }
    return WP_OK;
}

static int m_submit_batch(wp_pool *pool, const wp_task *given, size_t count, size_t size, uint64_t timeout, size_t *accepted) {
    (void)pool;
    (void)size;
    bool is_scoped = false;
    *accepted = 0;
    for (size_t i = 0; i < count; i++) {
        is_scoped |= given[i].group != NULL || given[i].deadline != 0;
    }
    if (!is_scoped) {
        return m_submit_reserved(given, count, timeout, accepted);
    }
    for (size_t i = 0; i < count; i++) {
        struct m_task task = m_full(&given[i]);
        int code = m_submit_one(&task, timeout);
        if (code != WP_OK) {
            return code;
        }
        *accepted += 1;
    }
    return WP_OK;
}

static int m_run(wp_pool *pool, uint64_t max, uint64_t *ran) {
    (void)pool;
    *ran = 0;
    if (m_is_inside()) {
        return WP_EDEADLK;
    }
    m_step(max, ran);
    return WP_OK;
}

static int m_clock_advance(wp_pool *pool, uint64_t nanoseconds) {
    (void)pool;
    uint64_t target = nanoseconds > UINT64_MAX - model.now ? UINT64_MAX : model.now + nanoseconds, next;
    while (model.has_timer && (next = m_next_deadline()) <= target && next != MODEL_NEVER) {
        model.now = next > model.now ? next : model.now;
        m_expire(model.now);
    }
    model.now = target > model.now ? target : model.now;
    return WP_OK;
}

static uint64_t m_now(const wp_pool *pool) {
    (void)pool;
    return model.now;
}

static int m_wait_idle(wp_pool *pool, uint64_t timeout) {
    (void)pool;
    if (m_is_inside()) {
        return WP_EDEADLK;
    }
    uint64_t ran = 0;
    if (timeout != 0 && !m_is_quiet()) {
        m_step(UINT64_MAX, &ran);
    }
    return m_is_quiet() ? WP_OK : WP_ETIMEDOUT;
}

static int m_shutdown_for(wp_pool *pool, uint32_t mode, uint64_t timeout, wp_shutdown_report *report) {
    (void)pool;
    if (m_is_inside()) {
        return WP_EDEADLK;
    }
    bool was_closed = model.is_closed;
    struct m_task task;
    model.is_closed = true;
    if (!was_closed) {
        m_tell_room();
    }
    if (mode == WP_SHUTDOWN_CANCEL) {
        unsigned block = 0;
        model.is_halted = true;
        while (m_take_ring(&task)) {
            if (task.is_there) {
                m_end_unrun(&task, WP_FATE_DISCARDED);
            }
        }
        while (m_claim_lanes(&block, M_ALL, NULL, 0, &task)) {
            m_end_unrun(&task, WP_FATE_DISCARDED);
        }
    }
    uint64_t ran = 0;
    if (timeout != 0 || m_is_quiet()) {
        m_step(UINT64_MAX, &ran);
    }
    if (report != NULL) {
        report->queued = model.figures.queued;
        report->running = model.figures.running;
        report->discarded = model.figures.discarded;
    }
    return m_is_quiet() ? WP_OK : WP_ETIMEDOUT;
}

static int m_destroy(wp_pool *pool) {
    return m_shutdown_for(pool, WP_SHUTDOWN_DRAIN, WP_FOREVER, NULL);
}

static int m_stats_get(const wp_pool *pool, wp_stats *stats) {
    (void)pool;
    wp_stats now = model.figures;
    now.struct_size = sizeof now;
    now.workers = 1;
    now.capacity = model.capacity;
    now.exact = 1;
    now.closed = model.is_closed;
    *stats = now;
    return WP_OK;
}

#endif
