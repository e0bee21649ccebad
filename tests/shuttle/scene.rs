//! One run: who is there, and when it ends.

use std::sync::Arc;

use workerpool::pool::group::OnFailure;
use workerpool::pool::results::{Order, WhenFull};
use workerpool::pool::{Config, Error, Mode, NO_DEADLINE, Wait};

use crate::dice::Dice;
use crate::explore::{JoinHandle, spawn, yield_now};
use crate::groups::{Handle, Wish, make};
use crate::moves::Player;
use crate::world::World;

/// What a scene may have: these are the most, and what there is in a run is drawn.
#[derive(Clone, Copy)]
pub struct Scene {
    pub workers: u64,
    pub capacity: u64,
    pub players: usize,
    pub moves: u64,
    pub has_groups: bool,
    pub has_results: bool,
    pub has_notices: bool,
    pub has_deadlines: bool,
    /// Tasks make moves too.
    pub is_lively: bool,
    pub is_manual: bool,
}

pub fn play(scene: Scene) {
    let mut dice = Dice::new();
    let world = build(scene, &mut dice);
    let players: Vec<_> = (0..scene.players)
        .map(|me| {
            let moves = 1 + dice.below(scene.moves);
            let theirs = dice.fork();
            thread(&world, move |world| Player::new(world, theirs, Some(me)).play(moves))
        })
        .collect();
    let steppers: Vec<_> = (0..if scene.is_manual { 2 } else { 0 })
        .map(|_| {
            let theirs = dice.fork();
            thread(&world, |world| step(world, theirs))
        })
        .collect();
    let readers = dice.pick(&[1, 1, 2]);
    let reading: Vec<_> = (0..readers)
        .map(|_| {
            let mut theirs = dice.fork();
            let next = move || {
                linger(theirs.below(12));
                1 + theirs.below(2) as usize
            };
            thread(&world, |world| world.read(next))
        })
        .collect();
    let rival = dice.one_in(3).then(|| {
        let theirs = dice.fork();
        thread(&world, |world| end(world, theirs))
    });
    let waits_for_all = rival.is_none() && dice.one_in(2);
    let mut players = Some(players);
    if waits_for_all {
        // Then no shutdown wakes whom somebody else has forgotten to wake.
        players.take().into_iter().flatten().for_each(|player| player.join().unwrap());
        let covered = world.accepted(None);
        match world.pool.wait_idle(Wait::Forever) {
            Ok(()) => world.release(&covered),
            Err(error) => assert!(scene.is_manual && error == Error::Deadlock, "{error:?}"),
        }
    }
    end(&world, dice.fork());
    let others = players.into_iter().flatten().chain(steppers).chain(rival);
    others.for_each(|thread| thread.join().unwrap());
    if let Some(results) = &world.results {
        results.close();
    }
    reading.into_iter().for_each(|reader| reader.join().unwrap());
    std::mem::take(&mut *world.groups.lock().unwrap()).into_iter().for_each(Handle::release);
    world.check(readers);
}

fn build(scene: Scene, dice: &mut Dice) -> Arc<World> {
    let capacity = 1 + dice.below(scene.capacity) as u32;
    let config = if scene.is_manual {
        Config::manual(1, capacity).unwrap()
    } else {
        Config::new(1 + dice.below(scene.workers) as u32, capacity).unwrap()
    };
    let results = scene.has_results.then(|| {
        let when_full = dice.pick(&[WhenFull::Wait, WhenFull::Wait, WhenFull::Refuse]);
        (1 + dice.below(2) as u32, when_full, dice.pick(&[Order::Ends, Order::Reservations]))
    });
    let world = World::new(scene, config.with_timer(scene.has_deadlines && !dice.one_in(3)), results);
    if scene.has_groups {
        let outer = make(&world, wish(dice, None, OnFailure::GoOn));
        let inner = make(&world, wish(dice, Some(outer), OnFailure::GoOn));
        let fragile = make(&world, wish(dice, None, OnFailure::Cancel));
        world.groups.lock().unwrap().extend([outer, inner, fragile]);
    }
    world
}

pub fn wish(dice: &mut Dice, above: Option<Handle>, on_failure: OnFailure) -> Wish {
    Wish { above, limit: dice.pick(&[None, None, Some(1), Some(2)]), on_failure, deadline: NO_DEADLINE }
}

/// One that runs a manual pool's tasks, and moves its clock.
fn step(world: &World, mut dice: Dice) {
    for _ in 0..1 + dice.below(6) {
        if dice.one_in(4) {
            world.pool.advance(1 + dice.below(40));
        } else {
            let stepped = world.pool.step(1 + dice.below(3), &mut 0);
            assert!(matches!(stepped, Ok(_) | Err(Error::Deadlock)), "{stepped:?}");
        }
        linger(dice.below(8));
    }
}

/// Ends the pool at some moment.
fn end(world: &World, mut dice: Dice) {
    linger(dice.below(60));
    let mode = dice.pick(&[Mode::Drain, Mode::Cancel]);
    let mut wait = dice.pick(&[Wait::Forever, Wait::Forever, Wait::For(0), Wait::For(20)]);
    loop {
        match world.shutdown(mode, wait) {
            Ok(()) => return,
            Err(Error::TimedOut) => assert!(wait != Wait::Forever),
            // Another thread steps it.
            Err(Error::Deadlock) => assert!(world.scene.is_manual),
            Err(error) => panic!("{error:?}"),
        }
        wait = Wait::Forever;
        yield_now();
    }
}

pub fn linger(steps: u64) {
    (0..steps).for_each(|_| yield_now());
}

pub fn thread<T: Send + 'static>(
    world: &Arc<World>,
    body: impl FnOnce(&World) -> T + Send + 'static,
) -> JoinHandle<T> {
    let world = world.clone();
    spawn(move || body(&world))
}
