// SPDX-License-Identifier: MIT
//! tokio's pool for blocking work, `spawn_blocking`. A runtime that ends drops what is queued there.

use peers::{Job, Peer, Traits};

peers::peer!(Tokio);

struct Tokio(tokio::runtime::Runtime);

impl Peer for Tokio {
    const CRATE: &str = "tokio";
    const TRAITS: Traits =
        Traits { is_bounded: false, queues: true, submits_in_task: true, can_end: true, drains: false };

    fn create(workers: usize, _capacity: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(workers).build();
        Tokio(runtime.expect("the system has what a runtime needs"))
    }

    fn submit(&self, job: Job) {
        drop(self.0.spawn_blocking(move || job.run()));
    }

    fn destroy(self) {}
}
