// SPDX-License-Identifier: MIT
//
// results.hpp: a bounded queue of what became of tasks, in the order in which they ended.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "../workerpool.h"
#include "config.hpp"
#include "error.hpp"
#include "result.hpp"
#include "time.hpp"

namespace wp {
inline namespace WP_HPP_MODE {

/// What became of one task.
struct record {
    std::uint64_t tag;                    ///< task_options::tag()
    wp::fate fate;
    std::int32_t status;                  ///< 0 is success; of a callable: see wp::status
    std::uint32_t worker;                 ///< WP_NO_WORKER if none ran it
    std::chrono::nanoseconds queued;      ///< from the submit to the start
    std::chrono::nanoseconds running;

    bool ok() const noexcept { return fate == wp::fate::ran && status == 0; }
};

struct results_options {
    std::uint32_t capacity = 0; ///< places, each taken from a task's submit until its record is read; 0: WP_CAPACITY_DEFAULT
    bool wait = false;          ///< a submit that finds no place waits for one, instead of failing with errc::results_full
};

/// Shared by its copies and by the tasks that were accepted with it. Moved from, it is empty: whatever can fail says errc::invalid, and
/// close() does nothing. In the child of a fork copies are empty, too.
class results {
public:
    explicit results(const results_options &options = {}) { detail::check(open(options), "wp::results"); }

    static result<results> create(const results_options &options = {}) noexcept
    {
        results made(nullptr);
        if (const int code = made.open(options); code != WP_OK) return static_cast<errc>(code);
        return result<results>(std::in_place, std::move(made));
    }

    results(const results &other) noexcept
    {
        if (wp_results_retain(other.results_) == WP_OK) results_ = other.results_;
    }
    results(results &&other) noexcept : results_(std::exchange(other.results_, nullptr)) {}
    results &operator=(results other) noexcept
    {
        std::swap(results_, other.results_);
        return *this;
    }
    ~results() { wp_results_release(results_); }

    wp_results *get() const noexcept { return results_; }

    /// The oldest record; waits for it. Nothing: closed, and nothing more will come.
    std::optional<record> next() const
    {
        auto read = next_for(forever);
        if (!read && read.error() != errc::closed) detail::raise(read.error().value(), "wp::results::next");
        return read ? std::optional<record>(*read) : std::nullopt;
    }

    /// As next(), but waits at most so long, and throws nothing: errc::timed_out, errc::closed …
    template <class Rep, class Period>
    result<record> next_for(const std::chrono::duration<Rep, Period> &timeout) const noexcept
    {
        wp_record raw = WP_RECORD_INIT;
        const int code = wp_results_next(results_, &raw, detail::nanoseconds(timeout));
        if (code != WP_OK) return static_cast<errc>(code);
        return result<record>(std::in_place, convert(raw));
    }

    /// A record that is there now.
    result<record> try_next() const noexcept { return next_for(std::chrono::nanoseconds(0)); }

    /// No more submits. What was accepted still brings its record.
    void close() const noexcept { static_cast<void>(wp_results_close(results_)); }

    /// For poll() and epoll: readable if and only if a read would not wait.
    int fd() const
    {
        const int fd = wp_results_fd(results_);
        if (fd < 0) detail::raise(fd, "wp::results::fd");
        return fd;
    }

    static record convert(const wp_record &raw) noexcept
    {
        return {raw.user_data,
                static_cast<wp::fate>(raw.fate),
                raw.status,
                raw.worker,
                detail::as_duration(raw.queued_ns),
                detail::as_duration(raw.running_ns)};
    }

private:
    explicit results(std::nullptr_t) noexcept {}

    int open(const results_options &options) noexcept
    {
        wp_results_options raw = WP_RESULTS_OPTIONS_INIT;
        raw.capacity = options.capacity;
        raw.flags = options.wait ? WP_RESULTS_WAIT : 0;
        return wp_results_create(&raw, &results_);
    }

    wp_results *results_ = nullptr;
};

} // namespace WP_HPP_MODE
} // namespace wp
