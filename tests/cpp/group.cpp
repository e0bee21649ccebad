// SPDX-License-Identifier: MIT
//
// wp::group, wp::scope and wp::results: what a group waits for is over (law L5), and each accepted task brings one record.
#include "check.hpp"

#include <memory>
#include <stdexcept>
#include <vector>

#include <poll.h>

using namespace std::chrono_literals;

static void what_was_waited_for_is_over()
{
    wp::pool pool = check::pool(2, 32);
    for (int round = 0; round < 200; round++) {
        auto numbers = std::make_unique<std::vector<int>>(20);
        wp::group group(pool);
        for (int &number : *numbers) pool.post([&number] { number = 1; }, group);
        group.wait();
        int sum = 0;
        for (int number : *numbers) sum += number;
        CHECK_EQ(20, sum);
    } // the numbers are freed: a task that still ran would be seen by the sanitizer
    CHECK_EQ(4000u, pool.stats().ran);
}

static void a_wait_has_a_limit()
{
    wp::pool pool = check::pool(1, 4);
    wp::group group(pool);
    std::promise<void> open;
    auto task = pool.submit([&open] { open.get_future().wait(); }, group);
    CHECK(!group.wait_for(2ms));
    CHECK(group.try_wait(0s) == wp::errc::timed_out);
    open.set_value();
    CHECK(group.wait_for(1h));
    CHECK(!group.try_wait(0s));
    task.get();
}

static void a_task_waits_for_its_parts_and_not_for_itself()
{
    wp::pool pool = check::pool(1, 32);
    wp::group own(pool);
    std::atomic<int> ran{0};
    pool.submit([&] {
        wp::scope parts(pool);
        for (int i = 0; i < 10; i++) pool.post([&ran] { ran++; }, parts.group());
        parts.wait(); // runs them here: there is no other worker
        CHECK_EQ(10, ran.load());
        CHECK_ERROR(wp::errc::deadlock, own.wait());
        CHECK(own.try_wait(1h) == wp::errc::deadlock);
    }, own).get();
}

static void a_scope_left_by_an_exception_cancels_and_waits()
{
    wp::pool pool = check::pool(1, 32);
    std::atomic<int> ran{0};
    std::promise<void> begun;
    std::vector<wp::future<void>> futures;
    try {
        int local = 0;
        wp::scope scope(pool);
        futures.push_back(pool.submit([&](wp::context &context) {
            begun.set_value();
            while (!context.should_stop()) {}
            local++;
            ran++;
        }, scope.group()));
        for (int i = 0; i < 10; i++) futures.push_back(pool.submit([&] { ran++; }, scope.group()));
        begun.get_future().wait();
        throw std::runtime_error("out");
    } catch (const std::runtime_error &) {
        CHECK_EQ(1, ran.load());
    }
    futures[0].get();
    for (std::size_t i = 1; i < futures.size(); i++) CHECK_ERROR(wp::errc::task_cancelled, futures[i].get());
    {
        wp::scope scope(pool);
        for (int i = 0; i < 10; i++) pool.post([&ran] { ran++; }, scope.group());
    }
    CHECK_EQ(11, ran.load());
}

static void a_failure_cancels_the_group_if_it_is_told_to()
{
    wp::pool pool = check::pool(1, 32);
    wp::group outer(pool);
    wp::group_options options;
    options.parent = &outer;
    options.on_error = wp::on_error::cancel;
    wp::group group(pool, options);
    check::gate gate(pool);
    auto first = pool.submit([]() -> int { throw 1; }, wp::task_options(group).label("first"));
    auto second = pool.submit([] { return 2; }, group);
    auto other = pool.submit([] { return 3; }, outer);
    gate.open();
    CHECK_THROWS(int, first.get(), CHECK_EQ(1, thrown));
    CHECK_ERROR(wp::errc::task_cancelled, second.get());
    CHECK_EQ(3, other.get());
    outer.wait();
    CHECK_EQ("first", std::string(group.status().first_label));
    CHECK_EQ(static_cast<std::uint32_t>(WP_STOP_FAILED), group.status().stop);
    CHECK_EQ(1u, outer.status().cancelled);
}

static void deadline_and_limit_of_a_group()
{
    wp::pool pool = check::pool(2, 32);
    wp::group_options late;
    late.deadline = pool.deadline_in(0s);
    wp::group past(pool, late);
    CHECK_ERROR(wp::errc::task_expired, pool.submit([] {}, past).get());

    wp::group_options one;
    one.max_running = 1;
    wp::group serial(pool, one);
    std::vector<int> order; // no lock: they never run at once
    for (int i = 0; i < 20; i++) pool.post([&order, i] { order.push_back(i); }, serial);
    serial.wait();
    for (int i = 0; i < 20; i++) CHECK_EQ(i, order[static_cast<std::size_t>(i)]);
}

static void a_group_is_shared_and_outlives_its_pool()
{
    wp::group kept, empty;
    CHECK(!kept && !empty);
    {
        wp::pool pool = check::pool(1, 4);
        wp::group group(pool);
        kept = group;
        CHECK_EQ(kept.get(), group.get());
        wp::group moved(std::move(group));
        CHECK(!group && moved);
        pool.post([] {}, moved);
    }
    CHECK_EQ(1u, kept.status().ran);
    kept.wait();
    empty.cancel(); // nothing
    CHECK_ERROR(wp::errc::invalid, empty.wait());
    CHECK(empty.try_wait(0s) == std::errc::invalid_argument);
    CHECK_ERROR(wp::errc::invalid, empty.wait_for(0s));
    CHECK_ERROR(wp::errc::invalid, empty.status());
    wp::group copy = empty;
    CHECK(!copy);
    wp::pool pool = check::pool(1, 4);
    CHECK_EQ(1, pool.submit([] { return 1; }, empty).get()); // in no group
}

static void results_that_were_moved_from_say_so()
{
    wp::results results{};
    const wp::results there = std::move(results);
    CHECK(results.get() == nullptr);
    CHECK_ERROR(wp::errc::invalid, results.next());
    CHECK_EQ(wp::make_error_code(wp::errc::invalid), results.next_for(1h).error());
    CHECK_EQ(wp::make_error_code(wp::errc::invalid), results.try_next().error());
    CHECK_ERROR(wp::errc::invalid, results.fd());
    results.close(); // nothing
    wp::results copy = results;
    CHECK(copy.get() == nullptr);
    wp::pool pool = check::pool(1, 4);
    CHECK_EQ(1, pool.submit([] { return 1; }, wp::task_options().results(results)).get()); // it brings no record
    CHECK_EQ(wp::make_error_code(wp::errc::timed_out), there.try_next().error());
    results = there;
    CHECK_EQ(there.get(), results.get());
}

static void each_accepted_task_brings_one_record()
{
    wp::pool pool = check::pool(1, 32);
    wp::results results{};
    wp::group group(pool);
    check::gate gate(pool);
    pool.post([] {}, wp::task_options().results(results).tag(1));
    pool.post([] { throw 1; }, wp::task_options().results(results).tag(2));
    pool.post([] {}, wp::task_options(group).results(results).tag(3));
    auto future = pool.submit([] { return wp::status{5}; }, wp::task_options().results(results).tag(4));
    CHECK_EQ(wp::make_error_code(wp::errc::timed_out), results.try_next().error());
    group.cancel();
    const auto cancelled = results.next();
    CHECK_EQ(3u, cancelled->tag);
    CHECK(cancelled->fate == wp::fate::cancelled && !cancelled->ok());
    gate.open();
    results.close();
    CHECK_ERROR(wp::errc::closed, pool.post([] {}, wp::task_options().results(results)));
    pollfd readable = {results.fd(), POLLIN, 0};
    CHECK_EQ(1, poll(&readable, 1, -1));
    const int statuses[] = {0, 1, 5};
    const std::uint64_t tags[] = {1, 2, 4};
    for (int i = 0; i < 3; i++) {
        const auto record = results.next_for(1h);
        CHECK_EQ(tags[i], record ? (*wp::result<wp::record>(record)).tag : 0);
        CHECK_EQ(statuses[i], (*wp::result<wp::record>(record)).status);
    }
    CHECK(!results.next());
    CHECK_EQ(wp::make_error_code(wp::errc::closed), results.next_for(1h).error());
    CHECK_EQ(5, future.get().code);
}

static void full_results_refuse_or_hold_back()
{
    wp::pool pool = check::pool(1, 32);
    wp::results_options options;
    options.capacity = 1;
    wp::results refusing(options);
    pool.post([] {}, wp::task_options().results(refusing));
    CHECK_EQ(wp::make_error_code(wp::errc::results_full), pool.try_submit([] {}, wp::task_options().results(refusing)).error());
    options.wait = true;
    wp::results waiting(options);
    pool.post([] {}, wp::task_options().results(waiting));
    CHECK_EQ(wp::make_error_code(wp::errc::timed_out), pool.post_for(2ms, [] {}, wp::task_options().results(waiting)));
    CHECK(waiting.next()->ok());
    pool.post([] {}, wp::task_options().results(waiting));
}

int main()
{
    check::begin("group");
    CASE(what_was_waited_for_is_over);
    CASE(a_wait_has_a_limit);
    CASE(a_task_waits_for_its_parts_and_not_for_itself);
    CASE(a_scope_left_by_an_exception_cancels_and_waits);
    CASE(a_failure_cancels_the_group_if_it_is_told_to);
    CASE(deadline_and_limit_of_a_group);
    CASE(a_group_is_shared_and_outlives_its_pool);
    CASE(results_that_were_moved_from_say_so);
    CASE(each_accepted_task_brings_one_record);
    CASE(full_results_refuse_or_hold_back);
    return check::end();
}
