// SPDX-License-Identifier: MIT
//
// Every function of workerpool.hpp, used once, so that each template is compiled in each standard, with exceptions and without
// (tests/header/compile). It is not run.
#include "workerpool.hpp"
#include "workerpool.hpp" // twice does no harm

#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<wp::pool> && std::is_nothrow_move_constructible_v<wp::pool>);
static_assert(!std::is_copy_constructible_v<wp::future<int>> && std::is_nothrow_move_constructible_v<wp::future<int>>);
static_assert(std::is_copy_constructible_v<wp::group> && std::is_copy_constructible_v<wp::results>);
static_assert(!std::is_copy_constructible_v<wp::context> && !std::is_copy_constructible_v<wp::scope>);
static_assert(sizeof(wp::pool) == sizeof(void *) && sizeof(wp::future<int>) == sizeof(void *));
static_assert(static_cast<int>(wp::errc::task_discarded) == WP_FATE_DISCARDED);

// What can't be called without arguments, or with a context, is no task.
template <class F, class = void>
constexpr bool can_be_submitted = false;
template <class F>
constexpr bool can_be_submitted<F, std::void_t<decltype(std::declval<wp::pool &>().submit(std::declval<F>()))>> = true;
static_assert(can_be_submitted<void (*)()> && can_be_submitted<int (*)(wp::context &)>);
static_assert(!can_be_submitted<int (*)(int)> && !can_be_submitted<int>);

struct move_only {
    std::unique_ptr<int> value;
    int operator()() && { return *value; }
};

int use_pool(wp::pool &pool, const wp::group &group, const wp::results &results)
{
    wp::task_options options(group);
    options.results(results).label("label").deadline(pool.deadline_in(1h)).tag(7);
    options.deadline(pool.deadline_at(std::chrono::steady_clock::now() + 1s));

    wp::future<int> future = pool.submit([] { return 1; });
    wp::future<void> nothing = pool.submit([](wp::context &context) { (void)context.should_stop(); }, options);
    wp::future<int> moved = pool.submit(move_only{std::make_unique<int>(1)}, group);
    int there = 0;
    wp::future<int &> reference = pool.submit([&there]() -> int & { return there; });
    wp::result<wp::future<int>> tried = pool.try_submit([] { return 1; }, options);
    wp::result<wp::future<int>> timed = pool.submit_for(1.5ms, [] { return 1; }, options);
    wp::task prepared([] { return 1; });
    static_assert(std::is_same_v<decltype(prepared), wp::task<int>>);
    tried = pool.try_submit(prepared, options);
    timed = pool.submit_for(1ms, prepared, options);
    if (prepared) future = pool.submit(prepared, options);

    pool.post([] {});
    pool.post([&there] { there++; }, group);
    pool.post([] { return wp::status{3}; }, options);
    std::error_code code = pool.try_post([] {});
    code = pool.post_for(1s, [kept = std::make_unique<int>(1)](wp::context &) {});
    if (code == wp::errc::full || code == std::errc::timed_out) return 1;

    future.wait();
    (void)future.wait_for(1s);
    (void)future.try_wait(1s);
    (void)future.fate();
#if WP_HPP_EXCEPTIONS
    (void)future.exception();
#endif
    wp::result<int> got = future.try_get(1s);
    wp::result<void> none = nothing.try_get();
    wp::result<int &> same = reference.try_get();
    if (!got || !none || &*same != &there) return got.error().value();
    (void)future.valid();
    (void)future.is_ready();
#if WP_HPP_EXPECTED
    std::expected<int, std::error_code> expected = std::move(got);
    std::expected<void, std::error_code> empty = std::move(none);
    std::expected<bool, std::error_code> truth(pool.submit([] { return false; }).try_get());
    static_assert(!std::is_constructible_v<std::expected<bool, std::error_code>, wp::result<bool> &>);
    (void)truth.value_or(true);
    (void)pool.submit([]() -> std::expected<int, int> { return std::unexpected(1); });
    return expected && empty ? moved.get() : 1;
#else
    return *got + moved.get() + std::move(got).value();
#endif
}

void use_times(wp::pool &pool)
{
    (void)(pool.now() < pool.deadline_in(wp::forever));
    pool.wait_idle();
    (void)pool.wait_idle_for(std::chrono::duration<float>(0.5f));
    (void)pool.try_wait_idle(1s);
    pool.shutdown();
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    (void)pool.shutdown_for(wp::shutdown_mode::cancel, std::chrono::hours::max(), &report);
    (void)pool.try_shutdown(wp::shutdown_mode::drain, wp::forever, &report);
    (void)pool.stats();
    (void)pool.run();
    (void)pool.run(1);
    pool.advance(1us);
}

void use_group(const wp::pool &pool)
{
    wp::group outer(pool);
    wp::group_options options;
    options.parent = &outer;
    options.on_error = wp::on_error::cancel;
    options.max_running = 1;
    wp::result<wp::group> inner = wp::group::create(pool, options);
    wp::group copy = *inner;
    copy = wp::group::share(copy.get());
    copy.wait();
    (void)copy.wait_for(1s);
    (void)copy.try_wait(1s);
    copy.cancel();
    (void)copy.status();
    wp::scope scope(pool, options);
    scope.wait();
    scope.cancel();
    (void)scope.group();
}

void use_results()
{
    wp::results_options options;
    options.wait = true;
    wp::results results(options);
    wp::result<wp::results> made = wp::results::create();
    wp::results copy = results;
    copy = *made;
    while (auto record = copy.next()) (void)record->ok();
    (void)copy.next_for(1s);
    (void)copy.try_next();
    copy.close();
    (void)copy.fd();
}

int use_context(wp::context &context)
{
    if (context.stop_reason() != wp::stop_reason::none || context.time_left() == wp::forever) return 0;
    return static_cast<int>(context.worker()) + (context.label() != nullptr) + (context.group() ? 1 : 0) + (context.get() != nullptr);
}

wp::result<wp::pool> make()
{
    wp::options options;
    options.name = "name";
    options.workers = 2;
    options.on_thread_start = [](std::uint32_t) {};
    return wp::pool::create(options);
}

#if WP_HPP_STOP_TOKEN
void use_stop(wp::pool &pool, const wp::group &group)
{
    std::stop_source source;
    wp::cancel_on_stop link(source.get_token(), group);
    wp::future<int> future = pool.submit(source.get_token(), [] { return 1; });
    auto tried = pool.try_submit(source.get_token(), [](wp::context &) {}, group);
    auto timed = pool.submit_for(1s, source.get_token(), [kept = std::make_unique<int>(1)] { return *kept; });
}
#endif

#if WP_HPP_COROUTINES
wp::future<int> coroutine(wp::pool &pool, const wp::group &group)
{
    co_await pool.schedule();
    if (std::error_code code = co_await pool.schedule(std::nothrow, wp::task_options(group).label("label"))) co_return 0;
    co_await pool.submit([] {});
    auto future = pool.submit([] { return std::make_unique<int>(1); });
    co_return *co_await std::move(future);
}
wp::future<void> nothing(wp::pool &pool)
{
    co_await pool.schedule();
}
wp::future<int &> reference(int &there)
{
    co_return there;
}
#endif

#if defined(__cpp_designated_initializers) && __cplusplus >= 202002L
void designated()
{
    wp::pool pool({.workers = 2, .capacity = 16});
    wp::group group(pool, {.deadline = pool.deadline_in(1s), .max_running = 1});
    wp::results results({.capacity = 3});
}
#endif
