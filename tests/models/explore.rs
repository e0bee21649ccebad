//! One scenario, two ways to run it: by the model checker through every interleaving (`--cfg wp_loom`), else many times on
//! real threads, as a stress test.

#![allow(dead_code)]

#[cfg(wp_loom)]
pub use loom::{
    sync::{Arc, Condvar, Mutex, atomic::AtomicU64, atomic::Ordering},
    thread::{JoinHandle, spawn},
};
#[cfg(not(wp_loom))]
pub use std::{
    sync::{Arc, Condvar, Mutex, atomic::AtomicU64, atomic::Ordering},
    thread::{JoinHandle, spawn},
};

/// Explores a scenario. `LOOM_MAX_PREEMPTIONS` bounds the model (unset: 2; a full run sets 3 or more); `WP_ROUNDS` says how often
/// the stress runs.
pub fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    #[cfg(wp_loom)]
    {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = model.preemption_bound.or(Some(2));
        model.max_branches = 20_000;
        model.check(scenario);
    }
    #[cfg(not(wp_loom))]
    {
        let rounds = std::env::var("WP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2_000);
        for _ in 0..rounds {
            scenario();
        }
    }
}

use workerpool::pool::{Config, Error, Fate, Job, Mode, NO_WORKER, Outcome, Pool, ThreadHooks, Wait};

/// The record of one task: what happened to it, how often.
#[derive(Default)]
pub struct Record {
    pub ran: AtomicU64,
    pub discarded: AtomicU64,
    /// Set by the scenario when the task may not be touched any more (law L5).
    pub freed: AtomicU64,
}

impl Record {
    pub fn ended(&self) -> u64 {
        self.ran.load(Ordering::SeqCst) + self.discarded.load(Ordering::SeqCst)
    }

    pub fn free(&self) {
        self.freed.store(1, Ordering::SeqCst);
    }
}

/// What a scenario's tasks do.
#[derive(Clone, Copy)]
pub enum Action {
    Nothing,
    /// Opens a gate.
    Open(&'static Gate),
    /// Waits until a gate is open.
    Pass(&'static Gate),
}

pub struct Gate(Mutex<bool>, Condvar);

impl Gate {
    /// Leaked on purpose: a job is plain data. A scenario makes a few.
    pub fn new() -> &'static Gate {
        Box::leak(Box::new(Gate(Mutex::new(false), Condvar::new())))
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
    pub record: *const Record,
    pub action: Action,
}

// SAFETY: the scenarios keep their records until the pool is gone.
unsafe impl Send for TestJob {}

impl Job for TestJob {
    type Detail = ();

    fn is_detailed(&self) -> bool {
        true
    }

    fn run(&self, _: Option<&()>, worker: u32) -> i32 {
        assert_ne!(worker, NO_WORKER);
        match self.action {
            Action::Nothing => {}
            Action::Open(gate) => gate.open(),
            Action::Pass(gate) => gate.pass(),
        }
        0
    }

    fn end(&self, _: Option<&()>, outcome: Outcome) {
        // SAFETY: see Send.
        let record = unsafe { &*self.record };
        assert_eq!(
            record.freed.load(Ordering::SeqCst),
            0,
            "a task was touched after a wait said that it is over (L5)"
        );
        match outcome.fate {
            Fate::Ran => record.ran.fetch_add(1, Ordering::SeqCst),
            Fate::Discarded => record.discarded.fetch_add(1, Ordering::SeqCst),
        };
    }
}

struct NoHooks;

impl ThreadHooks for NoHooks {
    fn started(&self, _: u32) {}
    fn stopping(&self, _: u32) {}
}

/// A pool with its threads, and records for the tasks.
pub struct Crew {
    pub pool: Pool<TestJob>,
    pub records: Vec<Record>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

pub fn crew(workers: u32, capacity: u32, tasks: usize) -> Arc<Crew> {
    let crew = Arc::new(Crew {
        pool: Pool::new(&Config::new(workers, capacity).unwrap()).unwrap(),
        records: (0..tasks).map(|_| Record::default()).collect(),
        threads: Mutex::new(Vec::new()),
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
        self.pool.submit(TestJob { record: &self.records[task], action }, Some(()), wait)
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
        assert_eq!(snapshot.accepted, snapshot.ran + snapshot.discarded);
        assert_eq!(snapshot.accepted, accepted.iter().filter(|(_, result)| result.is_ok()).count() as u64);
    }
}
