//! Bugs planted on purpose: a model that still passes when an ordering is taken away proves
//! nothing.
//!
//! A test says which named spot is to be weakened (or which check is to be left out), and runs a
//! model over it that must fail. loom and shuttle run the threads of a model as coroutines on the
//! test's own thread, so the choice is a thread-local: it does not disturb tests that run at the
//! same time. To shuttle every ordering is the strongest, so it finds checks that are left out.
//!
//! Two tests in here see to it that nothing is forgotten: every ordering but `Relaxed` has a name,
//! and every name has such a bug. `AcqRel` has one for each half; `SeqCst` is weakened to `AcqRel`.

#[cfg(all(test, loom))]
mod tests;

use core::cell::Cell;
use core::sync::atomic::Ordering;
use std::thread_local;

thread_local! {
    static BUG: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// What is planted, and where.
#[derive(Clone, Copy)]
struct Bug {
    spot: &'static str,
    /// What is left of the ordering there; a check has none.
    weakened: Option<Ordering>,
}

/// Keeps a bug planted on this thread until it is dropped.
#[must_use]
pub(crate) struct Planted(());

impl Drop for Planted {
    fn drop(&mut self) {
        BUG.set(None);
    }
}

/// Plants a bug at `spot` in all that this thread does from now on.
pub(crate) fn plant(spot: &'static str, weakened: Option<Ordering>) -> Planted {
    let former = BUG.replace(Some(Bug { spot, weakened }));
    assert!(former.is_none(), "one bug at a time");
    Planted(())
}

/// The ordering at `spot`: as it is written, unless it is the one that is weakened.
pub(crate) fn ordering(spot: &str, written: Ordering) -> Ordering {
    match BUG.get() {
        Some(Bug { spot: bug, weakened: Some(weakened) }) if bug == spot => weakened,
        _ => written,
    }
}

/// Whether the check at `spot` is to be left out.
pub(crate) fn planted(spot: &str) -> bool {
    BUG.get().is_some_and(|bug| bug.spot == spot)
}

/// A fence. If it is weakened to `Relaxed`, there is no fence.
#[cfg(loom)]
pub(crate) fn fence(ordering: Ordering) {
    if ordering != Ordering::Relaxed {
        loom::sync::atomic::fence(ordering);
    }
}

/// Makes tests. Each plants one bug in a model and demands that the model fails, with the words
/// given.
///
/// `name: model without "spot" says "message"` leaves out a check;
/// `name: model with "spot" as Relaxed says "message"` weakens an ordering.
#[cfg(test)]
macro_rules! bugs {
    ($($name:ident: $model:ident $with:ident $spot:literal $(as $weak:ident)? says $text:literal;)+)
    => {$(
        #[test]
        #[should_panic(expected = $text)]
        fn $name() {
            let weakened = None::<::core::sync::atomic::Ordering>;
            $(let weakened = weakened.or(Some(::core::sync::atomic::Ordering::$weak));)?
            let _bug = $crate::prim::planted::plant($spot, weakened);
            $model();
        }
    )+};
}
#[cfg(test)]
pub(crate) use bugs;
