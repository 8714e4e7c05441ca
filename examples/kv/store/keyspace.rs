//! One shard's keys: values, deadlines, and the walk over all of them.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! The store never reads a clock: whoever calls says what time it is, in milliseconds since the
//! epoch.
//!
//! **Parts.** Keys are spread over a fixed number of small tables instead of one large one. A
//! table that grows copies everything it holds; of a million keys a part holds four thousand, so
//! no request waits longer than it takes to move those.
//!
//! **Expiry** is lazy and active. A key found past its deadline is removed then and there, so no
//! reply ever shows one; [`Store::expire_due`] removes those nobody asks for, a bounded number
//! at a time.
//!
//! **Walk.** `SCAN` visits the parts in order and each part from its last entry to its first.
//! [`Dict`] shows why this misses no key that stays; a [`Cursor`] is a part and a position.
#![forbid(unsafe_code)]

use super::deadlines::Deadlines;
use std::sync::Arc;

use super::dict::{Dict, Slot};
use super::garbage::Garbage;
use super::hashing::{process_secret, table_hash};
use super::value::{LARGE_BYTES_MIN, Value};

/// Tables a store is spread over.
const PARTS: usize = 256;
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
    parts: Box<[Part]>,
    /// Keys with a deadline. Counted, because it is asked for with every round of requests.
    deadlines: usize,
    random: u64,
    /// The part where the next active expiry goes on.
    expire_next: usize,
    /// Keys removed because their deadline passed.
    pub expired: u64,
    garbage: Garbage,
}

#[derive(Debug)]
struct Part {
    entries: Dict<Entry>,
    deadlines: Deadlines,
}

/// What a key stands for.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    deadline_ms: u64,
}

/// Where a key was found. Good until the next key is added or removed.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    part: u32,
    position: u32,
}

/// A key that is not there, and where it would go.
#[derive(Clone, Copy, Debug)]
pub struct Absent {
    hash: u64,
}

/// Where a walk over a store stands: below which position of which part.
///
/// Position zero stands for the end of the part, because a part that is walked to its first
/// entry is done with. So the zero cursor starts a walk, and after the last part there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The part.
    pub part: u8,
    /// The position.
    pub position: u32,
}

impl Store {
    /// The store of `shard`, one of `shards`, without keys.
    pub fn new(shard: usize, shards: usize) -> Self {
        let part = |_| Part { entries: Dict::new(), deadlines: Deadlines::new() };
        let parts = (0..PARTS).map(part).collect();
        let garbage = Garbage::new();
        let random = process_secret().wrapping_add(shard as u64);
        Self { shard, shards, parts, deadlines: 0, random, expire_next: 0, expired: 0, garbage }
    }

    /// How many keys there are, those included whose deadline passed unnoticed.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.entries.len()).sum()
    }

    /// How many keys have a deadline.
    pub fn deadlines(&self) -> usize {
        self.deadlines
    }

    /// Finds `key`. One whose deadline passed is removed and counts as absent.
    pub fn locate(&mut self, key: &[u8], now_ms: u64) -> Result<Place, Absent> {
        let hash = table_hash(key);
        let part = part_of(hash);
        let entries = &self.parts[part].entries;
        let position = entries.find(hash, key).ok_or(Absent { hash })?;
        let place = Place { part: part as u32, position: position as u32 };
        if entries.slots()[position].value.deadline_ms <= now_ms {
            self.remove(place);
            self.expired += 1;
            return Err(Absent { hash });
        }
        Ok(place)
    }

    /// Adds `key`, which is absent, without a deadline.
    pub fn insert(&mut self, absent: Absent, key: &[u8], value: Value) -> Place {
        let part = part_of(absent.hash);
        let entry = Entry { value, deadline_ms: NEVER };
        let position = self.parts[part].entries.insert_new(absent.hash, key, entry);
        Place { part: part as u32, position: position as u32 }
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
        &mut self.entry(place).value
    }

    /// Removes the key at `place`. A large value is freed by and by.
    pub fn remove(&mut self, place: Place) {
        let part = &mut self.parts[place.part as usize];
        let position = place.position as usize;
        let last = part.entries.len() - 1;
        part.deadlines.swap_removed(position, last);
        let entry = part.entries.swap_remove(position).value;
        self.deadlines -= usize::from(entry.deadline_ms != NEVER);
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
        let slots = self.parts[place.part as usize].entries.slots();
        let deadline_ms = slots[place.position as usize].value.deadline_ms;
        (deadline_ms != NEVER).then_some(deadline_ms)
    }

    /// Lets the key at `place` expire at `deadline_ms`.
    pub fn set_deadline(&mut self, place: Place, deadline_ms: u64) {
        let old_ms = core::mem::replace(&mut self.entry(place).deadline_ms, deadline_ms);
        self.deadlines += usize::from(old_ms == NEVER);
        self.parts[place.part as usize].deadlines.set(place.position as usize, deadline_ms);
    }

    /// Lets the key at `place` live; false if it had no deadline.
    pub fn clear_deadline(&mut self, place: Place) -> bool {
        let had = core::mem::replace(&mut self.entry(place).deadline_ms, NEVER) != NEVER;
        if had {
            self.deadlines -= 1;
            self.parts[place.part as usize].deadlines.clear(place.position as usize);
        }
        had
    }

    /// Removes up to `keys_max` keys whose deadline passed and gives their number. Fewer than
    /// `keys_max` means that none is left.
    pub fn expire_due(&mut self, now_ms: u64, keys_max: usize) -> usize {
        let mut removed = 0;
        for _ in 0..PARTS {
            removed += self.expire_part(self.expire_next, now_ms, keys_max - removed);
            if removed == keys_max {
                break;
            }
            self.expire_next = (self.expire_next + 1) % PARTS;
        }
        self.expired += removed as u64;
        removed
    }

    fn expire_part(&mut self, part: usize, now_ms: u64, keys_max: usize) -> usize {
        let mut removed = 0;
        while removed < keys_max
            && let Some((deadline_ms, position)) = self.parts[part].deadlines.first()
            && deadline_ms <= now_ms
        {
            self.remove(Place { part: part as u32, position: position as u32 });
            removed += 1;
        }
        removed
    }

    /// Removes every key. Their memory is given back by and by.
    pub fn clear(&mut self) {
        let empty = Self::new(self.shard, self.shards);
        for part in core::mem::replace(&mut self.parts, empty.parts) {
            self.garbage.entries(part.entries.into_slots());
        }
        self.deadlines = 0;
    }

    /// What is to be freed by and by.
    pub fn garbage(&mut self) -> &mut Garbage {
        &mut self.garbage
    }

    /// Visits about `count` entries from `cursor` on and shows the live ones to `see`. Gives where
    /// to go on, or `None` at the end.
    pub fn walk(
        &self,
        mut cursor: Cursor,
        mut count: usize,
        now_ms: u64,
        mut see: impl FnMut(&[u8], &Value),
    ) -> Option<Cursor> {
        while count > 0 {
            let slots = self.parts[cursor.part as usize].entries.slots();
            let below = if cursor.position == 0 { usize::MAX } else { cursor.position as usize };
            let below = below.min(slots.len());
            let stop = below.saturating_sub(count);
            for slot in slots[stop..below].iter().rev() {
                if slot.value.deadline_ms > now_ms {
                    see(&slot.key, &slot.value.value);
                }
            }
            count -= below - stop;
            cursor.position = stop as u32;
            if stop == 0 {
                cursor.part = cursor.part.checked_add(1)?;
            }
        }
        Some(cursor)
    }

    /// A number to pick something with.
    pub fn random(&mut self) -> u64 {
        // SplitMix64: one addition and a mix of its bits.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn entry(&mut self, place: Place) -> &mut Entry {
        self.parts[place.part as usize].entries.value_mut(place.position as usize)
    }
}

// With its key in place an entry is as large as a cache line.
const _: () = assert!(size_of::<Slot<Entry>>() == 64);

// A cursor's part is a `u8` and runs over by reaching the end of the walk.
const _: () = assert!(PARTS == u8::MAX as usize + 1);

/// The part a hash belongs to: by bits that the tables look at least, theirs being the lowest and
/// the highest ones.
fn part_of(hash: u64) -> usize {
    (hash >> 40) as usize % PARTS
}

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
