// SPDX-License-Identifier: MIT
//
// 8. The eight things: create, submit, result, cancel, deadline, group, figures, shutdown; by workerpool.hpp, which is installed with the
// library.
//
// The same program stands in C, Go, Zig and Python beside, and all print ../eight_things.expected. docs/languages.md shows them side by
// side: what stands here between [name] and [end] is copied there by scripts/check-languages.
#include <chrono>
#include <future>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

#include "workerpool.hpp"

using namespace std::chrono_literals;

static void must(const char *what, bool is_so)
{
    if (!is_so) throw std::logic_error(std::string("not so: ") + what);
}

/// The only worker stands at a gate, so that it is known what is queued. Its end, also by an exception, lets the task go and waits
/// for it: the task uses what stands in here.
class held {
public:
    explicit held(wp::pool &pool)
        : task_(pool.submit([this] {
              started_.set_value();
              gate_.get_future().wait();
          }))
    {
        started_.get_future().wait();
    }
    held(const held &) = delete;
    held &operator=(const held &) = delete;
    ~held()
    {
        let_go();
        task_.wait();
    }
    void let_go()
    {
        if (!std::exchange(open_, true)) gate_.set_value();
    }

private:
    std::promise<void> started_, gate_;
    bool open_ = false;
    wp::future<void> task_;
};

static wp::pool create()
{
    // [create]
    wp::options options;
    options.workers = 1;
    options.capacity = 2; // that may be queued
    options.timers = true; // what is late ends at once, though all workers are busy
    wp::pool pool(options);
    // [end]
    const wp_stats stats = pool.stats();
    std::cout << "create: " << stats.workers << " worker, room for " << stats.capacity << " tasks\n";
    return pool;
}

static void submit(wp::pool &pool)
{
    held worker(pool);
    // [submit]
    auto first = pool.submit([] { return 1 * 1; }); // waits while the queue is full
    auto second = pool.submit([] { return 2 * 2; });
    auto third = pool.try_submit([] { return 3 * 3; }); // never waits: wp::errc::full
    // [end]
    must("the queue is full", third.error() == wp::errc::full);
    worker.let_go();
    // [submit]
    third = pool.submit_for(10s, [] { return 3 * 3; }); // waits so long at most
    // [end]
    must("all three ran", first.get() == 1 && second.get() == 4 && third->get() == 9);
    std::cout << "submit: a third is refused while the queue is full, or waits for room\n";
}

static void result(wp::pool &pool)
{
    // [result]
    auto good = pool.submit([] { return std::stoi("42"); });
    auto bad = pool.submit([] { return std::stoi("seven"); });
    std::cout << "result: " << good.get() << '\n';
    try {
        bad.get(); // throws what the task threw
    } catch (const std::invalid_argument &) {
        std::cout << "error: \"seven\" is no number\n";
    }
    // [end]
}

static void cancel(wp::pool &pool)
{
    std::promise<void> started;
    bool was_cancelled = false;
    // [cancel]
    wp::group group(pool);
    auto told = pool.submit([&](wp::context &context) {
        started.set_value();
        while (!context.should_stop()) continue; // a step of work
        return context.stop_reason();
    }, group);
    auto never = pool.submit([] { return 5 * 5; }, group);
    started.get_future().wait();
    group.cancel(); // what is queued never starts, what runs is told
    try {
        never.get();
    } catch (const wp::cancelled &) {
        was_cancelled = true;
    }
    // [end]
    must("one was told, one cancelled", told.get() == wp::stop_reason::cancelled && was_cancelled);
    std::cout << "cancel: the running task was told, the queued one never ran\n";
}

static void deadline(wp::pool &pool)
{
    held worker(pool);
    // [deadline]
    auto late = pool.submit([] { return 6 * 6; }, wp::task_options().deadline(pool.deadline_in(100ms)));
    try {
        late.get();
    } catch (const wp::expired &) {
        std::cout << "deadline: the late task never ran\n";
    }
    // [end]
    worker.let_go();
}

static void wait_for_a_group(wp::pool &pool)
{
    // [group]
    int numbers[] = {1, 2, 3};
    wp::group group(pool);
    for (int &number : numbers) pool.post([&number] { number *= number; }, group);
    group.wait(); // nothing of it is queued or runs
    // [end]
    const int sum = numbers[0] + numbers[1] + numbers[2];
    std::cout << "group: " << numbers[0] << " + " << numbers[1] << " + " << numbers[2] << " = " << sum << '\n';
}

static void figures(wp::pool &pool)
{
    // [figures]
    const wp_stats stats = pool.stats();
    const auto ended = stats.ran + stats.cancelled + stats.expired + stats.discarded;
    must("each is counted once", stats.accepted == ended + stats.queued + stats.running);
    // [end]
    std::cout << "figures: " << stats.accepted << " accepted, each counted once\n";
}

static void end_it(wp::pool &pool)
{
    // [shutdown]
    pool.shutdown(); // what was accepted has run, and the threads are gone; the destructor does so, too
    auto refused = pool.try_submit([] { return 7 * 7; }); // wp::errc::closed
    // [end]
    must("it is closed", refused.error() == wp::errc::closed);
    const wp_stats stats = pool.stats();
    std::cout << "shutdown: " << stats.ran << " ran (" << stats.failed << " failed), " << stats.cancelled << " cancelled, " << stats.expired
              << " expired; the next is refused" << std::endl;
}

int main()
try {
    wp::pool pool = create();
    submit(pool);
    result(pool);
    cancel(pool);
    deadline(pool);
    wait_for_a_group(pool);
    figures(pool);
    end_it(pool);
    return std::cout ? 0 : 1;
} catch (const std::exception &e) {
    std::cerr << e.what() << '\n';
    return 1;
}
