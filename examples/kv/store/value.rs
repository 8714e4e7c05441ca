//! What a key can hold: a string, a list, a hash or a set.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! **No value is empty** except a string: a command that takes the last element removes the key.
#![forbid(unsafe_code)]

use super::dict::{Dict, Slot};
use super::hashing::table_hash;
use super::set::Set;
use std::collections::VecDeque;
use std::sync::Arc;

/// Fields up to which a hash keeps their order when one is removed, as Redis does for hashes of
/// this size (`hash-max-listpack-entries`).
const ORDERED_FIELDS_MAX: usize = 128;

/// Bytes from which on a string is shared with the replies that show it: a copy costs more.
pub const LARGE_BYTES_MIN: usize = 16 << 10;
/// Elements of a list for which it never bothers to shrink.
const SHRINK_FLOOR: usize = 64;

/// The command is for another kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// A list of byte strings.
pub type List = VecDeque<Box<[u8]>>;

/// The value of a key. All but strings are boxed: an entry stays within one cache line.
#[derive(Debug)]
pub enum Value {
    /// Any bytes; a counter is its decimal text.
    String(Vec<u8>),
    /// A long string. Replies that show it share it until they are sent.
    Large(Arc<Vec<u8>>),
    /// A list, popped and pushed at both ends.
    List(Box<List>),
    /// Fields and their values.
    Hash(Box<Hash>),
    /// Members without order.
    Set(Box<Set>),
}

const _: () = assert!(size_of::<Value>() == 24);

impl Value {
    /// The string `text`.
    pub fn new_string(text: &[u8]) -> Self {
        let mut value = Self::String(text.to_vec());
        value.share_if_large();
        value
    }

    /// An empty list.
    pub fn new_list() -> Self {
        Self::List(Box::default())
    }

    /// A hash without fields.
    pub fn new_hash() -> Self {
        Self::Hash(Box::new(Hash(Dict::new())))
    }

    /// A set without members.
    pub fn new_set() -> Self {
        Self::Set(Box::new(Set::new()))
    }

    /// The type's name, as `TYPE` gives it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) | Self::Large(_) => "string",
            Self::List(_) => "list",
            Self::Hash(_) => "hash",
            Self::Set(_) => "set",
        }
    }

    /// The string.
    pub fn string(&self) -> Result<&[u8], WrongType> {
        match self {
            Self::String(string) => Ok(string),
            Self::Large(string) => Ok(string),
            _ => Err(WrongType),
        }
    }

    /// The string, to be changed: a copy of it if replies still share it. If it has grown, it is
    /// to be [shared](Self::share_if_large).
    pub fn string_mut(&mut self) -> Result<&mut Vec<u8>, WrongType> {
        match self {
            Self::String(string) => Ok(string),
            Self::Large(string) => Ok(Arc::make_mut(string)),
            _ => Err(WrongType),
        }
    }

    /// Lets replies share the string if it is large.
    pub fn share_if_large(&mut self) {
        if let Self::String(string) = self
            && string.len() >= LARGE_BYTES_MIN
        {
            *self = Self::Large(Arc::new(core::mem::take(string)));
        }
    }

    /// The list.
    pub fn list(&mut self) -> Result<&mut List, WrongType> {
        if let Self::List(list) = self { Ok(list) } else { Err(WrongType) }
    }

    /// The hash.
    pub fn hash(&mut self) -> Result<&mut Hash, WrongType> {
        if let Self::Hash(hash) = self { Ok(hash) } else { Err(WrongType) }
    }

    /// The set.
    pub fn set(&mut self) -> Result<&mut Set, WrongType> {
        if let Self::Set(set) = self { Ok(set) } else { Err(WrongType) }
    }
}

/// Fields and their values, in the order they were first set.
#[derive(Debug)]
pub struct Hash(Dict<Box<[u8]>>);

impl Hash {
    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of `field`.
    pub fn value(&self, field: &[u8]) -> Option<&[u8]> {
        let position = self.0.find(table_hash(field), field)?;
        Some(&self.0.slots()[position].value)
    }

    /// Sets `field`; true if it is new.
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let hash = table_hash(field);
        let found = self.0.find(hash, field);
        match found {
            Some(position) => *self.0.value_mut(position) = value.into(),
            None => drop(self.0.insert_new(hash, field, value.into())),
        }
        found.is_none()
    }

    /// Takes `field` out; false if it was not there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let Some(position) = self.0.find(table_hash(field), field) else { return false };
        if self.0.len() <= ORDERED_FIELDS_MAX {
            self.0.shift_remove(position);
        } else {
            self.0.swap_remove(position);
        }
        true
    }

    /// The fields alone, which is what is left to free.
    pub fn into_slots(self) -> Vec<Slot<Box<[u8]>>> {
        self.0.into_slots()
    }

    /// The fields with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.slots().iter().map(|slot| (&*slot.key, &*slot.value))
    }
}

/// Gives memory of `list` back once seven eighths of it lie empty, as [`Dict`] does.
pub fn shrink(list: &mut List) {
    if list.capacity() > SHRINK_FLOOR && list.len() < list.capacity() / 8 {
        list.shrink_to(list.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_its_memory_back_as_it_is_emptied() {
        let mut list: List = (0..100_000).map(|_| Box::from(&b"x"[..])).collect();
        while list.len() > 1 {
            list.pop_front();
            shrink(&mut list);
        }
        assert!(list.capacity() <= 2 * SHRINK_FLOOR);
    }

    #[test]
    fn an_ordered_hash_gives_its_memory_back_as_it_is_emptied() {
        let mut hash = Hash(Dict::new());
        (0..ORDERED_FIELDS_MAX).for_each(|n| assert!(hash.set(n.to_string().as_bytes(), b"x")));
        (1..ORDERED_FIELDS_MAX).for_each(|n| assert!(hash.remove(n.to_string().as_bytes())));
        assert!(hash.into_slots().capacity() <= SHRINK_FLOOR);
    }

    #[test]
    fn a_large_string_is_shared_and_changed_by_a_copy_while_it_is() {
        let mut value = Value::new_string(&[7; LARGE_BYTES_MIN]);
        let Value::Large(shown) = &value else { panic!("not shared") };
        let shown = shown.clone();
        value.string_mut().unwrap().push(8);
        assert_eq!((shown.len(), value.string().unwrap().len()), (16384, 16385));
        assert!(matches!(Value::new_string(&[7; LARGE_BYTES_MIN - 1]), Value::String(_)));
    }
}
