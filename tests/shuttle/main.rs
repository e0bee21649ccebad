//! Whole pools with everybody who uses them, at random: what each of them does is drawn first, then the order of events. In the end
//! all must add up (`world`). The models (tests/models) try every order of two or three steps; here are many steps, and some of their
//! orders.

#![cfg(wp_shuttle)]

mod dice;
#[path = "../models/explore.rs"]
mod explore;
mod groups;
mod held;
mod moves;
mod scene;
mod world;

use explore::explore;
use held::{play_held, play_meeting};
use scene::{Scene, play};

const PLAIN: Scene = Scene {
    workers: 3,
    capacity: 4,
    players: 3,
    moves: 4,
    has_groups: false,
    has_results: false,
    has_notices: false,
    has_deadlines: false,
    is_lively: false,
    is_manual: false,
};

/// Submits that try, block or give up, one by one and in batches, and waits for idle, until a shutdown comes.
#[test]
fn submitters_and_a_shutdown() {
    explore(|| play(Scene { players: 4, ..PLAIN }));
}

/// All workers are held, the queue is full: those who wait for room are let go by a cancel or a close alone.
#[test]
fn submitters_to_a_pool_that_stands_still() {
    explore(|| play_held(PLAIN));
}

/// Each worker is needed, and nobody helps with a shutdown.
#[test]
fn tasks_that_wait_for_each_other() {
    explore(|| play_meeting(PLAIN));
}

/// Groups in groups with limits, failures and cancels, waits for them, and groups that are let go before their tasks.
#[test]
fn groups() {
    explore(|| play(Scene { has_groups: true, ..PLAIN }));
}

/// Few places for records, and a reader that takes its time.
#[test]
fn results_with_a_slow_reader() {
    explore(|| play(Scene { has_results: true, ..PLAIN }));
}

/// Word of room for those who must not wait, beside others who do.
#[test]
fn notices_of_room() {
    explore(|| play(Scene { has_notices: true, capacity: 2, ..PLAIN }));
}

/// Tasks that are too late when their turn comes, or before, by the timer.
#[test]
fn deadlines() {
    explore(|| play(Scene { has_deadlines: true, has_groups: true, players: 2, ..PLAIN }));
}

/// Tasks that submit, cancel, and wait for groups themselves.
#[test]
fn tasks_that_use_their_pool() {
    explore(|| play(Scene { is_lively: true, has_groups: true, players: 2, ..PLAIN }));
}

/// Two threads that step a pool without workers, beside others that submit.
#[test]
fn a_manual_pool() {
    explore(|| {
        play(Scene {
            is_manual: true,
            is_lively: true,
            has_groups: true,
            has_results: true,
            has_deadlines: true,
            ..PLAIN
        })
    });
}

#[test]
fn everything() {
    explore(|| {
        play(Scene {
            has_groups: true,
            has_results: true,
            has_notices: true,
            has_deadlines: true,
            is_lively: true,
            ..PLAIN
        })
    });
}
