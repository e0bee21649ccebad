// SPDX-License-Identifier: MIT
// C++20
//
// A stop request reaches the task: queued, running, over, or not yet there; and nothing of a group that is gone.
#include <workerpool.h>

// What the header calls in place of these: stop requests then come in between two of its own statements, and
// tasks end before their submit has returned.
static int release_and_stop(wp_group *group);
static int retain_what_is_there(wp_group *group);
static int submit_and_stay(wp_pool *pool, const wp_task *task, uint64_t timeout_ns);
#define wp_group_release release_and_stop
#define wp_group_retain retain_what_is_there
#define wp_submit_task submit_and_stay
#include "check.hpp"
#undef wp_group_release
#undef wp_group_retain
#undef wp_submit_task

#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

static void a_queued_task_is_cancelled_at_once()
{
    wp::pool pool = check::pool(1, 16);
    check::gate gate(pool);
    std::stop_source source;
    const auto owned = std::make_shared<int>(1);
    auto stopped = pool.submit(source.get_token(), [owned] { return 1; });
    auto tried = pool.try_submit(source.get_token(), [owned](wp::context &) { return 1; });
    auto timed = pool.submit_for(1s, source.get_token(), [owned] { return 1; });
    auto other = pool.submit([] { return 2; });
    CHECK_EQ(4, owned.use_count());
    source.request_stop();
    CHECK_EQ(1, owned.use_count()); // by this thread, before it returned; though the worker is held
    CHECK(stopped.fate() == wp::fate::cancelled);
    CHECK_ERROR(wp::errc::task_cancelled, stopped.get());
    CHECK_ERROR(wp::errc::task_cancelled, (*tried).get());
    CHECK_ERROR(wp::errc::task_cancelled, (*timed).get());
    gate.open();
    CHECK_EQ(2, other.get());
    CHECK_EQ(3u, pool.stats().cancelled);
}

static void a_running_task_sees_it()
{
    wp::pool pool = check::pool(1, 16);
    std::stop_source source;
    std::promise<void> begun;
    auto future = pool.submit(source.get_token(), [&begun](wp::context &context) {
        begun.set_value();
        while (!context.should_stop()) {}
        return context.stop_reason();
    });
    begun.get_future().wait();
    source.request_stop();
    CHECK(future.get() == wp::stop_reason::cancelled);
}

static void too_early_refuses_and_too_late_does_nothing()
{
    wp::pool pool = check::pool(1, 16);
    std::stop_source source;
    CHECK_EQ(1, pool.submit(source.get_token(), [] { return 1; }).get());
    source.request_stop();
    const auto owned = std::make_shared<int>(1);
    CHECK_ERROR(wp::errc::group_cancelled, pool.submit(source.get_token(), [owned] {}));
    CHECK(pool.try_submit(source.get_token(), [owned] {}).error() == std::errc::operation_canceled);
    CHECK_EQ(1, owned.use_count());
    CHECK_EQ(3, pool.submit(std::stop_token(), [] { return 3; }).get()); // a token that nobody can stop
}

static std::stop_source *stops_at_release;
static wp_group *released;

static std::atomic<int> released_by_header, retained_by_header; // of whichever groups

static int release_and_stop(wp_group *group)
{
    const int code = wp_group_release(group);
    released_by_header += group != nullptr;
    if (group != nullptr && stops_at_release != nullptr) {
        released = group;
        std::exchange(stops_at_release, nullptr)->request_stop();
    }
    return code;
}

static int retain_what_is_there(wp_group *group)
{
    CHECK(group != released);
    retained_by_header++;
    return wp_group_retain(group);
}

static bool stays;

static int submit_and_stay(wp_pool *pool, const wp_task *task, uint64_t timeout_ns)
{
    const int code = wp_submit_task(pool, task, timeout_ns);
    if (stays) {
        CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        CHECK(released_by_header < 1 + retained_by_header); // one: of who made it
    }
    return code;
}

// The library may look at a task's group until the submit has returned, however soon the task is over.
static void its_group_is_there_until_the_submit_has_returned()
{
    wp::pool pool = check::pool(1, 16);
    std::stop_source source;
    const auto each = [](auto submit) {
        released_by_header = retained_by_header = 0;
        stays = true;
        CHECK_EQ(1, submit().get());
        stays = false;
        CHECK_EQ(1 + retained_by_header, released_by_header.load());
    };
    each([&] { return pool.submit(source.get_token(), [] { return 1; }); });
    each([&] { return *pool.try_submit(source.get_token(), [] { return 1; }); });
    each([&] { return *pool.submit_for(1h, source.get_token(), [] { return 1; }); });

    const wp::pool there = std::move(pool);
    CHECK_ERROR(wp::errc::invalid, pool.submit(source.get_token(), [] {}));
    CHECK(pool.try_submit(source.get_token(), [] {}).error() == wp::errc::invalid);
    CHECK(pool.submit_for(1h, source.get_token(), [] {}).error() == wp::errc::invalid);
}

// The task of a refused submit was never open, so nothing but its link and the callback of that keeps its group.
static void a_refused_task_is_stopped_by_nobody_any_more()
{
    wp::pool pool = check::pool(1, 16);
    pool.shutdown();
    std::stop_source task, link;
    stops_at_release = &task;
    CHECK(pool.try_submit(task.get_token(), [] {}).error() == wp::errc::closed);
    CHECK(task.stop_requested());
    stops_at_release = &link;
    { wp::cancel_on_stop last(link.get_token(), wp::group(pool)); }
    CHECK(link.stop_requested());
    released = nullptr;
}

static void its_group_holds_too()
{
    wp::pool pool = check::pool(1, 16);
    check::gate gate(pool);
    std::stop_source source;
    wp::group group(pool);
    auto future = pool.submit(source.get_token(), [] { return 1; }, group);
    CHECK_EQ(1u, group.status().queued);
    group.cancel();
    CHECK_ERROR(wp::errc::task_cancelled, future.get());
    source.request_stop(); // nobody is there any more
    gate.open();
}

static void a_group_follows_a_token()
{
    wp::pool pool = check::pool(1, 16);
    check::gate gate(pool);
    std::stop_source source, unused;
    wp::group group(pool), other(pool);
    wp::cancel_on_stop link(source.get_token(), group);
    { wp::cancel_on_stop ended(unused.get_token(), other); }
    auto future = pool.submit([] { return 1; }, group);
    auto stays = pool.submit([] { return 2; }, other);
    source.request_stop();
    unused.request_stop();
    CHECK_ERROR(wp::errc::task_cancelled, future.get());
    CHECK_ERROR(wp::errc::group_cancelled, pool.submit([] {}, group));
    gate.open();
    CHECK_EQ(2, stays.get());
}

// Stop requests, workers and the submit race for the end of each task.
static void every_task_has_one_fate_whoever_is_first()
{
    const unsigned long rounds = check::rounds(50);
    unsigned long ran = 0, cancelled = 0, refused = 0;
    wp::pool pool = check::pool(2, 64);
    for (unsigned long round = 0; round < rounds; round++) {
        std::stop_source source;
        std::atomic<int> alive{0}, called{0};
        struct counted {
            std::atomic<int> *alive;
            explicit counted(std::atomic<int> *a) : alive(a) { ++*alive; }
            counted(counted &&other) : counted(other.alive) {}
            ~counted() { --*alive; }
        };
        std::vector<wp::future<int>> futures;
        std::thread stopper([&source, round] {
            for (unsigned long spin = 0; spin < round * 37 % 400; spin++) std::this_thread::yield();
            source.request_stop();
        });
        for (int i = 0; i < 200; i++) {
            auto made = pool.submit_for(wp::forever, source.get_token(), [c = counted(&alive), &called] { return ++called, 1; });
            if (made)
                futures.push_back(*std::move(made));
            else
                refused += made.error() == wp::errc::group_cancelled ? 1 : 1000000;
        }
        int returned = 0;
        for (auto &future : futures) {
            auto got = future.try_get();
            CHECK(got || got.error() == wp::errc::task_cancelled);
            returned += got.has_value();
            cancelled += !got;
        }
        CHECK_EQ(called.load(), returned);
        CHECK_EQ(0, alive.load()); // every callable is gone when its future is ready
        ran += static_cast<unsigned long>(returned);
        stopper.join();
    }
    std::printf("stop: %lu ran, %lu cancelled, %lu refused\n", ran, cancelled, refused);
    CHECK_EQ(200 * rounds, ran + cancelled + refused);
    pool.wait_idle();
    CHECK_EQ(ran, pool.stats().ran);
    CHECK_EQ(cancelled, pool.stats().cancelled);
}

int main()
{
    check::begin("stop");
    CASE(a_queued_task_is_cancelled_at_once);
    CASE(a_running_task_sees_it);
    CASE(too_early_refuses_and_too_late_does_nothing);
    CASE(a_refused_task_is_stopped_by_nobody_any_more);
    CASE(its_group_is_there_until_the_submit_has_returned);
    CASE(its_group_holds_too);
    CASE(a_group_follows_a_token);
    CASE(every_task_has_one_fate_whoever_is_first);
    return check::end();
}
