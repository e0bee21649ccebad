// SPDX-License-Identifier: MIT

//! Laws L2 to L5 from Zig: whatever the traffic and whenever the shutdown, each accepted task meets one fate and a refused one none;
//! the figures agree; and when a wait or a shutdown says that it is over nothing of what it covers runs or is touched.
//!
//! A round: 8 producers against 4 workers, with capacity 1, 2, 64 and 1,024 in turn; submits that wait, that don't, and that
//! wait a little; tasks that fail, in groups that get cancelled, with deadlines; one or two threads that shut the pool down at a
//! random point, in either mode, sometimes in steps. The jobs lie in memory that becomes inaccessible when the first shutdown has
//! returned. Beside each job goes a spawned task, whose memory tells: one that never ends leaks, one that ends twice is freed twice.
//!
//! WP_ROUNDS: rounds, 24 in the short form; WP_SEED: a seed, to run a failure again.

const std = @import("std");
const workerpool = @import("workerpool");

const producers = 8;
const workers = 4;
const most = 200;
const total = producers * most;

const Failed = error{Failed};
const Record = struct { job: workerpool.Job(work), runs: std.atomic.Value(u32) };
const Verdict = enum { never_tried, accepted, refused };

/// What the tasks write to. Nobody else touches it from the start of a round to the shutdown's return.
var records: []align(std.heap.page_size_min) Record = undefined;
var seen: [total]Record = undefined;
var sealed: std.atomic.Value(bool) = .init(false);
/// Of each task: a wait for its group has said that it is over.
var over: [total]std.atomic.Value(bool) = undefined;
var late: std.atomic.Value(u32) = .init(0);
var spawned: std.atomic.Value(u32) = .init(0);
var attempts: std.atomic.Value(u32) = .init(0);
var verdicts: [total]Verdict = undefined;
var pool: workerpool.Pool = undefined;

fn work(context: workerpool.Context, index: u32) Failed!u32 {
    if (over[index].load(.acquire)) _ = late.fetchAdd(1, .monotonic);
    _ = records[index].runs.fetchAdd(1, .monotonic);
    if (index % 5 == 0) std.Thread.yield() catch {};
    return if (index % 7 == 0) error.Failed else index + context.worker() - context.worker();
}

fn count() void {
    _ = spawned.fetchAdd(1, .monotonic);
}

const Producer = struct {
    first: u32,
    tasks: u32,
    dice: std.Random.DefaultPrng,
    gpa: std.mem.Allocator,
    spawns: u32 = 0,

    fn run(me: *Producer) void {
        me.produce() catch |err| std.debug.panic("producer: {t}", .{err});
    }

    fn produce(me: *Producer) !void {
        const dice = me.dice.random();
        var group = try workerpool.Group.init(pool, .{});
        defer group.deinit();
        var members: [most]u32 = undefined;
        var joined: usize = 0;
        for (me.first..me.first + me.tasks) |index| {
            const joins = dice.boolean();
            _ = attempts.fetchAdd(1, .monotonic);
            const terms: workerpool.Terms = .{
                .timeout = switch (dice.uintLessThan(u8, 3)) {
                    0 => 0,
                    1 => dice.uintLessThan(u64, 2 * std.time.ns_per_ms),
                    else => workerpool.forever,
                },
                .group = if (joins) group else null,
                .deadline = if (dice.uintLessThan(u8, 4) == 0) pool.now() + dice.uintLessThan(u64, 100_000) else 0,
            };
            if (pool.submit(&records[index].job, terms)) {
                verdicts[index] = .accepted;
                if (joins) {
                    members[joined] = @intCast(index);
                    joined += 1;
                }
            } else |refused| {
                verdicts[index] = .refused;
                switch (refused) {
                    error.Full, error.TimedOut, error.Closed => {},
                    else => return refused,
                }
            }
            if (dice.boolean()) {
                if (pool.spawn(me.gpa, count, .{}, terms)) {
                    me.spawns += 1;
                } else |refused| switch (refused) {
                    error.Full, error.TimedOut, error.Closed => {},
                    else => return refused,
                }
            }
            if (dice.uintLessThan(u8, 40) == 0) {
                // L5 of a group: what was waited for is over. A new group takes its place.
                if (dice.boolean()) try group.cancel();
                try group.wait(workerpool.forever);
                for (members[0..joined]) |member| over[member].store(true, .release);
                const status = try group.status();
                try std.testing.expectEqual(0, status.queued + status.running);
                group.deinit();
                group = try .init(pool, .{});
                joined = 0;
            }
        }
    }
};

const Closer = struct {
    at: u32,
    dice: std.Random.DefaultPrng,

    fn run(me: *Closer) void {
        const dice = me.dice.random();
        while (attempts.load(.monotonic) < me.at) std.Thread.yield() catch {};
        const mode = dice.enumValue(workerpool.ShutdownMode);
        const in_steps = dice.boolean();
        while (true) {
            pool.shutdown(mode, if (in_steps) dice.uintLessThan(u64, 200_000) else workerpool.forever) catch |err| {
                if (err != error.TimedOut) std.debug.panic("shutdown: {t}", .{err});
                continue;
            };
            break;
        }
        // Over. Whoever is told so first takes the records out of the tasks' reach.
        if (!sealed.swap(true, .acq_rel)) {
            @memcpy(&seen, records);
            std.posix.mprotect(std.mem.sliceAsBytes(records), std.posix.PROT.NONE) catch unreachable;
        }
    }
};

const Fates = struct { ran: u64 = 0, failed: u64 = 0, cancelled: u64 = 0, expired: u64 = 0, discarded: u64 = 0 };

fn oneRound(seed: *std.Random.DefaultPrng, capacity: u32, all: *Fates) !void {
    const dice = seed.random();
    var gpa: std.heap.DebugAllocator(.{ .thread_safe = true, .stack_trace_frames = 0 }) = .init;
    pool = try .init(.{ .workers = workers, .capacity = capacity, .timers = dice.boolean() });
    for (records, 0..) |*record, index| record.* = .{ .job = .init(.{@intCast(index)}), .runs = .init(0) };
    @memset(&over, .init(false));
    @memset(&verdicts, .never_tried);
    inline for (.{ &late, &spawned, &attempts }) |counter| counter.store(0, .monotonic);
    sealed.store(false, .monotonic);

    var producing: [producers]Producer = undefined;
    var sum: u32 = 0;
    for (&producing, 0..) |*producer, p| {
        producer.* = .{
            .first = @intCast(p * most),
            .tasks = dice.intRangeAtMost(u32, 1, most),
            .dice = .init(dice.int(u64)),
            .gpa = gpa.allocator(),
        };
        sum += producer.tasks;
    }
    var closing: [2]Closer = undefined;
    const closers = dice.intRangeAtMost(usize, 1, 2);
    for (closing[0..closers]) |*closer| closer.* = .{ .at = dice.uintAtMost(u32, sum), .dice = .init(dice.int(u64)) };

    var threads: [producers + 2]std.Thread = undefined;
    for (&producing, threads[0..producers]) |*producer, *thread| thread.* = try .spawn(.{}, Producer.run, .{producer});
    for (closing[0..closers], threads[producers..][0..closers]) |*closer, *thread| thread.* = try .spawn(.{}, Closer.run, .{closer});
    for (threads[0 .. producers + closers]) |thread| thread.join();

    const stats = try pool.stats();
    pool.deinit();
    try std.posix.mprotect(std.mem.sliceAsBytes(records), std.posix.PROT.READ | std.posix.PROT.WRITE);

    var fates: Fates = .{};
    var accepted: u64 = 0;
    for (&seen, &verdicts, 0..) |*record, verdict, index| {
        const runs = record.runs.load(.monotonic);
        if (verdict != .accepted) {
            try std.testing.expectEqual(0, runs);
            try std.testing.expect(record.job.fate == .pending and !record.job.done.isSet());
            continue;
        }
        accepted += 1;
        try std.testing.expect(record.job.done.isSet());
        try std.testing.expectEqual(@intFromBool(record.job.fate == .ran), runs);
        switch (record.job.fate) {
            .pending => return error.AcceptedAndNeverEnded,
            .ran => |returned| {
                try std.testing.expectEqual(if (index % 7 == 0) Failed.Failed else @as(Failed!u32, @intCast(index)), returned);
                fates.ran += 1;
                if (returned) |_| {} else |_| fates.failed += 1;
            },
            .cancelled => fates.cancelled += 1,
            .expired => fates.expired += 1,
            .discarded => fates.discarded += 1,
        }
    }
    for (&producing) |*producer| accepted += producer.spawns;
    try std.testing.expectEqual(0, late.load(.monotonic));
    try std.testing.expectEqual(accepted, stats.accepted);
    try std.testing.expectEqual(fates.ran + spawned.load(.monotonic), stats.ran);
    try std.testing.expectEqual(fates.failed, stats.failed);
    try std.testing.expectEqual(accepted, stats.ran + stats.cancelled + stats.expired + stats.discarded);
    try std.testing.expect(fates.cancelled <= stats.cancelled and fates.expired <= stats.expired);
    // The spawned tasks' memory: each was freed, once.
    try std.testing.expectEqual(.ok, gpa.deinit());
    inline for (@typeInfo(Fates).@"struct".fields) |field| @field(all, field.name) += @field(fates, field.name);
}

fn setting(name: []const u8, default: u64) !u64 {
    return if (std.posix.getenv(name)) |text| std.fmt.parseInt(u64, text, 10) else default;
}

test "one fate, and waiting means over" {
    const rounds = try setting("WP_ROUNDS", 24);
    const seed = try setting("WP_SEED", @truncate(@as(u128, @bitCast(std.time.nanoTimestamp()))));
    errdefer std.debug.print("WP_SEED={}\n", .{seed});
    var dice: std.Random.DefaultPrng = .init(seed);
    const memory = try std.posix.mmap(
        null,
        std.mem.alignForward(usize, total * @sizeOf(Record), std.heap.pageSize()),
        std.posix.PROT.READ | std.posix.PROT.WRITE,
        .{ .TYPE = .PRIVATE, .ANONYMOUS = true },
        -1,
        0,
    );
    defer std.posix.munmap(memory);
    records = @as([*]align(std.heap.page_size_min) Record, @ptrCast(memory.ptr))[0..total];
    var fates: Fates = .{};
    for (0..rounds) |round| try oneRound(&dice, ([_]u32{ 1, 2, 64, 1024 })[round % 4], &fates);
    inline for (@typeInfo(Fates).@"struct".fields) |field| {
        if (@field(fates, field.name) == 0) return error.AFateWasNeverMet;
    }
}
