// SPDX-License-Identifier: MIT
//
// 2. Backpressure: a full queue holds the producer back, and there are three ways to meet it.
//
// One worker, room for four tasks. The first task waits at a gate that we hold shut, so that the queue is surely full.
#include <algorithm>
#include <chrono>
#include <exception>
#include <future>
#include <iostream>

#include <workerpool.hpp>

static const char *yes(bool is)
{
    return is ? "true" : "false";
}

int main()
try {
    constexpr int offered = 10, many = 200;
    constexpr std::uint32_t capacity = 4;
    volatile unsigned sum = 0; // one worker, one task at a time: no lock needed
    const auto slow = [&sum] { // some 100 us of work: far slower than a submit
        for (unsigned i = 0; i < 100000; i++) sum = sum + i;
    };
    std::promise<void> started, gate;

    wp::options options;
    options.workers = 1;
    options.capacity = capacity;
    wp::pool pool(options);

    pool.post([&] {
        started.set_value();
        gate.get_future().wait();
    });
    started.get_future().wait(); // now it runs, and takes no room in the queue any more

    int accepted = 0;
    for (int i = 0; i < offered; i++) accepted += pool.try_post(slow) ? 0 : 1; // an error, or none
    std::cout << "try: offered " << offered << ", accepted " << accepted << ", refused " << offered - accepted << '\n';

    const std::error_code late = pool.post_for(std::chrono::milliseconds(5), slow);
    std::cout << "timed: " << (late == wp::errc::timed_out ? "no room in 5 ms, nothing accepted" : "accepted") << '\n';

    gate.set_value();
    std::uint64_t deepest = 0;
    for (int i = 0; i < many; i++) {
        pool.post(slow); // waits for room
        // Under traffic only a snapshot that is exact shows one instant.
        if (const auto stats = pool.stats(); stats.exact) deepest = std::max(deepest, stats.queued);
    }
    std::cout << "blocking: " << many << " tasks, every one accepted\n";

    pool.shutdown();
    const auto stats = pool.stats(); // figures outlive the shutdown
    std::cout << "the queue never held more than " << capacity << ": " << yes(deepest <= capacity) << '\n'
              << "accepted " << stats.accepted << ", ran " << stats.ran << ", refused " << stats.refused << '\n'
              << "the producer was held back: " << yes(stats.waits > 0) << std::endl;
    return std::cout ? 0 : 1;
} catch (const std::exception &e) {
    std::cerr << e.what() << '\n';
    return 1;
}
