// SPDX-License-Identifier: MIT
//
// L2 and L5 through the C++ header: producers submit in every way, groups are cancelled, deadlines pass, futures are taken, dropped,
// or given up after a time, and the pool is shut down in the middle of it. Each callable is made once, destroyed once, called at most once;
// each future tells what really happened; and what a wait covered touches nothing afterwards.
//
// A round (WP_ROUNDS) is one pool from create to its end.
#include "check.hpp"

#include <array>
#include <memory>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

struct tally {
    std::atomic<long> made{0}, destroyed{0}, called{0}, threw{0};
    std::atomic<long> accepted{0}, refused{0};
    std::atomic<long> values{0}, thrown{0}, not_run{0}, dropped{0}; // what the futures said
};

struct boom {};

// Counts itself, and what it refers to is freed by who waited for it.
class work {
public:
    work(tally &counts, int *memory, bool throws) : counts_(&counts), memory_(memory), throws_(throws) { counts_->made++; }
    work(work &&other) noexcept : work(*other.counts_, other.memory_, other.throws_) {}
    ~work() { counts_->destroyed++; }

    int operator()()
    {
        counts_->called++;
        if (memory_ != nullptr) ++*memory_;
        if (throws_) {
            counts_->threw++;
            throw boom();
        }
        return 1;
    }

private:
    tally *counts_;
    int *memory_;
    bool throws_;
};

static void settle(tally &counts, wp::future<int> future, std::uint64_t how)
{
    switch (how % 4) {
    case 0: counts.dropped++; return; // with the future
    case 1:
        try {
            if (!future.wait_for(std::chrono::nanoseconds(how / 4 % 20000))) {
                counts.dropped++; // its time was up; perhaps just as it was woken
                return;
            }
        } catch (const wp::error &) {
            std::abort();
        }
        break;
    default: break;
    }
    try {
        counts.values += future.get();
    } catch (const boom &) {
        counts.thrown++;
    } catch (const wp::cancelled &) {
        counts.not_run++;
    } catch (const wp::expired &) {
        counts.not_run++;
    } catch (const wp::discarded &) {
        counts.not_run++;
    }
}

static void produce(wp::pool &pool, tally &counts, std::uint64_t seed)
{
    std::mt19937_64 random(seed);
    for (int batch = 0; batch < 20; batch++) {
        wp::group_options options;
        options.max_running = random() % 4 == 0 ? 1 : 0;
        if (random() % 8 == 0) options.on_error = wp::on_error::cancel;
        const bool alone = options.max_running == 1; // then its tasks may share what they touch
        wp::group group(pool, options);
        auto memory = std::make_unique<std::array<int, 8>>();
        memory->fill(0);
        std::vector<wp::future<int>> futures;
        for (std::size_t i = 0; i < 8; i++) {
            const std::uint64_t roll = random();
            wp::task_options how(group);
            if (roll % 16 == 0) how.deadline(pool.deadline_in(std::chrono::nanoseconds(roll / 16 % 50000)));
            work callable(counts, &(*memory)[alone ? 0 : i], roll / 64 % 8 == 0);
            std::error_code code;
            switch (roll / 1024 % 5) {
            case 0: code = pool.try_post(std::move(callable), how); break;
            case 1: code = pool.post_for(1ms, std::move(callable), how); break;
            case 2: {
                auto made = pool.try_submit(std::move(callable), how);
                code = made.error();
                if (made) futures.push_back(*std::move(made));
                break;
            }
            case 3: {
                wp::task prepared(std::move(callable));
                wp::result<wp::future<int>> made = wp::errc::full;
                for (int tries = 0; !made && tries < 3; tries++) made = pool.submit_for(100us, prepared, how);
                code = made.error();
                if (made) futures.push_back(*std::move(made));
                break;
            }
            default:
                try {
                    futures.push_back(pool.submit(std::move(callable), how));
                } catch (const wp::error &error) {
                    code = error.code();
                }
            }
            (code ? counts.refused : counts.accepted)++;
        }
        if (random() % 4 == 0) group.cancel();
        for (auto &future : futures) settle(counts, std::move(future), random());
        group.wait();
        memory.reset(); // L5: nothing of the group touches it any more
    }
}

static void round_of(std::uint64_t seed)
{
    std::mt19937_64 random(seed);
    tally counts;
    wp_stats stats;
    {
        wp::options options;
        options.workers = 1 + static_cast<std::uint32_t>(random() % 3);
        options.capacity = 1 + static_cast<std::uint32_t>(random() % 16);
        options.timers = random() % 2 == 0;
        wp::pool pool(options);
        std::vector<std::thread> producers;
        for (int i = 0; i < 3; i++) {
            producers.emplace_back([&pool, &counts, own = random()] {
                try {
                    produce(pool, counts, own);
                } catch (const wp::error &error) {
                    CHECK_EQ(wp::make_error_code(wp::errc::closed), error.code());
                }
            });
        }
        if (random() % 2 == 0) {
            const auto some = static_cast<long>(random() % 300); // of 480
            while (counts.accepted + counts.refused < some) std::this_thread::yield();
            static_cast<void>(pool.shutdown_for(wp::shutdown_mode::cancel, 0s));
        }
        for (auto &producer : producers) producer.join();
        pool.shutdown();
        stats = pool.stats();
    }
    CHECK_EQ(counts.made.load(), counts.destroyed.load());
    CHECK_EQ(static_cast<std::uint64_t>(counts.accepted.load()), stats.accepted);
    CHECK_EQ(stats.accepted, stats.ran + stats.cancelled + stats.expired + stats.discarded);
    CHECK_EQ(static_cast<std::uint64_t>(counts.called.load()), stats.ran);
    CHECK_EQ(static_cast<std::uint64_t>(counts.threw.load()), stats.failed);
    CHECK(static_cast<std::uint64_t>(counts.not_run.load()) <= stats.cancelled + stats.expired + stats.discarded);
    CHECK(static_cast<std::uint64_t>(counts.values.load() + counts.thrown.load()) <= stats.ran);
    static unsigned long total[4];
    total[0] += stats.ran, total[1] += stats.cancelled, total[2] += stats.expired, total[3] += stats.discarded;
    if (check::passed % 50 == 49)
        std::printf("one_fate: %lu ran, %lu cancelled, %lu expired, %lu discarded\n", total[0], total[1], total[2], total[3]);
}

// A future is taken, or let go, at the very moment at which it is published: the word of state.hpp from both sides.
static void the_last_of_two_ends_it()
{
    const unsigned long rounds = check::rounds(40) * 500;
    wp::pool pool = check::pool(2, 64);
    tally counts;
    std::mt19937_64 random(check::seed());
    for (unsigned long i = 0; i < rounds; i++) {
        const std::uint64_t roll = random();
        auto future = pool.submit(work(counts, nullptr, roll % 8 == 0));
        for (volatile std::uint64_t spin = roll / 8 % 200; spin > 0;) spin = spin - 1;
        settle(counts, std::move(future), roll / 4096);
    }
    pool.shutdown();
    CHECK_EQ(counts.made.load(), counts.destroyed.load());
    CHECK_EQ(static_cast<long>(rounds), counts.called.load());
    CHECK_EQ(static_cast<long>(rounds), counts.values.load() + counts.thrown.load() + counts.dropped.load());
    CHECK_EQ(0L, counts.not_run.load());
    std::printf("one_fate: %ld values, %ld thrown, %ld dropped\n", counts.values.load(), counts.thrown.load(), counts.dropped.load());
}

// A wait gives up at the moment at which the task ends: the node on its stack is woken or taken back, and gone only after that.
static void a_wait_that_ends_as_it_is_woken()
{
    const unsigned long rounds = check::rounds(40) * 50;
    wp::pool pool = check::pool(2, 64);
    std::mt19937_64 random(check::seed());
    unsigned long in_time = 0;
    for (unsigned long i = 0; i < rounds; i++) {
        std::atomic<bool> begun{false};
        const auto length = std::chrono::nanoseconds(40000 + random() % 160000);
        auto future = pool.submit([&begun, length] {
            const auto end = std::chrono::steady_clock::now() + length;
            begun = true;
            while (std::chrono::steady_clock::now() < end) {}
            return 1;
        });
        while (!begun) {}
        in_time += future.wait_for(std::chrono::nanoseconds(random() % 60000)); // the system adds some 50 us
        CHECK_EQ(1, future.get());
    }
    std::printf("one_fate: %lu of %lu waits in time\n", in_time, rounds);
}

static std::uint64_t next_seed;
static void one_round() { round_of(next_seed); }

int main()
{
    check::begin("one_fate");
    std::mt19937_64 seeds(check::seed());
    CASE(the_last_of_two_ends_it);
    CASE(a_wait_that_ends_as_it_is_woken);
    for (unsigned long i = 0, rounds = check::rounds(100); i < rounds; i++) {
        next_seed = seeds();
        CASE(one_round);
    }
    return check::end();
}
