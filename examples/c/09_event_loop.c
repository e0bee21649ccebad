/* SPDX-License-Identifier: MIT
 *
 * 9. Event loop: one thread that waits in one place, for a socket, a timer, results, and room in the queue.
 *
 * An event loop must not wait in wp_submit(): meanwhile it would serve nobody. So it submits with a timeout of 0, and when the
 * queue is full it keeps that one request, stops reading the socket (the kernel then holds the client back: backpressure goes on
 * to where the work comes from), and waits for wp_room_fd() among its other descriptors. Room is there most of the time, so that
 * descriptor is watched only while there is something to submit that was refused.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "workerpool.h"

enum { REQUESTS = 500, CAPACITY = 4, TICKS = 5, TICK_NS = 2000000 };

static uint64_t answers[REQUESTS];
static uint64_t sum;
static unsigned received, accepted, answered, held_back, ticks;
static int epoll;

static int must(const char *call, int result) /* of the system */
{
    if (result >= 0) return result;
    perror(call);
    exit(1);
}

static int check(const char *call, int code) /* of the pool */
{
    if (code >= 0) return code;
    fprintf(stderr, "%s: %s\n", call, wp_strerror(code));
    exit(1);
}

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
    must("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

static void unwatch(int fd)
{
    must("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL));
}

static int answer(wp_context *context, void *arg) /* on a worker: far slower than reading the request */
{
    uint64_t *place = arg, steps = 0, from = (uint64_t)(place - answers) * 50 + 1;
    (void)context;
    for (uint64_t n = from; n < from + 50; n++)
        for (uint64_t at = n; at != 1; at = at % 2 ? 3 * at + 1 : at / 2) steps++;
    *place = steps;
    return 0;
}

/* Somebody who sends requests, as fast as we read them. */
static void *client(void *arg)
{
    int socket = *(int *)arg;
    for (uint32_t i = 0; i < REQUESTS; i++)
        must("send", (int)send(socket, &i, sizeof i, 0));
    must("close", close(socket));
    return NULL;
}

/* The next request, without waiting; false: none now. */
static bool receive(int socket, uint32_t *request)
{
    ssize_t got = recv(socket, request, sizeof *request, MSG_DONTWAIT);
    if (got == 0) { /* the client is gone */
        unwatch(socket);
        return false;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    must("recv", (int)got);
    received++;
    return true;
}

/* False: there is no room. Nothing else is an answer to expect here: there are places for all results. */
static bool submit(wp_pool *pool, wp_results *results, uint32_t request)
{
    wp_task task = WP_TASK_INIT;
    task.run = answer;
    task.arg = &answers[request];
    task.results = results;
    int code = wp_submit_task(pool, &task, 0);
    if (code == WP_EFULL) return false;
    check("wp_submit_task", code);
    accepted++;
    return true;
}

int main(void)
{
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    wp_results *results; /* 1,024 places */
    int sockets[2];
    struct itimerspec every = {{0, TICK_NS}, {0, TICK_NS}};
    pthread_t sender;
    uint32_t request = 0; /* the one that was refused, while `is_held` */
    bool is_held = false;

    options.workers = 2;
    options.capacity = CAPACITY;
    check("wp_create", wp_create(&options, &pool));
    check("wp_results_create", wp_results_create(NULL, &results));
    must("socketpair", socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets)); /* a message is a request */
    epoll = must("epoll_create1", epoll_create1(EPOLL_CLOEXEC));
    int timer = must("timerfd_create", timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    must("timerfd_settime", timerfd_settime(timer, 0, &every, NULL));
    int room = check("wp_room_fd", wp_room_fd(pool)), ready = check("wp_results_fd", wp_results_fd(results));
    watch(timer);
    watch(ready);
    watch(sockets[0]);
    if (pthread_create(&sender, NULL, client, &sockets[1]) != 0) return 1;

    while (answered < REQUESTS || ticks < TICKS) {
        struct epoll_event event;
        if (epoll_wait(epoll, &event, 1, -1) < 0) {
            if (errno == EINTR) continue;
            must("epoll_wait", -1);
        }
        int fd = event.data.fd;
        if (fd == timer) { /* it goes on ticking, however full the queue is */
            uint64_t times;
            must("read", (int)read(timer, &times, sizeof times));
            ticks += (unsigned)times;
        } else if (fd == ready) {
            wp_record batch[16];
            size_t got;
            check("wp_results_drain", wp_results_drain(results, batch, 16, sizeof *batch, 0, &got));
            for (size_t i = 0; i < got; i++) sum += *(uint64_t *)batch[i].arg;
            answered += (unsigned)got;
        } else if (fd == room) {
            if (submit(pool, results, request)) { /* else others were quicker, and it is unreadable again */
                is_held = false;
                unwatch(room);
                watch(sockets[0]);
            }
        } else {
            while (!is_held && receive(sockets[0], &request))
                if (!submit(pool, results, request)) is_held = true;
            if (is_held) {
                held_back++;
                unwatch(sockets[0]);
                watch(room);
            }
        }
    }

    printf("received %u, accepted %u, answered %u, sum %llu\n", received, accepted, answered, (unsigned long long)sum);
    printf("the client was held back: %s\n", held_back > 0 ? "true" : "false");
    printf("the timer ticked: %s\n", ticks >= TICKS ? "true" : "false");
    pthread_join(sender, NULL);
    check("wp_destroy", wp_destroy(pool)); /* closes `room` */
    check("wp_results_release", wp_results_release(results)); /* and this `ready` */
    return fflush(stdout) != 0;
}
