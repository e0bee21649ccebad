/* SPDX-License-Identifier: MIT
 *
 * treehash: the SHA-256 of every regular file under some directories, in the format of sha256sum.
 *
 *     treehash [-j workers] [-q capacity] [--ready-fd N] DIR...   >manifest
 *     sha256sum -c manifest
 *
 * The main thread walks the trees while the pool's workers hash and write the lines. How each file ended comes back to
 * the walk through results: it alone tells errors, and frees what belongs to a file. Memory does not grow with the trees:
 * a file's record exists from before its submit until its result is read, so there are never more than
 * capacity + workers + 1 of them. When the disk or the CPU can't keep up, or nobody reads our output, the queue fills,
 * and the walk waits.
 *
 * Symbolic links are not followed, except those named as DIR. Lines come in the order in which files are finished; pipe
 * them through `sort -k2` if that matters. What can't be read, or changes while it is read, is told on stderr.
 *
 * SIGINT or SIGTERM cancels the group that all files are in: the walk goes no further, also where it waits for room; the
 * files in the queue are given up, and so are those that are being hashed. The manifest is then not complete, but valid:
 * each of its lines is whole and right, and no file that was given up has one. A second signal ends the process at once;
 * it may cut the last line.
 *
 * --ready-fd N writes "ready\n" to that descriptor, and closes it, once signals are handled: for supervisors and tests.
 *
 * Exit status: 0, all is well; 1, something could not be read or written; 2, wrong usage; 128 + the first signal's
 * number (SIGINT: 130, SIGTERM: 143).
 */
#define _GNU_SOURCE /* getopt_long */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
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

/* How a file ended: 0; an errno; or one of these. */
enum {
    CHANGED = -1,           /* while it was read: no hash of such a file means anything */
    GIVEN_UP = -2,          /* its group was cancelled */
    WRITE_FAILED = 1 << 16, /* plus the errno: the hash is right, but its line could not be written */
};

static const uint64_t TICK = 100 * MILLISECOND; /* of the progress bar */

/* A directory stays open while the walk is in it, and while a file of it waits: files are opened relative to it, so
 * that a path may be longer than PATH_MAX, and nobody can slip in a link on the way. */
typedef struct directory {
    struct directory *parent; /* used by the walk only */
    size_t path_length;
    DIR *stream;
    unsigned references; /* the walk's too */
} directory;

/* One file. The line of the manifest is made by the walk; the worker fills in the hash. */
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
static wp_group *group;     /* of all files: cancelled by a signal, and when the output is broken */
static wp_results *results; /* how they ended */
static worker *workers;
static uint32_t worker_count;
static uint32_t capacity;

static atomic_int caught; /* the first signal */
static atomic_bool finished;

/* The walk's own: nothing below here needs a lock or an atomic. */
static int output_error;    /* the errno of the first write that failed */
static uint64_t unreadable; /* files and directories */
static uint64_t records_made, records_freed, records_at_once, deepest_queue;
static unsigned directories_open, directories_max;
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

/* A name may hold anything; a terminal shall not obey it. `length` bytes of it. */
static void report_unreadable(const char *name, size_t length, int error)
{
    if (progress) fputs("\r\033[K", stderr);
    fputs("treehash: ", stderr);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        putc(c < ' ' || c == 127 ? '?' : c, stderr);
    }
    fprintf(stderr, ": %s\n", error == CHANGED ? "changed while it was read" : strerror(error));
    unreadable++;
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

static int hash_open_file(const wp_context *context, worker *self, int fd, unsigned char hash[EVP_MAX_MD_SIZE])
{
    struct stat before, after;
    ssize_t n;

    if (fstat(fd, &before) != 0) return errno;
    if (!S_ISREG(before.st_mode)) return CHANGED; /* it was one when the walk saw it */
    if (EVP_DigestInit_ex(self->digest, NULL, NULL) != 1) return EIO;
    while ((n = read(fd, self->buffer, BUFFER_SIZE)) != 0) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (EVP_DigestUpdate(self->digest, self->buffer, (size_t)n) != 1) return EIO;
        atomic_fetch_add_explicit(&self->bytes, (uint64_t)n, memory_order_relaxed);
        if (wp_should_stop(context)) return GIVEN_UP;
    }
    if (EVP_DigestFinal_ex(self->digest, hash, NULL) != 1) return EIO;
    if (fstat(fd, &after) != 0) return errno;
    if (before.st_nlink > 0 && after.st_nlink == 0) return ENOENT; /* it has vanished */
    if (before.st_size != after.st_size || before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
        before.st_mtim.tv_nsec != after.st_mtim.tv_nsec)
        return CHANGED;
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
        status = hash_open_file(context, self, fd, hash);
        close(fd); /* only read from: nothing can be lost */
    }
    for (int i = 0; status == 0 && i < HASH_DIGITS / 2; i++) {
        file->hash[2 * i] = DIGITS[hash[i] >> 4];
        file->hash[2 * i + 1] = DIGITS[hash[i] & 15];
    }
    /* stdio holds its lock during one call, so that each line comes out in one piece. */
    if (status == 0 && fwrite(file->line, 1, file->line_length, stdout) != file->line_length) status = WRITE_FAILED + errno;
    if (status == 0) atomic_fetch_add_explicit(&self->files, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&self->busy_ns, now_ns() - start, memory_order_relaxed);
    return status;
}

/* ----------------------------------------------------------------------------------------------------- results -- */

static void release(directory *dir)
{
    if (--dir->references != 0) return;
    closedir(dir->stream);
    free(dir);
    directories_open--;
}

/* The only place where a record's life ends, whatever became of it. */
static void free_record(record *file)
{
    release(file->in);
    free(file);
    records_freed++;
}

/* The one place where the workers' errors arrive. */
static void take_result(const wp_record *result)
{
    record *file = result->arg;
    if (result->status >= WRITE_FAILED) {
        if (output_error == 0) output_error = result->status - WRITE_FAILED;
        check("wp_group_cancel", wp_group_cancel(group)); /* what use are hashes that nobody gets? */
    } else if (result->status != 0 && result->status != GIVEN_UP) {
        const char *shown = file->hash + HASH_DIGITS + 2;
        report_unreadable(shown, (size_t)(file->line + file->line_length - 1 - shown), result->status);
    }
    free_record(file);
}

/* Takes the results that are there, and waits for the first; with a progress bar only until it is to be drawn again.
 * False: all have come, after the results were closed. */
static bool await_results(void)
{
    wp_record some[32];
    size_t count;
    int code = wp_results_drain(results, some, sizeof some / sizeof *some, sizeof *some, progress ? TICK : WP_FOREVER, &count);
    if (code != WP_OK && code != WP_ETIMEDOUT && code != WP_ECLOSED) check("wp_results_drain", code);
    for (size_t i = 0; i < count; i++) take_result(&some[i]);
    show_progress();
    return code != WP_ECLOSED;
}

static void take_results(void)
{
    wp_record result = WP_RECORD_INIT;
    int code;
    while ((code = wp_results_next(results, &result, 0)) == WP_OK) take_result(&result);
    if (code != WP_ETIMEDOUT) check("wp_results_next", code);
}

/* -------------------------------------------------------------------------------------------------------- walk -- */

static bool stopped(void)
{
    return wp_group_stop_reason(group) != WP_STOP_NONE;
}

/* Nothing about what nobody asks for any more. */
static void unreadable_here(int error)
{
    if (!stopped()) report_unreadable(path.text, path.length, error);
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
    in->references++;
    records_made++;
    if (records_made - records_freed > records_at_once) records_at_once = records_made - records_freed;
    return file;
}

/* Waits for room; a cancel ends that wait. The results have a place for each file that is queued, or hashed, or in our
 * hand, and all that have come are read before; so WP_ERESULTS can't be. */
static void submit(directory *in, const char *name)
{
    wp_task task = WP_TASK_INIT;
    wp_stats stats;
    int code;

    take_results();
    task.run = hash_file;
    task.arg = new_record(in, name);
    task.label = "hash";
    task.group = group;
    task.results = results;
    while ((code = wp_submit_task(pool, &task, progress ? TICK : WP_FOREVER)) == WP_ETIMEDOUT) show_progress();
    if (code == WP_ECANCELLED) { /* nothing was accepted, so the record is still ours to free */
        free_record(task.arg);
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
    while (directories_open >= directories_max && records_made != records_freed) await_results();
    if (directories_open >= directories_max)
        errno = EMFILE;
    else
        fd = openat(parent ? dirfd(parent->stream) : AT_FDCWD, name, flags);
    dir->stream = fd < 0 ? NULL : fdopendir(fd);
    if (dir->stream == NULL) {
        unreadable_here(errno);
        if (fd >= 0) close(fd);
        free(dir);
        return parent;
    }
    directories_open++;
    dir->references = 1;
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

/* A thread may do what a signal handler may not. This one waits for the signals, which all other threads block. */
static void *take_signals(void *signals)
{
    for (;;) {
        int number = 0, first = 0, error = sigwait(signals, &number);
        if (error != 0) fatal("sigwait", strerror(error));
        if (atomic_load(&finished)) return NULL;
        if (!atomic_compare_exchange_strong(&caught, &first, number)) _exit(128 + first);
        check("wp_group_cancel", wp_group_cancel(group));
    }
}

/* Before any thread is made, so that all inherit it. */
static void block_signals(sigset_t *signals)
{
    int error;
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    error = pthread_sigmask(SIG_BLOCK, signals, NULL);
    if (error != 0) fatal("pthread_sigmask", strerror(error));
    /* A reader that goes away is a write error, told as one. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) fatal("signal", strerror(errno));
}

static pthread_t start_signals(sigset_t *signals)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, take_signals, signals);
    if (error != 0) fatal("pthread_create", strerror(error));
    return thread;
}

/* A signal of our own wakes the thread. One from outside may do it too: there is nothing left to stop. */
static void stop_signals(pthread_t thread)
{
    int error;
    atomic_store(&finished, true);
    error = pthread_kill(thread, SIGTERM);
    if (error == 0) error = pthread_join(thread, NULL);
    if (error != 0) fatal("the signals' thread", strerror(error));
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

/* Groups and results may be given back before the pool goes, or behind it. */
static void open_pool(const wp_options *options)
{
    wp_results_options places = WP_RESULTS_OPTIONS_INIT;
    wp_stats stats;
    check("wp_create", wp_create(options, &pool));
    stats = snapshot(); /* how many workers the pool chose */
    worker_count = stats.workers;
    capacity = stats.capacity;
    places.capacity = capacity + worker_count + 1; /* the queued, the running, and the one in our hand */
    check("wp_results_create", wp_results_create(&places, &results));
    check("wp_group_create", wp_group_create(pool, NULL, &group));
}

/* The walk is over: takes what is still to come. */
static void finish(void)
{
    check("wp_results_close", wp_results_close(results));
    while (await_results()) continue;
    check("wp_shutdown", wp_shutdown(pool));
}

static void close_pool(void)
{
    check("wp_group_release", wp_group_release(group));
    check("wp_results_release", wp_results_release(results));
    check("wp_destroy", wp_destroy(pool));
}

static void print_table(void)
{
    wp_stats stats = snapshot();
    uint64_t elapsed = now_ns() - began + 1, files, bytes;

    sum(&files, &bytes);
    if (progress) fputs("\r\033[K", stderr);
    fprintf(stderr, "files       %" PRIu64 " hashed, %" PRIu64 " files or directories unreadable\n", files,
            unreadable);
    fprintf(stderr, "bytes       %" PRIu64 " in %.3f s, %.1f MB/s\n", bytes, (double)elapsed / 1e9,
            (double)bytes * 1e3 / (double)elapsed);
    fprintf(stderr, "tasks       %" PRIu64 " accepted, %" PRIu64 " ran, %" PRIu64 " cancelled, %" PRIu64 " failed\n",
            stats.accepted, stats.ran, stats.cancelled, stats.failed);
    fprintf(stderr, "records     %" PRIu64 " made, %" PRIu64 " freed, %" PRIu64 " at once at most\n", records_made,
            records_freed, records_at_once);
    fprintf(stderr, "walk        held back for %.3f s, %" PRIu64 " times\n", (double)stats.wait_ns / 1e9, stats.waits);
    fprintf(stderr, "queue       %" PRIu64 " deep at most, of %" PRIu32 "\n", deepest_queue, stats.capacity);
    fprintf(stderr, "workers     busy");
    for (uint32_t i = 0; i < worker_count; i++)
        fprintf(stderr, " %.0f%%", 100.0 * (double)atomic_load(&workers[i].busy_ns) / (double)elapsed);
    fputc('\n', stderr);
    /* What the pool promises: each record ends once, and it holds no more of them than it was made for. */
    if (stats.accepted != stats.ran + stats.cancelled || files != stats.ran - stats.failed || records_made != records_freed ||
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
    int option, ready_fd = -1;
    sigset_t signals;
    pthread_t signals_thread;

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
    block_signals(&signals);
    progress = isatty(STDERR_FILENO) == 1;
    open_pool(&options);
    began = now_ns();
    limit_directories();
    make_workers();
    signals_thread = start_signals(&signals);
    if (ready_fd >= 0 && (write(ready_fd, "ready\n", 6) != 6 || close(ready_fd) != 0))
        fatal("--ready-fd", strerror(errno));

    for (int i = optind; i < argc && !stopped(); i++) walk(argv[i]);
    finish();

    if (fclose(stdout) != 0 && output_error == 0) output_error = errno;
    stop_signals(signals_thread); /* so late, because a second signal must end us also if nobody reads the output */
    print_table();
    if (output_error != 0) fatal("write error", strerror(output_error));
    close_pool();
    free_workers();
    free(path.text);
    if (caught != 0) return 128 + caught;
    return unreadable > 0 ? 1 : 0;
}
