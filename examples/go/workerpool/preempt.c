/* SPDX-License-Identifier: MIT
 *
 * A loop without a call in it can be stopped, for the garbage collector say, by a signal only (SIGURG); while it can't, the whole program
 * stands still. On threads that are not Go's the Go runtime (seen with 1.26) loses such a signal when the thread has left Go by the
 * time it arrives: it believes that one is still under way, and never sends that thread another one.
 *
 * So each worker has a timer of its own that sends one for every 10 ms of processor time that it has used. One more is nothing to the Go
 * runtime (any may come from outside), and sets that belief right.
 */
#define _GNU_SOURCE
#include "bridge.h"

#ifdef __linux__
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { PERIOD_NS = 10 * 1000 * 1000 };

static __thread timer_t timer;
static __thread int has_timer;

/* Where the system has no timer left, everything works but for the case above. */
void bridge_preempt_start(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGURG};
    struct itimerspec period = {{0, PERIOD_NS}, {0, PERIOD_NS}};
    event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
    has_timer = timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) == 0;
    if (has_timer) timer_settime(timer, 0, &period, NULL);
}

void bridge_preempt_stop(void)
{
    if (has_timer) timer_delete(timer);
}
#else
void bridge_preempt_start(void) {}
void bridge_preempt_stop(void) {}
#endif
