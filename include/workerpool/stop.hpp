// SPDX-License-Identifier: MIT
//
// stop.hpp (C++20): a std::stop_token reaches the pool.
//
// The library cancels groups, not single tasks; so a task with a token gets a group of its own, inside the one that it was submitted to.
// A stop request cancels that group: queued, the task ends as cancelled, on the thread that asked; running, its context tells it.
#pragma once

#include "config.hpp"

#if WP_HPP_STOP_TOKEN

#include <new>
#include <optional>
#include <stop_token>
#include <utility>

#include "callable.hpp"
#include "group.hpp"
#include "pool.hpp"
#include "task.hpp"

namespace wp {
inline namespace WP_HPP_MODE {
namespace detail {

/// What a stop request calls. The task may end inside, and take this object and its reference on the group with it: so the call has
/// a reference of its own.
class canceller {
public:
    explicit canceller(wp_group *group) noexcept : group_(group) {}
    void operator()() const noexcept
    {
        const group mine = group::share(group_);
        mine.cancel();
    }

private:
    wp_group *group_;
};

/// What a job with a token has besides. The callback goes first: while it may be called, the group must be there.
struct stop_link {
    group own;
    std::optional<std::stop_callback<canceller>> callback;

    /// Waits for a stop request that is being served on another thread; on this one it is inside it.
    void over() noexcept
    {
        callback.reset();
        own = group();
    }
};

} // namespace detail

/// While it lives, a stop request cancels the group:
///
///     wp::cancel_on_stop link(stop, group);
class cancel_on_stop {
public:
    cancel_on_stop(std::stop_token stop, wp::group group)
        : group_(std::move(group)), callback_(std::move(stop), detail::canceller(group_.get()))
    {
    }
    cancel_on_stop(const cancel_on_stop &) = delete;
    cancel_on_stop &operator=(const cancel_on_stop &) = delete;

private:
    wp::group group_; // outlives the callback
    std::stop_callback<detail::canceller> callback_;
};

template <class F>
auto pool::with_stop(std::stop_token stop, F &&callable, task_options &options, group &own)
{
    using job = detail::job<std::decay_t<F>, detail::stop_link>;
    using made = task<detail::returned<std::decay_t<F>>>;

    const group outer = group::share(options.get().group);
    auto created = group::create(*this, {outer ? &outer : nullptr});
    if (!created) return result<made>(created.error());
    auto *const work = new (std::nothrow) job(std::forward<F>(callable));
    if (work == nullptr) return result<made>(errc::no_memory);
    made ready(work, job::run, job::end);
    own = *std::move(created);
    work->link.own = own;
    work->link.callback.emplace(std::move(stop), detail::canceller(own.get()));
    options.group(own);
    return result<made>(std::in_place, std::move(ready));
}

template <class F, class>
detail::future_of<F> pool::submit(std::stop_token stop, F &&callable, task_options options)
{
    group own;
    auto made = with_stop(std::move(stop), std::forward<F>(callable), options, own);
    if (!made) detail::raise(made.error().value(), "wp::pool::submit");
    return submit(*made, options);
}

template <class F, class>
result<detail::future_of<F>> pool::try_submit(std::stop_token stop, F &&callable, task_options options)
{
    group own;
    auto made = with_stop(std::move(stop), std::forward<F>(callable), options, own);
    if (!made) return result<detail::future_of<F>>(made.error());
    return try_submit(*made, options);
}

template <class Rep, class Period, class F, class>
result<detail::future_of<F>> pool::submit_for(const std::chrono::duration<Rep, Period> &timeout, std::stop_token stop, F &&callable,
                                              task_options options)
{
    group own;
    auto made = with_stop(std::move(stop), std::forward<F>(callable), options, own);
    if (!made) return result<detail::future_of<F>>(made.error());
    return submit_for(timeout, *made, options);
}

} // namespace WP_HPP_MODE
} // namespace wp

#endif
