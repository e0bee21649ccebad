/* SPDX-License-Identifier: MIT
 *
 * 5. Results: jobs out, results in, all errors in one place.
 *
 * A task that names a wp_results leaves one record there when it has ended, whatever became of it. The thread that handed
 * out the work reads them when it likes: no lock, no callback, no shared list of errors. Each task has its place before it
 * is accepted, so results are bounded too: WP_ERESULTS says "read first". No worker ever waits for the reader.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "workerpool.h"

enum { LINES = 9, PLACES = 4, BAD_DIGIT = 1, TOO_LARGE = 2 }; /* the last two: this program's own statuses */

/* What comes in, and the place for what comes out: each job has its own. */
typedef struct job {
    const char *text;
    unsigned value;
} job;

static job jobs[LINES] = {{"17", 0},  {"4", 0},  {"fish", 0}, {"23", 0}, {"999999999999", 0},
                          {"100", 0}, {"7", 0},  {"-1", 0},   {"1000", 0}};
static unsigned sum, read_so_far, full;
static int statuses[LINES];

static void check(const char *call, int code)
{
    if (code == WP_OK) return;
    fprintf(stderr, "%s: %s\n", call, wp_strerror(code));
    exit(1);
}

static int parse(wp_context *context, void *arg) /* runs on a worker */
{
    job *j = arg;
    (void)context;
    for (const char *at = j->text; *at != 0; at++) {
        if (*at < '0' || *at > '9') return BAD_DIGIT;
        if (j->value > 100000000) return TOO_LARGE;
        j->value = j->value * 10 + (unsigned)(*at - '0');
    }
    return 0;
}

/* The one place where results and errors arrive. */
static void collect(const wp_record *record)
{
    const job *j = record->arg; /* its task has ended: it is ours again */
    statuses[record->user_data] = record->fate == WP_FATE_RAN ? record->status : -1;
    if (statuses[record->user_data] == 0) sum += j->value;
    read_so_far++;
}

int main(void)
{
    wp_results_options options = WP_RESULTS_OPTIONS_INIT;
    wp_results *results;
    wp_pool *pool;
    wp_task task = WP_TASK_INIT;
    wp_record record = WP_RECORD_INIT;
    int code;

    check("wp_create", wp_create(NULL, &pool));
    options.capacity = PLACES; /* fewer than there are jobs */
    check("wp_results_create", wp_results_create(&options, &results));

    task.run = parse;
    task.results = results;
    for (int i = 0; i < LINES; i++) {
        task.arg = &jobs[i];
        task.user_data = (uint64_t)i; /* comes back in the record: which job it was */
        while ((code = wp_submit_task(pool, &task, WP_FOREVER)) == WP_ERESULTS) {
            full++; /* said at once, even with WP_FOREVER: only we could make room */
            check("wp_results_next", wp_results_next(results, &record, WP_FOREVER));
            collect(&record);
        }
        check("wp_submit_task", code);
    }

    /* Nothing more is submitted, so after the last record the reader is told that it was the last. */
    check("wp_results_close", wp_results_close(results));
    for (;;) {
        wp_record batch[PLACES]; /* several at once cost less; they need no initialiser */
        size_t got;
        code = wp_results_drain(results, batch, PLACES, sizeof *batch, WP_FOREVER, &got);
        if (code == WP_ECLOSED) break;
        check("wp_results_drain", code);
        for (size_t i = 0; i < got; i++) collect(&batch[i]);
    }

    /* Records come as tasks end, in any order; user_data put them back into ours. */
    for (int i = 0; i < LINES; i++)
        if (statuses[i] != 0)
            printf("line %d, \"%s\": %s\n", i + 1, jobs[i].text,
                   statuses[i] == BAD_DIGIT   ? "not a number"
                   : statuses[i] == TOO_LARGE ? "too large"
                                              : "did not run");
    printf("sum of the others: %u\n", sum);
    printf("records: %u for %d tasks; the results were full %u times\n", read_so_far, LINES, full);

    check("wp_destroy", wp_destroy(pool));
    check("wp_results_release", wp_results_release(results)); /* may come earlier or later than the pool's end */
    return fflush(stdout) != 0;
}
