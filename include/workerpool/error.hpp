// SPDX-License-Identifier: MIT
//
// error.hpp: why a call or a task came to nothing. One category of std::error_code holds both: the WP_E… codes of calls (negative)
// and the fates of tasks that never ran (positive). With exceptions they are thrown as wp::error, which is a
// std::system_error; the fates have types of their own.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>

#include "../workerpool.h"
#include "config.hpp"

namespace wp {
inline namespace WP_HPP_MODE {

/// How an accepted task ended.
enum class fate : std::uint32_t {
    ran = WP_FATE_RAN,
    cancelled = WP_FATE_CANCELLED,
    expired = WP_FATE_EXPIRED,
    discarded = WP_FATE_DISCARDED,
};

/// The values of wp::category().
enum class errc : int {
    invalid = WP_EINVAL,
    no_memory = WP_ENOMEM,
    no_thread = WP_ETHREAD,
    full = WP_EFULL,
    timed_out = WP_ETIMEDOUT,
    closed = WP_ECLOSED,
    deadlock = WP_EDEADLK,
    forked = WP_EFORKED,
    panic = WP_EPANIC,
    not_supported = WP_ENOTSUP,
    results_full = WP_ERESULTS,
    group_cancelled = WP_ECANCELLED,
    too_late = WP_ETOOLATE,

    task_threw = WP_FATE_RAN, ///< the task ran, and an exception left it
    task_cancelled = WP_FATE_CANCELLED,
    task_expired = WP_FATE_EXPIRED,
    task_discarded = WP_FATE_DISCARDED,
};

namespace detail {

class error_category final : public std::error_category {
public:
    const char *name() const noexcept override { return "workerpool"; }

    std::string message(int value) const override
    {
        switch (value) {
        case WP_FATE_RAN: return "the task threw an exception";
        case WP_FATE_CANCELLED: return "the task was cancelled before it started";
        case WP_FATE_EXPIRED: return "the task's deadline passed before it started";
        case WP_FATE_DISCARDED: return "a shutdown discarded the task";
        default: return wp_strerror(value);
        }
    }

    /// What the codes mean to those who know std::errc only.
    std::error_condition default_error_condition(int value) const noexcept override
    {
        switch (value) {
        case WP_EINVAL: return std::errc::invalid_argument;
        case WP_ENOMEM: return std::errc::not_enough_memory;
        case WP_ETHREAD:
        case WP_EFULL:
        case WP_ERESULTS: return std::errc::resource_unavailable_try_again;
        case WP_ETIMEDOUT:
        case WP_FATE_EXPIRED: return std::errc::timed_out;
        case WP_EDEADLK: return std::errc::resource_deadlock_would_occur;
        case WP_ENOTSUP: return std::errc::not_supported;
        case WP_ECANCELLED:
        case WP_FATE_CANCELLED:
        case WP_FATE_DISCARDED: return std::errc::operation_canceled;
        default: return {value, *this};
        }
    }
};

} // namespace detail

inline const std::error_category &category() noexcept
{
    static const detail::error_category instance;
    return instance;
}

inline std::error_code make_error_code(errc code) noexcept
{
    return {static_cast<int>(code), category()};
}

/// A call failed, or a task has no result: code() says why, what() in words.
class error : public std::system_error {
public:
    error(errc code, const char *what) : std::system_error(make_error_code(code), what) {}
};

/// The task never ran: its group, one that this stands in, or its std::stop_token was told to stop.
struct cancelled final : error {
    cancelled() : error(errc::task_cancelled, "wp::future") {}
};
/// The task never ran: its deadline, or its group's, passed first.
struct expired final : error {
    expired() : error(errc::task_expired, "wp::future") {}
};
/// The task never ran: a shutdown that cancels came first.
struct discarded final : error {
    discarded() : error(errc::task_discarded, "wp::future") {}
};

namespace detail {

/// Throws what belongs to the code. Without exceptions it ends the process with a message, as the standard library's functions
/// do there; workerpool.hpp says who tells the code instead.
[[noreturn]] inline void raise(int code, const char *call)
{
#if WP_HPP_EXCEPTIONS
    switch (code) {
    case WP_FATE_CANCELLED: throw cancelled();
    case WP_FATE_EXPIRED: throw expired();
    case WP_FATE_DISCARDED: throw discarded();
    default: throw error(static_cast<errc>(code), call);
    }
#else
    std::fprintf(stderr, "%s: %s\n", call, category().message(code).c_str());
    std::abort();
#endif
}

inline void check(int code, const char *call)
{
    if (code != WP_OK) raise(code, call);
}

inline std::error_code as_error_code(int code) noexcept
{
    return code == WP_OK ? std::error_code() : make_error_code(static_cast<errc>(code));
}

/// What a wait with a limit says, of what it came to.
inline bool in_time(std::error_code came_to, const char *call)
{
    if (came_to.value() == WP_ETIMEDOUT) return false;
    check(came_to.value(), call);
    return true;
}

} // namespace detail
} // namespace WP_HPP_MODE
} // namespace wp

template <>
struct std::is_error_code_enum<wp::errc> : std::true_type {};
