// SPDX-License-Identifier: MIT
// -fno-exceptions -fno-rtti
//
// The whole of the header where nothing can be thrown: what fails returns its code, and a call that can only throw ends the process
// with its reason.
#include "check.hpp"

#include <memory>
#include <string>

#include <csignal>
#include <sys/wait.h>

#ifdef __cpp_exceptions
#error "this is to be compiled with -fno-exceptions"
#endif

using namespace std::chrono_literals;

static void what_works_works()
{
    auto pool = wp::pool::create({});
    CHECK(pool);
    auto future = pool->try_submit([value = std::make_unique<int>(5)] { return *value; });
    CHECK_EQ(5, *future->try_get());
    auto group = wp::group::create(*pool);
    auto results = wp::results::create();
    CHECK(!pool->try_post([] { return wp::status{3}; }, wp::task_options(*group).results(*results).tag(8)));
    auto record = results->next_for(1h);
    CHECK_EQ(8u, record->tag);
    CHECK_EQ(3, record->status);
    CHECK(!group->try_wait(1h));
    CHECK_EQ(1u, group->status().failed);
    pool->wait_idle(); // the pool counts a task a moment after its future is ready
    CHECK_EQ(2u, pool->stats().ran);
}

static void what_fails_says_why()
{
    wp::options options;
    options.workers = WP_WORKERS_MAX + 1;
    CHECK(wp::pool::create(options).error() == wp::errc::invalid);

    wp::pool pool = check::pool(1, 1);
    wp::group group(pool);
    check::gate gate(pool);
    auto cancelled = pool.submit([] { return 1; }, group);
    CHECK(pool.try_submit([] {}).error() == wp::errc::full);
    CHECK(pool.submit_for(1ms, [] {}).error() == wp::errc::timed_out);
    CHECK(cancelled.try_get(1ms).error() == wp::errc::timed_out);
    CHECK(cancelled.try_wait(1ms) == wp::errc::timed_out);
    CHECK(pool.try_wait_idle(1ms) == wp::errc::timed_out);
    group.cancel();
    CHECK(cancelled.try_get().error() == wp::errc::task_cancelled);
    CHECK(pool.try_post([] {}, group) == wp::errc::group_cancelled);
    gate.open();
    CHECK(!pool.try_wait_idle(wp::forever));
    check::gate again(pool);
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    CHECK(pool.try_shutdown(wp::shutdown_mode::drain, 1ms, &report) == wp::errc::timed_out);
    CHECK_EQ(0u, report.queued);
    CHECK(pool.try_post([] {}) == wp::errc::closed);
    again.open();
    CHECK(!pool.try_shutdown(wp::shutdown_mode::drain, wp::forever));
}

static void inside_a_task_nothing_is_waited_for()
{
    auto pool = wp::pool::create({});
    auto inside = pool->try_submit([&pool = *pool] {
        CHECK(pool.try_wait_idle(wp::forever) == wp::errc::deadlock);
        CHECK(pool.try_shutdown(wp::shutdown_mode::cancel, wp::forever) == wp::errc::deadlock);
    });
    CHECK(inside->try_get());
}

static int end_of(void (*body)(), std::string &said)
{
    int ends[2];
    CHECK_EQ(0, pipe(ends));
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(ends[1]);
    char text[256];
    for (ssize_t got; (got = read(ends[0], text, sizeof text)) > 0;) said.append(text, static_cast<std::size_t>(got));
    close(ends[0]);
    int status = 0;
    CHECK_EQ(child, waitpid(child, &status, 0));
    return status;
}

static void what_can_only_throw_ends_the_process_with_its_reason()
{
    std::string said;
    const int status = end_of([] {
        wp::options options;
        options.workers = WP_WORKERS_MAX + 1;
        wp::pool pool(options);
    }, said);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK_EQ(std::string("wp::pool: ") + wp_strerror(WP_EINVAL) + "\n", said);
}

int main()
{
    check::begin("without_exceptions");
    CASE(what_can_only_throw_ends_the_process_with_its_reason); // before this process has threads
    CASE(what_works_works);
    CASE(what_fails_says_why);
    CASE(inside_a_task_nothing_is_waited_for);
    return check::end();
}
