// SPDX-License-Identifier: MIT
//
// workerpool.hpp: workerpool.h for C++17 and newer, header-only.
//
//     wp::pool pool;
//     auto answer = pool.submit([] { return 6 * 7; });   // any callable; waits while the queue is full
//     std::cout << answer.get() << '\n';                 // what it returned, or threw
//
// The library is the same, its header is still the authority on how it behaves, and both may be used side by side: each class
// here has a get() for the pointer. What this adds:
//
//     wp::pool      RAII. submit() gives a wp::future; post() gives nothing, and takes no memory for small callables.
//                   try_submit() and try_post() never wait for room, submit_for() and post_for() wait so long at most; they
//                   return a wp::result or a std::error_code, and throw nothing of their own.
//     wp::future    the result of one task, what it threw, or why it never ran (wp::cancelled, wp::expired, wp::discarded).
//     wp::task      a callable ready to be submitted; a refusal leaves it whole.
//     wp::batch     many callables, posted by one call.
//     wp::group     tasks that are waited for and cancelled together; wp::scope ends them with a block.
//     wp::results   a bounded queue of what became of tasks.
//     wp::context & what a callable takes that wants to know whether it should stop.
//     wp::error     a std::system_error over the WP_E… codes; wp::errc compares with its code().
//     C++20         submit() with a std::stop_token, wp::cancel_on_stop for groups; co_await pool.schedule(), co_await of
//                   futures, and coroutines that return wp::future.
//
// Exceptions. What a task throws never reaches C: it is caught where the task was called, counts as that task's failure, and
// is rethrown by get(). With -fno-exceptions, a function that would throw ends the process with a message. These tell what went wrong
// by a wp::result or a std::error_code instead: create(), each try_…(), submit_for(), post_for(), next_for(), and co_await of
// schedule(std::nothrow). stats(), status(), fd(), run() and advance() have no such sibling, but functions of workerpool.h that return
// the code; instead of a wp::scope take a wp::group. co_await of a future has none.
//
// Memory. submit(): one allocation, for callable and result together. post(): none for a callable no larger than a pointer
// that is only bytes (a lambda that captures one reference or pointer), else one. co_await: none but the coroutine's frame.
//
// Lives. Destroy in this order, which is the reverse of the natural one of making: results and groups are free (they are shared with
// the tasks); what tasks refer to must outlive them, so declare the pool behind it, or end the tasks with a wp::scope.
#pragma once

#include "workerpool/batch.hpp"
#include "workerpool/context.hpp"
#include "workerpool/coroutine.hpp"
#include "workerpool/error.hpp"
#include "workerpool/future.hpp"
#include "workerpool/group.hpp"
#include "workerpool/pool.hpp"
#include "workerpool/result.hpp"
#include "workerpool/results.hpp"
#include "workerpool/stop.hpp"
#include "workerpool/task.hpp"
#include "workerpool/time.hpp"
