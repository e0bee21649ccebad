//! The life of a worker: take, run, count; look for a while; sleep.

#![forbid(unsafe_code)]

use super::queue::{Rest, Taken, Taker, Task};
use super::{Fate, Job, Outcome, Pool, ThreadHooks};
use crate::sync::{Ordering, spin_loop, this_thread};

impl<J: Job> Pool<J> {
    /// The whole life of the worker `me`. Called once for each worker, each on a thread of its own.
    pub fn work(&self, me: u32, hooks: &impl ThreadHooks) {
        let worker = &self.crew.workers[me as usize];
        worker.thread.store(this_thread(), Ordering::Relaxed);
        hooks.started(me);
        while let Some(task) = self.next_task(me) {
            self.perform(me, &task);
        }
        hooks.stopping(me);
        worker.thread.store(0, Ordering::Relaxed);
        self.crew.leave();
    }

    /// The next task, when there is one; `None` when there will be none.
    pub fn next_task(&self, me: u32) -> Option<Task<J>> {
        let mut looking = false;
        let mut spins = 0;
        loop {
            match self.queue.take(Taker::Worker) {
                Taken::Task(task) => {
                    if looking {
                        self.hand_looking_on();
                    }
                    if task.owes_release {
                        self.room.release_one();
                    }
                    return Some(task);
                }
                Taken::Drained => return None,
                Taken::Empty => {}
            }
            // LOOKING: nobody needs to be woken while this worker is awake without a task.
            if spins == 0 && !looking && self.queue.has_sleepers() {
                looking = self.queue.begin_looking();
                if !looking {
                    // One that looks is enough.
                    spins = self.spins;
                }
            }
            if spins < self.spins && !self.crew.idle_wanted.load(Ordering::Relaxed) {
                spins += 1;
                spin_loop();
            } else {
                looking = self.crew.sleep(me, &self.queue, looking, || self.is_quiet());
                spins = 0;
            }
        }
    }

    /// A worker that looked has a task now. If there is more to do, somebody who sleeps is to look in its place.
    fn hand_looking_on(&self) {
        if self.queue.stop_looking() == Rest::Work && self.queue.has_sleepers() && self.queue.begin_looking()
        {
            self.crew.wake_one(&self.queue);
        }
    }

    fn perform(&self, me: u32, task: &Task<J>) {
        let detail = task.detail.as_ref();
        let status = task.job.run(detail, me);
        if detail.is_some() {
            task.job.end(detail, Outcome { fate: Fate::Ran, status, worker: me });
        }
        let worker = &self.crew.workers[me as usize];
        if status != 0 {
            // Before `ran`, so that a snapshot never shows more failures than ends.
            worker.failed.store(worker.failed.load(Ordering::Relaxed) + 1, Ordering::Release);
        }
        worker.ran.store(worker.ran.load(Ordering::Relaxed) + 1, Ordering::Release);
    }
}
