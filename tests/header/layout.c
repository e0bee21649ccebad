/* SPDX-License-Identifier: MIT
 *
 * The structs that cross the border have no implicit padding (compiled with -Werror=padded), end on a multiple of 8
 * bytes on every target, and on 64-bit ones lie exactly so. They may only grow at their end.
 */
#include "workerpool.h"

#define SAME(line, condition) typedef char same_##line[(condition) ? 1 : -1]
#define NAMED(line, condition) SAME(line, condition)
#define IS(condition) NAMED(__LINE__, condition)

#define MULTIPLE_OF_8(type) IS(sizeof(type) % 8 == 0 && offsetof(type, struct_size) == 0)
MULTIPLE_OF_8(wp_options);
MULTIPLE_OF_8(wp_outcome);
MULTIPLE_OF_8(wp_task);
MULTIPLE_OF_8(wp_group_options);
MULTIPLE_OF_8(wp_group_status);
MULTIPLE_OF_8(wp_executor);
MULTIPLE_OF_8(wp_stats);
MULTIPLE_OF_8(wp_shutdown_report);
MULTIPLE_OF_8(wp_results_options);
MULTIPLE_OF_8(wp_record);
MULTIPLE_OF_8(wp_waiter);

#if UINTPTR_MAX == UINT64_MAX
#define SIZE(type, bytes) IS(sizeof(type) == (bytes))
#define AT(type, field, offset) IS(offsetof(type, field) == (offset))

AT(wp_options, name, 8);
AT(wp_options, workers, 16);
AT(wp_options, capacity, 20);
AT(wp_options, mode, 24);
AT(wp_options, timers, 28);
AT(wp_options, stack_size, 32);
AT(wp_options, on_thread_start, 40);
AT(wp_options, on_thread_stop, 48);
AT(wp_options, thread_arg, 56);
AT(wp_options, reserved_pointer, 64);
SIZE(wp_options, 72);

AT(wp_outcome, label, 8);
AT(wp_outcome, fate, 16);
AT(wp_outcome, status, 20);
AT(wp_outcome, worker, 24);
AT(wp_outcome, reserved, 28);
SIZE(wp_outcome, 32);

AT(wp_task, run, 8);
AT(wp_task, arg, 16);
AT(wp_task, end, 24);
AT(wp_task, label, 32);
AT(wp_task, results, 40);
AT(wp_task, group, 48);
AT(wp_task, reserved_pointer, 56);
AT(wp_task, user_data, 64);
AT(wp_task, deadline, 72);
SIZE(wp_task, 80);

AT(wp_group_options, parent, 8);
AT(wp_group_options, deadline, 16);
AT(wp_group_options, on_error, 24);
AT(wp_group_options, max_running, 28);
SIZE(wp_group_options, 32);

AT(wp_group_status, reserved, 8);
AT(wp_group_status, queued, 16);
AT(wp_group_status, running, 24);
AT(wp_group_status, ran, 32);
AT(wp_group_status, failed, 40);
AT(wp_group_status, cancelled, 48);
AT(wp_group_status, expired, 56);
AT(wp_group_status, discarded, 64);
AT(wp_group_status, stop, 72);
AT(wp_group_status, first_status, 76);
AT(wp_group_status, first_label, 80);
SIZE(wp_group_status, 112);

AT(wp_executor, self, 8);
AT(wp_executor, submit_task, 16);
AT(wp_executor, reserved_pointer, 24);
SIZE(wp_executor, 32);

AT(wp_stats, footprint, 8);
AT(wp_stats, workers, 16);
AT(wp_stats, capacity, 20);
AT(wp_stats, exact, 24);
AT(wp_stats, closed, 28);
AT(wp_stats, accepted, 32);
AT(wp_stats, ran, 40);
AT(wp_stats, failed, 48);
AT(wp_stats, cancelled, 56);
AT(wp_stats, expired, 64);
AT(wp_stats, discarded, 72);
AT(wp_stats, queued, 80);
AT(wp_stats, running, 88);
AT(wp_stats, passed_over, 96);
AT(wp_stats, refused, 104);
AT(wp_stats, waits, 112);
AT(wp_stats, wait_ns, 120);
AT(wp_stats, waiting, 128);
AT(wp_stats, workers_reason, 136);
AT(wp_stats, reserved, 140);
SIZE(wp_stats, 144);

AT(wp_shutdown_report, reserved, 8);
AT(wp_shutdown_report, queued, 16);
AT(wp_shutdown_report, running, 24);
AT(wp_shutdown_report, discarded, 32);
SIZE(wp_shutdown_report, 40);

AT(wp_results_options, reserved_pointer, 8);
AT(wp_results_options, capacity, 16);
AT(wp_results_options, flags, 20);
SIZE(wp_results_options, 24);

AT(wp_record, arg, 8);
AT(wp_record, user_data, 16);
AT(wp_record, queued_ns, 24);
AT(wp_record, running_ns, 32);
AT(wp_record, fate, 40);
AT(wp_record, status, 44);
AT(wp_record, worker, 48);
AT(wp_record, reserved, 52);
SIZE(wp_record, 56);

AT(wp_waiter, notify, 8);
AT(wp_waiter, arg, 16);
AT(wp_waiter, reserved, 24);
SIZE(wp_waiter, 80);
#endif
