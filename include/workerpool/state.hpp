// SPDX-License-Identifier: MIT
//
// state.hpp: what a task and its future share, and the one word by which they agree.
//
// A state has two sides. The task's side writes the result and publishes it, once. The future's side, one thread at a time, looks,
// waits, takes the result, or lets go. Whoever comes last destroys the state, so no count of references is kept.
//
// States of the word
//     PENDING     nothing has happened
//     a waiter    pending, and the future's side waits: the word points to its node
//     READY       the result is there, and the state is the future's alone
//     ABANDONED   the future is gone, and the state is the task's alone
//
// Transitions
//     PENDING -> waiter       the future's side begins to wait; the node must stay until it is woken or taken back
//     waiter -> PENDING       it takes its node back (its time is up)
//     PENDING -> READY        publish(): after this step the task's side touches the state no more
//     waiter -> READY         publish(): the same, and it wakes the node, which nobody can take back any more
//     PENDING -> ABANDONED    the future lets go
//     READY -> destroyed      the future lets go, or has taken the result
//     ABANDONED -> destroyed  publish() finds nobody
//
// Invariants
//   1. What was written before publish() is seen by who finds READY: the step to READY releases, each look acquires.
//   2. The state is destroyed once: of publish() and the letting go, each an exchange, the second does it.
//   3. Each node that was put into the word is woken once or taken back, never both: either is one step on the word.
//   4. A node is not touched after its wake() has been called: the wake may free it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>

#include "../workerpool.h"
#include "config.hpp"
#include "core.hpp"
#include "error.hpp"
#include "time.hpp"

namespace wp {
inline namespace WP_HPP_MODE {
namespace detail {

/// Who waits for a state: a blocked thread (`sleeper`), or a coroutine.
struct waiter {
    void (*wake)(waiter *) noexcept;
};

/// A thread that sleeps. The node lies on its stack.
class sleeper : public waiter {
public:
    sleeper() : waiter{rouse} {}

    void sleep()
    {
        std::unique_lock<std::mutex> lock(mutex_);
        while (!woken_) changed_.wait(lock);
    }

    /// Whether it was woken in time.
    bool sleep_until(std::chrono::steady_clock::time_point end)
    {
        std::unique_lock<std::mutex> lock(mutex_);
        return changed_.wait_until(lock, end, [this] { return woken_; });
    }

private:
    // Under the lock to its end: the sleeper must not leave, and take the condition with it, before it was notified.
    static void rouse(waiter *self) noexcept
    {
        auto *me = static_cast<sleeper *>(self);
        const std::lock_guard<std::mutex> lock(me->mutex_);
        me->woken_ = true;
        me->changed_.notify_one();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool woken_ = false;
};

class state {
public:
    using destroyer = void (*)(state *) noexcept;

    explicit state(destroyer last) noexcept : destroy_(last) {}
    state(const state &) = delete;
    state &operator=(const state &) = delete;

    // The task's side.

    /// The pool, before it accepts the task; a state without one (a coroutine's) is never told that it waits for itself.
    void belongs_to(const core &pool) noexcept
    {
        pool_ = &pool;
        manual_ = pool.is_manual();
    }

    /// After the result was written. The last that the task's side does.
    void publish(std::uint32_t fate) noexcept
    {
        fate_ = fate;
        const std::uintptr_t found = word_.exchange(READY, std::memory_order_acq_rel);
        if (found == ABANDONED) {
            destroy_(this);
        } else if (found != PENDING) {
            auto *const node = reinterpret_cast<waiter *>(found);
            node->wake(node);
        }
    }

    // The future's side.

    bool is_ready() const noexcept { return word_.load(std::memory_order_acquire) == READY; }

    /// Puts the node in. False: ready already, the node will not be woken.
    bool await(waiter &node) noexcept
    {
        std::uintptr_t pending = PENDING;
        return word_.compare_exchange_strong(pending, as_word(node), std::memory_order_acq_rel, std::memory_order_acquire);
    }

    /// Takes the node back. False: it is being woken, or has been.
    bool take_back(waiter &node) noexcept
    {
        std::uintptr_t mine = as_word(node);
        return word_.compare_exchange_strong(mine, PENDING, std::memory_order_acq_rel, std::memory_order_acquire);
    }

    /// Waits until it is ready. WP_OK, WP_ETIMEDOUT, or WP_EDEADLK: the thread would wait for its own pool (law L6 of the library).
    int wait(std::uint64_t timeout_ns)
    {
        if (is_ready()) return WP_OK;
        if (timeout_ns == 0) return WP_ETIMEDOUT;
        if (pool_ != nullptr) {
            if (pool_ == core::of_this_thread()) return WP_EDEADLK;
            if (manual_) return step();
        }
        sleeper me;
        if (!await(me)) return WP_OK;
        if (timeout_ns == WP_FOREVER) {
            me.sleep();
        } else {
            if (!me.sleep_until(steady_after(timeout_ns))) {
                if (take_back(me)) return WP_ETIMEDOUT;
                me.sleep(); // it is being woken just now
            }
        }
        return WP_OK;
    }

    void let_go() noexcept
    {
        if (word_.exchange(ABANDONED, std::memory_order_acq_rel) == READY) destroy_(this);
    }

    /// Of a state that is ready.
    std::uint32_t fate() const noexcept { return fate_; }

    /// Of a state that was never handed over.
    void destroy() noexcept { destroy_(this); }

#if WP_HPP_EXCEPTIONS
    std::exception_ptr thrown;
#endif

protected:
    ~state() = default;

private:
    // What is neither of these is the address of a node.
    static constexpr std::uintptr_t PENDING = 0, READY = 1, ABANDONED = 2;

    static std::uintptr_t as_word(waiter &node) noexcept { return reinterpret_cast<std::uintptr_t>(&node); }

    static std::chrono::steady_clock::time_point steady_after(std::uint64_t timeout_ns)
    {
        const std::chrono::nanoseconds now = std::chrono::steady_clock::now().time_since_epoch();
        const auto end = later(static_cast<std::uint64_t>(now.count()), timeout_ns).time_since_epoch();
        return std::chrono::steady_clock::time_point(std::chrono::duration_cast<std::chrono::steady_clock::duration>(end));
    }

    /// On a manual pool a wait runs tasks, since nobody else would.
    int step()
    {
        for (;;) {
            std::uint64_t ran = 0;
            const int code = wp_run(pool_->get(), 1, &ran);
            if (is_ready()) return WP_OK;
            if (code != WP_OK) return code;
            if (ran == 0) return WP_EDEADLK; // nothing is queued that could end it
        }
    }

    std::atomic<std::uintptr_t> word_{PENDING};
    destroyer destroy_;
    const core *pool_ = nullptr; // of a pool with threads only compared: it may be gone by now
    std::uint32_t fate_ = 0;
    bool manual_ = false;
};

} // namespace detail
} // namespace WP_HPP_MODE
} // namespace wp
