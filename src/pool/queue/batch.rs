//! Many pushes in one step.

#![forbid(unsafe_code)]

use super::{CLOSED, LOOKING, POSITION, Pause, Pushed, Queue, SHARED, waiting};
use crate::pool::{Error, Job};
use crate::sync::Ordering;

impl<J: Job> Queue<J> {
    /// As many of these jobs as there are free slots for, in one step: how many, at least one unless it is an error.
    pub fn push_batch(
        &self,
        count: usize,
        job: impl Fn(usize) -> (J, Option<J::Detail>),
    ) -> Result<(usize, Pushed), Error> {
        let mut tail = self.tail.0.load(Ordering::Relaxed);
        let mut pause = Pause::new();
        loop {
            if tail & CLOSED != 0 {
                return Err(Error::Closed);
            }
            if tail & SHARED != 0 {
                let (job, detail) = job(0);
                return self.push(job, detail).map(|pushed| (1, pushed));
            }
            let first = tail & POSITION;
            let (mut end, mut free) = (first, 0);
            while free < count.min(self.slots.len()) {
                let stamp = self.slot(end).stamp.load(Ordering::Acquire);
                if stamp != end {
                    if free == 0 {
                        tail = self.look_again(first, stamp, &mut pause)?;
                    }
                    break;
                }
                end = self.next(end);
                free += 1;
            }
            if free == 0 {
                continue;
            }
            // One that looks takes one task; for the others somebody has to be woken, who wakes the next in turn.
            let owes_wake = waiting::owes_wake(if free > 1 { tail & !LOOKING } else { tail });
            match self.claim_to(tail, end, owes_wake) {
                Ok(()) => {
                    let mut position = first;
                    for index in 0..free {
                        if index > 0 {
                            position = self.next(position);
                        }
                        let (job, detail) = job(index);
                        // Of the last one the stamp is the last step: the pool may be gone behind it (`callers`).
                        self.fill(position, job, detail);
                    }
                    return Ok((free, if owes_wake { Pushed::OwingWake } else { Pushed::Quietly }));
                }
                Err(now) => tail = now,
            }
        }
    }
}
