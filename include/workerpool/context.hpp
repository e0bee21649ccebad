// SPDX-License-Identifier: MIT
//
// context.hpp: what a running task may ask. A callable that takes a wp::context & is given its own:
//
//     pool.submit([](wp::context &context) { while (!context.should_stop()) step(); });
#pragma once

#include <chrono>
#include <cstdint>

#include "../workerpool.h"
#include "config.hpp"
#include "group.hpp"
#include "time.hpp"

namespace wp {
inline namespace WP_HPP_MODE {

/// Why a task had better stop.
enum class stop_reason : std::uint32_t {
    none = WP_STOP_NONE,
    cancelled = WP_STOP_CANCELLED,
    failed = WP_STOP_FAILED,
    deadline = WP_STOP_DEADLINE,
    shutdown = WP_STOP_SHUTDOWN,
};

/// Valid inside that call of the task, on its thread, and nowhere else.
class context {
public:
    explicit context(wp_context *raw) noexcept : context_(raw) {}
    context(const context &) = delete;
    context &operator=(const context &) = delete;

    /// A few loads, so that a loop may ask in each turn.
    bool should_stop() const noexcept { return wp_should_stop(context_) != 0; }
    wp::stop_reason stop_reason() const noexcept { return static_cast<wp::stop_reason>(wp_stop_reason(context_)); }

    /// Until the task's deadline, or its group's; wp::forever if there is none.
    std::chrono::nanoseconds time_left() const noexcept { return detail::as_duration(wp_time_left(context_)); }

    /// 0 to workers-1: for scratch space per worker.
    std::uint32_t worker() const noexcept { return wp_worker_index(context_); }

    /// Null if it has none.
    const char *label() const noexcept { return wp_label(context_); }

    /// The task's group; empty if it has none.
    wp::group group() const noexcept { return wp::group::share(wp_context_group(context_)); }

    wp_context *get() const noexcept { return context_; }

private:
    wp_context *context_;
};

} // namespace WP_HPP_MODE
} // namespace wp
