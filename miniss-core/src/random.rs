//! Numbers that look random, for tests that print their seed: `MINISS_SEED` replays.

/// The next of a sequence of numbers that look random (xorshift), for tests that print their seed.
#[cfg(not(shuttle))]
pub(crate) fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// The seed in `MINISS_SEED`, or one from the clock; printed, so that a failure can be replayed.
pub(crate) fn seed() -> u64 {
    let replayed = std::env::var("MINISS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = replayed.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| now.as_nanos() as u64) | 1
    });
    std::println!("MINISS_SEED={seed}");
    seed
}
