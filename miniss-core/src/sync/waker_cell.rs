//! The place for the waker of the only one who may wait.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::task::Waker;

/// At most one waker. One that was left behind costs a spurious wake at most.
pub(super) struct WakerCell(Cell<Option<Waker>>);

impl WakerCell {
    pub(super) const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// Keeps a clone of `waker`, unless the one kept wakes the same task already. Cloning is
    /// foreign code, during which the place is empty: look again whether there still is something
    /// to wait for.
    pub(super) fn register(&self, waker: &Waker) {
        let mut kept = self.0.take();
        match &mut kept {
            Some(kept) => kept.clone_from(waker),
            None => kept = Some(waker.clone()),
        }
        self.0.set(kept);
    }

    /// Wakes who waits, if anybody.
    pub(super) fn wake(&self) {
        self.0.take().into_iter().for_each(Waker::wake);
    }
}
