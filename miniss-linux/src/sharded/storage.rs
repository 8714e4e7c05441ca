//! What a shard keeps: values that only their own shard can reach, by keys that may go anywhere;
//! and variables, whose key is in a static.
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
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::guard::quietly;
use crate::runtime::try_with_current;

/// Names a value in the storage of each shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(u64);

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

/// Declares variables that have a value of their own on each shard. It is made there when it is
/// first wanted, and dropped there when the shard ends: after its tasks, the one that was made last
/// first.
///
/// It is what `thread_local!` is to threads, but two runtimes that take turns on one thread do not
/// share it. The value need not be `Send`. [`ShardLocal::with`](crate::sharded::ShardLocal::with)
/// reaches it.
///
/// ```
/// use std::cell::{Cell, RefCell};
/// use miniss_linux::{Runtime, shard_local, submit_to};
///
/// shard_local! {
///     /// How many requests this shard has seen.
///     static REQUESTS: Cell<u64> = Cell::new(0);
///     static NAMES: RefCell<Vec<String>> = RefCell::default();
/// }
///
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// runtime.block_on(async {
///     REQUESTS.with(|requests| requests.set(5));
///     NAMES.with(|names| names.borrow_mut().push("zero".into()));
///     let on_1 = submit_to(1, async || REQUESTS.with(|requests| requests.get()));
///     assert_eq!(on_1.await.unwrap(), 0);
///     assert_eq!(REQUESTS.with(|requests| requests.get()), 5);
/// });
/// ```
#[macro_export]
macro_rules! shard_local {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $make:expr;)+) => {$(
        $(#[$attribute])*
        $visibility static $name: $crate::sharded::ShardLocal<$type> =
            $crate::sharded::ShardLocal::new(|| $make);
    )+};
}

/// A variable with a value of its own on each shard, declared by
/// [`shard_local!`](crate::shard_local).
pub struct ShardLocal<T> {
    /// Given when it is first used.
    key: OnceLock<Key>,
    make: fn() -> T,
}

impl<T: 'static> ShardLocal<T> {
    #[doc(hidden)]
    pub const fn new(make: fn() -> T) -> Self {
        Self { key: OnceLock::new(), make }
    }

    /// Calls `f` with the value of this shard, which is made first if it is not there.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, and while the shard ends if the value was dropped already or never
    /// made.
    ///
    /// ```
    /// # use std::cell::Cell;
    /// # use miniss_linux::{Runtime, shard_local};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// shard_local!(static COUNT: Cell<u32> = Cell::new(7););
    /// runtime.block_on(async { assert_eq!(COUNT.with(|count| count.replace(8)), 7) });
    /// ```
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        let value = self.value().expect("a shard-local value needs a shard that is not ending");
        f(&value)
    }

    /// As [`with`](Self::with); `None` where that panics.
    ///
    /// ```
    /// # use std::cell::Cell;
    /// # use miniss_linux::shard_local;
    /// shard_local!(static COUNT: Cell<u32> = Cell::new(7););
    /// assert_eq!(COUNT.try_with(Cell::take), None);
    /// ```
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Option<R> {
        self.value().map(|value| f(&value))
    }

    fn value(&'static self) -> Option<Rc<T>> {
        let key = *self.key.get_or_init(Key::new);
        if let Some(value) = key.get() {
            return Some(value);
        }
        if is_open() {
            // If that has used the variable itself, the value is there, and stays.
            key.put((self.make)());
        }
        key.get()
    }
}

impl<T> fmt::Debug for ShardLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardLocal").finish_non_exhaustive()
    }
}

/// Whether this is a shard that takes values.
fn is_open() -> bool {
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
