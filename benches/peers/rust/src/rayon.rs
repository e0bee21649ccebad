// SPDX-License-Identifier: MIT
//! A thread pool of rayon's. Its end waits for nothing.

use peers::{Job, Peer, Traits};

peers::peer!(Rayon);

struct Rayon(rayon::ThreadPool);

impl Peer for Rayon {
    const CRATE: &str = "rayon";
    const TRAITS: Traits =
        Traits { is_bounded: false, queues: true, submits_in_task: true, can_end: true, drains: false };

    fn create(workers: usize, _capacity: usize) -> Self {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(workers);
        Rayon(builder.build().expect("the system starts threads"))
    }

    fn submit(&self, job: Job) {
        self.0.spawn(move || job.run());
    }

    fn destroy(self) {}
}
