//! What connections may hold in memory: each up to a bound of its own, and all of one shard
//! together up to another.
//!
//! `[socket] ─▶ parser ─▶ route ─▶ [batch] ─▶ store ─▶ [reply] ─▶ [socket]`
//!
//! What a connection holds is its requests that are not whole yet and its replies that are not
//! sent yet. Both are charged in pieces before they grow, to the connection's budget and through
//! it to its shard's; what would exceed either is refused. Small amounts are free: a client with
//! ordinary requests is served however much others hold.
//!
//! Parts of a reply grow on other shards, hence the atomics; they only count.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes of requests, and of replies in one place, that are not charged.
pub const FREE_BYTES: usize = 64 << 10;
/// Bytes that are charged at once.
const PIECE_BYTES: usize = 256 << 10;

/// A bound on memory, and how much of it is used.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    bytes_max: usize,
    /// The budget that this one is a part of.
    whole: Option<Arc<Budget>>,
}

impl Budget {
    /// A budget of `bytes_max`, and within `whole` if there is one.
    pub fn new(bytes_max: usize, whole: Option<Arc<Self>>) -> Self {
        Self { used: AtomicUsize::new(0), bytes_max, whole }
    }

    /// Charges `bytes`; false, and nothing is charged, if that is more than is left.
    #[must_use]
    pub fn charge(&self, bytes: usize) -> bool {
        let sum = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.bytes_max);
        if self.used.fetch_update(Relaxed, Relaxed, sum).is_err() {
            return false;
        }
        let fits = self.whole.as_ref().is_none_or(|whole| whole.charge(bytes));
        if !fits {
            self.used.fetch_sub(bytes, Relaxed);
        }
        fits
    }

    /// Charges `bytes`, even if that is more than is left.
    pub fn force(&self, bytes: usize) {
        self.used.fetch_add(bytes, Relaxed);
        self.whole.iter().for_each(|whole| whole.force(bytes));
    }

    /// Gives back `bytes` that were charged.
    pub fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
        self.whole.iter().for_each(|whole| whole.give_back(bytes));
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        let used = *self.used.get_mut();
        self.whole.iter().for_each(|whole| whole.give_back(used));
    }
}

/// What one buffer charged to a budget.
#[derive(Debug, Default)]
pub struct Charge {
    budget: Option<Arc<Budget>>,
    bytes: usize,
}

impl Charge {
    /// Nothing yet; to be charged to `budget`, or to none.
    pub fn new(budget: Option<Arc<Budget>>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// How many bytes may be held as charged: those that are free among them.
    pub fn covered_bytes(&self) -> usize {
        FREE_BYTES + self.bytes
    }

    /// Makes the charge cover `bytes`; false, and nothing is charged, if that is too much.
    #[must_use]
    pub fn cover(&mut self, bytes: usize) -> bool {
        let piece = self.missing_bytes(bytes);
        let fits = piece == 0 || self.budget.as_ref().is_none_or(|to| to.charge(piece));
        self.bytes += if fits { piece } else { 0 };
        fits
    }

    /// Makes the charge cover `bytes`, even if that is too much: they are held already.
    pub fn force(&mut self, bytes: usize) {
        let piece = self.missing_bytes(bytes);
        if piece > 0 {
            self.bytes += piece;
            self.budget.iter().for_each(|budget| budget.force(piece));
        }
    }

    fn missing_bytes(&self, bytes: usize) -> usize {
        bytes.saturating_sub(self.covered_bytes()).next_multiple_of(PIECE_BYTES)
    }

    /// Gives back what is not needed for `bytes`.
    pub fn lower(&mut self, bytes: usize) {
        let needed = bytes.saturating_sub(FREE_BYTES).next_multiple_of(PIECE_BYTES);
        let excess = self.bytes.saturating_sub(needed);
        if excess > 0 {
            self.bytes -= excess;
            self.budget.iter().for_each(|budget| budget.give_back(excess));
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.iter().for_each(|budget| budget.give_back(self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn used(budget: &Budget) -> usize {
        budget.used.load(Relaxed)
    }

    #[test]
    fn what_does_not_fit_is_refused_and_charges_nothing() {
        let shard = Arc::new(Budget::new(3 * MIB, None));
        let one = Arc::new(Budget::new(2 * MIB, Some(shard.clone())));
        let other = Arc::new(Budget::new(2 * MIB, Some(shard.clone())));
        let mut charges = [Charge::new(Some(one.clone())), Charge::new(Some(other.clone()))];
        assert!(charges[0].cover(FREE_BYTES) && used(&shard) == 0, "a little is free");
        assert!(charges[0].cover(2 * MIB + FREE_BYTES));
        assert!(!charges[0].cover(2 * MIB + FREE_BYTES + 1), "the connection's bound");
        assert!(!charges[1].cover(MIB + FREE_BYTES + 1), "the shard's bound");
        assert_eq!((used(&one), used(&other), used(&shard)), (2 * MIB, 0, 2 * MIB));
        assert!(charges[1].cover(MIB + FREE_BYTES));
        drop(charges);
        assert_eq!((used(&one), used(&other), used(&shard)), (0, 0, 0));
    }

    #[test]
    fn what_is_not_needed_goes_back() {
        let budget = Arc::new(Budget::new(usize::MAX, None));
        let mut charge = Charge::new(Some(budget.clone()));
        assert!(charge.cover(10 * MIB));
        charge.lower(MIB);
        assert!((MIB - FREE_BYTES..2 * MIB).contains(&used(&budget)));
        charge.lower(FREE_BYTES);
        assert_eq!(used(&budget), 0);
    }

    #[test]
    fn what_is_held_already_is_charged_beyond_the_bound() {
        let budget = Arc::new(Budget::new(MIB, None));
        let mut charge = Charge::new(Some(budget.clone()));
        charge.force(4 * MIB);
        assert!(used(&budget) > 3 * MIB && !budget.charge(1));
        drop(charge);
        assert_eq!(used(&budget), 0);
    }
}
