// SPDX-License-Identifier: MIT
//
// callable.hpp: how a callable crosses the border to C: where it lies, how it is called, and what its ending means as a status.
//
// Nothing may be thrown through C. Each function that the library calls is noexcept, and what a callable throws is caught where it
// was called.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "../workerpool.h"
#include "config.hpp"
#include "context.hpp"
#include "future.hpp"
#include "result.hpp"

namespace wp {
inline namespace WP_HPP_MODE {

/// A callable that returns this tells the task's status itself: 0 is success, anything else the task's own error, which is counted
/// (wp_stats.failed), told to its group and its record. Otherwise the status is 0; or 1 when it threw, or returned a
/// wp::result, or std::expected, that holds an error.
struct status {
    std::int32_t code = 0;
};

namespace detail {

inline constexpr int failed = 1;

template <class F>
inline constexpr bool wants_context = std::is_invocable_v<F, context &>;

template <class F, bool = wants_context<F>>
struct returned_by {
    using type = std::invoke_result_t<F>;
};
template <class F>
struct returned_by<F, true> {
    using type = std::invoke_result_t<F, context &>;
};
/// What F returns, called once, as a temporary.
template <class F>
using returned = typename returned_by<F>::type;

template <class F>
inline constexpr bool is_task_callable = wants_context<F> || std::is_invocable_v<F>;

template <class F>
returned<F> call(F &callable, wp_context *raw)
{
    if constexpr (wants_context<F>) {
        context mine(raw);
        return std::invoke(std::move(callable), mine);
    } else {
        return std::invoke(std::move(callable));
    }
}

template <class T>
inline constexpr bool holds_error_or_value = false;
template <class T>
inline constexpr bool holds_error_or_value<result<T>> = true;
#if WP_HPP_EXPECTED
template <class T, class E>
inline constexpr bool holds_error_or_value<std::expected<T, E>> = true;
#endif

template <class R>
int status_of(const R &returned) noexcept
{
    if constexpr (std::is_same_v<R, status>)
        return returned.code;
    else if constexpr (holds_error_or_value<R>)
        return returned.has_value() ? 0 : failed;
    else
        return 0;
}

/// Calls it, drops what it returns, and says which status that is. What it throws goes on.
template <class F>
int call_for_status(F &callable, wp_context *raw)
{
    if constexpr (std::is_void_v<returned<F>>) {
        call(callable, raw);
        return 0;
    } else {
        return status_of<std::decay_t<returned<F>>>(call(callable, raw));
    }
}

/// Of a callable that nobody waits for, only that it failed is left.
template <class F>
int call_and_catch(F &callable, wp_context *raw) noexcept
{
#if WP_HPP_EXCEPTIONS
    try {
        return call_for_status(callable, raw);
    } catch (...) {
        return failed;
    }
#else
    return call_for_status(callable, raw);
#endif
}

/// Whether a callable can travel inside the task's `arg`: no larger than a pointer, and nothing but its bytes.
template <class F>
inline constexpr bool fits_in_arg =
    sizeof(F) <= sizeof(void *) && std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>;

/// A callable whose bytes are the `arg`: it takes no memory, and needs no end.
template <class F>
struct in_arg {
    static void *pack([[maybe_unused]] const F &callable) noexcept
    {
        void *arg = nullptr;
        // The one byte of an empty callable was never written.
        if constexpr (!std::is_empty_v<F>) std::memcpy(&arg, &callable, sizeof callable);
        return arg;
    }

    static int run(wp_context *raw, void *arg) noexcept
    {
        alignas(F) unsigned char bytes[sizeof(F)];
        std::memcpy(bytes, &arg, sizeof bytes);
        return call_and_catch(*std::launder(reinterpret_cast<F *>(bytes)), raw);
    }
};

/// A callable of its own block of memory, for which nobody waits.
template <class F>
struct boxed {
    static int run(wp_context *raw, void *arg) noexcept { return call_and_catch(*static_cast<F *>(arg), raw); }
    static void end(const wp_outcome *, void *arg) noexcept { delete static_cast<F *>(arg); }
};

/// What most jobs have besides: nothing. A job's link is over before anybody can see that the task has ended.
struct no_link {
    void over() noexcept {}
};

/// A callable and the result of it, in one block. The callable is destroyed before anybody can see that the task has ended: who
/// has got the result finds nothing of it left.
template <class F, class Link = no_link>
class job final : public state_of<returned<F>> {
    using base = state_of<returned<F>>;

public:
    template <class G>
    explicit job(G &&callable) : base(destroy), callable_(std::in_place, std::forward<G>(callable))
    {
    }

    static int run(wp_context *raw, void *arg) noexcept
    {
        auto *self = of(arg);
#if WP_HPP_EXCEPTIONS
        try {
            return self->call_and_keep(raw);
        } catch (...) {
            self->thrown = std::current_exception();
            return failed;
        }
#else
        return self->call_and_keep(raw);
#endif
    }

    static void end(const wp_outcome *outcome, void *arg) noexcept
    {
        auto *self = of(arg);
        self->callable_.reset();
        self->link.over();
        self->publish(outcome->fate);
    }

    Link link;

private:
    // The pool was given a pointer to the base.
    static job *of(void *arg) noexcept { return static_cast<job *>(static_cast<base *>(arg)); }

    int call_and_keep(wp_context *raw)
    {
        using R = returned<F>;
        if constexpr (std::is_void_v<R>) {
            call(*callable_, raw);
            this->set();
            return 0;
        } else if constexpr (std::is_reference_v<R>) {
            this->set(std::addressof(call(*callable_, raw)));
            return 0;
        } else {
            auto &&value = call(*callable_, raw);
            const int status = status_of<R>(value);
            this->set(std::move(value));
            return status;
        }
    }

    static void destroy(state *self) noexcept { delete static_cast<job *>(self); }

    std::optional<F> callable_;
};

} // namespace detail
} // namespace WP_HPP_MODE
} // namespace wp
