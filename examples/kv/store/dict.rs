//! A hash table whose entries lie in a dense row.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! Entries are kept in a `Vec`; the hash table beside it holds only their positions. Removal moves
//! the last entry into the gap. Two things follow that a plain hash table does not give:
//!
//! * A random entry is one index away (`SPOP`).
//! * Entries come out in the order they came in as long as nothing was removed (`HGETALL`).
#![forbid(unsafe_code)]

use hashbrown::HashTable;

use super::key::Key;

/// Capacity below which a table never bothers to shrink.
const SHRINK_FLOOR: usize = 64;

/// A map from bytes to `V`, in a dense row. The caller hashes.
#[derive(Debug)]
pub struct Dict<V> {
    index: HashTable<u32>,
    slots: Vec<Slot<V>>,
}

/// One entry.
#[derive(Debug)]
pub struct Slot<V> {
    hash: u64,
    /// The entry's key.
    pub key: Key,
    /// The entry's value.
    pub value: V,
}

impl<V> Dict<V> {
    /// A map without entries, which owns no memory.
    pub const fn new() -> Self {
        Self { index: HashTable::new(), slots: Vec::new() }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The entries, in the order of their positions.
    pub fn slots(&self) -> &[Slot<V>] {
        &self.slots
    }

    /// The value at `position`.
    pub fn value_mut(&mut self, position: usize) -> &mut V {
        &mut self.slots[position].value
    }

    /// Where `key` is.
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let same = |position: &u32| {
            let slot = &self.slots[*position as usize];
            slot.hash == hash && *slot.key == *key
        };
        self.index.find(hash, same).map(|position| *position as usize)
    }

    /// Adds an entry at the end and gives its position. The key must not be there yet.
    ///
    /// # Panics
    ///
    /// At four thousand million entries.
    pub fn insert_new(&mut self, hash: u64, key: &[u8], value: V) -> usize {
        let position = self.slots.len();
        let stored = u32::try_from(position).expect("fewer than 2^32 entries in one table");
        self.slots.push(Slot { hash, key: Key::new(key), value });
        let slots = &self.slots;
        self.index.insert_unique(hash, stored, |position| slots[*position as usize].hash);
        position
    }

    /// Takes out the entry at `position`; the last entry moves there.
    pub fn swap_remove(&mut self, position: usize) -> Slot<V> {
        self.unlink(position);
        let slot = self.slots.swap_remove(position);
        let last = self.slots.len();
        if position < last {
            let moved = self.slots[position].hash;
            let link = self.index.find_mut(moved, |at| *at as usize == last);
            *link.expect("every entry is in the index") = position as u32;
        }
        self.shrink();
        slot
    }

    /// Takes out the entry at `position`; those behind it move up, in time linear in all entries.
    pub fn shift_remove(&mut self, position: usize) -> Slot<V> {
        self.unlink(position);
        for at in self.index.iter_mut().filter(|at| **at as usize > position) {
            *at -= 1;
        }
        let slot = self.slots.remove(position);
        self.shrink();
        slot
    }

    /// The entries alone, which is what is left to free.
    pub fn into_slots(self) -> Vec<Slot<V>> {
        self.slots
    }

    fn unlink(&mut self, position: usize) {
        let hash = self.slots[position].hash;
        let link = self.index.find_entry(hash, |at| *at as usize == position);
        link.expect("every entry is in the index").remove();
    }

    /// Gives memory back once seven eighths of it lie empty; half of the rest stays for growth.
    fn shrink(&mut self) {
        if self.slots.capacity() > SHRINK_FLOOR && self.slots.len() < self.slots.capacity() / 8 {
            let room = self.slots.len() * 2;
            self.slots.shrink_to(room);
            let slots = &self.slots;
            self.index.shrink_to(room, |position| slots[*position as usize].hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::hashing::table_hash;

    fn find(dict: &Dict<u32>, key: &str) -> Option<usize> {
        dict.find(table_hash(key.as_bytes()), key.as_bytes())
    }

    fn filled(count: u32) -> Dict<u32> {
        let mut dict = Dict::new();
        for number in 0..count {
            let key = number.to_string();
            dict.insert_new(table_hash(key.as_bytes()), key.as_bytes(), number);
        }
        dict
    }

    fn check(dict: &Dict<u32>) {
        for (position, slot) in dict.slots().iter().enumerate() {
            assert_eq!(find(dict, &slot.value.to_string()), Some(position));
        }
    }

    #[test]
    fn what_is_put_in_is_found_and_what_is_taken_out_is_not() {
        let mut dict = filled(1000);
        check(&dict);
        for number in (0..1000_u32).filter(|number| number % 10 != 0) {
            let position = find(&dict, &number.to_string()).unwrap();
            assert_eq!(dict.swap_remove(position).value, number);
            assert_eq!(find(&dict, &number.to_string()), None);
        }
        assert_eq!(dict.len(), 100);
        check(&dict);
    }

    #[test]
    fn a_shifting_removal_keeps_the_order() {
        let mut dict = filled(6);
        assert_eq!(dict.shift_remove(2).value, 2);
        assert_eq!(dict.shift_remove(0).value, 0);
        let left: Vec<u32> = dict.slots().iter().map(|slot| slot.value).collect();
        assert_eq!(left, [1, 3, 4, 5]);
        check(&dict);
    }

    #[test]
    fn an_emptied_table_gives_its_memory_back() {
        let mut dict = filled(100_000);
        while dict.len() > 10 {
            dict.swap_remove(dict.len() / 2);
        }
        assert!(dict.slots.capacity() <= 2 * SHRINK_FLOOR);
        assert!(dict.index.capacity() <= 4 * SHRINK_FLOOR);
        check(&dict);
    }
}
