//! Failures that no one saw: counted, and reported through a hook.
//!
//! An error that is dropped says nothing, and often it is the only trace of what went wrong. So the
//! places where the runtime itself drops one tell of it:
//!
//! - a promise [failed](crate::Promise::fail), and its future is dropped with the error still in
//!   it; also a future that was [failed](crate::Future::failed) from the start;
//! - a task ended by a panic, and its `JoinHandle` is dropped without having been asked, or was
//!   dropped before;
//! - an [`Unseen`] error, wherever that was put;
//! - in layers that catch panics, as `miniss-linux` does: the destructor of an answer that no one
//!   waits for panicked. The panic goes no further.
//!
//! Not every end is a failure: a promise that is broken because its maker was dropped, and a task
//! that was aborted, are how work is given up in Rust, and are not reported. Nor can the runtime
//! see that the output of a task is an `Err`; a task says so by
//! `map_err(`[`Unseen::new`]`)`.
//!
//! Count and hook are the program's, not an executor's: a promise belongs to none.

use core::any::type_name;
use core::fmt;
use core::mem;

use crate::prim::statics::{AtomicPtr, AtomicUsize, Ordering};

static COUNT: AtomicUsize = AtomicUsize::new(0);
/// A [`Hook`], or null.
static HOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// What is called for each failure that no one saw.
pub type Hook = fn(&Unobserved);

/// A failure that no one saw, as the [hook](set_hook) gets it.
///
/// ```
/// # use miniss_core::{Future, unobserved};
/// use std::io::{Write, stderr};
/// // `eprintln!` would panic if no one reads it.
/// unobserved::set_hook(|failure| _ = writeln!(stderr(), "no one saw {failure}"));
/// drop(Future::<u32, String>::failed("no file".to_owned()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unobserved {
    /// What failed.
    pub source: Source,
    /// The type of the error, as [`type_name`] has it; for a panic of a task, the word `panic`.
    pub error: &'static str,
}

/// What it was that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A promise, whose future was dropped.
    Promise,
    /// A task, whose handle was dropped.
    Task,
    /// An [`Unseen`] error.
    Unseen,
    /// A panic in the destructor of something that was given up, or in other code that no one waits
    /// for. A layer above that can catch panics reports it; the core cannot.
    Destructor,
}

impl fmt::Display for Unobserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Source::Promise => "the failure of a promise",
            Source::Task => "the failure of a task",
            Source::Unseen => "an error",
            Source::Destructor => "the failure of a destructor",
        };
        write!(f, "{source}: {}", self.error)
    }
}

/// How many failures no one saw, in the whole program since it began. It wraps.
///
/// ```
/// # use miniss_core::{Future, unobserved};
/// let before = unobserved::count();
/// drop(Future::<u32, &str>::failed("no file"));
/// assert!(unobserved::count() > before);
/// ```
pub fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// Calls `hook` for each failure from now on, in place of the hook before. There is none to begin
/// with.
///
/// The hook runs inside a destructor, on any core: it must be short, and must not
/// panic.
pub fn set_hook(hook: Hook) {
    // Release: pairs with `report`, which may run on another core.
    HOOK.store(hook as *mut (), Ordering::Release);
}

/// Calls `hook` for each failure from now on, unless a hook is there already; says whether it does.
/// For a layer above that has somewhere to report to, and leaves the choice to the program.
///
/// ```
/// use miniss_core::unobserved;
/// unobserved::set_hook(|_| {});
/// assert!(!unobserved::set_default_hook(|failure| unreachable!("{failure}")));
/// ```
pub fn set_default_hook(hook: Hook) -> bool {
    let (none, hook) = (core::ptr::null_mut(), hook as *mut ());
    // Release: as in `set_hook`. What is there already is not looked into.
    HOOK.compare_exchange(none, hook, Ordering::Release, Ordering::Relaxed).is_ok()
}

/// Counts a failure and reports it to the hook: for a layer above that drops errors of its own.
///
/// ```
/// use miniss_core::unobserved::{self, Source};
/// unobserved::report(Source::Task, "panic");
/// assert!(unobserved::count() > 0);
/// ```
#[cold]
pub fn report(source: Source, error: &'static str) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let hook = HOOK.load(Ordering::Acquire);
    if hook.is_null() {
        return;
    }
    // SAFETY: what is not null was stored by `set_hook` or `set_default_hook`, from a function of
    // this very type.
    let hook = unsafe { mem::transmute::<*mut (), Hook>(hook) };
    hook(&Unobserved { source, error });
}

/// An error that is reported if it is dropped before someone has looked at it.
///
/// ```
/// # use miniss_core::{doctest::executor, unobserved::{self, Unseen}};
/// # let mut executor = executor();
/// # let local = executor.local();
/// let before = unobserved::count();
/// executor.block_on(async move {
///     let failing = async { Err::<u32, _>("no file").map_err(Unseen::new) };
///     drop(local.spawn(failing)); // no one will see that it failed
///     miniss_core::combine::yield_now().await;
/// });
/// assert!(unobserved::count() > before);
/// ```
pub struct Unseen<E> {
    /// `None` once it has been taken.
    error: Option<E>,
    seen: core::cell::Cell<bool>,
}

impl<E> Unseen<E> {
    /// An error that no one has seen yet.
    ///
    /// ```
    /// use miniss_core::unobserved::Unseen;
    /// assert_eq!(Unseen::new("no file").into_inner(), "no file");
    /// ```
    pub const fn new(error: E) -> Self {
        Self { error: Some(error), seen: core::cell::Cell::new(false) }
    }

    /// The error itself, seen.
    pub fn into_inner(mut self) -> E {
        self.seen.set(true);
        self.error.take().expect("it is taken only here")
    }

    /// A look at the error. From now on it counts as seen.
    ///
    /// ```
    /// use miniss_core::unobserved::Unseen;
    /// let error = Unseen::new("no file");
    /// assert_eq!(error.look(), &"no file");
    /// ```
    pub fn look(&self) -> &E {
        self.seen.set(true);
        self.error.as_ref().expect("it is taken only by `into_inner`")
    }
}

impl<E> Drop for Unseen<E> {
    fn drop(&mut self) {
        if !self.seen.get() {
            report(Source::Unseen, type_name::<E>());
        }
    }
}

impl<E> From<E> for Unseen<E> {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl<E: fmt::Debug> fmt::Debug for Unseen<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unseen").field(self.look()).finish()
    }
}

impl<E: fmt::Display> fmt::Display for Unseen<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.look().fmt(f)
    }
}

impl<E: core::error::Error> core::error::Error for Unseen<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.look().source()
    }
}

#[cfg(all(test, feature = "alloc", not(any(loom, shuttle))))]
mod tests;
