//! Tasks beyond [`spawn`](crate::spawn): sets of them, names, and values that belong to one.
//!
//! # A set: `JoinSet`
//!
//! ```
//! # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
//! use miniss_linux::task::JoinSet;
//! use miniss_linux::time::{Duration, sleep};
//!
//! let mut set = JoinSet::new();
//! for pause in [Duration::MAX, Duration::from_millis(1)] {
//!     set.spawn(async move {
//!         sleep(pause).await;
//!         pause
//!     });
//! }
//! // As they end. What is left when the set is dropped is aborted.
//! assert_eq!(set.join_next().await.unwrap().unwrap(), Duration::from_millis(1));
//! set.shutdown().await;
//! assert!(set.is_empty());
//! # });
//! ```
//!
//! # A value of one task: [`task_local!`](crate::task_local)
//!
//! ```
//! use miniss_linux::{Runtime, spawn, task_local};
//!
//! task_local! {
//!     static REQUEST: u32;
//! }
//!
//! async fn log(text: &str) -> String {
//!     format!("{}: {text}", REQUEST.get())
//! }
//!
//! Runtime::builder().shards(1).build().unwrap().block_on(async {
//!     let serve = |number| spawn(REQUEST.scope(number, log("served")));
//!     let (one, two) = (serve(1), serve(2));
//!     assert_eq!(one.await.unwrap(), "1: served");
//!     assert_eq!(two.await.unwrap(), "2: served");
//!     assert!(REQUEST.try_with(|_| ()).is_err(), "there is none here");
//! });
//! ```
//!
//! # Invariants
//!
//! - **Pin Invariant.** `future` of [`Scoped`] is structurally pinned: it is polled and dropped in
//!   place, and nothing moves it out. `value` is not.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use crate::guard::{Guarded, Named, defer};
use crate::runtime::{CurrentShard, JoinHandle, spawn_guarded, with_current};

/// Tasks of one shard that belong together. Dropping it aborts all of them.
///
/// What differs from the set of this name in tokio: a task that is spawned outside of a runtime
/// reads [`JoinError::Cancelled`](crate::JoinError::Cancelled), as one that is spawned during the
/// end; [`join_all`](miniss_core::combine::JoinSet::join_all) does not go on with the payload of a
/// task that panicked, but panics with its text; and `spawn` gives no handle. Where one is needed,
/// take it from [`spawn`](crate::spawn), and
/// [`insert`](miniss_core::combine::JoinSet::insert) that.
pub type JoinSet<T> = miniss_core::combine::JoinSet<T, CurrentShard>;

thread_local! {
    static NAME: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// As [`spawn`](crate::spawn), for a task that has a name: reports of a
/// [stall](crate::Builder::stall_limit) show it, and what its handle tells of a panic. A task
/// without a name has no memory for one.
///
/// # Panics
///
/// As [`spawn`](crate::spawn).
///
/// ```
/// use miniss_linux::Runtime;
/// use miniss_linux::task::spawn_named;
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let error = spawn_named("cleaner", async { panic!("no broom") }).await.unwrap_err();
///     assert_eq!(error.to_string(), "the task panicked: no broom (task `cleaner`)");
/// });
/// ```
#[track_caller]
pub fn spawn_named<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let guarded = Guarded::new(Named::new(name, future));
    with_current(|shard| spawn_guarded(shard, guarded))
}

/// The name of the task that this thread polls, if it has one. A panic hook or a logger can ask.
///
/// ```
/// use miniss_linux::{Runtime, task};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let named = task::spawn_named("worker", async { task::name() });
///     assert_eq!((task::name(), named.await.unwrap()), (None, Some("worker")));
/// });
/// ```
pub fn name() -> Option<&'static str> {
    NAME.try_with(Cell::get).ok().flatten()
}

/// Sets the name; returns the one before.
pub(crate) fn set_name(name: Option<&'static str>) -> Option<&'static str> {
    NAME.try_with(|place| place.replace(name)).ok().flatten()
}

/// Declares values that belong to a task: each `static` of them is a [`LocalKey`].
///
/// ```
/// miniss_linux::task_local! {
///     /// Who asks.
///     pub static USER: String;
///     static DEPTH: u32;
/// }
/// assert_eq!(DEPTH.sync_scope(1, || DEPTH.get()), 1);
/// ```
#[macro_export]
macro_rules! task_local {
    ($($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty);* $(;)?) => {
        $(
            $(#[$attribute])*
            $vis static $name: $crate::task::LocalKey<$type> = {
                ::std::thread_local! {
                    static PLACE: ::std::cell::RefCell<::std::option::Option<$type>> =
                        const { ::std::cell::RefCell::new(::std::option::Option::None) };
                }
                $crate::task::LocalKey::new(&PLACE)
            };
        )*
    };
}

/// A value that a future has for as long as it is polled. [`task_local!`](crate::task_local)
/// declares one.
///
/// Tasks that are spawned in the scope do not have the value, nor has work on other shards.
pub struct LocalKey<T: 'static> {
    place: &'static thread::LocalKey<RefCell<Option<T>>>,
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn new(place: &'static thread::LocalKey<RefCell<Option<T>>>) -> Self {
        Self { place }
    }

    /// `future`, which has `value` under this key in each of its polls and while it is dropped. A
    /// scope within the scope hides the value of the outer one.
    ///
    /// # Cancellation
    ///
    /// As safe as `future`, which is dropped with this.
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> Scoped<T, F> {
        Scoped { key: self, value: Some(value), future: Some(future) }
    }

    /// Runs `run`, which has `value` under this key.
    ///
    /// # Panics
    ///
    /// If `run` does, or within [`with`](Self::with) of the same key.
    pub fn sync_scope<R>(&'static self, value: T, run: impl FnOnce() -> R) -> R {
        self.inside(&mut Some(value), run)
    }

    /// Runs `look` with the value.
    ///
    /// # Panics
    ///
    /// If `look` does, or outside of a scope.
    #[track_caller]
    pub fn with<R>(&'static self, look: impl FnOnce(&T) -> R) -> R {
        self.try_with(look).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs `look` with the value.
    ///
    /// # Errors
    ///
    /// [`AccessError`] outside of a scope.
    ///
    /// # Panics
    ///
    /// If `look` does.
    pub fn try_with<R>(&'static self, look: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let look = |place: &RefCell<Option<T>>| place.borrow().as_ref().map(look);
        self.place.try_with(look).ok().flatten().ok_or(AccessError)
    }

    /// A copy of the value.
    ///
    /// # Panics
    ///
    /// Outside of a scope.
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }

    #[track_caller]
    fn inside<R>(&'static self, value: &mut Option<T>, run: impl FnOnce() -> R) -> R {
        assert!(self.swap(value), "a scope begins where the value of its key is looked at");
        let _swap_back = defer(|| _ = self.swap(value));
        run()
    }

    /// Changes the value for the one that is in force; `false` if that is looked at, or the thread
    /// has ended.
    fn swap(&'static self, value: &mut Option<T>) -> bool {
        let swap = |place: &RefCell<Option<T>>| match place.try_borrow_mut() {
            Ok(mut inside) => {
                mem::swap(&mut *inside, value);
                true
            }
            Err(_) => false,
        };
        self.place.try_with(swap).unwrap_or(false)
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// There is no value: it was looked for outside of a [scope](LocalKey::scope) of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessError;

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a task was looked for outside of a scope of its key")
    }
}

impl Error for AccessError {}

/// The future of [`LocalKey::scope`].
///
/// # Panics
///
/// When polled within [`with`](LocalKey::with) of the same key, or after it was ready.
///
/// # Cancellation
///
/// As safe as the future inside.
#[must_use = "futures do nothing unless polled"]
pub struct Scoped<T: 'static, F> {
    key: &'static LocalKey<T>,
    /// The value that is not in force: ours, and during a poll that of the scope around.
    value: Option<T>,
    /// `None` once it was ready.
    future: Option<F>,
}

impl<T: 'static, F: Future> Future for Scoped<T, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: *Pin Invariant*.
        let Self { key, value, future } = unsafe { self.get_unchecked_mut() };
        key.inside(value, || {
            let inner = future.as_mut().expect("polled after it was ready");
            // SAFETY: *Pin Invariant*.
            let polled = unsafe { Pin::new_unchecked(inner) }.poll(cx);
            if polled.is_ready() {
                // In place, as pinned values are dropped.
                *future = None;
            }
            polled
        })
    }
}

impl<T: 'static, F> Drop for Scoped<T, F> {
    fn drop(&mut self) {
        let Self { key, value, future } = self;
        if future.is_some() && key.swap(value) {
            let _swap_back = defer(|| _ = key.swap(value));
            *future = None;
        }
    }
}

impl<T: 'static, F> fmt::Debug for Scoped<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
