// SPDX-License-Identifier: MIT
//
// The module "workerpool", its example and its tests, for Zig 0.15.
//
//     zig build run test -Dprefix=/usr/local -Dlinkage=static
//
// -Dprefix       where libworkerpool is installed: PREFIX/include, PREFIX/lib. Unset: where the compiler looks by itself.
// -Dinclude-dir, -Dlib-dir    the same, each by itself
// -Dlinkage      dynamic (the default) or static
//
// Another project gets it so: `b.dependency("workerpool", .{ .prefix = …, .linkage = … }).module("workerpool")`.

const std = @import("std");

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{});
    const optimize = b.standardOptimizeOption(.{});
    const linkage = b.option(std.builtin.LinkMode, "linkage", "Which library: dynamic (the default) or static") orelse .dynamic;
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
    if (lib_dir) |dir| {
        workerpool.addLibraryPath(.{ .cwd_relative = dir });
        if (linkage == .dynamic) workerpool.addRPath(.{ .cwd_relative = dir });
    }
    workerpool.linkSystemLibrary("workerpool", .{
        .preferred_link_mode = linkage,
        .search_strategy = .no_fallback,
        .use_pkg_config = .no,
    });
    // The static library's own needs: Rust catches its panics by the unwinder, and Zig brings one.
    if (linkage == .static) workerpool.linkSystemLibrary("unwind", .{ .use_pkg_config = .no });

    const hello = b.addExecutable(.{ .name = "hello", .root_module = program(b, "src/hello.zig", workerpool) });
    b.installArtifact(hello);
    const run = b.addRunArtifact(hello);
    b.step("run", "Run the example").dependOn(&run.step);


    // Not linked: what a machine can check that has no library for the target.
    const object = b.addObject(.{ .name = "hello", .root_module = program(b, "src/hello.zig", workerpool) });
    b.step("compile", "Compile the example for the target, without linking it").dependOn(&b.addInstallFile(object.getEmittedBin(), "hello.o").step);

    const test_step = b.step("test", "Run the tests");
    for ([_][]const u8{ "test/workerpool.zig", "test/stress.zig" }) |path| {
        const tests = b.addTest(.{ .root_module = program(b, path, workerpool) });
        const run_tests = b.addRunArtifact(tests);
        run_tests.has_side_effects = true; // they test the library too, which may have changed
        test_step.dependOn(&run_tests.step);
    }
}

fn below(b: *std.Build, prefix: ?[]const u8, name: []const u8) ?[]const u8 {
    return if (prefix) |dir| b.pathJoin(&.{ dir, name }) else null;
}

fn program(b: *std.Build, path: []const u8, workerpool: *std.Build.Module) *std.Build.Module {
    return b.createModule(.{
        .root_source_file = b.path(path),
        .target = workerpool.resolved_target,
        .optimize = workerpool.optimize,
        .imports = &.{.{ .name = "workerpool", .module = workerpool }},
    });
}
