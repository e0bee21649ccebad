// SPDX-License-Identifier: MIT
//
// 3. Errors: a task that throws, a call that fails, and what the destructor sees to.
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include "pool.hpp"

static std::string describe(const Ended &how)
{
    if (how.fate != WP_FATE_RAN) return "never ran";
    if (!how.error) return "ran";
    try {
        std::rethrow_exception(how.error);
    } catch (const std::invalid_argument &) {
        return "threw std::invalid_argument";
    } catch (const std::exception &e) {
        return std::string("threw: ") + e.what();
    } catch (...) {
        return "threw something else";
    }
}

int main()
try {
    wp_options options = WP_OPTIONS_INIT;
    options.workers = 1; // so that the order of the lines is always the same
    const auto owned = std::make_shared<int>(1);
    {
        Pool pool(options);
        const auto parse = [&pool](std::string text) {
            pool.submit([text] { static_cast<void>(std::stoi(text)); },
                        [text](const Ended &how) { std::cout << "\"" << text << "\" " << describe(how) << '\n'; });
        };
        parse("42");
        parse("forty-two"); // caught in the task, told to its `ended`; worker and pool go on
        pool.submit([] { throw 42; }, [](const Ended &how) { std::cout << "an int " << describe(how) << '\n'; });
        parse("43");
        pool.wait_idle();
        const auto stats = pool.stats();
        std::cout << "ran " << stats.ran << ", failed " << stats.failed << '\n';

        // Inside a task, what would wait for that very task throws instead of hanging; here it reaches our `ended`.
        pool.submit([&pool] { pool.wait_idle(); }, [](const Ended &how) {
            std::cout << "waiting for itself: " << (how.ok() ? "ran" : "refused") << '\n';
        });

        pool.shutdown();
        try {
            pool.submit([owned] {}); // refused: the callable is destroyed at once, not leaked
        } catch (const PoolError &e) {
            std::cout << "after the shutdown: " << (e.code() == WP_ECLOSED ? "WP_ECLOSED" : e.what()) << '\n';
        }
    }
    {
        Pool pool(options);
        pool.submit([owned] {});
        pool.submit([owned] {});
    } // the destructor drains
    std::cout << "owners left: " << owned.use_count() << '\n';

    try {
        options.workers = WP_WORKERS_MAX + 1;
        Pool never(options);
    } catch (const PoolError &e) {
        std::cout << "too many workers: " << (e.code() == WP_EINVAL ? "WP_EINVAL" : e.what()) << std::endl;
    }
    return std::cout ? 0 : 1;
} catch (const std::exception &e) {
    std::cerr << e.what() << '\n';
    return 1;
}
