/* SPDX-License-Identifier: MIT
 *
 * The door to the planted faults of a library that was built with them (src/faults.rs).
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdint.h>

enum stage {
    START, SUBMIT, IN_LINE, TAKE, RAN, COUNT, SLEEP, CLOSE, DISCARD, JOIN, WAIT_IDLE, RESERVE, PUT, READ, STAGES
};

/* The stage's place panics after it was passed so many times more; returns 1 if there is such a stage. */
int32_t wp_fault_plant(uint32_t stage, int64_t after);

/* With 1: the next call that has brought about what it was for, and has something left to do before it returns, is held there; with 0:
 * it is let go. */
void wp_fault_hold(int32_t shall_hold);
int32_t wp_fault_is_held(void);

#endif
