//! A value of one shard that others hold: they call it there, and it is dropped there.
//!
//! As with [`Sharded`](super::Sharded), what goes from shard to shard is the key of the value. The
//! value stays in the storage of its shard.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use super::service::{Instance, not_running};
use super::storage::Key;
use crate::runtime::{Call, Handle, ShardId, try_submit_to, with_current};

/// Owns a value that stays on its shard, from wherever this is: this is `Send`, the value need not
/// be.
///
/// Dropping it drops the value on its shard, as soon as that comes to it and the calls in the value
/// have ended; calls that have not begun are answered with
/// [`NotRunning`](crate::CallError::NotRunning). [`destroy`](Self::destroy) can be waited for. When
/// the shard of the value ends before, the value is dropped there, after the tasks. Nothing is
/// leaked.
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// use miniss_linux::sharded::Foreign;
/// use miniss_linux::{Runtime, submit_to};
///
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// runtime.block_on(async {
///     let make = async || Foreign::new(Rc::new(Cell::new(5)));
///     let number: Foreign<Rc<Cell<i32>>> = submit_to(1, make).await.unwrap();
///
///     assert_eq!(number.owner().index(), 1);
///     assert_eq!(number.invoke(async |number| number.replace(6)).await.unwrap(), 5);
///     assert!(number.local().is_none()); // it is not here
///
///     number.destroy().await.unwrap();
/// });
/// ```
///
/// What belongs to the shard of the value does not leave it with a call:
///
/// ```compile_fail,E0277
/// use std::rc::Rc;
/// use miniss_linux::sharded::Foreign;
///
/// fn steal(number: Foreign<Rc<i32>>) {
///     drop(number.invoke(async |number: &Rc<i32>| number.clone())); // `Rc` is not `Send`
/// }
/// ```
#[must_use = "dropping it drops the value"]
pub struct Foreign<T> {
    key: Key,
    owner: ShardId,
    /// The runtime of the shard.
    handle: Handle,
    is_destroyed: bool,
    value: PhantomData<fn() -> T>,
}

impl<T: 'static> Foreign<T> {
    /// Leaves `value` on this shard, to be held from anywhere. If the shard is ending already, the
    /// value is dropped at once.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn new(value: T) -> Self {
        let (owner, handle) = with_current(|shard| (shard.id, shard.handle.clone()));
        let key = Key::new();
        key.put(Instance::new(key, value));
        Self { key, owner, handle, is_destroyed: false, value: PhantomData }
    }

    /// On which shard the value is.
    pub fn owner(&self) -> ShardId {
        self.owner
    }

    /// The value, on its own shard. A task that keeps it keeps it from being dropped.
    pub fn local(&self) -> Option<Rc<T>> {
        self.key.get::<Instance<T>>().map(|instance| instance.value())
    }

    /// Runs the async closure `work` with the value, as a task on its shard, and brings back the
    /// output.
    ///
    /// # Panics
    ///
    /// Outside of the runtime of the value. A panic in `work` reaches the caller as
    /// [`Panicked`](crate::CallError::Panicked) and no one else.
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Call`] does not stop the work.
    #[track_caller]
    pub fn invoke<F, R>(&self, work: F) -> Call<R>
    where
        F: AsyncFnOnce(&T) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.assert_in_runtime();
        let key = self.key;
        try_submit_to(self.owner, async move || {
            let instance = key.get::<Instance<T>>().ok_or_else(not_running)?;
            instance.run(work).await
        })
    }

    /// Drops the value on its shard, when the calls in it have ended. The [`Call`] ends when that
    /// is done; if a task there still has the value from [`local`](Self::local), it goes together
    /// with that.
    ///
    /// The [`Call`] ends with [`ShardGone`](crate::CallError::ShardGone) if the shard has ended;
    /// the value was dropped by then. A panic of its destructor comes back as
    /// [`Panicked`](crate::CallError::Panicked).
    ///
    /// # Panics
    ///
    /// Outside of the runtime of the value.
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Call`] does not stop it.
    #[track_caller]
    pub fn destroy(mut self) -> Call<()> {
        self.assert_in_runtime();
        self.is_destroyed = true;
        let key = self.key;
        try_submit_to(self.owner, async move || {
            if let Some(instance) = key.get::<Instance<T>>() {
                instance.end_calls().await;
            }
            key.remove();
            Ok(())
        })
    }

    #[track_caller]
    fn assert_in_runtime(&self) {
        let is_in = with_current(|shard| shard.handle.is_same(&self.handle));
        assert!(is_in, "a foreign value is used in the runtime in which it was made");
    }
}

impl<T> Drop for Foreign<T> {
    fn drop(&mut self) {
        if !self.is_destroyed {
            let key = self.key;
            self.handle.run_later(self.owner, move || key.remove());
        }
    }
}

impl<T> fmt::Debug for Foreign<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign").field("owner", &self.owner).finish_non_exhaustive()
    }
}
