/* SPDX-License-Identifier: MIT
 *
 * PEER KIND name=value…: makes one measurement of one peer, and prints its figures as one JSON object.
 */
#define _GNU_SOURCE
#include "driver.h"

#include <string.h>
#include <sys/prctl.h>

static const struct {
    const char *name;
    const char *(*measure)(const struct options *options);
} kinds[] = {
    {"throughput", measure_throughput}, {"burst", measure_burst},   {"forkjoin", measure_forkjoin},
    {"roundtrip", measure_roundtrip},   {"life", measure_life},     {"memory", measure_memory},
    {"idle", measure_idle},
};

void as_producer(struct peer *peer, void (*body)(struct peer *peer, void *arg), void *arg) {
    if (peer_as_producer != NULL) {
        peer_as_producer(peer, body, arg);
    } else {
        body(peer, arg);
    }
}

static void set_option(struct options *options, const char *argument) {
    char name[16];
    unsigned long long value;
    REQUIRE(sscanf(argument, "%15[a-z_]=%llu", name, &value) == 2);
    struct {
        const char *name;
        uint64_t *value;
    } wide[] = {{"ms", &options->ms},           {"unit_ns", &options->unit_ns}, {"every", &options->every},
                {"long_ns", &options->long_ns}, {"batch", &options->batch},     {"bound", &options->bound},
                {"end", &options->end},         {"gap_ns", &options->gap_ns},   {"tasks", &options->tasks},
                {"depth", &options->depth}};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        if (strcmp(name, wide[i].name) == 0) {
            *wide[i].value = value;
            return;
        }
    }
    unsigned *narrow = strcmp(name, "producers") == 0  ? &options->producers
                       : strcmp(name, "workers") == 0  ? &options->workers
                       : strcmp(name, "capacity") == 0 ? &options->capacity
                                                       : NULL;
    REQUIRE(narrow != NULL);
    *narrow = (unsigned)value;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        puts(peer_version());
        return 0;
    }
    struct options options = {.producers = 1, .workers = 2, .capacity = 1024, .ms = 50};
    for (int i = 2; i < argc; i++) {
        set_option(&options, argv[i]);
    }
    /* The kernel may delay a sleeper by 50 us unless told not to. It is inherited by threads made later, and concerns
     * timed waits only. */
    prctl(PR_SET_TIMERSLACK, 1);
    for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].name) == 0) {
            record_begin();
            const char *why_not = kinds[i].measure(&options);
            if (why_not != NULL) {
                record_text("skipped", why_not);
            }
            record_end();
            return 0;
        }
    }
    fprintf(stderr, "usage: %s KIND name=value…, or: %s version\n", argv[0], argv[0]);
    return 2;
}
