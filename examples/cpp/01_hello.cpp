// SPDX-License-Identifier: MIT
//
// 1. Hello: how many primes lie below one million? Ten slices, counted side by side.
#include <array>
#include <exception>
#include <iostream>
#include <numeric>

#include "pool.hpp"

static int primes(int first, int last)
{
    int found = 0;
    for (int n = first < 2 ? 2 : first; n < last; n++) {
        int divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0) divisor++;
        found += divisor * divisor > n;
    }
    return found;
}

int main()
try {
    constexpr int slice = 100000;
    std::array<int, 10> found{};
    Pool pool; // after `found`: should anything throw, the pool is drained before `found` goes

    for (int i = 0; i < static_cast<int>(found.size()); i++)
        pool.submit([i, &found] { found[static_cast<std::size_t>(i)] = primes(i * slice, (i + 1) * slice); });
    pool.shutdown(); // every accepted task has run

    const int total = std::accumulate(found.begin(), found.end(), 0);
    std::cout << total << " primes below " << found.size() * slice << std::endl;
    return std::cout ? 0 : 1;
} catch (const std::exception &e) {
    std::cerr << e.what() << '\n';
    return 1;
}
