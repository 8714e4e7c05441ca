//! What a key can hold: a string, a list, a hash or a set.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! **No value is empty** except a string: a command that takes the last element removes the key.
#![forbid(unsafe_code)]

use super::dict::Dict;
use super::hashing::table_hash;
use super::set::Set;
use std::collections::VecDeque;

/// Fields up to which a hash keeps their order when one is removed, as Redis does for hashes of
/// this size (`hash-max-listpack-entries`).
const ORDERED_FIELDS_MAX: usize = 128;

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
    /// A list, popped and pushed at both ends.
    List(Box<List>),
    /// Fields and their values.
    Hash(Box<Hash>),
    /// Members without order.
    Set(Box<Set>),
}

const _: () = assert!(size_of::<Value>() == 24);

impl Value {
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
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Hash(_) => "hash",
            Self::Set(_) => "set",
        }
    }

    /// The string.
    pub fn string(&mut self) -> Result<&mut Vec<u8>, WrongType> {
        if let Self::String(string) = self { Ok(string) } else { Err(WrongType) }
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

    /// The fields with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.slots().iter().map(|slot| (&*slot.key, &*slot.value))
    }
}
