/* SPDX-License-Identifier: MIT
 *
 * The calls on groups, contexts and results of the model, as workerpool.h has them.
 */
#ifndef FUZZ_MODEL_GROUPS_H
#define FUZZ_MODEL_GROUPS_H

#include "model_queue.h"

/* ---- groups ---- */

static int m_group_create(wp_pool *pool, const wp_group_options *options, wp_group **group) {
    (void)pool;
    struct m_group *made = &model.groups[model.groups_made++];
    memset(made, 0, sizeof *made);
    made->above = (struct m_group *)options->parent;
    made->deadline = options->deadline == 0 ? MODEL_NEVER : options->deadline;
    if (made->above != NULL && made->above->deadline < made->deadline) {
        made->deadline = made->above->deadline;
    }
    made->on_error = options->on_error;
    made->limit = options->max_running;
    *group = (wp_group *)made;
    return WP_OK;
}

static int m_group_hold(wp_group *group) {
    (void)group;
    return WP_OK;
}

static int m_group_wait(wp_group *handle, uint64_t timeout) {
    struct m_group *group = (struct m_group *)handle;
    for (struct m_callback *each = model.callbacks; each != NULL; each = each->below) {
        if (m_is_within(each->group, group)) {
            return WP_EDEADLK;
        }
    }
    if (group->queued + group->running == 0) {
        return WP_OK;
    }
    if (timeout == 0) {
        return WP_ETIMEDOUT;
    }
    if (m_is_inside()) {
        return m_help(group);
    }
    while (group->queued + group->running > 0) {
        uint64_t ran = 0;
        m_step(1, &ran);
    }
    return WP_OK;
}

static int m_group_cancel(wp_group *group) {
    m_cancel((struct m_group *)group, WP_STOP_CANCELLED);
    return WP_OK;
}

static uint32_t m_stop(struct m_group *group, uint64_t deadline) {
    M_LINE(group, each) {
        if (each->cancelled_by != 0) {
            return each->cancelled_by;
        }
    }
    bool is_late = m_is_late(deadline, model.now) || (group != NULL && m_is_late(group->deadline, model.now));
    return is_late ? WP_STOP_DEADLINE : WP_STOP_NONE;
}

static int m_group_status_get(const wp_group *handle, wp_group_status *status) {
    struct m_group *group = (struct m_group *)(uintptr_t)handle;
    *status = (wp_group_status)WP_GROUP_STATUS_INIT;
    status->queued = group->queued;
    status->running = group->running;
    status->ran = group->ran;
    status->failed = group->failed;
    status->cancelled = group->cancelled;
    status->expired = group->expired;
    status->discarded = group->discarded;
    status->stop = m_stop(group, MODEL_NEVER);
    status->first_status = group->first_status;
    memcpy(status->first_label, group->first_label, sizeof status->first_label);
    return WP_OK;
}

/* ---- the context ---- */

static uint32_t m_stop_reason(const wp_context *context) {
    const struct m_task *task = ((const struct m_context *)(const void *)context)->task;
    uint32_t stop = m_stop(task->group, task->deadline);
    return stop == WP_STOP_NONE && model.is_halted ? WP_STOP_SHUTDOWN : stop;
}

static int m_should_stop(const wp_context *context) {
    return m_stop_reason(context) != WP_STOP_NONE;
}

static uint64_t m_time_left(const wp_context *context) {
    uint64_t deadline = ((const struct m_context *)(const void *)context)->task->deadline;
    return deadline == MODEL_NEVER ? WP_FOREVER : deadline > model.now ? deadline - model.now : 0;
}

static uint32_t m_worker_index(const wp_context *context) {
    (void)context;
    return 0;
}

static const char *m_label(const wp_context *context) {
    return ((const struct m_context *)(const void *)context)->task->label;
}

static wp_group *m_context_group(const wp_context *context) {
    return (wp_group *)((const struct m_context *)(const void *)context)->task->group;
}

/* ---- results ---- */

static int m_results_create(const wp_results_options *options, wp_results **results) {
    struct m_results *made = &model.results[model.results_made++];
    memset(made, 0, sizeof *made);
    made->capacity = options->capacity;
    made->waits = options->flags == WP_RESULTS_WAIT;
    *results = (wp_results *)made;
    return WP_OK;
}

static int m_results_hold(wp_results *results) {
    (void)results;
    return WP_OK;
}

static bool m_is_finished(const struct m_results *results) {
    return results->is_closed && results->reserved == 0 && results->count == 0;
}

static int m_results_drain(wp_results *handle, wp_record *records, size_t count, size_t size, uint64_t timeout, size_t *got) {
    struct m_results *results = (struct m_results *)handle;
    (void)size;
    (void)timeout;
    *got = 0;
    if (count == 0) {
        return WP_OK;
    }
    if (results->count == 0) {
        return m_is_finished(results) ? WP_ECLOSED : WP_ETIMEDOUT;
    }
    *got = count < results->count ? count : results->count;
    memcpy(records, results->records, *got * sizeof *records);
    memmove(results->records, results->records + *got, (results->count - *got) * sizeof *records);
    results->count -= (unsigned)*got;
    return WP_OK;
}

static int m_results_next(wp_results *results, wp_record *record, uint64_t timeout) {
    size_t got;
    return m_results_drain(results, record, 1, sizeof *record, timeout, &got);
}

static int m_results_close(wp_results *results) {
    ((struct m_results *)results)->is_closed = true;
    return WP_OK;
}

static int m_results_are_readable(wp_results *handle) {
    const struct m_results *results = (struct m_results *)handle;
    return results->count > 0 || m_is_finished(results);
}

#endif
