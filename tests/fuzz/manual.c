/* SPDX-License-Identifier: MIT
 *
 * Programs of calls on a manual pool, run twice: first on the model (model.h and its kin), then on the library. Whatever the program can see
 * (each answer, each callback and what it is told, the figures, the clock, the descriptors) must be the same both times, in the same
 * order; so every fate is predicted, and when it is met. Besides, each accepted task's `end` is called once, and its memory freed there.
 *
 * A program is a string of bytes, read from front to back: the pool's options, then calls. A callback reads its own calls from the
 * same string when it is called, which is at the same place both times, or the difference shows. Behind its end a program is zeros: that
 * is "return", and for the rest of the file "come to an end".
 */
#include "manual_calls.h"

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
