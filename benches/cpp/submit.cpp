// SPDX-License-Identifier: MIT
//
// submit [ROUNDS]: what one task costs from C++: `submit` of a lambda with a future, against what one would write instead.
//
// In turn, round by round (9), in an order that rotates: `ahead` keeps 64 tasks under way and takes their results, `alone` waits for
// each before the next. Printed: the median of the rounds, in nanoseconds a task, and how many times what wp::pool::submit takes.
// Two workers each; std::async starts a thread for each task; oneTBB's submitter runs its own tasks while it waits, newest first, so that
// most never change threads. Where a task is posted into a group there is no future: it writes its result into a place of the submitter's.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <workerpool.hpp>

constexpr unsigned workers = 2;
constexpr int batch = 64;

// `Submit` gives something with a get().
template <class Submit>
static long futures(int ahead, int tasks, Submit submit)
{
    long sum = 0;
    std::vector<decltype(submit(0))> under_way;
    under_way.reserve(static_cast<std::size_t>(ahead));
    for (int done = 0; done < tasks; done += ahead) {
        under_way.clear();
        for (int i = 0; i < ahead; i++) under_way.push_back(submit(i));
        for (auto &future : under_way) sum += future.get();
    }
    return sum;
}

struct contender {
    const char *name;
    int tasks; // of a round, so that it takes some 20 ms
    std::function<long(int ahead, int tasks)> body;
    std::vector<double> ahead, alone;
};

static double nanoseconds(contender &who, int ahead, int tasks)
{
    tasks -= tasks % ahead;
    const auto began = std::chrono::steady_clock::now();
    const long sum = who.body(ahead, tasks);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
    const long whole = tasks / ahead, each = static_cast<long>(ahead) * (ahead - 1) / 2;
    if (sum != whole * each) std::abort(); // every result has come
    return took.count() / tasks;
}

static double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
    wp::options options;
    options.workers = workers;
    wp::pool pool(options);
    boost::asio::thread_pool asio(workers);
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, workers + 1);
    tbb::task_arena arena(workers + 1); // this thread is one of them
    arena.initialize();

    std::vector<contender> all;
    all.push_back({"wp::pool::submit", 40000, [&](int ahead, int tasks) {
        return futures(ahead, tasks, [&](int i) { return pool.submit([i] { return i; }); });
    }, {}, {}});
    all.push_back({"wp::pool::post, wp::group", 40000, [&](int ahead, int tasks) {
        long sum = 0;
        std::array<int, batch> got;
        wp::group group(pool);
        for (int done = 0; done < tasks; done += ahead) {
            for (int i = 0; i < ahead; i++) {
                got[static_cast<std::size_t>(i)] = i;
                int *const place = &got[static_cast<std::size_t>(i)];
                pool.post([place] { *place += 1; }, group);
            }
            group.wait();
            for (int i = 0; i < ahead; i++) sum += got[static_cast<std::size_t>(i)] - 1;
        }
        return sum;
    }, {}, {}});
    all.push_back({"Boost.Asio, packaged_task", 40000, [&](int ahead, int tasks) {
        return futures(ahead, tasks, [&](int i) {
            std::packaged_task<int()> task([i] { return i; });
            auto future = task.get_future();
            boost::asio::post(asio, std::move(task));
            return future;
        });
    }, {}, {}});
    all.push_back({"oneTBB, task_group", 40000, [&](int ahead, int tasks) {
        long sum = 0;
        std::array<int, batch> got;
        arena.execute([&] {
            tbb::task_group group;
            for (int done = 0; done < tasks; done += ahead) {
                for (int i = 0; i < ahead; i++) group.run([&got, i] { got[static_cast<std::size_t>(i)] = i; });
                group.wait();
                for (int i = 0; i < ahead; i++) sum += got[static_cast<std::size_t>(i)];
            }
        });
        return sum;
    }, {}, {}});
    all.push_back({"std::async", 2000, [&](int ahead, int tasks) {
        return futures(ahead, tasks, [](int i) { return std::async(std::launch::async, [i] { return i; }); });
    }, {}, {}});

    for (int round = -1; round < rounds; round++) { // the first warms up
        for (std::size_t i = 0; i < all.size(); i++) {
            contender &who = all[(i + static_cast<std::size_t>(round + 1)) % all.size()];
            const double ahead = nanoseconds(who, batch, who.tasks), alone = nanoseconds(who, 1, who.tasks / 4);
            if (round < 0) continue;
            who.ahead.push_back(ahead);
            who.alone.push_back(alone);
        }
    }
    std::printf("%-28s %12s %8s %12s %8s\n", "", "64 ahead, ns", "times", "alone, ns", "times");
    for (const contender &who : all) {
        const double ahead = median(who.ahead), alone = median(who.alone);
        std::printf("%-28s %12.0f %8.2f %12.0f %8.2f\n", who.name, ahead, ahead / median(all[0].ahead), alone,
                    alone / median(all[0].alone));
    }
    return 0;
}
