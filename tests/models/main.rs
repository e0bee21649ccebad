//! The promises where pools have lost tasks or hung, each as one scenario (explore.rs says how they are run).

mod explore;

use explore::*;
use workerpool::pool::{Error, Mode, Wait};

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
        let crew = crew(1, 1, 3);
        let gate = Gate::new();
        let first = crew.submit(0, Action::Pass(gate), Wait::Forever);
        let other = crew.clone();
        let submitter = spawn(move || {
            let second = other.submit(1, Action::Nothing, Wait::Forever);
            (second, other.submit(2, Action::Nothing, Wait::Forever))
        });
        let closer = crew.clone();
        let shutdown = spawn(move || closer.shutdown(Mode::Drain));
        let (second, third) = submitter.join_after(|| gate.open());
        shutdown.join().unwrap();
        crew.check(&[(0, first), (1, second), (2, third)]);
    });
}

/// R1: whoever waits for room gets it, also when two wait and room comes bit by bit.
#[test]
fn blocked_submitters_are_all_let_in() {
    explore(|| {
        let crew = crew(1, 1, 3);
        let submitters: Vec<_> = (0..2)
            .map(|task| {
                let crew = crew.clone();
                spawn(move || crew.submit(task, Action::Nothing, Wait::Forever))
            })
            .collect();
        let mine = crew.submit(2, Action::Nothing, Wait::Forever);
        let mut results = vec![(2, mine)];
        for (task, submitter) in submitters.into_iter().enumerate() {
            results.push((task, submitter.join().unwrap()));
        }
        crew.shutdown(Mode::Drain);
        crew.check(&results);
        assert!(results.iter().all(|(_, result)| result.is_ok()));
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
    explore(|| {
        let crew = crew(2, 2, 2);
        let gate = Gate::new();
        let first = crew.submit(0, Action::Pass(gate), Wait::Never);
        let second = crew.submit(1, Action::Open(gate), Wait::Never);
        // Ends only if both run at the same time, whichever worker sleeps, looks or wakes meanwhile.
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, first), (1, second)]);
    });
}

/// P1, without a shutdown's help: the second task comes when one worker is busy for good and the other may sleep.
#[test]
fn a_worker_that_found_work_hands_the_looking_on() {
    explore(|| {
        let crew = crew(2, 2, 2);
        let gate = Gate::new();
        let other = crew.clone();
        let submitter = spawn(move || other.submit(0, Action::Pass(gate), Wait::Never));
        let second = crew.submit(1, Action::Open(gate), Wait::Never);
        let first = submitter.join().unwrap();
        assert_eq!(crew.pool.wait_idle(Wait::Forever), Ok(()));
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, first), (1, second)]);
    });
}

/// L4, L5: shutdowns at once, one of them harder: each returns only when all is over.
#[test]
fn two_shutdowns_at_once_both_return_at_the_end() {
    explore(|| {
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
        crew.records.iter().for_each(Record::free);
        harder.join().unwrap();
        crew.check(&[(0, first), (1, second)]);
    });
}

/// P4: the identity holds in a snapshot taken at any moment.
#[test]
fn every_snapshot_adds_up() {
    explore(|| {
        let crew = crew(1, 1, 2);
        let other = crew.clone();
        let submitter = spawn(move || {
            let first = other.submit(0, Action::Nothing, Wait::Forever);
            (first, other.submit(1, Action::Nothing, Wait::Never))
        });
        let snapshot = crew.pool.snapshot();
        // The differences would overflow if they were negative.
        let sum = snapshot.ran + snapshot.discarded + snapshot.queued() + snapshot.running();
        assert_eq!(snapshot.accepted, sum);
        let (first, second) = submitter.join().unwrap();
        crew.shutdown(Mode::Drain);
        crew.check(&[(0, first), (1, second)]);
    });
}

/// Q1-Q3: what goes in comes out once, in order, whoever pushes and takes.
#[test]
fn the_queue_keeps_every_item_and_their_order() {
    use workerpool::pool::queue::{Queue, Taken};
    explore(|| {
        let queue = Arc::new(Queue::<Number>::new(2).unwrap());
        let producers: Vec<_> = [10, 20]
            .map(|base| {
                let queue = queue.clone();
                spawn(move || (1..=2).filter(|step| queue.push(Number(base + step), None).is_ok()).count())
            })
            .into();
        let consumer = {
            let queue = queue.clone();
            spawn(move || taken(&queue, 2))
        };
        let mut pushed = 0;
        let mut all = taken(&queue, 2);
        for producer in producers {
            pushed += producer.join().unwrap();
        }
        let theirs = consumer.join().unwrap();
        for seen in [&all, &theirs] {
            for base in [10, 20] {
                let of: Vec<_> = seen.iter().filter(|&&item| item / 10 * 10 == base).collect();
                assert!(of.is_sorted(), "out of order: {seen:?}");
            }
        }
        all.extend(theirs);
        queue.close();
        assert!(queue.push(Number(1), None).is_err());
        while let Taken::Task(task) = queue.take() {
            all.push(task.job.0);
        }
        assert!(matches!(queue.take(), Taken::Drained));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), pushed, "{all:?}");
    });

    fn taken(queue: &Queue<Number>, tries: usize) -> Vec<u64> {
        (0..tries)
            .filter_map(|_| match queue.take() {
                Taken::Task(task) => Some(task.job.0),
                _ => None,
            })
            .collect()
    }
}

#[derive(Clone, Copy)]
struct Number(u64);

impl workerpool::pool::Job for Number {
    type Detail = ();

    fn is_detailed(&self) -> bool {
        false
    }

    fn run(&self, _: Option<&()>, _: u32) -> i32 {
        0
    }

    fn end(&self, _: Option<&()>, _: workerpool::pool::Outcome) {}
}

trait JoinAfter<T> {
    fn join_after(self, act: impl FnOnce()) -> T;
}

impl<T> JoinAfter<T> for JoinHandle<T> {
    fn join_after(self, act: impl FnOnce()) -> T {
        act();
        self.join().unwrap()
    }
}
