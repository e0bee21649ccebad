//! A queue of results between tasks, readers, submitters that wait for a place, and shutdowns.

use crate::explore::*;
use workerpool::pool::results::{Order, Place, Results, WhenFull};
use workerpool::pool::{Config, Error, Job, Mode, Outcome, Pool, Wait};

/// A task whose end puts its number into its results.
#[derive(Clone, Copy)]
struct Recorded {
    results: *const Results<u64>,
    place: Place,
    number: u64,
}

// SAFETY: the scenarios keep their results until the pool is gone.
unsafe impl Send for Recorded {}

impl Job for Recorded {
    type Detail = ();

    fn is_detailed(&self) -> bool {
        true
    }

    fn run(&self, _: Option<&()>, _: &Pool<Recorded>, _: u32) -> i32 {
        0
    }

    fn lose(&self, _: &()) {}

    fn end(&self, _: &(), _: Outcome) {
        // SAFETY: see Send.
        let results = unsafe { &*self.results };
        results.put(self.place, |_| self.number);
        assert!(!results.release(), "the scenario has a reference");
    }
}

/// A pool without workers: its tasks end when it is shut down.
fn pool() -> Arc<Pool<Recorded>> {
    Arc::new(Pool::new(&Config::new(1, 2).unwrap()).unwrap())
}

fn results(capacity: u32, when_full: WhenFull) -> Arc<Results<u64>> {
    Arc::new(Results::new(capacity, when_full, Order::Ends).unwrap())
}

fn submit(pool: &Pool<Recorded>, results: &Results<u64>, number: u64, wait: Wait) -> Result<(), Error> {
    pool.submit_recorded(results, None, |place| (Recorded { results, place, number }, Some(())), wait)
}

fn submitter(
    pool: &Arc<Pool<Recorded>>,
    results: &Arc<Results<u64>>,
    number: u64,
) -> JoinHandle<Result<(), Error>> {
    let (pool, results) = (pool.clone(), results.clone());
    spawn(move || submit(&pool, &results, number, Wait::Forever))
}

fn next(results: &Results<u64>, wait: Wait) -> Result<u64, Error> {
    let mut number = None;
    results.take(wait, 1, |record| number = Some(record)).map(|_| number.unwrap())
}

/// A reader that goes on until nothing more comes, and what it got.
fn reader(results: &Arc<Results<u64>>) -> JoinHandle<Vec<u64>> {
    let results = results.clone();
    spawn(move || {
        let mut numbers = Vec::new();
        loop {
            match next(&results, Wait::Forever) {
                Ok(number) => numbers.push(number),
                Err(error) => {
                    assert_eq!(error, Error::Closed);
                    return numbers;
                }
            }
        }
    })
}

/// Puts a record without a pool.
fn put(results: &Results<u64>, place: Place, number: u64) {
    results.put(place, |_| number);
    assert!(!results.release());
}

/// L4: a submitter that waits for a place is refused by a shutdown, and what was accepted has its record, whatever the reader does.
#[test]
fn full_results_hold_no_shutdown_up() {
    explore(|| {
        let (pool, results) = (pool(), results(1, WhenFull::Wait));
        assert_eq!(submit(&pool, &results, 0, Wait::Never), Ok(()));
        let submitter = submitter(&pool, &results, 1);
        let other = results.clone();
        let reader = spawn(move || next(&other, Wait::Forever));
        assert_eq!(pool.shutdown(Mode::Cancel, Wait::Forever, || ()), Ok(()));
        assert_eq!(submitter.join().unwrap(), Err(Error::Closed));
        assert_eq!(reader.join().unwrap(), Ok(0));
        results.close();
        assert_eq!(next(&results, Wait::Never), Err(Error::Closed));
        assert_eq!(pool.snapshot().discarded, 1);
    });
}

/// E3: nor does it take a reader: who waits is refused though nothing is ever read.
#[test]
fn full_results_that_nobody_reads_hold_no_shutdown_up() {
    explore(|| {
        let (pool, results) = (pool(), results(1, WhenFull::Wait));
        assert_eq!(submit(&pool, &results, 0, Wait::Never), Ok(()));
        let submitter = submitter(&pool, &results, 1);
        assert_eq!(pool.shutdown(Mode::Cancel, Wait::Forever, || ()), Ok(()));
        assert_eq!(submitter.join().unwrap(), Err(Error::Closed));
        assert_eq!(next(&results, Wait::Never), Ok(0));
    });
}

/// E3: a place that comes free goes to somebody who waits for it, also if it was first offered to one whose pool closes.
#[test]
fn a_free_place_finds_who_waits_for_it() {
    explore(|| {
        let (closing, open, results) = (pool(), pool(), results(1, WhenFull::Wait));
        put(&results, results.reserve().unwrap(), 0);
        let first = submitter(&closing, &results, 1);
        let second = submitter(&open, &results, 2);
        let closer = spawn(move || assert_eq!(closing.shutdown(Mode::Cancel, Wait::Forever, || ()), Ok(())));
        assert_eq!(next(&results, Wait::Never), Ok(0));
        match first.join().unwrap() {
            Ok(()) => assert_eq!(next(&results, Wait::Forever), Ok(1)),
            Err(error) => assert_eq!(error, Error::Closed),
        }
        assert_eq!(second.join().unwrap(), Ok(()));
        closer.join().unwrap();
        assert_eq!(open.shutdown(Mode::Cancel, Wait::Forever, || ()), Ok(()));
        assert_eq!(next(&results, Wait::Never), Ok(2));
    });
}

/// E2: a reader that sleeps is woken by the last record, and by the end, whichever order a close and the record come in.
#[test]
fn a_sleeping_reader_gets_the_last_record_and_the_end() {
    explore(|| {
        let results = results(2, WhenFull::Refuse);
        let place = results.reserve().unwrap();
        let reader = reader(&results);
        let other = results.clone();
        let task = spawn(move || put(&other, place, 7));
        results.close();
        assert_eq!(results.reserve(), Err(Error::Closed));
        task.join().unwrap();
        assert_eq!(reader.join().unwrap(), [7]);
    });
}

/// E2: whoever reads the last record tells the other readers that it was the last.
#[test]
fn all_readers_learn_of_the_end() {
    explore(|| {
        let results = results(2, WhenFull::Refuse);
        let place = results.reserve().unwrap();
        let readers = [reader(&results), reader(&results)];
        results.close();
        put(&results, place, 7);
        let numbers: Vec<_> = readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
        assert_eq!(numbers, [7]);
    });
}

/// E2: a reservation that is given back may be what the end was waiting for.
#[test]
fn a_place_given_back_may_be_the_end() {
    explore(|| {
        let (pool, results) = (pool(), results(1, WhenFull::Refuse));
        assert_eq!(pool.shutdown(Mode::Cancel, Wait::Forever, || ()), Ok(()));
        let reader = reader(&results);
        let submitter = submitter(&pool, &results, 1);
        results.close();
        assert_eq!(submitter.join().unwrap(), Err(Error::Closed));
        assert_eq!(reader.join().unwrap(), []);
    });
}

fn ordered(capacity: u32) -> (Arc<Results<u64>>, Vec<Place>) {
    let results = Arc::new(Results::new(capacity, WhenFull::Refuse, Order::Reservations).unwrap());
    let places = (0..capacity).map(|_| results.reserve().unwrap()).collect();
    (results, places)
}

/// O1, E2: tasks that end at once, in whichever order: the reader that sleeps gets their records in that of the reservations, and
/// the end.
#[test]
fn records_come_in_the_order_of_the_reservations() {
    explore(|| {
        let (results, places) = ordered(2);
        let reader = reader(&results);
        let (other, place) = (results.clone(), places[1]);
        let later = spawn(move || put(&other, place, 1));
        put(&results, places[0], 0);
        results.close();
        later.join().unwrap();
        assert_eq!(reader.join().unwrap(), [0, 1]);
    });
}

/// E2: one put that makes two records readable wakes two readers.
#[test]
fn a_record_that_others_wait_behind_wakes_as_many_readers() {
    explore(|| {
        let (results, places) = ordered(2);
        let readers = [0, 1].map(|_| {
            let results = results.clone();
            spawn(move || next(&results, Wait::Forever).unwrap())
        });
        put(&results, places[1], 1);
        put(&results, places[0], 0);
        let mut numbers = readers.map(|reader| reader.join().unwrap());
        numbers.sort();
        assert_eq!(numbers, [0, 1]);
    });
}

/// O3, E2, E5: a submit that is refused, and was the next to be read, sets free what waits behind it: for the reader that sleeps, and
/// for the bell.
#[test]
fn a_place_given_back_holds_nothing_up() {
    explore(|| {
        let (results, places) = ordered(2);
        let other = results.clone();
        let reader = spawn(move || next(&other, Wait::Forever));
        let (other, place) = (results.clone(), places[0]);
        let refused = spawn(move || other.give_back(place));
        put(&results, places[1], 1);
        assert_eq!(reader.join().unwrap(), Ok(1));
        refused.join().unwrap();
        // Two places are free again.
        let places = [results.reserve().unwrap(), results.reserve().unwrap()];
        assert_eq!(results.reserve(), Err(Error::ResultsFull));
        put(&results, places[1], 3);
        let bell = results.fd().unwrap();
        assert!(!crate::is_readable(bell), "the next record is not there");
        results.give_back(places[0]);
        assert!(crate::is_readable(bell));
        assert_eq!(next(&results, Wait::Never), Ok(3));
        assert!(!crate::is_readable(bell));
    });
}

/// Results as their memory: who gives the last reference back finds everything that was done with them done.
struct Memory {
    results: Results<u64>,
    used: [UnsafeCell<u32>; 2],
}

// SAFETY: exactly that is the question.
unsafe impl Sync for Memory {}
// SAFETY: as above.
unsafe impl Send for Memory {}

impl Memory {
    /// Uses the memory for the last time; returns whether it is freed now.
    fn leave(&self, me: usize) -> bool {
        // SAFETY: the cell is this thread's.
        self.used[me].with_mut(|used| unsafe { *used += 1 });
        let is_last = self.results.release();
        if is_last {
            for cell in &self.used {
                // SAFETY: the checker objects if another thread may still be at it (E6).
                cell.with_mut(|used| assert_eq!(unsafe { *used }, 1, "freed under a user"));
            }
        }
        is_last
    }
}

/// E6: the last reference, the owner's or the task's, frees, once, and after all else.
#[test]
fn the_last_reference_frees_after_all_use() {
    explore(|| {
        let memory = Arc::new(Memory {
            results: Results::new(1, WhenFull::Refuse, Order::Ends).unwrap(),
            used: [UnsafeCell::new(0), UnsafeCell::new(0)],
        });
        let place = memory.results.reserve().unwrap();
        let other = memory.clone();
        let task = spawn(move || {
            other.results.put(place, |_| 7);
            other.leave(1)
        });
        let read = next(&memory.results, Wait::Never);
        assert!(matches!(read, Ok(7) | Err(Error::TimedOut)), "{read:?}");
        let freed = memory.leave(0);
        assert!(freed != task.join().unwrap(), "freed once");
    });
}
