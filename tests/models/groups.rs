//! Groups: cancelling, expiring, waiting and freeing, each beside what it races with.

use std::mem::offset_of;

use crate::explore::*;
use workerpool::pool::group::{Group, OnFailure, Settings, Stop};
use workerpool::pool::{Config, Error, Mode, NO_DEADLINE, Wait};

/// A group on the heap, and what its use leaves behind.
struct Held {
    group: Group,
    memory: Arc<Memory>,
}

/// Plain memory, written by whoever uses the group and by who frees it: the checker objects if that is not ordered (G3).
struct Memory {
    used: [UnsafeCell<u32>; 2],
    freed: UnsafeCell<u32>,
}

// SAFETY: exactly that is the question.
unsafe impl Sync for Memory {}
// SAFETY: as above.
unsafe impl Send for Memory {}

impl Memory {
    fn new() -> Arc<Memory> {
        Arc::new(Memory { used: [UnsafeCell::new(0), UnsafeCell::new(0)], freed: UnsafeCell::new(0) })
    }

    fn touch(&self, user: usize) {
        // SAFETY: see Sync.
        self.used[user].with_mut(|used| unsafe { *used += 1 });
    }

    fn freed(&self) -> u32 {
        // SAFETY: see Sync.
        self.freed.with(|freed| unsafe { *freed })
    }
}

unsafe fn free(group: *const Group) {
    // SAFETY: made by `make`, and its last reference is gone.
    unsafe {
        let held = group.byte_sub(offset_of!(Held, group)).cast::<Held>().cast_mut();
        let held = Box::from_raw(held);
        for used in &held.memory.used {
            used.with(|used| assert!(*used <= 1));
        }
        held.memory.freed.with_mut(|freed| *freed += 1);
    }
}

/// A handle, to be given to threads.
#[derive(Clone, Copy)]
pub struct Handle(*const Group);

// SAFETY: the scenarios hold their references.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    fn get(&self) -> &Group {
        // SAFETY: see Send.
        unsafe { &*self.0 }
    }

    pub fn detail(&self) -> TestDetail {
        TestDetail { group: self.0, deadline: NO_DEADLINE }
    }

    pub fn release(&self) {
        // SAFETY: each handle is released once.
        unsafe { Group::release(self.0) };
    }
}

fn make_in(crew: &Crew, memory: &Arc<Memory>, above: Option<&Handle>, max_running: Option<u32>) -> Handle {
    let settings = Settings {
        above: above.map(Handle::get),
        deadline: NO_DEADLINE,
        on_failure: OnFailure::GoOn,
        max_running,
        free,
    };
    let held = Box::new(Held { group: crew.pool.new_group(&settings), memory: memory.clone() });
    // SAFETY: the box is leaked here, and freed by `free`.
    Handle(unsafe { &raw const (*Box::into_raw(held)).group })
}

fn make(crew: &Crew) -> Handle {
    make_in(crew, &Memory::new(), None, None)
}

/// One of its tasks runs at a time.
pub fn make_limited(crew: &Crew) -> Handle {
    make_in(crew, &Memory::new(), None, Some(1))
}

/// G1, G5, C1: a task that is queued when its group is cancelled runs, or is cancelled, and no start is behind the cancel; after the wait
/// nothing touches it.
#[test]
fn cancel_racing_the_start_of_a_task() {
    explore(|| {
        let crew = crew(1, 2, 1);
        let group = make(&crew);
        let submitted = crew.submit_with(0, Action::Nothing, group.detail(), Wait::Never);
        crew.pool.cancel(group.get(), Stop::Cancelled);
        assert_eq!(crew.pool.wait_group(group.get(), Wait::Forever), Ok(()));
        assert_eq!(crew.records[0].ended(), 1);
        let figures = crew.pool.glance();
        assert_eq!(figures.ran + figures.cancelled, 1);
        crew.records[0].free();
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, submitted)]);
        group.release();
    });
}

/// C1, C2, G5: the same from two sides at once, and a worker in between.
#[test]
fn two_cancels_and_a_worker_end_a_task_once() {
    explore(|| {
        let crew = crew(0, 2, 1);
        let group = make(&crew);
        let submitted = crew.submit_with(0, Action::Nothing, group.detail(), Wait::Never);
        let other = crew.clone();
        let second = spawn(move || other.pool.cancel(group.get(), Stop::Cancelled));
        let other = crew.clone();
        let worker = spawn(move || other.work_off());
        crew.pool.cancel(group.get(), Stop::Cancelled);
        assert_eq!(crew.pool.wait_group(group.get(), Wait::Forever), Ok(()));
        let figures = crew.pool.glance();
        assert_eq!(figures.ran + figures.cancelled, 1);
        second.join().unwrap();
        worker.join().unwrap();
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, submitted)]);
        group.release();
    });
}

/// G2, G5: a wait for the group ends, and only after the last task's end, when the pool has counted it.
#[test]
fn wait_racing_the_end_of_the_last_task() {
    explore(|| {
        let crew = crew(1, 2, 1);
        let group = make(&crew);
        let submitted = crew.submit_with(0, Action::Nothing, group.detail(), Wait::Never);
        assert_eq!(crew.pool.wait_group(group.get(), Wait::Forever), Ok(()));
        assert!(crew.records[0].ran());
        assert_eq!(crew.pool.glance().ran, 1);
        crew.records[0].free();
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, submitted)]);
        group.release();
    });
}

/// G5, M3: a wait for the group on a manual pool never sleeps: the task that another thread submits meanwhile is run by it, or not yet
/// accepted; and once that submit is over nothing refuses it.
#[test]
fn wait_on_a_manual_pool_racing_a_submit() {
    explore(|| {
        let crew = manual_crew(2, 2);
        let group = make(&crew);
        let first = crew.submit_with(0, Action::Nothing, group.detail(), Wait::Never);
        let other = crew.clone();
        let submitter = spawn(move || other.submit_with(1, Action::Nothing, group.detail(), Wait::Never));
        let waited = crew.pool.wait_group(group.get(), Wait::Forever);
        assert!(matches!(waited, Ok(()) | Err(Error::Deadlock)), "{waited:?}");
        assert_eq!(crew.records[0].ended(), 1);
        let second = submitter.join().unwrap();
        assert_eq!(crew.pool.wait_group(group.get(), Wait::Forever), Ok(()));
        assert_eq!(crew.records[1].ended(), 1);
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, first), (1, second)]);
        group.release();
    });
}

/// G5: the pool is idle only once its tasks have left their groups, whoever ended them.
#[test]
fn idle_racing_a_task_that_leaves_its_group() {
    explore(|| {
        let crew = crew(1, 2, 1);
        let group = make(&crew);
        let submitted = crew.submit_with(0, Action::Nothing, group.detail(), Wait::Never);
        let other = crew.clone();
        let canceller = spawn(move || other.pool.cancel(group.get(), Stop::Cancelled));
        assert_eq!(crew.pool.wait_idle(Wait::Forever), Ok(()));
        assert!(group.get().is_empty());
        canceller.join().unwrap();
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, submitted)]);
        group.release();
    });
}

/// A deadline that passes while a worker comes to the task: it runs, or expires, once; never late.
#[test]
fn deadline_racing_the_start_of_a_task() {
    explore(|| {
        let crew = crew_of(Config::manual(1, 2).unwrap().with_timer(true), 0, 2);
        let deadline = crew.pool.now_ns() + 5;
        let detail = TestDetail { deadline, ..TestDetail::NONE };
        let submitted = crew.submit_with(0, Action::Nothing, detail, Wait::Never);
        let other = crew.clone();
        let stepper = spawn(move || other.pool.step(1, &mut 0));
        crew.pool.advance(5);
        assert!(stepper.join().unwrap().is_ok());
        assert_eq!(crew.records[0].ended(), 1);
        // Now it is too late.
        let late = crew.submit_with(1, Action::Nothing, detail, Wait::Never);
        crew.shutdown(Mode::Drain);
        assert!(!crew.records[1].ran());
        crew.check(&[(0, submitted), (1, late)]);
    });
}

/// G3: the owner's reference and the last task's leaving race: the group is freed once, after all use.
#[test]
fn last_reference_racing_the_end_of_the_last_task() {
    explore(|| {
        let crew = crew(0, 2, 1);
        let memory = Memory::new();
        let group = make_in(&crew, &memory, None, None);
        let submitted = crew.submit_with(0, Action::Nothing, group.detail(), Wait::Never);
        let (other, used) = (crew.clone(), memory.clone());
        let worker = spawn(move || {
            used.touch(1);
            other.work_off();
        });
        memory.touch(0);
        group.release();
        worker.join().unwrap();
        assert_eq!(memory.freed(), 1);
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, submitted)]);
    });
}

/// G1: a group that comes into a group that is being cancelled: its task is refused, cancelled, or ran before; and the wait for the
/// outer group covers it.
#[test]
fn cancel_of_the_parent_racing_a_submit_to_a_new_child() {
    explore(|| {
        let crew = crew(0, 2, 1);
        let parent = make(&crew);
        let other = crew.clone();
        let submitter = spawn(move || {
            let child = make_in(&other, &Memory::new(), Some(&parent), None);
            let submitted = other.submit_with(0, Action::Nothing, child.detail(), Wait::Never);
            child.release();
            submitted
        });
        crew.pool.cancel(parent.get(), Stop::Cancelled);
        let submitted = submitter.join().unwrap();
        assert!(matches!(submitted, Ok(()) | Err(Error::Cancelled)), "{submitted:?}");
        // Nothing runs any more, whenever a worker comes.
        crew.work_off();
        assert!(!crew.records[0].ran());
        assert!(parent.get().is_empty());
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, submitted)]);
        parent.release();
    });
}

/// A submitter that waits for room learns of its group's cancel, though no room comes.
#[test]
fn blocked_submitter_racing_the_cancel_of_its_group() {
    explore(|| {
        let crew = crew(0, 1, 2);
        let group = make(&crew);
        let first = crew.submit(0, Action::Nothing, Wait::Never);
        let other = crew.clone();
        let submitter = spawn(move || other.submit_with(1, Action::Nothing, group.detail(), Wait::Forever));
        crew.pool.cancel(group.get(), Stop::Cancelled);
        let second = submitter.join().unwrap();
        assert_eq!(second, Err(Error::Cancelled));
        crew.work_off();
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, first), (1, second)]);
        group.release();
    });
}

/// N1, S3: the tasks of a serial group run one after the other, and both run though nobody else wakes anybody.
#[test]
fn a_serial_group_runs_all_its_tasks_one_at_a_time() {
    explore_huge(|| {
        let crew = crew(2, 2, 2);
        let group = make_in(&crew, &Memory::new(), None, Some(1));
        // Both write the first record's memory: the checker objects if they overlap.
        let all =
            [0, 0].map(|task| (task, crew.submit_with(task, Action::Nothing, group.detail(), Wait::Never)));
        assert_eq!(crew.pool.wait_group(group.get(), Wait::Forever), Ok(()));
        assert!(all.iter().all(|(_, submitted)| submitted.is_ok()));
        assert_eq!(crew.records[0].ended(), 2);
        crew.shutdown(Mode::Drain);
        group.release();
    });
}

/// S3: a task that comes into a lane finds a worker, though that is going to sleep.
#[test]
fn a_task_in_a_lane_racing_the_last_worker_going_idle() {
    explore(|| {
        let crew = crew(1, 2, 1);
        let group = make_in(&crew, &Memory::new(), None, Some(1));
        let submitted = crew.submit_with(0, Action::Nothing, group.detail(), Wait::Never);
        assert_eq!(crew.pool.wait_group(group.get(), Wait::Forever), Ok(()));
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, submitted)]);
        group.release();
    });
}

/// P1: one worker gets the task of a lane, the other that of the ring, though the first looked meanwhile and the second slept.
#[test]
fn a_looker_takes_a_task_of_a_lane_beside_a_push_to_the_ring() {
    explore(|| {
        let crew = crew_of(Config::new(2, 2).unwrap(), 0, 2);
        let group = make_limited(&crew);
        let workers = [0, 1].map(|me| {
            let crew = crew.clone();
            // Takes one task and never comes back for another.
            spawn(move || {
                let mut detail = None;
                assert!(crew.pool.next_task(me, &mut detail).is_some());
                u32::from(detail.is_some_and(|its| !its.group.is_null()))
            })
        });
        assert_eq!(crew.submit_with(0, Action::Nothing, group.detail(), Wait::Never), Ok(()));
        assert_eq!(crew.submit(1, Action::Nothing, Wait::Never), Ok(()));
        let of_lane: u32 = workers.map(|worker| worker.join().unwrap()).iter().sum();
        assert_eq!(of_lane, 1);
    });
}

/// S1: the one place goes to a task of the ring, or to one of a lane.
#[test]
fn ring_and_lanes_share_the_places() {
    explore(|| {
        let crew = crew(0, 1, 2);
        let group = make_in(&crew, &Memory::new(), None, Some(1));
        let other = crew.clone();
        let submitter = spawn(move || other.submit_with(0, Action::Nothing, group.detail(), Wait::Never));
        let second = crew.submit(1, Action::Nothing, Wait::Never);
        let first = submitter.join().unwrap();
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        assert!(crew.pool.glance().places <= 1);
        crew.work_off();
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, first), (1, second)]);
        group.release();
    });
}

/// R1: a place that a cancelled task in a lane gives back lets a waiting submitter in.
#[test]
fn a_place_in_a_lane_comes_back_to_who_waits_for_room() {
    explore(|| {
        let crew = crew(0, 1, 2);
        let group = make_in(&crew, &Memory::new(), None, Some(1));
        let first = crew.submit_with(0, Action::Nothing, group.detail(), Wait::Never);
        let other = crew.clone();
        let submitter = spawn(move || other.submit(1, Action::Nothing, Wait::Forever));
        crew.pool.cancel(group.get(), Stop::Cancelled);
        let second = submitter.join().unwrap();
        assert_eq!((first, second), (Ok(()), Ok(())));
        crew.work_off();
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, first), (1, second)]);
        group.release();
    });
}

/// Room: the cancel of a group that is none of theirs wakes all in line, and nobody overtakes.
#[test]
fn nobody_overtakes_by_the_cancel_of_a_group() {
    explore_large(|| {
        let crew = crew(0, 3, 5);
        let group = make(&crew);
        for task in 0..3 {
            assert_eq!(crew.submit(task, Action::Nothing, Wait::Never), Ok(()));
        }
        let submitters = [3, 4].map(|task| {
            let theirs = crew.clone();
            let submitter = spawn(move || theirs.submit(task, Action::Nothing, Wait::Forever));
            while crew.pool.glance().waiting < task as u64 - 2 {
                yield_now();
            }
            submitter
        });
        let next = || crew.pool.next_task(0, &mut None).unwrap();
        next(); // A place, but not room enough to let anybody go.
        crew.pool.cancel(group.get(), Stop::Cancelled);
        next();
        next();
        assert!(next().is_of(&crew.records[3]));
        assert!(next().is_of(&crew.records[4]));
        for submitter in submitters {
            assert_eq!(submitter.join().unwrap(), Ok(()));
        }
        group.release();
    });
}

/// R1: a place of the ring and one of a lane come back at once, and only together they are room enough for who waits.
#[test]
fn ring_and_lane_make_room_together() {
    explore(|| {
        let crew = crew(0, 3, 5);
        let group = make_limited(&crew);
        let in_lane = |task| crew.submit_with(task, Action::Nothing, group.detail(), Wait::Never);
        // It runs, so that the next one of its lane can't, and the taker gets one of the ring.
        assert_eq!(in_lane(0), Ok(()));
        assert!(crew.pool.next_task(0, &mut None).is_some());
        assert_eq!(in_lane(1), Ok(()));
        assert_eq!(crew.submit(2, Action::Nothing, Wait::Never), Ok(()));
        assert_eq!(crew.submit(3, Action::Nothing, Wait::Never), Ok(()));
        let theirs = crew.clone();
        let submitter = spawn(move || theirs.submit(4, Action::Nothing, Wait::Forever));
        let theirs = crew.clone();
        let taker = spawn(move || theirs.pool.next_task(0, &mut None).is_some());
        crew.pool.cancel(group.get(), Stop::Cancelled);
        assert_eq!(submitter.join().unwrap(), Ok(()));
        assert!(taker.join().unwrap());
    });
}

/// L4: a submit to a lane that races the closing is before the line, and runs, or behind it.
#[test]
fn submit_to_a_lane_racing_shutdown() {
    for mode in [Mode::Drain, Mode::Cancel] {
        explore(move || {
            let crew = crew(1, 2, 1);
            let group = make_in(&crew, &Memory::new(), None, Some(1));
            let other = crew.clone();
            let submitter = spawn(move || other.submit_with(0, Action::Nothing, group.detail(), Wait::Never));
            crew.shutdown(mode);
            let submitted = submitter.join().unwrap();
            assert!(matches!(submitted, Ok(()) | Err(Error::Closed)), "{submitted:?}");
            assert!(group.get().is_empty());
            crew.check(&[(0, submitted)]);
            group.release();
        });
    }
}

/// L5: a shutdown is over only when those who end tasks out of turn are through.
#[test]
fn shutdown_waits_for_who_cancels() {
    explore(|| {
        let crew = crew(1, 2, 1);
        let group = make(&crew);
        let submitted = crew.submit_with(0, Action::Nothing, group.detail(), Wait::Never);
        let other = crew.clone();
        let canceller = spawn(move || other.pool.cancel(group.get(), Stop::Cancelled));
        crew.shutdown(Mode::Drain);
        crew.records[0].free();
        canceller.join().unwrap();
        crew.check(&[(0, submitted)]);
        group.release();
    });
}

/// C2: a search that comes by a task while another one looks at it, and leaves it, does not miss it.
#[test]
fn two_searches_miss_nothing() {
    explore(|| {
        let crew = crew(0, 2, 2);
        let (group, stranger) = (make(&crew), make(&crew));
        let mine = crew.submit_with(0, Action::Nothing, group.detail(), Wait::Never);
        let theirs = crew.submit_with(1, Action::Nothing, stranger.detail(), Wait::Never);
        let other = crew.clone();
        // Comes by the first task on its way to the second.
        let passer = spawn(move || other.pool.cancel(stranger.get(), Stop::Cancelled));
        crew.pool.cancel(group.get(), Stop::Cancelled);
        assert_eq!(crew.records[0].ended(), 1, "it was queued, so it has ended when the cancel returns");
        passer.join().unwrap();
        crew.work_off();
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, mine), (1, theirs)]);
        group.release();
        stranger.release();
    });
}
