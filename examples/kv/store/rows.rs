//! All keys of a shard: dense rows of entries, and an index that finds them.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! A table that grows copies everything it holds. So there are [`ROWS`] rows instead of one, and
//! as many indexes: of a million keys each holds four thousand, and no request waits longer than
//! it takes to move those.
//!
//! **What is seen is the rows, what is hashed is the index.** Bits of a key's hash say which index
//! has it. Its row is the emptier of two drawn at random when the key came. So the rows, which
//! `SCAN` and `KEYS` walk, show nothing of a hash and are even whatever keys a client picks.
//!
//! A key stays in its row. Removal moves the last entry of the row into the gap, and new entries
//! go to the end. **So a walk from a row's last position down to its first misses nothing that
//! stays**: an entry that the walk has not reached can only move to a position it has not reached
//! either. A row and a position are all the state that a `SCAN` needs, however long it pauses.
//!
//! Every entry knows the *age* in which it came. [`begin_age`](Rows::begin_age) lets a walk over
//! row after row tell what was there when it began; `KEYS` names nothing twice that way, though a
//! key may be removed from one row and come again in another.
#![forbid(unsafe_code)]

use hashbrown::HashTable;

use super::key::Key;

/// Rows, and indexes: as many as a byte can tell apart.
pub const ROWS: usize = u8::MAX as usize + 1;
/// Bits of a place that are the position in its row; the row has the others of 32.
pub const POSITION_BITS: u32 = 24;
/// Entries in a row at most.
const ENTRIES_MAX: usize = 1 << POSITION_BITS;
/// Capacity below which a row or an index never bothers to shrink.
const SHRINK_FLOOR: usize = 64;

/// Where an entry is. Good until the next one is added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u32);

/// A map from keys to `V`. The caller hashes.
#[derive(Debug)]
pub struct Rows<V> {
    indexes: Box<[HashTable<Place>; ROWS]>,
    rows: Box<[Vec<Slot<V>>; ROWS]>,
    age: u32,
    random: u64,
}

/// One entry.
#[derive(Debug)]
pub struct Slot<V> {
    hash: u32,
    age: u32,
    /// The entry's key.
    pub key: Key,
    /// The entry's value.
    pub value: V,
}

impl Place {
    /// The entry at `position` of `row`.
    pub fn new(row: u8, position: usize) -> Self {
        debug_assert!(position < ENTRIES_MAX);
        Self(u32::from(row) << POSITION_BITS | position as u32)
    }

    /// Its row.
    pub fn row(self) -> u8 {
        (self.0 >> POSITION_BITS) as u8
    }

    /// Its position in the row.
    pub fn position(self) -> usize {
        self.0 as usize % ENTRIES_MAX
    }
}

impl<V> Rows<V> {
    /// A map without entries. `random` is a number that no one outside can guess.
    pub fn new(random: u64) -> Self {
        let indexes = Box::new([const { HashTable::new() }; ROWS]);
        Self { indexes, rows: Box::new([const { Vec::new() }; ROWS]), age: 0, random }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }

    /// The entries of a row, in the order of their positions.
    pub fn row(&self, row: u8) -> &[Slot<V>] {
        &self.rows[usize::from(row)]
    }

    /// The entry at `place`.
    pub fn slot(&self, place: Place) -> &Slot<V> {
        &self.rows[usize::from(place.row())][place.position()]
    }

    /// The value at `place`.
    pub fn value_mut(&mut self, place: Place) -> &mut V {
        &mut self.rows[usize::from(place.row())][place.position()].value
    }

    /// Where `key` is.
    pub fn find(&self, hash: u32, key: &[u8]) -> Option<Place> {
        let same = |place: &Place| {
            let slot = self.slot(*place);
            slot.hash == hash && *slot.key == *key
        };
        self.indexes[index_of(hash)].find(index_hash(hash), same).copied()
    }

    /// Adds an entry and gives its place. The key must not be there yet.
    ///
    /// # Panics
    ///
    /// At four thousand million entries.
    pub fn insert_new(&mut self, hash: u32, key: &[u8], value: V) -> Place {
        let row = self.draw_row();
        let slots = &mut self.rows[usize::from(row)];
        assert!(slots.len() < ENTRIES_MAX, "too many keys in one shard");
        let place = Place::new(row, slots.len());
        slots.push(Slot { hash, age: self.age, key: Key::new(key), value });
        let (index, rows) = (&mut self.indexes[index_of(hash)], &self.rows);
        index.insert_unique(index_hash(hash), place, |place| hash_at(rows, *place));
        place
    }

    /// Takes out the entry at `place`; the last one of its row moves there.
    pub fn swap_remove(&mut self, place: Place) -> Slot<V> {
        let row = usize::from(place.row());
        self.link(place).remove();
        let slot = self.rows[row].swap_remove(place.position());
        let last = self.rows[row].len();
        if place.position() < last {
            let hash = self.slot(place).hash;
            let moved = Place::new(place.row(), last);
            let link = self.indexes[index_of(hash)].find_mut(index_hash(hash), |at| *at == moved);
            *link.expect("every entry is in its index") = place;
        }
        self.shrink(row, index_of(slot.hash));
        slot
    }

    /// Takes out every entry, row by row.
    pub fn take(&mut self) -> [Vec<Slot<V>>; ROWS] {
        let empty = Self { age: self.age, ..Self::new(self.random) };
        *core::mem::replace(self, empty).rows
    }

    /// Begins another age and gives it: entries that come from now on are not
    /// [older](Slot::is_older) than it.
    pub fn begin_age(&mut self) -> u32 {
        if self.age == u32::MAX {
            // After so many walks the ages are used up: all that is here is old.
            self.rows.iter_mut().flatten().for_each(|slot| slot.age = 0);
            self.age = 0;
        }
        self.age += 1;
        self.age
    }

    /// The index's link to the entry at `place`.
    fn link(&mut self, place: Place) -> hashbrown::hash_table::OccupiedEntry<'_, Place> {
        let hash = self.slot(place).hash;
        let link = self.indexes[index_of(hash)].find_entry(index_hash(hash), |at| *at == place);
        link.expect("every entry is in its index")
    }

    /// The emptier of two rows: none grows far beyond the others, whatever is removed.
    fn draw_row(&mut self) -> u8 {
        // The constants of MMIX; the highest bits are the good ones.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let [.., other, one] = self.random.to_le_bytes();
        let len = |row: u8| self.rows[usize::from(row)].len();
        if len(other) < len(one) { other } else { one }
    }

    /// Gives memory back once seven eighths of it lie empty; half of the rest stays for growth.
    fn shrink(&mut self, row: usize, index: usize) {
        let slots = &mut self.rows[row];
        if is_roomy(slots.capacity(), slots.len()) {
            slots.shrink_to(slots.len() * 2);
        }
        let (index, rows) = (&mut self.indexes[index], &self.rows);
        if is_roomy(index.capacity(), index.len()) {
            index.shrink_to(index.len() * 2, |place| hash_at(rows, *place));
        }
    }
}

impl<V> Slot<V> {
    /// True if it came before `age` [began](Rows::begin_age).
    pub fn is_older(&self, age: u32) -> bool {
        self.age < age
    }
}

fn is_roomy(capacity: usize, len: usize) -> bool {
    capacity > SHRINK_FLOOR && len < capacity / 8
}

/// Which index has the entries with this hash.
fn index_of(hash: u32) -> usize {
    hash as usize % ROWS
}

/// The hash as the index sees it: the table uses the lowest bits and the seven highest.
fn index_hash(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash) >> ROWS.trailing_zeros()
}

fn hash_at<V>(rows: &[Vec<Slot<V>>; ROWS], place: Place) -> u64 {
    index_hash(rows[usize::from(place.row())][place.position()].hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::hashing::table_hash;

    fn hash(number: u32) -> u32 {
        table_hash(&number.to_le_bytes()) as u32
    }

    fn find(rows: &Rows<u32>, number: u32) -> Option<Place> {
        rows.find(hash(number), &number.to_le_bytes())
    }

    fn insert(rows: &mut Rows<u32>, number: u32) -> Place {
        rows.insert_new(hash(number), &number.to_le_bytes(), number)
    }

    fn filled(count: u32) -> Rows<u32> {
        let mut rows = Rows::new(7);
        for number in 0..count {
            insert(&mut rows, number);
        }
        rows
    }

    /// Every entry is found where it is.
    fn check(rows: &Rows<u32>, count: usize) {
        assert_eq!(rows.len(), count);
        for row in 0..=u8::MAX {
            for (position, slot) in rows.row(row).iter().enumerate() {
                assert_eq!(find(rows, slot.value), Some(Place::new(row, position)));
            }
        }
    }

    #[test]
    fn what_is_put_in_is_found_and_what_is_taken_out_is_not() {
        let mut rows = filled(20_000);
        check(&rows, 20_000);
        for number in (0..20_000).filter(|number| number % 10 != 0) {
            let place = find(&rows, number).unwrap();
            assert_eq!(rows.swap_remove(place).value, number);
            assert_eq!(find(&rows, number), None);
        }
        check(&rows, 2000);
    }

    #[test]
    fn rows_stay_even_when_a_client_keeps_only_the_keys_of_one() {
        let mut rows = Rows::new(7);
        for number in 0..100_000 {
            let place = insert(&mut rows, number);
            if place.row() != 0 {
                rows.swap_remove(place);
            }
        }
        let kept = rows.row(0).len();
        assert!(kept < 100, "{kept} of 100000 entries are in one row, and no other");
    }

    #[test]
    fn what_came_after_an_age_began_is_not_older() {
        let mut rows = filled(1);
        let first = rows.begin_age();
        let place = insert(&mut rows, 1);
        let second = rows.begin_age();
        let [old, new] = [find(&rows, 0).unwrap(), place].map(|place| rows.slot(place));
        assert!(old.is_older(first) && old.is_older(second));
        assert!(!new.is_older(first) && new.is_older(second));
    }

    #[test]
    fn ages_that_are_used_up_begin_again() {
        let mut rows = filled(1);
        rows.age = u32::MAX;
        let place = insert(&mut rows, 1);
        let age = rows.begin_age();
        assert!(rows.slot(place).is_older(age));
        let place = insert(&mut rows, 2);
        assert!(!rows.slot(place).is_older(age));
    }

    #[test]
    fn emptied_rows_give_their_memory_back() {
        let mut rows = filled(200_000);
        while let Some(row) = (0..=u8::MAX).find(|row| rows.row(*row).len() > 1) {
            rows.swap_remove(Place::new(row, rows.row(row).len() / 2));
        }
        assert!(rows.rows.iter().all(|row| row.capacity() <= SHRINK_FLOOR));
        assert!(rows.indexes.iter().all(|index| index.capacity() <= 2 * SHRINK_FLOOR));
        check(&rows, 256);
    }
}
