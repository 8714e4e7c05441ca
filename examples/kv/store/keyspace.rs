//! One shard's keys: values, deadlines, and the walk over all of them.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! The store never reads a clock: the caller says what time it is, in milliseconds since the epoch.
//!
//! **Expiry** is lazy and active. A key found past its deadline is removed then and there, so no
//! reply ever shows one; [`Store::expire_due`] removes those that no one asks for, a bounded number
//! at a time.
//!
//! **Walks.** `SCAN` visits the rows in order and each from its last entry to its first; a
//! [`Cursor`] is a row and a position. `KEYS` visits a row at a time. [`Rows`] shows why neither
//! misses a key that stays, and what tells `KEYS` which keys came while it walked.
#![forbid(unsafe_code)]

use std::rc::Rc;
use std::sync::Arc;

use super::deadlines::Deadlines;
use super::garbage::Garbage;
use super::hashing::{draw, table_hash};
use super::rows::{POSITION_BITS, Place, ROWS, Rows, Slot};
use super::value::{LARGE_BYTES_MIN, Value};
use crate::command::info::Figures;
use crate::traffic::Traffic;

/// Deadline of a key that never expires.
const NEVER: u64 = u64::MAX;
/// Capacity a string may keep beyond its length when it is overwritten by a shorter one.
const SPARE_BYTES_MAX: usize = 64;

/// One shard's keys.
#[derive(Debug)]
pub struct Store {
    /// Which shard this is.
    pub shard: usize,
    /// How many shards there are.
    pub shards: usize,
    rows: Rows<Entry>,
    /// For each row, when its entries expire.
    row_deadlines: Box<[Deadlines; ROWS]>,
    /// Keys with a deadline. Counted, because it is asked for with every round of requests.
    deadlines: usize,
    /// The sum of these deadlines, in milliseconds.
    deadlines_ms: u128,
    random: u64,
    /// The row where the next active expiry goes on.
    expire_next: u8,
    /// Keys removed because their deadline passed.
    pub expired: u64,
    /// Keys that were read.
    hits: u64,
    /// Keys that were to be read and were not there.
    misses: u64,
    garbage: Garbage,
    /// What the shard counts besides.
    pub traffic: Rc<Traffic>,
}

/// What a key stands for.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    deadline_ms: u64,
}

/// A key that is not there, and where it would go.
#[derive(Clone, Copy, Debug)]
pub struct Absent {
    hash: u32,
}

/// Where a walk over a store stands: below which position of which row.
///
/// Position zero stands for the end of the row, because a row that is walked to its first entry
/// is done with. So the zero cursor starts a walk, and after the last row there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The row.
    pub row: u8,
    /// The position.
    pub position: u32,
}

impl Cursor {
    /// The cursor of this number, of which there is one for each.
    pub fn from_number(number: u32) -> Self {
        Self { row: (number >> POSITION_BITS) as u8, position: number % (1 << POSITION_BITS) }
    }

    /// Its number.
    pub fn number(self) -> u32 {
        u32::from(self.row) << POSITION_BITS | self.position
    }
}

impl Store {
    /// The store of `shard`, one of `shards`, without keys.
    pub fn new(shard: usize, shards: usize) -> Self {
        Self {
            shard,
            shards,
            rows: Rows::new(draw()),
            row_deadlines: Box::new([const { Deadlines::new() }; ROWS]),
            deadlines: 0,
            deadlines_ms: 0,
            random: draw(),
            expire_next: 0,
            expired: 0,
            hits: 0,
            misses: 0,
            garbage: Garbage::new(),
            traffic: Rc::default(),
        }
    }

    /// How many keys there are, those included whose deadline passed unnoticed.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many keys have a deadline.
    pub fn deadlines(&self) -> usize {
        self.deadlines
    }

    /// What `INFO` tells of this shard.
    pub fn figures(&self, now_ms: u64) -> Figures {
        let now = self.deadlines as u128 * u128::from(now_ms);
        let left_ms = self.deadlines_ms.saturating_sub(now);
        Figures {
            keys: self.len() as i64,
            deadlines: self.deadlines as i64,
            left_ms: i64::try_from(left_ms).unwrap_or(i64::MAX),
            expired: self.expired as i64,
            hits: self.hits as i64,
            misses: self.misses as i64,
            ..self.traffic.figures(now_ms)
        }
    }

    /// Finds `key`, which is to be read, and counts whether it is there.
    pub fn read(&mut self, key: &[u8], now_ms: u64) -> Option<Place> {
        let place = self.locate(key, now_ms).ok();
        self.count_read(place.is_some());
        place
    }

    /// Counts a key that was read, or was to be.
    pub fn count_read(&mut self, found: bool) {
        self.hits += u64::from(found);
        self.misses += u64::from(!found);
    }

    /// Finds `key`. One whose deadline passed is removed and counts as absent.
    pub fn locate(&mut self, key: &[u8], now_ms: u64) -> Result<Place, Absent> {
        let hash = table_hash(key) as u32;
        let place = self.rows.find(hash, key).ok_or(Absent { hash })?;
        if self.rows.slot(place).value.is_due(now_ms) {
            self.remove(place);
            self.expired += 1;
            return Err(Absent { hash });
        }
        Ok(place)
    }

    /// Adds `key`, which is absent, without a deadline.
    pub fn insert(&mut self, absent: Absent, key: &[u8], value: Value) -> Place {
        self.rows.insert_new(absent.hash, key, Entry { value, deadline_ms: NEVER })
    }

    /// Makes `key`, looked up as `found`, the string `text`. A deadline it has stays.
    pub fn put_string(&mut self, found: Result<Place, Absent>, key: &[u8], text: &[u8]) -> Place {
        match found {
            Err(absent) => self.insert(absent, key, Value::new_string(text)),
            Ok(place) => {
                let old = overwrite(self.value(place), text);
                old.into_iter().for_each(|old| self.garbage.value(old));
                place
            }
        }
    }

    /// The value at `place`.
    pub fn value(&mut self, place: Place) -> &mut Value {
        &mut self.rows.value_mut(place).value
    }

    /// Removes the key at `place`. A large value is freed by and by.
    pub fn remove(&mut self, place: Place) {
        let last = self.rows.row(place.row()).len() - 1;
        self.deadlines_of(place.row()).swap_removed(place.position(), last);
        let entry = self.rows.swap_remove(place).value;
        self.forget_deadline(entry.deadline_ms);
        self.garbage.value(entry.value);
    }

    /// Removes the key at `place` if its value is a collection without elements.
    pub fn remove_if_empty(&mut self, place: Place) {
        let empty = match self.value(place) {
            Value::String(_) | Value::Large(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Set(set) => set.len() == 0,
        };
        if empty {
            self.remove(place);
        }
    }

    /// When the key at `place` expires, if ever.
    pub fn deadline_ms(&self, place: Place) -> Option<u64> {
        let deadline_ms = self.rows.slot(place).value.deadline_ms;
        (deadline_ms != NEVER).then_some(deadline_ms)
    }

    /// Lets the key at `place` expire at `deadline_ms`.
    pub fn set_deadline(&mut self, place: Place, deadline_ms: u64) {
        let entry = self.rows.value_mut(place);
        let old_ms = core::mem::replace(&mut entry.deadline_ms, deadline_ms);
        self.forget_deadline(old_ms);
        self.deadlines += 1;
        self.deadlines_ms += u128::from(deadline_ms);
        self.deadlines_of(place.row()).set(place.position(), deadline_ms);
    }

    /// Lets the key at `place` live; false if it had no deadline.
    pub fn clear_deadline(&mut self, place: Place) -> bool {
        let entry = self.rows.value_mut(place);
        let old_ms = core::mem::replace(&mut entry.deadline_ms, NEVER);
        let had = old_ms != NEVER;
        if had {
            self.forget_deadline(old_ms);
            self.deadlines_of(place.row()).clear(place.position());
        }
        had
    }

    /// Removes up to `keys_max` keys whose deadline passed and gives their number. Fewer than
    /// `keys_max` means that none is left.
    pub fn expire_due(&mut self, now_ms: u64, keys_max: usize) -> usize {
        let mut removed = 0;
        for _ in 0..ROWS {
            removed += self.expire_row(self.expire_next, now_ms, keys_max - removed);
            if removed == keys_max {
                break;
            }
            self.expire_next = self.expire_next.wrapping_add(1);
        }
        self.expired += removed as u64;
        removed
    }

    fn expire_row(&mut self, row: u8, now_ms: u64, keys_max: usize) -> usize {
        let mut removed = 0;
        while removed < keys_max
            && let Some((deadline_ms, position)) = self.deadlines_of(row).first()
            && deadline_ms < now_ms
        {
            self.remove(Place::new(row, position));
            removed += 1;
        }
        removed
    }

    /// Removes every key. Their memory is given back by and by.
    pub fn clear(&mut self) {
        for row in self.rows.take() {
            self.garbage.entries(row);
        }
        self.row_deadlines.iter_mut().for_each(|row| *row = Deadlines::new());
        (self.deadlines, self.deadlines_ms) = (0, 0);
    }

    /// What is to be freed by and by.
    pub fn garbage(&mut self) -> &mut Garbage {
        &mut self.garbage
    }

    /// Visits entries from `cursor` on for as long as `visit` says true. It is shown a key and its
    /// value, or nothing in place of a key whose deadline passed. Gives where to go on, or `None`
    /// at the end.
    pub fn walk(
        &self,
        mut cursor: Cursor,
        now_ms: u64,
        mut visit: impl FnMut(Option<(&[u8], &Value)>) -> bool,
    ) -> Option<Cursor> {
        loop {
            let slots = self.rows.row(cursor.row);
            let below = if cursor.position == 0 { usize::MAX } else { cursor.position as usize };
            let below = below.min(slots.len());
            let enough = slots[..below].iter().rposition(|slot| !visit(slot.live(now_ms)));
            cursor.position = enough.unwrap_or(0) as u32;
            if cursor.position == 0 {
                cursor.row = cursor.row.checked_add(1)?;
            }
            if enough.is_some() {
                return Some(cursor);
            }
        }
    }

    /// Begins a walk over row after row, by [`visit_row`](Self::visit_row) with what this gives.
    pub fn begin_walk(&mut self) -> u32 {
        self.rows.begin_age()
    }

    /// Shows every live key of `row` that was there when the walk began, and still is, to `see`.
    pub fn visit_row(&self, row: u8, walk: u32, now_ms: u64, mut see: impl FnMut(&[u8])) {
        let slots = self.rows.row(row).iter().filter(|slot| slot.is_older(walk));
        slots.filter_map(|slot| slot.live(now_ms)).for_each(|(key, _)| see(key));
    }

    /// A number to pick something with.
    pub fn random(&mut self) -> u64 {
        // SplitMix64: one addition and a mix of its bits.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn forget_deadline(&mut self, deadline_ms: u64) {
        if deadline_ms != NEVER {
            self.deadlines -= 1;
            self.deadlines_ms -= u128::from(deadline_ms);
        }
    }

    fn deadlines_of(&mut self, row: u8) -> &mut Deadlines {
        &mut self.row_deadlines[usize::from(row)]
    }
}

impl Entry {
    /// True if its deadline passed: a key lives through the millisecond of its deadline.
    fn is_due(&self, now_ms: u64) -> bool {
        self.deadline_ms < now_ms
    }
}

impl Slot<Entry> {
    /// Its key and its value, unless its deadline passed.
    fn live(&self, now_ms: u64) -> Option<(&[u8], &Value)> {
        (!self.value.is_due(now_ms)).then_some((&*self.key, &self.value.value))
    }
}

// With its key in place an entry is as large as a cache line.
const _: () = assert!(size_of::<Slot<Entry>>() == 64);

/// Makes `value` the string `text`, in the memory of the old one if that fits well; else gives
/// the old one.
fn overwrite(value: &mut Value, text: &[u8]) -> Option<Value> {
    let old = match value {
        Value::String(old) if text.len() < LARGE_BYTES_MIN => Some(old),
        Value::Large(old) if text.len() >= LARGE_BYTES_MIN => Arc::get_mut(old),
        _ => None,
    };
    match old {
        Some(old) if old.capacity() <= text.len() + SPARE_BYTES_MAX => {
            old.clear();
            old.extend_from_slice(text);
            None
        }
        _ => Some(core::mem::replace(value, Value::new_string(text))),
    }
}

#[cfg(test)]
mod tests;
