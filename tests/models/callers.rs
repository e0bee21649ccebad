//! A pool that goes while a submit is on its way back: as soon as anybody can know that it was accepted (B1).

use crate::explore::*;
use crate::groups::make_limited;
use workerpool::pool::notify::{Notice, Waiter};
use workerpool::pool::{Config, Error, Mode, Wait};

/// Another thread submits what is then the last of so many tasks. If that is known by now, the pool is shut down and goes; else it stays
/// until the submit has returned, which may have been refused. (On real threads nobody looks whether the pool is there;
/// tests/faults/way_back.c does.)
fn goes_after(crew: Arc<Crew>, tasks: u64, submit: impl FnOnce(&Crew) -> Result<(), Error> + Send + 'static) {
    let other = crew.clone();
    let submitter = spawn(move || submit(&other));
    let is_known = crew.pool.accepted() == tasks;
    crew.shutdown(Mode::Drain);
    #[cfg(any(wp_loom, wp_shuttle))]
    if is_known {
        crew.pool.bury();
    }
    let submitted = submitter.join().unwrap();
    assert!(submitted == Ok(()) || !is_known && submitted == Err(Error::Closed), "{submitted:?}");
    assert_eq!(crew.records.last().unwrap().ended(), u64::from(submitted.is_ok()));
}

/// It looks for a task before that, and lets others go first each time.
fn let_the_worker_sleep() {
    (0..4).for_each(|_| yield_now());
}

/// It has to wake the worker.
#[test]
fn a_pool_goes_behind_a_submit_that_owes_a_wake() {
    explore(|| {
        let crew = crew(1, 1, 1);
        let_the_worker_sleep();
        goes_after(crew, 1, |crew| crew.submit(0, Action::Nothing, Wait::Never));
    });
}

/// B2: the same, and there is so much to do that the worker might wake another.
#[test]
fn a_pool_goes_behind_a_batch_that_owes_a_wake() {
    explore(|| {
        let crew = crew(1, 2, 2);
        let_the_worker_sleep();
        goes_after(crew, 2, |crew| crew.submit_batch(Action::Nothing, Wait::Never));
    });
}

/// The same for a task in a lane.
#[test]
fn a_pool_goes_behind_a_submit_to_a_lane() {
    explore(|| {
        let crew = crew(1, 1, 1);
        let group = make_limited(&crew);
        let_the_worker_sleep();
        goes_after(crew, 1, move |crew| crew.submit_with(0, Action::Nothing, group.detail(), Wait::Never));
        group.release();
    });
}

/// It has to leave the line.
#[test]
fn a_pool_goes_behind_a_submit_that_waited() {
    explore(|| {
        let crew = crew(1, 1, 2);
        assert_eq!(crew.submit(0, Action::Nothing, Wait::Never), Ok(()));
        goes_after(crew, 2, |crew| crew.submit(1, Action::Nothing, Wait::Forever));
    });
}

/// It has to tell the timer.
#[test]
fn a_pool_goes_behind_a_submit_with_a_deadline() {
    explore(|| {
        let crew = crew_of(Config::new(1, 1).unwrap().with_timer(true), 1, 1);
        let detail = TestDetail { deadline: u64::MAX - 1, ..TestDetail::NONE };
        goes_after(crew, 1, move |crew| crew.submit_with(0, Action::Nothing, detail, Wait::Never));
    });
}

unsafe fn open(_: *const (), crew: *mut ()) {
    // SAFETY: given below.
    unsafe { &*crew.cast::<Crew>() }.gate.open();
}

/// Who waits for room, and is told by its own call, has to see whether there are others to tell.
#[test]
fn a_pool_goes_behind_a_wait_for_room() {
    explore(|| {
        let crew = crew(0, 1, 0);
        let other = crew.clone();
        let caller = spawn(move || {
            let waiter = Waiter::new();
            let notice =
                Notice { call: open, function: std::ptr::null(), arg: Arc::as_ptr(&other).cast_mut().cast() };
            // SAFETY: told before this returns.
            unsafe { other.pool.when_room(&waiter, notice) }
        });
        crew.gate.pass();
        crew.shutdown(Mode::Drain);
        #[cfg(any(wp_loom, wp_shuttle))]
        crew.pool.bury();
        assert_eq!(caller.join().unwrap(), Ok(()));
    });
}
