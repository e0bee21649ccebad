/* SPDX-License-Identifier: MIT
 *
 * The engine of the fuzzers: it makes programs of bytes, runs them, keeps those that behaved in a new way, and when one fails,
 * shortens it and says how to run it again. A fuzzer gives it a name and fuzz_one(), which runs one program.
 *
 *     NAME [--seconds N] [--runs N] [--corpus DIR] [--failures DIR] [--grow DIR] [FILE …]
 *
 * Without files: so many seconds (30) or runs, beginning with the corpus (or a few random programs). With files: each once (WP_ROUNDS times), nothing else.
 * --failures: where a failing program is left (the working directory). --grow: the programs that were kept are written there.
 * WP_SEED is the seed; it is printed. Exits with 0, or 1 after a failure.
 *
 * The runs are made by a child, so that whatever ends it (a check, a crash, a sanitizer, the alarm of a hang) leaves the program in
 * memory that the parent shares. What a run does is told by fuzz_feature(): a program that brings a feature which none had before is
 * kept, and others are made from it. That needs no instrumented library, so it works with the one that ships.
 */
#ifndef FUZZ_ENGINE_H
#define FUZZ_ENGINE_H

#include "../c/check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { FUZZ_BYTES = 1024, FUZZ_KEPT = 4096, FUZZ_FEATURES = 1 << 16, FUZZ_HANG_S = 20, FUZZ_PLACES = 64 };

struct fuzz_input {
    size_t size;
    uint8_t bytes[FUZZ_BYTES];
};

/* What child and parent share. */
struct fuzz_shared {
    struct fuzz_input input;
    _Atomic uint64_t runs, calls, kept, features;
    /* Where each thread of the program is, for the report of a hang. */
    struct {
        const char *_Atomic call;
        _Atomic uint64_t number;
    } at[FUZZ_PLACES];
};

struct fuzz_state {
    uint64_t random;
    uint64_t until;
    uint64_t runs;
    const char *corpus, *failures, *grow;
    struct fuzz_input *kept[FUZZ_KEPT];
    size_t count;
    atomic_bool is_new; /* The run has brought a feature. */
};

static struct fuzz_shared *fuzz_shared;
static struct fuzz_state fuzz;
static _Atomic uint8_t fuzz_seen[FUZZ_FEATURES];

/* Runs one program. A wrong answer ends the process, by the checks of check.h. */
static void fuzz_one(const uint8_t *bytes, size_t size);

static UNUSED void fuzz_feature(uint64_t what) {
    uint64_t hash = what * UINT64_C(0x9e3779b97f4a7c15) >> 48;
    if (atomic_load_explicit(&fuzz_seen[hash], memory_order_relaxed) == 0) {
        atomic_store_explicit(&fuzz_seen[hash], 1, memory_order_relaxed);
        fuzz.is_new = true;
        fuzz_shared->features++;
    }
}

/* Before each call on the library: where a thread of the program is. */
static UNUSED void fuzz_at(unsigned place, const char *call) {
    atomic_store_explicit(&fuzz_shared->at[place].call, call, memory_order_relaxed);
    atomic_fetch_add_explicit(&fuzz_shared->at[place].number, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&fuzz_shared->calls, 1, memory_order_relaxed);
}

/* ---- programs ---- */

static size_t fuzz_below(size_t limit) {
    return (size_t)(check_random(&fuzz.random) % limit);
}

static void fuzz_insert(struct fuzz_input *input, size_t at, const uint8_t *bytes, size_t count) {
    count = count < FUZZ_BYTES - input->size ? count : FUZZ_BYTES - input->size;
    uint8_t copy[FUZZ_BYTES];
    memcpy(copy, bytes, count);
    memmove(input->bytes + at + count, input->bytes + at, input->size - at);
    memcpy(input->bytes + at, copy, count);
    input->size += count;
}

static void fuzz_remove(struct fuzz_input *input, size_t at, size_t count) {
    memmove(input->bytes + at, input->bytes + at + count, input->size - at - count);
    input->size -= count;
}

static void fuzz_mutate(struct fuzz_input *input) {
    for (size_t times = 1 + fuzz_below(6); times > 0; times--) {
        uint8_t some[32];
        for (size_t i = 0; i < sizeof some; i++) {
            some[i] = (uint8_t)check_random(&fuzz.random);
        }
        size_t at = fuzz_below(input->size + 1), rest = input->size - at;
        switch (rest == 0 ? 0 : fuzz_below(7)) {
        case 0: fuzz_insert(input, at, some, 1 + fuzz_below(sizeof some)); break;
        case 1: input->bytes[at] = some[0]; break;
        case 2: input->bytes[at] = (uint8_t)(input->bytes[at] + (some[0] & 1 ? 1 : -1)); break;
        case 3: fuzz_remove(input, at, 1 + fuzz_below(rest < 16 ? rest : 16)); break;
        case 4: fuzz_insert(input, fuzz_below(input->size + 1), input->bytes + at, 1 + fuzz_below(rest < 64 ? rest : 64)); break;
        case 5: {
            const struct fuzz_input *other = fuzz.kept[fuzz_below(fuzz.count)];
            size_t from = fuzz_below(other->size + 1);
            fuzz_insert(input, at, other->bytes + from, fuzz_below(other->size - from + 1));
            break;
        }
        default: input->bytes[at] ^= (uint8_t)(1u << (some[0] & 7)); break;
        }
    }
}

static void fuzz_keep(const struct fuzz_input *input) {
    size_t index = fuzz.count < FUZZ_KEPT ? fuzz.count++ : fuzz_below(FUZZ_KEPT);
    if (fuzz.kept[index] == NULL) {
        fuzz.kept[index] = malloc(sizeof *input);
        CHECK(fuzz.kept[index] != NULL);
    }
    *fuzz.kept[index] = *input;
    fuzz_shared->kept = fuzz.count;
}

static bool fuzz_read(const char *path, struct fuzz_input *input) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    input->size = fread(input->bytes, 1, sizeof input->bytes, file);
    fclose(file);
    return true;
}

static void fuzz_write(const char *path, const struct fuzz_input *input) {
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    CHECK_EQ(input->size, fwrite(input->bytes, 1, input->size, file));
    CHECK_EQ(0, fclose(file));
}

/* ---- the child ---- */

static void fuzz_hung(int signal_number) {
    (void)signal_number;
    static const char text[] = "hung; each thread's last call:";
    ssize_t written = write(STDOUT_FILENO, text, sizeof text - 1);
    for (unsigned i = 0; i < FUZZ_PLACES && written > 0; i++) {
        const char *call = atomic_load(&fuzz_shared->at[i].call);
        if (call != NULL) {
            written = write(STDOUT_FILENO, " ", 1) + write(STDOUT_FILENO, call, strlen(call));
        }
    }
    written += write(STDOUT_FILENO, "\n", 1);
    _exit(1);
}

static void fuzz_run(const struct fuzz_input *input) {
    fuzz_shared->input = *input;
    alarm((unsigned)(FUZZ_HANG_S * check_slowness));
    fuzz_one(fuzz_shared->input.bytes, fuzz_shared->input.size);
    alarm(0);
    fuzz_shared->runs++;
}

static void fuzz_load_corpus(void) {
    DIR *folder = fuzz.corpus != NULL ? opendir(fuzz.corpus) : NULL;
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char path[4096];
        struct fuzz_input input;
        snprintf(path, sizeof path, "%s/%s", fuzz.corpus, entry->d_name);
        if (entry->d_name[0] != '.' && fuzz_read(path, &input)) {
            fuzz_keep(&input);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    for (size_t i = 0; fuzz.count < 8; i++) {
        struct fuzz_input input = {64 << i % 4, {0}};
        for (size_t at = 0; at < input.size; at++) {
            input.bytes[at] = (uint8_t)check_random(&fuzz.random);
        }
        fuzz_keep(&input);
    }
}

static void fuzz_loop(void) {
    fuzz_load_corpus();
    for (size_t i = 0; i < fuzz.count; i++) {
        fuzz_run(fuzz.kept[i]);
    }
    while (fuzz_shared->runs < fuzz.runs && check_now() < fuzz.until) {
        struct fuzz_input input = *fuzz.kept[fuzz_below(fuzz.count)];
        fuzz_mutate(&input);
        fuzz.is_new = false;
        fuzz_run(&input);
        if (fuzz.is_new) {
            fuzz_keep(&input);
        }
    }
    for (size_t i = 0; fuzz.grow != NULL && i < fuzz.count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%04zu.bin", fuzz.grow, i);
        fuzz_write(path, fuzz.kept[i]);
    }
}

/* Runs a body in a child; true: it ended well. */
static bool fuzz_fork(void (*body)(void), bool is_quiet) {
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        signal(SIGALRM, fuzz_hung);
        if (is_quiet) {
            int nowhere = open("/dev/null", O_WRONLY);
            dup2(nowhere, STDOUT_FILENO);
            dup2(nowhere, STDERR_FILENO);
        }
        body();
        fflush(stdout);
        exit(0); /* A leak checker looks now. */
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        CHECK_EQ(EINTR, errno);
    }
    if (!is_quiet && WIFSIGNALED(status)) {
        printf("%s: ended by signal %d\n", check_name, WTERMSIG(status));
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- a failure ---- */

static struct fuzz_input fuzz_candidate;
static unsigned long fuzz_tries = 1;

static void fuzz_run_candidate(void) {
    for (unsigned long i = 0; i < fuzz_tries; i++) {
        fuzz_run(&fuzz_candidate);
    }
}

static bool fuzz_fails(const struct fuzz_input *input) {
    fuzz_candidate = *input;
    return !fuzz_fork(fuzz_run_candidate, true);
}

/* Removes what it can without the failure going away, for at most a minute. */
static void fuzz_shorten(struct fuzz_input *input) {
    uint64_t until = check_now() + 60 * NS_PER_S;
    for (size_t piece = input->size / 2; piece > 0; piece /= 2) {
        for (size_t at = 0; at + piece <= input->size && check_now() < until;) {
            struct fuzz_input shorter = *input;
            fuzz_remove(&shorter, at, piece);
            if (fuzz_fails(&shorter)) {
                *input = shorter;
            } else {
                at += piece;
            }
        }
    }
    for (size_t at = 0; at < input->size && check_now() < until; at++) {
        struct fuzz_input simpler = *input;
        simpler.bytes[at] = 0;
        if (input->bytes[at] != 0 && fuzz_fails(&simpler)) {
            *input = simpler;
        }
    }
}

static void fuzz_report_failure(void) {
    struct fuzz_input input = fuzz_shared->input;
    size_t found = input.size;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s-failure.bin", fuzz.failures, check_name);
    fuzz_write(path, &input);
    fuzz_tries = 1;
    while (!fuzz_fails(&input) && fuzz_tries < 1000) {
        fuzz_tries *= 10;
    }
    if (fuzz_fails(&input)) {
        fuzz_shorten(&input);
        fuzz_write(path, &input);
        printf("%s: shortened from %zu to %zu bytes\n", check_name, found, input.size);
    } else {
        printf("%s: it did not fail again in %lu runs\n", check_name, fuzz_tries);
    }
    printf("%s: to see it again: WP_ROUNDS=%lu %s %s\n", check_name, fuzz_tries, check_name, path);
    fuzz_candidate = input;
    (void)fuzz_fork(fuzz_run_candidate, false);
}

static int fuzz_main(const char *name, int count, char **arguments) {
    check_begin(name);
    alarm(0); /* Each run has its own. */
    void *memory = mmap(NULL, sizeof *fuzz_shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    fuzz_shared = memory;
    fuzz.failures = ".";
    fuzz.runs = UINT64_MAX;
    uint64_t seconds = 30;
    int i = 1;
    for (; i + 1 < count && strncmp(arguments[i], "--", 2) == 0; i += 2) {
        const char *value = arguments[i + 1];
        if (strcmp(arguments[i], "--seconds") == 0) {
            seconds = strtoull(value, NULL, 10);
        } else if (strcmp(arguments[i], "--runs") == 0) {
            fuzz.runs = strtoull(value, NULL, 10);
        } else if (strcmp(arguments[i], "--corpus") == 0) {
            fuzz.corpus = value;
        } else if (strcmp(arguments[i], "--failures") == 0) {
            fuzz.failures = value;
        } else if (strcmp(arguments[i], "--grow") == 0) {
            fuzz.grow = value;
        } else {
            printf("%s: unknown: %s\n", name, arguments[i]);
            return 2;
        }
    }
    for (int first = i; i < count; i++) {
        CHECK(fuzz_read(arguments[i], &fuzz_candidate));
        fuzz_tries = check_rounds(1);
        if (!fuzz_fork(fuzz_run_candidate, false)) {
            printf("%s: %s fails\n", name, arguments[i]);
            return 1;
        }
        if (i == count - 1) {
            printf("%s: %d passed, 0 failed\n", name, count - first);
            return 0;
        }
    }
    fuzz.random = check_seed();
    uint64_t began = check_now();
    fuzz.until = began + seconds * NS_PER_S;
    bool is_well = fuzz_fork(fuzz_loop, false);
    uint64_t took = (check_now() - began) / NS_PER_MS + 1;
    printf("%s: %llu runs, %llu calls in %llu.%llu s (%llu calls a second), %llu programs kept, %llu features\n", name,
           (unsigned long long)fuzz_shared->runs, (unsigned long long)fuzz_shared->calls, (unsigned long long)(took / 1000),
           (unsigned long long)(took / 100 % 10), (unsigned long long)(fuzz_shared->calls * 1000 / took),
           (unsigned long long)fuzz_shared->kept, (unsigned long long)fuzz_shared->features);
    if (!is_well) {
        fuzz_report_failure();
    }
    printf("%s: %d passed, %d failed\n", name, is_well, !is_well);
    return is_well ? 0 : 1;
}

#endif
