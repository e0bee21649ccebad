/* SPDX-License-Identifier: MIT
 *
 * A manual pool in the plainest C: what the header promises, without threads, locks or cleverness. It has the functions of the
 * library under names of its own; the fuzzer runs a program on both, and compares every answer and every callback.
 *
 * Where the header leaves the order open (which lane's tasks a cancel ends first, whether a lane or the rest begins) the model does
 * as the library does, so that both can be compared to the end. It frees nothing before model_clear().
 */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include "engine.h"

enum { MODEL_CAPACITY = 16, MODEL_RECORDS = 8, MODEL_GROUPS = 64, MODEL_RESULTS = 32 };
#define MODEL_NEVER UINT64_MAX

struct m_results {
    unsigned capacity, reserved, count, fd_asked;
    bool is_closed, waits;
    wp_record records[MODEL_RECORDS];
};

struct m_group {
    struct m_group *above;
    uint64_t deadline, queued, running, ran, failed, cancelled, expired, discarded;
    uint32_t limit, on_error, cancelled_by;
    int32_t first_status;
    char first_label[WP_LABEL_BYTES];
    bool has_failure;
    /* As a lane: its tasks, by block; those that run of its own and the lanes below, and how many of these lanes are ready. */
    unsigned count, blocks[MODEL_CAPACITY];
    uint32_t lane_running, candidates;
    struct m_group *blocked_at; /* NULL while it is ready or has no tasks. */
    bool is_listed;
    uint64_t listed; /* When it was put on its list: lower is first. */
};

struct m_task {
    wp_run_fn plain;
    wp_task_fn run;
    wp_end_fn end;
    void *arg;
    const char *label;
    struct m_results *results;
    struct m_group *group;
    uint64_t user_data, deadline;
    bool is_there; /* In the ring: it has not left out of turn. */
};

struct m_callback {
    struct m_group *group;
    struct m_callback *below;
};

static struct model {
    uint32_t capacity;
    bool has_timer, is_closed, is_halted, is_stepped, is_lanes_turn, is_wanted, has_bell, is_rung;
    uint64_t now, head, tail, lists;
    struct m_task ring[MODEL_CAPACITY], blocks[MODEL_CAPACITY];
    bool is_used[MODEL_CAPACITY];
    unsigned free_blocks[MODEL_CAPACITY], free_count, blocks_used, in_lanes;
    wp_stats figures;
    struct m_callback *callbacks;
    unsigned groups_made, results_made, telling;
    struct m_group groups[MODEL_GROUPS];
    struct m_results results[MODEL_RESULTS];
    wp_waiter *waiters[8];
    unsigned waiting;
} model;

struct m_context {
    struct m_task *task;
};

#define M_LINE(group, each) for (struct m_group *each = (group); each != NULL; each = each->above)

static bool m_is_within(struct m_group *group, struct m_group *other) {
    M_LINE(group, each) {
        if (each == other) {
            return true;
        }
    }
    return false;
}

static bool m_is_cancelled(struct m_group *group) {
    M_LINE(group, each) {
        if (each->cancelled_by != 0) {
            return true;
        }
    }
    return false;
}

static bool m_is_inside(void) {
    return model.is_stepped || model.callbacks != NULL || model.telling != 0;
}

static bool m_is_full(void) {
    return model.tail - model.head + model.in_lanes >= model.capacity;
}

static bool m_is_late(uint64_t deadline, uint64_t now) {
    return deadline != MODEL_NEVER && deadline <= now;
}

static bool m_has_room(void) {
    return model.is_closed || !m_is_full();
}

static bool m_is_quiet(void) {
    const wp_stats *at = &model.figures;
    return at->accepted == at->ran + at->cancelled + at->expired + at->discarded;
}

/* ---- word of room ---- */

/* Asks for word unless there is room. */
static bool m_room_or_word(void) {
    if (!m_has_room()) {
        model.is_wanted = true;
    }
    return m_has_room();
}

static void m_tell_from(wp_waiter *next) {
    unsigned told = 0;
    model.telling++;
    for (;;) {
        if (next == NULL) {
            if (model.waiting == 0) {
                break;
            }
            /* After 16 the next is told when the next task is taken. */
            if (told >= 16 && !model.is_closed) {
                model.is_wanted = true;
                if (model.tail != model.head || model.in_lanes > 0) {
                    break;
                }
            }
            if (!m_room_or_word()) {
                break;
            }
            next = model.waiters[0];
        }
        for (unsigned i = 0, found = 0; i < model.waiting; i++) {
            found |= model.waiters[i] == next;
            model.waiters[i] = found && i + 1 < model.waiting ? model.waiters[i + 1] : model.waiters[i];
        }
        model.waiting--;
        wp_waiter *waiter = next;
        next = NULL;
        waiter->notify(waiter->arg);
        told++;
    }
    model.telling--;
}

static void m_tell_room(void) {
    if (model.has_bell && !model.is_rung && m_room_or_word()) {
        model.is_rung = true;
    }
    /* Inside a notice who called that looks again; the next take is asked for word all the same. */
    if (model.waiting > 0 && model.telling > 0) {
        model.is_wanted = true;
    } else if (model.waiting > 0) {
        m_tell_from(NULL);
    }
}

/* A place has come free. */
static void m_pay(void) {
    if (model.is_wanted) {
        model.is_wanted = false;
        m_tell_room();
    }
}

static int m_refuse(int code) {
    if (code != WP_OK && code != WP_ECLOSED && code != WP_ECANCELLED) {
        model.figures.refused++;
        if (model.has_bell && model.is_rung) {
            model.is_rung = m_room_or_word();
        }
    }
    return code;
}

static int m_when_room(wp_pool *pool, wp_waiter *waiter) {
    (void)pool;
    for (unsigned i = 0; i < model.waiting; i++) {
        if (model.waiters[i] == waiter) {
            return WP_EINVAL;
        }
    }
    if (model.is_closed) {
        return WP_ECLOSED;
    }
    model.waiters[model.waiting++] = waiter;
    if (model.telling > 0) {
        model.is_wanted = true;
    } else if (m_room_or_word()) {
        m_tell_from(waiter);
    }
    return WP_OK;
}

static int m_forget_room(wp_pool *pool, wp_waiter *waiter, uint64_t timeout) {
    (void)pool;
    (void)timeout;
    for (unsigned i = 0; i < model.waiting; i++) {
        if (model.waiters[i] == waiter) {
            memmove(&model.waiters[i], &model.waiters[i + 1], (model.waiting - i - 1) * sizeof model.waiters[0]);
            model.waiting--;
            return WP_OK;
        }
    }
    return WP_ETOOLATE;
}

static int m_room_is_readable(wp_pool *pool) {
    (void)pool;
    if (!model.has_bell) {
        model.has_bell = true;
        model.is_rung = m_room_or_word();
    }
    return model.is_rung;
}

#endif
