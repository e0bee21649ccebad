//! Pools whose tasks wait, so that no other task's end hides that somebody was forgotten.

use workerpool::pool::group::OnFailure;
use workerpool::pool::{Config, Error, Mode, NO_DEADLINE, Wait};

use crate::dice::Dice;
use crate::explore::yield_now;
use crate::groups::{Wish, make};
use crate::moves::Player;
use crate::scene::{Scene, linger, thread};
use crate::world::{Action, World};

/// All workers are held and the queue is full: nothing but a cancel or a close can let those go who wait for room.
pub fn play_held(scene: Scene) {
    let mut dice = Dice::new();
    let workers = 1 + dice.below(2);
    let capacity = 1 + dice.below(scene.capacity);
    let world = World::new(scene, Config::new(workers as u32, capacity as u32).unwrap(), None);
    let limit = dice.pick(&[None, Some(1)]);
    let group = make(&world, Wish { above: None, limit, on_failure: OnFailure::GoOn, deadline: NO_DEADLINE });
    let mut filler = Player::new(&world, dice.fork(), Some(0));
    for _ in 0..workers {
        assert_eq!(filler.submit_so(None, Action::Pass, Wait::Forever), Ok(()));
    }
    while world.pool.snapshot().running() < workers {
        yield_now();
    }
    for _ in 0..capacity {
        assert_eq!(filler.submit_so(None, Action::Nothing, Wait::Never), Ok(()));
    }
    let mut submitter = |group| {
        let mut theirs = dice.fork();
        let wait = theirs.pick(&[Wait::Forever, Wait::Forever, Wait::For(30)]);
        thread(&world, move |world| {
            linger(theirs.below(4));
            (wait, Player::new(world, theirs, Some(1)).submit_so(group, Action::Nothing, wait))
        })
    };
    let grouped = [submitter(Some(group)), submitter(Some(group))];
    let plain = [submitter(None), submitter(None)];
    linger(dice.below(30));
    Player::new(&world, dice.fork(), Some(0)).cancel(Some(group));
    for submitter in grouped {
        assert!(is_let_go(submitter.join().unwrap(), Error::Cancelled));
    }
    linger(dice.below(30));
    let mode = dice.pick(&[Mode::Drain, Mode::Cancel]);
    assert_eq!(world.shutdown(mode, Wait::For(0)), Err(Error::TimedOut));
    for submitter in plain {
        assert!(is_let_go(submitter.join().unwrap(), Error::Closed));
    }
    world.gate.open();
    assert_eq!(world.shutdown(mode, Wait::Forever), Ok(()));
    group.release();
    world.check(0);
}

/// Refused for this reason, or out of time before.
fn is_let_go((wait, result): (Wait, Result<(), Error>), reason: Error) -> bool {
    result == Err(reason) || (wait != Wait::Forever && result == Err(Error::TimedOut))
}

/// As many tasks as there are workers wait for each other: each needs a worker of its own, whichever of them slept. Some come out of
/// lanes; behind those nothing waits, for it would hold a place until all have met.
pub fn play_meeting(scene: Scene) {
    let mut dice = Dice::new();
    let workers = 2 + dice.below(scene.workers - 1);
    let capacity = 1 + dice.below(scene.capacity);
    let world = World::new(scene, Config::new(workers as u32, capacity as u32).unwrap(), None);
    let players: Vec<_> = (0..workers)
        .map(|me| {
            let mut theirs = dice.fork();
            thread(&world, move |world| {
                let serial =
                    Wish { above: None, limit: Some(1), on_failure: OnFailure::GoOn, deadline: NO_DEADLINE };
                let group = theirs.one_in(2).then(|| make(world, serial));
                let (before, behind) = (theirs.below(3), if group.is_none() { theirs.below(3) } else { 0 });
                let mut player = Player::new(world, theirs, Some(me as usize));
                for task in 0..=before + behind {
                    let action = if task == before { Action::Meet(workers) } else { Action::Nothing };
                    assert_eq!(player.submit_so(group, action, Wait::Forever), Ok(()));
                }
                if let Some(group) = group {
                    group.release();
                }
            })
        })
        .collect();
    if dice.one_in(2) {
        assert_eq!(world.pool.wait_idle(Wait::Forever), Ok(()));
    }
    players.into_iter().for_each(|player| player.join().unwrap());
    if !dice.one_in(3) {
        let covered = world.accepted(None);
        assert_eq!(world.pool.wait_idle(Wait::Forever), Ok(()));
        world.release(&covered);
    }
    assert_eq!(world.shutdown(Mode::Drain, Wait::Forever), Ok(()));
    world.check(0);
}
