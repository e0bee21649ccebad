// SPDX-License-Identifier: MIT
//
// coroutine.hpp (C++20): coroutines on a pool.
//
//     wp::future<int> answer(wp::pool &pool)
//     {
//         co_await pool.schedule();                         // from here on it runs on a worker
//         int half = co_await pool.submit([] { return 21; }); // and here on the worker that ran that
//         co_return 2 * half;
//     }
//     int all = answer(pool).get();
//
// wp::future is a coroutine's return type, too. Such a coroutine begins at once, on its caller's thread; its frame is the future's state
// (state.hpp), so it takes no other memory. Nothing here blocks a thread: also who waits for room in a full queue waits suspended. What does
// block is the get() of a coroutine's future, and no deadlock of it is told (future::get()).
#pragma once

#include "config.hpp"

#if WP_HPP_COROUTINES

#include <coroutine>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "future.hpp"
#include "pool.hpp"
#include "task.hpp"

namespace wp {
inline namespace WP_HPP_MODE {
namespace detail {

/// A coroutine on its way to a worker. It lies in the coroutine's frame. Whoever resumes the coroutine has given it away with that: the
/// frame may be gone, so nothing of it is touched afterwards; nor after the pool has accepted the task, which is the same.
class schedule_base {
public:
    schedule_base(wp_pool *pool, const task_options &options) noexcept : pool_(pool), task_(options.get())
    {
        task_.run = run;
        task_.end = end;
    }
    schedule_base(const schedule_base &) = delete;
    schedule_base &operator=(const schedule_base &) = delete;

    bool await_ready() const noexcept { return false; }

    bool await_suspend(std::coroutine_handle<> waiting) noexcept
    {
        waiting_ = waiting;
        task_.arg = this;
        return on_its_way();
    }

protected:
    ~schedule_base() = default;

    int why() const noexcept { return why_; } ///< 0: on a worker; else a WP_E… code or a fate

private:
    static int run(wp_context *, void *arg) noexcept
    {
        static_cast<schedule_base *>(arg)->waiting_.resume();
        return 0;
    }

    // After it ran, the frame is the coroutine's own affair.
    static void end(const wp_outcome *outcome, void *arg) noexcept
    {
        if (outcome->fate != WP_FATE_RAN) static_cast<schedule_base *>(arg)->fail(static_cast<int>(outcome->fate));
    }

    void fail(int why) noexcept
    {
        why_ = why;
        waiting_.resume();
    }

#ifdef WP_WAITER_INIT
    /// Whether it is on its way, to a worker or to room in the queue. If not, why_ tells.
    bool on_its_way() noexcept
    {
        int code = wp_submit_task(pool_, &task_, 0);
        if (code == WP_EFULL) {
            room_.notify = try_again;
            room_.arg = this;
            code = wp_when_room(pool_, &room_);
        }
        if (code == WP_OK) return true;
        why_ = code;
        return false;
    }

    static void try_again(void *arg) noexcept
    {
        auto *self = static_cast<schedule_base *>(arg);
        if (!self->on_its_way()) self->waiting_.resume();
    }

    wp_waiter room_ = WP_WAITER_INIT;
#else
    // This version of the library can't tell when there is room, other than by waiting for it.
    bool on_its_way() noexcept
    {
        const int code = wp_submit_task(pool_, &task_, WP_FOREVER);
        if (code == WP_OK) return true;
        why_ = code;
        return false;
    }
#endif

    wp_pool *pool_;
    wp_task task_;
    std::coroutine_handle<> waiting_;
    int why_ = 0;
};

class schedule_awaiter final : public schedule_base {
public:
    using schedule_base::schedule_base;
    void await_resume() const
    {
        if (why() != 0) raise(why(), "wp::pool::schedule");
    }
};

class nothrow_schedule_awaiter final : public schedule_base {
public:
    using schedule_base::schedule_base;
    [[nodiscard]] std::error_code await_resume() const noexcept { return as_error_code(why()); }
};

/// A coroutine that waits for a future. It is resumed where the task ended.
template <class T>
class future_awaiter final : public waiter {
public:
    explicit future_awaiter(future<T> &&future) noexcept : waiter{resume}, future_(std::move(future)) {}

    bool await_ready() const noexcept { return !future_.valid() || future_.is_ready(); }
    bool await_suspend(std::coroutine_handle<> waiting) noexcept
    {
        waiting_ = waiting;
        return future_access::look(future_)->await(*this);
    }
    T await_resume() { return future_.get(); }

private:
    static void resume(waiter *self) noexcept { static_cast<future_awaiter *>(self)->waiting_.resume(); }

    future<T> future_;
    std::coroutine_handle<> waiting_;
};

/// A coroutine that returns a future: its frame is the state.
template <class T>
class promise_base : public state_of<T> {
public:
    future<T> get_return_object() noexcept { return future_access::make<T>(this); }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    auto final_suspend() noexcept
    {
        struct publisher {
            state *self;
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<>) const noexcept
            {
                state *const mine = self; // this object goes with the frame
                mine->publish(WP_FATE_RAN);
            }
            void await_resume() const noexcept {}
        };
        return publisher{this};
    }
    void unhandled_exception() noexcept
    {
#if WP_HPP_EXCEPTIONS
        this->thrown = std::current_exception();
#else
        std::terminate();
#endif
    }

protected:
    using state_of<T>::state_of;
    ~promise_base() = default;
};

template <class T>
class promise final : public promise_base<T> {
public:
    promise() noexcept : promise_base<T>(destroy) {}

    template <class U>
    void return_value(U &&value)
    {
        if constexpr (std::is_reference_v<T>)
            this->set(std::addressof(value));
        else
            this->set(std::forward<U>(value));
    }

private:
    static void destroy(state *self) noexcept
    {
        std::coroutine_handle<promise>::from_promise(*static_cast<promise *>(self)).destroy();
    }
};

template <>
class promise<void> final : public promise_base<void> {
public:
    promise() noexcept : promise_base<void>(destroy) {}
    void return_void() { set(); }

private:
    static void destroy(state *self) noexcept
    {
        std::coroutine_handle<promise>::from_promise(*static_cast<promise *>(self)).destroy();
    }
};

} // namespace detail

/// As get(), without a blocked thread: `co_await pool.submit(…)`, `co_await std::move(future)`.
template <class T>
detail::future_awaiter<T> operator co_await(future<T> &&future) noexcept
{
    return detail::future_awaiter<T>(std::move(future));
}

inline detail::schedule_awaiter pool::schedule(const task_options &options) noexcept
{
    return {get(), options};
}

inline detail::nothrow_schedule_awaiter pool::schedule(std::nothrow_t, const task_options &options) noexcept
{
    return {get(), options};
}

} // namespace WP_HPP_MODE
} // namespace wp

template <class T, class... Args>
struct std::coroutine_traits<wp::future<T>, Args...> {
    using promise_type = wp::detail::promise<T>;
};

#endif
