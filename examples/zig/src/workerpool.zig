// SPDX-License-Identifier: MIT

//! libworkerpool for Zig: a bounded worker pool, typed. workerpool.h is the manual; `c` has all of it, for what is not here.
//!
//!     const pool = try workerpool.Pool.init(.{ .workers = 4, .capacity = 100 });
//!     defer pool.deinit(); // everything accepted has run
//!     var job = workerpool.Job(add).init(.{ 2, 3 });
//!     try pool.submit(&job, .{}); // waits while 100 tasks are queued
//!     const five = try job.wait();
//!
//! A task's function may take a `Context` first. An error that it returns is that task's failure, and comes out of `wait` as it
//! is; a task that was accepted and never ran comes out as `error.Cancelled`, `error.Expired` or `error.Discarded`. Nothing is
//! allocated but by `spawn`. Times are nanoseconds; `forever` waits without limit.

const std = @import("std");

pub const c = @cImport(@cInclude("workerpool.h"));
pub const Job = @import("job.zig").Job;
const closure = @import("job.zig").closure;

pub const forever: u64 = c.WP_FOREVER;

/// What a call may refuse, each for a code of workerpool.h (which says when). It has done nothing then.
pub const Error = error{
    InvalidArgument,
    OutOfMemory,
    ThreadStart,
    Full,
    TimedOut,
    Closed,
    WouldDeadlock,
    Forked,
    LibraryFault,
    NotSupported,
    ResultsFull,
    GroupCancelled,
    UnknownCode,
};

/// The fates of a task that was accepted and never ran.
pub const NotRun = error{ Cancelled, Expired, Discarded };

pub fn check(code: c_int) Error!void {
    return switch (code) {
        c.WP_OK => {},
        c.WP_EINVAL => error.InvalidArgument,
        c.WP_ENOMEM => error.OutOfMemory,
        c.WP_ETHREAD => error.ThreadStart,
        c.WP_EFULL => error.Full,
        c.WP_ETIMEDOUT => error.TimedOut,
        c.WP_ECLOSED => error.Closed,
        c.WP_EDEADLK => error.WouldDeadlock,
        c.WP_EFORKED => error.Forked,
        c.WP_EPANIC => error.LibraryFault,
        c.WP_ENOTSUP => error.NotSupported,
        c.WP_ERESULTS => error.ResultsFull,
        c.WP_ECANCELLED => error.GroupCancelled,
        else => error.UnknownCode,
    };
}

/// A struct of the header with its defaults and its size, by the header's own wp_…_init().
fn initial(comptime T: type, comptime name: []const u8) T {
    var made: T = undefined;
    const code = @field(c, name ++ "_init")(&made, @sizeOf(T));
    std.debug.assert(code == c.WP_OK);
    return made;
}

pub const Options = struct {
    name: ?[*:0]const u8 = null,
    /// 0: as many as the process may use at once.
    workers: u32 = 0,
    /// 0: 1,024.
    capacity: u32 = 0,
    mode: enum(u32) { threads = c.WP_MODE_THREADS, manual = c.WP_MODE_MANUAL } = .threads,
    timers: bool = false,
    stack_size: u64 = 0,

    fn toC(options: Options) c.wp_options {
        var made = initial(c.wp_options, "wp_options");
        made.name = options.name;
        made.workers = options.workers;
        made.capacity = options.capacity;
        made.mode = @intFromEnum(options.mode);
        made.timers = @intFromBool(options.timers);
        made.stack_size = options.stack_size;
        return made;
    }
};

/// How a task is submitted; nothing of it is needed.
pub const Terms = struct {
    /// How long to wait for room.
    timeout: u64 = forever,
    group: ?Group = null,
    results: ?Results = null,
    /// An instant of `Pool.now`; 0: none.
    deadline: u64 = 0,
    label: ?[*:0]const u8 = null,
    user_data: u64 = 0,
};

pub const ShutdownMode = enum(u32) { drain = c.WP_SHUTDOWN_DRAIN, cancel = c.WP_SHUTDOWN_CANCEL };

/// A handle: copies are the same pool.
pub const Pool = struct {
    handle: *c.wp_pool,

    pub fn init(options: Options) Error!Pool {
        var handle: ?*c.wp_pool = null;
        const asked = options.toC();
        try check(c.wp_create(&asked, &handle));
        return .{ .handle = handle.? };
    }

    /// Shuts down first, if nobody did: everything accepted has run. The last call on the pool; not inside its tasks.
    pub fn deinit(pool: Pool) void {
        check(c.wp_destroy(pool.handle)) catch |err| std.debug.panic("Pool.deinit: {t}", .{err});
    }

    /// Hands over a `Job`, which must stay where it is until it is done; waits for room while the queue is full.
    pub fn submit(pool: Pool, job: anytype, terms: Terms) Error!void {
        const J = @typeInfo(@TypeOf(job)).pointer.child;
        return pool.submitTask(J.run, J.end, job, terms);
    }

    /// submit() that never waits: error.Full when the queue is.
    pub fn trySubmit(pool: Pool, job: anytype, terms: Terms) Error!void {
        var at_once = terms;
        at_once.timeout = 0;
        return pool.submit(job, at_once);
    }

    /// Runs function(args…) some time, and tells nobody but the group and the results. What it needs is allocated
    /// here and freed when the task has ended, on another thread: so the allocator must be thread-safe.
    pub fn spawn(pool: Pool, gpa: std.mem.Allocator, comptime function: anytype, args: Job(function).Args, terms: Terms) Error!void {
        const C = closure(function);
        const made = try gpa.create(C);
        errdefer gpa.destroy(made);
        made.* = .{ .gpa = gpa, .job = .init(args) };
        return pool.submitTask(C.run, C.end, made, terms);
    }

    /// The cheapest task: function(pointer), with nobody told. What it points to must live until a wait says that all is over.
    pub fn call(pool: Pool, comptime function: anytype, pointer: anytype) Error!void {
        const thunk = struct {
            fn run(arg: ?*anyopaque) callconv(.c) void {
                function(@as(@TypeOf(pointer), @ptrCast(@alignCast(arg))));
            }
        };
        return check(c.wp_submit(pool.handle, thunk.run, @ptrCast(@constCast(pointer))));
    }

    fn submitTask(pool: Pool, on_run: c.wp_task_fn, on_end: c.wp_end_fn, arg: *anyopaque, terms: Terms) Error!void {
        const task: c.wp_task = .{
            .struct_size = @sizeOf(c.wp_task),
            .run = on_run,
            .arg = arg,
            .end = on_end,
            .label = terms.label,
            .results = if (terms.results) |results| results.handle else null,
            .group = if (terms.group) |group| group.handle else null,
            .user_data = terms.user_data,
            .deadline = terms.deadline,
        };
        return check(c.wp_submit_task(pool.handle, &task, terms.timeout));
    }

    pub fn waitIdle(pool: Pool, timeout: u64) Error!void {
        return check(c.wp_wait_idle(pool.handle, timeout));
    }

    /// error.TimedOut: not yet; call again to go on waiting.
    pub fn shutdown(pool: Pool, mode: ShutdownMode, timeout: u64) Error!void {
        return check(c.wp_shutdown_for(pool.handle, @intFromEnum(mode), timeout, null));
    }

    pub fn stats(pool: Pool) Error!c.wp_stats {
        var figures = initial(c.wp_stats, "wp_stats");
        try check(c.wp_stats_get(pool.handle, &figures));
        return figures;
    }

    /// The pool's clock, for deadlines: pool.now() + 5 * std.time.ns_per_ms.
    pub fn now(pool: Pool) u64 {
        return c.wp_now(pool.handle);
    }

    /// Of a manual pool: runs up to `max` queued tasks here; says how many.
    pub fn run(pool: Pool, max: u64) Error!u64 {
        var ran: u64 = 0;
        try check(c.wp_run(pool.handle, max, &ran));
        return ran;
    }

    /// Of a manual pool: moves its clock.
    pub fn advance(pool: Pool, nanoseconds: u64) Error!void {
        return check(c.wp_clock_advance(pool.handle, nanoseconds));
    }
};

/// Tasks that are waited for and cancelled together. A handle, with one reference.
pub const Group = struct {
    handle: *c.wp_group,

    pub const Options = struct {
        parent: ?Group = null,
        /// An instant of `Pool.now`; 0: none.
        deadline: u64 = 0,
        on_error: enum(u32) { go_on = c.WP_ON_ERROR_GO_ON, cancel = c.WP_ON_ERROR_CANCEL } = .go_on,
        /// 1 makes it a serial queue; 0: no limit.
        max_running: u32 = 0,
    };

    pub fn init(pool: Pool, options: Group.Options) Error!Group {
        var asked = initial(c.wp_group_options, "wp_group_options");
        asked.parent = if (options.parent) |parent| parent.handle else null;
        asked.deadline = options.deadline;
        asked.on_error = @intFromEnum(options.on_error);
        asked.max_running = options.max_running;
        var handle: ?*c.wp_group = null;
        try check(c.wp_group_create(pool.handle, &asked, &handle));
        return .{ .handle = handle.? };
    }

    /// Gives the reference back; safe at any time.
    pub fn deinit(group: Group) void {
        _ = c.wp_group_release(group.handle);
    }

    /// When it returns without an error nothing of the group is queued or runs.
    pub fn wait(group: Group, timeout: u64) Error!void {
        return check(c.wp_group_wait(group.handle, timeout));
    }

    pub fn cancel(group: Group) Error!void {
        return check(c.wp_group_cancel(group.handle));
    }

    pub fn status(group: Group) Error!c.wp_group_status {
        var figures = initial(c.wp_group_status, "wp_group_status");
        try check(c.wp_group_status_get(group.handle, &figures));
        return figures;
    }

    /// The error that the first of its tasks that failed returned. (All of them must be Zig's: a status is an error's number here.)
    pub fn firstError(figures: c.wp_group_status) ?anyerror {
        const Number = std.meta.Int(.unsigned, @bitSizeOf(anyerror));
        return if (figures.first_status == 0) null else @errorFromInt(@as(Number, @intCast(figures.first_status)));
    }
};

/// What became of one task; `job` is how to come from it to a `Job`.
pub const Record = struct {
    raw: c.wp_record,

    pub const Fate = enum(u32) {
        ran = c.WP_FATE_RAN,
        cancelled = c.WP_FATE_CANCELLED,
        expired = c.WP_FATE_EXPIRED,
        discarded = c.WP_FATE_DISCARDED,
        _,
    };

    pub fn fate(record: Record) Fate {
        return @enumFromInt(record.raw.fate);
    }

    /// The job, done, of a task that was submitted as a J. It must still be there.
    pub fn job(record: Record, comptime J: type) *J {
        return @ptrCast(@alignCast(record.raw.arg));
    }
};

/// A bounded queue of records, in the order in which the tasks ended. A handle, with one reference.
pub const Results = struct {
    handle: *c.wp_results,

    pub const Options = struct {
        /// 0: 1,024.
        capacity: u32 = 0,
        /// A submit that finds no place waits for one. Somebody else must read.
        wait: bool = false,
    };

    pub fn init(options: Results.Options) Error!Results {
        var asked = initial(c.wp_results_options, "wp_results_options");
        asked.capacity = options.capacity;
        asked.flags = if (options.wait) c.WP_RESULTS_WAIT else 0;
        var handle: ?*c.wp_results = null;
        try check(c.wp_results_create(&asked, &handle));
        return .{ .handle = handle.? };
    }

    pub fn deinit(results: Results) void {
        _ = c.wp_results_release(results.handle);
    }

    /// The oldest record; null: they were closed, and nothing more will come.
    pub fn next(results: Results, timeout: u64) Error!?Record {
        var record: Record = .{ .raw = initial(c.wp_record, "wp_record") };
        check(c.wp_results_next(results.handle, &record.raw, timeout)) catch |err| return switch (err) {
            error.Closed => null,
            else => |other| other,
        };
        return record;
    }

    pub fn close(results: Results) Error!void {
        return check(c.wp_results_close(results.handle));
    }

    /// For poll: readable when next() would not wait.
    pub fn fd(results: Results) Error!c_int {
        const found = c.wp_results_fd(results.handle);
        try check(@min(found, c.WP_OK));
        return found;
    }
};

/// What a running task may ask; valid inside it, on its thread.
pub const Context = struct {
    handle: ?*c.wp_context,

    pub const Stop = enum(u32) {
        none = c.WP_STOP_NONE,
        cancelled = c.WP_STOP_CANCELLED,
        failed = c.WP_STOP_FAILED,
        deadline = c.WP_STOP_DEADLINE,
        shutdown = c.WP_STOP_SHUTDOWN,
        _,
    };

    pub fn shouldStop(context: Context) bool {
        return c.wp_should_stop(context.handle) != 0;
    }

    pub fn stopReason(context: Context) Stop {
        return @enumFromInt(c.wp_stop_reason(context.handle));
    }

    /// null: there is no deadline.
    pub fn timeLeft(context: Context) ?u64 {
        const left = c.wp_time_left(context.handle);
        return if (left == forever) null else left;
    }

    pub fn worker(context: Context) u32 {
        return c.wp_worker_index(context.handle);
    }

    pub fn label(context: Context) ?[*:0]const u8 {
        return c.wp_label(context.handle);
    }

    /// Without a reference: to submit to it or to cancel it, inside the task.
    pub fn group(context: Context) ?Group {
        return if (c.wp_context_group(context.handle)) |handle| .{ .handle = handle } else null;
    }
};
