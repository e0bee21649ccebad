// SPDX-License-Identifier: MIT
//
// 4. Groups: a scope over tasks that ends like a scope. Cancel, the first exception, a deadline, and what the destructor
// sees to.
#include <chrono>
#include <exception>
#include <future>
#include <iostream>
#include <stdexcept>
#include <string>

#include "pool.hpp"

using std::chrono::milliseconds;

static const auto nothing = [] {};

/// An `ended` that keeps what it is told; to be read after a wait that covers the task.
static auto keep(Ended &in)
{
    return [&in](const Ended &how) { in = how; };
}

static std::string describe(const Ended &how)
{
    if (how.fate == WP_FATE_CANCELLED) return "cancelled";
    if (how.fate == WP_FATE_EXPIRED) return "expired";
    return how.ok() ? "ran" : "threw";
}

static wp_options one_worker(std::uint32_t mode) // so that we know which task waits behind which
{
    wp_options options = WP_OPTIONS_INIT;
    options.workers = 1;
    options.mode = mode;
    return options;
}

static void cancelled_by_owner()
{
    Pool pool(one_worker(WP_MODE_THREADS));
    Ended running{}, queued{}, alone{}, other{};
    std::promise<void> started;
    Group group(pool), single(pool); // to cancel one task alone, give it a group of its own

    group.submit(
        [&](Context task) {
            started.set_value();
            while (!task.should_stop()) continue; // a step of work; then it asks again
            if (task.stop_reason() == WP_STOP_CANCELLED) throw std::runtime_error("stopped in the midst");
        },
        keep(running));
    group.submit(nothing, keep(queued));
    single.submit(nothing, keep(alone));
    pool.submit(nothing, keep(other));
    started.get_future().wait();
    single.cancel(); // `ended` of what is queued is called before this returns
    group.cancel();
    pool.wait_idle();
    std::cout << "by the owner: running " << describe(running) << ", queued " << describe(queued) << ", single "
              << describe(alone) << ", of no group " << describe(other) << '\n';
}

static void cancelled_by_an_exception_here()
{
    Pool pool(one_worker(WP_MODE_THREADS));
    Ended running{}, queued{};
    try {
        int local = 0; // the tasks use it, and it goes with this scope
        std::promise<void> started;
        Group group(pool); // after `local`: its destructor comes first, and waits until nobody uses it any more
        group.submit(
            [&](Context task) {
                started.set_value();
                while (!task.should_stop()) local++;
            },
            keep(running));
        group.submit([&] { local = 0; }, keep(queued));
        started.get_future().wait();
        throw std::runtime_error("something else went wrong");
    } catch (const std::runtime_error &) {
        std::cout << "by leaving the scope: running " << describe(running) << ", queued " << describe(queued) << '\n';
    }
}

static void cancelled_by_the_first_exception()
{
    Pool pool(one_worker(WP_MODE_THREADS));
    Ended good{}, bad{}, late{};
    std::promise<void> all_are_in;
    wp_group_options options = WP_GROUP_OPTIONS_INIT;
    options.on_error = WP_ON_ERROR_CANCEL;
    Group group(pool, options);
    wp_task task = WP_TASK_INIT;
    task.label = "the bad one"; // shows in the group's status

    group.submit([&] { all_are_in.get_future().wait(); }, keep(good));
    group.submit([] { throw std::runtime_error("no"); }, keep(bad), task);
    group.submit(nothing, keep(late));
    all_are_in.set_value();
    group.wait();
    std::cout << "by the first exception: good " << describe(good) << ", bad " << describe(bad) << ", late " << describe(late)
              << "; first to fail: " << group.status().first_label << '\n';
}

static void deadline()
{
    Pool pool(one_worker(WP_MODE_MANUAL)); // its time moves when we say so: the same each time
    const auto take = [&pool](milliseconds time) { // stands for a step of work that takes so long
        if (wp_clock_advance(pool.get(), std::chrono::nanoseconds(time).count()) != WP_OK) throw std::logic_error("no clock");
    };
    Ended first{}, second{};
    int steps = 0;
    wp_group_options options = WP_GROUP_OPTIONS_INIT;
    options.deadline = wp_deadline_after(pool.get(), 35000000);
    Group group(pool, options);

    group.submit(
        [&](Context task) {
            for (; task.time_left() >= milliseconds(10); steps++) take(milliseconds(10));
        },
        keep(first));
    group.submit(nothing, keep(second));
    if (wp_run(pool.get(), 1, nullptr) != WP_OK) throw std::logic_error("not run");
    take(milliseconds(5));
    group.wait();
    std::cout << "by the deadline: first " << describe(first) << ", with time for " << steps << " steps, second "
              << describe(second) << std::endl;
}

int main()
try {
    cancelled_by_owner();
    cancelled_by_an_exception_here();
    cancelled_by_the_first_exception();
    deadline();
    return std::cout ? 0 : 1;
} catch (const std::exception &e) {
    std::cerr << e.what() << '\n';
    return 1;
}
