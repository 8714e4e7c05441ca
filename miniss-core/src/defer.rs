//! What is done at the end of a block, also if the code in it unwinds: destructors and wakers are
//! foreign code.

#![forbid(unsafe_code)]

use core::mem;

/// Calls `last` when the result is dropped, unless that was [disarmed](Defer::disarm). Of several
/// in one block the last one made is called first, and one that panics does not keep the others
/// from being called.
#[inline]
pub(crate) fn defer<F: FnMut()>(last: F) -> Defer<F> {
    Defer(last)
}

/// What [`defer`] returns.
#[must_use = "without a name it is dropped, and called, at once"]
pub(crate) struct Defer<F: FnMut()>(F);

impl<F: FnMut()> Defer<F> {
    /// Does not call the closure after all. What the closure owns is forgotten: it owns nothing
    /// that has to be dropped.
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

/// Calls `step` until it gives `false`. If a call unwinds, the others are made on the way out.
pub(crate) fn to_the_end(step: impl FnMut() -> bool) {
    let mut rest = Rest(step);
    rest.go_on();
}

struct Rest<F: FnMut() -> bool>(F);

impl<F: FnMut() -> bool> Rest<F> {
    fn go_on(&mut self) {
        while (self.0)() {}
    }
}

impl<F: FnMut() -> bool> Drop for Rest<F> {
    fn drop(&mut self) {
        self.go_on();
    }
}
