// SPDX-License-Identifier: MIT
//
//! The library's queue beside the two that it could have been: crossbeam-channel's `try_send` and `try_recv`, and a ring under a
//! mutex. Only the queue: nobody sleeps, who finds it full or empty tries again. Medians of interleaved rounds.

use std::collections::VecDeque;
use std::hint::{black_box, spin_loop};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use workerpool::pool::queue::{Queue, Taken, Taker};
use workerpool::pool::{Job, Outcome};

const CAPACITY: usize = 1024;
const ITEMS: u64 = 1_000_000;
const ROUNDS: usize = 15;

/// As large as what a simple task is in the library's queue.
type Item = [u64; 3];

trait Bounded: Sync {
    fn push(&self, item: Item) -> bool;
    fn pop(&self) -> Option<Item>;
}

#[derive(Clone, Copy)]
struct Plain(Item);

impl Job for Plain {
    type Detail = ();
    fn is_detailed(&self) -> bool {
        false
    }
    fn run(&self, _: Option<&()>, _: u32) -> i32 {
        0
    }
    fn lose(&self, _: &()) {}

    fn end(&self, _: Option<&()>, _: Outcome) {}
}

impl Bounded for Queue<Plain> {
    fn push(&self, item: Item) -> bool {
        self.push_quickly(Plain(item), None)
    }
    fn pop(&self) -> Option<Item> {
        match self.take(Taker::Worker, &mut None) {
            Taken::Task(task) => Some(task.job.0),
            _ => None,
        }
    }
}

struct Channel(Sender<Item>, Receiver<Item>);

impl Bounded for Channel {
    fn push(&self, item: Item) -> bool {
        self.0.try_send(item).is_ok()
    }
    fn pop(&self) -> Option<Item> {
        self.1.try_recv().ok()
    }
}

struct Locked(Mutex<VecDeque<Item>>);

impl Bounded for Locked {
    fn push(&self, item: Item) -> bool {
        let mut ring = self.0.lock().unwrap();
        let has_room = ring.len() < CAPACITY;
        if has_room {
            ring.push_back(item);
        }
        has_room
    }
    fn pop(&self) -> Option<Item> {
        self.0.lock().unwrap().pop_front()
    }
}

/// Nanoseconds per item on one thread that pushes and pops.
fn alone(queue: &dyn Bounded) -> f64 {
    let began = Instant::now();
    for number in 0..ITEMS {
        black_box(queue.push([number; 3]));
        black_box(queue.pop());
    }
    began.elapsed().as_nanos() as f64 / ITEMS as f64
}

/// Nanoseconds per item with so many threads on either side.
fn through(queue: &dyn Bounded, each_side: u64) -> f64 {
    let (began, left) = (Instant::now(), AtomicU64::new(ITEMS));
    std::thread::scope(|scope| {
        for _ in 0..each_side {
            scope.spawn(|| {
                for number in 0..ITEMS / each_side {
                    while !queue.push([number; 3]) {
                        spin_loop();
                    }
                }
            });
            scope.spawn(|| {
                let mut mine = 0;
                while mine < ITEMS / each_side {
                    match queue.pop() {
                        Some(_) => mine += 1,
                        None => spin_loop(),
                    }
                }
                left.fetch_sub(mine, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(left.load(Ordering::Relaxed), 0);
    began.elapsed().as_nanos() as f64 / ITEMS as f64
}

fn main() {
    let (sender, receiver) = bounded(CAPACITY);
    let queues: [(&str, Box<dyn Bounded>); 3] = [
        ("own ring", Box::new(Queue::new(CAPACITY as u32).ok().unwrap())),
        ("crossbeam-channel", Box::new(Channel(sender, receiver))),
        ("ring under a mutex", Box::new(Locked(Mutex::new(VecDeque::with_capacity(CAPACITY))))),
    ];
    type Measure = fn(&dyn Bounded) -> f64;
    let measures: [(&str, Measure); 3] = [
        ("one thread", alone),
        ("1 in, 1 out", |queue| through(queue, 1)),
        ("2 in, 2 out", |queue| through(queue, 2)),
    ];
    for (what, measure) in measures {
        let mut figures = vec![Vec::new(); queues.len()];
        for _ in 0..ROUNDS {
            for (queue, figures) in queues.iter().zip(&mut figures) {
                figures.push(measure(&*queue.1));
            }
        }
        print!("{what:12}");
        for ((name, _), mut figures) in queues.iter().zip(figures) {
            figures.sort_by(f64::total_cmp);
            let quartile = |n: usize| figures[ROUNDS * n / 4];
            print!("   {name}: {:.1} ns ({:.1} to {:.1})", quartile(2), quartile(1), quartile(3));
        }
        println!();
    }
}
