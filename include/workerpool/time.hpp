// SPDX-License-Identifier: MIT
//
// time.hpp: durations and instants of std::chrono, as the nanoseconds of workerpool.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <ratio>

#include "../workerpool.h"
#include "config.hpp"

namespace wp {
inline namespace WP_HPP_MODE {

/// A pool's own clock. It has no now() of its own: each pool has its clock (pool::now()), and that of a manual pool moves by
/// pool::advance() alone.
struct clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<clock, duration>;
    static constexpr bool is_steady = true;
};

using time_point = clock::time_point;

/// Wait without limit.
inline constexpr std::chrono::nanoseconds forever = std::chrono::nanoseconds::max();

namespace detail {

/// Saturates: what is negative (or not a number) is 0, and what no nanoseconds can hold is WP_FOREVER.
template <class Rep, class Period>
constexpr std::uint64_t nanoseconds(const std::chrono::duration<Rep, Period> &duration)
{
    using seconds = std::chrono::duration<double>;
    using wide = std::chrono::duration<std::uint64_t, std::nano>;
    if (!(duration > duration.zero())) return 0;
    // 9.2e9 s, some 292 years, is where std::chrono::nanoseconds ends.
    if (std::chrono::duration_cast<seconds>(duration).count() >= 9.2e9) return WP_FOREVER;
    return std::chrono::duration_cast<wide>(duration).count();
}

/// An instant as workerpool.h has it. 0 would mean "no deadline": the first nanosecond will do.
constexpr std::uint64_t instant(time_point at)
{
    const auto since = at.time_since_epoch().count();
    return since > 0 ? static_cast<std::uint64_t>(since) : 1;
}

constexpr time_point instant_of(std::uint64_t nanoseconds)
{
    constexpr auto last = static_cast<std::uint64_t>(time_point::max().time_since_epoch().count());
    const auto since = nanoseconds < last ? nanoseconds : last;
    return time_point(std::chrono::nanoseconds(static_cast<std::int64_t>(since)));
}

/// The instant so long after another; it stops at the last one that there is.
constexpr time_point later(std::uint64_t from, std::uint64_t by)
{
    return instant_of(by < WP_FOREVER - from ? from + by : WP_FOREVER);
}

constexpr std::chrono::nanoseconds as_duration(std::uint64_t nanoseconds)
{
    return instant_of(nanoseconds).time_since_epoch();
}

} // namespace detail
} // namespace WP_HPP_MODE
} // namespace wp
