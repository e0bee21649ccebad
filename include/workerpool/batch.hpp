// SPDX-License-Identifier: MIT
//
// batch.hpp: many callables, handed over by one call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "../workerpool.h"
#include "callable.hpp"
#include "config.hpp"
#include "task.hpp"

namespace wp {
inline namespace WP_HPP_MODE {

/// For many small tasks, to which a submit each would be dear:
///
///     wp::batch batch;
///     for (auto &part : parts) batch.add([&part] { part.work(); }, group);
///     pool.post(batch); // waits while the queue is full
///
/// They are queued in their order, as pool::post() would do with each. Those that were accepted leave the batch, also when the call
/// fails with the rest: that stays, and can be posted again, here or elsewhere. What is never posted is destroyed with the batch.
class batch {
public:
    batch() noexcept = default;
    batch(batch &&other) noexcept : tasks_(std::move(other.tasks_)) { other.tasks_.clear(); }
    batch &operator=(batch &&other) noexcept
    {
        tasks_.swap(other.tasks_);
        return *this;
    }
    ~batch() { clear(); }

    /// Takes memory for the list; and for the callable, unless that is only bytes and no larger than a pointer. Options: as for a submit, and
    /// what they name must live until the batch was posted.
    template <class F, class D = std::decay_t<F>, class = std::enable_if_t<detail::is_task_callable<D>>>
    void add(F &&callable, const task_options &options = {})
    {
        wp_task raw = options.get();
        if constexpr (detail::fits_in_arg<D>) {
            raw.run = detail::in_arg<D>::run;
            raw.arg = detail::in_arg<D>::pack(callable);
            tasks_.push_back(raw);
        } else {
            auto box = std::make_unique<D>(std::forward<F>(callable));
            raw.run = detail::boxed<D>::run;
            raw.end = detail::boxed<D>::end;
            raw.arg = box.get();
            tasks_.push_back(raw);
            static_cast<void>(box.release()); // the list's now
        }
    }

    void reserve(std::size_t count) { tasks_.reserve(count); }
    std::size_t size() const noexcept { return tasks_.size(); }
    bool empty() const noexcept { return tasks_.empty(); }

    /// Destroys what is in it; no task of it ever runs.
    void clear() noexcept
    {
        for (const wp_task &task : tasks_)
            if (task.end != nullptr) task.end(nullptr, task.arg); // a box, which looks at no outcome
        tasks_.clear();
    }

private:
    friend class pool;

    /// WP_OK, or why the first that is left was refused.
    int hand_over(wp_pool *pool, std::uint64_t timeout_ns) noexcept
    {
        std::size_t accepted = 0;
        const int code = wp_submit_batch(pool, tasks_.data(), tasks_.size(), sizeof(wp_task), timeout_ns, &accepted);
        tasks_.erase(tasks_.begin(), tasks_.begin() + static_cast<std::ptrdiff_t>(accepted)); // the pool's now, and may be over
        return code;
    }

    std::vector<wp_task> tasks_;
};

} // namespace WP_HPP_MODE
} // namespace wp
