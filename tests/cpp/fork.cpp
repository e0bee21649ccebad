// SPDX-License-Identifier: MIT
//
// In the child of a fork what the parent made says so, and goes without harm.
#include "check.hpp"

#include <optional>

#include <sys/wait.h>

using namespace std::chrono_literals;

static void in_a_child(const std::function<void()> &body)
{
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        body();
        _exit(0);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
}

static void each_call_is_told_and_each_end_is_clean()
{
    std::optional<wp::pool> pool(check::pool(1, 4));
    std::optional<wp::group> group(*pool);
    std::optional<wp::results> results(std::in_place);
    in_a_child([&] {
        const auto forked = wp::make_error_code(wp::errc::forked);
        CHECK_EQ(forked, pool->try_submit([] {}).error());
        CHECK_EQ(forked, pool->try_post([] {}));
        CHECK_EQ(forked, pool->try_wait_idle(1h));
        CHECK_EQ(forked, pool->try_shutdown(wp::shutdown_mode::drain, 1h));
        CHECK_ERROR(wp::errc::forked, pool->stats());
        CHECK_EQ(forked, group->try_wait(1h));
        CHECK_EQ(forked, results->next_for(1h).error());
        results.reset();
        group.reset();
        pool.reset();
        CHECK_EQ(1, check::pool(1, 4).submit([] { return 1; }).get());
    });
    CHECK_EQ(1, pool->submit([] { return 1; }, wp::task_options(*group).results(*results)).get());
}

// There the library gives no more references, so a copy that gave one back would take its original's.
static void a_copy_is_empty()
{
    wp::pool pool = check::pool(1, 4);
    const wp::group group(pool);
    const wp::results results{};
    in_a_child([&] {
        for (int i = 0; i < 3; i++) {
            const wp::group same_group = group;
            const wp::results same_results = results;
            CHECK(!same_group);
            CHECK(same_results.get() == nullptr);
        }
        CHECK_EQ(wp::make_error_code(wp::errc::forked), group.try_wait(0s));
        CHECK_EQ(wp::make_error_code(wp::errc::forked), results.try_next().error());
    });
}

int main()
{
    check::begin("fork");
    CASE(each_call_is_told_and_each_end_is_clean);
    CASE(a_copy_is_empty);
    return check::end();
}
