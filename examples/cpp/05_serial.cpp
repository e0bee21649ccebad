// SPDX-License-Identifier: MIT
//
// 5. Serial queues: an object whose methods run one after the other, on whichever worker is free, and without a lock.
//
// Each account owns a group with max_running = 1: its bookings are made in the order of the calls, never two at once, and what
// one has written the next one sees. Different accounts run side by side.
#include <cstdint>
#include <deque>
#include <exception>
#include <future>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "pool.hpp"

class Account {
public:
    explicit Account(Pool &pool) : serial_(pool, one_at_a_time()) {}

    /// Returns at once. A withdrawal of more than is there is refused; so whether it is depends on all before it.
    void book(int amount)
    {
        serial_.submit([this, amount] {
            history_.push_back(amount);
            if (balance_ + amount < 0) throw std::runtime_error("not enough there");
            balance_ += amount;
        });
    }

    /// What only the account's own tasks may see, asked in turn with them.
    std::future<int> balance()
    {
        auto answer = std::make_shared<std::promise<int>>();
        serial_.submit([this, answer] { answer->set_value(balance_); });
        return answer->get_future();
    }

    /// Runs when it is the account's turn.
    template <class Work>
    void in_turn(Work work) { serial_.submit(std::move(work)); }

    /// When all bookings are made, everything may be read here.
    const std::vector<int> &finish()
    {
        serial_.wait();
        return history_;
    }
    std::uint64_t refused() const { return serial_.status().failed; }

private:
    static wp_group_options one_at_a_time()
    {
        wp_group_options options = WP_GROUP_OPTIONS_INIT;
        options.max_running = 1;
        return options;
    }

    int balance_ = 0; // plain: no mutex, no atomic
    std::vector<int> history_;
    Group serial_; // last: it goes first, and waits for tasks that use the others
};

int main()
try {
    constexpr int count = 3, bookings = 1000;
    wp_options options = WP_OPTIONS_INIT;
    options.workers = count;
    options.capacity = 64; // fewer than there are bookings: who books too fast is held back
    Pool pool(options);
    std::vector<std::promise<void>> here(count);
    std::deque<Account> accounts; // after all that its tasks use
    for (int a = 0; a < count; a++) accounts.emplace_back(pool);

    // Only to prove that they run side by side: each waits for the next, so that all are under way at the same time.
    for (int a = 0; a < count; a++)
        accounts[a].in_turn([&here, a] {
            here[a].set_value();
            here[(a + 1) % count].get_future().wait();
        });

    std::vector<std::vector<int>> booked(count);
    std::uint32_t seed = 1;
    for (int i = 0; i < bookings; i++) {
        for (int a = 0; a < count; a++) {
            seed = seed * 1664525 + 1013904223;
            booked[a].push_back(static_cast<int>((seed >> 16) % 201) - 105); // -105 to 95
            accounts[a].book(booked[a].back());
        }
    }
    for (int a = 0; a < count; a++) {
        const int balance = accounts[a].balance().get();
        const bool in_order = accounts[a].finish() == booked[a];
        std::cout << "account " << a << ": balance " << balance << ", refused " << accounts[a].refused() << " of " << bookings
                  << ", in order: " << (in_order ? "true" : "false") << std::endl;
    }
    return std::cout ? 0 : 1;
} catch (const std::exception &e) {
    std::cerr << e.what() << '\n';
    return 1;
}
