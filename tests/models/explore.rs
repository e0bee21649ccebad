//! One scenario, three ways to run it: by loom through every interleaving (`--cfg wp_loom`), by shuttle through some that are drawn
//! (`--cfg wp_shuttle`), else many times on real threads, as a stress test.

#![allow(dead_code)]

// Counting references and results is not what is explored: the checker would try every order of that too.
pub use std::sync::Arc;

#[cfg(wp_loom)]
pub use loom::{
    cell::UnsafeCell,
    sync::{Condvar, Mutex},
    thread::{JoinHandle, spawn, yield_now},
};
#[cfg(wp_shuttle)]
pub use shuttle::{
    sync::{Condvar, Mutex},
    thread::{JoinHandle, spawn, yield_now},
};
#[cfg(not(any(wp_loom, wp_shuttle)))]
pub use std::{
    sync::{Condvar, Mutex},
    thread::{JoinHandle, spawn, yield_now},
};
#[cfg(not(wp_loom))]
pub use workerpool::sync::UnsafeCell;

/// Explores a scenario. `LOOM_MAX_PREEMPTIONS` bounds the model (unset: 2), and `WP_SECONDS` how long each scenario may take (unset: no
/// limit), since each forced switch more multiplies the orders; `WP_ROUNDS` says how often the stress runs.
pub fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    explore_to(bound(), scenario);
}

/// The same for a whole pool with several threads: each forced switch more costs a hundred times as long there, so it gets
/// one fewer.
pub fn explore_large(scenario: impl Fn() + Send + Sync + 'static) {
    explore_to(bound().saturating_sub(1), scenario);
}

/// For two workers and all that a group brings with it: two fewer.
pub fn explore_huge(scenario: impl Fn() + Send + Sync + 'static) {
    explore_to(bound().saturating_sub(2), scenario);
}

fn bound() -> usize {
    std::env::var("LOOM_MAX_PREEMPTIONS").ok().and_then(|bound| bound.parse().ok()).unwrap_or(2)
}

#[cfg(wp_loom)]
fn explore_to<F: Fn() + Send + Sync + 'static>(bound: usize, scenario: F) {
    use std::sync::atomic::{AtomicU64, Ordering};
    let orders = Arc::new(AtomicU64::new(0));
    let counter = orders.clone();
    let begun = std::time::Instant::now();
    let limit = std::env::var("WP_SECONDS").ok().map(|limit| limit.parse().expect("WP_SECONDS"));
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(bound);
    model.max_branches = 20_000;
    model.max_duration = limit.map(std::time::Duration::from_secs);
    model.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        scenario();
    });
    let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
    let name = name.split_once("::").map_or(name, |(_, name)| name);
    let (orders, seconds) = (orders.load(Ordering::Relaxed), begun.elapsed().as_secs_f64());
    let which = if limit.is_some_and(|limit| seconds >= limit as f64) { "not all" } else { "all" };
    println!("{name}: {orders} orders, {which} with {bound} forced switches, in {seconds:.1} s");
}

#[cfg(wp_shuttle)]
#[path = "../shuttle/runner.rs"]
mod runner;
#[cfg(wp_shuttle)]
fn explore_to(_: usize, scenario: impl Fn() + Send + Sync + 'static) {
    runner::run(scenario);
}

#[cfg(not(any(wp_loom, wp_shuttle)))]
fn explore_to(_: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let rounds = std::env::var("WP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2_000);
    for _ in 0..rounds {
        scenario();
    }
}

use workerpool::pool::{
    Config, Detail, Error, Fate, Group, Job, Mode, NO_DEADLINE, NO_WORKER, Outcome, Pool, ThreadHooks, Wait,
};

/// What happened to one task, how often. Plain memory, as the caller's own would be: the checker objects if a task's end
/// and what comes after a wait for it are not ordered (law L5).
pub struct Record(UnsafeCell<Ends>);

#[derive(Clone, Copy, Default)]
struct Ends {
    ran: u64,
    cancelled: u64,
    expired: u64,
    discarded: u64,
    freed: bool,
}

// SAFETY: exactly that is the question that the scenarios ask.
unsafe impl Sync for Record {}
// SAFETY: as above.
unsafe impl Send for Record {}

impl Record {
    pub fn new() -> Self {
        Record(UnsafeCell::new(Ends::default()))
    }

    pub fn ended(&self) -> u64 {
        // SAFETY: see Sync.
        let ends = self.0.with(|ends| unsafe { *ends });
        ends.ran + ends.cancelled + ends.expired + ends.discarded
    }

    pub fn ran(&self) -> bool {
        // SAFETY: see Sync.
        self.0.with(|ends| unsafe { (*ends).ran > 0 })
    }

    /// The task may not be touched any more.
    pub fn free(&self) {
        // SAFETY: see Sync.
        self.0.with_mut(|ends| unsafe { (*ends).freed = true });
    }

    fn end(&self, fate: Fate) {
        // SAFETY: see Sync.
        self.0.with_mut(|ends| unsafe {
            assert!(!(*ends).freed, "a task was touched after a wait said that it is over (L5)");
            match fate {
                Fate::Ran => (*ends).ran += 1,
                Fate::Cancelled => (*ends).cancelled += 1,
                Fate::Expired => (*ends).expired += 1,
                Fate::Discarded => (*ends).discarded += 1,
            }
        });
    }
}

/// What a scenario's tasks do.
#[derive(Clone, Copy)]
pub enum Action {
    Nothing,
    /// Opens the crew's gate.
    Open,
    /// Waits until the crew's gate is open.
    Pass,
}

pub struct Gate(Mutex<bool>, Condvar);

impl Gate {
    pub fn new() -> Gate {
        Gate(Mutex::new(false), Condvar::new())
    }

    pub fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    pub fn pass(&self) {
        let mut open = self.0.lock().unwrap();
        while !*open {
            open = self.1.wait(open).unwrap();
        }
    }
}

#[derive(Clone, Copy)]
pub struct TestJob {
    record: *const Record,
    gate: *const Gate,
    action: Action,
}

// SAFETY: the scenarios keep their records and gates until the pool is gone.
unsafe impl Send for TestJob {}

impl TestJob {
    pub fn is_of(&self, record: &Record) -> bool {
        std::ptr::eq(self.record, record)
    }
}

#[derive(Clone, Copy)]
pub struct TestDetail {
    pub group: *const Group,
    pub deadline: u64,
}

// SAFETY: the scenarios' submits have a reference on the group.
unsafe impl Send for TestDetail {}

impl Detail for TestDetail {
    fn group(&self) -> Option<&Group> {
        // SAFETY: NULL, or there as long as the task is open.
        unsafe { self.group.as_ref() }
    }

    fn deadline(&self) -> u64 {
        self.deadline
    }
}

impl TestDetail {
    pub const NONE: TestDetail = TestDetail { group: std::ptr::null(), deadline: NO_DEADLINE };
}

impl Job for TestJob {
    type Detail = TestDetail;

    fn is_detailed(&self) -> bool {
        true
    }

    fn run(&self, _: Option<&TestDetail>, _: &Pool<TestJob>, worker: u32) -> i32 {
        assert_ne!(worker, NO_WORKER);
        // SAFETY: see Send.
        let gate = unsafe { &*self.gate };
        match self.action {
            Action::Nothing => {}
            Action::Open => gate.open(),
            Action::Pass => gate.pass(),
        }
        0
    }

    fn lose(&self, _: &TestDetail) {}

    fn end(&self, _: &TestDetail, outcome: Outcome) {
        // SAFETY: see Send.
        unsafe { &*self.record }.end(outcome.fate);
    }
}

pub struct NoHooks;

impl ThreadHooks for NoHooks {
    fn started(&self, _: u32) {}
    fn stopping(&self, _: u32) {}
}

/// A pool with its threads, and records for the tasks.
pub struct Crew {
    pub pool: Pool<TestJob>,
    pub records: Vec<Record>,
    pub gate: Gate,
    threads: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

pub fn manual_crew(capacity: u32, tasks: usize) -> Arc<Crew> {
    crew_of(Config::manual(1, capacity).unwrap(), 0, tasks)
}

/// Without workers the pool stands still until somebody works it off.
pub fn crew(workers: u32, capacity: u32, tasks: usize) -> Arc<Crew> {
    crew_of(Config::new(workers.max(1), capacity).unwrap(), workers, tasks)
}

pub fn crew_of(config: Config, workers: u32, tasks: usize) -> Arc<Crew> {
    let crew = Arc::new(Crew {
        pool: Pool::new(&config).unwrap(),
        records: (0..tasks).map(|_| Record::new()).collect(),
        gate: Gate::new(),
        threads: Default::default(),
    });
    for worker in 0..workers {
        crew.pool.expect_worker();
        let theirs = crew.clone();
        let thread = spawn(move || theirs.pool.work(worker, &NoHooks));
        crew.threads.lock().unwrap().push(thread);
    }
    crew
}

impl Crew {
    pub fn submit(&self, task: usize, action: Action, wait: Wait) -> Result<(), Error> {
        self.submit_with(task, action, TestDetail::NONE, wait)
    }

    pub fn submit_with(
        &self,
        task: usize,
        action: Action,
        detail: TestDetail,
        wait: Wait,
    ) -> Result<(), Error> {
        let job = TestJob { record: &self.records[task], gate: &self.gate, action };
        self.pool.submit(job, Some(detail), wait)
    }

    /// As many tasks as there are records, at once.
    pub fn submit_batch(&self, action: Action, wait: Wait) -> Result<(), Error> {
        let job = |task: usize| {
            let job = TestJob { record: &self.records[task], gate: &self.gate, action };
            (job, Some(TestDetail::NONE))
        };
        self.pool.submit_batch(self.records.len(), job, wait, &mut 0)
    }

    /// Runs what is queued on the calling thread, as the worker that the pool has not got.
    pub fn work_off(&self) {
        self.pool.expect_worker();
        assert_eq!(self.pool.shutdown(Mode::Drain, Wait::Never, || ()), Err(Error::TimedOut));
        self.pool.work(0, &NoHooks);
    }

    pub fn shutdown(&self, mode: Mode) {
        let join = || {
            let threads = std::mem::take(&mut *self.threads.lock().unwrap());
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        };
        assert_eq!(self.pool.shutdown(mode, Wait::Forever, join), Ok(()));
    }

    /// Law L2 at the end: each task met one fate iff its submit succeeded, and the figures say the same.
    pub fn check(&self, accepted: &[(usize, Result<(), Error>)]) {
        for &(task, result) in accepted {
            assert_eq!(
                self.records[task].ended(),
                u64::from(result.is_ok()),
                "task {task}, submit said {result:?}"
            );
        }
        let snapshot = self.pool.snapshot();
        assert!(snapshot.exact);
        assert_eq!((snapshot.queued(), snapshot.running()), (0, 0));
        let unrun = snapshot.cancelled + snapshot.expired + snapshot.discarded;
        assert_eq!(snapshot.accepted, snapshot.ran + unrun);
        assert_eq!(snapshot.passed_over(), 0);
        assert_eq!(snapshot.accepted, accepted.iter().filter(|(_, result)| result.is_ok()).count() as u64);
    }
}
