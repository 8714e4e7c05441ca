//! The seeded hashes of keys: one for the tables, one that picks the shard.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! Both are seeded from a number drawn when the process starts, so nobody outside can choose keys
//! that fall together, and no reply shows a hash. They are independent of each other: were they
//! the same, every key of a shard would share the bits that picked the shard, and its tables
//! would use a part of their room.
#![forbid(unsafe_code)]

use core::hash::{BuildHasher, Hasher};
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

/// Tells the two hashes apart; any two different numbers would do.
const TABLE: u64 = 0x5bd1_e995;
const SHARD: u64 = 0x9e37_79b9;

/// The hash that places `key` in a table.
pub fn table_hash(key: &[u8]) -> u64 {
    hash(key, TABLE)
}

/// The shard that owns `key`, among `shards`.
pub fn shard_of(key: &[u8], shards: usize) -> usize {
    if shards == 1 {
        return 0;
    }
    // The high half of the product spreads the hash evenly without a division.
    ((u128::from(hash(key, SHARD)) * shards as u128) >> 64) as usize
}

/// A number nobody outside can guess, the same for the whole life of the process.
pub fn process_secret() -> u64 {
    hash(b"", TABLE ^ SHARD)
}

fn hash(key: &[u8], purpose: u64) -> u64 {
    let state = SeedableRandomState::with_seed(purpose, SharedSeed::global_random());
    let mut hasher = state.build_hasher();
    hasher.write(key);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_get_even_parts_and_their_tables_use_all_their_room() {
        const KEYS: usize = 30_000;
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
}
