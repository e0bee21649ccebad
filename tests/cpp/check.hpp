// SPDX-License-Identifier: MIT
//
// What the C++ tests share, in the manner of tests/c/check.h, whose environment (WP_ROUNDS, WP_SEED), exit codes and last line they have.
// Nothing here needs exceptions.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <type_traits>

#include <unistd.h>

#include <workerpool.hpp>

namespace check {

inline const char *name = "?";
inline std::atomic<const char *> in_case{"start"};
inline unsigned long passed = 0;

// No destructors: threads may still use what they would destroy.
[[noreturn]] inline void abandon(const char *file, int line, const std::string &what)
{
    std::printf("%s:%d: in %s: %s\n%s: %lu passed, 1 failed\n", file, line, in_case.load(), what.c_str(), name, passed);
    std::fflush(stdout);
    std::_Exit(1);
}

template <class T>
std::string show(const T &value)
{
    std::ostringstream text;
    if constexpr (std::is_enum_v<T>)
        text << static_cast<long long>(value);
    else
        text << value;
    return text.str();
}

template <class E, class G>
void equal(const char *file, int line, const char *what, const E &expected, const G &got)
{
    if (!(expected == got)) abandon(file, line, std::string(what) + ": expected " + show(expected) + ", got " + show(got));
}

inline unsigned long rounds(unsigned long short_form)
{
    const char *text = std::getenv("WP_ROUNDS");
    const unsigned long given = text != nullptr ? std::strtoul(text, nullptr, 10) : 0;
    return given != 0 ? given : short_form;
}

inline std::uint64_t seed()
{
    const char *text = std::getenv("WP_SEED");
    const std::uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 0) : std::random_device()();
    std::printf("%s: WP_SEED=%llu\n", name, static_cast<unsigned long long>(seed));
    return seed;
}

inline void run(const char *what, void (*function)())
{
    in_case = what;
    function();
    passed++;
}

/// The alarm ends a program that hangs, and tells where by its core of output: the last case named.
inline void begin(const char *program)
{
    name = program;
    alarm(static_cast<unsigned>(100 + 2 * rounds(0)));
}

inline int end()
{
    std::printf("%s: %lu passed, 0 failed\n", name, passed);
    return 0;
}

/// A task that tells that it has begun, and holds its worker until it is let go. It shares the words with the gate, which may be gone
/// before the task has seen the last of them.
class gate {
public:
    explicit gate(wp::pool &pool)
    {
        pool.post([words = words_] {
            words->begun.set_value();
            words->open.get_future().wait();
        });
        words_->begun.get_future().wait();
    }
    void open() { words_->open.set_value(); }

private:
    struct words {
        std::promise<void> begun, open;
    };
    std::shared_ptr<words> words_ = std::make_shared<words>();
};

inline wp::pool pool(std::uint32_t workers, std::uint32_t capacity)
{
    wp::options options;
    options.workers = workers;
    options.capacity = capacity;
    return wp::pool(options);
}

/// Fills the queue of a pool whose workers are all held.
inline void fill(wp::pool &pool, std::uint32_t capacity)
{
    for (std::uint32_t i = 0; i < capacity; i++) equal(__FILE__, __LINE__, "fill", std::error_code(), pool.try_post([] {}));
    equal(__FILE__, __LINE__, "full", wp::make_error_code(wp::errc::full), pool.try_post([] {}));
}

} // namespace check

#define CHECK_EQ(expected, got) check::equal(__FILE__, __LINE__, #got, expected, got)
#define CHECK(condition) check::equal(__FILE__, __LINE__, #condition, true, static_cast<bool>(condition))
#define CASE(function) check::run(#function, function)

/// The expression throws this type; in the last argument, one more check, what was thrown is called `thrown`.
#define CHECK_THROWS(type, expression, more)                                                 \
    do {                                                                                     \
        bool check_threw = false;                                                            \
        try {                                                                                \
            static_cast<void>(expression);                                                   \
        } catch (const type &thrown) {                                                       \
            static_cast<void>(thrown);                                                       \
            check_threw = true;                                                              \
            more;                                                                            \
        }                                                                                    \
        if (!check_threw) check::abandon(__FILE__, __LINE__, #expression ": no " #type);     \
    } while (0)

/// The expression throws a wp::error of this code.
#define CHECK_ERROR(errc, expression) CHECK_THROWS(wp::error, expression, CHECK_EQ(wp::make_error_code(errc), thrown.code()))
