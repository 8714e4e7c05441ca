//! Random numbers of each shard, which follow from one seed of the runtime.
//!
//! The generator is xoshiro256++ 1.0 by David Blackman and Sebastiano Vigna, and the first state is
//! made of the seed by SplitMix64, as they advise (<https://prng.di.unimi.it>; "Scrambled linear
//! pseudorandom number generators", ACM Transactions on Mathematical Software 47, 2021). Each shard
//! begins 2^128 numbers behind the one before, so no two ever give the same stretch.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::runtime::with_current;

/// A random number, each of the 2^64 as likely as any other, from the generator of this shard.
///
/// A runtime with the same [seed](crate::Builder::random_seed) gives each shard the same numbers in
/// the same order. They are good for load, jitter, sampling and tests. They are not for
/// cryptography: who has seen a few knows all others.
///
/// # Panics
///
/// Outside of a runtime.
///
/// ```
/// use miniss_linux::{Runtime, sharded::random};
///
/// let numbers = || {
///     let runtime = Runtime::builder().shards(2).random_seed(7).build().unwrap();
///     runtime.run(async || [random(), random()])
/// };
/// assert_eq!(numbers(), numbers());
/// ```
#[track_caller]
pub fn random() -> u64 {
    with_current(|shard| shard.random.next())
}

/// A random number below `end`, each as likely as any other, from the generator of this shard. As
/// [`random`], it is not for cryptography.
///
/// # Panics
///
/// Outside of a runtime, or if `end` is zero.
///
/// ```
/// use miniss_linux::{Runtime, sharded::random_below};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async { assert!(random_below(6) < 6) });
/// ```
#[track_caller]
pub fn random_below(end: u64) -> u64 {
    assert!(end > 0, "there is no number below zero");
    with_current(|shard| shard.random.below(end))
}

/// A seed that no one can foresee.
pub(crate) fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The generator of a shard.
pub(crate) struct Random {
    state: Cell<[u64; 4]>,
}

/// How often the steps of the jump are taken, as bits of a polynomial: 2^128 steps at once.
const JUMP: [u64; 4] =
    [0x180E_C6D3_3CFD_0ABA, 0xD5A6_1266_F0C9_392C, 0xA958_2618_E03F_C9AA, 0x39AB_DC45_29B1_661C];

impl Random {
    /// That of the shard with this index.
    pub(crate) fn new(seed: u64, index: usize) -> Self {
        let mut mixed = seed;
        let this = Self { state: Cell::new([(); 4].map(|()| split_mix(&mut mixed))) };
        (0..index).for_each(|_| this.jump());
        this
    }

    fn next(&self) -> u64 {
        let [mut a, mut b, mut c, mut d] = self.state.get();
        let number = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let shifted = b << 17;
        c ^= a;
        d ^= b;
        b ^= c;
        a ^= d;
        c ^= shifted;
        self.state.set([a, b, c, d.rotate_left(45)]);
        number
    }

    /// By Daniel Lemire's method: a product's upper half, unless its lower half is one of the few
    /// that would make small numbers likelier ("Fast random integer generation in an interval",
    /// ACM Transactions on Modeling and Computer Simulation 29, 2019).
    fn below(&self, end: u64) -> u64 {
        loop {
            let product = u128::from(self.next()) * u128::from(end);
            let lower = product as u64;
            if lower >= end || lower >= end.wrapping_neg() % end {
                return (product >> 64) as u64;
            }
        }
    }

    fn jump(&self) {
        let mut sum = [0; 4];
        for bit in 0..256 {
            if JUMP[bit / 64] >> (bit % 64) & 1 == 1 {
                sum.iter_mut().zip(self.state.get()).for_each(|(sum, word)| *sum ^= word);
            }
            self.next();
        }
        self.state.set(sum);
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Random").finish_non_exhaustive()
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_state(state: [u64; 4]) -> Random {
        Random { state: Cell::new(state) }
    }

    #[test]
    fn the_numbers_are_those_of_the_authors() {
        let random = with_state([1, 2, 3, 4]);
        let numbers = [(); 10].map(|()| random.next());
        let published = [
            41_943_041,
            58_720_359,
            3_588_806_011_781_223,
            3_591_011_842_654_386,
            9_228_616_714_210_784_205,
            9_973_669_472_204_895_162,
            14_011_001_112_246_962_877,
            12_406_186_145_184_390_807,
            15_849_039_046_786_891_736,
            10_450_023_813_501_588_000,
        ];
        assert_eq!(numbers, published);
        assert_eq!(split_mix(&mut 0), 0xE220_A839_7B1D_CDAF);
    }

    #[test]
    fn a_jump_is_a_number_of_steps() {
        let (one, other) = (with_state([1, 2, 3, 4]), with_state([1, 2, 3, 4]));
        one.jump();
        assert_ne!(one.state.get(), other.state.get());
        one.next();
        other.next();
        other.jump();
        assert_eq!(one.state.get(), other.state.get());
    }

    #[test]
    fn numbers_below_an_end_are_below_it_and_all_come() {
        let random = Random::new(7, 0);
        let mut seen = [0; 6];
        (0..6000).for_each(|_| seen[random.below(6) as usize] += 1);
        assert!(seen.iter().all(|&count| (800..1200).contains(&count)), "{seen:?}");
        assert!((0..100).all(|_| random.below(1) == 0));
        assert!((0..100).any(|_| random.below(u64::MAX) > u64::MAX / 2));
    }
}
