//! A pool, all that goes on in it, and what must be true of that in the end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use workerpool::pool::results::{Order, Place, Results, WhenFull};
use workerpool::pool::{Config, Error, Fate, Job, Mode, NO_WORKER, Outcome, Pool, Wait};

use crate::explore::{Gate, JoinHandle, NoHooks, TestDetail, spawn};
use crate::groups::Handle;
use crate::scene::{Scene, linger};

/// What is noted here is noted between two switches of the model's threads, so plain locks and numbers will do.
pub struct World {
    pub scene: Scene,
    pub gate: Gate,
    pub waiting: AtomicU64,
    pub pool: Pool<Task>,
    pub results: Option<Results<Entry>>,
    order: Order,
    lives: Mutex<Vec<Life>>,
    ledger: Mutex<Vec<Line>>,
    read: Mutex<Vec<Entry>>,
    /// Groups that all may use.
    pub groups: Mutex<Vec<Handle>>,
    pub groups_made: AtomicU64,
    pub groups_freed: Arc<Mutex<u64>>,
    /// Somebody has begun to cancel a group, or a task to fail in one that is cancelled by that.
    pub is_cancelling: AtomicBool,
    pub has_closed_results: AtomicBool,
    /// A shutdown has begun; one has succeeded.
    pub is_closing: AtomicBool,
    is_over: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What has happened to a task.
#[derive(Clone, Copy, Default)]
struct Life {
    has_run: bool,
    /// How often it met each fate, in their order.
    fates: [u64; 4],
    /// A wait has said that it is over.
    is_free: bool,
}

impl Life {
    fn ended(&self) -> u64 {
        self.fates.iter().sum()
    }
}

/// One submit that has returned.
pub struct Line {
    pub task: usize,
    /// The thread that submitted it, if no task did.
    pub player: Option<usize>,
    pub groups: Vec<u64>,
    pub is_recorded: bool,
    pub result: Result<(), Error>,
}

/// A record of a task: its number and its fate.
pub type Entry = (usize, Fate);

/// What a task does.
#[derive(Clone, Copy)]
pub enum Action {
    Nothing,
    /// Lets others go on so often.
    Linger(u64),
    /// Waits until the world's gate is open.
    Pass,
    /// The same; the last of so many opens it.
    Meet(u64),
    Fail,
    /// Whatever a thread does, with these dice.
    Move(u64),
}

#[derive(Clone, Copy)]
pub struct Task {
    world: *const World,
    number: usize,
    place: Option<Place>,
    pub action: Action,
}

// SAFETY: the world outlives its pool's tasks.
unsafe impl Send for Task {}

impl Task {
    fn world(&self) -> &World {
        // SAFETY: see Send.
        unsafe { &*self.world }
    }
}

impl Job for Task {
    type Detail = TestDetail;

    fn is_detailed(&self) -> bool {
        true
    }

    fn run(&self, detail: Option<&TestDetail>, _: &Pool<Task>, worker: u32) -> i32 {
        assert_ne!(worker, NO_WORKER);
        let world = self.world();
        assert!(!world.is_over.load(Relaxed), "a task runs after the end (L5)");
        world.live(self.number, |life| {
            assert!(!life.has_run && life.ended() == 0, "a task runs twice, or has ended (L2)");
            life.has_run = true;
        });
        let group = detail.and_then(|detail| Handle::of(detail.group));
        group.inspect(|group| group.count_running(1));
        let status = crate::moves::act(world, self.action);
        group.inspect(|group| group.count_running(-1));
        status
    }

    fn lose(&self, _: &TestDetail) {
        // A second panic would hide the first.
        assert!(std::thread::panicking(), "a task is lost");
    }

    fn end(&self, detail: &TestDetail, outcome: Outcome) {
        let world = self.world();
        linger(self.number as u64 % 3);
        assert!(!world.is_over.load(Relaxed), "a task ends after the end (L5)");
        world.live(self.number, |life| {
            assert!(!life.is_free, "a task was touched after a wait said that it is over (L5)");
            assert_eq!(life.has_run, outcome.fate == Fate::Ran);
            life.fates[outcome.fate as usize - 1] += 1;
        });
        Handle::of(detail.group).inspect(|group| group.count_open(-1));
        if let (Some(place), Some(results)) = (self.place, &world.results) {
            results.put(place, |_| (self.number, outcome.fate));
            assert!(!results.release(), "the world has a reference");
        }
    }
}

impl World {
    pub fn new(scene: Scene, config: Config, results: Option<(u32, WhenFull, Order)>) -> Arc<World> {
        let world = Arc::new(World {
            scene,
            gate: Gate::new(),
            waiting: AtomicU64::new(0),
            pool: Pool::new(&config).unwrap(),
            results: results.map(|(capacity, when, order)| Results::new(capacity, when, order).unwrap()),
            order: results.map_or(Order::Ends, |(_, _, order)| order),
            lives: Mutex::default(),
            ledger: Mutex::default(),
            read: Mutex::default(),
            groups: Mutex::default(),
            groups_made: AtomicU64::new(0),
            groups_freed: Arc::default(),
            is_cancelling: AtomicBool::new(false),
            has_closed_results: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            threads: Mutex::default(),
        });
        for worker in 0..if config.is_manual() { 0 } else { config.workers() } {
            world.pool.expect_worker();
            world.employ(move |world| world.pool.work(worker, &NoHooks));
        }
        if config.has_timer() && !config.is_manual() {
            world.employ(|world| world.pool.keep_time());
        }
        world
    }

    fn employ(self: &Arc<World>, work: impl FnOnce(&World) + Send + 'static) {
        let world = self.clone();
        self.threads.lock().unwrap().push(spawn(move || work(&world)));
    }

    fn live<T>(&self, task: usize, body: impl FnOnce(&mut Life) -> T) -> T {
        body(&mut self.lives.lock().unwrap()[task])
    }

    /// Numbers for so many tasks that are about to be submitted.
    pub fn number(&self, count: usize, group: Option<Handle>) -> usize {
        group.inspect(|group| group.count_open(count as i64));
        let mut lives = self.lives.lock().unwrap();
        let first = lives.len();
        lives.resize(first + count, Life::default());
        first
    }

    pub fn task(&self, number: usize, place: Option<Place>, action: Action) -> Task {
        Task { world: self, number, place, action }
    }

    /// A submit has returned.
    pub fn note(&self, line: Line) {
        self.ledger.lock().unwrap().push(line);
    }

    /// Those accepted so far, all or of one group: what a wait that begins now will cover.
    pub fn accepted(&self, group: Option<Handle>) -> Vec<usize> {
        let id = group.map(|group| group.ids()[0]);
        let is_covered = |line: &&Line| line.result.is_ok() && id.is_none_or(|id| line.groups.contains(&id));
        self.ledger.lock().unwrap().iter().filter(is_covered).map(|line| line.task).collect()
    }

    /// Law L5: these have ended, and are touched no more.
    pub fn release(&self, tasks: &[usize]) {
        for &task in tasks {
            self.live(task, |life| {
                assert_eq!(life.ended(), 1, "a wait returned before the end of task {task} (L5)");
                life.is_free = true;
            });
        }
    }

    pub fn shutdown(&self, mode: Mode, wait: Wait) -> Result<(), Error> {
        self.is_closing.store(true, Relaxed);
        let covered = self.accepted(None);
        let join = || {
            let threads = std::mem::take(&mut *self.threads.lock().unwrap());
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        };
        let result = self.pool.shutdown(mode, wait, join);
        if result.is_ok() {
            self.is_over.store(true, Relaxed);
            self.release(&covered);
        }
        result
    }

    /// Reads records until there will be none, at most as many at once as `next` says.
    pub fn read(&self, mut next: impl FnMut() -> usize) {
        let Some(results) = &self.results else { return };
        loop {
            let most = next();
            let each = |entry| self.read.lock().unwrap().push(entry);
            match results.take(Wait::Forever, most, each) {
                Ok(count) => assert!(count > 0 && count <= most),
                Err(error) => break assert_eq!(error, Error::Closed),
            }
        }
    }

    /// Law L2, when all is over.
    pub fn check(&self, readers: u64) {
        let ledger = self.ledger.lock().unwrap();
        let lives = self.lives.lock().unwrap();
        assert_eq!(ledger.len(), lives.len(), "each submit has returned");
        let mut fates = [0; 4];
        for line in ledger.iter() {
            let (life, result) = (&lives[line.task], line.result);
            assert_eq!(
                life.ended(),
                u64::from(result.is_ok()),
                "task {}, submit said {result:?} (L2)",
                line.task
            );
            (0..4).for_each(|fate| fates[fate] += life.fates[fate]);
        }
        let snapshot = self.pool.snapshot();
        assert!(snapshot.exact && snapshot.closed);
        let figures = [snapshot.ran, snapshot.cancelled, snapshot.expired, snapshot.discarded];
        assert_eq!(figures, fates, "the figures and what happened (L2)");
        assert_eq!(snapshot.accepted, fates.iter().sum::<u64>());
        assert_eq!((snapshot.queued(), snapshot.running(), snapshot.passed_over()), (0, 0, 0));
        assert_eq!(snapshot.waiting, 0);
        let is_named = |line: &&Line| line.is_recorded && line.result.is_ok();
        let mut named: Vec<_> = ledger.iter().filter(is_named).map(|line| line.task).collect();
        let read = self.read.lock().unwrap();
        for &(task, fate) in read.iter() {
            assert_eq!(lives[task].fates[fate as usize - 1], 1, "a record tells another fate");
        }
        let mut told: Vec<_> = read.iter().map(|entry| entry.0).collect();
        let is_ordered = self.order == Order::Reservations && readers == 1;
        for player in 0..if is_ordered { self.scene.players } else { 0 } {
            let is_theirs =
                |&&task: &&usize| ledger.iter().any(|line| (line.task, line.player) == (task, Some(player)));
            assert!(told.iter().filter(is_theirs).is_sorted(), "records in another order than the submits");
        }
        named.sort();
        told.sort();
        assert_eq!(told, named, "one record for each task that named results");
        if let Some(results) = &self.results {
            assert!(results.release(), "a place is reserved though all is over");
        }
        assert_eq!(*self.groups_freed.lock().unwrap(), self.groups_made.load(Relaxed), "groups freed");
    }
}
