/* SPDX-License-Identifier: MIT
 *
 * treehash: the SHA-256 of every regular file under some directories, in the format of sha256sum.
 *
 *     treehash [-j workers] [-q capacity] [--ready-fd N] DIR...   >manifest
 *     sha256sum -c manifest
 *
 * One thread walks the trees while the pool's workers hash. Memory does not grow with the trees: a file's record exists
 * from its submit to its `end`, so there are never more than capacity + workers + 1 of them. When the disk or the CPU
 * can't keep up, or nobody reads our output, the queue fills, and the walk waits.
 *
 * Symbolic links are not followed, except those named as DIR. Lines come in the order in which files are finished; pipe
 * them through `sort -k2` if that matters. What can't be read, or changes while it is read, is told on stderr.
 *
 * SIGINT and SIGTERM stop the walk; what was accepted is still hashed, so the manifest is valid, though not complete.
 * A second one also gives up the files in the queue.
 *
 * --ready-fd N writes "ready\n" to that descriptor, and closes it, once signals are handled: for supervisors and tests.
 *
 * Exit status: 0, all is well; 1, something could not be read or written; 2, wrong usage; 128 + the signal's number.
 */
#define _GNU_SOURCE /* getopt_long */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "workerpool.h"

#define MILLISECOND UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum {
    CAPACITY = 256,           /* deep enough to ride out a big directory or a big file; deeper would gain nothing */
    BUFFER_SIZE = 128 * 1024, /* of each worker */
    DIRECTORIES_MAX = 8192,   /* open at once: the deepest tree that we follow; RLIMIT_NOFILE may lower it */
    HASH_DIGITS = 64,
};

/* How long we sleep at most before we look at signals, a broken output and the progress bar. */
static const uint64_t TICK = 100 * MILLISECOND;

/* A directory stays open while the walk is in it, and while a file of it waits: files are opened relative to it, so
 * that a path may be longer than PATH_MAX, and nobody can slip in a link on the way. */
typedef struct directory {
    struct directory *parent; /* used by the walk only */
    size_t path_length;
    DIR *stream;
    atomic_uint references;
} directory;

/* One file, from submit to `end`. The line of the manifest is made by the walk; the worker fills in the hash. */
typedef struct record {
    directory *in;
    const char *name; /* behind the line */
    size_t line_length;
    char *hash; /* in the line, which may begin with a backslash */
    char line[];
} record;

/* What one worker alone writes. The counters are atomic because the progress bar reads them meanwhile. */
typedef struct worker {
    EVP_MD_CTX *digest;
    unsigned char *buffer;
    atomic_uint_fast64_t files, bytes, busy_ns;
    char padding[64]; /* keeps neighbours off each other's cache lines */
} worker;

static wp_pool *pool;
static worker *workers;
static uint32_t worker_count;
static uint32_t capacity;

static volatile sig_atomic_t caught, times_caught;
static atomic_int output_error;           /* the errno of the first write that failed */
static atomic_uint_fast64_t unreadable;   /* files and directories */
static atomic_uint_fast64_t records_freed;
static atomic_uint directories_open;

/* The walk's own. */
static unsigned directories_max;
static uint64_t records_made, records_at_once, deepest_queue;
static struct { char *text; size_t length, size; } path;

static bool progress; /* stderr is a terminal */
static uint64_t began, next_progress;

/* ---------------------------------------------------------------------------------------------------- messages -- */

/* Workers may still run, so no exit(): it would clean up libcrypto under their feet. */
static void fatal(const char *what, const char *why)
{
    fprintf(stderr, "treehash: %s: %s\n", what, why);
    _exit(1);
}

static void check(const char *call, int code)
{
    if (code != WP_OK) fatal(call, wp_strerror(code));
}

static void *check_memory(void *memory)
{
    if (memory == NULL) fatal("memory", strerror(ENOMEM));
    return memory;
}

/* A name may hold anything; a terminal shall not obey it. `length` bytes of it, in one piece even with many threads. */
static void report_unreadable(const char *name, size_t length, int error)
{
    flockfile(stderr); /* also because strerror() need not be thread-safe */
    if (progress) fputs("\r\033[K", stderr);
    fputs("treehash: ", stderr);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        putc_unlocked(c < ' ' || c == 127 ? '?' : c, stderr);
    }
    fprintf(stderr, ": %s\n", error < 0 ? "changed while it was read" : strerror(error));
    funlockfile(stderr);
    atomic_fetch_add(&unreadable, 1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) fatal("clock_gettime", strerror(errno));
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static wp_stats snapshot(void)
{
    wp_stats stats = WP_STATS_INIT;
    check("wp_stats_get", wp_stats_get(pool, &stats));
    return stats;
}

static void sum(uint64_t *files, uint64_t *bytes)
{
    *files = *bytes = 0;
    for (uint32_t i = 0; i < worker_count; i++) {
        *files += atomic_load_explicit(&workers[i].files, memory_order_relaxed);
        *bytes += atomic_load_explicit(&workers[i].bytes, memory_order_relaxed);
    }
}

/* How much there is to do is not known, so the bar shows the queue: full means that the workers are the bottleneck. */
static void show_progress(void)
{
    enum { WIDTH = 20 };
    uint64_t now = now_ns(), files, bytes;
    wp_stats stats;
    int filled;

    if (!progress || now < next_progress) return;
    next_progress = now + TICK;
    stats = snapshot();
    filled = stats.queued >= capacity ? WIDTH : (int)(stats.queued * WIDTH / capacity);
    sum(&files, &bytes);
    fprintf(stderr, "\r\033[Kqueue [%.*s%*s]  %" PRIu64 " files  %.1f MB  %.1f MB/s", filled, "####################",
            WIDTH - filled, "", files, (double)bytes / 1e6, (double)bytes * 1e3 / (double)(now - began + 1));
    fflush(stderr);
}

/* ----------------------------------------------------------------------------------------------------- workers -- */

static void release(directory *dir)
{
    if (atomic_fetch_sub(&dir->references, 1) != 1) return;
    closedir(dir->stream);
    free(dir);
    atomic_fetch_sub(&directories_open, 1);
}

/* 0, an errno, or -1 for a file that changed while it was read: no hash of such a file means anything. */
static int hash_open_file(worker *self, int fd, unsigned char hash[EVP_MAX_MD_SIZE])
{
    struct stat before, after;
    ssize_t n;

    if (fstat(fd, &before) != 0) return errno;
    if (!S_ISREG(before.st_mode)) return -1; /* it was one when the walk saw it */
    if (EVP_DigestInit_ex(self->digest, NULL, NULL) != 1) return EIO;
    while ((n = read(fd, self->buffer, BUFFER_SIZE)) != 0) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (EVP_DigestUpdate(self->digest, self->buffer, (size_t)n) != 1) return EIO;
        atomic_fetch_add_explicit(&self->bytes, (uint64_t)n, memory_order_relaxed);
    }
    if (EVP_DigestFinal_ex(self->digest, hash, NULL) != 1) return EIO;
    if (fstat(fd, &after) != 0) return errno;
    if (before.st_nlink > 0 && after.st_nlink == 0) return ENOENT; /* it has vanished */
    if (before.st_size != after.st_size || before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
        before.st_mtim.tv_nsec != after.st_mtim.tv_nsec)
        return -1;
    return 0;
}

static int hash_file(wp_context *context, void *arg)
{
    static const char DIGITS[] = "0123456789abcdef";
    worker *self = &workers[wp_worker_index(context)];
    record *file = arg;
    unsigned char hash[EVP_MAX_MD_SIZE];
    uint64_t start = now_ns();
    int status;

    /* O_NONBLOCK: should a pipe have taken the file's place, open() must not wait for its other end. */
    int fd = openat(dirfd(file->in->stream), file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        status = errno;
    } else {
        status = hash_open_file(self, fd, hash);
        close(fd); /* only read from: nothing can be lost */
    }
    for (int i = 0; status == 0 && i < HASH_DIGITS / 2; i++) {
        file->hash[2 * i] = DIGITS[hash[i] >> 4];
        file->hash[2 * i + 1] = DIGITS[hash[i] & 15];
    }
    if (status == 0) atomic_fetch_add_explicit(&self->files, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&self->busy_ns, now_ns() - start, memory_order_relaxed);
    return status;
}

/* The only place where a record's life ends, whatever became of it. */
static void file_ended(const wp_outcome *outcome, void *arg)
{
    record *file = arg;
    if (outcome->fate == WP_FATE_RAN && outcome->status == 0) {
        /* stdio holds its lock during one call, so that each line comes out in one piece. */
        if (fwrite(file->line, 1, file->line_length, stdout) != file->line_length) {
            int none = 0, error = errno;
            atomic_compare_exchange_strong(&output_error, &none, error);
        }
    } else if (outcome->fate == WP_FATE_RAN) {
        const char *shown = file->hash + HASH_DIGITS + 2;
        report_unreadable(shown, (size_t)(file->line + file->line_length - 1 - shown), outcome->status);
    }
    release(file->in);
    free(file);
    atomic_fetch_add(&records_freed, 1);
}

/* -------------------------------------------------------------------------------------------------------- walk -- */

static bool stopped(void)
{
    return caught != 0 || atomic_load(&output_error) != 0;
}

static void unreadable_here(int error)
{
    report_unreadable(path.text, path.length, error);
}

/* The path of the directory that the walk is in grows and shrinks in one buffer. */
static void push_name(const char *name)
{
    size_t length = strlen(name);
    bool slash = path.length > 0 && path.text[path.length - 1] != '/';
    while (path.length + slash + length + 1 > path.size) {
        path.size = path.size == 0 ? 4096 : 2 * path.size;
        path.text = check_memory(realloc(path.text, path.size));
    }
    if (slash) path.text[path.length++] = '/';
    memcpy(path.text + path.length, name, length + 1);
    path.length += length;
}

/* As sha256sum: a name with a backslash, a newline or a carriage return has them escaped, and its line begins with a
 * backslash; all other bytes stand for themselves. */
static record *new_record(directory *in, const char *name)
{
    size_t escapes = 0, name_size = strlen(name) + 1;
    uint64_t alive;
    record *file;
    char *out;

    for (size_t i = 0; i < path.length; i++)
        escapes += path.text[i] == '\\' || path.text[i] == '\n' || path.text[i] == '\r';
    file = check_memory(malloc(sizeof *file + 1 + HASH_DIGITS + 2 + path.length + escapes + 1 + name_size));
    out = file->line;
    if (escapes > 0) *out++ = '\\';
    file->hash = out;
    out += HASH_DIGITS;
    *out++ = ' ';
    *out++ = ' ';
    for (size_t i = 0; i < path.length; i++) {
        char c = path.text[i];
        if (c == '\\' || c == '\n' || c == '\r') *out++ = '\\';
        *out++ = c == '\n' ? 'n' : c == '\r' ? 'r' : c;
    }
    *out++ = '\n';
    file->line_length = (size_t)(out - file->line);
    file->name = memcpy(out, name, name_size);
    file->in = in;
    atomic_fetch_add(&in->references, 1);
    records_made++;
    alive = records_made - atomic_load(&records_freed);
    if (alive > records_at_once) records_at_once = alive;
    return file;
}

/* Waits for room, but not longer than a signal may wait for us. */
static void submit(directory *in, const char *name)
{
    wp_task task = WP_TASK_INIT;
    wp_stats stats;
    int code;

    task.run = hash_file;
    task.end = file_ended;
    task.arg = new_record(in, name);
    task.label = "hash";
    while ((code = wp_submit_task(pool, &task, TICK)) == WP_ETIMEDOUT && !stopped())
        show_progress();
    if (code == WP_ETIMEDOUT) { /* stopped: nothing was accepted, so the record is still ours to end */
        const wp_outcome refused = { sizeof refused, NULL, WP_FATE_DISCARDED, 0, WP_NO_WORKER, 0 };
        file_ended(&refused, task.arg);
        return;
    }
    check("wp_submit_task", code);
    stats = snapshot();
    if (stats.exact && stats.queued > deepest_queue) deepest_queue = stats.queued;
}

/* Goes down into a directory, or stays where it is and tells why not. */
static directory *enter(directory *parent, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOCTTY | O_CLOEXEC | (parent ? O_NOFOLLOW : 0), fd = -1;
    directory *dir = check_memory(malloc(sizeof *dir));

    /* Files that wait hold their directories open: when these are too many, let the workers finish first. */
    while (atomic_load(&directories_open) >= directories_max && !stopped()) {
        int code = wp_wait_idle(pool, TICK);
        show_progress();
        if (code == WP_OK) break;
        if (code != WP_ETIMEDOUT) check("wp_wait_idle", code);
    }
    if (atomic_load(&directories_open) >= directories_max)
        errno = EMFILE;
    else
        fd = openat(parent ? dirfd(parent->stream) : AT_FDCWD, name, flags);
    dir->stream = fd < 0 ? NULL : fdopendir(fd);
    if (dir->stream == NULL) {
        if (!stopped()) unreadable_here(errno);
        if (fd >= 0) close(fd);
        free(dir);
        return parent;
    }
    atomic_fetch_add(&directories_open, 1);
    atomic_init(&dir->references, 1);
    dir->parent = parent;
    dir->path_length = path.length;
    return dir;
}

static directory *leave(directory *dir)
{
    directory *parent = dir->parent;
    release(dir);
    return parent;
}

static unsigned char type_of(directory *in, const struct dirent *entry)
{
    struct stat status;
    if (entry->d_type != DT_UNKNOWN) return entry->d_type;
    if (fstatat(dirfd(in->stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        unreadable_here(errno);
        return DT_UNKNOWN;
    }
    return S_ISDIR(status.st_mode) ? DT_DIR : S_ISREG(status.st_mode) ? DT_REG : DT_UNKNOWN;
}

/* Not recursive: a deep tree must cost no stack. */
static void walk(const char *root)
{
    directory *here;

    path.length = 0;
    push_name(root);
    here = enter(NULL, root);
    while (here != NULL && !stopped()) {
        const struct dirent *entry;
        path.length = here->path_length;
        errno = 0;
        entry = readdir(here->stream);
        if (entry == NULL) {
            if (errno != 0) unreadable_here(errno);
            here = leave(here);
        } else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            unsigned char type;
            push_name(entry->d_name);
            type = type_of(here, entry);
            if (type == DT_REG) submit(here, entry->d_name);
            else if (type == DT_DIR) here = enter(here, entry->d_name);
        }
        show_progress();
    }
    while (here != NULL) here = leave(here);
}

/* -------------------------------------------------------------------------------------------- start and finish -- */

static void on_signal(int number)
{
    caught = number;
    times_caught = times_caught + 1;
}

static void handle_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    action.sa_flags = SA_RESTART; /* we look at `caught` often enough; no system call need fail because of it */
    action.sa_handler = on_signal;
    if (sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0)
        fatal("sigaction", strerror(errno));
    action.sa_handler = SIG_IGN; /* a reader that goes away is a write error, told as one */
    if (sigaction(SIGPIPE, &action, NULL) != 0) fatal("sigaction", strerror(errno));
}

/* A closed standard descriptor would be taken by the next file that is opened: a directory as our stdout, say. */
static void keep_standard_descriptors(void)
{
    if (fcntl(STDIN_FILENO, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) fatal("/dev/null", strerror(errno));
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0) fatal("standard output", strerror(errno));
    if (fcntl(STDERR_FILENO, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) exit(1);
}

static void limit_directories(void)
{
    struct rlimit files;
    rlim_t spare;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) fatal("getrlimit", strerror(errno));
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) != 0)
        fatal("getrlimit", strerror(errno));
    spare = (rlim_t)worker_count + 16; /* a file for each worker, and whatever we were started with */
    if (files.rlim_cur <= spare) fatal("RLIMIT_NOFILE", "too low for so many workers");
    directories_max = files.rlim_cur - spare < DIRECTORIES_MAX ? (unsigned)(files.rlim_cur - spare) : DIRECTORIES_MAX;
}

static void make_workers(void)
{
    workers = check_memory(calloc(worker_count, sizeof *workers));
    for (uint32_t i = 0; i < worker_count; i++) {
        workers[i].digest = check_memory(EVP_MD_CTX_new());
        workers[i].buffer = check_memory(malloc(BUFFER_SIZE));
        if (EVP_DigestInit_ex(workers[i].digest, EVP_sha256(), NULL) != 1) fatal("libcrypto", "no SHA-256");
    }
}

static void free_workers(void)
{
    for (uint32_t i = 0; i < worker_count; i++) {
        EVP_MD_CTX_free(workers[i].digest);
        free(workers[i].buffer);
    }
    free(workers);
}

/* Drains; cancels when nobody wants the rest any more. */
static void finish(void)
{
    int code;
    do {
        bool cancel = times_caught > 1 || atomic_load(&output_error) != 0;
        code = wp_shutdown_for(pool, cancel ? WP_SHUTDOWN_CANCEL : WP_SHUTDOWN_DRAIN, TICK, NULL);
        show_progress();
    } while (code == WP_ETIMEDOUT);
    check("wp_shutdown_for", code);
}

static void print_table(void)
{
    wp_stats stats = snapshot();
    uint64_t elapsed = now_ns() - began + 1, files, bytes;

    sum(&files, &bytes);
    if (progress) fputs("\r\033[K", stderr);
    fprintf(stderr, "files       %" PRIu64 " hashed, %" PRIu64 " files or directories unreadable\n", files,
            (uint64_t)atomic_load(&unreadable));
    fprintf(stderr, "bytes       %" PRIu64 " in %.3f s, %.1f MB/s\n", bytes, (double)elapsed / 1e9,
            (double)bytes * 1e3 / (double)elapsed);
    fprintf(stderr, "tasks       %" PRIu64 " accepted, %" PRIu64 " ran, %" PRIu64 " discarded, %" PRIu64 " failed\n",
            stats.accepted, stats.ran, stats.discarded, stats.failed);
    fprintf(stderr, "records     %" PRIu64 " made, %" PRIu64 " freed, %" PRIu64 " at once at most\n", records_made,
            (uint64_t)atomic_load(&records_freed), records_at_once);
    fprintf(stderr, "walk        held back for %.3f s, %" PRIu64 " times\n", (double)stats.wait_ns / 1e9, stats.waits);
    fprintf(stderr, "queue       %" PRIu64 " deep at most, of %" PRIu32 "\n", deepest_queue, stats.capacity);
    fprintf(stderr, "workers     busy");
    for (uint32_t i = 0; i < worker_count; i++)
        fprintf(stderr, " %.0f%%", 100.0 * (double)atomic_load(&workers[i].busy_ns) / (double)elapsed);
    fputc('\n', stderr);
    /* What the pool promises: each record ends once, and it holds no more of them than it was made for. */
    if (stats.accepted != stats.ran + stats.discarded || records_made != atomic_load(&records_freed) ||
        records_at_once > (uint64_t)capacity + worker_count + 1 || deepest_queue > capacity)
        fatal("the books", "they do not balance");
}

static void usage(void)
{
    fputs("usage: treehash [-j workers] [-q capacity] [--ready-fd N] DIR...\n", stderr);
    exit(2);
}

static uint32_t number(const char *text, uint32_t least, uint32_t most)
{
    char *end;
    unsigned long value;
    errno = 0;
    value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < least || value > most) {
        fprintf(stderr, "treehash: %s: not a number from %" PRIu32 " to %" PRIu32 "\n", text, least, most);
        usage();
    }
    return (uint32_t)value;
}

int main(int argc, char **argv)
{
    static const struct option LONG[] = { { "ready-fd", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
    wp_options options = WP_OPTIONS_INIT;
    wp_stats stats;
    int option, ready_fd = -1, error;

    options.name = "treehash";
    options.capacity = CAPACITY;
    while ((option = getopt_long(argc, argv, "j:q:", LONG, NULL)) != -1) {
        if (option == 'j') options.workers = number(optarg, 1, WP_WORKERS_MAX);
        else if (option == 'q') options.capacity = number(optarg, 1, WP_CAPACITY_MAX);
        else if (option == 'r') ready_fd = (int)number(optarg, 0, INT32_MAX);
        else usage();
    }
    if (optind == argc) usage();

    keep_standard_descriptors();
    if (setvbuf(stderr, NULL, _IOLBF, BUFSIZ) != 0) fatal("setvbuf", "failed"); /* messages go out in one piece */
    handle_signals();
    progress = isatty(STDERR_FILENO) == 1;
    check("wp_create", wp_create(&options, &pool));
    began = now_ns();
    stats = snapshot(); /* how many workers the pool chose */
    worker_count = stats.workers;
    capacity = stats.capacity;
    limit_directories();
    make_workers();
    if (ready_fd >= 0 && (write(ready_fd, "ready\n", 6) != 6 || close(ready_fd) != 0))
        fatal("--ready-fd", strerror(errno));

    for (int i = optind; i < argc && !stopped(); i++) walk(argv[i]);
    finish();

    error = atomic_load(&output_error);
    if (fclose(stdout) != 0 && error == 0) error = errno;
    print_table();
    if (error != 0) fatal("write error", strerror(error));
    check("wp_destroy", wp_destroy(pool));
    free_workers();
    free(path.text);
    if (caught != 0) return 128 + caught;
    return atomic_load(&unreadable) > 0 ? 1 : 0;
}
