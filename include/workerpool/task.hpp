// SPDX-License-Identifier: MIT
//
// task.hpp: what may be said about a task besides what it does, and a task that is ready to be submitted.
#pragma once

#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "../workerpool.h"
#include "callable.hpp"
#include "config.hpp"
#include "future.hpp"
#include "group.hpp"
#include "results.hpp"
#include "time.hpp"

namespace wp {
inline namespace WP_HPP_MODE {

/// The second argument of every submit. A group alone will do there, too:
///
///     pool.submit(work, group);
///     pool.submit(work, wp::task_options(group).label("parse").deadline(pool.deadline_in(50ms)));
///
/// Nothing is copied: group, results and label must live as workerpool.h says of wp_task.
class task_options {
public:
    task_options() noexcept = default;
    task_options(const wp::group &group) noexcept { this->group(group); } // implicit

    task_options &group(const wp::group &group) noexcept
    {
        task_.group = group.get();
        return *this;
    }
    /// Where its record goes.
    task_options &results(const wp::results &results) noexcept
    {
        task_.results = results.get();
        return *this;
    }
    /// Best a literal: it must live until the task has ended.
    task_options &label(const char *label) noexcept
    {
        task_.label = label;
        return *this;
    }
    /// It never starts after that instant: pool::deadline_in().
    task_options &deadline(time_point at) noexcept
    {
        task_.deadline = detail::instant(at);
        return *this;
    }
    /// Comes back in its record.
    task_options &tag(std::uint64_t tag) noexcept
    {
        task_.user_data = tag;
        return *this;
    }

    const wp_task &get() const noexcept { return task_; }

private:
    wp_task task_ = WP_TASK_INIT;
};

/// A callable in its block of memory, ready to be submitted. A submit that is refused leaves it as it was, so that it can be
/// submitted again, also if what it holds can be moved only:
///
///     wp::task task([connection = std::move(connection)] { return connection.serve(); });
///     auto future = pool.try_submit(task);
///     while (!future && future.error() == wp::errc::full) { do_something_else(); future = pool.try_submit(task); }
template <class R>
class task {
public:
    template <class F, class D = std::decay_t<F>,
              class = std::enable_if_t<!std::is_same_v<D, task> && detail::is_task_callable<D>>>
    explicit task(F &&callable) : task(new detail::job<D>(std::forward<F>(callable)), detail::job<D>::run, detail::job<D>::end)
    {
    }

    /// As the constructor; without memory for it the task is empty.
    template <class F, class D = std::decay_t<F>>
    static task create(F &&callable)
    {
        task made;
        if (auto *job = new (std::nothrow) detail::job<D>(std::forward<F>(callable)); job != nullptr)
            made = task(job, detail::job<D>::run, detail::job<D>::end);
        return made;
    }

    task(task &&other) noexcept : state_(std::exchange(other.state_, nullptr)), run_(other.run_), end_(other.end_) {}
    task &operator=(task &&other) noexcept
    {
        std::swap(state_, other.state_);
        std::swap(run_, other.run_);
        std::swap(end_, other.end_);
        return *this;
    }
    ~task()
    {
        if (state_ != nullptr) state_->destroy();
    }

    /// Not so once it was accepted.
    explicit operator bool() const noexcept { return state_ != nullptr; }

private:
    friend class pool;

    task() noexcept = default;
    task(detail::state_of<R> *state, wp_task_fn run, wp_end_fn end) noexcept : state_(state), run_(run), end_(end) {}

    detail::state_of<R> *state_ = nullptr;
    wp_task_fn run_ = nullptr;
    wp_end_fn end_ = nullptr;
};

template <class F>
explicit task(F) -> task<detail::returned<std::decay_t<F>>>;

namespace detail {

template <class T>
inline constexpr bool is_task = false;
template <class R>
inline constexpr bool is_task<task<R>> = true;

/// For the submits that make a task of a callable.
template <class F>
using enable_callable = std::enable_if_t<!is_task<std::decay_t<F>> && is_task_callable<std::decay_t<F>>>;

template <class F>
using future_of = future<returned<std::decay_t<F>>>;

} // namespace detail
} // namespace WP_HPP_MODE
} // namespace wp
