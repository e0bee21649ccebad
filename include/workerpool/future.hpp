// SPDX-License-Identifier: MIT
//
// future.hpp: the result of one task.
//
// It is a future of our own, not std::future, because that one
//   - can carry an exception and nothing else, so that without exceptions a task that never ran could not be told;
//   - takes two allocations a task or more (the callable, and the state that the promise shares); here both are one block;
//   - counts references and locks, where one word will do (state.hpp);
//   - lets a worker wait for a task that stands behind it in the queue for ever; here that is refused (errc::deadlock);
//   - can't be awaited by a coroutine.
#pragma once

#include <chrono>
#include <optional>
#include <type_traits>
#include <utility>

#include "config.hpp"
#include "error.hpp"
#include "result.hpp"
#include "state.hpp"
#include "time.hpp"

namespace wp {
inline namespace WP_HPP_MODE {
namespace detail {

/// A state with room for the result.
template <class T>
class state_of : public state {
public:
    using state::state;

    template <class... Args>
    void set(Args &&...args)
    {
        value_.emplace(std::forward<Args>(args)...);
    }

    /// 0: there is a value; else why there is none, as wp::errc.
    int why() const noexcept
    {
        if (fate() != WP_FATE_RAN) return static_cast<int>(fate());
        return value_ ? 0 : static_cast<int>(errc::task_threw);
    }

    stored<T> &&take() noexcept { return std::move(*value_); }

protected:
    ~state_of() = default;

private:
    std::optional<stored<T>> value_;
};

struct future_access;

} // namespace detail

template <class T>
class [[nodiscard]] future {
public:
    using value_type = T;

    future() noexcept = default;
    future(future &&other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    future &operator=(future &&other) noexcept
    {
        future(std::move(other)).swap(*this);
        return *this;
    }

    /// Waits for nothing: the task goes its way, and what it returns is dropped when it ends.
    ~future()
    {
        if (state_ != nullptr) state_->let_go();
    }

    void swap(future &other) noexcept { std::swap(state_, other.state_); }

    /// Whether there is a task behind it: not so once the result has been taken.
    bool valid() const noexcept { return state_ != nullptr; }
    bool is_ready() const noexcept { return state_ != nullptr && state_->is_ready(); }

    /// Waits until the task has ended, and gives what it returned, or throws what it threw. A task that never ran: wp::cancelled,
    /// wp::expired or wp::discarded. wp::error with errc::deadlock: the caller is a task of that pool, and would have to
    /// sleep; the future stays as it is. On a manual pool a wait runs its tasks. After get() the future is empty.
    ///
    /// A coroutine belongs to no pool, so a wait for its future only sleeps, wherever that is: call pool::run() of a manual pool before,
    /// and inside tasks use co_await. In the child of a fork no task of the parent's ends any more, so don't wait for one there.
    T get()
    {
        wait();
        const owner taken(std::exchange(state_, nullptr));
        if (const int why = taken.state->why(); why != 0) {
#if WP_HPP_EXCEPTIONS
            if (taken.state->thrown) std::rethrow_exception(std::move(taken.state->thrown));
#endif
            detail::raise(why, "wp::future::get");
        }
        return detail::unstore<T>(taken.state->take());
    }

    /// As get(), but throws nothing: the error is an errc of the task (task_threw, task_cancelled, task_expired, task_discarded), and
    /// then the future is empty; or of the wait (timed_out, deadlock, invalid …), and it stays as it is.
    template <class Rep = std::int64_t, class Period = std::nano>
    result<T> try_get(const std::chrono::duration<Rep, Period> &timeout = forever)
    {
        if (const int code = wait_ns(detail::nanoseconds(timeout)); code != WP_OK) return static_cast<errc>(code);
        const owner taken(std::exchange(state_, nullptr));
        if (const int why = taken.state->why(); why != 0) return static_cast<errc>(why);
        return result<T>(std::in_place, taken.state->take());
    }

    /// Until the task has ended. Throws as get() does while it waits: errc::deadlock, of an empty future errc::invalid.
    void wait() { detail::check(wait_ns(WP_FOREVER), "wp::future::wait"); }

    /// Whether the task has ended in time. Throws as wait() does; a timeout of 0 only looks, and is never a deadlock.
    template <class Rep, class Period>
    bool wait_for(const std::chrono::duration<Rep, Period> &timeout)
    {
        return detail::in_time(try_wait(timeout), "wp::future::wait_for");
    }

    /// As wait_for(), but throws nothing: errc::timed_out, errc::deadlock …
    template <class Rep, class Period>
    [[nodiscard]] std::error_code try_wait(const std::chrono::duration<Rep, Period> &timeout)
    {
        return detail::as_error_code(wait_ns(detail::nanoseconds(timeout)));
    }

    /// How the task ended; nothing until it has.
    std::optional<wp::fate> fate() const noexcept
    {
        if (!is_ready()) return std::nullopt;
        return static_cast<wp::fate>(state_->fate());
    }

#if WP_HPP_EXCEPTIONS
    /// What the task threw; null if nothing, or until it has ended.
    std::exception_ptr exception() const noexcept { return is_ready() ? state_->thrown : nullptr; }
#endif

private:
    friend struct detail::future_access;

    // The state of which this is the last that knows: destroyed when the result is out, or failed to come out.
    struct owner {
        explicit owner(detail::state_of<T> *s) noexcept : state(s) {}
        owner(const owner &) = delete;
        owner &operator=(const owner &) = delete;
        ~owner() { state->let_go(); }
        detail::state_of<T> *const state;
    };

    explicit future(detail::state_of<T> *state) noexcept : state_(state) {}

    int wait_ns(std::uint64_t timeout_ns) { return state_ != nullptr ? state_->wait(timeout_ns) : WP_EINVAL; }

    detail::state_of<T> *state_ = nullptr;
};

namespace detail {

/// For the rest of the header: nobody else makes futures, or looks inside.
struct future_access {
    template <class T>
    static future<T> make(state_of<T> *state) noexcept
    {
        return future<T>(state);
    }
    template <class T>
    static state_of<T> *look(const future<T> &future) noexcept
    {
        return future.state_;
    }
};

} // namespace detail
} // namespace WP_HPP_MODE
} // namespace wp
