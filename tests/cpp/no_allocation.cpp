// SPDX-License-Identifier: MIT
//
// What of C++ allocates: one block for a task with a future, one for a large posted callable, none for a small one. The count is of
// operator new; the library itself allocates nothing (tests/c/no_allocation.c).
#include "check.hpp"

#include <memory>
#include <new>

static std::atomic<unsigned long> news{0}, deletes{0};

// Not inlined: the compiler would see malloc() behind new, and free() behind delete, and warn of a mismatch.
[[gnu::noinline]] static void *take(std::size_t size)
{
    news++;
    return std::malloc(size);
}
[[gnu::noinline]] static void give_back(void *block)
{
    if (block != nullptr) deletes++;
    std::free(block);
}

void *operator new(std::size_t size)
{
    if (void *block = take(size)) return block;
    throw std::bad_alloc();
}
void *operator new(std::size_t size, const std::nothrow_t &) noexcept { return take(size); }
void operator delete(void *block) noexcept { give_back(block); }
void operator delete(void *block, std::size_t) noexcept { give_back(block); }
void operator delete(void *block, const std::nothrow_t &) noexcept { give_back(block); }

constexpr unsigned long many = 2000;

// Each of `many` calls takes `each` blocks, and all are given back.
template <class Body>
static void takes(unsigned long each, Body body)
{
    wp::pool pool = check::pool(2, 64);
    body(pool); // the first of each thread
    pool.wait_idle();
    const unsigned long before = news, freed = deletes;
    for (unsigned long i = 0; i < many; i++) body(pool);
    pool.wait_idle();
    CHECK_EQ(each * many, news - before);
    CHECK_EQ(each * many, deletes - freed);
}

static std::atomic<unsigned long> ran{0};

static void the_counting_counts()
{
    const unsigned long before = news, freed = deletes;
    ::operator delete(::operator new(1)); // a new-expression might be optimised away
    CHECK_EQ(1u, news - before);
    CHECK_EQ(1u, deletes - freed);
}

static void a_small_callable_takes_no_memory()
{
    takes(0, [](wp::pool &pool) { pool.post([] { ran++; }); });
    takes(0, [](wp::pool &pool) { pool.post([&pool](wp::context &) { if (pool.get()) ran++; }); });
    takes(0, [](wp::pool &pool) {
        wp::task_options options;
        pool.post([] { ran++; return wp::status{1}; }, options.label("small").tag(1));
    });
    takes(0, [](wp::pool &pool) { if (pool.try_post([] { ran++; })) ran++; });
    struct odd { char bytes[3]; void operator()() const { ran += static_cast<unsigned long>(bytes[2]); } };
    takes(0, [](wp::pool &pool) { pool.post(odd{{0, 0, 1}}); });
    CHECK_EQ(5 * (many + 1), ran.load());
}

static void a_large_callable_takes_one_block()
{
    takes(1, [](wp::pool &pool) { pool.post([&pool, two = 2ul] { if (pool.get()) ran += two; }); });
    takes(2, [](wp::pool &pool) { pool.post([owned = std::make_unique<int>(1)] { ran++; }); }); // and its own
}

static void a_future_takes_one_block()
{
    takes(1, [](wp::pool &pool) { pool.submit([] { return 1; }).get(); });
    takes(1, [](wp::pool &pool) {
        char large[500] = {};
        CHECK_EQ('\0', pool.submit([large] { return large[3]; }).get());
    });
    takes(1, [](wp::pool &pool) { auto dropped = pool.submit([] { return 1; }); });
    takes(1, [](wp::pool &pool) { auto refused_or_not = pool.try_submit([] { return 1; }); });
}

static void a_refused_task_takes_none_to_be_tried_again()
{
    wp::pool pool = check::pool(1, 1);
    check::gate gate(pool);
    check::fill(pool, 1);
    wp::task task([] { return 4; });
    const unsigned long before = news;
    for (int i = 0; i < 100; i++) CHECK(!pool.try_submit(task));
    CHECK_EQ(before, news.load());
    gate.open();
    auto future = pool.submit(task);
    CHECK_EQ(4, future.get());
    CHECK_EQ(before, news.load());
}

int main()
{
    check::begin("no_allocation");
    CASE(the_counting_counts);
    CASE(a_small_callable_takes_no_memory);
    CASE(a_large_callable_takes_one_block);
    CASE(a_future_takes_one_block);
    CASE(a_refused_task_takes_none_to_be_tried_again);
    return check::end();
}
