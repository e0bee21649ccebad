//! Waiters and the bell between workers, submitters that block, shutdowns, and owners who want their waiter back.

use crate::explore::*;
use crate::{Number, is_readable};
use workerpool::pool::notify::{Notice, Waiter};
use workerpool::pool::{Config, Error, Mode, Pool, Wait};

/// A pool, and waiters that note in plain memory how often they were told: the checker objects if a notice, and what comes after
/// its end was promised, are not ordered.
struct Scene {
    pool: Pool<Number>,
    waiters: [Waiter; 2],
    told: [UnsafeCell<u64>; 2],
    /// What the notice of the first submits, and waits again if there is no room after all.
    submits: Option<u64>,
}

// SAFETY: exactly that is the question.
unsafe impl Sync for Scene {}
// SAFETY: as above.
unsafe impl Send for Scene {}

/// The pool's queue is full, of the numbers from 0.
fn scene(capacity: u32, submits: Option<u64>) -> Arc<Scene> {
    let scene = Scene {
        pool: Pool::new(&Config::new(1, capacity).unwrap()).unwrap(),
        waiters: [Waiter::new(), Waiter::new()],
        told: [UnsafeCell::new(0), UnsafeCell::new(0)],
        submits,
    };
    for number in 0..u64::from(capacity) {
        assert_eq!(scene.pool.submit(Number(number), None, Wait::Never), Ok(()));
    }
    Arc::new(scene)
}

impl Scene {
    fn wait(&self, which: usize) -> Result<(), Error> {
        let notice =
            Notice { call: told, function: which as *const (), arg: (&raw const *self).cast_mut().cast() };
        // SAFETY: the scenarios keep their scene until all is over.
        unsafe { self.pool.when_room(&self.waiters[which], notice) }
    }

    /// How often it was told, by who knows that this is over: plain memory.
    fn told(&self, which: usize) -> u64 {
        // SAFETY: the checker objects if it is not.
        self.told[which].with_mut(|told| unsafe { *told })
    }

    fn forget(&self, which: usize) -> Result<(), Error> {
        // SAFETY: the scene is there.
        unsafe { self.pool.forget_room(&self.waiters[which], Wait::Forever) }
    }
}

unsafe fn told(which: *const (), scene: *mut ()) {
    // SAFETY: given by `Scene::wait`.
    let scene = unsafe { &*scene.cast::<Scene>() };
    let which = which as usize;
    // SAFETY: the checker objects if two do this at once.
    scene.told[which].with_mut(|told| unsafe { *told += 1 });
    if let Some(number) = scene.submits.filter(|_| which == 0) {
        match scene.pool.submit(Number(number), None, Wait::Never) {
            Ok(()) => {}
            Err(Error::Full) => assert_eq!(scene.wait(which), Ok(())),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// A worker that takes so many tasks, and what it got.
fn worker(scene: &Arc<Scene>, tasks: usize) -> JoinHandle<Vec<u64>> {
    let scene = scene.clone();
    spawn(move || (0..tasks).map(|_| scene.pool.next_task(0, &mut None).unwrap().0).collect())
}

/// V1: a waiter that comes while the last task is taken is told, by the one or the other, once.
#[test]
fn who_waits_for_room_is_told() {
    explore(|| {
        let scene = scene(1, None);
        let worker = worker(&scene, 1);
        assert_eq!(scene.wait(0), Ok(()));
        assert_eq!(worker.join().unwrap(), [0]);
        assert_eq!(scene.told(0), 1);
    });
}

/// V1: two that wait are both told, whoever leaves the second to whom.
#[test]
fn all_who_wait_are_told() {
    explore(|| {
        let scene = scene(2, None);
        let worker = worker(&scene, 2);
        assert_eq!(scene.wait(0), Ok(()));
        assert_eq!(scene.wait(1), Ok(()));
        assert_eq!(worker.join().unwrap(), [0, 1]);
        assert_eq!((scene.told(0), scene.told(1)), (1, 1));
    });
}

/// V1: a waiter that was told and found the place taken waits again, and is told again: its task comes in the end.
#[test]
fn who_finds_the_room_taken_is_told_again() {
    explore(|| {
        let scene = scene(1, Some(7));
        let worker = worker(&scene, 2);
        let other = scene.clone();
        let rival = spawn(move || other.pool.submit(Number(8), None, Wait::Never));
        assert_eq!(scene.wait(0), Ok(()));
        let mut taken = worker.join().unwrap();
        let rival = rival.join().unwrap();
        // What is left, if the rival had its place.
        while rival.is_ok() && taken.len() < 3 {
            taken.push(scene.pool.next_task(0, &mut None).unwrap().0);
        }
        taken.sort();
        assert_eq!(taken, if rival.is_ok() { vec![0, 7, 8] } else { vec![0, 7] });
    });
}

/// V2: the bell rings for the room that a refused submit has not seen.
#[test]
fn the_bell_rings_for_room() {
    explore(|| {
        let scene = scene(1, None);
        let bell = scene.pool.room_fd().unwrap();
        assert!(!is_readable(bell));
        let worker = worker(&scene, 2);
        let first = scene.pool.submit(Number(1), None, Wait::Never);
        if first.is_err() {
            // Nobody else submits: it rings when the task was taken, and the next submit is accepted.
            while !is_readable(bell) {
                yield_now();
            }
            assert_eq!(scene.pool.submit(Number(1), None, Wait::Never), Ok(()));
        }
        assert_eq!(worker.join().unwrap(), [0, 1]);
    });
}

/// V2: the same where the refused submit comes to a bell that has rung before.
#[test]
fn a_muffled_bell_rings_again() {
    explore(|| {
        let scene = scene(1, None);
        assert_eq!(scene.pool.next_task(0, &mut None).map(|number| number.0), Some(0));
        let bell = scene.pool.room_fd().unwrap();
        assert_eq!(scene.pool.submit(Number(1), None, Wait::Never), Ok(()));
        assert!(is_readable(bell), "it is lowered by a refusal only");
        let worker = worker(&scene, 1);
        let refused = scene.pool.submit(Number(2), None, Wait::Never).is_err();
        assert_eq!(worker.join().unwrap(), [1]);
        assert!(!refused || is_readable(bell));
    });
}

/// V3, V5: a waiter that comes while the pool is shut down is told or refused, and after the shutdown nothing more comes.
#[test]
fn a_waiter_racing_shutdown_is_told_or_refused() {
    for mode in [Mode::Cancel, Mode::Drain] {
        explore(move || {
            let scene = scene(1, None);
            let bell = scene.pool.room_fd().unwrap();
            let other = scene.clone();
            let waiter = spawn(move || other.wait(0));
            if mode == Mode::Drain {
                assert_eq!(scene.pool.next_task(0, &mut None).map(|number| number.0), Some(0));
            }
            assert_eq!(scene.pool.shutdown(mode, Wait::Forever, || ()), Ok(()));
            let told = scene.told(0);
            let waited = waiter.join().unwrap();
            assert!(matches!(waited, Ok(()) | Err(Error::Closed)), "{waited:?}");
            assert_eq!(told, u64::from(waited.is_ok()));
            assert!(is_readable(bell));
            assert_eq!(scene.wait(0), Err(Error::Closed));
        });
    }
}

/// V5: the shutdown that did not close the pool waits for the notices of the one that did.
#[test]
fn the_second_shutdown_waits_for_the_notices_of_the_first() {
    explore(|| {
        let scene = scene(1, None);
        assert_eq!(scene.wait(0), Ok(()));
        let shut = |scene: &Scene| {
            assert_eq!(scene.pool.shutdown(Mode::Cancel, Wait::Forever, || ()), Ok(()));
            // SAFETY: the checker objects if it is still being told.
            assert_eq!(scene.told[0].with(|told| unsafe { *told }), 1);
        };
        let other = scene.clone();
        let first = spawn(move || shut(&other));
        shut(&scene);
        first.join().unwrap();
    });
}

/// V4: who takes a waiter back has it: it is told never, or has been, and the notice is over.
#[test]
fn a_forgotten_waiter_is_over() {
    explore(|| {
        let scene = scene(1, None);
        assert_eq!(scene.wait(0), Ok(()));
        let worker = worker(&scene, 1);
        let forgotten = scene.forget(0);
        let told = scene.told(0);
        assert_eq!(forgotten, if told == 0 { Ok(()) } else { Err(Error::TooLate) });
        assert_eq!(worker.join().unwrap(), [0]);
        assert_eq!(scene.told(0), told);
    });
}

/// R3: a submitter that has looked in vain is let in beside a waiter, once; both get on.
#[test]
fn a_blocked_submitter_and_a_waiter_both_get_on() {
    explore(|| {
        let scene = scene(1, None);
        let other = scene.clone();
        let submitter = spawn(move || other.pool.submit(Number(1), None, Wait::Forever));
        let worker = worker(&scene, 2);
        assert_eq!(scene.wait(0), Ok(()));
        assert_eq!(submitter.join().unwrap(), Ok(()));
        assert_eq!(worker.join().unwrap(), [0, 1]);
        assert_eq!(scene.told(0), 1);
        assert_eq!(scene.pool.snapshot().queued(), 0);
    });
}
