//! A variable with a value on each shard.

use std::fmt;
use std::rc::Rc;
use std::sync::OnceLock;

use super::storage::{Key, is_open};

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
