//! What is drawn. Each thread has dice of its own, so that what it does hangs on the seed alone and not on the order of events.

/// SplitMix64.
pub struct Dice(u64);

impl Dice {
    /// From the seed of the run.
    pub fn new() -> Dice {
        Dice(workerpool::sync::random(u64::MAX))
    }

    pub fn of(seed: u64) -> Dice {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// For another thread.
    pub fn fork(&mut self) -> Dice {
        Dice(self.next())
    }
}
