// SPDX-License-Identifier: MIT
//
// config.hpp: what the compiler can do, and the name under which everything here is compiled.
//
// Programs are linked from files compiled in different ways, so a type must not change its layout with the standard, and
// a function not its meaning. C++20 and 23 therefore only add functions and types. What really differs, with exceptions
// and without, has two names: the linker then tells who mixes them, instead of taking whichever it saw first.
#pragma once

#if !defined(__cplusplus) || __cplusplus < 201703L
#error "workerpool.hpp needs C++17 or newer"
#endif

#include <version>

#if defined(__cpp_exceptions)
#define WP_HPP_EXCEPTIONS 1
#define WP_HPP_MODE v0
#else
#define WP_HPP_EXCEPTIONS 0
#define WP_HPP_MODE v0_without_exceptions
#endif

#if defined(__cpp_lib_jthread)
#define WP_HPP_STOP_TOKEN 1
#else
#define WP_HPP_STOP_TOKEN 0
#endif

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
#define WP_HPP_COROUTINES 1
#else
#define WP_HPP_COROUTINES 0
#endif

#if defined(__cpp_lib_expected)
#define WP_HPP_EXPECTED 1
#else
#define WP_HPP_EXPECTED 0
#endif
