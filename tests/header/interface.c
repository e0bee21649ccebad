/* SPDX-License-Identifier: MIT
 *
 * Every declaration of the header, as a C or C++ program of any standard sees it (tests/header/compile). The types and
 * values written here are the interface: a change of the header that fails here breaks programs.
 */
#include "workerpool.h"
#include "workerpool.h" /* twice does no harm */

#define SAME(name, condition) typedef char same_##name[(condition) ? 1 : -1]

/* The initialisers, warning-free. */
wp_options options = WP_OPTIONS_INIT;
wp_task task = WP_TASK_INIT;
wp_group_options group_options = WP_GROUP_OPTIONS_INIT;
wp_group_status group_status = WP_GROUP_STATUS_INIT;
wp_executor executor = WP_EXECUTOR_INIT;
wp_stats stats = WP_STATS_INIT;
wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
wp_results_options results_options = WP_RESULTS_OPTIONS_INIT;
wp_record record = WP_RECORD_INIT;
wp_waiter waiter = WP_WAITER_INIT;
struct wp_outcome *outcome;

/* The callbacks are plain pointers to functions. */
static void run(void *arg) { (void)arg; }
static int run_task(wp_context *context, void *arg) { (void)context, (void)arg; return 0; }
static void end(const wp_outcome *o, void *arg) { (void)o, (void)arg; }
static void hook(uint32_t worker, void *arg) { (void)worker, (void)arg; }
wp_run_fn a_run = run;
wp_task_fn a_task = run_task;
wp_end_fn an_end = end;
wp_thread_fn a_hook = hook;
wp_room_fn a_notice = run;

/* The functions, in the order of the header. */
const char *(*f_strerror)(int) = wp_strerror;
int (*f_options_init)(wp_options *, size_t) = wp_options_init;
int (*f_footprint)(const wp_options *, uint64_t *) = wp_footprint;
int (*f_task_init)(wp_task *, size_t) = wp_task_init;
int (*f_executor_init)(wp_executor *, size_t) = wp_executor_init;
int (*f_pool_executor)(wp_pool *, wp_executor *) = wp_pool_executor;
int (*f_run)(wp_pool *, uint64_t, uint64_t *) = wp_run;
int (*f_clock_advance)(wp_pool *, uint64_t) = wp_clock_advance;
int (*f_should_stop)(const wp_context *) = wp_should_stop;
uint32_t (*f_stop_reason)(const wp_context *) = wp_stop_reason;
uint64_t (*f_time_left)(const wp_context *) = wp_time_left;
uint32_t (*f_worker_index)(const wp_context *) = wp_worker_index;
const char *(*f_label)(const wp_context *) = wp_label;
wp_group *(*f_context_group)(const wp_context *) = wp_context_group;
int (*f_stats_init)(wp_stats *, size_t) = wp_stats_init;
int (*f_shutdown_report_init)(wp_shutdown_report *, size_t) = wp_shutdown_report_init;
int (*f_create)(const wp_options *, wp_pool **) = wp_create;
int (*f_submit)(wp_pool *, wp_run_fn, void *) = wp_submit;
int (*f_try_submit)(wp_pool *, wp_run_fn, void *) = wp_try_submit;
int (*f_submit_for)(wp_pool *, wp_run_fn, void *, uint64_t) = wp_submit_for;
int (*f_submit_task)(wp_pool *, const wp_task *, uint64_t) = wp_submit_task;
int (*f_submit_batch)(wp_pool *, const wp_task *, size_t, size_t, uint64_t, size_t *) = wp_submit_batch;
int (*f_wait_idle)(wp_pool *, uint64_t) = wp_wait_idle;
int (*f_is_inside)(const wp_pool *) = wp_is_inside;
int (*f_shutdown)(wp_pool *) = wp_shutdown;
int (*f_shutdown_for)(wp_pool *, uint32_t, uint64_t, wp_shutdown_report *) = wp_shutdown_for;
int (*f_destroy)(wp_pool *) = wp_destroy;
int (*f_stats_get)(const wp_pool *, wp_stats *) = wp_stats_get;
uint64_t (*f_now)(const wp_pool *) = wp_now;
uint64_t (*f_deadline_after)(const wp_pool *, uint64_t) = wp_deadline_after;
uint32_t (*f_group_stop_reason)(const wp_group *) = wp_group_stop_reason;
int (*f_group_options_init)(wp_group_options *, size_t) = wp_group_options_init;
int (*f_group_status_init)(wp_group_status *, size_t) = wp_group_status_init;
int (*f_group_footprint)(const wp_group_options *, uint64_t *) = wp_group_footprint;
int (*f_group_create)(wp_pool *, const wp_group_options *, wp_group **) = wp_group_create;
int (*f_group_retain)(wp_group *) = wp_group_retain;
int (*f_group_release)(wp_group *) = wp_group_release;
int (*f_group_wait)(wp_group *, uint64_t) = wp_group_wait;
int (*f_group_cancel)(wp_group *) = wp_group_cancel;
int (*f_group_status_get)(const wp_group *, wp_group_status *) = wp_group_status_get;
int (*f_results_options_init)(wp_results_options *, size_t) = wp_results_options_init;
int (*f_results_footprint)(const wp_results_options *, uint64_t *) = wp_results_footprint;
int (*f_results_create)(const wp_results_options *, wp_results **) = wp_results_create;
int (*f_results_retain)(wp_results *) = wp_results_retain;
int (*f_results_release)(wp_results *) = wp_results_release;
int (*f_record_init)(wp_record *, size_t) = wp_record_init;
int (*f_results_next)(wp_results *, wp_record *, uint64_t) = wp_results_next;
int (*f_results_drain)(wp_results *, wp_record *, size_t, size_t, uint64_t, size_t *) = wp_results_drain;
int (*f_results_close)(wp_results *) = wp_results_close;
int (*f_results_fd)(wp_results *) = wp_results_fd;
int (*f_waiter_init)(wp_waiter *, size_t) = wp_waiter_init;
int (*f_when_room)(wp_pool *, wp_waiter *) = wp_when_room;
int (*f_forget_room)(wp_pool *, wp_waiter *, uint64_t) = wp_forget_room;
int (*f_room_fd)(wp_pool *) = wp_room_fd;
uint32_t (*f_version_number)(void) = wp_version_number;
const char *(*f_version_string)(void) = wp_version_string;

/* The codes never change their value. */
SAME(ok, WP_OK == 0);
SAME(einval, WP_EINVAL == -1);
SAME(enomem, WP_ENOMEM == -2);
SAME(ethread, WP_ETHREAD == -3);
SAME(efull, WP_EFULL == -4);
SAME(etimedout, WP_ETIMEDOUT == -5);
SAME(eclosed, WP_ECLOSED == -6);
SAME(edeadlk, WP_EDEADLK == -7);
SAME(eforked, WP_EFORKED == -8);
SAME(epanic, WP_EPANIC == -9);
SAME(enotsup, WP_ENOTSUP == -10);
SAME(eresults, WP_ERESULTS == -11);
SAME(ecancelled, WP_ECANCELLED == -12);
SAME(etoolate, WP_ETOOLATE == -13);

/* Nor do the constants. */
SAME(forever, WP_FOREVER == UINT64_MAX);
SAME(no_worker, WP_NO_WORKER == UINT32_MAX);
SAME(capacity_max, WP_CAPACITY_MAX == 16777216);
SAME(capacity_default, WP_CAPACITY_DEFAULT == 1024);
SAME(workers_max, WP_WORKERS_MAX == 4096);
SAME(stack_default, WP_STACK_DEFAULT == 2097152);
SAME(stack_min, WP_STACK_MIN == 65536);
SAME(mode_threads, WP_MODE_THREADS == 0);
SAME(mode_manual, WP_MODE_MANUAL == 1);
SAME(results_wait, WP_RESULTS_WAIT == 1);
SAME(results_ordered, WP_RESULTS_ORDERED == 2);
SAME(shutdown_drain, WP_SHUTDOWN_DRAIN == 0);
SAME(shutdown_cancel, WP_SHUTDOWN_CANCEL == 1);
SAME(fate_ran, WP_FATE_RAN == 1);
SAME(fate_cancelled, WP_FATE_CANCELLED == 2);
SAME(fate_expired, WP_FATE_EXPIRED == 3);
SAME(fate_discarded, WP_FATE_DISCARDED == 4);
SAME(on_error_go_on, WP_ON_ERROR_GO_ON == 0);
SAME(on_error_cancel, WP_ON_ERROR_CANCEL == 1);
SAME(stop_none, WP_STOP_NONE == 0);
SAME(stop_cancelled, WP_STOP_CANCELLED == 1);
SAME(stop_failed, WP_STOP_FAILED == 2);
SAME(stop_deadline, WP_STOP_DEADLINE == 3);
SAME(stop_shutdown, WP_STOP_SHUTDOWN == 4);
SAME(label_bytes, WP_LABEL_BYTES == 32);
SAME(fate_lost, WP_FATE_LOST == 5);
SAME(by_option, WP_WORKERS_BY_OPTION == 1);
SAME(by_processors, WP_WORKERS_BY_PROCESSORS == 2);
SAME(by_affinity, WP_WORKERS_BY_AFFINITY == 3);
SAME(by_quota, WP_WORKERS_BY_QUOTA == 4);
SAME(version, WP_VERSION_NUMBER == WP_VERSION_MAJOR * 1000000 + WP_VERSION_MINOR * 1000 + WP_VERSION_PATCH);
