/* SPDX-License-Identifier: MIT
 *
 * 1. Hello: make a pool, hand it work, wait for the end.
 *
 * How many primes lie below one million? Ten slices, counted side by side.
 */
#include <stdio.h>

#include "workerpool.h"

enum { SLICES = 10, SLICE = 100000 };

typedef struct slice {
    int first, primes;
} slice;

static void count_primes(void *arg) /* runs on a worker */
{
    slice *s = arg;
    for (int n = s->first < 2 ? 2 : s->first; n < s->first + SLICE; n++) {
        int divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0) divisor++;
        s->primes += divisor * divisor > n;
    }
}

int main(void)
{
    slice slices[SLICES] = {{0, 0}};
    wp_pool *pool;
    int total = 0;

    int code = wp_create(NULL, &pool); /* NULL: a worker per CPU, room for WP_CAPACITY_DEFAULT tasks */
    if (code != WP_OK) return fprintf(stderr, "wp_create: %s\n", wp_strerror(code)), 1;

    for (int i = 0; i < SLICES && code == WP_OK; i++) {
        slices[i].first = i * SLICE;
        code = wp_submit(pool, count_primes, &slices[i]);
    }
    if (code != WP_OK) fprintf(stderr, "wp_submit: %s\n", wp_strerror(code));

    int end = wp_shutdown(pool); /* after WP_OK every accepted task has run, so the slices are ours again */
    if (end == WP_OK) end = wp_destroy(pool);
    if (end != WP_OK) fprintf(stderr, "the end: %s\n", wp_strerror(end));
    if (code != WP_OK || end != WP_OK) return 1;

    for (int i = 0; i < SLICES; i++) total += slices[i].primes;
    return printf("%d primes below %d\n", total, SLICES * SLICE) < 0;
}
