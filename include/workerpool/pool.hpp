// SPDX-License-Identifier: MIT
//
// pool.hpp: the pool.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "../workerpool.h"
#include "batch.hpp"
#include "callable.hpp"
#include "config.hpp"
#include "core.hpp"
#include "error.hpp"
#include "future.hpp"
#include "result.hpp"
#include "task.hpp"
#include "time.hpp"

#if WP_HPP_STOP_TOKEN
#include <stop_token>
#endif

namespace wp {
inline namespace WP_HPP_MODE {

enum class mode : std::uint32_t {
    threads = WP_MODE_THREADS,
    manual = WP_MODE_MANUAL, ///< for tests: nothing runs but in run() and in waits, and the clock stands still
};

enum class shutdown_mode : std::uint32_t {
    drain = WP_SHUTDOWN_DRAIN,
    cancel = WP_SHUTDOWN_CANCEL,
};

/// As wp_options, which says more; 0 means the default.
struct options {
    const char *name = nullptr;   ///< of the threads
    std::uint32_t workers = 0;    ///< 0: as many as the process may use at once
    std::uint32_t capacity = 0;   ///< tasks that may be queued; 0: WP_CAPACITY_DEFAULT
    wp::mode mode = wp::mode::threads;
    bool timers = false;          ///< one more thread, so that tasks expire at once, not when a worker comes to them
    std::uint64_t stack_size = 0; ///< of each worker, in bytes
    std::function<void(std::uint32_t)> on_thread_start = {}; ///< called on each worker, with its index; must not throw
    std::function<void(std::uint32_t)> on_thread_stop = {};
};

#if WP_HPP_COROUTINES
namespace detail {
class schedule_awaiter;
class nothrow_schedule_awaiter;
} // namespace detail
#endif

class pool {
public:
    explicit pool(const options &options = {})
        : core_(std::make_unique<detail::core>(options.on_thread_start, options.on_thread_stop))
    {
        detail::check(open(options), "wp::pool");
    }

    /// As the constructor, but throws nothing of its own.
    static result<pool> create(const options &options = {})
    {
        pool made{std::unique_ptr<detail::core>(new (std::nothrow) detail::core(options.on_thread_start, options.on_thread_stop))};
        if (made.core_ == nullptr) return errc::no_memory;
        if (const int code = made.open(options); code != WP_OK) return static_cast<errc>(code);
        return result<pool>(std::in_place, std::move(made));
    }

    /// Drains, unless it was shut down before. Inside a task of this pool it could only wait for itself: that ends the process.
    ~pool() { close(); }
    pool(pool &&other) noexcept = default;
    pool &operator=(pool &&other) noexcept
    {
        if (this != &other) {
            close();
            core_ = std::move(other.core_);
        }
        return *this;
    }

    /// For the calls that have no method here. Null: it was moved from; whatever can fail says errc::invalid then, and now() is 0.
    wp_pool *get() const noexcept { return core_ != nullptr ? core_->get() : nullptr; }

    // ---- A task with a result: one allocation, for callable and result together. ----

    /// Waits while the queue is full. Throws wp::error when nothing was accepted; the callable has been destroyed then.
    template <class F, class = detail::enable_callable<F>>
    detail::future_of<F> submit(F &&callable, const task_options &options = {})
    {
        task<detail::returned<std::decay_t<F>>> made(std::forward<F>(callable));
        return submit(made, options);
    }

    /// As submit(), but never waits: errc::full.
    template <class F, class = detail::enable_callable<F>>
    result<detail::future_of<F>> try_submit(F &&callable, const task_options &options = {})
    {
        auto made = task<detail::returned<std::decay_t<F>>>::create(std::forward<F>(callable));
        return made ? try_submit(made, options) : errc::no_memory;
    }

    /// As submit(), but waits so long at most: errc::timed_out.
    template <class Rep, class Period, class F, class = detail::enable_callable<F>>
    result<detail::future_of<F>> submit_for(const std::chrono::duration<Rep, Period> &timeout, F &&callable,
                                            const task_options &options = {})
    {
        auto made = task<detail::returned<std::decay_t<F>>>::create(std::forward<F>(callable));
        return made ? submit_for(timeout, made, options) : errc::no_memory;
    }

    // ---- The same of a wp::task, which is left as it was when nothing is accepted. ----

    template <class R>
    future<R> submit(task<R> &work, const task_options &options = {})
    {
        auto accepted = hand_over(work, options, WP_FOREVER);
        if (!accepted) detail::raise(accepted.error().value(), "wp::pool::submit");
        return *std::move(accepted);
    }
    template <class R>
    result<future<R>> try_submit(task<R> &work, const task_options &options = {}) noexcept
    {
        return hand_over(work, options, 0);
    }
    template <class Rep, class Period, class R>
    result<future<R>> submit_for(const std::chrono::duration<Rep, Period> &timeout, task<R> &work,
                                 const task_options &options = {}) noexcept
    {
        return hand_over(work, options, detail::nanoseconds(timeout));
    }

    // ---- A task without: no allocation for a callable of the size of a pointer (a lambda with one reference), else one. ----
    // What it throws is counted as its failure (wp_stats.failed, its group, its record), and lost.

    template <class F, class = detail::enable_callable<F>>
    void post(F &&callable, const task_options &options = {})
    {
        detail::check(hand_over_alone(std::forward<F>(callable), options, WP_FOREVER), "wp::pool::post");
    }
    /// Success, or why nothing was accepted; the callable has been destroyed then, as far as it was moved from.
    template <class F, class = detail::enable_callable<F>>
    [[nodiscard]] std::error_code try_post(F &&callable, const task_options &options = {})
    {
        return detail::as_error_code(hand_over_alone(std::forward<F>(callable), options, 0));
    }
    template <class Rep, class Period, class F, class = detail::enable_callable<F>>
    [[nodiscard]] std::error_code post_for(const std::chrono::duration<Rep, Period> &timeout, F &&callable,
                                           const task_options &options = {})
    {
        return detail::as_error_code(hand_over_alone(std::forward<F>(callable), options, detail::nanoseconds(timeout)));
    }

    // ---- A wp::batch of those, by one call. What was accepted leaves it, whatever the answer; the rest stays. ----

    void post(batch &work) { detail::check(work.hand_over(get(), WP_FOREVER), "wp::pool::post"); }
    [[nodiscard]] std::error_code try_post(batch &work) noexcept
    {
        return detail::as_error_code(work.hand_over(get(), 0));
    }
    /// `timeout`: for all of them.
    template <class Rep, class Period>
    [[nodiscard]] std::error_code post_for(const std::chrono::duration<Rep, Period> &timeout, batch &work) noexcept
    {
        return detail::as_error_code(work.hand_over(get(), detail::nanoseconds(timeout)));
    }

#if WP_HPP_STOP_TOKEN
    // ---- A task that a std::stop_token stops: queued, it is cancelled by who asks; running, it sees it by its context (stop.hpp). ----

    template <class F, class = detail::enable_callable<F>>
    detail::future_of<F> submit(std::stop_token stop, F &&callable, task_options options = {});
    template <class F, class = detail::enable_callable<F>>
    result<detail::future_of<F>> try_submit(std::stop_token stop, F &&callable, task_options options = {});
    template <class Rep, class Period, class F, class = detail::enable_callable<F>>
    result<detail::future_of<F>> submit_for(const std::chrono::duration<Rep, Period> &timeout, std::stop_token stop, F &&callable,
                                            task_options options = {});
#endif

#if WP_HPP_COROUTINES
    // ---- co_await: the coroutine goes on on a worker (coroutine.hpp). ----

    /// Waits for room suspended, not blocked. A coroutine that never gets there goes on where that was decided, by an exception: wp::cancelled,
    /// wp::expired, wp::discarded, or wp::error with the code of a submit.
    detail::schedule_awaiter schedule(const task_options &options = {}) noexcept;
    /// The same, with a std::error_code instead of an exception: co_await pool.schedule(std::nothrow).
    detail::nothrow_schedule_awaiter schedule(std::nothrow_t, const task_options &options = {}) noexcept;
#endif

    // ---- Waiting and ending. ----

    /// Waits until nothing is queued and nothing runs. Inside a task of this pool it throws errc::deadlock.
    void wait_idle() { detail::check(wp_wait_idle(get(), WP_FOREVER), "wp::pool::wait_idle"); }
    /// Whether that was so in time. Throws as wait_idle() does.
    template <class Rep, class Period>
    bool wait_idle_for(const std::chrono::duration<Rep, Period> &timeout)
    {
        return detail::in_time(try_wait_idle(timeout), "wp::pool::wait_idle_for");
    }
    /// As wait_idle_for(), but throws nothing: errc::timed_out, errc::deadlock …
    template <class Rep, class Period>
    [[nodiscard]] std::error_code try_wait_idle(const std::chrono::duration<Rep, Period> &timeout) noexcept
    {
        return detail::as_error_code(wp_wait_idle(get(), detail::nanoseconds(timeout)));
    }

    /// Nothing is accepted any more; what was has run, and the threads are gone. Inside a task of this pool it throws errc::deadlock.
    void shutdown() { detail::check(wp_shutdown(get()), "wp::pool::shutdown"); }
    /// Whether all is over in time; if not, it may be called again. Throws as shutdown() does. `report`: as wp_shutdown_for() says.
    template <class Rep, class Period>
    bool shutdown_for(shutdown_mode mode, const std::chrono::duration<Rep, Period> &timeout, wp_shutdown_report *report = nullptr)
    {
        return detail::in_time(try_shutdown(mode, timeout, report), "wp::pool::shutdown_for");
    }
    /// As shutdown_for(), but throws nothing: errc::timed_out, errc::deadlock …
    template <class Rep, class Period>
    [[nodiscard]] std::error_code try_shutdown(shutdown_mode mode, const std::chrono::duration<Rep, Period> &timeout,
                                               wp_shutdown_report *report = nullptr) noexcept
    {
        const int code = wp_shutdown_for(get(), static_cast<std::uint32_t>(mode), detail::nanoseconds(timeout), report);
        return detail::as_error_code(code);
    }

    // ---- Time and figures. ----

    time_point now() const noexcept { return detail::instant_of(wp_now(get())); }
    template <class Rep, class Period>
    time_point deadline_in(const std::chrono::duration<Rep, Period> &time) const noexcept
    {
        return detail::later(wp_now(get()), detail::nanoseconds(time));
    }
    /// The instant on the pool's clock that is as far away as one of the steady clock.
    time_point deadline_at(std::chrono::steady_clock::time_point at) const noexcept
    {
        return deadline_in(at - std::chrono::steady_clock::now());
    }

    wp_stats stats() const
    {
        wp_stats stats = WP_STATS_INIT;
        detail::check(wp_stats_get(get(), &stats), "wp::pool::stats");
        return stats;
    }

    // ---- Of a manual pool. ----

    /// Runs queued tasks on the calling thread, and tells how many.
    std::uint64_t run(std::uint64_t max = std::numeric_limits<std::uint64_t>::max())
    {
        std::uint64_t ran = 0;
        detail::check(wp_run(get(), max, &ran), "wp::pool::run");
        return ran;
    }
    template <class Rep, class Period>
    void advance(const std::chrono::duration<Rep, Period> &time)
    {
        detail::check(wp_clock_advance(get(), detail::nanoseconds(time)), "wp::pool::advance");
    }

private:
    explicit pool(std::unique_ptr<detail::core> core) noexcept : core_(std::move(core)) {}

    int open(const options &options) noexcept
    {
        wp_options raw = WP_OPTIONS_INIT;
        raw.name = options.name;
        raw.workers = options.workers;
        raw.capacity = options.capacity;
        raw.mode = static_cast<std::uint32_t>(options.mode);
        raw.timers = options.timers;
        raw.stack_size = options.stack_size;
        return core_->create(raw);
    }

    void close() noexcept
    {
        if (core_ != nullptr && wp_destroy(core_->get()) != WP_OK) std::terminate();
    }

    template <class R>
    result<future<R>> hand_over(task<R> &work, const task_options &options, std::uint64_t timeout_ns) noexcept
    {
        if (!work || core_ == nullptr) return errc::invalid;
        auto *const state = work.state_;
        state->belongs_to(*core_);
        wp_task raw = options.get();
        raw.run = work.run_;
        raw.end = work.end_;
        raw.arg = state;
        if (const int code = wp_submit_task(get(), &raw, timeout_ns); code != WP_OK) return static_cast<errc>(code);
        work.state_ = nullptr;
        return result<future<R>>(std::in_place, detail::future_access::make(state));
    }

#if WP_HPP_STOP_TOKEN
    /// A result<task<…>>, and the group in the options is the task's own. The submit holds it, too: the task lets go of it when it ends,
    /// which may be before its submit has returned.
    template <class F>
    auto with_stop(std::stop_token stop, F &&callable, task_options &options, group &own);
#endif

    template <class F, class D = std::decay_t<F>>
    int hand_over_alone(F &&callable, const task_options &options, std::uint64_t timeout_ns)
    {
        wp_task raw = options.get();
        if constexpr (detail::fits_in_arg<D>) {
            raw.run = detail::in_arg<D>::run;
            raw.arg = detail::in_arg<D>::pack(callable);
            return wp_submit_task(get(), &raw, timeout_ns);
        } else {
            std::unique_ptr<D> box(new (std::nothrow) D(std::forward<F>(callable)));
            if (box == nullptr) return WP_ENOMEM;
            raw.run = detail::boxed<D>::run;
            raw.end = detail::boxed<D>::end;
            raw.arg = box.get();
            const int code = wp_submit_task(get(), &raw, timeout_ns);
            if (code == WP_OK) static_cast<void>(box.release()); // the pool's now, and may be gone already
            return code;
        }
    }

    std::unique_ptr<detail::core> core_;
};

} // namespace WP_HPP_MODE
} // namespace wp
