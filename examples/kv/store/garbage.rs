//! Large values that are given back a piece at a time.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! A list of millions takes longer to free than anyone should wait for a reply. Whatever removes
//! such a value (`DEL`, an expiry, a `SET` over it, `FLUSHALL`) puts it here, and a task of the
//! shard frees it in steps, other tasks between them. Light values are freed at once: they are
//! cheaper to free than to keep.
//!
//! A step ends after a bound of elements or of bytes. The memory behind a long row goes back from
//! its end: the system gives up the pages of a large allocation as it shrinks.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;

use super::key::Key;
use super::keyspace::Entry;
use super::value::{List, Value};
use super::{dict, rows};

/// Elements that are freed in one step, and elements of a value that is light.
const ELEMENTS_AT_ONCE: usize = 256;
/// Bytes that are freed in one step.
const BYTES_AT_ONCE: usize = 1 << 20;
/// Bytes of a value that is light.
const LIGHT_BYTES_MAX: usize = 64 << 10;
/// Values that wait at most. What is removed faster than it can be freed is freed at once.
const WAITING_MAX: usize = 1024;

/// Values that were removed and are not freed yet.
#[derive(Debug, Default)]
pub struct Garbage {
    waiting: VecDeque<Waste>,
}

/// What is left of one value, or of many.
#[derive(Debug)]
enum Waste {
    Bytes(Vec<u8>),
    Elements(List),
    Fields(Vec<dict::Slot<Box<[u8]>>>),
    Members(Vec<dict::Slot<()>>),
    Entries(Vec<rows::Slot<Entry>>),
}

impl Garbage {
    /// Nothing.
    pub const fn new() -> Self {
        Self { waiting: VecDeque::new() }
    }

    /// True if there is nothing to free.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Frees `value`: now if it is light, else bit by bit.
    pub fn value(&mut self, value: Value) {
        match value {
            Value::String(bytes) => self.bytes(bytes),
            Value::Large(bytes) => {
                // Others may still send it; the last of them frees it.
                Arc::into_inner(bytes).into_iter().for_each(|bytes| self.bytes(bytes));
            }
            Value::List(list) => self.push(Waste::Elements(*list)),
            Value::Hash(hash) => self.push(Waste::Fields(hash.into_slots())),
            Value::Set(set) => self.push(Waste::Members(set.into_slots())),
        }
    }

    /// Frees keys with their values.
    pub(super) fn entries(&mut self, slots: Vec<rows::Slot<Entry>>) {
        self.push(Waste::Entries(slots));
    }

    /// Frees `bytes`.
    pub fn bytes(&mut self, bytes: Vec<u8>) {
        if bytes.capacity() > LIGHT_BYTES_MAX {
            self.push(Waste::Bytes(bytes));
        }
    }

    /// Frees as much as other tasks can wait for; false if nothing is left.
    pub fn step(&mut self) -> bool {
        if let Some(mut waste) = self.waiting.pop_front()
            && !waste.step(self)
        {
            self.waiting.push_front(waste);
        }
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        !self.is_empty()
    }

    fn push(&mut self, waste: Waste) {
        if !waste.is_light() && self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(waste);
        }
    }

    fn boxed(&mut self, bytes: Box<[u8]>) {
        self.bytes(bytes.into_vec());
    }

    fn key(&mut self, key: Key) {
        if let Key::Long(bytes) = key {
            self.boxed(bytes);
        }
    }
}

impl Waste {
    /// True if freeing it takes no longer than a step.
    fn is_light(&self) -> bool {
        let few = |len: usize| len <= ELEMENTS_AT_ONCE;
        let bytes = match self {
            Self::Bytes(bytes) => bytes.capacity(),
            Self::Elements(list) if few(list.len()) => list.iter().map(|it| it.len()).sum(),
            Self::Fields(slots) if few(slots.len()) => {
                slots.iter().map(|slot| slot.key.len() + slot.value.len()).sum()
            }
            Self::Members(slots) if few(slots.len()) => slots.iter().map(|it| it.key.len()).sum(),
            Self::Entries(slots) => return slots.is_empty(),
            _ => return false,
        };
        bytes <= LIGHT_BYTES_MAX
    }

    /// Frees a piece; true if that was the last.
    fn step(&mut self, garbage: &mut Garbage) -> bool {
        match self {
            Self::Bytes(bytes) => shorten(bytes),
            Self::Elements(list) => {
                let kept = list.len().saturating_sub(ELEMENTS_AT_ONCE);
                list.drain(kept..).for_each(|element| garbage.boxed(element));
                if list.is_empty() {
                    let mut room = Vec::from(core::mem::take(list));
                    let ended = shorten(&mut room);
                    *list = List::from(room);
                    return ended;
                }
                false
            }
            Self::Fields(slots) => take_slots(slots, |slot| {
                garbage.key(slot.key);
                garbage.boxed(slot.value);
            }),
            Self::Members(slots) => take_slots(slots, |slot| garbage.key(slot.key)),
            Self::Entries(slots) => take_slots(slots, |slot| {
                garbage.key(slot.key);
                garbage.value(slot.value.value);
            }),
        }
    }
}

/// Takes some entries from the end, then the room they lay in; true if that was the last.
fn take_slots<S>(slots: &mut Vec<S>, free: impl FnMut(S)) -> bool {
    let kept = slots.len().saturating_sub(ELEMENTS_AT_ONCE);
    slots.drain(kept..).for_each(free);
    slots.is_empty() && shorten(slots)
}

/// Gives a piece of `row` back, from its end; true if what is left may go at once.
fn shorten<T>(row: &mut Vec<T>) -> bool {
    let room = BYTES_AT_ONCE / size_of::<T>();
    let kept = row.capacity().saturating_sub(room);
    row.truncate(kept);
    row.shrink_to(kept);
    row.capacity() <= room
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long_list(elements: usize) -> Value {
        Value::List(Box::new((0..elements).map(|_| Box::from(&b"element"[..])).collect()))
    }

    fn steps(garbage: &mut Garbage) -> usize {
        let mut steps = 1;
        while garbage.step() {
            steps += 1;
        }
        steps
    }

    #[test]
    fn light_values_go_at_once() {
        let mut garbage = Garbage::new();
        garbage.value(Value::String(vec![0; 1000]));
        garbage.value(long_list(ELEMENTS_AT_ONCE));
        garbage.value(Value::new_hash());
        garbage.value(Value::new_set());
        assert!(garbage.is_empty());
    }

    #[test]
    fn a_long_list_goes_a_bounded_number_of_elements_at_a_time() {
        let mut garbage = Garbage::new();
        garbage.value(long_list(100 * ELEMENTS_AT_ONCE));
        let left = |garbage: &Garbage| match garbage.waiting.front() {
            Some(Waste::Elements(list)) => list.len(),
            _ => 0,
        };
        let before = left(&garbage);
        assert!(garbage.step());
        assert_eq!(before - left(&garbage), ELEMENTS_AT_ONCE);
        assert!(steps(&mut garbage) >= 99);
        assert_eq!(garbage.waiting.capacity(), 0);
    }

    #[test]
    fn a_long_string_goes_a_piece_at_a_time() {
        for value in [
            Value::String(vec![1; 20 * BYTES_AT_ONCE]),
            Value::Large(Arc::new(vec![1; 20 * BYTES_AT_ONCE])),
        ] {
            let mut garbage = Garbage::new();
            garbage.value(value);
            assert!((19..=21).contains(&steps(&mut garbage)));
        }
    }

    #[test]
    fn a_string_that_is_still_sent_is_left_to_its_sender() {
        let (mut garbage, sent) = (Garbage::new(), Arc::new(vec![1; 2 * BYTES_AT_ONCE]));
        garbage.value(Value::Large(sent.clone()));
        assert!(garbage.is_empty());
        garbage.value(Value::Large(sent));
        assert!(!garbage.is_empty());
    }

    #[test]
    fn large_elements_and_fields_of_a_short_value_go_a_piece_at_a_time() {
        let large = || vec![1; 20 * BYTES_AT_ONCE].into_boxed_slice();
        let mut hash = Value::new_hash();
        assert!(hash.hash().unwrap().set(b"field", &large()));
        let list = Value::List(Box::new(VecDeque::from([large()])));
        for value in [hash, list] {
            let mut garbage = Garbage::new();
            garbage.value(value);
            assert!(steps(&mut garbage) >= 20);
        }
    }
}
