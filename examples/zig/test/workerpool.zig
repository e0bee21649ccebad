// SPDX-License-Identifier: MIT

//! Each thing that workerpool.zig can do: jobs and their fates, refusals, groups, deadlines, results, the manual pool.

const std = @import("std");
const workerpool = @import("workerpool");
const Context = workerpool.Context;
const Group = workerpool.Group;
const Job = workerpool.Job;
const Pool = workerpool.Pool;
const Results = workerpool.Results;
const expect = std.testing.expect;
const expectEqual = std.testing.expectEqual;
const expectError = std.testing.expectError;
const forever = workerpool.forever;

fn double(number: u32) u32 {
    return 2 * number;
}

const Odd = error{ Odd, Zero };

fn half(number: u32) Odd!u32 {
    if (number == 0) return error.Zero;
    return if (number % 2 == 0) number / 2 else error.Odd;
}

fn nothing() void {}

fn append(list: *std.ArrayList(u32), number: u32) void {
    list.appendAssumeCapacity(number);
}

/// Holds the only worker of a pool until it is opened.
const Gate = struct {
    started: std.Thread.ResetEvent = .{},
    opened: std.Thread.ResetEvent = .{},

    fn hold(gate: *Gate) void {
        gate.started.set();
        gate.opened.wait();
    }

    fn shut(gate: *Gate, pool: Pool) !void {
        try pool.call(hold, gate);
        gate.started.wait();
    }
};

test "a value, and an error that is its task's and no other" {
    const pool = try Pool.init(.{ .workers = 2, .capacity = 8 });
    defer pool.deinit();
    const group = try Group.init(pool, .{});
    defer group.deinit();
    var good: Job(double) = .init(.{21});
    var bad: Job(half) = .init(.{3});
    var other: Job(half) = .init(.{8});
    try pool.submit(&good, .{ .group = group });
    try pool.submit(&bad, .{ .group = group });
    try pool.submit(&other, .{ .group = group });
    try expectEqual(42, good.wait());
    try expectError(error.Odd, bad.wait());
    try expectEqual(4, other.wait());
    try group.wait(forever);
    const status = try group.status();
    try expectEqual(@as(?anyerror, error.Odd), Group.firstError(status));
    try expectEqual(.{ 3, 1 }, .{ status.ran, status.failed });
}

test "the types say what may come out" {
    const Waited = @typeInfo(@TypeOf(Job(half).wait)).@"fn".return_type.?;
    try expectEqual((Odd || workerpool.NotRun)!u32, Waited);
    try expectEqual(workerpool.NotRun!u32, @typeInfo(@TypeOf(Job(double).wait)).@"fn".return_type.?);
    try expectEqual(std.meta.Tuple(&.{u32}), Job(half).Args);
}

test "a task's context" {
    const pool = try Pool.init(.{ .workers = 3, .timers = true });
    defer pool.deinit();
    const group = try Group.init(pool, .{});
    defer group.deinit();
    const inside = struct {
        fn run(context: Context, mine: *workerpool.c.wp_group) !u64 {
            try expect(context.group().?.handle == mine);
            try expect(context.worker() < 3);
            try expectEqual(.none, context.stopReason());
            try std.testing.expectEqualStrings("label", std.mem.span(context.label().?));
            return context.timeLeft().?;
        }
    };
    var job: Job(inside.run) = .init(.{group.handle});
    try pool.submit(&job, .{ .group = group, .label = "label", .deadline = pool.now() + std.time.ns_per_hour });
    const left = try job.wait();
    try expect(0 < left and left <= std.time.ns_per_hour);
}

test "a full queue refuses, or makes wait" {
    var gate: Gate = .{};
    const pool = try Pool.init(.{ .workers = 1, .capacity = 1 });
    defer pool.deinit();
    try gate.shut(pool);
    defer gate.opened.set(); // also when the test fails
    var first: Job(nothing) = .init(.{});
    var second: Job(nothing) = .init(.{});
    try pool.submit(&first, .{});
    try expectError(error.Full, pool.trySubmit(&second, .{}));
    try expectError(error.TimedOut, pool.submit(&second, .{ .timeout = std.time.ns_per_ms }));
    try expectError(error.Full, pool.spawn(std.testing.allocator, double, .{1}, .{ .timeout = 0 })); // and leaks nothing
    try expect(second.fate == .pending);
    const waiting = try std.Thread.spawn(.{}, struct {
        fn run(full: Pool, job: *Job(nothing)) void {
            full.submit(job, .{}) catch unreachable;
        }
    }.run, .{ pool, &second });
    while ((try pool.stats()).waiting == 0) std.Thread.yield() catch {};
    gate.opened.set();
    waiting.join();
    try second.wait();
    try first.wait();
}

test "cancelled, expired and discarded are three fates" {
    var gate: Gate = .{};
    const pool = try Pool.init(.{ .workers = 1, .capacity = 8 });
    defer pool.deinit();
    const group = try Group.init(pool, .{});
    defer group.deinit();
    try gate.shut(pool);
    defer gate.opened.set(); // also when the test fails
    var cancelled: Job(half) = .init(.{2});
    var expired: Job(half) = .init(.{2});
    var discarded: Job(half) = .init(.{2});
    try pool.submit(&cancelled, .{ .group = group });
    try pool.submit(&expired, .{ .deadline = 1 });
    try pool.submit(&discarded, .{});
    try group.cancel();
    try expectError(error.Cancelled, cancelled.wait());
    try expectError(error.GroupCancelled, pool.submit(&cancelled, .{ .group = group }));
    try expectError(error.Timeout, expired.timedWait(0));
    try expectError(error.TimedOut, pool.shutdown(.cancel, 0));
    // A deadline that has passed goes before the shutdown.
    if (expired.wait()) |_| return error.ItRan else |fate| try expect(fate == error.Expired or fate == error.Discarded);
    try expectError(error.Discarded, discarded.wait());
    try expectError(error.Closed, pool.submit(&discarded, .{}));
    gate.opened.set();
    try pool.shutdown(.drain, forever);
}

test "a deadline with a timer, though the worker is busy" {
    var gate: Gate = .{};
    const pool = try Pool.init(.{ .workers = 1, .timers = true });
    defer pool.deinit();
    try gate.shut(pool);
    defer gate.opened.set(); // also when the test fails
    var late: Job(nothing) = .init(.{});
    try pool.submit(&late, .{ .deadline = pool.now() + std.time.ns_per_ms });
    try expectError(error.Expired, late.wait());
    gate.opened.set();
}

test "the first failure cancels the group, and reaches what runs" {
    const pool = try Pool.init(.{ .workers = 2 });
    defer pool.deinit();
    const outer = try Group.init(pool, .{});
    defer outer.deinit();
    const group = try Group.init(pool, .{ .parent = outer, .on_error = .cancel });
    defer group.deinit();
    const untilStopped = struct {
        fn run(context: Context) Context.Stop {
            while (!context.shouldStop()) std.atomic.spinLoopHint();
            return context.stopReason();
        }
    }.run;
    var running: Job(untilStopped) = .init(.{});
    var bad: Job(half) = .init(.{0});
    try pool.submit(&running, .{ .group = group });
    try pool.submit(&bad, .{ .group = group });
    try outer.wait(forever);
    try expectEqual(.failed, running.result());
    try expectEqual(@as(?anyerror, error.Zero), Group.firstError(try outer.status()));
}

test "a limited group is a serial queue; call, and many spawned tasks" {
    const pool = try Pool.init(.{ .workers = 4, .capacity = 16 });
    defer pool.deinit();
    const serial = try Group.init(pool, .{ .max_running = 1 });
    defer serial.deinit();
    var storage: [100]u32 = undefined;
    var list: std.ArrayList(u32) = .initBuffer(&storage);
    for (0..100) |n| try pool.spawn(std.testing.allocator, append, .{ &list, @intCast(n) }, .{ .group = serial });
    try serial.wait(forever);
    for (list.items, 0..) |number, n| try expectEqual(n, number);
    try expectEqual(100, list.items.len);
}

test "waiting for a group inside a task runs its tasks" {
    const pool = try Pool.init(.{ .workers = 1 });
    defer pool.deinit();
    const sum = struct {
        fn run(of: Pool) !u32 {
            const group = try Group.init(of, .{});
            defer group.deinit();
            var parts: [3]Job(double) = undefined;
            for (&parts, 1..) |*part, n| {
                part.* = .init(.{@intCast(n)});
                try of.submit(part, .{ .group = group });
            }
            try expectError(error.WouldDeadlock, of.waitIdle(forever));
            try group.wait(forever);
            var total: u32 = 0;
            for (&parts) |*part| total += try part.result();
            return total;
        }
    };
    var job: Job(sum.run) = .init(.{pool});
    try pool.submit(&job, .{});
    try expectEqual(12, try job.wait());
}

test "results come in the order of the ends" {
    const pool = try Pool.init(.{ .workers = 1 });
    defer pool.deinit();
    const results = try Results.init(.{ .capacity = 2 });
    defer results.deinit();
    var jobs: [2]Job(half) = .{ .init(.{4}), .init(.{5}) };
    for (&jobs, 0..) |*job, n| try pool.submit(job, .{ .results = results, .user_data = n });
    try expectError(error.ResultsFull, pool.submit(&jobs[0], .{ .results = results }));
    var polled = [_]std.posix.pollfd{.{ .fd = try results.fd(), .events = std.posix.POLL.IN, .revents = 0 }};
    try expectEqual(1, try std.posix.poll(&polled, 60_000));
    for (&jobs, 0..) |*job, n| {
        const record = (try results.next(forever)).?;
        try expectEqual(.{ job, n, .ran }, .{ record.job(Job(half)), record.raw.user_data, record.fate() });
    }
    try expectError(error.TimedOut, results.next(0));
    try results.close();
    try expectEqual(null, try results.next(forever));
}

test "a manual pool runs nothing but when it is told, on its own clock" {
    const pool = try Pool.init(.{ .mode = .manual, .timers = true });
    defer pool.deinit();
    var job: Job(double) = .init(.{4});
    var late: Job(double) = .init(.{4});
    try pool.submit(&job, .{});
    try pool.submit(&late, .{ .deadline = pool.now() + 10 });
    try expectError(error.Timeout, job.timedWait(0));
    try expectEqual(1, try pool.run(1));
    try expectEqual(8, try job.result());
    try pool.advance(10);
    try expectError(error.Expired, late.result());
}

test "every code is an error of its own, and bad input is one" {
    try expectError(error.InvalidArgument, Pool.init(.{ .capacity = workerpool.c.WP_CAPACITY_MAX + 1 }));
    try expectError(error.InvalidArgument, Results.init(.{ .capacity = workerpool.c.WP_CAPACITY_MAX + 1 }));
    var met: [12]workerpool.Error = undefined;
    for (&met, 1..) |*err, n| {
        err.* = if (workerpool.check(-@as(c_int, @intCast(n)))) unreachable else |code| code;
        for (met[0 .. n - 1]) |before| try expect(before != err.*);
    }
    try expectError(error.UnknownCode, workerpool.check(-13));
}
