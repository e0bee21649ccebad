// SPDX-License-Identifier: MIT

//! The eight things: create, submit, result, cancel, deadline, group, figures, shutdown.
//!
//! The same program stands in C, C++, Go and Python beside, and all print ../../eight_things.expected. docs/languages.md shows them side
//! by side: what stands here between [name] and [end] is copied there by scripts/check-languages.

const std = @import("std");
const workerpool = @import("workerpool");

const Event = std.Thread.ResetEvent;
const Pool = workerpool.Pool;

var buffer: [1024]u8 = undefined;
var stdout: std.fs.File.Writer = undefined;

fn print(comptime format: []const u8, values: anytype) !void {
    try stdout.interface.print(format ++ "\n", values);
}

fn must(comptime what: []const u8, is_so: bool) void {
    if (!is_so) std.debug.panic("not so: " ++ what, .{});
}

/// The only worker stands at a gate, so that it is known what is queued.
const Held = struct {
    started: Event = .{},
    gate: Event = .{},
    job: workerpool.Job(stand) = undefined,

    fn stand(started: *Event, gate: *Event) void {
        started.set();
        gate.wait();
    }

    fn hold(held: *Held, pool: Pool) !void {
        held.job = .init(.{ &held.started, &held.gate });
        try pool.submit(&held.job, .{});
        held.started.wait();
    }

    fn letGo(held: *Held) void {
        held.gate.set();
        held.job.wait() catch unreachable;
    }
};

fn create() !Pool {
    // [create]
    const pool = try workerpool.Pool.init(.{
        .workers = 1,
        .capacity = 2, // that may be queued
        .timers = true, // what is late ends at once, though all workers are busy
    });
    // [end]
    const stats = try pool.stats();
    try print("create: {} worker, room for {} tasks", .{ stats.workers, stats.capacity });
    return pool;
}

// [submit]
fn square(number: u32) u32 {
    return number * number;
}
// [end]

fn submit(pool: Pool) !void {
    var held: Held = .{};
    try held.hold(pool);
    // [submit]
    var first: workerpool.Job(square) = .init(.{1});
    var second: workerpool.Job(square) = .init(.{2});
    var third: workerpool.Job(square) = .init(.{3});
    try pool.submit(&first, .{}); // waits while the queue is full
    try pool.submit(&second, .{});
    const refused = pool.trySubmit(&third, .{}); // never waits: error.Full
    // [end]
    must("the queue is full", refused == error.Full);
    held.letGo();
    // [submit]
    try pool.submit(&third, .{ .timeout = 10 * std.time.ns_per_s }); // waits so long at most
    // [end]
    must("all three ran", try first.wait() == 1 and try second.wait() == 4 and try third.wait() == 9);
    try print("submit: a third is refused while the queue is full, or waits for room", .{});
}

// [result]
fn parse(text: []const u8) !u32 {
    return std.fmt.parseInt(u32, text, 10);
}
// [end]

fn result(pool: Pool) !void {
    // [result]
    var good: workerpool.Job(parse) = .init(.{"42"});
    var bad: workerpool.Job(parse) = .init(.{"seven"});
    try pool.submit(&good, .{});
    try pool.submit(&bad, .{});
    try print("result: {}", .{try good.wait()});
    if (bad.wait()) |_| unreachable else |err| switch (err) { // what the task returned
        error.InvalidCharacter => try print("error: \"seven\" is no number", .{}),
        else => return err,
    }
    // [end]
}

// [cancel]
fn untilTold(context: workerpool.Context, started: *Event) workerpool.Context.Stop {
    started.set();
    while (!context.shouldStop()) std.atomic.spinLoopHint(); // a step of work
    return context.stopReason();
}
// [end]

fn cancel(pool: Pool) !void {
    var started: Event = .{};
    // [cancel]
    const group = try workerpool.Group.init(pool, .{});
    defer group.deinit();
    var told: workerpool.Job(untilTold) = .init(.{&started});
    var never: workerpool.Job(square) = .init(.{5});
    try pool.submit(&told, .{ .group = group });
    try pool.submit(&never, .{ .group = group });
    started.wait();
    try group.cancel(); // what is queued never starts, what runs is told
    const fate = never.wait(); // error.Cancelled
    // [end]
    must("one was told, one cancelled", try told.wait() == .cancelled and fate == error.Cancelled);
    try print("cancel: the running task was told, the queued one never ran", .{});
}

fn deadline(pool: Pool) !void {
    var held: Held = .{};
    try held.hold(pool);
    // [deadline]
    var late: workerpool.Job(square) = .init(.{6});
    try pool.submit(&late, .{ .deadline = pool.now() + 100 * std.time.ns_per_ms });
    const fate = late.wait(); // error.Expired
    // [end]
    must("it expired", fate == error.Expired);
    held.letGo();
    try print("deadline: the late task never ran", .{});
}

fn waitForAGroup(pool: Pool) !void {
    // [group]
    const group = try workerpool.Group.init(pool, .{});
    defer group.deinit();
    var jobs: [3]workerpool.Job(square) = undefined;
    for (&jobs, 1..) |*job, number| {
        job.* = .init(.{@intCast(number)});
        try pool.submit(job, .{ .group = group });
    }
    try group.wait(workerpool.forever); // nothing of it is queued or runs
    // [end]
    const a, const b, const c = .{ try jobs[0].result(), try jobs[1].result(), try jobs[2].result() };
    try print("group: {} + {} + {} = {}", .{ a, b, c, a + b + c });
}

fn figures(pool: Pool) !void {
    // [figures]
    const stats = try pool.stats();
    const ended = stats.ran + stats.cancelled + stats.expired + stats.discarded;
    must("each is counted once", stats.accepted == ended + stats.queued + stats.running);
    // [end]
    try print("figures: {} accepted, each counted once", .{stats.accepted});
}

fn endIt(pool: Pool) !void {
    var job: workerpool.Job(square) = .init(.{7});
    // [shutdown]
    try pool.shutdown(.drain, workerpool.forever); // what was accepted has run, and the threads are gone
    const refused = pool.submit(&job, .{}); // error.Closed
    // [end]
    must("it is closed", refused == error.Closed);
    const stats = try pool.stats();
    try print("shutdown: {} ran ({} failed), {} cancelled, {} expired; the next is refused", .{
        stats.ran, stats.failed, stats.cancelled, stats.expired,
    });
    // [shutdown]
    pool.deinit();
    // [end]
}

pub fn main() !void {
    stdout = std.fs.File.stdout().writerStreaming(&buffer);
    const pool = try create();
    try submit(pool);
    try result(pool);
    try cancel(pool);
    try deadline(pool);
    try waitForAGroup(pool);
    try figures(pool);
    try endIt(pool);
    try stdout.interface.flush();
}
