// SPDX-License-Identifier: MIT
//
// A C++ user's program: it needs nothing but workerpool.hpp, as installed, and what the package's target says.
#include <cstdio>
#include <stdexcept>
#include <vector>

#include <workerpool.hpp>

int main()
{
    wp::pool pool;
    std::vector<wp::future<int>> squares;
    for (int i = 0; i < 100; i++) squares.push_back(pool.submit([i] { return i * i; }));
    int sum = 0;
    for (auto &square : squares) sum += square.get();
    try {
        pool.submit([]() -> int { throw std::runtime_error("caught"); }).get();
        return 1;
    } catch (const std::runtime_error &) {
    }
    std::printf("%s: %d from C++%ld\n", wp_version_string(), sum, __cplusplus / 100 % 100);
    return wp_version_number() == WP_VERSION_NUMBER && sum == 328350 ? 0 : 1;
}
