//! What a shard keeps for others: values that only their own shard can reach, by keys that may go
//! anywhere.
//!
//! A key is a number that is given out once, so a key whose value is gone finds nothing, and nor
//! does one on a shard of another runtime. When its shard ends, after the tasks, each value is
//! dropped there, the one that was put there last first. Meanwhile the others can still be reached,
//! and nothing new is taken.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::guard::quietly;
use crate::runtime::try_with_current;

/// Names a value in the storage of each shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

impl Key {
    /// One that there never was before.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Only to be another one each time.
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The value of this shard, if it has one of this type.
    pub(super) fn get<T: 'static>(self) -> Option<Rc<T>> {
        try_with_current(|shard| shard.storage.get(self)).flatten()?.downcast().ok()
    }

    /// Puts a value into the storage of this shard; drops it if the shard ends.
    pub(super) fn put<T: 'static>(self, value: T) {
        let refused = try_with_current(|shard| shard.storage.put(self, Rc::new(value)));
        drop(refused);
    }

    /// Takes the value of this shard out of its storage, and drops it.
    pub(super) fn remove(self) {
        drop(try_with_current(|shard| shard.storage.take(self)));
    }
}

/// Whether this is a shard that takes values.
pub(super) fn is_open() -> bool {
    try_with_current(|shard| !shard.storage.values.borrow().is_closed).unwrap_or(false)
}

/// The values of one shard.
#[derive(Default)]
pub(crate) struct Storage {
    /// Never borrowed while code of the user's runs.
    values: RefCell<Values>,
}

#[derive(Default)]
struct Values {
    /// With its place in the order in which they were put here.
    by_key: BTreeMap<Key, (u64, Rc<dyn Any>)>,
    puts: u64,
    is_closed: bool,
}

impl Storage {
    fn get(&self, key: Key) -> Option<Rc<dyn Any>> {
        self.values.borrow().by_key.get(&key).map(|(_, value)| value.clone())
    }

    /// Gives the value back if the shard ends or has one.
    fn put(&self, key: Key, value: Rc<dyn Any>) -> Option<Rc<dyn Any>> {
        let mut values = self.values.borrow_mut();
        if values.is_closed || values.by_key.contains_key(&key) {
            return Some(value);
        }
        values.puts += 1;
        let place = values.puts;
        values.by_key.insert(key, (place, value));
        None
    }

    fn take(&self, key: Key) -> Option<Rc<dyn Any>> {
        self.values.borrow_mut().by_key.remove(&key).map(|(_, value)| value)
    }

    /// Drops all values, the last one first. On the shard, which still is the current one.
    pub(crate) fn close(&self) {
        let mut order: Vec<_> = {
            let mut values = self.values.borrow_mut();
            values.is_closed = true;
            values.by_key.iter().map(|(key, (place, _))| (*place, *key)).collect()
        };
        order.sort_unstable();
        for (_, key) in order.into_iter().rev() {
            quietly(|| drop(self.take(key)));
        }
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.borrow().by_key.len();
        f.debug_struct("Storage").field("values", &values).finish()
    }
}
