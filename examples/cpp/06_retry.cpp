// SPDX-License-Identifier: MIT
//
// 6. Retry: exceptions are collected in one place, and the type of each decides what becomes of its message.
//
// What may pass is tried again after 1 ms, 2 ms, 4 ms …, what can't pass is not, and what fails again and again is set
// aside. No thread sleeps meanwhile: the wait for the next result ends when the next try is due. "Failed" may mean "done,
// but the answer was lost": so the server knows messages by their number, and twice is as once.
#include <atomic>
#include <chrono>
#include <exception>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "pool.hpp"

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct NoAnswer : std::runtime_error {
    NoAnswer() : std::runtime_error("no answer") {}
};
struct NoSuchAddress : std::runtime_error {
    NoSuchAddress() : std::runtime_error("no such address") {}
};

struct Message {
    std::string text;
    bool to_nowhere;
    int lost_before, lost_after; // so often the way there, and then the way back, will fail
    int tries = 0;
    std::exception_ptr error = nullptr; // of the last try: written by its task's `ended`, read when its record is there
    std::string fate = "";
};

// The other side.
static std::atomic<int> taken_in, came_again;
static std::vector<std::atomic<bool>> has(6);

static void send(const Message &message, std::size_t number) // on a worker
{
    if (message.to_nowhere) throw NoSuchAddress();
    if (message.tries <= message.lost_before) throw NoAnswer();
    (has[number].exchange(true) ? came_again : taken_in)++; // here it arrives
    if (message.tries <= message.lost_before + message.lost_after) throw NoAnswer();
}

int main()
try {
    constexpr int tries_max = 5;
    std::vector<Message> messages{{"plain", false, 0, 0},
                                  {"lost three times", false, 3, 0},
                                  {"to nowhere", true, 0, 0},
                                  {"its answer lost twice", false, 0, 2},
                                  {"never arrives", false, 1000, 0},
                                  {"lost, and its answer too", false, 1, 1}};
    std::multimap<Clock::time_point, std::size_t> due; // what is to be tried, and when
    std::size_t under_way = 0;
    Pool pool;
    Results results(static_cast<std::uint32_t>(messages.size())); // each message is on its way once at most: it can't be full
    Group group(pool); // last: should anything throw here, nothing of what the tasks use goes before they have ended

    const auto decide = [&](std::size_t number) {
        Message &message = messages[number];
        try {
            if (message.error) std::rethrow_exception(message.error);
            message.fate = "delivered";
        } catch (const NoAnswer &) {
            if (message.tries < tries_max)
                due.emplace(Clock::now() + milliseconds(1 << (message.tries - 1)), number);
            else
                message.fate = "set aside";
        } catch (const std::exception &e) {
            message.fate = std::string("given up at once, ") + e.what();
        }
    };

    for (std::size_t i = 0; i < messages.size(); i++) due.emplace(Clock::now(), i);
    while (!due.empty() || under_way > 0) {
        const auto wait = due.empty() ? std::chrono::hours(1) : due.begin()->first - Clock::now();
        if (wait > Clock::duration::zero()) {
            if (const auto record = results.next(wait)) {
                under_way--;
                decide(record->user_data);
            }
            continue;
        }
        const std::size_t number = due.begin()->second;
        Message &message = messages[number];
        due.erase(due.begin());
        message.tries++;
        wp_task task = WP_TASK_INIT;
        task.results = results.get();
        task.user_data = number;
        group.submit([&message, number] { send(message, number); }, [&message](const Ended &how) { message.error = how.error; },
                     task);
        under_way++;
    }

    for (const auto &message : messages)
        std::cout << message.text << ": " << message.fate << ", tries: " << message.tries << '\n';
    std::cout << "the server took in " << taken_in << " messages; " << came_again << " came again, and changed nothing"
              << std::endl;
    return std::cout ? 0 : 1;
} catch (const std::exception &e) {
    std::cerr << e.what() << '\n';
    return 1;
}
