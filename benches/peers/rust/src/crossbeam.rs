// SPDX-License-Identifier: MIT
//! A bare pool: threads that receive from one bounded crossbeam channel, and nothing else.

use std::thread::{JoinHandle, spawn};

use crossbeam_channel::{Sender, bounded};
use peers::{Job, Peer, Traits};

peers::peer!(Bare);

struct Bare {
    jobs: Sender<Job>,
    threads: Vec<JoinHandle<()>>,
}

impl Peer for Bare {
    const CRATE: &str = "crossbeam-channel";
    const TRAITS: Traits =
        Traits { is_bounded: true, queues: true, submits_in_task: true, can_end: true, drains: true };

    fn create(workers: usize, capacity: usize) -> Self {
        let (jobs, queue) = bounded::<Job>(capacity);
        let work = |_| {
            let queue = queue.clone();
            spawn(move || queue.iter().for_each(Job::run))
        };
        Bare { jobs, threads: (0..workers).map(work).collect() }
    }

    fn submit(&self, job: Job) {
        self.jobs.send(job).expect("the threads live as long as the pool");
    }

    fn destroy(self) {
        drop(self.jobs);
        for thread in self.threads {
            thread.join().expect("no task panics");
        }
    }
}
