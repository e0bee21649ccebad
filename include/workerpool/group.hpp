// SPDX-License-Identifier: MIT
//
// group.hpp: tasks that are waited for and cancelled together.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>

#include "../workerpool.h"
#include "config.hpp"
#include "error.hpp"
#include "result.hpp"
#include "time.hpp"

namespace wp {
inline namespace WP_HPP_MODE {

class group;

/// What a task that fails does to the rest of its group.
enum class on_error : std::uint32_t {
    go_on = WP_ON_ERROR_GO_ON,
    cancel = WP_ON_ERROR_CANCEL,
};

struct group_options {
    const wp::group *parent = nullptr;     ///< what it stands in, of the same pool
    time_point deadline = {};              ///< for all its tasks (pool::deadline_in()); the epoch: none
    wp::on_error on_error = wp::on_error::go_on;
    std::uint32_t max_running = 0;         ///< how many of its tasks may run at once; 1: a serial queue; 0: no limit
};

/// A group is shared by its copies, and by its open tasks: the last frees it. So a destructor here waits for nothing; wp::scope does.
/// A default group is empty, as one that was moved from: whatever can fail says errc::invalid, cancel() does nothing, and a task that
/// names it is in no group. In the child of a fork copies are empty, too.
class group {
public:
    group() noexcept = default;

    template <class Pool, class = decltype(std::declval<const Pool &>().get())>
    explicit group(const Pool &pool, const group_options &options = {})
    {
        detail::check(open(pool.get(), options), "wp::group");
    }

    /// As the constructor, but throws nothing.
    template <class Pool>
    static result<group> create(const Pool &pool, const group_options &options = {}) noexcept
    {
        group made;
        if (const int code = made.open(pool.get(), options); code != WP_OK) return static_cast<errc>(code);
        return result<group>(std::in_place, std::move(made));
    }

    /// A group made by C code, of which the caller keeps his own reference. Null: an empty one.
    static group share(wp_group *raw) noexcept
    {
        group shared;
        if (raw != nullptr && wp_group_retain(raw) == WP_OK) shared.group_ = raw;
        return shared;
    }

    group(const group &other) noexcept : group(share(other.group_)) {}
    group(group &&other) noexcept : group_(std::exchange(other.group_, nullptr)) {}
    group &operator=(group other) noexcept
    {
        std::swap(group_, other.group_);
        return *this;
    }
    ~group() { wp_group_release(group_); }

    explicit operator bool() const noexcept { return group_ != nullptr; }
    wp_group *get() const noexcept { return group_; }

    /// Waits until nothing of the group is queued or runs. Inside a task of the pool it runs the group's queued tasks, and throws
    /// errc::deadlock when it would have to sleep.
    void wait() const { detail::check(wp_group_wait(group_, WP_FOREVER), "wp::group::wait"); }

    /// Whether that was so in time. Throws as wait() does.
    template <class Rep, class Period>
    bool wait_for(const std::chrono::duration<Rep, Period> &timeout) const
    {
        return detail::in_time(try_wait(timeout), "wp::group::wait_for");
    }

    /// As wait_for(), but throws nothing: errc::timed_out, errc::deadlock …
    template <class Rep, class Period>
    [[nodiscard]] std::error_code try_wait(const std::chrono::duration<Rep, Period> &timeout) const noexcept
    {
        return detail::as_error_code(wp_group_wait(group_, detail::nanoseconds(timeout)));
    }

    /// For good: none of its tasks starts any more, and those that run see it through their context.
    void cancel() const noexcept { static_cast<void>(wp_group_cancel(group_)); }

    wp_group_status status() const
    {
        wp_group_status status = WP_GROUP_STATUS_INIT;
        detail::check(wp_group_status_get(group_, &status), "wp::group::status");
        return status;
    }

private:
    int open(wp_pool *pool, const group_options &options) noexcept
    {
        wp_group_options raw = WP_GROUP_OPTIONS_INIT;
        if (options.parent != nullptr) {
            if (!*options.parent) return WP_EINVAL;
            raw.parent = options.parent->get();
        }
        if (options.deadline != time_point()) raw.deadline = detail::instant(options.deadline);
        raw.on_error = static_cast<std::uint32_t>(options.on_error);
        raw.max_running = options.max_running;
        return wp_group_create(pool, &raw, &group_);
    }

    wp_group *group_ = nullptr;
};

/// Holds the end of a block until its tasks are over, so that they may use what lives there:
///
///     wp::scope scope(pool);
///     for (auto &part : parts) pool.post([&part] { part.work(); }, scope.group());
///     scope.wait(); // tells of errors; without it the destructor waits
///
/// Left by an exception, it cancels first. Inside a task of the same pool nothing can sleep: call wait() or group().try_wait()
/// there; a destructor that would have to sleep ends the process, as that of a std::thread which nobody joined.
class scope {
public:
    template <class Pool>
    explicit scope(const Pool &pool, const group_options &options = {}) : group_(pool, options)
    {
    }
    scope(const scope &) = delete;
    scope &operator=(const scope &) = delete;
    ~scope()
    {
        if (std::uncaught_exceptions() > uncaught_) group_.cancel();
        if (wp_group_wait(group_.get(), WP_FOREVER) != WP_OK) std::terminate();
    }

    const wp::group &group() const noexcept { return group_; }
    void wait() const { group_.wait(); }
    void cancel() const noexcept { group_.cancel(); }

private:
    wp::group group_;
    int uncaught_ = std::uncaught_exceptions();
};

} // namespace WP_HPP_MODE
} // namespace wp
