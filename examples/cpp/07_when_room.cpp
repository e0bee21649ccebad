// SPDX-License-Identifier: MIT
//
// 4. When there is room: a lambda that goes on where it was refused, instead of a thread that waits.
//
// A source has more to submit than there is room for, and no thread to wait in submit(). It submits what it can; when the queue is
// full it leaves a lambda behind, which a worker calls as soon as there is room for one more. So a source costs a few bytes while
// it waits: here are a thousand of them on two workers. A coroutine is resumed in the same way.
#include <atomic>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <vector>

#include "pool.hpp"

/// Calls `next` once when there is room. It must stay where it is until then; it may be waited with again inside `next`. Its
/// destructor takes it back.
template <class Next>
class RoomWaiter {
public:
    RoomWaiter(Pool &pool, Next next) : pool_(pool), next_(std::move(next))
    {
        waiter_.notify = [](void *self) { static_cast<RoomWaiter *>(self)->next_(); }; // it must not throw
        waiter_.arg = this;
    }
    ~RoomWaiter()
    {
        // Afterwards `next` neither runs nor will, so what it captured may go.
        const int code = wp_forget_room(pool_.get(), &waiter_, WP_FOREVER);
        if (code != WP_OK && code != WP_ETOOLATE) std::terminate();
    }
    RoomWaiter(const RoomWaiter &) = delete;
    RoomWaiter &operator=(const RoomWaiter &) = delete;

    /// False: the pool is closed, and `next` will not be called.
    [[nodiscard]] bool wait()
    {
        const int code = wp_when_room(pool_.get(), &waiter_);
        if (code != WP_OK && code != WP_ECLOSED) throw PoolError("wp_when_room", code);
        return code == WP_OK;
    }

private:
    Pool &pool_;
    Next next_;
    wp_waiter waiter_ = WP_WAITER_INIT;
};

int main()
try {
    constexpr int sources = 1000, tasks = 20;
    std::atomic<int> ran{0}, called{0}, open{sources};
    std::promise<void> done;

    wp_options options = WP_OPTIONS_INIT;
    options.workers = 2;
    options.capacity = 16;
    Pool pool(options);

    // A source: submits until there is no room, and is called again where it stopped.
    struct Source {
        int left = tasks;
        std::function<void()> go;
        std::unique_ptr<RoomWaiter<std::function<void()>>> waiter;
    };
    std::vector<Source> all(sources);
    for (Source &source : all) {
        source.go = [&] {
            called++;
            for (; source.left > 0; source.left--) {
                if (!pool.try_submit([&ran] { ran++; })) {
                    if (!source.waiter->wait()) std::terminate(); // the last thing that it does: it may be called at once
                    return;
                }
            }
            if (--open == 0) done.set_value();
        };
        source.waiter = std::make_unique<RoomWaiter<std::function<void()>>>(pool, std::ref(source.go));
    }
    for (Source &source : all)
        if (!source.waiter->wait()) return 1;

    done.get_future().wait();
    std::cout << sources << " sources on " << pool.stats().workers << " workers, every task accepted\n";
    pool.shutdown();
    std::cout << "accepted " << pool.stats().accepted << ", ran " << ran << '\n'
              << "some had to be called again: " << (called > sources ? "true" : "false") << '\n';

    // Who is gone before there is room is not called.
    wp_options manual = WP_OPTIONS_INIT;
    manual.mode = WP_MODE_MANUAL;
    manual.capacity = 1;
    Pool quiet(manual);
    bool was_called = false;
    quiet.submit([] {});
    {
        RoomWaiter waiter(quiet, [&] { was_called = true; });
        if (!waiter.wait()) return 1;
    }
    quiet.wait_idle(); // now there is room
    std::cout << "a waiter that is gone was called: " << (was_called ? "true" : "false") << std::endl;
    return std::cout ? 0 : 1;
} catch (const std::exception &e) {
    std::cerr << e.what() << '\n';
    return 1;
}
