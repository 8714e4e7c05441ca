//! A set of integers or of any bytes.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! Small sets of integers are a sorted row of numbers, as in Redis: eight bytes a member, and
//! `SMEMBERS` gives them in order. The first member that is no integer, or one too many, turns
//! the set into a table for good.
#![forbid(unsafe_code)]

use super::dict::{Dict, Slot};
use super::hashing::table_hash;
use crate::resp::number::{parse_i64, write_i64};

/// Members a row of integers holds at most (`set-max-intset-entries` of Redis).
pub const INTS_MAX: usize = 512;

/// A set of byte strings.
#[derive(Debug)]
pub enum Set {
    /// Only integers, sorted.
    Ints(Vec<i64>),
    /// Anything.
    Table(Dict<()>),
}

impl Set {
    /// A set without members.
    pub const fn new() -> Self {
        Self::Ints(Vec::new())
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Ints(ints) => ints.len(),
            Self::Table(table) => table.len(),
        }
    }

    /// Adds `member`; false if it was there.
    pub fn insert(&mut self, member: &[u8]) -> bool {
        if let Self::Ints(ints) = self {
            match parse_i64(member).map(|number| (number, ints.binary_search(&number))) {
                Some((_, Ok(_))) => return false,
                Some((number, Err(at))) if ints.len() < INTS_MAX => {
                    ints.insert(at, number);
                    return true;
                }
                _ => self.become_table(),
            }
        }
        let Self::Table(table) = self else { return false };
        let hash = table_hash(member);
        let new = table.find(hash, member).is_none();
        if new {
            table.insert_new(hash, member, ());
        }
        new
    }

    /// Takes `member` out; false if it was not there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let found = match self {
            Self::Ints(ints) => {
                parse_i64(member).and_then(|number| ints.binary_search(&number).ok())
            }
            Self::Table(table) => table.find(table_hash(member), member),
        };
        if let Some(at) = found {
            self.take(at, |_| {});
        }
        found.is_some()
    }

    /// Takes out the member that `random` picks and shows it to `see`. The set must have members.
    pub fn pop(&mut self, random: u64, see: impl FnOnce(&[u8])) {
        self.take((random % self.len() as u64) as usize, see);
    }

    /// Shows every member to `see`.
    pub fn for_each(&self, mut see: impl FnMut(&[u8])) {
        match self {
            Self::Ints(ints) => ints.iter().for_each(|number| see(&spell(*number))),
            Self::Table(table) => table.slots().iter().for_each(|slot| see(&slot.key)),
        }
    }

    /// The members alone, which is what is left to free; a row of integers is freed.
    pub fn into_slots(self) -> Vec<Slot<()>> {
        match self {
            Self::Ints(_) => Vec::new(),
            Self::Table(table) => table.into_slots(),
        }
    }

    fn take(&mut self, at: usize, see: impl FnOnce(&[u8])) {
        match self {
            Self::Ints(ints) => {
                see(&spell(ints.remove(at)));
                if ints.len() < ints.capacity() / 8 {
                    ints.shrink_to(ints.len() * 2);
                }
            }
            Self::Table(table) => see(&table.swap_remove(at).key),
        }
    }

    fn become_table(&mut self) {
        let mut table = Dict::new();
        self.for_each(|member| {
            table.insert_new(table_hash(member), member, ());
        });
        *self = Self::Table(table);
    }
}

fn spell(number: i64) -> Vec<u8> {
    let mut text = Vec::with_capacity(20);
    write_i64(&mut text, number);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(set: &Set) -> Vec<String> {
        let mut all = Vec::new();
        set.for_each(|member| all.push(String::from_utf8(member.to_vec()).unwrap()));
        all
    }

    #[test]
    fn integers_stay_sorted_until_something_else_comes() {
        let mut set = Set::new();
        for member in ["3", "-1", "20", "3"] {
            set.insert(member.as_bytes());
        }
        assert_eq!(members(&set), ["-1", "3", "20"]);
        assert!(!set.remove(b"03"));
        assert!(set.insert(b"03"));
        assert!(matches!(set, Set::Table(_)));
        assert!(!set.insert(b"20"));
        assert!(set.remove(b"20") && !set.remove(b"20"));
        assert_eq!(set.len(), 3);
    }

    #[test]
    fn too_many_integers_become_a_table_that_holds_them_all() {
        let mut set = Set::new();
        for number in 0..=INTS_MAX {
            assert!(set.insert(number.to_string().as_bytes()));
        }
        assert!(matches!(set, Set::Table(_)));
        assert_eq!(set.len(), INTS_MAX + 1);
        assert!((0..=INTS_MAX).all(|number| set.remove(number.to_string().as_bytes())));
    }

    #[test]
    fn every_member_is_popped_once() {
        for mut set in [Set::new(), Set::Table(Dict::new())] {
            (0..50).for_each(|number| assert!(set.insert(number.to_string().as_bytes())));
            let mut popped = Vec::new();
            for random in (0..50).map(|number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
                set.pop(random, |member| popped.push(member.to_vec()));
            }
            popped.sort();
            popped.dedup();
            assert_eq!((popped.len(), set.len()), (50, 0));
        }
    }
}
