// SPDX-License-Identifier: MIT
//! The crate `threadpool`. The end of a pool does not wait for its threads, only for its tasks.

use peers::{Job, Peer, Traits};

peers::peer!(Threadpool);

struct Threadpool(threadpool::ThreadPool);

impl Peer for Threadpool {
    const CRATE: &str = "threadpool";
    const TRAITS: Traits =
        Traits { is_bounded: false, queues: true, submits_in_task: true, can_end: true, drains: true };

    fn create(workers: usize, _capacity: usize) -> Self {
        Threadpool(threadpool::ThreadPool::new(workers))
    }

    fn submit(&self, job: Job) {
        self.0.execute(move || job.run());
    }

    fn destroy(self) {
        self.0.join();
    }
}
