// SPDX-License-Identifier: MIT
//
// The promise (law L7): an exception that leaves a callback, of whatever kind and on whichever thread it runs, ends the process
// with one line that says so; one that is caught inside is nobody's business. No message comes from anywhere else.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <workerpool.h>

namespace {

const char *const line =
    "libworkerpool: a callback of a pool did not return: an exception left it, or its thread was ended. "
    "A callback must return; catch the exception inside it. The process ends here.\n";

int passed, failed;

void expect(bool holds, const char *name, const std::string &got) {
    if (holds) {
        passed++;
    } else {
        failed++;
        std::printf("%s: got \"%s\"\n", name, got.c_str());
    }
}

extern "C" void throw_plain(void *) { throw std::runtime_error("from a task"); }
extern "C" int throw_full(wp_context *, void *) { throw 5; }
extern "C" int return_full(wp_context *, void *) { return 0; }
extern "C" void throw_end(const wp_outcome *, void *) { throw std::string("from an end"); }
extern "C" void throw_hook(uint32_t, void *) { throw std::logic_error("from a hook"); }
extern "C" void hold(void *arg) {
    char byte;
    while (read(*static_cast<int *>(arg), &byte, 1) == 1) {
    }
}
extern "C" void catch_inside(void *arg) {
    try {
        throw std::runtime_error("caught");
    } catch (const std::exception &) {
        ++*static_cast<int *>(arg);
    }
}

wp_pool *make(const wp_options &options) {
    wp_pool *pool;
    if (wp_create(&options, &pool) != WP_OK) std::exit(2);
    return pool;
}

wp_options small() {
    wp_options options = WP_OPTIONS_INIT;
    options.workers = 1;
    return options;
}

void must(int code) {
    if (code != WP_OK) std::exit(3);
}

wp_task full(wp_task_fn code, wp_end_fn end, wp_results *results = nullptr) {
    wp_task task = WP_TASK_INIT;
    task.run = code;
    task.end = end;
    task.results = results;
    return task;
}

void run(const wp_task &task) {
    wp_pool *pool = make(small());
    must(wp_submit_task(pool, &task, WP_FOREVER));
    wp_destroy(pool);
}

void in_a_plain_task() {
    wp_pool *pool = make(small());
    must(wp_submit(pool, throw_plain, nullptr));
    wp_destroy(pool);
}

void in_a_full_task() { run(full(throw_full, nullptr)); }

void in_an_end() { run(full(return_full, throw_end)); }

void in_a_task_with_results() {
    wp_results *results;
    must(wp_results_create(nullptr, &results));
    run(full(throw_full, throw_end, results));
}

// On the caller's thread, inside a try block that must not see it.
void in_the_end_of_a_discarded_task() {
    wp_pool *pool = make(small());
    int pipes[2];
    if (pipe(pipes) != 0) std::exit(2);
    wp_task task = full(return_full, throw_end);
    must(wp_submit(pool, hold, &pipes[0]));
    must(wp_submit_task(pool, &task, 0));
    try {
        (void)!wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, nullptr);
    } catch (...) {
        std::_Exit(4);
    }
}

void in_a_start_hook() {
    wp_options options = small();
    options.on_thread_start = throw_hook;
    wp_destroy(make(options));
}

void in_a_stop_hook() {
    wp_options options = small();
    options.on_thread_stop = throw_hook;
    wp_destroy(make(options));
}

void in_a_manual_pool() {
    wp_options options = small();
    options.mode = WP_MODE_MANUAL;
    wp_pool *pool = make(options);
    must(wp_submit(pool, throw_plain, nullptr));
    try {
        (void)!wp_run(pool, 1, nullptr);
    } catch (...) {
        std::_Exit(4);
    }
}

// Runs it in a child, and gives what that wrote to its error output.
std::string errors_of(void (*body)(), int &status) {
    int pipes[2];
    std::string text;
    char buffer[512];
    std::fflush(stdout);
    if (pipe(pipes) != 0) std::exit(2);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        alarm(60);
        body();
        _exit(0);
    }
    close(pipes[1]);
    for (ssize_t got; (got = read(pipes[0], buffer, sizeof buffer)) > 0;) {
        text.append(buffer, static_cast<size_t>(got));
    }
    close(pipes[0]);
    if (waitpid(child, &status, 0) != child) std::exit(2);
    return text;
}

void ends_the_process(const char *name, void (*body)()) {
    int status = -1;
    std::string text = errors_of(body, status);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && text == line, name, text + ", status " + std::to_string(status));
}

void one_that_is_caught_inside_does_not() {
    wp_pool *pool = make(small());
    int caught = 0;
    for (int i = 0; i < 1000; i++) {
        must(wp_submit(pool, catch_inside, &caught));
    }
    wp_destroy(pool);
    expect(caught == 1000, "one_that_is_caught_inside_does_not", std::to_string(caught));
}

}  // namespace

int main() {
    ends_the_process("in_a_plain_task", in_a_plain_task);
    ends_the_process("in_a_full_task", in_a_full_task);
    ends_the_process("in_a_task_with_results", in_a_task_with_results);
    ends_the_process("in_an_end", in_an_end);
    ends_the_process("in_the_end_of_a_discarded_task", in_the_end_of_a_discarded_task);
    ends_the_process("in_a_start_hook", in_a_start_hook);
    ends_the_process("in_a_stop_hook", in_a_stop_hook);
    ends_the_process("in_a_manual_pool", in_a_manual_pool);
    one_that_is_caught_inside_does_not();
    std::printf("exceptions: %d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
