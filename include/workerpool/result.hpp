// SPDX-License-Identifier: MIT
//
// result.hpp: a value, or why there is none. It is what std::expected<T, std::error_code> is in C++23, and turns into it there; a type
// of our own, because functions must not return one type in C++17 and another in C++23.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "config.hpp"
#include "error.hpp"

#if WP_HPP_EXPECTED
#include <expected>
#endif

namespace wp {
inline namespace WP_HPP_MODE {
namespace detail {

/// How a value of T lies in memory: a reference as a pointer, nothing as an empty struct.
template <class T>
using stored = std::conditional_t<std::is_void_v<T>, std::monostate,
                                  std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T> *, T>>;

/// The value back out of it, moved.
template <class T>
T unstore(stored<T> &&value)
{
    if constexpr (std::is_reference_v<T>)
        return static_cast<T>(*value);
    else if constexpr (!std::is_void_v<T>)
        return std::move(value);
}

} // namespace detail

template <class T>
class [[nodiscard]] result {
    using stored = detail::stored<T>;

public:
    using value_type = T;

    result(errc why) : why_(why) {} // implicit, as from std::unexpected
    explicit result(std::error_code why) : why_(why) {}

    template <class... Args, class = std::enable_if_t<std::is_constructible_v<stored, Args...>>>
    explicit result(std::in_place_t, Args &&...args) : value_(std::in_place, std::forward<Args>(args)...) {}

    bool has_value() const noexcept { return value_.has_value(); }

    /// As has_value(). A bool's result has none: std::expected<bool, …> e(std::move(result)) would take it for the value.
    template <class U = T, class = std::enable_if_t<!std::is_same_v<std::decay_t<U>, bool>>>
    explicit operator bool() const noexcept
    {
        return has_value();
    }

    /// No error: the default std::error_code.
    std::error_code error() const noexcept { return why_; }

    /// The value, or what belongs to the error is thrown.
    T value() &&
    {
        if (!value_) detail::raise(why_.value(), "wp::result");
        return detail::unstore<T>(std::move(*value_));
    }

    /// As those of std::expected: only when there is a value.
    template <class U = T>
    std::enable_if_t<!std::is_void_v<U>, std::add_lvalue_reference_t<U>> operator*() & noexcept
    {
        return reference();
    }
    template <class U = T>
    std::enable_if_t<!std::is_void_v<U>, std::add_rvalue_reference_t<U>> operator*() && noexcept
    {
        return static_cast<U &&>(reference());
    }
    template <class U = T>
    std::enable_if_t<!std::is_void_v<U>, std::remove_reference_t<U> *> operator->() noexcept
    {
        return &reference();
    }

#if WP_HPP_EXPECTED
    template <class U = T, class = std::enable_if_t<!std::is_reference_v<U>>>
    operator std::expected<U, std::error_code>() &&
    {
        if (!value_) return std::unexpected(why_);
        if constexpr (std::is_void_v<T>)
            return {};
        else
            return std::move(*value_);
    }
#endif

private:
    auto &reference() noexcept
    {
        if constexpr (std::is_reference_v<T>)
            return **value_;
        else
            return *value_;
    }

    std::optional<stored> value_;
    std::error_code why_;
};

} // namespace WP_HPP_MODE
} // namespace wp
