/* SPDX-License-Identifier: MIT
 *
 * The model's queue: the ring, the lanes of limited groups, and how tasks leave them.
 */
#ifndef FUZZ_MODEL_QUEUE_H
#define FUZZ_MODEL_QUEUE_H

#include "model.h"

/* ---- lanes ---- */

static bool m_lane_is_full(struct m_group *group) {
    return group->limit != 0 && group->lane_running + group->candidates >= group->limit;
}

static struct m_group *m_lane(struct m_group *group) {
    M_LINE(group, each) {
        if (each->limit != 0) {
            return each;
        }
    }
    return NULL;
}

static void m_lane_add(struct m_group *group, int running, int candidates) {
    M_LINE(group, each) {
        if (each->limit != 0) {
            each->lane_running += (uint32_t)running;
            each->candidates += (uint32_t)candidates;
        }
    }
}

/* Behind all lanes that are ready, or behind those that are blocked at the outermost limited group that is full. */
static void m_lane_place(struct m_group *lane) {
    lane->is_listed = true;
    lane->listed = ++model.lists;
    lane->blocked_at = NULL;
    M_LINE(lane, each) {
        if (m_lane_is_full(each)) {
            lane->blocked_at = each;
        }
    }
    if (lane->blocked_at == NULL) {
        m_lane_add(lane, 0, 1);
    }
}

static void m_lane_unlist(struct m_group *lane) {
    if (lane->is_listed && lane->blocked_at == NULL) {
        m_lane_add(lane, 0, -1);
    }
    lane->is_listed = false;
}

/* The first on a list: of the ready lanes (NULL), or of those blocked at this group. */
static struct m_group *m_lane_first(struct m_group *at, struct m_group *within) {
    struct m_group *first = NULL;
    for (unsigned i = 0; i < model.groups_made; i++) {
        struct m_group *lane = &model.groups[i];
        bool is_it = lane->is_listed && lane->blocked_at == at &&
                     (within == NULL || m_is_within(model.blocks[lane->blocks[0]].group, within));
        if (is_it && (first == NULL || lane->listed < first->listed)) {
            first = lane;
        }
    }
    return first;
}

static void m_lane_settle(struct m_group *lane) {
    M_LINE(lane, each) {
        struct m_group *blocked;
        while (each->limit != 0 && !m_lane_is_full(each) && (blocked = m_lane_first(each, NULL)) != NULL) {
            m_lane_unlist(blocked);
            m_lane_place(blocked);
        }
    }
}

/* It has left the queue. */
static void m_taken(void) {
    model.figures.queued--;
    model.figures.running++;
}

static struct m_task m_lane_unlink(struct m_group *lane, unsigned index) {
    unsigned block = lane->blocks[index];
    memmove(&lane->blocks[index], &lane->blocks[index + 1], (lane->count - index - 1) * sizeof lane->blocks[0]);
    lane->count--;
    model.is_used[block] = false;
    model.free_blocks[model.free_count++] = block;
    model.in_lanes--;
    m_taken();
    return model.blocks[block];
}

static void m_lane_push(const struct m_task *task) {
    struct m_group *lane = m_lane(task->group);
    unsigned block = model.free_count > 0 ? model.free_blocks[--model.free_count] : model.blocks_used++;
    model.blocks[block] = *task;
    model.is_used[block] = true;
    lane->blocks[lane->count++] = block;
    model.in_lanes++;
    if (lane->count == 1) {
        m_lane_place(lane);
    }
}

static bool m_lane_take(struct m_group *within, struct m_task *task) {
    struct m_group *lane = model.is_halted ? NULL : m_lane_first(NULL, within);
    if (lane == NULL) {
        return false;
    }
    m_lane_unlist(lane);
    *task = m_lane_unlink(lane, 0);
    m_lane_add(lane, 1, 0);
    if (lane->count > 0) {
        m_lane_place(lane);
    }
    return true;
}

/* ---- the ends of tasks ---- */

enum m_want { M_OF_GROUP, M_LATE, M_ALL };

static bool m_is_wanted(const struct m_task *task, enum m_want want, struct m_group *group, uint64_t now) {
    switch (want) {
    case M_OF_GROUP: return m_is_within(task->group, group);
    case M_LATE: return m_is_late(task->deadline, now);
    default: return true;
    }
}

/* Takes the next task that is wanted out of its turn: of the ring, from this position to that one, then of the lanes. */
static bool m_claim_ring(uint64_t *from, uint64_t to, enum m_want want, struct m_group *group, uint64_t now, struct m_task *task) {
    for (*from = *from < model.head ? model.head : *from; *from < to;) {
        struct m_task *it = &model.ring[(*from)++ % model.capacity];
        if (it->is_there && (it->group != NULL || it->deadline != MODEL_NEVER) && m_is_wanted(it, want, group, now)) {
            *task = *it;
            it->is_there = false;
            model.figures.passed_over++;
            m_taken();
            return true;
        }
    }
    return false;
}

static bool m_claim_lanes(unsigned *block, enum m_want want, struct m_group *group, uint64_t now, struct m_task *task) {
    for (; *block < model.blocks_used; (*block)++) {
        if (!model.is_used[*block] || !m_is_wanted(&model.blocks[*block], want, group, now)) {
            continue;
        }
        struct m_group *lane = m_lane(model.blocks[*block].group);
        unsigned index = 0;
        while (!m_is_wanted(&model.blocks[lane->blocks[index]], want, group, now)) {
            index++;
        }
        *task = m_lane_unlink(lane, index);
        if (lane->count == 0) {
            m_lane_unlist(lane);
            m_lane_settle(lane);
        }
        return true;
    }
    return false;
}

static void m_count(uint32_t fate, int32_t status) {
    uint64_t *figures[] = {NULL, &model.figures.ran, &model.figures.cancelled, &model.figures.expired, &model.figures.discarded};
    *figures[fate] += 1;
    model.figures.failed += status != 0;
    model.figures.running--;
}

static void m_end(struct m_task *task, uint32_t fate, int32_t status) {
    bool is_run = fate == WP_FATE_RAN;
    wp_outcome outcome = {sizeof outcome, task->label, fate, status, is_run ? 0 : WP_NO_WORKER, 0};
    if (task->end != NULL) {
        task->end(&outcome, task->arg);
    }
    if (task->results != NULL) {
        task->results->reserved--;
        task->results->records[task->results->count++] = (wp_record){
            sizeof(wp_record), task->arg, task->user_data, 0, 0, fate, status, is_run ? 0 : WP_NO_WORKER, 0};
    }
}

static void m_leave(struct m_group *group, uint32_t fate, int32_t status) {
    M_LINE(group, each) {
        uint64_t *figures[] = {NULL, &each->ran, &each->cancelled, &each->expired, &each->discarded};
        *figures[fate] += 1;
        each->failed += status != 0;
        each->running--;
    }
}

static void m_begin(struct m_task *task) {
    M_LINE(task->group, each) {
        each->queued--;
        each->running++;
    }
}

static void m_end_unrun(struct m_task *task, uint32_t fate) {
    m_begin(task);
    struct m_callback callback = {task->group, model.callbacks};
    model.callbacks = &callback;
    m_end(task, fate, 0);
    model.callbacks = callback.below;
    m_leave(task->group, fate, 0);
    m_count(fate, 0);
}

static void m_cancel(struct m_group *group, uint32_t why) {
    if (group->cancelled_by == 0) {
        group->cancelled_by = why;
    }
    struct m_task task;
    uint64_t from = 0, to = model.tail;
    unsigned block = 0;
    while (m_claim_ring(&from, to, M_OF_GROUP, group, 0, &task)) {
        m_end_unrun(&task, WP_FATE_CANCELLED);
    }
    while (m_claim_lanes(&block, M_OF_GROUP, group, 0, &task)) {
        m_pay();
        m_end_unrun(&task, WP_FATE_CANCELLED);
    }
}

/* True: it ran. */
static bool m_perform(struct m_task *task) {
    bool is_in_lane = m_lane(task->group) != NULL;
    m_begin(task);
    uint32_t fate = m_is_cancelled(task->group) ? WP_FATE_CANCELLED : m_is_late(task->deadline, model.now) ? WP_FATE_EXPIRED : WP_FATE_RAN;
    struct m_callback callback = {task->group, model.callbacks};
    struct m_context context = {task};
    int32_t status = 0;
    model.callbacks = &callback;
    if (fate == WP_FATE_RAN && task->plain != NULL) {
        task->plain(task->arg);
    } else if (fate == WP_FATE_RAN) {
        status = task->run((wp_context *)&context, task->arg);
    }
    M_LINE(status != 0 ? task->group : NULL, each) {
        if (!each->has_failure) {
            each->has_failure = true;
            each->first_status = status;
            strncpy(each->first_label, task->label != NULL ? task->label : "", WP_LABEL_BYTES - 1);
        }
    }
    m_end(task, fate, status);
    M_LINE(status != 0 ? task->group : NULL, each) {
        if (each->on_error == WP_ON_ERROR_CANCEL) {
            m_cancel(each, WP_STOP_FAILED);
        }
    }
    model.callbacks = callback.below;
    if (is_in_lane) {
        m_lane_add(m_lane(task->group), -1, 0);
        m_lane_settle(m_lane(task->group));
    }
    m_leave(task->group, fate, status);
    m_count(fate, status);
    return fate == WP_FATE_RAN;
}

/* The oldest of the ring. False: there is none. */
static bool m_take_ring(struct m_task *task) {
    if (model.head == model.tail) {
        return false;
    }
    *task = model.ring[model.head++ % model.capacity];
    if (task->is_there) {
        m_taken();
    } else {
        model.figures.passed_over--;
    }
    return true;
}

static int m_push(const struct m_task *task);

/* The caller is inside no callback. Whoever is hurried pushes as soon as a task was taken: `code` says so, WP_EFULL before. */
static void m_step_for(uint64_t max, uint64_t *ran, const struct m_task *hurried, int *code) {
    model.is_stepped = true;
    bool goes_on = true;
    while (goes_on && *ran < max && !model.is_halted) {
        struct m_task task;
        task.is_there = true;
        bool is_lanes_turn = false;
        if (m_lane_first(NULL, NULL) != NULL) {
            is_lanes_turn = model.is_lanes_turn = !model.is_lanes_turn;
        }
        if (!(is_lanes_turn && m_lane_take(NULL, &task)) && !m_take_ring(&task) && !m_lane_take(NULL, &task)) {
            break;
        }
        if (hurried != NULL && *code == WP_EFULL) {
            *code = m_push(hurried);
            goes_on = *code == WP_EFULL;
        }
        m_pay();
        if (task.is_there) {
            *ran += m_perform(&task);
        }
    }
    model.is_stepped = false;
}

static void m_step(uint64_t max, uint64_t *ran) {
    m_step_for(max, ran, NULL, NULL);
}

/* Runs queued tasks of the group on the spot, inside a callback. */
static int m_help(struct m_group *group) {
    if (!model.is_stepped) {
        return WP_EDEADLK; /* Not on a worker. */
    }
    while (group->queued + group->running > 0) {
        struct m_task task;
        uint64_t from = 0;
        if (m_claim_ring(&from, model.tail, M_OF_GROUP, group, 0, &task)) {
            if (model.is_halted) {
                m_end_unrun(&task, WP_FATE_DISCARDED);
                continue;
            }
        } else if (!m_lane_take(group, &task)) {
            return WP_EDEADLK;
        }
        m_pay();
        (void)m_perform(&task);
    }
    return WP_OK;
}

static void m_expire(uint64_t now) {
    struct m_task task;
    uint64_t from = 0, to = model.tail;
    unsigned block = 0;
    while (m_claim_ring(&from, to, M_LATE, NULL, now, &task)) {
        m_end_unrun(&task, WP_FATE_EXPIRED);
    }
    while (m_claim_lanes(&block, M_LATE, NULL, now, &task)) {
        m_pay();
        m_end_unrun(&task, WP_FATE_EXPIRED);
    }
}

static uint64_t m_next_deadline(void) {
    uint64_t next = MODEL_NEVER;
    for (uint64_t at = model.head; at < model.tail; at++) {
        const struct m_task *it = &model.ring[at % model.capacity];
        next = it->is_there && it->deadline < next ? it->deadline : next;
    }
    for (unsigned block = 0; block < model.blocks_used; block++) {
        next = model.is_used[block] && model.blocks[block].deadline < next ? model.blocks[block].deadline : next;
    }
    return next;
}

#endif
