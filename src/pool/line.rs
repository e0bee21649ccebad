//! The places of a queue of results (`results`), and the line in which their records are read.
//!
//! # States
//!
//! **A place**: free → reserved → filled → free, or reserved → free. Its number is its owner's ticket from the reservation on.
//!
//! **The line**: places, in the order in which they will be read. Its *front* are the filled places before the first that is only
//! reserved, the *frontier*: what may be read now.
//!
//! # Transitions
//!
//! - reserve: by [`Order::Reservations`] the place joins the line, as its last.
//! - put: by [`Order::Ends`] the place joins the line now. If it is at the frontier, the front grows over it and all filled ones behind.
//! - give back: the place leaves the line, wherever it stands; if it was the frontier, the front grows over the filled ones behind it.
//! - take: the first of the front leaves the line.
//!
//! # Invariants
//!
//! - O1: a record is read only after all that stand before its place in the line. So by [`Order::Reservations`] none is read while
//!   an earlier reservation is open, and by [`Order::Ends`] none is held back.
//! - O2: `readable` places are filled at the front, and `frontier` is the one behind them, or none: then all in the line are readable.
//! - O3: a place that is given back stands in no line and is free for the next: it is no gap to wait for, and takes nothing of the capacity.
//! - O4: each step takes constant time, but that the frontier passes each record once.

#![forbid(unsafe_code)]

use super::Error;

/// The order in which records are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// In which the tasks ended.
    Ends,
    /// In which the tasks reserved their places.
    Reservations,
}

/// A reserved place, for who reserved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u32);

impl Place {
    /// Of a task that has no results.
    pub const NONE: Place = Place(NONE);
}

const NONE: u32 = u32::MAX;

struct Slot<R> {
    content: Content<R>,
    /// In the line.
    before: u32,
    /// In the line, or among the free ones.
    behind: u32,
}

enum Content<R> {
    Free,
    Reserved { since: u64 },
    Filled(R),
}

pub(super) struct Line<R> {
    /// They come into use one after the other; the memory for all is there from the start.
    slots: Vec<Slot<R>>,
    capacity: usize,
    order: Order,
    free: u32,
    /// Reserved or filled.
    used: usize,
    first: u32,
    last: u32,
    frontier: u32,
    readable: usize,
}

impl<R: Copy> Line<R> {
    pub fn bytes(capacity: u32) -> u64 {
        u64::from(capacity) * size_of::<Slot<R>>() as u64
    }

    pub fn new(capacity: u32, order: Order) -> Result<Self, Error> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(capacity as usize).map_err(|_| Error::Memory)?;
        Ok(Line {
            slots,
            capacity: capacity as usize,
            order,
            free: NONE,
            used: 0,
            first: NONE,
            last: NONE,
            frontier: NONE,
            readable: 0,
        })
    }

    pub fn is_full(&self) -> bool {
        self.used == self.capacity
    }

    /// No place is reserved or filled.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub fn readable(&self) -> usize {
        self.readable
    }

    /// A free place; there must be one.
    pub fn reserve(&mut self, since: u64) -> Place {
        let content = Content::Reserved { since };
        let index = match self.free {
            NONE => {
                self.slots.push(Slot { content, before: NONE, behind: NONE });
                self.slots.len() as u32 - 1
            }
            index => {
                self.free = self.slot(index).behind;
                self.slot(index).content = content;
                index
            }
        };
        self.used += 1;
        if self.order == Order::Reservations {
            self.join(index);
        }
        Place(index)
    }

    /// Says how many records have become readable.
    pub fn give_back(&mut self, place: Place) -> usize {
        if self.order == Order::Reservations {
            self.leave(place.0);
        }
        self.set_free(place.0);
        self.advance()
    }

    /// Fills a reserved place with a record, which may tell since when it was reserved. Says how many have become readable.
    pub fn put(&mut self, place: Place, record: impl FnOnce(u64) -> R) -> usize {
        let Content::Reserved { since } = self.slot(place.0).content else {
            // A task that a fault has lost behind its record.
            return 0;
        };
        self.slot(place.0).content = Content::Filled(record(since));
        if self.order == Order::Ends {
            self.join(place.0);
        }
        self.advance()
    }

    /// The next record, if one is readable.
    pub fn take(&mut self) -> Option<R> {
        if self.readable == 0 {
            return None;
        }
        let index = self.first;
        let Content::Filled(record) = self.slot(index).content else { return None };
        self.readable -= 1;
        self.leave(index);
        self.set_free(index);
        Some(record)
    }

    fn slot(&mut self, index: u32) -> &mut Slot<R> {
        &mut self.slots[index as usize]
    }

    fn set_free(&mut self, index: u32) {
        let behind = self.free;
        *self.slot(index) = Slot { content: Content::Free, before: NONE, behind };
        self.free = index;
        self.used -= 1;
    }

    fn join(&mut self, index: u32) {
        let last = std::mem::replace(&mut self.last, index);
        (self.slot(index).before, self.slot(index).behind) = (last, NONE);
        match last {
            NONE => self.first = index,
            last => self.slot(last).behind = index,
        }
        if self.frontier == NONE {
            self.frontier = index;
        }
    }

    fn leave(&mut self, index: u32) {
        let (before, behind) = (self.slot(index).before, self.slot(index).behind);
        match before {
            NONE => self.first = behind,
            before => self.slot(before).behind = behind,
        }
        match behind {
            NONE => self.last = before,
            behind => self.slot(behind).before = before,
        }
        if self.frontier == index {
            self.frontier = behind;
        }
    }

    /// Invariant O2, after any change but a take's.
    fn advance(&mut self) -> usize {
        let before = self.readable;
        while let Some(Slot { content: Content::Filled(_), behind, .. }) =
            self.slots.get(self.frontier as usize)
        {
            self.frontier = *behind;
            self.readable += 1;
        }
        self.readable - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(line: &mut Line<u64>) -> Vec<u64> {
        std::iter::from_fn(|| line.take()).collect()
    }

    #[test]
    fn reservations_are_read_in_their_order() {
        let mut line = Line::new(4, Order::Reservations).unwrap();
        let places: Vec<_> = (0..4).map(|since| line.reserve(since)).collect();
        assert_eq!(line.put(places[2], |since| since), 0);
        assert_eq!(line.put(places[1], |since| since), 0);
        assert_eq!(all(&mut line), []);
        assert_eq!(line.put(places[0], |since| since), 3);
        assert_eq!(all(&mut line), [0, 1, 2]);
        assert_eq!(line.put(places[3], |since| since), 1);
        assert_eq!(all(&mut line), [3]);
        assert!(line.is_empty());
    }

    #[test]
    fn ends_are_read_in_theirs() {
        let mut line = Line::new(3, Order::Ends).unwrap();
        let places: Vec<_> = (0..3).map(|since| line.reserve(since)).collect();
        for index in [2, 0, 1] {
            assert_eq!(line.put(places[index], |since| since), 1);
        }
        assert_eq!(all(&mut line), [2, 0, 1]);
    }

    #[test]
    fn a_place_given_back_is_no_gap() {
        // The first, one in the middle, the last.
        for given_back in 0..3 {
            let mut line = Line::new(3, Order::Reservations).unwrap();
            let places: Vec<_> = (0..3).map(|since| line.reserve(since)).collect();
            let others = (0..3).filter(|index| *index != given_back);
            others.clone().for_each(|index| {
                line.put(places[index], |since| since);
            });
            assert!(line.is_full());
            assert_eq!(line.give_back(places[given_back]), 2 - given_back);
            assert_eq!(line.readable(), 2);
            assert!(!line.is_full(), "its place is free at once");
            let next = line.reserve(9);
            assert_eq!(line.put(next, |since| since), 1);
            assert_eq!(all(&mut line), others.map(|index| index as u64).chain([9]).collect::<Vec<_>>());
            assert!(line.is_empty());
        }
    }

    /// Against a list that does the same in the plainest way.
    #[test]
    fn whatever_happens_it_is_as_a_plain_list() {
        let mut random = 1u64;
        let mut draw = |below: usize| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) as usize % below
        };
        for order in [Order::Ends, Order::Reservations] {
            let mut line = Line::new(7, order).unwrap();
            let (mut reserved, mut list) = (Vec::new(), Vec::<(u64, bool)>::new());
            for number in 0..100_000 {
                match draw(4) {
                    0 if !line.is_full() => {
                        reserved.push((line.reserve(number), number));
                        if order == Order::Reservations {
                            list.push((number, false));
                        }
                    }
                    1 if !reserved.is_empty() => {
                        let (place, number) = reserved.swap_remove(draw(reserved.len()));
                        line.put(place, |since| since);
                        match list.iter_mut().find(|(listed, _)| *listed == number) {
                            Some((_, is_filled)) => *is_filled = true,
                            None => list.push((number, true)),
                        }
                    }
                    2 if !reserved.is_empty() && draw(3) == 0 => {
                        let (place, number) = reserved.swap_remove(draw(reserved.len()));
                        line.give_back(place);
                        list.retain(|(listed, _)| *listed != number);
                    }
                    3 => {
                        let next =
                            list.first().filter(|(_, is_filled)| *is_filled).map(|(number, _)| *number);
                        assert_eq!(line.take(), next);
                        next.map(|_| list.remove(0));
                    }
                    _ => {}
                }
                let readable = list.iter().take_while(|(_, is_filled)| *is_filled).count();
                let filled = list.iter().filter(|(_, is_filled)| *is_filled).count();
                assert_eq!((line.readable(), line.used), (readable, reserved.len() + filled));
            }
        }
    }
}
