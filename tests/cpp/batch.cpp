// SPDX-License-Identifier: MIT
//
// wp::batch: what is accepted is queued in order and leaves the batch, the rest stays whole (law L3), and no callable is lost or destroyed
// twice.
#include "check.hpp"

#include <memory>
#include <vector>

using namespace std::chrono_literals;

static void all_run_in_their_order()
{
    wp::pool pool = check::pool(1, 3); // fewer places than tasks: the call waits several times
    wp::batch batch;
    std::vector<int> order;
    for (int i = 0; i < 20; i++) {
        if (i % 2 == 0) batch.add([&order] { order.push_back(static_cast<int>(order.size())); });
        else batch.add([&order, owned = std::make_unique<int>(i)] { order.push_back(*owned); });
    }
    CHECK_EQ(20u, batch.size());
    pool.post(batch);
    CHECK(batch.empty());
    pool.wait_idle();
    CHECK_EQ(20u, order.size());
    for (int i = 0; i < 20; i++) CHECK_EQ(i, order[static_cast<std::size_t>(i)]);
    pool.post(batch); // nothing is as good as anything
    CHECK(!pool.try_post(batch));
    CHECK_EQ(20u, pool.stats().accepted);
}

static void the_rest_stays_and_is_posted_again()
{
    wp::pool pool = check::pool(1, 2);
    check::gate gate(pool);
    const auto owned = std::make_shared<int>(0);
    int ran = 0, small = 0;
    wp::batch batch;
    for (int i = 0; i < 5; i++) batch.add([owned, &ran, i] { CHECK_EQ(i, ran++); });
    batch.add([&small] { small++; });
    CHECK_EQ(wp::make_error_code(wp::errc::full), pool.try_post(batch));
    CHECK_EQ(4u, batch.size());
    CHECK_EQ(wp::make_error_code(wp::errc::timed_out), pool.post_for(1ms, batch));
    CHECK_EQ(4u, batch.size());
    CHECK_EQ(6, owned.use_count());
    gate.open();
    CHECK(!pool.post_for(1h, batch));
    CHECK(batch.empty());
    pool.wait_idle();
    CHECK_EQ(5, ran);
    CHECK_EQ(1, small);
    CHECK_EQ(1, owned.use_count());
}

static void what_is_never_posted_is_destroyed()
{
    wp::pool pool = check::pool(1, 2);
    pool.shutdown();
    const auto owned = std::make_shared<int>(0);
    {
        wp::batch batch;
        batch.reserve(2);
        batch.add([owned] { CHECK(false); });
        batch.add([] { CHECK(false); });
        CHECK_EQ(wp::make_error_code(wp::errc::closed), pool.try_post(batch));
        CHECK_ERROR(wp::errc::closed, pool.post(batch));
        CHECK_EQ(2u, batch.size());
        wp::batch moved(std::move(batch)), other;
        CHECK_EQ(2u, moved.size());
        other.add([owned] { CHECK(false); });
        CHECK_EQ(3, owned.use_count());
        moved = std::move(other);
        CHECK_EQ(1u, moved.size());
        moved.clear();
        CHECK(moved.empty());
        CHECK_EQ(2, owned.use_count()); // in `other`, which has what `moved` had
    }
    CHECK_EQ(1, owned.use_count());
}

static void options_reach_the_tasks()
{
    wp::pool pool = check::pool(1, 4);
    wp::group group(pool);
    wp::results results;
    wp::batch batch;
    batch.add([] { return wp::status{3}; }, wp::task_options(group).results(results).tag(1));
    batch.add([](wp::context &context) { return wp::status{context.group() ? 0 : 4}; }, wp::task_options(group).results(results).tag(2));
    batch.add([] {}, wp::task_options(group).results(results).tag(3).deadline(wp::time_point::min()));
    pool.post(batch);
    group.wait();
    results.close();
    for (std::uint64_t tag = 1; tag <= 3; tag++) {
        const auto record = results.next();
        CHECK(record && record->tag == tag);
        CHECK_EQ(tag == 1 ? 3 : 0, record->status);
        CHECK_EQ(tag == 3 ? wp::fate::expired : wp::fate::ran, record->fate);
    }
    CHECK(!results.next());

    // A cancelled group takes nothing, and those before it in the batch are accepted.
    wp::batch mixed;
    int ran = 0;
    group.cancel();
    mixed.add([&ran] { ran++; });
    mixed.add([] { CHECK(false); }, group);
    mixed.add([] { CHECK(false); });
    CHECK_ERROR(wp::errc::group_cancelled, pool.post(mixed));
    CHECK_EQ(2u, mixed.size());
    pool.wait_idle();
    CHECK_EQ(1, ran);
}

static void inside_a_task_a_full_queue_is_told_at_once()
{
    wp::pool pool = check::pool(1, 2);
    pool.submit([&pool] {
        wp::batch batch;
        for (int i = 0; i < 3; i++) batch.add([] {});
        CHECK_ERROR(wp::errc::deadlock, pool.post(batch));
        CHECK_EQ(1u, batch.size());
    }).get();
}

int main()
{
    check::begin("batch");
    CASE(all_run_in_their_order);
    CASE(the_rest_stays_and_is_posted_again);
    CASE(what_is_never_posted_is_destroyed);
    CASE(options_reach_the_tasks);
    CASE(inside_a_task_a_full_queue_is_told_at_once);
    return check::end();
}
