//! The thread-local that says which shard this thread is in.
//!
//! Invariant **Entered means alive**: the pointers are set by [`enter`] alone, which borrows the
//! shard. When its guard goes, those of before are back: the guard of that shard, further up the
//! stack, is still there.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;

use miniss_core::coop::TaskBudget;

use super::shard::Shard;
use crate::driver::Unparker;

struct Current {
    /// The unparker of the shard, apart because every wake looks at it.
    unparker: Cell<*const Unparker>,
    shard: Cell<*const Shard>,
}

thread_local! {
    // Without a destructor, so that wakers may be used while a thread's locals are torn down.
    static CURRENT: Current =
        const { Current { unparker: Cell::new(ptr::null()), shard: Cell::new(ptr::null()) } };
}

/// Whether this thread is in the shard of `unparker`.
#[inline]
pub(crate) fn is_local(unparker: &Unparker) -> bool {
    CURRENT.with(|current| ptr::eq(current.unparker.get(), unparker))
}

/// Calls `f` with the shard this thread is in, if it is in one.
#[inline]
pub(crate) fn try_with<T>(f: impl FnOnce(&Shard) -> T) -> Option<T> {
    let shard = CURRENT.with(|current| current.shard.get());
    // SAFETY: *Entered means alive*.
    unsafe { shard.as_ref() }.map(f)
}

/// The budget of the task that this thread polls, if it is in a shard.
pub(crate) fn task_budget() -> Option<&'static TaskBudget> {
    try_with(|shard| shard.local.task_budget())
}

/// Calls `f` with the shard this thread is in.
///
/// # Panics
/// If it is in none.
#[inline]
#[track_caller]
pub(crate) fn with<T>(f: impl FnOnce(&Shard) -> T) -> T {
    try_with(f).expect(
        "this needs a shard: call it inside `Runtime::block_on`, or use a `Handle` from other \
         threads",
    )
}

/// This thread is in `shard` until the guard is dropped. It may have been in another: a runtime
/// that a task made ends inside of that task's shard.
pub(crate) fn enter(shard: &Shard) -> Entered<'_> {
    CURRENT.with(|current| Entered {
        unparker_before: current.unparker.replace(shard.local.cell().unparker()),
        shard_before: current.shard.replace(shard),
        shard: PhantomData,
    })
}

/// Leaves the shard when it is dropped, for the one that the thread was in before.
pub(crate) struct Entered<'a> {
    unparker_before: *const Unparker,
    shard_before: *const Shard,
    shard: PhantomData<&'a Shard>,
}

impl Entered<'_> {
    /// The shard's executor is gone: wakes take the long way from here on, as from anywhere else.
    pub(crate) fn without_executor(&self) {
        CURRENT.with(|current| current.unparker.set(ptr::null()));
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            current.shard.set(self.shard_before);
            current.unparker.set(self.unparker_before);
        });
    }
}
