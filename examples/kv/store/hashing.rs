//! The keyed hashes: one for the tables, one that picks the shard, one that hides a cursor.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! Clients choose the keys. If they could choose ones whose hashes fall together, a look-up would
//! be a walk over all of them, or one shard would own them all. So the hash is SipHash-1-3, which
//! is made to withstand that, with secrets drawn when the process starts; and no reply shows a
//! hash or an order that depends on one, except which keys share a shard: the order of `SCAN` and
//! the time that a request takes tell that, as they do in a cluster.
//!
//! Each purpose has a secret of its own. Were table and shard picked by the same hash, every key of
//! a shard would share the bits that picked the shard, and its tables would use a part of their
//! room.
#![forbid(unsafe_code)]

use core::hash::{BuildHasher, Hasher};
use std::hash::RandomState;
use std::sync::LazyLock;

/// The secrets of this process.
struct Secrets {
    table: RandomState,
    shard: RandomState,
    cursor: RandomState,
}

static SECRETS: LazyLock<Secrets> = LazyLock::new(|| Secrets {
    table: RandomState::new(),
    shard: RandomState::new(),
    cursor: RandomState::new(),
});

/// The hash that places `key` in a table.
pub fn table_hash(key: &[u8]) -> u64 {
    hash(&SECRETS.table, key)
}

/// The shard that owns `key`, among `shards`.
pub fn shard_of(key: &[u8], shards: usize) -> usize {
    if shards == 1 {
        return 0;
    }
    // The high half of the product spreads the hash evenly without a division.
    ((u128::from(hash(&SECRETS.shard, key)) * shards as u128) >> 64) as usize
}

fn hash(secret: &RandomState, bytes: &[u8]) -> u64 {
    let mut hasher = secret.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// Bits of a number that [`veil`] takes: few enough for clients whose numbers are `f64`.
pub const VEILED_BITS: u32 = 48;
/// Half of them.
const HALF_BITS: u32 = VEILED_BITS / 2;
const HALF: u64 = (1 << HALF_BITS) - 1;
/// Rounds of the Feistel network; four make it look random to those who may ask both ways.
const ROUNDS: u64 = 4;

/// A number of [`VEILED_BITS`] that stands for `number` and tells nothing about it. Zero stands
/// for zero.
pub fn veil(number: u64) -> u64 {
    match permute(number) {
        _ if number == 0 => 0,
        // Zero is taken: who is sent there gets the place that zero left.
        0 => permute(0),
        veiled => veiled,
    }
}

/// The number that `veiled` stands for. Every number of [`VEILED_BITS`] stands for one.
pub fn unveil(veiled: u64) -> u64 {
    match permute_back(veiled) {
        _ if veiled == 0 => 0,
        0 => permute_back(0),
        number => number,
    }
}

fn permute(number: u64) -> u64 {
    let (left, right) = (number >> HALF_BITS & HALF, number & HALF);
    let step = |(left, right), round| (right, left ^ scramble(round, right));
    let (left, right) = (0..ROUNDS).fold((left, right), step);
    left << HALF_BITS | right
}

fn permute_back(number: u64) -> u64 {
    let (left, right) = (number >> HALF_BITS & HALF, number & HALF);
    let step = |(left, right), round| (right ^ scramble(round, left), left);
    let (left, right) = (0..ROUNDS).rev().fold((left, right), step);
    left << HALF_BITS | right
}

fn scramble(round: u64, half: u64) -> u64 {
    hash(&SECRETS.cursor, &(round << HALF_BITS | half).to_ne_bytes()) & HALF
}

/// A number that no one outside can guess, another one each time.
pub fn draw() -> u64 {
    hash(&RandomState::new(), b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_get_even_parts_and_their_tables_use_all_their_room() {
        const KEYS: usize = 60_000;
        for shards in [1, 2, 3, 7] {
            let mut owned = vec![0_usize; shards];
            let mut low_bits = [0_usize; 16];
            for number in 0..KEYS {
                let key = format!("key:{number:012}");
                let shard = shard_of(key.as_bytes(), shards);
                owned[shard] += 1;
                if shard == 0 {
                    low_bits[table_hash(key.as_bytes()) as usize % 16] += 1;
                }
            }
            let even = KEYS / shards;
            assert!(owned.iter().all(|count| count.abs_diff(even) < even / 10), "{owned:?}");
            let even = owned[0] / 16;
            assert!(low_bits.iter().all(|count| count.abs_diff(even) < even / 4), "{low_bits:?}");
        }
    }

    #[test]
    fn what_is_veiled_can_be_unveiled_and_only_zero_shows() {
        let end = 1 << VEILED_BITS;
        let numbers =
            (0..5000).chain([0, 1, 255, 1 << 24, 1 << 32, 1 << 40].map(|it| end - 1 - it));
        let veiled: Vec<u64> = numbers.clone().map(veil).collect();
        assert!(veiled.iter().all(|veiled| *veiled < end));
        assert!(numbers.clone().zip(&veiled).all(|(number, veiled)| unveil(*veiled) == number));
        assert!(numbers.clone().all(|number| veil(unveil(number)) == number));
        let shown = numbers.zip(&veiled).filter(|(number, veiled)| number == *veiled);
        assert_eq!(shown.count(), 1);
    }
}
