// SPDX-License-Identifier: MIT

//! The whole of workerpool.zig in eight steps; what it prints is in hello.expected.

const std = @import("std");
const workerpool = @import("workerpool");

fn square(number: u32) u32 {
    return number * number;
}

fn parse(text: []const u8) !u32 {
    return std.fmt.parseInt(u32, text, 10);
}

fn hold(started: *std.Thread.ResetEvent, gate: *std.Thread.ResetEvent) void {
    started.set();
    gate.wait();
}

fn untilStopped(context: workerpool.Context, started: *std.Thread.ResetEvent) workerpool.Context.Stop {
    started.set();
    while (!context.shouldStop()) std.atomic.spinLoopHint();
    return context.stopReason();
}

pub fn main() !void {
    var buffer: [512]u8 = undefined;
    var stdout = std.fs.File.stdout().writerStreaming(&buffer);
    const out = &stdout.interface;
    defer out.flush() catch {};

    // 1. Create. At the end of the scope everything accepted has run, and the threads are gone.
    const pool = try workerpool.Pool.init(.{ .workers = 1, .capacity = 4, .name = "hello", .timers = true });
    defer pool.deinit();

    // 2. Submit, with backpressure: behind one task that runs and four that are queued submit() would wait.
    var started: std.Thread.ResetEvent = .{};
    var gate: std.Thread.ResetEvent = .{};
    errdefer gate.set(); // or the pool's end would wait for a task that waits for ever
    var first: workerpool.Job(hold) = .init(.{ &started, &gate });
    try pool.submit(&first, .{});
    started.wait();
    var squares: [4]workerpool.Job(square) = undefined;
    for (&squares, 0..) |*job, n| {
        job.* = .init(.{@intCast(n)});
        try pool.submit(job, .{});
    }
    var fifth: workerpool.Job(square) = .init(.{4});
    if (pool.trySubmit(&fifth, .{})) unreachable else |refused| try out.print("full: {t}\n", .{refused});
    gate.set();

    // 3. A result, or the error: an error belongs to its task and no other.
    try out.print("squares:", .{});
    for (&squares) |*job| try out.print(" {}", .{try job.wait()});
    var bad: workerpool.Job(parse) = .init(.{"seven"});
    try pool.submit(&bad, .{});
    try out.print("\nerror: {t}\n", .{if (bad.wait()) |_| unreachable else |err| err});

    // 4. Cancel: what runs is told, what is queued never starts.
    started.reset();
    const group = try workerpool.Group.init(pool, .{});
    defer group.deinit();
    errdefer group.cancel() catch {};
    var told: workerpool.Job(untilStopped) = .init(.{&started});
    var never: workerpool.Job(square) = .init(.{5});
    try pool.submit(&told, .{ .group = group });
    try pool.submit(&never, .{ .group = group });
    started.wait();

    // 5. A deadline: the only worker is busy, so this task can't start in time and never runs.
    var late: workerpool.Job(square) = .init(.{6});
    try pool.submit(&late, .{ .deadline = pool.now() + 10 * std.time.ns_per_ms });
    try out.print("late: {t}\n", .{if (late.wait()) |_| unreachable else |fate| fate});
    try group.cancel();
    const fate = if (never.wait()) |_| unreachable else |fate| fate;
    try out.print("told: {t} never: {t}\n", .{ try told.wait(), fate });

    // 6. Wait for a group; and results, in the order in which the tasks ended.
    const three = try workerpool.Group.init(pool, .{});
    defer three.deinit();
    const results = try workerpool.Results.init(.{ .capacity = 3 });
    defer results.deinit();
    for (squares[0..3], 0..) |*job, n| {
        job.* = .init(.{@intCast(3 - n)});
        try pool.submit(job, .{ .group = three, .results = results });
    }
    try three.wait(workerpool.forever);
    try results.close();
    try out.print("results:", .{});
    while (try results.next(0)) |record| try out.print(" {}", .{try record.job(workerpool.Job(square)).result()});

    // 7. Figures. A job is done a moment before its task is over; waitIdle() waits for that too.
    try pool.waitIdle(workerpool.forever);
    const figures = try pool.stats();
    try out.print("\nfigures: {} accepted, {} ran, {} failed, {} cancelled, {} expired\n", .{
        figures.accepted, figures.ran, figures.failed, figures.cancelled, figures.expired,
    });

    // 8. Shut down: nothing is accepted any more.
    try pool.shutdown(.drain, workerpool.forever);
    if (pool.submit(&fifth, .{})) unreachable else |refused| try out.print("closed: {t}\n", .{refused});
}
