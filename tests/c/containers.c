/* SPDX-License-Identifier: MIT
 *
 * The promise: a pool whose options leave the number of workers to the library has as many as the process may run at once, by its
 * affinity, its cpuset and the quota of its control groups; never none; and the figures tell what decided. (What is read of which
 * file is tested in src/sys/cgroup.rs, against made-up systems; here it is the kernel.)
 *
 * Named after oneTBB's #2056 (a quota of one processor: no worker, and a wait that never ends), #1760 and #190 (224 threads in a
 * container of one processor).
 */
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static unsigned processors(void) {
    cpu_set_t cpus;
    CHECK_EQ(0, sched_getaffinity(0, sizeof cpus, &cpus));
    return (unsigned)CPU_COUNT(&cpus);
}

/* A default pool's figures; it works, too. */
static wp_stats default_pool(void) {
    wp_pool *pool = NULL;
    atomic_uint runs = 0;
    CHECK_EQ(WP_OK, wp_create(NULL, &pool));
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(WP_OK, wp_submit(pool, check_count, &runs));
    }
    CHECK_EQ(WP_OK, wp_wait_idle(pool, 20 * NS_PER_S * (uint64_t)check_slowness));
    CHECK_EQ(100, atomic_load(&runs));
    wp_stats stats = check_stats(pool);
    AWAIT(check_threads() == stats.workers + 1);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    return stats;
}

static void the_options_decide(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = check_pool(3, 4);
    CHECK_EQ(3, check_stats(pool).workers);
    CHECK_EQ(WP_WORKERS_BY_OPTION, check_stats(pool).workers_reason);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    options.mode = WP_MODE_MANUAL;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    CHECK_EQ(1, check_stats(pool).workers);
    CHECK_EQ(WP_WORKERS_BY_OPTION, check_stats(pool).workers_reason);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void the_affinity_decides(void) {
    cpu_set_t cpus, one;
    CHECK_EQ(0, sched_getaffinity(0, sizeof cpus, &cpus));
    int first = 0;
    while (!CPU_ISSET(first, &cpus)) {
        first++;
    }
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    CHECK_EQ(0, sched_setaffinity(0, sizeof one, &one));
    wp_stats stats = default_pool();
    CHECK_EQ(0, sched_setaffinity(0, sizeof cpus, &cpus));
    CHECK_EQ(1, stats.workers);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1 && stats.workers_reason != WP_WORKERS_BY_QUOTA) {
        CHECK_EQ(WP_WORKERS_BY_AFFINITY, stats.workers_reason);
    }
}

static void all_processors_or_what_a_quota_leaves(void) {
    wp_stats stats = default_pool();
    printf("containers: %u workers of %u processors, reason %u\n", stats.workers, processors(), stats.workers_reason);
    CHECK_AT_LEAST(1, stats.workers);
    CHECK_AT_MOST(processors(), stats.workers);
    if (stats.workers_reason == WP_WORKERS_BY_PROCESSORS) {
        CHECK_EQ(sysconf(_SC_NPROCESSORS_ONLN), stats.workers);
    } else if (stats.workers_reason == WP_WORKERS_BY_AFFINITY) {
        CHECK_EQ(processors(), stats.workers);
    } else {
        CHECK_EQ(WP_WORKERS_BY_QUOTA, stats.workers_reason);
    }
}

/* ---- in a real group, where one can be made ---- */

static char group[512];

static bool write_text(const char *name, const char *text) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", group, name);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    bool is_written = write(file, text, strlen(text)) == (ssize_t)strlen(text);
    close(file);
    return is_written;
}

static bool make_group(const char *parent) {
    snprintf(group, sizeof group, "%s/workerpool-test-%d", parent, (int)getpid());
    return mkdir(group, 0755) == 0;
}

/* Moves a child into the group, and asks it. A report of 0 workers: it may not go there. */
static wp_stats default_pool_in_the_group(void) {
    wp_stats stats = WP_STATS_INIT;
    int pipes[2], status = -1;
    CHECK_EQ(0, pipe(pipes));
    pid_t child = check_fork();
    if (child == 0) {
        if (write_text("cgroup.procs", "0")) {
            stats = default_pool();
        }
        CHECK_EQ(sizeof stats, write(pipes[1], &stats, sizeof stats));
        _Exit(0);
    }
    close(pipes[1]);
    ssize_t got = read(pipes[0], &stats, sizeof stats);
    close(pipes[0]);
    CHECK_EQ(child, waitpid(child, &status, 0));
    if (status != 0) {
        rmdir(group); /* Nothing of this test stays in the system. */
    }
    CHECK_EQ(0, status);
    CHECK_EQ(sizeof stats, got);
    return stats;
}

static const struct { const char *name; long tenths; } quotas[] = {
    {"0.5", 5}, {"1", 10}, {"1.5", 15}, {"2", 20}, {"64", 640},
};

static void check_quotas(const char *version, bool (*set)(long microseconds)) {
    for (size_t i = 0; i < sizeof quotas / sizeof *quotas; i++) {
        CHECK(set(quotas[i].tenths * 10000));
        wp_stats stats = default_pool_in_the_group();
        long whole = quotas[i].tenths / 10 > 0 ? quotas[i].tenths / 10 : 1;
        bool decides = quotas[i].tenths / 10 < (long)processors();
        printf("containers: version %s, quota of %s processors: %u workers, reason %u\n", version, quotas[i].name, stats.workers,
               stats.workers_reason);
        ROW(decides ? whole : (long)processors(), stats.workers);
        ROW(decides, stats.workers_reason == WP_WORKERS_BY_QUOTA);
    }
    CHECK_EQ(0, rmdir(group));
}

static bool set_v1(long microseconds) {
    char text[32];
    snprintf(text, sizeof text, "%ld", microseconds);
    return write_text("cpu.cfs_period_us", "100000") && write_text("cpu.cfs_quota_us", text);
}

static bool set_v2(long microseconds) {
    char text[32];
    snprintf(text, sizeof text, "%ld 100000", microseconds);
    return write_text("cpu.max", text);
}

static void a_real_quota_decides(void) {
    static const char *const v1[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"};
    for (size_t i = 0; i < 2; i++) {
        if (make_group(v1[i])) {
            if (set_v1(50000)) {
                check_quotas("1", set_v1);
                return;
            }
            CHECK_EQ(0, rmdir(group));
        }
    }
    if (make_group("/sys/fs/cgroup")) {
        if (set_v2(50000) && default_pool_in_the_group().workers != 0) {
            check_quotas("2", set_v2);
            return;
        }
        CHECK_EQ(0, rmdir(group));
    }
    printf("skipped: no control group with a quota can be made here (containers)\n");
}

static void a_real_cpuset_of_one_decides(void) {
    if (make_group("/sys/fs/cgroup/cpuset")) {
        if (write_text("cpuset.mems", "0") && write_text("cpuset.cpus", "0")) {
            wp_stats stats = default_pool_in_the_group();
            if (stats.workers != 0) {
                ROW(1, stats.workers);
                ROW(sysconf(_SC_NPROCESSORS_ONLN) > 1 ? WP_WORKERS_BY_AFFINITY : WP_WORKERS_BY_PROCESSORS, stats.workers_reason);
                printf("containers: cpuset of one: %u worker, reason %u\n", stats.workers, stats.workers_reason);
                CHECK_EQ(0, rmdir(group));
                return;
            }
        }
        CHECK_EQ(0, rmdir(group));
    }
    printf("skipped: no cpuset of one processor can be made here (containers)\n");
}

int main(void) {
    check_begin("containers");
    CASE(the_options_decide);
    CASE(the_affinity_decides);
    CASE(all_processors_or_what_a_quota_leaves);
    CASE(a_real_quota_decides);
    CASE(a_real_cpuset_of_one_decides);
    return check_end();
}
