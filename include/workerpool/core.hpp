// SPDX-License-Identifier: MIT
//
// core.hpp: what stays in one place when a wp::pool is moved, and how a thread knows whose worker it is.
//
// The library answers WP_EDEADLK to a worker that waits for its own pool. A future is waited for here, without the
// library, so the header has to know it too: each worker notes its pool in its own hook, once, and a task pays nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "../workerpool.h"
#include "config.hpp"

namespace wp {
inline namespace WP_HPP_MODE {
namespace detail {

class core {
public:
    using hook = std::function<void(std::uint32_t)>;

    core(hook on_start, hook on_stop) : on_start_(std::move(on_start)), on_stop_(std::move(on_stop)) {}
    core(const core &) = delete;
    core &operator=(const core &) = delete;

    int create(wp_options &options) noexcept
    {
        options.on_thread_start = start;
        options.on_thread_stop = on_stop_ ? stop : nullptr;
        options.thread_arg = this;
        manual_ = options.mode == WP_MODE_MANUAL;
        return wp_create(&options, &pool_);
    }

    wp_pool *get() const noexcept { return pool_; }
    bool is_manual() const noexcept { return manual_; }

    /// The pool that the calling thread is a worker of, or null.
    static const core *of_this_thread() noexcept { return current_; }

private:
    // Must not throw: an exception that leaves a hook ends the process.
    static void start(std::uint32_t worker, void *arg) noexcept
    {
        auto *self = static_cast<core *>(arg);
        current_ = self;
        if (self->on_start_) self->on_start_(worker);
    }

    static void stop(std::uint32_t worker, void *arg) noexcept { static_cast<core *>(arg)->on_stop_(worker); }

    static inline thread_local const core *current_ = nullptr;

    wp_pool *pool_ = nullptr;
    bool manual_ = false;
    hook on_start_;
    hook on_stop_;
};

} // namespace detail
} // namespace WP_HPP_MODE
} // namespace wp
