//! The promises where pools have lost tasks or hung, each as one scenario (explore.rs says how they are run).

mod callers;
mod explore;
mod groups;
mod notify;
mod results;

use explore::*;
use workerpool::pool::queue::{Duty, Queue, Taken, Taker};
use workerpool::pool::room::Room;
use workerpool::pool::{Config, Error, Job, Mode, Outcome, Pool, Wait};

/// L4: each submit that races a shutdown is accepted and runs, or is refused and never does; none is stranded.
#[test]
fn submit_racing_shutdown_is_before_the_line_or_behind_it() {
    explore(|| {
        let crew = crew(1, 2, 2);
        let first = crew.submit(0, Action::Nothing, Wait::Never);
        let other = crew.clone();
        let submitter = spawn(move || other.submit(1, Action::Nothing, Wait::Never));
        crew.shutdown(Mode::Drain);
        crew.records[0].free();
        let second = submitter.join().unwrap();
        assert_eq!(first, Ok(()));
        assert!(matches!(second, Ok(()) | Err(Error::Closed)), "{second:?}");
        crew.check(&[(0, first), (1, second)]);
        assert_eq!(crew.submit(1, Action::Nothing, Wait::Forever), Err(Error::Closed));
    });
}

/// L4, L2: the same when the shutdown cancels what is queued: ran or discarded, once.
#[test]
fn submit_racing_cancelling_shutdown_meets_one_fate() {
    explore(|| {
        let crew = crew(1, 1, 2);
        let other = crew.clone();
        let submitter = spawn(move || {
            let first = other.submit(0, Action::Nothing, Wait::Forever);
            (first, other.submit(1, Action::Nothing, Wait::Never))
        });
        crew.shutdown(Mode::Cancel);
        let (first, second) = submitter.join().unwrap();
        crew.check(&[(0, first), (1, second)]);
    });
}

/// L4: a submitter that waits for room when the pool closes is woken, and refused or let in before the line.
#[test]
fn blocked_submitter_racing_shutdown_is_woken() {
    explore(|| {
        let door = Arc::new(Door::new(1));
        door.push(0).unwrap();
        let other = door.clone();
        let submitter = spawn(move || other.push(1));
        let other = door.clone();
        let worker = spawn(move || other.take());
        door.queue.close();
        door.room.release_all();
        let pushed = submitter.join().unwrap();
        let mut taken: Vec<_> = worker.join().unwrap().into_iter().collect();
        taken.extend(std::iter::from_fn(|| door.take()));
        match pushed {
            Ok(()) => assert_eq!(taken, [0, 1]),
            Err(refusal) => assert_eq!((refusal, taken), (Error::Closed, vec![0])),
        }
    });
}

/// L4: the same by a shutdown of the whole pool.
#[test]
fn blocked_submitter_racing_cancelling_shutdown_is_woken() {
    explore(|| {
        let pool = Arc::new(Pool::<Number>::new(&Config::new(1, 1).unwrap()).unwrap());
        assert_eq!(pool.submit(Number(0), None, Wait::Forever), Ok(()));
        let other = pool.clone();
        let submitter = spawn(move || other.submit(Number(1), None, Wait::Forever));
        assert_eq!(pool.shutdown(Mode::Cancel, Wait::Forever, || ()), Ok(()));
        assert_eq!(submitter.join().unwrap(), Err(Error::Closed));
        assert_eq!(pool.snapshot().discarded, 1);
    });
}

/// R1: whoever waits for room gets it, also when two wait and room comes bit by bit.
#[test]
fn blocked_submitters_are_all_let_in() {
    explore(|| {
        let door = Arc::new(Door::new(1));
        door.push(0).unwrap();
        let submitters = [1, 2].map(|number| {
            let door = door.clone();
            spawn(move || door.push(number))
        });
        let mut taken = Vec::new();
        while taken.len() < 3 {
            match door.take() {
                Some(number) => taken.push(number),
                None => yield_now(),
            }
        }
        assert!(submitters.map(|submitter| submitter.join().unwrap()).iter().all(Result::is_ok));
        taken.sort();
        assert_eq!(taken, [0, 1, 2]);
    });
}

/// P1: a submit that races the last worker going to sleep wakes it.
#[test]
fn submit_racing_the_last_worker_going_idle_is_run() {
    explore(|| {
        let crew = crew(1, 2, 2);
        let first = crew.submit(0, Action::Nothing, Wait::Never);
        assert_eq!(crew.pool.wait_idle(Wait::Forever), Ok(()));
        assert_eq!(crew.records[0].ended(), 1, "wait_idle said idle before the task's end (L5)");
        crew.records[0].free();
        let second = crew.submit(1, Action::Nothing, Wait::Never);
        assert_eq!(crew.pool.wait_idle(Wait::Forever), Ok(()));
        assert_eq!(crew.records[1].ended(), 1);
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, first), (1, second)]);
    });
}

/// P1: no task waits behind a long one while a worker sleeps.
#[test]
fn a_sleeping_worker_takes_what_waits_behind_a_busy_one() {
    explore_large(|| {
        let crew = crew(2, 2, 2);
        let first = crew.submit(0, Action::Pass, Wait::Never);
        let second = crew.submit(1, Action::Open, Wait::Never);
        // Ends only if both run at the same time.
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, first), (1, second)]);
    });
}

/// P1, without a shutdown's help: two workers get the two tasks, whichever of them sleeps, looks or wakes meanwhile.
#[test]
fn a_worker_that_found_work_passes_the_waking_on() {
    explore(|| {
        let pool = Arc::new(Pool::<Number>::new(&Config::new(2, 2).unwrap()).unwrap());
        let workers = [0, 1].map(|me| {
            let pool = pool.clone();
            // Takes one task and never comes back for another.
            spawn(move || pool.next_task(me, &mut None).unwrap().0)
        });
        for number in [1, 2] {
            assert_eq!(pool.submit(Number(number), None, Wait::Never), Ok(()));
        }
        let sum: u64 = workers.map(|worker| worker.join().unwrap()).iter().sum();
        assert_eq!(sum, 3);
    });
}

/// P1: a batch is more than the one worker that looks can take: the sleeping ones are woken too, one by the other.
#[test]
fn a_batch_finds_a_worker_for_each_of_its_tasks() {
    explore(|| {
        let pool = Arc::new(Pool::<Number>::new(&Config::new(2, 2).unwrap()).unwrap());
        let workers = [0, 1].map(|me| {
            let pool = pool.clone();
            spawn(move || pool.next_task(me, &mut None).unwrap().0)
        });
        let job = |index| (Number(index as u64 + 1), None);
        let mut accepted = 0;
        assert_eq!(pool.submit_batch(2, job, Wait::Never, &mut accepted), Ok(()));
        assert_eq!(accepted, 2);
        let sum: u64 = workers.map(|worker| worker.join().unwrap()).iter().sum();
        assert_eq!(sum, 3);
    });
}

/// Q1-Q3 for batches: a prefix is accepted, and comes out whole and in order whoever takes and pushes meanwhile.
#[test]
fn a_batch_keeps_its_order_among_others() {
    explore(|| {
        let queue = Arc::new(Queue::<Number>::new(3).unwrap());
        assert!(queue.push(Number(0), None).is_ok());
        let other = queue.clone();
        let batch = spawn(move || {
            other.push_batch(3, |index| (Number(1 + index as u64), None)).map_or(0, |(count, _)| count)
        });
        let other = queue.clone();
        let single = spawn(move || other.push(Number(9), None).is_ok());
        let mut taken: Vec<_> = take(&queue).into_iter().collect();
        let (batch, single) = (batch.join().unwrap() as u64, single.join().unwrap());
        taken.extend(std::iter::from_fn(|| take(&queue)));
        let of_batch: Vec<_> = taken.iter().copied().filter(|number| (1..=3).contains(number)).collect();
        assert_eq!(of_batch, (1..=batch).collect::<Vec<_>>());
        assert_eq!(taken.len() as u64, 1 + batch + u64::from(single));
        assert!(batch + u64::from(single) >= 2, "there was room for two");
    });
}

/// L4, L5: shutdowns at once, one of them harder: each returns only when all is over.
#[test]
fn two_shutdowns_at_once_both_return_at_the_end() {
    explore_large(|| {
        let crew = crew(1, 2, 2);
        let first = crew.submit(0, Action::Nothing, Wait::Never);
        let second = crew.submit(1, Action::Nothing, Wait::Never);
        let other = crew.clone();
        let harder = spawn(move || {
            other.shutdown(Mode::Cancel);
            assert_eq!((other.records[0].ended(), other.records[1].ended()), (1, 1));
        });
        crew.shutdown(Mode::Drain);
        assert_eq!((crew.records[0].ended(), crew.records[1].ended()), (1, 1));
        harder.join().unwrap();
        crew.records.iter().for_each(Record::free);
        crew.check(&[(0, first), (1, second)]);
    });
}

/// M1: two threads that submit to a full manual pool and step it: one has the seat, the other is refused, and no task runs twice
/// or never.
#[test]
fn who_steps_a_manual_pool_is_alone() {
    explore(|| {
        let crew = manual_crew(1, 4);
        let first = crew.submit(0, Action::Nothing, Wait::Never);
        let other = crew.clone();
        let thread =
            spawn(move || [1, 2].map(|task| (task, other.submit(task, Action::Nothing, Wait::Forever))));
        let mine = crew.submit(3, Action::Nothing, Wait::Forever);
        let [second, third] = thread.join().unwrap();
        let all = [(0, first), second, third, (3, mine)];
        assert!(all.iter().all(|(_, result)| matches!(result, Ok(()) | Err(Error::Deadlock))), "{all:?}");
        crew.shutdown(Mode::Drain);
        crew.check(&all);
    });
}

/// M3: what is submitted just after a wait has found nothing to step, and before it looks again, is stepped, not refused; with
/// nothing more to come the wait is refused. It takes one thread: shuttle would have nothing to draw.
#[cfg(not(wp_shuttle))]
#[test]
fn a_submit_between_step_and_look_is_no_refusal() {
    explore(|| {
        let crew = manual_crew(2, 1);
        let (looks, submitted) = (std::cell::Cell::new(0), std::cell::Cell::new(Err(Error::Full)));
        let waited = crew.pool.step_until(1, || {
            looks.set(looks.get() + 1);
            if looks.get() == 2 {
                submitted.set(crew.submit(0, Action::Nothing, Wait::Never));
            }
            crew.records[0].ran()
        });
        assert_eq!(waited, Ok(()));
        assert_eq!(crew.pool.step_until(1, || false), Err(Error::Deadlock));
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, submitted.get())]);
    });
}

/// P4: the identity holds in a snapshot taken at any moment of a task's life.
#[test]
fn every_snapshot_adds_up() {
    for mode in [Mode::Drain, Mode::Cancel] {
        explore(move || {
            let crew = crew(0, 2, 2);
            let other = crew.clone();
            let life = spawn(move || {
                let results = [0, 1].map(|task| (task, other.submit(task, Action::Nothing, Wait::Never)));
                match mode {
                    Mode::Drain => other.work_off(),
                    Mode::Cancel => other.shutdown(Mode::Cancel),
                }
                results
            });
            let snapshot = crew.pool.glance();
            // Queued and running are differences: not negative.
            let ended = snapshot.ran + snapshot.discarded;
            assert!(ended <= snapshot.accepted && snapshot.places <= snapshot.accepted, "{snapshot:?}");
            let results = life.join().unwrap();
            crew.shutdown(Mode::Drain);
            crew.check(&results);
        });
    }
}

/// Q1-Q3: what goes in comes out once, whoever pushes and takes; the ring of two is at its seam.
#[test]
fn the_queue_keeps_every_item() {
    explore(|| {
        let queue = Arc::new(Queue::<Number>::new(2).unwrap());
        assert!(queue.push(Number(0), None).is_ok());
        let producers = [1, 2].map(|number| {
            let queue = queue.clone();
            spawn(move || queue.push(Number(number), None).is_ok())
        });
        let consumer = {
            let queue = queue.clone();
            spawn(move || take(&queue))
        };
        let mut taken: Vec<_> = take(&queue).into_iter().collect();
        let pushed = producers.map(|producer| producer.join().unwrap());
        taken.extend(consumer.join().unwrap());
        queue.close();
        assert!(queue.push(Number(3), None).is_err());
        taken.extend(std::iter::from_fn(|| take(&queue)));
        assert!(matches!(queue.take(Taker::Worker(Duty::None), &mut None), Taken::Drained));
        taken.sort();
        let expected: Vec<_> = [(0, true), (1, pushed[0]), (2, pushed[1])]
            .into_iter()
            .filter_map(|(number, is_in)| is_in.then_some(number))
            .collect();
        assert_eq!(taken, expected);
    });
}

/// Q3: one producer's items come out in its order.
#[test]
fn the_queue_keeps_the_order() {
    explore(|| {
        let queue = Arc::new(Queue::<Number>::new(2).unwrap());
        let other = queue.clone();
        let producer = spawn(move || (1..=3).filter(|&n| other.push(Number(n), None).is_ok()).count());
        let other = queue.clone();
        let consumer = spawn(move || [take(&other), take(&other)]);
        let mine: Vec<_> = [take(&queue), take(&queue)].into_iter().flatten().collect();
        let theirs: Vec<_> = consumer.join().unwrap().into_iter().flatten().collect();
        let pushed = producer.join().unwrap();
        let rest: Vec<_> = std::iter::from_fn(|| take(&queue)).collect();
        assert!(mine.is_sorted() && theirs.is_sorted() && rest.is_sorted(), "{mine:?} {theirs:?} {rest:?}");
        let last_taken = mine.iter().chain(&theirs).max().copied().unwrap_or(0);
        assert!(rest.iter().all(|&number| number > last_taken));
        assert_eq!(mine.len() + theirs.len() + rest.len(), pushed);
    });
}

fn take(queue: &Queue<Number>) -> Option<u64> {
    match queue.take(Taker::Worker(Duty::None), &mut None) {
        Taken::Task(task) => Some(task.job.0),
        Taken::Empty(_) | Taken::Drained => None,
    }
}

/// A queue and the submitters that wait for room in it, without workers.
struct Door {
    queue: Queue<Number>,
    room: Room<Number>,
}

impl Door {
    fn new(capacity: u32) -> Self {
        Door { queue: Queue::new(capacity).unwrap(), room: Room::new() }
    }

    fn push(&self, number: u64) -> Result<(), Error> {
        let push = |job, detail| self.queue.push(job, detail);
        let deadline = Wait::Forever.begin();
        self.room.push(&self.queue, Number(number), None, push, || false, deadline).map(drop)
    }

    fn take(&self) -> Option<u64> {
        match self.queue.take(Taker::Worker(Duty::None), &mut None) {
            Taken::Task(task) => {
                if task.owes.release() {
                    self.room.release_one();
                }
                Some(task.job.0)
            }
            Taken::Empty(_) | Taken::Drained => None,
        }
    }
}

#[derive(Clone, Copy)]
struct Number(u64);

impl Job for Number {
    type Detail = ();

    fn is_detailed(&self) -> bool {
        false
    }

    fn run(&self, _: Option<&()>, _: &Pool<Number>, _: u32) -> i32 {
        0
    }

    fn lose(&self, _: &()) {}

    fn end(&self, _: &(), _: Outcome) {}
}

fn is_readable(descriptor: i32) -> bool {
    let mut poll = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    // SAFETY: one descriptor to look at.
    unsafe { libc::poll(&mut poll, 1, 0) == 1 }
}
