// SPDX-License-Identifier: MIT

//! How a Zig function becomes a task: the callbacks that C calls are made at compile time, one pair for each function.

const std = @import("std");
const workerpool = @import("workerpool.zig");
const c = workerpool.c;

/// A task of `function`, with its arguments and, once it is done, its fate. It lives where its owner keeps it, and must not move or
/// go away between its submit and its end: `wait` tells, or a wait for its group, or the pool's shutdown.
pub fn Job(comptime function: anytype) type {
    return struct {
        args: Args,
        fate: Fate = .pending,
        done: std.Thread.ResetEvent = .{},

        const Self = @This();
        const Return = @typeInfo(@TypeOf(function)).@"fn".return_type.?;
        pub const takes_context = takesContext(function);
        /// The function's arguments, without a Context at their head.
        pub const Args = ArgsAfterContext(function);
        pub const Fate = union(enum) { pending, ran: Return, cancelled, expired, discarded };
        pub const WaitError = workerpool.NotRun || ErrorsOf(Return);

        pub fn init(args: Args) Self {
            return .{ .args = args };
        }

        /// Waits until the task has ended. Not inside a task of the same pool: there Group.wait helps instead of blocking.
        pub fn wait(job: *Self) WaitError!PayloadOf(Return) {
            job.done.wait();
            return job.result();
        }

        /// wait() for at most so long.
        pub fn timedWait(job: *Self, timeout: u64) (WaitError || error{Timeout})!PayloadOf(Return) {
            try job.done.timedWait(timeout);
            return job.result();
        }

        /// What wait() returns, of a task that is known to be over.
        pub fn result(job: *const Self) WaitError!PayloadOf(Return) {
            return switch (job.fate) {
                .pending => unreachable,
                .ran => |returned| returned,
                .cancelled => error.Cancelled,
                .expired => error.Expired,
                .discarded => error.Discarded,
            };
        }

        pub fn run(context: ?*c.wp_context, arg: ?*anyopaque) callconv(.c) c_int {
            const job: *Self = @ptrCast(@alignCast(arg));
            const returned: Return = if (takes_context)
                @call(.auto, function, .{workerpool.Context{ .handle = context }} ++ job.args)
            else
                @call(.auto, function, job.args);
            job.fate = .{ .ran = returned };
            return statusOf(returned);
        }

        pub fn end(outcome: ?*const c.wp_outcome, arg: ?*anyopaque) callconv(.c) void {
            const job: *Self = @ptrCast(@alignCast(arg));
            job.settle(outcome.?.fate);
            job.done.set(); // the owner may free it from here on
        }

        fn settle(job: *Self, fate: u32) void {
            switch (fate) {
                c.WP_FATE_RAN => {},
                c.WP_FATE_CANCELLED => job.fate = .cancelled,
                c.WP_FATE_EXPIRED => job.fate = .expired,
                c.WP_FATE_DISCARDED => job.fate = .discarded,
                else => unreachable,
            }
        }
    };
}

/// A job that frees itself when it has ended.
pub fn closure(comptime function: anytype) type {
    return struct {
        job: Job(function),
        gpa: std.mem.Allocator,

        pub fn run(context: ?*c.wp_context, arg: ?*anyopaque) callconv(.c) c_int {
            const made: *@This() = @ptrCast(@alignCast(arg));
            return Job(function).run(context, &made.job);
        }

        pub fn end(_: ?*const c.wp_outcome, arg: ?*anyopaque) callconv(.c) void {
            const made: *@This() = @ptrCast(@alignCast(arg));
            made.gpa.destroy(made);
        }
    };
}

/// An error is its number, which is never 0: so groups and figures see it as a failure, and Group.firstError gives it back.
fn statusOf(returned: anytype) c_int {
    if (@typeInfo(@TypeOf(returned)) != .error_union) return 0;
    return if (returned) |_| 0 else |err| @intFromError(err);
}

fn takesContext(comptime function: anytype) bool {
    const params = @typeInfo(@TypeOf(function)).@"fn".params;
    return params.len > 0 and params[0].type == workerpool.Context;
}

fn ArgsAfterContext(comptime function: anytype) type {
    const params = @typeInfo(@TypeOf(function)).@"fn".params[@intFromBool(takesContext(function))..];
    var types: [params.len]type = undefined;
    for (params, &types) |param, *kind| {
        kind.* = param.type orelse @compileError("a task's function must say the type of each argument");
    }
    return std.meta.Tuple(&types);
}

fn ErrorsOf(comptime Return: type) type {
    return switch (@typeInfo(Return)) {
        .error_union => |info| info.error_set,
        else => error{},
    };
}

fn PayloadOf(comptime Return: type) type {
    return switch (@typeInfo(Return)) {
        .error_union => |info| info.payload,
        else => Return,
    };
}
