// SPDX-License-Identifier: MIT
//
// 3. Errors: a task that throws, one that never runs, a call that fails, and what the destructor sees to.
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include <workerpool.hpp>

static const char *describe(wp::future<int> future)
{
    try {
        static_cast<void>(future.get());
        return "ran";
    } catch (const wp::cancelled &) {
        return "never ran";
    } catch (const std::invalid_argument &) {
        return "threw std::invalid_argument";
    } catch (...) {
        return "threw something else";
    }
}

int main()
try {
    wp::options options;
    options.workers = 1;
    const auto owned = std::make_shared<int>(1);
    {
        wp::pool pool(options);
        const auto parse = [&pool](std::string text) {
            std::cout << "\"" << text << "\" " << describe(pool.submit([text] { return std::stoi(text); })) << '\n';
        };
        parse("42");
        parse("forty-two"); // caught in the task, thrown by get(); worker and pool go on
        std::cout << "an int " << describe(pool.submit([]() -> int { throw 42; })) << '\n';
        parse("43");

        wp::group group(pool);
        pool.submit([&] {
            auto late = pool.submit([] { return 44; }, group); // behind this task: there is one worker
            group.cancel();
            std::cout << "a cancelled one " << describe(std::move(late)) << '\n';
        }).get();
        pool.wait_idle();
        const auto stats = pool.stats();
        std::cout << "ran " << stats.ran << ", failed " << stats.failed << ", cancelled " << stats.cancelled << '\n';

        // Inside a task, what would wait for that very task throws instead of hanging.
        try {
            pool.submit([&pool] { pool.wait_idle(); }).get();
        } catch (const wp::error &e) {
            std::cout << "waiting for itself: " << (e.code() == wp::errc::deadlock ? "refused" : e.what()) << '\n';
        }

        pool.shutdown();
        try {
            pool.post([owned] {}); // refused: the callable is destroyed at once, not leaked
        } catch (const wp::error &e) {
            std::cout << "after the shutdown: " << (e.code() == wp::errc::closed ? "closed" : e.what()) << '\n';
        }
    }
    {
        wp::pool pool(options);
        pool.post([owned] {});
        pool.post([owned] {});
    } // the destructor drains
    std::cout << "owners left: " << owned.use_count() << '\n';

    options.workers = WP_WORKERS_MAX + 1;
    const auto never = wp::pool::create(options); // instead of a constructor that throws
    std::cout << "too many workers: " << (never.error() == std::errc::invalid_argument ? "invalid" : "?") << std::endl;
    return std::cout ? 0 : 1;
} catch (const std::exception &e) {
    std::cerr << e.what() << '\n';
    return 1;
}
