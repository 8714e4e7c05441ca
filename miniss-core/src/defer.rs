//! Code that runs at the end of a block, also if the block unwinds. Destructors and wakers are
//! foreign code, and any of them may panic.

#![forbid(unsafe_code)]

use core::mem;

/// Calls `last` when the result is dropped, unless that was [disarmed](Defer::disarm). Several in
/// one block are called in reverse order. If one panics, the others are still called.
#[inline]
pub(crate) fn defer<F: FnMut()>(last: F) -> Defer<F> {
    Defer(last)
}

/// A closure that is called when this is dropped.
#[must_use = "without a name it is dropped, and called, at once"]
pub(crate) struct Defer<F: FnMut()>(F);

impl<F: FnMut()> Defer<F> {
    /// The closure will not be called. It is forgotten, not dropped, so it must own nothing.
    #[inline]
    pub(crate) fn disarm(self) {
        const { assert!(!mem::needs_drop::<F>()) };
        mem::forget(self);
    }
}

impl<F: FnMut()> Drop for Defer<F> {
    #[inline]
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Calls `step` until it returns `false`. If a call unwinds, the rest of the calls are made while
/// unwinding; a second panic ends the program.
pub(crate) fn to_the_end(step: impl FnMut() -> bool) {
    let mut rest = Rest(step);
    rest.go_on();
    rest.disarm();
}

struct Rest<F: FnMut() -> bool>(F);

impl<F: FnMut() -> bool> Rest<F> {
    fn disarm(self) {
        const { assert!(!mem::needs_drop::<F>()) };
        mem::forget(self);
    }

    fn go_on(&mut self) {
        while (self.0)() {}
    }
}

impl<F: FnMut() -> bool> Drop for Rest<F> {
    fn drop(&mut self) {
        self.go_on();
    }
}
