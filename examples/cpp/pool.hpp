// SPDX-License-Identifier: MIT
//
// pool.hpp: a worker pool for C++17 on top of workerpool.h, small enough to be read, and to be taken as it is.
//
//     Pool pool;
//     pool.submit([&] { work(item); });   // any callable; waits while the queue is full
//     pool.shutdown();                    // everything accepted has run
//
//     Group group(pool);                  // a scope: cancel it, wait for it, give it a deadline
//     group.submit([](Context task) { while (!task.should_stop()) step(); });
//
// Two borders are drawn here. A callable and what it owns are handed over as one object, destroyed exactly once,
// whatever becomes of the task. An exception must not fly through C: it is caught where the task was called, and handed
// to the task's `ended`.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
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

/// What a running task may ask. A callable that takes one is given it; copies are good until that call ends.
class Context {
public:
    explicit Context(const wp_context *context) noexcept : context_(context) {}
    bool should_stop() const noexcept { return wp_should_stop(context_) != 0; }
    std::uint32_t stop_reason() const noexcept { return wp_stop_reason(context_); } ///< WP_STOP_…

    /// Until the task's deadline; nanoseconds::max() when it has none.
    std::chrono::nanoseconds time_left() const noexcept
    {
        constexpr auto most = std::chrono::nanoseconds::max();
        const std::uint64_t left = wp_time_left(context_);
        return left < static_cast<std::uint64_t>(most.count()) ? std::chrono::nanoseconds(left) : most;
    }

private:
    const wp_context *context_;
};

namespace pool_detail {

inline void check(const char *call, int code)
{
    if (code != WP_OK) throw PoolError(call, code);
}

inline std::uint64_t ns_of(std::chrono::nanoseconds time)
{
    return time.count() < 0 ? 0 : static_cast<std::uint64_t>(time.count());
}

struct Job {
    virtual ~Job() = default;
    virtual void run(Context) = 0;
    virtual void ended(const Ended &) noexcept = 0;
    std::exception_ptr error;
};

// One allocation for both callables and all that they own.
template <class Work, class OnEnd>
struct JobOf final : Job {
    JobOf(Work w, OnEnd e) : work(std::move(w)), on_end(std::move(e)) {}
    void run(Context context) override
    {
        if constexpr (std::is_invocable_v<Work &, Context>)
            work(context);
        else
            work();
    }
    void ended(const Ended &how) noexcept override { on_end(how); }
    Work work;
    OnEnd on_end;
};

extern "C" inline int pool_hpp_run(wp_context *context, void *arg) noexcept
{
    auto *job = static_cast<Job *>(arg);
    try {
        job->run(Context(context));
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

// The code of the submit; when it is WP_OK the callables are the pool's, else they have been destroyed.
template <class Work, class OnEnd>
int hand_over(wp_pool *pool, wp_task task, Work &&work, OnEnd &&ended, std::uint64_t timeout_ns)
{
    using Made = JobOf<std::decay_t<Work>, std::decay_t<OnEnd>>;
    std::unique_ptr<Job> job = std::make_unique<Made>(std::forward<Work>(work), std::forward<OnEnd>(ended));
    task.run = pool_hpp_run;
    task.end = pool_hpp_end;
    task.arg = job.get();
    const int code = wp_submit_task(pool, &task, timeout_ns);
    if (code == WP_OK) static_cast<void>(job.release()); // the pool's now; may even be gone already
    return code;
}

} // namespace pool_detail

/// What `ended` is when nobody wants to know.
struct Ignore {
    void operator()(const Ended &) const noexcept {}
};

class Pool {
public:
    explicit Pool(const wp_options &options = WP_OPTIONS_INIT) { pool_detail::check("wp_create", wp_create(&options, &pool_)); }

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
        pool_detail::check("wp_submit_task", hand_over(std::forward<Work>(work), std::forward<OnEnd>(ended), WP_FOREVER));
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
        return accepted(hand_over(std::forward<Work>(work), std::forward<OnEnd>(ended), pool_detail::ns_of(timeout)));
    }

    void wait_idle() { pool_detail::check("wp_wait_idle", wp_wait_idle(pool_, WP_FOREVER)); }
    void shutdown() { pool_detail::check("wp_shutdown", wp_shutdown(pool_)); }

    wp_stats stats() const
    {
        wp_stats stats = WP_STATS_INIT;
        pool_detail::check("wp_stats_get", wp_stats_get(pool_, &stats));
        return stats;
    }

    /// For the calls that have no method here.
    wp_pool *get() const noexcept { return pool_; }

private:
    static bool accepted(int code)
    {
        if (code == WP_EFULL || code == WP_ETIMEDOUT) return false;
        pool_detail::check("wp_submit_task", code);
        return true;
    }

    template <class Work, class OnEnd>
    int hand_over(Work &&work, OnEnd &&ended, std::uint64_t timeout_ns)
    {
        return pool_detail::hand_over(pool_, WP_TASK_INIT, std::forward<Work>(work), std::forward<OnEnd>(ended), timeout_ns);
    }

    wp_pool *pool_ = nullptr;
};

/// A bounded queue of records: how each task that names it ended. Read by one thread, it needs no lock in user code.
class Results {
public:
    explicit Results(std::uint32_t capacity)
    {
        wp_results_options options = WP_RESULTS_OPTIONS_INIT;
        options.capacity = capacity;
        pool_detail::check("wp_results_create", wp_results_create(&options, &results_));
    }
    ~Results() { wp_results_release(results_); }
    Results(const Results &) = delete;
    Results &operator=(const Results &) = delete;

    /// Nothing when no record came in time. A record's `arg` is of no use here: the callables are gone.
    std::optional<wp_record> next(std::chrono::nanoseconds timeout) { return next_ns(pool_detail::ns_of(timeout)); }
    wp_record next() { return *next_ns(WP_FOREVER); }

    wp_results *get() const noexcept { return results_; }

private:
    std::optional<wp_record> next_ns(std::uint64_t timeout)
    {
        wp_record record = WP_RECORD_INIT;
        const int code = wp_results_next(results_, &record, timeout);
        if (code == WP_ETIMEDOUT) return std::nullopt;
        pool_detail::check("wp_results_next", code);
        return record;
    }

    wp_results *results_ = nullptr;
};

/// A scope over tasks of a pool. Whatever way it is left, by an exception too, nothing of it runs any more: the destructor
/// cancels what has not started, and waits for what has. It must go before its pool, and not inside one of its tasks.
class Group {
public:
    explicit Group(Pool &pool, const wp_group_options &options = WP_GROUP_OPTIONS_INIT) : pool_(pool.get())
    {
        pool_detail::check("wp_group_create", wp_group_create(pool_, &options, &group_));
    }
    ~Group()
    {
        wp_group_cancel(group_);
        if (wp_group_wait(group_, WP_FOREVER) != WP_OK) std::terminate();
        wp_group_release(group_);
    }
    Group(const Group &) = delete;
    Group &operator=(const Group &) = delete;

    /// As Pool::submit(); `task` may set what else a task can have: a deadline, a label, results.
    template <class Work, class OnEnd = Ignore>
    void submit(Work &&work, OnEnd &&ended = OnEnd{}, wp_task task = WP_TASK_INIT)
    {
        task.group = group_;
        pool_detail::check("wp_submit_task", pool_detail::hand_over(pool_, task, std::forward<Work>(work),
                                                                    std::forward<OnEnd>(ended), WP_FOREVER));
    }

    void cancel() { pool_detail::check("wp_group_cancel", wp_group_cancel(group_)); }
    void wait() { pool_detail::check("wp_group_wait", wp_group_wait(group_, WP_FOREVER)); }

    wp_group_status status() const
    {
        wp_group_status status = WP_GROUP_STATUS_INIT;
        pool_detail::check("wp_group_status_get", wp_group_status_get(group_, &status));
        return status;
    }

    wp_group *get() const noexcept { return group_; }

private:
    wp_pool *pool_;
    wp_group *group_ = nullptr;
};
