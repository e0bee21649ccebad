// SPDX-License-Identifier: MIT
//
// pool.hpp: a worker pool for C++17 on top of workerpool.h, small enough to be read, and to be taken as it is.
//
//     Pool pool;
//     pool.submit([&] { work(item); });   // any callable; waits while the queue is full
//     pool.shutdown();                    // everything accepted has run
//
// Two borders are drawn here. A callable and what it owns are handed over as one object, destroyed exactly once,
// whatever becomes of the task. An exception must not fly through C: it is caught where the task was called, and handed
// to the task's `ended`.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "workerpool.h"

/// A call on a pool failed: what() says which and why, code() is the WP_E… to compare with.
class PoolError : public std::runtime_error {
public:
    PoolError(const char *call, int code)
        : std::runtime_error(std::string(call) + ": " + wp_strerror(code)), code_(code) {}
    int code() const noexcept { return code_; }

private:
    int code_;
};

/// How a task ended: its fate, and the exception that it threw, if it did.
struct Ended {
    std::uint32_t fate;
    std::exception_ptr error;
    bool ok() const noexcept { return fate == WP_FATE_RAN && !error; }
};

namespace pool_detail {

struct Job {
    virtual ~Job() = default;
    virtual void run() = 0;
    virtual void ended(const Ended &) noexcept = 0;
    std::exception_ptr error;
};

// One allocation for both callables and all that they own.
template <class Work, class OnEnd>
struct JobOf final : Job {
    JobOf(Work w, OnEnd e) : work(std::move(w)), on_end(std::move(e)) {}
    void run() override { work(); }
    void ended(const Ended &how) noexcept override { on_end(how); }
    Work work;
    OnEnd on_end;
};

extern "C" inline int pool_hpp_run(wp_context *, void *arg) noexcept
{
    auto *job = static_cast<Job *>(arg);
    try {
        job->run();
        return 0;
    } catch (...) {
        job->error = std::current_exception();
        return 1; // counted by wp_stats.failed
    }
}

extern "C" inline void pool_hpp_end(const wp_outcome *outcome, void *arg) noexcept
{
    std::unique_ptr<Job> job(static_cast<Job *>(arg));
    job->ended(Ended{outcome->fate, job->error});
}

} // namespace pool_detail

class Pool {
public:
    /// What `ended` is when nobody wants to know.
    struct Ignore {
        void operator()(const Ended &) const noexcept {}
    };

    explicit Pool(const wp_options &options = WP_OPTIONS_INIT) { check("wp_create", wp_create(&options, &pool_)); }

    /// Drains, unless shutdown() did. Not inside a task of this pool: that could only wait for itself.
    ~Pool()
    {
        if (wp_destroy(pool_) != WP_OK) std::terminate();
    }
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;

    /// Waits while the queue is full. `ended(const Ended &)` is called once when the accepted task has ended; it must
    /// not throw. Throws a PoolError when nothing was accepted; both callables have been destroyed then.
    template <class Work, class OnEnd = Ignore>
    void submit(Work &&work, OnEnd &&ended = OnEnd{})
    {
        check("wp_submit_task", hand_over(std::forward<Work>(work), std::forward<OnEnd>(ended), WP_FOREVER));
    }

    /// As submit(), but never waits: false when the queue is full.
    template <class Work, class OnEnd = Ignore>
    [[nodiscard]] bool try_submit(Work &&work, OnEnd &&ended = OnEnd{})
    {
        return accepted(hand_over(std::forward<Work>(work), std::forward<OnEnd>(ended), 0));
    }

    /// As submit(), but waits for `timeout` at most: false when there was no room in time.
    template <class Work, class OnEnd = Ignore>
    [[nodiscard]] bool submit_for(std::chrono::nanoseconds timeout, Work &&work, OnEnd &&ended = OnEnd{})
    {
        const auto ns = timeout.count() < 0 ? 0 : static_cast<std::uint64_t>(timeout.count());
        return accepted(hand_over(std::forward<Work>(work), std::forward<OnEnd>(ended), ns));
    }

    void wait_idle() { check("wp_wait_idle", wp_wait_idle(pool_, WP_FOREVER)); }
    void shutdown() { check("wp_shutdown", wp_shutdown(pool_)); }

    wp_stats stats() const
    {
        wp_stats stats = WP_STATS_INIT;
        check("wp_stats_get", wp_stats_get(pool_, &stats));
        return stats;
    }

    /// For the calls that have no method here.
    wp_pool *get() const noexcept { return pool_; }

private:
    static void check(const char *call, int code)
    {
        if (code != WP_OK) throw PoolError(call, code);
    }

    static bool accepted(int code)
    {
        if (code == WP_EFULL || code == WP_ETIMEDOUT) return false;
        check("wp_submit_task", code);
        return true;
    }

    template <class Work, class OnEnd>
    int hand_over(Work &&work, OnEnd &&ended, std::uint64_t timeout_ns)
    {
        using namespace pool_detail;
        using Made = JobOf<std::decay_t<Work>, std::decay_t<OnEnd>>;
        std::unique_ptr<Job> job = std::make_unique<Made>(std::forward<Work>(work), std::forward<OnEnd>(ended));
        wp_task task = WP_TASK_INIT;
        task.run = pool_hpp_run;
        task.end = pool_hpp_end;
        task.arg = job.get();
        const int code = wp_submit_task(pool_, &task, timeout_ns);
        if (code == WP_OK) static_cast<void>(job.release()); // the pool's now; may even be gone already
        return code;
    }

    wp_pool *pool_ = nullptr;
};
