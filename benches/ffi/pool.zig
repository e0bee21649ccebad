// SPDX-License-Identifier: MIT

//! What one task costs from Zig: workerpool.zig beside std.Thread.Pool, both with two workers. One thread submits TASKS tasks
//! that count, and waits for all. Rounds of all cases in turn; of each case the median, and its ratio to std.Thread.Pool's. ROUNDS
//! (15), TASKS (100,000).

const std = @import("std");
const workerpool = @import("workerpool");

const Counter = std.atomic.Value(u64);
const gpa = std.heap.smp_allocator;

fn count(counter: *Counter) void {
    _ = counter.fetchAdd(1, .monotonic);
}

const Bench = struct {
    ours: workerpool.Pool,
    theirs: *std.Thread.Pool,
    jobs: []workerpool.Job(count),
    counter: Counter = .init(0),

    fn call(bench: *Bench) !void {
        for (bench.jobs) |_| try bench.ours.call(count, &bench.counter);
        try bench.ours.waitIdle(workerpool.forever);
    }

    fn submit(bench: *Bench) !void {
        for (bench.jobs) |*job| {
            job.* = .init(.{&bench.counter});
            try bench.ours.submit(job, .{});
        }
        try bench.ours.waitIdle(workerpool.forever);
    }

    fn spawn(bench: *Bench) !void {
        for (bench.jobs) |_| try bench.ours.spawn(gpa, count, .{&bench.counter}, .{});
        try bench.ours.waitIdle(workerpool.forever);
    }

    fn threadPool(bench: *Bench) !void {
        var group: std.Thread.WaitGroup = .{};
        for (bench.jobs) |_| bench.theirs.spawnWg(&group, count, .{&bench.counter});
        group.wait();
    }
};

const cases = [_]struct { name: []const u8, run: *const fn (*Bench) anyerror!void }{
    .{ .name = "std.Thread.Pool spawnWg", .run = Bench.threadPool },
    .{ .name = "workerpool spawn", .run = Bench.spawn },
    .{ .name = "workerpool submit(job)", .run = Bench.submit },
    .{ .name = "workerpool call", .run = Bench.call },
};

fn setting(name: []const u8, default: usize) !usize {
    return if (std.posix.getenv(name)) |text| std.fmt.parseInt(usize, text, 10) else default;
}

pub fn main() !void {
    const rounds = try setting("ROUNDS", 15);
    const tasks = try setting("TASKS", 100_000);
    var theirs: std.Thread.Pool = undefined;
    try theirs.init(.{ .allocator = gpa, .n_jobs = 2 });
    defer theirs.deinit();
    var bench: Bench = .{
        .ours = try .init(.{ .workers = 2, .capacity = 1024 }),
        .theirs = &theirs,
        .jobs = try gpa.alloc(workerpool.Job(count), tasks),
    };
    defer bench.ours.deinit();

    var took: [cases.len][]f64 = undefined;
    for (&took) |*of| of.* = try gpa.alloc(f64, rounds);
    for (0..rounds + 1) |round| {
        for (cases, took) |case, of| {
            var timer = try std.time.Timer.start();
            try case.run(&bench);
            const each = @as(f64, @floatFromInt(timer.read())) / @as(f64, @floatFromInt(tasks));
            if (round > 0) of[round - 1] = each; // the first warms up
        }
    }
    if (bench.counter.load(.monotonic) != (rounds + 1) * cases.len * tasks) return error.TasksWereLost;
    var out = std.fs.File.stdout().writerStreaming(&.{});
    for (took) |of| std.mem.sort(f64, of, {}, std.sort.asc(f64));
    for (cases, took) |case, of| {
        const median = of[rounds / 2];
        try out.interface.print("zig     {s: <33} {d: >9.1} ns per task  {d: >5.2}\n", .{ case.name, median, median / took[0][rounds / 2] });
    }
}
