// SPDX-License-Identifier: MIT
// C++20
//
// Coroutines on a pool: where they go on, what reaches them, and that each frame ends once.
#include "check.hpp"

#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

static std::atomic<int> alive{0}; // frames, by something that lives in each

struct counted {
    counted() { alive++; }
    ~counted() { alive--; }
    counted(const counted &) = delete;
};

static wp::future<std::thread::id> where(wp::pool &pool)
{
    counted in_frame;
    co_await pool.schedule();
    co_return std::this_thread::get_id();
}

static void it_goes_on_on_a_worker()
{
    wp::pool pool = check::pool(1, 4);
    const auto worker = pool.submit([] { return std::this_thread::get_id(); }).get();
    CHECK_EQ(worker, where(pool).get());
    CHECK(worker != std::this_thread::get_id());
    CHECK_EQ(0, alive.load());
}

static wp::future<int> answer(wp::pool &pool)
{
    counted in_frame;
    const auto half = co_await pool.submit([] { return std::make_unique<int>(21); });
    co_await pool.schedule();
    co_return 2 * *half;
}

static wp::future<void> sum(wp::pool &pool, int &into)
{
    counted in_frame;
    auto ready = pool.submit([] { return 1; });
    ready.wait();
    into += co_await std::move(ready);
    for (int i = 0; i < 10; i++) into += co_await answer(pool);
}

static wp::future<int &> refer(int &there)
{
    co_return there;
}

static void it_awaits_futures_and_coroutines()
{
    wp::pool pool = check::pool(2, 16);
    int total = 0;
    sum(pool, total).get();
    CHECK_EQ(421, total);
    CHECK_EQ(&total, &refer(total).get());
    CHECK_EQ(0, alive.load());
}

static wp::future<int> fails(wp::pool &pool)
{
    counted in_frame;
    co_await pool.schedule();
    throw std::runtime_error("out of the coroutine");
}

static wp::future<int> awaits_failures(wp::pool &pool)
{
    counted in_frame;
    int caught = 0;
    try {
        co_await fails(pool);
    } catch (const std::runtime_error &) {
        caught++;
    }
    try {
        co_await pool.submit([] { throw 1; });
    } catch (int) {
        caught++;
    }
    try {
        co_await wp::future<int>();
    } catch (const wp::error &error) {
        caught += error.code() == wp::errc::invalid;
    }
    co_return caught;
}

static void exceptions_reach_who_awaits()
{
    wp::pool pool = check::pool(2, 16);
    CHECK_THROWS(std::runtime_error, fails(pool).get(), CHECK_EQ(std::string("out of the coroutine"), thrown.what()));
    CHECK_EQ(3, awaits_failures(pool).get());
    CHECK_EQ(0, alive.load());
}

static wp::future<std::error_code> scheduled(wp::pool &pool, wp::task_options options = {})
{
    counted in_frame;
    co_return co_await pool.schedule(std::nothrow, options);
}

static wp::future<void> scheduled_or_thrown(wp::pool &pool, wp::task_options options = {})
{
    counted in_frame;
    co_await pool.schedule(options);
}

static void who_never_gets_there_is_told()
{
    wp::pool pool = check::pool(1, 16);
    wp::group group(pool);
    check::gate gate(pool);
    auto cancelled = scheduled(pool, group);
    auto thrown_out = scheduled_or_thrown(pool, group);
    auto expired = scheduled(pool, wp::task_options().deadline(wp::time_point::min()));
    CHECK(!cancelled.is_ready());
    group.cancel();
    CHECK(cancelled.get() == wp::errc::task_cancelled); // on this thread
    CHECK_ERROR(wp::errc::task_cancelled, thrown_out.get());
    CHECK(scheduled(pool, group).get() == wp::errc::group_cancelled);
    gate.open();
    CHECK(expired.get() == wp::errc::task_expired);

    check::gate again(pool);
    auto discarded = scheduled(pool);
    auto lost = scheduled_or_thrown(pool);
    CHECK(!pool.shutdown_for(wp::shutdown_mode::cancel, 0s));
    again.open();
    CHECK(discarded.get() == wp::errc::task_discarded);
    CHECK_ERROR(wp::errc::task_discarded, lost.get());
    CHECK(scheduled(pool).get() == wp::errc::closed);
    CHECK_ERROR(wp::errc::closed, scheduled_or_thrown(pool).get());
    CHECK_EQ(0, alive.load());
}

static wp::future<int> asks(wp::pool &pool)
{
    counted in_frame;
    co_await pool.schedule();
    co_return 1 + co_await answer(pool); // a get() would hold the only worker, which the other coroutine needs
}

// A coroutine's future knows no pool, so no wait for it runs tasks, or is refused.
static void where_get_would_only_sleep_there_is_run_and_co_await()
{
    wp::options options;
    options.mode = wp::mode::manual;
    wp::pool manual(options);
    auto future = answer(manual);
    CHECK(!future.wait_for(2ms));
    CHECK_EQ(2u, manual.run()); // what is submitted meanwhile runs, too
    CHECK_EQ(42, future.get());

    wp::pool pool = check::pool(1, 16);
    CHECK_EQ(43, asks(pool).get());
    CHECK_EQ(0, alive.load());
}

static void a_pool_that_was_moved_from_says_so()
{
    wp::pool pool = check::pool(1, 16);
    wp::pool there = std::move(pool);
    CHECK(scheduled(pool).get() == wp::errc::invalid);
    CHECK_ERROR(wp::errc::invalid, scheduled_or_thrown(pool).get());
}

static void who_drops_a_coroutines_future_stops_nothing()
{
    std::atomic<int> ended{0};
    {
        wp::pool pool = check::pool(1, 16);
        const auto detached = [](wp::pool &on, std::atomic<int> &count) -> wp::future<void> {
            counted in_frame;
            co_await on.schedule();
            count++;
            co_await on.schedule();
            count++;
        };
        for (int i = 0; i < 5; i++) { auto dropped = detached(pool, ended); }
        // The second schedule of the last may come behind the closing: so wait here.
        while (ended.load() < 10) std::this_thread::yield();
    }
    CHECK_EQ(0, alive.load());
}

#ifdef WP_WAITER_INIT
static void a_full_queue_suspends_and_blocks_nobody()
{
    wp::pool pool = check::pool(1, 2);
    check::gate gate(pool);
    check::fill(pool, 2);
    std::vector<wp::future<std::thread::id>> futures;
    for (int i = 0; i < 20; i++) futures.push_back(where(pool)); // each would wait for room
    for (auto &future : futures) CHECK(!future.is_ready());
    gate.open();
    for (auto &future : futures) CHECK(future.get() != std::this_thread::get_id());

    check::gate again(pool);
    check::fill(pool, 2);
    auto closed = scheduled(pool);
    CHECK(!pool.shutdown_for(wp::shutdown_mode::drain, 0s));
    CHECK(closed.get() == wp::errc::closed);
    again.open();
}

static wp::future<int> crowd(wp::pool &first, wp::pool &second, int hops)
{
    counted in_frame;
    for (int i = 0; i < hops; i++) co_await (i % 2 ? first : second).schedule();
    co_return hops;
}

// Each hop has to wait for room; on workers, too, which may not block.
static void a_crowd_waits_for_room()
{
    const unsigned long rounds = check::rounds(20);
    for (unsigned long round = 0; round < rounds; round++) {
        wp::pool first = check::pool(2, 2), second = check::pool(1, 1);
        std::vector<wp::future<int>> futures;
        for (int i = 0; i < 100; i++) futures.push_back(crowd(first, second, 20 + i % 7));
        for (int i = 0; i < 100; i++) CHECK_EQ(20 + i % 7, futures[static_cast<std::size_t>(i)].get());
    }
    CHECK_EQ(0, alive.load());
}
#endif

static wp::future<int> hop(wp::pool &first, wp::pool &second, int hops)
{
    counted in_frame;
    for (int i = 0; i < hops; i++) {
        co_await (i % 2 ? first : second).schedule();
        if (i % 3 == 0) co_await first.submit([] {});
    }
    co_return hops;
}

// Their total is below the capacity, so that no hop has to wait for room.
static void many_at_once()
{
    const unsigned long rounds = check::rounds(20);
    wp::pool first = check::pool(2, 256), second = check::pool(2, 256);
    for (unsigned long round = 0; round < rounds; round++) {
        std::vector<wp::future<int>> futures;
        for (int i = 0; i < 100; i++) futures.push_back(hop(first, second, 20 + i % 7));
        for (int i = 0; i < 100; i += 2) futures[static_cast<std::size_t>(i)] = {}; // and half are dropped
        for (int i = 1; i < 100; i += 2) CHECK_EQ(20 + i % 7, futures[static_cast<std::size_t>(i)].get());
        while (alive.load() != 0) std::this_thread::yield();
    }
}

int main()
{
    check::begin("coroutine");
    CASE(it_goes_on_on_a_worker);
    CASE(it_awaits_futures_and_coroutines);
    CASE(exceptions_reach_who_awaits);
    CASE(who_never_gets_there_is_told);
    CASE(where_get_would_only_sleep_there_is_run_and_co_await);
    CASE(a_pool_that_was_moved_from_says_so);
    CASE(who_drops_a_coroutines_future_stops_nothing);
#ifdef WP_WAITER_INIT
    CASE(a_full_queue_suspends_and_blocks_nobody);
    CASE(a_crowd_waits_for_room);
#endif
    CASE(many_at_once);
    return check::end();
}
