//! Runs a scenario under many schedules that are drawn, and says how to run it again if one fails.
//!
//! Two ways to draw: at each step any thread that can go on (uniform); or threads with priorities, which change at a few points (PCT:
//! what takes so many turns of events is found with a probability that has a known bound). The schedules come in batches, each
//! with a seed of its own; the seed of a batch is what repeats a failure.

use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

/// Priorities change at two points of a run: three turns of events.
const DEPTH: usize = 3;
const BATCH: usize = 200;
const STEPS_MAX: usize = 200_000;

/// `WP_SEED` is the first batch's seed (unset: a fresh one), `WP_ROUNDS` the schedules by each scheduler (unset: 200),
/// `WP_SCHEDULER` the only one that is wanted.
pub fn run<F: Fn() + Send + Sync + 'static>(scenario: F) {
    let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
    let name = name.split_once("::").map_or(name, |(_, name)| name);
    let scenario = Arc::new(scenario);
    let number = |name: &str| std::env::var(name).ok().map(|number| number.parse().expect(name));
    let rounds = number("WP_ROUNDS").unwrap_or(200) as usize;
    let seed = number("WP_SEED").unwrap_or_else(|| RandomState::new().hash_one(name));
    let uniform = |seed, rounds| RandomScheduler::new_from_seed(seed, rounds);
    let pct = |seed, rounds| PctScheduler::new_from_seed(seed, DEPTH, rounds);
    let is_wanted = |scheduler| std::env::var("WP_SCHEDULER").map_or(true, |only| only == scheduler);
    if is_wanted("uniform") {
        run_by(name, "uniform", uniform, seed, rounds, &scenario);
    }
    if is_wanted("pct") {
        run_by(name, "pct", pct, seed, rounds, &scenario);
    }
}

fn run_by<S: Scheduler + 'static>(
    name: &str,
    scheduler: &str,
    make: impl Fn(u64, usize) -> S,
    seed: u64,
    rounds: usize,
    scenario: &Arc<impl Fn() + Send + Sync + 'static>,
) {
    let begun = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut batch = seed;
    while begun.load(Ordering::Relaxed) < rounds {
        let before = begun.load(Ordering::Relaxed);
        let schedules = BATCH.min(rounds - before);
        let (counter, body) = (begun.clone(), scenario.clone());
        let runner = Runner::new(make(batch, schedules), config());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            runner.run(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                body();
            })
        }));
        if let Err(panic) = outcome {
            let all = begun.load(Ordering::Relaxed);
            println!(
                "{name}: failed at schedule {all} by {scheduler}, after {:.1} s. To repeat it:\n    WP_SEED={batch} scripts/shuttle build {} {name}",
                start.elapsed().as_secs_f64(),
                all - before
            );
            resume_unwind(panic);
        }
        batch = next_seed(batch);
    }
    let seconds = start.elapsed().as_secs_f64();
    let pace = rounds as f64 / seconds;
    println!(
        "{name}: {rounds} schedules by {scheduler} in {seconds:.1} s, {pace:.0} a second; WP_SEED={seed}"
    );
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    // The seed says it in one number.
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    config
}

fn next_seed(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x632b_e59b_d9b4_e019);
    mixed ^ (mixed >> 29)
}
