/* SPDX-License-Identifier: MIT
 *
 * workerpool.h: a bounded worker pool. This file is the authority on how the library behaves.
 *
 *     wp_pool *pool;
 *     if (wp_create(NULL, &pool) != WP_OK) return 1;
 *     if (wp_submit(pool, work, item) != WP_OK) free(item);   // waits while the queue is full
 *     wp_shutdown(pool);                                      // everything accepted has run
 *     wp_destroy(pool);
 *
 * Returns. A function that can fail returns an int: WP_OK (0) or one of the negative WP_E… codes; there is no other
 * error state, errno is not used and may change. A call that fails has done nothing, unless its text says otherwise.
 * Everything here is there since 0.1, unless its text says otherwise.
 *
 * One fate. Every accepted task ends exactly once: it ran, or its group was cancelled, or its deadline passed before it started, or
 * a shutdown discarded it. Its `end` callback, if it has one, is called exactly once with that outcome. A submit that returns an
 * error accepted nothing.
 *
 * Threads. Every function may be called by any thread at any time, except where its text says otherwise; wp_destroy()
 * must be the last call on its pool. No function may be called in a signal handler.
 *
 * Inside callbacks of a pool no call on that same pool waits. That holds for each of them, on whichever thread it runs: a task and the
 * `end` of one that ran (on a worker), the `end` of one that was cancelled, expired or discarded (on the thread that did that: any, or
 * the timer), on_thread_start and on_thread_stop (on their worker), a `notify`, and all of a manual pool (on the thread that runs it):
 *
 *                                       room       queue full     pool closed
 *     wp_try_submit(), a timeout of 0   WP_OK      WP_EFULL       WP_ECLOSED
 *     wp_submit(), longer timeouts      WP_OK      WP_EDEADLK     WP_ECLOSED
 *     wp_wait_idle(), wp_shutdown(), wp_shutdown_for(), wp_destroy(), wp_run() of a manual pool: WP_EDEADLK, whatever
 *     the timeout
 *     wp_group_wait() for a group of the task that the callback belongs to, or one above that: WP_EDEADLK, whatever the timeout
 *     wp_group_wait() for another group: runs that group's queued tasks; WP_EDEADLK when it would have to sleep
 *     wp_group_create(), wp_group_cancel(), wp_group_release(), wp_group_status_get(), wp_group_stop_reason(): as everywhere, also for the
 *     own group
 *     a submit whose task names full results: WP_ERESULTS; if it would have to wait for them (WP_RESULTS_WAIT): WP_EDEADLK
 *     wp_results_next(), wp_results_drain(): as everywhere; with a timeout they wait, and it may be for this very task
 *     wp_results_release(), also of the last reference, and the other calls on results: as everywhere
 *     wp_forget_room() of a waiter whose `notify` is being called on another thread: WP_EDEADLK, whatever the timeout
 *     wp_when_room(), wp_room_fd(), wp_stats_get(), wp_is_inside(), wp_now(), wp_deadline_after(), wp_pool_executor(), wp_clock_advance(), wp_create(), calls on other pools:
 *     as everywhere
 *
 * The `end` of a discarded task and `on_thread_stop` find the pool closed. Callbacks of two pools that wait for each
 * other's pool can deadlock; that is not detected. No callback is ever called with a lock of the library held.
 *
 * A callback must return: leaving it by longjmp or by ending its thread is undefined, and a C++ exception that leaves it
 * ends the process with one line on its error output. A worker's thread-local destructors run after its last callback; they
 * must not call on its pool. A callback that needs more stack than its thread has meets a guard page (SIGSEGV).
 *
 * Exit. A process may exit, from any thread and also from inside a callback, while pools are alive and tasks run; nothing
 * waits for them. An exit handler may still use a pool (on the terms of the thread that it runs on).
 *
 * Signals. The workers block every asynchronous signal but SIGPROF (for profilers) and SIGABRT (for abort()), so signals are taken by the
 * program's own threads. No call takes a signal that its caller blocks, nor returns early because of one.
 *
 * Fork. The workers stay in the parent. In the child each call on a pool, a group or results made before returns WP_EFORKED at once, no task
 * ends there and no callback is called; wp_destroy(), wp_group_release() and wp_results_release() free the memory, wp_now() and
 * wp_deadline_after() still tell the time, and wp_group_stop_reason() what it knew; new
 * pools can be made. A callback that forks must exec or _exit in the child.
 *
 * Memory. A pool allocates when it is made (wp_footprint() tells how much) and never again; so do groups and
 * results. Only where the library came by dlopen() the C library may allocate a few bytes of thread-local storage for a thread,
 * once: when it first runs a task with a group or a deadline, or makes a call that may have to wait.
 *
 * Time. Timeouts are relative, in nanoseconds, on a clock that the wall clock does not move; WP_FOREVER waits
 * without limit. Deadlines are instants on the pool's own clock, which wp_now() tells; wp_deadline_after() makes one of
 * a timeout.
 *
 * Structs that cross begin with `size_t struct_size`, set by the caller through a WP_…_INIT macro or a wp_…_init()
 * function; 0 means "the default" in every other field.
 *
 * Until version 1.0 the interface may change from 0.x to 0.x+1; the library's name (SONAME) changes with it.
 */

#ifndef WORKERPOOL_H
#define WORKERPOOL_H

/* Generated by cbindgen from src/ffi. Do not edit: change the source and run `make header`. */

#include <stddef.h>
#include <stdint.h>
#define WP_VERSION_MAJOR 0
#define WP_VERSION_MINOR 1
#define WP_VERSION_PATCH 0
/** The header's version, to compare with wp_version_number(). */
#define WP_VERSION_NUMBER (WP_VERSION_MAJOR * 1000000 + WP_VERSION_MINOR * 1000 + WP_VERSION_PATCH)

#if defined(__GNUC__)
#define WP_API __attribute__((visibility("default")))
#define WP_MUST_USE __attribute__((warn_unused_result))
#else
#define WP_API
#define WP_MUST_USE
#endif

/** Initialisers: the defaults, and the size that tells which version of a struct the caller knows. */
#define WP_OPTIONS_INIT { sizeof(wp_options), NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL }
#define WP_TASK_INIT { sizeof(wp_task), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0 }
#define WP_GROUP_OPTIONS_INIT { sizeof(wp_group_options), NULL, 0, 0, 0 }
#define WP_GROUP_STATUS_INIT { sizeof(wp_group_status), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 } }
#define WP_EXECUTOR_INIT { sizeof(wp_executor), NULL, NULL, NULL }
#define WP_STATS_INIT { sizeof(wp_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define WP_SHUTDOWN_REPORT_INIT { sizeof(wp_shutdown_report), 0, 0, 0, 0 }
#define WP_RESULTS_OPTIONS_INIT { sizeof(wp_results_options), NULL, 0, 0 }
#define WP_RECORD_INIT { sizeof(wp_record), NULL, 0, 0, 0, 0, 0, 0, 0 }
#define WP_WAITER_INIT { sizeof(wp_waiter), NULL, NULL, { NULL, NULL, NULL, NULL, NULL, NULL, NULL } }


/**
 * Success. Every function that returns a status returns this or one of the negative codes below. Codes are never
 * renumbered or reused; new ones may be added, so treat an unknown negative value as a failure.
 */
#define WP_OK 0

/**
 * An argument is wrong: a NULL that is not allowed, a number out of its range, a `struct_size` that no version of
 * this library ever had. The call did nothing.
 */
#define WP_EINVAL -1

/**
 * The system has no memory for this. The call did nothing; make the capacity smaller or free something.
 */
#define WP_ENOMEM -2

/**
 * The system would not start a thread. Everything that was begun has been undone; use fewer workers, a smaller
 * stack, or raise the process's limit on threads.
 */
#define WP_ETHREAD -3

/**
 * The queue is full, and the call does not wait: wp_try_submit(), or any submit with a timeout of 0. Nothing was accepted: try again
 * later, wait in the call, or ask for a word (wp_when_room(), wp_room_fd()).
 */
#define WP_EFULL -4

/**
 * The time is up; of a wait or a shutdown with a timeout of 0 that is at once, and they may simply be called again. A submit accepted
 * nothing though it waited.
 */
#define WP_ETIMEDOUT -5

/**
 * The pool has been shut down (or is being shut down): it accepts nothing any more. A submit says this before all that
 * the queue might say, also inside a callback. Of results: they were closed; a reader is told so when nothing more will
 * come.
 */
#define WP_ECLOSED -6

/**
 * The calling thread is inside a callback of this pool, and the call would have to wait for that very callback or
 * for the room that it takes up. Nothing was done (wp_group_wait() may have run tasks of that group): use wp_try_submit(), or make
 * the call from another thread. The top of this file has the table of what may be called there.
 */
#define WP_EDEADLK -7

/**
 * The process forked after this pool was made, and this is the child: the workers live in the parent. Only
 * wp_destroy() does anything to this pool here; make a new one.
 */
#define WP_EFORKED -8

/**
 * The library found a fault of its own in this pool (or in these results). It can't be used any more and its memory is left
 * alone, tasks that run are left in peace, everybody who waits is told, nothing is printed; other pools are not affected. Every
 * function that returns a code may return this one. Please report it.
 */
#define WP_EPANIC -9

/**
 * A field that this version of the library does not know was set, or a feature that it lacks was asked for: the
 * header is newer than the library. The call did nothing.
 */
#define WP_ENOTSUP -10

/**
 * The results queue that the task names is full: each of its places holds a record that nobody has read, or belongs to a
 * task that has not ended. Nothing was accepted: read with wp_results_next() or wp_results_drain(), then submit again.
 */
#define WP_ERESULTS -11

/**
 * The task's group, or one that this stands in, has been cancelled. Nothing was accepted, and nothing of that group starts any more.
 */
#define WP_ECANCELLED -12

/**
 * Too late: what the call was to take back has happened already, or was never begun. Nothing was done.
 */
#define WP_ETOOLATE -13

/**
 * Wait without a limit of time.
 */
#define WP_FOREVER 18446744073709551615ull

/**
 * The largest `capacity` of a pool (16,777,216).
 */
#define WP_CAPACITY_MAX 16777216

/**
 * The capacity of a pool whose options say 0.
 */
#define WP_CAPACITY_DEFAULT 1024

/**
 * The largest number of `workers` of a pool.
 */
#define WP_WORKERS_MAX 4096

/**
 * The `stack_size`, in bytes, when the options say 0: 2 MiB, the same on every system.
 */
#define WP_STACK_DEFAULT 2097152

/**
 * The smallest `stack_size`, in bytes, that the options may ask for (64 KiB).
 */
#define WP_STACK_MIN 65536

/**
 * "No worker": what wp_worker_index() and `wp_outcome.worker` say off the pool's own threads.
 */
#define WP_NO_WORKER 4294967295

/**
 * `wp_options.mode`: the pool starts its own threads.
 */
#define WP_MODE_THREADS 0

/**
 * `wp_options.mode`: a pool without threads, for tests of code that uses a pool: nothing runs but in wp_run(), on the caller's
 * thread, and the pool's clock stands still but for wp_clock_advance(). All the promises hold. A call that would wait (a submit
 * to a full queue with any timeout but 0, wp_wait_idle(), a shutdown, wp_destroy()) runs queued tasks on the calling thread
 * instead, and says WP_EDEADLK when that is of no use, because another thread runs the pool's tasks just then; timeouts other
 * than 0 never pass. (But a shutdown and wp_forget_room() wait for what another thread's call is ending or telling just then, and
 * their timeouts pass as ever.)
 */
#define WP_MODE_MANUAL 1

/**
 * `wp_results_options.flags`: a submit that finds the results full waits for a place, for as long as it would wait for
 * room in the pool's queue. Only where somebody else reads: who submits and reads on one thread would wait for itself.
 */
#define WP_RESULTS_WAIT 1

/**
 * `wp_results_options.flags`: records are read in the order of the submits, whatever the order in which the tasks end. Exactly: the
 * order in which the tasks got their places here. For the submits of one thread, and for the tasks of a batch, that is their own order.
 * A record whose turn has not come is kept back, and with it its place, until all before it can be read: so one slow task
 * holds up all later ones, and when as many tasks as there are places have come behind it, submits too. So does a submit that has its place here and
 * still waits for room in the pool's queue. A submit that is refused leaves no gap: its place is free again at once.
 */
#define WP_RESULTS_ORDERED 2

/**
 * `wp_stats.workers_reason`: the options say how many workers (or the pool is a manual one).
 */
#define WP_WORKERS_BY_OPTION 1

/**
 * `wp_stats.workers_reason`: one worker for each processor of the system.
 */
#define WP_WORKERS_BY_PROCESSORS 2

/**
 * `wp_stats.workers_reason`: one worker for each processor that the affinity of the thread that makes the pool, or the process's cpuset,
 * leaves it.
 */
#define WP_WORKERS_BY_AFFINITY 3

/**
 * `wp_stats.workers_reason`: what the quota of the process's control groups (a container's CPU limit) allows, rounded down, at
 * least 1.
 */
#define WP_WORKERS_BY_QUOTA 4

/**
 * wp_shutdown_for(): run everything that was accepted.
 */
#define WP_SHUTDOWN_DRAIN 0

/**
 * wp_shutdown_for(): discard what is queued (the fate WP_FATE_DISCARDED) instead of running it; only what
 * has started runs to its end.
 */
#define WP_SHUTDOWN_CANCEL 1

/**
 * The task ran; `wp_outcome.status` is what it returned.
 */
#define WP_FATE_RAN 1

/**
 * The task never ran: its group, or one that this stands in, was cancelled first.
 */
#define WP_FATE_CANCELLED 2

/**
 * The task never ran: its deadline, or its group's, passed first.
 */
#define WP_FATE_EXPIRED 3

/**
 * The task never ran: a shutdown with WP_SHUTDOWN_CANCEL came first.
 */
#define WP_FATE_DISCARDED 4

/**
 * In a record only: no fate. A fault of the library (WP_EPANIC) has ended who ran the task or told its end, so nobody knows how far it
 * came, and its `end` may not have been called.
 */
#define WP_FATE_LOST 5

/**
 * `wp_group_options.on_error`: a task that fails (returns a status other than 0) changes nothing for the others.
 */
#define WP_ON_ERROR_GO_ON 0

/**
 * `wp_group_options.on_error`: the first task that fails cancels the group, as wp_group_cancel() would, after its `end`. That may be
 * while its owner still submits: what comes next is refused, WP_ECANCELLED, and in a batch the rest with it. So that code is no surprise
 * there but the word to stop submitting; the arguments of refused tasks are the owner's, as after every refusal.
 */
#define WP_ON_ERROR_CANCEL 1

/**
 * wp_stop_reason(): go on.
 */
#define WP_STOP_NONE 0

/**
 * Somebody called wp_group_cancel() for the group, or for one that it stands in.
 */
#define WP_STOP_CANCELLED 1

/**
 * A task of the group, or of one that it stands in, has failed, and the group was made with WP_ON_ERROR_CANCEL.
 */
#define WP_STOP_FAILED 2

/**
 * The deadline has passed.
 */
#define WP_STOP_DEADLINE 3

/**
 * A shutdown with WP_SHUTDOWN_CANCEL has begun.
 */
#define WP_STOP_SHUTDOWN 4

/**
 * The bytes of `wp_group_status.label`.
 */
#define WP_LABEL_BYTES 32

/**
 * What a running task may ask about itself. Valid inside that call of the task, on its thread, and nowhere else.
 */
typedef struct wp_context wp_context;

/**
 * A scope over tasks of one pool: it counts them, so that they can be waited for and cancelled together; it may have a deadline, a
 * limit of how many run at once, and stand inside another group. Tasks join by `wp_task.group`. Opaque; used through pointers
 * only.
 *
 * A group may outlive its pool: while wp_destroy() runs on another thread, and after it, one may still wait for the group (all of it is
 * over then), cancel it, ask for its figures or its stop reason, retain and release it. It can't be named in a submit or as a
 * parent any more, since these are calls on the pool. Since 0.1.
 */
typedef struct wp_group wp_group;

/**
 * A pool: a fixed number of threads and a queue of fixed size. Opaque; used through pointers only.
 */
typedef struct wp_pool wp_pool;

/**
 * A bounded queue of records: each accepted task that names it (`wp_task.results`) puts one in when it has ended. Opaque;
 * used through pointers only. It belongs to no pool: tasks of several may name it, and it may outlive them. Since 0.1.
 */
typedef struct wp_results wp_results;

/**
 * A callback for the start or the end of a worker thread, a thread hook: the worker's index (0 to workers-1) and the
 * options' `thread_arg`. It runs on that worker, outside every lock of the library; those of several workers may run at
 * the same time. It must return as a wp_run_fn must.
 */
typedef void (*wp_thread_fn)(uint32_t worker, void *arg);

/**
 * How to make a pool. Start from WP_OPTIONS_INIT or wp_options_init(), then set what you need; 0 means "the default"
 * in every field.
 *
 * `struct_size` says which version of this struct the caller was compiled with: a shorter one is extended with
 * zeros; in a longer one everything beyond this library's own must be zero (else WP_ENOTSUP). Since 0.1.
 */
typedef struct wp_options {
    /**
     * sizeof(wp_options).
     */
    size_t struct_size;
    /**
     * The threads' name; a thread is called "name-0", "name-1" … and cut to the system's limit (15 bytes on Linux,
     * the number is always kept). Copied at create. NULL: "wp".
     */
    const char *name;
    /**
     * How many threads run tasks: exactly this many from create to shutdown. 0: as many as the process may use at
     * once (CPU affinity and cgroup quota, rounded down), at least 1; `wp_stats.workers_reason` tells what decided. At most
     * WP_WORKERS_MAX.
     */
    uint32_t workers;
    /**
     * How many tasks may be queued, besides those that run: exactly this many, not rounded; 1 is allowed.
     * 0: WP_CAPACITY_DEFAULT. At most WP_CAPACITY_MAX.
     */
    uint32_t capacity;
    /**
     * WP_MODE_THREADS or WP_MODE_MANUAL. Any other number: WP_EINVAL. A manual pool starts no thread: `workers` must be 0 or 1,
     * and what is said about threads below does not apply.
     */
    uint32_t mode;
    /**
     * 1: one more thread, the timer (named like a worker behind the last). With it a task whose deadline has passed ends as
     * WP_FATE_EXPIRED at once, on that thread, though all workers are busy. 0: its `end` is called when a worker comes to it, but
     * it never runs either way. More: WP_EINVAL. In a manual pool there is no thread: wp_clock_advance() does what the timer does.
     */
    uint32_t timers;
    /**
     * The stack of each worker in bytes, WP_STACK_MIN or more. Each gets at least this much: it is rounded up to whole
     * pages, and the C library may round further or hand out a bigger one that it has kept from an ended thread;
     * the thread-local variables may lie in it. 0: WP_STACK_DEFAULT.
     */
    uint64_t stack_size;
    /**
     * Called on each worker before its first task, once; NULL: nothing. wp_create() does not wait for it, so it may
     * run before the caller of wp_create() has the pool.
     */
    wp_thread_fn on_thread_start;
    /**
     * Called on each worker after its last task, once, before a shutdown returns WP_OK; NULL: nothing.
     */
    wp_thread_fn on_thread_stop;
    /**
     * Handed to both hooks; the library never looks into it.
     */
    void *thread_arg;
    /**
     * Must be NULL (else WP_ENOTSUP).
     */
    void *reserved_pointer;
} wp_options;

/**
 * What a full task does: it may ask its context, and returns a status: 0 for success, anything else is the
 * task's own error. It must return as a wp_run_fn must.
 */
typedef int (*wp_task_fn)(struct wp_context *context, void *arg);

/**
 * How a task ended. The library makes it; fields may be added at its end, so ask `struct_size` before reading
 * one that a later version brought. Since 0.1.
 */
typedef struct wp_outcome {
    /**
     * The bytes that this library filled in.
     */
    size_t struct_size;
    /**
     * The task's label, or NULL.
     */
    const char *label;
    /**
     * WP_FATE_…
     */
    uint32_t fate;
    /**
     * What the task returned; 0 unless `fate` is WP_FATE_RAN.
     */
    int32_t status;
    /**
     * The index of the worker that ran it; WP_NO_WORKER if none did.
     */
    uint32_t worker;
    /**
     * 0.
     */
    uint32_t reserved;
} wp_outcome;

/**
 * Told once, and only once, how an accepted task ended; after that the library never touches `arg` again. It runs on
 * the worker that ran the task or found it cancelled or too late, on the thread whose wp_group_cancel(), shutdown, wp_group_wait() or
 * wp_clock_advance() ended it, or on the pool's timer. `outcome` is valid during the call. It must return as a wp_run_fn must.
 */
typedef void (*wp_end_fn)(const struct wp_outcome *outcome, void *arg);

/**
 * A task in full. The struct itself is copied by the submit; start from WP_TASK_INIT or wp_task_init(). Sized like
 * wp_options. Since 0.1.
 */
typedef struct wp_task {
    /**
     * sizeof(wp_task).
     */
    size_t struct_size;
    /**
     * What to do; must not be NULL.
     */
    wp_task_fn run;
    /**
     * Handed to `run` and `end`; the library never looks into it.
     */
    void *arg;
    /**
     * Called exactly once when the accepted task has ended, whatever its fate; NULL: nobody is told.
     */
    wp_end_fn end;
    /**
     * A name for people to read, or NULL. It is not copied: it must live until `end` has returned (without an
     * `end`: until a wait or a shutdown that covers the task succeeded). A string literal always does.
     */
    const char *label;
    /**
     * Where a record of the accepted task goes when it has ended, whatever its fate; NULL: nowhere. It must stay the
     * caller's during the submit only: the task holds a reference of its own.
     */
    struct wp_results *results;
    /**
     * The group that the task joins, of the same pool; NULL: none. It must stay the caller's during the submit only: an open
     * task keeps its group.
     */
    struct wp_group *group;
    /**
     * Must be NULL (else WP_ENOTSUP).
     */
    void *reserved_pointer;
    /**
     * Comes back in the record; the library never looks at it.
     */
    uint64_t user_data;
    /**
     * An instant on the pool's own clock (wp_now()): a task that has not started by then never runs, its fate is WP_FATE_EXPIRED.
     * One that runs sees it through its context. 0: none of its own. Its group's deadline counts too, whichever is first.
     */
    uint64_t deadline;
} wp_task;

/**
 * One snapshot of a pool's figures. In every snapshot
 * `accepted = ran + cancelled + expired + discarded + queued + running`.
 *
 * Counters only grow. `queued` and `running` are differences of counters that were read one after the other, so under
 * traffic they may exceed the pool's limits by what happened meanwhile; `exact` says that nothing did.
 *
 * `struct_size` is set by the caller and says how far the library may write; what lies beyond, and what a later version
 * would write, is left alone. Since 0.1.
 */
typedef struct wp_stats {
    /**
     * sizeof(wp_stats).
     */
    size_t struct_size;
    /**
     * Bytes that the pool's memory takes (see wp_footprint()).
     */
    size_t footprint;
    /**
     * Threads that run tasks.
     */
    uint32_t workers;
    /**
     * Tasks that may be queued.
     */
    uint32_t capacity;
    /**
     * 1: no task moved while this snapshot was read, so that `accepted`, the fates, `queued` and `running` belong to one
     * instant. Else 0. (`failed`, and the figures from `refused` on, may be of a moment before or after.)
     */
    uint32_t exact;
    /**
     * 1 once a shutdown has begun, else 0.
     */
    uint32_t closed;
    /**
     * Tasks accepted since wp_create().
     */
    uint64_t accepted;
    /**
     * Tasks that ran to their end, their `end` callback included.
     */
    uint64_t ran;
    /**
     * Of those that ran: tasks that returned a status other than 0.
     */
    uint64_t failed;
    /**
     * Tasks with the fate WP_FATE_CANCELLED.
     */
    uint64_t cancelled;
    /**
     * Tasks with the fate WP_FATE_EXPIRED.
     */
    uint64_t expired;
    /**
     * Tasks with the fate WP_FATE_DISCARDED.
     */
    uint64_t discarded;
    /**
     * Tasks that wait in the queue.
     */
    uint64_t queued;
    /**
     * Tasks that run, or whose `end` callback runs.
     */
    uint64_t running;
    /**
     * Places of the queue whose task has left it out of turn (it was cancelled or expired, or run by a wp_group_wait() inside a task):
     * such a place is free again when a worker comes to it. So `queued + passed_over` is at most `capacity`, and a full queue that
     * has nothing queued explains itself.
     */
    uint64_t passed_over;
    /**
     * Submits refused because the queue, or a task's results, were full (WP_EFULL, WP_ERESULTS, WP_ETIMEDOUT, WP_EDEADLK; not
     * WP_ECLOSED).
     */
    uint64_t refused;
    /**
     * Waits for room, also for a place in results, whatever came of them: a submit that gave up counts here and in `refused`; a batch may wait several times.
     */
    uint64_t waits;
    /**
     * Nanoseconds that those waits took, added up when each ended.
     */
    uint64_t wait_ns;
    /**
     * Submitters waiting for room now, in line as wp_submit() tells, or for a place in results.
     */
    uint64_t waiting;
    /**
     * Why there are as many workers as there are: WP_WORKERS_BY_…
     */
    uint32_t workers_reason;
    /**
     * 0.
     */
    uint32_t reserved;
} wp_stats;

/**
 * What a shutdown has left to do when it returns, and what it has done. It is read after the time was up, so that
 * `queued` and `running` may both be 0 already. Sized like wp_stats. Since 0.1.
 */
typedef struct wp_shutdown_report {
    /**
     * sizeof(wp_shutdown_report).
     */
    size_t struct_size;
    /**
     * 0.
     */
    size_t reserved;
    /**
     * Tasks that still wait in the queue.
     */
    uint64_t queued;
    /**
     * Tasks that still run, or whose `end` callback does.
     */
    uint64_t running;
    /**
     * Tasks discarded by this pool's shutdowns so far.
     */
    uint64_t discarded;
} wp_shutdown_report;

/**
 * What a simple task does, with the `arg` of its submit. It must return (not exit the thread, not longjmp out); a C++
 * exception that leaves it ends the process.
 */
typedef void (*wp_run_fn)(void *arg);

/**
 * How to make a group. Start from WP_GROUP_OPTIONS_INIT or wp_group_options_init(); 0 means "the default" in every field. Sized
 * like wp_options. Since 0.1.
 */
typedef struct wp_group_options {
    /**
     * sizeof(wp_group_options).
     */
    size_t struct_size;
    /**
     * The group, of the same pool, that this one stands in; NULL: none. What is said of that group's tasks holds for this one's
     * too: they are waited for, cancelled, counted and limited with it, and its deadline is theirs. Each level costs each task a few
     * nanoseconds.
     */
    struct wp_group *parent;
    /**
     * An instant on the pool's own clock (wp_now()), as `wp_task.deadline`, for all tasks of the group. 0: none.
     */
    uint64_t deadline;
    /**
     * WP_ON_ERROR_GO_ON or WP_ON_ERROR_CANCEL (where a failure may also refuse submits that are still to come). Any other number:
     * WP_EINVAL.
     */
    uint32_t on_error;
    /**
     * How many of the group's tasks may run at once; 1 makes it a serial queue, in the order of the submits (limited groups inside it
     * take turns with it). 0: no limit. At most WP_WORKERS_MAX. The others wait in the queue: they hold places there, so the pool's
     * capacity stays true, but no worker, and no task of others waits behind them. Such groups are served in turn with each other, one
     * task each, and with the rest of the queue; those inside another limited group likewise, when that has room for one of them. A task
     * of a limited group costs more than another, and so do all submits while such a task waits.
     */
    uint32_t max_running;
} wp_group_options;

/**
 * The figures of a group, those of the groups inside it included. They are read one after the other: a task that ends meanwhile
 * may be missing, or appear twice. `struct_size` is as for wp_stats. Since 0.1.
 */
typedef struct wp_group_status {
    /**
     * sizeof(wp_group_status).
     */
    size_t struct_size;
    /**
     * 0.
     */
    size_t reserved;
    /**
     * Tasks that were accepted, or whose submit is under way, and that have not started.
     */
    uint64_t queued;
    /**
     * Tasks that run, or whose `end` runs.
     */
    uint64_t running;
    /**
     * Tasks that ran to their end, `end` included; so for the following, by fate.
     */
    uint64_t ran;
    /**
     * Of those that ran: tasks that returned a status other than 0.
     */
    uint64_t failed;
    /**
     * WP_FATE_CANCELLED.
     */
    uint64_t cancelled;
    /**
     * WP_FATE_EXPIRED.
     */
    uint64_t expired;
    /**
     * WP_FATE_DISCARDED.
     */
    uint64_t discarded;
    /**
     * Why the group's tasks should stop (WP_STOP_…), as wp_stop_reason() says; never WP_STOP_SHUTDOWN. WP_STOP_CANCELLED and
     * WP_STOP_FAILED: the group is cancelled.
     */
    uint32_t stop;
    /**
     * The status that the first task that failed returned; 0 if none did.
     */
    int32_t first_status;
    /**
     * That task's label, cut to 31 bytes; empty if it had none.
     */
    char first_label[WP_LABEL_BYTES];
} wp_group_status;

/**
 * How to make results. Start from WP_RESULTS_OPTIONS_INIT or wp_results_options_init(); 0 means "the default" in
 * every field. Sized like wp_options. Since 0.1.
 */
typedef struct wp_results_options {
    /**
     * sizeof(wp_results_options).
     */
    size_t struct_size;
    /**
     * Must be NULL (else WP_ENOTSUP).
     */
    void *reserved_pointer;
    /**
     * How many places there are, exactly: each belongs to one accepted task from its submit until its record is read.
     * 0: WP_CAPACITY_DEFAULT. At most WP_CAPACITY_MAX.
     */
    uint32_t capacity;
    /**
     * WP_RESULTS_… flags; any other bit: WP_ENOTSUP.
     */
    uint32_t flags;
} wp_results_options;

/**
 * What became of one task. `struct_size` is as for wp_stats. Since 0.1.
 */
typedef struct wp_record {
    /**
     * sizeof(wp_record).
     */
    size_t struct_size;
    /**
     * The task's `arg`. Its `end`, if it had one, has returned: what that freed is gone.
     */
    void *arg;
    /**
     * The task's `user_data`.
     */
    uint64_t user_data;
    /**
     * Nanoseconds from the submit (from when it had its place here; a wait for room in the pool's queue is included) until
     * the task began, or was discarded.
     */
    uint64_t queued_ns;
    /**
     * Nanoseconds that the task ran, without its `end`; 0 unless `fate` is WP_FATE_RAN.
     */
    uint64_t running_ns;
    /**
     * WP_FATE_…, or WP_FATE_LOST.
     */
    uint32_t fate;
    /**
     * What the task returned; 0 unless `fate` is WP_FATE_RAN.
     */
    int32_t status;
    /**
     * The index of the worker that ran it; WP_NO_WORKER if none did.
     */
    uint32_t worker;
    /**
     * 0.
     */
    uint32_t reserved;
} wp_record;

/**
 * Told once that there is room, or that the pool has closed. It is a callback of the pool: the table at the top of this file holds
 * inside it. It must return as a wp_run_fn must.
 */
typedef void (*wp_room_fn)(void *arg);

/**
 * Somebody who is told when there is room: the memory that wp_when_room() needs for that, which is the caller's. Start from
 * WP_WAITER_INIT or wp_waiter_init(). While it waits it must stay where and as it is. Sized like wp_options. Since 0.1.
 */
typedef struct wp_waiter {
    /**
     * sizeof(wp_waiter).
     */
    size_t struct_size;
    /**
     * What is called; must not be NULL.
     */
    wp_room_fn notify;
    /**
     * Handed to `notify`; the library never looks into it.
     */
    void *arg;
    /**
     * The library's. NULLs before the first use.
     */
    void *reserved[7];
} wp_waiter;

/**
 * How an executor takes a task: what wp_submit_task() does, with the executor's own `self`.
 */
typedef int (*wp_submit_task_fn)(void *self_, const struct wp_task *task, uint64_t timeout_ns);

/**
 * Something that takes tasks. Code that only submits should ask for a `const wp_executor *` instead of a pool: then it works
 * with a pool, with a manual pool, and in its tests with a few lines of C that record what they are given.
 *
 *     executor->submit_task(executor->self, &task, WP_FOREVER);
 *
 * Whoever makes one of their own keeps what wp_submit_task() promises: a return of WP_OK means that the task's `end` will be
 * called exactly once, any other that it never will. Sized like wp_options. Since 0.1.
 *
 */
typedef struct wp_executor {
    /**
     * sizeof(wp_executor).
     */
    size_t struct_size;
    /**
     * Handed to `submit_task`.
     */
    void *self;
    /**
     * Takes a task, or refuses it with one of the codes of wp_submit_task().
     */
    wp_submit_task_fn submit_task;
    /**
     * NULL.
     */
    void *reserved_pointer;
} wp_executor;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * One line of English text for a code, for logs and messages; also for codes that don't exist.
 *
 * The text is constant and never freed; its wording may change between versions.
 *
 * Thread safety: any thread, at any time. Blocks: never. Since 0.1.
 */
WP_API const char *wp_strerror(int code);

/**
 * Fills a wp_options with the defaults and its size: what WP_OPTIONS_INIT does, for languages without C macros.
 *
 * `struct_size` is the caller's sizeof(wp_options); that many bytes are written.
 *
 * Returns WP_OK; WP_EINVAL: `options` is NULL or `struct_size` can't be right (below 8, above 4,096 or not a multiple
 * of 8). Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API
int wp_options_init(struct wp_options *options,
                    size_t struct_size);

/**
 * Tells how many bytes of memory wp_create() will ask for with these options, before anything is made: the queue,
 * the workers' records and the system's own record of each thread. Nothing else is allocated later, whatever the
 * pool does. The workers' stacks come on top (workers times stack size, of address space: the system commits what
 * is used).
 *
 * `options`: NULL means all defaults. `bytes`: receives the number; left alone on failure.
 *
 * Returns WP_OK; WP_EINVAL: `bytes` is NULL, or the options are what wp_create() refuses; WP_ENOTSUP: as wp_create().
 * Thread safety: any thread. Blocks: never (with `workers` 0 it reads the system's figures). Since 0.1.
 */
WP_API
int wp_footprint(const struct wp_options *options,
                 uint64_t *bytes);

/**
 * Fills a wp_task with zeros and its size: what WP_TASK_INIT does, for languages without C macros.
 *
 * Returns WP_OK; WP_EINVAL: `task` is NULL or `struct_size` can't be right (as for wp_options_init()).
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API int wp_task_init(struct wp_task *task, size_t struct_size);

/**
 * Whether the task had better stop. It costs a few loads (with a deadline it reads the clock), so a loop may ask in each turn.
 * What "stop" means is the task's own affair; nobody forces it.
 *
 * Returns 1: there is a reason, which wp_stop_reason() tells; 0: there is none, or `context` is NULL.
 * Thread safety: only inside the task. Blocks: never. Since 0.1.
 */
WP_API
int wp_should_stop(const struct wp_context *context);

/**
 * Why the task should stop: WP_STOP_…; of several the first of WP_STOP_CANCELLED or WP_STOP_FAILED (the nearest group's),
 * WP_STOP_DEADLINE, WP_STOP_SHUTDOWN. WP_STOP_NONE: it should go on, or `context` is NULL.
 *
 * Thread safety: only inside the task. Blocks: never. Since 0.1.
 */
WP_API
uint32_t wp_stop_reason(const struct wp_context *context);

/**
 * Nanoseconds until the task's deadline, or its group's, whichever is first; 0 once it has passed. WP_FOREVER: there is none, or
 * `context` is NULL.
 *
 * Thread safety: only inside the task. Blocks: never. Since 0.1.
 */
WP_API
uint64_t wp_time_left(const struct wp_context *context);

/**
 * The index of the worker that runs this task, 0 to workers-1: for scratch space per worker. How many workers there are
 * is told by wp_stats_get() (`workers`). WP_NO_WORKER if `context` is NULL. (A task that waits for a group may run tasks of
 * that group on its own worker, inside the wait: they find its scratch space as it left it.)
 *
 * Thread safety: only inside the task. Blocks: never. Since 0.1.
 */
WP_API
uint32_t wp_worker_index(const struct wp_context *context);

/**
 * The running task's label; NULL when it has none, or `context` is NULL.
 *
 * Thread safety: only inside the task. Blocks: never. Since 0.1.
 */
WP_API const char *wp_label(const struct wp_context *context);

/**
 * The running task's group, so that it can submit more to it, or cancel it; NULL when it has none, or `context` is NULL. It stays
 * there during the call of the task; who keeps it longer needs a reference (wp_group_retain()).
 *
 * Thread safety: only inside the task. Blocks: never. Since 0.1.
 */
WP_API
struct wp_group *wp_context_group(const struct wp_context *context);

/**
 * Fills a wp_stats with zeros and its size: what WP_STATS_INIT does, for languages without C macros.
 *
 * Returns WP_OK; WP_EINVAL: `stats` is NULL or `struct_size` can't be right (as for wp_options_init()).
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API int wp_stats_init(struct wp_stats *stats, size_t struct_size);

/**
 * Fills a wp_shutdown_report with zeros and its size: what WP_SHUTDOWN_REPORT_INIT does, for languages without C
 * macros.
 *
 * Returns WP_OK; WP_EINVAL: `report` is NULL or `struct_size` can't be right (as for wp_options_init()).
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API
int wp_shutdown_report_init(struct wp_shutdown_report *report,
                            size_t struct_size);

/**
 * Makes a pool and starts its threads: all of them, or none and an error.
 *
 * `options`: NULL means all defaults. Everything in it is copied. `pool`: receives the new pool; left alone on failure.
 *
 * Returns WP_OK; WP_EINVAL: `pool` is NULL, a number is out of its range, `mode` is unknown, `struct_size` is wrong;
 * WP_ENOTSUP: a reserved field is set, or a field that this version does not know;
 * WP_ENOMEM: there is no memory for the queue and the workers' records; WP_ETHREAD: a thread could not be started,
 * also when what lacks is memory for its stack or for the C library's record of it (those that were are stopped again,
 * with their hooks). No allocation that fails ends the process.
 * Thread safety: any thread, also inside a callback. Blocks: only as the system's own thread start does; with
 * WP_ETHREAD also until the threads that were started have ended. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_create(const struct wp_options *options,
              struct wp_pool **pool);

/**
 * Hands a task to the pool: some worker will call `run(arg)` once. While the queue is full the call waits for room:
 * that is how a fast producer is held back. The workers take the tasks in the order in which they were accepted.
 *
 * A submit that finds room takes it, whether others wait or not. Those that wait are let in in the order in which they
 * came, when three quarters of the queue are free (of a queue of 16 or less: all but 4 places, or all but half of them; of one above
 * 341: 256 places), so that one switch between threads serves many tasks. That moment may never come (what the running tasks
 * wait for may be this very caller), so the first in line looks for itself too, after 1 ms and then at doubling intervals up to
 * 1 s, and takes whatever room there is then; those behind it do so from 16 ms on.
 *
 * Returns WP_OK: accepted, the task will run unless a shutdown discards it. On any error nothing was accepted, and
 * `arg` is still the caller's. WP_EINVAL: `pool` or `run` is NULL; WP_ECLOSED: a shutdown has begun, also while the
 * call waited; WP_EDEADLK: the queue is full and the caller is inside a callback of this pool; WP_EFORKED; WP_EPANIC.
 * Thread safety: any thread, also inside a callback of the pool. Blocks: while the queue is full. Allocates nothing.
 * Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_submit(struct wp_pool *pool,
              wp_run_fn run,
              void *arg);

/**
 * wp_submit() that never waits: WP_EFULL at once when the queue is full.
 *
 * Returns as wp_submit(), and WP_EFULL instead of waiting (never WP_EDEADLK).
 * Thread safety: any thread, also inside a callback of the pool. Blocks: never. Allocates nothing. Since 0.1.
 */
WP_API WP_MUST_USE int wp_try_submit(struct wp_pool *pool, wp_run_fn run, void *arg);

/**
 * wp_submit() that waits at most `timeout_ns` nanoseconds for room (WP_FOREVER: without limit).
 *
 * It waits in the same line as wp_submit(). When its time is up it tries once more, wherever it stands, so it never
 * times out while there is room. Each call begins at the end of the line: who cuts one long wait into several short
 * ones loses the place each time, and each of them counts in `wp_stats.waits` and `wp_stats.refused`.
 *
 * Returns as wp_submit(), and WP_ETIMEDOUT when there was no room in time. With a timeout of 0 it is wp_try_submit(): WP_EFULL at
 * once, and never WP_ETIMEDOUT or WP_EDEADLK.
 * Thread safety: any thread, also inside a callback of the pool. Blocks: while the queue is full, up to the timeout.
 * Allocates nothing. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_submit_for(struct wp_pool *pool,
                  wp_run_fn run,
                  void *arg,
                  uint64_t timeout_ns);

/**
 * Hands a full task to the pool: one that returns a status, can ask its context, and has an `end` callback that learns
 * its fate. Waits for room like wp_submit_for().
 *
 * `task` is copied. `timeout_ns`: nanoseconds; 0 does not wait (WP_EFULL when the queue is full), WP_FOREVER waits
 * without limit.
 *
 * If the task names results, it has its place there before it is accepted. While they are full the answer is WP_ERESULTS at once;
 * if they were made with WP_RESULTS_WAIT, the call waits for a place, within the same timeout (0: WP_ERESULTS at once).
 *
 * Returns as wp_submit_for(); also WP_EINVAL: `task` or its `run` is NULL, its `struct_size` is wrong, or its group is of another
 * pool; WP_ENOTSUP: a field is set that this version does not know; WP_ECANCELLED: its group, or one that this stands in, has been
 * cancelled, also while the call waited; WP_ERESULTS; WP_ECLOSED: also if its results are closed; WP_EDEADLK: also if the
 * call would have to wait for a place there; WP_EFORKED: also if its results were made before the fork. When several of
 * WP_ECLOSED, WP_ECANCELLED and WP_ERESULTS are true, any of them is told. On any error `end` is not called and no record comes.
 * Thread safety: any thread, also inside a callback of the pool. Blocks: while the queue is full, up to the timeout.
 * Allocates nothing. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_submit_task(struct wp_pool *pool,
                   const struct wp_task *task,
                   uint64_t timeout_ns);

/**
 * Hands `count` tasks to the pool, in order, as one wp_submit_task() for each would, but takes room for as many at a time as
 * there is: for small tasks that costs a fraction. `tasks` is an array whose elements are `task_size` bytes apart:
 * sizeof *tasks, which each element's `struct_size` must be too. All elements are looked at before the first is accepted.
 *
 * While the queue is full the call waits for room, for at most `timeout_ns` nanoseconds in all (0: not at all; WP_FOREVER:
 * without limit). Tasks of others may come in between.
 *
 * `*accepted` (unless `accepted` is NULL) is always written: how many tasks were accepted. These are the first so many; the rest is
 * untouched and still the caller's.
 *
 * Returns WP_OK: all are accepted (also when `count` is 0). Otherwise why the task behind those was refused, as wp_submit_task()
 * would say it: WP_EFULL, WP_ETIMEDOUT, WP_ECANCELLED, WP_ERESULTS, WP_ECLOSED, WP_EDEADLK, WP_EFORKED, WP_EPANIC; or, before anything was accepted, WP_EINVAL: `pool`
 * is NULL, `tasks` is NULL and `count` is not 0, an element has no `run`, another `struct_size` or a group of another pool, or the array can't be that
 * large; WP_ENOTSUP: as for wp_submit_task(), for any element.
 * Thread safety: any thread, also inside a callback of the pool. Blocks: while the queue is full. Allocates nothing.
 * Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_submit_batch(struct wp_pool *pool,
                    const struct wp_task *tasks,
                    size_t count,
                    size_t task_size,
                    uint64_t timeout_ns,
                    size_t *accepted);

/**
 * Waits until the pool has nothing to do: at some instant after the call began no task was queued, running, or in its
 * `end` callback. Others may submit meanwhile, and have new tasks running when the call returns.
 *
 * Returns WP_OK; WP_ETIMEDOUT: not so within `timeout_ns` nanoseconds (0: only looks; WP_FOREVER: no limit);
 * WP_EINVAL: `pool` is NULL; WP_EDEADLK: inside a callback of this pool, or, of a manual pool: another thread submits, runs or ends a
 * task just then; WP_EFORKED; WP_EPANIC.
 * Thread safety: any thread, also during and after a shutdown. Blocks: up to the timeout; on a manual pool, whose tasks it runs, as long
 * as they take. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_wait_idle(struct wp_pool *pool,
                 uint64_t timeout_ns);

/**
 * Whether the calling thread is inside a callback of this pool: there, a call that would wait for the pool says WP_EDEADLK (the table at
 * the top of this file). For code that waits by means of its own, a condition variable say, and must refuse to do so there.
 *
 * Returns 1: it is; 0: it is not, `pool` is NULL, or this is a forked child.
 * Thread safety: any thread, at any time before wp_destroy(). Blocks: never. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_is_inside(const struct wp_pool *pool);

/**
 * Closes the pool, runs everything that it had accepted, and stops its threads. After WP_OK no task runs or ever will,
 * no callback of the pool either, its threads are gone, and everything that they used may be freed. The same as
 * wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, WP_FOREVER, NULL).
 *
 * From the moment it begins every submit is refused with WP_ECLOSED, and those that wait for room are woken with it.
 *
 * Returns WP_OK, also when the pool was shut down before; WP_EINVAL: `pool` is NULL; WP_EDEADLK: inside a callback of
 * this pool, or, of a manual pool: another thread runs its tasks just then (nothing was closed); WP_EFORKED; WP_EPANIC.
 * Thread safety: any thread, several at once too: each returns when all is over. Blocks: until all tasks have ended and
 * all threads are gone. Since 0.1.
 */
WP_API
int wp_shutdown(struct wp_pool *pool);

/**
 * wp_shutdown() with a mode, a limit of time and a report.
 *
 * `mode`: WP_SHUTDOWN_DRAIN runs what is queued; WP_SHUTDOWN_CANCEL discards what is queued: the `end` of each such task
 * is called with WP_FATE_DISCARDED on the calling thread, whatever the timeout: nothing accepted goes without its `end`. First in, first
 * out; the tasks of limited groups afterwards, each group's in that order. (Of several that cancel at once one discards, and the others
 * only wait; a task inside wp_group_wait() may find some first.) No task starts any more, but what a worker has just taken counts as
 * started, even if the `notify` of a waiter is called before it. Running tasks always run to their end. A second shutdown may harden the
 * first (drain, then cancel), never soften it.
 * `timeout_ns`: nanoseconds to wait for the end; 0 only begins (or looks), WP_FOREVER has no limit.
 * `report`: NULL, or a wp_shutdown_report with its `struct_size` set; filled on WP_OK and WP_ETIMEDOUT.
 *
 * Returns WP_OK: all is over, as after wp_shutdown(); WP_ETIMEDOUT: not yet; the pool is closed but valid, tasks still
 * run and own what they own, call again to go on waiting; WP_EINVAL: `pool` is NULL, `mode` is unknown or the
 * report's `struct_size` is wrong; WP_EDEADLK: inside a callback of this pool, or, of a manual pool and with a timeout other than 0:
 * another thread runs its tasks just then; these two changed nothing; WP_EFORKED; WP_EPANIC.
 * Thread safety: any thread, several at once too. Blocks: up to the timeout, and for the `end` callbacks that it calls;
 * once all tasks and thread hooks have ended it also waits for the threads' exit, which only their own thread-local
 * clean-up can delay. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_shutdown_for(struct wp_pool *pool,
                    uint32_t mode,
                    uint64_t timeout_ns,
                    struct wp_shutdown_report *report);

/**
 * Frees the pool. The last call on it: no other call on this pool may be in progress or follow, as with free(). But a submit all
 * of whose tasks were accepted, and a wp_when_room() whose waiter was told, may still be on their way back on another thread, since nobody
 * else could wait for that: the pool may be destroyed as soon as their tasks have ended. (A shutdown waits until they have left.) A
 * pool that was not shut down is drained first, as by wp_shutdown(); after a successful shutdown this never waits. Groups of
 * the pool that are still held keep its memory, not its threads, until the last is given back.
 *
 * Returns WP_OK, also for NULL, which does nothing; WP_EDEADLK: inside a callback of this pool, nothing was done;
 * WP_EPANIC: the library found a fault of its own, and the memory is left alone. In the child of a fork it frees what
 * it can without waiting for anything, calls no callback, and returns WP_OK.
 * Thread safety: no other call on this pool at the same time. Blocks: until all tasks have ended and all threads are
 * gone, unless a shutdown has said WP_OK before. Since 0.1.
 */
WP_API
int wp_destroy(struct wp_pool *pool);

/**
 * One snapshot of the pool's figures.
 *
 * `stats`: its `struct_size` must be set (WP_STATS_INIT); at most that many bytes are written.
 *
 * Returns WP_OK; WP_EINVAL: `pool` or `stats` is NULL, or its `struct_size` is wrong; WP_EFORKED; WP_EPANIC. On failure
 * `*stats` is left alone.
 * Thread safety: any thread, also inside a callback, also after a shutdown. Blocks: never. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_stats_get(const struct wp_pool *pool,
                 struct wp_stats *stats);

/**
 * The pool's own clock, in nanoseconds: it never goes back, does not move with the wall clock, and begins anywhere; that of a
 * manual pool moves by wp_clock_advance() alone. 0 if `pool` is NULL.
 *
 * Thread safety: any thread, also inside a callback, and in the child of a fork. Blocks: never. Since 0.1.
 */
WP_API
uint64_t wp_now(const struct wp_pool *pool);

/**
 * The instant so many nanoseconds from now on the pool's own clock, for `wp_task.deadline` and `wp_group_options.deadline`: wp_now() and
 * `nanoseconds` added up; what would reach past the clock's end is its end, which never comes. With 0 nanoseconds it is over at once.
 *
 * Returns the instant; 0, which means "no deadline", if `nanoseconds` is WP_FOREVER or `pool` is NULL.
 * Thread safety: any thread, also inside a callback, and in the child of a fork. Blocks: never. Since 0.1.
 */
WP_API
uint64_t wp_deadline_after(const struct wp_pool *pool,
                           uint64_t nanoseconds);

/**
 * Fills a wp_group_options with the defaults and its size: what WP_GROUP_OPTIONS_INIT does, for languages without C macros.
 *
 * Returns WP_OK; WP_EINVAL: `options` is NULL or `struct_size` can't be right (as for wp_options_init()).
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API
int wp_group_options_init(struct wp_group_options *options,
                          size_t struct_size);

/**
 * Fills a wp_group_status with zeros and its size: what WP_GROUP_STATUS_INIT does, for languages without C macros.
 *
 * Returns WP_OK; WP_EINVAL: `status` is NULL or `struct_size` can't be right (as for wp_options_init()).
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API
int wp_group_status_init(struct wp_group_status *status,
                         size_t struct_size);

/**
 * Tells how many bytes of memory wp_group_create() will ask for, in one piece, before anything is made. Nothing is allocated later.
 *
 * `options`: NULL means all defaults. `bytes`: receives the number; left alone on failure.
 *
 * Returns WP_OK; WP_EINVAL: `bytes` is NULL, or the options are what wp_group_create() refuses; WP_ENOTSUP: as there.
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API
int wp_group_footprint(const struct wp_group_options *options,
                       uint64_t *bytes);

/**
 * Makes a group of this pool, and gives the caller the first reference on it.
 *
 * `options`: NULL means all defaults. `group`: receives the group; left alone on failure.
 *
 * Returns WP_OK; WP_EINVAL: `pool` or `group` is NULL, the parent is of another pool, a number is out of its range, `on_error` is
 * unknown, `struct_size` is wrong; WP_ENOTSUP: a field is set that this version does not know; WP_ENOMEM; WP_EFORKED; WP_EPANIC.
 * Thread safety: any thread, also inside a callback, also during and after a shutdown. Blocks: never. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_group_create(struct wp_pool *pool,
                    const struct wp_group_options *options,
                    struct wp_group **group);

/**
 * One reference more: the group lives until each has been given back by wp_group_release(). Whoever makes a call on a group has a
 * reference during that call, his own or one that somebody keeps for him.
 *
 * Returns WP_OK; WP_EINVAL: `group` is NULL; WP_EFORKED.
 * Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
 */
WP_API
int wp_group_retain(struct wp_group *group);

/**
 * Gives a reference back; with the last one the memory is freed. Tasks that are open keep their group, and a group keeps the one that
 * it stands in and its pool's memory; so this is safe at any time, also before the tasks have ended, and after wp_destroy().
 *
 * Returns WP_OK, also for NULL, which does nothing, and in the child of a fork (where the memory of groups that have open tasks in
 * the parent is never freed).
 * Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
 */
WP_API
int wp_group_release(struct wp_group *group);

/**
 * Waits until the group has nothing to do: at some instant after the call began none of its tasks, or of the groups inside it, was
 * queued, running, or in its `end`. Nothing that was submitted to it before that runs afterwards, so what those tasks used may be
 * freed, and the pool's figures (wp_stats) count them as ended. Others may submit more meanwhile; who wants that to be the last
 * cancels the group first.
 *
 * Inside a callback of the pool it can't sleep. There it runs the group's own queued tasks on the calling worker, one after the
 * other, never others', and says WP_EDEADLK when none of them is left that it may run while some still run elsewhere (a task that must
 * wait for its turn behind another group's, in a limited group above both, is one that it may not run). On a manual
 * pool, outside its callbacks, it runs the pool's tasks in their order, until the group has nothing to do.
 *
 * Returns WP_OK; WP_ETIMEDOUT: not so within `timeout_ns` nanoseconds (0: only looks, also inside a callback; WP_FOREVER: no limit);
 * WP_EINVAL: `group` is NULL; WP_EDEADLK: inside a callback of a task of that group (or of one inside it), whatever the timeout; or
 * inside another callback of the pool, when it would have to sleep, or on a thread that is not a worker; on a manual pool: another
 * thread submits, runs or ends a task just then; WP_EFORKED; WP_EPANIC.
 * Thread safety: any thread, several at once too, also after a shutdown. Blocks: up to the timeout; inside a callback, for as
 * long as the tasks that it runs take. Allocates nothing. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_group_wait(struct wp_group *group,
                  uint64_t timeout_ns);

/**
 * Cancels the group and all inside it, for good. From here on none of its tasks starts: those that are queued end with
 * WP_FATE_CANCELLED, their `end` called on the calling thread before this returns (a task whose submit is not over yet, or that a
 * worker has just taken, may end a little later, on a worker; and if two calls cancel the same task at once, one of them ends it). Submits to it, also those
 * that wait for room, get WP_ECANCELLED. Tasks that run go on; they see it by wp_should_stop(). wp_group_wait() tells when all is over.
 *
 * The places of cancelled tasks in the queue come back when a worker comes to them (`wp_stats.passed_over`).
 *
 * Returns WP_OK, also when it was cancelled before; WP_EINVAL: `group` is NULL; WP_EFORKED; WP_EPANIC.
 * Thread safety: any thread, also inside a callback, also one of the group's own. Blocks: for the `end` callbacks that it calls, and
 * those that are told of the room (wp_when_room()). Allocates nothing. Since 0.1.
 */
WP_API
int wp_group_cancel(struct wp_group *group);

/**
 * The group's figures now.
 *
 * `status`: its `struct_size` must be set (WP_GROUP_STATUS_INIT); at most that many bytes are written.
 *
 * Returns WP_OK; WP_EINVAL: `group` or `status` is NULL, or its `struct_size` is wrong; WP_EFORKED. On failure `*status` is left
 * alone.
 * Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
 */
WP_API
int wp_group_status_get(const struct wp_group *group,
                        struct wp_group_status *status);

/**
 * Why the group's tasks should stop: `wp_group_status.stop` alone, at the cost of a load for each level of groups (with a deadline
 * it reads the clock). WP_STOP_NONE: no reason, or `group` is NULL. In the child of a fork: as at the fork, but for the deadline.
 *
 * Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
 */
WP_API
uint32_t wp_group_stop_reason(const struct wp_group *group);

/**
 * Fills a wp_results_options with the defaults and its size: what WP_RESULTS_OPTIONS_INIT does, for languages without
 * C macros.
 *
 * Returns WP_OK; WP_EINVAL: `options` is NULL or `struct_size` can't be right (as for wp_options_init()).
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API
int wp_results_options_init(struct wp_results_options *options,
                            size_t struct_size);

/**
 * Tells how many bytes of memory wp_results_create() will ask for with these options, before anything is made. Nothing
 * is allocated later.
 *
 * `options`: NULL means all defaults. `bytes`: receives the number; left alone on failure.
 *
 * Returns WP_OK; WP_EINVAL: `bytes` is NULL, or the options are what wp_results_create() refuses; WP_ENOTSUP: as there.
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API
int wp_results_footprint(const struct wp_results_options *options,
                         uint64_t *bytes);

/**
 * Makes results, and gives the caller the first reference on them.
 *
 * `options`: NULL means all defaults. `results`: receives them; left alone on failure.
 *
 * Returns WP_OK; WP_EINVAL: `results` is NULL, the capacity is out of its range, `struct_size` is wrong; WP_ENOTSUP: an
 * unknown flag or a reserved field is set, or a field that this version does not know; WP_ENOMEM.
 * Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_results_create(const struct wp_results_options *options,
                      struct wp_results **results);

/**
 * One reference more: the results live until each has been given back by wp_results_release(). Whoever makes a call on
 * results has a reference during that call, his own or one that somebody keeps for him.
 *
 * Returns WP_OK; WP_EINVAL: `results` is NULL; WP_EFORKED.
 * Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
 */
WP_API
int wp_results_retain(struct wp_results *results);

/**
 * Gives a reference back; with the last one the memory is freed, and the descriptor closed. Tasks that were accepted hold
 * references of their own, so this is safe before they have ended: their records are then lost with the rest.
 *
 * Returns WP_OK, also for NULL, which does nothing, and in the child of a fork (where the references of the parent's tasks
 * are never given back).
 * Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
 */
WP_API
int wp_results_release(struct wp_results *results);

/**
 * Fills a wp_record with zeros and its size: what WP_RECORD_INIT does, for languages without C macros.
 *
 * Returns WP_OK; WP_EINVAL: `record` is NULL or `struct_size` can't be right (as for wp_options_init()).
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API int wp_record_init(struct wp_record *record, size_t struct_size);

/**
 * Reads the next record and frees its place. Records come in the order in which their tasks ended, or, of results made with
 * WP_RESULTS_ORDERED, in that of the submits. A task's record is there when its `end` has returned (and, if ordered, those before it
 * are there), and before a wait or a shutdown that covers the task (and those before it) says WP_OK.
 *
 * `record`: its `struct_size` must be set (WP_RECORD_INIT); at most that many bytes are written. `timeout_ns`:
 * nanoseconds to wait for a record; 0 only looks, WP_FOREVER waits without limit.
 *
 * Returns WP_OK; WP_ETIMEDOUT: no record in time; WP_ECLOSED: nothing more will come: the results were closed, all their
 * tasks have ended, and all records are read; WP_EINVAL: `results` or `record` is NULL, or its `struct_size` is wrong;
 * WP_EFORKED. On failure `*record` is left alone.
 * Thread safety: any thread, several at once too: each record goes to one of them. Inside a callback a wait may be for that
 * very task, which is not detected: use a timeout of 0 there. Blocks: up to the timeout. Allocates nothing. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_results_next(struct wp_results *results,
                    struct wp_record *record,
                    uint64_t timeout_ns);

/**
 * Reads up to `count` records at once, in the order of wp_results_next(): it waits for the first only, then takes what is there.
 *
 * `records` is an array whose elements are `record_size` bytes apart: sizeof *records. They need no initialiser: each element
 * that is written gets its `struct_size` too. `timeout_ns`: nanoseconds to wait for the first; 0 only looks, WP_FOREVER waits
 * without limit. `*got` is always written: how many records were read, 0 on failure.
 *
 * Returns WP_OK: at least one was read (or `count` is 0); WP_ETIMEDOUT, WP_ECLOSED, WP_EFORKED: as wp_results_next();
 * WP_EINVAL: `results` or `got` is NULL, `records` is NULL and `count` is not 0, `record_size` can't be right (as for
 * wp_options_init()) or the array can't be that large.
 * Thread safety: as wp_results_next(). Blocks: up to the timeout. Allocates nothing. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_results_drain(struct wp_results *results,
                     struct wp_record *records,
                     size_t count,
                     size_t record_size,
                     uint64_t timeout_ns,
                     size_t *got);

/**
 * Says that nothing will be submitted any more: submits that name these results get WP_ECLOSED, those that wait for a place
 * too. What was accepted still brings its records; when the last is read, readers get WP_ECLOSED.
 *
 * Returns WP_OK, also when they were closed before; WP_EINVAL: `results` is NULL; WP_EFORKED.
 * Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
 */
WP_API
int wp_results_close(struct wp_results *results);

/**
 * A descriptor for poll(), epoll and their kin. It is readable if and only if a read would not wait: the next record is there, or nothing
 * more will come (then it stays readable). It is made by the first call; who never calls pays nothing for it.
 *
 * It belongs to the results, and is closed with them: only wait for it; never read, write or close it. Who waits for edges
 * (EPOLLET) must read until WP_ETIMEDOUT before the next wait.
 *
 * Returns the descriptor, 0 or more, always the same; or a negative code: WP_EINVAL: `results` is NULL; WP_ENOMEM: the system has
 * no descriptor left, or no memory for it; WP_ENOTSUP: this system has none of that kind (only Linux's eventfd is used);
 * WP_EFORKED.
 * Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
 */
WP_API
int wp_results_fd(struct wp_results *results);

/**
 * Fills a wp_waiter with zeros and its size: what WP_WAITER_INIT does, for languages without C macros. Not while it waits.
 *
 * Returns WP_OK; WP_EINVAL: `waiter` is NULL or `struct_size` can't be right (as for wp_options_init()).
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API
int wp_waiter_init(struct wp_waiter *waiter,
                   size_t struct_size);

/**
 * Has `waiter->notify(waiter->arg)` called once as soon as there is room for at least one task, be it a single place, or the pool
 * closes, whichever comes first. For those who must not wait for room in wp_submit(): event loops, coroutines, other runtimes'
 * threads.
 *
 * While the call says WP_OK and `notify` has not been called, the waiter waits: it must stay where it is, and nobody else may
 * touch it. It is the caller's again when `notify` is called (which may free it, or use it for the next wait), or when
 * wp_forget_room() has said WP_OK.
 *
 * If there is room now, `notify` is called at once, by this call; inside the `notify` of another waiter of this pool, as soon as
 * that has returned, so that they don't nest. Otherwise a worker calls it that has just taken a task, and begins that task
 * afterwards (of a manual pool: the thread that steps it). So does whoever ends a queued task of a limited group before its turn: the
 * caller of wp_group_cancel() or wp_clock_advance(), the timer, a task in wp_group_wait(). When the pool closes, the thread that closes
 * it calls it. Never is it called with a lock of the library held, but the callers of these functions may hold locks of their own: mind
 * that `notify` may run inside those calls. Once this function was called again for the same waiter, inside its `notify`, the next call of that may come on
 * another thread, before this one has returned.
 *
 * What there is room for is not kept for the waiter: others may take it first, and a wp_try_submit() inside `notify` may say
 * WP_EFULL (then call this again) or WP_ECLOSED. Waiters are told in the order in which they came; by one thread one after the other,
 * the next when `notify` has returned and there is still room, while another thread that has brought a place back may tell the next one
 * meanwhile. After 16 in a row the next is told when the next task is taken, if one is queued. So a waiter that submits inside `notify` takes the place that it was told of, while one that only passes the word on may
 * have others told of the same place.
 *
 * A submitter that has waited in wp_submit() at the head of its line, and looked for itself in vain (see there), comes before the
 * waiters; no more than one in a millisecond. So neither starves the other.
 *
 * Returns WP_OK: `notify` was called, or will be. On any error it will not be: WP_ECLOSED: a shutdown has begun; WP_EINVAL: `pool`,
 * `waiter` or its `notify` is NULL, its `struct_size` is wrong, or it waits already; WP_ENOTSUP: a field is set that this version
 * does not know; WP_EFORKED; WP_EPANIC.
 * Thread safety: any thread, also inside a callback of the pool; any number of waiters. Blocks: never, but for `notify`. Allocates
 * nothing. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_when_room(struct wp_pool *pool,
                 struct wp_waiter *waiter);

/**
 * Takes a waiter back. If its `notify` is being called just now, on another thread, the call waits until that has returned; so
 * whatever it says but for WP_ETIMEDOUT and WP_EDEADLK, everything that `notify` uses may be freed. (Where `notify` has had it wait anew
 * and has not returned yet, the call waits for that as well; with WP_ETIMEDOUT and WP_EDEADLK it still waits, then.)
 *
 * `waiter` must still be there: whose `notify` frees it must know by other means that it was not called. `timeout_ns`: nanoseconds
 * to wait, on a manual pool too; 0 waits for no `notify`, WP_FOREVER without limit.
 *
 * Returns WP_OK: it waited, and `notify` will not be called; WP_ETOOLATE: it does not wait: `notify` was called and has returned
 * (unless the caller is inside it), or wp_when_room() was never called; WP_ETIMEDOUT: `notify` has not returned in time; WP_EDEADLK:
 * it has not returned, and this is inside a callback of this pool, whatever the timeout; WP_EINVAL: `pool` or `waiter` is NULL, or its
 * `struct_size` is wrong; WP_EFORKED; WP_EPANIC: in place of the first two.
 * Thread safety: any thread, also inside a callback of the pool. Blocks: up to the timeout. Allocates nothing. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_forget_room(struct wp_pool *pool,
                   struct wp_waiter *waiter,
                   uint64_t timeout_ns);

/**
 * A descriptor for poll(), epoll and their kin. It is readable while a submit that does not wait may succeed, and when a shutdown has
 * begun (then it stays readable): a submit that was refused because the queue was full has made it unreadable, and the first
 * place that comes free makes it readable again. It is made by the first call; who never calls pays nothing for it.
 *
 * Like the room to write into a socket, it is there most of the time: wait for it only while there is something to submit that was
 * refused. Then a loop is woken once for each time that the queue was full, and may find that others have filled it again.
 *
 * It belongs to the pool, and is closed by wp_destroy() (in a forked child with the last group of the pool): only wait for it; never read, write or close it. Who waits for edges
 * (EPOLLET) must submit until WP_EFULL before the next wait.
 *
 * Returns the descriptor, 0 or more, always the same; or a negative code: WP_EINVAL: `pool` is NULL; WP_ENOMEM: the system has no
 * descriptor left, or no memory for it; WP_ENOTSUP: this system has none of that kind (only Linux's eventfd is used); WP_EFORKED;
 * WP_EPANIC.
 * Thread safety: any thread, also inside a callback, also after a shutdown. Blocks: never. Since 0.1.
 */
WP_API
int wp_room_fd(struct wp_pool *pool);

/**
 * Fills a wp_executor with zeros and its size: what WP_EXECUTOR_INIT does, for languages without C macros.
 *
 * Returns WP_OK; WP_EINVAL: `executor` is NULL or `struct_size` can't be right (as for wp_options_init()).
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API int wp_executor_init(struct wp_executor *executor, size_t struct_size);

/**
 * Fills an executor that stands for this pool. It is valid as long as the pool, and may be copied.
 *
 * Returns WP_OK; WP_EINVAL: `pool` or `executor` is NULL, or its `struct_size` can't be right (as for wp_options_init());
 * WP_EFORKED; WP_EPANIC. Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_pool_executor(struct wp_pool *pool,
                     struct wp_executor *executor);

/**
 * Runs tasks of a manual pool (`mode` WP_MODE_MANUAL) on the calling thread: up to `max` of those that are queued, one after
 * the other, in the order in which they were accepted (those of limited groups in turn with the others, one each); also those that
 * these tasks submit meanwhile. UINT64_MAX: until none is queued. To the tasks the calling thread is worker 0.
 *
 * `*ran` (unless `ran` is NULL) is always written: how many tasks ran. Tasks that are found cancelled or too late on the way end
 * without being counted.
 *
 * Returns WP_OK, also when nothing was queued, and after a shutdown; WP_EINVAL: `pool` is NULL, or has threads of its own;
 * WP_EDEADLK: inside a callback of this pool, or another thread runs its tasks just now; WP_EFORKED; WP_EPANIC.
 * Thread safety: any thread, one at a time. Blocks: as long as the tasks take. Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_run(struct wp_pool *pool,
           uint64_t max,
           uint64_t *ran);

/**
 * Moves the clock of a manual pool on by so many nanoseconds (it stops at the largest number). Nothing else moves it; it
 * begins at one second. If the pool was made with `timers`, the clock stops at the deadline of each queued task on the way: there
 * the task's `end` is called, on the calling thread, with WP_FATE_EXPIRED, and wp_now() tells that very deadline.
 *
 * Returns WP_OK; WP_EINVAL: `pool` is NULL, or has threads of its own; WP_EFORKED; WP_EPANIC.
 * Thread safety: any thread, also inside a callback. Blocks: for the `end` callbacks that it calls, and those that are told of the room
 * (wp_when_room()). Since 0.1.
 */
WP_API
WP_MUST_USE
int wp_clock_advance(struct wp_pool *pool,
                     uint64_t nanoseconds);

/**
 * The version of the library that runs, as major * 1,000,000 + minor * 1,000 + patch. Compare it with
 * WP_VERSION_NUMBER, which is the header's, to see whether a program runs with the library that it was compiled for.
 *
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API
uint32_t wp_version_number(void);

/**
 * The same as text, "0.1.0" say; constant, never freed.
 *
 * Thread safety: any thread. Blocks: never. Since 0.1.
 */
WP_API const char *wp_version_string(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WORKERPOOL_H */
