// SPDX-License-Identifier: MIT
//
// 1. Hello: how many primes lie below one million? Ten slices, counted side by side.
#include <exception>
#include <iostream>
#include <vector>

#include <workerpool.hpp>

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
    constexpr int slice = 100000, slices = 10;
    wp::pool pool; // a worker per CPU, room for 1,024 tasks
    std::vector<wp::future<int>> found;
    for (int i = 0; i < slices; i++) found.push_back(pool.submit([i] { return primes(i * slice, (i + 1) * slice); }));

    int total = 0;
    for (auto &slice_found : found) total += slice_found.get(); // what it returned; had it thrown, this would throw
    std::cout << total << " primes below " << slices * slice << std::endl;
    return std::cout ? 0 : 1;
} catch (const std::exception &e) {
    std::cerr << e.what() << '\n';
    return 1;
}
