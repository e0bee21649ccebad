/* SPDX-License-Identifier: MIT
 *
 * The promise (law L7): a task that uses more stack than its worker has hits a page that nobody may touch. The process ends by
 * SIGSEGV; what lies below is never written, whoever owns it.
 */
#include "check.h"

#include <sys/resource.h>
#include <sys/wait.h>

/* Frames of a few hundred bytes, each written to, so that none skips a page: far more of them than any stack here has room for. */
static __attribute__((noinline)) unsigned dive(volatile unsigned char *above, unsigned long left) {
    volatile unsigned char frame[256];
    for (size_t i = 0; i < sizeof frame; i += 64) {
        frame[i] = (unsigned char)(*above + i);
    }
    return left == 0 ? 0 : dive(frame, left - 1) + frame[64]; /* not a tail call */
}

static void overflow(void *arg) {
    volatile unsigned char begin = 0;
    (void)arg;
    printf("%u\n", dive(&begin, 1 << 20));
}

/* The lowest address of each worker's stack, and what is said of the page there in /proc/self/maps. */
static void the_page_below_is_nobodys(void *arg) {
    pthread_attr_t attributes;
    void *address;
    size_t size = 0, guard = 0;
    (void)arg;
    CHECK_EQ(0, pthread_getattr_np(pthread_self(), &attributes));
    CHECK_EQ(0, pthread_attr_getstack(&attributes, &address, &size));
    CHECK_EQ(0, pthread_attr_getguardsize(&attributes, &guard));
    CHECK_EQ(0, pthread_attr_destroy(&attributes));
    CHECK_AT_LEAST(1, guard);
    uintptr_t below = (uintptr_t)address - 1;
    bool is_closed = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps != NULL);
    for (char line[512]; fgets(line, sizeof line, maps) != NULL;) {
        unsigned long first, end;
        char access[8];
        if (sscanf(line, "%lx-%lx %7s", &first, &end, access) == 3 && first <= below && below < end) {
            is_closed = strncmp(access, "---", 3) == 0;
        }
    }
    fclose(maps);
    CHECK(is_closed);
}

static void each_stack_ends_at_a_guard_page(void) {
    static const uint64_t sizes[] = {WP_STACK_MIN, 100000, 0, 8 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        wp_options options = WP_OPTIONS_INIT;
        wp_pool *pool;
        options.workers = 4;
        options.stack_size = sizes[i];
        CHECK_EQ(WP_OK, wp_create(&options, &pool));
        for (int task = 0; task < 16; task++) {
            CHECK_EQ(WP_OK, wp_submit(pool, the_page_below_is_nobodys, NULL));
        }
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

static void an_overflow_is_a_fault_at_once(void) {
    static const uint64_t sizes[] = {WP_STACK_MIN, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pid_t child = check_fork();
        if (child == 0) {
            struct rlimit none = {0, 0};
            wp_options options = WP_OPTIONS_INIT;
            wp_pool *pool;
            CHECK_EQ(0, setrlimit(RLIMIT_CORE, &none));
            CHECK(signal(SIGSEGV, SIG_DFL) != SIG_ERR);
            options.workers = 3; /* Stacks beside each other. */
            options.stack_size = sizes[i];
            CHECK_EQ(WP_OK, wp_create(&options, &pool));
            CHECK_EQ(WP_OK, wp_submit(pool, overflow, NULL));
            wp_wait_idle(pool, WP_FOREVER) == WP_OK ? _exit(1) : _exit(2);
        }
        int status = -1;
        CHECK_EQ(child, waitpid(child, &status, 0));
        CHECK(WIFSIGNALED(status));
        CHECK_EQ(SIGSEGV, WTERMSIG(status));
    }
}

int main(void) {
    check_begin("stack_overflow");
    if (CHECK_SANITIZED || check_on_valgrind()) {
        check_skip("a sanitizer or valgrind looks after the stacks itself");
    }
    CASE(an_overflow_is_a_fault_at_once);
    CASE(each_stack_ends_at_a_guard_page);
    return check_end();
}
