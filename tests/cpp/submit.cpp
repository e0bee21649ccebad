// SPDX-License-Identifier: MIT
//
// The ways into a wp::pool: what is refused, with which code, and that a refusal is clean (law L3).
#include "check.hpp"

#include <cstring>
#include <memory>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

static void a_full_queue_refuses_by_each_way()
{
    wp::pool pool = check::pool(1, 2);
    check::gate gate(pool);
    check::fill(pool, 2);
    const auto owned = std::make_shared<int>(1);
    CHECK_EQ(wp::make_error_code(wp::errc::full), pool.try_submit([owned] {}).error());
    CHECK_EQ(wp::make_error_code(wp::errc::timed_out), pool.submit_for(1ms, [owned] {}).error());
    CHECK_EQ(wp::make_error_code(wp::errc::full), pool.submit_for(0ms, [owned] {}).error());
    CHECK_EQ(wp::make_error_code(wp::errc::full), pool.try_post([owned] {}));
    CHECK_EQ(wp::make_error_code(wp::errc::timed_out), pool.post_for(1ms, [owned] {}));
    CHECK(pool.try_post([] {}) == std::errc::resource_unavailable_try_again);
    CHECK_EQ(1, owned.use_count()); // the refused callables are destroyed
    gate.open();
    pool.wait_idle();
    CHECK_EQ(3u, pool.stats().accepted);
}

static void a_refused_task_is_left_whole()
{
    wp::pool pool = check::pool(1, 1);
    check::gate gate(pool);
    check::fill(pool, 1);
    wp::task task([value = std::make_unique<int>(5)] { return *value; });
    CHECK_EQ(wp::make_error_code(wp::errc::full), pool.try_submit(task).error());
    CHECK_EQ(wp::make_error_code(wp::errc::timed_out), pool.submit_for(1ms, task).error());
    CHECK(task);
    gate.open();
    wp::future<int> future = pool.submit(task);
    CHECK(!task);
    CHECK_EQ(5, future.get());
    CHECK_EQ(wp::make_error_code(wp::errc::invalid), pool.try_submit(task).error()); // it is given away
    CHECK_ERROR(wp::errc::invalid, pool.submit(task));

    // Closed, it can still go elsewhere; or nowhere.
    wp::task other([value = std::make_unique<int>(6)] { return *value; });
    pool.shutdown();
    CHECK_ERROR(wp::errc::closed, pool.submit(other));
    wp::pool second = check::pool(1, 1);
    CHECK_EQ(6, second.submit(other).get());
    const auto owned = std::make_shared<int>(1);
    { wp::task never([owned] {}); CHECK_EQ(2, owned.use_count()); }
    CHECK_EQ(1, owned.use_count());
}

static void a_closed_pool_refuses_by_each_way()
{
    wp::pool pool = check::pool(1, 2);
    pool.shutdown();
    const auto closed = wp::make_error_code(wp::errc::closed);
    CHECK_ERROR(wp::errc::closed, pool.submit([] {}));
    CHECK_ERROR(wp::errc::closed, pool.post([] {}));
    CHECK_EQ(closed, pool.try_submit([] {}).error());
    CHECK_EQ(closed, pool.submit_for(1s, [] {}).error());
    CHECK_EQ(closed, pool.try_post([] {}));
    CHECK_EQ(closed, pool.post_for(1s, [] {}));
    pool.shutdown(); // again does no harm
}

static void inside_a_task_a_full_queue_is_told_at_once()
{
    wp::pool pool = check::pool(1, 1);
    pool.submit([&pool] {
        check::fill(pool, 1);
        CHECK_ERROR(wp::errc::deadlock, pool.submit([] {}));
        CHECK_ERROR(wp::errc::deadlock, pool.post([] {}));
        CHECK_ERROR(wp::errc::deadlock, pool.wait_idle());
        CHECK_ERROR(wp::errc::deadlock, pool.shutdown());
        CHECK_EQ(wp::make_error_code(wp::errc::full), pool.try_submit([] {}).error());
        CHECK(pool.post_for(1s, [] {}) == std::errc::resource_deadlock_would_occur);
        CHECK_ERROR(wp::errc::deadlock, pool.wait_idle_for(1s));
        CHECK_ERROR(wp::errc::deadlock, pool.shutdown_for(wp::shutdown_mode::drain, 1s));
        CHECK(pool.try_wait_idle(1s) == wp::errc::deadlock);
        CHECK(pool.try_shutdown(wp::shutdown_mode::drain, 1s) == wp::errc::deadlock);
    }).get();
}

static void move_only_and_large_callables()
{
    wp::pool pool = check::pool(1, 16);
    std::atomic<int> sum{0};
    pool.post([&sum, value = std::make_unique<int>(1)] { sum += *value; });
    char large[4096];
    std::memset(large, 1, sizeof large);
    pool.post([&sum, large] { sum += large[4095]; });
    CHECK_EQ(1, pool.submit([large] { return int{large[0]}; }).get());
    struct once {
        std::unique_ptr<int> value;
        std::unique_ptr<int> operator()() && { return std::move(value); }
    };
    CHECK_EQ(7, *pool.submit(once{std::make_unique<int>(7)}).get());
    struct alignas(64) aligned {
        char bytes[64];
    };
    CHECK(pool.submit([aligned = aligned()] { return reinterpret_cast<std::uintptr_t>(&aligned) % 64 == 0; }).get());
    static std::atomic<int> called{0};
    void (*function)() = [] { called++; };
    pool.post(function);
    pool.wait_idle();
    CHECK_EQ(2, sum.load());
    CHECK_EQ(1, called.load());
}

static void a_posted_failure_is_counted()
{
    wp::pool pool = check::pool(1, 16);
    int number = 1;
    pool.post([] { throw 1; });                                  // in the argument itself
    pool.post([&number, other = &pool] { if (other) throw number; }); // in a block
    pool.post([] { return wp::status{3}; });
    pool.post([] { return wp::status{0}; });
    pool.post([] { return 3; }); // any other value means nothing
    wp::group group(pool);
    pool.submit([] { return wp::status{9}; }, group).get();
    CHECK_EQ(0, pool.submit([]() -> wp::result<int> { return wp::errc::closed; }, group).get().has_value());
    CHECK_EQ(1, *pool.submit([]() -> wp::result<int> { return wp::result<int>(std::in_place, 1); }).get());
    pool.wait_idle();
    CHECK_EQ(8u, pool.stats().ran);
    CHECK_EQ(5u, pool.stats().failed);
    CHECK_EQ(9, group.status().first_status);
    CHECK_EQ(2u, group.status().failed);
}

static void a_task_may_ask_its_context()
{
    wp::pool pool = check::pool(1, 16);
    wp::group group(pool);
    auto options = wp::task_options(group).label("curious").deadline(pool.deadline_in(1h));
    pool.submit([&group](wp::context &context) {
        CHECK_EQ("curious", std::string(context.label()));
        CHECK_EQ(0u, context.worker());
        CHECK(context.time_left() > 59min && context.time_left() <= 1h);
        CHECK_EQ(group.get(), context.group().get());
        CHECK(!context.should_stop());
        context.group().cancel();
        CHECK(context.should_stop());
        CHECK(context.stop_reason() == wp::stop_reason::cancelled);
    }, options).get();
    CHECK_ERROR(wp::errc::group_cancelled, pool.submit([] {}, group));
    pool.submit([](wp::context &context) {
        CHECK(context.label() == nullptr && !context.group());
        CHECK(context.time_left() == wp::forever);
    }).get();
}

static void options_and_hooks_reach_the_pool()
{
    std::atomic<int> started{0}, stopped{0};
    wp::options options;
    options.name = "cpp";
    options.workers = 3;
    options.capacity = 5;
    options.on_thread_start = [&started](std::uint32_t worker) { started += 1 << (8 * worker); };
    options.on_thread_stop = [&stopped](std::uint32_t) { stopped++; };
    wp::pool pool(options);
    CHECK_EQ(3u, pool.stats().workers);
    CHECK_EQ(5u, pool.stats().capacity);
    wp::pool moved(std::move(pool));
    CHECK(pool.get() == nullptr);
    CHECK_EQ(1, moved.submit([] { return 1; }).get());
    pool = std::move(moved);
    CHECK_EQ(2, pool.submit([] { return 2; }).get());
    moved = check::pool(1, 1);
    moved = std::move(pool); // ends the one that was there
    moved.shutdown();
    CHECK_EQ(0x010101, started.load());
    CHECK_EQ(3, stopped.load());

    options.workers = WP_WORKERS_MAX + 1;
    CHECK_ERROR(wp::errc::invalid, wp::pool(options));
    CHECK(wp::pool::create(options).error() == std::errc::invalid_argument);
    wp::group_options bad;
    bad.max_running = WP_WORKERS_MAX + 1;
    CHECK_ERROR(wp::errc::invalid, wp::group(moved, bad));
    wp::group empty;
    bad = {};
    bad.parent = &empty;
    CHECK_ERROR(wp::errc::invalid, wp::group(moved, bad));
    wp::results_options huge;
    huge.capacity = WP_CAPACITY_MAX + 1;
    CHECK_ERROR(wp::errc::invalid, wp::results(huge));
}

static void a_pool_that_was_moved_from_refuses_everything()
{
    wp::pool pool = check::pool(1, 2);
    wp::pool there = std::move(pool);
    const auto invalid = wp::make_error_code(wp::errc::invalid);
    CHECK(pool.get() == nullptr);
    wp::task task([] { return 5; });
    CHECK_ERROR(wp::errc::invalid, pool.submit([] {}));
    CHECK_EQ(invalid, pool.try_submit([] {}).error());
    CHECK_EQ(invalid, pool.submit_for(1h, [] {}).error());
    CHECK_ERROR(wp::errc::invalid, pool.submit(task));
    CHECK_EQ(invalid, pool.try_submit(task).error());
    CHECK_EQ(invalid, pool.submit_for(1h, task).error());
    CHECK_EQ(5, there.submit(task).get()); // it was left whole

    CHECK_ERROR(wp::errc::invalid, pool.post([] {}));
    CHECK_EQ(invalid, pool.try_post([] {}));
    CHECK_EQ(invalid, pool.post_for(1h, [] {}));
    wp::batch batch;
    batch.add([] {});
    CHECK_ERROR(wp::errc::invalid, pool.post(batch));
    CHECK_EQ(invalid, pool.try_post(batch));
    CHECK_EQ(invalid, pool.post_for(1h, batch));
    CHECK_EQ(1u, batch.size());

    CHECK_ERROR(wp::errc::invalid, pool.wait_idle());
    CHECK_ERROR(wp::errc::invalid, pool.wait_idle_for(1h));
    CHECK_EQ(invalid, pool.try_wait_idle(1h));
    CHECK_ERROR(wp::errc::invalid, pool.shutdown());
    CHECK_ERROR(wp::errc::invalid, pool.shutdown_for(wp::shutdown_mode::drain, 1h));
    CHECK_EQ(invalid, pool.try_shutdown(wp::shutdown_mode::drain, 1h));
    CHECK_ERROR(wp::errc::invalid, pool.stats());
    CHECK_ERROR(wp::errc::invalid, pool.run());
    CHECK_ERROR(wp::errc::invalid, pool.advance(1s));
    CHECK(pool.now() == wp::time_point());
    CHECK(pool.deadline_in(1s) == wp::time_point(1s));
    CHECK_ERROR(wp::errc::invalid, wp::group(pool));
    CHECK_EQ(invalid, wp::group::create(pool).error());
    CHECK_ERROR(wp::errc::invalid, wp::scope(pool));
}

static void times_saturate()
{
    using wp::detail::nanoseconds;
    CHECK_EQ(0u, nanoseconds(-1s));
    CHECK_EQ(0u, nanoseconds(std::chrono::hours::min()));
    CHECK_EQ(0u, nanoseconds(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())));
    CHECK_EQ(1500000u, nanoseconds(1.5ms));
    CHECK_EQ(UINT64_C(3600000000000), nanoseconds(1h));
    CHECK_EQ(WP_FOREVER, nanoseconds(wp::forever));
    CHECK_EQ(WP_FOREVER, nanoseconds(std::chrono::hours::max()));
    CHECK_EQ(WP_FOREVER, nanoseconds(std::chrono::duration<double>(1e300)));
    CHECK_EQ(1u, wp::detail::instant(wp::time_point::min()));
    wp::pool pool = check::pool(1, 1);
    CHECK(pool.deadline_in(wp::forever) == wp::time_point::max());
    const auto past = pool.deadline_in(-1h);
    CHECK(past <= pool.now());
    CHECK_EQ(1, pool.submit([] { return 1; }, wp::task_options().deadline(pool.deadline_in(wp::forever))).get());
    CHECK_ERROR(wp::errc::task_expired, pool.submit([] {}, wp::task_options().deadline(wp::time_point::min())).get());
    CHECK_ERROR(wp::errc::task_expired, pool.submit([] {}, wp::task_options().deadline(
        pool.deadline_at(std::chrono::steady_clock::now() - 1s))).get());
}

static void every_code_has_words()
{
    for (int code = WP_ETOOLATE; code <= WP_FATE_DISCARDED; code++) {
        if (code == 0) continue;
        const std::error_code made = wp::make_error_code(static_cast<wp::errc>(code));
        CHECK(!made.message().empty());
        CHECK_EQ(std::string("workerpool"), made.category().name());
        if (code < 0) CHECK_EQ(std::string(wp_strerror(code)), made.message());
    }
    const wp::error error(wp::errc::full, "call");
    CHECK(std::strstr(error.what(), "call") != nullptr && std::strstr(error.what(), wp_strerror(WP_EFULL)) != nullptr);
}

int main()
{
    check::begin("submit");
    CASE(a_full_queue_refuses_by_each_way);
    CASE(a_refused_task_is_left_whole);
    CASE(a_closed_pool_refuses_by_each_way);
    CASE(inside_a_task_a_full_queue_is_told_at_once);
    CASE(move_only_and_large_callables);
    CASE(a_posted_failure_is_counted);
    CASE(a_task_may_ask_its_context);
    CASE(options_and_hooks_reach_the_pool);
    CASE(a_pool_that_was_moved_from_refuses_everything);
    CASE(times_saturate);
    CASE(every_code_has_words);
    return check::end();
}
