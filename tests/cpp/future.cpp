// SPDX-License-Identifier: MIT
//
// wp::future brings what the task returned, what it threw, or why it never ran; and that task's alone.
#include "check.hpp"

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

static void it_brings_any_kind_of_result()
{
    wp::pool pool = check::pool(2, 16);
    int there = 1;
    CHECK_EQ(42, pool.submit([] { return 42; }).get());
    pool.submit([&there] { there = 2; }).get();
    CHECK_EQ(2, there);
    CHECK_EQ(&there, &pool.submit([&there]() -> int & { return there; }).get());
    CHECK_EQ(3, *pool.submit([] { return std::make_unique<int>(3); }).get());
    CHECK_EQ(9u, pool.submit([] { return std::array<std::string, 9>(); }).get().size());

    struct no_default {
        explicit no_default(int v) : value(v) {}
        int value;
    };
    CHECK_EQ(4, pool.submit([] { return no_default(4); }).get().value);
    CHECK_EQ(0u, pool.stats().failed);
}

static void an_exception_is_that_tasks_failure_and_no_others()
{
    wp::pool pool = check::pool(2, 64);
    std::vector<wp::future<int>> futures;
    for (int i = 0; i < 40; i++) {
        futures.push_back(pool.submit([i] {
            if (i % 4 == 1) throw std::out_of_range(std::to_string(i));
            return i;
        }));
    }
    for (int i = 0; i < 40; i++) {
        auto &future = futures[static_cast<std::size_t>(i)];
        if (i % 4 == 1)
            CHECK_THROWS(std::out_of_range, future.get(), CHECK_EQ(std::to_string(i), thrown.what()));
        else
            CHECK_EQ(i, future.get());
        CHECK(!future.valid());
    }
    pool.wait_idle();
    CHECK_EQ(40u, pool.stats().ran);
    CHECK_EQ(10u, pool.stats().failed);

    auto future = pool.submit([]() -> int { throw 5; });
    future.wait();
    CHECK(future.exception() != nullptr);
    CHECK(future.fate() == wp::fate::ran);
    CHECK_EQ(wp::make_error_code(wp::errc::task_threw), future.try_get().error());
}

static void each_other_fate_is_an_exception_of_its_own()
{
    wp::pool pool = check::pool(1, 16);
    wp::group group(pool);
    check::gate gate(pool);
    auto cancelled = pool.submit([] {}, group);
    auto cancelled_too = pool.submit([] { return 1; }, group);
    auto expired = pool.submit([] { return std::string(); }, wp::task_options().deadline(pool.now()));
    auto ran = pool.submit([] { return 7; });
    group.cancel();
    gate.open();
    CHECK_THROWS(wp::cancelled, cancelled.get(), CHECK(thrown.code() == std::errc::operation_canceled));
    CHECK_EQ(wp::make_error_code(wp::errc::task_cancelled), cancelled_too.try_get().error());
    CHECK_THROWS(wp::expired, expired.get(), CHECK(thrown.code() == std::errc::timed_out));
    CHECK_EQ(7, ran.get());

    check::gate again(pool);
    auto discarded = pool.submit([] { return 1; });
    CHECK(!pool.shutdown_for(wp::shutdown_mode::cancel, 0s));
    CHECK(discarded.fate() == wp::fate::discarded);
    again.open();
    CHECK_THROWS(wp::discarded, discarded.get(), CHECK_EQ(wp::make_error_code(wp::errc::task_discarded), thrown.code()));
    pool.shutdown();
}

static void waiting_with_a_limit()
{
    wp::pool pool = check::pool(1, 16);
    check::gate gate(pool);
    auto future = pool.submit([] { return 1; });
    CHECK(!future.wait_for(0s));
    CHECK(!future.wait_for(2ms));
    CHECK(!future.wait_for(-1h));
    CHECK_EQ(wp::make_error_code(wp::errc::timed_out), future.try_wait(2ms));
    CHECK_EQ(wp::make_error_code(wp::errc::timed_out), future.try_get(2ms).error());
    CHECK(future.valid() && !future.is_ready() && !future.fate());
    gate.open();
    CHECK(future.wait_for(std::chrono::hours::max()));
    CHECK(!future.try_wait(0s));
    CHECK_EQ(1, *future.try_get(0s));
}

static void an_empty_future_says_so()
{
    wp::future<int> none;
    CHECK(!none.valid() && !none.is_ready());
    CHECK_ERROR(wp::errc::invalid, none.get());
    CHECK_EQ(wp::make_error_code(wp::errc::invalid), none.try_get().error());
    CHECK_ERROR(wp::errc::invalid, none.wait());
    CHECK_ERROR(wp::errc::invalid, none.wait_for(0s));
    CHECK_EQ(wp::make_error_code(wp::errc::invalid), none.try_wait(0s));
    CHECK(!none.fate() && none.exception() == nullptr);

    wp::pool pool = check::pool(1, 1);
    wp::future<int> taken = pool.submit([] { return 1; });
    wp::future<int> there = std::move(taken);
    CHECK(!taken.valid() && !taken.is_ready());
    CHECK_ERROR(wp::errc::invalid, taken.get());
    CHECK_EQ(1, there.get());
    CHECK_ERROR(wp::errc::invalid, there.get());
}

template <class E>
static constexpr bool tested_as_bool = std::is_constructible_v<bool, wp::result<E>> || std::is_constructible_v<bool, wp::result<E> &>;

// Else std::expected<bool, …> made of it would hold whether there was a value, in place of the value or the error.
static void whether_a_bool_came_is_not_taken_for_the_bool()
{
    static_assert(!tested_as_bool<bool> && !tested_as_bool<bool &> && !tested_as_bool<const bool>);
    static_assert(tested_as_bool<int> && tested_as_bool<void> && tested_as_bool<wp::future<bool>>);
    wp::pool pool = check::pool(1, 16);
#if WP_HPP_EXPECTED
    std::expected<bool, std::error_code> value(pool.submit([] { return false; }).try_get());
    CHECK(value.has_value() && !*value);
    std::expected<bool, std::error_code> error(pool.submit([]() -> bool { throw 1; }).try_get());
    CHECK(!error.has_value() && error.error() == wp::errc::task_threw);
    std::expected<bool, std::error_code> assigned = pool.submit([] { return false; }).try_get();
    CHECK(assigned.has_value() && !*assigned);
    std::expected<int, std::error_code> number(pool.submit([] { return 7; }).try_get());
    CHECK_EQ(7, number.value_or(0));
#endif
    const auto got = pool.submit([] { return false; }).try_get();
    CHECK(got.has_value());
}

static void a_worker_that_would_wait_for_its_own_pool_is_refused()
{
    wp::pool pool = check::pool(1, 16), other = check::pool(1, 16);
    wp::future<int> behind;
    const auto refused = [&behind] {
        CHECK(!behind.wait_for(0s)); // only looks
        CHECK_ERROR(wp::errc::deadlock, behind.wait_for(1h));
        CHECK_EQ(wp::make_error_code(wp::errc::deadlock), behind.try_wait(1h));
        CHECK_EQ(wp::make_error_code(wp::errc::deadlock), behind.try_get().error());
        return behind.get();
    };
    std::promise<void> queued;
    auto task = pool.submit([&] {
        queued.get_future().wait();
        return refused();
    });
    behind = pool.submit([] { return 1; });
    queued.set_value();
    CHECK_ERROR(wp::errc::deadlock, task.get()); // left by the exception of its own get()
    CHECK_EQ(1, behind.get());                   // and the future that was refused stayed as it was

    // What is there already is given, and another pool's task is waited for.
    auto ready = pool.submit([] { return 2; });
    ready.wait();
    CHECK_EQ(2, pool.submit([&ready] { return ready.get(); }).get());
    check::gate gate(other);
    auto elsewhere = other.submit([] { return 3; });
    auto waits = pool.submit([&elsewhere] { return elsewhere.get(); });
    gate.open();
    CHECK_EQ(3, waits.get());
}

static void on_a_manual_pool_a_wait_runs_tasks()
{
    wp::options options;
    options.mode = wp::mode::manual;
    wp::pool pool(options);
    auto first = pool.submit([] { return 1; });
    auto second = pool.submit([] { return 2; });
    auto late = pool.submit([] { return 3; }, wp::task_options().deadline(pool.deadline_in(1s)));
    CHECK(!second.wait_for(0s));
    CHECK_EQ(2, second.get()); // in the order of the queue, and no further
    CHECK(!late.is_ready());
    CHECK(first.is_ready());
    CHECK_EQ(1, first.get());
    pool.advance(2s);
    CHECK_ERROR(wp::errc::task_expired, late.get());
    auto self = pool.submit([&pool] {
        auto inner = pool.submit([] { return 1; });
        CHECK_ERROR(wp::errc::deadlock, inner.get());
        return inner;
    });
    CHECK_EQ(1, self.get().get());
}

static void who_drops_a_future_stops_nothing()
{
    std::atomic<int> ran{0};
    const auto owned = std::make_shared<int>(1);
    {
        wp::pool pool = check::pool(1, 16);
        check::gate gate(pool);
        { auto dropped = pool.submit([&ran, owned] { ran++; return owned; }); }
        auto assigned = pool.submit([&ran] { ran++; });
        assigned = pool.submit([&ran] { ran++; });
        gate.open();
        assigned.get();
        { auto kept = pool.submit([owned] { return owned; }); kept.wait(); } // dropped when it is ready
    }
    CHECK_EQ(3, ran.load());
    CHECK_EQ(1, owned.use_count());
}

static void a_future_outlives_its_pool()
{
    wp::future<int> future;
    {
        wp::pool pool = check::pool(1, 16);
        future = pool.submit([] { return 8; });
    }
    CHECK(future.is_ready());
    CHECK_EQ(8, future.get());
}

// So that who has the result may take away what the callable refers to.
static void the_callable_is_gone_before_the_result_is_seen()
{
    wp::pool pool = check::pool(2, 16);
    for (int i = 0; i < 2000; i++) {
        const auto owned = std::make_shared<int>(i);
        auto future = pool.submit([owned] { return *owned; });
        while (!future.is_ready()) std::this_thread::yield();
        CHECK_EQ(1, owned.use_count());
        CHECK_EQ(i, future.get());
    }
}

static void a_result_that_cant_be_taken_out_is_not_leaked()
{
    struct stubborn {
        std::shared_ptr<int> owned;
        explicit stubborn(std::shared_ptr<int> o) : owned(std::move(o)) {}
        stubborn(stubborn &&other) : owned(other.owned)
        {
            if (*owned == 0) throw std::runtime_error("stays");
            --*owned;
        }
    };
    wp::pool pool = check::pool(1, 16);
    const auto owned = std::make_shared<int>(1); // one move goes well: into the state
    auto future = pool.submit([owned] { return stubborn(owned); });
    CHECK_THROWS(std::runtime_error, future.get(), CHECK_EQ("stays", std::string(thrown.what())));
    CHECK_EQ(1, owned.use_count());
    CHECK(!future.valid());
}

int main()
{
    check::begin("future");
    CASE(it_brings_any_kind_of_result);
    CASE(an_exception_is_that_tasks_failure_and_no_others);
    CASE(each_other_fate_is_an_exception_of_its_own);
    CASE(waiting_with_a_limit);
    CASE(an_empty_future_says_so);
    CASE(whether_a_bool_came_is_not_taken_for_the_bool);
    CASE(a_worker_that_would_wait_for_its_own_pool_is_refused);
    CASE(on_a_manual_pool_a_wait_runs_tasks);
    CASE(who_drops_a_future_stops_nothing);
    CASE(a_future_outlives_its_pool);
    CASE(the_callable_is_gone_before_the_result_is_seen);
    CASE(a_result_that_cant_be_taken_out_is_not_leaked);
    return check::end();
}
