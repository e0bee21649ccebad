// SPDX-License-Identifier: MIT
//
// The module "workerpool", its examples and its tests, for Zig 0.15.
//
//     zig build run test -Dprefix=/usr/local -Dlinkage=static
//
// -Dprefix       where libworkerpool is installed: PREFIX/include, PREFIX/lib. Unset: where the compiler looks by itself.
// -Dinclude-dir, -Dlib-dir    the same, each by itself
// -Dlinkage      dynamic (the default), static, or none: the example as an object file, for a target that has no library here
//
// Another project gets it so: `b.dependency("workerpool", .{ .prefix = …, .linkage = … }).module("workerpool")`.

const std = @import("std");

const Linkage = enum { dynamic, static, none };

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{});
    const optimize = b.standardOptimizeOption(.{});
    const linkage = b.option(Linkage, "linkage", "Which library: dynamic (the default), static, or none") orelse .dynamic;
    const prefix = b.option([]const u8, "prefix", "Where libworkerpool is installed");
    const include_dir = b.option([]const u8, "include-dir", "Where workerpool.h is") orelse below(b, prefix, "include");
    const lib_dir = b.option([]const u8, "lib-dir", "Where the library is") orelse below(b, prefix, "lib");

    const workerpool = b.addModule("workerpool", .{
        .root_source_file = b.path("src/workerpool.zig"),
        .target = target,
        .optimize = optimize,
        .link_libc = true,
    });
    if (include_dir) |dir| workerpool.addIncludePath(.{ .cwd_relative = dir });
    if (lib_dir) |dir| workerpool.addLibraryPath(.{ .cwd_relative = dir });
    switch (linkage) {
        .dynamic => {
            link(workerpool, .dynamic);
            if (lib_dir) |dir| workerpool.addRPath(.{ .cwd_relative = dir });
        },
        .static => {
            link(workerpool, .static);
            // What the library needs besides libc: Rust catches its panics by the unwinder, and Zig brings one.
            workerpool.linkSystemLibrary("unwind", .{ .use_pkg_config = .no });
        },
        .none => {
            const object = b.addObject(.{ .name = "hello", .root_module = program(b, "src/hello.zig", workerpool) });
            b.getInstallStep().dependOn(&b.addInstallFile(object.getEmittedBin(), "hello.o").step);
            return;
        },
    }

    const hello = b.addExecutable(.{ .name = "hello", .root_module = program(b, "src/hello.zig", workerpool) });
    b.installArtifact(hello);
    b.step("run", "Run the example").dependOn(&b.addRunArtifact(hello).step);
    const eight_things = b.addExecutable(.{ .name = "eight_things", .root_module = program(b, "src/eight_things.zig", workerpool) });
    b.installArtifact(eight_things);

    const test_step = b.step("test", "Run the tests");
    for ([_][]const u8{ "test/workerpool.zig", "test/stress.zig" }) |path| {
        const run_tests = b.addRunArtifact(b.addTest(.{ .root_module = program(b, path, workerpool) }));
        run_tests.has_side_effects = true; // they test the library too, which may have changed
        test_step.dependOn(&run_tests.step);
    }
}

fn below(b: *std.Build, prefix: ?[]const u8, name: []const u8) ?[]const u8 {
    return if (prefix) |dir| b.pathJoin(&.{ dir, name }) else null;
}

fn link(module: *std.Build.Module, mode: std.builtin.LinkMode) void {
    module.linkSystemLibrary("workerpool", .{ .preferred_link_mode = mode, .search_strategy = .no_fallback, .use_pkg_config = .no });
}

fn program(b: *std.Build, path: []const u8, workerpool: *std.Build.Module) *std.Build.Module {
    return b.createModule(.{
        .root_source_file = b.path(path),
        .target = workerpool.resolved_target,
        .optimize = workerpool.optimize,
        .imports = &.{.{ .name = "workerpool", .module = workerpool }},
    });
}
