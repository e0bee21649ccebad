//! What a thread does to a pool, or a task from inside, and what may come of it.

use std::sync::atomic::Ordering::Relaxed;

use workerpool::pool::group::{OnFailure, Stop};
use workerpool::pool::notify::{Notice, Waiter};
use workerpool::pool::results::{Place, WhenFull};
use workerpool::pool::{Error, NO_DEADLINE, Wait};

use crate::dice::Dice;
use crate::explore::{Condvar, Mutex, TestDetail};
use crate::groups::{Handle, make};
use crate::scene::{linger, wish};
use crate::world::{Action, Line, World};

pub struct Player<'a> {
    world: &'a World,
    dice: Dice,
    /// Its number, unless it is a task or a notice.
    me: Option<usize>,
}

/// Does what a task is to do, and returns its status.
pub fn act(world: &World, action: Action) -> i32 {
    match action {
        Action::Nothing => {}
        Action::Linger(steps) => linger(steps),
        Action::Pass => world.gate.pass(),
        Action::Meet(count) => {
            if world.waiting.fetch_add(1, Relaxed) + 1 == count {
                world.gate.open();
            }
            world.gate.pass();
        }
        Action::Fail => {
            world.is_cancelling.store(true, Relaxed);
            return 1;
        }
        Action::Move(seed) => Player::new(world, Dice::of(seed), None).go(),
    }
    0
}

/// A waiter for room, and how often it was told.
struct Ear<'a> {
    waiter: Waiter,
    told: Mutex<u64>,
    is_told: Condvar,
    world: &'a World,
    seed: u64,
}

impl<'a> Player<'a> {
    pub fn new(world: &'a World, dice: Dice, me: Option<usize>) -> Player<'a> {
        Player { world, dice, me }
    }

    pub fn play(mut self, moves: u64) {
        let (told, is_told, seed) = (Mutex::new(0), Condvar::new(), self.dice.below(u64::MAX));
        let ear = Ear { waiter: Waiter::new(), told, is_told, world: self.world, seed };
        let mut expected = 0;
        for _ in 0..moves {
            if self.world.scene.has_notices && self.dice.one_in(3) {
                self.listen(&ear, &mut expected);
            } else {
                self.go();
            }
        }
        if self.dice.one_in(2) {
            // It comes without a shutdown's help.
            let mut told = ear.told.lock().unwrap();
            while *told < expected {
                told = ear.is_told.wait(told).unwrap();
            }
        }
        self.forget(&ear, &mut expected);
    }

    pub fn go(&mut self) {
        let scene = self.world.scene;
        match self.dice.below(16) {
            0..=7 => {
                let group = self.any_group();
                self.submit(group);
            }
            8..=9 => self.submit_batch(),
            10 => self.wait_idle(),
            11 if scene.has_groups => {
                let group = self.any_group();
                self.wait_group(group);
            }
            12 if scene.has_groups && self.dice.one_in(2) => {
                let group = self.any_group();
                self.cancel(group);
            }
            13 if scene.has_groups => self.use_own_group(),
            14 => {
                let glance = self.world.pool.glance();
                assert!(glance.queued() + glance.running() <= glance.accepted);
            }
            15 if self.dice.one_in(4) => self.close_results(),
            _ => linger(self.dice.below(8)),
        }
    }

    fn any_group(&mut self) -> Option<Handle> {
        let groups = self.world.groups.lock().unwrap();
        if groups.is_empty() || self.dice.one_in(4) { None } else { Some(self.dice.pick(&groups)) }
    }

    fn wait(&mut self) -> Wait {
        let time = 1 + self.dice.below(60);
        self.dice.pick(&[Wait::Never, Wait::Forever, Wait::Forever, Wait::For(0), Wait::For(time)])
    }

    fn action(&mut self) -> Action {
        let (steps, seed) = (1 + self.dice.below(6), self.dice.below(u64::MAX));
        match self.dice.below(8) {
            0 => Action::Fail,
            1..=3 => Action::Linger(steps),
            // Tasks of tasks make no moves, so that there is an end.
            4..=6 if self.world.scene.is_lively && self.me.is_some() => Action::Move(seed),
            _ => Action::Nothing,
        }
    }

    fn detail(&mut self, group: Option<Handle>) -> TestDetail {
        let is_timed = self.world.scene.has_deadlines && self.dice.one_in(2);
        let deadline =
            if is_timed { self.world.pool.now_ns() + 1 + self.dice.below(80) } else { NO_DEADLINE };
        TestDetail { group: group.map_or(std::ptr::null(), |group| group.get()), deadline }
    }

    fn submit(&mut self, group: Option<Handle>) {
        let (action, wait) = (self.action(), self.wait());
        let _ = self.submit_so(group, action, wait);
    }

    pub fn submit_so(&mut self, group: Option<Handle>, action: Action, wait: Wait) -> Result<(), Error> {
        let (world, detail) = (self.world, self.detail(group));
        let number = world.number(1, group);
        let results = world.results.as_ref().filter(|_| self.dice.one_in(2));
        let result = match results {
            None => world.pool.submit(world.task(number, None, action), Some(detail), wait),
            Some(results) => {
                let job = |place| (world.task(number, Some(place), action), Some(detail));
                world.pool.submit_recorded(results, group.as_ref().map(Handle::get), job, wait)
            }
        };
        self.judge(group, results.is_some(), wait, result);
        self.note(number, group, results.is_some(), result);
        result
    }

    /// In one go, or one by one where groups and deadlines are to be looked at.
    fn submit_batch(&mut self) {
        let (world, wait) = (self.world, self.wait());
        let is_scoped = self.dice.one_in(3);
        let group = if is_scoped { self.any_group() } else { None };
        let tasks: Vec<_> = (0..2 + self.dice.below(2))
            .map(|_| {
                let detail = if is_scoped { self.detail(group) } else { TestDetail::NONE };
                (self.action(), detail, world.results.is_some() && self.dice.one_in(2))
            })
            .collect();
        let first = world.number(tasks.len(), group);
        let job = |index: usize, place: Option<Place>| {
            let (action, detail, _) = tasks[index];
            (world.task(first + index, place, action), Some(detail))
        };
        let recorded = |index: usize, place| job(index, tasks[index].2.then_some(place));
        let results = |index: usize| world.results.as_ref().filter(|_| tasks[index].2);
        let mut accepted = 0;
        let (pool, count) = (&world.pool, tasks.len());
        let result = if is_scoped {
            pool.submit_each(count, recorded, results, wait, &mut accepted)
        } else if world.results.is_some() {
            pool.submit_recorded_batch(count, recorded, results, wait, &mut accepted)
        } else {
            pool.submit_batch(count, |index| job(index, None), wait, &mut accepted)
        };
        assert_eq!(result.is_ok(), accepted == count);
        for (index, task) in tasks.iter().enumerate() {
            let result = if index < accepted { Ok(()) } else { result };
            if index <= accepted {
                self.judge(group, task.2, wait, result);
            }
            self.note(first + index, group, task.2, result);
        }
    }

    /// Was a submit allowed to say that?
    fn judge(&self, group: Option<Handle>, is_recorded: bool, wait: Wait, result: Result<(), Error>) {
        let (world, is_inside) = (self.world, self.me.is_none());
        let refuses = world.results.as_ref().is_some_and(|results| results.when_full() == WhenFull::Refuse);
        let is_allowed = match result {
            Ok(()) => true,
            Err(Error::Full) => wait == Wait::Never,
            Err(Error::ResultsFull) => is_recorded && (refuses || matches!(wait, Wait::Never | Wait::For(0))),
            Err(Error::TimedOut) => matches!(wait, Wait::For(_)) && !(is_inside && wait != Wait::For(0)),
            Err(Error::Closed) => {
                world.is_closing.load(Relaxed) || (is_recorded && world.has_closed_results.load(Relaxed))
            }
            Err(Error::Cancelled) => group.is_some() && world.is_cancelling.load(Relaxed),
            Err(Error::Deadlock) => (is_inside || world.scene.is_manual) && wait != Wait::Never,
            Err(_) => false,
        };
        assert!(is_allowed, "a submit that might wait {wait:?} said {result:?}");
    }

    fn note(&self, task: usize, group: Option<Handle>, is_recorded: bool, result: Result<(), Error>) {
        if result.is_err() {
            group.inspect(|group| group.count_open(-1));
        }
        let groups = group.map_or(Vec::new(), Handle::ids);
        self.world.note(Line { task, player: self.me, groups, is_recorded, result });
    }

    fn wait_idle(&mut self) {
        let (covered, wait) = (self.world.accepted(None), self.wait());
        let result = self.world.pool.wait_idle(if wait == Wait::Never { Wait::For(0) } else { wait });
        self.have_waited(result, wait, &covered);
    }

    fn wait_group(&mut self, group: Option<Handle>) {
        let Some(group) = group else { return };
        let (covered, wait) = (self.world.accepted(Some(group)), self.wait());
        let result =
            self.world.pool.wait_group(group.get(), if wait == Wait::Never { Wait::For(0) } else { wait });
        self.have_waited(result, wait, &covered);
    }

    fn have_waited(&self, result: Result<(), Error>, wait: Wait, covered: &[usize]) {
        match result {
            Ok(()) => self.world.release(covered),
            Err(Error::TimedOut) => assert!(wait != Wait::Forever),
            Err(Error::Deadlock) => assert!(self.me.is_none() || self.world.scene.is_manual),
            Err(error) => panic!("a wait said {error:?}"),
        }
    }

    pub fn cancel(&mut self, group: Option<Handle>) {
        let Some(group) = group else { return };
        self.world.is_cancelling.store(true, Relaxed);
        self.world.pool.cancel(group.get(), Stop::Cancelled);
    }

    fn close_results(&self) {
        if let Some(results) = &self.world.results {
            self.world.has_closed_results.store(true, Relaxed);
            results.close();
        }
    }

    /// A group that is let go before its tasks have ended, or waited for.
    fn use_own_group(&mut self) {
        let above = self.any_group();
        let group = make(self.world, wish(&mut self.dice, above, OnFailure::GoOn));
        (0..1 + self.dice.below(2)).for_each(|_| self.submit(Some(group)));
        match self.dice.below(4) {
            0 => self.cancel(Some(group)),
            1 => self.wait_group(Some(group)),
            _ => {}
        }
        group.release();
    }

    /// Begins to wait for room, or no longer.
    fn listen(&mut self, ear: &Ear<'_>, expected: &mut u64) {
        if *expected > *ear.told.lock().unwrap() && self.dice.one_in(2) {
            return self.forget(ear, expected);
        }
        let arg = (&raw const *ear).cast_mut().cast();
        let notice = Notice { call: told, function: std::ptr::null(), arg };
        // SAFETY: `play` forgets it before it goes.
        match unsafe { self.world.pool.when_room(&ear.waiter, notice) } {
            Ok(()) => *expected += 1,
            // It waits already.
            Err(Error::Invalid) => assert!(*expected > 0),
            Err(error) => assert!(error == Error::Closed && self.world.is_closing.load(Relaxed), "{error:?}"),
        }
    }

    fn forget(&mut self, ear: &Ear<'_>, expected: &mut u64) {
        // SAFETY: it is there.
        match unsafe { self.world.pool.forget_room(&ear.waiter, Wait::Forever) } {
            Ok(()) => *expected -= 1,
            Err(error) => assert_eq!(error, Error::TooLate),
        }
        assert_eq!(*ear.told.lock().unwrap(), *expected, "a waiter is told once");
    }
}

unsafe fn told(_: *const (), ear: *mut ()) {
    // SAFETY: given by `Player::listen`.
    let ear = unsafe { &*ear.cast::<Ear<'_>>() };
    let mut player = Player::new(ear.world, Dice::of(ear.seed), None);
    if player.dice.one_in(2) {
        player.submit(None);
    }
    *ear.told.lock().unwrap() += 1;
    ear.is_told.notify_all();
}
