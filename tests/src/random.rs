//! Random numbers for tests: from a seed, which is printed, and `MINISS_SEED` replays.

#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{SystemTime, UNIX_EPOCH};

/// The seeds that were printed, and by which thread.
static SEEDS: Mutex<Vec<(ThreadId, u64)>> = Mutex::new(Vec::new());

/// xorshift64*: small, and good enough to shake things.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Numbers that differ from run to run, unless `MINISS_SEED` is set. Prints the seed.
    pub fn new() -> Self {
        let fresh =
            || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |t| t.as_nanos() as u64);
        let set = std::env::var("MINISS_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = set.unwrap_or_else(fresh);
        println!("MINISS_SEED={seed}");
        SEEDS.lock().unwrap_or_else(PoisonError::into_inner).push((thread::current().id(), seed));
        Self::from_seed(seed)
    }

    /// The numbers of this seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`, which is not zero.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.number() >> 16) % end
    }

    /// `len` random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.number() as u8).collect()
    }
}

/// The seeds that `thread` has printed: for one that hangs, whose output is lost.
pub fn seeds(thread: ThreadId) -> impl Iterator<Item = u64> {
    let seeds = SEEDS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    seeds.into_iter().filter_map(move |(printer, seed)| (printer == thread).then_some(seed))
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}
